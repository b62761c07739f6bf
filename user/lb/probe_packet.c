// SPDX-License-Identifier: GPL-2.0-or-later
#include "lb/probe_packet.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <string.h>

#define HOPS 64
#define WINDOW 65535

static uint32_t sum(const void *data, size_t n, uint32_t s)
{
	const uint8_t *b = data;

	for (size_t i = 0; i < n; i++)
		s += i & 1 ? b[i] : (uint32_t)b[i] << 8;
	return s;
}

static __be16 checksum(uint32_t s)
{
	while (s >> 16)
		s = (s & 0xffff) + (s >> 16);
	return htons((uint16_t)~s);
}

static size_t put_ip(struct sl_probe_packet *k, const struct sl_lb_probe *p, uint8_t proto,
		     size_t n)
{
	struct ip6_hdr *six = (void *)k->b;
	struct iphdr *four = (void *)k->b;

	if (p->to.vip_v6) {
		*six = (struct ip6_hdr){.ip6_flow = htonl(0x60000000)};
		six->ip6_plen = htons((uint16_t)n);
		six->ip6_nxt = proto;
		six->ip6_hlim = HOPS;
		memcpy(&six->ip6_src, p->own, 16);
		memcpy(&six->ip6_dst, p->to.vip, 16);
		return sizeof(*six);
	}
	*four = (struct iphdr){.version = 4,
			       .ihl = 5,
			       .tot_len = htons((uint16_t)(sizeof(*four) + n)),
			       .frag_off = htons(IP_DF),
			       .ttl = HOPS,
			       .protocol = proto,
			       .saddr = p->own[3],
			       .daddr = p->to.vip[3]};
	four->check = checksum(sum(four, sizeof(*four), 0));
	return sizeof(*four);
}

/* Of the addresses: the pseudo-header without them is the caller's. */
static uint32_t address_sum(const struct sl_lb_probe *p)
{
	return sum(p->own, 16, sum(p->to.vip, 16, 0)); /* of IPv4 three words are 0 */
}

void sl_probe_segment(struct sl_probe_packet *k, const struct sl_lb_probe *p, unsigned flags,
		      const char *text, size_t n)
{
	struct tcphdr tcp = {.th_sport = p->port,
			     .th_dport = p->to.vip_port,
			     .th_seq = htonl(p->sequence),
			     .th_ack = htonl(flags & TH_ACK ? p->expected : 0),
			     .th_off = sizeof(tcp) / 4,
			     .th_flags = (uint8_t)flags,
			     .th_win = htons(flags & TH_RST ? 0 : WINDOW)};
	size_t at = put_ip(k, p, IPPROTO_TCP, sizeof(tcp) + n);

	memcpy(k->b + at, &tcp, sizeof(tcp));
	memcpy(k->b + at + sizeof(tcp), text, n);
	tcp.th_sum = checksum(sum(k->b + at, sizeof(tcp) + n,
				  address_sum(p) + IPPROTO_TCP + (uint32_t)(sizeof(tcp) + n)));
	memcpy(k->b + at, &tcp, sizeof(tcp));
	k->n = (unsigned)(at + sizeof(tcp) + n);
}

void sl_probe_datagram(struct sl_probe_packet *k, const struct sl_lb_probe *p, const char *text)
{
	size_t length = strlen(text), n = sizeof(struct udphdr) + length;
	struct udphdr udp = {.source = p->port, .dest = p->to.vip_port, .len = htons((uint16_t)n)};
	size_t at = put_ip(k, p, IPPROTO_UDP, n);

	memcpy(k->b + at, &udp, sizeof(udp));
	memcpy(k->b + at + sizeof(udp), text, length);
	udp.check = checksum(sum(k->b + at, n, address_sum(p) + IPPROTO_UDP + (uint32_t)n));
	if (!udp.check)
		udp.check = 0xffff;
	memcpy(k->b + at, &udp, sizeof(udp));
	k->n = (unsigned)(at + n);
}
