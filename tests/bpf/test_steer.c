// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The steering program over single packets: verdict, counters, stamp, and agreement with the same
 * code built for user space. What needs real sockets and traffic is tested end to end.
 */
#include <criterion/criterion.h>
#include <glob.h>

#include "control/toeplitz.h"
#include "pcap_file.h"
#include "rig.h"
#include "frames.h"

static struct rig *rig;

static void setup(void)
{
	const char *why = NULL;

	rig = rig_open(&why);
	if (!rig)
		cr_skip_test("%s", why);
	for (uint32_t w = 0; w < 4; w++)
		rig_fill_slot(rig, w);
}

static void teardown(void)
{
	if (rig)
		rig_close(rig);
}

TestSuite(steer, .init = setup, .fini = teardown);

static const struct fixture *fixture(const char *name)
{
	for (unsigned i = 0; i < FIXTURES; i++)
		if (!strcmp(fixtures[i].name, name))
			return &fixtures[i];
	cr_assert_fail("no fixture %s", name);
	return NULL;
}

static void run(const char *name, struct rig_run *out)
{
	struct frame f;

	fixture(name)->build(&f);
	cr_assert_eq(rig_run(rig, f.b, f.len, out), 0);
}

/* Every counter of `verdicts`. */
static void counts(uint64_t c[SL_STEER_COUNTS])
{
	for (uint32_t i = 0; i < SL_STEER_COUNTS; i++)
		c[i] = rig_count(rig, i);
}

/* Sum of bucket_stats of queue 0: the `seen` of the loss identity. */
static uint64_t seen(void)
{
	uint64_t sum = 0;

	for (uint32_t b = 0; b <= rig->control.bucket_mask; b++)
		sum += rig_stats(rig, b).packets;
	return sum;
}

Test(steer, every_fixture)
{
	for (unsigned i = 0; i < FIXTURES; i++) {
		const struct fixture *x = &fixtures[i];
		uint64_t before[SL_STEER_COUNTS], after[SL_STEER_COUNTS], had = seen();
		struct rig_run out;
		struct frame f;
		int reason;

		x->build(&f);
		counts(before);
		cr_expect(rig_agree(rig, f.b, f.len, &out, &reason), "%s: the builds differ",
			  x->name);
		counts(after);
		cr_expect_eq(reason, x->reason, "%s: %d, not %d", x->name, reason, x->reason);
		for (uint32_t c = 0; c < SL_STEER_COUNTS; c++) {
			bool counted = (int)c == x->reason ||
				       (c == SL_INFO_FRAGMENT && x->flags & SL_META_FRAGMENT) ||
				       (c == SL_INFO_ICMP_ERROR && x->flags & SL_META_ICMP_ERROR);

			cr_expect_eq(after[c] - before[c], counted, "%s: counter %u", x->name, c);
		}
		cr_expect_eq(seen() - had, x->reason == SL_PARSED, "%s", x->name);
		if (x->reason != SL_PARSED)
			continue;
		cr_expect_eq(out.meta.flags, x->flags, "%s: flags %x", x->name, out.meta.flags);
		cr_expect_eq(out.meta.l3_off, x->l3_off, "%s", x->name);
		cr_expect_eq(out.meta.l4_off, x->l4_off, "%s: l4 %u", x->name, out.meta.l4_off);
		cr_expect_eq(out.meta.proto, x->proto, "%s", x->name);
		cr_expect_eq(out.meta.vlans, x->vlans, "%s", x->name);
		cr_expect_eq(out.meta.epoch, rig->control.epoch, "%s", x->name);
	}
}

Test(steer, every_length_of_every_fixture)
{
	for (unsigned i = 0; i < FIXTURES; i++) {
		struct frame f;

		fixtures[i].build(&f);
		for (unsigned len = 14; len < f.len; len++) {
			struct rig_run out;
			int reason;

			cr_assert(rig_agree(rig, f.b, len, &out, &reason), "%s cut to %u",
				  fixtures[i].name, len);
			if (fixtures[i].reason == SL_PARSED && strcmp(fixtures[i].name, "padded4"))
				cr_assert_eq(reason, SL_PASS_TRUNCATED, "%s cut to %u",
					     fixtures[i].name, len);
		}
	}
}

Test(steer, both_directions_and_errors_share_a_bucket)
{
	static const char *const same[][2] = {
		{"udp4", "unreachable4"},
		{"tcp4", "exceeded4"},
		{"echo4", "reply4"},
		{"echo4", "quoted_echo4"},
		{"first4", "middle4"},
		{"first4", "last4"},
		{"first4", "quoted_fragment4"},
		{"udp4", "vlan4"},
		{"udp4", "options4"},
		{"udp6", "unreachable6"},
		{"udp6", "too_big6"},
		{"udp6", "chain6"},
		{"udp6", "atomic6"},
		{"first6", "last6"},
		{"first6", "quoted_fragment6"},
		{"tcp6", "vlan6"},
	};

	for (unsigned i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
		struct rig_run a, b;

		run(same[i][0], &a);
		run(same[i][1], &b);
		cr_expect_eq(a.meta.hash, b.meta.hash, "%s and %s", same[i][0], same[i][1]);
	}
}

Test(steer, packets_are_numbered_and_rows_obeyed)
{
	struct rig_run out;
	uint32_t bucket;

	run("udp4", &out);
	cr_assert_eq(out.meta.seq, 0);
	bucket = out.meta.bucket;
	for (uint32_t n = 1; n < 5; n++) {
		cr_assert_eq(rig_row(rig, bucket, (uint16_t)(n % 4)), 0);
		run("udp4", &out);
		cr_expect_eq(out.verdict, XDP_REDIRECT);
		cr_expect_eq(out.meta.seq, n);
	}
	cr_expect_eq(rig_stats(rig, bucket).packets, 5);
	cr_expect_eq(rig_stats(rig, bucket).bytes, 5 * out.len);

	/* worker 5 has no socket: the row decides, not the bucket */
	cr_assert_eq(rig_row(rig, bucket, 5), 0);
	run("udp4", &out);
	cr_expect_eq(out.verdict, XDP_PASS);
	cr_expect_eq(out.meta_len, 0, "the stamp comes off again");
	cr_expect_eq(rig_count(rig, SL_NO_SLOT), 1);
	cr_assert_eq(rig_row(rig, bucket, SL_MAX_WORKERS), 0);
	run("udp4", &out);
	cr_expect_eq(out.verdict, XDP_PASS);
	cr_expect_eq(out.meta_len, 0);
	cr_expect_eq(rig_count(rig, SL_BAD_ROW), 1);
	/* seen = redirected + no_slot + bad_row + stamp_error */
	cr_expect_eq(seen(), 5 + 1 + 1);
}

Test(steer, an_epoch_shows_in_the_next_stamp)
{
	struct rig_run out;

	rig->control.epoch = 0xfffffffe;
	rig_write_control(rig);
	run("tcp6", &out);
	cr_expect_eq(out.meta.epoch, 0xfffffffe);
}

Test(steer, foreign_metadata_is_replaced)
{
	static const char *const packets[] = {"udp4", "exceeded4"};

	for (unsigned i = 0; i < 2; i++)
		for (unsigned foreign = 4; foreign <= 64; foreign += 4) {
			struct rig_run clean, out;
			struct frame f;
			int rc;

			fixture(packets[i])->build(&f);
			cr_assert_eq(rig_run(rig, f.b, f.len, &clean), 0);
			rc = rig_run_foreign(rig, f.b, f.len, foreign, &out);
			if (rc == -EINVAL && foreign > 32)
				break; /* before 6.3 no driver has more than 32 bytes */
			cr_assert_eq(rc, 0);
			cr_expect_eq(out.verdict, XDP_REDIRECT);
			cr_assert_eq(out.meta_len, sizeof(struct sl_meta), "%u", foreign);
			clean.meta.seq++;
			cr_expect_eq(memcmp(&out.meta, &clean.meta, sizeof(out.meta)), 0);
			cr_expect_eq(memcmp(out.packet, f.b, f.len), 0);
		}
}

Test(steer, nothing_is_taken_before_it_is_configured)
{
	struct rig_run out;

	rig->control.flags = 0;
	rig_write_control(rig);
	run("udp4", &out);
	cr_expect_eq(out.verdict, XDP_PASS);
	cr_expect_eq(out.meta_len, 0);
	cr_expect_eq(rig_count(rig, SL_PASS_UNCONFIGURED), 1);
	cr_expect_eq(seen(), 0);
}

/* A dataplane that starts settles the counters: a packet counted meanwhile would look lost. */
Test(steer, nothing_is_taken_while_the_counters_settle)
{
	struct rig_run out;

	rig->control.flags = SL_CTL_READY | SL_CTL_HOLD;
	rig_write_control(rig);
	run("udp4", &out);
	cr_expect_eq(out.verdict, XDP_PASS);
	cr_expect_eq(seen(), 0);
	rig->control.flags = SL_CTL_READY;
	rig_write_control(rig);
	run("udp4", &out);
	cr_expect_eq(out.verdict, XDP_REDIRECT);
	cr_expect_eq(seen(), 1);
}

/* The same stamp as in metadata, in front of the same packet; off again where nobody takes it. */
Test(steer, an_inband_stamp)
{
	static const char *const packets[] = {"udp4", "tcp6", "exceeded4"};

	for (unsigned i = 0; i < 3; i++) {
		struct rig_run clean, out;
		struct frame f;

		rig->control.flags = SL_CTL_READY;
		rig_write_control(rig);
		fixture(packets[i])->build(&f);
		cr_assert_eq(rig_run(rig, f.b, f.len, &clean), 0);
		rig->control.flags = SL_CTL_READY | SL_CTL_INBAND;
		rig_write_control(rig);
		cr_assert_eq(rig_run(rig, f.b, f.len, &out), 0);
		cr_expect_eq(out.verdict, XDP_REDIRECT);
		cr_expect_eq(out.meta_len, 0);
		cr_assert_eq(out.len, f.len + sizeof(struct sl_meta));
		clean.meta.seq++;
		cr_expect_eq(memcmp(out.packet, &clean.meta, sizeof(clean.meta)), 0, "%s",
			     packets[i]);
		cr_expect_eq(memcmp(out.packet + sizeof(clean.meta), f.b, f.len), 0);

		cr_assert_eq(rig_row(rig, clean.meta.bucket, 5), 0);
		cr_assert_eq(rig_run(rig, f.b, f.len, &out), 0);
		cr_expect_eq(out.verdict, XDP_PASS);
		cr_assert_eq(out.len, f.len);
		cr_expect_eq(memcmp(out.packet, f.b, f.len), 0);
		cr_assert_eq(rig_row(rig, clean.meta.bucket, 0), 0);
	}
}

/* A queue that bucket_stats has no room for: 64 queues of 65,536 buckets are more than the default.
 */
Test(steer, buckets_beyond_the_map_pass)
{
	struct rig_run out;

	rig->control.bucket_mask = 0x1fffff;
	rig_write_control(rig);
	for (unsigned i = 0; i < 20 && !rig_count(rig, SL_PASS_UNCONFIGURED); i++)
		run(fixtures[i].name, &out);
	cr_expect_gt(rig_count(rig, SL_PASS_UNCONFIGURED), 0);
}

static void expect_rules(const char *const *rules, const char *name, bool taken)
{
	struct rig_run out;
	struct frame f;
	int reason;

	cr_assert_eq(rig_rules(rig, rules), 0);
	fixture(name)->build(&f);
	cr_expect(rig_agree(rig, f.b, f.len, &out, &reason), "%s, %s: the builds differ", rules[0],
		  name);
	cr_expect_eq(reason, taken ? SL_PARSED : SL_PASS_NO_MATCH, "%s, %s: %d", rules[0], name,
		     reason);
}

Test(steer, rules)
{
	static const struct {
		const char *rules[4], *name;
		bool taken;
	} cases[] = {
		{{"10.0.0.0/8"}, "udp4", true},
		{{"10.0.0.0/8"}, "unreachable4", true},
		{{"10.0.0.0/8"}, "udp6", false},
		{{"11.0.0.0/8"}, "udp4", false},
		{{"dst=10.0.0.0/8"}, "udp4", false},
		{{"dst=192.168.10.20", "all,pass"}, "udp4", true},
		{{"dst=192.168.10.21"}, "udp4", false},
		{{"src=10.1.2.0/24,dst=192.168.0.0/16"}, "first4", true},
		{{"0.0.0.0/0"}, "udp6", false},
		{{"0.0.0.0/0"}, "gre4", true},
		{{"2001:db8:1::/48"}, "udp6", true},
		{{"src=2001:db8:2::/48"}, "udp6", false},
		{{"dst=2001:db8:2::14"}, "chain6", true},
		{{"proto=tcp"}, "tcp4", true},
		{{"proto=tcp"}, "udp4", false},
		{{"proto=tcp"}, "exceeded4", true}, /* it quotes a TCP flow */
		{{"proto=icmp"}, "exceeded4", false},
		{{"proto=icmp"}, "short_quote4", true},
		{{"port=53"}, "udp4", true},
		{{"port=53"}, "udp6", true},
		{{"sport=53"}, "udp4", false},
		{{"dport=50-60"}, "qinq4", true},
		{{"dport=54-60"}, "udp4", false},
		{{"port=53"}, "first4", false}, /* all fragments alike */
		{{"port=53"}, "last4", false},
		{{"port=53"}, "unreachable4", true},
		{{"port=77"}, "echo4", false}, /* an identifier is no port */
		{{"port=53,pass", "10.0.0.0/8"}, "udp4", false},
		{{"port=443,pass", "port=54", "10.0.0.0/8"}, "udp4", true},
		{{"proto=esp"}, "esp4", true},
		{{"proto=47"}, "gre4", true},
	};

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		expect_rules(cases[i].rules, cases[i].name, cases[i].taken);
}

Test(steer, the_hosts_own_addresses_go_to_the_stack)
{
	static const char *const all[] = {"all", NULL};
	struct sl_addr a = {{[10] = 0xff, [11] = 0xff, 10, 1, 2, 3}}, b = {{0}};
	static const struct {
		const char *name;
		bool local;
	} cases[] = {
		{"udp4", false}, /* from it, not to it */
		{"reply4", true},	{"unreachable4", true}, /* to it, about a flow to another */
		{"short_quote4", true}, {"udp6", true},		{"unreachable6", false},
		{"last6", true},
	};

	memcpy(b.b, b6, 16);
	cr_assert_eq(rig_add_local(rig, &a), 0);
	cr_assert_eq(rig_add_local(rig, &b), 0);
	for (unsigned open = 0; open < 2; open++) {
		rig->control.flags = SL_CTL_READY | (open ? SL_CTL_LOCAL : 0);
		cr_assert_eq(rig_rules(rig, all), 0);
		for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
			struct rig_run out;
			struct frame f;
			int reason;

			fixture(cases[i].name)->build(&f);
			cr_expect(rig_agree(rig, f.b, f.len, &out, &reason), "%s", cases[i].name);
			cr_expect_eq(reason, cases[i].local && !open ? SL_PASS_LOCAL : SL_PARSED,
				     "%s: %d", cases[i].name, reason);
		}
	}
}

Test(steer, toeplitz)
{
	uint8_t key[SL_TOEPLITZ_KEY];
	uint32_t zero = 0;

	for (unsigned i = 0; i < sizeof(key); i++)
		key[i] = (uint8_t)(i * 37 + 11);
	sl_toeplitz_build(key, &rig->toeplitz);
	cr_assert_eq(bpf_map_update_elem(bpf_map__fd(rig->skel->maps.toeplitz), &zero,
					 &rig->toeplitz, 0),
		     0);
	rig->control.flags |= SL_CTL_TOEPLITZ;
	rig_write_control(rig);
	for (unsigned i = 0; i < FIXTURES; i++) {
		struct rig_run out;
		struct frame f;
		int reason;

		fixtures[i].build(&f);
		cr_expect(rig_agree(rig, f.b, f.len, &out, &reason), "%s", fixtures[i].name);
	}
}

/* What ip link and xdp-loader leave behind must be enough to find everything. */
Test(steer, every_map_is_among_the_programs)
{
	static const char *const names[] = {
		"indirection", "bucket_stats", "xsks",	      "owners",	  "workers",
		"bucket_cost", "control",      "grace",	      "moves",	  "drop_reasons",
		"toeplitz",    "match",	       "local_addrs", "verdicts", "steer_bp.rodata",
	};
	uint32_t ids[32], len = sizeof(struct bpf_prog_info);
	struct bpf_prog_info info = {.nr_map_ids = 32, .map_ids = (uintptr_t)ids};

	cr_assert_eq(bpf_obj_get_info_by_fd(rig->prog, &info, &len), 0);
	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		bool found = false;

		for (unsigned j = 0; j < info.nr_map_ids && !found; j++) {
			struct bpf_map_info map = {0};
			uint32_t map_len = sizeof(map);
			int fd = bpf_map_get_fd_by_id(ids[j]);

			cr_assert_geq(fd, 0);
			cr_assert_eq(bpf_obj_get_info_by_fd(fd, &map, &map_len), 0);
			found = !strcmp(map.name, names[i]);
			close(fd);
		}
		cr_expect(found, "%s", names[i]);
	}
	cr_expect_eq(rig->skel->rodata->sluice_abi, SL_ABI_VERSION);
}

Test(steer, captures, .timeout = 120)
{
	unsigned long packets = 0, taken = 0;
	glob_t found = {0};

	if (glob("../shared/data/captures/*.pcap", 0, NULL, &found))
		cr_skip_test("no captures beside the source tree");
	for (size_t i = 0; i < found.gl_pathc; i++) {
		static uint8_t data[RIG_MAX_FRAME];
		struct pcap_file pcap;
		unsigned len;

		cr_assert(pcap_file_open(&pcap, found.gl_pathv[i]), "%s", found.gl_pathv[i]);
		while ((len = pcap_file_next(&pcap, data, sizeof(data)))) {
			struct rig_run out;
			int reason;

			if (len < 14)
				continue;
			cr_assert(rig_agree(rig, data, len, &out, &reason), "%s, packet %lu",
				  found.gl_pathv[i], packets);
			packets++;
			taken += reason == SL_PARSED;
		}
		fclose(pcap.f);
	}
	globfree(&found);
	cr_expect_gt(taken, packets / 2);
}
