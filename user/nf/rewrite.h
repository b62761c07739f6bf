/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rewrite.h - new addresses and ports in an IPv4 packet. Checksums are brought up to date by what
 * changed (RFC 1624), so one that was wrong stays wrong, and one of UDP that is not there stays so.
 */
#ifndef SL_NF_REWRITE_H
#define SL_NF_REWRITE_H

#include <sluice/nf.h>

enum rewrite_side { REWRITE_SRC = 0, REWRITE_DST = 1 };

/*
 * One end of the packet becomes {addr, port} (network order); of an echo the identifier becomes
 * `port`. The packet holds its L4 header, and it is TCP, UDP or an ICMP echo.
 */
void rewrite_packet(struct sl_packet *pkt, enum rewrite_side side, uint32_t addr, uint16_t port);

/*
 * Of an ICMP error: its own end `side` gets `addr`, and the packet that it quotes, which travelled
 * the other way, gets {addr, port} at its other end; the checksums that are in the quotation too.
 */
void rewrite_error(struct sl_packet *pkt, enum rewrite_side side, uint32_t addr, uint16_t port);

#endif /* SL_NF_REWRITE_H */
