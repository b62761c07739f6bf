// SPDX-License-Identifier: GPL-2.0-or-later
/* Facts about CPUs, interrupts and memory. */
#include <ctype.h>
#include <dirent.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <cap-ng.h>

#include "platform/available.h"
#include "platform/cpu.h"
#include "platform/ethtool.h"
#include "platform/examine.h"
#include "platform/napi.h"

static bool read_line(const char *path, char *line, int size)
{
	FILE *f = fopen(path, "re");
	bool ok = f && fgets(line, size, f);

	if (f)
		fclose(f);
	return ok;
}

/* "0-3,8", as the kernel prints CPUs. */
static void parse_cpus(const char *text, struct sl_cpu_set *set)
{
	unsigned first, last;
	int used;

	while (sscanf(text, "%u%n", &first, &used) == 1) {
		text += used;
		last = first;
		if (*text == '-' && sscanf(text + 1, "%u%n", &last, &used) == 1)
			text += used + 1;
		for (unsigned cpu = first; cpu <= last && cpu < SL_FACT_CPUS; cpu++)
			sl_cpu_set_add(set, cpu);
		if (*text++ != ',')
			break;
	}
}

/* Where it is delivered, else where it may be. */
static void irq_cpus(int irq, struct sl_cpu_set *set)
{
	static const char *const files[] = {"effective_affinity_list", "smp_affinity_list"};
	char path[64], line[512];

	for (unsigned i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		snprintf(path, sizeof(path), "/proc/irq/%d/%s", irq, files[i]);
		if (read_line(path, line, sizeof(line)) && isdigit((unsigned char)line[0])) {
			parse_cpus(line, set);
			return;
		}
	}
}

static void process_cpus(int pid, struct sl_cpu_set *set)
{
	cpu_set_t cpus;

	if (sched_getaffinity(pid, sizeof(cpus), &cpus))
		return;
	for (unsigned cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &cpus))
			sl_cpu_set_add(set, cpu);
}

static void read_napis(const char *ifname, struct sl_facts *facts)
{
	struct sl_napi napis[SL_FACT_NAPIS];

	if (sl_napi_list((int)if_nametoindex(ifname), napis, SL_FACT_NAPIS, &facts->napis))
		facts->napis = 0;
	for (unsigned i = 0; i < facts->napis; i++) {
		struct sl_fact_napi *napi = &facts->napi[i];

		*napi = (struct sl_fact_napi){
			.id = napis[i].id,
			.queue = napis[i].queue,
			.irq = napis[i].irq,
			.pid = napis[i].pid,
			.defer_hard_irqs = napis[i].defer_hard_irqs,
			.gro_flush_ns = napis[i].gro_flush_ns,
		};
		if (napi->pid)
			process_cpus(napi->pid, &napi->cpus);
		else if (napi->irq >= 0)
			irq_cpus(napi->irq, &napi->cpus);
	}
}

static bool irqbalance_runs(void)
{
	char path[300], line[64];
	struct dirent *entry;
	bool found = false;
	DIR *dir;

	dir = opendir("/proc");
	while (dir && !found && (entry = readdir(dir))) {
		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		snprintf(path, sizeof(path), "/proc/%s/comm", entry->d_name);
		found = read_line(path, line, sizeof(line)) && !strcmp(line, "irqbalance\n");
	}
	if (dir)
		closedir(dir);
	return found;
}

/* /sys/bus is the host's, and so is the device: namespaces do not divide it. */
static int device_node(const char *ifname)
{
	char bus[64], path[128], line[32];

	if (sl_ethtool_bus(ifname, bus, sizeof(bus)) || !bus[0] || strchr(bus, '/'))
		return -1;
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/numa_node", bus);
	return read_line(path, line, sizeof(line)) ? (int)strtol(line, NULL, 10) : -1;
}

static void read_memory(struct sl_facts *facts)
{
	struct rlimit limit;
	struct sl_available a;

	sl_available_read("", &a);
	facts->machine = a.machine;
	facts->group = a.group;
	snprintf(facts->group_name, sizeof(facts->group_name), "%s", a.name);
	facts->memlock = UINT64_MAX;
	capng_get_caps_process();
	if (!capng_have_capability(CAPNG_EFFECTIVE, CAP_IPC_LOCK) &&
	    !getrlimit(RLIMIT_MEMLOCK, &limit) && limit.rlim_cur != RLIM_INFINITY)
		facts->memlock = limit.rlim_cur;
}

void examine_host(const char *ifname, struct sl_facts *facts)
{
	process_cpus(0, &facts->cpus);
	facts->node = device_node(ifname);
	for (unsigned cpu = 0; facts->node >= 0 && cpu < SL_FACT_CPUS; cpu++)
		if (sl_cpu_set_has(&facts->cpus, cpu))
			facts->cpu_node[cpu] = sl_cpu_node((int)cpu);
	read_napis(ifname, facts);
	facts->irqbalance = irqbalance_runs();
	read_memory(facts);
}
