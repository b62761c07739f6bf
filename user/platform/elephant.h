/* SPDX-License-Identifier: GPL-2.0-or-later */
/* elephant.h - the flows of a bucket that needs more than a core, as its owner noted them. */
#ifndef SL_PLATFORM_ELEPHANT_H
#define SL_PLATFORM_ELEPHANT_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "platform/instance.h"

#define SL_HEAVY_TEXT 128

/* Copy what is known of `bucket`. False: nothing yet, or too little to say. Any thread. */
bool sl_elephant_read(const struct sl_instance *inst, uint32_t bucket, struct sl_elephant *out);
/* "udp 10.0.0.1.1000 - 10.0.0.2.2000", as tcpdump writes ports */
void sl_heavy_flow_text(const struct sl_heavy_flow *f, char text[SL_HEAVY_TEXT]);
/* Write them, whole for readers. Only the bucket's owner. */
void sl_elephant_write(struct sl_instance *inst, const struct sl_elephant *e);
/* {addr_a, port_a, addr_b, port_b, proto, share} each; share 0..1. */
json_t *sl_elephant_flows_json(const struct sl_elephant *e);

#endif /* SL_PLATFORM_ELEPHANT_H */
