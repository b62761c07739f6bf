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
void chain_close(struct sl_chain *chain);

unsigned chain_slots(const struct sl_chain *chain);
const struct sl_nf *chain_nf(const struct sl_chain *chain, unsigned slot);
void *chain_self(const struct sl_chain *chain, unsigned slot);

/* Run n <= SL_BATCH packets through. Packets keep their order at every NF. */
void chain_run(const struct sl_chain *chain, const struct sl_nf_ctx *ctx, struct sl_packet **pkts,
	       unsigned n);

/* The built-in NFs, NULL-terminated. */
const struct sl_nf *const *chain_builtin(void);

#endif /* SL_DATAPLANE_CHAIN_H */
