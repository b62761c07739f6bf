// SPDX-License-Identifier: GPL-2.0-or-later
/* nat44: what comes out, what comes back, checksums to the bit, and ports that run out. */
#include "nf/builtin.h"
#include "nf_rig.h"

#define HOST "10.1.0.5"
#define EXT "203.0.113.8"
#define WEB "192.0.2.9"
#define ROUTER "198.51.100.1"

enum { INSIDE = 0, OUTSIDE = 1 };
enum { NO_MAPPING = SL_DROP_NF, NO_PORT = SL_DROP_MORE, FRAGMENT, PROTOCOL };

static struct rig rig;

static void open_rig(void)
{
	cr_assert_eq(rig_open(&rig, &sl_nf_nat44, EXT), 0);
}

static void close_rig(void)
{
	rig_close(&rig);
}

TestSuite(nat44, .init = open_rig, .fini = close_rig);

static const uint8_t *ip_of(const struct frame *f)
{
	return f->b + ETH;
}

static void goes_out(struct frame *f)
{
	uint8_t ext[4];

	inet_pton(AF_INET, EXT, ext);
	cr_assert_eq(rig_send(&rig, f, INSIDE), SL_NEXT);
	cr_assert(!memcmp(ip_of(f) + 12, ext, 4), "source must be external");
	cr_assert(checks_hold(ip_of(f)));
}

/* The frame answers `f`: ends change sides. */
static void turn(struct frame *f, uint8_t *l4)
{
	uint8_t t[4];
	uint8_t *ip = f->b + ETH;

	memcpy(t, ip + 12, 4);
	memcpy(ip + 12, ip + 16, 4);
	memcpy(ip + 16, t, 4);
	if (ip[9] == 1) {
		l4[0] = l4[0] ? 0 : 8;
		fill_checks(ip);
		return;
	}
	memcpy(t, l4, 2);
	memcpy(l4, l4 + 2, 2);
	memcpy(l4 + 2, t, 2);
}

static void drops(struct frame *f, unsigned iface, unsigned reason)
{
	cr_assert_eq(rig_send(&rig, f, iface), SL_DROP);
	cr_assert_eq(f->pkt.reason, reason);
}

/* Out, answered, and back where it came from. */
static void round_trip(struct frame *f)
{
	struct frame before = *f;
	unsigned bucket;

	goes_out(f);
	bucket = f->meta.bucket;
	turn(f, f->b + ETH + 20);
	cr_assert_eq(rig_send(&rig, f, OUTSIDE), SL_NEXT);
	cr_assert_eq(f->meta.bucket, bucket, "the answer must come to the same shard");
	turn(&before, before.b + ETH + 20);
	cr_assert(!memcmp(f->b, before.b, f->pkt.len), "the answer is not as it should be");
}

Test(nat44, answers_come_back)
{
	struct frame f;

	for (unsigned i = 0; i < 3000; i++) {
		char host[16], web[16];
		uint64_t r = random64();

		snprintf(host, sizeof(host), "10.1.%u.%u", (unsigned)(r & 3),
			 (unsigned)(r >> 8 & 7));
		snprintf(web, sizeof(web), "192.0.2.%u", (unsigned)(r >> 16 & 255));
		if (i % 3 == 0)
			frame_udp(&f, host, 1 + (r >> 24) % 65535, web, 53, r >> 40 & 255);
		else if (i % 3 == 1)
			frame_tcp(&f, host, 1 + (r >> 24) % 65535, web, 443, F_ACK, 1, 1,
				  r >> 40 & 255);
		else
			frame_echo(&f, host, web, 8, r >> 24 & 0xffff, r >> 40 & 63);
		round_trip(&f);
	}
	cr_assert_gt(rig_number(&rig, "mappings"), 2000);
	cr_assert_eq(rig_number(&rig, "no_port"), 0);
}

Test(nat44, a_flow_keeps_its_port_and_flows_differ)
{
	struct frame f, g;
	unsigned port;

	frame_udp(&f, HOST, 1000, WEB, 53, 4);
	goes_out(&f);
	port = load16(ip_of(&f) + 20);
	frame_udp(&f, HOST, 1000, WEB, 53, 4);
	goes_out(&f);
	cr_assert_eq(load16(ip_of(&f) + 20), port);
	for (unsigned i = 0; i < 500; i++) {
		frame_udp(&g, HOST, 2000 + i, WEB, 53, 4);
		goes_out(&g);
		cr_assert_neq(load16(ip_of(&g) + 20), port, "two flows look the same outside");
	}
}

Test(nat44, checksums_that_were_wrong_stay_wrong_by_as_much)
{
	struct frame f;

	for (unsigned i = 0; i < 2000; i++) {
		unsigned wrong = 1 + random64() % 0xfffe;
		uint8_t *check;

		frame_tcp(&f, HOST, 5, WEB, 80, F_ACK, 1, 1, random64() % 40);
		check = check_of(f.b + ETH);
		store16(check, fold(load16(check) + wrong));
		cr_assert_eq(rig_send(&rig, &f, INSIDE), SL_NEXT);
		store16(check, fold(load16(check) + (uint16_t)~wrong));
		cr_assert(checks_hold(ip_of(&f)));
	}
}

Test(nat44, udp_without_checksum)
{
	struct frame f;

	frame_udp(&f, HOST, 5, WEB, 53, 10);
	store16(f.b + ETH + 26, 0);
	goes_out(&f);
	cr_assert_eq(load16(ip_of(&f) + 26), 0);
}

/* Checksums that become 0 are sent as 0xffff: all of the 16 bits are met here. */
Test(nat44, udp_checksums_of_every_value)
{
	for (unsigned i = 0; i < 65536; i++) {
		struct frame f;

		frame_udp(&f, HOST, 7, WEB, 53, 2);
		store16(f.b + ETH + 28, i);
		fill_checks(f.b + ETH);
		goes_out(&f);
		cr_assert_neq(load16(ip_of(&f) + 26), 0);
	}
}

Test(nat44, nobody_comes_in_unasked)
{
	struct frame f;

	frame_udp(&f, WEB, 53, EXT, 4000, 4);
	drops(&f, OUTSIDE, NO_MAPPING);
	frame_udp(&f, WEB, 53, HOST, 4000, 4); /* not even with the right address */
	drops(&f, OUTSIDE, NO_MAPPING);
	frame_udp(&f, HOST, 1000, WEB, 53, 4);
	goes_out(&f);
	turn(&f, f.b + ETH + 20);
	f.b[ETH + 15]++; /* from a neighbour of who was asked */
	drops(&f, OUTSIDE, NO_MAPPING);
	frame_udp(&f, HOST, 1000, EXT, 53, 4);
	drops(&f, INSIDE, NO_MAPPING);
	cr_assert_eq(rig_number(&rig, "made"), 1);
}

static void error_comes_back(struct frame *f, unsigned quote)
{
	struct frame original = *f, e, want;
	uint64_t flows;

	goes_out(f);
	flows = rig_flows(&rig);
	frame_error(&e, ROUTER, EXT, f, quote);
	cr_assert_eq(rig_send(&rig, &e, OUTSIDE), SL_NEXT);
	frame_error(&want, ROUTER, HOST, &original, quote);
	cr_assert(!memcmp(e.b, want.b, e.pkt.len), "an error about %u bytes is wrong", quote);
	cr_assert_eq(rig_flows(&rig), flows);
}

Test(nat44, errors_from_outside)
{
	struct frame f;

	for (unsigned i = 0; i < 200; i++) {
		frame_udp(&f, HOST, 3000 + i, WEB, 33434, 20);
		error_comes_back(&f, 20 + 8 + i % 20);
		frame_tcp(&f, HOST, 3000 + i, WEB, 80, F_SYN, (uint32_t)random64(), 0, 10);
		error_comes_back(&f, i & 1 ? 28 : 50);
		frame_echo(&f, HOST, WEB, 8, 3000 + i, 20);
		error_comes_back(&f, 36);
	}
	/* about nothing that is known */
	frame_udp(&f, EXT, 1, WEB, 2, 20);
	frame_error(&f, ROUTER, EXT, &(struct frame){.b = {[ETH] = 0x45}}, 28);
	drops(&f, OUTSIDE, PROTOCOL);
}

/* The inside host refuses an answer: who is outside must recognise what it sent. */
Test(nat44, errors_from_inside)
{
	struct frame f, in, e, want;

	frame_udp(&f, HOST, 3000, WEB, 53, 20);
	goes_out(&f);
	turn(&f, f.b + ETH + 20);
	in = f;
	cr_assert_eq(rig_send(&rig, &in, OUTSIDE), SL_NEXT);
	frame_error(&e, HOST, WEB, &in, 48);
	cr_assert_eq(rig_send(&rig, &e, INSIDE), SL_NEXT);
	frame_error(&want, EXT, WEB, &f, 48);
	cr_assert(!memcmp(e.b, want.b, e.pkt.len));
}

/* RFC 5508 REQ-9 */
Test(nat44, errors_do_not_prolong)
{
	struct frame f, e;

	frame_udp(&f, HOST, 3000, WEB, 53, 20);
	goes_out(&f);
	rig_pass(&rig, 29 * SEC);
	frame_error(&e, ROUTER, EXT, &f, 28);
	cr_assert_eq(rig_send(&rig, &e, OUTSIDE), SL_NEXT);
	rig_pass(&rig, 2 * SEC);
	cr_assert_eq(rig_number(&rig, "mappings"), 0);
}

Test(nat44, mappings_last_as_long_as_the_connection)
{
	struct frame f, answer;

	frame_tcp(&f, HOST, 3000, WEB, 80, F_SYN, 1, 0, 0);
	goes_out(&f);
	answer = f;
	turn(&answer, answer.b + ETH + 20);
	answer.b[ETH + 20 + 13] = F_SYN | F_ACK;
	store16(answer.b + ETH + 20 + 10, 2);
	cr_assert_eq(rig_send(&rig, &answer, OUTSIDE), SL_NEXT);
	frame_tcp(&f, HOST, 3000, WEB, 80, F_ACK, 2, 1, 0);
	goes_out(&f);
	cr_assert_eq(rig_number(&rig, "states.established"), 1);
	turn(&f, f.b + ETH + 20);
	/* silent for two hours, then only the outside speaks, for a day */
	for (unsigned i = 0; i < 12; i++) {
		answer = f;
		rig_pass(&rig, 7400 * SEC);
		cr_assert_eq(rig_send(&rig, &answer, OUTSIDE), SL_NEXT);
	}
	/* and then only the inside */
	for (unsigned i = 0; i < 12; i++) {
		rig_pass(&rig, 7400 * SEC);
		frame_tcp(&answer, HOST, 3000, WEB, 80, F_ACK, 2, 1, 0);
		goes_out(&answer);
	}
	answer = f;
	cr_assert_eq(rig_send(&rig, &answer, OUTSIDE), SL_NEXT);
	rig_pass(&rig, 7441 * SEC);
	answer = f;
	drops(&answer, OUTSIDE, NO_MAPPING);
	rig_pass(&rig, 9301 * SEC);
	cr_assert_eq(rig_flows(&rig), 0);
}

Test(nat44, what_it_cannot_translate)
{
	struct frame f;

	frame_udp(&f, HOST, 1, WEB, 2, 30);
	f.b[ETH + 6] = 0x20;
	drops(&f, INSIDE, FRAGMENT);
	frame_ip(&f, HOST, WEB, 132, 40);
	drops(&f, INSIDE, PROTOCOL);
	frame_ip(&f, HOST, WEB, 50, 40);
	drops(&f, INSIDE, PROTOCOL);
	frame_echo(&f, HOST, WEB, 13, 1, 12);
	drops(&f, INSIDE, PROTOCOL);
	cr_assert_eq(rig_flows(&rig), 0);
}

/* Every port of the pool for one remote end is used before one is refused, and is free again. */
Test(nat44_ports, all_are_used_then_none_is_left)
{
	unsigned char seen[65536] = {0};
	unsigned made = 0, refused = 0;
	struct frame f;

	cr_assert_eq(rig_open(&rig, &sl_nf_nat44, EXT ":ports=5000-5999"), 0);
	for (unsigned i = 0; i < 20000; i++) {
		unsigned port;

		frame_udp(&f, HOST, 1024 + i, WEB, 53, 4);
		if (rig_send(&rig, &f, INSIDE) == SL_DROP) {
			cr_assert_eq(f.pkt.reason, NO_PORT);
			refused++;
			continue;
		}
		port = load16(ip_of(&f) + 20);
		cr_assert(port >= 5000 && port <= 5999 && !seen[port]);
		seen[port] = 1;
		made++;
	}
	cr_assert_eq(made, 1000);
	cr_assert_eq(rig_number(&rig, "no_port"), refused);
	cr_assert_eq(rig_number(&rig, "mappings"), 1000);
	/* another remote end has all of them anew, and asking has prolonged nothing */
	frame_udp(&f, HOST, 1024, "192.0.2.10", 53, 4);
	goes_out(&f);
	rig_pass(&rig, 31 * SEC);
	cr_assert_eq(rig_number(&rig, "mappings"), 0);
	frame_udp(&f, HOST, 1, WEB, 53, 4);
	goes_out(&f);
	rig_close(&rig);
}

Test(nat44_ports, outer_entries_left_behind_are_taken_over)
{
	struct frame f;

	cr_assert_eq(rig_open(&rig, &sl_nf_nat44, EXT ":ports=5000-5127"), 0);
	for (unsigned round = 0; round < 20; round++) {
		for (unsigned i = 0; i < 2000; i++) {
			frame_udp(&f, HOST, 1024 + i + 2000 * round, WEB, 53, 4);
			rig_send(&rig, &f, INSIDE);
		}
		cr_assert_eq(rig_number(&rig, "mappings"), 128);
		rig_pass(&rig, 30 * SEC + (4ull << 21)); /* outer entries last a little longer */
	}
	rig_close(&rig);
}

Test(nat44_ports, an_inside_host_has_one_address_while_it_has_ports)
{
	uint8_t first[4] = {0};

	cr_assert_eq(rig_open(&rig, &sl_nf_nat44, "203.0.113.0/29"), 0);
	for (unsigned i = 0; i < 200; i++) {
		struct frame f;

		frame_udp(&f, HOST, 1024 + i, WEB, 53, 4);
		cr_assert_eq(rig_send(&rig, &f, INSIDE), SL_NEXT);
		if (!i)
			memcpy(first, ip_of(&f) + 12, 4);
		cr_assert(!memcmp(ip_of(&f) + 12, first, 4));
	}
	rig_close(&rig);
}

/* With no room for flows nothing is made, nothing half made stays for good. */
Test(nat44_ports, memory_runs_out)
{
	unsigned refused = 0;

	cr_assert_eq(rig_open(&rig, &sl_nf_nat44, EXT), 0);
	rig.budget.limit = 200000;
	for (unsigned i = 0; i < 5000; i++) {
		struct frame f;

		frame_udp(&f, HOST, 1024 + i, WEB, 53, 4);
		if (rig_send(&rig, &f, INSIDE) == SL_DROP) {
			cr_assert_eq(f.pkt.reason, SL_DROP_STATE);
			refused++;
		}
	}
	cr_assert_gt(refused, 1000);
	cr_assert_eq(rig_number(&rig, "made"), 5000 - refused);
	rig_pass(&rig, 9400 * SEC);
	cr_assert_eq(rig_flows(&rig), 0);
	rig_close(&rig);
}

/* What evicts mappings must not mix them up: an answer reaches who asked, or nobody. */
Test(nat44_ports, eviction)
{
	cr_assert_eq(rig_open(&rig, &sl_nf_nat44, EXT), 0);
	rig.budget.limit = 100000;
	rig.budget.policy = SL_FLOW_EVICT;
	for (unsigned i = 0; i < 20000; i++) {
		unsigned port = 1024 + (unsigned)(random64() % 3000);
		struct frame f;

		frame_udp(&f, HOST, port, WEB, 53, 4);
		if (rig_send(&rig, &f, INSIDE) != SL_NEXT)
			continue;
		turn(&f, f.b + ETH + 20);
		if (rig_send(&rig, &f, OUTSIDE) == SL_NEXT)
			cr_assert_eq(load16(ip_of(&f) + 22), port);
	}
	rig_close(&rig);
}

Test(nat44_arguments, are_refused_in_one_line)
{
	static const char *const wrong[] = {"",
					    "1.2.3",
					    "203.0.113.8/23",
					    "203.0.113.8/33",
					    "203.0.113.8:x",
					    "1.2.3.4:ports=5",
					    "1.2.3.4/",
					    "1.2.3.4:ports=0-9",
					    "1.2.3.4:ports=9-5",
					    "::1",
					    "1.2.3.4:ports=1-65536"};

	for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		cr_assert_eq(rig_open(&rig, &sl_nf_nat44, wrong[i]), -EINVAL, "%s", wrong[i]);
		cr_assert(rig.error[0] && !strchr(rig.error, '\n'));
	}
}

Test(nat44_arguments, a_hash_that_is_not_symmetric_is_refused)
{
	cr_assert_eq(rig_open(&rig, &sl_nf_nat44, EXT), 0);
	rig.host.symmetric = false;
	cr_assert_eq(sl_nf_nat44.start(rig.self, &rig.host, rig.error, sizeof(rig.error)), -EINVAL);
	cr_assert(strstr(rig.error, "--hash symmetric"));
	rig_close(&rig);
}
