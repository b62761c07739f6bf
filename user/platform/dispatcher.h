/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dispatcher.h - libxdp's dispatcher: an XDP program of stubs, each of which another program has
 * taken the place of, so that several share an interface.
 */
#ifndef SL_PLATFORM_DISPATCHER_H
#define SL_PLATFORM_DISPATCHER_H

#include <stdint.h>

#include "platform/instance.h"

#define SL_DISPATCHER_NAME "xdp_dispatcher"

/* Sluice's program among those of the dispatcher `prog_id`. 0: none, or it is no dispatcher, or
 * we may not look (CAP_SYS_ADMIN). */
uint32_t sl_dispatcher_member(uint32_t prog_id);

/* A dispatcher without Sluice is there: -EEXIST, and in err how to share it or take it off. */
int sl_dispatcher_foreign(const char *ifname, uint32_t prog_id, struct sl_error *err);

/* Only who put Sluice into the dispatcher can take it out or swap it: -EBUSY, and how in err. */
int sl_dispatcher_held(const char *ifname, uint32_t member_id, struct sl_error *err);

#endif /* SL_PLATFORM_DISPATCHER_H */
