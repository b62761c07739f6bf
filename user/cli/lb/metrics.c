// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/lb/metrics.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/lb/show.h"

/* What the JSON of a server or a VIP has, and its name here. */
static const struct series {
	const char *key, *name, *type, *help;
} server_series[] = {
	{"connections", "sluice_lb_server_connections_total", "counter", "Connections begun."},
	{"packets", "sluice_lb_server_packets_total", "counter", "Packets to the server."},
	{"bytes", "sluice_lb_server_bytes_total", "counter", "Bytes to the server."},
	{"replies", "sluice_lb_server_replies_total", "counter", "Packets of the server."},
	{"reply_bytes", "sluice_lb_server_reply_bytes_total", "counter", "Bytes of the server."},
	{"accepted", "sluice_lb_server_accepted_total", "counter", "SYNs answered by a SYN-ACK."},
	{"refused", "sluice_lb_server_refused_total", "counter", "SYNs answered by a reset."},
	{"weight", "sluice_lb_server_weight", "gauge", "Share of connections."},
	{"load", "sluice_lb_server_load", "gauge", "By the VIP's metric; of a CPU in thousandths."},
};

static const char *text(const json_t *object, const char *key)
{
	const char *s = json_string_value(json_object_get(object, key));

	return s ? s : "";
}

static void head(FILE *f, const char *name, const char *type, const char *help)
{
	fprintf(f, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void labels(FILE *f, const char *name, const json_t *all, const json_t *vip,
		   const json_t *server)
{
	fprintf(f, "%s{balancer=\"%s\",vip=\"%s\",protocol=\"%s\",port=\"%s\",server=\"%s\"}", name,
		text(all, "name"), text(vip, "address"), text(vip, "protocol"), text(vip, "port"),
		text(server, "address"));
}

static int serves(const json_t *server)
{
	return !strcmp(text(server, "state"), "up") &&
	       strcmp(text(server, "health"), "failing") != 0;
}

static int fails(const json_t *server)
{
	return !strcmp(text(server, "health"), "failing") ||
	       !strcmp(text(server, "health"), "panic");
}

/* One value of every server. */
static void put_servers(FILE *f, const json_t *all, const struct series *s,
			int (*value)(const json_t *server))
{
	const json_t *vip, *server;
	size_t i, k;

	head(f, s->name, s->type, s->help);
	json_array_foreach (json_object_get(all, "vips"), i, vip)
		json_array_foreach (json_object_get(vip, "servers"), k, server) {
			labels(f, s->name, all, vip, server);
			fprintf(f, " %lld\n",
				value ? (long long)value(server)
				      : (long long)json_integer_value(
						json_object_get(server, s->key)));
		}
}

static void put_counts(FILE *f, json_t *all)
{
	const char *key;
	json_t *value;

	head(f, "sluice_lb_packets_total", "counter", "See COUNTS of sluice-lb(8).");
	json_object_foreach (json_object_get(all, "counts"), key, value)
		fprintf(f, "sluice_lb_packets_total{balancer=\"%s\",count=\"%s\"} %lld\n",
			text(all, "name"), key, (long long)json_integer_value(value));
}

char *lb_metrics_text(const struct sl_lb *lb, size_t *len)
{
	static const struct series serving = {NULL, "sluice_lb_server_serving", "gauge",
					      "1: it gets new connections."},
				   failing = {NULL, "sluice_lb_server_failing", "gauge",
					      "1: its checks fail."};
	json_t *all = show_json(lb);
	char *page = NULL;
	FILE *f = all ? open_memstream(&page, len) : NULL;

	if (f) {
		put_counts(f, all);
		put_servers(f, all, &serving, serves);
		put_servers(f, all, &failing, fails);
		for (unsigned i = 0; i < sizeof(server_series) / sizeof(server_series[0]); i++)
			put_servers(f, all, &server_series[i], NULL);
		if (fclose(f)) {
			free(page);
			page = NULL;
		}
	}
	json_decref(all);
	return page;
}
