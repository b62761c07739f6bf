// SPDX-License-Identifier: GPL-2.0-or-later
#include "nf/conn.h"
#include "nf/wire.h"

enum { FIN = 0x01, SYN = 0x02, RST = 0x04, ACK = 0x10 };

/*
 * A reset counts if it lies between what its receiver has acknowledged and so far beyond what its
 * sender has sent (RFC 5961 3.2 asks the receiver for more, whose window we do not track).
 */
#define RESET_WINDOW 65535

static const uint32_t idle_s[CONN_STATES] = {
	[CONN_UNREPLIED] = 30,	  [CONN_REPLIED] = 300,	  [CONN_SYN_SENT] = 60,
	[CONN_SYN_RECEIVED] = 60, [CONN_MIDSTREAM] = 240, [CONN_ESTABLISHED] = 7440,
	[CONN_FIN_WAIT] = 240,	  [CONN_LAST_ACK] = 240,  [CONN_TIME_WAIT] = 120,
	[CONN_RESET] = 10,
};

#define IDLE_OTHER_S 60 /* ICMP, and protocols without ports */

uint32_t conn_idle_ms(const struct conn *c)
{
	uint32_t s = idle_s[c->state];

	if (c->proto != PROTO_TCP && c->proto != PROTO_UDP && s > IDLE_OTHER_S)
		s = IDLE_OTHER_S;
	return s * 1000;
}

const char *conn_state_name(enum conn_state state)
{
	static const char *const names[CONN_STATES] = {
		"none",	       "unreplied", "replied",	"syn_sent",  "syn_received", "midstream",
		"established", "fin_wait",  "last_ack", "time_wait", "reset",
	};

	return state < CONN_STATES ? names[state] : "?";
}

struct segment {
	uint8_t flags;
	uint32_t seq, end, ack; /* end: behind its data, SYN and FIN */
};

/* False: no whole TCP header. */
static bool read_segment(const struct sl_packet *pkt, struct segment *s)
{
	const uint8_t *tcp = l4_header(pkt, TCP_HEADER);
	uint32_t header, bytes;

	if (!tcp)
		return false;
	header = (uint32_t)(tcp[12] >> 4) * 4;
	bytes = ip_end(pkt) - pkt->meta->l4_off;
	if (header < TCP_HEADER || header > bytes)
		return false;
	s->flags = tcp[13];
	s->seq = get32(tcp + 4);
	s->ack = get32(tcp + 8);
	s->end = s->seq + bytes - header + !!(s->flags & SYN) + !!(s->flags & FIN);
	return true;
}

static bool before_or_at(uint32_t a, uint32_t b)
{
	return (int32_t)(b - a) >= 0;
}

static void note_sent(struct conn *c, const struct segment *s, unsigned side)
{
	if (!(c->spoke & 1 << side) || before_or_at(c->next[side], s->end))
		c->next[side] = s->end;
	c->spoke |= (uint8_t)(1 << side);
	if (s->flags & FIN)
		c->fin |= (uint8_t)(1 << side);
	if (!(s->flags & ACK))
		return;
	if (!(c->acks & 1 << side) || before_or_at(c->acked[side], s->ack))
		c->acked[side] = s->ack;
	c->acks |= (uint8_t)(1 << side);
}

/* The connection as its first packet shows it. */
static void begin_tcp(struct conn *c, const struct segment *s, unsigned side)
{
	*c = (struct conn){.proto = PROTO_TCP, .origin = (uint8_t)side};
	note_sent(c, s, side);
	if (s->flags & RST)
		c->state = CONN_RESET;
	else if ((s->flags & (SYN | ACK)) == SYN)
		c->state = CONN_SYN_SENT;
	else if (s->flags & SYN)
		c->state = CONN_SYN_RECEIVED;
	else
		c->state = s->flags & FIN ? CONN_FIN_WAIT : CONN_MIDSTREAM;
	if (c->state == CONN_SYN_RECEIVED)
		c->origin = !side; /* an answer to what was not seen */
}

static bool reset_fits(const struct conn *c, const struct segment *s, unsigned side)
{
	/* refusal of a SYN: it bears no sequence number of its own (RFC 9293 3.10.7.1) */
	if (!(c->spoke & 1 << side))
		return !(c->spoke & 1 << !side) || (s->flags & ACK && s->ack == c->next[!side]) ||
		       c->state == CONN_MIDSTREAM || c->state == CONN_FIN_WAIT;
	if (c->acks & 1 << !side && !before_or_at(c->acked[!side], s->seq))
		return false;
	return before_or_at(s->seq, c->next[side] + RESET_WINDOW);
}

/* All that side has sent, its FIN included, is acknowledged. */
static bool closed(const struct conn *c, unsigned side)
{
	return c->fin & 1 << side && c->acks & 1 << !side &&
	       before_or_at(c->next[side], c->acked[!side]);
}

static enum conn_state next_state(const struct conn *c, const struct segment *s, unsigned side)
{
	if (c->fin == 3)
		return closed(c, 0) && closed(c, 1) ? CONN_TIME_WAIT : CONN_LAST_ACK;
	if (c->fin)
		return CONN_FIN_WAIT;
	switch (c->state) {
	case CONN_SYN_SENT:
		if (side != c->origin)
			return s->flags & SYN ? CONN_SYN_RECEIVED : CONN_ESTABLISHED;
		return s->flags & SYN ? CONN_SYN_SENT : CONN_MIDSTREAM;
	case CONN_SYN_RECEIVED:
		return s->flags & SYN || side != c->origin ? CONN_SYN_RECEIVED : CONN_ESTABLISHED;
	case CONN_MIDSTREAM:
		return c->spoke == 3 ? CONN_ESTABLISHED : CONN_MIDSTREAM;
	default:
		return c->state;
	}
}

static enum conn_event tcp_packet(struct conn *c, const struct sl_packet *pkt, unsigned side)
{
	bool over = c->state == CONN_TIME_WAIT || c->state == CONN_RESET;
	enum conn_state old = c->state;
	struct segment s;

	if (!read_segment(pkt, &s))
		return CONN_INVALID;
	if (old == CONN_NONE || (over && (s.flags & (SYN | RST)) == SYN)) {
		begin_tcp(c, &s, side);
		return CONN_MADE;
	}
	if (s.flags & RST) {
		if (!reset_fits(c, &s, side))
			return CONN_INVALID;
		c->state = CONN_RESET;
	} else if (old != CONN_RESET) {
		note_sent(c, &s, side);
		c->state = next_state(c, &s, side);
	}
	return c->state == old ? CONN_SAME : CONN_MOVED;
}

enum conn_event conn_packet(struct conn *c, const struct sl_packet *pkt, unsigned side,
			    enum conn_state *before)
{
	enum conn_state old = c->state;

	if (before)
		*before = old;
	if (pkt->meta->proto == PROTO_TCP && !(pkt->meta->flags & SL_META_FRAGMENT))
		return tcp_packet(c, pkt, side);
	if (old == CONN_NONE) {
		c->proto = pkt->meta->proto;
		c->origin = (uint8_t)side;
		c->state = CONN_UNREPLIED;
	} else if (side != c->origin) {
		c->state = CONN_REPLIED;
	}
	c->spoke |= (uint8_t)(1 << side);
	return old == CONN_NONE ? CONN_MADE : c->state == old ? CONN_SAME : CONN_MOVED;
}
