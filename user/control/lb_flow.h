/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lb_flow.h - what a connection adds to the load of the core that it reaches, learned from what the
 * cores report and from how many connections each was sent in between. All load by all new
 * connections would be too much by as much as a connection outlasts the time between reports.
 * Pure.
 */
#ifndef SL_CONTROL_LB_FLOW_H
#define SL_CONTROL_LB_FLOW_H

/*
 * Moments of what one report of one core says, newer ones having more weight. The model: load rises
 * by `added` times the connections sent, and falls by a share of itself as others end. All zero
 * knows nothing.
 */
struct sl_lb_flow {
	double sent2, sent_load, load2, sent_rise, load_rise;
	double sent, load;
};

/*
 * A core's load was `before` in its report before this one and is `now`, in any unit; `sent`
 * connections were sent to it in between, `sent_before` in the time between the two reports before.
 */
void sl_lb_flow_observe(struct sl_lb_flow *f, double before, double now, double sent,
			double sent_before);

/*
 * Load that a connection adds, in the unit of the observations: 0 while nothing is known, never
 * more than all load by all connections of the time between two reports.
 */
double sl_lb_flow_added(const struct sl_lb_flow *f);

#endif /* SL_CONTROL_LB_FLOW_H */
