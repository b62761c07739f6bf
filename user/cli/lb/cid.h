/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cid.h - QUIC's connection ids by a configuration file: for people who write servers. */
#ifndef SL_CLI_LB_CID_H
#define SL_CLI_LB_CID_H

#include "lb/config.h"

#define CID_ANY_CONFIG SL_LB_QUIC_CONFIGS

/*
 * One of `server` for each configuration of each of its VIPs, or of configuration `config` only.
 * `nonce`: hexadecimal digits, NULL: random. Both print JSON and return an exit status; *err says
 * what is wrong.
 */
int cid_encode(const struct sl_lb_config *file, const char *server, unsigned config,
	       const char *nonce, struct sl_error *err);
/* What the VIPs make of a connection id, in hexadecimal digits. */
int cid_decode(const struct sl_lb_config *file, const char *cid, struct sl_error *err);

#endif /* SL_CLI_LB_CID_H */
