// SPDX-License-Identifier: GPL-2.0-or-later
/* VIPs that are networks: every address of theirs, the narrowest network's, and nobody else's. */
#include "lb_expect.h"

static struct lb_rig rig;

TestSuite(lb_network, .timeout = 120);

static void network(const char *text, unsigned bits, bool v6)
{
	struct sl_lb_network at = {.bits = bits + (v6 ? 0 : 96)};
	struct sl_lb_network_base base;

	lb_address(v6, text, text, at.addr);
	memcpy(base.addr, at.addr, sizeof(base.addr));
	lb_put(rig.skel->maps.lb_networks, &at, &base);
}

static void vip_at(const char *text, bool v6, uint16_t port)
{
	struct sl_lb_vip_key key = {.proto = IPPROTO_TCP, .port = htons(port)};

	lb_address(v6, text, text, key.addr);
	lb_put(rig.skel->maps.lb_vips, &key, &rig.vip[v6]);
	rig.control.generation++;
	lb_rig_control(&rig);
}

/* 10.9.9.9:80 and [fd09::9]:80 are of networks; their own entries go. */
static void up(void)
{
	lb_rig_up(&rig, SL_LB_KEEP_TABLE, 9);
	for (unsigned v6 = 0; v6 < 2; v6++) {
		struct sl_lb_vip_key key = {.proto = IPPROTO_TCP, .port = htons(80)};

		lb_vip_address(v6, key.addr);
		bpf_map_delete_elem(bpf_map__fd(rig.skel->maps.lb_vips), &key);
		key.proto = 0;
		key.port = 0;
		bpf_map_delete_elem(bpf_map__fd(rig.skel->maps.lb_vips), &key);
		rig.vip[v6].forward = SL_LB_L2;
		lb_rig_table(&rig, v6, 1);
	}
	rig.control.generation++;
	lb_rig_control(&rig);
}

static unsigned verdict(bool v6, uint8_t flags, const char *options)
{
	struct segment s = {.v6 = v6,
			    .client_port = 40000,
			    .flags = flags,
			    .options = options,
			    .options_n = options ? 12 : 0,
			    .ttl = 64};
	struct outcome out;
	struct frame f;
	unsigned l4;

	segment_build(&s, &f, &l4);
	out = lb_rig_raw(&rig, &f);
	return out.verdict;
}

#define STAMPS                                                                                     \
	"\1\1\x8\xa"                                                                               \
	"ttttTTTT"

Test(lb_network, each_address_is_the_vips)
{
	up();
	for (unsigned v6 = 0; v6 < 2; v6++) {
		cr_expect_eq(verdict(v6, 2, STAMPS), XDP_PASS, "nobody's as yet");
		network(v6 ? "fd09::" : "10.9.8.0", v6 ? 64 : 22, v6);
		cr_expect_eq(verdict(v6, 2, STAMPS), XDP_DROP, "a network without a service there");
		vip_at(v6 ? "fd09::" : "10.9.8.0", v6, 80);
		cr_expect_eq(verdict(v6, 2, STAMPS), XDP_REDIRECT);
		cr_expect_eq(verdict(v6, 2, NULL), XDP_REDIRECT);
		cr_expect_eq(verdict(v6, 16, STAMPS), XDP_REDIRECT);
	}
	cr_expect_eq(lb_rig_count(&rig, SL_LB_DROP_NO_VIP), 2);
	cr_expect_eq(lb_rig_count(&rig, SL_LB_TABLE), 2, "a network's connections are remembered");
}

Test(lb_network, the_narrowest_and_an_address_come_first)
{
	up();
	network("10.9.0.0", 16, false);
	vip_at("10.9.0.0", false, 80);
	network("10.9.9.0", 24, false);
	cr_expect_eq(verdict(false, 2, STAMPS), XDP_DROP, "the narrower one has no such port");
	vip_at("10.9.9.0", false, 0);
	cr_expect_eq(verdict(false, 2, STAMPS), XDP_REDIRECT, "any port");
	rig.vip[0].forward = SL_LB_NAT;
	lb_rig_vip(&rig, false);
	cr_expect_eq(verdict(false, 2, STAMPS), XDP_REDIRECT);
	cr_expect_eq(lb_rig_count(&rig, SL_LB_NEW), 2);
}

Test(lb_network, beside_it_nothing_is)
{
	up();
	network("10.9.9.8", 32, false);
	vip_at("10.9.9.8", false, 80);
	network("10.9.10.0", 23, false);
	network("fd09:0:0:1::", 64, true);
	vip_at("fd09:0:0:1::", true, 80);
	cr_expect_eq(verdict(false, 2, STAMPS), XDP_PASS);
	cr_expect_eq(verdict(true, 2, STAMPS), XDP_PASS);
}
