/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * reta.h - what a NIC's own indirection table (RETA) should be, so that packets arrive on the queue
 * of the worker that owns their bucket. Pure.
 *
 * NIC and XDP take the low bits of one Toeplitz hash. Where the RETA is the smaller table, an entry
 * stands for several buckets, whose workers may differ: it goes to the queue that most of their
 * load belongs to, and the software table sees to the others. Order across queues is the caller's
 * business: an entry must not be written while one of its buckets moves.
 */
#ifndef SL_CONTROL_RETA_H
#define SL_CONTROL_RETA_H

#include <stdint.h>

#include <sluice/maps.h>

struct sl_reta_plan {
	unsigned buckets, entries; /* powers of two */
	const uint16_t *worker; /* [buckets]: who owns it; beyond SL_MAX_WORKERS: nobody */
	const double *load; /* [buckets]; in any unit */
	const uint64_t *own; /* [SL_MAX_WORKERS]: bit q: queue q is the worker's own */
	/* Leave an entry where it is unless this share of its load is gained, 0..1: a write may
	 * cost the NIC a reset of its pipeline. */
	double min_gain;
};

/*
 * Deal out queues: worker w of `workers` gets queue w of `queues`, round and round; where there are
 * more queues, each worker gets several. The others get none.
 */
void sl_reta_own(uint64_t own[SL_MAX_WORKERS], unsigned workers, unsigned queues);

/*
 * Make the table in `reta`, [entries], from what it is now; queues are below SL_MAX_QUEUES. Of
 * a worker's own queues an entry gets the one with the least load. How many entries changed, or
 * -EINVAL: a size is no power of two. *own is the share of the load that then arrives on its
 * worker's own queue, 1 where there is no load.
 */
int sl_reta_plan(const struct sl_reta_plan *plan, uint32_t *reta, double *own);

#endif /* SL_CONTROL_RETA_H */
