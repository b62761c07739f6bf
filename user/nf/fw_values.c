// SPDX-License-Identifier: GPL-2.0-or-later
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "nf/fw_values.h"
#include "nf/wire.h"

bool fw_read_number(const char *word, unsigned long max, classify_addr_t *out)
{
	unsigned long n;
	char *end;

	if (*word < '0' || *word > '9')
		return false;
	n = strtoul(word, &end, 10);
	*out = n;
	return !*end && n <= max;
}

bool fw_read_prefix(char *word, struct fw_span *s)
{
	char *slash = strchr(word, '/');
	classify_addr_t addr = 0, bits, rest;
	uint8_t bytes[16];
	bool v4;

	if (slash)
		*slash++ = '\0';
	v4 = inet_pton(AF_INET, word, bytes) == 1;
	if (!v4 && inet_pton(AF_INET6, word, bytes) != 1)
		return false;
	bits = v4 ? 32 : 128;
	if (slash && !fw_read_number(slash, v4 ? 32 : 128, &bits))
		return false;
	for (unsigned i = 0; i < (v4 ? 4 : 16); i++)
		addr = addr << 8 | bytes[i];
	if (v4) {
		addr |= FW_MAPPED;
		bits += 96;
	}
	rest = bits ? bits == 128 ? 0 : ((classify_addr_t)1 << (128 - bits)) - 1
		    : ~(classify_addr_t)0;
	*s = (struct fw_span){addr & ~rest, addr | rest};
	return true;
}

bool fw_read_port(char *word, struct fw_span *s)
{
	char *dash = strchr(word, '-');

	if (dash)
		*dash++ = '\0';
	if (!fw_read_number(word, 65535, &s->min))
		return false;
	s->max = s->min;
	return !dash || (fw_read_number(dash, 65535, &s->max) && s->min <= s->max);
}

bool fw_read_protocol(char *word, struct fw_span *s)
{
	static const struct {
		const char *name;
		uint8_t proto;
	} known[] = {{"icmp", PROTO_ICMP}, {"igmp", 2}, {"tcp", PROTO_TCP}, {"udp", PROTO_UDP},
		     {"gre", 47},	   {"esp", 50}, {"ah", 51},	    {"icmp6", PROTO_ICMP6},
		     {"sctp", 132}};

	for (unsigned i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (!strcmp(word, known[i].name)) {
			s->min = s->max = known[i].proto;
			return true;
		}
	if (!fw_read_number(word, 255, &s->min))
		return false;
	s->max = s->min;
	return true;
}
