// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * sluice capture: packets as the workers see them, to a pcap file or as lines. The dataplane copies
 * and samples; filter, count and file are here, so that nothing of them runs in a worker.
 */
#include <errno.h>
#include <inttypes.h>
#include <pcap/pcap.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/sample.h"
#include "cli/target.h"
#include "dataplane/tap.h"

/* Room for bursts on the way to the CLI; the kernel default holds about 100 full packets. */
#define SOCKET_BYTES (8 << 20)

struct capture_config {
	const char *name, *file, *filter;
	uint32_t sample, snaplen;
	uint64_t count, duration;
	unsigned direction; /* index in direction_words */
};

/* A capture under way. */
struct capture {
	const struct capture_config *config;
	const struct sl_instance *inst;
	pcap_t *pcap; /* only for its link type: compiles and writes */
	pcap_dumper_t *dump; /* NULL: lines on standard output */
	struct bpf_program program;
	bool filtered;
	uint64_t taken, not_matched, lost;
};

static const char *const direction_words[] = {"both", "rx", "tx", NULL};

static const struct opt_arg args[] = {
	ARG_INSTANCE(struct capture_config, name),
	ARG_END,
};

static const struct opt options[] = {
	OPT_STRING(struct capture_config, file, 'w', "write", "FILE",
		   "write pcap to FILE, - for standard output; else print a line for each packet"),
	OPT_U64(struct capture_config, count, 'c', "count", "N", 1, 0, "end after N packets"),
	OPT_DURATION(struct capture_config, duration, 't', "duration", "TIME", 1e6, 86400e9,
		     "end after TIME"),
	OPT_U32(struct capture_config, sample, 's', "sample", "N", 1, 1 << 30,
		"one packet of N (default 1: all)"),
	OPT_U32(struct capture_config, snaplen, 'S', "snaplen", "BYTES", 16, SL_TAP_SNAPLEN,
		"at most BYTES of each packet (default 4096)"),
	OPT_STRING(struct capture_config, filter, 'f', "filter", "EXPR",
		   "only what the expression matches, as pcap-filter(7)"),
	OPT_CHOICE(struct capture_config, direction, 'd', "direction", "WHICH", direction_words,
		   "both (default), rx as received, or tx as sent"),
	OPT_END,
};

static const struct opt_spec spec = {"capture", "Write packets of the workers as pcap", args,
				     options, NULL};

static volatile sig_atomic_t stop; /* a signal's only way to tell */

static void on_signal(int number)
{
	stop = number;
}

static void catch_signals(void)
{
	struct sigaction sa = {.sa_handler = on_signal};

	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
}

static int compile_filter(struct capture *c)
{
	if (!c->config->filter)
		return 0;
	if (pcap_compile(c->pcap, &c->program, c->config->filter, 1, PCAP_NETMASK_UNKNOWN))
		return opt_usage(&spec, "--filter: \"%s\": %s", c->config->filter,
				 pcap_geterr(c->pcap));
	c->filtered = true;
	return 0;
}

static int open_dump(struct capture *c)
{
	const char *file = c->config->file;
	struct sl_error err;

	if (!file)
		return 0;
	if (!strcmp(file, "-") && isatty(STDOUT_FILENO))
		return opt_usage(&spec, "--write: standard output is a terminal; give a file, or "
					"pipe into tcpdump -r -");
	c->dump = pcap_dump_open(c->pcap, file);
	if (c->dump)
		return 0;
	sl_error_set(&err, -EIO, "--write: %s", pcap_geterr(c->pcap));
	return cli_fail(&err);
}

/* Make the pair and hand one end to the dataplane. The other end, or -errno. */
static int start(const struct capture *c, struct sl_error *err)
{
	const int bytes = SOCKET_BYTES;
	json_t *request = json_pack("{s:I,s:I}", "sample", (json_int_t)c->config->sample, "snaplen",
				    (json_int_t)c->config->snaplen);
	int pair[2], ret;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair)) {
		ret = -errno;
		json_decref(request);
		return sl_error_set(err, ret, "no socket: %s", strerror(-ret));
	}
	if (setsockopt(pair[1], SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes)))
		setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
	ret = target_dataplane("capture", c->inst, request, pair[1], NULL, err);
	close(pair[1]);
	if (!ret)
		return pair[0];
	close(pair[0]);
	return ret;
}

static void print_line(const struct capture *c, const struct sl_tap_record *r)
{
	const char *iface = r->iface < c->inst->ifaces ? c->inst->iface[r->iface].name : "?";
	const char *direction = r->direction == SL_TAP_TX ? "tx" : "rx";

	if (cli.json) {
		output_json(json_pack("{s:I,s:s,s:s,s:i,s:i,s:i,s:i,s:i}", "time_ns",
				      (json_int_t)r->time_ns, "iface", iface, "direction",
				      direction, "queue", r->queue, "bucket", r->bucket, "worker",
				      r->worker, "length", r->len, "captured", r->caplen));
		return;
	}
	printf("%" PRIu64 ".%09" PRIu64 " %s %s queue %u bucket %u worker %u length %u\n",
	       r->time_ns / 1000000000, r->time_ns % 1000000000, iface, direction, r->queue,
	       r->bucket, r->worker, r->len);
}

/* Filter and write one packet. */
static void take(struct capture *c, const struct sl_tap_record *r, const uint8_t *data)
{
	const struct pcap_pkthdr h = {.ts = {.tv_sec = (time_t)(r->time_ns / 1000000000),
					     /* nanoseconds, as the file's header says */
					     .tv_usec = (suseconds_t)(r->time_ns % 1000000000)},
				      .caplen = r->caplen,
				      .len = r->len};
	unsigned direction = c->config->direction;

	c->lost = r->lost;
	if ((direction == 1 && r->direction != SL_TAP_RX) ||
	    (direction == 2 && r->direction != SL_TAP_TX) ||
	    (c->filtered && !bpf_filter(c->program.bf_insns, data, r->len, r->caplen))) {
		c->not_matched++;
		return;
	}
	c->taken++;
	if (c->dump)
		pcap_dump((u_char *)c->dump, &h, data);
	else
		print_line(c, r);
}

static void flush(const struct capture *c)
{
	if (c->dump)
		pcap_dump_flush(c->dump);
	else
		fflush(stdout);
}

/* Packets until count, time or a signal; false: the dataplane closed. */
static bool receive(struct capture *c, int fd)
{
	uint64_t end = c->config->duration ? sample_clock() + c->config->duration : UINT64_MAX;
	struct {
		struct sl_tap_record record;
		uint8_t data[SL_TAP_SNAPLEN];
	} message;
	ssize_t n;

	while (!stop && (!c->config->count || c->taken < c->config->count)) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		uint64_t now = sample_clock();

		if (now >= end)
			break;
		n = recv(fd, &message, sizeof(message), MSG_DONTWAIT);
		if (n < 0 && errno == EAGAIN) {
			flush(c);
			poll(&p, 1, end - now < 500000000 ? (int)((end - now) / 1000000 + 1) : 500);
			continue;
		}
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		if ((size_t)n >= sizeof(message.record) &&
		    (size_t)n == sizeof(message.record) + message.record.caplen)
			take(c, &message.record, message.data);
	}
	return true;
}

/* The dataplane is asked first: a file is not emptied for a capture that cannot be. */
static int run(struct capture *c)
{
	struct sl_error err;
	int status, fd = start(c, &err);
	bool asked;

	if (fd < 0)
		return cli_fail(&err);
	status = open_dump(c);
	if (status) {
		close(fd);
		return status;
	}
	catch_signals();
	asked = receive(c, fd);
	close(fd);
	flush(c);
	fprintf(stderr,
		"%" PRIu64 " packets captured, %" PRIu64 " not matched, %" PRIu64 " lost%s\n",
		c->taken, c->not_matched, c->lost, asked ? "" : "; the dataplane ended");
	return asked ? 0 : EXIT_FAILED;
}

int cmd_capture(int argc, char **argv)
{
	struct capture_config config = {.sample = 1, .snaplen = SL_TAP_SNAPLEN};
	struct capture c = {.config = &config};
	struct sl_instance *inst = NULL;
	struct sl_error err;
	int status, ret;

	if (!opt_parse(&spec, argc, argv, &config, &status))
		return status;
	c.pcap = pcap_open_dead_with_tstamp_precision(DLT_EN10MB, (int)config.snaplen,
						      PCAP_TSTAMP_PRECISION_NANO);
	if (!c.pcap) {
		sl_error_set(&err, -ENOMEM, "no memory");
		return cli_fail(&err);
	}
	status = compile_filter(&c);
	if (status)
		goto out;
	ret = target_open(config.name, &inst, &err);
	if (ret) {
		status = opt_refuse(&spec, ret, &err);
		goto out;
	}
	c.inst = inst;
	status = run(&c);
	if (c.dump)
		pcap_dump_close(c.dump);
	sl_instance_close(inst);
out:
	if (c.filtered)
		pcap_freecode(&c.program);
	pcap_close(c.pcap);
	return status;
}
