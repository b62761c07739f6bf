// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdlib.h>

#include "dataplane/batch.h"
#include "dataplane/receive.h"
#include "dataplane/tenant_queues.h"

#define BATCHES_AT_ONCE 4 /* received before a turn is taken */
#define SLICES_PER_SECOND 1000 /* that many batches: what a packet waits for the one under way */
#define RULES (SL_META_TENANT | SL_META_TENANT_SET)
#define NORM_SHIFT 16
#define BYTE_SHIFT 10

/* With these XDP fills no ring further: see tenants_ring_level(). */
static uint32_t room_of(const struct sl_dataplane *dp)
{
	return dp->rings * dp->xsk_opts.rx_size + SL_BATCH;
}

uint64_t tenant_queues_memory(const struct sl_dataplane *dp)
{
	return room_of(dp) * sizeof(struct sl_parked) + dp->inst->buckets * sizeof(uint32_t) +
	       2ull * dp->rings * sizeof(uint32_t);
}

int tenant_queues_init(struct worker *w)
{
	struct sl_tenant_queues *q = &w->queues;

	q->room = room_of(w->dp);
	q->spare = SL_NIL;
	/* pages of these that no tenant needs are never touched */
	q->node = malloc(q->room * sizeof(*q->node));
	q->of_bucket = calloc(w->dp->inst->buckets, sizeof(*q->of_bucket));
	q->of_ring = calloc(w->dp->rings, sizeof(*q->of_ring));
	q->taken = calloc(w->dp->rings, sizeof(*q->taken));
	return q->node && q->of_bucket && q->of_ring && q->taken ? 0 : -ENOMEM;
}

void tenant_queues_free(struct worker *w)
{
	free(w->queues.node);
	free(w->queues.of_bucket);
	free(w->queues.of_ring);
	free(w->queues.taken);
	w->queues = (struct sl_tenant_queues){0};
}

static const struct sl_meta *stamp_at(const struct worker *w, uint64_t addr)
{
	return (const struct sl_meta *)(w->dp->area + addr) - 1;
}

static const struct sl_tenant_gate *gate_of(const struct worker *w, unsigned ring, unsigned tenant)
{
	const struct sl_home *h = &w->dp->home[ring];

	return &w->dp->inst->iface[h->iface].gates[h->queue * SL_MAX_TENANTS + tenant];
}

/* --- FIFOs */

static uint32_t node_new(struct sl_tenant_queues *q)
{
	const uint32_t i = q->spare;

	if (i == SL_NIL)
		return q->used++;
	q->spare = q->node[i].next;
	return i;
}

static void push(struct sl_tenant_queues *q, struct sl_tenant_queue *to, struct sl_parked packet)
{
	const uint32_t i = node_new(q);

	packet.next = SL_NIL;
	q->node[i] = packet;
	if (to->n++)
		q->node[to->tail].next = i;
	else
		to->head = i;
	to->tail = i;
}

static struct sl_parked pop(struct sl_tenant_queues *q, struct sl_tenant_queue *from)
{
	const uint32_t i = from->head;
	const struct sl_parked packet = q->node[i];

	from->head = packet.next;
	from->n--;
	q->node[i].next = q->spare;
	q->spare = i;
	return packet;
}

/* --- in */

/*
 * A tenant that had nothing to send does not keep its turns for later, but for its credit: what it
 * has used less than the others lately (SDRF). Without it the past is forgotten.
 */
static void come_back(struct worker *w, unsigned ring, unsigned tenant)
{
	struct sl_tenant_queues *q = &w->queues;
	const uint64_t ns =
		__atomic_load_n(&gate_of(w, ring, tenant)->turn_credit, __ATOMIC_RELAXED);
	const uint64_t since = q->now - ns / 1000 * (w->dp->tsc_hz / 1000000);

	if ((int64_t)(since - q->queue[tenant].start) > 0)
		q->queue[tenant].start = since;
	q->backlogged |= 1ull << tenant;
}

static void admit(struct worker *w, struct sl_parked packet, const struct sl_meta *meta)
{
	struct sl_tenant_queues *q = &w->queues;
	const unsigned tenant = tenant_of(meta);

	q->rules = meta->flags & RULES;
	if (!q->queue[tenant].n)
		come_back(w, packet.ring, tenant);
	push(q, &q->queue[tenant], packet);
}

static bool other_rules(const struct sl_tenant_queues *q, const struct sl_meta *meta)
{
	return q->backlogged && (meta->flags & RULES) != q->rules;
}

/* What was received waits: by tenant, or behind everything. */
static void enqueue(struct worker *w)
{
	struct sl_tenant_queues *q = &w->queues;

	for (unsigned i = 0; i < w->batch; i++) {
		const struct sl_packet *p = &w->packet[i];
		const struct sl_parked packet = {.addr = p->addr, .len = p->len, .ring = p->ring};

		q->of_bucket[p->meta->bucket]++;
		q->of_ring[p->ring]++;
		if (q->late.n || other_rules(q, p->meta))
			push(q, &q->late, packet);
		else
			admit(w, packet, p->meta);
	}
	q->waiting += w->batch;
	stat_add(&w->stat->held, w->batch);
	w->batch = 0;
}

static void admit_late(struct worker *w)
{
	struct sl_tenant_queues *q = &w->queues;

	while (q->late.n) {
		const struct sl_meta *meta = stamp_at(w, q->node[q->late.head].addr);

		if (other_rules(q, meta))
			return;
		admit(w, pop(q, &q->late), meta);
	}
}

static void receive_all(struct worker *w)
{
	const unsigned max = w->max;
	uint32_t fill = 0;

	w->max = SL_BATCH;
	for (unsigned i = 0; i < BATCHES_AT_ONCE && !w->queues.late.n; i++) {
		if (w->queues.waiting + SL_BATCH > w->queues.room || !receive_batch(w))
			break;
		if (w->stat->ring_fill > fill)
			fill = w->stat->ring_fill;
		enqueue(w);
	}
	if (w->queues.waiting > fill)
		fill = w->queues.waiting;
	__atomic_store_n(&w->stat->ring_fill, fill, __ATOMIC_RELAXED);
	w->max = max;
}

/* --- out */

/* The tenant whose next packet has the earliest tag. */
static unsigned earliest(const struct sl_tenant_queues *q)
{
	unsigned first = (unsigned)__builtin_ctzll(q->backlogged);

	for (uint64_t left = q->backlogged & (q->backlogged - 1); left; left &= left - 1) {
		const unsigned t = (unsigned)__builtin_ctzll(left);

		if ((int64_t)(q->queue[t].start - q->queue[first].start) < 0)
			first = t;
	}
	return first;
}

/* Virtual time that a packet takes: of its scarcest resource, by its tenant's weight. */
static uint64_t charge(const struct worker *w, unsigned tenant, const struct sl_parked *packet,
		       uint64_t cycles)
{
	const struct sl_tenant_gate *gate = gate_of(w, packet->ring, tenant);
	const uint32_t norm = __atomic_load_n(&gate->turn_norm, __ATOMIC_RELAXED);
	const uint64_t byte = __atomic_load_n(&gate->turn_byte, __ATOMIC_RELAXED);
	const uint64_t bytes = packet->len * byte >> BYTE_SHIFT;

	return (bytes > cycles ? bytes : cycles) * (norm ? norm : 1u << NORM_SHIFT) >> NORM_SHIFT;
}

static void serve(struct worker *w, unsigned tenant, uint64_t cycles)
{
	struct sl_tenant_queues *q = &w->queues;
	struct sl_tenant_queue *from = &q->queue[tenant];
	const struct sl_parked packet = pop(q, from);

	batch_refill(w, packet.ring, packet.addr, packet.len);
	q->of_bucket[stamp_at(w, packet.addr)->bucket]--;
	q->of_ring[packet.ring]--;
	q->waiting--;
	if ((int64_t)(from->start - q->now) > 0)
		q->now = from->start;
	from->start += charge(w, tenant, &packet, cycles);
	if ((int64_t)(from->start - q->latest) > 0)
		q->latest = from->start;
	if (!from->n)
		q->backlogged &= ~(1ull << tenant);
	if (!q->backlogged)
		q->now = q->latest;
}

static void take_turns(struct worker *w)
{
	struct sl_tenant_queues *q = &w->queues;
	const uint64_t slice = w->dp->tsc_hz / SLICES_PER_SECOND;
	uint64_t spent = 0;

	for (;;) {
		unsigned tenant;
		uint64_t cycles;

		admit_late(w);
		if (!q->backlogged || w->batch == w->max)
			break;
		tenant = earliest(q);
		cycles = tenant_cost(&w->meter, tenant);
		if (w->batch && spent + cycles > slice)
			break;
		spent += cycles;
		serve(w, tenant, cycles);
	}
	stat_add(&w->stat->held, -(uint64_t)w->batch);
}

void tenant_queues_taken(struct worker *w, unsigned ring, uint32_t ticket)
{
	w->queues.taken[ring] = ticket + 1;
}

/* To XDP, what waits here is in the ring. */
static void publish(const struct worker *w)
{
	const struct sl_tenant_queues *q = &w->queues;

	for (unsigned i = 0; i < w->dp->rings; i++) {
		struct sl_tenant_ring *r = tenant_ring_of(w, i);

		if (r->low)
			__atomic_store_n(&r->taken, q->taken[i] - q->of_ring[i], __ATOMIC_RELAXED);
	}
}

unsigned tenant_queues_collect(struct worker *w)
{
	receive_all(w);
	take_turns(w);
	publish(w);
	return w->batch;
}
