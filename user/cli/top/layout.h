/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * layout.h - what `sluice top` shows, drawn on a canvas of cells. Pure: figures in, cells out; the
 * terminal is screen.c's.
 */
#ifndef SL_CLI_TOP_LAYOUT_H
#define SL_CLI_TOP_LAYOUT_H

#include <stdbool.h>
#include <stdint.h>
#include <wchar.h>

#include "platform/instance.h"

#define TOP_MIN_COLS 40
#define TOP_MIN_ROWS 10
#define TOP_LEVELS 5 /* shades of a bucket's load, 0: none */
#define TOP_MOVES 64 /* latest moves kept for the screen */

enum top_attr { TOP_BOLD = 1, TOP_REVERSE = 2, TOP_DIM = 4 };

/* One character of the screen. */
struct top_cell {
	wchar_t ch;
	uint16_t owner; /* 0: default colour; w + 1: worker w's */
	uint8_t level; /* shade of that colour, 0..TOP_LEVELS - 1 */
	uint8_t attr; /* enum top_attr */
};

struct top_canvas {
	unsigned rows, cols;
	bool unicode; /* the terminal shows block characters */
	struct top_cell *cell; /* [row * cols + column] */
};

struct top_worker {
	unsigned worker;
	int cpu;
	const char *state;
	double load, pps;
	unsigned buckets, ring_fill;
};

struct top_bucket {
	uint16_t owner;
	bool moving;
	float load; /* cores */
};

/* A counter that has grown, in order of importance. */
struct top_loss {
	const char *name;
	uint64_t total;
	double rate; /* a second */
};

struct top_view {
	const char *title; /* instance, mode, processes */
	const char *warning; /* NULL: none */
	double pps, moves_rate, unbalance;
	unsigned workers, buckets, moves, losses;
	const struct top_worker *worker;
	const struct top_bucket *bucket;
	const struct sl_move *move; /* latest last */
	const struct top_loss *loss;
	uint64_t now_ns; /* CLOCK_MONOTONIC, for the age of moves */
};

/* Rows that each part gets on a screen of `rows`; a part may get none. */
struct top_parts {
	unsigned worker_rows, worker_cols, heat_rows, move_rows, loss_rows;
};
struct top_parts top_divide(unsigned rows, unsigned cols, const struct top_view *v);

/* Clear the canvas and draw. Nothing is written outside rows x cols. */
void top_draw(struct top_canvas *c, const struct top_view *v);

/* Shade of a bucket (or of several in one cell): 0 idle, then the share of the heaviest cell. */
unsigned top_level(float load, float heaviest);

#endif /* SL_CLI_TOP_LAYOUT_H */
