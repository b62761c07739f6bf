/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * port.h - one AF_XDP transmit queue of the generator: frames, ring, and what the kernel did.
 */
#ifndef SL_GEN_PORT_H
#define SL_GEN_PORT_H

#include <stdbool.h>
#include <stdint.h>

#include "platform/xsk.h"

/*
 * Frames of a queue. The driver's ring behind (veth: 256 entries) is what bounds the packets in
 * flight; this leaves room for completions that come late.
 */
#define GEN_PORT_FRAMES 1024

struct gen_port {
	struct sl_xsk_umem umem;
	struct sl_xsk xsk;
	uint8_t *area;
	uint32_t frame_size;
	uint32_t free[GEN_PORT_FRAMES]; /* frame numbers, a stack */
	uint32_t frees;
	uint32_t taken_to; /* the TX ring's consumer index as last seen */
	uint32_t pending; /* descriptors that the kernel has not taken */
	bool untracked[GEN_PORT_FRAMES]; /* by frame number */
	uint64_t accepted, refused, untracked_accepted, backpressure;
};

int gen_port_open(struct gen_port *p, const char *ifname, uint32_t queue, uint32_t frame_max,
		  struct sl_error *err);
void gen_port_close(struct gen_port *p);

/* A frame to write to, or NULL: all are on their way. */
uint8_t *gen_port_frame(struct gen_port *p);

/* Put the frame from gen_port_frame() into the TX ring. */
void gen_port_push(struct gen_port *p, const uint8_t *frame, uint32_t len, bool untracked);

/*
 * Let the kernel send what is in the ring, in order, until the ring is empty or the kernel takes no
 * more now. 0, or -errno: the interface is down or gone.
 */
int gen_port_kick(struct gen_port *p);

#endif /* SL_GEN_PORT_H */
