/* SPDX-License-Identifier: GPL-2.0-or-later */
/* doctor.h - the facts of an examination as sluice doctor shows them. */
#ifndef SL_CLI_DOCTOR_H
#define SL_CLI_DOCTOR_H

#include <jansson.h>

#include "control/doctor.h"

json_t *doctor_facts_json(const struct sl_facts *f);
void doctor_facts_print(const struct sl_facts *f);

#endif /* SL_CLI_DOCTOR_H */
