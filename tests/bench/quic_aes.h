/* SPDX-License-Identifier: GPL-2.0-only */
/* quic_aes.h - what bench_quic and its programs share. */
#ifndef TESTS_BENCH_QUIC_AES_H
#define TESTS_BENCH_QUIC_AES_H

#include <linux/types.h>

#define QUIC_AES_BLOCKS 64 /* a run */
#define QUIC_AES_WORDS 44

struct quic_aes_state {
	__u64 block[2];
	__u32 encrypt[QUIC_AES_WORDS], decrypt[QUIC_AES_WORDS];
	__u8 key[16], in[16 * QUIC_AES_BLOCKS], out[16 * QUIC_AES_BLOCKS];
};

#endif /* TESTS_BENCH_QUIC_AES_H */
