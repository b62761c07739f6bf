// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * natcheck - captures before and behind a NAT, with not a line of the product's code.
 *
 * prepare IN OUT MAC: the TCP, UDP and echo packets of IN, untagged, with right checksums, for MAC,
 * each with its number as IP identification. answer IN OUT MAC: each packet sent back. out|back
 * SENT GOT EXT: are the packets of GOT those of SENT, translated (back: answered and translated
 * back), TTL aside? Prints their numbers, and a last line "N wrong": a packet that is not what it
 * should be to the bit, checksums computed anew; a flow with two ports, or a port with two flows.
 */
#include <arpa/inet.h>
#include <pcap/pcap.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NUMBERS 65536
#define ETH 14
#define FRAME_MAX 2048

static uint8_t *sent[NUMBERS];
static bool came[NUMBERS];
static unsigned outside_port[NUMBERS]; /* of packet n, 0: not seen */
static unsigned wrong;

static unsigned get16(const uint8_t *p)
{
	return (unsigned)(p[0] << 8 | p[1]);
}

static void put16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static uint16_t sum(const uint8_t *p, unsigned n, uint32_t s)
{
	for (unsigned i = 0; i < n; i++)
		s += i & 1 ? p[i] : (uint32_t)p[i] << 8;
	while (s >> 16)
		s = (s & 0xffff) + (s >> 16);
	return (uint16_t)s;
}

static void fill_checks(uint8_t *ip)
{
	uint8_t *check = ip + (ip[9] == 6 ? 36 : ip[9] == 17 ? 26 : 22);
	unsigned n = get16(ip + 2) - 20;
	uint32_t pseudo = ip[9] == 1 ? 0 : sum(ip + 12, 8, 0) + ip[9] + n;

	put16(ip + 10, 0);
	put16(ip + 10, (uint16_t)~sum(ip, 20, 0));
	if (ip[9] == 17 && !get16(check))
		return;
	put16(check, 0);
	put16(check, (uint16_t)~sum(ip + 20, n, pseudo));
	if (ip[9] == 17 && !get16(check))
		put16(check, 0xffff);
}

/* An IPv4 packet without options that a NAT takes, whole. */
static bool usable(const uint8_t *frame, unsigned len)
{
	const uint8_t *ip = frame + ETH;

	if (len < ETH + 28 || get16(frame + 12) != 0x0800 || ip[0] != 0x45 ||
	    get16(ip + 6) & 0x3fff || get16(ip + 2) > len - ETH || get16(ip + 2) < 28)
		return false;
	if (ip[9] == 6)
		return get16(ip + 2) >= 40 && (ip[32] >> 4) * 4u <= get16(ip + 2) - 20u &&
		       ip[32] >= 0x50;
	return (ip[9] == 17 && get16(ip + 24) == get16(ip + 2) - 20u) ||
	       (ip[9] == 1 && (ip[20] == 0 || ip[20] == 8) && !ip[21]);
}

static void swap(uint8_t *a, uint8_t *b, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		uint8_t t = a[i];

		a[i] = b[i];
		b[i] = t;
	}
}

static void answer(uint8_t *ip)
{
	swap(ip + 12, ip + 16, 4);
	if (ip[9] == 1)
		ip[20] = ip[20] ? 0 : 8;
	else
		swap(ip + 20, ip + 22, 2);
	fill_checks(ip);
}

/* Take VLAN tags off: the two ends have no VLAN devices. Returns the length left. */
static unsigned untag(uint8_t *frame, unsigned len)
{
	while (len > ETH + 4 && (get16(frame + 12) == 0x8100 || get16(frame + 12) == 0x88a8)) {
		len -= 4;
		memmove(frame + 12, frame + 16, len - 12);
	}
	return len;
}

static pcap_t *open_file(const char *path)
{
	char why[PCAP_ERRBUF_SIZE];
	pcap_t *p = pcap_open_offline(path, why);

	if (!p) {
		fprintf(stderr, "natcheck: %s\n", why);
		exit(1);
	}
	return p;
}

static int copy(const char *in, const char *out, const char *mac, bool back)
{
	pcap_t *p = open_file(in), *dead = pcap_open_dead(DLT_EN10MB, 65535);
	pcap_dumper_t *d = pcap_dump_open(dead, out);
	uint8_t frame[FRAME_MAX];
	struct pcap_pkthdr *h;
	const u_char *bytes;
	unsigned n = 0;

	while (d && pcap_next_ex(p, &h, &bytes) == 1 && n < NUMBERS) {
		struct pcap_pkthdr header = *h;
		unsigned *to = (unsigned[6]){0};

		if (h->caplen > FRAME_MAX)
			continue;
		memcpy(frame, bytes, h->caplen);
		if (!usable(frame, untag(frame, h->caplen)))
			continue;
		/* the kernel leaves replies alone that nobody has asked for */
		if (!back && frame[ETH + 9] == 1 && !frame[ETH + 20])
			continue;
		header.caplen = header.len = ETH + get16(frame + ETH + 2);
		sscanf(mac, "%x:%x:%x:%x:%x:%x", to, to + 1, to + 2, to + 3, to + 4, to + 5);
		for (unsigned i = 0; i < 6; i++)
			frame[i] = (uint8_t)to[i];
		if (back) {
			answer(frame + ETH);
		} else {
			put16(frame + ETH + 4, n++);
			frame[ETH + 8] = 64;
			/* sanitized captures have addresses that no router takes */
			for (unsigned at = ETH + 12; at < ETH + 20; at += 4)
				if (!frame[at] || frame[at] == 127 || frame[at] > 223)
					frame[at] ^= 0x60;
			/* sanitized captures have no flags, which the kernel refuses */
			if (frame[ETH + 9] == 6 && !(frame[ETH + 33] & 0x3f))
				frame[ETH + 33] = 0x10;
			/* nor identifiers, and here 0 means none */
			if (frame[ETH + 9] == 1 && !get16(frame + ETH + 24))
				put16(frame + ETH + 24, 1);
			fill_checks(frame + ETH);
		}
		pcap_dump((u_char *)d, &header, frame);
	}
	pcap_dump_close(d);
	pcap_close(dead);
	pcap_close(p);
	return 0;
}

static void read_sent(const char *path)
{
	pcap_t *p = open_file(path);
	struct pcap_pkthdr *h;
	const u_char *bytes;

	while (pcap_next_ex(p, &h, &bytes) == 1) {
		uint8_t **slot = &sent[get16(bytes + ETH + 4)];

		*slot = malloc(h->caplen);
		memcpy(*slot, bytes + ETH, h->caplen - ETH);
	}
	pcap_close(p);
}

static unsigned near_port(const uint8_t *ip)
{
	return get16(ip + (ip[9] == 1 ? 24 : 20));
}

static void check(const uint8_t *got, const uint8_t ext[4], bool back)
{
	unsigned n = get16(got + 4), len;
	uint8_t want[FRAME_MAX];

	if (!sent[n] || came[n]) {
		wrong++;
		return;
	}
	came[n] = true;
	len = get16(sent[n] + 2);
	memcpy(want, sent[n], len);
	want[8] = got[8];
	if (!back) {
		outside_port[n] = near_port(got) + 1;
		memcpy(want + 12, ext, 4);
		put16(want + (want[9] == 1 ? 24 : 20), near_port(got));
		fill_checks(want);
	} else {
		answer(want);
	}
	if (memcmp(want, got, len)) {
		fprintf(stderr, "packet %u is wrong\n", n);
		wrong++;
	}
}

static bool same_flow(const uint8_t *a, const uint8_t *b)
{
	return a[9] == b[9] && !memcmp(a + 12, b + 12, 8) && near_port(a) == near_port(b) &&
	       (a[9] == 1 || get16(a + 22) == get16(b + 22));
}

/* To the same remote end from the same outside port. */
static bool same_outside(const uint8_t *a, const uint8_t *b)
{
	return a[9] == b[9] && !memcmp(a + 16, b + 16, 4) &&
	       (a[9] == 1 || get16(a + 22) == get16(b + 22));
}

static void check_ports(void)
{
	for (unsigned i = 0; i < NUMBERS; i++)
		for (unsigned k = 0; outside_port[i] && k < i; k++)
			if (outside_port[k] && same_outside(sent[i], sent[k]) &&
			    same_flow(sent[i], sent[k]) != (outside_port[i] == outside_port[k])) {
				fprintf(stderr, "packets %u, %u: wrong ports\n", k, i);
				wrong++;
			}
}

int main(int argc, char **argv)
{
	struct pcap_pkthdr *h;
	const u_char *bytes;
	uint8_t ext[4];
	pcap_t *p;

	if (argc != 5)
		return 2;
	if (!strcmp(argv[1], "prepare") || !strcmp(argv[1], "answer"))
		return copy(argv[2], argv[3], argv[4], argv[1][0] == 'a');
	read_sent(argv[2]);
	inet_pton(AF_INET, argv[4], ext);
	p = open_file(argv[3]);
	while (pcap_next_ex(p, &h, &bytes) == 1)
		if (usable(bytes, h->caplen))
			check(bytes + ETH, ext, argv[1][0] == 'b');
	pcap_close(p);
	check_ports();
	for (unsigned n = 0; n < NUMBERS; n++)
		if (came[n])
			printf("%u\n", n);
	printf("%u wrong\n", wrong);
	return 0;
}
