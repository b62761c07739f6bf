// SPDX-License-Identifier: GPL-2.0-or-later
#include <string.h>

#include "nf/fw_packet.h"
#include "nf/wire.h"

enum { FIN = 0x01, SYN = 0x02, RST = 0x04, ACK = 0x10 };

static classify_addr_t load_addr(const uint8_t *p)
{
	return (classify_addr_t)((uint64_t)get32(p) << 32 | get32(p + 4)) << 64 |
	       ((uint64_t)get32(p + 8) << 32 | get32(p + 12));
}

/* False: an IPv6 packet with what stands for IPv4 here as an address, which rules for IPv4 would
 * match (RFC 4942 2.2). */
static bool look_at_addresses(const struct sl_packet *pkt, struct fw_view *v)
{
	const uint8_t *ip = pkt->data + pkt->meta->l3_off;
	bool v4 = pkt->meta->flags & SL_META_V4;

	for (unsigned side = 0; side < 2; side++) {
		if (v4)
			v->key.addr[side] =
				(classify_addr_t)0xffff << 32 | get32(ip + 12 + 4 * side);
		else
			v->key.addr[side] = load_addr(ip + 8 + 16 * side);
		if (!v4 && v->key.addr[side] >> 32 == 0xffff)
			return false;
	}
	return true;
}

void fw_look(const struct sl_packet *pkt, struct fw_view *v)
{
	const struct sl_meta *m = pkt->meta;
	const uint8_t *l4 = l4_header(pkt, 4);

	v->bad = sl_packet_flow_key(pkt, &v->flow, &v->reversed) || !look_at_addresses(pkt, v);
	v->tracked = !v->bad && !(m->flags & (SL_META_ICMP_ERROR | SL_META_FRAGMENT));
	memset(v->key.word, 0, sizeof(v->key.word));
	v->key.word[CLASSIFY_PROTO] = m->proto;
	v->key.word[CLASSIFY_IFACE] = pkt->iface;
	if (m->vlans)
		v->key.word[CLASSIFY_VLAN] = get16(pkt->data + 14) & 0xfff;
	if (m->flags & SL_META_PORTS && l4) {
		v->key.word[CLASSIFY_SPORT] = get16(l4);
		v->key.word[CLASSIFY_DPORT] = get16(l4 + 2);
	} else if ((m->proto == PROTO_ICMP || m->proto == PROTO_ICMP6) && l4) {
		v->key.word[CLASSIFY_DPORT] = l4[0];
	}
}

/* Flags that occur together (as in Linux, nf_conntrack_proto_tcp.c); PSH, URG and ECN's say
 * nothing.
 */
static bool flags_are_possible(uint8_t flags)
{
	switch (flags & (FIN | SYN | RST | ACK)) {
	case SYN:
	case SYN | ACK:
	case ACK:
	case FIN | ACK:
	case RST:
	case RST | ACK:
		return true;
	default:
		return false;
	}
}

/* Whether a packet of no known connection may begin one. */
static bool may_begin(const struct fw_rules *r, const struct sl_packet *pkt)
{
	const uint8_t *l4 = l4_header(pkt, 8);
	uint8_t flags;

	switch (pkt->meta->proto) {
	case PROTO_TCP:
		flags = l4 ? pkt->data[pkt->meta->l4_off + 13] & (FIN | SYN | RST | ACK) : 0;
		return flags == SYN || (flags == ACK && !r->strict);
	case PROTO_ICMP:
		return l4 && l4[0] != 0;
	case PROTO_ICMP6:
		return l4 && l4[0] != 129;
	default:
		return true;
	}
}

enum fw_state fw_state_of(const struct fw_rules *r, const struct sl_packet *pkt,
			  const struct fw_view *v, const struct conn *known, struct conn *next,
			  bool *begins)
{
	enum conn_event event;
	const uint8_t *tcp;

	*next = known ? *known : (struct conn){0};
	*begins = false;
	if (pkt->meta->proto == PROTO_TCP) {
		tcp = l4_header(pkt, TCP_HEADER);
		if (!tcp || !flags_are_possible(tcp[13]))
			return FW_INVALID;
	}
	event = conn_packet(next, pkt, v->reversed, NULL);
	if (event == CONN_INVALID)
		return FW_INVALID;
	if (event == CONN_MADE) {
		*begins = may_begin(r, pkt);
		return *begins ? FW_NEW : FW_INVALID;
	}
	return next->spoke == 3 ? FW_ESTABLISHED : FW_NEW;
}
