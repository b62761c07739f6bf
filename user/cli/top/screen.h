/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * screen.h - a canvas on the terminal, by ncurses.
 */
#ifndef SL_CLI_TOP_SCREEN_H
#define SL_CLI_TOP_SCREEN_H

#include "cli/top/layout.h"

struct screen;

/* Take the terminal. NULL with a line in err if ncurses does not know it, or there is no memory. */
struct screen *screen_open(struct sl_error *err);
/* Give it back as it was. NULL is fine. */
void screen_close(struct screen *s);

/* Lay out for the present size of the terminal and show. */
void screen_draw(struct screen *s, const struct top_view *view);

/* Wait up to `ns` for a key. True: the user wants to leave. A signal ends the wait. */
bool screen_wait(struct screen *s, uint64_t ns);

#endif /* SL_CLI_TOP_SCREEN_H */
