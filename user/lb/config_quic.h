/* SPDX-License-Identifier: GPL-2.0-or-later */
/* config_quic.h - what is QUIC's in a load balancer's configuration file. */
#ifndef SL_LB_CONFIG_QUIC_H
#define SL_LB_CONFIG_QUIC_H

#include "lb/config.h"
#include "platform/yaml.h"

/* `quic:` of a struct sl_lb_vip_config, `quic_id:` of a struct sl_lb_server_config. */
SL_YAML_SETTER(sl_lb_set_quic);
SL_YAML_SETTER(sl_lb_set_quic_id);

/* Do the settings of the VIP go together? */
int sl_lb_check_quic(struct sl_yaml *y, const yaml_node_t *item, const struct sl_lb_vip_config *v);

#endif /* SL_LB_CONFIG_QUIC_H */
