/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lb_quic_rig.h - QUIC packets through the balancer of lb_rig.h: its VIPs serve UDP port 443 too,
 * by connection ids under five configurations; server i has the server id 0x21 + i in them.
 */
#ifndef TESTS_BPF_LB_QUIC_RIG_H
#define TESTS_BPF_LB_QUIC_RIG_H

#include "lb_rig.h"
#include "quic_lb.h"

#define QUIC_CONFIGS 5
#define QUIC_PORT 443

static const struct quic_lengths {
	unsigned server_id, nonce;
	bool keyed;
} quic_lengths[QUIC_CONFIGS] = {
	{2, 6, false}, {8, 8, true}, /* one block */
	{3, 4, true}, /* three passes, an odd number of octets */
	{10, 5, true}, /* four passes */
	{9, 10, true}, /* three passes, the longest */
};
static const uint8_t quic_key[16] = {0x8f, 0x95, 0xf0, 0x92, 0x45, 0x76, 0x5f, 0x80,
				     0x25, 0x69, 0x34, 0xe5, 0x0c, 0x66, 0x20, 0x7f};

/* A packet of a client, its header and connection id. */
struct quic_packet {
	bool v6, long_header;
	uint8_t type; /* of its first octet, the header's form aside */
	uint16_t client_port;
	uint8_t cid[64];
	unsigned cid_n;
	unsigned payload; /* octets behind */
};

static inline struct sl_lb_quic_config quic_config(unsigned number)
{
	const struct quic_lengths *l = &quic_lengths[number];
	struct sl_lb_quic_config c;

	sl_quic_configure(&c, l->server_id, l->nonce, l->keyed ? quic_key : NULL);
	return c;
}

/* All five, or those whose bit is set. */
static inline void quic_rig_configs(struct lb_rig *r, bool v6, unsigned which)
{
	struct sl_lb_quic quic = {0};
	uint32_t zero = 0, vip = v6;
	int fd;

	for (unsigned i = 0; i < QUIC_CONFIGS; i++)
		if (which & 1u << i)
			quic.config[i] = quic_config(i);
	fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "lb_quic", 4, sizeof(quic), 1, NULL);
	cr_assert(fd >= 0 && !bpf_map_update_elem(fd, &zero, &quic, 0));
	lb_put(r->skel->maps.lb_quic, &vip, &fd);
	close(fd);
}

static inline void quic_rig_up(struct lb_rig *r)
{
	struct sl_lb_vip_key key = {.proto = IPPROTO_UDP, .port = htons(QUIC_PORT)};
	struct sl_lb_quic_server name = {0};

	lb_rig_up(r, SL_LB_KEEP_QUIC, 0);
	for (unsigned v6 = 0; v6 < 2; v6++) {
		lb_vip_address(v6, key.addr);
		lb_put(r->skel->maps.lb_vips, &key, &r->vip[v6]);
		quic_rig_configs(r, v6, (1u << QUIC_CONFIGS) - 1);
		name.vip = (uint16_t)v6;
		for (unsigned i = 0; i < LB_RIG_SERVERS; i++) {
			uint32_t id = lb_id(v6, i);

			name.id[1] = 0x21 + i;
			lb_put(r->skel->maps.lb_quic_servers, &name, &id);
		}
	}
}

/* The connection id that server i would issue; the nonce is another each time. */
static inline void quic_cid(struct quic_packet *q, unsigned number, unsigned i)
{
	static uint64_t count = 1;
	struct sl_lb_quic_config c = quic_config(number);
	const __u64 id[2] = {0, 0x21 + i};
	uint8_t nonce[24] = {0};

	for (unsigned k = 0; k < sizeof(nonce); k++)
		nonce[k] = (uint8_t)((count++ * 0x9e3779b97f4a7c15ULL) >> 56);
	q->cid_n =
		sl_quic_encode(&c, (uint8_t)(number << 5 | (q->cid_n & 0x1f)), id, nonce, q->cid);
}

static inline unsigned quic_length(const struct quic_packet *q)
{
	return 8 + (q->long_header ? 6 : 1) + q->cid_n + q->payload;
}

/* Of the UDP datagram, with the pseudo-header; the parts are in place. */
static inline uint32_t quic_sum(const struct frame *f, bool v6, unsigned l4)
{
	uint32_t sum = lb_sum(f->b + f->l3 + (v6 ? 8 : 12), v6 ? 32 : 8, 17 + (f->len - l4));

	return lb_sum(f->b + l4, f->len - l4, sum);
}

static inline void quic_checksums(struct frame *f, bool v6, unsigned l4)
{
	uint32_t sum;

	if (!v6) {
		memset(f->b + f->l3 + 10, 0, 2);
		sum = ~lb_sum(f->b + f->l3, 20, 0) & 0xffff;
		f->b[f->l3 + 10] = (uint8_t)(sum >> 8);
		f->b[f->l3 + 11] = (uint8_t)sum;
	}
	memset(f->b + l4 + 6, 0, 2);
	sum = ~quic_sum(f, v6, l4) & 0xffff;
	sum = sum ? sum : 0xffff;
	f->b[l4 + 6] = (uint8_t)(sum >> 8);
	f->b[l4 + 7] = (uint8_t)sum;
}

static inline unsigned quic_build(const struct quic_packet *q, struct frame *f)
{
	__be32 client[4], vip[4];
	unsigned length = quic_length(q), l4;

	lb_client(q->v6, client);
	lb_vip_address(q->v6, vip);
	put_ethernet(f, 0, q->v6 ? SL_ETH_IPV6 : SL_ETH_IPV4);
	put32(f, q->v6 ? 0x60000000 : 0x45000000 | (20 + length));
	if (!q->v6)
		put32(f, 0x12344000);
	else
		put16(f, length);
	if (q->v6)
		put16(f, 17 << 8 | 64);
	else
		put32(f, 64u << 24 | 17u << 16);
	put_bytes(f, (uint8_t *)client + (q->v6 ? 0 : 12), q->v6 ? 16 : 4);
	put_bytes(f, (uint8_t *)vip + (q->v6 ? 0 : 12), q->v6 ? 16 : 4);
	l4 = f->len;
	put16(f, q->client_port);
	put16(f, QUIC_PORT);
	put16(f, length);
	put16(f, 0);
	put8(f, (q->long_header ? 0x80 : 0) | q->type);
	if (q->long_header) {
		put32(f, 1);
		put8(f, (uint8_t)q->cid_n);
	}
	put_bytes(f, q->cid, q->cid_n);
	for (unsigned i = 0; i < q->payload; i++)
		put8(f, (uint8_t)(i * 37));
	quic_checksums(f, q->v6, l4);
	return l4;
}

#endif /* TESTS_BPF_LB_QUIC_RIG_H */
