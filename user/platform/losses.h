/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * losses.h - where every packet went: the loss identities over an instance's counters.
 *
 *	seen      = delivered + ring_full + no_frame + no_slot + stamp_error + bad_row
 *	            + redirect_error
 *	delivered = forwarded + consumed + sum(nf_drop) + park_overflow + stray + held + abandoned
 *
 * hold exactly whenever nothing is under way. Counters never go back, across restarts of the
 * dataplane too.
 */
#ifndef SL_PLATFORM_LOSSES_H
#define SL_PLATFORM_LOSSES_H

#include <jansson.h>

#include "platform/instance.h"

/* Packets since attach. */
struct sl_losses {
	uint64_t seen; /* counted by XDP in a bucket */
	uint64_t delivered; /* taken from RX rings, or held there by a dataplane that was killed */
	uint64_t ring_full, no_frame; /* dropped at the socket: RX ring full, fill ring empty */
	uint64_t no_slot, stamp_error, bad_row; /* not redirected; they took the fallback verdict */
	uint64_t redirect_error; /* redirect failed behind XDP for any other cause */
	uint64_t forwarded, consumed, park_overflow, stray, abandoned;
	uint64_t held; /* a gauge: parked or in a worker's hands now */
	uint64_t nf_drop[SL_DROP_REASONS];
	uint64_t steer[SL_STEER_COUNTS]; /* `verdicts`, all CPUs and interfaces */
};

/*
 * Read all counters once; packets that move on meanwhile make the identities inexact. 0 or -errno
 * of the `verdicts` look-up. Any thread.
 */
int sl_losses_read(const struct sl_instance *inst, struct sl_losses *l);

/*
 * Read until two readings are equal and both identities hold, so that the numbers are of one
 * instant. Gives up at once when traffic keeps them changing, and after `timeout_ms` when they are
 * still but do not add up (the socket statistics are collected by the dataplane once in a while).
 * *quiet tells whether the numbers stood still. 0 or -errno.
 */
int sl_losses_read_quiet(const struct sl_instance *inst, unsigned timeout_ms, struct sl_losses *l,
			 bool *quiet);

/* What the identity's left side has more than its right one; 0 at a quiet point. */
int64_t sl_losses_gap_in(const struct sl_losses *l);
int64_t sl_losses_gap_out(const struct sl_losses *l);

uint64_t sl_losses_nf_drops(const struct sl_losses *l);
/* Packets that XDP left to the stack because they are not Sluice's. */
uint64_t sl_losses_passed(const struct sl_losses *l);

/* Name of a `verdicts` counter: "arp", "no_match", ...; static. */
const char *sl_steer_name(enum sl_steer_count c);
/* Name of a drop reason into buf: what the dataplane wrote, else "reason<N>". */
void sl_drop_name(const struct sl_instance *inst, unsigned reason, char buf[SL_DROP_NAME + 1]);

/* The object of `sluice losses -j`, as sluice(8) documents it; NULL on no memory. */
json_t *sl_losses_json(const struct sl_instance *inst, const struct sl_losses *l, bool quiet);

#endif /* SL_PLATFORM_LOSSES_H */
