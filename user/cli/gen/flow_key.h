/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * flow_key.h - which flow a captured frame belongs to, and numbers for flows.
 */
#ifndef SL_GEN_FLOW_KEY_H
#define SL_GEN_FLOW_KEY_H

#include <stdbool.h>
#include <stdint.h>

struct flow_key {
	uint32_t src[4], dst[4]; /* of the frame itself */
	uint32_t quoted; /* ICMP errors: hash of the flow quoted */
	uint16_t sport, dport; /* ports, or ICMP's type and code, and identifier */
	uint8_t proto; /* 0 for fragments */
	uint8_t kind; /* family and whether a fragment or an ICMP error */
	uint16_t vlan; /* number of tags */
};
_Static_assert(sizeof(struct flow_key) == 44, "no padding: compared and hashed as bytes");

/* False: not IP, or shorter than its own headers and lengths say; such a frame has no flow. */
bool flow_key_of(const uint8_t *frame, uint32_t len, struct flow_key *key);

/* Numbers flows 0, 1, ... in the order in which they are first seen. All zero is an empty one. */
struct flow_numbers {
	struct flow_key *key; /* [number] */
	uint32_t *slot; /* open addressing; number + 1, 0: empty */
	uint32_t n, room, slots;
};

/* The number of a key, or UINT32_MAX on no memory. */
uint32_t flow_numbers_get(struct flow_numbers *f, const struct flow_key *key);
void flow_numbers_free(struct flow_numbers *f);

#endif /* SL_GEN_FLOW_KEY_H */
