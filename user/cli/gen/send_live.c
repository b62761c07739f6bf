// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * send_live.c - full rate by BPF live frames: the kernel runs gen.bpf.c once for each packet and
 * gives the frames to the driver's ndo_xdp_xmit in bulks (Documentation/bpf/bpf_prog_run.rst).
 *
 * One call sets up its frames in some 24 ms, so one call lasts for the whole run; a timer's signal
 * ends it.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "cli/gen/pace.h"
#include "cli/gen/send.h"
#include "gen.skel.h"
#include "platform/bpf_log.h"
#include "platform/instance.h"

#define TICK_NS 10000000 /* the signal comes again: the first may come before the call */
#define REPEAT_MAX 0x40000000u /* of one call; the kernel counts in 32 bits */

static void on_tick(int signal)
{
	(void)signal;
}

/* SIGALRM every TICK_NS from `first_ns` on, so that the call returns and its end can be looked at.
 */
static int tick_start(timer_t *timer, uint64_t first_ns)
{
	struct sigaction action = {.sa_handler = on_tick};
	struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM};
	const struct itimerspec when = {
		.it_value = {.tv_sec = (time_t)(first_ns / 1000000000u),
			     .tv_nsec = (long)(first_ns % 1000000000u)},
		.it_interval = {.tv_nsec = TICK_NS},
	};

	sigaction(SIGALRM, &action, NULL);
	if (timer_create(CLOCK_MONOTONIC, &event, timer))
		return -errno;
	if (timer_settime(*timer, TIMER_ABSTIME, &when, NULL)) {
		timer_delete(*timer);
		return -errno;
	}
	return 0;
}

static int fill_map(const struct bpf_map *map, const void *from, size_t bytes)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);
	const size_t mapped = (bytes + page - 1) / page * page;
	void *to = mmap(NULL, mapped, PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(map), 0);

	if (to == MAP_FAILED)
		return -errno;
	memcpy(to, from, bytes);
	munmap(to, mapped);
	return 0;
}

static int open_once(struct gen_bpf **out, const struct gen_plan *plan, bool traced)
{
	const uint32_t n = plan->traffic.flows;
	struct gen_bpf *skel = gen_bpf__open();
	int rc;

	if (!skel)
		return errno ? -errno : -ENOMEM;
	skel->rodata->flows_n = n;
	skel->rodata->frame_size = plan->traffic.size;
	skel->rodata->run_id = plan->run;
	skel->rodata->shift_step = gen_shift_step(n);
	skel->rodata->shift_ns = plan->shift_ns;
	bpf_map__set_max_entries(skel->maps.gen_flows, n);
	bpf_map__set_max_entries(skel->maps.gen_alias, n);
	bpf_program__set_autoload(skel->progs.gen_xmit, traced);
	rc = gen_bpf__load(skel);
	if (!rc)
		rc = fill_map(skel->maps.gen_flows, plan->flow, n * sizeof(*plan->flow));
	if (!rc)
		rc = fill_map(skel->maps.gen_alias, plan->alias, n * sizeof(*plan->alias));
	if (!rc && traced)
		rc = gen_bpf__attach(skel);
	if (rc)
		gen_bpf__destroy(skel);
	else
		*out = skel;
	return rc;
}

/* Where tracing programs are not to be had, the interface's statistics say what was dropped. */
static int open_program(struct gen_bpf **out, const struct gen_plan *plan, bool *traced,
			struct sl_error *err)
{
	int rc = open_once(out, plan, true);

	*traced = !rc;
	if (rc)
		rc = open_once(out, plan, false);
	if (!rc)
		return 0;
	sl_error_set(err, rc, "the generator's BPF program did not load: %s%s", strerror(-rc),
		     rc == -EPERM ? "; run as root" : "");
	return rc;
}

static int run(const struct gen_bpf *skel, const struct gen_plan *plan, uint8_t *frame,
	       uint32_t repeat)
{
	struct xdp_md ctx = {.data_end = plan->traffic.size,
			     .ingress_ifindex = (uint32_t)plan->link.ifindex};
	struct bpf_test_run_opts opts = {
		.sz = sizeof(opts),
		.data_in = frame,
		.data_size_in = plan->traffic.size,
		.ctx_in = &ctx,
		.ctx_size_in = sizeof(ctx),
		.repeat = (int)repeat,
		.flags = BPF_F_TEST_XDP_LIVE_FRAMES,
		.batch_size = plan->batch,
	};

	return bpf_prog_test_run_opts(bpf_program__fd(skel->progs.gen_xdp), &opts) ? -errno : 0;
}

/*
 * Does the peer take XDP frames? A packet that does not get there is no packet sent, so the flow's
 * numbers begin again.
 */
static int probe(struct gen_bpf *skel, const struct gen_plan *plan, uint8_t *frame,
		 struct sl_error *err)
{
	int rc = run(skel, plan, frame, 1);

	if (rc == -EINVAL)
		return sl_error_set(err, -EOPNOTSUPP,
				    "live frames are refused: they need kernel 5.18 and frames of "
				    "some 3400 bytes at most; use --mode xdp");
	if (rc)
		return sl_error_set(err, rc, "live frames on %s: %s", plan->link.name,
				    strerror(-rc));
	if (skel->bss->accepted)
		return 0;
	return sl_error_set(err, -EOPNOTSUPP,
			    "%s takes no XDP frames (its peer has neither XDP nor GRO); use --mode "
			    "xdp, or ethtool -K PEER gro on",
			    plan->link.name);
}

static void begin(struct gen_bpf *skel, struct gen_plan *plan, struct gen_sent *sent)
{
	const uint64_t now = gen_now_ns();

	sent->start_ns = now;
	skel->bss->warm = 0;
	skel->bss->random_state = plan->seed;
	skel->bss->next_shift_ns = now + plan->shift_ns;
	skel->bss->warm_ns = now + plan->warmup_ns;
	if (plan->duration_ns)
		skel->bss->stop_ns = now + plan->warmup_ns + plan->duration_ns;
	if (plan->rx)
		atomic_store(&plan->rx->measure_from_ns, skel->bss->warm_ns);
}

static uint32_t calls_repeat(const struct gen_bpf *skel, const struct gen_plan *plan)
{
	const uint64_t left = plan->count ? plan->count - skel->bss->made : REPEAT_MAX;

	return left < REPEAT_MAX ? (uint32_t)left : REPEAT_MAX;
}

static int send_all(struct gen_bpf *skel, struct gen_plan *plan, uint8_t *frame)
{
	int rc = 0;

	while (!atomic_load(plan->stop) && (!rc || rc == -EINTR)) {
		if (plan->count && skel->bss->made >= plan->count)
			return 0;
		if (skel->bss->stop_ns && gen_now_ns() >= skel->bss->stop_ns)
			return 0;
		rc = run(skel, plan, frame, calls_repeat(skel, plan));
	}
	return rc == -EINTR ? 0 : rc;
}

static void sum_up(const struct gen_bpf *skel, const struct gen_plan *plan, bool traced,
		   uint32_t dropped, struct gen_sent *sent)
{
	const uint64_t end = gen_now_ns(), stop = skel->bss->stop_ns;

	sent->made = skel->bss->made;
	sent->refused = traced ? skel->bss->made - skel->bss->accepted : dropped;
	sent->accepted = sent->made - sent->refused;
	sent->end_ns = stop && end > stop ? stop : end;
	sent->send_ns = sent->end_ns - sent->start_ns;
	/* What was refused is not known by time: its share is taken to be the same throughout. */
	if (sent->made && sent->end_ns > skel->bss->warm_ns) {
		sent->measured = (uint64_t)((double)skel->bss->warm * (double)sent->accepted /
					    (double)sent->made);
		sent->measured_ns = sent->end_ns - skel->bss->warm_ns;
	}
}

/* Send with the program loaded. */
static int send_with(struct gen_bpf *skel, bool traced, struct gen_plan *plan,
		     struct gen_sent *sent, struct sl_error *err)
{
	uint8_t *frame = calloc(1, plan->traffic.size);
	uint32_t dropped;
	timer_t timer;
	int rc;

	if (!frame)
		return sl_error_set(err, -ENOMEM, "no memory for a frame");
	skel->bss->sender_tid = (uint32_t)syscall(SYS_gettid);
	skel->bss->sender_ifindex = (uint32_t)plan->link.ifindex;
	skel->bss->random_state = plan->seed;
	rc = traced ? probe(skel, plan, frame, err) : 0;
	if (rc)
		goto out;
	dropped = gen_link_tx_dropped(&plan->link);
	begin(skel, plan, sent);
	rc = tick_start(&timer, skel->bss->stop_ns ?: sent->start_ns + TICK_NS);
	if (rc) {
		sl_error_set(err, rc, "no timer: %s", strerror(-rc));
		goto out;
	}
	rc = send_all(skel, plan, frame);
	timer_delete(timer);
	sum_up(skel, plan, traced, gen_link_tx_dropped(&plan->link) - dropped, sent);
	if (rc)
		sl_error_set(err, rc, "live frames on %s: %s", plan->link.name, strerror(-rc));
out:
	free(frame);
	return rc;
}

int gen_send_live(struct gen_plan *plan, struct gen_sent *sent, struct sl_error *err)
{
	struct gen_bpf *skel = NULL;
	bool traced = false;
	int rc;

	memset(sent, 0, sizeof(*sent));
	sent->mode = GEN_LIVE;
	sl_bpf_log_setup(false);
	rc = open_program(&skel, plan, &traced, err);
	if (rc || !skel)
		return rc;
	rc = send_with(skel, traced, plan, sent, err);
	gen_bpf__destroy(skel);
	return rc;
}
