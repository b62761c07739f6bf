/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fw_packet.h - what rules of firewall see of a packet. */
#ifndef SL_NF_FW_PACKET_H
#define SL_NF_FW_PACKET_H

#include "nf/conn.h"
#include "nf/fw_rules.h"

struct fw_view {
	struct sl_flow_key flow; /* of an ICMP error: of what it quotes */
	struct classify_key key; /* but for the state */
	bool reversed; /* from the flow's second end */
	bool bad; /* no IP packet that anybody should send */
	bool tracked; /* belongs to a connection of its own: no error, no fragment */
};

void fw_look(const struct sl_packet *pkt, struct fw_view *v);

/*
 * The state of a tracked packet of the connection `known`, or of none (NULL). *next is the
 * connection after it, should it pass; *begins whether it is the first of a new one.
 */
enum fw_state fw_state_of(const struct fw_rules *r, const struct sl_packet *pkt,
			  const struct fw_view *v, const struct conn *known, struct conn *next,
			  bool *begins);

#endif /* SL_NF_FW_PACKET_H */
