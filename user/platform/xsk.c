// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * xsk.c - AF_XDP sockets over libxdp, which is used for rings and UMEM only: the steering program
 * is put in place by attach.c, and the XSKMAP is ours.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <linux/if_link.h>
#include <linux/if_xdp.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "platform/xsk.h"

/* The kernel's workqueue tears a binding down in milliseconds; two seconds cover a loaded machine.
 */
#define BIND_RETRY_NS 2000000000LL
#define BIND_RETRY_STEP_NS 5000000L

static int64_t monotonic_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

int sl_xsk_umem_open(struct sl_xsk_umem *u, const char *ifname, unsigned queue, void *area,
		     size_t bytes, const struct sl_xsk_opts *opts, struct sl_error *err)
{
	const struct xsk_umem_config config = {
		.fill_size = opts->fill_size,
		.comp_size = opts->comp_size,
		.frame_size = opts->frame_size,
		.frame_headroom = 0, /* the kernel adds its own 256 bytes, where the stamp lies */
	};
	int rc;

	memset(u, 0, sizeof(*u));
	strncpy(u->ifname, ifname, sizeof(u->ifname) - 1);
	u->queue = queue;
	rc = xsk_umem__create(&u->umem, area, bytes, &u->fill, &u->comp, &config);
	if (!rc)
		return 0;
	u->umem = NULL;
	switch (rc) {
	case -EPERM:
		return sl_error_set(err, rc,
				    "AF_XDP socket on %s refused: no CAP_NET_RAW; run as root",
				    ifname);
	case -ENOBUFS:
	case -ENOMEM:
		return sl_error_set(
			err, rc,
			"no memory for %zu KiB of frames on %s queue %u: use smaller rings "
			"or raise the locked-memory limit (ulimit -l)",
			bytes >> 10, ifname, queue);
	default:
		return sl_error_set(err, rc,
				    "UMEM of %zu bytes (frames of %u) on %s queue %u refused: %s",
				    bytes, opts->frame_size, ifname, queue, strerror(-rc));
	}
}

void sl_xsk_umem_close(struct sl_xsk_umem *u)
{
	if (!u->umem)
		return;
	xsk_umem__delete(u->umem);
	u->umem = NULL;
}

static uint16_t bind_flags(const struct sl_xsk_umem *u, const struct sl_xsk_opts *opts)
{
	uint16_t flags = 0;

	/* A later socket of the queue inherits: the kernel refuses flags there (xsk_bind). */
	if (u->sockets)
		return 0;
	if (opts->generic || opts->bind == SL_XSK_BIND_COPY)
		flags |= XDP_COPY;
	else if (opts->bind == SL_XSK_BIND_ZEROCOPY)
		flags |= XDP_ZEROCOPY;
	if (opts->need_wakeup)
		flags |= XDP_USE_NEED_WAKEUP;
	return flags;
}

static int bind_error(const struct sl_xsk_umem *u, const struct sl_xsk_opts *opts, int rc,
		      struct sl_error *err)
{
	switch (rc) {
	case -EBUSY:
		return sl_error_set(
			err, rc,
			"%s queue %u is bound by another AF_XDP socket: stop the program "
			"that holds it",
			u->ifname, u->queue);
	case -EOPNOTSUPP:
		return sl_error_set(err, rc,
				    "%s queue %u cannot bind %s: use the automatic bind mode",
				    u->ifname, u->queue,
				    opts->bind == SL_XSK_BIND_ZEROCOPY ? "zero-copy" : "AF_XDP");
	case -ENODEV:
		return sl_error_set(err, rc, "interface %s is gone", u->ifname);
	case -ENETDOWN:
		return sl_error_set(err, rc, "interface %s is down: ip link set %s up", u->ifname,
				    u->ifname);
	case -EPERM:
		return sl_error_set(err, rc, "AF_XDP socket on %s refused: run as root", u->ifname);
	case -EINVAL:
		return sl_error_set(err, rc,
				    "%s queue %u refused an AF_XDP socket: is there such a queue "
				    "(ethtool -l %s)?",
				    u->ifname, u->queue, u->ifname);
	default:
		return sl_error_set(err, rc, "AF_XDP socket on %s queue %u: %s", u->ifname,
				    u->queue, strerror(-rc));
	}
}

static int bind_with_retry(struct sl_xsk *x, struct sl_xsk_umem *u,
			   const struct xsk_socket_config *config)
{
	const int64_t end = monotonic_ns() + BIND_RETRY_NS;
	const struct timespec step = {.tv_nsec = BIND_RETRY_STEP_NS};
	int rc;

	for (;;) {
		rc = xsk_socket__create_shared(&x->xsk, u->ifname, u->queue, u->umem, &x->rx,
					       &x->tx, &u->fill, &u->comp, config);
		if (rc != -EBUSY || monotonic_ns() >= end)
			return rc;
		nanosleep(&step, NULL);
	}
}

/* The setsockopts succeed on a device without a NAPI id too, and change nothing: look for the id.
 */
static bool enable_busy_poll(int fd, const struct sl_xsk_opts *opts)
{
	const int on = 1, us = (int)opts->busy_poll_us, budget = (int)opts->busy_poll_budget;
	unsigned napi = 0;
	socklen_t len = sizeof(napi);

	if (!us)
		return false;
	if (setsockopt(fd, SOL_SOCKET, SO_PREFER_BUSY_POLL, &on, sizeof(on)) ||
	    setsockopt(fd, SOL_SOCKET, SO_BUSY_POLL, &us, sizeof(us)) ||
	    (budget && setsockopt(fd, SOL_SOCKET, SO_BUSY_POLL_BUDGET, &budget, sizeof(budget))))
		return false;
	return !getsockopt(fd, SOL_SOCKET, SO_INCOMING_NAPI_ID, &napi, &len) && napi;
}

int sl_xsk_open(struct sl_xsk *x, struct sl_xsk_umem *u, const struct sl_xsk_opts *opts,
		struct sl_error *err)
{
	const struct xsk_socket_config config = {
		.rx_size = opts->rx_size,
		.tx_size = opts->tx_size,
		.libxdp_flags = XSK_LIBXDP_FLAGS__INHIBIT_PROG_LOAD,
		.xdp_flags = opts->generic ? XDP_FLAGS_SKB_MODE : XDP_FLAGS_DRV_MODE,
		.bind_flags = bind_flags(u, opts),
	};
	struct xdp_options options = {0};
	socklen_t len = sizeof(options);
	int rc;

	memset(x, 0, sizeof(*x));
	x->fd = -1;
	rc = bind_with_retry(x, u, &config);
	if (rc) {
		x->xsk = NULL;
		return bind_error(u, opts, rc, err);
	}
	u->sockets++;
	x->umem = u;
	x->fd = xsk_socket__fd(x->xsk);
	if (!getsockopt(x->fd, SOL_XDP, XDP_OPTIONS, &options, &len))
		x->zerocopy = options.flags & XDP_OPTIONS_ZEROCOPY;
	x->busy_poll = enable_busy_poll(x->fd, opts);
	return 0;
}

void sl_xsk_close(struct sl_xsk *x)
{
	if (!x->xsk)
		return;
	xsk_socket__delete(x->xsk);
	x->xsk = NULL;
	x->fd = -1;
	x->umem->sockets--;
}

int sl_xsk_slot_set(const struct sl_iface *iface, unsigned queue, unsigned worker, int fd)
{
	const __u32 key = queue * SL_MAX_WORKERS + worker;

	if (queue >= iface->queues_max || worker >= SL_MAX_WORKERS)
		return -ERANGE;
	return bpf_map_update_elem(iface->xsks_fd, &key, &fd, BPF_ANY) ? -errno : 0;
}

int sl_xsk_slot_clear(const struct sl_iface *iface, unsigned queue, unsigned worker)
{
	const __u32 key = queue * SL_MAX_WORKERS + worker;

	if (queue >= iface->queues_max || worker >= SL_MAX_WORKERS)
		return -ERANGE;
	if (bpf_map_delete_elem(iface->xsks_fd, &key) && errno != ENOENT)
		return -errno;
	return 0;
}

int sl_xsk_stats(const struct sl_xsk *x, struct sl_xsk_stats *stats)
{
	struct xdp_statistics s = {0};
	socklen_t len = sizeof(s);

	if (getsockopt(x->fd, SOL_XDP, XDP_STATISTICS, &s, &len))
		return -errno;
	*stats = (struct sl_xsk_stats){
		.rx_dropped = s.rx_dropped,
		.rx_invalid = s.rx_invalid_descs,
		.rx_ring_full = s.rx_ring_full,
		.tx_invalid = s.tx_invalid_descs,
		.fill_empty = s.rx_fill_ring_empty_descs,
		.tx_empty = s.tx_ring_empty_descs,
	};
	return 0;
}

int sl_xsk_kick(const struct sl_xsk *x)
{
	if (sendto(x->fd, NULL, 0, MSG_DONTWAIT, NULL, 0) >= 0)
		return 0;
	switch (errno) {
	case EAGAIN: /* more than one call's budget waits */
	case EBUSY: /* the driver's ring is full */
	case ENOBUFS: /* the qdisc or the completion ring is full */
		return -EAGAIN;
	default:
		return -errno;
	}
}
