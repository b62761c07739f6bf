/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * agent_rig.h - the agent's programs with BPF_PROG_TEST_RUN: TCP segments of a client for the VIPs
 * 10.9.9.9 and fd09::9, as lb_rig.h makes them, and what a balancer puts around them. Balancers are
 * 10.0.0.0/24 and fd00::/64.
 */
#ifndef TESTS_BPF_AGENT_RIG_H
#define TESTS_BPF_AGENT_RIG_H

#include <sluice/agent.h>

#include "agent.skel.h"
#include "lb_rig.h"

struct agent_rig {
	struct agent_bpf *skel;
	int in; /* program */
};

enum tunnel_kind { IPIP, GUE0, GUE1, TUNNEL_KINDS };

/* What is around a segment. */
struct tunnel {
	enum tunnel_kind kind;
	bool v6; /* the outer header */
	unsigned words; /* of GUE's variant 0, behind its header */
	uint8_t ecn;
	bool dstopts; /* IPv6: an option before the tunnel's header */
};

static const uint8_t balancer6[16] = {0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7};
static const uint8_t server6[16] = {0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9};
#define BALANCER4 0x0a000007u /* 10.0.0.7 */
#define SERVER4 0x0a000009u

static inline void agent_rig_prefix(struct agent_rig *r, const char *text, bool v6, unsigned bits)
{
	struct sl_agent_prefix p = {.bits = bits + (v6 ? 0 : 96)};
	uint32_t one = 1;

	lb_address(v6, text, text, p.addr);
	lb_put(r->skel->maps.agent_from, &p, &one);
}

static inline void agent_rig_up(struct agent_rig *r)
{
	struct sl_agent_control ctl = {.gue_port = htons(SL_AGENT_GUE_PORT)};
	uint32_t zero = 0, one = 1;

	testnet_enter();
	r->skel = agent_bpf__open_and_load();
	cr_assert_not_null(r->skel);
	r->in = bpf_program__fd(r->skel->progs.sluice_agent_in);
	lb_put(r->skel->maps.agent_control, &zero, &ctl);
	for (unsigned v6 = 0; v6 < 2; v6++) {
		struct sl_agent_prefix vip = {.bits = 128};

		lb_vip_address(v6, vip.addr);
		lb_put(r->skel->maps.agent_vips, &vip, &one);
	}
	agent_rig_prefix(r, "10.0.0.0", false, 24);
	agent_rig_prefix(r, "fd00::", true, 64);
}

static inline uint64_t agent_rig_count(struct agent_rig *r, uint32_t what)
{
	int cpus = libbpf_num_possible_cpus();
	uint64_t value[cpus > 0 ? cpus : 1], sum = 0;

	cr_assert_eq(bpf_map_lookup_elem(bpf_map__fd(r->skel->maps.agent_counts), &what, value), 0);
	for (int i = 0; i < cpus; i++)
		sum += value[i];
	return sum;
}

/* The verdict; the packet in *out. */
static inline uint32_t agent_rig_run(int prog, const uint8_t *b, unsigned len, struct outcome *out)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = b, .data_size_in = len, .data_out = out->b,
		    .data_size_out = sizeof(out->b), .repeat = 1);

	cr_assert_eq(bpf_prog_test_run_opts(prog, &opts), 0, "%s", strerror(errno));
	out->len = opts.data_size_out;
	out->verdict = opts.retval;
	return opts.retval;
}

static inline void agent_client_segment(bool v6, struct frame *f)
{
	const struct segment s = {.v6 = v6,
				  .client_port = 40000,
				  .flags = 16,
				  .options = "\1\1\10\12ttttTTTT",
				  .options_n = 12,
				  .stamp = 77,
				  .echo = 0x12345678,
				  .ttl = 60};
	unsigned l4;

	segment_build(&s, f, &l4);
}

/* `inner` without its Ethernet header, in the tunnel. */
static inline void agent_wrap(const struct tunnel *t, bool inner_v6, const struct frame *inner,
			      struct frame *f)
{
	unsigned payload = inner->len - inner->l3, gue = t->kind == GUE0 ? 4 + 4 * t->words : 0;
	unsigned head = (t->kind == IPIP ? 0 : 8 + gue) + payload;
	unsigned proto = t->kind != IPIP ? 17 : inner_v6 ? 41 : 4;

	put_ethernet(f, 0, t->v6 ? SL_ETH_IPV6 : SL_ETH_IPV4);
	if (t->v6) {
		put_ipv6(f, balancer6, server6, t->dstopts ? 60 : proto, head + 8 * t->dstopts);
		f->b[f->l3 + 1] |= (uint8_t)(t->ecn << 4);
		if (t->dstopts)
			put_extension(f, proto, 0);
	} else {
		put_ipv4(f, BALANCER4, SERVER4, proto, 0, 0x4000, head);
		f->b[f->l3 + 1] |= t->ecn;
	}
	if (t->kind != IPIP) {
		put16(f, 50000);
		put16(f, SL_AGENT_GUE_PORT);
		put16(f, head);
		put16(f, 0);
	}
	if (t->kind == GUE0) {
		put8(f, (uint8_t)t->words);
		put8(f, inner_v6 ? 41 : 4);
		put16(f, 0);
		put_zeros(f, 4 * t->words);
	}
	put_bytes(f, inner->b + inner->l3, payload);
}

#endif /* TESTS_BPF_AGENT_RIG_H */
