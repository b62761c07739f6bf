// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * cpu.c - CPU lists, pinning, scheduling class, the cycle counter's rate.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "platform/clock.h"
#include "platform/cpu.h"
#include "sched_attr.h"

/* 20 ms at a microsecond's error on both ends: 0.01 %. */
#define CALIBRATION_NS 20000000u

static uint64_t measured_hz;
static pthread_once_t measured_once = PTHREAD_ONCE_INIT;

/* Both clocks at one instant: of three readings, the one that took least. */
static void read_both(uint64_t *cycles, uint64_t *ns)
{
	uint64_t best = UINT64_MAX;

	for (int i = 0; i < 3; i++) {
		const uint64_t before = sl_cycles();
		const uint64_t now = sl_clock_ns();
		const uint64_t after = sl_cycles();

		if (after - before >= best)
			continue;
		best = after - before;
		*cycles = before + best / 2;
		*ns = now;
	}
}

static void measure(void)
{
#if defined(__aarch64__)
	__asm__ volatile("mrs %0, cntfrq_el0" : "=r"(measured_hz));
#elif defined(__x86_64__) || defined(__i386__)
	const struct timespec wait = {.tv_nsec = CALIBRATION_NS};
	uint64_t c0 = 0, c1 = 0, t0 = 0, t1 = 0;

	read_both(&c0, &t0);
	nanosleep(&wait, NULL);
	read_both(&c1, &t1);
	measured_hz = (uint64_t)((double)(c1 - c0) * 1e9 / (double)(t1 - t0));
#else
	measured_hz = 1000000000u;
#endif
}

uint64_t sl_cycles_hz(void)
{
	pthread_once(&measured_once, measure);
	return measured_hz;
}

/* All CPUs that this process may use; a set of CPU_SETSIZE is too small for some machines. */
static bool is_allowed(unsigned cpu)
{
	cpu_set_t set;

	if (cpu >= CPU_SETSIZE || sched_getaffinity(0, sizeof(set), &set))
		return false;
	return CPU_ISSET(cpu, &set);
}

unsigned sl_cpu_count(void)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set))
		return 1;
	return (unsigned)CPU_COUNT(&set);
}

static int add_cpu(unsigned cpu, unsigned *cpus, unsigned room, unsigned *n, struct sl_error *err)
{
	for (unsigned i = 0; i < *n; i++)
		if (cpus[i] == cpu)
			return sl_error_set(err, -EINVAL, "CPU list: CPU %u is there twice", cpu);
	if (!is_allowed(cpu))
		return sl_error_set(err, -EINVAL,
				    "CPU list: CPU %u is offline, or not allowed to this process "
				    "(taskset -p %d)",
				    cpu, (int)getpid());
	if (*n == room)
		return sl_error_set(err, -E2BIG, "CPU list: more than %u CPUs", room);
	cpus[(*n)++] = cpu;
	return 0;
}

/* A number at *p, which moves behind it. */
static bool parse_number(const char **p, unsigned *value)
{
	char *end;
	unsigned long v;

	if (!isdigit((unsigned char)**p))
		return false;
	v = strtoul(*p, &end, 10);
	*p = end;
	*value = v > CPU_SETSIZE ? CPU_SETSIZE : (unsigned)v;
	return true;
}

int sl_cpu_list_parse(const char *text, unsigned *cpus, unsigned room, unsigned *n,
		      struct sl_error *err)
{
	const char *p = text;
	unsigned first, last;
	int rc;

	*n = 0;
	for (;;) {
		if (!parse_number(&p, &first))
			break;
		last = first;
		if (*p == '-' && (p++, !parse_number(&p, &last)))
			break;
		if (last < first)
			break;
		for (unsigned cpu = first; cpu <= last; cpu++) {
			rc = add_cpu(cpu, cpus, room, n, err);
			if (rc)
				return rc;
		}
		if (!*p)
			return 0;
		if (*p++ != ',')
			break;
	}
	return sl_error_set(err, -EINVAL,
			    "CPU list \"%.60s\": write numbers and ranges, as in 0,2-3", text);
}

void sl_cpu_list_default(unsigned *cpus, unsigned want)
{
	const unsigned allowed = sl_cpu_count();
	unsigned n = 0;

	for (unsigned cpu = 0; n < want && cpu < CPU_SETSIZE; cpu++)
		if (is_allowed(cpu))
			cpus[n++] = cpu;
	for (; n < want; n++)
		cpus[n] = n >= allowed && allowed ? cpus[n - allowed] : 0;
}

int sl_cpu_pin(pthread_t thread, unsigned cpu)
{
	cpu_set_t set;

	if (cpu >= CPU_SETSIZE)
		return -EINVAL;
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return -pthread_setaffinity_np(thread, sizeof(set), &set);
}

int sl_cpu_realtime(pthread_t thread, int priority)
{
	const struct sched_param param = {.sched_priority = priority};

	return -pthread_setschedparam(thread, SCHED_FIFO, &param);
}

int sl_cpu_slice(uint64_t ns)
{
	struct sl_sched_attr attr = {.size = sizeof(attr)};

	if (syscall(SYS_sched_getattr, 0, &attr, sizeof(attr), 0))
		return -errno;
	if (attr.policy != SCHED_OTHER && attr.policy != SCHED_BATCH)
		return 0;
	attr.runtime_ns = ns;
	return syscall(SYS_sched_setattr, 0, &attr, 0) ? -errno : 0;
}

uint16_t sl_cpu_node(int cpu)
{
	unsigned node = 0;
	char path[64];
	struct dirent *e;
	DIR *dir;

	if (cpu < 0)
		return 0;
	snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%d", cpu);
	dir = opendir(path);
	while (dir && (e = readdir(dir)))
		if (sscanf(e->d_name, "node%u", &node) == 1)
			break;
	if (dir)
		closedir(dir);
	return (uint16_t)node;
}

int sl_cpu_softirq_ns(unsigned cpu, uint64_t *ns)
{
	unsigned long long user, nice, system, idle, iowait, irq, softirq, steal;
	const uint64_t tick_ns = 1000000000u / (uint64_t)sysconf(_SC_CLK_TCK);
	char line[256], name[16];
	FILE *f;
	int rc = -ENOENT;

	f = fopen("/proc/stat", "re");
	if (!f)
		return -errno;
	snprintf(name, sizeof(name), "cpu%u ", cpu);
	while (rc && fgets(line, sizeof(line), f)) {
		if (strncmp(line, name, strlen(name)) != 0)
			continue;
		if (sscanf(line + strlen(name), "%llu %llu %llu %llu %llu %llu %llu %llu", &user,
			   &nice, &system, &idle, &iowait, &irq, &softirq, &steal) != 8)
			break;
		*ns = (irq + softirq + steal) * tick_ns;
		rc = 0;
	}
	fclose(f);
	return rc;
}
