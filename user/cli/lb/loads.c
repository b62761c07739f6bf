// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/lb/loads.h"

#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/output.h"
#include "lb/loads.h"

struct loads_config {
	const char *name, *listen;
	bool receive;
	uint64_t max_age;
};

#define MS 1000000ull

const struct opt_spec lb_loads_spec = {
	.command = "lb loads",
	.summary = "what servers report of their cores; receive it",
	.options =
		(const struct opt[]){
			OPT_STRING(struct loads_config, name, 'n', "name", "NAME",
				   "which balancer (default lb)"),
			OPT_FLAG(struct loads_config, receive, 'r', "receive",
				 "receive reports until a signal comes"),
			OPT_STRING(struct loads_config, listen, 'l', "listen", "ADDRESS[:PORT]",
				   "where (default: every address, port 7077)"),
			OPT_DURATION(struct loads_config, max_age, 0, "max-age", "TIME", 10 * MS,
				     60000 * MS, "a report is out of date then (default 1s)"),
			OPT_END},
};

/* --- show */

static const char *hash_word(const struct sl_lb_cores *c)
{
	return c->hash == SL_REPORT_SYMMETRIC ? "symmetric" : "toeplitz";
}

static json_t *cores_json(const struct sl_lb_cores *c)
{
	json_t *cores = json_array();

	for (unsigned i = 0; i < c->cores; i++)
		json_array_append_new(cores,
				      json_pack("{s:i, s:f, s:f, s:I}", "core", (int)i, "load",
						(double)c->load[i] / SL_REPORT_CORE, "added",
						(double)c->added[i] / SL_LB_ADDED_FLOW,
						"connections", (json_int_t)c->chosen[i]));
	return cores;
}

static json_t *server_json(uint32_t id, const struct sl_lb_server *s, const struct sl_lb_cores *c)
{
	uint64_t connections = 0;
	char end[64];

	for (unsigned i = 0; i < SL_REPORT_CORES; i++)
		connections += c->chosen[i];
	sl_lb_end_text(s->addr, s->v6, s->port, end, sizeof(end));
	return json_pack("{s:i, s:s, s:b, s:f, s:f, s:I, s:s, s:i, s:i, s:o}", "id", (int)id,
			 "address", end, "fresh", sl_lb_cores_fresh(c), "load", sl_lb_cores_mean(c),
			 "connection_load", (double)c->flow / SL_REPORT_CORE, "connections",
			 (json_int_t)connections, "hash", hash_word(c), "entries", (int)c->mask + 1,
			 "table", (int)c->table, "cores", cores_json(c));
}

static void format_cores(const json_t *value, char *buf, size_t size)
{
	const json_t *core;
	size_t i, at = 0;

	*buf = '\0';
	json_array_foreach (value, i, core) {
		double load = json_number_value(json_object_get(core, "load"));

		if (at + 8 < size)
			at += (size_t)snprintf(buf + at, size - at, "%s%.0f%%", i ? " " : "",
					       100 * load);
	}
}

static const struct column columns[] = {
	{"id", "ID", ALIGN_RIGHT, NULL},
	{"address", "SERVER", ALIGN_LEFT, NULL},
	{"fresh", "FRESH", ALIGN_LEFT, format_bool},
	{"connections", "CONNECTIONS", ALIGN_RIGHT, NULL},
	{"load", "LOAD", ALIGN_RIGHT, format_percent},
	{"cores", "CORES", ALIGN_LEFT, format_cores},
	{NULL, NULL, ALIGN_LEFT, NULL},
};

static int show_loads(const struct sl_lb *lb)
{
	struct sl_lb_cores *c = malloc(sizeof(*c));
	json_t *rows = json_array();
	struct sl_lb_server s;

	for (uint32_t id = 0; c && id < SL_LB_MAX_SERVERS; id++)
		if (sl_lb_server_there(lb, id, &s) && !sl_lb_cores_read(lb, id, c))
			json_array_append_new(rows, server_json(id, &s, c));
	free(c);
	return output_rows(rows, columns);
}

/* --- receive */

static volatile sig_atomic_t stop; /* a signal's only way to tell */

static void on_signal(int number)
{
	(void)number;
	stop = 1;
}

static json_t *counts_json(const struct sl_lb_loads_counts *n)
{
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "accepted", (json_int_t)n->accepted,
			 "behind", (json_int_t)n->behind, "malformed", (json_int_t)n->malformed,
			 "version", (json_int_t)n->version, "forged", (json_int_t)n->forged,
			 "replayed", (json_int_t)n->replayed, "unknown", (json_int_t)n->unknown);
}

static int print_counts(struct sl_lb_loads_counts n)
{
	json_t *counts = counts_json(&n), *value;
	const char *key;

	if (cli.json)
		return output_json(counts);
	json_object_foreach (counts, key, value)
		printf("%-10s %lld\n", key, (long long)json_integer_value(value));
	json_decref(counts);
	return 0;
}

static int receive(struct sl_lb *lb, const struct loads_config *config)
{
	struct sigaction sa = {.sa_handler = on_signal};
	struct sl_lb_loads *loads;
	struct sl_error err;
	struct pollfd fd = {.events = POLLIN};
	int rc = sl_lb_loads_open(lb, config->listen, (unsigned)(config->max_age / MS), &loads,
				  &err);

	if (rc)
		return opt_refuse(&lb_loads_spec, rc, &err);
	sl_lb_unlock(lb);
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	fprintf(stderr, "receiving reports for %s\n", lb->name);
	fd.fd = sl_lb_loads_fd(loads);
	while (!stop)
		if (poll(&fd, 1, 200) > 0)
			sl_lb_loads_receive(loads, 256);
	rc = print_counts(sl_lb_loads_counts(loads));
	sl_lb_loads_close(loads);
	return rc;
}

int lb_loads(int argc, char **argv)
{
	struct loads_config config = {.name = "lb", .max_age = SL_LB_MAX_AGE_MS * MS};
	struct sl_error err;
	struct sl_lb lb;
	int status, rc;

	if (!opt_parse(&lb_loads_spec, argc, argv, &config, &status))
		return status;
	if (config.listen && !config.receive)
		return opt_usage(&lb_loads_spec, "--listen is for receiving: write --receive too");
	rc = sl_lb_open(config.name, &lb, &err);
	if (rc)
		return opt_refuse(&lb_loads_spec, rc, &err);
	status = config.receive ? receive(&lb, &config) : show_loads(&lb);
	sl_lb_close(&lb);
	return status;
}
