/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * memory.h - what a dataplane takes at its start, and whether it is there to be taken.
 */
#ifndef SL_DATAPLANE_MEMORY_H
#define SL_DATAPLANE_MEMORY_H

#include "dataplane/internal.h"

/* Bytes. Flow tables come on top as flows do, up to their bound. */
struct memory_need {
	uint64_t frames;
	uint64_t tables; /* of shards, parks, hand-overs and free frames */
	uint64_t kernel; /* rings and buffer pools; charged to no cgroup */
};

/* sizes_decide() has been called and the chain is open. */
struct memory_need memory_need(const struct sl_dataplane *dp);
uint64_t memory_total(struct memory_need need);

/*
 * Say what will be taken; or -ENOMEM, with the settings to lower in err, if the machine or the
 * cgroup has less than that.
 */
int memory_claim(const struct sl_dataplane *dp, struct sl_error *err);

#endif /* SL_DATAPLANE_MEMORY_H */
