// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdio.h>
#include <string.h>

#include "platform/nic_state.h"

const char *sl_nic_state_name(unsigned state)
{
	static const char *const names[SL_NIC_STATES] = {
		[SL_NIC_OFF] = "off",		[SL_NIC_ABSENT] = "absent",
		[SL_NIC_HASH] = "other hash",	[SL_NIC_REFUSED] = "refused",
		[SL_NIC_UNPROVEN] = "unproven", [SL_NIC_FOLLOWS] = "follows",
		[SL_NIC_ASTRAY] = "astray"};

	return state < SL_NIC_STATES ? names[state] : "unknown";
}

const char *sl_hardware_name(unsigned hardware)
{
	return hardware == SL_HARDWARE_ON ? "on" : hardware == SL_HARDWARE_OFF ? "off" : "auto";
}

struct sl_nic_state sl_nic_state_read(const struct sl_instance *inst, unsigned i)
{
	const struct sl_nic_state *nic = inst->control->nic;

	for (unsigned k = 0; k < SL_MAX_IFACES; k++)
		if (nic[k].ifindex == (__u32)inst->iface[i].ifindex)
			return nic[k];
	return (struct sl_nic_state){0};
}

bool sl_nic_trouble(const struct sl_instance *inst, unsigned i, char line[SL_NIC_LINE])
{
	const struct sl_nic_state nic = sl_nic_state_read(inst, i);
	const bool on = inst->control->hardware == SL_HARDWARE_ON;
	const char *name = inst->iface[i].name;

	switch (nic.state) {
	case SL_NIC_ABSENT:
		snprintf(line, SL_NIC_LINE,
			 "%s: steering.hardware is on, and its driver shows no table (RETA) that "
			 "buckets can follow: write auto",
			 name);
		return on;
	case SL_NIC_HASH:
		snprintf(line, SL_NIC_LINE,
			 "%s: steering.hardware is on, and the instance does not hash as the NIC "
			 "does: attach with --hash toeplitz:nic",
			 name);
		return on;
	case SL_NIC_REFUSED:
		snprintf(line, SL_NIC_LINE,
			 "%s: the NIC's table cannot be steered: %s; the dataplane needs "
			 "CAP_NET_ADMIN, or write steering.hardware: off",
			 name, strerror(nic.error));
		return true;
	case SL_NIC_ASTRAY:
		snprintf(line, SL_NIC_LINE,
			 "%s: packets come in on other queues than the NIC's table says: it may "
			 "hash other fields (ethtool -N %s rx-flow-hash udp4 sdfn), or not use the "
			 "table: sluice nic %s --hardware off",
			 name, name, name);
		return true;
	default:
		return false;
	}
}
