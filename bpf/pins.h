/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pins.h - values of the two maps that are pinned for an instance beside those of the steering
 * program: user space's own notes, made by pins.bpf.c so that bpftool can print them.
 */
#ifndef SLUICE_PINS_H
#define SLUICE_PINS_H

#include <linux/types.h>

#include <sluice/maps.h>

#define SL_RULE_TEXT 128

/* One entry of `rules`: a match rule as `--match` takes it; an empty one ends the list. */
struct sl_pin_rule {
	char text[SL_RULE_TEXT];
};
_Static_assert(sizeof(struct sl_pin_rule) == SL_RULE_TEXT, "the text and nothing else");

/* One entry of `ifaces`: which interfaces, in order. */
struct sl_pin_iface {
	char name[16]; /* IF_NAMESIZE; empty: no interface */
	__u32 ifindex;
	__u32 adopted; /* no link: attached by ip link or xdp-loader */
	__u64 netns; /* inode of the network namespace */
};
_Static_assert(sizeof(struct sl_pin_iface) == 32, "no padding");

#endif /* SLUICE_PINS_H */
