/* SPDX-License-Identifier: MIT */
/*
 * driver.c: libFuzzer's side.  FUZZ_TARGET in the environment names the target:
 * one program for all, for linking them takes longer than running them.
 */
#include <config.h>

#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t most,
			       unsigned int seed);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t most);

static const struct {
	const char *name;
	void (*run)(const uint8_t *data, size_t size);
} targets[] = {
#define ROW(name, corpus) { #name, fuzz_##name },
	PL_FUZZ_TARGETS(ROW)
#undef ROW
};

static size_t chosen;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	const char *name = getenv("FUZZ_TARGET");

	(void)argc;
	(void)argv;
	for (size_t i = 0; name && i < sizeof(targets) / sizeof(*targets);
	     i++) {
		if (!strcmp(name, targets[i].name)) {
			chosen = i;
			return 0;
		}
	}
	fprintf(stderr, "fuzz: FUZZ_TARGET is to be the name of a target\n");
	exit(2);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	targets[chosen].run(data, size);
	return 0;
}

static uint32_t next_random(unsigned int *state)
{
	*state = *state * 1103515245u + 12345u;
	return *state >> 8;
}

/* An aligned number of the file becomes another: its neighbour, one from
 * elsewhere in the file, or an extreme. */
static void change_number(uint8_t *data, size_t size, unsigned int *state)
{
	static const uint32_t extremes[] = { 0, 1, 63, 64, 0x7fffffff,
					     0x80000000, 0xffffffff };
	size_t n = size / 4, at = next_random(state) % n, from;
	uint32_t value;

	/* Most of a file is empty; not all of it is worth a try. */
	for (int i = 0; i < 16; i++, at = next_random(state) % n) {
		memcpy(&value, data + at * 4, 4);
		if (value)
			break;
	}
	from = next_random(state) % n;
	switch (next_random(state) % 4) {
	case 0:
		value += next_random(state) % 2 ? 1 : UINT32_MAX;
		break;
	case 1:
		memcpy(&value, data + from * 4, 4);
		break;
	case 2:
		value = extremes[next_random(state) % 7];
		break;
	default:
		value ^= 1u << next_random(state) % 32;
	}
	memcpy(data + at * 4, &value, 4);
}

/* Files of pages are big and mostly pointers: libFuzzer's own changes, which
 * move bytes, would make nearly all of them unreadable. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t most,
			       unsigned int seed)
{
	unsigned int state = seed;

	if (size < 4096 || !(next_random(&state) % 8))
		return LLVMFuzzerMutate(data, size, most);
	for (uint32_t i = next_random(&state) % 3 + 1; i; i--) {
		size_t at = next_random(&state) % (size - 64);

		if (next_random(&state) % 2)
			change_number(data, size, &state);
		else
			LLVMFuzzerMutate(data + at, 64, 64);
	}
	return size;
}
