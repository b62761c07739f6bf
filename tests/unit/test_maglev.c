// SPDX-License-Identifier: GPL-2.0-or-later
/* Shares, disruption, and that every balancer deals the same. */
#include <criterion/criterion.h>
#include <string.h>

#include "control/turn.h"

#define ROWS 65536
#define NOBODY 0xffff

static struct sl_maglev_server server[512];
static uint16_t row[ROWS], before[ROWS];

static void pool(unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		server[i] = (struct sl_maglev_server){
			.name = 0x0a000200ULL << 16 | i * 7919, .weight = 1, .id = (uint16_t)i};
}

static void fill(const struct sl_maglev_server *s, unsigned n)
{
	void *scratch = malloc(sl_maglev_scratch(n));

	sl_maglev_fill(s, n, row, ROWS, NOBODY, scratch);
	free(scratch);
}

static unsigned rows_of(unsigned id)
{
	unsigned n = 0;

	for (unsigned i = 0; i < ROWS; i++)
		n += row[i] == id;
	return n;
}

Test(maglev, equal_servers_have_equal_shares)
{
	for (unsigned n = 1; n <= 512; n = n * 2 + 1) {
		pool(n);
		fill(server, n);
		for (unsigned i = 0; i < n; i++)
			cr_expect(rows_of(i) == ROWS / n || rows_of(i) == ROWS / n + 1,
				  "%u of %u: %u", i, n, rows_of(i));
	}
}

Test(maglev, shares_follow_weights)
{
	unsigned sum = 0;

	pool(20);
	for (unsigned i = 0; i < 20; i++)
		sum += server[i].weight = i % 5 + 1;
	fill(server, 20);
	for (unsigned i = 0; i < 20; i++)
		cr_expect_float_eq(rows_of(i), (double)ROWS * server[i].weight / sum, 2, "%u: %u",
				   i, rows_of(i));
}

/* One server of n less: its own rows must change, 1/n; the paper's table of 65537 shows 2 % more.
 */
Test(maglev, a_server_less_disturbs_few_others)
{
	for (unsigned n = 10; n <= 100; n += 30) {
		unsigned changed = 0;

		pool(n);
		fill(server, n);
		memcpy(before, row, sizeof(row));
		server[3] = server[n - 1];
		fill(server, n - 1);
		for (unsigned i = 0; i < ROWS; i++)
			changed += before[i] != 3 && before[i] != row[i];
		cr_expect_lt(changed, ROWS * 3 / 100, "%u servers: %u rows of others", n, changed);
	}
}

Test(maglev, the_order_they_are_named_in_says_nothing)
{
	pool(33);
	fill(server, 33);
	memcpy(before, row, sizeof(row));
	for (unsigned i = 0; i < 16; i++) {
		struct sl_maglev_server s = server[i];

		server[i] = server[32 - i];
		server[32 - i] = s;
	}
	fill(server, 33);
	cr_expect_eq(memcmp(before, row, sizeof(row)), 0);
}

Test(maglev, nobody_has_no_row)
{
	fill(server, 0);
	cr_expect_eq(rows_of(NOBODY), ROWS);
}

/* Any ten rows in a row hold each server as often as its weight says. */
Test(turn, every_window_is_fair)
{
	uint64_t scratch[8 * 8];

	pool(4);
	for (unsigned i = 0; i < 4; i++)
		server[i].weight = i + 1;
	sl_turn_fill(server, 4, row, ROWS, NOBODY, scratch);
	for (unsigned from = 0; from + 10 <= ROWS; from += 7) {
		unsigned hits[4] = {0};

		for (unsigned i = 0; i < 10; i++)
			hits[row[from + i]]++;
		for (unsigned i = 0; i < 4; i++)
			cr_assert(hits[i] + 1 >= i + 1 && hits[i] <= i + 2, "from %u: %u of %u",
				  from, hits[i], i);
	}
	sl_turn_fill(server, 0, row, ROWS, NOBODY, scratch);
	cr_expect_eq(rows_of(NOBODY), ROWS);
}
