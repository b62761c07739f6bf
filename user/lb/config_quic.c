// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lb/config_quic.h"
#include "lb/quic.h"
#include "quic_lb.h"

struct item {
	unsigned config_id, server_id, nonce;
	bool keyed;
	uint8_t key[16];
};

#define MISSING 0xff

int sl_lb_hex_parse(const char *text, uint8_t *octets, size_t max)
{
	size_t n = strlen(text) / 2;

	if (strlen(text) % 2 || n > max || strspn(text, "0123456789abcdefABCDEF") != strlen(text))
		return -EINVAL;
	for (size_t i = 0; i < n; i++) {
		char two[3] = {text[2 * i], text[2 * i + 1], '\0'};

		octets[i] = (uint8_t)strtoul(two, NULL, 16);
	}
	return (int)n;
}

void sl_lb_hex_text(const uint8_t *octets, size_t n, char *buf)
{
	*buf = '\0';
	for (size_t i = 0; i < n; i++)
		snprintf(buf + 2 * i, 3, "%02x", octets[i]);
}

static SL_YAML_SETTER(set_key)
{
	const char *text = sl_yaml_text(node);
	struct item *it = base;

	if (!text || sl_lb_hex_parse(text, it->key, sizeof(it->key)) != (int)sizeof(it->key))
		return sl_yaml_bad_value(y, node, f);
	it->keyed = true;
	return 0;
}

static const struct sl_yaml_field item_fields[] = {
	{"config_id", sl_yaml_set_unsigned, offsetof(struct item, config_id),
	 .max = SL_LB_QUIC_CONFIGS - 1, .mend = "write a whole number, 0 to 6; 7 is of none"},
	{"server_id_length", sl_yaml_set_unsigned, offsetof(struct item, server_id), .min = 1,
	 .max = SL_LB_QUIC_SERVER_ID_MAX, .mend = "write a whole number of octets, 1 to 15"},
	{"nonce_length", sl_yaml_set_unsigned, offsetof(struct item, nonce),
	 .min = SL_LB_QUIC_NONCE_MIN, .max = SL_LB_QUIC_CID_MAX - 2,
	 .mend = "write a whole number of octets, 4 to 18"},
	{"key", set_key, 0, .mend = "write 32 hexadecimal digits: openssl rand -hex 16"},
	{NULL},
};

static int add_item(struct sl_yaml *y, const yaml_node_t *node, unsigned i, void *ctx)
{
	struct item it = {.config_id = MISSING, .server_id = MISSING, .nonce = MISSING};
	struct sl_lb_vip_config *v = ctx;
	int rc = sl_yaml_mapping(y, node, item_fields, &it);

	(void)i;
	if (rc)
		return rc;
	if (it.config_id == MISSING || it.server_id == MISSING || it.nonce == MISSING)
		return sl_yaml_error(y, node, "%s is missing: write it, as the servers have it",
				     it.config_id == MISSING   ? "config_id"
				     : it.server_id == MISSING ? "server_id_length"
							       : "nonce_length");
	if (!sl_quic_lengths_fit(it.server_id, it.nonce))
		return sl_yaml_error(y, node,
				     "server_id_length and nonce_length are %u octets together: "
				     "write 19 or less, which is what QUIC has room for",
				     it.server_id + it.nonce);
	if (v->quic.config[it.config_id].used)
		return sl_yaml_error(y, node, "config_id: %u is there twice: change one",
				     it.config_id);
	sl_quic_configure(&v->quic.config[it.config_id], it.server_id, it.nonce,
			  it.keyed ? it.key : NULL);
	return 0;
}

SL_YAML_SETTER(sl_lb_set_quic)
{
	(void)f;
	return sl_yaml_sequence(y, node, add_item, base);
}

/* Up to 15 octets, the last one lowest. */
static int hex_number(const char *text, __u64 id[2])
{
	id[0] = id[1] = 0;
	if (!*text || strlen(text) > 2 * SL_LB_QUIC_SERVER_ID_MAX ||
	    strspn(text, "0123456789abcdefABCDEF") != strlen(text))
		return -EINVAL;
	for (; *text; text++) {
		char digit[2] = {*text, '\0'};

		id[0] = id[0] << 4 | id[1] >> 60;
		id[1] = id[1] << 4 | strtoul(digit, NULL, 16);
	}
	return 0;
}

SL_YAML_SETTER(sl_lb_set_quic_id)
{
	struct sl_lb_server_config *s = base;
	const char *text = sl_yaml_text(node);
	char *end;

	if (!text || !*text)
		return sl_yaml_bad_value(y, node, f);
	s->has_quic_id = true;
	if (!strncmp(text, "0x", 2))
		return hex_number(text + 2, s->quic_id) ? sl_yaml_bad_value(y, node, f) : 0;
	errno = 0;
	s->quic_id[1] = strtoull(text, &end, 10);
	return *end || *text == '-' || errno ? sl_yaml_bad_value(y, node, f) : 0;
}

/* --- together */

/* Plain ones would give away the ids that are encrypted in the others (Distinguishing Attacks, in
 * the draft). */
static int check_keys(struct sl_yaml *y, const yaml_node_t *item, const struct sl_lb_quic *quic)
{
	bool found[2] = {false};

	for (unsigned i = 0; i < SL_LB_QUIC_CONFIGS; i++)
		if (quic->config[i].used)
			found[quic->config[i].keyed] = true;
	if (!found[0] && !found[1])
		return sl_yaml_error(y, item,
				     "quic is missing: write how the servers' connection ids are, "
				     "such as [{config_id: 0, server_id_length: 2, nonce_length: "
				     "6}]");
	if (found[0] && found[1])
		return sl_yaml_error(y, item,
				     "quic: some have a key and some do not, so that what one "
				     "hides another shows: give all of them a key, or none");
	return 0;
}

static bool wanted_id(const struct sl_lb_server_config *s, __u64 id[2])
{
	id[0] = s->has_quic_id ? s->quic_id[0] : 0;
	id[1] = s->has_quic_id ? s->quic_id[1] : (__u64)s->id;
	return s->has_quic_id || s->id >= 0;
}

static int check_ids(struct sl_yaml *y, const yaml_node_t *item, const struct sl_lb_vip_config *v)
{
	__u64 a[2], b[2];
	char end[64];

	for (unsigned i = 0; i < v->servers_n; i++) {
		const struct sl_lb_server_config *s = &v->servers[i];

		if (!wanted_id(s, a))
			continue;
		sl_lb_end_text(s->addr, s->v6, s->port, end, sizeof(end));
		if (!sl_lb_quic_fits(&v->quic, a))
			return sl_yaml_error(y, item,
					     "server %s: its quic_id has more octets than a "
					     "server_id_length: write less, or raise that",
					     end);
		for (unsigned k = 0; k < i; k++)
			if (wanted_id(&v->servers[k], b) && a[0] == b[0] && a[1] == b[1])
				return sl_yaml_error(y, item,
						     "server %s: its quic_id is another's too: "
						     "change one",
						     end);
	}
	return 0;
}

int sl_lb_check_quic(struct sl_yaml *y, const yaml_node_t *item, const struct sl_lb_vip_config *v)
{
	bool used = false, named = false;
	int rc;

	for (unsigned i = 0; i < SL_LB_QUIC_CONFIGS; i++)
		used |= v->quic.config[i].used;
	for (unsigned i = 0; i < v->servers_n; i++)
		named |= v->servers[i].has_quic_id;
	if (v->keep != SL_LB_KEEP_QUIC)
		return used || named ? sl_yaml_error(y, item,
						     "%s is of keep: quic only: write that, or "
						     "leave it out",
						     used ? "quic" : "quic_id")
				     : 0;
	if (v->key.proto != IPPROTO_UDP)
		return sl_yaml_error(y, item, "keep: quic: QUIC is on UDP: write protocol: udp");
	rc = check_keys(y, item, &v->quic);
	return rc ? rc : check_ids(y, item, v);
}
