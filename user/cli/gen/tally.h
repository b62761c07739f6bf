/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tally.h - what came back: each packet of each flow is new, late or a duplicate.
 *
 * Exact for packets up to TALLY_WINDOW behind the newest of their flow; those further behind cannot
 * be told from duplicates and are counted apart. One thread.
 */
#ifndef SL_GEN_TALLY_H
#define SL_GEN_TALLY_H

#include <stdint.h>

/* Bits for each flow at most, 32 KiB; a flow has no more bits than it has packets, rounded up. */
#define TALLY_WINDOW (1u << 18)

struct gen_tally_flow {
	uint64_t next; /* highest sequence number seen, plus one; RFC 4737's NextExp */
	uint32_t bits; /* size of the bitmap; 64: it is `small` */
	union {
		uint64_t small;
		uint64_t *map; /* bit of seq: seq & (bits - 1) */
	};
};

struct gen_tally {
	struct gen_tally_flow *flow;
	uint32_t flows;
	uint64_t received; /* all of the run's packets, duplicates too */
	uint64_t duplicated; /* seen before */
	uint64_t reordered; /* new, below the highest number seen (RFC 4737 3.3) */
	uint64_t beyond; /* further behind than the window; not in reordered or duplicated */
	uint64_t foreign; /* flow number out of range */
	uint64_t reach_max; /* how far behind the newest the latest-coming packet was */
};

enum gen_arrival { GEN_NEW, GEN_LATE, GEN_DUPLICATE, GEN_BEYOND, GEN_FOREIGN };

int gen_tally_init(struct gen_tally *t, uint32_t flows);
void gen_tally_free(struct gen_tally *t);

/* Count a packet. Where memory for a longer bitmap is lacking the flow's window stays as it is. */
enum gen_arrival gen_tally_add(struct gen_tally *t, uint32_t flow, uint64_t seq);

/* Different packets received: what `sent` loses by is lost. */
uint64_t gen_tally_unique(const struct gen_tally *t);

#endif /* SL_GEN_TALLY_H */
