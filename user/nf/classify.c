// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "nf/classify.h"

#define LEAF_RULES 4 /* looking at so few in turn costs what two more nodes would */
#define DEPTH_MAX 48 /* rules that cannot be told apart by then are looked at in turn */
#define SAMPLES 64 /* rules whose ends are tried as cuts of a node */
#define CUTS 8 /* tried in each field */
#define COPY_SHARE 16 /* rules across a cut are copied while they are at most 1/16 */
#define NO_PART UINT32_MAX

enum part { LEFT, RIGHT, ACROSS, PARTS };

struct node {
	struct classify_rule
		hull; /* accepts what any rule below does; its number is their lowest */
	classify_addr_t at; /* the last value that is left of the cut */
	uint32_t part[PARTS]; /* nodes; of a leaf: part[0] its first rule */
	uint32_t best[PARTS]; /* lowest rule of each part */
	uint32_t field;
	uint32_t leaf; /* rules of a leaf; 0: no leaf */
};

struct classifier {
	struct classify_rule *rule; /* leaf by leaf, in each by number */
	struct node *node; /* 0: the root */
	uint32_t rules, rules_room, nodes, nodes_room;
	uint32_t best;
};

struct cut {
	unsigned field;
	classify_addr_t at;
	unsigned count[PARTS];
	unsigned cost, spread; /* most rules that one packet meets; the largest part */
};

static inline classify_addr_t low(const struct classify_rule *r, unsigned field)
{
	return field < CLASSIFY_ADDRS ? r->min[field] : r->word_min[field - CLASSIFY_ADDRS];
}

static inline classify_addr_t high(const struct classify_rule *r, unsigned field)
{
	return field < CLASSIFY_ADDRS ? r->max[field] : r->word_max[field - CLASSIFY_ADDRS];
}

static inline classify_addr_t value(const struct classify_key *k, unsigned field)
{
	return field < CLASSIFY_ADDRS ? k->addr[field] : k->word[field - CLASSIFY_ADDRS];
}

struct classify_rule classify_any(uint32_t number)
{
	struct classify_rule r = {.states = UINT16_MAX, .number = number};

	for (unsigned i = 0; i < CLASSIFY_ADDRS; i++)
		r.max[i] = ~(classify_addr_t)0;
	for (unsigned i = 0; i < CLASSIFY_WORDS; i++)
		r.word_max[i] = UINT16_MAX;
	return r;
}

int classify_accepts(const struct classify_rule *r, const struct classify_key *k)
{
	for (unsigned i = 0; i < CLASSIFY_WORDS; i++)
		if (k->word[i] < r->word_min[i] || k->word[i] > r->word_max[i])
			return 0;
	for (unsigned i = 0; i < CLASSIFY_ADDRS; i++)
		if (k->addr[i] < r->min[i] || k->addr[i] > r->max[i])
			return 0;
	return r->states >> k->word[CLASSIFY_STATE] & 1;
}

/* --- building -------------------------------------------------------------------------------- */

static enum part side_of(const struct classify_rule *r, unsigned field, classify_addr_t at)
{
	if (high(r, field) <= at)
		return LEFT;
	return low(r, field) > at ? RIGHT : ACROSS;
}

static int by_value(const void *a, const void *b)
{
	const classify_addr_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static int by_number(const void *a, const void *b)
{
	const struct classify_rule *const *x = a, *const *y = b;

	return ((*x)->number > (*y)->number) - ((*x)->number < (*y)->number);
}

/* Where rules end or are about to begin in the field, in order. */
static unsigned ends_of(const struct classify_rule **r, unsigned n, unsigned field,
			classify_addr_t ends[2 * SAMPLES])
{
	unsigned step = (n + SAMPLES - 1) / SAMPLES, m = 0, distinct = 0;

	for (unsigned i = 0; i < n; i += step) {
		ends[m++] = high(r[i], field);
		if (low(r[i], field))
			ends[m++] = low(r[i], field) - 1;
	}
	qsort(ends, m, sizeof(*ends), by_value);
	for (unsigned i = 0; i < m; i++)
		if (!distinct || ends[distinct - 1] != ends[i])
			ends[distinct++] = ends[i];
	return distinct;
}

static void try_cut(const struct classify_rule **r, unsigned n, unsigned field, classify_addr_t at,
		    struct cut *best)
{
	struct cut c = {.field = field, .at = at};
	unsigned side;

	for (unsigned i = 0; i < n; i++)
		c.count[side_of(r[i], field, at)]++;
	side = c.count[LEFT] > c.count[RIGHT] ? c.count[LEFT] : c.count[RIGHT];
	c.cost = c.count[ACROSS] + side;
	c.spread = c.count[ACROSS] > side ? c.count[ACROSS] : side;
	if (c.spread < n &&
	    (c.cost < best->cost || (c.cost == best->cost && c.spread < best->spread)))
		*best = c;
}

/* False: the rules are alike. */
static bool find_cut(const struct classify_rule **r, unsigned n, struct cut *best)
{
	classify_addr_t ends[2 * SAMPLES];

	*best = (struct cut){.cost = UINT32_MAX};
	for (unsigned field = 0; field < CLASSIFY_FIELDS; field++) {
		unsigned m = ends_of(r, n, field, ends);

		for (unsigned i = 0; i < CUTS && m; i++) {
			unsigned at = (2 * i + 1) * m / (2 * CUTS);

			if (!i || at != (2 * i - 1) * m / (2 * CUTS))
				try_cut(r, n, field, ends[at], best);
		}
	}
	return best->cost != UINT32_MAX;
}

/* Room for one more node, or for n more rules. */
static bool grow(void **array, uint32_t *room, uint32_t need, size_t size)
{
	uint32_t more = *room ? 2 * *room : 64;
	void *bigger;

	if (need <= *room)
		return true;
	while (more < need)
		more *= 2;
	bigger = aligned_alloc(64, (more * size + 63) & ~(size_t)63);
	if (!bigger)
		return false;
	if (*array)
		memcpy(bigger, *array, *room * size);
	free(*array);
	*array = bigger;
	*room = more;
	return true;
}

static void widen(struct classify_rule *hull, const struct classify_rule *r)
{
	for (unsigned i = 0; i < CLASSIFY_ADDRS; i++) {
		hull->min[i] = r->min[i] < hull->min[i] ? r->min[i] : hull->min[i];
		hull->max[i] = r->max[i] > hull->max[i] ? r->max[i] : hull->max[i];
	}
	for (unsigned i = 0; i < CLASSIFY_WORDS; i++) {
		if (r->word_min[i] < hull->word_min[i])
			hull->word_min[i] = r->word_min[i];
		if (r->word_max[i] > hull->word_max[i])
			hull->word_max[i] = r->word_max[i];
	}
	hull->states |= r->states;
	hull->number = r->number < hull->number ? r->number : hull->number;
}

static uint32_t add_node(struct classifier *c, const struct classify_rule **r, unsigned n)
{
	struct classify_rule hull = *r[0];

	if (!grow((void **)&c->node, &c->nodes_room, c->nodes + 1, sizeof(*c->node)))
		return NO_PART;
	for (unsigned i = 1; i < n; i++)
		widen(&hull, r[i]);
	c->node[c->nodes] = (struct node){.hull = hull};
	return c->nodes++;
}

static uint32_t add_leaf(struct classifier *c, const struct classify_rule **r, unsigned n)
{
	uint32_t at = add_node(c, r, n);

	if (at == NO_PART ||
	    !grow((void **)&c->rule, &c->rules_room, c->rules + n, sizeof(*c->rule)))
		return NO_PART;
	qsort(r, n, sizeof(*r), by_number);
	c->node[at].leaf = n;
	c->node[at].part[0] = c->rules;
	for (unsigned i = 0; i < n; i++)
		c->rule[c->rules++] = *r[i];
	return at;
}

static uint32_t build(struct classifier *c, const struct classify_rule **r, unsigned n,
		      unsigned depth);

/* The rules of part `p`, with those across the cut if these are copied, as a subtree. */
static bool add_part(struct classifier *c, const struct classify_rule **r, unsigned n,
		     const struct cut *cut, bool copied, enum part p, uint32_t at, unsigned depth)
{
	const struct classify_rule **in = malloc(n * sizeof(struct classify_rule *));
	unsigned m = 0;
	uint32_t sub;

	if (!in)
		return false;
	for (unsigned i = 0; i < n; i++) {
		enum part side = side_of(r[i], cut->field, cut->at);

		if (copied ? p != ACROSS && (side == p || side == ACROSS) : side == p)
			in[m++] = r[i];
	}
	sub = m ? build(c, in, m, depth + 1) : at;
	free(in);
	if (sub == NO_PART)
		return false;
	c->node[at].part[p] = sub;
	c->node[at].best[p] = m ? c->node[sub].hull.number : CLASSIFY_NONE;
	return true;
}

/* Depth first, so the likelier part lies near its parent. */
static uint32_t build(struct classifier *c, const struct classify_rule **r, unsigned n,
		      unsigned depth)
{
	struct cut cut;
	uint32_t at;
	bool copied;

	if (n <= LEAF_RULES || depth == DEPTH_MAX || !find_cut(r, n, &cut))
		return add_leaf(c, r, n);
	at = add_node(c, r, n);
	if (at == NO_PART)
		return NO_PART;
	copied = cut.count[LEFT] && cut.count[RIGHT] && cut.count[ACROSS] * COPY_SHARE <= n;
	c->node[at].at = cut.at;
	c->node[at].field = cut.field;
	for (enum part p = LEFT; p < PARTS; p++)
		if (!add_part(c, r, n, &cut, copied, p, at, depth))
			return NO_PART;
	return at;
}

struct classifier *classifier_new(const struct classify_rule *rules, unsigned n)
{
	const struct classify_rule **r = malloc((n + 1) * sizeof(struct classify_rule *));
	struct classifier *c = calloc(1, sizeof(*c));
	bool made = r && c;

	for (unsigned i = 0; made && i < n; i++)
		r[i] = &rules[i];
	if (made) {
		made = !n || build(c, r, n, 0) != NO_PART;
		c->best = c->nodes ? c->node[0].hull.number : CLASSIFY_NONE;
	}
	free(r);
	if (made)
		return c;
	classifier_free(c);
	return NULL;
}

void classifier_free(struct classifier *c)
{
	if (!c)
		return;
	free(c->node);
	free(c->rule);
	free(c);
}

unsigned classifier_copies(const struct classifier *c)
{
	return c->rules;
}

/* --- searching ------------------------------------------------------------------------------- */

struct visit {
	uint32_t node, best;
};

/* What `best` becomes by the rules of a leaf. */
static uint32_t search_leaf(const struct classifier *c, const struct node *leaf,
			    const struct classify_key *key, uint32_t best, unsigned *probes)
{
	const struct classify_rule *r = &c->rule[leaf->part[0]];

	for (uint32_t i = 0; i < leaf->leaf && r[i].number < best; i++) {
		++*probes;
		if (classify_accepts(&r[i], key))
			return r[i].number;
	}
	return best;
}

uint32_t classifier_find(const struct classifier *c, const struct classify_key *key,
			 unsigned *probes)
{
	struct visit wait[DEPTH_MAX + 1], v = {0, c->best}; /* a level leaves one at most */
	uint32_t best = CLASSIFY_NONE;
	unsigned waiting = 0, looked = 0;

	for (;;) {
		const struct node *n;
		struct visit side, across;

		if (v.best >= best) {
			if (!waiting)
				break;
			v = wait[--waiting];
			continue;
		}
		n = &c->node[v.node];
		looked++;
		v.best = CLASSIFY_NONE;
		if (!classify_accepts(&n->hull, key))
			continue;
		if (n->leaf) {
			best = search_leaf(c, n, key, best, &looked);
			continue;
		}
		side.node = n->part[value(key, n->field) > n->at];
		side.best = n->best[value(key, n->field) > n->at];
		across = (struct visit){n->part[ACROSS], n->best[ACROSS]};
		/* the better one first: it may spare the other */
		v = side.best < across.best ? side : across;
		if (side.best != CLASSIFY_NONE && across.best != CLASSIFY_NONE)
			wait[waiting++] = side.best < across.best ? across : side;
	}
	if (probes)
		*probes = looked;
	return best;
}
