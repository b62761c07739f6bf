// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Mode stack's drain rule in XDP: which worker's CPU a packet is sent to while its bucket's row
 * says another one. The test plays the CPUs' threads (sluice_up cannot be run by itself): it writes
 * what they note of the packets that they took.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <sluice/maps.h>

#include "control/hash_key.h"
#include "control/match.h"
#include "frames.h"
#include "stack.skel.h"

#define BUCKETS 1 /* so that every packet is of bucket 0 */
#define WENT_UP -1
#define LONG_AGO 0
#define NOT_YET (1ULL << 62) /* jiffies that this machine will not see */

static struct stack_bpf *skel;
static struct sl_control control;

static int silent(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	return level == LIBBPF_WARN && getenv("RIG_VERBOSE") ? vfprintf(stderr, fmt, ap) : 0;
}

static void put(struct bpf_map *map, uint32_t key, const void *value)
{
	cr_assert_eq(bpf_map_update_elem(bpf_map__fd(map), &key, value, 0), 0, "%s: %s",
		     bpf_map__name(map), strerror(errno));
}

static void row(uint16_t worker)
{
	const struct sl_row r = {.worker = worker};

	put(skel->maps.indirection, 0, &r);
}

static void match_all(void)
{
	struct sl_match match;
	struct sl_rule rule;
	char err[256] = "";

	cr_assert_eq(sl_rule_parse("all", &rule, err, sizeof(err)), 0, "%s", err);
	cr_assert_eq(sl_match_compile(&rule, 1, NULL, 0, &match, err, sizeof(err)), 0, "%s", err);
	put(skel->maps.match, 0, &match);
}

/* Two workers, each at a CPU whose queue exists. */
static void setup(void)
{
	uint8_t seed[SL_HASH_SEED] = "a seed as good as every other";

	libbpf_set_print(silent);
	skel = stack_bpf__open();
	cr_assert_not_null(skel);
	skel->rodata->hold_jiffies = 2;
	bpf_map__set_max_entries(skel->maps.stack, BUCKETS);
	bpf_map__set_max_entries(skel->maps.cpus, (uint32_t)libbpf_num_possible_cpus());
	if (stack_bpf__load(skel))
		cr_skip_test("cannot load BPF programs here: no privilege?");
	sl_hash_key_init(control.hash_key, seed);
	control.flags = SL_CTL_READY;
	control.bucket_mask = BUCKETS - 1;
	put(skel->maps.control, 0, &control);
	match_all();
	for (uint32_t i = 0; i < 2; i++) {
		const uint32_t cpu = i % (uint32_t)libbpf_num_possible_cpus();
		const struct sl_cpu_slot slot = {.size = 64};
		const struct sl_worker w = {.cpu = (int)cpu};

		put(skel->maps.workers, i, &w);
		put(skel->maps.cpus, cpu, &slot);
	}
	row(0);
}

static void teardown(void)
{
	stack_bpf__destroy(skel);
}

TestSuite(stack, .init = setup, .fini = teardown);

static struct sl_stack state(void)
{
	struct sl_stack s;
	uint32_t zero = 0;

	cr_assert_eq(bpf_map_lookup_elem(bpf_map__fd(skel->maps.stack), &zero, &s), 0);
	return s;
}

/* A packet of the bucket. The worker whose CPU gets it, or WENT_UP. */
static int arrives(void)
{
	uint8_t back[512];
	struct xdp_md in = {0}, out = {0};
	struct sl_stack_stamp stamp;
	struct frame f;
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_out = back, .data_size_out = sizeof(back),
		    .ctx_in = &in, .ctx_size_in = sizeof(in), .ctx_out = &out,
		    .ctx_size_out = sizeof(out), .repeat = 1);

	fixtures[0].build(&f);
	opts.data_in = f.b;
	opts.data_size_in = in.data_end = f.len;
	cr_assert_eq(bpf_prog_test_run_opts(bpf_program__fd(skel->progs.sluice_steer), &opts), 0);
	if (opts.retval == XDP_PASS) {
		cr_expect_eq(out.data, 0, "no stamp is left on it");
		return WENT_UP;
	}
	cr_assert_eq(opts.retval, XDP_REDIRECT);
	cr_assert_eq(out.data, sizeof(stamp));
	memcpy(&stamp, back, sizeof(stamp));
	cr_expect_eq(stamp.magic, SL_STACK_MAGIC);
	cr_expect_eq(stamp.number + 1, state().sent);
	return (int)stamp.worker;
}

/* What sluice_up notes: the bucket's packet before number `done` was taken, at that moment. */
static void took(uint32_t done, uint64_t frame, uint64_t jiffies, uint32_t settled)
{
	struct sl_stack s = state();

	s.done = done;
	s.frame = frame;
	s.jiffies = jiffies;
	s.settled = settled;
	put(skel->maps.stack, 0, &s);
}

/* So many packets has worker 0's thread taken by now, of whatever bucket. */
static void thread_at(uint64_t packets)
{
	const struct sl_worker w = {.rx_packets = packets};

	put(skel->maps.workers, 0, &w);
}

static void settled(uint32_t n)
{
	control.settled = n;
	put(skel->maps.control, 0, &control);
}

Test(stack, a_bucket_that_had_no_packet_follows_its_row)
{
	row(1);
	cr_expect_eq(arrives(), 1);
	cr_expect_eq(arrives(), 1);
}

Test(stack, packets_still_in_the_queue_keep_the_bucket)
{
	cr_expect_eq(arrives(), 0);
	cr_expect_eq(arrives(), 0);
	row(1);
	took(1, 1, LONG_AGO, 0); /* the first of two */
	thread_at(1000);
	settled(1000);
	cr_expect_eq(arrives(), 0, "nothing else may say that it is drained");
	row(0);
	cr_expect_eq(arrives(), 0);
}

Test(stack, the_batch_of_the_last_one_must_be_over)
{
	cr_expect_eq(arrives(), 0);
	row(1);
	took(1, 500, LONG_AGO, 7);
	settled(7);
	thread_at(500 + SL_CPUMAP_BATCH - 1);
	cr_expect_eq(arrives(), 0, "one batch may hold the last packet and seven more");
	took(2, 501, LONG_AGO, 7);
	thread_at(501 + SL_CPUMAP_BATCH);
	cr_expect_eq(arrives(), 1);
	cr_expect_eq(arrives(), 1);
}

Test(stack, gro_may_hold_it_for_two_ticks)
{
	cr_expect_eq(arrives(), 0);
	row(1);
	took(1, 500, NOT_YET, 0);
	thread_at(10000);
	cr_expect_eq(arrives(), 0);
	took(2, 501, LONG_AGO, 0);
	cr_expect_eq(arrives(), 1);
}

/* One grace period may have begun before the packet was taken; the second one has not. */
Test(stack, two_grace_periods_do_where_nothing_follows)
{
	cr_expect_eq(arrives(), 0);
	row(1);
	took(1, 500, NOT_YET, UINT32_MAX);
	thread_at(500);
	settled(UINT32_MAX);
	cr_expect_eq(arrives(), 0);
	took(2, 501, NOT_YET, UINT32_MAX);
	settled(0);
	cr_expect_eq(arrives(), 0, "one");
	took(3, 502, NOT_YET, UINT32_MAX);
	settled(1);
	cr_expect_eq(arrives(), 1, "two, and the counter has come round");
}

Test(stack, numbers_come_round)
{
	struct sl_stack s = {.worker = 1, .sent = UINT32_MAX};

	put(skel->maps.stack, 0, &s);
	cr_expect_eq(arrives(), 0);
	cr_expect_eq(state().sent, 0);
	s = state();
	s.done = 1ULL << 32; /* 1 + the number */
	put(skel->maps.stack, 0, &s);
	row(1);
	settled(2);
	cr_expect_eq(arrives(), 1);
}

Test(stack, where_the_cpu_has_no_queue_the_packet_goes_up_here)
{
	const struct sl_worker gone = {.cpu = libbpf_num_possible_cpus()};

	cr_expect_eq(arrives(), 0);
	put(skel->maps.workers, 0, &gone);
	cr_expect_eq(arrives(), WENT_UP);
	row(1);
	cr_expect_eq(arrives(), 1, "nothing to wait for any more");
}
