/* SPDX-License-Identifier: MIT */
/* attach.h: the process's side of `proflite attach`; see core/attach.h. */
#ifndef PL_PROBE_ATTACH_H
#define PL_PROBE_ATTACH_H

#include <stdint.h>

/* Do what is requested in the folder of this number, and answer there.  With
 * the GIL held.  Does nothing when there is no such folder. */
void pl_attach_serve(uint32_t number);

#endif
