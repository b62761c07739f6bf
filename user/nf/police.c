// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * police:RATE[:burst=SIZE][:src=PREFIX][:dst=PREFIX][:per=WHAT] - drops what exceeds a rate: of
 * each flow and direction, of all that it looks at together, or of each prefix of a length.
 *
 * A flow's token bucket lies in its shard and moves with it. Flows of a prefix are in many shards,
 * on several workers; its bucket is one number that they share, changed by one compare-and-swap
 * for all packets of a batch that belong to it. Nothing is lent to workers or shards, so however
 * many there are, a prefix gets what one worker would give it, to the packet.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nf/builtin.h"
#include "nf/flow_batch.h"
#include "nf/police.h"
#include "nf/text.h"
#include "nf/wire.h"

#define SHOWN 20 /* prefixes with most drops that show() names */

struct policed_flow {
	uint64_t full_at[2]; /* by direction */
	uint64_t passed[2], dropped[2];
};

/* Of a shard. */
struct police_shard {
	uint64_t passed_packets, passed_bytes, dropped_packets, dropped_bytes;
	uint64_t unpoliced_packets; /* no room for the flow */
};

static int police_create(const char *args, void **self, char *err, size_t err_size)
{
	struct police *p = calloc(1, sizeof(*p));
	size_t bytes;
	int ret;

	if (!p)
		return -ENOMEM;
	ret = police_parse(p, args, err, err_size);
	bytes = sizeof(*p->cells) << p->cell_bits;
	if (!ret && p->per != PER_FLOW) {
		p->cells = aligned_alloc(sizeof(*p->cells), bytes);
		ret = p->cells ? 0 : -ENOMEM;
	}
	if (ret) {
		free(p);
		return ret;
	}
	if (p->cells)
		memset(p->cells, 0, bytes);
	*self = p;
	return 0;
}

static void police_destroy(void *self)
{
	struct police *p = self;

	free(p->cells);
	free(p);
}

static int police_start(void *self, const struct sl_nf_host *host, char *err, size_t err_size)
{
	((struct police *)self)->host = host;
	return 0;
}

/* --- packets --------------------------------------------------------------------------------- */

static police_addr addr_of(const struct sl_packet *pkt, bool dst)
{
	const uint8_t *ip = pkt->data + pkt->meta->l3_off;
	police_addr a = 0;

	if (pkt->meta->flags & SL_META_V4)
		return (police_addr)get32(ip + (dst ? 16 : 12)) << 96;
	for (unsigned i = 0; i < 4; i++)
		a = a << 32 | get32(ip + (dst ? 24 : 8) + 4 * i);
	return a;
}

static bool covers(const struct police_net *net, const struct sl_packet *pkt, bool dst)
{
	if (!net->family)
		return true;
	if (!(pkt->meta->flags & (net->family == 4 ? SL_META_V4 : SL_META_V6)))
		return false;
	return (addr_of(pkt, dst) & net->mask) == net->addr;
}

static bool is_policed(const struct police *p, const struct sl_packet *pkt)
{
	return pkt->meta->flags & (SL_META_V4 | SL_META_V6) && covers(&p->src, pkt, false) &&
	       covers(&p->dst, pkt, true);
}

static uint64_t cost_of(const struct police *p, const struct sl_packet *pkt)
{
	return token_cost(&p->rate, p->packets ? 1 : pkt->len);
}

static void settle(const struct sl_nf_ctx *ctx, struct sl_packet *pkt, bool passes)
{
	const struct police *p = ctx->self;
	struct police_shard *s = sl_nf_shard(p->host, pkt->meta->bucket);

	sl_nf_count(passes ? &s->passed_packets : &s->dropped_packets, 1);
	sl_nf_count(passes ? &s->passed_bytes : &s->dropped_bytes, pkt->len);
	if (!passes)
		sl_nf_drop(ctx, pkt, 0);
}

static void police_flow(const struct sl_nf_ctx *ctx, struct sl_packet *pkt, struct policed_flow *f,
			bool side)
{
	const struct police *p = ctx->self;
	struct police_shard *s = sl_nf_shard(p->host, pkt->meta->bucket);
	bool passes;

	if (!f) {
		sl_nf_count(&s->unpoliced_packets, 1);
		return;
	}
	passes = token_take(&p->rate, &f->full_at[side], token_time(ctx->now_ns), cost_of(p, pkt));
	(passes ? f->passed : f->dropped)[side]++;
	settle(ctx, pkt, passes);
}

static void police_flows(const struct sl_nf_ctx *ctx, struct sl_packet **pkts, unsigned n)
{
	struct flow_batch b;

	b.n = 0;
	for (unsigned i = 0; i < n; i++)
		if (is_policed(ctx->self, pkts[i]))
			flow_batch_add(&b, ctx, pkts[i], i);
	flow_batch_make(&b, ctx);
	for (unsigned i = 0; i < b.n; i++)
		police_flow(ctx, pkts[b.of[i]], b.values[i], b.reversed[i]);
}

static uint32_t cell_of(const struct police *p, const struct sl_packet *pkt)
{
	bool dst = p->per == PER_DST;

	if (!p->cell_bits)
		return 0;
	return (uint32_t)(addr_of(pkt, dst) << (dst ? p->dst : p->src).len >> (128 - p->cell_bits));
}

static void count_cell(struct police_cell *c, const uint32_t *bytes, uint64_t packets, bool passed)
{
	uint64_t sum = 0;

	if (!packets)
		return;
	for (uint64_t m = packets; m; m &= m - 1)
		sum += bytes[__builtin_ctzll(m)];
	atomic_fetch_add_explicit(passed ? &c->passed_packets : &c->dropped_packets,
				  (unsigned)__builtin_popcountll(packets), memory_order_relaxed);
	atomic_fetch_add_explicit(passed ? &c->passed_bytes : &c->dropped_bytes, sum,
				  memory_order_relaxed);
}

/*
 * Which of `packets` (bit i is packet i of the batch) conform: decided in their order for the
 * bucket as it is, and decided anew if another worker was faster. Nothing but the bucket itself is
 * shared, so no order of memory is needed.
 */
static uint64_t charge(const struct token_rate *r, struct police_cell *c, uint64_t packets,
		       const uint64_t *cost, uint64_t now)
{
	uint64_t old = atomic_load_explicit(&c->full_at, memory_order_relaxed), next, passed;

	do {
		next = old;
		passed = 0;
		for (uint64_t m = packets; m; m &= m - 1)
			if (token_take(r, &next, now, cost[__builtin_ctzll(m)]))
				passed |= m & -m;
	} while (passed && !atomic_compare_exchange_weak_explicit(&c->full_at, &old, next,
								  memory_order_relaxed,
								  memory_order_relaxed));
	return passed;
}

static void police_cells(const struct sl_nf_ctx *ctx, struct sl_packet **pkts, unsigned n)
{
	const struct police *p = ctx->self;
	uint32_t cell[SL_BATCH], bytes[SL_BATCH];
	uint64_t cost[SL_BATCH], left = 0;

	_Static_assert(SL_BATCH <= 64, "a bit for each packet");
	for (unsigned i = 0; i < n; i++) {
		if (!is_policed(p, pkts[i]))
			continue;
		cell[i] = cell_of(p, pkts[i]);
		bytes[i] = pkts[i]->len;
		cost[i] = cost_of(p, pkts[i]);
		left |= 1ull << i;
	}
	while (left) {
		struct police_cell *c = &p->cells[cell[__builtin_ctzll(left)]];
		uint64_t of = 0, passed;

		for (uint64_t m = left; m; m &= m - 1)
			if (&p->cells[cell[__builtin_ctzll(m)]] == c)
				of |= m & -m;
		passed = charge(&p->rate, c, of, cost, token_time(ctx->now_ns));
		count_cell(c, bytes, passed, true);
		count_cell(c, bytes, of & ~passed, false);
		for (uint64_t m = of; m; m &= m - 1)
			settle(ctx, pkts[__builtin_ctzll(m)], passed & m & -m);
		left &= ~of;
	}
}

static void police_process(const struct sl_nf_ctx *ctx, struct sl_packet **pkts, unsigned n)
{
	if (((const struct police *)ctx->self)->per == PER_FLOW)
		police_flows(ctx, pkts, n);
	else
		police_cells(ctx, pkts, n);
}

/* --- reports --------------------------------------------------------------------------------- */

static int police_flow_show(void *self, const void *key, const void *value, char *buf, size_t size)
{
	const struct policed_flow *f = value;

	return snprintf(buf, size,
			"\"passed\":%" PRIu64 ",\"dropped\":%" PRIu64 ",\"passed_reverse\":%" PRIu64
			",\"dropped_reverse\":%" PRIu64,
			f->passed[0], f->dropped[0], f->passed[1], f->dropped[1]);
}

static void print_side(struct text *t, const char *name, const struct police_net *net)
{
	char prefix[64];

	if (!net->family)
		return;
	police_print_net(net, 0, 0, prefix, sizeof(prefix));
	text_add(t, ",\"%s\":\"%s\"", name, prefix);
}

static void print_setting(struct text *t, const struct police *p)
{
	static const char *const names[] = {"flow", "all", "src", "dst"};

	text_add(t, "\"per\":\"%s", names[p->per]);
	if (p->per == PER_SRC || p->per == PER_DST)
		text_add(t, "/%u", (p->per == PER_SRC ? p->src : p->dst).len + p->cell_bits);
	text_add(t, "\",\"unit\":\"%s\",\"rate\":%.0f,\"burst\":%.0f",
		 p->packets ? "packets/s" : "bit/s", p->packets ? p->per_second : p->per_second * 8,
		 p->burst);
	print_side(t, "src", &p->src);
	print_side(t, "dst", &p->dst);
}

static uint64_t dropped_of(const struct police_cell *c)
{
	return atomic_load_explicit(&c->dropped_packets, memory_order_relaxed);
}

/* Keep `top` in order, most drops first. */
static void enter(const struct police_cell *top[SHOWN], const struct police_cell *c)
{
	unsigned at = SHOWN;

	while (at && (!top[at - 1] || dropped_of(top[at - 1]) < dropped_of(c)))
		at--;
	for (unsigned i = SHOWN - 1; i > at; i--)
		top[i] = top[i - 1];
	if (at < SHOWN)
		top[at] = c;
}

static void print_limited(struct text *t, const struct police *p)
{
	const struct police_net *net = p->per == PER_SRC ? &p->src : &p->dst;
	const struct police_cell *top[SHOWN] = {NULL};
	char prefix[64];

	for (size_t i = 0; i < (size_t)1 << p->cell_bits; i++)
		if (dropped_of(&p->cells[i]))
			enter(top, &p->cells[i]);
	text_add(t, ",\"limited\":[");
	for (unsigned i = 0; i < SHOWN && top[i]; i++) {
		police_print_net(net, p->cell_bits, (size_t)(top[i] - p->cells), prefix,
				 sizeof(prefix));
		text_add(t,
			 "%s{\"prefix\":\"%s\",\"passed_packets\":%" PRIu64
			 ",\"passed_bytes\":%" PRIu64 ",\"dropped_packets\":%" PRIu64
			 ",\"dropped_bytes\":%" PRIu64 "}",
			 i ? "," : "", prefix, top[i]->passed_packets, top[i]->passed_bytes,
			 top[i]->dropped_packets, top[i]->dropped_bytes);
	}
	text_add(t, "]");
}

static int police_show(void *self, char *buf, size_t size)
{
	const struct police *p = self;
	struct text t = {.buf = buf, .size = size};
	struct police_shard sum = {0};

	for (unsigned b = 0; b < p->host->shards_n; b++)
		text_sum((uint64_t *)&sum, sl_nf_shard(p->host, b), sizeof(sum) / sizeof(uint64_t));
	print_setting(&t, p);
	text_add(&t,
		 ",\"passed_packets\":%" PRIu64 ",\"passed_bytes\":%" PRIu64
		 ",\"dropped_packets\":%" PRIu64 ",\"dropped_bytes\":%" PRIu64
		 ",\"unpoliced_packets\":%" PRIu64,
		 sum.passed_packets, sum.passed_bytes, sum.dropped_packets, sum.dropped_bytes,
		 sum.unpoliced_packets);
	if (p->per == PER_SRC || p->per == PER_DST)
		print_limited(&t, p);
	return text_end(&t);
}

const struct sl_nf sl_nf_police = {
	.abi = SL_NF_ABI,
	.name = "police",
	.summary = "police:10Mbit, police:5kpps:src=10.0.0.0/8:per=src/24 drop what exceeds a rate",
	.drop_reason = "police_rate",
	.key_size = sizeof(struct sl_flow_key),
	.value_size = sizeof(struct policed_flow),
	.idle_ms = POLICE_IDLE_MS,
	.divisible = true,
	.shard_size = sizeof(struct police_shard),
	.create = police_create,
	.destroy = police_destroy,
	.start = police_start,
	.process = police_process,
	.flow_show = police_flow_show,
	.show = police_show,
};
