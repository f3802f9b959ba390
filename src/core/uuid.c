/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "core/uuid.h"

#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

void pl_uuid_make(uint8_t id[16])
{
	struct timespec ts;
	uint64_t mix[2];

	/* GRND_NONBLOCK: an early-boot process must not wait for entropy. */
	if (getrandom(id, 16, GRND_NONBLOCK) == 16)
		return;
	clock_gettime(CLOCK_REALTIME, &ts);
	mix[0] = (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
	mix[1] = ((uint64_t)getpid() << 32) ^ (uintptr_t)&ts;
	memcpy(id, mix, 16);
}

void pl_uuid_format(const uint8_t id[16], char hex[33])
{
	static const char digit[] = "0123456789abcdef";

	for (int i = 0; i < 16; i++) {
		hex[2 * i] = digit[id[i] >> 4];
		hex[2 * i + 1] = digit[id[i] & 15];
	}
	hex[32] = '\0';
}

static int nibble(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

bool pl_uuid_parse(const char *hex, uint8_t id[16])
{
	for (int i = 0; i < 16; i++) {
		int hi = nibble(hex[2 * i]);
		int lo = hi < 0 ? -1 : nibble(hex[2 * i + 1]);

		if (lo < 0)
			return false;
		id[i] = (uint8_t)(hi << 4 | lo);
	}
	return hex[32] == '\0';
}

bool pl_uuid_is_zero(const uint8_t id[16])
{
	static const uint8_t zero[16];

	return !memcmp(id, zero, 16);
}
