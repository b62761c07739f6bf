// SPDX-License-Identifier: GPL-2.0-or-later
/* The `check:` of a VIP: how `sluice lb run` finds out whether its servers are fit. */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "lb/config_check.h"

const char *const sl_lb_check_words[] = {"off", "tcp", "http", "udp", NULL};

static int set_type(struct sl_yaml *y, const yaml_node_t *node, struct sl_lb_check_config *c,
		    const struct sl_yaml_field *f)
{
	const char *text = sl_yaml_text(node);

	for (unsigned i = 0; text && sl_lb_check_words[i]; i++)
		if (!strcmp(text, sl_lb_check_words[i])) {
			c->type = i;
			return 0;
		}
	return sl_yaml_bad_value(y, node, f);
}

static SL_YAML_SETTER(set_type_field)
{
	return set_type(y, node, base, f);
}

static SL_YAML_SETTER(set_port)
{
	unsigned port;
	struct sl_yaml_field whole = *f;
	int rc;

	whole.offset = 0;
	rc = sl_yaml_set_unsigned(y, node, &port, &whole);
	if (!rc)
		((struct sl_lb_check_config *)base)->port = htons((uint16_t)port);
	return rc;
}

/* What goes into a request line or a header must not end it. */
static SL_YAML_SETTER(set_token)
{
	const char *text = sl_yaml_text(node);

	if (!text || !*text || strlen(text) >= SL_LB_CHECK_TEXT)
		return sl_yaml_bad_value(y, node, f);
	for (const char *c = text; *c; c++)
		if ((unsigned char)*c <= ' ' || *c == 0x7f)
			return sl_yaml_bad_value(y, node, f);
	if (f->offset == offsetof(struct sl_lb_check_config, path) && *text != '/')
		return sl_yaml_bad_value(y, node, f);
	strcpy((char *)base + f->offset, text);
	return 0;
}

static SL_YAML_SETTER(set_text)
{
	const char *text = sl_yaml_text(node);

	if (!text || !*text || strlen(text) >= SL_LB_CHECK_TEXT)
		return sl_yaml_bad_value(y, node, f);
	strcpy((char *)base + f->offset, text);
	return 0;
}

/* "204" or "200-399". */
static SL_YAML_SETTER(set_status)
{
	struct sl_lb_check_config *c = base;
	const char *text = sl_yaml_text(node);
	unsigned long from, to;
	char *end;

	if (!text || *text < '0' || *text > '9')
		return sl_yaml_bad_value(y, node, f);
	from = to = strtoul(text, &end, 10);
	if (*end == '-' && end[1] >= '0' && end[1] <= '9')
		to = strtoul(end + 1, &end, 10);
	if (*end || from < 100 || to > 599 || from > to)
		return sl_yaml_bad_value(y, node, f);
	c->status_min = (unsigned)from;
	c->status_max = (unsigned)to;
	return 0;
}

#define FIELD(member) offsetof(struct sl_lb_check_config, member)

static const struct sl_yaml_field fields[] = {
	{"type", set_type_field, 0, .mend = "write off, tcp, http or udp"},
	{"interval", sl_yaml_set_duration, FIELD(interval_ns), .min = 0.01, .max = 3600,
	 .mend = "write a time from 10ms to 1h, such as 2s"},
	{"timeout", sl_yaml_set_duration, FIELD(timeout_ns), .min = 0.01, .max = 60,
	 .mend = "write a time from 10ms to 60s, such as 1s"},
	{"rise", sl_yaml_set_unsigned, FIELD(rise), .min = 1, .max = 100,
	 .mend = "write how many good probes in a row bring a server back, 1 to 100"},
	{"fall", sl_yaml_set_unsigned, FIELD(fall), .min = 1, .max = 100,
	 .mend = "write how many bad probes in a row take a server out, 1 to 100"},
	{"port", set_port, 0, .min = 1, .max = 65535, .mend = "write 1 to 65535"},
	{"path", set_token, FIELD(path), .mend = "write a path of at most 255 bytes: /health"},
	{"host", set_token, FIELD(host), .mend = "write a name of at most 255 bytes: example.org"},
	{"status", set_status, 0, .mend = "write a status or a range of them: 200-399"},
	{"send", set_text, FIELD(send), .mend = "write 1 to 255 bytes"},
	{"expect", set_text, FIELD(expect),
	 .mend = "write 1 to 255 bytes that the answer begins with"},
	{"passive", sl_yaml_set_fraction, FIELD(passive), .min = 0, .max = 1,
	 .mend = "write the share of new connections that may stay unanswered: 50%; 0: off"},
	{NULL},
};

void sl_lb_check_default(struct sl_lb_check_config *c)
{
	*c = (struct sl_lb_check_config){
		.interval_ns = 2000000000, .timeout_ns = 1000000000, .rise = 2, .fall = 3};
}

void sl_lb_check_fill_in(struct sl_lb_check_config *c)
{
	if (!*c->path)
		strcpy(c->path, "/");
	if (c->status_min)
		return;
	c->status_min = 200;
	c->status_max = 399;
}

int sl_lb_set_check(struct sl_yaml *y, const yaml_node_t *node, void *base,
		    const struct sl_yaml_field *f)
{
	struct sl_lb_check_config *c = (void *)((char *)base + f->offset);

	if (node->type == YAML_SCALAR_NODE)
		return set_type(y, node, c, &fields[0]);
	c->type = SL_LB_CHECK_TCP;
	return sl_yaml_mapping(y, node, fields, c);
}

int sl_lb_check_check(struct sl_yaml *y, const yaml_node_t *item,
		      const struct sl_lb_check_config *c, bool udp, bool any_port)
{
	if (c->type == SL_LB_CHECK_OFF && c->passive <= 0)
		return 0;
	if (c->type == SL_LB_CHECK_OFF)
		return sl_yaml_error(y, item,
				     "check.passive: a probe has to tell when the server is back: "
				     "write a type: tcp, http or udp");
	if (any_port && !c->port)
		return sl_yaml_error(y, item, "check: the VIP's port is any: write check.port");
	if (c->type == SL_LB_CHECK_UDP && !*c->send)
		return sl_yaml_error(y, item, "check.send is missing: write what a server answers");
	if (c->passive > 0 && udp)
		return sl_yaml_error(y, item,
				     "check.passive: UDP has no SYNs: leave it out, or write "
				     "protocol: tcp");
	return 0;
}
