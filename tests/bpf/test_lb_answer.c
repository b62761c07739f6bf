// SPDX-License-Identifier: GPL-2.0-or-later
/* What the load balancer answers for a VIP itself: ARP, neighbour solicitations, echoes. */
#include "lb_rig.h"

static struct lb_rig rig;

TestSuite(lb_answer, .timeout = 120);

Test(lb_answer, arp_for_a_vip_is_answered_and_no_other)
{
	struct frame f = {0};
	struct outcome out;

	lb_rig_up(&rig, SL_LB_KEEP_COOKIE, 9);
	put_bytes(&f, "\xff\xff\xff\xff\xff\xff", 6);
	put_bytes(&f, lb_mac[1], 6);
	put16(&f, SL_ETH_ARP);
	put32(&f, 0x00010800);
	put32(&f, 0x06040001);
	put_bytes(&f, lb_mac[1], 6);
	put32(&f, 0x0a000105);
	put_zeros(&f, 6);
	put32(&f, 0x0a090909);
	put_zeros(&f, 18);
	out = lb_rig_raw(&rig, &f);
	cr_expect_eq(out.verdict, XDP_TX);
	cr_expect_eq(memcmp(out.b, lb_mac[1], 6), 0);
	cr_expect_eq(memcmp(out.b + 6, lb_mac[0], 6), 0);
	cr_expect_eq(out.b[21], 2);
	cr_expect_eq(memcmp(out.b + 22, lb_mac[0], 6), 0);
	cr_expect_eq(memcmp(out.b + 28, "\x0a\x09\x09\x09", 4), 0);
	cr_expect_eq(memcmp(out.b + 32, lb_mac[1], 6), 0);
	cr_expect_eq(memcmp(out.b + 38, "\x0a\x00\x01\x05", 4), 0);
	f.b[41] = 8;
	cr_expect_eq(lb_rig_raw(&rig, &f).verdict, XDP_PASS);
}

Test(lb_answer, neighbour_solicitations_for_a_vip_are_answered)
{
	__be32 client[4], vip[4];
	struct frame f = {0};
	struct outcome out;
	uint32_t sum;

	lb_rig_up(&rig, SL_LB_KEEP_COOKIE, 9);
	lb_client(true, client);
	lb_vip_address(true, vip);
	put_bytes(&f, "\x33\x33\xff\0\0\x09", 6);
	put_bytes(&f, lb_mac[1], 6);
	put16(&f, SL_ETH_IPV6);
	put32(&f, 0x60000000);
	put32(&f, 32 << 16 | 58 << 8 | 255);
	put_bytes(&f, client, 16);
	put_bytes(&f, "\xff\2\0\0\0\0\0\0\0\0\0\1\xff\0\0\x09", 16);
	put32(&f, 135u << 24);
	put32(&f, 0);
	put_bytes(&f, vip, 16);
	put16(&f, 0x0101);
	put_bytes(&f, lb_mac[1], 6);
	out = lb_rig_raw(&rig, &f);
	cr_expect_eq(out.verdict, XDP_TX);
	cr_expect_eq(out.b[54], 136);
	cr_expect_eq(memcmp(out.b + 22, vip, 16), 0);
	cr_expect_eq(memcmp(out.b + 38, client, 16), 0);
	cr_expect_eq(memcmp(out.b + 80, lb_mac[0], 6), 0);
	sum = lb_sum(out.b + 22, 32, 58 + 32);
	cr_expect_eq(lb_sum(out.b + 54, 32, sum), 0xffff);
	f.b[21] = 254; /* came by a router: RFC 4861, 7.1.1 */
	cr_expect_eq(lb_rig_raw(&rig, &f).verdict, XDP_PASS);
	f.b[21] = 255;
	f.b[55] = 1; /* no such code */
	cr_expect_eq(lb_rig_raw(&rig, &f).verdict, XDP_PASS);
}

static void check_echo(bool v6)
{
	__be32 client[4], vip[4];
	struct frame f = {0};
	struct outcome out;
	unsigned size = v6 ? 16 : 4, at = v6 ? 22 : 26;
	uint32_t sum;

	lb_client(v6, client);
	lb_vip_address(v6, vip);
	put_bytes(&f, lb_mac[0], 6);
	put_bytes(&f, lb_mac[1], 6);
	put16(&f, v6 ? SL_ETH_IPV6 : SL_ETH_IPV4);
	if (v6) {
		put32(&f, 0x60000000);
		put32(&f, 12 << 16 | 58 << 8 | 1);
	} else {
		put32(&f, 0x45000020);
		put32(&f, 0x12340000);
		put32(&f, 0x01010000);
	}
	put_bytes(&f, (uint8_t *)client + 16 - size, size);
	put_bytes(&f, (uint8_t *)vip + 16 - size, size);
	sum = ~lb_sum(f.b + 14, 20, 0) & 0xffff;
	if (!v6) {
		f.b[24] = (uint8_t)(sum >> 8);
		f.b[25] = (uint8_t)sum;
	}
	put32(&f, v6 ? 0x80000000 : 0x08000000);
	put32(&f, 0x00420001);
	put32(&f, 0xdeadbeef);
	sum = v6 ? lb_sum(f.b + 22, 32, 58 + 12) : 0;
	sum = ~lb_sum(f.b + f.len - 12, 12, sum) & 0xffff;
	f.b[f.len - 10] = (uint8_t)(sum >> 8);
	f.b[f.len - 9] = (uint8_t)sum;
	f.b[f.len - 11] = 1; /* no such code */
	cr_expect_eq(lb_rig_raw(&rig, &f).verdict, XDP_DROP);
	f.b[f.len - 11] = 0;
	out = lb_rig_raw(&rig, &f);
	cr_expect_eq(out.verdict, XDP_TX);
	cr_expect_eq(memcmp(out.b + at, (uint8_t *)vip + 16 - size, size), 0);
	cr_expect_eq(memcmp(out.b + at + size, (uint8_t *)client + 16 - size, size), 0);
	cr_expect_eq(out.b[f.len - 12], v6 ? 129 : 0);
	cr_expect_eq(memcmp(out.b, lb_mac[1], 6), 0);
	cr_expect_eq(out.b[v6 ? 21 : 22], 64, "the way back is as long");
	cr_expect(v6 || lb_sum(out.b + 14, 20, 0) == 0xffff);
	sum = v6 ? lb_sum(out.b + 22, 32, 58 + 12) : 0;
	cr_expect_eq(lb_sum(out.b + f.len - 12, 12, sum), 0xffff);
}

Test(lb_answer, a_vip_is_there_to_ping)
{
	lb_rig_up(&rig, SL_LB_KEEP_COOKIE, 9);
	check_echo(false);
	check_echo(true);
}
