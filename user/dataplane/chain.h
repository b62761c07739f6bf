/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * chain.h - the NFs that a packet runs through, to completion, on one worker.
 */
#ifndef SL_DATAPLANE_CHAIN_H
#define SL_DATAPLANE_CHAIN_H

#include <sluice/nf.h>

#include "platform/instance.h"

struct sl_chain;

/*
 * Find the NFs of `text`: by comma, each "name", "name:args" or the path of a shared object with a
 * '/' in it ("./my_nf.so:args"). `ifaces` is how many interfaces there are. An empty text makes an
 * empty chain. -EINVAL if there is something wrong with it.
 */
int chain_open(const char *text, unsigned ifaces, struct sl_chain **out, struct sl_error *err);

/* Make them. An NF may open files here: not before it is sure that no other dataplane has it. What
 * the NF returns: -EINVAL for its arguments. */
int chain_start(struct sl_chain *chain, struct sl_error *err);
/* Tell them where they run, after chain_start(): `host` without what differs between them. */
int chain_attach(struct sl_chain *chain, const struct sl_nf_host *host, struct sl_error *err);
/* Bytes of state besides flows that the NFs have in each shard. */
size_t chain_shard_bytes(const struct sl_chain *chain);
/* May a bucket's state be divided by the hash? */
bool chain_divisible(const struct sl_chain *chain);
void chain_close(struct sl_chain *chain);

unsigned chain_slots(const struct sl_chain *chain);
const struct sl_nf *chain_nf(const struct sl_chain *chain, unsigned slot);
/* The number of the NF's first of drop_reasons. */
unsigned chain_drops(const struct sl_chain *chain, unsigned slot);
void *chain_self(const struct sl_chain *chain, unsigned slot);

/* Run n <= SL_BATCH packets through. Packets keep their order at every NF. */
void chain_run(const struct sl_chain *chain, const struct sl_nf_ctx *ctx, struct sl_packet **pkts,
	       unsigned n);

/* The built-in NFs, NULL-terminated. */
const struct sl_nf *const *chain_builtin(void);

#endif /* SL_DATAPLANE_CHAIN_H */
