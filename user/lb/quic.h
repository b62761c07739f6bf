/* SPDX-License-Identifier: GPL-2.0-or-later */
/* quic.h - QUIC's connection ids in the maps of a load balancer: configurations, server ids. */
#ifndef SL_LB_QUIC_H
#define SL_LB_QUIC_H

#include "lb/lb.h"

/* Has every configuration room for the id? */
bool sl_lb_quic_fits(const struct sl_lb_quic *quic, const __u64 id[2]);
/* The id that a server has in connection ids: the file's, or the one in the balancer. */
void sl_lb_quic_id(const struct sl_lb_server_config *s, uint32_t server, __u64 id[2]);

/* Octets as hexadecimal digits and back; how many, or -EINVAL. `buf` has room for two each, and 0.
 */
int sl_lb_hex_parse(const char *text, uint8_t *octets, size_t max);
void sl_lb_hex_text(const uint8_t *octets, size_t n, char *buf);
/* The lowest `length` octets of an id, as they are in a connection id. */
void sl_lb_quic_id_text(const __u64 id[2], unsigned length, char *buf);

/* A server's id in connection ids of its VIP. */
struct sl_lb_quic_entry {
	struct sl_lb_quic_server key;
	uint32_t server;
};

/* Those of a VIP: an array to free, its length in *n. */
int sl_lb_quic_entries(const struct sl_lb *lb, unsigned vip, struct sl_lb_quic_entry **entries,
		       unsigned *n);
/* What XDP has of the VIP; -ENOENT: nothing. */
int sl_lb_quic_read(const struct sl_lb *lb, unsigned vip, struct sl_lb_quic *quic);

/*
 * For sl_lb_apply(). `servers`: who has which id in the balancer, in the order of `v`; `old`: the
 * number of the VIP that is there, or negative. Check: ids fit, are each one server's, and stay.
 */
int sl_lb_quic_check(const struct sl_lb *lb, const struct sl_lb_vip_config *v, int old,
		     const uint16_t *servers, struct sl_error *err);
/* Before the VIP is entered: what its packets need. */
int sl_lb_quic_enter(const struct sl_lb *lb, const struct sl_lb_vip_config *v, unsigned vip,
		     const uint16_t *servers, struct sl_error *err);
/* After that: what they do not need any more. NULL: the VIP is gone. */
void sl_lb_quic_leave(const struct sl_lb *lb, const struct sl_lb_vip_config *v, unsigned vip,
		      const uint16_t *servers);

#endif /* SL_LB_QUIC_H */
