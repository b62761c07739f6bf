// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fw_parse.c - rules of firewall as text, in pf's words: one a line, the first that matches wins.
 *
 *	pass state established,related
 *	pass tcp from 10.0.0.0/8 to any port 80,443,8000-8080 state new on eth1 vlan 12
 *	default drop
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nf/fw_rules.h"
#include "nf/fw_values.h"
#include "nf/lines.h"
#include "nf/wire.h"

#define LIST_MAX 64 /* words of one list */
#define RULES_MAX 65536u
#define ENTRIES_MAX (1u << 20) /* of all rules with their lists multiplied out: 96 MB */
#define SHAPE                                                                                      \
	"write pass|drop|reject [inet|inet6] [PROTOCOL] [on IF] [vlan N] [from PREFIX [port N]] "  \
	"[to PREFIX [port N]] [type N] [state new,...]"

struct list {
	struct fw_span span[LIST_MAX];
	unsigned n; /* 0: any */
};

/* A rule on its way. */
struct draft {
	struct list addr[2], port[2], proto, type;
	struct fw_span iface, vlan;
	bool on_iface, on_vlan;
	unsigned states; /* 0: any */
	int family; /* 0: any */
	int side; /* that `port` belongs to: of the latest from (0) or to (1); -1: none yet */
	const char *type_word;
};

struct parse {
	struct lines at;
	const struct sl_nf_host *host;
	struct fw_rules *rules;
	struct classify_rule *entry;
	unsigned entries, entries_room, rules_room;
	struct fw_rule fallback;
};

/* --- lists ----------------------------------------------------------------------------------- */

/* Words joined by commas, each by `read`; `any` alone is any. */
static int read_list(struct parse *p, char *word, struct list *l,
		     bool (*read)(char *, struct fw_span *), const char *what)
{
	char *one;

	l->n = 0;
	if (!strcmp(word, "any"))
		return 0;
	while ((one = strsep(&word, ","))) {
		char shown[64];

		snprintf(shown, sizeof(shown), "%s", one);
		if (l->n == LIST_MAX)
			return lines_fail(&p->at, "more than %d words in a list: make it two rules",
					  LIST_MAX);
		if (!read(one, &l->span[l->n++]))
			return lines_fail(&p->at, "'%s' is %s", shown, what);
	}
	return 0;
}

/* --- words of a rule ------------------------------------------------------------------------- */

static int take_from(struct parse *p, struct draft *d, char *value)
{
	d->side = 0;
	return read_list(p, value, &d->addr[0], fw_read_prefix,
			 "no prefix: write any, 10.0.0.0/8 or 2001:db8::/32");
}

static int take_to(struct parse *p, struct draft *d, char *value)
{
	d->side = 1;
	return read_list(p, value, &d->addr[1], fw_read_prefix,
			 "no prefix: write any, 10.0.0.0/8 or 2001:db8::/32");
}

static int take_port(struct parse *p, struct draft *d, char *value)
{
	if (d->side < 0)
		return lines_fail(
			&p->at,
			"port before from and to: write from any port %s, or to any port %s", value,
			value);
	return read_list(p, value, &d->port[d->side], fw_read_port,
			 "no port: write 0-65535, a range as 1024-2047, lists with commas");
}

static int take_proto(struct parse *p, struct draft *d, char *value)
{
	return read_list(p, value, &d->proto, fw_read_protocol,
			 "no protocol: write tcp, udp, icmp, icmp6, sctp, esp, gre or a number");
}

static int take_on(struct parse *p, struct draft *d, char *value)
{
	if (!p->host)
		return 0;
	for (unsigned i = 0; i < p->host->ifaces; i++)
		if (!strcmp(p->host->iface_names[i], value)) {
			d->iface.min = d->iface.max = i;
			d->on_iface = true;
			return 0;
		}
	return lines_fail(
		&p->at,
		"on %s: no interface of this instance, whose first is %s: name one of sluice "
		"run's -i",
		value, p->host->iface_names[0]);
}

static int take_vlan(struct parse *p, struct draft *d, char *value)
{
	d->on_vlan = true;
	d->vlan.min = 0;
	if (strcmp(value, "none") && !(fw_read_number(value, 4094, &d->vlan.min) && d->vlan.min))
		return lines_fail(
			&p->at, "vlan %s: write 1-4094, or none for packets without a tag", value);
	d->vlan.max = d->vlan.min;
	return 0;
}

static int take_state(struct parse *p, struct draft *d, char *value)
{
	char *one;

	while ((one = strsep(&value, ","))) {
		unsigned s = 0;

		while (s < FW_STATES && strcmp(one, fw_state_names[s]))
			s++;
		if (s == FW_STATES)
			return lines_fail(
				&p->at,
				"state '%s': write new, established, related, invalid, or "
				"some of them with commas",
				one);
		d->states |= 1u << s;
	}
	return 0;
}

static int take_type(struct parse *p, struct draft *d, char *value)
{
	d->type_word = value;
	return 0;
}

static const struct keyword {
	const char *word;
	int (*take)(struct parse *p, struct draft *d, char *value);
} keywords[] = {{"from", take_from},   {"to", take_to},	    {"port", take_port},
		{"proto", take_proto}, {"on", take_on},	    {"vlan", take_vlan},
		{"state", take_state}, {"type", take_type}, {NULL, NULL}};

/* ICMP types by name, which IPv4 and IPv6 number differently. */
static int finish_type(struct parse *p, struct draft *d)
{
	static const struct {
		const char *name;
		uint8_t v4, v6;
	} known[] = {{"echo-request", 8, 128},
		     {"echo-reply", 0, 129},
		     {"unreachable", 3, 1},
		     {"time-exceeded", 11, 3}};
	struct fw_span *t = &d->type.span[0];
	bool v6 = d->proto.n == 1 && d->proto.span[0].min == PROTO_ICMP6;

	if (!d->type_word)
		return 0;
	if (d->proto.n != 1 || (!v6 && d->proto.span[0].min != PROTO_ICMP))
		return lines_fail(&p->at, "type %s goes with icmp or icmp6: name one of them",
				  d->type_word);
	d->type.n = 1;
	for (unsigned i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (!strcmp(d->type_word, known[i].name)) {
			t->min = t->max = v6 ? known[i].v6 : known[i].v4;
			return 0;
		}
	if (!fw_read_number(d->type_word, 255, &t->min))
		return lines_fail(
			&p->at,
			"type '%s': write 0-255, echo-request, echo-reply, unreachable or "
			"time-exceeded",
			d->type_word);
	t->max = t->min;
	return 0;
}

static bool is_v4(const struct fw_span *s)
{
	return s->min >= FW_MAPPED && s->max <= FW_MAPPED_END;
}

/* Both sides of one family; `inet` and `inet6` narrow the destination, which is never ::. */
static int finish_family(struct parse *p, struct draft *d)
{
	static const struct fw_span family[] = {{FW_MAPPED, FW_MAPPED_END},
						{FW_MAPPED_END + 1, ~(classify_addr_t)0}};
	int known = d->family;

	for (unsigned side = 0; side < 2; side++)
		for (unsigned i = 0; i < d->addr[side].n; i++) {
			int this = is_v4(&d->addr[side].span[i]) ? 4 : 6;

			if (known && known != this)
				return lines_fail(&p->at, "IPv4 and IPv6 in one rule: make it two");
			known = this;
		}
	if (known && !d->addr[1].n) {
		d->addr[1].n = 1;
		d->addr[1].span[0] = family[known == 6];
	}
	return 0;
}

static int finish_ports(struct parse *p, struct draft *d)
{
	if (!d->port[0].n && !d->port[1].n)
		return 0;
	for (unsigned i = 0; i < d->proto.n; i++) {
		unsigned proto = (unsigned)d->proto.span[i].min;

		if (proto != PROTO_TCP && proto != PROTO_UDP && proto != 132)
			return lines_fail(&p->at,
					  "protocol %u has no ports: leave port out, or write tcp, "
					  "udp or sctp",
					  proto);
	}
	return d->proto.n
		       ? 0
		       : lines_fail(&p->at, "port without a protocol: write tcp, udp, or tcp,udp");
}

/* --- lines ----------------------------------------------------------------------------------- */

static int take_words(struct parse *p, struct draft *d, char *rest)
{
	char *word, *save = NULL;
	int ret = 0;

	for (word = strtok_r(rest, " \t", &save); word && !ret;
	     word = strtok_r(NULL, " \t", &save)) {
		const struct keyword *k = keywords;
		struct fw_span s;
		char copy[64], *value;

		if (!strcmp(word, "inet") || !strcmp(word, "inet6")) {
			d->family = word[4] ? 6 : 4;
			continue;
		}
		while (k->word && strcmp(k->word, word))
			k++;
		if (k->word) {
			value = strtok_r(NULL, " \t", &save);
			if (!value)
				return lines_fail(&p->at, "nothing behind '%s': " SHAPE, word);
			ret = k->take(p, d, value);
			continue;
		}
		snprintf(copy, sizeof(copy), "%s", word);
		copy[strcspn(copy, ",")] = '\0';
		if (strcmp(word, "any") && !fw_read_protocol(copy, &s))
			return lines_fail(&p->at, "'%s' is no word of a rule: " SHAPE, word);
		ret = take_proto(p, d, word);
	}
	return ret;
}

static int add_entry(struct parse *p, const struct classify_rule *e)
{
	if (p->entries == ENTRIES_MAX)
		return lines_fail(&p->at,
				  "the rules' lists make more than %u combinations: write fewer",
				  ENTRIES_MAX);
	if (p->entries == p->entries_room) {
		unsigned room = p->entries_room ? 2 * p->entries_room : 256;
		struct classify_rule *more = realloc(p->entry, room * sizeof(*more));

		if (!more)
			return -ENOMEM;
		p->entry = more;
		p->entries_room = room;
	}
	p->entry[p->entries++] = *e;
	return 0;
}

static void set_word(struct classify_rule *e, enum classify_word w, const struct fw_span *s)
{
	e->word_min[w] = (uint16_t)s->min;
	e->word_max[w] = (uint16_t)s->max;
}

/* One entry for each combination of the lists' words. */
static int add_entries(struct parse *p, const struct draft *d)
{
	const struct list *lists[] = {&d->addr[0], &d->addr[1], &d->port[0],
				      d->type.n ? &d->type : &d->port[1], &d->proto};
	struct classify_rule e = classify_any(p->rules->rules);
	size_t all = 1;
	int ret = 0;

	if (d->on_iface)
		set_word(&e, CLASSIFY_IFACE, &d->iface);
	if (d->on_vlan)
		set_word(&e, CLASSIFY_VLAN, &d->vlan);
	if (d->states)
		e.states = (uint16_t)d->states;
	for (unsigned i = 0; i < 5; i++)
		all *= lists[i]->n ? lists[i]->n : 1;
	for (size_t i = 0; i < all && !ret; i++) {
		size_t at = i;

		for (unsigned f = 0; f < 5; f++) {
			const struct fw_span *s =
				&lists[f]->span[lists[f]->n ? at % lists[f]->n : 0];

			if (!lists[f]->n)
				continue;
			at /= lists[f]->n;
			if (f >= CLASSIFY_ADDRS) {
				set_word(&e, CLASSIFY_SPORT + f - CLASSIFY_ADDRS, s);
				continue;
			}
			e.min[f] = s->min;
			e.max[f] = s->max;
		}
		ret = add_entry(p, &e);
	}
	return ret;
}

static int add_rule(struct parse *p, enum fw_action action, char *rest, const char *text)
{
	struct draft *d = calloc(1, sizeof(*d));
	int ret = d ? 0 : -ENOMEM;

	if (!ret && p->rules->rules == RULES_MAX)
		ret = lines_fail(&p->at, "more than %u rules", RULES_MAX);
	if (!ret) {
		d->side = -1;
		ret = take_words(p, d, rest);
	}
	if (!ret)
		ret = finish_type(p, d);
	if (!ret)
		ret = finish_ports(p, d);
	if (!ret)
		ret = finish_family(p, d);
	if (!ret)
		ret = add_entries(p, d);
	free(d);
	if (ret)
		return ret;
	p->rules->rule[p->rules->rules].text = strdup(text);
	p->rules->rule[p->rules->rules].line = p->at.line;
	p->rules->rule[p->rules->rules].action = action;
	return p->rules->rule[p->rules->rules++].text ? 0 : -ENOMEM;
}

static int find_action(const char *word)
{
	for (int i = 0; word && fw_action_names[i]; i++)
		if (!strcmp(word, fw_action_names[i]))
			return i;
	return -1;
}

/* default, tcp, fragments: 1 if the line is one of these. */
static int take_setting(struct parse *p, const char *word, const char *value)
{
	bool second;

	if (!strcmp(word, "default")) {
		int action = find_action(value);

		if (action < 0)
			return lines_fail(&p->at, "default %s: write pass, drop or reject", value);
		p->fallback =
			(struct fw_rule){.action = (enum fw_action)action, .line = p->at.line};
		return 1;
	}
	if (!strcmp(word, "tcp")) {
		second = !strcmp(value, "strict");
		if (!second && strcmp(value, "loose"))
			return lines_fail(&p->at, "tcp %s: write strict or loose", value);
		p->rules->strict = second;
		return 1;
	}
	if (!strcmp(word, "fragments")) {
		second = !strcmp(value, "rules");
		if (!second && strcmp(value, "drop"))
			return lines_fail(
				&p->at,
				"fragments %s: write drop, or rules to have rules without "
				"ports decide",
				value);
		p->rules->fragments = second;
		return 1;
	}
	return 0;
}

/* Room for one more rule, and the default behind it. */
static int make_room(struct parse *p)
{
	struct fw_rules *r = p->rules;
	unsigned room = p->rules_room ? 2 * p->rules_room : 64;
	struct fw_rule *more;

	if (r->rules + 2 <= p->rules_room)
		return 0;
	more = realloc(r->rule, room * sizeof(*more));
	if (!more)
		return -ENOMEM;
	r->rule = more;
	p->rules_room = room;
	return 0;
}

/* Comments and needless blanks go. */
static void squeeze(char *line)
{
	char *to = line;

	line[strcspn(line, "#\r\n")] = '\0';
	for (const char *c = line; *c; c++)
		if (*c != ' ' && *c != '\t')
			*to++ = *c;
		else if (to > line && to[-1] != ' ')
			*to++ = ' ';
	while (to > line && to[-1] == ' ')
		to--;
	*to = '\0';
}

static int take_line(void *ctx, char *line)
{
	struct parse *p = ctx;
	char *text, *rest;
	int action, ret = make_room(p);

	squeeze(line);
	if (ret || !*line)
		return ret;
	text = strdup(line);
	if (!text)
		return -ENOMEM;
	rest = strchr(line, ' ');
	if (rest)
		*rest++ = '\0';
	action = find_action(line);
	if (action >= 0) {
		ret = add_rule(p, (enum fw_action)action, rest ? rest : "", text);
	} else {
		ret = take_setting(p, line, rest ? rest : "");
		if (!ret)
			ret = lines_fail(&p->at, "'%s' is no action: " SHAPE, line);
	}
	free(text);
	return ret < 0 ? ret : 0;
}

int fw_parse(const char *path, const struct sl_nf_host *host, struct fw_rules *r,
	     struct classify_rule **entries, unsigned *n, char *err, size_t err_size)
{
	struct parse p = {.at = {.path = path, .err = err, .err_size = err_size},
			  .host = host,
			  .rules = r,
			  .fallback = {.action = FW_DROP}};
	int ret = make_room(&p);

	if (!ret)
		ret = lines_read(&p.at, "rules", take_line, &p);
	if (r->rule)
		r->rule[r->rules] = p.fallback;
	*entries = p.entry;
	*n = p.entries;
	return ret;
}
