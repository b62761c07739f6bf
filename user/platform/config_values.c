// SPDX-License-Identifier: GPL-2.0-or-later
/* Values with a shape of their own: names, rules, ranges, addresses, keys. */
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "platform/config_values.h"

/* --- texts */

bool sl_config_is_name(const char *text, size_t room)
{
	for (const char *p = text; *p; p++)
		if (!isalnum((unsigned char)*p) && !strchr("-_.", *p))
			return false;
	return *text && strlen(text) < room;
}

SL_YAML_SETTER(sl_config_set_name)
{
	const char *text = sl_yaml_text(node);

	if (!text || *text == '.' || !sl_config_is_name(text, SL_NAME_MAX))
		return sl_yaml_bad_value(y, node, f);
	strcpy((char *)base + f->offset, text);
	return 0;
}

SL_YAML_SETTER(sl_config_set_group)
{
	const char *text = sl_yaml_text(node);

	if (!text || !*text || strlen(text) >= sizeof(((struct sl_config *)0)->socket_group))
		return sl_yaml_bad_value(y, node, f);
	strcpy((char *)base + f->offset, text);
	return 0;
}

SL_YAML_SETTER(sl_config_set_buckets)
{
	int rc = sl_yaml_set_unsigned(y, node, base, f);
	unsigned n = rc ? 0 : *(unsigned *)((char *)base + f->offset);

	return rc || !(n & (n - 1)) ? rc : sl_yaml_bad_value(y, node, f);
}

SL_YAML_SETTER(sl_config_set_mode)
{
	enum sl_xdp_mode *mode = (enum sl_xdp_mode *)((char *)base + f->offset);
	const char *text = sl_yaml_text(node);

	if (text && !strcmp(text, "auto"))
		*mode = SL_XDP_UNKNOWN;
	else if (text && !strcmp(text, "native"))
		*mode = SL_XDP_NATIVE;
	else if (text && !strcmp(text, "generic"))
		*mode = SL_XDP_GENERIC;
	else
		return sl_yaml_bad_value(y, node, f);
	return 0;
}

/* One of two words; true for the second. */
static int set_either(struct sl_yaml *y, const yaml_node_t *node, const struct sl_yaml_field *f,
		      void *base, const char *no, const char *yes)
{
	const char *text = sl_yaml_text(node);

	if (!text || (strcmp(text, no) && strcmp(text, yes)))
		return sl_yaml_bad_value(y, node, f);
	*(bool *)((char *)base + f->offset) = !strcmp(text, yes);
	return 0;
}

SL_YAML_SETTER(sl_config_set_stamp)
{
	return set_either(y, node, f, base, "metadata", "inband");
}

SL_YAML_SETTER(sl_config_set_hash)
{
	struct sl_instance_config *in = base;
	const char *text = sl_yaml_text(node);

	in->rx_hash = text && !strcmp(text, "nic");
	if (!in->rx_hash)
		return set_either(y, node, f, base, "symmetric", "toeplitz");
	in->toeplitz = true;
	return 0;
}

SL_YAML_SETTER(sl_config_set_key)
{
	struct sl_instance_config *in = base;
	uint8_t *key = in->toeplitz_key;
	const char *text = sl_yaml_text(node);
	unsigned n = 0;

	in->nic_key = text && !strcmp(text, "nic");
	if (in->nic_key)
		return 0;
	memset(key, 0, SL_TOEPLITZ_KEY);
	while (text && *text && n < SL_TOEPLITZ_KEY) {
		if (!isxdigit((unsigned char)text[0]) || !isxdigit((unsigned char)text[1]))
			return sl_yaml_bad_value(y, node, f);
		key[n++] = (uint8_t)strtoul((char[]){text[0], text[1], 0}, NULL, 16);
		text += 2;
		if (*text == ':' && text[1])
			text++;
	}
	return text && !*text && (n == 40 || n == SL_TOEPLITZ_KEY) ? 0
								   : sl_yaml_bad_value(y, node, f);
}

SL_YAML_SETTER(sl_config_set_hardware)
{
	struct sl_instance_config *in = base;
	const char *text = sl_yaml_text(node);

	in->hardware_given = true;
	if (text && !strcmp(text, "auto"))
		in->hardware = SL_HARDWARE_AUTO;
	else if (text && !strcmp(text, "on"))
		in->hardware = SL_HARDWARE_ON;
	else if (text && !strcmp(text, "off"))
		in->hardware = SL_HARDWARE_OFF;
	else
		return sl_yaml_bad_value(y, node, f);
	return 0;
}

/* --- lists */

struct list {
	void *base;
	const struct sl_yaml_field *f;
};

static int add_iface(struct sl_yaml *y, const yaml_node_t *item, unsigned i, void *ctx)
{
	struct list *l = ctx;
	struct sl_instance_config *in = l->base;
	const char *text = sl_yaml_text(item);

	if (!text || !*text || strlen(text) >= IF_NAMESIZE || strpbrk(text, "/ :") ||
	    i >= SL_MAX_IFACES)
		return sl_yaml_bad_value(y, item, l->f);
	for (unsigned j = 0; j < i; j++)
		if (!strcmp(in->ifaces[j], text))
			return sl_yaml_error(y, item, "%s is listed twice: remove one", text);
	strcpy(in->ifaces[i], text);
	in->ifaces_n = i + 1;
	return 0;
}

SL_YAML_SETTER(sl_config_set_ifaces)
{
	return sl_yaml_sequence(y, node, add_iface, &(struct list){base, f});
}

static int add_rule(struct sl_yaml *y, const yaml_node_t *item, unsigned i, void *ctx)
{
	struct list *l = ctx;
	struct sl_instance_config *in = l->base;
	const char *text = sl_yaml_text(item);
	char err[256] = "";

	if (!text)
		return sl_yaml_bad_value(y, item, l->f);
	if (i >= SL_MAX_RULES)
		return sl_yaml_error(y, item, "more than %d rules: join prefixes", SL_MAX_RULES);
	if (sl_rule_parse(text, &in->rules[i], err, sizeof(err)))
		return sl_yaml_error(y, item, "%s", err);
	in->rules_n = i + 1;
	return 0;
}

/* Compiles too: what the rules become must fit the table of XDP. */
SL_YAML_SETTER(sl_config_set_rules)
{
	struct sl_instance_config *in = base;
	struct sl_match *match;
	char err[256] = "";
	int rc;

	rc = sl_yaml_sequence(y, node, add_rule, &(struct list){base, f});
	if (rc)
		return rc;
	if (!in->rules_n)
		return sl_yaml_bad_value(y, node, f);
	match = malloc(sizeof(*match));
	if (!match)
		return sl_error_set(y->err, -ENOMEM, "%s: no memory", y->file);
	if (sl_match_compile(in->rules, in->rules_n, NULL, 0, match, err, sizeof(err)))
		rc = sl_yaml_error(y, node, "%s", err);
	free(match);
	return rc;
}

static int add_pin(struct sl_yaml *y, const yaml_node_t *item, unsigned i, void *ctx)
{
	struct list *l = ctx;
	struct sl_balance_config *b = l->base;
	const char *text = sl_yaml_text(item);
	unsigned long first, last;
	char *end;

	if (!text || !isdigit((unsigned char)*text))
		return sl_yaml_bad_value(y, item, l->f);
	if (i >= SL_CONFIG_PINS)
		return sl_yaml_error(y, item, "more than %d ranges: join some", SL_CONFIG_PINS);
	first = last = strtoul(text, &end, 10);
	if (*end == '-' && isdigit((unsigned char)end[1]))
		last = strtoul(end + 1, &end, 10);
	if (*end || first > last || last >= SL_MAX_BUCKETS)
		return sl_yaml_bad_value(y, item, l->f);
	b->pin[i] = (struct sl_bucket_range){(uint32_t)first, (uint32_t)last};
	b->pins = i + 1;
	return 0;
}

SL_YAML_SETTER(sl_config_set_pins)
{
	((struct sl_balance_config *)base)->pins = 0; /* replaces the list of the defaults */
	return sl_yaml_sequence(y, node, add_pin, &(struct list){base, f});
}

/* --- the metrics' address */

static int listen_parse6(const char *host, uint16_t port, struct sockaddr_storage *addr)
{
	struct sockaddr_in6 *in = (struct sockaddr_in6 *)addr;

	in->sin6_family = AF_INET6;
	in->sin6_port = htons(port);
	if (inet_pton(AF_INET6, host, &in->sin6_addr) != 1)
		return -EINVAL;
	return IN6_IS_ADDR_LOOPBACK(&in->sin6_addr) ? 0 : -EADDRNOTAVAIL;
}

static int listen_parse4(const char *host, uint16_t port, struct sockaddr_storage *addr)
{
	struct sockaddr_in *in = (struct sockaddr_in *)addr;

	in->sin_family = AF_INET;
	in->sin_port = htons(port);
	if (inet_pton(AF_INET, host, &in->sin_addr) != 1)
		return -EINVAL;
	return ntohl(in->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET ? 0 : -EADDRNOTAVAIL;
}

int sl_listen_parse(const char *text, struct sockaddr_storage *addr)
{
	const char *colon = strrchr(text, ':');
	char host[64], *end;
	unsigned long port;
	size_t n;

	memset(addr, 0, sizeof(*addr));
	if (!colon || colon == text || !isdigit((unsigned char)colon[1]))
		return -EINVAL;
	port = strtoul(colon + 1, &end, 10);
	n = (size_t)(colon - text);
	if (*end || !port || port > UINT16_MAX || n >= sizeof(host))
		return -EINVAL;
	memcpy(host, text, n);
	host[n] = 0;
	if (host[0] != '[')
		return listen_parse4(host, (uint16_t)port, addr);
	if (host[n - 1] != ']')
		return -EINVAL;
	host[n - 1] = 0;
	return listen_parse6(host + 1, (uint16_t)port, addr);
}

SL_YAML_SETTER(sl_config_set_listen)
{
	struct sl_config *c = base;
	const char *text = sl_yaml_text(node);

	c->metrics = text && strcmp(text, "off") != 0;
	if (text && !c->metrics)
		return 0;
	return text && !sl_listen_parse(text, &c->metrics_addr) ? 0 : sl_yaml_bad_value(y, node, f);
}
