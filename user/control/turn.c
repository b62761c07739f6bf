// SPDX-License-Identifier: GPL-2.0-or-later
#include <string.h>

#include "control/turn.h"

/* Each gains its weight; who has most gets the row and pays for all. */
void sl_turn_fill(const struct sl_maglev_server *servers, unsigned n, uint16_t *row, unsigned rows,
		  uint16_t nobody, void *scratch)
{
	int64_t *gained = scratch, sum = 0;

	memset(gained, 0, n * sizeof(*gained));
	for (unsigned i = 0; i < n; i++)
		sum += servers[i].weight;
	for (unsigned r = 0; r < rows; r++) {
		unsigned most = 0;

		for (unsigned i = 0; i < n; i++) {
			gained[i] += servers[i].weight;
			if (gained[i] > gained[most])
				most = i;
		}
		row[r] = n ? servers[most].id : nobody;
		if (n)
			gained[most] -= sum;
	}
}
