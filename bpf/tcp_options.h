/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * tcp_options.h - where the timestamp option of a TCP header is (RFC 7323, 3.2). Compiles for BPF
 * and for user space alike; nothing outside [data, end) is read.
 */
#ifndef SLUICE_TCP_OPTIONS_H
#define SLUICE_TCP_OPTIONS_H

#include <linux/types.h>

#include "compiler.h"

enum {
	SL_TCP_FIN = 1,
	SL_TCP_SYN = 2,
	SL_TCP_RST = 4,
	SL_TCP_ACK = 16,
	SL_TCP_HEADER = 20,
	SL_TCP_FLAGS_AT = 13,
	SL_OPT_EOL = 0,
	SL_OPT_NOP = 1,
	SL_OPT_TIMESTAMP = 8,
	SL_OPT_TIMESTAMP_LEN = 10,
};

/*
 * Byte by byte, up to 40 of them: options may begin anywhere. Returns the offset of TSval from
 * `data`, 0 if there is none. `off`, `stop`: of the options, from `data`.
 */
static __noinline __u32 sl_tcp_timestamp_scan(const void *data, const void *end, __u32 off,
					      __u32 stop)
{
	for (int i = 0; i < 40; i++) {
		const __u8 *o;

		off &= 0xffff;
		o = (const __u8 *)data + off;
		if (off >= stop || (const void *)(o + 1) > end || o[0] == SL_OPT_EOL)
			return 0;
		if (o[0] == SL_OPT_NOP) {
			off++;
			continue;
		}
		if ((const void *)(o + 2) > end || o[1] < 2)
			return 0;
		if (o[0] == SL_OPT_TIMESTAMP)
			return o[1] == SL_OPT_TIMESTAMP_LEN && off + SL_OPT_TIMESTAMP_LEN <= stop
				       ? off + 2
				       : 0;
		off += o[1];
	}
	return 0;
}

/*
 * `tcp`: offset of the header from `data`; `length`: what it says of itself, at least 20, and
 * within the packet. The two places that Linux, the BSDs and Windows use are looked at first.
 */
static __always_inline __u32 sl_tcp_timestamp(const void *data, const void *end, __u32 tcp,
					      __u32 length)
{
	const __u8 *o = (const __u8 *)data + tcp + SL_TCP_HEADER;

	if (length >= 32 && (const void *)(o + 12) <= end) {
		if (o[0] == SL_OPT_NOP && o[1] == SL_OPT_NOP && o[2] == SL_OPT_TIMESTAMP &&
		    o[3] == SL_OPT_TIMESTAMP_LEN)
			return tcp + SL_TCP_HEADER + 4;
		if (length >= 40 && (const void *)(o + 20) <= end && o[0] == 2 && o[1] == 4 &&
		    o[4] == 4 && o[5] == 2 && o[6] == SL_OPT_TIMESTAMP &&
		    o[7] == SL_OPT_TIMESTAMP_LEN)
			return tcp + SL_TCP_HEADER + 8;
	}
	return length > SL_TCP_HEADER
		       ? sl_tcp_timestamp_scan(data, end, tcp + SL_TCP_HEADER, tcp + length)
		       : 0;
}

#endif /* SLUICE_TCP_OPTIONS_H */
