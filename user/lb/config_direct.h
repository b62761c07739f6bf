/* SPDX-License-Identifier: GPL-2.0-or-later */
/* config_direct.h - `forward`, and the settings of direct server return. */
#ifndef SL_LB_CONFIG_DIRECT_H
#define SL_LB_CONFIG_DIRECT_H

#include "lb/config.h"
#include "platform/yaml.h"

SL_YAML_SETTER(sl_lb_set_source);

/* Of a VIP that is read. `keep` may not be said yet. */
int sl_lb_check_forward(struct sl_yaml *y, const yaml_node_t *item,
			const struct sl_lb_vip_config *v);

#endif /* SL_LB_CONFIG_DIRECT_H */
