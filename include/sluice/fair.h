/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fair.h - the fair-share policies and what can be set about them. Users share resources of fixed
 * capacity; a user's dominant share is the largest of its shares of each resource.
 */
#ifndef SLUICE_FAIR_H
#define SLUICE_FAIR_H

#include <stdbool.h>

#define SL_FAIR_RESOURCES 16
#define SL_FAIR_USERS 100000
/* Of users: what divides by one stays finite. */
#define SL_FAIR_WEIGHT_MIN 1e-9
#define SL_FAIR_WEIGHT_MAX 1e9

enum sl_policy {
	/* Smallest dominant share first (Ghodsi and others, NSDI 2011). */
	SL_POLICY_DRF = 0,
	/* Smallest dominant share plus dominant commitment first, where a commitment is a moving
	 * average of what a user had beyond its equal share (Sadok and others, IEEE ToC 2021). */
	SL_POLICY_SDRF,
	/* Smallest virtual start time first; a task costs share times length (Ghodsi and others,
	 * SIGCOMM 2012). */
	SL_POLICY_DRFQ,
	/* Richest first beyond the guaranteed share; credits are earned by lending (Vuppalapati and
	 * others, OSDI 2023). */
	SL_POLICY_KARMA,
	/* Smallest share of one resource first. */
	SL_POLICY_MAXMIN,
};

/* Zero means the default everywhere. */
struct sl_fair_opts {
	enum sl_policy policy;
	unsigned resources; /* 1..SL_FAIR_RESOURCES */
	double capacity[SL_FAIR_RESOURCES]; /* in any unit; > 0 */
	double half_life; /* SDRF: of commitments, seconds; default 8 hours */
	bool no_floor; /* SDRF: priority alone, as its authors coded it. By default users whose next
			  task leaves them within their equal share come first, in DRF order, which
			  is what gives the sharing incentive. */
	double memory; /* DRFQ: how far a user's virtual times of two resources may lie apart,
			  seconds; 0: memoryless, INFINITY: dove-tailing */
	double borrowable; /* Karma: fraction of the equal share that is not guaranteed, 0..1 */
	double quantum; /* Karma: credits change hands so often, seconds, 1e-6..1e9; default 1 */
	unsigned resource; /* max-min: index of the resource */
};

#endif /* SLUICE_FAIR_H */
