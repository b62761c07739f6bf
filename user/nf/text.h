/* SPDX-License-Identifier: GPL-2.0-or-later */
/* text.h - what an NF reports, piece by piece, with snprintf's rule for buffers that are too small.
 */
#ifndef SL_NF_TEXT_H
#define SL_NF_TEXT_H

#include <stddef.h>
#include <stdint.h>

#include <sluice/nf.h>

struct text {
	char *buf;
	size_t size;
	size_t used; /* of what there would be with room for all */
};

void text_add(struct text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* A string as JSON has it; what is not ASCII, or not printable, becomes '?'. */
void text_quote(struct text *t, const char *s);

/* What show() returns. */
int text_end(const struct text *t);

/* A flow's ends and protocol as `sluice flows` writes them: "addr_a", "port_a", ... */
void text_flow_key(struct text *t, const struct sl_flow_key *key);

/* sum[i] += counters[i], each read as SL_NF_READ() does. */
void text_sum(uint64_t *sum, const void *counters, unsigned n);

#endif /* SL_NF_TEXT_H */
