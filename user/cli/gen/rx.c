// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/gen/rx.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cli/gen/flows.h"
#include "platform/instance.h"

#define BLOCK_BYTES (1u << 18) /* a thousand small packets: few wake-ups, little held back */
#define RETIRE_MS 2 /* a block that is not full is handed over after this */
#define POLL_MS 20

static int ring_open(struct gen_rx *rx, const struct gen_link *link)
{
	const int version = TPACKET_V3, on = 1;
	struct tpacket_req3 req = {
		.tp_block_size = BLOCK_BYTES,
		.tp_block_nr = rx->blocks,
		.tp_frame_size = TPACKET_ALIGNMENT << 7,
		.tp_frame_nr = rx->blocks * (BLOCK_BYTES / (TPACKET_ALIGNMENT << 7)),
		.tp_retire_blk_tov = RETIRE_MS,
	};
	const struct packet_mreq promisc = {.mr_ifindex = link->ifindex,
					    .mr_type = PACKET_MR_PROMISC};
	const struct sockaddr_ll addr = {.sll_family = AF_PACKET,
					 .sll_protocol = htons(ETH_P_ALL),
					 .sll_ifindex = link->ifindex};

	/* Protocol 0: nothing is received before bind() names the interface. */
	rx->fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (rx->fd < 0 ||
	    setsockopt(rx->fd, SOL_PACKET, PACKET_VERSION, &version, sizeof(version)) ||
	    setsockopt(rx->fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof(on)) ||
	    setsockopt(rx->fd, SOL_PACKET, PACKET_RX_RING, &req, sizeof(req)))
		return -errno;
	rx->ring = mmap(NULL, rx->ring_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE,
			rx->fd, 0);
	if (rx->ring == MAP_FAILED) {
		rx->ring = NULL;
		return -errno;
	}
	if (bind(rx->fd, (const struct sockaddr *)&addr, sizeof(addr)) ||
	    setsockopt(rx->fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &promisc, sizeof(promisc)))
		return -errno;
	return 0;
}

static void take(struct gen_rx *rx, const struct tpacket3_hdr *h, uint64_t measure_from)
{
	const uint8_t *frame = (const uint8_t *)h + h->tp_mac;
	const uint64_t at =
		(uint64_t)((int64_t)h->tp_sec * 1000000000 + h->tp_nsec - rx->offset.offset_ns);
	uint64_t seq, sent;
	uint32_t flow;

	if (!gen_stamp_read(frame, h->tp_snaplen, rx->run, &flow, &seq, &sent)) {
		rx->other++;
		return;
	}
	gen_tally_add(&rx->tally, flow, seq);
	if (sent < measure_from)
		return;
	if (at < sent)
		rx->early++;
	sl_histogram_add(&rx->latency, at < sent ? 0 : at - sent);
	if (!rx->timed++)
		rx->first_ns = at;
	rx->last_ns = at;
}

static void take_block(struct gen_rx *rx, struct tpacket_block_desc *block)
{
	const uint64_t from = atomic_load_explicit(&rx->measure_from_ns, memory_order_relaxed);
	const struct tpacket3_hdr *h =
		(void *)((uint8_t *)block + block->hdr.bh1.offset_to_first_pkt);

	for (uint32_t i = 0; i < block->hdr.bh1.num_pkts; i++) {
		take(rx, h, from);
		h = (const void *)((const uint8_t *)h + h->tp_next_offset);
	}
}

static void *receive(void *arg)
{
	struct gen_rx *rx = arg;
	struct pollfd pfd = {.fd = rx->fd, .events = POLLIN | POLLERR};
	bool stopping = false;
	uint32_t next = 0;

	for (;;) {
		struct tpacket_block_desc *block = (void *)(rx->ring + (size_t)next * BLOCK_BYTES);

		/* Pairs with the kernel's barrier before it hands the block over (af_packet.c). */
		if (!(__atomic_load_n(&block->hdr.bh1.block_status, __ATOMIC_ACQUIRE) &
		      TP_STATUS_USER)) {
			if (stopping)
				return NULL;
			stopping = atomic_load(&rx->stop);
			/* The last packets come when their block's time is over. */
			poll(&pfd, 1, stopping ? 2 * RETIRE_MS + 2 : POLL_MS);
			continue;
		}
		take_block(rx, block);
		__atomic_store_n(&block->hdr.bh1.block_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
		next = next + 1 == rx->blocks ? 0 : next + 1;
		atomic_store_explicit(&rx->unique, gen_tally_unique(&rx->tally),
				      memory_order_relaxed);
	}
}

/* Signals are the sender's: they end its waits and its live-frames run. */
static int thread_start(struct gen_rx *rx)
{
	sigset_t all, before;
	int rc;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(&rx->thread, NULL, receive, rx);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	rx->running = !rc;
	return -rc;
}

static void ring_close(struct gen_rx *rx)
{
	if (rx->ring)
		munmap(rx->ring, rx->ring_bytes);
	if (rx->fd >= 0)
		close(rx->fd);
	rx->ring = NULL;
	rx->fd = -1;
}

int gen_rx_start(struct gen_rx *rx, const struct gen_link *link, uint32_t flows, uint16_t run,
		 size_t ring_bytes, struct sl_error *err)
{
	int rc;

	memset(rx, 0, sizeof(*rx));
	rx->fd = -1;
	rx->run = run;
	rx->blocks = (uint32_t)(ring_bytes / BLOCK_BYTES);
	rx->ring_bytes = (size_t)rx->blocks * BLOCK_BYTES;
	rx->measure_from_ns = UINT64_MAX; /* the sender says when */
	rx->offset = gen_clock_offset();
	rc = gen_tally_init(&rx->tally, flows);
	if (!rc)
		rc = ring_open(rx, link);
	if (!rc)
		rc = thread_start(rx);
	if (!rc)
		return 0;
	ring_close(rx);
	gen_tally_free(&rx->tally);
	if (rc == -EPERM)
		return sl_error_set(err, rc, "%s: receiving needs CAP_NET_RAW; run as root",
				    link->name);
	return sl_error_set(err, rc, "%s: receive ring of %zu MiB: %s; --rx-ring makes it smaller",
			    link->name, ring_bytes >> 20, strerror(-rc));
}

void gen_rx_linger(struct gen_rx *rx, uint64_t expected, uint64_t linger_ns)
{
	const uint64_t end = gen_now_ns() + linger_ns;
	const struct timespec step = {.tv_nsec = 1000000};

	while (gen_now_ns() < end &&
	       atomic_load_explicit(&rx->unique, memory_order_relaxed) < expected)
		nanosleep(&step, NULL);
}

void gen_rx_stop(struct gen_rx *rx)
{
	struct tpacket_stats_v3 stats = {0};
	struct gen_clock_offset after;
	socklen_t len = sizeof(stats);
	int64_t drift;

	if (!rx->running)
		return;
	atomic_store(&rx->stop, true);
	pthread_join(rx->thread, NULL);
	rx->running = false;
	if (!getsockopt(rx->fd, SOL_PACKET, PACKET_STATISTICS, &stats, &len))
		rx->dropped = stats.tp_drops;
	after = gen_clock_offset();
	drift = after.offset_ns - rx->offset.offset_ns;
	rx->clock_error_ns = rx->offset.error_ns + (uint64_t)(drift < 0 ? -drift : drift);
	ring_close(rx);
}

void gen_rx_free(struct gen_rx *rx)
{
	gen_rx_stop(rx);
	gen_tally_free(&rx->tally);
}
