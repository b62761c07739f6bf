// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/doctor.h"

#define I(x) ((json_int_t)(x))

static json_t *answer_json(enum sl_answer answer)
{
	return answer == SL_UNKNOWN ? json_null() : json_boolean(answer == SL_YES);
}

static const char *answer_word(enum sl_answer answer)
{
	return answer == SL_UNKNOWN ? "unknown" : answer == SL_YES ? "yes" : "no";
}

static const char *mode_word(enum sl_fact_mode mode)
{
	return mode == SL_FACT_NATIVE ? "native" : mode == SL_FACT_GENERIC ? "generic" : "detached";
}

/* "0-3,8" */
static void cpus_text(const struct sl_cpu_set *set, char *text, size_t size)
{
	size_t used = 0;

	text[0] = 0;
	for (unsigned cpu = 0; cpu < SL_FACT_CPUS; cpu++) {
		unsigned last = cpu;

		if (!sl_cpu_set_has(set, cpu))
			continue;
		while (sl_cpu_set_has(set, last + 1))
			last++;
		if (used < size)
			used += (size_t)snprintf(text + used, size - used,
						 last > cpu ? "%s%u-%u" : "%s%u", used ? "," : "",
						 cpu, last);
		cpu = last;
	}
}

static json_t *offloads_json(const struct sl_fact_offloads *o)
{
	return json_pack("{s:b,s:b,s:b,s:b,s:b,s:b,s:b}", "gro", o->gro != SL_OFFLOAD_OFF, "lro",
			 o->lro != SL_OFFLOAD_OFF, "gro_hw", o->gro_hw != SL_OFFLOAD_OFF, "rxvlan",
			 o->vlan_rx != SL_OFFLOAD_OFF, "txvlan", o->vlan_tx != SL_OFFLOAD_OFF,
			 "tx_checksum", o->checksum_tx != SL_OFFLOAD_OFF, "tso",
			 o->segment_tx != SL_OFFLOAD_OFF);
}

static json_t *peer_json(const struct sl_facts *f)
{
	if (!f->peer_known)
		return json_null();
	return json_pack("{s:s,s:s,s:I,s:o}", "name", f->peer, "reach", f->peer_reach, "tx_queues",
			 I(f->peer_tx), "offloads", offloads_json(&f->peer_offloads));
}

static json_t *rss_json(const struct sl_facts *f)
{
	json_t *entries = json_array();

	if (!f->rss) {
		json_decref(entries);
		return json_null();
	}
	for (unsigned i = 0; i < f->reta_n; i++)
		json_array_append_new(entries, json_integer(I(f->reta[i])));
	return json_pack("{s:o,s:b,s:I}", "reta", entries, "toeplitz", f->hfunc == 1, "key_bytes",
			 I(f->key_bytes));
}

static json_t *napis_json(const struct sl_facts *f)
{
	json_t *rows = json_array();
	char cpus[512];

	for (unsigned i = 0; i < f->napis; i++) {
		const struct sl_fact_napi *n = &f->napi[i];

		cpus_text(&n->cpus, cpus, sizeof(cpus));
		json_array_append_new(
			rows, json_pack("{s:I,s:o,s:o,s:o,s:s}", "napi", I(n->id), "queue",
					n->queue < 0 ? json_null() : json_integer(n->queue), "irq",
					n->irq < 0 ? json_null() : json_integer(n->irq), "thread",
					n->pid ? json_integer(n->pid) : json_null(), "cpus", cpus));
	}
	return rows;
}

static json_t *workers_json(const struct sl_facts *f)
{
	json_t *cpus = json_array();

	for (unsigned w = 0; w < f->workers; w++)
		json_array_append_new(cpus, json_integer(f->worker_cpu[w]));
	return cpus;
}

json_t *doctor_facts_json(const struct sl_facts *f)
{
	char cpus[512];

	cpus_text(&f->cpus, cpus, sizeof(cpus));
	return json_pack("{s:s,s:b,s:I,s:I,s:I,s:o,s:o,s:o,s:s,s:o,s:o,s:o,s:o,s:s,s:o}", "driver",
			 f->driver, "up", f->up, "mtu", I(f->mtu), "rx_queues", I(f->rx),
			 "rx_queues_max", I(f->rx_max), "native", answer_json(f->native),
			 "zerocopy", answer_json(f->zerocopy), "rx_hash", answer_json(f->rx_hash),
			 "mode", mode_word(f->attached), "offloads", offloads_json(&f->offloads),
			 "peer", peer_json(f), "rss", rss_json(f), "napis", napis_json(f), "cpus",
			 cpus, "worker_cpus", workers_json(f));
}

static void print_napis(const struct sl_facts *f)
{
	char cpus[512], source[32];

	for (unsigned i = 0; i < f->napis; i++) {
		const struct sl_fact_napi *n = &f->napi[i];

		if (n->pid)
			snprintf(source, sizeof(source), "thread %d", n->pid);
		else if (n->irq >= 0)
			snprintf(source, sizeof(source), "interrupt %d", n->irq);
		else
			continue;
		cpus_text(&n->cpus, cpus, sizeof(cpus));
		printf("napi       %u: %s, CPU %s\n", n->id, source, cpus);
	}
}

void doctor_facts_print(const struct sl_facts *f)
{
	char cpus[512];

	cpus_text(&f->cpus, cpus, sizeof(cpus));
	printf("interface  %s (%s), %s, MTU %u, %s\n", f->ifname, f->driver, f->up ? "up" : "down",
	       f->mtu, mode_word(f->attached));
	printf("queues     %u of %u\n", f->rx, f->rx_max);
	if (f->rss)
		printf("rss        %u entries, %s, key of %u bytes\n", f->reta_n,
		       f->hfunc == 1 ? "toeplitz" : "another hash", f->key_bytes);
	else
		printf("rss        none\n");
	printf("driver     native XDP %s, zero-copy %s\n", answer_word(f->native),
	       answer_word(f->zerocopy));
	if (f->peer_known)
		printf("peer       %s, %u TX queues%s%s\n", f->peer, f->peer_tx,
		       f->peer_reach[0] ? ", reached by: " : "", f->peer_reach);
	print_napis(f);
	printf("cpus       %s", cpus);
	for (unsigned w = 0; w < f->workers; w++)
		printf("%s%d", w ? ", " : "; workers on ", f->worker_cpu[w]);
	puts("\n");
}
