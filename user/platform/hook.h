/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hook.h - the XDP hook of an interface: what is on it, put a program there, swap it, take it off.
 */
#ifndef SL_PLATFORM_HOOK_H
#define SL_PLATFORM_HOOK_H

#include "platform/maps.h"
#include "platform/pin.h"

struct sl_hook {
	uint32_t prog_id; /* 0: none. In libxdp's dispatcher: Sluice's, if it is there */
	uint32_t dispatcher_id; /* what prog_id is in; 0: prog_id is on the interface itself */
	enum sl_xdp_mode mode;
};

/* What is on the interface now. -ENODEV. */
int sl_hook_query(int ifindex, struct sl_hook *hook);

/* A foreign program, or ours of another ABI, is there: -EEXIST or -EPROTO, with its name and whose
 * it is in err. 0: it is ours. */
int sl_hook_judge(const char *ifname, const struct sl_prog *prog, struct sl_error *err);

/*
 * Put a program on an empty hook by a bpf_link. `*mode` SL_XDP_UNKNOWN: native, and where the
 * driver or its settings refuse that, generic; *mode says which, and `note` why it is not native.
 * Returns the link's fd, or -errno.
 */
int sl_hook_link(const char *ifname, int ifindex, int prog_fd, enum sl_xdp_mode *mode,
		 struct sl_error *note, struct sl_error *err);

/* Swap a program for another without a gap, by the link or (link_fd -1) by netlink. Refused if
 * another than `old_fd` is there. */
int sl_hook_swap(int ifindex, enum sl_xdp_mode mode, int link_fd, int old_fd, int new_fd);

/* Take off a program that has no link. -EEXIST or -EBUSY: another is there. */
int sl_hook_clear(int ifindex, enum sl_xdp_mode mode, int old_fd);

/* Interface of a link, 0 if it is gone. */
int sl_link_ifindex(int link_fd);
uint32_t sl_prog_id(int prog_fd); /* 0: unreadable */
bool sl_prog_takes_rx_hash(int prog_fd); /* it is the build for the NIC's own hash */

/*
 * Does a pinned interface still carry what is pinned? Its interface may be gone, its namespace may
 * be, or somebody took the program off. An interface of another living namespace counts as alive.
 */
bool sl_pin_iface_alive(const char *instance, const struct sl_pin_iface *iface);

#endif /* SL_PLATFORM_HOOK_H */
