/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dpi_patterns.h - patterns of a file, compiled by Hyperscan for streams. */
#ifndef SL_NF_DPI_PATTERNS_H
#define SL_NF_DPI_PATTERNS_H

#include <hs.h>
#include <stdbool.h>
#include <stddef.h>

struct dpi_pattern {
	char *expression;
	unsigned id; /* as the file says, or its line */
	unsigned line;
	unsigned flags; /* HS_FLAG_... */
	bool drop;
};

struct dpi_patterns {
	struct dpi_pattern *pattern; /* Hyperscan reports the index */
	unsigned n;
	hs_database_t *db;
	size_t stream_bytes;
};

/* 0, or -errno with one line in err that names the file, its line and the mend. */
int dpi_patterns_load(const char *path, struct dpi_patterns *out, char *err, size_t err_size);
void dpi_patterns_free(struct dpi_patterns *p);

#endif /* SL_NF_DPI_PATTERNS_H */
