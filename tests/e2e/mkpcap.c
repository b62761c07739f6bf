// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * mkpcap FILE [SEED [DIRECTION]] - writes a capture with what real ones are made of: TCP and UDP
 * over IPv4 and IPv6, both directions of each flow, no tag, one and two VLAN tags, IPv4 options,
 * IPv6 extension headers, fragments, echoes, ICMP errors that quote flows of the capture, ESP,
 * SCTP, and frames that are nobody's: ARP, neighbour discovery, an unknown ethertype, a cut header.
 * With DIRECTION 0 or 1 whole packets of one direction only: two such captures of one seed hold the
 * two directions of the same flows.
 */
#include <arpa/inet.h>
#include <pcap/pcap.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FLOWS 1500
#define PACKETS 20000
#define ODDITIES 12 /* of 100 packets */

struct flow {
	bool v6;
	uint8_t proto, tags;
	uint8_t addr[2][16];
	uint16_t port[2];
};

struct maker {
	uint64_t random;
	struct flow flow[FLOWS];
	uint8_t frame[1600];
	unsigned len;
	pcap_dumper_t *out;
	unsigned written;
};

static unsigned draw(struct maker *m, unsigned n)
{
	m->random = m->random * 6364136223846793005ull + 1442695040888963407ull;
	return (unsigned)((m->random >> 33) % n);
}

static void put8(struct maker *m, unsigned v)
{
	m->frame[m->len++] = (uint8_t)v;
}

static void put16(struct maker *m, unsigned v)
{
	put8(m, v >> 8);
	put8(m, v);
}

static void put(struct maker *m, const void *bytes, unsigned n)
{
	memcpy(m->frame + m->len, bytes, n);
	m->len += n;
}

static void put_zeros(struct maker *m, unsigned n)
{
	memset(m->frame + m->len, 0, n);
	m->len += n;
}

static void write_frame(struct maker *m)
{
	struct pcap_pkthdr h = {.caplen = m->len, .len = m->len};

	h.ts.tv_sec = 1000 + m->written / 1000;
	h.ts.tv_usec = m->written % 1000 * 1000;
	pcap_dump((u_char *)m->out, &h, m->frame);
	m->written++;
	m->len = 0;
}

static void put_ethernet(struct maker *m, unsigned tags, unsigned type)
{
	static const uint8_t macs[12] = {2, 0x5c, 0, 0, 0, 2, 2, 0x5c, 0, 0, 0, 1};

	put(m, macs, sizeof(macs));
	if (tags == 2) {
		put16(m, 0x88a8);
		put16(m, 100);
	}
	if (tags) {
		put16(m, 0x8100);
		put16(m, 42);
	}
	put16(m, type);
}

/* IPv4 or IPv6 header before `payload` bytes; `options`: four of them, or a hop-by-hop header. */
static void put_ip(struct maker *m, const struct flow *f, bool back, unsigned proto,
		   unsigned payload, bool options, unsigned fragment)
{
	static const uint8_t nop[4] = {1, 1, 1, 0};

	if (!f->v6) {
		put8(m, options ? 0x46 : 0x45);
		put8(m, 0);
		put16(m, 20 + (options ? 4 : 0) + payload);
		put16(m, 7);
		put16(m, fragment);
		put8(m, 64);
		put8(m, proto);
		put16(m, 0);
		put(m, f->addr[back], 4);
		put(m, f->addr[!back], 4);
		if (options)
			put(m, nop, sizeof(nop));
		return;
	}
	put16(m, 0x6000);
	put16(m, 0);
	put16(m, payload + (options ? 8 : 0) + (fragment ? 8 : 0));
	put8(m, options ? 0 : fragment ? 44 : proto);
	put8(m, 64);
	put(m, f->addr[back], 16);
	put(m, f->addr[!back], 16);
	if (options) {
		put8(m, fragment ? 44 : proto);
		put8(m, 0);
		put16(m, 0x0104); /* PadN */
		put_zeros(m, 4);
	}
	if (fragment) {
		put8(m, proto);
		put8(m, 0);
		put16(m, (fragment & 0x1fff) << 3 | !!(fragment & 0x2000));
		put16(m, 0);
		put16(m, 7);
	}
}

static unsigned l4_header(unsigned proto)
{
	return proto == IPPROTO_TCP ? 20 : proto == IPPROTO_SCTP ? 12 : 8;
}

static void put_l4(struct maker *m, const struct flow *f, bool back, unsigned payload)
{
	unsigned at = m->len, header = l4_header(f->proto);

	put_zeros(m, header + payload);
	memcpy(m->frame + at, &(uint16_t){htons(f->port[back])}, 2);
	memcpy(m->frame + at + 2, &(uint16_t){htons(f->port[!back])}, 2);
	if (f->proto == IPPROTO_TCP)
		m->frame[at + 12] = 0x50;
	if (f->proto == IPPROTO_UDP)
		memcpy(m->frame + at + 4, &(uint16_t){htons(header + payload)}, 2);
}

static unsigned ethertype(const struct flow *f)
{
	return f->v6 ? 0x86dd : 0x0800;
}

static void plain(struct maker *m, const struct flow *f, bool back, bool options)
{
	unsigned payload = draw(m, 100) < 30 ? 1000 + draw(m, 400) : draw(m, 64);

	put_ethernet(m, f->tags, ethertype(f));
	put_ip(m, f, back, f->proto, l4_header(f->proto) + payload, options, 0);
	put_l4(m, f, back, payload);
	write_frame(m);
}

/* Three of them; ports are in the first only. */
static void fragments(struct maker *m, const struct flow *f)
{
	put_ethernet(m, f->tags, ethertype(f));
	put_ip(m, f, false, f->proto, 256, false, 0x2000);
	put_l4(m, f, false, 256 - l4_header(f->proto));
	write_frame(m);
	for (unsigned i = 1; i < 3; i++) {
		put_ethernet(m, f->tags, ethertype(f));
		put_ip(m, f, false, f->proto, 256, false, i * 32 | (i == 1 ? 0x2000 : 0));
		put_zeros(m, 256);
		write_frame(m);
	}
}

static void echo(struct maker *m, const struct flow *f, bool back)
{
	put_ethernet(m, f->tags, ethertype(f));
	put_ip(m, f, back, f->v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP, 40, false, 0);
	put8(m, f->v6 ? 128 + back : back ? 0 : 8);
	put8(m, 0);
	put16(m, 0);
	put16(m, f->port[0]);
	put16(m, 1);
	put_zeros(m, 32);
	write_frame(m);
}

/* Port unreachable: travels against the packet that it quotes. */
static void icmp_error(struct maker *m, const struct flow *f)
{
	unsigned quoted = (f->v6 ? 40 : 20) + 8;

	put_ethernet(m, f->tags, ethertype(f));
	put_ip(m, f, true, f->v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP, 8 + quoted, false, 0);
	put8(m, f->v6 ? 1 : 3);
	put8(m, f->v6 ? 4 : 3);
	put_zeros(m, 6);
	put_ip(m, f, false, f->proto, 40, false, 0);
	put16(m, f->port[0]);
	put16(m, f->port[1]);
	put_zeros(m, 4);
	write_frame(m);
}

static void esp(struct maker *m, const struct flow *f, bool back)
{
	put_ethernet(m, f->tags, ethertype(f));
	put_ip(m, f, back, IPPROTO_ESP, 64, false, 0);
	put_zeros(m, 64);
	write_frame(m);
}

static void nobodys(struct maker *m, const struct flow *f)
{
	switch (draw(m, 4)) {
	case 0:
		put_ethernet(m, 0, 0x0806);
		put_zeros(m, 46);
		break;
	case 1: /* neighbour solicitation */
		put_ethernet(m, 0, 0x86dd);
		put_ip(m, &(struct flow){.v6 = true}, false, IPPROTO_ICMPV6, 24, false, 0);
		put8(m, 135);
		put_zeros(m, 23);
		break;
	case 2:
		put_ethernet(m, f->tags, 0x88cc);
		put_zeros(m, 46);
		break;
	default: /* the header says more than there is */
		put_ethernet(m, 0, ethertype(f));
		put_ip(m, f, false, f->proto, 1200, false, 0);
		put_zeros(m, 40);
	}
	write_frame(m);
}

static void oddity(struct maker *m, const struct flow *f)
{
	switch (draw(m, 6)) {
	case 0:
		plain(m, f, draw(m, 2), true);
		break;
	case 1:
		fragments(m, f);
		break;
	case 2:
		echo(m, f, draw(m, 2));
		break;
	case 3:
		icmp_error(m, f);
		break;
	case 4:
		esp(m, f, draw(m, 2));
		break;
	default:
		nobodys(m, f);
	}
}

static void make_flows(struct maker *m)
{
	static const uint8_t protos[] = {IPPROTO_TCP, IPPROTO_UDP, IPPROTO_TCP, IPPROTO_UDP,
					 IPPROTO_SCTP};
	static const uint8_t net6[2] = {0x20, 0x01};

	for (unsigned i = 0; i < FLOWS; i++) {
		struct flow *f = &m->flow[i];

		f->v6 = draw(m, 100) < 40;
		f->proto = protos[draw(m, sizeof(protos))];
		f->tags = draw(m, 100) < 20 ? 1 + draw(m, 2) : 0;
		for (int end = 0; end < 2; end++) {
			uint8_t *low = f->addr[end] + (f->v6 ? 14 : 2);

			if (f->v6)
				memcpy(f->addr[end], net6, sizeof(net6));
			else
				f->addr[end][0] = 10 + end;
			low[0] = (uint8_t)draw(m, 256);
			low[1] = (uint8_t)draw(m, 256);
			f->port[end] = (uint16_t)(1024 + draw(m, 60000));
		}
	}
}

int main(int argc, char **argv)
{
	static struct maker m;
	pcap_t *pcap = pcap_open_dead(DLT_EN10MB, 65535);

	if (argc < 2) {
		fprintf(stderr, "usage: mkpcap FILE [SEED]\n");
		return 2;
	}
	m.random = argc > 2 ? strtoull(argv[2], NULL, 0) : 1;
	m.out = pcap_dump_open(pcap, argv[1]);
	if (!m.out) {
		fprintf(stderr, "mkpcap: %s\n", pcap_geterr(pcap));
		return 1;
	}
	make_flows(&m);
	while (m.written < PACKETS) {
		/* heavy-tailed: the lower the number, the heavier */
		const struct flow *f = &m.flow[draw(&m, 1 + draw(&m, 1 + draw(&m, FLOWS)))];

		if (argc > 3)
			plain(&m, f, atoi(argv[3]), false);
		else if (draw(&m, 100) < ODDITIES)
			oddity(&m, f);
		else
			plain(&m, f, draw(&m, 2), false);
	}
	pcap_dump_close(m.out);
	pcap_close(pcap);
	return 0;
}
