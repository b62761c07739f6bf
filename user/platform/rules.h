/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rules.h - match rules into the kernel; for attach.c, which holds the pin lock already.
 */
#ifndef SL_PLATFORM_RULES_H
#define SL_PLATFORM_RULES_H

#include "platform/attach.h"

/* sl_match_install() without taking the pin lock. */
int sl_match_write(struct sl_instance *inst, const struct sl_rule *rules, unsigned n, bool local,
		   struct sl_error *err);

/* Both entries of an interface's `match`, before a program goes where no packet may pass by. */
int sl_match_prepare(int match_fd, int local_addrs_fd, const struct sl_rule *rules, unsigned n,
		     struct sl_error *err);

#endif /* SL_PLATFORM_RULES_H */
