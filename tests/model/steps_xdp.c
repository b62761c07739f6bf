// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the kernel does: NAPI polls of each queue run XDP (epoch, number, row; one load or
 * fetch-and-add a step), reserve a place in ring (queue, worker), and publish at the end of the
 * poll, one socket at a time, the latest touched first (net/xdp/xsk.c: list_add, __xsk_map_flush).
 * In generic mode several CPUs run XDP for one queue and each packet is published at once.
 */
#include <string.h>

#include "model.h"

/*
 * Joined with the publication of the last socket, or with the loss of the only packet: the end of a
 * poll enables nothing but the end of a grace period, which may come as late as it likes.
 */
static void poll_end(struct model_cpu *k)
{
	memset(k, 0, sizeof(*k));
}

static void packet_over(struct model_cpu *k)
{
	if (k->flushes) {
		k->pc = CPU_POLL;
		memset(&k->e, 0, sizeof(k->e));
		k->worker = 0;
	} else {
		poll_end(k);
	}
}

/*
 * Joined: the begin of the poll and the first load of the epoch (a grace period that starts in
 * between would only wait for one more poll); the choice of the bucket, which is in the packet.
 */
static void packet_begin(struct model_steps *m, const struct model_state *s, unsigned q, unsigned c)
{
	for (unsigned b = 0; b < (m->c->wishes ? 1 : m->c->buckets); b++) {
		struct model_state *t = step_add(m, s, true, "q%u.%u packet of b%u, loads epoch %u",
						 q, c, b, s->epoch);
		struct model_cpu *k = &t->cpu[q][c];

		t->left--;
		k->pc = CPU_EPOCH;
		k->e = (struct model_entry){.bucket = b, .stamp = s->epoch, .cpu = c};
	}
}

static void flush_add(struct model_cpu *k, unsigned w)
{
	for (unsigned i = 0; i < k->flushes; i++)
		if (k->flush[i] == w)
			return;
	memmove(k->flush + 1, k->flush, k->flushes);
	k->flush[0] = w;
	k->flushes++;
}

static void reserve(const struct model_config *cfg, struct model_state *s, unsigned q, unsigned c)
{
	struct model_cpu *k = &s->cpu[q][c];
	struct model_ring *r = &s->ring[q][k->worker];
	unsigned w = k->worker;

	r->e[r->reserved++] = k->e;
	if (cfg->cpus > 1) {
		r->published = r->reserved;
		worker_wake_up(s, w);
	} else {
		flush_add(k, w);
	}
	packet_over(k);
}

static void lose(struct model_state *s, unsigned q, unsigned c)
{
	s->done++;
	packet_over(&s->cpu[q][c]);
}

/*
 * The row is known. A place is reserved in the same step if there is one: entries appear to others
 * only when they are published, and a ring that has room keeps it. If it is full, room may still
 * come: CPU_FULL.
 */
static void packet_place(struct model_steps *m, const struct model_state *s, unsigned q, unsigned c)
{
	const struct model_cpu *k = &s->cpu[q][c];
	bool full = s->ring[q][k->worker].reserved >= m->c->ring;
	struct model_state *t;

	if (s->dataplane != DP_UP || k->worker == ELSEWHERE || s->worker[k->worker].stopped) {
		t = step_add(m, s, false, "q%u.%u b%u#%u row w%u: no socket", q, c, k->e.bucket,
			     k->e.n, k->worker);
		if (s->dataplane == DP_UP)
			t->bad = MODEL_I3_STRAY; /* a row still named a worker that was let go */
		lose(t, q, c);
		return;
	}
	/*
	 * A lost packet of a bucket that rests leaves nothing behind but one packet less to come,
	 * so without it there is a run that does the same.
	 */
	if (full || (m->c->drops && (m->c->wishes || !bucket_rests(&s->bucket[k->e.bucket])))) {
		t = step_add(m, s, false, "q%u.%u b%u#%u row w%u: lost", q, c, k->e.bucket, k->e.n,
			     k->worker);
		lose(t, q, c);
	}
	if (!full) {
		t = step_add(m, s, false, "q%u.%u b%u#%u row w%u: in the ring", q, c, k->e.bucket,
			     k->e.n, k->worker);
		reserve(m->c, t, q, c);
	} else if (k->pc != CPU_FULL) {
		t = step_add(m, s, false, "q%u.%u b%u#%u row w%u: full as yet", q, c, k->e.bucket,
			     k->e.n, k->worker);
		t->cpu[q][c].pc = CPU_FULL;
	}
}

/* The row of bucket 0 says that its part has the packet: whose number comes next. */
static void split_row(struct model_steps *m, const struct model_state *s, unsigned q, unsigned c)
{
	struct model_state *t =
		step_add(m, s, false, "q%u.%u b0#%u is the part's", q, c, s->cpu[q][c].e.n);
	struct model_cpu *k = &t->cpu[q][c];

	k->pc = CPU_PART;
	k->e.bucket = 1;
	k->e.n = 0;
}

static void load_row(struct model_steps *m, const struct model_state *s, unsigned q, unsigned c)
{
	struct model_state t = *s;
	struct model_cpu *k = &t.cpu[q][c];

	k->worker = s->bucket[k->e.bucket].row;
	if (m->c->wishes && k->e.bucket == 0 && k->worker == ELSEWHERE) {
		split_row(m, s, q, c);
		return;
	}
	if (m->c->cpus > 1) {
		/* a reservation is a publication here, and other CPUs may be faster */
		k->pc = CPU_FULL;
		*step_add(m, s, false, "q%u.%u b%u#%u row w%u", q, c, k->e.bucket, k->e.n,
			  k->worker) = t;
		return;
	}
	packet_place(m, &t, q, c);
}

static void count_packet(struct model_steps *m, const struct model_state *s, unsigned q, unsigned c)
{
	unsigned b = s->cpu[q][c].e.bucket, n = s->flow[q][b].count;
	struct model_state *t = step_add(m, s, false, "q%u.%u b%u counts #%u", q, c, b, n);

	t->flow[q][b].count++;
	t->cpu[q][c].e.n = n;
	if (b == 0)
		t->cpu[q][c].e.order = n;
	if (m->c->mutant == MUT_PART_EPOCH)
		t->cpu[q][c].e.stamp = s->epoch;
	t->cpu[q][c].pc = CPU_COUNTED;
}

/* Seeded fault: row first, number second. The number is then known to nobody when the row decides.
 */
static void count_late(struct model_steps *m, const struct model_state *s, unsigned q, unsigned c)
{
	const struct model_cpu *k = &s->cpu[q][c];
	struct model_state *t;

	if (k->pc == CPU_EPOCH || k->pc == CPU_PART) {
		t = step_add(m, s, false, "q%u.%u b%u loads row w%u", q, c, k->e.bucket,
			     s->bucket[k->e.bucket].row);
		t->cpu[q][c].worker = s->bucket[k->e.bucket].row;
		t->cpu[q][c].pc = k->pc == CPU_PART ? CPU_PART_ROW : CPU_ROW;
	} else {
		struct model_state u = *s;

		u.cpu[q][c].e.n = u.flow[q][k->e.bucket].count++;
		u.cpu[q][c].pc = CPU_COUNTED;
		packet_place(m, &u, q, c);
	}
}

static void publish(struct model_steps *m, const struct model_state *s, unsigned q, unsigned c)
{
	unsigned w = s->cpu[q][c].flush[0];
	struct model_state *t =
		step_add(m, s, false, "q%u.%u publishes ring (q%u, w%u)", q, c, q, w);
	struct model_cpu *k = &t->cpu[q][c];

	t->ring[q][w].published = t->ring[q][w].reserved;
	worker_wake_up(t, w);
	memmove(k->flush, k->flush + 1, MODEL_WORKERS - 1);
	k->flush[MODEL_WORKERS - 1] = 0;
	k->flushes--;
	k->pc = CPU_FLUSH;
	if (!k->flushes)
		poll_end(k);
}

void steps_cpu(struct model_steps *m, const struct model_state *s, unsigned q, unsigned c)
{
	const struct model_cpu *k = &s->cpu[q][c];

	switch (k->pc) {
	case CPU_POLL:
		publish(m, s, q, c);
		/* fallthrough */
	case CPU_IDLE:
		if (s->left)
			packet_begin(m, s, q, c);
		break;
	case CPU_EPOCH:
	case CPU_ROW:
		if (m->c->mutant == MUT_D_COUNT_LATE)
			count_late(m, s, q, c);
		else
			count_packet(m, s, q, c);
		break;
	case CPU_PART:
	case CPU_PART_ROW:
		if (m->c->mutant == MUT_PART_LATE)
			count_late(m, s, q, c);
		else
			count_packet(m, s, q, c);
		break;
	case CPU_COUNTED:
		load_row(m, s, q, c);
		break;
	case CPU_FULL:
		packet_place(m, s, q, c);
		break;
	case CPU_FLUSH:
		publish(m, s, q, c);
		break;
	}
}

/* The kernel takes a transmission to the wire. */
static void steps_wire(struct model_steps *m, const struct model_state *s, unsigned q, unsigned w)
{
	struct model_entry e = s->tx[q][w].e[0];
	struct model_state *t;
	uint8_t *last;

	if (!s->tx[q][w].len)
		return;
	t = step_add(m, s, false, "the kernel sends b%u#%u of q%u for w%u", e.bucket, e.n, q, w);
	memmove(t->tx[q][w].e, t->tx[q][w].e + 1, (MODEL_TX - 1) * sizeof(e));
	t->tx[q][w].len--;
	t->done++;
	last = &t->flow[q][m->c->wishes ? 0 : e.bucket].wired[e.cpu];
	if (order_of(m->c, e) < *last)
		t->bad = MODEL_I2_WIRE;
	*last = order_of(m->c, e) + 1;
}

void steps_xdp(struct model_steps *m, const struct model_state *s)
{
	for (unsigned q = 0; q < m->c->queues; q++) {
		for (unsigned c = 0; c < m->c->cpus; c++)
			steps_cpu(m, s, q, c);
		for (unsigned w = 0; m->c->tx && w < m->c->workers; w++)
			steps_wire(m, s, q, w);
	}
}
