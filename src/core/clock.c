/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "core/clock.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

/* The kernel's own choice of clock, or "" where /sys is not mounted. */
static void read_clocksource(char *buf, size_t size)
{
	int fd = open("/sys/devices/system/clocksource/clocksource0/"
		      "current_clocksource", O_RDONLY | O_CLOEXEC);
	ssize_t n = -1;

	if (fd >= 0) {
		n = read(fd, buf, size - 1);
		close(fd);
	}
	buf[n > 0 ? n : 0] = '\0';
	buf[strcspn(buf, "\n")] = '\0';
}

static bool counter_is_trusted(void)
{
#if defined(__x86_64__)
	static const char *const built_on_tsc[] = {
		"tsc", "kvm-clock", "hyperv_clocksource_tsc_page", "xen",
	};
	unsigned int a, b, c, d;
	char source[64];

	/* CPUID 8000_0007h, EDX bit 8: invariant TSC (Intel SDM 18.17). */
	if (!__get_cpuid(0x80000007, &a, &b, &c, &d) || !(d & (1u << 8)))
		return false;
	read_clocksource(source, sizeof(source));
	for (size_t i = 0; i < sizeof(built_on_tsc) / sizeof(*built_on_tsc); i++)
		if (!strcmp(source, built_on_tsc[i]))
			return true;
	return false;
#elif defined(__aarch64__)
	/* The architecture requires a constant rate and one view of time. */
	(void)read_clocksource;
	return true;
#else
	(void)read_clocksource;
	return false;
#endif
}

enum pl_tick_source pl_clock_source(void)
{
	static int cached = -1;
	int source = __atomic_load_n(&cached, __ATOMIC_RELAXED);

	if (source < 0) {
		source = counter_is_trusted() ? (int)PL_HAVE_COUNTER
					      : (int)PL_TICK_NS;
		__atomic_store_n(&cached, source, __ATOMIC_RELAXED);
	}
	return (enum pl_tick_source)source;
}

uint64_t pl_clock_hz(void)
{
	if (pl_clock_source() == PL_TICK_NS)
		return 1000000000;
#if defined(__aarch64__)
	uint64_t hz;

	__asm__ volatile("mrs %0, cntfrq_el0" : "=r"(hz));
	return hz;
#elif defined(__x86_64__)
	unsigned int den, num, crystal, d;

	/* CPUID 15h: TSC = crystal * num / den, where the part states it. */
	if (__get_cpuid(0x15, &den, &num, &crystal, &d) && den && num && crystal)
		return (uint64_t)crystal * num / den;
	return 0;
#else
	return 0;
#endif
}

void pl_clock_sync(struct pl_sync *sync, enum pl_clock_kind kind,
		   enum pl_tick_source source)
{
	uint64_t best = UINT64_MAX;

	if (kind != PL_CLOCK_WALL || source == PL_TICK_NS) {
		sync->mono_ns = pl_clock_ns(CLOCK_MONOTONIC);
		sync->ticks = kind == PL_CLOCK_WALL ? (uint64_t)sync->mono_ns : 0;
		sync->real_ns = pl_clock_ns(CLOCK_REALTIME);
		return;
	}
	for (int i = 0; i < 4; i++) {
		uint64_t before = pl_counter();
		int64_t mono = pl_clock_ns(CLOCK_MONOTONIC);
		int64_t real = pl_clock_ns(CLOCK_REALTIME);
		uint64_t after = pl_counter();

		if (after - before < best) {
			best = after - before;
			sync->ticks = before + best / 2;
			sync->mono_ns = mono;
			sync->real_ns = real;
		}
	}
}

static const char *const clock_names[] = {
	[PL_CLOCK_WALL] = "wall",
	[PL_CLOCK_CPU] = "cpu",
	[PL_CLOCK_STEP] = "step",
	[PL_CLOCK_CALLABLE] = "callable",
};

const char *pl_clock_name(enum pl_clock_kind kind)
{
	return (unsigned)kind <= PL_CLOCK_CALLABLE ? clock_names[kind] : "?";
}

bool pl_clock_parse(const char *name, enum pl_clock_kind *kind)
{
	for (int i = PL_CLOCK_WALL; i <= PL_CLOCK_STEP; i++) {
		if (!strcmp(name, clock_names[i])) {
			*kind = (enum pl_clock_kind)i;
			return true;
		}
	}
	return false;
}
