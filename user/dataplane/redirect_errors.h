/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * redirect_errors.h - redirects that fail after bpf_redirect_map() returned: no socket counts them,
 * a tracepoint does (bpf/redirect_err.bpf.c).
 */
#ifndef SL_DATAPLANE_REDIRECT_ERRORS_H
#define SL_DATAPLANE_REDIRECT_ERRORS_H

#include "dataplane/internal.h"

/* Start counting for the instance's XSKMAPs, whichever program redirects into them. Where the
 * kernel refuses the tracepoint a line says so, and the count stays 0. */
void redirect_errors_open(struct sl_dataplane *dp);
/* Bring control.redirect_error up to date. Housekeeping. */
void redirect_errors_publish(struct sl_dataplane *dp);
void redirect_errors_close(struct sl_dataplane *dp);

#endif /* SL_DATAPLANE_REDIRECT_ERRORS_H */
