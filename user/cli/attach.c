// SPDX-License-Identifier: GPL-2.0-or-later
/* sluice attach, sluice detach. */
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/target.h"
#include "platform/attach.h"

struct attach_config {
	struct opt_list ifaces;
	struct opt_list match;
	bool local, replace, stack;
	uint32_t buckets, max_workers;
	const char *instance;
	unsigned mode; /* index in mode_words */
	const char *hash;
	unsigned stamp; /* index in stamp_words, or NOT_GIVEN */
};

#define NOT_GIVEN UINT_MAX

struct detach_config {
	const char *name;
	bool force;
};

static const char *const stamp_words[] = {"metadata", "inband", NULL};
static const char *const mode_words[] = {"auto", "native", "generic", NULL};
static const enum sl_xdp_mode modes[] = {SL_XDP_UNKNOWN, SL_XDP_NATIVE, SL_XDP_GENERIC};

static const struct opt_arg attach_args[] = {
	ARG_LIST(struct attach_config, ifaces, "IF", false, "interfaces; served as one instance"),
	ARG_END,
};

static const struct opt attach_options[] = {
	OPT_LIST(struct attach_config, match, 'm', "match", "RULE",
		 "what Sluice takes, repeatable: `all`, or 10.0.0.0/8,proto=tcp,dport=80-90"),
	OPT_FLAG(struct attach_config, local, 'l', "local",
		 "take traffic to this host's own addresses too"),
	OPT_U32(struct attach_config, buckets, 'b', "buckets", "N", SL_MIN_BUCKETS, SL_MAX_BUCKETS,
		"size of the indirection table, a power of two (default 1024)"),
	OPT_U32(struct attach_config, max_workers, 'w', "max-workers", "N", 1, SL_MAX_WORKERS,
		"room for N workers (default 16)"),
	OPT_STRING(struct attach_config, instance, 'n', "instance", "NAME",
		   "name of the instance (default: the first interface's)"),
	OPT_CHOICE(struct attach_config, mode, 'M', "mode", "MODE", mode_words,
		   "native, generic, or auto (default): native if the driver can"),
	OPT_STRING(struct attach_config, hash, 'H', "hash", "HASH",
		   "symmetric (default), toeplitz, toeplitz:nic (with the NIC's key), "
		   "toeplitz:KEY, or nic (computed by the NIC)"),
	OPT_CHOICE(struct attach_config, stamp, 0, "stamp", "WHERE", stamp_words,
		   "metadata (default), or inband for drivers without room for metadata"),
	OPT_FLAG(struct attach_config, stack, 'k', "stack",
		 "mode stack: workers are CPUs, packets go up the kernel's stack there"),
	OPT_FLAG(struct attach_config, replace, 'r', "replace",
		 "put this program in place of an attached one; its state and rules stay"),
	OPT_END,
};

static const struct opt_spec attach_spec = {
	"attach",
	"Put the steering program on interfaces",
	attach_args,
	attach_options,
	"A rule is `all`, or words joined by commas: PREFIX or src=PREFIX, dst=PREFIX,\n"
	"proto=tcp|udp|sctp|icmp|icmp6|esp|N, port=N[-N], sport=, dport=, pass. All words of a "
	"rule\n"
	"must agree; the first rule that accepts a packet decides; `pass` leaves it to the "
	"stack.\n",
};

/* Microsoft's key of the RSS verification suite, which most drivers start with. */
static const uint8_t default_toeplitz_key[SL_TOEPLITZ_KEY] = {
	0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67, 0x25, 0x3d, 0x43, 0xa3,
	0x8f, 0xb0, 0xd0, 0xca, 0x2b, 0xcb, 0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3,
	0x80, 0x30, 0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac, 0x01, 0xfa,
};

/* `ethtool -x` prints colons between the bytes; both forms are read. */
static bool parse_key(const char *text, uint8_t key[SL_TOEPLITZ_KEY])
{
	unsigned n = 0, byte;

	while (*text) {
		if (n == SL_TOEPLITZ_KEY || !isxdigit((unsigned char)text[0]) ||
		    !isxdigit((unsigned char)text[1]) || sscanf(text, "%2x", &byte) != 1)
			return false;
		key[n++] = (uint8_t)byte;
		text += 2;
		if (*text == ':')
			text++;
	}
	return n == 40 || n == SL_TOEPLITZ_KEY;
}

static int parse_hash(const struct attach_config *config, struct sl_attach_opts *opts)
{
	const char *hash = config->hash;

	opts->hash_given = hash;
	if (!hash || !strcmp(hash, "symmetric"))
		return 0;
	opts->toeplitz = true;
	memcpy(opts->toeplitz_key, default_toeplitz_key, SL_TOEPLITZ_KEY);
	if (!strcmp(hash, "toeplitz"))
		return 0;
	opts->rx_hash = !strcmp(hash, "nic");
	opts->nic_key = opts->rx_hash || !strcmp(hash, "toeplitz:nic");
	if (opts->nic_key)
		return 0;
	if (!strncmp(hash, "toeplitz:", 9)) {
		memset(opts->toeplitz_key, 0, SL_TOEPLITZ_KEY);
		if (parse_key(hash + 9, opts->toeplitz_key))
			return 0;
		return opt_usage(&attach_spec,
				 "--hash: the key must be 40 or 52 bytes in hexadecimal, with or "
				 "without colons, or nic");
	}
	return opt_usage(&attach_spec,
			 "--hash: \"%s\" is not allowed; give symmetric, toeplitz, "
			 "toeplitz:nic, toeplitz:KEY or nic",
			 hash);
}

static int parse_rules(const struct attach_config *config, struct sl_rule *rules)
{
	char err[256];

	if (!config->match.n && !config->replace)
		return opt_usage(&attach_spec,
				 "--match is missing: say what Sluice takes, such as --match "
				 "10.0.0.0/8, or --match all for everything");
	if (config->match.n > SL_MAX_RULES)
		return opt_usage(&attach_spec, "--match: %u rules; at most %d are allowed",
				 config->match.n, SL_MAX_RULES);
	for (unsigned i = 0; i < config->match.n; i++)
		if (sl_rule_parse(config->match.v[i], &rules[i], err, sizeof(err)))
			return opt_usage(&attach_spec, "--match: %s", err);
	return 0;
}

/* What a table cannot check. 0 or the exit status. */
static int make_opts(const struct attach_config *config, struct sl_rule *rules,
		     struct sl_attach_opts *opts)
{
	int status;

	if (config->ifaces.n > SL_MAX_IFACES)
		return opt_usage(&attach_spec, "%u interfaces; one instance serves at most %d",
				 config->ifaces.n, SL_MAX_IFACES);
	if (config->buckets & (config->buckets - 1))
		return opt_usage(&attach_spec,
				 "--buckets: %u is not a power of two; give 128, 256, ... 65536",
				 config->buckets);
	if (config->stack && config->ifaces.n > 1)
		return opt_usage(&attach_spec,
				 "--stack: %u interfaces; give each an instance of its own",
				 config->ifaces.n);
	if (config->stack && (config->stamp == 1 || modes[config->mode] == SL_XDP_GENERIC))
		return opt_usage(&attach_spec,
				 "--stack: it needs native mode and metadata; leave --mode generic "
				 "and --stamp inband away");
	if (config->stack && config->hash && !strcmp(config->hash, "nic"))
		return opt_usage(&attach_spec,
				 "--stack: it computes its hash; give --hash toeplitz:nic");
	*opts = (struct sl_attach_opts){.instance = config->instance,
					.ifaces = config->ifaces.v,
					.ifaces_n = config->ifaces.n,
					.buckets = config->buckets,
					.max_workers = config->max_workers,
					.mode = modes[config->mode],
					.rules = rules,
					.rules_n = config->match.n,
					.local = config->local,
					.inband = config->stamp == 1,
					.stamp_given = config->stamp != NOT_GIVEN,
					.stack = config->stack,
					.stack_given = config->stack,
					.replace = config->replace};
	status = parse_rules(config, rules);
	return status ? status : parse_hash(config, opts);
}

static const char *mode_name(enum sl_xdp_mode mode)
{
	return mode == SL_XDP_NATIVE ? "native" : mode == SL_XDP_GENERIC ? "generic" : "unknown";
}

static json_t *attached_json(const struct sl_instance *inst, size_t memory)
{
	json_t *ifaces = json_array();

	for (unsigned i = 0; i < inst->ifaces; i++) {
		const struct sl_iface *f = &inst->iface[i];

		json_array_append_new(
			ifaces, json_pack("{s:s,s:s,s:i,s:I,s:b}", "name", f->name, "mode",
					  mode_name(f->mode), "queues", (int)f->queues, "prog_id",
					  (json_int_t)f->prog_id, "rx_hash", f->rx_hash));
	}
	return json_pack("{s:s,s:o,s:i,s:i,s:I}", "instance", inst->name, "interfaces", ifaces,
			 "buckets", (int)inst->hash_buckets, "max_workers", (int)inst->max_workers,
			 "memory_bytes", (json_int_t)memory);
}

/* Read back what was granted and say it. */
static int report(const char *iface, size_t memory)
{
	struct sl_instance *inst;
	struct sl_error err;
	int status = 0;

	if (sl_instance_open(iface, &inst, &err))
		return cli_fail(&err);
	if (cli.json) {
		status = output_json(attached_json(inst, memory));
	} else {
		for (unsigned i = 0; i < inst->ifaces; i++)
			printf("%s: attached in %s mode, instance %s, %u queue%s, %u buckets%s\n",
			       inst->iface[i].name, mode_name(inst->iface[i].mode), inst->name,
			       inst->iface[i].queues, inst->iface[i].queues == 1 ? "" : "s",
			       inst->hash_buckets,
			       inst->iface[i].rx_hash ? ", the NIC's hash" : "");
	}
	sl_instance_close(inst);
	return status;
}

int cmd_attach(int argc, char **argv)
{
	/* 0: the default, or the sizes of what is there */
	struct attach_config config = {.stamp = NOT_GIVEN};
	struct sl_rule rules[SL_MAX_RULES];
	struct sl_attach_opts opts;
	struct sl_error err;
	size_t memory;
	char text[16];
	int status, ret;

	if (!opt_parse(&attach_spec, argc, argv, &config, &status))
		return status;
	status = make_opts(&config, rules, &opts);
	if (status)
		return status;
	memory = sl_attach_memory(&opts);
	format_size(memory, text, sizeof(text));
	if (!cli.json && !config.replace) {
		printf("maps for %u buckets and %u workers take %s of kernel memory\n",
		       config.buckets ? config.buckets : SL_DEFAULT_BUCKETS,
		       config.max_workers ? config.max_workers : SL_DEFAULT_MAX_WORKERS, text);
		fflush(stdout);
	}
	err.text[0] = 0;
	ret = sl_attach(&opts, &err);
	if (ret)
		return opt_refuse(&attach_spec, ret, &err);
	if (err.text[0])
		fprintf(stderr, "sluice: %s\n", err.text);
	return report(config.ifaces.v[0], memory);
}

int cmd_detach(int argc, char **argv)
{
	static const struct opt_arg args[] = {
		ARG_INSTANCE(struct detach_config, name),
		ARG_END,
	};
	static const struct opt options[] = {
		OPT_FLAG(struct detach_config, force, 'f', "force",
			 "even while a dataplane runs on it"),
		OPT_END,
	};
	static const struct opt_spec spec = {
		"detach", "Take the steering program off every interface of an instance", args,
		options, NULL};
	struct detach_config config = {0};
	struct sl_instance *inst;
	struct sl_error err;
	char name[SL_NAME_MAX];
	int status, ret;

	if (!opt_parse(&spec, argc, argv, &config, &status))
		return status;
	if (!config.name) {
		ret = target_open(NULL, &inst, &err);
		if (ret)
			return opt_refuse(&spec, ret, &err);
		snprintf(name, sizeof(name), "%s", inst->name);
		sl_instance_close(inst);
		config.name = name;
	}
	ret = sl_detach(config.name, config.force, &err);
	if (ret)
		return opt_refuse(&spec, ret, &err);
	if (cli.json)
		return output_json(json_pack("{s:s}", "detached", config.name));
	printf("%s: detached\n", config.name);
	return 0;
}
