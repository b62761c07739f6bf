/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fw_reject.h - a packet becomes the answer that refuses it. */
#ifndef SL_NF_FW_REJECT_H
#define SL_NF_FW_REJECT_H

#include <sluice/nf.h>

enum fw_answer { FW_NO_ANSWER, FW_RESET, FW_UNREACHABLE };

/*
 * What refuses the packet: a reset for TCP, else port unreachable (ICMP type 3 code 3, ICMPv6 type
 * 1 code 4). No answer is due to resets, ICMP errors, later fragments, and what was not for one
 * host alone (RFC 1122 3.2.2, RFC 4443 2.4).
 */
enum fw_answer fw_answer_for(const struct sl_packet *pkt);

/* The packet becomes that, from its destination to its source, without IP options. */
void fw_make_answer(struct sl_packet *pkt, enum fw_answer answer);

#endif /* SL_NF_FW_REJECT_H */
