// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * flow_key.c - a packet's flow key, from the offsets that XDP left in its stamp.
 *
 * The key tells apart no less than the hash does, and the same in both directions: so all packets
 * of a key meet in one bucket. The bytes may have been rewritten since XDP parsed them, and the
 * stamp says nothing about the packet's length now: every read is checked against pkt->len.
 */
#include <errno.h>
#include <string.h>

#include <sluice/nf.h>

#include "parse.h"

struct end {
	uint8_t addr[16];
	uint16_t port;
};

static bool holds(const struct sl_packet *pkt, uint32_t off, uint32_t bytes)
{
	return bytes <= pkt->len && off <= pkt->len - bytes;
}

/* RFC 4291 2.5.5.2 */
static void map_v4(uint8_t addr[16], const void *v4)
{
	memset(addr, 0, 10);
	memset(addr + 10, 0xff, 2);
	memcpy(addr + 12, v4, 4);
}

/* Of the IP header at `off`, which has been found to be there. */
static void copy_addresses(const struct sl_packet *pkt, uint32_t off, struct end end[2])
{
	const uint8_t *ip = pkt->data + off;

	if (pkt->meta->flags & SL_META_V4) {
		map_v4(end[0].addr, ip + offsetof(struct sl_ipv4, saddr));
		map_v4(end[1].addr, ip + offsetof(struct sl_ipv4, daddr));
	} else {
		memcpy(end[0].addr, ip + offsetof(struct sl_ipv6, saddr), 16);
		memcpy(end[1].addr, ip + offsetof(struct sl_ipv6, daddr), 16);
	}
}

static int read_addresses(const struct sl_packet *pkt, struct end end[2])
{
	uint32_t off = pkt->meta->l3_off, bytes;

	if (pkt->meta->flags & SL_META_V4)
		bytes = sizeof(struct sl_ipv4);
	else if (pkt->meta->flags & SL_META_V6)
		bytes = sizeof(struct sl_ipv6);
	else
		return -EINVAL;
	if (!holds(pkt, off, bytes))
		return -EINVAL;
	copy_addresses(pkt, off, end);
	return 0;
}

/* Ports; the identifier of an echo stands for both, as both directions of a ping bear it. */
static void read_ports(const struct sl_packet *pkt, struct end end[2])
{
	uint32_t off = pkt->meta->l4_off;
	struct sl_tuple t = {.proto = pkt->meta->proto};

	if (!off || pkt->meta->flags & SL_META_FRAGMENT || !holds(pkt, off, 8))
		return;
	sl_parse_quoted_l4(pkt->data + off, &t);
	end[0].port = bpf_htons(t.sport);
	end[1].port = bpf_htons(t.dport);
}

/* Where the IP packet ends: what is behind it is padding of the Ethernet frame. */
static uint32_t ip_limit(const struct sl_packet *pkt)
{
	uint32_t off = pkt->meta->l3_off, end;
	const uint8_t *ip = pkt->data + off;

	if (pkt->meta->flags & SL_META_V4)
		end = off + (ip[2] << 8 | ip[3]);
	else
		end = off + sizeof(struct sl_ipv6) + (ip[4] << 8 | ip[5]);
	return end < pkt->len ? end : pkt->len;
}

/* The flow that an ICMP error quotes, eight bytes into it. False: too little of it is there. */
static bool read_quoted(const struct sl_packet *pkt, struct end end[2], uint8_t *proto)
{
	uint32_t off = pkt->meta->l4_off + SL_ICMP_QUOTE, limit = ip_limit(pkt);
	const void *data_end = pkt->data + pkt->len;
	struct sl_tuple t = {0};
	int found;

	if (!pkt->meta->l4_off || !holds(pkt, off, 1))
		return false;
	if (pkt->meta->flags & SL_META_V4)
		found = sl_parse_quoted4(pkt->data, data_end, off, limit, &t);
	else
		found = sl_parse_quoted6(pkt->data, data_end, off, limit, &t);
	if (!found)
		return false;

	copy_addresses(pkt, off, end);
	end[0].port = bpf_htons(t.sport);
	end[1].port = bpf_htons(t.dport);
	*proto = t.proto;
	return true;
}

static bool above(const struct end *a, const struct end *b)
{
	int d = memcmp(a->addr, b->addr, sizeof(a->addr));

	return d ? d > 0 : bpf_ntohs(a->port) > bpf_ntohs(b->port);
}

int sl_packet_flow_key(const struct sl_packet *pkt, struct sl_flow_key *key, bool *reversed)
{
	struct end end[2] = {0};
	uint8_t proto = pkt->meta->proto;
	bool error = false, swap;

	if (read_addresses(pkt, end))
		return -EINVAL;
	if (pkt->meta->flags & SL_META_ICMP_ERROR)
		error = read_quoted(pkt, end, &proto);
	if (!error)
		read_ports(pkt, end);

	swap = above(&end[0], &end[1]);
	memset(key, 0, sizeof(*key));
	for (int i = 0; i < 2; i++) {
		memcpy(key->addr[i], end[swap ^ i].addr, sizeof(key->addr[i]));
		key->port[i] = end[swap ^ i].port;
	}
	key->proto = proto;
	/* An error travels against the packet that it quotes. */
	if (reversed)
		*reversed = swap != error;
	return 0;
}
