/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * match.h - match rules: which packets Sluice takes. Pure: text in, the `match` map's value out.
 *
 * A rule accepts a packet if all that it names agrees. `prefix` and `port` without a side mean
 * either side (both directions of a connection), and become two rules of the table.
 */
#ifndef SL_CONTROL_MATCH_H
#define SL_CONTROL_MATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sluice/maps.h>

struct sl_prefix {
	uint8_t family; /* 0: any, 4 or 6 */
	uint8_t length; /* bits */
	uint8_t addr[16];
};

struct sl_port_range {
	uint16_t min, max; /* host order, inclusive; 0..65535: any */
};

struct sl_rule {
	bool all; /* `all`: takes every IP packet */
	bool pass; /* leaves to the stack what it accepts; the first rule that accepts decides */
	struct sl_prefix prefix, src, dst;
	struct sl_port_range port, sport, dport;
	int proto; /* IP protocol, -1: any */
};

/*
 * Parse one rule: "all", or comma-separated "10.0.0.0/8" (either side), "src=", "dst=",
 * "proto=tcp|udp|sctp|icmp|icmp6|esp|N", "port=80|80-90", "sport=", "dport=", and "pass". -EINVAL
 * with one line in err that names the word and the mend.
 */
int sl_rule_parse(const char *text, struct sl_rule *rule, char *err, size_t err_size);

/* Cut the next word off a rule's text at its comma, without the blanks around it; NULL: no more. */
char *sl_rule_word(char **rest);

/* The rule as text that sl_rule_parse() reads back. Returns as snprintf. */
int sl_rule_format(const struct sl_rule *rule, char *buf, size_t size);

/*
 * Compile n rules. `local` (count addresses, IPv4 as ::ffff:a.b.c.d) are the host's own: the 64th
 * bit becomes a filter that accepts each of them as destination (and may accept a few more; XDP
 * asks the local_addrs map then). -E2BIG more than SL_MAX_RULES table rows, with a line in err.
 */
int sl_match_compile(const struct sl_rule *rules, unsigned n, const struct sl_addr *local,
		     unsigned local_n, struct sl_match *out, char *err, size_t err_size);

/* Bits that a rule takes in the table, 0 to 4; those of rules lie in the rules' order. */
unsigned sl_match_rows(const struct sl_rule *rule);

#endif /* SL_CONTROL_MATCH_H */
