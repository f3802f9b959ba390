/* SPDX-License-Identifier: MIT */
/* uuid.h: 16 random bytes, and their 32 hexadecimal digits. */
#ifndef PL_CORE_UUID_H
#define PL_CORE_UUID_H

#include <stdbool.h>
#include <stdint.h>

void pl_uuid_make(uint8_t id[16]);
void pl_uuid_format(const uint8_t id[16], char hex[33]);
bool pl_uuid_parse(const char *hex, uint8_t id[16]);
bool pl_uuid_is_zero(const uint8_t id[16]);

#endif
