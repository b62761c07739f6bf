// SPDX-License-Identifier: GPL-2.0-or-later
/* dpi against Hyperscan itself in block mode over the whole of what was said; and against order,
 * memory and ends. */
#include <stdio.h>
#include <unistd.h>

#include "nf/builtin.h"
#include "nf/dpi_patterns.h"
#include "nf_rig.h"

#define IN "10.1.0.5"
#define OUT "192.0.2.9"
#define TEXT 4000

static struct rig rig;
static char path[] = "/tmp/sluice-patterns-XXXXXX";

static void make_file(void)
{
	close(mkstemp(path));
}

static void remove_file(void)
{
	unlink(path);
}

static void write_patterns(const char *text)
{
	FILE *f = fopen(path, "w");

	fputs(text, f);
	fclose(f);
}

static void open_with(const char *patterns, const char *args)
{
	char all[128];

	write_patterns(patterns);
	snprintf(all, sizeof(all), "%s%s", path, args);
	cr_assert_eq(rig_open(&rig, &sl_nf_dpi, all), 0, "%s", rig.error);
}

TestSuite(dpi, .init = make_file, .fini = remove_file);

static enum sl_verdict say_as(unsigned port, bool answer, unsigned flags, uint32_t seq,
			      const char *text, unsigned n)
{
	struct frame f;
	uint8_t *tcp;

	if (answer)
		frame_tcp(&f, OUT, 80, IN, port, flags, seq, 0, n);
	else
		frame_tcp(&f, IN, port, OUT, 80, flags, seq, 0, n);
	tcp = f.b + ETH + 20;
	memcpy(tcp + 20, text, n);
	fill_checks(f.b + ETH);
	return rig_send(&rig, &f, answer);
}

static enum sl_verdict say(uint32_t seq, const char *text)
{
	return say_as(4000, false, F_ACK, seq, text, (unsigned)strlen(text));
}

static int count_one(unsigned id, unsigned long long from, unsigned long long to, unsigned flags,
		     void *ctx)
{
	++*(unsigned *)ctx;
	return 0;
}

/* What Hyperscan counts in all of it at once. */
static unsigned block_count(const char *text, unsigned n)
{
	const char *expressions[] = {"ab+c", "c..b", "^ab", "bca[ab]{3,9}c"};
	unsigned flags[] = {0, HS_FLAG_DOTALL, 0, HS_FLAG_CASELESS}, ids[] = {0, 1, 2, 3},
		 count = 0;
	hs_compile_error_t *wrong;
	hs_scratch_t *scratch = NULL;
	hs_database_t *db;

	cr_assert_eq(hs_compile_multi(expressions, flags, ids, 4, HS_MODE_BLOCK, NULL, &db, &wrong),
		     HS_SUCCESS);
	cr_assert_eq(hs_alloc_scratch(db, &scratch), HS_SUCCESS);
	hs_scan(db, text, n, 0, scratch, count_one, &count);
	hs_free_scratch(scratch);
	hs_free_database(db);
	return count;
}

#define PATTERNS                                                                                   \
	"# what block_count() has\n"                                                               \
	"/ab+c/\n"                                                                                 \
	"7:/c..b/s\n"                                                                              \
	"/^ab/ # beginnings\n"                                                                     \
	"9:/bca[ab]{3,9}c/i\n"

static void random_text(char *text, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		text[i] = "abc"[random64() % 3];
}

/* Segments of a text, cut anywhere, in this order. */
struct piece {
	unsigned at, n;
};

static unsigned cut(struct piece *pieces, unsigned n, unsigned longest)
{
	unsigned m = 0;

	for (unsigned at = 0; at < n; m++) {
		pieces[m] = (struct piece){at, 1 + (unsigned)(random64() % longest)};
		if (at + pieces[m].n > n)
			pieces[m].n = n - at;
		at += pieces[m].n;
	}
	return m;
}

Test(dpi, matches_across_packets_in_both_directions)
{
	struct piece pieces[TEXT];
	char text[2][TEXT];
	unsigned want = 0;

	open_with(PATTERNS, "");
	for (unsigned side = 0; side < 2; side++) {
		unsigned m = cut(pieces, TEXT, 60);

		random_text(text[side], TEXT);
		want += block_count(text[side], TEXT);
		for (unsigned i = 0; i < m; i++)
			say_as(4000, side, F_ACK, 0xfffff000u + pieces[i].at,
			       text[side] + pieces[i].at, pieces[i].n);
	}
	cr_expect_gt(want, 100);
	cr_expect_eq(rig_number(&rig, "matches"), want);
	cr_expect_eq(rig_number(&rig, "bytes"), 2 * TEXT);
	cr_expect_eq(rig_number(&rig, "streams"), 2);
	cr_expect_eq(rig_number(&rig, "out_of_order"), 0);
	rig_close(&rig);
}

static void shuffle(struct piece *pieces, unsigned m, unsigned within)
{
	for (unsigned i = 0; i + 1 < m; i++) {
		unsigned k = i + (unsigned)(random64() % within);
		struct piece t = pieces[i];

		k = k < m ? k : m - 1;
		pieces[i] = pieces[k];
		pieces[k] = t;
	}
}

Test(dpi, reassembly_finds_what_lies_in_the_text_whatever_the_order)
{
	struct piece pieces[2 * TEXT];
	char text[TEXT];

	open_with(PATTERNS, ":reassemble=4K");
	for (unsigned round = 0; round < 20; round++) {
		unsigned m = cut(pieces, TEXT, 60), before = (unsigned)rig_number(&rig, "matches");

		/* some come twice, some overlap */
		for (unsigned i = 0; i < 20; i++)
			pieces[m++] = (struct piece){(unsigned)(random64() % (TEXT - 100)), 100};
		shuffle(pieces + 1, m - 1, 12);
		random_text(text, TEXT);
		say_as(4000 + round, false, F_SYN, 99, "", 0);
		for (unsigned i = 0; i < m; i++)
			say_as(4000 + round, false, F_ACK, 100 + pieces[i].at, text + pieces[i].at,
			       pieces[i].n);
		cr_expect_eq(rig_number(&rig, "matches") - before, block_count(text, TEXT));
	}
	cr_expect_gt(rig_number(&rig, "out_of_order"), 100);
	cr_expect_gt(rig_number(&rig, "repeated"), 10);
	cr_expect_eq(rig_number(&rig, "gaps"), 0);
	cr_expect_eq(rig_number(&rig, "held_bytes"), 0);
	cr_expect_eq(rig_number(&rig, "bytes"), 20 * TEXT);
	rig_close(&rig);
}

Test(dpi, arrival_order_scans_each_byte_once_as_it_comes)
{
	open_with("/abcdef/\n/ghi/\n", "");
	say(100, "abc");
	say(106, "ghi"); /* def is late */
	cr_expect_eq(rig_number(&rig, "out_of_order"), 1);
	cr_expect_eq(rig_number(&rig, "matches"), 1);
	say(103, "def");
	cr_expect_eq(rig_number(&rig, "out_of_order"), 2);
	say(100, "abc");
	say(103, "defghi");
	cr_expect_eq(rig_number(&rig, "repeated"), 2);
	cr_expect_eq(rig_number(&rig, "bytes"), 9);
	say(107, "hijkabcdef"); /* its beginning is known */
	cr_expect_eq(rig_number(&rig, "bytes"), 17);
	cr_expect_eq(rig_number(&rig, "matches"), 2);
	rig_close(&rig);
}

/* Every second byte first, so that holes are more than are remembered. */
Test(dpi, holes_have_a_bound)
{
	open_with("/never/\n", "");
	for (unsigned i = 0; i < 40; i += 2)
		say(100 + i, "x");
	cr_expect_eq(rig_number(&rig, "gaps"), 15);
	for (unsigned i = 1; i < 40; i += 2)
		say(100 + i, "y");
	cr_expect_eq(rig_number(&rig, "bytes"), 20 + 4 + 1);
	rig_close(&rig);
}

Test(dpi, a_hole_that_stays_is_given_up_at_the_bound)
{
	open_with("/abcdef/\n", ":reassemble=8");
	say(100, "abc");
	say(106, "abc");
	say(109, "defgh");
	cr_expect_eq(rig_number(&rig, "held_bytes"), 8);
	cr_expect_eq(rig_number(&rig, "matches"), 0);
	say(114, "z");
	cr_expect_eq(rig_number(&rig, "held_bytes"), 0);
	cr_expect_eq(rig_number(&rig, "gaps"), 1);
	cr_expect_eq(rig_number(&rig, "matches"), 1);
	rig_close(&rig);
}

static enum sl_verdict datagram(const char *text)
{
	struct frame f;

	frame_udp(&f, IN, 4000, OUT, 53, (unsigned)strlen(text));
	memcpy(f.b + ETH + 28, text, strlen(text));
	fill_checks(f.b + ETH);
	return rig_send(&rig, &f, 0);
}

Test(dpi, a_datagram_is_one_by_itself)
{
	open_with("/^abc$/\n/bc.*ab/ drop\n", "");
	cr_expect_eq(datagram("abc"), SL_NEXT);
	cr_expect_eq(datagram("abc"), SL_NEXT);
	cr_expect_eq(rig_number(&rig, "matches"), 2);
	cr_expect_eq(datagram("abcabc"), SL_DROP);
	cr_expect_eq(datagram("abc"), SL_NEXT);
	cr_expect_eq(rig_number(&rig, "dropped"), 1);
	cr_expect_eq(rig_flows(&rig), 0);
	rig_close(&rig);
}

Test(dpi, drop_ends_a_connection_and_a_new_one_begins_clean)
{
	open_with("/GET \\/secret/i drop\n/ok/\n", "");
	cr_expect_eq(say(100, "get /sec"), SL_NEXT);
	cr_expect_eq(say(108, "ret HTTP"), SL_DROP);
	cr_expect_eq(say(116, "ok"), SL_DROP);
	cr_expect_eq(say_as(4000, true, F_ACK, 5, "ok", 2), SL_DROP);
	cr_expect_eq(rig_number(&rig, "blocked"), 1);
	cr_expect_eq(rig_number(&rig, "dropped"), 3);
	cr_expect_eq(rig_number(&rig, "matches"), 1);
	say_as(4000, false, F_RST, 118, "", 0);
	cr_expect_eq(say_as(4000, false, F_SYN, 9000, "", 0), SL_NEXT);
	cr_expect_eq(say(9001, "ret HTTP ok"), SL_NEXT);
	cr_expect_eq(rig_number(&rig, "matches"), 2);
	rig_close(&rig);
}

Test(dpi, ends_of_streams)
{
	open_with("/bye$/\n", "");
	say(100, "bye");
	say(103, " bye");
	cr_expect_eq(rig_number(&rig, "matches"), 0);
	say_as(4000, false, F_FIN | F_ACK, 107, "", 0);
	cr_expect_eq(rig_number(&rig, "matches"), 1);
	say(107, "bye"); /* nobody reads it */
	cr_expect_eq(rig_number(&rig, "bytes"), 7);
	rig_close(&rig);
}

Test(dpi, memory_is_bounded_counted_and_given_back)
{
	long long each;

	open_with(PATTERNS, "");
	each = rig_number(&rig, "stream_bytes");
	cr_expect_gt(each, 0);
	for (unsigned i = 0; i < 2000; i++)
		say_as(1000 + i, false, F_ACK, 1, "abc", 3);
	cr_expect_eq(rig_number(&rig, "streams"), 2000);
	cr_expect_eq(rig_number(&rig, "memory"), 2000 * each);
	rig_pass(&rig, 10000 * SEC);
	cr_expect_eq(rig_flows(&rig), 0);
	cr_expect_eq(rig_number(&rig, "streams"), 0);
	cr_expect_leq(rig_number(&rig, "memory"), RIG_BUCKETS * 8 * each);
	rig_close(&rig);

	open_with("/abc/\n", ":memory=1K:reassemble=64K");
	for (unsigned i = 0; i < 500; i++)
		say_as(1000 + i, false, F_ACK, 1, "abc", 3);
	cr_expect_leq(rig_number(&rig, "memory"), 1024);
	cr_expect_eq(rig_number(&rig, "unscanned") + rig_number(&rig, "matches"), 500);
	rig_close(&rig);
}

static const struct wrong {
	const char *patterns, *args;
	unsigned line; /* 0: none */
	const char *says;
} wrong[] = {
	{"/a/\n\n/(/\n", "", 3, "Hyperscan takes no such pattern"},
	{"# only this\n", "", 0, "no pattern: write [NUMBER:]/EXPRESSION/"},
	{"abc\n", "", 1, "'abc': write [NUMBER:]/EXPRESSION/[FLAGS] [drop]"},
	{"12/abc/\n", "", 1, "'12/abc/': write"},
	{"/abc/q\n", "", 1, "'q' are no flags: i s m H 8 W"},
	{"/abc/i block\n", "", 1, "'block' is nothing to do"},
	{"/abc/ drop now\n", "", 1, "'now' is nothing to do"},
	{"/abc/\n", ":memory=x", 0, "'memory=x': write memory=256M"},
	{"/abc/\n", ":reassemble=2G", 0, "'reassemble=2G': write"},
};

Test(dpi, errors_name_line_and_mend)
{
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		char args[128], at[64];

		write_patterns(wrong[i].patterns);
		snprintf(args, sizeof(args), "%s%s", path, wrong[i].args);
		cr_expect_eq(rig_open(&rig, &sl_nf_dpi, args), -EINVAL, "%s", wrong[i].patterns);
		snprintf(at, sizeof(at), "%s:%u: ", path, wrong[i].line);
		if (wrong[i].line)
			cr_expect_eq(strncmp(rig.error, at, strlen(at)), 0, "%s", rig.error);
		cr_expect_not_null(strstr(rig.error, wrong[i].says), "%s", rig.error);
		rig_close(&rig);
	}
	cr_expect_eq(rig_open(&rig, &sl_nf_dpi, "/nowhere"), -EINVAL);
	cr_expect_not_null(strstr(rig.error, "name a file of patterns"), "%s", rig.error);
	rig_close(&rig);
	cr_expect_eq(rig_open(&rig, &sl_nf_dpi, ""), -EINVAL);
	rig_close(&rig);
}
