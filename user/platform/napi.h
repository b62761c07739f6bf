/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * napi.h - what the kernel's netdev family (generic netlink, Linux 6.3; queues and NAPI 6.8) says
 * of an interface: XDP features, the NAPI of each RX queue, its interrupt or thread.
 */
#ifndef SL_PLATFORM_NAPI_H
#define SL_PLATFORM_NAPI_H

#include <stdbool.h>
#include <stdint.h>

/* What the driver can do. -ENOENT, -EOPNOTSUPP: this kernel does not say. */
struct sl_xdp_features {
	bool native; /* XDP in the driver, redirects included */
	bool zerocopy; /* AF_XDP without a copy */
	bool rx_hash; /* bpf_xdp_metadata_rx_hash */
};
int sl_xdp_features(int ifindex, struct sl_xdp_features *features);

struct sl_napi {
	uint32_t id;
	int queue; /* RX queue that it serves, -1: the driver does not say */
	int irq; /* -1: unknown */
	int pid; /* of its thread, 0: it runs in softirq */
	uint32_t defer_hard_irqs; /* empty polls before interrupts are on again */
	uint64_t gro_flush_ns; /* poll again after so long while interrupts are deferred */
};

/* Those of an interface that serve RX queues, or where no queue names its NAPI, all; *n of them, at
 * most `room`. */
int sl_napi_list(int ifindex, struct sl_napi *napis, unsigned room, unsigned *n);

/* Defer a NAPI's interrupts (Linux 6.13). */
int sl_napi_defer(uint32_t id, uint32_t defer_hard_irqs, uint64_t gro_flush_ns);

#endif /* SL_PLATFORM_NAPI_H */
