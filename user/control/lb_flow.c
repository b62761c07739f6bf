// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/lb_flow.h"

/* Of the latest observation: a thousand of them, a second of 10 cores at 10 ms, say. */
#define FRESH (1.0 / 1024)

static void mean(double *of, double value)
{
	*of += FRESH * (value - *of);
}

void sl_lb_flow_observe(struct sl_lb_flow *f, double before, double now, double sent,
			double sent_before)
{
	/* Those that came in between are half in what was measured in between. */
	double seen = (sent + sent_before) / 2, rise = now - before;

	mean(&f->sent2, seen * seen);
	mean(&f->sent_load, seen * before);
	mean(&f->load2, before * before);
	mean(&f->sent_rise, seen * rise);
	mean(&f->load_rise, before * rise);
	mean(&f->sent, seen);
	mean(&f->load, before);
}

/* Least squares of rise = added * sent - ending * load. */
double sl_lb_flow_added(const struct sl_lb_flow *f)
{
	double all = f->sent > 0 ? f->load / f->sent : 0;
	double det = f->sent2 * f->load2 - f->sent_load * f->sent_load;
	double added;

	if (!(det > 1e-9 * f->sent2 * f->load2))
		return 0;
	added = (f->sent_rise * f->load2 - f->load_rise * f->sent_load) / det;
	if (!(added > 0))
		return 0;
	return added < all ? added : all;
}
