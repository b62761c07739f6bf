// SPDX-License-Identifier: GPL-2.0-or-later
/* `sluice top` on a canvas of any size; formatting; rates between two readings; the move log. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "cli/move_log.h"
#include "cli/output.h"
#include "cli/sample.h"
#include "cli/top/layout.h"

#define GUARD 64 /* cells behind the canvas that nothing may touch */
#define BUCKETS 1024

static struct top_worker workers[SL_MAX_WORKERS];
static struct top_bucket buckets[SL_MAX_BUCKETS];
static struct sl_move moves[TOP_MOVES];
static struct top_loss losses[3] = {{"ring_full", 7, 2}, {"stray", 1, 0}, {"no_frame", 3, 0}};

static struct top_view view_of(unsigned w, unsigned b)
{
	for (unsigned i = 0; i < w; i++)
		workers[i] = (struct top_worker){.worker = i,
						 .cpu = (int)i,
						 .state = "running",
						 .load = 0.5,
						 .pps = 1e6,
						 .buckets = 10};
	for (unsigned i = 0; i < b; i++)
		buckets[i] = (struct top_bucket){.owner = (uint16_t)(i % w), .load = 0.01f};
	for (unsigned i = 0; i < TOP_MOVES; i++)
		moves[i] = (struct sl_move){.seq = i + 1,
					    .asked_ns = 1000000,
					    .ended_ns = i == TOP_MOVES - 1 ? 0 : 1005000,
					    .bucket = i,
					    .to = 1,
					    .rule = SL_DRAIN_A};
	return (struct top_view){.title = "veth0  native",
				 .workers = w,
				 .buckets = b,
				 .moves = TOP_MOVES,
				 .losses = 3,
				 .worker = workers,
				 .bucket = buckets,
				 .move = moves,
				 .loss = losses,
				 .now_ns = 2000000000};
}

/* The canvas' rows as text, a newline behind each. Free it. */
static char *draw(unsigned rows, unsigned cols, const struct top_view *v)
{
	struct top_canvas c = {.rows = rows, .cols = cols};
	char *out = calloc(rows * (cols + 1) + 1, 1), *p = out;

	c.cell = malloc((rows * cols + GUARD) * sizeof(*c.cell));
	memset(c.cell, 0x5a, (rows * cols + GUARD) * sizeof(*c.cell));
	top_draw(&c, v);
	for (unsigned i = 0; i < rows * cols; i++) {
		cr_assert_leq(c.cell[i].ch, 0x7e, "not plain text on a plain terminal");
		*p++ = (char)c.cell[i].ch;
		if (i % cols == cols - 1)
			*p++ = '\n';
	}
	for (unsigned i = 0; i < GUARD * sizeof(*c.cell); i++)
		cr_assert_eq(((uint8_t *)(c.cell + rows * cols))[i], 0x5a, "wrote past the canvas");
	free(c.cell);
	return out;
}

Test(top, shows_every_part_in_80x24)
{
	struct top_view v = view_of(4, BUCKETS);
	char *screen = draw(24, 80, &v);

	for (unsigned i = 0; i < 4; i++) {
		char label[16];

		snprintf(label, sizeof(label), "\n  %u cpu%u", i, i);
		cr_assert_not_null(strstr(screen, label), "%s", screen);
	}
	cr_assert_not_null(strstr(screen, " 50.0%"), "%s", screen);
	cr_assert_not_null(strstr(screen, "2 a cell"), "%s", screen);
	cr_assert_not_null(strstr(screen, "under way"), "%s", screen);
	cr_assert_not_null(strstr(screen, "5.0 us  rule a"), "%s", screen);
	cr_assert_not_null(strstr(screen, "ring_full"), "%s", screen);
	cr_assert_not_null(strstr(screen, "no_frame"), "%s", screen);
	free(screen);
}

Test(top, stays_inside_any_size)
{
	static const unsigned worker_counts[] = {1, 5, 128}, bucket_counts[] = {128, 65536};

	for (unsigned rows = 1; rows < 60; rows += 3)
		for (unsigned cols = 1; cols < 200; cols += 13)
			for (unsigned i = 0; i < 3; i++)
				for (unsigned j = 0; j < 2; j++) {
					struct top_view v =
						view_of(worker_counts[i], bucket_counts[j]);

					free(draw(rows, cols, &v));
				}
}

Test(top, parts_never_exceed_the_screen)
{
	for (unsigned rows = TOP_MIN_ROWS; rows < 100; rows++)
		for (unsigned w = 1; w <= 128; w++) {
			struct top_view v = view_of(w, 128);
			struct top_parts p = top_divide(rows, 80, &v);

			cr_assert_leq(p.worker_rows + p.heat_rows + p.move_rows + p.loss_rows + 2,
				      rows);
			cr_assert_geq(p.worker_rows, 1);
		}
}

Test(top, shade_follows_load)
{
	cr_assert_eq(top_level(0, 1), 0);
	cr_assert_eq(top_level(1, 0), 0);
	cr_assert_eq(top_level(0.001f, 1), 1);
	cr_assert_eq(top_level(1, 1), TOP_LEVELS - 1);
	for (float l = 0; l < 1; l += 0.01f)
		cr_assert_leq(top_level(l, 1), top_level(l + 0.01f, 1));
}

/* 1,024 buckets on 80 columns: two in a cell. Cell 7 holds buckets 14 and 15. */
Test(top, a_heat_cell_shows_its_heaviest_owner_and_moves)
{
	struct top_view v = view_of(4, BUCKETS);
	struct top_canvas c = {.rows = 24, .cols = 80};
	unsigned row = 0;

	buckets[14] = (struct top_bucket){.owner = 3, .load = 0.1f};
	buckets[15] = (struct top_bucket){.owner = 2, .load = 0.9f, .moving = true};
	buckets[16].load = buckets[17].load = 0;
	c.cell = calloc(c.rows * c.cols, sizeof(*c.cell));
	top_draw(&c, &v);
	while (row < c.rows && c.cell[row * c.cols].ch != L'b')
		row++;
	cr_assert_lt(row, c.rows - 1, "no heat strip");
	cr_assert_eq(c.cell[(row + 1) * c.cols + 7].owner, 2 + 1);
	cr_assert_eq(c.cell[(row + 1) * c.cols + 7].level, TOP_LEVELS - 1);
	cr_assert(c.cell[(row + 1) * c.cols + 7].attr & TOP_REVERSE);
	cr_assert_eq(c.cell[(row + 1) * c.cols + 8].level, 0);
	cr_assert_not(c.cell[(row + 1) * c.cols + 8].attr & TOP_REVERSE);
	free(c.cell);
}

Test(format, scaled_numbers)
{
	char buf[16];

	format_si(0, buf, sizeof(buf));
	cr_assert_str_eq(buf, "0");
	format_si(999, buf, sizeof(buf));
	cr_assert_str_eq(buf, "999");
	format_si(12345678, buf, sizeof(buf));
	cr_assert_str_eq(buf, "12.3M");
	format_si(1.8e19, buf, sizeof(buf));
	cr_assert_str_eq(buf, "18.0E");
	format_size(1536, buf, sizeof(buf));
	cr_assert_str_eq(buf, "1.5K");
	format_size(889ULL << 10, buf, sizeof(buf));
	cr_assert_str_eq(buf, "889K");
}

#define GHZ 1000000000ULL

Test(sample, loads_between_two_readings)
{
	struct sl_worker wa[2] = {{0}}, wb[2] = {{0}};
	struct sl_owner own[2] = {{.owner = 0, .next = 0}, {.owner = 1, .next = 0}};
	uint64_t pa[2] = {5, 5}, pb[2] = {1005, 5}, none[2] = {0};
	struct sl_bucket_cost ca[2] = {{0}}, cb[2] = {{.cycles = 50000, .samples = 100}};
	struct worker_rate wr[2];
	struct bucket_rate br[2];
	struct sample s = {.before = {GHZ, wa, (uint64_t *)own, pa, none, ca},
			   .after = {2 * GHZ, wb, (uint64_t *)own, pb, none, cb},
			   .workers = wr,
			   .buckets = br};

	wb[0].busy_cycles = 600;
	wb[0].idle_cycles = 200;
	wb[0].sleep_cycles = 200;
	wb[0].rx_packets = 1000;
	wb[0].state = SL_WORKER_RUNNING;
	wb[0].heartbeat_ns = 2 * GHZ - 5;
	wb[1].state = SL_WORKER_RUNNING;
	wb[1].heartbeat_ns = 1;
	s.after.now_ns = 2 * GHZ;
	sample_rates(&s, 2, 2, GHZ);
	cr_assert_float_eq(s.seconds, 1, 1e-9);
	cr_assert_float_eq(wr[0].load, 0.6, 1e-9);
	cr_assert_float_eq(wr[0].pps, 1000, 1e-6);
	cr_assert_eq(wr[0].heartbeat_age_ns, 5);
	cr_assert_not(wr[0].stuck);
	cr_assert_eq(wr[0].buckets, 1);
	cr_assert_eq(wr[1].load, 0);
	cr_assert_not(wr[1].stuck, "silent for 2 s only");
	/* 1,000 packets a second of 500 cycles each on a core of 1 GHz. */
	cr_assert_float_eq(br[0].load, 0.0005, 1e-12);
	cr_assert_eq(br[1].load, 0);
	cr_assert_eq(br[1].owner.next, 0);
}

Test(sample, a_silent_worker_is_stuck)
{
	struct sl_worker wa[1] = {{0}}, wb[1] = {{.heartbeat_ns = GHZ}};
	struct worker_rate wr[1];
	struct sample s = {.before = {.workers = wa},
			   .after = {.now_ns = GHZ + HEARTBEAT_STUCK_NS + 1, .workers = wb},
			   .workers = wr};

	sample_rates(&s, 0, 1, GHZ);
	cr_assert_not(wr[0].stuck, "an absent worker is not stuck");
	wb[0].state = SL_WORKER_RUNNING;
	sample_rates(&s, 0, 1, GHZ);
	cr_assert(wr[0].stuck);
	cr_assert_str_eq(sample_worker_state(&s, 0), "stuck");
}

static struct sl_move ring[SL_MOVE_LOG], out[SL_MOVE_LOG];

Test(move_log, is_read_in_order_across_the_wrap)
{
	unsigned n;

	for (uint64_t seq = 1; seq <= SL_MOVE_LOG + 10; seq++)
		ring[seq % SL_MOVE_LOG] = (struct sl_move){.seq = seq};
	n = move_log_read(ring, 0, out);
	cr_assert_eq(n, SL_MOVE_LOG);
	for (unsigned i = 0; i < n; i++)
		cr_assert_eq(out[i].seq, 11 + i);
	n = move_log_read(ring, SL_MOVE_LOG, out);
	cr_assert_eq(n, 10);
	n = move_log_latest(out, n, 3);
	cr_assert_eq(n, 3);
	cr_assert_eq(out[0].seq, SL_MOVE_LOG + 8);
}

Test(move_log, json_tells_ended_from_under_way)
{
	struct sl_move m = {.seq = 1, .asked_ns = 5000, .bucket = 9, .from = 1, .to = 2};
	json_t *doc = move_json(&m);

	cr_assert(json_is_null(json_object_get(doc, "took_us")));
	cr_assert(json_is_null(json_object_get(doc, "rule")));
	json_decref(doc);
	m.ended_ns = 7500;
	m.rule = SL_DRAIN_D;
	doc = move_json(&m);
	cr_assert_float_eq(json_real_value(json_object_get(doc, "took_us")), 2.5, 1e-9);
	cr_assert_str_eq(json_string_value(json_object_get(doc, "rule")), "d");
	json_decref(doc);
}
