/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nf_host.h - what NFs are told of the dataplane: its shards, and the hash that chooses among them.
 */
#ifndef SL_DATAPLANE_NF_HOST_H
#define SL_DATAPLANE_NF_HOST_H

#include <jansson.h>

#include "dataplane/internal.h"

/* The hash of this instance's XDP program. */
struct sl_nf_hash {
	bool toeplitz;
	uint64_t key[SL_HASH_KEY];
	struct sl_toeplitz table; /* with `toeplitz` */
};

/* Start the chain's NFs where they run. They read the hash until the chain is closed. */
int nf_attach(struct sl_dataplane *dp, struct sl_error *err);
void nf_detach(struct sl_dataplane *dp);

/* Have the NFs read their files again, in turn, up to the first that refuses. On one thread. */
int nf_reload(const struct sl_dataplane *dp, struct sl_error *err);

/* What the NFs say of themselves: an array of objects with `nf` and `slot`. Any thread. */
json_t *nf_report(const struct sl_dataplane *dp);

#endif /* SL_DATAPLANE_NF_HOST_H */
