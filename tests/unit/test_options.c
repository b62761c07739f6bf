// SPDX-License-Identifier: GPL-2.0-or-later
/* The option table: what a user types becomes the config struct, or one line that names the mend.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "cli/move.h"
#include "cli/options.h"

struct config {
	bool flag;
	uint32_t u32;
	uint64_t u64, size, time;
	double share;
	const char *text;
	struct opt_list list;
	unsigned choice;
	const char *first;
	struct opt_list rest;
};

static const char *const words[] = {"red", "green", NULL};

static const struct opt options[] = {
	OPT_FLAG(struct config, flag, 'f', "flag", "a flag"),
	OPT_U32(struct config, u32, 'n', "number", "N", 2, 64, "a number"),
	OPT_U64(struct config, u64, 0, "big", "N", 0, 0, "a big number"),
	OPT_DOUBLE(struct config, share, 0, "share", "X", 0, 1, "a share"),
	OPT_STRING(struct config, text, 't', "text", "TEXT", "a text"),
	OPT_LIST(struct config, list, 'l', "list", "WORD", "words"),
	OPT_SIZE(struct config, size, 0, "size", "BYTES", 4096, 1 << 30, "a size"),
	OPT_DURATION(struct config, time, 0, "time", "TIME", 1e6, 60e9, "a time"),
	OPT_CHOICE(struct config, choice, 'c', "choice", "WORD", words, "a choice"),
	OPT_END,
};

static const struct opt_arg args[] = {
	ARG_STRING(struct config, first, "FIRST", false, "the first"),
	ARG_LIST(struct config, rest, "REST", true, "all others"),
	ARG_END,
};

static const struct opt_spec spec = {"try", "A table", args, options, NULL};

#define READ(config, err, ...)                                                                     \
	opt_read(&spec, (int)(sizeof((char *[]){"try", __VA_ARGS__}) / sizeof(char *)),            \
		 (char *[]){"try", __VA_ARGS__}, config, err)

/* Refused, and the line holds every one of the parts. */
static void refused(int ret, const struct sl_error *err, const char *part, const char *part2)
{
	cr_assert_lt(ret, 0, "accepted");
	cr_assert_not_null(strstr(err->text, part), "\"%s\" lacks \"%s\"", err->text, part);
	cr_assert_not_null(strstr(err->text, part2), "\"%s\" lacks \"%s\"", err->text, part2);
	cr_assert_null(strchr(err->text, '\n'), "more than one line: %s", err->text);
}

Test(options, every_type_reaches_its_member)
{
	struct config c = {0};
	struct sl_error err;

	cr_assert_eq(READ(&c, &err, "a", "--flag", "--number", "7", "--big=18446744073709551615",
			  "--share", "0.25", "-t", "x=y", "-l", "one", "--list=two", "--size",
			  "64M", "--time", "1.5ms", "--choice", "green", "b", "c"),
		     OPT_OK, "%s", err.text);
	cr_assert(c.flag);
	cr_assert_eq(c.u32, 7);
	cr_assert_eq(c.u64, UINT64_MAX);
	cr_assert_float_eq(c.share, 0.25, 1e-12);
	cr_assert_str_eq(c.text, "x=y");
	cr_assert_eq(c.list.n, 2);
	cr_assert_str_eq(c.list.v[1], "two");
	cr_assert_eq(c.size, 64 << 20);
	cr_assert_eq(c.time, 1500000);
	cr_assert_eq(c.choice, 1);
	cr_assert_str_eq(c.first, "a");
	cr_assert_eq(c.rest.n, 2);
	cr_assert_str_eq(c.rest.v[1], "c");
}

Test(options, defaults_stay_when_nothing_is_given)
{
	struct config c = {.u32 = 33, .text = "kept"};
	struct sl_error err;

	cr_assert_eq(READ(&c, &err, "a"), OPT_OK);
	cr_assert_eq(c.u32, 33);
	cr_assert_str_eq(c.text, "kept");
}

Test(options, short_letters_combine_and_take_values)
{
	struct config c = {0};
	struct sl_error err;

	cr_assert_eq(READ(&c, &err, "-fn9", "a"), OPT_OK);
	cr_assert(c.flag);
	cr_assert_eq(c.u32, 9);
	cr_assert_eq(READ(&c, &err, "a", "-fj"), OPT_OK);
	cr_assert(cli.json);
}

Test(options, pretty_means_json)
{
	struct config c = {0};
	struct sl_error err;

	cr_assert_eq(READ(&c, &err, "-p", "a"), OPT_OK);
	cr_assert(cli.json && cli.pretty);
}

Test(options, dashes_end_the_options)
{
	struct config c = {0};
	struct sl_error err;

	cr_assert_eq(READ(&c, &err, "--", "--flag", "-"), OPT_OK);
	cr_assert_not(c.flag);
	cr_assert_str_eq(c.first, "--flag");
	cr_assert_str_eq(c.rest.v[0], "-");
}

Test(options, help_wins_over_what_is_missing)
{
	struct config c = {0};
	struct sl_error err;

	cr_assert_eq(READ(&c, &err, "--help"), OPT_HELP);
	cr_assert_eq(READ(&c, &err, "-fh"), OPT_HELP);
}

Test(options, wrong_options_name_themselves_and_the_mend)
{
	struct config c = {0};
	struct sl_error e;

	refused(READ(&c, &e, "a", "--nope"), &e, "--nope", "allowed: --flag, --number");
	refused(READ(&c, &e, "a", "--nope=3"), &e, "option --nope;", "--help");
	refused(READ(&c, &e, "a", "-z"), &e, "option -z;", "--flag");
	refused(READ(&c, &e, "a", "--number", "1"), &e, "--number", "2 to 64");
	refused(READ(&c, &e, "a", "-n", "65"), &e, "--number", "2 to 64");
	refused(READ(&c, &e, "a", "-n", "-3"), &e, "--number", "\"-3\"");
	refused(READ(&c, &e, "a", "-n", ""), &e, "--number", "a whole number");
	refused(READ(&c, &e, "a", "-n", "7x"), &e, "--number", "\"7x\"");
	refused(READ(&c, &e, "a", "--big", "18446744073709551616"), &e, "--big", "0 or more");
	refused(READ(&c, &e, "a", "--share", "1.01"), &e, "--share", "0 to 1");
	refused(READ(&c, &e, "a", "--share", "nan"), &e, "--share", "0 to 1");
	refused(READ(&c, &e, "a", "--size", "1K"), &e, "--size", "64M");
	refused(READ(&c, &e, "a", "--time", "2m"), &e, "--time", "60s");
	refused(READ(&c, &e, "a", "--choice", "blue"), &e, "--choice", "red, green");
	refused(READ(&c, &e, "a", "--flag=1"), &e, "--flag", "no value");
	refused(READ(&c, &e, "a", "--text"), &e, "--text", "TEXT");
	refused(READ(&c, &e, "a", "-t"), &e, "--text", "TEXT");
	refused(READ(&c, &e, "-f"), &e, "FIRST", "missing");
}

Test(options, a_list_is_bounded)
{
	char *argv[2 * (OPT_LIST_MAX + 1) + 2] = {"try", "a"};
	struct config c = {0};
	struct sl_error err;
	int n = 2;

	for (unsigned i = 0; i < OPT_LIST_MAX; i++) {
		argv[n++] = "-l";
		argv[n++] = "w";
	}
	cr_assert_eq(opt_read(&spec, n, argv, &c, &err), OPT_OK);
	argv[n++] = "-l";
	argv[n++] = "w";
	c.list.n = 0;
	refused(opt_read(&spec, n, argv, &c, &err), &err, "--list", "1024");
}

Test(options, too_many_arguments)
{
	static const struct opt_spec none = {"try", "A table", NULL, options, NULL};
	struct config c = {0};
	struct sl_error err;

	refused(opt_read(&none, 2, (char *[]){"try", "extra"}, &c, &err), &err, "extra",
		"too many");
}

Test(options, units)
{
	uint64_t v;

	cr_assert_eq(opt_count("10k", &v), 0);
	cr_assert_eq(v, 10000);
	cr_assert_eq(opt_count("1.5M", &v), 0);
	cr_assert_eq(v, 1500000);
	cr_assert_eq(opt_count("010", &v), 0);
	cr_assert_eq(v, 10);
	cr_assert_eq(opt_count("1.5", &v), -EINVAL);
	cr_assert_eq(opt_count("20000000000000000000", &v), -ERANGE);
	cr_assert_eq(opt_count("18446744073709551615k", &v), -ERANGE);
	cr_assert_eq(opt_count("1e3", &v), -EINVAL);
	cr_assert_eq(opt_count(" 1", &v), -EINVAL);
	cr_assert_eq(opt_size("1.5K", &v), 0);
	cr_assert_eq(v, 1536);
	cr_assert_eq(opt_size("2T", &v), 0);
	cr_assert_eq(v, 2ULL << 40);
	cr_assert_eq(opt_size("64MB", &v), -EINVAL);
	cr_assert_eq(opt_duration("5", &v), 0);
	cr_assert_eq(v, 5000000000ULL);
	cr_assert_eq(opt_duration("0.5", &v), 0);
	cr_assert_eq(v, 500000000ULL);
	cr_assert_eq(opt_duration("3us", &v), 0);
	cr_assert_eq(v, 3000);
	cr_assert_eq(opt_duration("2m", &v), 0);
	cr_assert_eq(v, 120000000000ULL);
	cr_assert_eq(opt_duration("3 s", &v), -EINVAL);
}

static struct opt_list list(unsigned n, const char *a, const char *b, const char *c)
{
	return (struct opt_list){.n = n, .v = {a, b, c}};
}

Test(move_words, forms)
{
	struct move_words w;
	struct sl_error err;
	struct opt_list l = list(3, "eth1", "5", "2");

	cr_assert_eq(move_words_parse(&l, false, &w, &err), 0);
	cr_assert_str_eq(w.name, "eth1");
	cr_assert(w.n == 1 && w.range[0].first == 5 && w.range[0].last == 5 &&
		  w.range[0].worker == 2);
	l = list(2, "5", "2", NULL);
	cr_assert_eq(move_words_parse(&l, false, &w, &err), 0);
	cr_assert_null(w.name);
	cr_assert(w.n == 1 && w.range[0].worker == 2);
	l = list(3, "eth1", "0-15:3", "17:1");
	cr_assert_eq(move_words_parse(&l, false, &w, &err), 0);
	cr_assert(w.n == 2 && w.range[0].last == 15 && w.range[0].worker == 3 &&
		  w.range[1].first == 17);
	l = list(2, "4-7", "9", NULL);
	cr_assert_eq(move_words_parse(&l, true, &w, &err), 0);
	cr_assert(w.n == 2 && w.range[0].first == 4 && w.range[1].last == 9);
}

Test(move_words, wrong_forms)
{
	static const char *const wrong[] = {
		"7-3:1", "5:128", "65536:1", "5:", "5:1x", ":1", "-1:1"};
	struct move_words w;
	struct sl_error err;
	struct opt_list l;

	for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		l = list(2, "eth1", wrong[i], NULL);
		cr_assert_eq(move_words_parse(&l, false, &w, &err), -EINVAL, "%s", wrong[i]);
	}
	l = list(1, "eth1", NULL, NULL);
	cr_assert_eq(move_words_parse(&l, false, &w, &err), -EINVAL);
	cr_assert_not_null(strstr(err.text, "BUCKET"));
}
