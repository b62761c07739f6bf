// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/gen/flows.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/ethernet.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>

#include "platform/instance.h"

#define HOSTS_MAX (1u << 24) /* addresses of a pool that are used */
#define TTL 64

int gen_pools_parse(const char *name, const char *text, struct gen_pool *v4, struct gen_pool *v6,
		    struct sl_error *err)
{
	char list[256], *save = NULL;

	if (strlen(text) >= sizeof(list))
		return sl_error_set(err, -EINVAL, "--%s is too long", name);
	strcpy(list, text);
	for (char *word = strtok_r(list, ",", &save); word; word = strtok_r(NULL, ",", &save)) {
		char *slash = strchr(word, '/'), *end = NULL;
		struct gen_pool pool = {.addr = {0}};
		unsigned long prefix;
		bool six;

		if (slash)
			*slash = 0;
		six = inet_pton(AF_INET6, word, pool.addr) == 1;
		if (!six && inet_pton(AF_INET, word, pool.addr) != 1)
			return sl_error_set(err, -EINVAL,
					    "--%s: \"%s\" is no address; write 198.18.0.0/15 or "
					    "2001:2::/48, or both with a comma",
					    name, word);
		prefix = slash ? strtoul(slash + 1, &end, 10) : six ? 128 : 32;
		if (prefix > (six ? 128u : 32u) || (slash && (!slash[1] || *end)))
			return sl_error_set(err, -EINVAL,
					    "--%s: prefix length \"%s\" is not 0 to %d", name,
					    slash ? slash + 1 : "", six ? 128 : 32);
		pool.prefix = (uint8_t)prefix;
		*(six ? v6 : v4) = pool;
	}
	return 0;
}

void gen_pools_default(struct gen_traffic *t)
{
	struct sl_error err;

	gen_pools_parse("src", "198.18.0.0/16,2001:2::/49", &t->src4, &t->src6, &err);
	gen_pools_parse("dst", "198.19.0.0/16,2001:2:0:8000::/49", &t->dst4, &t->dst6, &err);
}

static uint32_t headers_size(bool v6, bool tcp)
{
	return ETH_HLEN + (v6 ? sizeof(struct ip6_hdr) : sizeof(struct iphdr)) +
	       (tcp ? sizeof(struct tcphdr) : sizeof(struct udphdr));
}

uint32_t gen_size_min(const struct gen_traffic *t)
{
	return headers_size(t->ipv6 > 0, t->tcp > 0) + sizeof(struct sl_stamp);
}

bool gen_share_takes(double share, uint64_t i)
{
	return (uint64_t)((double)(i + 1) * share + 1e-9) > (uint64_t)((double)i * share + 1e-9);
}

/* How many addresses of a pool are used. The first and, in IPv4, the last are no hosts'. */
static uint32_t hosts(const struct gen_pool *p, bool v6)
{
	unsigned bits = (v6 ? 128 : 32) - p->prefix;

	if (bits >= 24)
		return HOSTS_MAX - 2;
	return bits < 2 ? 1u << bits : (1u << bits) - 2;
}

/* Address number i of the pool; the prefix's host bits are cleared first. */
static void host(const struct gen_pool *p, bool v6, uint32_t i, uint8_t *out)
{
	const unsigned bytes = v6 ? 16 : 4, bits = 8 * bytes - p->prefix;

	if (bits >= 2)
		i++;
	memcpy(out, p->addr, bytes);
	for (unsigned b = 0; b < bits; b++)
		out[bytes - 1 - b / 8] &= (uint8_t) ~(1u << (b % 8));
	for (unsigned b = 0; b < 4; b++)
		out[bytes - 1 - b] |= (uint8_t)(i >> (8 * b));
}

/* The addresses and the source port of the flow number i of its family. */
struct place {
	uint32_t src, dst;
	uint16_t sport;
};

/*
 * Source addresses first, then source ports, then destinations. The destination is turned by a hash
 * of source and port, so that few flows have many destinations too: for one source and port
 * different `turn`s are different destinations, which keeps tuples apart.
 */
static struct place place_of(uint32_t i, uint32_t srcs, uint32_t ports, uint32_t dsts,
			     uint16_t sport)
{
	uint32_t src = i % srcs, port = i / srcs % ports, turn = i / srcs / ports;
	__u64 state = (__u64)src << 16 | port;

	return (struct place){
		.src = src,
		.sport = (uint16_t)(sport + port),
		.dst = (uint32_t)((sl_gen_random(&state) + turn) % dsts),
	};
}

static void write_ipv4(uint8_t *p, const struct gen_traffic *t, const struct place *at, bool tcp)
{
	struct iphdr ip = {
		.version = 4,
		.ihl = 5,
		.tot_len = htons((uint16_t)(t->size - ETH_HLEN)),
		.frag_off = htons(IP_DF),
		.ttl = TTL,
		.protocol = tcp ? IPPROTO_TCP : IPPROTO_UDP,
	};
	uint64_t sum = 0;
	uint32_t word;

	host(&t->src4, false, at->src, (uint8_t *)&ip.saddr);
	host(&t->dst4, false, at->dst, (uint8_t *)&ip.daddr);
	for (unsigned i = 0; i < sizeof(ip); i += 4) {
		memcpy(&word, (uint8_t *)&ip + i, 4);
		sum += word;
	}
	ip.check = (uint16_t)~sl_sum_fold(sum);
	memcpy(p, &ip, sizeof(ip));
}

static void write_ipv6(uint8_t *p, const struct gen_traffic *t, const struct place *at, bool tcp)
{
	struct ip6_hdr ip = {0};

	ip.ip6_flow = htonl(6u << 28);
	ip.ip6_plen = htons((uint16_t)(t->size - ETH_HLEN - sizeof(ip)));
	ip.ip6_nxt = tcp ? IPPROTO_TCP : IPPROTO_UDP;
	ip.ip6_hlim = TTL;
	host(&t->src6, true, at->src, (uint8_t *)&ip.ip6_src);
	host(&t->dst6, true, at->dst, (uint8_t *)&ip.ip6_dst);
	memcpy(p, &ip, sizeof(ip));
}

static void write_l4(uint8_t *p, const struct gen_traffic *t, const struct place *at, bool tcp,
		     uint16_t len)
{
	struct tcphdr th = {.source = htons(at->sport), .dest = htons(t->dport)};
	struct udphdr uh = {.source = htons(at->sport), .dest = htons(t->dport)};

	if (!tcp) {
		uh.len = htons(len);
		memcpy(p, &uh, sizeof(uh));
		return;
	}
	th.seq = htonl(1);
	th.ack_seq = htonl(1);
	th.doff = sizeof(th) / 4;
	th.ack = 1;
	th.psh = 1;
	th.window = htons(UINT16_MAX);
	memcpy(p, &th, sizeof(th));
}

/* Pseudo header (RFC 768, 9293, 8200 8.1), L4 header, and the constant half of the stamp. */
static uint16_t constant_sum(const struct sl_gen_flow *f, const struct gen_traffic *t, uint32_t id,
			     bool v6, bool tcp, uint32_t l4_off)
{
	const uint32_t addrs = v6 ? 32 : 8, l4_len = t->size - l4_off;
	const uint16_t tail[4] = {htons(SL_STAMP_MAGIC), htons(t->run), htons((uint16_t)(id >> 16)),
				  htons((uint16_t)id)};
	uint64_t sum = htons((uint16_t)l4_len), stamp = 0;
	uint16_t word;

	sum += htons(tcp ? IPPROTO_TCP : IPPROTO_UDP);
	for (uint32_t i = l4_off - addrs; i < SL_GEN_HEADERS; i += 2) {
		memcpy(&word, f->headers + i, 2);
		sum += word;
	}
	for (unsigned i = 0; i < 4; i++)
		stamp += tail[i];
	stamp = sl_sum_fold(stamp);
	if (t->size & 1)
		stamp = (uint16_t)(stamp << 8 | stamp >> 8);
	return sl_sum_fold(sum + stamp);
}

static void build_one(struct sl_gen_flow *f, const struct gen_traffic *t, uint32_t id, bool v6,
		      bool tcp, const struct place *at)
{
	const uint32_t l4_off = headers_size(v6, false) - sizeof(struct udphdr);
	const struct ether_header eth = {.ether_type = htons(v6 ? ETHERTYPE_IPV6 : ETHERTYPE_IP)};

	memset(f, 0, sizeof(*f));
	memcpy(f->headers, &eth, sizeof(eth));
	memcpy(f->headers, t->dst_mac, 6);
	memcpy(f->headers + 6, t->src_mac, 6);
	if (v6)
		write_ipv6(f->headers + ETH_HLEN, t, at, tcp);
	else
		write_ipv4(f->headers + ETH_HLEN, t, at, tcp);
	write_l4(f->headers + l4_off, t, at, tcp, (uint16_t)(t->size - l4_off));
	f->check_off = (uint8_t)(l4_off + (tcp ? offsetof(struct tcphdr, check)
					       : offsetof(struct udphdr, check)));
	f->udp = !tcp;
	f->queue = id % t->queues;
	f->sum = constant_sum(f, t, id, v6, tcp, l4_off);
}

int gen_flows_build(struct sl_gen_flow *flow, const struct gen_traffic *t, struct sl_error *err)
{
	const uint32_t ports = 65536u - t->sport;
	const uint32_t srcs[2] = {hosts(&t->src4, false), hosts(&t->src6, true)};
	const uint32_t dsts[2] = {hosts(&t->dst4, false), hosts(&t->dst6, true)};
	uint32_t made[2] = {0, 0};

	for (uint32_t i = 0; i < t->flows; i++) {
		const bool v6 = gen_share_takes(t->ipv6, i);
		const bool tcp = gen_share_takes(t->tcp, made[v6]);
		struct place at;

		if (made[v6] >= (uint64_t)srcs[v6] * ports * dsts[v6])
			return sl_error_set(err, -ERANGE,
					    "--flows %u: the IPv%d pools and ports have room for "
					    "%u; give a shorter prefix in --src or --dst, or a "
					    "lower --sport",
					    t->flows, v6 ? 6 : 4, made[v6]);
		at = place_of(made[v6]++, srcs[v6], ports, dsts[v6], t->sport);
		build_one(&flow[i], t, i, v6, tcp, &at);
	}
	return 0;
}

void gen_stamp_write(uint8_t *frame, uint32_t size, uint16_t run, uint32_t flow, uint64_t seq,
		     uint64_t now_ns)
{
	const struct sl_stamp stamp = {
		.magic = htons(SL_STAMP_MAGIC),
		.run = htons(run),
		.flow = htonl(flow),
		.seq = htobe64(seq),
		.time_ns = htobe64(now_ns),
	};

	memcpy(frame + size - sizeof(stamp), &stamp, sizeof(stamp));
}

void gen_frame_write(uint8_t *frame, uint32_t size, struct sl_gen_flow *f, uint32_t id,
		     uint16_t run, uint64_t now_ns)
{
	const uint32_t room = size - sizeof(struct sl_stamp);
	const uint64_t seq = f->seq++;
	const uint16_t check = sl_gen_check(f, htobe64(seq), htobe64(now_ns), (int)(size & 1));

	memcpy(frame, f->headers, room < SL_GEN_HEADERS ? room : SL_GEN_HEADERS);
	memcpy(frame + f->check_off, &check, sizeof(check));
	gen_stamp_write(frame, size, run, id, seq, now_ns);
}

bool gen_stamp_read(const uint8_t *frame, uint32_t size, uint16_t run, uint32_t *flow,
		    uint64_t *seq, uint64_t *time_ns)
{
	struct sl_stamp stamp;

	if (size < sizeof(stamp))
		return false;
	memcpy(&stamp, frame + size - sizeof(stamp), sizeof(stamp));
	if (stamp.magic != htons(SL_STAMP_MAGIC) || stamp.run != htons(run))
		return false;
	*flow = ntohl(stamp.flow);
	*seq = be64toh(stamp.seq);
	*time_ns = be64toh(stamp.time_ns);
	return true;
}
