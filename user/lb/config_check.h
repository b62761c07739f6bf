/* SPDX-License-Identifier: GPL-2.0-or-later */
/* config_check.h - reads the `check:` of a VIP, sluice-lb(5). */
#ifndef SL_LB_CONFIG_CHECK_H
#define SL_LB_CONFIG_CHECK_H

#include "lb/config.h"
#include "platform/yaml.h"

void sl_lb_check_default(struct sl_lb_check_config *c);
/* What was not said of path and status. */
void sl_lb_check_fill_in(struct sl_lb_check_config *c);
/* A mapping, or the type alone. */
SL_YAML_SETTER(sl_lb_set_check);
/* What the VIP speaks against, or -EINVAL; the whole item has been read. */
int sl_lb_check_check(struct sl_yaml *y, const yaml_node_t *item,
		      const struct sl_lb_check_config *c, bool udp, bool any_port);

#endif /* SL_LB_CONFIG_CHECK_H */
