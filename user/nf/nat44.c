// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * nat44:POOL[:ports=A-B] - NAPT (RFC 3022): the hosts behind the first interface share the pool's
 * addresses. The port that stands for a flow is one with which its answers fall into the flow's own
 * bucket; so they meet its state without a lock, on whichever worker has it. Ports that differ in
 * bucket can never be wanted by two shards at a time: each has its own pool.
 *
 * A port serves several remote ends at once (mapping by address and port, RFC 4787 4.1): that is
 * what makes bucket and port agree.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nf/builtin.h"
#include "nf/nat44.h"
#include "nf/rewrite.h"
#include "nf/text.h"
#include "nf/wire.h"

enum nat_drop { DROP_NO_MAPPING = 0, DROP_NO_PORT, DROP_FRAGMENT, DROP_PROTOCOL };

static const char *const more_reasons[] = {"nat44_no_port", "nat44_fragment", "nat44_protocol",
					   NULL};

/* --- arguments ------------------------------------------------------------------------------- */

static int parse_pool(struct nat *nat, char *word)
{
	char *slash = strchr(word, '/'), *end;
	unsigned long bits = 32;
	struct in_addr addr;

	if (slash) {
		*slash = '\0';
		bits = strtoul(slash + 1, &end, 10);
		if (end == slash + 1 || *end || bits > 32 || bits < 24)
			return -EINVAL;
	}
	if (inet_pton(AF_INET, word, &addr) != 1 || !addr.s_addr)
		return -EINVAL;
	nat->pool = 1u << (32 - bits);
	nat->pool_first = ntohl(addr.s_addr) & ~(nat->pool - 1);
	return 0;
}

static int parse_ports(struct nat *nat, const char *word)
{
	int used = 0;

	if (sscanf(word, "ports=%5u-%5u%n", &nat->port_min, &nat->port_max, &used) != 2 ||
	    word[used] || !nat->port_min || nat->port_min > nat->port_max || nat->port_max > 65535)
		return -EINVAL;
	return 0;
}

static int nat44_create(const char *args, void **self, char *err, size_t err_size)
{
	struct nat *nat = calloc(1, sizeof(*nat));
	char text[128], *rest = text, *word;
	int ret;

	if (!nat)
		return -ENOMEM;
	nat->port_min = 1024;
	nat->port_max = 65535;
	snprintf(text, sizeof(text), "%s", args);
	word = strsep(&rest, ":");
	ret = parse_pool(nat, word);
	if (ret) {
		snprintf(err, err_size,
			 "'%s' is no pool of external addresses: write nat44:ADDRESS or "
			 "nat44:PREFIX/24 to /32, then :ports=1024-65535 if need be",
			 args);
	} else if (rest && parse_ports(nat, rest)) {
		snprintf(err, err_size, "'%s': write ports=FIRST-LAST, within 1-65535", rest);
		ret = -EINVAL;
	}
	if (ret)
		free(nat);
	else
		*self = nat;
	return ret;
}

static int nat44_start(void *self, const struct sl_nf_host *host, char *err, size_t err_size)
{
	struct nat *nat = self;

	if (!host->symmetric) {
		snprintf(err, err_size,
			 "it needs the symmetric hash: attach with --hash symmetric");
		return -EINVAL;
	}
	nat->host = host;
	for (unsigned b = 0; b < host->buckets; b++)
		nat_shard(nat, b)->random = b * 0xd6e8feb86659fd93ull;
	return 0;
}

/* --- packets --------------------------------------------------------------------------------- */

/* What a packet is about; `reason` if nat44 cannot take it. */
struct view {
	struct nat_key key;
	bool error; /* ICMP error: the key is of what it quotes */
	bool pass; /* not IPv4 */
	bool bad;
	enum nat_drop reason;
};

static bool is_echo(const uint8_t *icmp)
{
	return icmp[0] == 0 || icmp[0] == 8;
}

/* Ports of an L4 header as it travels, into the ends near and far. False: no ports. */
static bool read_ports(struct nat_key *k, const uint8_t *l4, bool near_is_source)
{
	uint16_t port[2];

	if (k->proto == PROTO_TCP || k->proto == PROTO_UDP) {
		memcpy(port, l4, sizeof(port));
	} else if (k->proto == PROTO_ICMP && is_echo(l4)) {
		memcpy(&port[0], l4 + 4, sizeof(port[0]));
		port[1] = port[0];
	} else {
		return false;
	}
	k->near_port = port[!near_is_source];
	k->far_port = port[near_is_source];
	return true;
}

static void read_addrs(struct nat_key *k, const uint8_t *ip, bool near_is_source)
{
	memcpy(&k->near, ip + (near_is_source ? 12 : 16), sizeof(k->near));
	memcpy(&k->far, ip + (near_is_source ? 16 : 12), sizeof(k->far));
	k->proto = ip[9];
}

/* A quotation travelled the other way: its near end is the destination of what came from outside.
 */
static bool read_quoted(struct view *v, const struct sl_packet *pkt, bool inside)
{
	const uint8_t *icmp = l4_header(pkt, 8 + IPV4_HEADER), *quoted;
	uint32_t header;

	if (!icmp)
		return false;
	quoted = icmp + 8;
	header = (quoted[0] & 15) * 4u;
	if (header < IPV4_HEADER || !l4_header(pkt, 8 + header + 8) || get16(quoted + 6) & 0x3fff)
		return false;
	read_addrs(&v->key, quoted, !inside);
	return read_ports(&v->key, quoted + header, !inside);
}

static struct view look(const struct sl_packet *pkt)
{
	bool inside = !pkt->iface;
	struct view v = {.key = {.outer = !inside}};
	const uint8_t *l4;

	v.pass = !(pkt->meta->flags & SL_META_V4);
	if (v.pass)
		return v;
	v.bad = true;
	if (pkt->meta->flags & SL_META_FRAGMENT) {
		v.reason = DROP_FRAGMENT;
		return v;
	}
	v.reason = DROP_PROTOCOL;
	if (pkt->meta->flags & SL_META_ICMP_ERROR) {
		v.error = true;
		v.bad = !read_quoted(&v, pkt, inside);
		return v;
	}
	read_addrs(&v.key, pkt->data + pkt->meta->l3_off, inside);
	l4 = l4_header(pkt, v.key.proto == PROTO_TCP ? TCP_HEADER : 8);
	v.bad = !l4 || !read_ports(&v.key, l4, inside);
	return v;
}

static void drop(const struct sl_nf_ctx *ctx, struct sl_packet *pkt, enum nat_result r)
{
	if (r == NAT_NO_ROOM) {
		pkt->verdict = SL_DROP;
		pkt->reason = SL_DROP_STATE;
	} else {
		sl_nf_drop(ctx, pkt, r == NAT_NO_PORT ? DROP_NO_PORT : DROP_NO_MAPPING);
	}
}

static enum nat_result translate(const struct nat_find *f, struct sl_packet *pkt,
				 const struct view *v, const struct nat_key *inner,
				 struct nat_entry *m)
{
	struct nat_shard *s = nat_shard(f->nat, f->bucket);
	bool inside = !pkt->iface;
	uint32_t addr = inside ? m->peer_addr : inner->near;
	uint16_t port = inside ? m->peer_port : inner->near_port;
	enum conn_state before;

	if (v->error) {
		rewrite_error(pkt, inside ? REWRITE_SRC : REWRITE_DST, addr, port);
		return NAT_OK;
	}
	conn_packet(&m->conn, pkt, !inside, &before);
	if (m->conn.state != before) {
		sl_nf_count(&s->states[before], (uint64_t)-1);
		sl_nf_count(&s->states[m->conn.state], 1);
	}
	m->packets[!inside]++;
	m->bytes[!inside] += pkt->len;
	rewrite_packet(pkt, inside ? REWRITE_SRC : REWRITE_DST, addr, port);
	return nat_prolong(f, inner, m);
}

static void handle(const struct sl_nf_ctx *ctx, struct sl_packet *pkt, const struct view *v,
		   struct nat_entry *known)
{
	const struct nat *nat = ctx->self;
	struct nat_find f = {.nat = nat,
			     .table = pkt->tables[ctx->slot],
			     .hash = pkt->meta->hash,
			     .bucket = pkt->meta->bucket,
			     .now_ns = ctx->now_ns,
			     .error = v->error};
	struct nat_key inner = v->key;
	struct nat_entry *m = NULL;
	enum nat_result r = NAT_NO_MAPPING;

	if (pkt->iface && nat_in_pool(nat, v->key.near))
		r = nat_from_outside(&f, &v->key, known, &inner, &m);
	else if (!pkt->iface && !nat_in_pool(nat, v->key.far))
		r = nat_from_inside(&f, &v->key, known, &m);
	if (!r)
		r = translate(&f, pkt, v, &inner, m);
	if (r)
		drop(ctx, pkt, r);
}

/*
 * Look-ups of a batch overlap. Once one packet has made a mapping, what was found for those behind
 * it may have been evicted, or made by it: they look again.
 */
static void nat44_process(const struct sl_nf_ctx *ctx, struct sl_packet **pkts, unsigned n)
{
	const struct nat *nat = ctx->self;
	struct sl_flow_table *tables[SL_BATCH];
	struct nat_entry *found[SL_BATCH + 1];
	const void *keys[SL_BATCH];
	uint32_t hashes[SL_BATCH];
	struct view view[SL_BATCH];
	unsigned m = 0, at[SL_BATCH];
	bool made = false;

	for (unsigned i = 0; i < n; i++) {
		view[i] = look(pkts[i]);
		at[i] = SL_BATCH;
		if (view[i].pass || view[i].bad || view[i].error)
			continue;
		tables[m] = pkts[i]->tables[ctx->slot];
		keys[m] = &view[i].key;
		hashes[m] = pkts[i]->meta->hash;
		at[i] = m++;
	}
	if (m)
		sl_flow_lookup_batch(tables, keys, hashes, m, ctx->now_ns, 0, (void **)found);
	found[SL_BATCH] = NULL;
	for (unsigned i = 0; i < n; i++) {
		const struct nat_shard *s = nat_shard(nat, pkts[i]->meta->bucket);
		uint64_t tried = s->tried;

		if (view[i].bad)
			sl_nf_drop(ctx, pkts[i], view[i].reason);
		else if (!view[i].pass)
			handle(ctx, pkts[i], &view[i], made ? NULL : found[at[i]]);
		made |= s->tried != tried;
	}
}

/* --- reports --------------------------------------------------------------------------------- */

static void nat44_end(void *self, const void *key, void *value)
{
	const struct nat_entry *e = value;
	struct nat_shard *s;

	if (((const struct nat_key *)key)->outer || !e->peer_addr)
		return;
	s = nat_shard(self, e->bucket);
	sl_nf_count(&s->mappings, (uint64_t)-1);
	sl_nf_count(&s->states[e->conn.state], (uint64_t)-1);
}

static void print_end(char text[32], uint32_t addr, uint16_t port)
{
	char a[INET_ADDRSTRLEN];

	inet_ntop(AF_INET, &addr, a, sizeof(a));
	snprintf(text, 32, "%s:%u", a, ntohs(port));
}

static int nat44_flow(void *self, const void *key, const void *value, char *buf, size_t size)
{
	const struct nat_entry *e = value;
	const struct nat_key *k = key;
	char inside[32], outside[32], remote[32];

	if (k->outer)
		return -1;
	print_end(inside, k->near, k->near_port);
	print_end(outside, e->peer_addr, e->peer_port);
	print_end(remote, k->far, k->proto == PROTO_ICMP ? 0 : k->far_port);
	return snprintf(buf, size,
			"\"inside\":\"%s\",\"outside\":\"%s\",\"remote\":\"%s\",\"proto\":%u,"
			"\"state\":\"%s\",\"packets_out\":%" PRIu64 ",\"bytes_out\":%" PRIu64
			",\"packets_in\":%" PRIu64 ",\"bytes_in\":%" PRIu64 ",\"made_ns\":%" PRIu64,
			inside, outside, remote, k->proto, conn_state_name(e->conn.state),
			e->packets[0], e->bytes[0], e->packets[1], e->bytes[1], e->made_ns);
}

static int nat44_show(void *self, char *buf, size_t size)
{
	const struct nat *nat = self;
	struct text t = {.buf = buf, .size = size};
	struct nat_shard sum = {0};

	for (unsigned b = 0; b < nat->host->buckets; b++)
		text_sum((uint64_t *)&sum, nat_shard(nat, b),
			 offsetof(struct nat_shard, random) / sizeof(uint64_t));
	text_add(&t,
		 "\"addresses\":%u,\"ports\":%u,\"mappings\":%" PRIu64 ",\"made\":%" PRIu64
		 ",\"ports_tried\":%" PRIu64 ",\"no_port\":%" PRIu64 ",\"no_room\":%" PRIu64
		 ",\"states\":{",
		 nat->pool, nat->port_max - nat->port_min + 1, sum.mappings, sum.made, sum.tried,
		 sum.no_port, sum.no_room);
	for (unsigned s = CONN_UNREPLIED; s < CONN_STATES; s++)
		text_add(&t, "%s\"%s\":%" PRIu64, s > CONN_UNREPLIED ? "," : "", conn_state_name(s),
			 sum.states[s]);
	text_add(&t, "}");
	return text_end(&t);
}

const struct sl_nf sl_nf_nat44 = {
	.abi = SL_NF_ABI,
	.name = "nat44",
	.summary = "nat44:203.0.113.0/28 hides hosts behind the first interface (NAPT)",
	.drop_reason = "nat44_no_mapping",
	.drop_reasons = more_reasons,
	.min_ifaces = 2,
	.key_size = sizeof(struct nat_key),
	.value_size = sizeof(struct nat_entry),
	.idle_ms = NAT_IDLE_MS,
	.flow_times = true,
	.shard_size = sizeof(struct nat_shard),
	.create = nat44_create,
	.destroy = free,
	.start = nat44_start,
	.process = nat44_process,
	.flow_end = nat44_end,
	.flow_show = nat44_flow,
	.show = nat44_show,
};
