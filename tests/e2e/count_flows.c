// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * count_flows [-t TRAILER] FILE... - counts the flows of captures as `flowcount` should, with not a
 * line of the product's code: {"taken", "passed", "flows": [what sluice flows -j shows]}. With -t
 * frames are as long as `sluice gen --pcap` makes them: that many bytes more, and 60 at least.
 */
#include <arpa/inet.h>
#include <pcap/pcap.h>
#include <search.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FRAME_MIN 60
#define EXTENSIONS_MAX 8

struct end {
	uint8_t addr[16];
	uint16_t port;
};

struct key {
	struct end end[2];
	uint8_t proto;
};

struct flow {
	struct key key;
	uint64_t packets[2], bytes[2];
};

/* A reader that never leaves the frame: reads beyond it give 0 and set `bad`. */
struct reader {
	const uint8_t *at;
	unsigned n;
	bool bad;
};

static void *flows;
static uint64_t taken, passed;

static unsigned get8(struct reader *r, unsigned off)
{
	if (off >= r->n) {
		r->bad = true;
		return 0;
	}
	return r->at[off];
}

static unsigned get16(struct reader *r, unsigned off)
{
	return get8(r, off) << 8 | get8(r, off + 1);
}

static void get_addr(struct reader *r, unsigned off, bool v6, uint8_t addr[16])
{
	unsigned n = v6 ? 16 : 4;

	memset(addr, 0, 16);
	if (!v6)
		addr[10] = addr[11] = 0xff;
	for (unsigned i = 0; i < n; i++)
		addr[16 - n + i] = (uint8_t)get8(r, off + i);
}

static struct reader part(const struct reader *r, unsigned off, unsigned n)
{
	struct reader p = {.at = r->at + off, .n = n, .bad = off > r->n || n > r->n - off};

	if (p.bad)
		p.n = 0;
	return p;
}

struct l4 {
	unsigned proto, off;
	bool fragment;
};

/* The IP packet in r; with `quoted` it may be cut short. False: not whole, or too odd. */
static bool read_ip4(struct reader *r, struct key *k, struct l4 *l4, bool quoted)
{
	unsigned header = (get8(r, 0) & 15) * 4, total = get16(r, 2);

	if (r->n < 20 || get8(r, 0) >> 4 != 4 || header < 20)
		return false;
	if (!quoted && (total < header || total > r->n))
		return false;
	if (!quoted)
		r->n = total;
	get_addr(r, 12, false, k->end[0].addr);
	get_addr(r, 16, false, k->end[1].addr);
	*l4 = (struct l4){get8(r, 9), header, get16(r, 6) & 0x3fff};
	return true;
}

static bool read_ip6(struct reader *r, struct key *k, struct l4 *l4, bool quoted)
{
	unsigned left = EXTENSIONS_MAX;

	if (r->n < 40 || get8(r, 0) >> 4 != 6)
		return false;
	if (!quoted && 40 + get16(r, 4) > r->n)
		return false;
	if (!quoted)
		r->n = 40 + get16(r, 4);
	get_addr(r, 8, true, k->end[0].addr);
	get_addr(r, 24, true, k->end[1].addr);
	*l4 = (struct l4){get8(r, 6), 40, false};
	while (l4->proto == 0 || l4->proto == 43 || l4->proto == 44 || l4->proto == 51 ||
	       l4->proto == 60) {
		unsigned type = l4->proto, off = l4->off;

		if (!left--)
			return false;
		l4->proto = get8(r, off);
		if (type == 44)
			l4->off += 8;
		else if (type == 51)
			l4->off += (get8(r, off + 1) + 2) * 4;
		else
			l4->off += (get8(r, off + 1) + 1) * 8;
		if (type == 44 && get16(r, off + 2) & 0xfff9)
			l4->fragment = true;
		if (r->bad || l4->off > r->n)
			return false;
		if (l4->fragment)
			break;
	}
	return true;
}

static bool has_ports(unsigned proto)
{
	return proto == 6 || proto == 17 || proto == 132;
}

static bool is_echo(unsigned proto, unsigned type)
{
	return (proto == 1 && (type == 0 || type == 8)) ||
	       (proto == 58 && (type == 128 || type == 129));
}

static void read_ports(struct reader *r, const struct l4 *l4, struct key *k)
{
	k->proto = (uint8_t)l4->proto;
	k->end[0].port = k->end[1].port = 0;
	if (l4->fragment)
		return;
	if (has_ports(l4->proto)) {
		k->end[0].port = (uint16_t)get16(r, l4->off);
		k->end[1].port = (uint16_t)get16(r, l4->off + 2);
	} else if (is_echo(l4->proto, get8(r, l4->off))) {
		k->end[0].port = k->end[1].port = (uint16_t)get16(r, l4->off + 4);
	}
}

static bool is_error(unsigned proto, unsigned type)
{
	if (proto == 1)
		return type == 3 || type == 4 || type == 5 || type == 11 || type == 12;
	return proto == 58 && type < 128;
}

/* The flow that an error quotes takes the place of its own. */
static bool read_quoted(struct reader *r, const struct l4 *l4, bool v6, struct key *k)
{
	struct key quoted = {0};
	struct l4 inner;
	struct reader q;

	if (l4->off + 8 > r->n)
		return false;
	q = part(r, l4->off + 8, r->n - l4->off - 8);
	if (!(v6 ? read_ip6(&q, &quoted, &inner, true) : read_ip4(&q, &quoted, &inner, true)))
		return false;
	if (!inner.fragment && inner.off + 8 > q.n)
		return false;
	read_ports(&q, &inner, &quoted);
	*k = quoted;
	return true;
}

/* True if the frame has a flow; *error if the flow is a quoted one. */
static bool read_frame(struct reader *frame, struct key *k, bool *error)
{
	unsigned off = 12, type = get16(frame, off), least;
	struct reader r;
	struct l4 l4;
	bool v6;

	for (int i = 0; i < 2 && (type == 0x8100 || type == 0x88a8); i++)
		type = get16(frame, off += 4);
	if (frame->bad || (type != 0x0800 && type != 0x86dd))
		return false;
	v6 = type == 0x86dd;
	r = part(frame, off + 2, frame->n - off - 2);
	if (r.bad || !(v6 ? read_ip6(&r, k, &l4, false) : read_ip4(&r, k, &l4, false)))
		return false;
	if (l4.proto == (v6 ? 1 : 58)) /* the other family's ICMP is a protocol like others */
		return k->proto = (uint8_t)l4.proto, true;
	least = l4.proto == 6 ? 20 : l4.proto == 132 ? 12 : has_ports(l4.proto) ? 8 : 0;
	if (l4.proto == 1 || l4.proto == 58)
		least = 8;
	if (!l4.fragment && l4.off + least > r.n)
		return false;
	if (v6 && !l4.fragment && l4.proto == 58 && get8(&r, l4.off) >= 133 &&
	    get8(&r, l4.off) <= 137)
		return false;
	*error = !l4.fragment && is_error(l4.proto, l4.off < r.n ? get8(&r, l4.off) : 255) &&
		 read_quoted(&r, &l4, v6, k);
	if (!*error)
		read_ports(&r, &l4, k);
	return true;
}

static int compare_ends(const struct end *a, const struct end *b)
{
	int d = memcmp(a->addr, b->addr, sizeof(a->addr));

	return d ? d : (int)a->port - (int)b->port;
}

static int compare_flows(const void *a, const void *b)
{
	const struct key *x = &((const struct flow *)a)->key, *y = &((const struct flow *)b)->key;
	int d = compare_ends(&x->end[0], &y->end[0]);

	if (!d)
		d = compare_ends(&x->end[1], &y->end[1]);
	return d ? d : (int)x->proto - (int)y->proto;
}

static void count(struct key *k, bool error, unsigned len)
{
	bool swap = compare_ends(&k->end[0], &k->end[1]) > 0;
	struct flow *f = calloc(1, sizeof(*f)), **found;

	if (!f)
		abort();
	f->key.end[0] = k->end[swap];
	f->key.end[1] = k->end[!swap];
	f->key.proto = k->proto;
	found = tsearch(f, &flows, compare_flows);
	if (!found)
		abort();
	if (*found != f)
		free(f);
	/* an error travels against the packet that it quotes */
	(*found)->packets[swap != error]++;
	(*found)->bytes[swap != error] += len;
	taken++;
}

static int read_file(const char *path, unsigned trailer)
{
	char why[PCAP_ERRBUF_SIZE];
	pcap_t *pcap = pcap_open_offline(path, why);
	struct pcap_pkthdr *h;
	const u_char *bytes;

	if (!pcap) {
		fprintf(stderr, "count_flows: %s\n", why);
		return 1;
	}
	while (pcap_next_ex(pcap, &h, &bytes) == 1) {
		struct reader r = {.at = bytes, .n = h->caplen};
		struct key k = {0};
		bool error = false;
		unsigned len = h->caplen + trailer;

		if (trailer && len < FRAME_MIN)
			len = FRAME_MIN;
		if (h->caplen < 14)
			continue; /* no frame that could be sent */
		if (read_frame(&r, &k, &error))
			count(&k, error, len);
		else
			passed++;
	}
	pcap_close(pcap);
	return 0;
}

static void print_end(const struct end *e, char which)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	bool v4 = !memcmp(e->addr, mapped, sizeof(mapped));
	char text[INET6_ADDRSTRLEN];

	inet_ntop(v4 ? AF_INET : AF_INET6, e->addr + (v4 ? 12 : 0), text, sizeof(text));
	printf("\"addr_%c\":\"%s\",\"port_%c\":%u,", which, text, which, e->port);
}

static void print_flow(const void *node, VISIT visit, int depth)
{
	static const char *comma = "";
	const struct flow *f = *(const struct flow *const *)node;

	if (visit != postorder && visit != leaf)
		return;
	printf("%s\n{", comma);
	comma = ",";
	print_end(&f->key.end[0], 'a');
	print_end(&f->key.end[1], 'b');
	printf("\"proto\":%u,\"packets\":%lu,\"bytes\":%lu,\"packets_reverse\":%lu,"
	       "\"bytes_reverse\":%lu}",
	       f->key.proto, f->packets[0], f->bytes[0], f->packets[1], f->bytes[1]);
}

int main(int argc, char **argv)
{
	int first = 1, status = 0;
	unsigned trailer = 0;

	if (argc > 2 && !strcmp(argv[1], "-t")) {
		trailer = (unsigned)atoi(argv[2]);
		first = 3;
	}
	for (int i = first; i < argc; i++)
		status |= read_file(argv[i], trailer);
	printf("{\"flows\":[");
	twalk(flows, print_flow);
	printf("],\n\"taken\":%lu,\"passed\":%lu}\n", taken, passed);
	return status;
}
