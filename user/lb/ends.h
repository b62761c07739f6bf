/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ends.h - addresses, prefixes and ends as text, and as the maps of the load balancer and its
 * agents have them: four words in network order, IPv4 in the last and zeros before. A prefix counts
 * its bits in 128 there (`bits`), and as it is written in text (`prefix`).
 */
#ifndef SL_LB_ENDS_H
#define SL_LB_ENDS_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

/* "192.0.2.1", "2001:db8::1"; *v6 tells. -EINVAL: it is neither. */
int sl_lb_address_parse(const char *text, __be32 addr[4], bool *v6);
/* "192.0.2.0/24", or an address: all its bits. Bits behind the prefix stay. -EINVAL. */
int sl_lb_prefix_parse(const char *text, __be32 addr[4], bool *v6, unsigned *prefix);
/* "192.0.2.1:80", "[2001:db8::1]:443", or an address: port 0. -EINVAL. */
int sl_lb_end_parse(const char *text, __be32 addr[4], bool *v6, __be16 *port);
/* "80", 1 to 65535. -EINVAL. */
int sl_lb_port_parse(const char *text, __be16 *port);
/* The other way; port 0: without it. */
void sl_lb_end_text(const __be32 addr[4], bool v6, __be16 port, char *buf, size_t size);

static inline unsigned sl_lb_prefix_bits(unsigned prefix, bool v6)
{
	return prefix + (v6 ? 0 : 96);
}

/* Clear what is behind the first `bits`; true if there was something. */
bool sl_lb_prefix_cut(__be32 addr[4], unsigned bits);

#endif /* SL_LB_ENDS_H */
