// SPDX-License-Identifier: GPL-2.0-or-later
/* The generator's frames: lengths, addresses, checksums and stamps, checked by a plain reading. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "cli/gen/flows.c"

static struct gen_traffic traffic(uint32_t flows, double ipv6, double tcp, uint32_t size)
{
	struct gen_traffic t = {.flows = flows,
				.ipv6 = ipv6,
				.tcp = tcp,
				.size = size,
				.sport = 1024,
				.dport = 9,
				.queues = 3,
				.run = 0xbeef};

	gen_pools_default(&t);
	if (!size)
		t.size = gen_size_min(&t);
	return t;
}

static uint16_t be16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

/* RFC 1071 by the book: big-endian words, carries folded at the end. */
static uint32_t plain_sum(const uint8_t *p, uint32_t n, uint32_t sum)
{
	for (uint32_t i = 0; i + 1 < n; i += 2)
		sum += be16(p + i);
	if (n & 1)
		sum += (uint32_t)p[n - 1] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static void check_frame(const uint8_t *f, uint32_t size)
{
	const bool v6 = be16(f + 12) == ETHERTYPE_IPV6;
	const uint32_t l4 = v6 ? 54 : 34;
	const uint8_t proto = v6 ? f[20] : f[23];
	const uint32_t pseudo = plain_sum(v6 ? f + 22 : f + 26, v6 ? 32 : 8, proto + size - l4);

	if (v6) {
		cr_assert_eq(be16(f + 18), size - 54);
	} else {
		cr_assert_eq(be16(f + 16), size - 14);
		cr_assert_eq(plain_sum(f + 14, 20, 0), 0xffff);
	}
	if (proto == IPPROTO_UDP) {
		cr_assert_eq(be16(f + l4 + 4), size - l4);
		cr_assert_neq(be16(f + l4 + 6), 0);
	}
	cr_assert_eq(plain_sum(f + l4, size - l4, pseudo), 0xffff, "size %u %s %s", size,
		     v6 ? "IPv6" : "IPv4", proto == IPPROTO_UDP ? "UDP" : "TCP");
}

Test(gen_frames, checksums_of_every_kind_and_parity)
{
	static const uint32_t sizes[] = {98, 99, 100, 333, 1514};
	struct sl_gen_flow flow[64];
	static uint8_t frame[2048];
	struct sl_error err;

	for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		const struct gen_traffic t = traffic(64, 0.5, 0.5, sizes[i]);

		memset(frame, 0, sizeof(frame));
		cr_assert_eq(gen_flows_build(flow, &t, &err), 0);
		for (unsigned n = 0; n < 5000; n++) {
			gen_frame_write(frame, t.size, &flow[n % 64], n % 64, t.run,
					n * 0x123456789abcULL);
			check_frame(frame, t.size);
		}
	}
}

Test(gen_frames, the_least_size_holds_the_stamp)
{
	cr_assert_eq(traffic(1, 0, 0, 0).size, 66);
	cr_assert_eq(traffic(1, 0, 1, 0).size, 78);
	cr_assert_eq(traffic(1, 1, 0, 0).size, 86);
	cr_assert_eq(traffic(1, 0.1, 0.1, 0).size, 98);
	for (unsigned kind = 0; kind < 4; kind++) {
		const struct gen_traffic t = traffic(4, kind & 1, kind >> 1, 0);
		struct sl_gen_flow flow[4];
		uint8_t frame[98];
		struct sl_error err;

		cr_assert_eq(gen_flows_build(flow, &t, &err), 0);
		gen_frame_write(frame, t.size, &flow[3], 3, t.run, 12345);
		check_frame(frame, t.size);
	}
}

Test(gen_frames, stamps_count_and_carry)
{
	const struct gen_traffic t = traffic(10, 0, 0, 100);
	struct sl_gen_flow flow[10];
	uint8_t frame[100] = {0};
	uint64_t seq, time;
	struct sl_error err;
	uint32_t id;

	cr_assert_eq(gen_flows_build(flow, &t, &err), 0);
	for (unsigned i = 0; i < 3; i++) {
		gen_frame_write(frame, t.size, &flow[7], 7, t.run, 1000 + i);
		cr_assert(gen_stamp_read(frame, t.size, t.run, &id, &seq, &time));
		cr_assert_eq(id, 7);
		cr_assert_eq(seq, i);
		cr_assert_eq(time, 1000 + i);
	}
	cr_assert_not(gen_stamp_read(frame, t.size, t.run + 1, &id, &seq, &time));
	cr_assert_not(gen_stamp_read(frame, t.size - 1, t.run, &id, &seq, &time));
	cr_assert_not(gen_stamp_read(frame, 23, t.run, &id, &seq, &time));
}

static int compare_tuples(const void *a, const void *b)
{
	const struct sl_gen_flow *x = a, *y = b;

	/* From the ethertype to the ports; the IPv4 checksum follows from the rest. */
	return memcmp(x->headers + 12, y->headers + 12, 46);
}

Test(gen_frames, a_million_flows_are_a_million_tuples)
{
	const struct gen_traffic t = traffic(GEN_FLOWS_MAX, 0.25, 0.5, 0);
	struct sl_gen_flow *flow = calloc(GEN_FLOWS_MAX, sizeof(*flow));
	uint32_t v6 = 0, tcp = 0;
	struct sl_error err;

	cr_assert_not_null(flow);
	cr_assert_eq(gen_flows_build(flow, &t, &err), 0);
	for (uint32_t i = 0; i < GEN_FLOWS_MAX; i++) {
		v6 += be16(flow[i].headers + 12) == ETHERTYPE_IPV6;
		tcp += !flow[i].udp;
		cr_assert_eq(flow[i].queue, i % 3);
	}
	cr_assert_eq(v6, GEN_FLOWS_MAX / 4);
	cr_assert_eq(tcp, GEN_FLOWS_MAX / 2);
	qsort(flow, GEN_FLOWS_MAX, sizeof(*flow), compare_tuples);
	for (uint32_t i = 1; i < GEN_FLOWS_MAX; i++)
		cr_assert_neq(compare_tuples(&flow[i - 1], &flow[i]), 0);
	free(flow);
}

Test(gen_frames, small_pools_are_used_up_to_the_last_tuple)
{
	struct gen_traffic t = traffic(536 * 14, 0, 0, 0);
	struct sl_gen_flow flow[536 * 14 + 1];
	struct sl_error err;

	t.sport = 65000;
	cr_assert_eq(gen_pools_parse("src", "10.0.0.1", &t.src4, &t.src6, &err), 0);
	cr_assert_eq(gen_pools_parse("dst", "10.9.0.0/28", &t.dst4, &t.dst6, &err), 0);
	cr_assert_eq(gen_flows_build(flow, &t, &err), 0);
	qsort(flow, t.flows, sizeof(*flow), compare_tuples);
	for (uint32_t i = 1; i < t.flows; i++)
		cr_assert_neq(compare_tuples(&flow[i - 1], &flow[i]), 0);
	t.flows++;
	cr_assert_eq(gen_flows_build(flow, &t, &err), -ERANGE);
}

Test(gen_frames, pools_are_kept_to)
{
	struct gen_traffic t = traffic(200, 0, 0, 0);
	struct sl_gen_flow flow[200];
	struct sl_error err;

	cr_assert_eq(gen_pools_parse("src", "10.1.2.3/30", &t.src4, &t.src6, &err), 0);
	cr_assert_eq(gen_pools_parse("dst", "10.9.0.1", &t.dst4, &t.dst6, &err), 0);
	cr_assert_eq(gen_flows_build(flow, &t, &err), 0);
	for (unsigned i = 0; i < 200; i++) {
		const uint8_t *ip = flow[i].headers + 14;

		cr_assert(ip[12] == 10 && ip[13] == 1 && ip[14] == 2);
		cr_assert(ip[15] == 1 || ip[15] == 2);
		cr_assert_eq(memcmp(ip + 16, "\x0a\x09\x00\x01", 4), 0);
	}
	t.sport = 65500;
	cr_assert_eq(gen_flows_build(flow, &t, &err), -ERANGE);
	cr_assert_not_null(strstr(err.text, "--src"));
}

Test(gen_frames, bad_pools_are_named)
{
	struct gen_traffic t;
	struct sl_error err;
	static const char *const bad[] = {"10.0.0.0/33", "10.0.0/8",  "2001:db8::/129",
					  "/8",		 "10.0.0.0/", "10.0.0.0/8x",
					  "here"};

	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		cr_assert_eq(gen_pools_parse("src", bad[i], &t.src4, &t.src6, &err), -EINVAL, "%s",
			     bad[i]);
		cr_assert_not_null(strstr(err.text, "--src"));
	}
}

Test(gen_frames, shares_are_exact)
{
	for (unsigned s = 0; s <= 20; s++) {
		unsigned n = 0;

		for (unsigned i = 0; i < 1000; i++)
			n += gen_share_takes(s / 20.0, i);
		cr_assert_eq(n, s * 50, "share %g: %u of 1000", s / 20.0, n);
	}
}
