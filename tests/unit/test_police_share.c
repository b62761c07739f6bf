// SPDX-License-Identifier: GPL-2.0-or-later
/* police: which packets it counts, and who shares a bucket; what its words may be. */
#include "police_rig.h"

static bool passes(const char *src, unsigned sport, unsigned frame)
{
	struct frame f;

	frame_udp(&f, src, sport, B, 80, frame - 42);
	rig_send(&rig, &f, 0);
	return passed(&f);
}

static bool passes6(const char *src, unsigned sport)
{
	struct frame f;

	frame_udp6(&f, src, sport, "2001:db8:ffff::9", 80, 20);
	rig_send(&rig, &f, 0);
	return passed(&f);
}

Test(police_share, a_burst_and_then_the_rate)
{
	unsigned n = 0;

	open_rig("10pps:burst=7");
	while (passes(A, 1, 60))
		n++;
	cr_assert_eq(n, 7);
	rig.now += SEC / 10 - 1000;
	cr_assert_not(passes(A, 1, 60));
	rig.now += 2000;
	cr_assert(passes(A, 1, 60));
	cr_assert_not(passes(A, 1, 60));
	rig.now += 50 * SEC;
	for (n = 0; passes(A, 1, 60);)
		n++;
	cr_assert_eq(n, 7, "a long pause saves up no more than a burst");
	cr_assert(passes(A, 2, 60), "others have their own");
	rig_close(&rig);
}

Test(police_share, both_directions_have_their_own)
{
	struct frame f;

	open_rig("1pps:burst=1:per=flow");
	cr_assert(passes(A, 1, 60));
	cr_assert_not(passes(A, 1, 60));
	frame_udp(&f, B, 80, A, 1, 20);
	cr_assert_eq(rig_send(&rig, &f, 1), SL_NEXT);
	cr_assert_eq(rig_send(&rig, &f, 1), SL_DROP);
	cr_assert_eq(rig_flows(&rig), 1);
	rig_close(&rig);
}

Test(police_share, a_prefix_has_one_rate_for_all)
{
	unsigned n = 0;

	open_rig("100pps:burst=10:src=10.1.0.0/16:per=all");
	for (unsigned i = 0; i < 1000; i++)
		n += passes(i & 1 ? "10.1.3.4" : "10.1.200.4", i, 60);
	cr_assert_eq(n, 10);
	for (unsigned i = 0; i < 100; i++)
		cr_assert(passes("10.2.0.1", i, 60), "outside the prefix");
	cr_assert_eq(rig_number(&rig, "dropped_packets"), 990);
	cr_assert_eq(rig_number(&rig, "passed_packets"), 10);
	cr_assert_eq(rig_flows(&rig), 0);
	rig_close(&rig);
}

Test(police_share, each_prefix_of_a_length_has_its_own)
{
	char src[32];

	open_rig("1pps:burst=3:src=10.0.0.0/8:per=src/24");
	for (unsigned i = 0; i < 65536; i += 257) {
		snprintf(src, sizeof(src), "10.%u.%u.", i >> 8, i & 255);
		for (unsigned n = 0; n < 5; n++) {
			snprintf(strrchr(src, '.') + 1, 4, "%u", n * 60);
			cr_assert_eq(passes(src, n, 60), n < 3, "%s", src);
		}
	}
	cr_assert(passes("11.0.0.1", 1, 60));
	rig_close(&rig);
	open_rig("1pps:burst=1:src=2001:db8::/48:per=src/64");
	for (unsigned i = 0; i < 65536; i += 255) {
		snprintf(src, sizeof(src), "2001:db8:0:%x::", i);
		cr_assert(passes6(src, 1));
		cr_assert_not(passes6(strcat(src, "1:5"), 2));
	}
	cr_assert(passes6("2001:db8:1:7::1", 1));
	cr_assert(passes6("2001:db8:1:7::1", 1));
	rig_close(&rig);
}

Test(police_share, who_was_limited_is_named)
{
	json_t *all, *one;

	open_rig("1pps:burst=1:src=2001:db8::/32:per=src/48");
	for (unsigned i = 0; i < 3; i++)
		passes6("2001:db8:1::1", i);
	for (unsigned i = 0; i < 7; i++)
		passes6("2001:db8:ab::1", i);
	passes6("2001:db8:2::1", 1);
	all = rig_show(&rig);
	cr_assert_eq(json_array_size(json_object_get(all, "limited")), 2);
	one = json_array_get(json_object_get(all, "limited"), 0);
	cr_assert_str_eq(json_string_value(json_object_get(one, "prefix")), "2001:db8:ab::/48");
	cr_assert_eq(json_integer_value(json_object_get(one, "dropped_packets")), 6);
	cr_assert_eq(json_integer_value(json_object_get(one, "dropped_bytes")), 6 * 82);
	cr_assert_eq(json_integer_value(json_object_get(one, "passed_bytes")), 82);
	one = json_array_get(json_object_get(all, "limited"), 1);
	cr_assert_str_eq(json_string_value(json_object_get(one, "prefix")), "2001:db8:1::/48");
	cr_assert_str_eq(json_string_value(json_object_get(all, "per")), "src/48");
	cr_assert_str_eq(json_string_value(json_object_get(all, "src")), "2001:db8::/32");
	json_decref(all);
	rig_close(&rig);
}

Test(police_share, which_packets)
{
	static const struct {
		const char *args;
		bool v4, v6;
	} cases[] = {{"1pps:burst=1", true, true},
		     {"1pps:burst=1:per=all", true, true},
		     {"1pps:burst=1:dst=192.0.2.9", true, false},
		     {"1pps:burst=1:dst=192.0.2.9:src=10.0.0.0/8", true, false},
		     {"1pps:burst=1:dst=192.0.2.9:src=10.0.0.0/16", false, false},
		     {"1pps:burst=1:src=192.0.2.9", false, false},
		     {"1pps:burst=1:dst=192.0.2.9/32:per=dst/32", true, false},
		     {"1pps:burst=1:src=0.0.0.0/0", true, false},
		     {"1pps:burst=1:src=::/0:per=all", false, true},
		     {"1pps:per=src/128:burst=1:src=2001:db8::1", false, true},
		     {"1pps:burst=1:dst=2001:db8:fff0::/44:per=dst/48", false, true}};

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		open_rig(cases[i].args);
		cr_assert(passes(A, 1, 60));
		cr_assert_eq(passes(A, 1, 60), !cases[i].v4, "%s", cases[i].args);
		rig_close(&rig);
		open_rig(cases[i].args);
		cr_assert(passes6("2001:db8::1", 1));
		cr_assert_eq(passes6("2001:db8::1", 1), !cases[i].v6, "%s", cases[i].args);
		rig_close(&rig);
	}
}

/* The upper half of the rig's shards as parts of split buckets. */
Test(police_share, parts_are_counted_too)
{
	unsigned sent = 0;

	open_rig("1pps:burst=1");
	rig.host.buckets = RIG_BUCKETS / 2;
	for (unsigned port = 1; port <= 1000; port++)
		sent += passes(A, port, 60) + !passes(A, port, 60);
	cr_assert_eq(sent, 2000);
	cr_assert_eq(rig_number(&rig, "passed_packets"), 1000);
	cr_assert_eq(rig_number(&rig, "dropped_packets"), 1000);
	cr_assert(sl_nf_police.divisible);
	rig_close(&rig);
}

Test(police_share, no_room_for_a_flow)
{
	open_rig("1pps:burst=1");
	rig.budget.limit = 1;
	cr_assert(passes(A, 1, 60));
	cr_assert(passes(A, 1, 60));
	cr_assert_eq(rig_number(&rig, "unpoliced_packets"), 2);
	cr_assert_eq(rig_number(&rig, "passed_packets"), 0);
	rig_close(&rig);
}

Test(police_share, arguments)
{
	static const char *const wrong[] = {
		"",
		"10",
		"10Mbyte",
		"10e3bit",
		"-1pps",
		"0pps",
		"999bit",
		"9000Gbit",
		"10pps:x",
		"10pps:burst=",
		"10pps:burst=0",
		"10Mbit:burst=1000",
		"1pps:burst=61",
		"10pps:src=10.0.0.0/33",
		"10pps:src=10.0.0.1/8",
		"10pps:src=10.0.0",
		"10pps:dst=::1/129",
		"10pps:dst=::1/",
		"10pps:per=",
		"10pps:per=src/24",
		"10pps:dst=10.0.0.0/8:per=src/24",
		"10pps:src=10.0.0.0/8:per=src/25",
		"10pps:src=10.0.0.0/8:per=src/7",
		"10pps:src=10.0.0.0/30:per=src/33",
		"10pps:src=2001:db8::/32:per=src/64",
	};

	for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		cr_assert_eq(rig_open(&rig, &sl_nf_police, wrong[i]), -EINVAL, "%s", wrong[i]);
		cr_assert(rig.error[0] && !strchr(rig.error, '\n'));
	}
	open_rig("100Gbit");
	cr_assert_eq(rig_number(&rig, "rate"), 100000000000);
	cr_assert_eq(rig_number(&rig, "burst"), 1250000000);
	rig_close(&rig);
	open_rig("64kbit");
	cr_assert_eq(rig_number(&rig, "burst"), 15140);
	rig_close(&rig);
	open_rig("1.5kpps:burst=2k:per=flow");
	cr_assert_eq(rig_number(&rig, "rate"), 1500);
	cr_assert_eq(rig_number(&rig, "burst"), 2000);
	rig_close(&rig);
}
