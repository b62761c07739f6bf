// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/top/layout.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cli/move_log.h"
#include "cli/output.h"

#define FIXED_ROWS 2 /* title, figures */
#define WORKER_COL 38 /* least columns of a worker's line */
#define HEAT_ROWS 8
#define MOVE_ROWS 8

static const wchar_t shades_unicode[TOP_LEVELS] = {L'·', L'░', L'▒', L'▓', L'█'};
static const wchar_t shades_ascii[TOP_LEVELS] = {L'.', L'-', L'+', L'*', L'#'};

static unsigned min(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

static void put(struct top_canvas *c, unsigned row, unsigned col, struct top_cell cell)
{
	if (row < c->rows && col < c->cols)
		c->cell[row * c->cols + col] = cell;
}

/* Text from (row, col) on, cut at `width`. ASCII: it names interfaces and numbers. */
static void text(struct top_canvas *c, unsigned row, unsigned col, unsigned width, unsigned attr,
		 const char *fmt, ...) __attribute__((format(printf, 6, 7)));
static void text(struct top_canvas *c, unsigned row, unsigned col, unsigned width, unsigned attr,
		 const char *fmt, ...)
{
	char buf[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(buf, sizeof(buf), fmt, ap);
	va_end(ap);
	for (unsigned i = 0; i < width && buf[i]; i++)
		put(c, row, col + i,
		    (struct top_cell){.ch = (unsigned char)buf[i], .attr = (uint8_t)attr});
}

unsigned top_level(float load, float heaviest)
{
	unsigned level;

	if (load <= 0 || heaviest <= 0)
		return 0;
	/* The root spreads the many light cells over the shades; one elephant would blank them. */
	level = 1 + (unsigned)(sqrtf(load / heaviest) * (TOP_LEVELS - 1));
	return min(level, TOP_LEVELS - 1);
}

struct top_parts top_divide(unsigned rows, unsigned cols, const struct top_view *v)
{
	unsigned left = rows > FIXED_ROWS ? rows - FIXED_ROWS : 0;
	struct top_parts p = {.worker_cols = cols / WORKER_COL ? cols / WORKER_COL : 1};
	unsigned want = (v->workers + p.worker_cols - 1) / p.worker_cols;

	/* One column looks better when it fits into half of the screen. */
	if (v->workers <= left / 2) {
		p.worker_cols = 1;
		want = v->workers;
	}
	p.worker_rows = min(want, left / 2);
	left -= p.worker_rows;
	p.loss_rows = min(v->losses ? (v->losses + 1) / 2 + 1 : 2, left / 3);
	left -= p.loss_rows;
	p.move_rows = min(MOVE_ROWS, left / 2);
	left -= p.move_rows;
	p.heat_rows = min(left, HEAT_ROWS + 1);
	/* What the heat strip leaves over, the moves take. */
	p.move_rows += left - p.heat_rows;
	return p;
}

static void draw_bar(struct top_canvas *c, unsigned row, unsigned col, unsigned width,
		     const struct top_worker *w)
{
	double load = w->load < 0 ? 0 : w->load > 1 ? 1 : w->load;
	unsigned full = (unsigned)(load * width + 0.5);

	for (unsigned i = 0; i < width; i++) {
		bool on = i < full;
		struct top_cell cell = {.owner = (uint16_t)(w->worker + 1),
					.level = TOP_LEVELS - 1};

		cell.ch = c->unicode ? (on ? L'█' : L'·') : (on ? L'#' : L'.');
		if (!on)
			cell.level = 1;
		put(c, row, col + i, cell);
	}
}

static void draw_worker(struct top_canvas *c, unsigned row, unsigned col, unsigned width,
			const struct top_worker *w)
{
	unsigned bar = width > 60 ? width - 48 : width > 38 ? width - 30 : 8;
	bool wide = width > 60;
	char pps[16];
	bool odd = strcmp(w->state, "running") != 0;

	format_si(w->pps, pps, sizeof(pps));
	text(c, row, col, 10, odd ? TOP_REVERSE : TOP_BOLD, "%3u cpu%-3d", w->worker, w->cpu);
	draw_bar(c, row, col + 10, bar, w);
	if (wide)
		text(c, row, col + 11 + bar, width - bar - 11, 0,
		     "%5.1f%% %6spps %5u buckets %5u ring %s", 100 * w->load, pps, w->buckets,
		     w->ring_fill, odd ? w->state : "");
	else
		text(c, row, col + 11 + bar, width - bar - 11, 0, "%4.0f%% %6s %5u", 100 * w->load,
		     pps, w->buckets);
}

static void draw_workers(struct top_canvas *c, unsigned top, const struct top_parts *p,
			 const struct top_view *v)
{
	unsigned width = c->cols / p->worker_cols, room = p->worker_rows * p->worker_cols;

	for (unsigned i = 0; i < v->workers && i < room; i++)
		draw_worker(c, top + i % p->worker_rows, i / p->worker_rows * width, width,
			    &v->worker[i]);
	if (v->workers > room && p->worker_rows)
		text(c, top + p->worker_rows - 1, c->cols - 14, 14, TOP_REVERSE,
		     "%4u more not shown", v->workers - room);
}

/* Several buckets in one cell: the heaviest one's owner, their summed load. */
static struct top_bucket merge(const struct top_bucket *b, unsigned n)
{
	struct top_bucket sum = b[0];
	float heaviest = b[0].load;

	for (unsigned i = 1; i < n; i++) {
		if (b[i].load > heaviest) {
			heaviest = b[i].load;
			sum.owner = b[i].owner;
		}
		sum.load += b[i].load;
		sum.moving |= b[i].moving;
	}
	return sum;
}

static void draw_heat(struct top_canvas *c, unsigned top, unsigned rows, const struct top_view *v)
{
	const wchar_t *shade = c->unicode ? shades_unicode : shades_ascii;
	unsigned room = rows ? (rows - 1) * c->cols : 0, group, cells;
	float heaviest = 0;

	if (!room || !v->buckets)
		return;
	group = (v->buckets + room - 1) / room;
	cells = (v->buckets + group - 1) / group;
	text(c, top, 0, c->cols, TOP_BOLD, "buckets: %u a cell, colour: owner, shade: load", group);
	for (unsigned i = 0; i < cells; i++) {
		struct top_bucket b =
			merge(&v->bucket[(size_t)i * group], min(group, v->buckets - i * group));

		heaviest = b.load > heaviest ? b.load : heaviest;
	}
	for (unsigned i = 0; i < cells; i++) {
		struct top_bucket b =
			merge(&v->bucket[(size_t)i * group], min(group, v->buckets - i * group));
		unsigned level = top_level(b.load, heaviest);

		put(c, top + 1 + i / c->cols, i % c->cols,
		    (struct top_cell){.ch = shade[level],
				      .owner = (uint16_t)(b.owner + 1),
				      .level = (uint8_t)level,
				      .attr = b.moving ? TOP_REVERSE : 0});
	}
}

static void draw_moves(struct top_canvas *c, unsigned top, unsigned rows, const struct top_view *v)
{
	if (!rows)
		return;
	text(c, top, 0, c->cols, TOP_BOLD, "moves: %.0f/s", v->moves_rate);
	for (unsigned i = 0; i + 1 < rows && i < v->moves; i++) {
		const struct sl_move *m = &v->move[v->moves - 1 - i];
		const char *rule = move_rule_name(m->rule);
		double age = (double)(int64_t)(v->now_ns - m->asked_ns) / 1e9;

		if (m->ended_ns)
			text(c, top + 1 + i, 0, c->cols, 0,
			     "%8.2f s  bucket %5u  %3u -> %-3u %9.1f us  rule %s  parked %u", age,
			     m->bucket, m->from, m->to, (double)(m->ended_ns - m->asked_ns) / 1e3,
			     rule ? rule : "-", m->parked_max);
		else
			text(c, top + 1 + i, 0, c->cols, TOP_REVERSE,
			     "%8.2f s  bucket %5u  %3u -> %-3u under way", age, m->bucket, m->from,
			     m->to);
	}
}

static void draw_losses(struct top_canvas *c, unsigned top, unsigned rows, const struct top_view *v)
{
	unsigned half = c->cols / 2;

	if (!rows)
		return;
	text(c, top, 0, c->cols, TOP_BOLD, "losses");
	if (!v->losses)
		text(c, top + 1, 0, c->cols, 0, "none since attach");
	for (unsigned i = 0; i < v->losses && i / 2 + 1 < rows; i++) {
		char total[16], rate[16];

		format_si((double)v->loss[i].total, total, sizeof(total));
		format_si(v->loss[i].rate, rate, sizeof(rate));
		text(c, top + 1 + i / 2, i % 2 * half, half, v->loss[i].rate > 0 ? TOP_BOLD : 0,
		     "%-16s %7s %7s/s", v->loss[i].name, total, rate);
	}
}

void top_draw(struct top_canvas *c, const struct top_view *v)
{
	struct top_parts p = top_divide(c->rows, c->cols, v);
	unsigned row = FIXED_ROWS;
	char pps[16];

	for (unsigned i = 0; i < c->rows * c->cols; i++)
		c->cell[i] = (struct top_cell){.ch = L' '};
	if (c->rows < TOP_MIN_ROWS || c->cols < TOP_MIN_COLS) {
		text(c, 0, 0, c->cols, 0, "needs %dx%d; q quits", TOP_MIN_COLS, TOP_MIN_ROWS);
		return;
	}
	format_si(v->pps, pps, sizeof(pps));
	for (unsigned col = 0; col < c->cols; col++)
		put(c, 0, col, (struct top_cell){.ch = L' ', .attr = TOP_REVERSE});
	text(c, 0, 0, c->cols, TOP_REVERSE, " sluice  %s", v->title);
	if (v->warning)
		text(c, 1, 0, c->cols, TOP_BOLD, "! %s", v->warning);
	else
		text(c, 1, 0, c->cols, 0, "%spps, unbalance %.2f; q quits", pps, v->unbalance);
	draw_workers(c, row, &p, v);
	row += p.worker_rows;
	draw_heat(c, row, p.heat_rows, v);
	row += p.heat_rows;
	draw_moves(c, row, p.move_rows, v);
	row += p.move_rows;
	draw_losses(c, row, p.loss_rows, v);
}
