/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "fuzz.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void fuzz_broken(const char *promise, const struct pl_error *err)
{
	fprintf(stderr, "fuzz: %s%s%s\n", promise, err ? ": " : "",
		err ? err->text : "");
	abort();
}

/* ----------------------------------------------------------------- files -- */

static char folder[64];
static pid_t folder_of;

static void remove_folder(void)
{
	static const char *const names[] = { "p.db", "p.db-journal", "q.db",
					     "q.db-journal" };
	char path[128];

	if (folder_of != getpid())
		return;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
		unlink(path);
	}
	rmdir(folder);
}

const char *fuzz_folder(void)
{
	if (folder_of == getpid())
		return folder;
	strcpy(folder, access("/dev/shm", W_OK) ? "/tmp/pl-fuzz-XXXXXX"
						: "/dev/shm/pl-fuzz-XXXXXX");
	if (!mkdtemp(folder)) {
		perror(folder);
		exit(1);
	}
	folder_of = getpid();
	atexit(remove_folder);
	return folder;
}

const char *fuzz_file(const char *name, const uint8_t *data, size_t size)
{
	static char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", fuzz_folder(), name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (fd < 0 || write(fd, data, size) != (ssize_t)size) {
		perror(path);
		exit(1);
	}
	close(fd);
	return path;
}

/* Making the tables takes longer than copying them. */
struct pl_store *fuzz_store(void)
{
	static uint8_t *empty;
	static size_t size;
	struct pl_store *store;
	struct pl_error err;
	const char *path = fuzz_file("q.db", empty, size);
	FILE *f;

	if (pl_store_open(&store, path, PL_STORE_WRITE, 0, &err))
		fuzz_broken("a new database can be opened", &err);
	if (empty)
		return store;
	f = fopen(path, "rb");
	if (!f || fseek(f, 0, SEEK_END))
		exit(1);
	size = (size_t)ftell(f);
	empty = malloc(size);
	rewind(f);
	if (!empty || fread(empty, 1, size, f) != size)
		exit(1);
	fclose(f);
	return store;
}

/* --------------------------------------------------------------- reading -- */

void fuzz_check_tree(const struct pl_tree *tree, uint32_t n_funcs)
{
	for (uint32_t i = 0; i < tree->n; i++) {
		const struct pl_tree_node *t = &tree->nodes[i];

		if (i ? t->parent >= i : t->parent != 0)
			fuzz_broken("a parent stands before its children",
				    NULL);
		if (t->end <= i || t->end > tree->nodes[t->parent].end ||
		    t->end > tree->n)
			fuzz_broken("a subtree lies in its parent's", NULL);
		if (t->func >= n_funcs && t->func != UINT32_MAX)
			fuzz_broken("a function is one of those there are",
				    NULL);
	}
}

static void read_trees(struct pl_store *store, const struct pl_profile *p,
		       const struct pl_select *sel)
{
	struct pl_tree tree = { 0 };
	struct pl_thread *threads;
	struct pl_error err;
	size_t n;

	if (pl_store_threads(store, sel, &threads, &n, &err))
		return;
	for (size_t i = 0; i < n; i++)
		if (!pl_store_load_tree(store, &threads[i], p, &tree, &err))
			fuzz_check_tree(&tree, p->n_funcs);
	pl_tree_release(&tree);
	pl_threads_free(threads, n);
}

static void read_profile(struct pl_store *store, int64_t run)
{
	struct pl_select sel = { .run_id = run };
	struct pl_profile p;
	struct pl_error err;

	if (pl_store_load(store, &sel, true, &p, &err))
		return;
	for (uint32_t i = 0; i < p.n_funcs; i++)
		if (strlen(p.funcs[i].file) + strlen(p.funcs[i].name) >
		    1u << 30)
			fuzz_broken("names end", NULL);
	for (uint32_t i = 0; i < p.n_edges; i++)
		if (p.edges[i].caller >= p.n_funcs ||
		    p.edges[i].callee >= p.n_funcs)
			fuzz_broken("a pair's functions are there", NULL);
	read_trees(store, &p, &sel);
	pl_profile_release(&p);
}

void fuzz_read_store(struct pl_store *store)
{
	struct pl_process *processes;
	struct pl_error err;
	struct pl_run *runs;
	size_t n, n_processes;

	if (pl_store_runs(store, &runs, &n, &err))
		return;
	for (size_t i = 0; i < n; i++) {
		if (!pl_store_processes(store, runs[i].id, &processes,
					&n_processes, &err))
			pl_processes_free(processes, n_processes);
		read_profile(store, runs[i].id);
	}
	pl_runs_free(runs, n);
}
