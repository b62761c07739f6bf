// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Moves, by the steps of docs/architecture.md: the row is stored, packets go to the new core at
 * once and are parked there; the old owner learns of it, does what it still has of the bucket, and
 * releases; the park is drained before anything else.
 */
#include <errno.h>
#include <stdlib.h>

#include "sim/engine.h"

int sim_park_init(struct sim *s)
{
	uint32_t n = s->scenario->handover.park;

	s->park = calloc(n, sizeof(*s->park));
	if (!s->park)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++)
		s->park[i].next = i + 1 < n ? i + 1 : NONE;
	s->park_free = 0;
	return 0;
}

/* A core is awake while it may be given buckets, or still holds some. */
static void core_hold(struct sim *s, uint32_t core, int change)
{
	struct core *c = &s->core[core];
	bool was = c->usable || c->held;

	c->held += (uint32_t)change;
	if ((c->usable || c->held) != was)
		measure_awake(s, was ? -1 : 1);
}

void core_set_usable(struct sim *s, uint32_t core, bool usable)
{
	struct core *c = &s->core[core];
	bool was = c->usable || c->held;

	c->usable = usable;
	if ((c->usable || c->held) != was)
		measure_awake(s, was ? -1 : 1);
}

bool bucket_move(struct sim *s, uint32_t bucket, uint32_t to)
{
	struct bucket *b = &s->bucket[bucket];

	if (b->owner != b->row || b->row == to || !s->core[to].usable)
		return false;
	b->row = to;
	b->started = b->ending = false;
	core_hold(s, to, 1);
	s->result->moves++;
	engine_at(s, s->now_ns + s->scenario->handover.start_ns, WHAT(MOVE_STARTS, bucket));
	return true;
}

static void release(struct sim *s, uint32_t bucket)
{
	struct bucket *b = &s->bucket[bucket];

	if (!b->started || b->ending || b->at_owner)
		return;
	b->ending = true;
	engine_at(s, s->now_ns + s->scenario->handover.release_ns, WHAT(MOVE_ENDS, bucket));
}

void move_starts(struct sim *s, uint32_t bucket)
{
	s->bucket[bucket].started = true;
	release(s, bucket);
}

static void park_ready(struct sim *s, uint32_t core, uint32_t bucket)
{
	struct core *c = &s->core[core];

	s->bucket[bucket].ready_next = NONE;
	if (c->ready_first == NONE)
		c->ready_first = bucket;
	else
		s->bucket[c->ready_last].ready_next = bucket;
	c->ready_last = bucket;
}

void move_ends(struct sim *s, uint32_t bucket)
{
	struct bucket *b = &s->bucket[bucket];
	uint32_t from = b->owner;

	b->owner = b->row;
	b->at_owner = b->at_next;
	b->at_next = 0;
	core_hold(s, from, -1);
	if (b->parked)
		park_ready(s, b->owner, bucket);
	if (!s->core[b->owner].busy)
		core_start(s, b->owner);
}

void bucket_done(struct sim *s, uint32_t bucket)
{
	struct bucket *b = &s->bucket[bucket];

	b->done++;
	if (s->policy->spray)
		return;
	b->at_owner--;
	if (b->row != b->owner)
		release(s, bucket);
}

void bucket_park(struct sim *s, const struct sim_packet *p)
{
	struct bucket *b = &s->bucket[p->bucket];
	uint32_t node = s->park_free;

	if (node == NONE || b->parked >= (s->scenario->handover.park + 1) / 2) {
		b->at_next--;
		s->waiting--;
		measure_lost(s, p, &s->result->lost_park);
		return;
	}
	s->park_free = s->park[node].next;
	s->park[node] = (struct park_node){.packet = *p, .next = NONE};
	if (b->parked++)
		s->park[b->park_last].next = node;
	else
		b->park_first = node;
	b->park_last = node;
	s->parked++;
	if (s->parked > s->result->park_peak)
		s->result->park_peak = s->parked;
	s->result->parked += measured(s, p);
}

bool bucket_unpark(struct sim *s, uint32_t core, struct sim_packet *p)
{
	struct core *c = &s->core[core];
	struct bucket *b;
	uint32_t node;

	if (c->ready_first == NONE)
		return false;
	b = &s->bucket[c->ready_first];
	node = b->park_first;
	*p = s->park[node].packet;
	b->park_first = s->park[node].next;
	s->park[node].next = s->park_free;
	s->park_free = node;
	s->parked--;
	if (!--b->parked)
		c->ready_first = b->ready_next;
	return true;
}
