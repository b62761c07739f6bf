// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * flowcount - packets and bytes of every flow, both directions apart. Listed by `sluice flows`.
 */
#include <inttypes.h>
#include <stdio.h>

#include "nf/builtin.h"
#include "nf/flow_batch.h"

#define FLOW_IDLE_MS 60000

struct flow_count {
	uint64_t
		packets[2]; /* [0]: from the lower end (sl_flow_key.addr[0]), [1]: from the other */
	uint64_t bytes[2]; /* of the frames, Ethernet header included */
	uint64_t first_ns, last_ns;
};

static void flowcount_process(const struct sl_nf_ctx *ctx, struct sl_packet **pkts, unsigned n)
{
	struct flow_batch b;

	b.n = 0;
	for (unsigned i = 0; i < n; i++)
		flow_batch_add(&b, ctx, pkts[i], i);
	flow_batch_make(&b, ctx);
	for (unsigned i = 0; i < b.n; i++) {
		struct flow_count *f = b.values[i];

		if (!f)
			continue; /* the memory bound: counted by the table, the packet goes on */
		if (!f->first_ns)
			f->first_ns = ctx->now_ns;
		f->last_ns = ctx->now_ns;
		f->packets[b.reversed[i]]++;
		f->bytes[b.reversed[i]] += pkts[b.of[i]]->len;
	}
}

static int flowcount_show(void *self, const void *key, const void *value, char *buf, size_t size)
{
	const struct flow_count *f = value;

	return snprintf(
		buf, size,
		"\"packets\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"packets_reverse\":%" PRIu64
		",\"bytes_reverse\":%" PRIu64 ",\"first_ns\":%" PRIu64 ",\"last_ns\":%" PRIu64,
		f->packets[0], f->bytes[0], f->packets[1], f->bytes[1], f->first_ns, f->last_ns);
}

const struct sl_nf sl_nf_flowcount = {
	.abi = SL_NF_ABI,
	.name = "flowcount",
	.summary = "count packets and bytes of every flow (sluice flows lists them)",
	.divisible = true,
	.key_size = sizeof(struct sl_flow_key),
	.value_size = sizeof(struct flow_count),
	.idle_ms = FLOW_IDLE_MS,
	.process = flowcount_process,
	.flow_show = flowcount_show,
};
