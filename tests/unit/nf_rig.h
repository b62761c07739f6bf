/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nf_rig.h - one NF as a dataplane would run it, without one: packets are built here, parsed and
 * hashed by the very code of XDP, and handed over with the tables of their shard.
 */
#ifndef TESTS_NF_RIG_H
#define TESTS_NF_RIG_H

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/flow_table.h"
#include "dataplane/nf_host.h"
#include "hash.h"
#include "random_key.h"

#define RIG_BUCKETS 128
#define RIG_FRAME 2048
#define ETH 14
#define SEC 1000000000ull

enum { F_FIN = 1, F_SYN = 2, F_RST = 4, F_ACK = 16 };

struct rig {
	const struct sl_nf *nf;
	void *self;
	struct sl_nf_host host;
	struct sl_nf_hash hash;
	struct sl_flow_budget budget;
	struct sl_flow_config config;
	struct sl_flow_table *tables[RIG_BUCKETS];
	uint64_t now;
	char error[256];
};

struct frame {
	struct sl_packet pkt;
	struct sl_meta meta;
	struct sl_flow_table *tables[SL_CHAIN_MAX];
	uint8_t b[RIG_FRAME];
};

/* Closing what is not open, or no longer, is no error. */
static inline void rig_close(struct rig *r)
{
	for (unsigned b = 0; b < RIG_BUCKETS; b++) {
		sl_flow_table_free(r->tables[b]);
		r->tables[b] = NULL;
	}
	if (r->nf->destroy && r->self)
		r->nf->destroy(r->self);
	r->self = NULL;
	free(r->host.shards);
	r->host.shards = NULL;
}

/* What create() or start() says of the arguments; if it is not 0, nothing is open. */
static inline int rig_open(struct rig *r, const struct sl_nf *nf, const char *args)
{
	int ret = 0;

	memset(r, 0, sizeof(*r));
	r->nf = nf;
	r->now = 1000 * SEC;
	random_key((__u64 *)r->hash.key);
	r->host = (struct sl_nf_host){.buckets = RIG_BUCKETS,
				      .shards_n = RIG_BUCKETS,
				      .ifaces = 2,
				      .iface_names = {"in", "out"},
				      .workers = 1,
				      .shard_stride = (nf->shard_size + 63) & ~63ul,
				      .symmetric = true,
				      .hash = &r->hash};
	if (nf->shard_size) {
		r->host.shards = aligned_alloc(64, RIG_BUCKETS * r->host.shard_stride);
		memset(r->host.shards, 0, RIG_BUCKETS * r->host.shard_stride);
	}
	if (nf->create)
		ret = nf->create(args, &r->self, r->error, sizeof(r->error));
	if (!ret && nf->start)
		ret = nf->start(r->self, &r->host, r->error, sizeof(r->error));
	r->budget = (struct sl_flow_budget){.limit = 1ull << 40};
	r->config = (struct sl_flow_config){.key_size = nf->key_size,
					    .value_size = nf->value_size,
					    .idle_ms = nf->idle_ms,
					    .budget = &r->budget,
					    .flow_end = nf->flow_end,
					    .flow_moved = nf->flow_moved,
					    .self = r->self};
	for (unsigned b = 0; nf->key_size && b < RIG_BUCKETS; b++)
		r->tables[b] = sl_flow_table_new(&r->config);
	if (ret)
		rig_close(r);
	return ret;
}

/* Time passes; what is idle goes. */
static inline void rig_pass(struct rig *r, uint64_t ns)
{
	r->now += ns;
	for (unsigned b = 0; b < RIG_BUCKETS; b++)
		if (r->tables[b])
			sl_flow_table_expire(r->tables[b], r->now, 1000000);
}

static inline uint64_t rig_flows(const struct rig *r)
{
	uint64_t n = 0;

	for (unsigned b = 0; b < RIG_BUCKETS; b++)
		n += r->tables[b] ? sl_flow_table_count(r->tables[b]) : 0;
	return n;
}

/* The frame as it is now, as XDP would hand it over from `iface`. False: XDP would not. */
static inline bool rig_parse(struct rig *r, struct frame *f, unsigned iface)
{
	struct sl_parsed p = {0};

	if (sl_parse(f->b, f->b + f->pkt.len, &p) != SL_PARSED)
		return false;
	f->meta = (struct sl_meta){.magic = SL_META_MAGIC,
				   .hash = sl_hash((const __u64 *)r->hash.key, &p.flow, p.flags),
				   .flags = p.flags,
				   .l3_off = p.l3_off,
				   .l4_off = p.l4_off,
				   .proto = p.proto,
				   .vlans = p.vlans};
	f->meta.bucket = f->meta.hash & (RIG_BUCKETS - 1);
	f->tables[0] = r->tables[f->meta.bucket];
	f->pkt = (struct sl_packet){.data = f->b,
				    .meta = &f->meta,
				    .tables = f->tables,
				    .len = f->pkt.len,
				    .iface = (uint8_t)iface};
	return true;
}

/* What rig_parse() has made arrives together, at this time. */
static inline void rig_batch(struct rig *r, struct sl_packet **pkts, unsigned n, uint64_t now)
{
	struct sl_nf_ctx ctx = {
		.self = r->self, .now_ns = now, .ifaces = r->host.ifaces, .drops = SL_DROP_MORE};

	r->nf->process(&ctx, pkts, n);
}

/* The frame as it is now arrives at `iface`; its verdict. */
static inline enum sl_verdict rig_send(struct rig *r, struct frame *f, unsigned iface)
{
	struct sl_packet *one = &f->pkt;

	cr_assert(rig_parse(r, f, iface));
	rig_batch(r, &one, 1, r->now);
	return f->pkt.verdict;
}

static inline json_t *rig_show(struct rig *r)
{
	int n = r->nf->show(r->self, NULL, 0), room;
	char *text;
	json_t *json;

	cr_assert(n > 0);
	room = 2 * n + 4096; /* a thread may be counting on */
	text = malloc((size_t)room + 2);
	cr_assert(r->nf->show(r->self, text + 1, (size_t)room) < room);
	text[0] = '{';
	strcat(text, "}");
	json = json_loads(text, 0, NULL);
	cr_assert_not_null(json, "no JSON: %s", text);
	free(text);
	return json;
}

/* A number of show(), by its path: "states.established". */
static inline long long rig_number(struct rig *r, const char *path)
{
	json_t *all = rig_show(r), *at = all;
	char copy[128], *rest = copy, *word;
	long long n;

	snprintf(copy, sizeof(copy), "%s", path);
	while ((word = strsep(&rest, ".")))
		at = json_object_get(at, word);
	cr_assert(json_is_integer(at), "no number %s", path);
	n = json_integer_value(at);
	json_decref(all);
	return n;
}

static inline uint32_t sum16(const uint8_t *p, unsigned n, uint32_t sum)
{
	for (unsigned i = 0; i < n; i++)
		sum += i & 1 ? p[i] : (uint32_t)p[i] << 8;
	return sum;
}

static inline uint16_t fold(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

static inline void store16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static inline unsigned load16(const uint8_t *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

static inline uint32_t load32(const uint8_t *p)
{
	return (uint32_t)load16(p) << 16 | load16(p + 2);
}

/* Where the L4 checksum of the IPv4 packet at `ip` lies, or NULL. */
static inline uint8_t *check_of(uint8_t *ip)
{
	uint8_t *l4 = ip + (ip[0] & 15) * 4;

	return ip[9] == 6 ? l4 + 16 : ip[9] == 17 ? l4 + 6 : ip[9] == 1 ? l4 + 2 : NULL;
}

/* The sum over L4 header, data and, but for ICMP, the pseudo header: 0xffff if the checksum holds.
 */
static inline uint16_t l4_sum(const uint8_t *ip)
{
	unsigned header = (ip[0] & 15) * 4u, n = load16(ip + 2) - header;
	uint32_t sum = sum16(ip + header, n, 0);

	if (ip[9] != 1)
		sum += sum16(ip + 12, 8, 0) + ip[9] + n;
	return fold(sum);
}

static inline void fill_checks(uint8_t *ip)
{
	unsigned header = (ip[0] & 15) * 4u;
	uint8_t *check = check_of(ip);

	store16(ip + 10, 0);
	store16(ip + 10, (uint16_t)~fold(sum16(ip, header, 0)));
	if (!check)
		return;
	store16(check, 0);
	store16(check, (uint16_t)~l4_sum(ip));
	if (ip[9] == 17 && !load16(check))
		store16(check, 0xffff);
}

static inline bool checks_hold(const uint8_t *ip)
{
	bool none = ip[9] == 17 && !load16(ip + (ip[0] & 15) * 4 + 6);

	return fold(sum16(ip, (ip[0] & 15) * 4u, 0)) == 0xffff && (none || l4_sum(ip) == 0xffff);
}

/* Ethernet and IPv4 with room for `bytes` of L4; returns the L4 header. Addresses as text. */
static inline uint8_t *frame_ip(struct frame *f, const char *src, const char *dst, unsigned proto,
				unsigned bytes)
{
	uint8_t *ip = f->b + ETH;

	memset(f, 0, sizeof(*f));
	memcpy(f->b, "\x02\x00\x00\x00\x00\x02\x02\x00\x00\x00\x00\x01\x08\x00", ETH);
	ip[0] = 0x45;
	store16(ip + 2, 20 + bytes);
	ip[8] = 64;
	ip[9] = (uint8_t)proto;
	inet_pton(AF_INET, src, ip + 12);
	inet_pton(AF_INET, dst, ip + 16);
	f->pkt.len = ETH + 20 + bytes;
	return ip + 20;
}

static inline void frame_udp(struct frame *f, const char *src, unsigned sport, const char *dst,
			     unsigned dport, unsigned bytes)
{
	uint8_t *udp = frame_ip(f, src, dst, 17, 8 + bytes);

	store16(udp, sport);
	store16(udp + 2, dport);
	store16(udp + 4, 8 + bytes);
	for (unsigned i = 0; i < bytes; i++)
		udp[8 + i] = (uint8_t)random64();
	fill_checks(f->b + ETH);
}

static inline void frame_udp6(struct frame *f, const char *src, unsigned sport, const char *dst,
			      unsigned dport, unsigned bytes)
{
	uint8_t *ip = f->b + ETH, *udp = ip + 40;

	memset(f, 0, sizeof(*f));
	memcpy(f->b, "\x02\x00\x00\x00\x00\x02\x02\x00\x00\x00\x00\x01\x86\xdd", ETH);
	ip[0] = 0x60;
	store16(ip + 4, 8 + bytes);
	ip[6] = 17;
	ip[7] = 64;
	inet_pton(AF_INET6, src, ip + 8);
	inet_pton(AF_INET6, dst, ip + 24);
	store16(udp, sport);
	store16(udp + 2, dport);
	store16(udp + 4, 8 + bytes);
	f->pkt.len = ETH + 40 + 8 + bytes;
}

static inline void frame_tcp(struct frame *f, const char *src, unsigned sport, const char *dst,
			     unsigned dport, unsigned flags, uint32_t seq, uint32_t ack,
			     unsigned bytes)
{
	uint8_t *tcp = frame_ip(f, src, dst, 6, 20 + bytes);

	store16(tcp, sport);
	store16(tcp + 2, dport);
	store16(tcp + 4, seq >> 16);
	store16(tcp + 6, seq & 0xffff);
	store16(tcp + 8, ack >> 16);
	store16(tcp + 10, ack & 0xffff);
	tcp[12] = 0x50;
	tcp[13] = (uint8_t)flags;
	for (unsigned i = 0; i < bytes; i++)
		tcp[20 + i] = (uint8_t)random64();
	fill_checks(f->b + ETH);
}

static inline void frame_echo(struct frame *f, const char *src, const char *dst, unsigned type,
			      unsigned id, unsigned bytes)
{
	uint8_t *icmp = frame_ip(f, src, dst, 1, 8 + bytes);

	icmp[0] = (uint8_t)type;
	store16(icmp + 4, id);
	fill_checks(f->b + ETH);
}

/* An error from `src` to `dst` that quotes `quote` bytes of the IP packet of `about`. */
static inline void frame_error(struct frame *f, const char *src, const char *dst,
			       const struct frame *about, unsigned quote)
{
	uint8_t *icmp = frame_ip(f, src, dst, 1, 8 + quote);

	icmp[0] = 3;
	icmp[1] = 1;
	memcpy(icmp + 8, about->b + ETH, quote);
	fill_checks(f->b + ETH);
}

#endif /* TESTS_NF_RIG_H */
