/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * conn.h - what a connection is doing, as somebody in the middle can tell (RFC 9293 3.3.2 seen from
 * outside), and how long it may be silent. For the NFs that keep connections: conntrack, nat44,
 * firewall.
 *
 * A connection has two sides, 0 and 1, by whatever rule the NF has; a packet comes from one.
 */
#ifndef SL_NF_CONN_H
#define SL_NF_CONN_H

#include <sluice/nf.h>

/* Names: conn_state_name(). A zeroed struct conn is a connection of which no packet has come. */
enum conn_state {
	CONN_NONE = 0,
	CONN_UNREPLIED, /* not TCP: one side has spoken */
	CONN_REPLIED, /* not TCP: both have */
	CONN_SYN_SENT,
	CONN_SYN_RECEIVED, /* both SYNs were seen */
	CONN_MIDSTREAM, /* TCP whose beginning was not seen: one side has spoken */
	CONN_ESTABLISHED,
	CONN_FIN_WAIT, /* one side has closed */
	CONN_LAST_ACK, /* both have; not all of it acknowledged */
	CONN_TIME_WAIT, /* both have, and know it */
	CONN_RESET,
	CONN_STATES
};

struct conn {
	uint8_t state; /* enum conn_state */
	uint8_t proto;
	uint8_t origin; /* side that began */
	uint8_t spoke; /* bit s: side s has sent */
	uint8_t fin; /* bit s: side s has closed */
	uint8_t acks; /* bit s: acked[s] is valid */
	uint16_t resv;
	uint32_t next[2]; /* sequence number behind all that the side has sent */
	uint32_t acked[2]; /* highest acknowledgement of the side */
};

/* What a packet did. */
enum conn_event {
	CONN_SAME = 0,
	CONN_MADE, /* the first packet, or a new connection in place of one that was over */
	CONN_MOVED, /* to another state */
	CONN_INVALID, /* fits nothing: a reset from nowhere. The state stays */
};

/*
 * Follow a packet of the connection from `side`; no fragment, no ICMP error. `before` (may be NULL)
 * gets the state it had. O(1), touches nothing but *c and the packet.
 */
enum conn_event conn_packet(struct conn *c, const struct sl_packet *pkt, unsigned side,
			    enum conn_state *before);

/*
 * How long the connection may be silent in its state, ms. TCP: 124 minutes established, 4 minutes
 * on its way up or down (RFC 5382 REQ-5), but what was only asked for, and what was reset, goes
 * sooner, or a scan would fill tables; UDP: 5 minutes (RFC 4787 REQ-5), 30 s unanswered; ICMP: 60 s
 * (RFC 5508 REQ-2).
 */
uint32_t conn_idle_ms(const struct conn *c);

#define CONN_IDLE_MAX_MS 7440000 /* of all states */

const char *conn_state_name(enum conn_state state);

#endif /* SL_NF_CONN_H */
