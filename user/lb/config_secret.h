/* SPDX-License-Identifier: GPL-2.0-or-later */
/* config_secret.h - reads the secrets of a load balancer, sluice-lb(5). */
#ifndef SL_LB_CONFIG_SECRET_H
#define SL_LB_CONFIG_SECRET_H

#include "lb/config.h"
#include "platform/yaml.h"

SL_YAML_SETTER(sl_lb_set_secret);
SL_YAML_SETTER(sl_lb_set_before);
SL_YAML_SETTER(sl_lb_set_phase);

/* What the VIPs speak against, or -EINVAL; the whole file has been read. */
int sl_lb_secret_check(struct sl_yaml *y, const yaml_node_t *root, struct sl_lb_config *c);

#endif /* SL_LB_CONFIG_SECRET_H */
