/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * reta_watch.h - does the NIC do as its table says? By the queues that packets came in on, since a
 * table that reads back as written may still not be in force. Pure.
 */
#ifndef SL_CONTROL_RETA_WATCH_H
#define SL_CONTROL_RETA_WATCH_H

#include <stdint.h>

#include <sluice/maps.h>

/* Fewer packets prove nothing: a window goes on until it has as many. */
#define SL_RETA_WATCH_PACKETS 256
/* Packets that the NIC hashes in another way than XDP (ICMP errors, SCTP) are always astray. */
#define SL_RETA_WATCH_ASTRAY 0.05

/* One look: packets of each bucket since the look before, by queue. */
struct sl_reta_look {
	unsigned buckets, entries; /* powers of two */
	const uint32_t *reta; /* [entries] */
	/* Packets of bucket b that came in on queue q since the latest look: count[q * buckets + b]
	 */
	const uint32_t *count;
	unsigned queues; /* of `count` */
	/* [entries], or NULL: entries that changed meanwhile; their buckets say nothing. */
	const uint8_t *changed;
};

enum sl_reta_verdict {
	SL_RETA_UNKNOWN, /* the window is not full */
	SL_RETA_FOLLOWS,
	SL_RETA_ASTRAY, /* more than SL_RETA_WATCH_ASTRAY came in elsewhere */
};

struct sl_reta_watch {
	uint64_t packets, astray; /* of the window */
};

/*
 * Add a look. *packets and *astray are those of this look. A verdict ends the window; all zero
 * begins one.
 */
enum sl_reta_verdict sl_reta_watch(struct sl_reta_watch *watch, const struct sl_reta_look *look,
				   uint64_t *packets, uint64_t *astray);

#endif /* SL_CONTROL_RETA_WATCH_H */
