/* SPDX-License-Identifier: MIT */
/* test_corpus.c: every target of the fuzzer is given what is in its corpus:
 * seeds, and what was found once. */
#include <config.h>

#include "suites.h"

#include "../fuzz/fuzz.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

static const struct {
	const char *corpus;
	void (*run)(const uint8_t *data, size_t size);
} targets[] = {
#define ROW(name, corpus) { #corpus, fuzz_##name },
	PL_FUZZ_TARGETS(ROW)
#undef ROW
};

static void run_file(size_t target, const char *path)
{
	static uint8_t data[1 << 20];
	FILE *f = fopen(path, "rb");
	size_t n;

	ck_assert_msg(f != NULL, "%s", path);
	n = fread(data, 1, sizeof(data), f);
	fclose(f);
	ck_assert_msg(n < sizeof(data), "%s is too big", path);
	/* What it had in hand when it fell. */
	mark_point();
	targets[target].run(data, n);
}

START_TEST(nothing_in_the_corpus_breaks_its_target)
{
	struct dirent **files;
	char folder[4096];
	int n, n_run = 0;

	snprintf(folder, sizeof(folder), "%s/%s", PL_CORPUS,
		 targets[_i].corpus);
	n = scandir(folder, &files, NULL, alphasort);
	ck_assert_msg(n > 0, "no corpus: %s", folder);
	for (int i = 0; i < n; i++) {
		char path[4096 + 256];

		snprintf(path, sizeof(path), "%s/%s", folder,
			 files[i]->d_name);
		if (files[i]->d_name[0] != '.') {
			run_file((size_t)_i, path);
			n_run++;
		}
		free(files[i]);
	}
	free(files);
	ck_assert_int_gt(n_run, 0);
}
END_TEST

Suite *suite_corpus(void)
{
	Suite *s = suite_create("corpus");
	TCase *tc = tcase_create("corpus");

	tcase_add_loop_test(tc, nothing_in_the_corpus_breaks_its_target, 0,
			    sizeof(targets) / sizeof(*targets));
	suite_add_tcase(s, tc);
	return s;
}
