// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/agent/report.h"

#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "cli/target.h"
#include "platform/announce.h"
#include "platform/clock.h"
#include "platform/cpu.h"
#include "lb/config.h"
#include "lb/secret.h"
#include "lb/source.h"

#define MS 1000000ull
#define ROUND_NS (5 * MS) /* a row that changed is seen so late at most */
/* From here to a balancer's map: what is moved waits for it, see platform/announce.h. In a data
 * centre it is some 0.1 ms, and the receiver has to get its CPU. */
#define WAY_NS (2 * MS)
#define AGAIN_NS (1000 * MS) /* a table that did not change is sent again: datagrams get lost */
#define MAX_IDS 64
#define MAX_TARGETS 8
#define MAX_QUEUES 128

struct report_config {
	const char *iface, *secret_file, *cpus;
	struct opt_list to, ids;
	uint64_t interval;
	bool nic;
};

const struct opt_spec agent_report_spec = {
	.command = "agent report",
	.summary = "tell balancers which core a flow goes to and how busy it is",
	.args = (const struct opt_arg[]){ARG_STRING(struct report_config, iface, "IF", true,
						    "Sluice's interface or instance; with --nic "
						    "the NIC"),
					 ARG_END},
	.options =
		(const struct opt[]){
			OPT_LIST(struct report_config, to, 't', "to", "ADDRESS[:PORT]",
				 "a balancer (port 7077); repeatable"),
			OPT_LIST(struct report_config, ids, 0, "id", "N",
				 "this server's id there; repeatable, one for each VIP"),
			OPT_STRING(struct report_config, secret_file, 0, "secret-file", "FILE",
				   "the balancers' secret, 32 hexadecimal digits"),
			OPT_DURATION(struct report_config, interval, 'i', "interval", "TIME",
				     10 * MS, 10000 * MS, "between reports (default 100ms)"),
			OPT_FLAG(struct report_config, nic, 0, "nic",
				 "no Sluice here: the NIC's own table, and CPUs"),
			OPT_STRING(
				struct report_config, cpus, 0, "cpus", "LIST",
				"with --nic: the CPU of each RX queue (default: its interrupt's)"),
			OPT_END},
};

/* What is sent, and to whom. */
struct reporter {
	const struct report_config *config;
	int fd[MAX_TARGETS];
	unsigned fds;
	struct sl_report_sender sender[MAX_IDS]; /* one for each id */
	unsigned senders;
	uint32_t number; /* of the table */
	struct sl_core_table table, sent;
	/* of Sluice */
	struct sl_instance *inst;
	struct sl_source_workers before;
	struct sl_source_plans plans;
	uint64_t looked_ns; /* when the table was read last and, if another, sent; 0: it was not */
	uint64_t told_ns; /* what we said last of sl_announce_told() */
	uint64_t second_ns; /* since when another agent says it; 0: none */
	bool changed; /* by the latest look */
	bool warned;
	/* of a NIC */
	unsigned cpu[MAX_QUEUES];
	unsigned queues;
	struct sl_source_cpus cpus;
	uint64_t loads_ns, tables_ns; /* when they were sent last */
};

static volatile sig_atomic_t stop; /* a signal's only way to tell */

static void on_signal(int number)
{
	(void)number;
	stop = 1;
}

/* --- options */

static int read_secret(const char *file, __u64 secret[2])
{
	char text[40] = "";
	FILE *f = fopen(file, "re");
	size_t n = f ? fread(text, 1, sizeof(text) - 1, f) : 0;

	if (!f)
		return -errno;
	fclose(f);
	text[n] = '\0';
	text[strcspn(text, "\r\n")] = '\0';
	return sl_secret_parse(text, secret);
}

static int connect_to(const char *where)
{
	struct sockaddr_in6 six = {.sin6_family = AF_INET6};
	struct sockaddr_in four = {.sin_family = AF_INET};
	__be32 addr[4];
	__be16 port;
	bool v6;
	int fd, rc;

	if (sl_lb_end_parse(where, addr, &v6, &port))
		return -EINVAL;
	six.sin6_port = four.sin_port = port ? port : htons(SL_REPORT_PORT);
	memcpy(&six.sin6_addr, addr, sizeof(six.sin6_addr));
	four.sin_addr.s_addr = addr[3];
	fd = socket(v6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	rc = v6 ? connect(fd, (struct sockaddr *)&six, sizeof(six))
		: connect(fd, (struct sockaddr *)&four, sizeof(four));
	if (!rc)
		return fd;
	rc = -errno;
	close(fd);
	return rc;
}

static uint64_t wall_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static int add_ids(struct reporter *r, const __u64 secret[2], struct sl_error *err)
{
	uint64_t boot = wall_ns();

	for (unsigned i = 0; i < r->config->ids.n; i++) {
		struct sl_report_sender *s = &r->sender[r->senders++];
		const char *text = r->config->ids.v[i];
		char *end;
		unsigned long id = strtoul(text, &end, 10);

		if (*text == '-' || !*text || *end || id >= SL_LB_MAX_SERVERS)
			return sl_error_set(err, -EINVAL,
					    "--id %s: write a server's id at the balancer, 0 to %d",
					    text, SL_LB_MAX_SERVERS - 1);
		*s = (struct sl_report_sender){.server = (uint16_t)id, .boot = boot};
		sl_report_key((const uint64_t *)secret, s->key);
	}
	return 0;
}

static int add_targets(struct reporter *r, struct sl_error *err)
{
	for (unsigned i = 0; i < r->config->to.n; i++) {
		int fd = connect_to(r->config->to.v[i]);

		if (fd < 0)
			return sl_error_set(err, fd,
					    "--to %s: %s: write a balancer's address, such as "
					    "10.0.0.1 or [fd00::1]:%d",
					    r->config->to.v[i], strerror(-fd), SL_REPORT_PORT);
		r->fd[r->fds++] = fd;
	}
	return 0;
}

static int find_queues(struct reporter *r, struct sl_error *err)
{
	const struct report_config *c = r->config;
	int n;

	if (!c->iface)
		return sl_error_set(err, -EINVAL, "--nic: name the interface");
	if (c->cpus)
		return sl_cpu_list_parse(c->cpus, r->cpu, MAX_QUEUES, &r->queues, err);
	n = sl_source_nic_cpus(c->iface, r->cpu, MAX_QUEUES);
	if (n < 0)
		return sl_error_set(err, -ENODATA,
				    "%s: the kernel does not say whose CPU each queue is: "
				    "write --cpus, such as 0-3 for queues 0 to 3",
				    c->iface);
	r->queues = (unsigned)n;
	return 0;
}

static int check(const struct report_config *c)
{
	if (!c->to.n || c->to.n > MAX_TARGETS)
		return opt_usage(&agent_report_spec, "--to: name one to %d balancers", MAX_TARGETS);
	if (!c->ids.n || c->ids.n > MAX_IDS)
		return opt_usage(&agent_report_spec,
				 "--id: name this server's id at the balancer, one to %d of them",
				 MAX_IDS);
	if (!c->secret_file)
		return opt_usage(&agent_report_spec,
				 "--secret-file: name a file with the balancers' secret");
	if (c->cpus && !c->nic)
		return opt_usage(&agent_report_spec, "--cpus is about a NIC: write --nic too");
	return 0;
}

static int prepare(struct reporter *r, struct sl_error *err)
{
	__u64 secret[2];
	int rc = read_secret(r->config->secret_file, secret);

	if (rc)
		return sl_error_set(err, rc,
				    "%s: %s: it must hold 32 hexadecimal digits, the balancers' "
				    "secret",
				    r->config->secret_file, strerror(-rc));
	rc = add_ids(r, secret, err);
	if (!rc)
		rc = add_targets(r, err);
	if (!rc && r->config->nic)
		rc = find_queues(r, err);
	return rc;
}

/* --- sending */

/* A balancer that is not there now may be later. */
static void send_all(const struct reporter *r, const uint8_t *datagram, size_t n)
{
	for (unsigned i = 0; i < r->fds; i++)
		(void)!send(r->fd[i], datagram, n, MSG_DONTWAIT);
}

static void send_table(struct reporter *r)
{
	uint8_t d[SL_REPORT_MAX];

	for (unsigned i = 0; i < r->senders; i++) {
		r->sender[i].table = r->number;
		for (unsigned part = 0; part < sl_report_parts(&r->sent); part++)
			send_all(r, d, sl_report_put_table(&r->sender[i], &r->sent, part, d));
	}
}

static void send_loads(struct reporter *r, const struct sl_core_loads *loads)
{
	uint8_t d[SL_REPORT_MAX];

	for (unsigned i = 0; i < r->senders; i++)
		send_all(r, d, sl_report_put_loads(&r->sender[i], loads, d));
}

/* --- rounds */

static int read_table(struct reporter *r, uint64_t now, struct sl_error *err)
{
	return r->config->nic ? sl_source_nic_table(sl_rss_kernel(), r->config->iface, r->cpu,
						    r->queues, &r->table, err)
			      : sl_source_table(r->inst, &r->plans, now, &r->table, err);
}

static void report_loads(struct reporter *r, uint64_t now)
{
	struct sl_core_loads loads = {.period_ms = (unsigned)((now - r->loads_ns) / MS) + 1};

	if (r->config->nic) {
		struct sl_source_cpus cpus;

		sl_source_cpus_read(&cpus);
		sl_source_cpus_loads(&r->cpus, &cpus, &loads);
		r->cpus = cpus;
	} else {
		struct sl_source_workers workers;

		sl_source_read(r->inst, &workers);
		sl_source_loads(r->inst, &r->before, &workers, &loads);
		r->before = workers;
	}
	send_loads(r, &loads);
}

/* What the look before found is with the balancers by now. */
static void say_told(struct reporter *r, uint64_t now)
{
	if (r->config->nic || !r->looked_ns)
		return;
	if (sl_announce_told(r->inst->control, &r->told_ns, r->looked_ns)) {
		r->second_ns = 0;
		return;
	}
	if (!r->second_ns)
		r->second_ns = now;
	/* one that was killed seems to speak for a while */
	if (r->warned || now - r->second_ns < AGAIN_NS)
		return;
	r->warned = true;
	fprintf(stderr,
		"another agent reports from %s: moves wait for that one, and our balancers hear of "
		"them after; name all of them with --to of one agent\n",
		r->inst->name);
}

/* A NIC's table is asked for by system calls that drivers may be slow at: with the loads only. */
static int round_of(struct reporter *r, struct sl_error *err)
{
	uint64_t now = sl_announce_now();
	bool due = now - r->loads_ns >= r->config->interval;

	say_told(r, now);
	r->changed = false;
	if (due || !r->config->nic) {
		int rc = read_table(r, now, err);

		if (rc)
			return rc;
		r->looked_ns = now;
		r->changed = memcmp(&r->table, &r->sent, sizeof(r->sent)) != 0;
		if (r->changed) {
			r->sent = r->table;
			r->number++;
			send_table(r);
			r->tables_ns = now;
		}
	}
	if (now - r->tables_ns >= AGAIN_NS) {
		send_table(r);
		r->tables_ns = now;
	}
	if (due) {
		report_loads(r, now);
		r->loads_ns = now;
	}
	return 0;
}

static void leave(struct reporter *r)
{
	if (!r->inst)
		return;
	sl_announce_leave(r->inst->control, &r->told_ns);
	sl_instance_close(r->inst);
	r->inst = NULL;
	r->looked_ns = 0;
	memset(&r->plans, 0, sizeof(r->plans));
}

/* Without a dataplane its flows go nowhere: the balancer is told nothing, and goes by the hash. */
static int keep_open(struct reporter *r, struct sl_error *err)
{
	int rc = 0;

	if (r->config->nic || (r->inst && sl_instance_running(r->inst)))
		return 0;
	leave(r);
	rc = target_open(r->config->iface, &r->inst, err);
	if (rc)
		return rc;
	sl_source_read(r->inst, &r->before);
	return sl_instance_running(r->inst) ? 0 : -EAGAIN;
}

static void wait_ns(uint64_t ns)
{
	const struct timespec wait = {.tv_sec = (time_t)(ns / 1000000000),
				      .tv_nsec = (long)(ns % 1000000000)};

	nanosleep(&wait, NULL);
}

static int serve(struct reporter *r)
{
	struct sl_error err;
	int rc = keep_open(r, &err);

	if (rc && rc != -EAGAIN)
		return opt_refuse(&agent_report_spec, rc, &err);
	if (!rc)
		rc = read_table(r, sl_announce_now(), &err);
	if (rc && rc != -EAGAIN)
		return opt_refuse(&agent_report_spec, rc, &err);
	sl_source_cpus_read(&r->cpus);
	fputs("reporting\n", stderr);
	while (!stop) {
		rc = keep_open(r, &err);
		if (!rc)
			rc = round_of(r, &err);
		wait_ns(rc ? AGAIN_NS / 5 : r->changed ? WAY_NS : ROUND_NS);
	}
	return 0;
}

int agent_report(int argc, char **argv)
{
	struct sigaction sa = {.sa_handler = on_signal};
	struct report_config config = {.interval = 100 * MS};
	struct sl_error err;
	struct reporter *r;
	int status, rc;

	if (!opt_parse(&agent_report_spec, argc, argv, &config, &status))
		return status;
	status = check(&config);
	if (status)
		return status;
	r = calloc(1, sizeof(*r));
	if (!r)
		return EXIT_FAILED;
	r->config = &config;
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	rc = prepare(r, &err);
	status = rc ? opt_refuse(&agent_report_spec, rc, &err) : serve(r);
	leave(r);
	for (unsigned i = 0; i < r->fds; i++)
		close(r->fd[i]);
	free(r);
	return status;
}
