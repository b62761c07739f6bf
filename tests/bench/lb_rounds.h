/* SPDX-License-Identifier: GPL-2.0-only */
/* lb_rounds.h - what bench_lb and its programs share. */
#ifndef TESTS_BENCH_LB_ROUNDS_H
#define TESTS_BENCH_LB_ROUNDS_H

#include <linux/types.h>

#define LB_ROUNDS_SERVERS 64
#define LB_ROUNDS_BITS 9
#define LB_ROUNDS_FLOWS_MAX 1000000
#define LB_ROUNDS_ENTRIES (1 << 21) /* of each table: half empty under the most flows */
#define LB_ROUNDS_BLOCKS (LB_ROUNDS_ENTRIES / SL_LB_BLOCK_SLOTS)
#define LB_ROUNDS_PACKETS (1 << 17) /* a power of two, and not fewer than a run has */
#define LB_ROUNDS_STAMP 1000000 /* of the servers, when the slots are taken */
#define LB_ROUNDS_CLIENT 0x0a100000 /* 10.16.0.0 and on */
#define LB_ROUNDS_VIP 0x0a090909 /* 10.9.9.9 */
#define LB_ROUNDS_PORT 80

struct lb_rounds_state {
	__u64 key[2]; /* the load balancer's */
	__u64 random; /* not 0 */
	__u32 flows; /* live */
	__u32 stamp; /* of the server that the client echoes */
	__u32 clock; /* the clients' */
	__u32 at; /* packet that is drawn, or sent, next */
	__u32 filled, failed;
	__u32 slots; /* 1: echoes name slots, else servers */
};

#endif /* TESTS_BENCH_LB_ROUNDS_H */
