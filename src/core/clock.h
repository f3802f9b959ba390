/* SPDX-License-Identifier: MIT */
/*
 * clock.h: the ticks a recorder counts in.
 *
 * The clock is the largest single cost of a tracer: the vDSO's clock_gettime
 * costs 20 ns and more a reading, the time-stamp counter about 4 to 8.  So on
 * a machine whose counter runs at a constant rate on every core, raw counter
 * values are stored, and converted by whoever reads, from two instants known
 * on both clocks (struct pl_sync).  No calibration wait at start.
 *
 * The counter is used only if the processor says it is invariant and the
 * kernel itself keeps time by it (or by a paravirtual clock built on it):
 * a kernel that has marked the counter unstable knows better than cpuid.
 */
#ifndef PL_CORE_CLOCK_H
#define PL_CORE_CLOCK_H

#include "core/format.h"

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#if defined(__x86_64__)
#include <x86intrin.h>
#define PL_HAVE_COUNTER PL_TICK_TSC
static inline uint64_t pl_counter(void)
{
	return __rdtsc();
}
#elif defined(__aarch64__)
#define PL_HAVE_COUNTER PL_TICK_CNTVCT
static inline uint64_t pl_counter(void)
{
	uint64_t v;

	__asm__ volatile("mrs %0, cntvct_el0" : "=r"(v));
	return v;
}
#else
#define PL_HAVE_COUNTER PL_TICK_NS
static inline uint64_t pl_counter(void)
{
	return 0;
}
#endif

static inline int64_t pl_clock_ns(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

/* What the wall clock's ticks are on this machine.  Asked once, then cached. */
enum pl_tick_source pl_clock_source(void);

/* Ticks a second as the processor states it, or 0. */
uint64_t pl_clock_hz(void);

/* Read the clocks at one instant: the counter is read before and after and
 * the narrowest of a few tries is kept. */
void pl_clock_sync(struct pl_sync *sync, enum pl_clock_kind kind,
		   enum pl_tick_source source);

/* "wall", "cpu", "step", "callable"; false when @name is none of those that
 * an option may name (the first three). */
const char *pl_clock_name(enum pl_clock_kind kind);
bool pl_clock_parse(const char *name, enum pl_clock_kind *kind);

#endif
