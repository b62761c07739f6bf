// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * my_nf.c - an NF of one's own: at most N packets of a flow in a second.
 *
 *	cc -O2 -shared -fPIC -o my_nf.so my_nf.c $(pkg-config --cflags libsluice)
 *	sluice run -i eth1 --nf ./my_nf.so:1000,reflect
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <sluice/nf.h>

/* A flow's state: plain memory, no lock, on whichever worker the flow's bucket is. */
struct flow {
	uint64_t second, packets;
};

static int limit_create(const char *args, void **self, char *err, size_t err_size)
{
	char *end;
	unsigned long limit = strtoul(args, &end, 10);

	if (!limit || *end) {
		snprintf(err, err_size, "packets a second of a flow, such as :1000");
		return -EINVAL;
	}
	*self = (void *)limit;
	return 0;
}

static void limit_process(const struct sl_nf_ctx *ctx, struct sl_packet **pkts, unsigned n)
{
	uint64_t second = ctx->now_ns / 1000000000;

	for (unsigned i = 0; i < n; i++) {
		struct sl_packet *p = pkts[i];
		struct sl_flow_key key;
		struct flow *f;

		if (sl_packet_flow_key(p, &key, NULL))
			continue;
		f = sl_flow_lookup(p->tables[ctx->slot], &key, p->meta->hash, ctx->now_ns, 1);
		if (f && f->second != second)
			*f = (struct flow){.second = second};
		if (!f || f->packets++ >= (uintptr_t)ctx->self) {
			p->verdict = SL_DROP;
			p->reason = f ? SL_DROP_NF + ctx->slot : SL_DROP_STATE;
		}
	}
}

const struct sl_nf sluice_nf = {
	.abi = SL_NF_ABI,
	.name = "limit",
	.summary = "at most N packets of a flow in a second",
	.drop_reason = "over_limit",
	.key_size = sizeof(struct sl_flow_key),
	.value_size = sizeof(struct flow),
	.idle_ms = 10000,
	.create = limit_create,
	.process = limit_process,
};
