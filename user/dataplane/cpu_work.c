// SPDX-License-Identifier: GPL-2.0-or-later
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>

#include "cpu_work_map.h"
#include "cpu_work.skel.h"
#include "dataplane/cpu_work.h"
#include "dataplane/log.h"
#include "platform/cpu.h"

/* /proc/stat has no news more often. */
#define PROC_STAT_NS 50000000ull
#define TRACED_NS 1000000ull
/* Cycles; a counter so far behind is another incarnation's. */
#define COUNTERS_NEW 100000000ull

struct sl_cpu_work {
	struct cpu_work_bpf *skel; /* NULL: /proc/stat */
	uint64_t due_ns;
};

static struct cpu_work_bpf *trace(void)
{
	struct cpu_work_bpf *skel = cpu_work_bpf__open_and_load();
	LIBBPF_OPTS(bpf_test_run_opts, run);

	if (!skel)
		return NULL;
	if (!bpf_prog_test_run_opts(bpf_program__fd(skel->progs.find_ours), &run) &&
	    skel->bss->ours && !cpu_work_bpf__attach(skel))
		return skel;
	cpu_work_bpf__destroy(skel);
	return NULL;
}

void cpu_work_open(struct sl_dataplane *dp)
{
	struct sl_cpu_work *c = calloc(1, sizeof(*c));
	struct sl_control *control = dp->inst->control;

	control->work_source = SL_WORK_UNKNOWN;
	if (!c)
		return;
	c->skel = trace();
	if (!c->skel)
		dp_log(dp,
		       "tracepoints sched_switch and softirq_entry cannot be used (%s): softirq is "
		       "known from /proc/stat, to 10 ms, and threads of others are not",
		       strerror(errno));
	control->work_source = c->skel ? SL_WORK_TRACED : SL_WORK_PROC_STAT;
	dp->cpu_work = c;
}

static uint64_t cycles(const struct sl_dataplane *dp, uint64_t ns)
{
	return (uint64_t)((double)ns / 1e9 * (double)dp->tsc_hz);
}

/* A counter that is read while it changes may be a moment behind: it never goes back. */
static void publish(__u64 *counter, uint64_t value)
{
	if (value > *counter || *counter - value > COUNTERS_NEW)
		stat_set(counter, value);
}

/* A foreign thread that is alone on its CPU runs for seconds: what it took so far counts. */
static void publish_traced(struct sl_dataplane *dp, const struct sl_cpu_work *c,
			   struct sl_worker *k, uint64_t now_ns)
{
	const struct cpu_work *w = &c->skel->bss->work[k->cpu];
	uint64_t since = field_load(w->since_ns), so_far = 0;

	if (field_load(w->running) == CPU_FOREIGN && since && since < now_ns)
		so_far = now_ns - since;
	publish(&k->softirq_cycles, cycles(dp, field_load(w->softirq_ns)));
	publish(&k->foreign_cycles, cycles(dp, field_load(w->foreign_ns) + so_far));
	publish(&k->roaming_cycles,
		cycles(dp, field_load(w->roaming_ns) + (field_load(w->roams) ? so_far : 0)));
	publish(&k->interrupted_cycles,
		cycles(dp, field_load(w->interrupted_ns) + (field_load(w->waiting) ? so_far : 0)));
}

void cpu_work_publish(struct sl_dataplane *dp, uint64_t now_ns)
{
	struct sl_cpu_work *c = dp->cpu_work;
	uint64_t ns;

	if (!c || now_ns < c->due_ns)
		return;
	c->due_ns = now_ns + (c->skel ? TRACED_NS : PROC_STAT_NS);
	for (unsigned i = 0; i < dp->workers_max; i++) {
		struct sl_worker *k = &dp->inst->workers[i];

		if (k->cpu < 0)
			continue;
		if (c->skel && k->cpu < CPU_WORK_MAX)
			publish_traced(dp, c, k, now_ns);
		else if (!c->skel && !sl_cpu_softirq_ns((unsigned)k->cpu, &ns))
			stat_set(&k->softirq_cycles, cycles(dp, ns));
	}
}

void cpu_work_close(struct sl_dataplane *dp)
{
	if (!dp->cpu_work)
		return;
	cpu_work_bpf__destroy(dp->cpu_work->skel);
	free(dp->cpu_work);
	dp->cpu_work = NULL;
}
