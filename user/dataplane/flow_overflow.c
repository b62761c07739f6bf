// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * flow_overflow.c - buckets that continue full ones.
 *
 * They are an array without gaps, named by number (from 1; 0 is none), so that its memory can
 * follow their number. Allocated one by one they would leave a heap of freed crumbs, which
 * malloc() joins all at once some day: 0.7 ms were seen.
 */
#include "flow_table_impl.h"

/* An empty bucket, or 0: no room. The others may have moved in memory. */
uint32_t flow_overflow_new(struct sl_flow_table *t)
{
	uint32_t n = t->overflows + 1;

	if (flow_segments_grow(t, &t->overflow, n))
		return 0;
	t->overflows = n;
	memset(flow_overflow(t, n), 0, sizeof(struct flow_bucket));
	return n;
}

/*
 * Bucket i is in no chain any more; the last one takes its number. All others must be in their
 * chains, to be found there.
 */
void flow_overflow_free(struct sl_flow_table *t, uint32_t i)
{
	uint32_t last = t->overflows;

	if (i != last) {
		struct flow_bucket *moved = flow_overflow(t, last);
		uint32_t hash = flow_slot_entry(moved->slot[0])->hash;
		struct flow_bucket *b = flow_bucket(t, flow_bucket_of(t, flow_mix(hash)));

		while (b->next != last)
			b = flow_next(t, b);
		b->next = i;
		*flow_overflow(t, i) = *moved;
	}
	t->overflows = last - 1;
	flow_segments_shrink(t, &t->overflow, last - 1);
}
