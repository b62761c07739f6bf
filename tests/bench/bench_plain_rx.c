// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * bench_plain_rx IF SECONDS CPU - what a user would write with libxdp alone: its default program,
 * one socket, one loop that looks at each packet's Ethernet header and puts the frame back. Polls
 * as a worker does: 50 us, then sleeps. Ends with one line of JSON; cycles are those of rounds that
 * found packets, as a worker counts them.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <xdp/xsk.h>

#include <sluice/cycles.h>

#include "platform/clock.h"
#include "platform/cpu.h"

#define FRAMES 8192
#define FRAME 2048
#define RING 2048
#define BATCH 64
#define SPIN_PER_SECOND 20000 /* 50 us */

struct plain {
	struct xsk_umem *umem;
	struct xsk_socket *xsk;
	struct xsk_ring_prod fill;
	struct xsk_ring_cons comp, rx;
	uint8_t *area;
	uint64_t packets, busy, bytes, ipv4;
};

static int plain_open(struct plain *p, const char *ifname)
{
	const struct xsk_umem_config umem = {
		.fill_size = 2 * FRAMES, .comp_size = RING, .frame_size = FRAME};
	const struct xsk_socket_config config = {.rx_size = RING};
	uint32_t idx = 0;
	int ret;

	p->area = mmap(NULL, FRAMES * FRAME, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		       -1, 0);
	if (p->area == MAP_FAILED)
		return -errno;
	ret = xsk_umem__create(&p->umem, p->area, FRAMES * FRAME, &p->fill, &p->comp, &umem);
	if (!ret)
		ret = xsk_socket__create(&p->xsk, ifname, 0, p->umem, &p->rx, NULL, &config);
	if (ret)
		return ret;
	if (xsk_ring_prod__reserve(&p->fill, FRAMES, &idx) != FRAMES)
		return -ENOSPC;
	for (uint32_t i = 0; i < FRAMES; i++)
		*xsk_ring_prod__fill_addr(&p->fill, idx + i) = (uint64_t)i * FRAME;
	xsk_ring_prod__submit(&p->fill, FRAMES);
	return 0;
}

static uint32_t plain_round(struct plain *p)
{
	uint32_t idx = 0, fill = 0, n = xsk_ring_cons__peek(&p->rx, BATCH, &idx);

	if (!n)
		return 0;
	if (xsk_ring_prod__reserve(&p->fill, n, &fill) != n) {
		xsk_ring_cons__cancel(&p->rx, n);
		return 0;
	}
	for (uint32_t i = 0; i < n; i++)
		__builtin_prefetch(p->area + xsk_ring_cons__rx_desc(&p->rx, idx + i)->addr);
	for (uint32_t i = 0; i < n; i++) {
		const struct xdp_desc *d = xsk_ring_cons__rx_desc(&p->rx, idx + i);
		const uint8_t *eth = p->area + d->addr;

		p->ipv4 += eth[12] == 8;
		p->bytes += d->len;
		*xsk_ring_prod__fill_addr(&p->fill, fill + i) = d->addr & ~(uint64_t)(FRAME - 1);
	}
	xsk_ring_prod__submit(&p->fill, n);
	xsk_ring_cons__release(&p->rx, n);
	p->packets += n;
	return n;
}

static void plain_loop(struct plain *p, double seconds)
{
	struct pollfd fd = {.fd = xsk_socket__fd(p->xsk), .events = POLLIN};
	uint64_t hz = sl_cycles_hz(), begin = sl_cycles(), last = begin, now = begin;

	while ((double)(now - begin) < seconds * (double)hz) {
		uint64_t round = sl_cycles();
		uint32_t n = plain_round(p);

		now = sl_cycles();
		if (n) {
			p->busy += now - round;
			last = now;
		} else if (now - last > hz / SPIN_PER_SECOND) {
			poll(&fd, 1, 100);
			last = sl_cycles();
		}
	}
}

int main(int argc, char **argv)
{
	struct plain p = {0};
	int ret;

	if (argc != 4) {
		fprintf(stderr, "usage: bench_plain_rx IF SECONDS CPU\n");
		return 2;
	}
	sl_cpu_pin(pthread_self(), (unsigned)atoi(argv[3]));
	ret = plain_open(&p, argv[1]);
	if (ret) {
		fprintf(stderr, "bench_plain_rx: %s: %s\n", argv[1], strerror(-ret));
		return 1;
	}
	fprintf(stderr, "serving\n");
	plain_loop(&p, atof(argv[2]));
	printf("{\"packets\":%lu,\"cycles\":%.1f,\"ipv4\":%lu}\n", p.packets,
	       p.packets ? (double)p.busy / (double)p.packets : 0, p.ipv4);
	xsk_socket__delete(p.xsk);
	xsk_umem__delete(p.umem);
	return 0;
}
