// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/lb/show.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/lb/stats.h"
#include "cli/options.h"
#include "cli/output.h"
#include "platform/clock.h"
#include "lb/quic.h"
#include "platform/percpu.h"

static const char *const count_names[SL_LB_COUNTS] = {
	[SL_LB_NEW] = "new",
	[SL_LB_COOKIE] = "cookie",
	[SL_LB_SLOT] = "slot",
	[SL_LB_TABLE] = "table",
	[SL_LB_HASHED] = "hashed",
	[SL_LB_FRAGMENT] = "fragment",
	[SL_LB_QUIC] = "quic",
	[SL_LB_REPLY] = "reply",
	[SL_LB_ICMP] = "icmp",
	[SL_LB_ANSWERED] = "answered",
	[SL_LB_TOO_BIG] = "too_big",
	[SL_LB_PASSED] = "passed",
	[SL_LB_RESOLVE] = "resolve",
	[SL_LB_DROP_NO_VIP] = "drop_no_vip",
	[SL_LB_DROP_NO_SERVER] = "drop_no_server",
	[SL_LB_DROP_NO_CLOCK] = "drop_no_clock",
	[SL_LB_DROP_FRAGMENT] = "drop_fragment",
	[SL_LB_DROP_MALFORMED] = "drop_malformed",
	[SL_LB_DROP_NO_ROUTE] = "drop_no_route",
	[SL_LB_DROP_TOO_BIG] = "drop_too_big",
	[SL_LB_DROP_TTL] = "drop_ttl",
	[SL_LB_DROP_ICMP] = "drop_icmp",
	[SL_LB_BAD_COOKIE] = "bad_cookie",
	[SL_LB_COOKIE_DOWN] = "cookie_down",
	[SL_LB_NO_OPTION] = "no_option",
	[SL_LB_RST_NO_OPTION] = "rst_no_option",
	[SL_LB_INSERTED] = "inserted",
	[SL_LB_BYPASSED] = "bypassed",
	[SL_LB_ICMP_COOKIE] = "icmp_cookie",
	[SL_LB_ICMP_TABLE] = "icmp_table",
	[SL_LB_ICMP_HASHED] = "icmp_hashed",
	[SL_LB_ICMP_CLIENT] = "icmp_client",
	[SL_LB_CLOCK_JUMPS] = "clock_jumps",
	[SL_LB_CID_NO_CONFIG] = "cid_no_config",
	[SL_LB_CID_SHORT] = "cid_short",
	[SL_LB_CID_BAD] = "cid_bad",
	[SL_LB_CID_DOWN] = "cid_down",
	[SL_LB_BY_LOAD] = "by_load",
	[SL_LB_UNREPORTED] = "unreported",
	[SL_LB_SLOT_TAKEN] = "slot_taken",
	[SL_LB_SLOT_FREED] = "slot_freed",
	[SL_LB_SLOT_FULL] = "slot_full",
	[SL_LB_SLOT_UNKNOWN] = "slot_unknown",
};

static json_t *counts_json(const struct sl_lb *lb)
{
	json_t *counts = json_object();
	uint64_t sum;

	for (uint32_t i = 0; i < SL_LB_COUNTS; i++)
		if (count_names[i] && !sl_percpu_sum(lb->map[SL_LB_M_COUNTS], i, &sum, 1))
			json_object_set_new(counts, count_names[i], json_integer((json_int_t)sum));
	return counts;
}

int show_counts(const struct sl_lb *lb)
{
	json_t *counts = counts_json(lb), *value;
	const char *key;

	if (cli.json)
		return output_json(counts);
	json_object_foreach (counts, key, value)
		printf("%-15s %lld\n", key, (long long)json_integer_value(value));
	json_decref(counts);
	return 0;
}

/* What XDP knows of the server's clock. */
static const char *clock_word(const struct sl_lb *lb, uint32_t id)
{
	struct sl_lb_clock c;

	if (bpf_map_lookup_elem(lb->map[SL_LB_M_CLOCKS], &id, &c) || !c.now)
		return "unknown";
	return c.erratic ? "erratic" : "known";
}

static const char *health_word(unsigned health)
{
	static const char *const words[] = {"unchecked", "healthy", "failing", "panic"};

	return health <= SL_LB_PANIC ? words[health] : "?";
}

/* What `sluice lb run` saw: health, since when, the last error, load. */
static void add_watch(const struct sl_lb *lb, uint32_t id, const struct sl_lb_server *s,
		      json_t *server)
{
	struct sl_lb_watch w = {0};

	bpf_map_lookup_elem(lb->map[SL_LB_M_WATCH], &id, &w);
	w.why[sizeof(w.why) - 1] = '\0';
	json_object_set_new(server, "health", json_string(health_word(s->health)));
	json_object_set_new(
		server, "health_s",
		w.since_ns ? json_integer((json_int_t)((sl_clock_ns() - w.since_ns) / 1000000000))
			   : json_null());
	json_object_set_new(server, "check_error", *w.why ? json_string(w.why) : json_null());
	json_object_set_new(server, "load", json_integer((json_int_t)w.load));
}

static json_t *server_json(const struct sl_lb *lb, uint32_t id, const struct sl_lb_server *s)
{
	struct sl_lb_stats stats;
	json_t *server;
	char end[64];

	lb_stats_sum(lb->map[SL_LB_M_SERVER_STATS], id, &stats);
	sl_lb_end_text(s->addr, s->v6, s->port, end, sizeof(end));
	server = json_pack("{s:i, s:s, s:s, s:i, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "id",
			   (int)id, "address", end, "state",
			   s->state <= SL_LB_DOWN ? sl_lb_state_words[s->state] : "?", "weight",
			   (int)s->weight, "clock", clock_word(lb, id), "connections",
			   (json_int_t)stats.connections, "packets", (json_int_t)stats.packets,
			   "bytes", (json_int_t)stats.bytes, "replies", (json_int_t)stats.replies,
			   "reply_bytes", (json_int_t)stats.reply_bytes, "accepted",
			   (json_int_t)stats.accepted, "refused", (json_int_t)stats.refused);
	add_watch(lb, id, s, server);
	return server;
}

static bool is_v6(const struct sl_lb_vip_key *key)
{
	return key->addr[0] || key->addr[1] || key->addr[2];
}

/* Configurations of connection ids, and under "servers" who has which id in them. */
static json_t *quic_json(const struct sl_lb *lb, unsigned vip)
{
	struct sl_lb_quic_entry *entries;
	json_t *configs = json_array(), *servers = json_array();
	struct sl_lb_quic quic;
	char text[33];
	unsigned n;

	if (sl_lb_quic_read(lb, vip, &quic))
		memset(&quic, 0, sizeof(quic));
	for (unsigned i = 0; i < SL_LB_QUIC_CONFIGS; i++)
		if (quic.config[i].used)
			json_array_append_new(configs,
					      json_pack("{s:i, s:i, s:i, s:b}", "config_id", (int)i,
							"server_id_length",
							quic.config[i].server_id_length,
							"nonce_length", quic.config[i].nonce_length,
							"encrypted", quic.config[i].keyed));
	if (!sl_lb_quic_entries(lb, vip, &entries, &n)) {
		for (unsigned i = 0; i < n; i++) {
			sl_lb_quic_id_text(entries[i].key.id, SL_LB_QUIC_SERVER_ID_MAX, text);
			json_array_append_new(servers,
					      json_pack("{s:i, s:s}", "id", (int)entries[i].server,
							"quic_id", text));
		}
		free(entries);
	}
	return json_pack("{s:o, s:o}", "configs", configs, "servers", servers);
}

static json_t *vip_json(const struct sl_lb *lb, const struct sl_lb_vip_entry *e)
{
	json_t *servers = json_array(), *all;
	bool v6 = is_v6(&e->key);
	struct sl_lb_stats stats;
	struct sl_lb_server s;
	char address[64], port[8] = "any";

	for (uint32_t id = 0; id < SL_LB_MAX_SERVERS; id++)
		if (sl_lb_server_there(lb, id, &s) && s.vip == e->vip.id)
			json_array_append_new(servers, server_json(lb, id, &s));
	lb_stats_sum(lb->map[SL_LB_M_VIP_STATS], e->vip.id, &stats);
	sl_lb_end_text(e->key.addr, v6, 0, address, sizeof(address));
	if (sl_lb_vip_prefix(lb, e->key.addr) < (v6 ? 128u : 32u))
		snprintf(address + strlen(address), sizeof(address) - strlen(address), "/%u",
			 sl_lb_vip_prefix(lb, e->key.addr));
	if (e->key.port)
		snprintf(port, sizeof(port), "%u", __builtin_bswap16(e->key.port));
	all = json_pack(
		"{s:s, s:s, s:s, s:s, s:s, s:s, s:i, s:I, s:I, s:I, s:o}", "address", address,
		"protocol", e->key.proto == 17 ? "udp" : "tcp", "port", port, "forward",
		sl_lb_forward_words[e->vip.forward % 4], "select",
		sl_lb_select_words[e->vip.select <= SL_LB_BY_POWER_OF_TWO ? e->vip.select : 0],
		"keep", sl_lb_keep_word(e->vip.keep), "cookie_bits", (int)e->vip.bits,
		"connections", (json_int_t)stats.connections, "packets", (json_int_t)stats.packets,
		"bytes", (json_int_t)stats.bytes, "servers", servers);
	if (e->vip.keep == SL_LB_KEEP_QUIC)
		json_object_set_new(all, "quic", quic_json(lb, e->vip.id));
	return all;
}

json_t *show_json(const struct sl_lb *lb)
{
	unsigned ifindex[SL_LB_LINKS_MAX + 1], n;
	json_t *ifaces = json_array(), *list = json_array();
	struct sl_lb_vip_entry *vips;
	char name[IF_NAMESIZE];

	sl_lb_ifaces(lb, ifindex);
	for (unsigned i = 0; ifindex[i]; i++)
		if (if_indextoname(ifindex[i], name))
			json_array_append_new(ifaces, json_string(name));
	if (!sl_lb_vips(lb, &vips, &n)) {
		for (unsigned i = 0; i < n; i++)
			json_array_append_new(list, vip_json(lb, &vips[i]));
		free(vips);
	}
	return json_pack("{s:s, s:o, s:i, s:o, s:o}", "name", lb->name, "interfaces", ifaces,
			 "slots", (int)sl_lb_slots(lb), "vips", list, "counts", counts_json(lb));
}

static const struct column server_columns[] = {
	{"id", "ID", ALIGN_RIGHT, NULL},
	{"address", "SERVER", ALIGN_LEFT, NULL},
	{"state", "STATE", ALIGN_LEFT, NULL},
	{"health", "HEALTH", ALIGN_LEFT, NULL},
	{"weight", "WEIGHT", ALIGN_RIGHT, NULL},
	{"clock", "CLOCK", ALIGN_LEFT, NULL},
	{"connections", "CONNECTIONS", ALIGN_RIGHT, NULL},
	{"load", "LOAD", ALIGN_RIGHT, format_count},
	{"packets", "PACKETS", ALIGN_RIGHT, format_count},
	{"bytes", "BYTES", ALIGN_RIGHT, format_bytes},
	{NULL, NULL, ALIGN_LEFT, NULL},
};

static const char *text(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

/* Why servers fail. */
static void print_errors(const json_t *servers)
{
	const json_t *s;
	size_t i;

	json_array_foreach (servers, i, s)
		if ((!strcmp(text(s, "health"), "failing") ||
		     !strcmp(text(s, "health"), "panic")) &&
		    text(s, "check_error"))
			printf("%s: %s\n", text(s, "address"), text(s, "check_error"));
}

int show_balancer(const struct sl_lb *lb)
{
	json_t *all = show_json(lb), *item;
	size_t i;

	if (cli.json || !all)
		return output_json(all);
	printf("%s on", text(all, "name"));
	json_array_foreach (json_object_get(all, "interfaces"), i, item)
		printf(" %s", json_string_value(item));
	putchar('\n');
	json_array_foreach (json_object_get(all, "vips"), i, item) {
		printf("\n%s %s port %s, forward %s, select %s, keep %s\n", text(item, "address"),
		       text(item, "protocol"), text(item, "port"), text(item, "forward"),
		       text(item, "select"), text(item, "keep"));
		output_table(json_object_get(item, "servers"), server_columns);
		print_errors(json_object_get(item, "servers"));
	}
	json_decref(all);
	return 0;
}
