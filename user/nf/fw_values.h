/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fw_values.h - numbers, prefixes, ports and protocols in rules of firewall, as spans. */
#ifndef SL_NF_FW_VALUES_H
#define SL_NF_FW_VALUES_H

#include <stdbool.h>

#include "nf/classify.h"

/* IPv4 among IPv6 addresses (RFC 4291 2.5.5.2) */
#define FW_MAPPED ((classify_addr_t)0xffff << 32)
#define FW_MAPPED_END (FW_MAPPED | UINT32_MAX)

struct fw_span {
	classify_addr_t min, max;
};

/* Each: false if `word` is none. It may be cut in two. */
bool fw_read_number(const char *word, unsigned long max, classify_addr_t *out);
bool fw_read_prefix(char *word, struct fw_span *s);
bool fw_read_port(char *word, struct fw_span *s);
bool fw_read_protocol(char *word, struct fw_span *s);

#endif /* SL_NF_FW_VALUES_H */
