/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * lb_quic.h - a QUIC packet's server by the connection id that this server issued, whatever address
 * it comes from. Of QUIC only what RFC 8999 says of all versions is looked at.
 */
#ifndef SLUICE_LB_QUIC_H
#define SLUICE_LB_QUIC_H

#define SL_QUIC_ENCRYPT lb_quic_encrypt
#define SL_QUIC_DECRYPT lb_quic_decrypt
struct sl_aes_block;
struct sl_lb_quic_config;
int lb_quic_encrypt(const struct sl_lb_quic_config *c, struct sl_aes_block *b);
int lb_quic_decrypt(const struct sl_lb_quic_config *c, struct sl_aes_block *b);

#include "lb_packet.h"
#include "quic_lb.h"

#define LB_UDP_HEADER 8
#define LB_QUIC_LONG 0x80 /* of the first octet: the header says how long connection ids are */
#define LB_QUIC_LENGTH_AT 5 /* in a long header, behind its first octet and the version */

struct lb_quic_cid {
	__u32 off, length; /* of the packet; a short header has all that follows */
};

/* What a packet's way is found with; on the stack it would not fit beside that of lb_steer(). */
struct lb_quic_work {
	__u8 resv[7], first; /* octet of the connection id, so that the others are aligned */
	__be64 body[3];
	struct sl_lb_quic_server key;
	struct sl_quic_halves halves;
	struct sl_aes_block block;
};
SL_MAP(lb_quic_work, BPF_MAP_TYPE_PERCPU_ARRAY, 0, 1, __u32, struct lb_quic_work);

/* -1: shorter than its header says. */
static __always_inline int lb_quic_find(struct xdp_md *ctx, const struct lb *k,
					struct lb_quic_cid *cid)
{
	__u32 at = k->p.l4_off + LB_UDP_HEADER;
	const __u8 *octet = lb_at(ctx, at, 1);

	if (!octet || at + 1 >= k->p.limit)
		return -1;
	cid->off = at + 1;
	if (*octet & LB_QUIC_LONG) {
		octet = lb_at(ctx, at + LB_QUIC_LENGTH_AT, 1);
		if (!octet)
			return -1;
		cid->off = at + LB_QUIC_LENGTH_AT + 1;
		cid->length = *octet;
		return cid->length && cid->off + cid->length <= k->p.limit ? 0 : -1;
	}
	cid->length = k->p.limit - cid->off;
	return 0;
}

static __always_inline const struct sl_lb_quic_config *lb_quic_config(__u32 vip, __u32 number)
{
	const struct sl_lb_quic *quic;
	__u32 zero = 0;
	void *inner = bpf_map_lookup_elem(&lb_quic, &vip);

	if (!inner)
		return NULL;
	quic = bpf_map_lookup_elem(inner, &zero);
	return quic && quic->config[number & 7].used ? &quic->config[number & 7] : NULL;
}

__noinline int lb_quic_encrypt(const struct sl_lb_quic_config *c, struct sl_aes_block *b)
{
	return c && b ? sl_quic_encrypt(c, b) : -1;
}

__noinline int lb_quic_decrypt(const struct sl_lb_quic_config *c, struct sl_aes_block *b)
{
	return c && b ? sl_quic_decrypt(c, b) : -1;
}

/* Global, as all that the verifier is to take one by one; encryption is called from here. */
__noinline int lb_quic_decode(const struct sl_lb_quic_config *config, struct lb_quic_work *w)
{
	__u64 body[3];

	if (!config || !w)
		return -1;
#pragma GCC unroll 3
	for (int i = 0; i < 3; i++)
		body[i] = bpf_be64_to_cpu(w->body[i]);
	sl_quic_decode(config, body, &w->halves, &w->block, w->key.id);
	return 0;
}

/* The configuration of the packet's connection id, its octets in *w. NULL: counted why. */
static __noinline const struct sl_lb_quic_config *
lb_quic_read(struct xdp_md *ctx, const struct lb *k, __u32 vip, struct lb_quic_work *w)
{
	const struct sl_lb_quic_config *config;
	struct lb_quic_cid cid;
	const __u8 *first;
	__u32 length;

	if (lb_quic_find(ctx, k, &cid) || !(first = lb_at(ctx, cid.off, 1))) {
		lb_count(SL_LB_CID_SHORT);
		return NULL;
	}
	config = lb_quic_config(vip, *first >> 5);
	if (!config) {
		lb_count(SL_LB_CID_NO_CONFIG);
		return NULL;
	}
	length = 1 + config->server_id_length + config->nonce_length;
	if (length > cid.length || length > SL_LB_QUIC_CID_MAX || !length ||
	    bpf_xdp_load_bytes(ctx, cid.off & LB_MAX_OFFSET, &w->first, length)) {
		lb_count(SL_LB_CID_SHORT);
		return NULL;
	}
	return config;
}

/* 1: a server, in *c. 0: not routable, and counted why. */
static __always_inline int lb_quic_route(struct xdp_md *ctx, const struct lb *k,
					 struct lb_choice *c)
{
	const struct sl_lb_quic_config *config;
	const struct sl_lb_server *s;
	const __u32 *id;
	struct lb_quic_work *w;
	__u32 zero = 0;

	w = bpf_map_lookup_elem(&lb_quic_work, &zero);
	config = w ? lb_quic_read(ctx, k, c->vip.id, w) : NULL;
	if (!config || lb_quic_decode(config, w))
		return 0;
	w->key.vip = c->vip.id;
	id = bpf_map_lookup_elem(&lb_quic_servers, &w->key);
	c->server = id ? *id : SL_LB_NO_SERVER;
	s = bpf_map_lookup_elem(&lb_servers, &c->server);
	if (!s || s->vip != c->vip.id || s->state == SL_LB_ABSENT) {
		lb_count(SL_LB_CID_BAD);
		return 0;
	}
	if (s->state == SL_LB_DOWN) {
		lb_count(SL_LB_CID_DOWN);
		return 0;
	}
	c->how = SL_LB_QUIC;
	return 1;
}

/* A packet with a short header is of a connection that there is already. */
static __always_inline int lb_quic_starts(struct xdp_md *ctx, const struct lb *k)
{
	const __u8 *octet = lb_at(ctx, k->p.l4_off + LB_UDP_HEADER, 1);

	return octet && *octet & LB_QUIC_LONG;
}

#endif /* SLUICE_LB_QUIC_H */
