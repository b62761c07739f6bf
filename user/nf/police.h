/* SPDX-License-Identifier: GPL-2.0-or-later */
/* police.h - what the arguments of `police` say. */
#ifndef SL_NF_POLICE_H
#define SL_NF_POLICE_H

#include <stdatomic.h>
#include <stddef.h>

#include <sluice/nf.h>

#include "nf/token_bucket.h"

#define POLICE_IDLE_MS 60000 /* of a flow; by then its bucket is full again */
#define POLICE_CELL_BITS 16 /* 65,536 buckets of prefixes take 4 MiB */

/* An address as a number; IPv4 is the highest 32 bits. */
typedef unsigned __int128 police_addr;

struct police_net {
	police_addr addr, mask;
	uint8_t family; /* 4 or 6; 0: any address of any family */
	uint8_t len;
};

enum police_per { PER_FLOW = 0, PER_ALL, PER_SRC, PER_DST };

/* The token bucket of a prefix, which all workers share. A cache line. */
struct police_cell {
	_Alignas(64) _Atomic uint64_t full_at;
	_Atomic uint64_t passed_packets, passed_bytes, dropped_packets, dropped_bytes;
};
_Static_assert(sizeof(struct police_cell) == 64, "cells of two prefixes share no cache line");

struct police {
	const struct sl_nf_host *host;
	struct token_rate rate;
	double per_second, burst; /* bytes or packets */
	bool packets; /* tokens are packets, not bytes */
	enum police_per per;
	uint8_t cell_bits; /* of an address, behind those of src or dst, that choose a cell */
	struct police_net src, dst; /* what is policed */
	struct police_cell *cells; /* NULL with PER_FLOW */
};

/* 0, or -EINVAL with one line in err. Everything of *p but host and cells. */
int police_parse(struct police *p, const char *args, char *err, size_t err_size);

/* The prefix of `cell`, or with bits = 0 the net itself, as 10.0.0.0/8. */
void police_print_net(const struct police_net *net, unsigned bits, size_t cell, char *text,
		      size_t size);

#endif /* SL_NF_POLICE_H */
