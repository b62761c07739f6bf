/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cores.h - inside loads.h: a server's entry of the map `lb_cores`. */
#ifndef SL_LB_CORES_H
#define SL_LB_CORES_H

#include "lb/lb.h"
#include "lb/report.h"

/* Bytes of a mapping of one. */
size_t sl_lb_cores_size(void);
/* Map the inner map of this id. NULL: it is gone. */
struct sl_lb_cores *sl_lb_cores_map(uint32_t id);

/*
 * Rows of a table whose hash, key and sizes are as they were. Each is a byte of its own, as they
 * change at the server: no packet sees half of anything. False: something else differs too.
 */
bool sl_lb_cores_update(struct sl_lb_cores *c, const struct sl_core_table *t, uint32_t number);

/* A new inner map, of the report `head`, in the place of `old` (NULL: there is none), which waits
 * for a grace period. Loads go along. */
int sl_lb_cores_replace(const struct sl_lb *lb, const struct sl_lb_cores *old,
			const struct sl_core_table *t, const struct sl_report_seen *head);

#endif /* SL_LB_CORES_H */
