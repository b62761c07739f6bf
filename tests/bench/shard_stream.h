/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * shard_stream.h - the packets of bench_shard: which flow comes next, its key and its hash.
 *
 * Keys are made as a parser would make them, from registers into the first-level cache: a table of
 * prepared keys would cost cache misses of its own and blur what is measured.
 */
#ifndef SHARD_STREAM_H
#define SHARD_STREAM_H

#include <stdint.h>
#include <string.h>

#include <sluice/nf.h>

#define SHARDS 1024u

struct stream {
	uint64_t rng;
	uint32_t per_thread; /* flows of each thread */
	uint32_t threads;
	uint32_t self;
	bool sprayed; /* any flow comes to any thread, instead of a thread's own only */
};

struct stream_batch {
	struct sl_flow_key key[SL_BATCH];
	const void *keys[SL_BATCH];
	uint32_t hash[SL_BATCH];
};

static inline uint32_t stream_random(struct stream *s)
{
	s->rng ^= s->rng << 13;
	s->rng ^= s->rng >> 7;
	s->rng ^= s->rng << 17;
	return (uint32_t)(s->rng >> 32);
}

/* Flow `i` of thread `owner`: the thread owns the shards that are congruent to it. */
static inline uint32_t stream_hash(const struct stream *s, uint32_t i, uint32_t owner)
{
	uint64_t m = (((uint64_t)i << 8 | owner) + 1) * 0xd6e8feb86659fd93ull;
	uint32_t row;

	m = (m ^ m >> 32) * 0xd6e8feb86659fd93ull;
	row = (uint32_t)((m >> 40) * (SHARDS / s->threads) >> 24);
	return (uint32_t)m / SHARDS * SHARDS + row * s->threads + owner;
}

static inline void stream_key(struct sl_flow_key *key, uint32_t i, uint32_t owner)
{
	static const uint8_t prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
	uint32_t client = 0x0a000000u + i / 16, server = 0xc0a80001u + owner;

	memcpy(key->addr[0], prefix, sizeof(prefix));
	memcpy(key->addr[0] + 12, &client, 4);
	memcpy(key->addr[1], prefix, sizeof(prefix));
	memcpy(key->addr[1] + 12, &server, 4);
	key->port[0] = (uint16_t)(1024 + i % 16);
	key->port[1] = 443;
	key->proto = 6;
	memset(key->resv, 0, sizeof(key->resv));
}

static inline void stream_next(struct stream *s, struct stream_batch *b)
{
	for (unsigned i = 0; i < SL_BATCH; i++) {
		uint32_t flow = (uint32_t)((uint64_t)stream_random(s) * s->per_thread >> 32);
		uint32_t owner = s->self;

		if (s->sprayed)
			owner = (uint32_t)((uint64_t)stream_random(s) * s->threads >> 32);
		b->hash[i] = stream_hash(s, flow, owner);
		stream_key(&b->key[i], flow, owner);
		b->keys[i] = &b->key[i];
	}
}

#endif /* SHARD_STREAM_H */
