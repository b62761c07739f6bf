/* SPDX-License-Identifier: GPL-2.0-or-later */
/* police_rig.h - police on the rig of nf_rig.h, and whether a packet passed. */
#ifndef TESTS_POLICE_RIG_H
#define TESTS_POLICE_RIG_H

#include "nf/builtin.h"
#include "nf_rig.h"

#define A "10.1.0.5"
#define B "192.0.2.9"
#define US 1000ull

static struct rig rig;

static inline void open_rig(const char *args)
{
	cr_assert_eq(rig_open(&rig, &sl_nf_police, args), 0, "%s: %s", args, rig.error);
}

static inline bool passed(const struct frame *f)
{
	if (f->pkt.verdict == SL_NEXT)
		return true;
	cr_assert_eq(f->pkt.verdict, SL_DROP);
	cr_assert_eq(f->pkt.reason, SL_DROP_NF);
	return false;
}

#endif /* TESTS_POLICE_RIG_H */
