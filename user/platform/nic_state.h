/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nic_state.h - what became of the NICs' own tables, for the operator. */
#ifndef SL_PLATFORM_NIC_STATE_H
#define SL_PLATFORM_NIC_STATE_H

#include "platform/instance.h"

#define SL_NIC_LINE 320

/* "off", "follows", ... */
const char *sl_nic_state_name(unsigned state);
/* "auto", "on", "off". */
const char *sl_hardware_name(unsigned hardware);

/* The state of interface `i` of the instance. All zero while no dataplane has looked. */
struct sl_nic_state sl_nic_state_read(const struct sl_instance *inst, unsigned i);

/* Is something wrong, and what mends it? One line. What only is not to be had is wrong where
 * control.hardware says on. */
bool sl_nic_trouble(const struct sl_instance *inst, unsigned i, char line[SL_NIC_LINE]);

#endif /* SL_PLATFORM_NIC_STATE_H */
