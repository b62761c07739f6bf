/* SPDX-License-Identifier: GPL-2.0-or-later */
/* machines.h - where a task fits: one pool, or equal machines. Amounts as in fair.h; exact. */
#ifndef SL_CONTROL_MACHINES_H
#define SL_CONTROL_MACHINES_H

#include <sluice/sched.h>

struct sl_machines {
	unsigned n, resources;
	enum sl_fit fit;
	double size; /* of a machine, of each resource */
	double *left; /* machine * resources + resource */
};

/* 0 or -ENOMEM. */
int sl_machines_init(struct sl_machines *m, unsigned n, unsigned resources, enum sl_fit fit);
void sl_machines_free(struct sl_machines *m);

/* Would it fit on an empty one? */
bool sl_machines_can(const struct sl_machines *m, const double *demand);

/* Take `demand` from a machine: its number, or -1: it fits nowhere now. */
int sl_machines_take(struct sl_machines *m, const double *demand);
void sl_machines_give(struct sl_machines *m, unsigned machine, const double *demand);

#endif /* SL_CONTROL_MACHINES_H */
