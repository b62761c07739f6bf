/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tap.h - what `sluice capture` and the dataplane say to each other.
 *
 * tcpdump sees nothing of redirected packets, so the workers copy what a capture asks for. The CLI
 * makes a SOCK_SEQPACKET pair and passes one end (SCM_RIGHTS) with the request
 *
 *	{"v":1,"cmd":"capture","sample":N,"snaplen":BYTES}
 *
 * to the dataplane's socket; the reply's result is {"iface":[NAME...],"captures":N}. From then on
 * each message on the pair is one struct sl_tap_record and `caplen` bytes of the packet, from its
 * Ethernet header on. The capture ends when either side closes its end. The dataplane sends with
 * MSG_DONTWAIT and never waits for the CLI: what does not fit is counted in `lost`.
 */
#ifndef SL_DATAPLANE_TAP_H
#define SL_DATAPLANE_TAP_H

#include <stdint.h>

#define SL_TAP_SNAPLEN 4096 /* bytes of a packet at most: a frame holds no more */

enum sl_tap_direction { SL_TAP_RX = 0, SL_TAP_TX = 1 };

struct sl_tap_record {
	uint64_t time_ns; /* CLOCK_REALTIME */
	uint32_t lost; /* packets of this capture that did not fit so far, all workers */
	uint16_t len; /* bytes of the packet on the wire */
	uint16_t caplen; /* bytes that follow */
	uint16_t worker, bucket, queue;
	uint8_t iface; /* index in the instance */
	uint8_t direction; /* enum sl_tap_direction: as received, or as transmitted */
};
_Static_assert(sizeof(struct sl_tap_record) == 24, "read by programs built apart");

#endif /* SL_DATAPLANE_TAP_H */
