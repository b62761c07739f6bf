/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * attach_rig.h - what the tests of attach and detach share: options, and looks at what is there.
 */
#ifndef TESTS_BPF_ATTACH_RIG_H
#define TESTS_BPF_ATTACH_RIG_H

#include <errno.h>
#include <net/if.h>
#include <string.h>

#include "platform/hook.h"
#include "platform/pin.h"
#include "testnet.h"

static struct sl_error err;
static struct sl_rule all;

static inline struct sl_attach_opts options(const char *const *ifaces, unsigned n)
{
	return (struct sl_attach_opts){
		.ifaces = ifaces, .ifaces_n = n, .rules = &all, .rules_n = 1};
}

#define ATTACH(opts_ptr, expected)                                                                 \
	do {                                                                                       \
		const int rc_ = sl_attach(opts_ptr, &err);                                         \
		cr_assert_eq(rc_, expected, "sl_attach: %d, %s", rc_, err.text);                   \
	} while (0)

#define DETACH(name, expected)                                                                     \
	do {                                                                                       \
		const int rc_ = sl_detach(name, false, &err);                                      \
		cr_assert_eq(rc_, expected, "sl_detach: %d, %s", rc_, err.text);                   \
	} while (0)

static inline struct sl_instance *open_instance(const char *name)
{
	struct sl_instance *inst;
	const int rc = sl_instance_open(name, &inst, &err);

	cr_assert_eq(rc, 0, "open %s: %d, %s", name, rc, err.text);
	return inst;
}

static inline int open_result(const char *name)
{
	struct sl_instance *inst;
	const int rc = sl_instance_open(name, &inst, &err);

	sl_instance_close(inst);
	return rc;
}

static inline uint32_t prog_on(const char *ifname)
{
	struct sl_hook hook = {0};

	cr_assert_eq(sl_hook_query((int)if_nametoindex(ifname), &hook), 0);
	return hook.prog_id;
}

static inline bool is_pinned(const char *instance)
{
	struct sl_pin_iface ifaces[SL_MAX_IFACES];

	return sl_pin_ifaces(instance, ifaces) != -ENOENT;
}

static inline void setup(void)
{
	testnet_enter();
	all = testnet_rule_all();
}

#endif /* TESTS_BPF_ATTACH_RIG_H */
