/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * turn.h - rows of a table dealt so that going through them is a weighted round robin: a server of
 * weight 3 of 10 has 3 of any 10 rows in a row, as far apart as can be; one of weight 0 none. Pure.
 */
#ifndef SL_CONTROL_TURN_H
#define SL_CONTROL_TURN_H

#include "control/maglev.h"

/* As sl_maglev_fill(), in rows x log n steps; `scratch` has
 * sl_maglev_scratch(n) bytes too. */
void sl_turn_fill(const struct sl_maglev_server *servers, unsigned n, uint16_t *row, unsigned rows,
		  uint16_t nobody, void *scratch);

#endif /* SL_CONTROL_TURN_H */
