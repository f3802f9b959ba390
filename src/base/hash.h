/* SPDX-License-Identifier: MIT */
/*
 * hash.h: mixing for the open-addressing tables of this code base, and
 * private pages for them.
 *
 * The tables live in anonymous pages of ours and never in the host's heap:
 * we may be called with a replaced malloc underneath, or one being profiled.
 */
#ifndef PL_BASE_HASH_H
#define PL_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>

/* Addresses differ in their middle bits; multiply (2^64 / golden ratio) and
 * take the high half.  Good enough for power-of-two tables. */
static inline uint32_t pl_hash_u64(uint64_t x)
{
	return (uint32_t)((x * 0x9e3779b97f4a7c15ull) >> 32);
}

/* FNV-1a, 64 bits folded to 32. */
static inline uint32_t pl_hash_bytes(const void *data, size_t n)
{
	const uint8_t *p = data;
	uint64_t h = 0xcbf29ce484222325ull;

	for (size_t i = 0; i < n; i++)
		h = (h ^ p[i]) * 0x100000001b3ull;
	return (uint32_t)(h ^ (h >> 32));
}

/* Zeroed pages, or NULL.  @bytes is rounded up to pages by the kernel. */
static inline void *pl_pages_alloc(size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

static inline void pl_pages_free(void *p, size_t bytes)
{
	if (p)
		munmap(p, bytes);
}

#endif
