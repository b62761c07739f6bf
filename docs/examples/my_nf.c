// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * my_nf.c - an NF of one's own: a stateful firewall. Whoever is behind the first interface may talk
 * to anybody; from behind the second one comes what answers (ICMP errors about it too).
 *
 *	cc -O2 -shared -fPIC -o my_nf.so my_nf.c $(pkg-config --cflags libsluice)
 *	sluice attach eth1 eth2 --match all
 *	sluice run -i eth1 -i eth2 --workers 4 --nf ./my_nf.so,forward
 */
#include <sluice/nf.h>

static void process(const struct sl_nf_ctx *ctx, struct sl_packet **pkts, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		struct sl_packet *p = pkts[i];
		const int inside = p->iface == 0;
		struct sl_flow_key key; /* the same for both directions */

		/* no lock: the table is this worker's, and moves with the flow */
		if (!sl_packet_flow_key(p, &key, NULL) &&
		    sl_flow_lookup(p->tables[ctx->slot], &key, p->meta->hash, ctx->now_ns, inside))
			continue;
		p->verdict = SL_DROP;
		p->reason = inside ? SL_DROP_STATE : SL_DROP_NF + ctx->slot;
	}
}

const struct sl_nf sluice_nf = {
	.abi = SL_NF_ABI,
	.name = "firewall",
	.summary = "passes flows that begin at the first interface",
	.drop_reason = "not_asked_for",
	.min_ifaces = 2,
	.key_size = sizeof(struct sl_flow_key),
	.idle_ms = 60000,
	.process = process,
};
