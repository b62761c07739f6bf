// SPDX-License-Identifier: GPL-2.0-or-later
/* Reports of servers: what goes in comes out, and what was cut, changed or made up does not. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/toeplitz.h"
#include "lb/report.h"

static const uint64_t secret[2] = {0x0706050403020100ull, 0x0f0e0d0c0b0a0908ull};

static struct sl_report_sender sender(void)
{
	struct sl_report_sender s = {.server = 7, .boot = 5000, .sequence = 41, .table = 3};

	sl_report_key(secret, s.key);
	return s;
}

static struct sl_core_table table(unsigned entries)
{
	struct sl_core_table t = {
		.hash = SL_REPORT_TOEPLITZ, .cores = 100, .entries = (uint16_t)entries};

	memset(t.fields, 3, sizeof(t.fields));
	for (unsigned i = 0; i < sizeof(t.key); i++)
		t.key[i] = (uint8_t)(i * 37 + 1);
	for (unsigned i = 0; i < entries; i++)
		t.core[i] = (uint8_t)(i % 100);
	for (unsigned i = 0; i < SL_REPORT_SPLITS; i++)
		t.split[i] = i & 1 ? SL_REPORT_NOBODY : (uint8_t)(i % 100);
	t.core[1] = SL_REPORT_SPLIT + 7;
	t.core[2] = SL_REPORT_NOBODY;
	return t;
}

static struct sl_core_loads loads(void)
{
	struct sl_core_loads l = {.cores = 3, .period_ms = 100, .load = {1, 0x8000, 0xffff}};

	return l;
}

static int open_it(const uint8_t *datagram, size_t n, struct sl_report_seen *seen)
{
	uint64_t keys[2][2] = {{1, 2}};

	sl_report_key(secret, keys[1]);
	return sl_report_open(datagram, n, (const uint64_t(*)[2])keys, 2, seen);
}

/* Appendix A of the paper: key 00..0f, the bytes 00..0e. */
Test(lb_report, mac_is_the_published_siphash)
{
	uint8_t data[15];

	for (unsigned i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)i;
	cr_expect_eq(sl_report_mac(secret, data, sizeof(data)), 0xa129ca6149be45e5ull);
}

Test(lb_report, loads_come_back)
{
	struct sl_report_sender s = sender();
	struct sl_core_loads in = loads(), out = {0};
	struct sl_report_seen seen;
	uint8_t d[SL_REPORT_MAX];
	size_t n = sl_report_put_loads(&s, &in, d);

	cr_assert_eq(open_it(d, n, &seen), 0);
	cr_expect(seen.kind == SL_REPORT_LOADS && seen.server == 7 && seen.boot == 5000 &&
		  seen.sequence == 42 && seen.table == 3 && s.sequence == 42);
	cr_assert_eq(sl_report_get_loads(d, n, &out), 0);
	cr_expect(!memcmp(&in, &out, sizeof(in)));
	cr_expect_eq(sl_report_get_table(d, n, &(struct sl_core_table){0}), -EBADMSG);
}

static void tables_come_back(unsigned entries, unsigned parts)
{
	struct sl_report_sender s = sender();
	struct sl_core_table in = table(entries), out = {0};
	struct sl_report_seen seen;
	uint8_t d[SL_REPORT_MAX];

	cr_assert_eq(sl_report_parts(&in), parts);
	for (unsigned i = parts; i-- > 0;) {
		size_t n = sl_report_put_table(&s, &in, i, d);

		cr_assert(n <= SL_REPORT_MAX);
		cr_assert_eq(open_it(d, n, &seen), 0);
		cr_expect(seen.kind == SL_REPORT_TABLE && seen.part == i && seen.parts == parts);
		cr_assert_eq(sl_report_get_table(d, n, &out), 0);
	}
	cr_expect(!memcmp(&in, &out, sizeof(in)));
}

Test(lb_report, tables_of_all_sizes_come_back)
{
	tables_come_back(128, 1);
	tables_come_back(512, 1);
	tables_come_back(1024, 1);
	tables_come_back(2048, 2);
	tables_come_back(SL_REPORT_ENTRIES, SL_REPORT_PARTS);
}

/* No byte less, no byte more, none changed; the numbers in front included. */
Test(lb_report, what_was_touched_is_refused)
{
	struct sl_report_sender s = sender();
	struct sl_core_table t = table(128);
	struct sl_report_seen seen;
	uint8_t d[SL_REPORT_MAX + 1] = {0};
	size_t n = sl_report_put_table(&s, &t, 0, d);

	cr_assert_eq(open_it(d, n, &seen), 0);
	for (size_t cut = 0; cut < n; cut++)
		cr_expect_neq(open_it(d, cut, &seen), 0, "%zu bytes", cut);
	cr_expect_neq(open_it(d, n + 1, &seen), 0);
	for (size_t i = 0; i < n; i++) {
		d[i] ^= 0x10;
		cr_expect_neq(open_it(d, n, &seen), 0, "byte %zu", i);
		d[i] ^= 0x10;
	}
	d[4] = SL_REPORT_VERSION + 1;
	cr_expect_eq(open_it(d, n, &seen), -EPROTO);
}

Test(lb_report, another_secret_is_refused)
{
	const uint64_t other[2] = {secret[0], secret[1] + 1};
	struct sl_report_sender s = sender();
	struct sl_core_loads l = loads();
	struct sl_report_seen seen;
	uint8_t d[SL_REPORT_MAX];

	sl_report_key(other, s.key);
	cr_expect_eq(open_it(d, sl_report_put_loads(&s, &l, d), &seen), -EKEYREJECTED);
}

/* A server that is wrong about itself signs well. */
Test(lb_report, nonsense_that_is_signed_is_refused)
{
	struct sl_report_sender s = sender();
	struct sl_core_table t, out;
	struct sl_core_loads l = loads();
	uint8_t d[SL_REPORT_MAX];

#define REFUSED(change)                                                                            \
	do {                                                                                       \
		t = table(256);                                                                    \
		change;                                                                            \
		cr_expect_eq(sl_report_get_table(d, sl_report_put_table(&s, &t, 0, d), &out),      \
			     -EBADMSG, #change);                                                   \
	} while (0)
	REFUSED(t.entries = 255);
	REFUSED(t.cores = 0);
	REFUSED(t.cores = SL_REPORT_CORES + 1);
	REFUSED(t.hash = 3);
	REFUSED(t.core[9] = 100);
	REFUSED(t.core[9] = SL_REPORT_SPLIT + 8);
	REFUSED(t.split[9] = 100);
	REFUSED(t.split[9] = SL_REPORT_SPLIT);
	l.cores = 0;
	cr_expect_eq(sl_report_get_loads(d, sl_report_put_loads(&s, &l, d), &l), -EBADMSG);
	l = loads();
	l.period_ms = 0;
	cr_expect_eq(sl_report_get_loads(d, sl_report_put_loads(&s, &l, d), &l), -EBADMSG);
}

/* The table that XDP uses of a key, beside the one that was checked against published vectors. */
Test(lb_report, half_bytes_make_the_same_toeplitz)
{
	static struct sl_toeplitz whole;
	static uint32_t half[2 * SL_TOEPLITZ_INPUT][16];
	uint8_t key[SL_TOEPLITZ_KEY];

	for (unsigned i = 0; i < sizeof(key); i++)
		key[i] = (uint8_t)(i * i * 31 + 5 * i + 77);
	sl_toeplitz_build(key, &whole);
	sl_toeplitz_halves(key, half);
	for (unsigned at = 0; at < SL_TOEPLITZ_INPUT; at++)
		for (unsigned v = 0; v < 256; v++)
			cr_assert_eq(half[2 * at][v >> 4] ^ half[2 * at + 1][v & 15],
				     whole.t[at][v]);
}
