// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/machines.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "control/fair.h"

int sl_machines_init(struct sl_machines *m, unsigned n, unsigned resources, enum sl_fit fit)
{
	const size_t values = (size_t)n * resources;

	*m = (struct sl_machines){.n = n, .resources = resources, .fit = fit};
	m->size = floor(1 / SL_FAIR_UNIT / n);
	m->left = malloc(values * sizeof(*m->left));
	if (!m->left)
		return -ENOMEM;
	for (size_t i = 0; i < values; i++)
		m->left[i] = m->size;
	return 0;
}

void sl_machines_free(struct sl_machines *m)
{
	free(m->left);
}

static bool fits(const double *left, const double *demand, unsigned resources)
{
	for (unsigned r = 0; r < resources; r++)
		if (demand[r] > left[r])
			return false;
	return true;
}

bool sl_machines_can(const struct sl_machines *m, const double *demand)
{
	for (unsigned r = 0; r < m->resources; r++)
		if (demand[r] > m->size)
			return false;
	return true;
}

/* The lower, the better it fits. */
static double slack(const struct sl_machines *m, const double *left, const double *demand)
{
	double sum = 0, least = INFINITY;

	for (unsigned r = 0; r < m->resources; r++) {
		sum += left[r] - demand[r];
		least = fmin(least, left[r] - demand[r]);
	}
	return m->fit == SL_FIT_BEST ? sum : least;
}

int sl_machines_take(struct sl_machines *m, const double *demand)
{
	double best = INFINITY;
	int found = -1;

	for (unsigned i = 0; i < m->n; i++) {
		const double *left = m->left + (size_t)i * m->resources;

		if (!fits(left, demand, m->resources))
			continue;
		if (m->n > 1 && m->fit != SL_FIT_FIRST) {
			const double s = slack(m, left, demand);

			if (s < best) {
				best = s;
				found = (int)i;
			}
			continue;
		}
		found = (int)i;
		break;
	}
	for (unsigned r = 0; found >= 0 && r < m->resources; r++)
		m->left[(size_t)found * m->resources + r] -= demand[r];
	return found;
}

void sl_machines_give(struct sl_machines *m, unsigned machine, const double *demand)
{
	for (unsigned r = 0; r < m->resources; r++)
		m->left[(size_t)machine * m->resources + r] += demand[r];
}
