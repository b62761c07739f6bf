// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdlib.h>
#include <string.h>

#include "nf/dpi_stream.h"

struct dpi_held {
	struct dpi_held *next;
	uint32_t seq, bytes;
	uint8_t data[];
};

int dpi_match(unsigned pattern, unsigned long long from, unsigned long long to, unsigned flags,
	      void *ctx)
{
	struct dpi_scan *s = ctx;

	sl_nf_count(&s->matched[pattern], 1);
	s->matches++;
	s->drop |= s->patterns->pattern[pattern].drop;
	return 0;
}

/* a is before b */
static bool before(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) < 0;
}

/* --- memory ---------------------------------------------------------------------------------- */

static bool charge(struct dpi_budget *b, size_t bytes)
{
	if (atomic_fetch_add_explicit(&b->used, bytes, memory_order_relaxed) + bytes <= b->limit)
		return true;
	atomic_fetch_sub_explicit(&b->used, bytes, memory_order_relaxed);
	return false;
}

static void refund(struct dpi_budget *b, size_t bytes)
{
	atomic_fetch_sub_explicit(&b->used, bytes, memory_order_relaxed);
}

static hs_stream_t *new_stream(const struct dpi_scan *s)
{
	struct dpi_shard *shard = s->shard;
	hs_stream_t *stream = NULL;

	if (shard->spares) {
		stream = shard->spare[--shard->spares];
	} else {
		if (!charge(s->budget, s->patterns->stream_bytes))
			return NULL;
		if (hs_open_stream(s->patterns->db, 0, &stream) != HS_SUCCESS) {
			refund(s->budget, s->patterns->stream_bytes);
			return NULL;
		}
	}
	sl_nf_count(&shard->streams, 1);
	return stream;
}

static void drop_held(struct dpi_budget *budget, struct dpi_shard *shard, struct dpi_dir *d)
{
	struct dpi_held *h = d->held;

	d->held = h->next;
	d->held_bytes -= h->bytes;
	sl_nf_count(&shard->held, -(uint64_t)h->bytes);
	refund(budget, sizeof(*h) + h->bytes);
	free(h);
}

void dpi_release(const struct dpi_patterns *patterns, struct dpi_budget *budget,
		 struct dpi_shard *shard, struct dpi_dir *d)
{
	while (d->held)
		drop_held(budget, shard, d);
	if (d->stream) {
		sl_nf_count(&shard->streams, (uint64_t)-1);
		if (shard->spares < DPI_SPARES) {
			hs_reset_stream(d->stream, 0, NULL, NULL, NULL);
			shard->spare[shard->spares++] = d->stream;
		} else {
			hs_close_stream(d->stream, NULL, NULL, NULL);
			refund(budget, patterns->stream_bytes);
		}
	}
	memset(d, 0, sizeof(*d));
}

void dpi_release_spares(struct dpi_shard *shard)
{
	while (shard->spares)
		hs_close_stream(shard->spare[--shard->spares], NULL, NULL, NULL);
}

/* --- order ----------------------------------------------------------------------------------- */

static void scan(struct dpi_scan *s, struct dpi_dir *d, const uint8_t *data, uint32_t n)
{
	if (!n)
		return;
	if (!d->stream)
		d->stream = new_stream(s);
	if (!d->stream) {
		sl_nf_count(&s->shard->unscanned, 1);
		return;
	}
	sl_nf_count(&s->shard->bytes, n);
	hs_scan_stream(d->stream, (const char *)data, n, 0, s->scratch, dpi_match, s);
}

/* The bytes from d->next on; those before it have been scanned. */
static void scan_on(struct dpi_scan *s, struct dpi_dir *d, uint32_t seq, const uint8_t *data,
		    uint32_t n)
{
	uint32_t old = d->next - seq;

	scan(s, d, data + old, n - old);
	d->next = seq + n;
}

static void keep_holes(struct dpi_scan *s, struct dpi_dir *d, const struct dpi_hole *hole,
		       unsigned n)
{
	unsigned lost = n > DPI_HOLES ? n - DPI_HOLES : 0; /* the oldest */

	if (lost)
		sl_nf_count(&s->shard->gaps, lost);
	d->holes = (uint8_t)(n - lost);
	memcpy(d->hole, hole + lost, d->holes * sizeof(*hole));
}

/* Scan what of the segment lies in holes. False: nothing does. */
static bool fill_holes(struct dpi_scan *s, struct dpi_dir *d, uint32_t seq, const uint8_t *data,
		       uint32_t n)
{
	struct dpi_hole left[DPI_HOLES + 1]; /* the segment splits one at most */
	unsigned m = 0;
	bool any = false;

	for (unsigned i = 0; i < d->holes; i++) {
		struct dpi_hole h = d->hole[i];
		uint32_t from = before(seq, h.from) ? h.from : seq;
		uint32_t to = before(h.to, seq + n) ? h.to : seq + n;

		if (!before(from, to)) {
			left[m++] = h;
			continue;
		}
		any = true;
		scan(s, d, data + (from - seq), to - from);
		if (before(h.from, from))
			left[m++] = (struct dpi_hole){h.from, from};
		if (before(to, h.to))
			left[m++] = (struct dpi_hole){to, h.to};
	}
	if (any)
		keep_holes(s, d, left, m);
	return any;
}

/* Arrival order: what lies beyond is scanned now, and the hole before it when it comes. */
static void take_as_it_comes(struct dpi_scan *s, struct dpi_dir *d, uint32_t seq,
			     const uint8_t *data, uint32_t n)
{
	struct dpi_hole hole[DPI_HOLES + 1];

	if (before(d->next, seq)) {
		sl_nf_count(&s->shard->out_of_order, 1);
		memcpy(hole, d->hole, sizeof(d->hole));
		hole[d->holes] = (struct dpi_hole){d->next, seq};
		keep_holes(s, d, hole, d->holes + 1u);
		d->next = seq;
	} else if (fill_holes(s, d, seq, data, n)) {
		sl_nf_count(&s->shard->out_of_order, 1);
	} else if (!before(d->next, seq + n)) {
		sl_nf_count(&s->shard->repeated, 1);
	}
	if (before(d->next, seq + n))
		scan_on(s, d, seq, data, n);
}

/* What is held and has its turn. */
static void catch_up(struct dpi_scan *s, struct dpi_dir *d)
{
	while (d->held && !before(d->next, d->held->seq)) {
		const struct dpi_held *h = d->held;

		if (before(d->next, h->seq + h->bytes))
			scan_on(s, d, h->seq, h->data, h->bytes);
		drop_held(s->budget, s->shard, d);
	}
}

static bool hold(struct dpi_scan *s, struct dpi_dir *d, uint32_t seq, const uint8_t *data,
		 uint32_t n)
{
	struct dpi_held **at = &d->held, *h;

	if (n > s->reassemble - d->held_bytes || !charge(s->budget, sizeof(*h) + n))
		return false;
	h = malloc(sizeof(*h) + n);
	if (!h) {
		refund(s->budget, sizeof(*h) + n);
		return false;
	}
	while (*at && !before(seq, (*at)->seq))
		at = &(*at)->next;
	h->next = *at;
	h->seq = seq;
	h->bytes = n;
	memcpy(h->data, data, n);
	*at = h;
	d->held_bytes += n;
	sl_nf_count(&s->shard->held, n);
	return true;
}

/* In order: what lies beyond is held. Where it cannot be, the hole is given up. */
static void take_in_order(struct dpi_scan *s, struct dpi_dir *d, uint32_t seq, const uint8_t *data,
			  uint32_t n)
{
	if (before(d->next, seq))
		sl_nf_count(&s->shard->out_of_order, 1);
	while (before(d->next, seq)) {
		if (hold(s, d, seq, data, n))
			return;
		sl_nf_count(&s->shard->gaps, 1);
		d->next = d->held && before(d->held->seq, seq) ? d->held->seq : seq;
		catch_up(s, d);
	}
	if (before(d->next, seq + n))
		scan_on(s, d, seq, data, n);
	else
		sl_nf_count(&s->shard->repeated, 1);
	catch_up(s, d);
}

void dpi_segment(struct dpi_scan *s, struct dpi_dir *d, uint32_t seq, const uint8_t *data,
		 uint32_t n)
{
	if (!n || d->ended)
		return;
	if (!d->started) {
		d->started = true;
		d->next = seq;
	}
	sl_nf_count(&s->shard->packets, 1);
	if (s->reassemble)
		take_in_order(s, d, seq, data, n);
	else
		take_as_it_comes(s, d, seq, data, n);
}

void dpi_finish(struct dpi_scan *s, struct dpi_dir *d, uint32_t seq)
{
	if (!d->started || d->ended || d->next != seq || d->holes || d->held)
		return;
	d->ended = true;
	if (d->stream)
		hs_reset_stream(d->stream, 0, s->scratch, dpi_match, s);
}
