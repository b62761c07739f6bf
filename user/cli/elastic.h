/* SPDX-License-Identifier: GPL-2.0-or-later */
/* elastic.h - workers that the daemon has put to sleep: their state is known only to it. */
#ifndef SL_CLI_ELASTIC_H
#define SL_CLI_ELASTIC_H

#include <jansson.h>
#include <stdbool.h>

/* `status` is the daemon's answer of that name, NULL without one. */
bool elastic_asleep(const json_t *status, json_int_t worker);
/* Rows with "worker" and "state": those asleep say so. */
void elastic_mark(json_t *rows, const json_t *status);

#endif /* SL_CLI_ELASTIC_H */
