// SPDX-License-Identifier: GPL-2.0-or-later
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>

#include <sluice/nf.h>

#include "nf/text.h"

void text_add(struct text *t, const char *fmt, ...)
{
	size_t at = t->used < t->size ? t->used : t->size;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(at < t->size ? t->buf + at : NULL, t->size - at, fmt, ap);
	va_end(ap);
	if (n > 0)
		t->used += (size_t)n;
}

int text_end(const struct text *t)
{
	return t->used < INT_MAX ? (int)t->used : -1;
}

void text_sum(uint64_t *sum, const void *counters, unsigned n)
{
	const uint64_t *c = counters;

	for (unsigned i = 0; i < n; i++)
		sum[i] += SL_NF_READ(c[i]);
}
