// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * flow_segment.c - arrays of a flow table that grow without a long copy.
 */
#include <errno.h>

#include "flow_table_impl.h"

void flow_segments_init(struct flow_segments *s, uint16_t elem, void *embedded, uint16_t cap)
{
	*s = (struct flow_segments){
		.first = embedded,
		.embedded = embedded,
		.first_cap = cap,
		.embedded_cap = cap,
		.segments = 1,
		.elem = elem,
	};
}

/* Give segment 0 room for `cap` elements, of which the first `used` are kept. */
static int first_resize(struct sl_flow_table *t, struct flow_segments *s, uint32_t cap,
			uint32_t used)
{
	uint8_t *first = s->embedded;

	if (cap > s->embedded_cap) {
		first = flow_alloc(t, (size_t)cap * s->elem);
		if (!first)
			return -ENOMEM;
	}
	if (used)
		memcpy(first, s->first, (size_t)used * s->elem);
	if (s->first != s->embedded)
		flow_release(t, s->first, (size_t)s->first_cap * s->elem);
	s->first = first;
	s->first_cap = cap;
	return 0;
}

static int directory_grow(struct sl_flow_table *t, struct flow_segments *s)
{
	uint32_t cap = s->more_cap ? 2 * s->more_cap : FLOW_DIRECTORY;
	uint8_t **more = flow_alloc(t, cap * sizeof(*more));

	if (!more)
		return -ENOMEM;
	if (s->more) {
		memcpy(more, s->more, s->more_cap * sizeof(*more));
		flow_release(t, s->more, s->more_cap * sizeof(*more));
	}
	s->more = more;
	s->more_cap = cap;
	return 0;
}

/* Make room for n elements, where there is room for n - 1. */
int flow_segments_grow(struct sl_flow_table *t, struct flow_segments *s, uint32_t n)
{
	uint8_t *segment;

	if (n <= s->first_cap)
		return 0;
	if (s->first_cap < FLOW_SEGMENT)
		return first_resize(t, s, s->first_cap ? 2 * s->first_cap : 2, s->first_cap);
	if (n <= s->segments << FLOW_SEGMENT_SHIFT)
		return 0;
	if (s->segments >= s->more_cap && directory_grow(t, s))
		return -ENOMEM;

	segment = flow_alloc(t, (size_t)FLOW_SEGMENT * s->elem);
	if (!segment)
		return -ENOMEM;
	s->more[s->segments++] = segment;
	return 0;
}

/*
 * n elements are left. What is free must exceed a quarter of a segment, or three quarters of a
 * small array, before it goes: an array that breathes does not allocate with every breath.
 */
void flow_segments_shrink(struct sl_flow_table *t, struct flow_segments *s, uint32_t n)
{
	uint32_t last = s->segments - 1;

	if (last > 0) {
		if (n + FLOW_SEGMENT / 4 > last << FLOW_SEGMENT_SHIFT)
			return;
		flow_release(t, s->more[last], (size_t)FLOW_SEGMENT * s->elem);
		s->segments = last;
		return;
	}
	if (s->more) {
		flow_release(t, s->more, s->more_cap * sizeof(*s->more));
		s->more = NULL;
		s->more_cap = 0;
	}
	if (s->first_cap > s->embedded_cap && (n <= s->embedded_cap || n <= s->first_cap / 4))
		first_resize(t, s, n <= s->embedded_cap ? s->embedded_cap : s->first_cap / 2, n);
}
