/* SPDX-License-Identifier: MIT */
/*
 * calibrate.h: what the events of one call cost, measured in the process.
 *
 * A call that is recorded takes longer, by A, than one that is not.  Of that,
 * `in` is within the callee's time as the recorder sees it, and the rest,
 * `out`, within its caller's:
 *
 *	caller ───┐ event ...read clock │ callee ... │ read clock... event ┌──
 *	          └──────── out ────────┴──── in ────┴──────── out ────────┘
 *
 * A is the difference between a loop of calls that are not recorded and the
 * same loop when they are.  `in` is what the recorder says of the callee, less
 * half of what an unrecorded call takes (or of what the recorder says, if that
 * is shorter), for of that no clock tells how much is the callee's.  All are low
 * quantiles of batches, in ticks of the recording's clock; their distance from
 * the medians is their uncertainty.
 *
 * The loops are the smallest there are, and always in the caches: a program's
 * events cost at least that much, and those of a large one more.
 */
#ifndef PL_PROBE_CALIBRATE_H
#define PL_PROBE_CALIBRATE_H

#include "core/session.h"

/*
 * Fill in the cost_* of @s's recording, which must not be going on, in some
 * milliseconds; the figures are kept for the process's next recording of the
 * same kind.  They stay 0, not known, where measuring would be noticed or
 * would measure something else: another profiler, debugger or session is
 * active, the clock is not a real one, this is not the main interpreter.
 *
 * A signal's handler may run meanwhile.  What it raises is left pending.
 */
void pl_calibrate(struct pl_session *s);

#endif
