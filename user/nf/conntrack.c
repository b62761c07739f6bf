// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * conntrack - follows connections and counts what becomes of them: how many are in which state, how
 * they ended. `sluice nf` has the sums, `sluice flows` each connection. Drops nothing.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "nf/builtin.h"
#include "nf/conn.h"
#include "nf/flow_batch.h"
#include "nf/text.h"

struct connection {
	struct conn conn;
	uint32_t bucket;
	uint64_t packets[2], bytes[2]; /* [0]: from who began */
	uint64_t first_ns;
};

/* Of a shard; its owner writes. */
struct counts {
	uint64_t now[CONN_STATES];
	uint64_t made, midstream; /* of these, whose beginning was not seen */
	uint64_t established; /* that ever were */
	uint64_t closed, reset,
		timed_out; /* how they ended: both sides said so, one did, silence */
	uint64_t invalid, icmp_errors; /* packets */
};

struct conntrack {
	const struct sl_nf_host *host;
};

static struct counts *counts_of(const struct conntrack *ct, uint32_t bucket)
{
	return sl_nf_shard(ct->host, bucket);
}

static int conntrack_create(const char *args, void **self, char *err, size_t err_size)
{
	if (*args) {
		snprintf(err, err_size, "'%s': it takes no arguments", args);
		return -EINVAL;
	}
	*self = calloc(1, sizeof(struct conntrack));
	return *self ? 0 : -ENOMEM;
}

static int conntrack_start(void *self, const struct sl_nf_host *host, char *err, size_t err_size)
{
	((struct conntrack *)self)->host = host;
	return 0;
}

/* The connection leaves `state` for good. */
static void count_end(struct counts *n, enum conn_state state)
{
	sl_nf_count(&n->now[state], (uint64_t)-1);
	if (state == CONN_TIME_WAIT)
		sl_nf_count(&n->closed, 1);
	else if (state == CONN_RESET)
		sl_nf_count(&n->reset, 1);
	else
		sl_nf_count(&n->timed_out, 1);
}

static void count_event(struct counts *n, const struct conn *c, enum conn_event event,
			enum conn_state before)
{
	if (event == CONN_INVALID)
		sl_nf_count(&n->invalid, 1);
	if (event != CONN_MADE && event != CONN_MOVED)
		return;
	if (event == CONN_MADE) {
		if (before != CONN_NONE)
			count_end(n, before);
		sl_nf_count(&n->made, 1);
		if (c->state > CONN_SYN_SENT)
			sl_nf_count(&n->midstream, 1);
	} else {
		sl_nf_count(&n->now[before], (uint64_t)-1);
	}
	sl_nf_count(&n->now[c->state], 1);
	if (c->state == CONN_ESTABLISHED)
		sl_nf_count(&n->established, 1);
}

/* A packet of connection `v`; NULL: there was no room for it. */
static void track(const struct sl_nf_ctx *ctx, const struct sl_packet *pkt, struct connection *v,
		  unsigned side)
{
	struct counts *n = counts_of(ctx->self, pkt->meta->bucket);
	enum conn_state before;
	enum conn_event event;

	if (!v)
		return;
	event = conn_packet(&v->conn, pkt, side, &before);
	sl_flow_expire_in(pkt->tables[ctx->slot], v, ctx->now_ns, conn_idle_ms(&v->conn));
	if (event == CONN_MADE)
		*v = (struct connection){
			.conn = v->conn, .bucket = pkt->meta->bucket, .first_ns = ctx->now_ns};
	count_event(n, &v->conn, event, before);
	v->packets[side != v->conn.origin]++;
	v->bytes[side != v->conn.origin] += pkt->len;
}

static void conntrack_process(const struct sl_nf_ctx *ctx, struct sl_packet **pkts, unsigned n)
{
	struct flow_batch b;

	b.n = 0;
	for (unsigned i = 0; i < n; i++) {
		const struct sl_packet *p = pkts[i];

		if (p->meta->flags & SL_META_ICMP_ERROR)
			sl_nf_count(&counts_of(ctx->self, p->meta->bucket)->icmp_errors, 1);
		else
			flow_batch_add(&b, ctx, p, i);
	}
	flow_batch_make(&b, ctx);
	for (unsigned i = 0; i < b.n; i++)
		track(ctx, pkts[b.of[i]], b.values[i], b.reversed[i]);
}

static void conntrack_end(void *self, const void *key, void *value)
{
	const struct connection *v = value;

	if (v->conn.state != CONN_NONE)
		count_end(counts_of(self, v->bucket), v->conn.state);
}

static void conntrack_moved(void *self, const void *key, void *value, unsigned from, unsigned to)
{
	struct connection *v = value;

	v->bucket = to;
	if (v->conn.state == CONN_NONE)
		return;
	sl_nf_count(&counts_of(self, from)->now[v->conn.state], (uint64_t)-1);
	sl_nf_count(&counts_of(self, to)->now[v->conn.state], 1);
}

static int conntrack_flow(void *self, const void *key, const void *value, char *buf, size_t size)
{
	const struct connection *v = value;

	return snprintf(buf, size,
			"\"state\":\"%s\",\"origin\":\"%c\",\"packets\":%" PRIu64
			",\"bytes\":%" PRIu64 ",\"packets_reply\":%" PRIu64
			",\"bytes_reply\":%" PRIu64 ",\"first_ns\":%" PRIu64,
			conn_state_name(v->conn.state), "ab"[v->conn.origin], v -> packets[0],
			v -> bytes[0], v -> packets[1], v -> bytes[1], v -> first_ns);
}

static int conntrack_show(void *self, char *buf, size_t size)
{
	const struct conntrack *ct = self;
	struct text t = {.buf = buf, .size = size};
	struct counts sum = {0};

	for (unsigned b = 0; b < ct->host->shards_n; b++)
		text_sum((uint64_t *)&sum, counts_of(ct, b), sizeof(sum) / sizeof(uint64_t));
	text_add(&t, "\"states\":{");
	for (unsigned s = CONN_UNREPLIED; s < CONN_STATES; s++)
		text_add(&t, "%s\"%s\":%" PRIu64, s > CONN_UNREPLIED ? "," : "", conn_state_name(s),
			 sum.now[s]);
	text_add(&t,
		 "},\"made\":%" PRIu64 ",\"midstream\":%" PRIu64 ",\"established\":%" PRIu64
		 ",\"closed\":%" PRIu64 ",\"reset\":%" PRIu64 ",\"timed_out\":%" PRIu64
		 ",\"invalid\":%" PRIu64 ",\"icmp_errors\":%" PRIu64,
		 sum.made, sum.midstream, sum.established, sum.closed, sum.reset, sum.timed_out,
		 sum.invalid, sum.icmp_errors);
	return text_end(&t);
}

const struct sl_nf sl_nf_conntrack = {
	.abi = SL_NF_ABI,
	.name = "conntrack",
	.summary = "follow connections; sluice nf counts states and ends, sluice flows lists them",
	.key_size = sizeof(struct sl_flow_key),
	.value_size = sizeof(struct connection),
	.idle_ms = CONN_IDLE_MAX_MS,
	.flow_times = true,
	.shard_size = sizeof(struct counts),
	.divisible = true,
	.create = conntrack_create,
	.destroy = free,
	.start = conntrack_start,
	.process = conntrack_process,
	.flow_end = conntrack_end,
	.flow_moved = conntrack_moved,
	.flow_show = conntrack_flow,
	.show = conntrack_show,
};
