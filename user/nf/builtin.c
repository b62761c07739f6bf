// SPDX-License-Identifier: GPL-2.0-or-later
#include "nf/builtin.h"

const struct sl_nf *const sl_nf_builtin[] = {
	&sl_nf_conntrack, &sl_nf_dpi,	       &sl_nf_firewall, &sl_nf_flowcount,
	&sl_nf_forward,	  &sl_nf_heavyhitters, &sl_nf_nat44,	&sl_nf_police,
	&sl_nf_reflect,	  &sl_nf_sink,	       &sl_nf_work,	NULL,
};
