/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rx.h - the packets that come back: taken by an AF_PACKET ring (TPACKET_V3) in a thread of its
 * own.
 *
 * The kernel writes the time into the ring as the packet passes, so that neither the thread's
 * scheduling nor its batching is in the latency. It is CLOCK_REALTIME, brought to the sender's
 * CLOCK_MONOTONIC by their difference, which is measured before and after.
 */
#ifndef SL_GEN_RX_H
#define SL_GEN_RX_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "cli/gen/link.h"
#include "cli/gen/pace.h"
#include "cli/gen/tally.h"
#include "control/histogram.h"

struct gen_rx {
	int fd;
	uint8_t *ring;
	size_t ring_bytes;
	uint32_t blocks;
	uint16_t run;
	pthread_t thread;
	bool running;
	atomic_bool stop;
	_Atomic uint64_t measure_from_ns; /* packets sent earlier are tallied, not timed */
	_Atomic uint64_t unique; /* as tally says, for the linger */
	struct gen_clock_offset offset;

	/* The thread writes; read after gen_rx_stop(). */
	struct gen_tally tally;
	struct sl_histogram latency; /* ns */
	uint64_t early; /* latencies below 0, by the clocks' error; counted as 0 */
	uint64_t first_ns, last_ns; /* of timed packets, CLOCK_MONOTONIC */
	uint64_t timed;
	uint64_t other; /* without a stamp of this run */
	uint64_t dropped; /* by the ring: the result is then not valid */
	uint64_t clock_error_ns;
};

/*
 * Open the ring on the link and start the thread. `flows`: numbers that may come. Must be stopped
 * before it goes out of scope. 0 or -errno with a line in err.
 */
int gen_rx_start(struct gen_rx *rx, const struct gen_link *link, uint32_t flows, uint16_t run,
		 size_t ring_bytes, struct sl_error *err);

/* Wait until `expected` different packets are there, or linger_ns. Any thread. */
void gen_rx_linger(struct gen_rx *rx, uint64_t expected, uint64_t linger_ns);

/* Stop the thread when it has read what is in the ring; the results are then there. */
void gen_rx_stop(struct gen_rx *rx);

/* Free what the results hold. */
void gen_rx_free(struct gen_rx *rx);

#endif /* SL_GEN_RX_H */
