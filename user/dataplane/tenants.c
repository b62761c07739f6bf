// SPDX-License-Identifier: GPL-2.0-or-later
#include "dataplane/tenants.h"
#include "dataplane/internal.h"

/*
 * From so many packets in a ring on XDP asks whose they are: twice what a NAPI poll brings, so that
 * a worker that keeps up is never in the way of anybody.
 */
#define RING_LOW 128
#define RING_PART 16 /* or that part of the ring */
#define COST_SHIFT 3
#define SLOTS_SHIFT 3
#define SLOT_UNIT 256

struct sl_tenant_ring *tenant_ring_of(const struct worker *w, unsigned ring)
{
	const struct sl_home *home = &w->dp->home[ring];

	return &w->dp->inst->iface[home->iface].tenant_rings[home->queue * SL_MAX_WORKERS + w->id];
}

void tenants_close(const struct worker *w)
{
	for (unsigned i = 0; i < w->dp->rings; i++)
		__atomic_store_n(&tenant_ring_of(w, i)->low, 0, __ATOMIC_RELAXED);
}

void tenants_round(struct worker *w)
{
	const uint32_t flags = __atomic_load_n(&w->dp->inst->control->flags, __ATOMIC_RELAXED);

	w->meter.on = flags & SL_CTL_TENANTS;
}

void tenants_taken(struct worker *w, unsigned ring, const struct sl_meta *last)
{
	struct sl_tenant_ring *r = tenant_ring_of(w, ring);
	const uint32_t part = w->dp->xsk_opts.rx_size / RING_PART;

	if (last->magic != SL_META_MAGIC || !(last->flags & SL_META_TENANT))
		return;
	tenant_queues_taken(w, ring, last->ticket);
	if (r->low)
		return;
	__atomic_store_n(&r->taken, last->ticket + 1, __ATOMIC_RELAXED);
	__atomic_store_n(&r->size, w->dp->xsk_opts.rx_size, __ATOMIC_RELAXED);
	__atomic_store_n(&r->high, 2 * (part > RING_LOW ? part : RING_LOW), __ATOMIC_RELAXED);
	/* `taken` is of this worker from here on */
	__atomic_store_n(&r->low, part > RING_LOW ? part : RING_LOW, __ATOMIC_RELEASE);
}

void tenants_batch(struct worker *w)
{
	struct sl_tenant_meter *m = &w->meter;

	for (unsigned i = 0; i < w->batch; i++) {
		const unsigned t = tenant_of(w->packet[i].meta);

		m->packets[t]++;
		m->bytes[t] += w->packet[i].len;
		m->present |= 1ull << t;
	}
}

static void average(uint32_t *cost, uint64_t cycles)
{
	if (!*cost)
		*cost = (uint32_t)cycles;
	else
		*cost = *cost - (*cost >> COST_SHIFT) + ((uint32_t)cycles >> COST_SHIFT);
}

void tenants_sample(struct worker *w, unsigned tenant, uint64_t cycles)
{
	if (w->meter.on)
		average(&w->meter.cost[tenant], cycles);
}

/* Smoothed: a tenant's packets come and go many times between two looks. */
static void account_slots(struct sl_tenant_work *work, uint32_t waiting)
{
	const int64_t now = (int64_t)waiting * SLOT_UNIT, old = (int64_t)work->slots;
	const int64_t next = old + (now - old) / (1 << SLOTS_SHIFT);

	stat_set(&work->slots, (uint64_t)(now || next != old ? next : 0));
}

static void account(struct worker *w, unsigned t, uint64_t cycles)
{
	struct sl_tenant_meter *m = &w->meter;
	struct sl_tenant_work *work = &w->dp->inst->tenant_work[w->id * SL_MAX_TENANTS + t];

	stat_add(&work->cycles, cycles);
	stat_add(&work->packets, m->packets[t]);
	stat_add(&work->bytes, m->bytes[t]);
	account_slots(work, m->packets[t] + w->queues.queue[t].n);
	if (work->slots)
		m->holding |= 1ull << t;
	else
		m->holding &= ~(1ull << t);
	m->packets[t] = m->bytes[t] = 0;
}

/*
 * What the samples do not explain (receiving, sending) is alike for all packets; if they explain
 * more than there is, all get less in proportion. The sum is exact but for rounding.
 */
void tenants_account(struct worker *w, uint64_t cycles)
{
	struct sl_tenant_meter *m = &w->meter;
	uint64_t chain = 0, left;
	unsigned n = 0;

	for (left = m->present; left; left &= left - 1) {
		const unsigned t = (unsigned)__builtin_ctzll(left);

		n += m->packets[t];
		chain += (uint64_t)m->packets[t] * m->cost[t];
	}
	for (left = m->present | m->holding; left; left &= left - 1) {
		const unsigned t = (unsigned)__builtin_ctzll(left);
		const uint64_t own = (uint64_t)m->packets[t] * m->cost[t];
		uint64_t part = 0;

		if (n && chain <= cycles)
			part = own + (cycles - chain) * m->packets[t] / n;
		else if (n)
			part = cycles * own / chain;
		account(w, t, part);
	}
	m->present = 0;
	if (n && chain <= cycles)
		average(&m->rest, (cycles - chain) / n);
}
