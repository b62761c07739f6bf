// SPDX-License-Identifier: GPL-2.0-or-later
/* forward - a wire between the interfaces: out of the next one, unchanged. */
#include "nf/builtin.h"

static void forward_process(const struct sl_nf_ctx *ctx, struct sl_packet **pkts, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		uint8_t out = pkts[i]->iface + 1;

		pkts[i]->out_iface = out < ctx->ifaces ? out : 0;
		pkts[i]->verdict = SL_TX;
	}
}

const struct sl_nf sl_nf_forward = {
	.abi = SL_NF_ABI,
	.name = "forward",
	.summary = "send every packet out of the other interface",
	.min_ifaces = 2,
	.process = forward_process,
};
