/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lines.h - a file of rules or patterns, line by line, and errors that name file and line. */
#ifndef SL_NF_LINES_H
#define SL_NF_LINES_H

#include <stddef.h>

struct lines {
	const char *path;
	unsigned line; /* the one in hand; 0: before the first */
	char *err;
	size_t err_size;
};

/* "path:line: ..." into err; returns -EINVAL. */
__attribute__((format(printf, 2, 3))) int lines_fail(const struct lines *l, const char *fmt, ...);

/*
 * Call take() for each line, which it may change, up to the first that returns other than 0; that
 * is returned. -EINVAL if the file cannot be read: `what` says what it should have been.
 */
int lines_read(struct lines *l, const char *what, int (*take)(void *ctx, char *line), void *ctx);

#endif /* SL_NF_LINES_H */
