// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_xsk.c - queues x workers sockets on a veth: every packet comes out of the ring of the worker
 * that its row names, with its stamp, in native and generic mode; and sockets come and go.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include <sluice/packet.h>

#include "platform/netlink.h"
#include "platform/xsk.h"
#include "testnet.h"

#define QUEUES 2
#define WORKERS 2
#define RING 512
#define FRAME 2048
#define FRAMES (QUEUES * (WORKERS * RING + RING))
#define PACKETS 400 /* fewer than a ring: nothing may be lost */
#define FLOWS 100

struct rig {
	struct sl_instance *inst;
	void *area;
	struct sl_xsk_umem umem[QUEUES];
	struct sl_xsk xsk[QUEUES][WORKERS];
	unsigned got[QUEUES][WORKERS];
};

static struct sl_error err;

static void attach(const char *ifname, enum sl_xdp_mode mode)
{
	static struct sl_rule all;
	const char *ifaces[] = {ifname};
	struct sl_attach_opts opts = {.ifaces = ifaces,
				      .ifaces_n = 1,
				      .rules = &all,
				      .rules_n = 1,
				      .max_workers = WORKERS,
				      .mode = mode};

	all = testnet_rule_all();
	/* A veth without NAPI leaves the sender's queue in the packet, which generic XDP reads as
	 * RX queue + 1: senders' queues 0, 1 and 2 arrive on 0, 0 and 1. */
	testnet_veth(ifname, mode == SL_XDP_GENERIC ? QUEUES + 1 : QUEUES);
	cr_assert_eq(sl_attach(&opts, &err), 0, "%s", err.text);
}

static struct sl_xsk_opts xsk_options(const struct sl_instance *inst)
{
	return (struct sl_xsk_opts){
		.frame_size = FRAME,
		.fill_size = 4 * RING,
		.comp_size = 2 * RING,
		.rx_size = RING,
		.tx_size = RING,
		.generic = inst->iface[0].mode == SL_XDP_GENERIC,
		.need_wakeup = true,
		.busy_poll_us = 20,
		.busy_poll_budget = 64,
	};
}

static void fill_queue(struct rig *rig, unsigned queue)
{
	const unsigned n = FRAMES / QUEUES;
	uint32_t at;

	cr_assert_eq(xsk_ring_prod__reserve(&rig->umem[queue].fill, n, &at), n);
	for (unsigned i = 0; i < n; i++)
		*xsk_ring_prod__fill_addr(&rig->umem[queue].fill, at + i) =
			(uint64_t)(queue * n + i) * FRAME;
	xsk_ring_prod__submit(&rig->umem[queue].fill, n);
}

static void rig_open(struct rig *rig, const char *ifname)
{
	struct sl_xsk_opts opts;
	int rc;

	memset(rig, 0, sizeof(*rig));
	cr_assert_eq(sl_instance_open(ifname, &rig->inst, &err), 0, "%s", err.text);
	opts = xsk_options(rig->inst);
	rig->area = sl_area_map((size_t)FRAMES * FRAME);
	cr_assert_not_null(rig->area);
	for (unsigned q = 0; q < QUEUES; q++) {
		rc = sl_xsk_umem_open(&rig->umem[q], ifname, q, rig->area, (size_t)FRAMES * FRAME,
				      &opts, &err);
		cr_assert_eq(rc, 0, "%s", err.text);
		fill_queue(rig, q);
		for (unsigned w = 0; w < WORKERS; w++) {
			rc = sl_xsk_open(&rig->xsk[q][w], &rig->umem[q], &opts, &err);
			cr_assert_eq(rc, 0, "queue %u worker %u: %s", q, w, err.text);
			cr_assert_not(rig->xsk[q][w].zerocopy, "a veth has no zero-copy");
			rc = sl_xsk_slot_set(&rig->inst->iface[0], q, w, rig->xsk[q][w].fd);
			cr_assert_eq(rc, 0);
		}
	}
}

static void rig_close(struct rig *rig)
{
	for (unsigned q = 0; q < QUEUES; q++) {
		for (unsigned w = WORKERS; w-- > 0;)
			sl_xsk_close(&rig->xsk[q][w]);
		sl_xsk_umem_close(&rig->umem[q]);
	}
	sl_area_unmap(rig->area, (size_t)FRAMES * FRAME);
	sl_instance_close(rig->inst);
}

struct frame {
	struct ether_header eth;
	struct iphdr ip;
	struct udphdr udp;
	char payload[18];
} __attribute__((packed));

static void send_packets(const char *ifname, unsigned n)
{
	struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_IP)};
	struct frame frame = {
		.eth = {{2, 0, 0, 0, 0, 1}, {2, 0, 0, 0, 0, 2}, htons(ETHERTYPE_IP)},
		.ip = {.version = 4, .ihl = 5, .ttl = 64, .protocol = IPPROTO_UDP},
	};
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

	cr_assert_geq(fd, 0);
	to.sll_ifindex = (int)if_nametoindex(ifname);
	frame.ip.tot_len = htons(sizeof(frame) - sizeof(frame.eth));
	frame.ip.saddr = htonl(0xc6336401);
	frame.ip.daddr = htonl(0xc6336502);
	frame.udp.uh_dport = htons(53);
	frame.udp.uh_ulen = htons(sizeof(frame.udp) + sizeof(frame.payload));
	for (unsigned i = 0; i < n; i++) {
		/* Scattered ports: a run of them may walk over even buckets only. */
		frame.udp.uh_sport = htons((uint16_t)(i % FLOWS * 40503));
		cr_assert_eq(
			sendto(fd, &frame, sizeof(frame), 0, (struct sockaddr *)&to, sizeof(to)),
			(ssize_t)sizeof(frame));
	}
	close(fd);
}

/* The packet's stamp must be there, and name a bucket whose row names this worker. */
static void check_packet(const struct rig *rig, unsigned worker, const struct xdp_desc *desc)
{
	const uint8_t *data = xsk_umem__get_data(rig->area, desc->addr);
	const struct sl_meta *meta = (const struct sl_meta *)data - 1;
	struct sl_row row;

	cr_assert_eq(meta->magic, SL_META_MAGIC);
	cr_assert_lt(meta->bucket, rig->inst->buckets);
	cr_assert_eq(meta->bucket, meta->hash & rig->inst->control->bucket_mask);
	memcpy(&row, &rig->inst->rows[meta->bucket], sizeof(row));
	cr_assert_eq(row.worker, worker);
	cr_assert_eq(desc->len, sizeof(struct frame));
}

static unsigned drain(struct rig *rig)
{
	unsigned total = 0, n;
	uint32_t at;

	for (unsigned q = 0; q < QUEUES; q++) {
		for (unsigned w = 0; w < WORKERS; w++) {
			n = xsk_ring_cons__peek(&rig->xsk[q][w].rx, RING, &at);
			for (unsigned i = 0; i < n; i++)
				check_packet(rig, w,
					     xsk_ring_cons__rx_desc(&rig->xsk[q][w].rx, at + i));
			if (n)
				xsk_ring_cons__release(&rig->xsk[q][w].rx, n);
			rig->got[q][w] += n;
			total += n;
		}
	}
	return total;
}

static unsigned receive(struct rig *rig, unsigned want)
{
	unsigned total = 0;

	memset(rig->got, 0, sizeof(rig->got));
	for (unsigned i = 0; i < 200 && total < want; i++) {
		total += drain(rig);
		usleep(10000);
	}
	return total;
}

static void matrix(const char *ifname, enum sl_xdp_mode mode)
{
	char peer[IF_NAMESIZE];
	struct rig rig;

	attach(ifname, mode);
	snprintf(peer, sizeof(peer), "%sp", ifname);
	rig_open(&rig, ifname);
	cr_assert_eq(rig.inst->iface[0].mode, mode);
	send_packets(peer, PACKETS);
	cr_assert_eq(receive(&rig, PACKETS), PACKETS);
	for (unsigned q = 0; q < QUEUES; q++)
		for (unsigned w = 0; w < WORKERS; w++) {
			struct sl_xsk_stats stats;

			cr_assert_gt(rig.got[q][w], 0, "queue %u worker %u got nothing", q, w);
			cr_assert_eq(sl_xsk_stats(&rig.xsk[q][w], &stats), 0);
			cr_assert_eq(stats.rx_dropped + stats.rx_ring_full, 0);
		}
	/* An empty slot: the fallback verdict, nothing in a ring. */
	for (unsigned q = 0; q < QUEUES; q++)
		cr_assert_eq(sl_xsk_slot_clear(&rig.inst->iface[0], q, 1), 0);
	cr_assert_eq(sl_xsk_slot_clear(&rig.inst->iface[0], 0, 1), 0, "twice is no error");
	send_packets(peer, PACKETS);
	receive(&rig, PACKETS);
	cr_assert_eq(rig.got[0][1] + rig.got[1][1], 0);
	cr_assert_gt(rig.got[0][0], 0);
	rig_close(&rig);
	cr_assert_eq(sl_detach(ifname, false, &err), 0, "%s", err.text);
}

static void setup(void)
{
	testnet_enter();
}

TestSuite(xsk, .init = setup, .timeout = 120);

Test(xsk, matrix_native)
{
	matrix("slpx0", SL_XDP_NATIVE);
}

Test(xsk, matrix_generic)
{
	matrix("slpx1", SL_XDP_GENERIC);
}

/* The kernel unbinds by and by: opening again at once must not fail. */
Test(xsk, reopen_at_once)
{
	struct rig rig;

	attach("slpx2", SL_XDP_NATIVE);
	for (unsigned i = 0; i < 20; i++) {
		rig_open(&rig, "slpx2");
		rig_close(&rig);
	}
	rig_open(&rig, "slpx2");
	send_packets("slpx2p", PACKETS);
	cr_assert_eq(receive(&rig, PACKETS), PACKETS);
	rig_close(&rig);
	sl_detach("slpx2", false, &err);
}

Test(xsk, busy_queue_is_named)
{
	struct rig rig;
	struct sl_xsk_umem umem;
	struct sl_xsk_opts opts;
	struct sl_xsk xsk;
	int rc;

	attach("slpx3", SL_XDP_NATIVE);
	rig_open(&rig, "slpx3");
	opts = xsk_options(rig.inst);
	cr_assert_eq(
		sl_xsk_umem_open(&umem, "slpx3", 1, rig.area, (size_t)FRAMES * FRAME, &opts, &err),
		0);
	rc = sl_xsk_open(&xsk, &umem, &opts, &err);
	cr_assert_eq(rc, -EBUSY, "%d", rc);
	cr_assert(strstr(err.text, "slpx3 queue 1"), "%s", err.text);
	/* Free again while the retry is under way: the same UMEM binds after all. */
	for (unsigned w = WORKERS; w-- > 0;)
		sl_xsk_close(&rig.xsk[1][w]);
	sl_xsk_umem_close(&rig.umem[1]);
	cr_assert_eq(sl_xsk_open(&xsk, &umem, &opts, &err), 0, "%s", err.text);
	sl_xsk_close(&xsk);
	sl_xsk_umem_close(&umem);
	opts.bind = SL_XSK_BIND_ZEROCOPY;
	cr_assert_eq(
		sl_xsk_umem_open(&umem, "slpx3", 1, rig.area, (size_t)FRAMES * FRAME, &opts, &err),
		0);
	rc = sl_xsk_open(&xsk, &umem, &opts, &err);
	cr_assert_eq(rc, -EOPNOTSUPP, "%d", rc);
	sl_xsk_umem_close(&umem);
	rig_close(&rig);
	sl_detach("slpx3", false, &err);
}

/* The kernel starts the queues of a link that came up by and by. */
static void wait_running(const char *ifname)
{
	struct sl_link link = {0};

	for (unsigned i = 0; i < 300 && !link.running; i++) {
		cr_assert_eq(sl_link_get(ifname, &link), 0);
		usleep(10000);
	}
	cr_assert(link.up && link.running, "%s", ifname);
}

/* A frame in the TX ring leaves; the link may go down and up, and away at last. */
Test(xsk, transmit_and_link_changes)
{
	struct rig rig;
	struct sl_xsk *x;
	struct frame *frame;
	uint32_t at, done;
	int rc;

	attach("slpx4", SL_XDP_NATIVE);
	rig_open(&rig, "slpx4");
	x = &rig.xsk[1][1];
	for (unsigned round = 0; round < 2; round++) {
		frame = xsk_umem__get_data(rig.area, 0);
		memset(frame, 0xff, sizeof(*frame));
		cr_assert_eq(xsk_ring_prod__reserve(&x->tx, 1, &at), 1);
		xsk_ring_prod__tx_desc(&x->tx, at)->addr = 0;
		xsk_ring_prod__tx_desc(&x->tx, at)->len = sizeof(*frame);
		xsk_ring_prod__submit(&x->tx, 1);
		if (!round) {
			cr_assert_eq(run("ip link set slpx4 down"), 0);
			rc = sl_xsk_kick(x);
			cr_assert_eq(rc, -ENETDOWN, "%d", rc);
			cr_assert_eq(run("ip link set slpx4 up"), 0);
			wait_running("slpx4");
			wait_running("slpx4p");
		}
		do
			rc = sl_xsk_kick(x);
		while (rc == -EAGAIN);
		cr_assert_eq(rc, 0, "%d", rc);
		for (unsigned i = 0; i < 100 && !xsk_cons_nb_avail(&rig.umem[1].comp, 1); i++)
			usleep(10000);
		cr_assert_eq(xsk_ring_cons__peek(&rig.umem[1].comp, 1, &done), 1);
		xsk_ring_cons__release(&rig.umem[1].comp, 1);
	}
	send_packets("slpx4p", PACKETS);
	cr_assert_eq(receive(&rig, PACKETS), PACKETS, "served again after down and up");
	cr_assert_eq(run("ip link del slpx4"), 0);
	rc = sl_xsk_kick(x);
	cr_assert(rc == -ENXIO || rc == -EBADF || rc == -ENETDOWN, "%d", rc);
	rig_close(&rig);
	rc = sl_detach("slpx4", false, &err);
	cr_assert(rc == 0 || rc == -ENODEV, "%d, %s", rc, err.text);
}
