/* SPDX-License-Identifier: GPL-2.0-or-later */
/* config_vip.h - `vips`, and their servers. */
#ifndef SL_LB_CONFIG_VIP_H
#define SL_LB_CONFIG_VIP_H

#include "lb/config.h"
#include "platform/yaml.h"

SL_YAML_SETTER(sl_lb_set_vips);

#endif /* SL_LB_CONFIG_VIP_H */
