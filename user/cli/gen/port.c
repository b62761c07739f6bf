// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/gen/port.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#define RX_RING 64 /* nothing is ever redirected here; libxdp wants one */

static size_t area_bytes(const struct gen_port *p)
{
	return (size_t)GEN_PORT_FRAMES * p->frame_size;
}

int gen_port_open(struct gen_port *p, const char *ifname, uint32_t queue, uint32_t frame_max,
		  struct sl_error *err)
{
	const struct sl_xsk_opts opts = {
		.frame_size = frame_max <= 2048 ? 2048 : 4096,
		.fill_size = RX_RING,
		.comp_size = GEN_PORT_FRAMES,
		.rx_size = RX_RING,
		.tx_size = GEN_PORT_FRAMES,
		.bind = SL_XSK_BIND_AUTO,
	};
	int rc;

	memset(p, 0, sizeof(*p));
	p->frame_size = opts.frame_size;
	p->area = sl_area_map(area_bytes(p));
	if (!p->area)
		return sl_error_set(err, -ENOMEM, "no memory for the frames of %s queue %u", ifname,
				    queue);
	rc = sl_xsk_umem_open(&p->umem, ifname, queue, p->area, area_bytes(p), &opts, err);
	if (!rc)
		rc = sl_xsk_open(&p->xsk, &p->umem, &opts, err);
	if (rc) {
		gen_port_close(p);
		return rc;
	}
	for (uint32_t i = 0; i < GEN_PORT_FRAMES; i++)
		p->free[p->frees++] = GEN_PORT_FRAMES - 1 - i;
	return 0;
}

void gen_port_close(struct gen_port *p)
{
	sl_xsk_close(&p->xsk);
	sl_xsk_umem_close(&p->umem);
	sl_area_unmap(p->area, area_bytes(p));
	p->area = NULL;
}

static void reap(struct gen_port *p)
{
	uint32_t at, n = xsk_ring_cons__peek(&p->umem.comp, GEN_PORT_FRAMES, &at);

	for (uint32_t i = 0; i < n; i++)
		p->free[p->frees++] = (uint32_t)(*xsk_ring_cons__comp_addr(&p->umem.comp, at + i) /
						 p->frame_size);
	if (n)
		xsk_ring_cons__release(&p->umem.comp, n);
}

uint8_t *gen_port_frame(struct gen_port *p)
{
	if (!p->frees)
		reap(p);
	return p->frees ? p->area + (size_t)p->free[p->frees - 1] * p->frame_size : NULL;
}

void gen_port_push(struct gen_port *p, const uint8_t *frame, uint32_t len, bool untracked)
{
	struct xdp_desc *desc;
	uint32_t at = 0;

	/* The ring has as many slots as there are frames: it cannot be full. */
	xsk_ring_prod__reserve(&p->xsk.tx, 1, &at);
	desc = xsk_ring_prod__tx_desc(&p->xsk.tx, at);
	desc->addr = (uint64_t)(frame - p->area);
	desc->len = len;
	desc->options = 0;
	xsk_ring_prod__submit(&p->xsk.tx, 1);
	p->untracked[p->free[--p->frees]] = untracked;
	p->pending++;
}

static bool untracked_at(const struct gen_port *p, uint32_t at)
{
	const struct xdp_desc *desc = &((struct xdp_desc *)p->xsk.tx.ring)[at & p->xsk.tx.mask];

	return p->untracked[desc->addr / p->frame_size];
}

/* Count what the kernel has taken since the last look. Frames come back only by reap(), so the
 * descriptors and their marks are still there. */
static uint32_t count_taken(struct gen_port *p)
{
	/* Pairs with the kernel's release of the TX ring's entries (xsk_queue.h). */
	const uint32_t to = __atomic_load_n(p->xsk.tx.consumer, __ATOMIC_ACQUIRE);
	const uint32_t taken = to - p->taken_to;

	for (uint32_t at = p->taken_to; at != to; at++)
		p->untracked_accepted += untracked_at(p, at);
	p->taken_to = to;
	p->pending -= taken;
	p->accepted += taken;
	return taken;
}

/* The driver dropped the packet that it was given last: xsk_generic_xmit() ends its round there. */
static void count_refused(struct gen_port *p)
{
	p->accepted--;
	p->refused++;
	p->untracked_accepted -= untracked_at(p, p->taken_to - 1);
}

int gen_port_kick(struct gen_port *p)
{
	while (p->pending) {
		ssize_t rc = sendto(p->xsk.fd, NULL, 0, MSG_DONTWAIT, NULL, 0);
		int why = rc < 0 ? errno : 0;
		uint32_t taken = count_taken(p);

		if (why == EBUSY && taken)
			count_refused(p);
		else if (why && why != EAGAIN && why != EBUSY && why != ENOBUFS && why != EINTR)
			return -why;
		if (taken)
			continue;
		p->backpressure++;
		return 0;
	}
	return 0;
}
