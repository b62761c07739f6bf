/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside doctor.h: the parts of the examination, one file for each organ. */
#ifndef SL_CONTROL_DOCTOR_IMPL_H
#define SL_CONTROL_DOCTOR_IMPL_H

#include "control/doctor.h"

/* Append a finding; a command or a mend is added to what is returned. Never NULL: what has no place
 * any more goes to the last one. */
struct sl_finding *doctor_problem(struct sl_findings *out, const char *id, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
struct sl_finding *doctor_note(struct sl_findings *out, const char *id, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void doctor_command(struct sl_finding *finding, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

void doctor_link(const struct sl_facts *f, struct sl_findings *out);
void doctor_rss(const struct sl_facts *f, struct sl_findings *out);
void doctor_offloads(const struct sl_facts *f, struct sl_findings *out);
void doctor_placement(const struct sl_facts *f, struct sl_findings *out);
void doctor_memory(const struct sl_facts *f, struct sl_findings *out);

#endif /* SL_CONTROL_DOCTOR_IMPL_H */
