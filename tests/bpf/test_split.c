// SPDX-License-Identifier: GPL-2.0-or-later
/* A bucket whose row leads to parts: which part, its stamp, its counters, and what is not a part.
 */
#include <criterion/criterion.h>

#include "frames.h"
#include "rig.h"

#define FIRST SL_DEFAULT_BUCKETS
#define FLOWS 256

static struct rig *rig;

static void setup(void)
{
	const char *why;

	rig = rig_open(&why);
	if (!rig)
		cr_skip("%s", why);
}

static void teardown(void)
{
	rig_close(rig);
}

TestSuite(split, .init = setup, .fini = teardown);

/* An UDP packet of flow `n`. */
static void flow(struct frame *f, uint16_t n)
{
	for (unsigned i = 0; i < FIXTURES; i++)
		if (!strcmp(fixtures[i].name, "udp4"))
			fixtures[i].build(f);
	memcpy(f->b + 34, &(uint16_t){__builtin_bswap16((uint16_t)(1024 + n))}, 2);
}

static void run(uint16_t n, struct rig_run *out)
{
	struct frame f;

	flow(&f, n);
	cr_assert_eq(rig_run(rig, f.b, f.len, out), 0);
}

static uint32_t part_of(uint32_t hash, unsigned split)
{
	return FIRST + split * SL_SPLIT_PARTS + (hash >> 28);
}

/* The rows of a split, all to one worker. */
static void parts_to(unsigned split, unsigned worker)
{
	for (unsigned i = 0; i < SL_SPLIT_PARTS; i++)
		cr_assert_eq(rig_row(rig, FIRST + split * SL_SPLIT_PARTS + i, worker), 0);
}

Test(split, packets_go_to_the_part_of_their_hash)
{
	uint64_t hit = 0;

	parts_to(5, 0);
	for (uint16_t n = 0; n < FLOWS; n++) {
		struct rig_run before, out;
		struct sl_bucket_stats whole, part;
		uint32_t p;

		run(n, &before);
		cr_assert_eq(before.verdict, XDP_REDIRECT);
		cr_assert_lt(before.meta.bucket, SL_DEFAULT_BUCKETS);
		p = part_of(before.meta.hash, 5);
		whole = rig_stats(rig, before.meta.bucket);
		part = rig_stats(rig, p);
		cr_assert_eq(rig_row(rig, before.meta.bucket, SL_TO_PARTS + 5), 0);
		run(n, &out);
		cr_assert_eq(out.verdict, XDP_REDIRECT);
		cr_expect_eq(out.meta.bucket, p);
		cr_expect_eq(out.meta.seq, (uint32_t)part.packets, "the part's number");
		cr_expect_eq(out.meta.epoch, rig->control.epoch);
		cr_expect_eq(rig_stats(rig, before.meta.bucket).packets, whole.packets + 1);
		cr_expect_eq(rig_stats(rig, p).packets, part.packets + 1);
		cr_expect_eq(rig_stats(rig, p).bytes - part.bytes, out.len);
		out.meta.bucket = before.meta.bucket;
		out.meta.seq = before.meta.seq;
		cr_expect_eq(memcmp(&out.meta, &before.meta, sizeof(out.meta)), 0);
		cr_assert_eq(rig_row(rig, before.meta.bucket, 0), 0);
		hit |= 1ull << (before.meta.hash >> 28);
	}
	cr_expect_eq(hit, 0xffff, "every part has its share of %d flows", FLOWS);
}

Test(split, the_last_split_ends_where_the_table_does)
{
	struct rig_run out;

	run(0, &out);
	parts_to(SL_SPLITS - 1, 0);
	cr_assert_eq(rig_row(rig, out.meta.bucket, SL_TO_PARTS + SL_SPLITS - 1), 0);
	run(0, &out);
	cr_expect_eq(out.verdict, XDP_REDIRECT);
	cr_expect_lt(out.meta.bucket, FIRST + SL_PARTS);
}

Test(split, what_is_no_part_takes_the_fallback)
{
	static const unsigned bad[] = {SL_MAX_WORKERS, SL_TO_PARTS - 1, SL_TO_PARTS + SL_SPLITS,
				       SL_TO_NONE};
	struct rig_run out;
	uint32_t bucket, p;

	run(0, &out);
	bucket = out.meta.bucket;
	p = part_of(out.meta.hash, 0);
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		cr_assert_eq(rig_row(rig, bucket, bad[i]), 0);
		run(0, &out);
		cr_expect_eq(out.verdict, XDP_PASS);
		cr_expect_eq(out.meta_len, 0);
		cr_expect_eq(rig_count(rig, SL_BAD_ROW), i + 1);
	}
	/* parts have no parts, and a free one leads nowhere */
	cr_assert_eq(rig_row(rig, bucket, SL_TO_PARTS), 0);
	cr_assert_eq(rig_row(rig, p, SL_TO_PARTS + 1), 0);
	run(0, &out);
	cr_expect_eq(out.verdict, XDP_PASS);
	cr_assert_eq(rig_row(rig, p, 5), 0);
	run(0, &out);
	cr_expect_eq(out.verdict, XDP_PASS);
	cr_expect_eq(out.meta_len, 0, "the stamp is off again");
	cr_expect_eq(rig_count(rig, SL_NO_SLOT), 1);
}

Test(split, inband_stamps_name_the_part_too)
{
	struct sl_meta meta;
	struct rig_run out;
	uint32_t bucket;

	run(0, &out);
	bucket = out.meta.bucket;
	parts_to(2, 0);
	cr_assert_eq(rig_row(rig, bucket, SL_TO_PARTS + 2), 0);
	rig->control.flags |= SL_CTL_INBAND;
	rig_write_control(rig);
	run(0, &out);
	cr_assert_eq(out.verdict, XDP_REDIRECT);
	memcpy(&meta, out.packet, sizeof(meta));
	cr_expect_eq(meta.magic, SL_META_MAGIC);
	cr_expect_eq(meta.bucket, part_of(meta.hash, 2));
}
