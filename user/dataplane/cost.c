// SPDX-License-Identifier: GPL-2.0-or-later
#include <sluice/cycles.h>

#include "dataplane/chain.h"
#include "dataplane/cost.h"
#include "platform/elephant.h"

#define SAMPLE_EVERY 16 /* batches: two reads of the cycle counter in a thousand packets */
/* A packet that took longer than this was not computing: its thread had lost the CPU. */
#define SHOW_EVERY 8 /* timed packets of an elephant */
#define SOON 64 /* of them, so that its flows are known soon: one of each batch is timed */
#define SAMPLE_LIMIT_PER_SECOND 500 /* 2 ms */

void cost_init(struct worker *w)
{
	w->sample_in = 1;
	w->sample_seed = 2654435761u * (w->id + 1);
}

static uint32_t sample_random(struct worker *w)
{
	/* xorshift32 (Marsaglia 2003): any packet of the batch, not always its first */
	w->sample_seed ^= w->sample_seed << 13;
	w->sample_seed ^= w->sample_seed >> 17;
	w->sample_seed ^= w->sample_seed << 5;
	return w->sample_seed;
}

/* Before the chain sees the packet: an NF may rewrite its addresses. */
static void note(struct worker *w, const struct sl_packet *p)
{
	w->noted_bucket = p->meta->bucket;
	w->noting = row_load(&w->dp->inst->rows[w->noted_bucket]).mode == SL_ROW_ELEPHANT &&
		    !sl_packet_flow_key(p, &w->noted, NULL);
}

static void count_flow(struct worker *w, uint64_t took)
{
	struct sl_elephant e;

	sketch_add(&w->sketch, w->noted_bucket, &w->noted, took);
	if (w->sketch.samples < SOON)
		w->sample_in = 1;
	if (w->sketch.samples % SHOW_EVERY)
		return;
	sketch_top(&w->sketch, &e);
	sl_elephant_write(w->dp->inst, &e);
}

static void count_sample(struct worker *w, struct sl_bucket_cost *cost, uint64_t took)
{
	if (took > w->dp->tsc_hz / SAMPLE_LIMIT_PER_SECOND)
		return;
	stat_add(&cost->cycles, took);
	__atomic_store_n(&cost->samples, cost->samples + 1, __ATOMIC_RELAXED);
	if (w->noting)
		count_flow(w, took);
}

static void sample(struct worker *w, const struct sl_nf_ctx *ctx, struct sl_packet **pkt)
{
	struct sl_bucket_cost *cost = &w->cost[(*pkt)->meta->bucket];
	const unsigned tenant = tenant_of((*pkt)->meta);
	uint64_t begin, took;

	note(w, *pkt);
	begin = sl_cycles();
	chain_run(w->dp->chain, ctx, pkt, 1);
	took = sl_cycles() - begin;
	count_sample(w, cost, took);
	if (took <= w->dp->tsc_hz / SAMPLE_LIMIT_PER_SECOND)
		tenants_sample(w, tenant, took);
}

static bool timing(const struct worker *w)
{
	return !atomic_load_explicit(&w->dp->cost_off, memory_order_relaxed);
}

unsigned cost_batch(const struct worker *w, unsigned max)
{
	return w->sample_in > 1 ? max : 1;
}

void cost_begin(struct worker *w)
{
	struct sl_nf_ctx ctx = {
		.now_ns = w->now_ns, .worker = w->id, .ifaces = w->dp->inst->ifaces};
	struct sl_packet *pkts[SL_BATCH];

	w->sample_in = w->sample_in > 1 ? w->sample_in - 1 : SAMPLE_EVERY;
	w->sampled = w->batch == 1 && timing(w) ? &w->cost[w->packet[0].meta->bucket] : NULL;
	if (w->sampled)
		note(w, &w->packet[0]);
	w->sample_start = sl_cycles();
	if (!chain_slots(w->dp->chain))
		return;
	for (unsigned i = 0; i < w->batch; i++)
		pkts[i] = &w->packet[i];
	chain_run(w->dp->chain, &ctx, pkts, w->batch);
}

void cost_end(struct worker *w)
{
	if (w->sampled)
		count_sample(w, w->sampled, sl_cycles() - w->sample_start);
	w->sampled = NULL;
}

void cost_run_chain(struct worker *w)
{
	struct sl_nf_ctx ctx = {
		.now_ns = w->now_ns, .worker = w->id, .ifaces = w->dp->inst->ifaces};
	struct sl_packet *pkts[SL_BATCH];
	unsigned n = w->batch, k;

	if (!n)
		return;
	for (unsigned i = 0; i < n; i++)
		pkts[i] = &w->packet[i];
	if (n > 1 && --w->sample_in) {
		chain_run(w->dp->chain, &ctx, pkts, n);
		return;
	}
	if (!w->sample_in)
		w->sample_in = SAMPLE_EVERY;
	if (!timing(w)) {
		chain_run(w->dp->chain, &ctx, pkts, n);
		return;
	}
	k = (uint32_t)(((uint64_t)sample_random(w) * n) >> 32);
	if (k)
		chain_run(w->dp->chain, &ctx, pkts, k);
	sample(w, &ctx, pkts + k);
	if (k + 1 < n)
		chain_run(w->dp->chain, &ctx, pkts + k + 1, n - k - 1);
}
