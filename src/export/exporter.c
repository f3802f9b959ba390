/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "export/exporter.h"

#include <string.h>

/* ".json" comes behind the longer names that end so. */
const struct pl_exporter *const pl_exporters[] = {
	&pl_export_html, &pl_export_pstats, &pl_export_pprof, &pl_export_speedscope,
	&pl_export_collapsed, &pl_export_callgrind, &pl_export_chrome,
	&pl_export_dot, &pl_export_csv, &pl_export_json,
	NULL,
};

const struct pl_exporter *pl_exporter_named(const char *name)
{
	for (size_t i = 0; pl_exporters[i]; i++)
		if (!strcmp(pl_exporters[i]->name, name))
			return pl_exporters[i];
	return NULL;
}

const struct pl_exporter *pl_exporter_for_file(const char *path)
{
	size_t len = strlen(path);

	for (size_t i = 0; pl_exporters[i]; i++) {
		const char *suffix = pl_exporters[i]->suffix;
		size_t n = strlen(suffix);

		if (len > n && !strcmp(path + len - n, suffix))
			return pl_exporters[i];
	}
	return NULL;
}
