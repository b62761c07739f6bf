/* SPDX-License-Identifier: GPL-2.0-or-later */
/* config_values.h - values with a shape of their own: names, rules, ranges, addresses, keys. */
#ifndef SL_PLATFORM_CONFIG_VALUES_H
#define SL_PLATFORM_CONFIG_VALUES_H

#include "platform/config.h"
#include "platform/yaml.h"

/* The settings below `balance`, of a struct sl_balance_config; the simulator reads them too. */
extern const struct sl_yaml_field sl_config_balance_fields[];

SL_YAML_SETTER(sl_config_set_name); /* char[SL_NAME_MAX]: it becomes a folder's name */
SL_YAML_SETTER(sl_config_set_group); /* char[32] */
SL_YAML_SETTER(sl_config_set_buckets); /* unsigned, a power of two */
SL_YAML_SETTER(sl_config_set_mode); /* enum sl_xdp_mode */
SL_YAML_SETTER(sl_config_set_stamp); /* bool inband */
SL_YAML_SETTER(sl_config_set_hash); /* bool toeplitz */

/* Lists and pairs; `base` is the whole struct of the mapping that they stand in. */
SL_YAML_SETTER(sl_config_set_ifaces); /* struct sl_instance_config */
SL_YAML_SETTER(sl_config_set_rules); /* struct sl_instance_config */
SL_YAML_SETTER(sl_config_set_key); /* struct sl_instance_config */
SL_YAML_SETTER(sl_config_set_hardware); /* struct sl_instance_config */
SL_YAML_SETTER(sl_config_set_pins); /* struct sl_balance_config */
SL_YAML_SETTER(sl_config_set_listen); /* struct sl_config */

/* Letters, digits, '-', '_' and '.', at least one and fewer than `room`. */
bool sl_config_is_name(const char *text, size_t room);

/* "127.0.0.1:9464" or "[::1]:9464". 0, -EINVAL no address and port, -EADDRNOTAVAIL not loopback. */
int sl_listen_parse(const char *text, struct sockaddr_storage *addr);

#endif /* SL_PLATFORM_CONFIG_VALUES_H */
