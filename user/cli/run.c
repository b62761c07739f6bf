// SPDX-License-Identifier: GPL-2.0-or-later
/* sluice run: the dataplane as a process. */
#include <cap-ng.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <sluice/sluice.h>

#include "cli/commands.h"
#include "cli/options.h"
#include "cli/run_stack.h"
#include "dataplane/chain.h"
#include "dataplane/stack.h"
#include "platform/bpf_log.h"
#include "platform/cpu.h"
#include "platform/notify.h"

struct run_config {
	struct opt_list ifaces;
	const char *cpus;
	const char *nf;
	uint32_t workers, max_workers;
	uint32_t ring, frame_size, park, spin, busy_poll;
	uint64_t flow_memory, flow_idle;
	unsigned flow_policy, bind;
	bool flow_tenants, quiet, verbose;
};

static const char *const policy_words[] = {"refuse", "evict", NULL};
static const char *const bind_words[] = {"auto", "copy", "zerocopy", NULL};

static const struct opt options[] = {
	OPT_LIST(struct run_config, ifaces, 'i', "interface", "IF",
		 "interface of the instance, repeatable; the order tells `forward` which is which"),
	OPT_STRING(struct run_config, nf, 'f', "nf", "CHAIN",
		   "network functions, joined by commas: flowcount,work:500,reflect"),
	OPT_U32(struct run_config, workers, 'w', "workers", "N", 1, SL_MAX_WORKERS,
		"workers to start with (default 1, or one for each of --cpus)"),
	OPT_U32(struct run_config, max_workers, 'W', "max-workers", "N", 1, SL_MAX_WORKERS,
		"room for so many at run time (default: workers, at least the CPUs)"),
	OPT_STRING(struct run_config, cpus, 'c', "cpus", "LIST",
		   "CPUs to pin workers to, in turn: 0,2-3 (default: all)"),
	OPT_U32(struct run_config, ring, 'r', "ring", "N", 64, 16384,
		"entries of each RX ring, a power of two (default 2048, fewer for many sockets)"),
	OPT_U32(struct run_config, frame_size, 0, "frame-size", "BYTES", 2048, 4096,
		"2048 (packets up to 1792 bytes, the default) or 4096"),
	OPT_U32(struct run_config, park, 0, "park", "N", 2, 65536,
		"packets of one queue that may wait for hand-overs (default 4096)"),
	OPT_SIZE(struct run_config, flow_memory, 0, "flow-memory", "BYTES", 65536, 0,
		 "bound of all flow tables together (default 256M)"),
	OPT_CHOICE(struct run_config, flow_policy, 0, "flow-policy", "WORD", policy_words,
		   "at the bound: refuse the new flow (default), or evict an idle one"),
	OPT_DURATION(struct run_config, flow_idle, 0, "flow-idle", "TIME", 1000000, 0,
		     "forget flows idle for so long (default: the NF's own, flowcount 60s)"),
	OPT_FLAG(struct run_config, flow_tenants, 0, "flow-tenants",
		 "flow tables have room for tenants, which may come later"),
	OPT_U32(struct run_config, spin, 0, "spin", "US", 1, 1000000,
		"longest polling without packets before a worker sleeps (default 50 us)"),
	OPT_U32(struct run_config, busy_poll, 0, "busy-poll", "US", 1, 100000,
		"SO_BUSY_POLL for so long, where the driver can"),
	OPT_CHOICE(struct run_config, bind, 0, "bind", "MODE", bind_words,
		   "copy, zerocopy, or auto (default): zero-copy if the driver can"),
	OPT_FLAG(struct run_config, quiet, 'q', "quiet", "print errors only"),
	OPT_FLAG(struct run_config, verbose, 'v', "verbose", "libbpf's messages too"),
	OPT_END,
};

/* The options' help ends with the NFs that there are. */
static char notes[4096];

static const struct opt_spec spec = {
	"run", "Run workers and network functions on attached interfaces", NULL, options, notes,
};

static void write_notes(void)
{
	size_t at = (size_t)snprintf(notes, sizeof(notes), "Network functions:\n");

	for (const struct sl_nf *const *nf = chain_builtin(); *nf && at < sizeof(notes); nf++)
		at += (size_t)snprintf(notes + at, sizeof(notes) - at, "  %-10s %s\n", (*nf)->name,
				       (*nf)->summary);
	if (at < sizeof(notes))
		snprintf(notes + at, sizeof(notes) - at,
			 "  %-10s an NF of your own, see sluice/nf.h; arguments behind ':'\n",
			 "./my_nf.so");
}

static void print_line(const char *line)
{
	printf("%s\n", line);
	fflush(stdout);
}

/*
 * What the dataplane needs for as long as it lives: sockets and slots for workers that join
 * (NET_RAW, NET_ADMIN, BPF), frames beyond RLIMIT_MEMLOCK (IPC_LOCK), the real-time class of
 * housekeeping (SYS_NICE), the tracepoint (PERFMON); maps by id where nobody has pinned them
 * (SYS_ADMIN); NFs in homes that are closed to others (DAC_READ_SEARCH). Everything else goes
 * before the first thread starts.
 */
static int drop_privileges(struct sl_error *err)
{
	static const unsigned keep[] = {CAP_NET_RAW,   CAP_NET_ADMIN,	   CAP_BPF,
					CAP_PERFMON,   CAP_IPC_LOCK,	   CAP_SYS_NICE,
					CAP_SYS_ADMIN, CAP_DAC_READ_SEARCH};

	capng_get_caps_process();
	for (unsigned c = 0; c <= CAP_LAST_CAP; c++) {
		bool kept = false;

		for (size_t i = 0; i < sizeof(keep) / sizeof(keep[0]); i++)
			kept |= keep[i] == c;
		if (!kept)
			capng_update(CAPNG_DROP,
				     CAPNG_EFFECTIVE | CAPNG_PERMITTED | CAPNG_INHERITABLE, c);
	}
	if (capng_apply(CAPNG_SELECT_CAPS))
		return sl_error_set(err, -EPERM, "cannot drop capabilities: %s", strerror(errno));
	return 0;
}

static int make_opts(const struct run_config *config, unsigned *cpus,
		     struct sl_dataplane_opts *opts)
{
	struct sl_error err;
	unsigned n = 0;

	if (!config->ifaces.n)
		return opt_usage(&spec, "-i is missing: name the interface, such as -i eth1");
	if (config->ifaces.n > SL_MAX_IFACES)
		return opt_usage(&spec, "-i: %u interfaces; one instance serves at most %d",
				 config->ifaces.n, SL_MAX_IFACES);
	if (!config->nf)
		return opt_usage(&spec,
				 "--nf is missing: say what to do with packets, such as --nf "
				 "flowcount,reflect");
	if (config->ring & (config->ring - 1))
		return opt_usage(&spec, "--ring: %u is not a power of two; give 64, 128, ... 16384",
				 config->ring);
	if (config->frame_size && config->frame_size != 2048 && config->frame_size != 4096)
		return opt_usage(&spec, "--frame-size: %u; give 2048 or 4096", config->frame_size);
	if (config->max_workers && config->workers > config->max_workers)
		return opt_usage(&spec, "--workers: %u is more than --max-workers %u",
				 config->workers, config->max_workers);
	if (config->cpus && sl_cpu_list_parse(config->cpus, cpus, SL_MAX_WORKERS, &n, &err))
		return opt_usage(&spec, "--cpus: %s", err.text);
	*opts = (struct sl_dataplane_opts){
		.workers = config->workers ? config->workers : n,
		.workers_max = config->max_workers,
		.cpus = n ? cpus : NULL,
		.cpus_n = n,
		.chain = config->nf,
		.ring_size = config->ring,
		.frame_size = config->frame_size,
		.park_limit = config->park,
		.flow_memory = config->flow_memory,
		.flow_evict = config->flow_policy == 1,
		.flow_idle_ms = (uint32_t)(config->flow_idle / 1000000),
		.flow_tenants = config->flow_tenants,
		.spin_us = config->spin,
		.busy_poll_us = config->busy_poll,
		.bind = (enum sl_bind_mode)config->bind,
		.log = config->quiet ? NULL : print_line,
	};
	for (unsigned i = 0; i < config->ifaces.n; i++)
		opts->ifaces[i] = config->ifaces.v[i];
	return 0;
}

/* The same options for mode `stack`, where the kernel's stack takes the place of the chain. */
static int make_stack_opts(const struct run_config *config, unsigned *cpus,
			   struct sl_stack_opts *opts)
{
	struct sl_error err;
	unsigned n = 0;

	if (config->nf || config->max_workers || config->frame_size || config->park ||
	    config->flow_memory || config->flow_policy || config->flow_idle ||
	    config->flow_tenants || config->spin || config->busy_poll || config->bind)
		return opt_usage(
			&spec,
			"%s is in mode stack: only --workers, --cpus and --ring go with it; "
			"for --nf detach, and attach without --stack",
			config->ifaces.v[0]);
	if (config->cpus && sl_cpu_list_parse(config->cpus, cpus, SL_MAX_WORKERS, &n, &err))
		return opt_usage(&spec, "--cpus: %s", err.text);
	if (n && config->workers && config->workers != n)
		return opt_usage(&spec,
				 "--workers: %u, and --cpus names %u: in mode stack each has "
				 "a CPU of its own",
				 config->workers, n);
	*opts = (struct sl_stack_opts){.iface = config->ifaces.v[0],
				       .cpus = n ? cpus : NULL,
				       .workers = n ? n : config->workers,
				       .queue = config->ring,
				       .log = config->quiet ? NULL : print_line};
	return 0;
}

/* Until a signal asks to stop, or an interface is gone. */
static int serve(struct sl_dataplane *dp, const sigset_t *signals)
{
	const struct timespec second = {.tv_sec = 1};
	struct sl_error err;
	int sig;

	for (;;) {
		sig = sigtimedwait(signals, NULL, &second);
		if (sig == SIGTERM || sig == SIGINT)
			return 0;
		if (sl_dataplane_check(dp, &err))
			return cli_fail(&err);
		sl_notify("WATCHDOG=1");
	}
}

int cmd_run(int argc, char **argv)
{
	struct run_config config = {0};
	struct sl_dataplane_opts opts = {0};
	struct sl_stack_opts stack_opts;
	bool stack;
	unsigned cpus[SL_MAX_WORKERS];
	struct sl_dataplane *dp;
	struct sl_error err;
	sigset_t signals;
	int status, ret;

	write_notes();
	if (!opt_parse(&spec, argc, argv, &config, &status))
		return status;
	stack = config.ifaces.n == 1 && sl_stack_is(config.ifaces.v[0]);
	status = stack ? make_stack_opts(&config, cpus, &stack_opts)
		       : make_opts(&config, cpus, &opts);
	if (status)
		return status;
	sl_bpf_log_setup(config.verbose);
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGHUP); /* a closed terminal does not take the traffic with it */
	sigprocmask(SIG_BLOCK, &signals, NULL);
	if (drop_privileges(&err))
		return cli_fail(&err);
	if (stack)
		return run_stack(&spec, &stack_opts, &signals);
	ret = sl_dataplane_open(&opts, &dp, &err);
	if (ret)
		return opt_refuse(&spec, ret, &err);
	if (!config.quiet)
		print_line("serving");
	sl_notify("READY=1");
	status = serve(dp, &signals);
	sl_notify("STOPPING=1");
	sl_dataplane_close(dp);
	return status;
}
