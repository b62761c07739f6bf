// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/top/screen.h"

#include <errno.h>
#include <langinfo.h>
#include <ncurses.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HUES 12
#define CUBE(r, g, b) (16 + 36 * (r) + 6 * (g) + (b)) /* xterm's 6x6x6 cube */

struct screen {
	SCREEN *terminal;
	struct top_canvas canvas;
	unsigned hues; /* 0: no colour */
	bool shades; /* 256 colours: a pair for each hue and level */
};

/* Twelve hues that neighbours tell apart; each component 0 or 5 at full, 3 for half tones. */
static const uint8_t hue[HUES][3] = {{0, 5, 5}, {5, 3, 0}, {0, 5, 0}, {5, 0, 5},
				     {5, 5, 0}, {1, 2, 5}, {5, 0, 0}, {0, 5, 3},
				     {3, 0, 5}, {3, 5, 0}, {5, 0, 3}, {3, 3, 3}};
static const short plain[] = {COLOR_CYAN,    COLOR_YELLOW, COLOR_GREEN,
			      COLOR_MAGENTA, COLOR_BLUE,   COLOR_RED};

/* A component at a level; even the lowest must show on black. */
static int shade(int full, unsigned level)
{
	return (full * (int)(level + 1) + TOP_LEVELS / 2) / TOP_LEVELS;
}

static void start_colours(struct screen *s)
{
	if (!has_colors() || start_color() == ERR)
		return;
	use_default_colors();
	s->shades = COLORS >= 256 && COLOR_PAIRS > HUES * TOP_LEVELS;
	s->hues = s->shades ? HUES : sizeof(plain) / sizeof(plain[0]);
	for (unsigned h = 0; h < s->hues; h++) {
		if (!s->shades) {
			init_pair((short)(1 + h), plain[h], -1);
			continue;
		}
		for (unsigned l = 0; l < TOP_LEVELS; l++)
			init_pair((short)(1 + h * TOP_LEVELS + l),
				  (short)CUBE(shade(hue[h][0], l), shade(hue[h][1], l),
					      shade(hue[h][2], l)),
				  -1);
	}
}

struct screen *screen_open(struct sl_error *err)
{
	struct screen *s = calloc(1, sizeof(*s));

	if (!s) {
		sl_error_set(err, -ENOMEM, "no memory");
		return NULL;
	}
	s->terminal = newterm(NULL, stdout, stdin);
	if (!s->terminal) {
		sl_error_set(err, -ENOTTY, "terminal type \"%s\" is not known; set TERM",
			     getenv("TERM"));
		free(s);
		return NULL;
	}
	set_term(s->terminal);
	cbreak();
	noecho();
	nonl();
	keypad(stdscr, TRUE);
	curs_set(0);
	start_colours(s);
	s->canvas.unicode = !strcmp(nl_langinfo(CODESET), "UTF-8");
	return s;
}

void screen_close(struct screen *s)
{
	if (!s)
		return;
	endwin();
	delscreen(s->terminal);
	free(s->canvas.cell);
	free(s);
}

/* Follow the terminal's size. False: no memory for it. */
static bool fit(struct screen *s)
{
	struct top_canvas *c = &s->canvas;
	int rows, cols;
	void *grown;

	getmaxyx(stdscr, rows, cols);
	if (rows <= 0 || cols <= 0)
		return false;
	if (c->cell && c->rows == (unsigned)rows && c->cols == (unsigned)cols)
		return true;
	grown = realloc(c->cell, (size_t)rows * (size_t)cols * sizeof(*c->cell));
	if (!grown)
		return false;
	c->cell = grown;
	c->rows = (unsigned)rows;
	c->cols = (unsigned)cols;
	return true;
}

static short pair_of(const struct screen *s, const struct top_cell *cell)
{
	unsigned h;

	if (!cell->owner || !s->hues)
		return 0;
	h = (cell->owner - 1u) % s->hues;
	return (short)(1 + (s->shades ? h * TOP_LEVELS + cell->level : h));
}

static attr_t attr_of(const struct screen *s, const struct top_cell *cell)
{
	attr_t attr = 0;

	if (cell->attr & TOP_BOLD)
		attr |= A_BOLD;
	if (cell->attr & TOP_REVERSE)
		attr |= A_REVERSE;
	if (cell->attr & TOP_DIM || (cell->owner && !s->shades && cell->level < 2))
		attr |= A_DIM;
	return attr;
}

void screen_draw(struct screen *s, const struct top_view *view)
{
	if (!fit(s))
		return;
	top_draw(&s->canvas, view);
	for (unsigned row = 0; row < s->canvas.rows; row++)
		for (unsigned col = 0; col < s->canvas.cols; col++) {
			const struct top_cell *cell = &s->canvas.cell[row * s->canvas.cols + col];
			wchar_t ch[2] = {cell->ch, 0};
			cchar_t out;

			setcchar(&out, ch, attr_of(s, cell), pair_of(s, cell), NULL);
			mvadd_wch((int)row, (int)col, &out);
		}
	refresh();
}

bool screen_wait(struct screen *s, uint64_t ns)
{
	int key;

	timeout((int)(ns / 1000000));
	key = getch();
	if (key == KEY_RESIZE || key == ' ')
		clearok(curscr, TRUE);
	return key == 'q' || key == 'Q';
}
