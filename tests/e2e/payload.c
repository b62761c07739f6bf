// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * payload - what was said in a capture, with not a line of the product's code: for each direction
 * of a TCP connection the bytes in the order in which they first came, for UDP each datagram, with
 * a line between them. For counting with grep what dpi counts.
 *
 * payload FILE.pcap > TEXT
 */
#include <pcap/pcap.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FLOWS 65536
#define KEY 36 /* addresses, ports */

struct segment {
	uint32_t seq, bytes;
};

struct stream {
	uint8_t key[KEY];
	struct segment *segment;
	unsigned segments;
	uint8_t *text;
	size_t size;
};

static struct stream stream[FLOWS];
static unsigned streams;

static unsigned get16(const uint8_t *p)
{
	return (unsigned)(p[0] << 8 | p[1]);
}

static void print(const uint8_t *text, size_t n)
{
	fwrite(text, 1, n, stdout);
	fputs("\n=====\n", stdout);
}

static struct stream *find(const uint8_t key[KEY])
{
	for (unsigned i = streams; i-- > 0;)
		if (!memcmp(stream[i].key, key, KEY))
			return &stream[i];
	if (streams == FLOWS)
		exit(1);
	memcpy(stream[streams].key, key, KEY);
	return &stream[streams++];
}

static bool seen(const struct stream *s, uint32_t seq)
{
	for (unsigned i = 0; i < s->segments; i++)
		if (seq - s->segment[i].seq < s->segment[i].bytes)
			return true;
	return false;
}

static void add(struct stream *s, uint32_t seq, const uint8_t *data, uint32_t n)
{
	s->text = realloc(s->text, s->size + n + 1);
	for (uint32_t i = 0; i < n; i++)
		if (!seen(s, seq + i))
			s->text[s->size++] = data[i];
	s->segment = realloc(s->segment, (s->segments + 1) * sizeof(*s->segment));
	s->segment[s->segments++] = (struct segment){seq, n};
}

/* `n` bytes of an L4 packet between these addresses. */
static void look(uint8_t key[KEY], unsigned proto, const uint8_t *l4, uint32_t n)
{
	uint32_t header, seq;

	if (proto == 17 && n >= 8)
		print(l4 + 8, n - 8);
	if (proto != 6 || n < 20)
		return;
	header = (l4[12] >> 4) * 4u;
	if (header < 20 || header >= n)
		return;
	memcpy(key + 32, l4, 4);
	seq = (uint32_t)get16(l4 + 4) << 16 | get16(l4 + 6);
	add(find(key), seq + !!(l4[13] & 2), l4 + header, n - header);
}

static void take(const uint8_t *p, uint32_t len)
{
	uint8_t key[KEY] = {0};
	uint32_t at = 12, header, total;

	while (at + 6 < len && (get16(p + at) == 0x8100 || get16(p + at) == 0x88a8))
		at += 4;
	p += at + 2;
	len -= at + 2;
	if (get16(p - 2) == 0x86dd && len >= 40 && get16(p + 4) <= len - 40) {
		memcpy(key, p + 8, 32);
		look(key, p[6], p + 40, get16(p + 4));
	}
	if (get16(p - 2) != 0x0800 || len < 20)
		return;
	header = (p[0] & 15) * 4u;
	total = get16(p + 2);
	if (total > len || header > total || get16(p + 6) & 0x3fff)
		return;
	memcpy(key, p + 12, 8);
	look(key, p[9], p + header, total - header);
}

int main(int argc, char **argv)
{
	char why[PCAP_ERRBUF_SIZE];
	pcap_t *p = argc == 2 ? pcap_open_offline(argv[1], why) : NULL;
	struct pcap_pkthdr *h;
	const u_char *bytes;

	if (!p)
		return 1;
	while (pcap_next_ex(p, &h, &bytes) == 1)
		if (h->caplen > 34)
			take(bytes, h->caplen);
	pcap_close(p);
	for (unsigned i = 0; i < streams; i++)
		print(stream[i].text, stream[i].size);
	return 0;
}
