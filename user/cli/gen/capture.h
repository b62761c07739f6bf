/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * capture.h - a capture file as traffic: its packets, and which flow each belongs to.
 */
#ifndef SL_GEN_CAPTURE_H
#define SL_GEN_CAPTURE_H

#include <stddef.h>
#include <stdint.h>

#include <sluice/error.h>

#define CAPTURE_UNTRACKED UINT32_MAX /* no room for a trailer, or nothing that has a flow */

struct capture_packet {
	size_t offset; /* of the frame in `bytes` */
	uint32_t len;
	uint32_t flow; /* or CAPTURE_UNTRACKED: sent as it is */
};

struct capture {
	uint8_t *bytes;
	size_t bytes_n, bytes_room;
	struct capture_packet *packet;
	uint32_t packets, packets_room;
	uint32_t flows;
	uint32_t tracked, untracked; /* of `packets` */
	uint32_t skipped; /* longer than the interface takes: not in `packets` */
	uint32_t frame_max; /* the longest frame with its trailer, bytes */
};

/*
 * Read a pcap or pcapng file of Ethernet frames. A flow is one direction of what the steering
 * program would hash alike or finer: addresses, protocol, ports (or ICMP type, code and
 * identifier), fragments by themselves, ICMP errors by what they quote. `frame_limit`: what the
 * interface takes, bytes with the Ethernet header. 0, or -errno with a line in err; -ENODATA no
 * packet is left.
 */
int capture_load(struct capture *c, const char *path, uint32_t frame_limit, struct sl_error *err);
void capture_free(struct capture *c);

/*
 * Write packet p to `frame`, as captured, with its trailer if it is tracked: zeros up to Ethernet's
 * least 60 bytes, so that no driver pads behind the stamp, then the stamp. Returns the length.
 */
uint32_t capture_frame_write(const struct capture *c, const struct capture_packet *p,
			     uint8_t *frame, uint16_t run, uint64_t seq, uint64_t now_ns);

#endif /* SL_GEN_CAPTURE_H */
