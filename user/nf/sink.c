// SPDX-License-Identifier: GPL-2.0-or-later
/* sink - takes every packet. */
#include "nf/builtin.h"

static void sink_process(const struct sl_nf_ctx *ctx, struct sl_packet **pkts, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		pkts[i]->verdict = SL_CONSUME;
}

const struct sl_nf sl_nf_sink = {
	.abi = SL_NF_ABI,
	.name = "sink",
	.summary = "consume every packet",
	.blind = true,
	.process = sink_process,
};
