/* SPDX-License-Identifier: MIT */
/* options: PROFLITE_OPTIONS.  What was read reads the same when it is written
 * out, which is how it gets to child processes. */
#include <config.h>

#include "fuzz.h"

#include "core/options.h"

#include <stdlib.h>
#include <string.h>

void fuzz_options(const uint8_t *data, size_t size)
{
	static char again[1 << 16];
	struct pl_options o, o2;
	struct pl_error err;
	char *text = malloc(size + 1);
	size_t n;

	if (!text)
		exit(1);
	memcpy(text, data, size);
	text[size] = '\0';
	pl_options_init(&o);
	pl_options_init(&o2);
	if (!pl_options_parse(&o, text, &err)) {
		n = pl_options_format(&o, again, sizeof(again));
		if (n != strlen(again))
			fuzz_broken("the length is that of the text", NULL);
		if (pl_options_parse(&o2, again, &err))
			fuzz_broken("what we write we can read", &err);
		if (strcmp(o.out, o2.out) || strcmp(o.label, o2.label) ||
		    o.clock != o2.clock || o.max_nodes != o2.max_nodes ||
		    o.builtins != o2.builtins || o.start != o2.start ||
		    o.all_calls != o2.all_calls || o.ingest != o2.ingest ||
		    memcmp(o.run, o2.run, 16) || memcmp(o.parent, o2.parent, 16))
			fuzz_broken("options mean the same again", NULL);
	}
	free(text);
}
