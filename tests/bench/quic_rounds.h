/* SPDX-License-Identifier: GPL-2.0-only */
/* quic_rounds.h - what bench_quic and its programs share. */
#ifndef TESTS_BENCH_QUIC_ROUNDS_H
#define TESTS_BENCH_QUIC_ROUNDS_H

#include <linux/types.h>

#define QUIC_ROUNDS_CIDS 64
#define QUIC_ROUNDS_CLIENT 0x0a000105 /* 10.0.1.5 */
#define QUIC_ROUNDS_VIP 0x0a090909 /* 10.9.9.9 */
#define QUIC_ROUNDS_PORT 443
#define QUIC_ROUNDS_FRAME 84

struct quic_rounds_state {
	__u8 cid[QUIC_ROUNDS_CIDS][20];
	__u32 next;
};

#endif /* TESTS_BENCH_QUIC_ROUNDS_H */
