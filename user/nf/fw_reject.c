// SPDX-License-Identifier: GPL-2.0-or-later
#include <string.h>

#include "nf/fw_reject.h"
#include "nf/wire.h"

#define ETH_ALEN 6
#define TTL 64
#define QUOTE_MAX                                                                                  \
	512 /* bytes of the packet in an error: within 576 (RFC 1812) and 1280 (RFC 4443) */
#define ICMP_HEADER 8

enum { FIN = 0x01, SYN = 0x02, RST = 0x04, ACK = 0x10 };

static bool is_v4(const struct sl_packet *pkt)
{
	return pkt->meta->flags & SL_META_V4;
}

/* No address that many answer to, or that nobody has. */
static bool for_one_host(const struct sl_packet *pkt)
{
	const uint8_t *ip = pkt->data + pkt->meta->l3_off;
	const uint8_t *src = ip + (is_v4(pkt) ? 12 : 8), *dst = ip + (is_v4(pkt) ? 16 : 24);
	static const uint8_t zero[16];

	if (pkt->data[0] & 1 || !memcmp(src, zero, is_v4(pkt) ? 4 : 16))
		return false;
	if (is_v4(pkt))
		return src[0] < 224 && dst[0] < 224;
	return src[0] != 0xff && dst[0] != 0xff;
}

enum fw_answer fw_answer_for(const struct sl_packet *pkt)
{
	const struct sl_meta *m = pkt->meta;
	const uint8_t *tcp;

	if (m->flags & (SL_META_ICMP_ERROR | SL_META_NON_FIRST) || !for_one_host(pkt))
		return FW_NO_ANSWER;
	if (m->proto != PROTO_TCP || m->flags & SL_META_FRAGMENT)
		return FW_UNREACHABLE;
	tcp = l4_header(pkt, TCP_HEADER);
	return tcp && !(tcp[13] & RST) ? FW_RESET : FW_NO_ANSWER;
}

static uint32_t sum(const uint8_t *p, uint32_t n, uint32_t s)
{
	for (uint32_t i = 0; i + 1 < n; i += 2)
		s += get16(p + i);
	return n & 1 ? s + ((uint32_t)p[n - 1] << 8) : s;
}

static uint16_t fold(uint32_t s)
{
	while (s >> 16)
		s = (s & 0xffff) + (s >> 16);
	return (uint16_t)~s;
}

static void swap(uint8_t *a, uint8_t *b, uint32_t n)
{
	uint8_t t[16];

	memcpy(t, a, n);
	memcpy(a, b, n);
	memcpy(b, t, n);
}

/* Ethernet and IP headers back to the sender, for n bytes of `proto` right behind; the checksum of
 * the pseudo header. */
static uint32_t turn(struct sl_packet *pkt, uint8_t proto, uint32_t n)
{
	uint8_t *ip = pkt->data + pkt->meta->l3_off;
	uint32_t header = is_v4(pkt) ? IPV4_HEADER : IPV6_HEADER;

	swap(pkt->data, pkt->data + ETH_ALEN, ETH_ALEN);
	pkt->len = pkt->meta->l3_off + header + n;
	if (is_v4(pkt)) {
		swap(ip + 12, ip + 16, 4);
		memset(ip, 0, 12);
		ip[0] = 0x45;
		put16(ip + 2, (uint16_t)(header + n));
		ip[8] = TTL;
		ip[9] = proto;
		put16(ip + 10, fold(sum(ip, header, 0)));
		return sum(ip + 12, 8, proto + n);
	}
	swap(ip + 8, ip + 24, 16);
	memset(ip, 0, 8);
	ip[0] = 0x60;
	put16(ip + 4, (uint16_t)n);
	ip[6] = proto;
	ip[7] = TTL;
	return sum(ip + 8, 32, proto + n);
}

/* RFC 9293 3.10.7.1 */
static void make_reset(struct sl_packet *pkt)
{
	const uint8_t *old = pkt->data + pkt->meta->l4_off;
	uint8_t tcp[TCP_HEADER] = {[12] = (TCP_HEADER / 4) << 4, [13] = RST};
	uint32_t header = (uint32_t)(old[12] >> 4) * 4, bytes = ip_end(pkt) - pkt->meta->l4_off;
	uint8_t *at = pkt->data + pkt->meta->l3_off + (is_v4(pkt) ? IPV4_HEADER : IPV6_HEADER);

	memcpy(tcp, old + 2, 2);
	memcpy(tcp + 2, old, 2);
	if (old[13] & ACK) {
		memcpy(tcp + 4, old + 8, 4);
	} else {
		put32(tcp + 8, get32(old + 4) + (bytes > header ? bytes - header : 0) +
				       !!(old[13] & SYN) + !!(old[13] & FIN));
		tcp[13] |= ACK;
	}
	memcpy(at, tcp, sizeof(tcp));
	put16(at + 16, fold(sum(at, sizeof(tcp), turn(pkt, PROTO_TCP, sizeof(tcp)))));
}

static void make_unreachable(struct sl_packet *pkt)
{
	uint8_t *ip = pkt->data + pkt->meta->l3_off;
	uint8_t *icmp = ip + (is_v4(pkt) ? IPV4_HEADER : IPV6_HEADER);
	uint32_t quoted = ip_end(pkt) - pkt->meta->l3_off, pseudo;

	if (quoted > QUOTE_MAX)
		quoted = QUOTE_MAX;
	memmove(icmp + ICMP_HEADER, ip, quoted);
	memset(icmp, 0, ICMP_HEADER);
	icmp[0] = is_v4(pkt) ? 3 : 1;
	icmp[1] = is_v4(pkt) ? 3 : 4;
	pseudo = turn(pkt, is_v4(pkt) ? PROTO_ICMP : PROTO_ICMP6, ICMP_HEADER + quoted);
	put16(icmp + 2, fold(sum(icmp, ICMP_HEADER + quoted, is_v4(pkt) ? 0 : pseudo)));
}

void fw_make_answer(struct sl_packet *pkt, enum fw_answer answer)
{
	if (answer == FW_RESET)
		make_reset(pkt);
	else
		make_unreachable(pkt);
}
