// SPDX-License-Identifier: GPL-2.0-or-later
/* sluice agent: what a server does for the balancers in front of it. */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/agent/report.h"
#include "cli/commands.h"
#include "cli/output.h"
#include "cli/verbs.h"
#include "lb/agent.h"
#include "lb/agent_config.h"
#include "lb/config.h"
#include "platform/percpu.h"

struct agent_options {
	struct opt_list ifaces, vips, from, self;
	const char *file;
	uint32_t gue_port;
	const char *name;
};

#define NAME_OPTION                                                                                \
	OPT_STRING(struct agent_options, name, 'n', "name", "NAME", "which agent (default agent)")

/* --- attach */

static const struct opt_spec attach_spec = {
	.command = "agent attach",
	.summary = "take off balancers' tunnels (IP in IP, GUE), write their cookies",
	.args =
		(const struct opt_arg[]){
			ARG_LIST(struct agent_options, ifaces, "IF", false,
				 "interfaces that the balancers' packets come in by"),
			ARG_END},
	.options =
		(const struct opt[]){
			OPT_LIST(struct agent_options, vips, 'v', "vip", "ADDRESS",
				 "what is in the tunnel is for it; repeatable"),
			OPT_LIST(struct agent_options, from, 'f', "from", "PREFIX",
				 "balancers: 10.0.0.0/24; repeatable (default: any)"),
			OPT_U32(struct agent_options, gue_port, 'g', "gue-port", "PORT", 1, 65535,
				"UDP port of GUE (default that of the file, or 6080)"),
			OPT_STRING(struct agent_options, file, 'l', "lb", "FILE",
				   "the balancer's file, sluice-lb(5): VIPs and "
				   "cookies of this host"),
			OPT_LIST(struct agent_options, self, 's', "self", "ADDRESS",
				 "this host among its servers; repeatable (default: its "
				 "addresses)"),
			NAME_OPTION, OPT_END},
};

static bool is_v4(const __be32 addr[4])
{
	return !addr[0] && !addr[1] && !addr[2];
}

/* "10.0.0.0/8", "fd00::/8" or an address. */
static int parse_prefix(const char *text, struct sl_agent_prefix *prefix)
{
	unsigned bits;
	bool v6;

	if (sl_lb_prefix_parse(text, prefix->addr, &v6, &bits))
		return -EINVAL;
	prefix->bits = sl_lb_prefix_bits(bits, v6);
	/* the trie takes the rest as it is, and would keep two of one prefix */
	sl_lb_prefix_cut(prefix->addr, prefix->bits);
	return 0;
}

static int read_addresses(const char *option, const struct opt_list *list, struct sl_agent_vip *to)
{
	bool v6;

	if (list->n > SL_AGENT_MAX_VIPS)
		return opt_usage(&attach_spec, "more than %d of %s: leave some out",
				 SL_AGENT_MAX_VIPS, option);
	for (unsigned i = 0; i < list->n; i++)
		if (sl_lb_address_parse(list->v[i], to[i].addr, &v6))
			return opt_usage(&attach_spec,
					 "%s: \"%s\" is no address: write one such as 192.0.2.1 "
					 "or 2001:db8::1",
					 option, list->v[i]);
	return 0;
}

static int read_words(const struct agent_options *options, struct sl_agent_config *config)
{
	if (!options->vips.n && !options->file)
		return opt_usage(&attach_spec, "--vip or --lb is missing: say whose packets are in "
					       "the tunnel, such as --vip 192.0.2.1");
	if (options->self.n && !options->file)
		return opt_usage(&attach_spec, "--self is about the file: say --lb FILE");
	if (options->vips.n > SL_AGENT_MAX_VIPS)
		return opt_usage(&attach_spec, "more than %d of --vip: leave some out",
				 SL_AGENT_MAX_VIPS);
	for (unsigned i = 0; i < options->vips.n; i++)
		if (parse_prefix(options->vips.v[i], &config->vips[i]))
			return opt_usage(&attach_spec,
					 "--vip: \"%s\" is no address: write one such as 192.0.2.1 "
					 "or 2001:db8::1, or a network",
					 options->vips.v[i]);
	if (options->from.n > SL_AGENT_MAX_FROM)
		return opt_usage(&attach_spec, "more than %d of --from: leave some out",
				 SL_AGENT_MAX_FROM);
	for (unsigned i = 0; i < options->from.n; i++)
		if (parse_prefix(options->from.v[i], &config->from[i]))
			return opt_usage(&attach_spec,
					 "--from: \"%s\" is no prefix: write one such as "
					 "10.0.0.0/24 or fd00::/64",
					 options->from.v[i]);
	config->vips_n = options->vips.n;
	config->from_n = options->from.n;
	if (!config->from_n) /* all zeros: every address there is */
		config->from_n = 1;
	return 0;
}

/* What the balancer's file says to this host. */
static int read_file(const struct agent_options *options, struct sl_lb_config *lb,
		     struct sl_agent_config *config)
{
	struct sl_agent_vip *self = calloc(SL_AGENT_MAX_VIPS, sizeof(*self));
	struct sl_error err;
	int status, rc, n;

	if (!self)
		return EXIT_FAILED;
	status = read_addresses("--self", &options->self, self);
	if (status)
		goto out;
	n = options->self.n ? (int)options->self.n : sl_agent_self(self, SL_AGENT_MAX_VIPS);
	rc = n < 0 ? sl_error_set(&err, n, "cannot read this host's addresses: %s", strerror(-n))
		   : sl_lb_config_read(options->file, lb, &err);
	if (!rc) {
		rc = sl_agent_from_lb(lb, self, (unsigned)n, config, &err);
		if (rc) {
			sl_lb_config_free(lb);
			status = opt_usage(&attach_spec, "%s: %s", options->file, err.text);
			goto out;
		}
	}
	status = rc ? opt_refuse(&attach_spec, rc, &err) : 0;
out:
	free(self);
	return status;
}

/* On all of these interfaces, or on none that it was not on before. */
static int put_on_ifaces(const struct sl_agent *agent, const struct opt_list *ifaces,
			 struct sl_error *err)
{
	bool fresh[OPT_LIST_MAX] = {false};
	int rc = 0;

	for (unsigned i = 0; i < ifaces->n && rc >= 0; i++) {
		rc = sl_agent_attach(agent, ifaces->v[i], err);
		fresh[i] = rc > 0;
	}
	for (unsigned i = 0; rc < 0 && i < ifaces->n; i++)
		if (fresh[i])
			sl_agent_detach(agent, ifaces->v[i]);
	return rc < 0 ? rc : 0;
}

/* Secrets first: a service without one would write another's cookies. */
static int put_on(const struct agent_options *options, const struct sl_lb_config *lb,
		  const struct sl_agent_config *config)
{
	struct sl_agent agent;
	struct sl_error err;
	bool created;
	int rc = sl_agent_claim(options->name, &agent, &created, &err);

	if (!rc) {
		sl_agent_tidy(&agent);
		for (unsigned i = 0; !rc && i < options->ifaces.n; i++)
			rc = sl_agent_check(&agent, options->ifaces.v[i], &err);
		if (!rc && options->file)
			rc = sl_agent_secrets(&agent, lb, &err);
		if (!rc)
			rc = sl_agent_apply(&agent, config, &err);
		if (!rc)
			rc = put_on_ifaces(&agent, &options->ifaces, &err);
		if (rc && created)
			sl_agent_remove(&agent);
		sl_agent_close(&agent);
	}
	return rc ? opt_refuse(&attach_spec, rc, &err) : 0;
}

static int attach(int argc, char **argv)
{
	struct agent_options options = {.name = "agent"};
	struct sl_lb_config lb = {.vips = NULL};
	struct sl_agent_config *config;
	int status;

	if (!opt_parse(&attach_spec, argc, argv, &options, &status))
		return status;
	config = calloc(1, sizeof(*config));
	if (!config)
		return EXIT_FAILED;
	status = read_words(&options, config);
	if (!status && options.file)
		status = read_file(&options, &lb, config);
	if (options.gue_port)
		config->gue_port = htons((uint16_t)options.gue_port);
	else if (!config->gue_port)
		config->gue_port = htons(SL_AGENT_GUE_PORT);
	if (!status)
		status = put_on(&options, &lb, config);
	sl_lb_config_free(&lb);
	free(config);
	return status;
}

/* --- show */

static const struct opt_spec show_spec = {
	.command = "agent show",
	.summary = "where it is, what it takes off, and where every packet went",
	.options = (const struct opt[]){NAME_OPTION, OPT_END},
};

static const char *const count_names[SL_AGENT_COUNTS] = {
	[SL_AGENT_OTHER] = "other",
	[SL_AGENT_IPIP] = "ipip",
	[SL_AGENT_GUE] = "gue",
	[SL_AGENT_NOT_FROM] = "not_from",
	[SL_AGENT_NOT_VIP] = "not_vip",
	[SL_AGENT_FRAGMENT] = "fragment",
	[SL_AGENT_MALFORMED] = "malformed",
	[SL_AGENT_GUE_UNKNOWN] = "gue_unknown",
	[SL_AGENT_DROP_ECN] = "drop_ecn",
	[SL_AGENT_DROP_FAILED] = "drop_failed",
	[SL_AGENT_COOKIES] = "cookies",
	[SL_AGENT_RESTORED] = "restored",
	[SL_AGENT_RESTORED_HANDSHAKE] = "restored_handshake",
	[SL_AGENT_NO_SOCKET] = "no_socket",
};

static json_t *counts_json(const struct sl_agent *agent)
{
	json_t *counts = json_object();
	uint64_t sum;

	for (uint32_t i = 0; i < SL_AGENT_COUNTS; i++)
		if (!sl_percpu_sum(agent->fd[SL_AGENT_O_COUNTS], i, &sum, 1))
			json_object_set_new(counts, count_names[i], json_integer((json_int_t)sum));
	return counts;
}

/* As text; `hosts`: an address without its 32 or 128. Of all addresses there is one prefix, ::/0.
 */
static json_t *prefixes_json(const struct sl_agent_prefix *prefixes, unsigned n, bool hosts)
{
	json_t *list = json_array();
	char text[64];

	for (unsigned i = 0; i < n; i++) {
		const struct sl_agent_prefix *p = &prefixes[i];
		bool v4 = is_v4(p->addr) && p->bits >= 96;

		sl_lb_end_text(p->addr, !v4, 0, text, sizeof(text));
		json_array_append_new(
			list, hosts && p->bits == 128
				      ? json_string(text)
				      : json_sprintf("%s/%u", text, p->bits - (v4 ? 96 : 0)));
	}
	return list;
}

static json_t *services_json(const struct sl_agent_config *config)
{
	json_t *list = json_array();
	char end[64], vip[64];

	for (unsigned i = 0; i < config->services_n; i++) {
		const struct sl_agent_end *e = &config->ends[i];
		const struct sl_agent_service *s = &config->services[i];

		sl_lb_end_text(e->addr, !is_v4(e->addr), e->port, end, sizeof(end));
		sl_lb_end_text(s->vip, !is_v4(s->vip), s->port, vip, sizeof(vip));
		json_array_append_new(list,
				      json_pack("{s:s, s:s, s:i, s:i}", "end", end, "vip", vip,
						"id", s->server, "cookie_bits", s->bits));
	}
	return list;
}

static json_t *agent_json(const struct sl_agent *agent)
{
	struct sl_agent_config *config = calloc(1, sizeof(*config));
	unsigned ifindex[SL_AGENT_MAX_IFACES + 1];
	json_t *ifaces = json_array(), *all = NULL;
	char name[IF_NAMESIZE];

	sl_agent_ifaces(agent, ifindex);
	for (unsigned i = 0; ifindex[i]; i++)
		if (if_indextoname(ifindex[i], name))
			json_array_append_new(ifaces, json_string(name));
	if (config && !sl_agent_read(agent, config))
		all = json_pack("{s:s, s:O, s:o, s:o, s:i, s:o, s:o}", "name", agent->name,
				"interfaces", ifaces, "vips",
				prefixes_json(config->vips, config->vips_n, true), "from",
				prefixes_json(config->from, config->from_n, false), "gue_port",
				ntohs(config->gue_port), "services", services_json(config),
				"counts", counts_json(agent));
	json_decref(ifaces);
	free(config);
	return all;
}

static const struct column service_columns[] = {
	{"end", "END", ALIGN_LEFT, NULL}, {"vip", "VIP", ALIGN_LEFT, NULL},
	{"id", "ID", ALIGN_RIGHT, NULL},  {"cookie_bits", "COOKIE BITS", ALIGN_RIGHT, NULL},
	{NULL, NULL, ALIGN_LEFT, NULL},
};

static void print_list(const char *title, const json_t *list)
{
	json_t *item;
	size_t i;

	printf("%s", title);
	json_array_foreach (list, i, item)
		printf(" %s", json_string_value(item));
	putchar('\n');
}

static int print_agent(const struct sl_agent *agent)
{
	json_t *all = agent_json(agent), *value;
	const char *key;

	if (cli.json || !all)
		return output_json(all);
	printf("%s on", agent->name);
	print_list("", json_object_get(all, "interfaces"));
	print_list("vips", json_object_get(all, "vips"));
	print_list("from", json_object_get(all, "from"));
	printf("gue port %lld\n\n",
	       (long long)json_integer_value(json_object_get(all, "gue_port")));
	if (json_array_size(json_object_get(all, "services"))) {
		output_table(json_object_get(all, "services"), service_columns);
		putchar('\n');
	}
	json_object_foreach (json_object_get(all, "counts"), key, value)
		printf("%-18s %lld\n", key, (long long)json_integer_value(value));
	json_decref(all);
	return 0;
}

static int show(int argc, char **argv)
{
	struct agent_options options = {.name = "agent"};
	struct sl_agent agent;
	struct sl_error err;
	int status, rc;

	if (!opt_parse(&show_spec, argc, argv, &options, &status))
		return status;
	rc = sl_agent_open(options.name, &agent, &err);
	if (rc)
		return opt_refuse(&show_spec, rc, &err);
	status = print_agent(&agent);
	sl_agent_close(&agent);
	return status;
}

/* --- detach */

static const struct opt_spec detach_spec = {
	.command = "agent detach",
	.summary = "off these interfaces; without any, off all, and forgotten",
	.args =
		(const struct opt_arg[]){
			ARG_LIST(struct agent_options, ifaces, "IF", true, "interfaces"), ARG_END},
	.options = (const struct opt[]){NAME_OPTION, OPT_END},
};

static int detach(int argc, char **argv)
{
	struct agent_options options = {.name = "agent"};
	struct sl_agent agent;
	struct sl_error err;
	int status, rc;

	if (!opt_parse(&detach_spec, argc, argv, &options, &status))
		return status;
	rc = sl_agent_open(options.name, &agent, &err);
	if (rc)
		return opt_refuse(&detach_spec, rc, &err);
	for (unsigned i = 0; !rc && i < options.ifaces.n; i++)
		rc = sl_agent_there(&agent, options.ifaces.v[i], &err);
	for (unsigned i = 0; !rc && i < options.ifaces.n; i++)
		sl_agent_detach(&agent, options.ifaces.v[i]);
	if (!options.ifaces.n)
		sl_agent_remove(&agent);
	sl_agent_close(&agent);
	return rc ? opt_refuse(&detach_spec, rc, &err) : 0;
}

/* --- */

static const struct verb verbs[] = {
	{"attach", attach, &attach_spec},
	{"show", show, &show_spec},
	{"detach", detach, &detach_spec},
	{"report", agent_report, &agent_report_spec},
	{NULL, NULL, NULL},
};

int cmd_agent(int argc, char **argv)
{
	static const struct verb_set agent = {
		"agent", "What a server does for the balancers in front of it; sluice-agent(8).",
		verbs};

	return verbs_run(&agent, argc, argv);
}
