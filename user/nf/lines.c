// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nf/lines.h"

int lines_fail(const struct lines *l, const char *fmt, ...)
{
	int n = snprintf(l->err, l->err_size, "%s:%u: ", l->path, l->line);
	va_list ap;

	va_start(ap, fmt);
	if (n > 0 && (size_t)n < l->err_size)
		vsnprintf(l->err + n, l->err_size - (size_t)n, fmt, ap);
	va_end(ap);
	return -EINVAL;
}

int lines_read(struct lines *l, const char *what, int (*take)(void *ctx, char *line), void *ctx)
{
	FILE *f = fopen(l->path, "re");
	char *line = NULL;
	size_t size = 0;
	int ret = 0;

	if (!f) {
		snprintf(l->err, l->err_size, "%s: %s: name a file of %s", l->path, strerror(errno),
			 what);
		return -EINVAL;
	}
	while (!ret && getline(&line, &size, f) >= 0) {
		l->line++;
		ret = take(ctx, line);
	}
	if (!ret && ferror(f)) {
		snprintf(l->err, l->err_size, "%s: %s: name a file of %s", l->path, strerror(errno),
			 what);
		ret = -EINVAL;
	}
	free(line);
	fclose(f);
	return ret;
}
