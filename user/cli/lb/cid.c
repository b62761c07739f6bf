// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/lb/cid.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>
#include <sys/random.h>

#include "cli/options.h"
#include "cli/output.h"
#include "lb/quic.h"
#include "quic_lb.h"

static void vip_text(const struct sl_lb_vip_config *v, char *buf, size_t size)
{
	sl_lb_end_text(v->key.addr, v->v6, v->key.port, buf, size);
}

static bool is_server(const struct sl_lb_vip_config *v, const struct sl_lb_server_config *s,
		      const __be32 addr[4], __be16 port)
{
	return !memcmp(s->addr, addr, sizeof(s->addr)) &&
	       (s->port == port || (!s->port && v->key.port == port));
}

/* --- encode */

struct wish {
	unsigned config;
	uint8_t nonce[SL_LB_QUIC_CID_MAX];
	int nonce_n; /* 0: a random one */
	const struct sl_lb_vip_config *vip;
	const struct sl_lb_server_config *server;
};

static json_t *encoded(const struct wish *w, unsigned number)
{
	const struct sl_lb_quic_config *c = &w->vip->quic.config[number];
	char vip[64], end[64], id_text[33], nonce_text[41], cid_text[41];
	uint8_t cid[SL_LB_QUIC_CID_MAX], nonce[SL_LB_QUIC_CID_MAX];
	unsigned length = c->server_id_length + c->nonce_length, n;
	__u64 id[2];

	memcpy(nonce, w->nonce, sizeof(nonce));
	if (!w->nonce_n && getrandom(nonce, c->nonce_length, 0) != c->nonce_length)
		return NULL;
	sl_lb_quic_id(w->server, (uint32_t)w->server->id, id);
	n = sl_quic_encode(c, (uint8_t)(number << 5 | length), id, nonce, cid);
	sl_lb_quic_id_text(id, c->server_id_length, id_text);
	sl_lb_hex_text(nonce, c->nonce_length, nonce_text);
	sl_lb_hex_text(cid, n, cid_text);
	vip_text(w->vip, vip, sizeof(vip));
	sl_lb_end_text(w->server->addr, w->server->v6, w->server->port, end, sizeof(end));
	return json_pack("{s:s, s:s, s:i, s:b, s:s, s:s, s:s}", "vip", vip, "server", end,
			 "config_id", (int)number, "encrypted", c->keyed, "server_id", id_text,
			 "nonce", nonce_text, "cid", cid_text);
}

static int encode_all(const struct wish *w, json_t *list, struct sl_error *err)
{
	if (!w->server->has_quic_id && w->server->id < 0)
		return sl_error_set(err, -EINVAL,
				    "the file gives the server no quic_id and no id: write one");
	for (unsigned i = 0; i < SL_LB_QUIC_CONFIGS; i++) {
		const struct sl_lb_quic_config *c = &w->vip->quic.config[i];

		if (!c->used || (w->config != CID_ANY_CONFIG && w->config != i))
			continue;
		if (w->nonce_n && w->nonce_n != c->nonce_length)
			return sl_error_set(err, -EINVAL,
					    "--nonce: configuration %u has %u octets: write %u "
					    "digits, or name the configuration by --config",
					    i, c->nonce_length, 2 * c->nonce_length);
		json_array_append_new(list, encoded(w, i));
	}
	return 0;
}

/* A list that is not empty, printed. */
static int print(json_t *list, int rc, const char *empty, struct sl_error *err)
{
	if (!rc && !json_array_size(list))
		rc = sl_error_set(err, -ENOENT, "%s", empty);
	if (!rc)
		return output_json(list);
	json_decref(list);
	return EXIT_USAGE;
}

int cid_encode(const struct sl_lb_config *file, const char *server, unsigned config,
	       const char *nonce, struct sl_error *err)
{
	struct wish w = {.config = config};
	json_t *list = json_array();
	__be32 addr[4];
	__be16 port;
	int rc = 0;
	bool v6;

	if (sl_lb_end_parse(server, addr, &v6, &port))
		rc = sl_error_set(err, -EINVAL,
				  "\"%s\" is no server: write it as in the file, 10.0.0.1:8443",
				  server);
	else if (nonce)
		w.nonce_n = sl_lb_hex_parse(nonce, w.nonce, sizeof(w.nonce));
	if (w.nonce_n < 0 || (nonce && !rc && !w.nonce_n))
		rc = sl_error_set(err, -EINVAL, "--nonce: write hexadecimal digits, two an octet");
	for (unsigned i = 0; !rc && i < file->vips_n; i++)
		for (unsigned k = 0; !rc && k < file->vips[i].servers_n; k++) {
			w.vip = &file->vips[i];
			w.server = &w.vip->servers[k];
			if (w.vip->keep == SL_LB_KEEP_QUIC &&
			    is_server(w.vip, w.server, addr, port))
				rc = encode_all(&w, list, err);
		}
	return print(list, rc,
		     "no VIP with keep: quic has that server and configuration: look at the file",
		     err);
}

/* --- decode */

static const struct sl_lb_server_config *named(const struct sl_lb_vip_config *v, const __u64 id[2])
{
	__u64 of[2];

	for (unsigned i = 0; i < v->servers_n; i++) {
		const struct sl_lb_server_config *s = &v->servers[i];

		if (!s->has_quic_id && s->id < 0)
			continue;
		sl_lb_quic_id(s, (uint32_t)s->id, of);
		if (of[0] == id[0] && of[1] == id[1])
			return s;
	}
	return NULL;
}

/* As XDP does. */
static json_t *decoded(const struct sl_lb_vip_config *v, const uint8_t *cid, unsigned n)
{
	unsigned number = cid[0] >> 5;
	const struct sl_lb_quic_config *c = &v->quic.config[number % SL_LB_QUIC_CONFIGS];
	const struct sl_lb_server_config *s;
	const char *found = "server";
	char vip[64], end[64], text[33];
	struct sl_quic_halves halves;
	struct sl_aes_block block;
	uint8_t octets[24] = {0};
	__u64 body[3], id[2];

	vip_text(v, vip, sizeof(vip));
	if (number >= SL_LB_QUIC_CONFIGS || !c->used ||
	    n < 1u + c->server_id_length + c->nonce_length)
		return json_pack("{s:s, s:i, s:n, s:n, s:s}", "vip", vip, "config_id", (int)number,
				 "server_id", "server", "found",
				 number < SL_LB_QUIC_CONFIGS && c->used ? "short" : "no_config");
	memcpy(octets, cid + 1, n - 1 < sizeof(octets) ? n - 1 : sizeof(octets));
	for (unsigned i = 0; i < 3; i++)
		body[i] = sl_quic_load(octets + 8 * i);
	sl_quic_decode(c, body, &halves, &block, id);
	sl_lb_quic_id_text(id, c->server_id_length, text);
	s = named(v, id);
	if (!s)
		return json_pack("{s:s, s:i, s:s, s:n, s:s}", "vip", vip, "config_id", (int)number,
				 "server_id", text, "server", "found", "bad");
	sl_lb_end_text(s->addr, s->v6, s->port, end, sizeof(end));
	if (s->state == SL_LB_DOWN)
		found = "down";
	return json_pack("{s:s, s:i, s:s, s:s, s:s}", "vip", vip, "config_id", (int)number,
			 "server_id", text, "server", end, "found", found);
}

int cid_decode(const struct sl_lb_config *file, const char *cid, struct sl_error *err)
{
	json_t *list = json_array();
	uint8_t octets[64];
	int n = sl_lb_hex_parse(cid, octets, sizeof(octets)), rc = 0;

	if (n <= 0)
		rc = sl_error_set(err, -EINVAL,
				  "\"%s\" is no connection id: write hexadecimal digits, two an "
				  "octet",
				  cid);
	for (unsigned i = 0; !rc && i < file->vips_n; i++)
		if (file->vips[i].keep == SL_LB_KEEP_QUIC)
			json_array_append_new(list, decoded(&file->vips[i], octets, (unsigned)n));
	return print(list, rc, "no VIP of the file has keep: quic", err);
}
