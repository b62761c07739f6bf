/* SPDX-License-Identifier: GPL-2.0-or-later */
/* wire.h - numbers in network order at any alignment, and where a packet's parts end. */
#ifndef SL_NF_WIRE_H
#define SL_NF_WIRE_H

#include <sluice/nf.h>

enum {
	PROTO_ICMP = 1,
	PROTO_TCP = 6,
	PROTO_UDP = 17,
	PROTO_ICMP6 = 58,
	IPV4_HEADER = 20,
	IPV6_HEADER = 40,
	TCP_HEADER = 20,
};

static inline uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t get32(const uint8_t *p)
{
	return (uint32_t)get16(p) << 16 | get16(p + 2);
}

static inline void put16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static inline void put32(uint8_t *p, uint32_t v)
{
	put16(p, (uint16_t)(v >> 16));
	put16(p + 2, (uint16_t)v);
}

/* Where the IP packet ends, from the packet's start; what follows is padding of the frame. */
static inline uint32_t ip_end(const struct sl_packet *pkt)
{
	const uint8_t *ip = pkt->data + pkt->meta->l3_off;
	uint32_t end = pkt->meta->l3_off;

	if (pkt->meta->flags & SL_META_V4)
		end += get16(ip + 2);
	else
		end += IPV6_HEADER + get16(ip + 4);
	return end < pkt->len ? end : pkt->len;
}

/* The L4 header with `bytes` of it there, or NULL: a fragment, another protocol's, or cut short. */
static inline uint8_t *l4_header(const struct sl_packet *pkt, uint32_t bytes)
{
	uint32_t off = pkt->meta->l4_off;

	if (!off || pkt->meta->flags & SL_META_FRAGMENT || off + bytes > ip_end(pkt))
		return NULL;
	return pkt->data + off;
}

#endif /* SL_NF_WIRE_H */
