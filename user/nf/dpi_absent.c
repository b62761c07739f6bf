// SPDX-License-Identifier: GPL-2.0-or-later
/* dpi where Sluice was built without Hyperscan: it says so. */
#include <errno.h>
#include <stdio.h>

#include "nf/builtin.h"

static int dpi_create(const char *args, void **self, char *err, size_t err_size)
{
	snprintf(err, err_size,
		 "built without Hyperscan: install libhyperscan-dev, then make again");
	return -ENOTSUP;
}

static void dpi_process(const struct sl_nf_ctx *ctx, struct sl_packet **pkts, unsigned n)
{
}

const struct sl_nf sl_nf_dpi = {
	.abi = SL_NF_ABI,
	.name = "dpi",
	.summary = "not in this build, which was made without Hyperscan",
	.create = dpi_create,
	.process = dpi_process,
};
