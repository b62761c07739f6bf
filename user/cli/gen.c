// SPDX-License-Identifier: GPL-2.0-or-later
/* sluice gen: traffic, and what became of it. */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/gen/plan.h"
#include "cli/gen/report.h"
#include "cli/options.h"
#include "cli/output.h"

#define SECONDS(n) ((n)*1e9)

static const char *const mode_words[] = {"auto", "live", "xdp", NULL};

static const struct opt_arg args[] = {
	ARG_STRING(struct gen_config, ifname, "IF", false, "interface to send from"),
	ARG_END,
};

static const struct opt options[] = {
	OPT_U32(struct gen_config, flows, 'f', "flows", "N", 1, GEN_FLOWS_MAX,
		"number of flows (default 1000)"),
	OPT_DOUBLE(struct gen_config, skew, 'z', "skew", "ZIPF", 0, 10,
		   "exponent of Zipf's law over the flows; 0 (default): all alike"),
	OPT_DOUBLE(struct gen_config, elephant, 'e', "elephant", "SHARE", 0, 0.999999,
		   "share of the packets that one flow gets"),
	OPT_DURATION(struct gen_config, shift_ns, 0, "hot-shift", "S", 1e6, SECONDS(86400),
		     "every S seconds other flows become the hot ones"),
	OPT_U64(struct gen_config, rate, 'r', "rate", "PPS", 1, 1e9,
		"packets a second (default: as fast as it goes)"),
	OPT_U32(struct gen_config, burst, 0, "burst", "N", 1, GEN_BATCH_MAX,
		"with --rate: N packets at a time (default 1)"),
	OPT_U32(struct gen_config, size, 's', "size", "BYTES", 1, 4096,
		"frame without FCS (default: the least that holds headers and stamp)"),
	OPT_DURATION(struct gen_config, duration_ns, 'd', "duration", "S", 1e6, SECONDS(604800),
		     "how long (default 10 s without --count and --pcap)"),
	OPT_U64(struct gen_config, count, 'c', "count", "N", 1, 0, "exactly N packets"),
	OPT_DURATION(struct gen_config, warmup_ns, 0, "warmup", "S", 0, SECONDS(3600),
		     "before the duration; sent and counted, but not timed"),
	OPT_DOUBLE(struct gen_config, ipv6, '6', "ipv6", "SHARE", 0, 1, "share of IPv6 flows"),
	OPT_DOUBLE(struct gen_config, tcp, 't', "tcp", "SHARE", 0, 1,
		   "share of TCP flows; the others are UDP"),
	OPT_STRING(struct gen_config, src, 0, "src", "PREFIX",
		   "source addresses; both families with a comma (default 198.18.0.0/16, "
		   "2001:2::/49)"),
	OPT_STRING(struct gen_config, dst, 0, "dst", "PREFIX",
		   "destination addresses (default 198.19.0.0/16, 2001:2:0:8000::/49)"),
	OPT_U32(struct gen_config, sport, 0, "sport", "PORT", 1, 65535,
		"first source port (default 1024)"),
	OPT_U32(struct gen_config, dport, 0, "dport", "PORT", 1, 65535,
		"destination port (default 9)"),
	OPT_STRING(struct gen_config, src_mac, 0, "src-mac", "MAC", "(default: the interface's)"),
	OPT_STRING(struct gen_config, dst_mac, 0, "dst-mac", "MAC",
		   "(default: that of the only IPv4 neighbour, else 02:53:4c:00:00:02)"),
	OPT_STRING(struct gen_config, pcap, 0, "pcap", "FILE", "send a capture instead"),
	OPT_U32(struct gen_config, loop, 0, "loop", "N", 0, 0xfffffffe,
		"send the capture N times (default 1; 0: until the end of --duration)"),
	OPT_FLAG(struct gen_config, expect, 'x', "expect",
		 "take the packets that come back and check them"),
	OPT_STRING(struct gen_config, expect_on, 'X', "expect-on", "IF2",
		   "the same, but they come in on IF2"),
	OPT_DURATION(struct gen_config, linger_ns, 0, "linger", "S", 0, SECONDS(600),
		     "how long to wait for the last packets (default 1s)"),
	OPT_SIZE(struct gen_config, rx_ring, 0, "rx-ring", "BYTES", 1 << 20, 2147483648.0,
		 "memory of the receive ring (default 64M)"),
	OPT_U32(struct gen_config, queues, 'q', "queues", "N", 1, GEN_QUEUES_MAX,
		"spread the flows over TX queues 0 to N-1"),
	OPT_STRING(struct gen_config, queue_list, 0, "queue", "LIST",
		   "spread the flows over these TX queues: 0,2-3"),
	OPT_CHOICE(struct gen_config, mode, 'm', "mode", "MODE", mode_words,
		   "live (BPF live frames), xdp (AF_XDP), or auto (default)"),
	OPT_U32(struct gen_config, batch, 0, "batch", "N", 1, GEN_BATCH_MAX,
		"packets given to the kernel at once (default 64 live, 32 xdp)"),
	OPT_U32(struct gen_config, cpu, 0, "cpu", "N", 0, CPU_SETSIZE - 1, "pin the sender"),
	OPT_U64(struct gen_config, seed, 0, "seed", "N", 0, 0,
		"the same seed, the same order of flows (default 1)"),
	OPT_FLAG(struct gen_config, calibrate, 0, "calibrate",
		 "only measure this machine's clocks and the cost of a packet"),
	OPT_END,
};

static const struct opt_spec spec = {
	"gen",
	"Generate traffic and check what comes back",
	args,
	options,
	"Every packet carries flow, sequence number and time. Live frames run at full rate on one\n"
	"queue; a rate, a capture or --queues take AF_XDP. With a qdisc on IF (tc qdisc add dev "
	"IF\n"
	"root pfifo) a veth pushes back instead of dropping. See sluice-gen(8).\n",
};

static atomic_bool stop;

static void on_signal(int signal)
{
	(void)signal;
	atomic_store(&stop, true);
}

/* No SA_RESTART: a wait or a live-frames run ends with the signal. */
static void catch_signals(void)
{
	const struct sigaction action = {.sa_handler = on_signal};

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
}

static int check_cpu(uint32_t cpu, struct sl_error *err)
{
	cpu_set_t set;

	if (cpu == GEN_UNSET || (!sched_getaffinity(0, sizeof(set), &set) && CPU_ISSET(cpu, &set)))
		return 0;
	return sl_error_set(err, -EINVAL,
			    "--cpu %u: there is no such CPU here, or it is not allowed to this "
			    "process (taskset -p %d)",
			    cpu, (int)getpid());
}

static int pin(uint32_t cpu, struct sl_error *err)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (!sched_setaffinity(0, sizeof(set), &set))
		return 0;
	return sl_error_set(err, -errno, "--cpu %u: %s", cpu, strerror(errno));
}

static int send_by_mode(struct gen_plan *plan, struct gen_sent *sent, struct sl_error *err)
{
	int rc;

	if (plan->mode == GEN_XSK)
		return gen_send_xsk(plan, sent, err);
	rc = gen_send_live(plan, sent, err);
	if (rc != -EOPNOTSUPP || plan->mode == GEN_LIVE)
		return rc;
	if (plan->batch > 32)
		plan->batch = 32;
	return gen_send_xsk(plan, sent, err);
}

static int run(struct gen_plan *plan, const struct gen_config *c, struct sl_error *err)
{
	struct gen_sent *sent = calloc(1, sizeof(*sent));
	struct gen_rx *rx = calloc(1, sizeof(*rx));
	const bool expect = c->expect || c->expect_on;
	struct gen_link in = plan->link;
	uint32_t dropped = gen_link_tx_dropped(&plan->link);
	int status = EXIT_FAILED, rc = -ENOMEM;

	if (!sent || !rx) {
		sl_error_set(err, rc, "no memory");
		goto out;
	}
	rc = c->expect_on ? gen_link_get(&in, c->expect_on, err) : 0;
	if (!rc && expect)
		rc = gen_rx_start(rx, &in, gen_plan_flows(plan), plan->run, c->rx_ring, err);
	/* Behind the receiver's thread, which would inherit it. */
	if (!rc && c->cpu != GEN_UNSET)
		rc = pin(c->cpu, err);
	plan->rx = expect ? rx : NULL;
	plan->stop = &stop;
	catch_signals();
	if (!rc)
		rc = send_by_mode(plan, sent, err);
	if (!rc && expect && !atomic_load(&stop))
		gen_rx_linger(rx, sent->accepted - sent->untracked, c->linger_ns);
	gen_rx_stop(rx);
	if (!rc) {
		dropped = gen_link_tx_dropped(&plan->link) - dropped;
		status = gen_report(&(struct gen_result){plan, sent, plan->rx, dropped});
	}
out:
	if (rx)
		gen_rx_free(rx);
	free(rx);
	free(sent);
	return rc ? cli_fail(err) : status;
}

int cmd_gen(int argc, char **argv)
{
	struct gen_config config = gen_config_defaults;
	struct gen_plan plan;
	struct sl_error err;
	int status, rc;

	if (!opt_parse(&spec, argc, argv, &config, &status))
		return status;
	if (gen_config_check(&config, &err) || check_cpu(config.cpu, &err))
		return opt_usage(&spec, "%s", err.text);
	rc = gen_plan_build(&plan, &config, &err);
	if (rc)
		status = opt_refuse(&spec, rc == -ERANGE ? -EINVAL : rc, &err);
	else
		status = config.calibrate ? gen_calibrate(&plan) : run(&plan, &config, &err);
	gen_plan_free(&plan);
	return output_close(status);
}
