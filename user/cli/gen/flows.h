/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * flows.h - the flows of generated traffic: addresses, ports, headers, and the frames made of them.
 */
#ifndef SL_GEN_FLOWS_H
#define SL_GEN_FLOWS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include <sluice/error.h>

#include "gen.h"

#define GEN_FLOWS_MAX 1000000

/* An address pool: a prefix. */
struct gen_pool {
	uint8_t addr[16]; /* IPv4: the first four bytes */
	uint8_t prefix; /* bits */
};

struct gen_traffic {
	uint32_t flows; /* 1..GEN_FLOWS_MAX */
	double ipv6, tcp; /* shares of the flows, 0..1 */
	uint32_t size; /* of a frame without its FCS, bytes */
	struct gen_pool src4, dst4, src6, dst6;
	uint16_t sport, dport; /* the first source port; the destination port of every flow */
	uint8_t src_mac[6], dst_mac[6];
	uint32_t queues; /* flow i is sent on TX queue number i % queues of the list */
	uint16_t run;
};

/*
 * Read "PREFIX[,PREFIX]", at most one of each family; a family not named stays as it is. `name` is
 * the option, for the message. 0 or -EINVAL.
 */
int gen_pools_parse(const char *name, const char *text, struct gen_pool *v4, struct gen_pool *v6,
		    struct sl_error *err);

/* The defaults: 198.18.0.0/15 in two halves (RFC 2544), 2001:2::/48 in two halves (RFC 5180). */
void gen_pools_default(struct gen_traffic *t);

/* The smallest frame that holds headers and stamp of every kind of packet that t asks for. */
uint32_t gen_size_min(const struct gen_traffic *t);

/* Flow i of n by Bresenham's rule: a share of exactly floor(n * share), evenly spread. */
bool gen_share_takes(double share, uint64_t i);

/*
 * Fill flow[0..t->flows). No two have the same addresses and ports. -ERANGE: the pools have not
 * that many; err names the mend.
 */
int gen_flows_build(struct sl_gen_flow *flow, const struct gen_traffic *t, struct sl_error *err);

/*
 * Write the next packet of flow `id` to `frame` and count it in f->seq. What lies between headers
 * and stamp is not written: it must be zero, as the checksum takes it to be.
 */
void gen_frame_write(uint8_t *frame, uint32_t size, struct sl_gen_flow *f, uint32_t id,
		     uint16_t run, uint64_t now_ns);

/* The stamp of a frame: true if it ends with one of this run. Host order out. */
bool gen_stamp_read(const uint8_t *frame, uint32_t size, uint16_t run, uint32_t *flow,
		    uint64_t *seq, uint64_t *time_ns);

void gen_stamp_write(uint8_t *frame, uint32_t size, uint16_t run, uint32_t flow, uint64_t seq,
		     uint64_t now_ns);

#endif /* SL_GEN_FLOWS_H */
