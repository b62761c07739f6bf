/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * examine.h - the facts that control/doctor.h judges, and what its findings ask for.
 *
 * By netlink, ethtool and /proc, not /sys: who entered a network namespace by nsenter(1) still sees
 * the host's. Interfaces are those of the calling thread's namespace.
 */
#ifndef SL_PLATFORM_EXAMINE_H
#define SL_PLATFORM_EXAMINE_H

#include "control/doctor.h"
#include "platform/instance.h"

/*
 * Collect the facts about an interface but `need`. What cannot be found out is unknown there. 0, or
 * -errno with a line in err: -ENODEV no such interface.
 */
int sl_examine(const char *ifname, struct sl_facts *facts, struct sl_error *err);

/* Do what a finding asks for. 0 or -errno. */
int sl_mend_apply(const char *ifname, const struct sl_mend *mend);

/* Parts of the above. */
void examine_host(const char *ifname, struct sl_facts *facts);
void examine_instance(const char *ifname, struct sl_facts *facts);

#endif /* SL_PLATFORM_EXAMINE_H */
