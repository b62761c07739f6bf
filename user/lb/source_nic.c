// SPDX-License-Identifier: GPL-2.0-or-later
/* Of a server without Sluice: its NIC's table, the CPUs of its queues, and how busy they are. */
#include <ctype.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lb/source.h"
#include "platform/napi.h"

#define XFRM_NO_CHANGE 0xff /* RXH_XFRM_NO_CHANGE: where a driver has no transforms */
#define KEY_USED 40 /* bytes, of addresses and ports of IPv6 */
#define QUEUES_MAX 128

static unsigned cpus_n(void)
{
	long n = sysconf(_SC_NPROCESSORS_CONF);

	return n < 1 ? 1 : n > SL_REPORT_CORES ? SL_REPORT_CORES : (unsigned)n;
}

static int hash_known(const struct sl_rss *rss, const char *ifname, struct sl_error *err)
{
	if (rss->hfunc && rss->hfunc != SL_RSS_TOEPLITZ)
		return sl_error_set(err, -EOPNOTSUPP,
				    "%s does not hash by Toeplitz: ethtool -X %s hfunc toeplitz",
				    ifname, ifname);
	if (rss->transform && rss->transform != XFRM_NO_CHANGE)
		return sl_error_set(err, -EOPNOTSUPP,
				    "%s changes the fields before it hashes: ethtool -X %s xfrm "
				    "none",
				    ifname, ifname);
	if (rss->key_bytes < KEY_USED)
		return sl_error_set(err, -EOPNOTSUPP,
				    "%s: its driver does not tell its hash key: nobody can know "
				    "where a flow goes",
				    ifname);
	if (!rss->entries || rss->entries > SL_REPORT_ENTRIES ||
	    (rss->entries & (rss->entries - 1)))
		return sl_error_set(err, -EOPNOTSUPP,
				    "%s has a table of %u entries: a report takes a power of two, "
				    "%d at most",
				    ifname, rss->entries, SL_REPORT_ENTRIES);
	return 0;
}

/* A driver that does not say hashes both, as is usual. */
static void fields_of(const struct sl_rss_door *door, const char *ifname, uint8_t *fields)
{
	for (enum sl_flow_type type = 0; type < SL_FLOW_TYPES; type++) {
		uint32_t bits;

		fields[type] = SL_REPORT_ADDRESSES | SL_REPORT_PORTS;
		if (sl_rss_fields_get(door, ifname, type, &bits))
			continue;
		if (bits == SL_HASH_ADDRESSES)
			fields[type] = SL_REPORT_ADDRESSES;
		else if (bits != (SL_HASH_ADDRESSES | SL_HASH_PORTS))
			fields[type] = 0;
	}
}

int sl_source_nic_table(const struct sl_rss_door *door, const char *ifname, const unsigned *cpu,
			unsigned queues_n, struct sl_core_table *t, struct sl_error *err)
{
	struct sl_rss *rss = malloc(sizeof(*rss));
	int rc = rss ? sl_rss_get(door, ifname, rss) : -ENOMEM;

	_Static_assert((int)SL_FLOW_UDP6 == (int)SL_REPORT_UDP6, "flow types in one order");
	if (rc)
		sl_error_set(err, rc, "%s: its driver shows no RSS: %s", ifname, strerror(-rc));
	else
		rc = hash_known(rss, ifname, err);
	if (!rc) {
		*t = (struct sl_core_table){.hash = SL_REPORT_TOEPLITZ,
					    .cores = (uint8_t)cpus_n(),
					    .entries = (uint16_t)rss->entries};
		memcpy(t->key, rss->key, KEY_USED);
		memset(t->split, SL_REPORT_NOBODY, sizeof(t->split));
		fields_of(door, ifname, t->fields);
		for (unsigned i = 0; i < rss->entries; i++) {
			unsigned queue = rss->reta[i];

			t->core[i] = queue < queues_n && cpu[queue] < cpus_n() ? (uint8_t)cpu[queue]
									       : SL_REPORT_NOBODY;
		}
	}
	free(rss);
	return rc;
}

/* The first CPU where an interrupt is delivered, else where it may be. */
static int irq_cpu(int irq)
{
	static const char *const files[] = {"effective_affinity_list", "smp_affinity_list"};
	char path[64];

	for (unsigned i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		int cpu = -1, n;
		FILE *f;

		snprintf(path, sizeof(path), "/proc/irq/%d/%s", irq, files[i]);
		f = fopen(path, "re");
		n = f ? fscanf(f, "%d", &cpu) : 0;
		if (f)
			fclose(f);
		if (n == 1)
			return cpu;
	}
	return -1;
}

int sl_source_nic_cpus(const char *ifname, unsigned *cpu, unsigned room)
{
	struct sl_napi napis[QUEUES_MAX];
	unsigned n = 0, queues = 0;

	if (sl_napi_list((int)if_nametoindex(ifname), napis, QUEUES_MAX, &n))
		return -ENODATA;
	for (unsigned i = 0; i < room; i++)
		cpu[i] = SL_REPORT_NOBODY;
	for (unsigned i = 0; i < n; i++) {
		int at = napis[i].irq < 0 ? -1 : irq_cpu(napis[i].irq);

		if (napis[i].queue < 0 || (unsigned)napis[i].queue >= room || at < 0)
			continue;
		cpu[napis[i].queue] = (unsigned)at;
		if ((unsigned)napis[i].queue >= queues)
			queues = (unsigned)napis[i].queue + 1;
	}
	return queues ? (int)queues : -ENODATA;
}

/* --- CPUs */

/* "cpu3 user nice system idle iowait irq softirq steal ..." */
void sl_source_cpus_parse(const char *line, struct sl_source_cpus *now)
{
	unsigned long long t[8] = {0}, all = 0;
	unsigned cpu;

	if (sscanf(line, "cpu%u %llu %llu %llu %llu %llu %llu %llu %llu", &cpu, &t[0], &t[1], &t[2],
		   &t[3], &t[4], &t[5], &t[6], &t[7]) < 5 ||
	    cpu >= SL_REPORT_CORES)
		return;
	for (unsigned i = 0; i < 8; i++)
		all += t[i];
	now->all[cpu] = all;
	now->busy[cpu] = all - t[3] - t[4];
	if (cpu >= now->n)
		now->n = cpu + 1;
}

int sl_source_cpus_read(struct sl_source_cpus *now)
{
	char line[512];
	FILE *f = fopen("/proc/stat", "re");

	memset(now, 0, sizeof(*now));
	if (!f)
		return -errno;
	while (fgets(line, sizeof(line), f))
		if (!strncmp(line, "cpu", 3) && isdigit((unsigned char)line[3]))
			sl_source_cpus_parse(line, now);
	fclose(f);
	return 0;
}

void sl_source_cpus_loads(const struct sl_source_cpus *before, const struct sl_source_cpus *now,
			  struct sl_core_loads *out)
{
	out->cores = cpus_n();
	for (unsigned i = 0; i < out->cores; i++) {
		uint64_t busy = now->busy[i] - before->busy[i], all = now->all[i] - before->all[i];

		out->load[i] = all && busy < all ? (uint16_t)(SL_REPORT_CORE * busy / all)
			       : all		 ? (uint16_t)SL_REPORT_CORE
						 : 0;
	}
}
