/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tc.h - BPF programs at an interface's clsact qdisc, which every kernel since 4.5 has. In the
 * calling thread's network namespace.
 */
#ifndef SL_PLATFORM_TC_H
#define SL_PLATFORM_TC_H

#include <stdbool.h>
#include <stdint.h>

/* Which way a filter looks. */
enum sl_tc_way {
	SL_TC_IN,
	SL_TC_OUT,
};

/* Id of the program of Sluice's filter, 0: there is none. */
uint32_t sl_tc_query(unsigned ifindex, enum sl_tc_way way);

/* Put it there, ahead of filters of others; one that is there is replaced. *made: whether the qdisc
 * had to be made. 0 or -errno. */
int sl_tc_attach(unsigned ifindex, enum sl_tc_way way, int prog_fd, bool *made);
int sl_tc_detach(unsigned ifindex, enum sl_tc_way way);

/* Take the qdisc away unless filters of others are there. */
void sl_tc_tidy(unsigned ifindex);

#endif /* SL_PLATFORM_TC_H */
