/* SPDX-License-Identifier: GPL-2.0-or-later */
/* config_idle.h - settings that mean nothing beside the others are refused, not passed over. */
#ifndef SL_LB_CONFIG_IDLE_H
#define SL_LB_CONFIG_IDLE_H

#include "lb/config.h"
#include "platform/yaml.h"

#define SL_LB_UNSAID UINT_MAX /* of `keep` and `metric`; of other settings it is 0 */

/* Before sl_lb_fill_in(), when `keep` is known. */
int sl_lb_check_idle(struct sl_yaml *y, const yaml_node_t *item, const struct sl_lb_vip_config *v);
/* What was not said of a VIP is the default from here on. */
void sl_lb_fill_in(struct sl_lb_vip_config *v);
/* Of the whole file, whose VIPs are read. */
int sl_lb_check_idle_file(struct sl_yaml *y, const yaml_node_t *root, struct sl_lb_config *c);

#endif /* SL_LB_CONFIG_IDLE_H */
