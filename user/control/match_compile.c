// SPDX-License-Identifier: GPL-2.0-or-later
/* Match rules to the bit vectors that XDP reads (bpf/match.h). */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "control/match.h"
#include <match.h> /* of bpf/: quotes would find the neighbour */

/* One row of the table: a rule with the sides of its sideless words settled. */
struct row {
	const struct sl_prefix *side[2][2]; /* [side]: up to two prefixes, both must agree */
	struct sl_port_range ports[2]; /* [side] */
	int proto;
	bool take;
};

/* The values of byte `at` that agree with a prefix; the prefix says nothing about bytes behind. */
static bool byte_agrees(const struct sl_prefix *p, unsigned at, unsigned value)
{
	unsigned bits = p->length > 8 * at ? p->length - 8 * at : 0;
	unsigned mask = bits >= 8 ? 0xff : 0xff00 >> bits & 0xff;

	return ((value ^ p->addr[at]) & mask) == 0;
}

/* Length of the row's longest prefix on a side; -1 if the row does not accept the family at all. */
static int side_bits(const struct row *row, unsigned side, unsigned family)
{
	int bits = 0;

	for (unsigned i = 0; i < 2; i++) {
		const struct sl_prefix *p = row->side[side][i];

		if (!p || !p->family)
			continue;
		if (p->family != family)
			return -1;
		if (p->length > bits)
			bits = p->length;
	}
	return bits;
}

static bool row_agrees(const struct row *row, unsigned side, unsigned at, unsigned value)
{
	for (unsigned i = 0; i < 2; i++) {
		const struct sl_prefix *p = row->side[side][i];

		if (p && p->family && !byte_agrees(p, at, value))
			return false;
	}
	return true;
}

/* Set the row's bit in one family's words of one side. */
static void put_side(const struct row *row, unsigned side, unsigned family, uint64_t bit,
		     __u64 (*words)[256], __u64 *bound)
{
	int bits = side_bits(row, side, family);
	unsigned bytes = family == 4 ? 4 : 16;

	if (bits < 0) { /* no byte agrees: looking at one word is enough to drop the row */
		bound[0] |= bit;
		return;
	}
	for (unsigned at = 0; at < bytes; at++) {
		if (at % 4 == 0 && bits > (int)(8 * at))
			bound[at / 4] |= bit;
		for (unsigned value = 0; value < 256; value++)
			if (row_agrees(row, side, at, value))
				words[at][value] |= bit;
	}
}

static void put_row(struct sl_match *m, unsigned number, const struct row *row)
{
	uint64_t bit = 1ULL << number;
	struct sl_match_rule *rule = &m->rule[sl_match_slot(bit)];

	for (unsigned proto = 0; proto < 256; proto++)
		if (row->proto < 0 || row->proto == (int)proto)
			m->proto[proto] |= bit;
	for (unsigned side = 0; side < 2; side++) {
		put_side(row, side, 4, bit, m->v4[side], &m->bound4[side]);
		put_side(row, side, 6, bit, m->v6[side], m->bound6[side]);
	}
	rule->action = row->take;
	if (row->take)
		m->take |= bit;
	rule->sport_min = row->ports[SL_SRC].min;
	rule->sport_max = row->ports[SL_SRC].max;
	rule->dport_min = row->ports[SL_DST].min;
	rule->dport_max = row->ports[SL_DST].max;
	for (unsigned side = 0; side < 2; side++)
		if (row->ports[side].min != 0 || row->ports[side].max != 65535)
			rule->ports = 1;
	if (rule->ports)
		m->ports |= bit;
	else if (row->take)
		m->plain |= bit;
	for (unsigned family = 4; family <= 6; family += 2)
		if (row->take && !rule->ports && side_bits(row, SL_SRC, family) == 0 &&
		    side_bits(row, SL_DST, family) == 0)
			m->open[family == 6] |= bit;
}

/* false: no port can agree with both */
static bool intersect(struct sl_port_range *range, const struct sl_port_range *with)
{
	if (with->min > range->min)
		range->min = with->min;
	if (with->max < range->max)
		range->max = with->max;
	return range->min <= range->max;
}

/* The rows of a rule, at most four: either side for the prefix, either for the port. */
static unsigned rule_rows(const struct sl_rule *r, struct row rows[4])
{
	bool any_side_port = r->port.min == 0 && r->port.max == 65535;
	unsigned prefix_sides = r->prefix.family ? 2 : 1, port_sides = any_side_port ? 1 : 2;
	unsigned n = 0;

	for (unsigned i = 0; i < prefix_sides; i++)
		for (unsigned j = 0; j < port_sides; j++) {
			struct row row = {
				.side = {{&r->src, NULL}, {&r->dst, NULL}},
				.ports = {r->sport, r->dport},
				.proto = r->proto,
				.take = !r->pass,
			};

			row.side[i][1] = &r->prefix;
			if (intersect(&row.ports[j], &r->port))
				rows[n++] = row;
		}
	return n;
}

unsigned sl_match_rows(const struct sl_rule *rule)
{
	struct row rows[4];

	return rule_rows(rule, rows);
}

/*
 * The filter for local destinations: for every byte the values that any local address has there.
 * It accepts their mixtures too, which is why XDP asks the map.
 */
static void put_local(struct sl_match *m, const struct sl_addr *local, unsigned n)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

	for (unsigned proto = 0; proto < 256; proto++)
		m->proto[proto] |= SL_MATCH_LOCAL;
	for (unsigned value = 0; value < 256; value++) {
		for (unsigned at = 0; at < 4; at++)
			m->v4[SL_SRC][at][value] |= SL_MATCH_LOCAL;
		for (unsigned at = 0; at < 16; at++)
			m->v6[SL_SRC][at][value] |= SL_MATCH_LOCAL;
	}
	m->bound4[SL_DST] |= SL_MATCH_LOCAL;
	for (unsigned word = 0; word < 4; word++)
		m->bound6[SL_DST][word] |= SL_MATCH_LOCAL;

	for (unsigned i = 0; i < n; i++) {
		const uint8_t *b = local[i].b;

		if (!memcmp(b, mapped, sizeof(mapped))) {
			for (unsigned at = 0; at < 4; at++)
				m->v4[SL_DST][at][b[12 + at]] |= SL_MATCH_LOCAL;
		} else {
			for (unsigned at = 0; at < 16; at++)
				m->v6[SL_DST][at][b[at]] |= SL_MATCH_LOCAL;
		}
	}
}

int sl_match_compile(const struct sl_rule *rules, unsigned n, const struct sl_addr *local,
		     unsigned local_n, struct sl_match *out, char *err, size_t err_size)
{
	unsigned used = 0;

	memset(out, 0, sizeof(*out));
	for (unsigned i = 0; i < n; i++) {
		struct row rows[4];
		unsigned rows_n = rule_rows(&rules[i], rows);

		if (used + rows_n > SL_MAX_RULES) {
			snprintf(err, err_size,
				 "match: rule %u of %u makes more than %d table rows (a prefix or "
				 "port "
				 "without a side makes two): merge prefixes, or name sides",
				 i + 1, n, SL_MAX_RULES);
			return -E2BIG;
		}
		for (unsigned j = 0; j < rows_n; j++)
			put_row(out, used++, &rows[j]);
	}
	put_local(out, local, local_n);
	return 0;
}
