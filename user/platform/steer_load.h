/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * steer_load.h - load the steering object with maps of the sizes wanted, over maps that are there
 * already.
 */
#ifndef SL_PLATFORM_STEER_LOAD_H
#define SL_PLATFORM_STEER_LOAD_H

#include "platform/maps.h"

struct sl_load_sizes {
	unsigned buckets, max_workers, queues;
	bool stack; /* mode `stack`: its program and its maps */
	int rx_hash; /* interface whose own hash the program takes, 0: none */
};

/* Entries of map `id` at these sizes. */
uint32_t sl_load_entries(enum sl_map_id id, const struct sl_load_sizes *sizes);

/* RX queues to make room for: as many as the device can have, at most SL_MAX_QUEUES. */
unsigned sl_load_queues(const char *ifname);

/*
 * Load bpf/steer.bpf.c, bpf/steer_rxhash.bpf.c, or bpf/stack.bpf.c. A map of which `reuse` has a
 * descriptor is used as it is, the others are made. Returns the program's fd, and in *set
 * descriptors of all maps, the caller's to close. -EPERM, -ENOMEM, -EINVAL (reused map of another
 * size), or what the verifier says.
 */
int sl_load(const struct sl_load_sizes *sizes, const struct sl_map_set *reuse,
	    struct sl_map_set *set, struct sl_error *err);

/*
 * Load sluice_up, which CPUs' threads run on packets of interface `i` in mode `stack`, over the
 * instance's maps. The program's fd, or -errno.
 */
int sl_load_up(const struct sl_instance *inst, unsigned i, struct sl_error *err);

#endif /* SL_PLATFORM_STEER_LOAD_H */
