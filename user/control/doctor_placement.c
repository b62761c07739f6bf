// SPDX-License-Identifier: GPL-2.0-or-later
/* Which CPUs receive, and which work. */
#include <stdio.h>
#include <string.h>

#include "control/doctor_impl.h"

#define NO_CPU SL_FACT_CPUS

/* How much each CPU has to do already. */
struct duty {
	unsigned workers[SL_FACT_CPUS], napis[SL_FACT_CPUS];
};

/* The CPU of an interrupt or a thread, if it is one only. */
static unsigned only_cpu(const struct sl_cpu_set *set)
{
	unsigned found = NO_CPU;

	for (unsigned cpu = 0; cpu < SL_FACT_CPUS; cpu++) {
		if (!sl_cpu_set_has(set, cpu))
			continue;
		if (found != NO_CPU)
			return NO_CPU;
		found = cpu;
	}
	return found;
}

static void count(const struct sl_facts *f, struct duty *d)
{
	memset(d, 0, sizeof(*d));
	for (unsigned w = 0; w < f->workers; w++)
		if (f->worker_cpu[w] >= 0 && f->worker_cpu[w] < SL_FACT_CPUS)
			d->workers[f->worker_cpu[w]]++;
	for (unsigned i = 0; i < f->napis; i++) {
		const unsigned cpu = only_cpu(&f->napi[i].cpus);

		if (cpu != NO_CPU)
			d->napis[cpu]++;
	}
}

/* The device's own node if there is a choice. */
static bool is_near(const struct sl_facts *f, unsigned cpu)
{
	return f->node < 0 || f->cpu_node[cpu] == f->node;
}

/* A CPU without a worker that receives least; NO_CPU: each has a worker. */
static unsigned free_cpu(const struct sl_facts *f, const struct duty *d)
{
	unsigned best = NO_CPU;

	for (unsigned cpu = 0; cpu < SL_FACT_CPUS; cpu++) {
		if (!sl_cpu_set_has(&f->cpus, cpu) || d->workers[cpu])
			continue;
		if (best == NO_CPU || is_near(f, cpu) > is_near(f, best) ||
		    (is_near(f, cpu) == is_near(f, best) && d->napis[cpu] < d->napis[best]))
			best = cpu;
	}
	return best;
}

static bool meets_worker(const struct sl_cpu_set *set, const struct duty *d)
{
	for (unsigned cpu = 0; cpu < SL_FACT_CPUS; cpu++)
		if (sl_cpu_set_has(set, cpu) && d->workers[cpu])
			return true;
	return false;
}

static void queue_words(const struct sl_fact_napi *napi, char *text, size_t size)
{
	if (napi->queue >= 0)
		snprintf(text, size, "queue %d", napi->queue);
	else
		snprintf(text, size, "NAPI %u", napi->id);
}

static void move_napi(const struct sl_fact_napi *napi, struct sl_finding *finding, unsigned cpu)
{
	if (napi->pid) {
		doctor_command(finding, "taskset -pc %u %d", cpu, napi->pid);
		finding->mend = (struct sl_mend){
			.kind = SL_MEND_THREAD, .id = (uint32_t)napi->pid, .value = cpu};
	} else {
		doctor_command(finding, "echo %u > /proc/irq/%d/smp_affinity_list", cpu, napi->irq);
		finding->mend = (struct sl_mend){
			.kind = SL_MEND_IRQ, .id = (uint32_t)napi->irq, .value = cpu};
	}
}

static void check_napi(const struct sl_facts *f, const struct sl_fact_napi *napi, struct duty *d,
		       struct sl_findings *out)
{
	const unsigned cpu = only_cpu(&napi->cpus), to = free_cpu(f, d);
	struct sl_finding *finding;
	char queue[32];

	if ((napi->irq < 0 && !napi->pid) || to == NO_CPU)
		return;
	queue_words(napi, queue, sizeof(queue));
	if (meets_worker(&napi->cpus, d))
		finding =
			doctor_problem(out, napi->pid ? "napi-thread" : "irq",
				       "%s (%s %d) is received on the CPU of a worker, and CPU %u "
				       "has none",
				       queue, napi->pid ? "thread" : "interrupt",
				       napi->pid ? napi->pid : napi->irq, to);
	else if (cpu != NO_CPU && d->napis[cpu] > d->napis[to] + 1)
		finding = doctor_problem(out, napi->pid ? "napi-thread-spread" : "irq-spread",
					 "%s (%s %d): CPU %u receives for %u queues, CPU %u for %u",
					 queue, napi->pid ? "thread" : "interrupt",
					 napi->pid ? napi->pid : napi->irq, cpu, d->napis[cpu], to,
					 d->napis[to]);
	else
		return;
	move_napi(napi, finding, to);
	if (cpu != NO_CPU)
		d->napis[cpu]--;
	d->napis[to]++;
}

/* Interrupts that go on cut into busy polling. */
static void check_defer(const struct sl_facts *f, const struct sl_fact_napi *napi,
			struct sl_findings *out)
{
	struct sl_finding *finding;
	char queue[32];

	if (!f->running || !f->busy_poll || (napi->defer_hard_irqs && napi->gro_flush_ns))
		return;
	queue_words(napi, queue, sizeof(queue));
	finding = doctor_problem(out, "napi-defer",
				 "%s is busy-polled, and its interrupts are not deferred", queue);
	doctor_command(finding,
		       "echo %u > /sys/class/net/%s/napi_defer_hard_irqs; "
		       "echo %u > /sys/class/net/%s/gro_flush_timeout",
		       SL_DEFER_HARD_IRQS, f->ifname, SL_GRO_FLUSH_NS, f->ifname);
	finding->mend = (struct sl_mend){.kind = SL_MEND_DEFER, .id = napi->id};
}

static void check_sharing(const struct sl_facts *f, const struct duty *d, struct sl_findings *out)
{
	unsigned shared = NO_CPU, idle = 0;

	for (unsigned cpu = 0; cpu < SL_FACT_CPUS; cpu++) {
		if (d->workers[cpu] > 1 && shared == NO_CPU)
			shared = cpu;
		idle += sl_cpu_set_has(&f->cpus, cpu) && !d->workers[cpu];
	}
	if (shared == NO_CPU)
		return;
	if (idle)
		doctor_command(doctor_problem(out, "workers-share",
					      "CPU %u has %u workers, and %u CPUs have none",
					      shared, d->workers[shared], idle),
			       "sluice run -i %s --cpus LIST ...", f->ifname);
	else
		doctor_command(doctor_problem(out, "workers-many",
					      "%u workers, and fewer CPUs: CPU %u has %u of them",
					      f->workers, shared, d->workers[shared]),
			       "sluice workers %s --set N", f->ifname);
}

static void check_node(const struct sl_facts *f, struct sl_findings *out)
{
	unsigned far = 0;

	for (unsigned w = 0; f->node >= 0 && w < f->workers; w++) {
		const int cpu = f->worker_cpu[w];

		far += cpu >= 0 && cpu < SL_FACT_CPUS && !is_near(f, (unsigned)cpu);
	}
	if (far)
		doctor_command(doctor_problem(out, "workers-node",
					      "%u of %u workers run on another NUMA node than the "
					      "device's (%d)",
					      far, f->workers, f->node),
			       "sluice run -i %s --cpus LIST ... # lscpu shows the CPUs of node %d",
			       f->ifname, f->node);
}

static void check_busy_poll(const struct sl_facts *f, struct sl_findings *out)
{
	bool named = false;

	for (unsigned i = 0; i < f->napis; i++)
		named |= f->napi[i].queue >= 0;
	if (f->napis && !named)
		doctor_note(out, "no-busy-poll",
			    "the driver (%s) does not name its queues' NAPIs: --busy-poll has no "
			    "effect",
			    f->driver);
}

void doctor_placement(const struct sl_facts *f, struct sl_findings *out)
{
	bool irqs = false;
	struct duty d;

	count(f, &d);
	for (unsigned i = 0; i < f->napis; i++) {
		check_napi(f, &f->napi[i], &d, out);
		check_defer(f, &f->napi[i], out);
		irqs |= f->napi[i].irq >= 0 && !f->napi[i].pid;
	}
	check_sharing(f, &d, out);
	check_node(f, out);
	check_busy_poll(f, out);
	if (irqs && f->irqbalance)
		doctor_note(out, "irqbalance",
			    "irqbalance runs and moves interrupts back: ban these in its "
			    "configuration, or stop it");
}
