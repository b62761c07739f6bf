/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tenants_told.h - what requests and metrics are told of tenants. */
#ifndef SL_DAEMON_TENANTS_TOLD_H
#define SL_DAEMON_TENANTS_TOLD_H

#include <jansson.h>
#include <stdio.h>

#include "daemon/served.h"

/* The answer of `tenants`: all of an instance, or the one of that name. -ENOENT with a line. */
int tenants_told_json(const struct served *s, const char *name, json_t **result,
		      struct sl_error *err);

void tenants_told_metrics(FILE *f, struct served *const *served, unsigned n);

#endif /* SL_DAEMON_TENANTS_TOLD_H */
