/* SPDX-License-Identifier: GPL-2.0-or-later */
/* config_tenants.h - the `tenants` of an instance's configuration. */
#ifndef SL_PLATFORM_CONFIG_TENANTS_H
#define SL_PLATFORM_CONFIG_TENANTS_H

#include "platform/config.h"
#include "platform/yaml.h"

SL_YAML_SETTER(sl_config_set_tenants); /* struct sl_tenants_config */

/* "maxmin", ...; static. */
const char *sl_policy_name(enum sl_policy policy);

#endif /* SL_PLATFORM_CONFIG_TENANTS_H */
