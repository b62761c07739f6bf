/* SPDX-License-Identifier: GPL-2.0-or-later */
/* probe_packet.h - inside probe_direct.c: packets from this host to a VIP, made by hand. */
#ifndef SL_LB_PROBE_PACKET_H
#define SL_LB_PROBE_PACKET_H

#include <netinet/ip6.h>
#include <netinet/tcp.h>

#include "lb/probe.h"

/* As it is before the tunnel's headers. */
struct sl_probe_packet {
	unsigned n;
	uint8_t b[sizeof(struct ip6_hdr) + sizeof(struct tcphdr) + SL_LB_PROBE_REQUEST];
};

/* `flags` are TCP's of RFC 9293 (TH_SYN, ...); `text` of `n` bytes, SL_LB_PROBE_REQUEST at most. */
void sl_probe_segment(struct sl_probe_packet *k, const struct sl_lb_probe *p, unsigned flags,
		      const char *text, size_t n);
void sl_probe_datagram(struct sl_probe_packet *k, const struct sl_lb_probe *p, const char *text);

#endif /* SL_LB_PROBE_PACKET_H */
