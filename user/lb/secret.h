/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * secret.h - the secrets of cookies, as a balancer and the agents of its servers have them in
 * their control maps: two keys and the phase of the one that new cookies are by.
 */
#ifndef SL_LB_SECRET_H
#define SL_LB_SECRET_H

#include "lb/config.h"

/* 32 hexadecimal digits, as two words. -EINVAL: it is something else, or zeros, which stand for
 * none. */
int sl_secret_parse(const char *text, __u64 secret[2]);

/*
 * Can what is in force become what the configuration says? Where it names the phase, another secret
 * needs the other one: -EINVAL.
 */
int sl_secret_check(const __u64 key[2][2], unsigned phase, const struct sl_lb_config *config,
		    struct sl_error *err);

/*
 * Make them so: `key` and `phase` are members of `control`, the value of entry 0 of `map`, which is
 * stored. Keys that nobody names are random. -errno.
 */
int sl_secret_store(int map, void *control, __u64 key[2][2], __u32 *phase,
		    const struct sl_lb_config *config);

#endif /* SL_LB_SECRET_H */
