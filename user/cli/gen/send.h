/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * send.h - what to send, and the two ways of sending it.
 */
#ifndef SL_GEN_SEND_H
#define SL_GEN_SEND_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "cli/gen/capture.h"
#include "cli/gen/flows.h"
#include "cli/gen/link.h"
#include "cli/gen/rx.h"
#include "control/histogram.h"

#define GEN_QUEUES_MAX 64
#define GEN_BATCH_MAX 256

enum gen_mode {
	GEN_AUTO, /* live where it can do what is asked, else xdp */
	GEN_LIVE, /* BPF live frames: full rate, the queue is the CPU's */
	GEN_XSK, /* AF_XDP transmission: everything */
};

/* One run, checked and built. */
struct gen_plan {
	struct gen_link link;
	enum gen_mode mode;
	uint16_t run; /* of the stamps */
	uint64_t seed;

	/* Generated traffic: traffic.flows flows drawn from the alias table. */
	struct gen_traffic traffic;
	struct sl_gen_flow *flow;
	struct sl_alias *alias;
	uint64_t shift_ns; /* 0: the hot set stays */

	/* Or a capture: capture.flows flows, in its own order. */
	bool captured;
	struct capture capture;
	uint64_t loops; /* 0: until the end */
	uint64_t *seq; /* [capture.flows] */

	double rate; /* packets a second, 0: as fast as it goes */
	uint32_t burst, batch;
	uint64_t count; /* packets, 0: no limit */
	uint64_t duration_ns, warmup_ns; /* 0: no end */
	unsigned queues;
	uint32_t queue[GEN_QUEUES_MAX];

	struct gen_rx *rx; /* is told when the measured time begins; may be NULL */
	atomic_bool *stop; /* set by a signal */
};

/* What a sender did. Packets made = accepted + refused + left. */
struct gen_sent {
	enum gen_mode mode;
	uint64_t made;
	uint64_t accepted; /* by the kernel, without those that it then dropped to our knowledge */
	uint64_t refused; /* dropped at the interface's door: the peer's ring was full */
	uint64_t left; /* still in our ring at the end */
	uint64_t untracked; /* of the accepted: captured packets without a stamp */
	uint64_t backpressure; /* times the kernel took nothing and asked to try again */
	uint64_t start_ns, end_ns; /* CLOCK_MONOTONIC of the first and behind the last packet */
	uint64_t measured, measured_ns; /* accepted after the warm-up, and how long that was */
	uint64_t build_ns; /* making packets, all together */
	uint64_t send_ns; /* in the kernel's transmission, and what it ran of the receiver's */
	struct sl_histogram late; /* ns between due and sent; paced runs only */
};

/* How the rank permutation turns: a step that visits all ranks, far from a rank's neighbours. */
uint32_t gen_shift_step(uint32_t flows);

/* The next packet of the plan; the state of who is next. */
struct gen_source {
	struct gen_plan *plan;
	__u64 random;
	uint32_t shift, shift_step;
	uint64_t next_shift_ns;
	uint32_t next; /* in the capture */
	uint64_t loop;
};

void gen_source_init(struct gen_source *s, struct gen_plan *plan, uint64_t start_ns);

/* False: the capture is over. */
bool gen_source_more(const struct gen_source *s);

/* One packet, chosen but not yet written. */
struct gen_pick {
	uint32_t flow; /* or CAPTURE_UNTRACKED */
	uint32_t index; /* of the captured packet */
	uint32_t queue; /* index in plan->queue */
};

struct gen_pick gen_source_pick(struct gen_source *s, uint64_t now_ns);

/* Write the picked packet; returns its length. */
uint32_t gen_source_write(struct gen_source *s, const struct gen_pick *pick, uint8_t *frame,
			  uint64_t now_ns);

/*
 * Send by AF_XDP from the calling thread, one socket for each queue, until count, duration, the
 * capture's end or the stop flag. 0, or -errno with a line in err and what was done in *sent.
 */
int gen_send_xsk(struct gen_plan *plan, struct gen_sent *sent, struct sl_error *err);

/*
 * Send by BPF live frames from the calling thread. -EOPNOTSUPP, with nothing sent: the peer takes
 * no XDP frames, or the kernel is older than 5.18.
 */
int gen_send_live(struct gen_plan *plan, struct gen_sent *sent, struct sl_error *err);

#endif /* SL_GEN_SEND_H */
