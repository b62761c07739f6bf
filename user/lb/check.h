/* SPDX-License-Identifier: GPL-2.0-or-later */
/* check.h - what speaks against a configuration, found out before anything is changed. */
#ifndef SL_LB_CHECK_H
#define SL_LB_CHECK_H

#include "lb/lb.h"

/*
 * The id of each server in the order of the file: its own, the one that it asks for, or a free one.
 * 0 and an array to free; -EINVAL, -ENODEV, -EPERM where the configuration cannot be applied: an id
 * that is another's or too large, a setting that would break connections, an interface that is not
 * there or does not forward. *next_id: what `next_id` in `lb_control` is then.
 */
int sl_lb_check(const struct sl_lb *lb, const struct sl_lb_config *config,
		const struct sl_lb_vip_entry *vips, unsigned n, uint16_t **ids, uint32_t *next_id,
		struct sl_error *err);

/* The VIP with this key, or NULL. */
const struct sl_lb_vip_entry *sl_lb_find_vip(const struct sl_lb_vip_entry *vips, unsigned n,
					     const struct sl_lb_vip_key *key);

#endif /* SL_LB_CHECK_H */
