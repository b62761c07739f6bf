/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dpi_stream.h - one direction of a TCP connection as a stream of bytes for Hyperscan: in the order
 * in which bytes first arrive, or, with reassembly, in that of their sequence numbers.
 *
 * Streams and held segments are heap memory that belongs to the shard: only its owner touches them,
 * and they change hands with it.
 */
#ifndef SL_NF_DPI_STREAM_H
#define SL_NF_DPI_STREAM_H

#include <stdatomic.h>

#include <sluice/nf.h>

#include "nf/dpi_patterns.h"

#define DPI_SPARES 8 /* streams that a shard keeps for its next connections */

#define DPI_HOLES 4 /* of a direction; more are given up, the oldest first */

struct dpi_hole {
	uint32_t from, to;
};

struct dpi_held; /* a segment that came too early */

struct dpi_dir {
	hs_stream_t *stream; /* NULL: none yet */
	struct dpi_held *held; /* by sequence number */
	uint32_t next; /* sequence number behind the latest byte that was scanned */
	struct dpi_hole hole[DPI_HOLES]; /* arrival order: what was left out on the way there */
	uint32_t held_bytes;
	uint8_t holes;
	bool started, ended;
};

/* Of a shard; its owner writes. */
struct dpi_shard {
	uint64_t packets, bytes; /* scanned */
	uint64_t matches;
	uint64_t out_of_order, repeated; /* segments */
	uint64_t gaps; /* holes given up */
	uint64_t unscanned; /* segments without a stream: no room */
	uint64_t fragments, other; /* packets that are not looked at */
	uint64_t blocked; /* connections */
	uint64_t dropped; /* packets */
	uint64_t streams, held; /* now; held: bytes */
	uint64_t spares; /* the owner's from here on */
	hs_stream_t *spare[DPI_SPARES];
};

/* Memory of all shards: charged when streams are made, not for each packet. */
struct dpi_budget {
	_Atomic size_t used;
	size_t limit;
};

/* What a worker scans with, and for whom. */
struct dpi_scan {
	const struct dpi_patterns *patterns;
	struct dpi_budget *budget;
	struct dpi_shard *shard;
	hs_scratch_t *scratch;
	uint64_t *matched; /* the worker's, by pattern */
	uint32_t reassemble; /* bytes of a direction that may be held; 0: arrival order */
	unsigned matches; /* of this packet */
	bool drop; /* one of these says so */
};

/* Hyperscan's callback; its context is the dpi_scan. */
int dpi_match(unsigned pattern, unsigned long long from, unsigned long long to, unsigned flags,
	      void *ctx);

/* A segment's payload. */
void dpi_segment(struct dpi_scan *s, struct dpi_dir *d, uint32_t seq, const uint8_t *data,
		 uint32_t n);

/* The stream ends before `seq`, if that is where it stands: what matches at its end matches now. */
void dpi_finish(struct dpi_scan *s, struct dpi_dir *d, uint32_t seq);

/* The direction is over or begins anew: its memory goes back. */
void dpi_release(const struct dpi_patterns *patterns, struct dpi_budget *budget,
		 struct dpi_shard *shard, struct dpi_dir *d);

/* The shard's spare streams; none of its connections is left. */
void dpi_release_spares(struct dpi_shard *shard);

#endif /* SL_NF_DPI_STREAM_H */
