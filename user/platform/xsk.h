/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * xsk.h - AF_XDP sockets: one UMEM for each (interface, queue) over one common mapping, and for
 * each worker one socket on it that shares the queue's fill and completion rings.
 *
 * No thread-safety of its own: rings are single producer, single consumer; who may touch which is
 * the dataplane's business (user/dataplane/frames.h).
 */
#ifndef SL_PLATFORM_XSK_H
#define SL_PLATFORM_XSK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <xdp/xsk.h>

#include "platform/instance.h"

enum sl_xsk_bind { SL_XSK_BIND_AUTO, SL_XSK_BIND_COPY, SL_XSK_BIND_ZEROCOPY };

struct sl_xsk_opts {
	uint32_t frame_size; /* 2048 or 4096 */
	uint32_t fill_size; /* entries, power of two; at least twice the frames (xsk_flush publishes
			       RX first) */
	uint32_t comp_size; /* entries, power of two; at least the frames */
	uint32_t rx_size, tx_size; /* entries, power of two */
	enum sl_xsk_bind bind;
	bool generic; /* the program runs in generic mode: XDP_COPY only */
	bool need_wakeup;
	unsigned busy_poll_us; /* 0: off */
	unsigned busy_poll_budget;
};

/* The UMEM of one (interface, queue). Must not move while it has sockets: libxdp keeps pointers to
 * the rings. */
struct sl_xsk_umem {
	struct xsk_umem *umem;
	struct xsk_ring_prod fill;
	struct xsk_ring_cons comp;
	char ifname[IF_NAMESIZE];
	unsigned queue;
	unsigned sockets;
};

/* One socket: RX and TX rings of one worker on one (interface, queue). */
struct sl_xsk {
	struct xsk_socket *xsk;
	struct xsk_ring_cons rx;
	struct xsk_ring_prod tx;
	struct sl_xsk_umem *umem; /* it was opened on */
	int fd;
	bool zerocopy; /* what the kernel granted, by XDP_OPTIONS */
	bool busy_poll; /* the socket has a NAPI id, so busy polling works */
};

struct sl_xsk_stats {
	uint64_t rx_dropped, rx_invalid, rx_ring_full, tx_invalid, fill_empty, tx_empty;
};

/*
 * Frame memory: aligned to SL_AREA_ALIGN and rounded up to it, a huge page, where they are to be
 * had. NULL on no memory.
 */
#define SL_AREA_ALIGN ((size_t)2 << 20)
void *sl_area_map(size_t bytes);
void sl_area_unmap(void *area, size_t bytes);

/*
 * Register the area as the UMEM of (ifname, queue). Several UMEMs may lie over one area: a frame
 * can then go from any ring to any ring. Rings exist from here on, so the fill ring may be filled
 * before the first socket binds. Errors: -EINVAL sizes, -EPERM (CAP_NET_RAW), -ENOBUFS (locked
 * memory).
 */
int sl_xsk_umem_open(struct sl_xsk_umem *u, const char *ifname, unsigned queue, void *area,
		     size_t bytes, const struct sl_xsk_opts *opts, struct sl_error *err);
/* After its last socket. Never fails; does nothing on a UMEM that is not open. */
void sl_xsk_umem_close(struct sl_xsk_umem *u);

/*
 * A socket on the UMEM's (interface, queue). Retries -EBUSY for up to 2 s: the kernel tears a
 * former binding down asynchronously. The first socket of a UMEM must be closed last. The mode that
 * the kernel granted is in x->zerocopy. Errors: -ENODEV, -EBUSY (named in err), -EOPNOTSUPP (bind
 * mode asked for is not to be had), -EINVAL (no such queue), -EPERM.
 */
int sl_xsk_open(struct sl_xsk *x, struct sl_xsk_umem *u, const struct sl_xsk_opts *opts,
		struct sl_error *err);
/* Also after the interface is gone. Does nothing on a socket that is not open. */
void sl_xsk_close(struct sl_xsk *x);

/* Put the socket into slot queue * SL_MAX_WORKERS + worker of the interface's XSKMAP, or empty the
 * slot (an empty slot is no error). */
int sl_xsk_slot_set(const struct sl_iface *iface, unsigned queue, unsigned worker, int fd);
int sl_xsk_slot_clear(const struct sl_iface *iface, unsigned queue, unsigned worker);

int sl_xsk_stats(const struct sl_xsk *x, struct sl_xsk_stats *stats);

/*
 * Transmit what is in the TX ring (sendto, never blocks). 0: taken; -EAGAIN: the kernel wants
 * another call (copy mode sends 32 descriptors a call, or the driver is full); -ENETDOWN: interface
 * down, call again when it is up; -ENXIO or -EBADF: interface gone.
 */
int sl_xsk_kick(const struct sl_xsk *x);

#endif /* SL_PLATFORM_XSK_H */
