// SPDX-License-Identifier: GPL-2.0-or-later
#include <string.h>

#include "nf/rewrite.h"
#include "nf/wire.h"

enum {
	IP_PROTO = 9,
	IP_CHECK = 10,
	IP_SRC = 12,
	TCP_CHECK = 16,
	UDP_CHECK = 6,
	ICMP_CHECK = 2,
	ICMP_ID = 4,
	ICMP_QUOTE = 8,
};

/* Ones' complement sum of what words have become, less what they were. */
static uint32_t change(uint8_t *at, const void *to, unsigned bytes)
{
	uint32_t delta = 0;

	for (unsigned i = 0; i < bytes; i += 2)
		delta += (uint16_t)~get16(at + i);
	memcpy(at, to, bytes);
	for (unsigned i = 0; i < bytes; i += 2)
		delta += get16(at + i);
	return delta;
}

/* RFC 1624, equation 3. Returns by how much the checksum itself has changed. */
static uint32_t amend(uint8_t *check, uint32_t delta)
{
	uint16_t old = get16(check);
	uint32_t sum = (uint16_t)~old + delta;

	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	put16(check, (uint16_t)~sum);
	return (uint16_t)~old + (uint32_t)(uint16_t)~sum;
}

/* UDP's 0 says that there is none (RFC 768). */
static uint32_t amend_udp(uint8_t *check, uint32_t delta)
{
	uint16_t old = get16(check);

	if (!old)
		return 0;
	amend(check, delta);
	if (!get16(check))
		put16(check, 0xffff);
	return (uint16_t)~old + (uint32_t)get16(check);
}

static uint32_t change_addr(uint8_t *ip, enum rewrite_side side, uint32_t addr)
{
	return change(ip + IP_SRC + 4 * side, &addr, sizeof(addr));
}

/*
 * The port of one end of an L4 header of which `bytes` are there, and its checksum, given that the
 * addresses have changed by addr_delta. Returns the change of the sum of these bytes.
 */
static uint32_t change_l4(uint8_t *l4, uint32_t bytes, uint8_t proto, enum rewrite_side side,
			  uint16_t port, uint32_t addr_delta)
{
	uint32_t delta;

	if (proto == PROTO_ICMP) {
		delta = change(l4 + ICMP_ID, &port, sizeof(port));
		return delta + amend(l4 + ICMP_CHECK, delta);
	}
	delta = change(l4 + 2 * side, &port, sizeof(port));
	if (proto == PROTO_UDP)
		return delta + amend_udp(l4 + UDP_CHECK, delta + addr_delta);
	if (bytes >= TCP_HEADER)
		return delta + amend(l4 + TCP_CHECK, delta + addr_delta);
	return delta;
}

void rewrite_packet(struct sl_packet *pkt, enum rewrite_side side, uint32_t addr, uint16_t port)
{
	uint8_t *ip = pkt->data + pkt->meta->l3_off;
	uint32_t delta = change_addr(ip, side, addr);

	amend(ip + IP_CHECK, delta);
	change_l4(pkt->data + pkt->meta->l4_off, ip_end(pkt) - pkt->meta->l4_off, pkt->meta->proto,
		  side, port, delta);
}

void rewrite_error(struct sl_packet *pkt, enum rewrite_side side, uint32_t addr, uint16_t port)
{
	uint8_t *ip = pkt->data + pkt->meta->l3_off, *icmp = pkt->data + pkt->meta->l4_off;
	uint8_t *quoted = icmp + ICMP_QUOTE;
	uint8_t *l4 = quoted + (quoted[0] & 15) * 4;
	uint32_t delta, sum;

	amend(ip + IP_CHECK, change_addr(ip, side, addr));
	delta = change_addr(quoted, !side, addr);
	sum = delta + amend(quoted + IP_CHECK, delta);
	sum += change_l4(l4, (uint32_t)(pkt->data + ip_end(pkt) - l4), quoted[IP_PROTO], !side,
			 port, delta);
	amend(icmp + ICMP_CHECK, sum);
}
