/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lb_config_vip.h - `vips`, and their servers. */
#ifndef SL_PLATFORM_LB_CONFIG_VIP_H
#define SL_PLATFORM_LB_CONFIG_VIP_H

#include "platform/lb_config.h"
#include "platform/yaml.h"

SL_YAML_SETTER(sl_lb_set_vips);

#endif /* SL_PLATFORM_LB_CONFIG_VIP_H */
