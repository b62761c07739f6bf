// SPDX-License-Identifier: GPL-2.0-or-later
/* sluice lb: a load balancer in the kernel. Each verb reads its own options. */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "cli/commands.h"
#include "cli/lb/cid.h"
#include "cli/lb/loads.h"
#include "cli/lb/probe.h"
#include "cli/lb/run.h"
#include "cli/lb/show.h"
#include "cli/lb/sim.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/verbs.h"
#include "lb/lb.h"
#include "lb/direct.h"
#include "lb/secret.h"

struct lb_config {
	const char *file, *name, *server, *secret;
	unsigned state;
	const char *nonce, *decode;
	uint32_t weight, config;
	bool dry_run;
};

#define NAME_OPTION                                                                                \
	OPT_STRING(struct lb_config, name, 'n', "name", "NAME", "which balancer (default lb)")

/* --- apply */

static const struct opt_spec apply_spec = {
	.command = "lb apply",
	.summary = "make the balancer what the file says; start it if it is not there",
	.args =
		(const struct opt_arg[]){
			ARG_STRING(struct lb_config, file, "FILE", false, "sluice-lb(5)"), ARG_END},
	.options = (const struct opt[]){OPT_FLAG(struct lb_config, dry_run, 0, "check",
						 "read the file and say what is wrong with it"),
					OPT_END},
};

static int apply(int argc, char **argv)
{
	struct lb_config config = {0};
	struct sl_lb_config file;
	struct sl_error err;
	struct sl_lb lb;
	bool created;
	int status, rc;

	if (!opt_parse(&apply_spec, argc, argv, &config, &status))
		return status;
	rc = sl_lb_config_read(config.file, &file, &err);
	if (rc)
		return rc == -EINVAL ? opt_usage(&apply_spec, "%s", err.text) : cli_fail(&err);
	if (config.dry_run) {
		sl_lb_config_free(&file);
		return 0;
	}
	rc = sl_lb_claim(&file, &lb, &created, &err);
	if (!rc) {
		rc = sl_lb_apply(&lb, &file, &err);
		if (rc && created)
			sl_lb_forget(&lb);
		sl_lb_unlock(&lb); /* servers that do not answer take seconds */
		if (!rc)
			probe_clocks(&lb);
		sl_lb_close(&lb);
	}
	sl_lb_config_free(&file);
	return rc ? opt_refuse(&apply_spec, rc, &err) : 0;
}

/* --- show, losses */

static const struct opt name_options[] = {NAME_OPTION, OPT_END};

static const struct opt_spec show_spec = {
	.command = "lb show",
	.summary = "VIPs, servers and what they got",
	.options = name_options,
};
static const struct opt_spec counts_spec = {
	.command = "lb counts",
	.summary = "where every packet went",
	.options = name_options,
};

static int with_balancer(const struct opt_spec *spec, int argc, char **argv,
			 int (*run)(const struct sl_lb *lb))
{
	struct lb_config config = {.name = "lb"};
	struct sl_error err;
	struct sl_lb lb;
	int status, rc;

	if (!opt_parse(spec, argc, argv, &config, &status))
		return status;
	rc = sl_lb_open(config.name, &lb, &err);
	if (rc)
		return opt_refuse(spec, rc, &err);
	status = run(&lb);
	sl_lb_close(&lb);
	return status;
}

static int show(int argc, char **argv)
{
	return with_balancer(&show_spec, argc, argv, show_balancer);
}

static int counts(int argc, char **argv)
{
	return with_balancer(&counts_spec, argc, argv, show_counts);
}

/* --- set */

static const char *const set_words[] = {"up", "drain", "down", NULL};
static const uint8_t set_states[] = {SL_LB_UP, SL_LB_DRAIN, SL_LB_DOWN, SL_LB_ABSENT};
#define STATE_STAYS 3

static const struct opt_spec set_spec = {
	.command = "lb set",
	.summary = "change a server's state or weight now; the file does not know of it",
	.args = (const struct opt_arg[]){ARG_STRING(struct lb_config, server, "SERVER", false,
						    "as in the file: 10.0.0.1:8080"),
					 ARG_END},
	.options =
		(const struct opt[]){NAME_OPTION,
				     OPT_CHOICE(struct lb_config, state, 's', "state", "STATE",
						set_words, "up, drain or down (default: as it is)"),
				     OPT_U32(struct lb_config, weight, 'w', "weight", "N", 1,
					     SL_LB_WEIGHT_MAX, "share of the rows"),
				     OPT_END},
};

static int set(int argc, char **argv)
{
	struct lb_config config = {.name = "lb", .state = STATE_STAYS};
	struct sl_error err;
	struct sl_lb lb;
	__be32 addr[4];
	__be16 port;
	bool v6;
	int status, rc;

	if (!opt_parse(&set_spec, argc, argv, &config, &status))
		return status;
	if (sl_lb_end_parse(config.server, addr, &v6, &port))
		return opt_usage(&set_spec,
				 "\"%s\" is no server: write it as in the file, 10.0.0.1:8080",
				 config.server);
	if (config.state == STATE_STAYS && !config.weight)
		return opt_usage(&set_spec, "nothing to change: say --state, --weight or both");
	rc = sl_lb_open(config.name, &lb, &err);
	if (rc)
		return opt_refuse(&set_spec, rc, &err);
	rc = sl_lb_set(&lb, addr, port, set_states[config.state], config.weight, &err);
	sl_lb_close(&lb);
	return rc < 0 ? cli_fail(&err) : 0;
}

/* --- rotate */

static const struct opt_spec rotate_spec = {
	.command = "lb rotate",
	.summary = "a new secret for cookies; those of the present one stay good until the next",
	.options =
		(const struct opt[]){NAME_OPTION,
				     OPT_STRING(struct lb_config, secret, 0, "secret", "HEX",
						"32 digits, the same on every balancer (default: "
						"random)"),
				     OPT_END},
};

static int rotate(int argc, char **argv)
{
	struct lb_config config = {.name = "lb"};
	__u64 secret[2];
	struct sl_error err;
	struct sl_lb lb;
	int status, rc;

	if (!opt_parse(&rotate_spec, argc, argv, &config, &status))
		return status;
	if (config.secret && sl_secret_parse(config.secret, secret))
		return opt_usage(&rotate_spec, "--secret: write 32 hexadecimal digits: "
					       "openssl rand -hex 16");
	if (!config.secret && getrandom(secret, sizeof(secret), 0) != sizeof(secret))
		return EXIT_FAILED;
	rc = sl_lb_open(config.name, &lb, &err);
	if (rc)
		return opt_refuse(&rotate_spec, rc, &err);
	rc = sl_lb_rotate(&lb, secret, &err);
	sl_lb_close(&lb);
	return rc ? cli_fail(&err) : 0;
}

/* --- cid */

static const struct opt_spec cid_spec = {
	.command = "lb cid",
	.summary = "a QUIC connection id as a server is to issue it, or what one says; prints JSON",
	.args = (const struct opt_arg[]){ARG_STRING(struct lb_config, file, "FILE", false,
						    "sluice-lb(5)"),
					 ARG_STRING(struct lb_config, server, "SERVER", true,
						    "as in the file: 10.0.0.1:8443"),
					 ARG_END},
	.options =
		(const struct opt[]){
			OPT_STRING(struct lb_config, decode, 'd', "decode", "HEX",
				   "instead of a server: whose is this connection id?"),
			OPT_U32(struct lb_config, config, 'c', "config", "N", 0,
				SL_LB_QUIC_CONFIGS - 1, "this configuration only"),
			OPT_STRING(struct lb_config, nonce, 0, "nonce", "HEX",
				   "as long as nonce_length says (default: random)"),
			OPT_END},
};

static int cid(int argc, char **argv)
{
	struct lb_config config = {.config = CID_ANY_CONFIG};
	struct sl_lb_config file;
	struct sl_error err;
	int status, rc;

	if (!opt_parse(&cid_spec, argc, argv, &config, &status))
		return status;
	if (!config.server == !config.decode)
		return opt_usage(&cid_spec, "write a server, or --decode and a connection id");
	rc = sl_lb_config_read(config.file, &file, &err);
	if (rc)
		return rc == -EINVAL ? opt_usage(&cid_spec, "%s", err.text) : cli_fail(&err);
	status = config.decode
			 ? cid_decode(&file, config.decode, &err)
			 : cid_encode(&file, config.server, config.config, config.nonce, &err);
	sl_lb_config_free(&file);
	return status == EXIT_USAGE ? opt_usage(&cid_spec, "%s", err.text) : status;
}

/* --- remove */

static const struct opt_spec remove_spec = {
	.command = "lb remove",
	.summary = "take the balancer off its interfaces and forget it",
	.options = name_options,
};

static int forget(const struct sl_lb *lb)
{
	struct sl_lb gone = *lb;

	sl_lb_forget(&gone);
	return 0;
}

static int remove_balancer(int argc, char **argv)
{
	return with_balancer(&remove_spec, argc, argv, forget);
}

/* --- */

static const struct verb verbs[] = {
	{"apply", apply, &apply_spec},
	{"run", lb_run, &lb_run_spec},
	{"show", show, &show_spec},
	{"counts", counts, &counts_spec},
	{"set", set, &set_spec},
	{"rotate", rotate, &rotate_spec},
	{"cid", cid, &cid_spec},
	{"remove", remove_balancer, &remove_spec},
	{"loads", lb_loads, &lb_loads_spec},
	{"sim", lb_sim, &lb_sim_spec},
	{NULL, NULL, NULL},
};

int cmd_lb(int argc, char **argv)
{
	static const struct verb_set lb = {"lb", "A load balancer in XDP; sluice-lb(8).", verbs};

	return verbs_run(&lb, argc, argv);
}
