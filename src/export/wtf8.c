/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "export/wtf8.h"

#include <string.h>

int32_t pl_wtf8_next(const char *s, size_t n, size_t *len)
{
	static const int32_t least[] = { 0, 0x80, 0x800, 0x10000 };
	const uint8_t *p = (const uint8_t *)s;
	size_t more = p[0] < 0x80 ? 0 : p[0] < 0xe0 ? 1 : p[0] < 0xf0 ? 2 : 3;
	int32_t c;

	*len = 1;
	if (!more)
		return p[0];
	if (p[0] < 0xc2 || p[0] > 0xf4 || n <= more)
		return -1;
	c = p[0] & (0x3f >> more);
	for (size_t i = 1; i <= more; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return -1;
		c = c << 6 | (p[i] & 0x3f);
	}
	if (c < least[more] || c > 0x10ffff)
		return -1;
	*len = more + 1;
	return c;
}

bool pl_wtf8_is_valid(const char *s, size_t n)
{
	size_t len;

	for (; n; s += len, n -= len)
		if (pl_wtf8_next(s, n, &len) < 0)
			return false;
	return true;
}

size_t pl_wtf8_length(const char *s)
{
	size_t n = 0;

	for (; *s; s++)
		n += ((uint8_t)*s & 0xc0) != 0x80;
	return n;
}
