/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * classify.h - the first of many rules that accepts a packet.
 *
 * A rule is an interval in each of a few fields. The rules lie in a tree: a node cuts one field in
 * two, rules beside the cut lie left or right of it, those across it in a third part, which is
 * searched too (as in an interval tree; HyperSplit, Qi et al., INFOCOM 2009, copies them into both
 * sides, and so do we while they are few). So memory grows with the number of rules whatever they
 * are, and no range has to be taken apart into prefixes. A part whose best rule is no better than
 * what was found is not looked at.
 */
#ifndef SL_NF_CLASSIFY_H
#define SL_NF_CLASSIFY_H

#include <stdint.h>

#define CLASSIFY_NONE UINT32_MAX

enum classify_addr { CLASSIFY_SRC, CLASSIFY_DST, CLASSIFY_ADDRS };
enum classify_word {
	CLASSIFY_SPORT,
	CLASSIFY_DPORT, /* ICMP: the type */
	CLASSIFY_PROTO,
	CLASSIFY_IFACE,
	CLASSIFY_VLAN, /* 0: none */
	CLASSIFY_STATE, /* numbered by the caller, below 16 */
	CLASSIFY_WORDS
};
#define CLASSIFY_FIELDS ((unsigned)CLASSIFY_ADDRS + CLASSIFY_WORDS)

typedef unsigned __int128 classify_addr_t; /* IPv6, or IPv4 as ::ffff:a.b.c.d */

struct classify_key {
	classify_addr_t addr[CLASSIFY_ADDRS];
	uint16_t word[CLASSIFY_WORDS];
};

struct classify_rule {
	classify_addr_t min[CLASSIFY_ADDRS], max[CLASSIFY_ADDRS]; /* inclusive */
	uint16_t word_min[CLASSIFY_WORDS], word_max[CLASSIFY_WORDS];
	uint16_t states; /* bit s: state s; besides the interval */
	uint32_t number; /* the lowest that accepts wins; several may bear the same */
};

/* One that accepts everything. */
struct classify_rule classify_any(uint32_t number);

struct classifier;

/* Of n rules, which are copied. NULL: no memory. */
struct classifier *classifier_new(const struct classify_rule *rules, unsigned n);
void classifier_free(struct classifier *c);

/*
 * The number of the first rule that accepts, or CLASSIFY_NONE. `probes` (may be NULL) gets how many
 * nodes and rules were looked at. Any thread; changes nothing.
 */
uint32_t classifier_find(const struct classifier *c, const struct classify_key *key,
			 unsigned *probes);

/* Whether the rule accepts. */
int classify_accepts(const struct classify_rule *rule, const struct classify_key *key);

/* Rules in the tree, copies included. */
unsigned classifier_copies(const struct classifier *c);

#endif /* SL_NF_CLASSIFY_H */
