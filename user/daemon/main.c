// SPDX-License-Identifier: GPL-2.0-or-later
/* sluiced: the control daemon. See sluiced(8). */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "daemon/daemon.h"
#include "daemon/log.h"
#include "platform/notify.h"
#include "platform/bpf_log.h"
#include "platform/clock.h"
#include "platform/cpu.h"
#include "platform/lock.h"

static const char usage[] =
	"usage: sluiced [-c FILE] [--keep-privileges]\n"
	"\n"
	"Watches the load of every bucket and moves buckets between workers.\n"
	"\n"
	"  -c, --config FILE      configuration (default " SL_CONFIG_PATH " if it exists)\n"
	"      --keep-privileges  do not drop capabilities after start (for debuggers)\n"
	"  -V, --version          print the version\n"
	"  -h, --help             print this\n"
	"\n"
	"SIGHUP reads the configuration again, SIGTERM ends. Traffic goes on without sluiced.\n";

struct options {
	const char *config;
	bool keep_privileges;
	int status; /* >= 0: exit with it */
};

static struct options parse(int argc, char **argv)
{
	static const struct option longs[] = {{"config", required_argument, NULL, 'c'},
					      {"keep-privileges", no_argument, NULL, 'k'},
					      {"version", no_argument, NULL, 'V'},
					      {"help", no_argument, NULL, 'h'},
					      {NULL, 0, NULL, 0}};
	struct options o = {.status = -1};
	int c;

	while ((c = getopt_long(argc, argv, "c:Vh", longs, NULL)) >= 0) {
		switch (c) {
		case 'c':
			o.config = optarg;
			break;
		case 'k':
			o.keep_privileges = true;
			break;
		case 'V':
			o.status = puts("sluiced " SL_VERSION) < 0;
			return o;
		case 'h':
			o.status = fputs(usage, stdout) < 0;
			return o;
		default: /* getopt has said what is wrong */
			o.status = 2;
			return o;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "sluiced: unexpected argument \"%s\": see sluiced --help\n",
			argv[optind]);
		o.status = 2;
	}
	return o;
}

static int read_config(struct daemon *d, const char *path, struct sl_error *err)
{
	if (!path && !access(SL_CONFIG_PATH, F_OK))
		path = SL_CONFIG_PATH;
	d->config_path = path;
	if (path)
		return sl_config_load(path, &d->config, err);
	d->config = sl_config_new();
	return d->config ? 0 : sl_error_set(err, -ENOMEM, "no memory for the configuration");
}

static int open_socket(struct daemon *d, struct sl_error *err)
{
	const char *group = *d->config->socket_group ? d->config->socket_group : NULL;
	char path[SL_RPC_PATH_MAX];
	int rc;

	rc = sl_rpc_daemon_path(path, err);
	if (!rc)
		rc = sl_rpc_server_open(path, group, &d->rpc, err);
	if (!rc && requests_register(d))
		rc = sl_error_set(err, -ENOMEM, "no room for the commands");
	return rc;
}

/* What can be refused comes first; nothing on the machine is changed before the attach. */
static int start(struct daemon *d, const struct options *o, struct sl_error *err)
{
	int rc = read_config(d, o->config, err);

	if (rc)
		return rc;
	d->lock_fd = sl_lock_take("sluiced", err);
	if (d->lock_fd < 0)
		return d->lock_fd;
	rc = open_socket(d, err);
	if (!rc)
		rc = metrics_start(d, err);
	if (!rc)
		rc = loop_open(d, err);
	if (!rc)
		rc = instances_attach(d, err);
	if (!rc) {
		instances_discover(d);
		rc = o->keep_privileges ? 0 : privileges_drop(err);
	}
	return rc;
}

static void stop(struct daemon *d)
{
	for (unsigned i = 0; i < d->served_n; i++)
		served_free(d->served[i]);
	metrics_stop(d);
	sl_rpc_server_close(d->rpc);
	loop_close(d);
	if (d->lock_fd >= 0)
		sl_lock_drop(d->lock_fd);
	sl_config_free(d->config);
}

/* Rounds are short; with the common slice of milliseconds they wait behind busy workers for as
 * long.
 */
#define SLICE_NS 100000

int main(int argc, char **argv)
{
	struct daemon d = {.lock_fd = -1, .epoll_fd = -1, .signal_fd = -1, .net_fd = -1};
	struct options o = parse(argc, argv);
	struct sl_error err = {.text = "cannot start"};
	int rc;

	if (o.status >= 0)
		return o.status;
	log_open();
	sl_bpf_log_setup(false);
	d.started_ns = sl_clock_ns();
	sl_cpu_slice(SLICE_NS);
	rc = start(&d, &o, &err);
	if (rc) {
		log_line(LOG_ERR, "%s", err.text);
	} else {
		log_line(LOG_INFO, "sluiced " SL_VERSION " serves %u instances", d.served_n);
		sl_notify("READY=1");
		loop_run(&d);
		sl_notify("STOPPING=1");
	}
	stop(&d);
	return rc != 0;
}
