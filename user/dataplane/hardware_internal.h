/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hardware_internal.h - inside hardware.h: one interface's table, and looking, planning, writing.
 */
#ifndef SL_DATAPLANE_HARDWARE_INTERNAL_H
#define SL_DATAPLANE_HARDWARE_INTERNAL_H

#include "control/reta_watch.h"
#include "dataplane/resteer.h"
#include "platform/nic.h"

struct hw_iface {
	struct sl_dataplane *dp;
	unsigned index; /* of the dataplane's interfaces */
	struct sl_nic nic;
	bool left; /* as it was, because control.hardware says off */
	bool taken; /* `nic` is in our hands, and the arrays are there */
	uint64_t retry_ns; /* when to try again what was refused, or did not help */
	struct sl_nic_state *shown; /* in control.nic */

	/* what came in: [queues * buckets], and by bucket */
	unsigned queues;
	uint32_t *seen, *count;
	double *load;
	struct sl_reta_watch watch;
	unsigned bad; /* verdicts in a row that said astray */

	uint32_t want[SL_RETA_MAX];
	uint8_t changed[SL_RETA_MAX]; /* since the look before */
	unsigned items; /* of the round that resteer carries out, whose late packets are to count */
};

/* --- hardware_look.c */
/* Count what came in since the look before, and hold it against the table. */
enum sl_reta_verdict hw_look(struct hw_iface *f);
/* Packets that came in on their old queue after their hold. */
void hw_count_late(struct hw_iface *f);

/* --- hardware_plan.c */
/* Plan the table, hold, write. Entries changed, or -errno. */
int hw_follow(struct hw_iface *f);

#endif /* SL_DATAPLANE_HARDWARE_INTERNAL_H */
