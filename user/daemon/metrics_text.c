// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The metrics as text (Prometheus exposition format 0.0.4). Base units, counters end in _total. The
 * number of series is bounded by instances, workers, tenants and causes: none is per bucket, and
 * one flow at most is named, an elephant's heaviest.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "daemon/daemon.h"
#include "daemon/tenants_told.h"
#include "platform/cpu.h"
#include "platform/elephant.h"
#include "platform/losses.h"
#include "platform/nic_state.h"

#define LOAD(x) __atomic_load_n(&(x), __ATOMIC_RELAXED)

static void head(FILE *f, const char *name, const char *type, const char *help)
{
	fprintf(f, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* --- per instance */

struct instance_metric {
	const char *name, *type, *help;
	double (*value)(const struct served *s);
};

static unsigned running_workers(const struct served *s)
{
	unsigned n = 0;

	for (unsigned w = 0; s->dataplane && w < s->inst->max_workers; w++)
		n += LOAD(s->inst->workers[w].state) == SL_WORKER_RUNNING;
	return n;
}

static unsigned asleep_workers(const struct served *s)
{
	bool elastic = s->dataplane && s->balance.elastic.enabled;

	return elastic ? sl_tick_elastic(s->tick)->asleep_n : 0;
}

static unsigned split_buckets(const struct served *s)
{
	unsigned n = 0;

	for (unsigned k = 0; k < SL_SPLITS; k++)
		n += LOAD(s->inst->control->split[k]) != 0;
	return n;
}

#define VALUE(name, of_s)                                                                          \
	static double v_##name(const struct served *s)                                             \
	{                                                                                          \
		return (double)(of_s);                                                             \
	}
VALUE(running, s->dataplane)
VALUE(paused, s->paused || !s->balance.enabled)
VALUE(started, LOAD(s->inst->control->moves_started))
VALUE(refused, LOAD(s->inst->control->moves_refused))
VALUE(planned, s->moves)
VALUE(plans, s->plans)
VALUE(plans_told, s->plans_told)
VALUE(plans_late, s->plans_late)
VALUE(rounds, s->rounds)
VALUE(highest, s->last.plan.before)
VALUE(bound, s->last.plan.bound)
VALUE(stuck, s->last.stuck_n)
VALUE(elephant, s->last.plan.elephant >= 0)
VALUE(awake, running_workers(s) - asleep_workers(s))
VALUE(asleep, asleep_workers(s))
VALUE(elephant_load,
      s->last.plan.elephant < 0 ? 0 : sl_tick_load(s->tick)->buckets[s->last.plan.elephant].load)
VALUE(split, split_buckets(s))
VALUE(incarnation, LOAD(s->inst->control->incarnation))

static const struct instance_metric instance_metrics[] = {
	{"sluice_dataplane_up", "gauge", "1 while a dataplane runs.", v_running},
	{"sluice_dataplane_starts_total", "counter", "Starts of a dataplane since attach.",
	 v_incarnation},
	{"sluice_balance_paused", "gauge", "1 while the daemon moves nothing.", v_paused},
	{"sluice_balance_rounds_total", "counter", "Rounds of the control loop.", v_rounds},
	{"sluice_balance_plans_total", "counter", "Plans that moved buckets.", v_plans},
	{"sluice_balance_plans_told_total", "counter",
	 "Plans that load balancers were told of before.", v_plans_told},
	{"sluice_balance_plans_late_total", "counter",
	 "Plans that were not put off any longer for the agent that tells.", v_plans_late},
	{"sluice_balance_moves_total", "counter", "Rows that the daemon stored.", v_planned},
	{"sluice_moves_started_total", "counter",
	 "Moves that the dataplane began, by whomever "
	 "asked.",
	 v_started},
	{"sluice_moves_refused_total", "counter", "Moves that the dataplane refused.", v_refused},
	{"sluice_load_highest_ratio", "gauge", "Highest demand of a worker, in cores.", v_highest},
	{"sluice_load_bound_ratio", "gauge", "No assignment of buckets can be below, in cores.",
	 v_bound},
	{"sluice_workers_awake", "gauge", "Workers that run and are not asleep.", v_awake},
	{"sluice_workers_asleep", "gauge", "Workers that balance.elastic has put to sleep.",
	 v_asleep},
	{"sluice_workers_stuck", "gauge", "Workers without a heartbeat.", v_stuck},
	{"sluice_buckets_split", "gauge", "Buckets that are split into parts.", v_split},
	{"sluice_elephant", "gauge", "1 while one bucket needs more than a core.", v_elephant},
	{"sluice_elephant_load_ratio", "gauge", "What that bucket needs, in cores.",
	 v_elephant_load},
};

static void put_elephants(FILE *f, const struct daemon *d)
{
	head(f, "sluice_elephant_flow_share_ratio", "gauge",
	     "Share that the heaviest flow of the elephant has in its time.");
	for (unsigned i = 0; i < d->served_n; i++) {
		const struct served *s = d->served[i];
		char flow[SL_HEAVY_TEXT];
		struct sl_elephant e;

		if (s->last.plan.elephant < 0 ||
		    !sl_elephant_read(s->inst, (uint32_t)s->last.plan.elephant, &e))
			continue;
		sl_heavy_flow_text(&e.flow[0], flow);
		fprintf(f, "sluice_elephant_flow_share_ratio{instance=\"%s\",flow=\"%s\"} %.3f\n",
			s->inst->name, flow, e.flow[0].share / 1000.0);
	}
}

static void put_instances(FILE *f, const struct daemon *d)
{
	for (unsigned m = 0; m < sizeof(instance_metrics) / sizeof(instance_metrics[0]); m++) {
		const struct instance_metric *k = &instance_metrics[m];

		head(f, k->name, k->type, k->help);
		for (unsigned i = 0; i < d->served_n; i++)
			fprintf(f, "%s{instance=\"%s\"} %.17g\n", k->name, d->served[i]->inst->name,
				k->value(d->served[i]));
	}
}

/* --- per worker */

enum unit { COUNT, SECONDS }; /* cycles become seconds */

struct worker_metric {
	const char *name, *type, *help;
	size_t offset; /* of a 64-bit word of struct sl_worker */
	enum unit unit;
};

#define WORKER(member) offsetof(struct sl_worker, member)

static const struct worker_metric worker_metrics[] = {
	{"sluice_worker_busy_seconds_total", "counter", "Time in rounds that found packets.",
	 WORKER(busy_cycles), SECONDS},
	{"sluice_worker_poll_seconds_total", "counter", "Time in rounds that found none.",
	 WORKER(idle_cycles), SECONDS},
	{"sluice_worker_sleep_seconds_total", "counter", "Time asleep.", WORKER(sleep_cycles),
	 SECONDS},
	{"sluice_worker_received_packets_total", "counter", "Packets taken from RX rings.",
	 WORKER(rx_packets), COUNT},
	{"sluice_worker_received_bytes_total", "counter", "Bytes taken from RX rings.",
	 WORKER(rx_bytes), COUNT},
	{"sluice_worker_sent_packets_total", "counter", "Packets handed to TX rings.",
	 WORKER(forwarded), COUNT},
	{"sluice_worker_sent_bytes_total", "counter", "Bytes handed to TX rings.", WORKER(tx_bytes),
	 COUNT},
	{"sluice_worker_parked_packets_total", "counter", "Packets that waited for a hand-over.",
	 WORKER(parked), COUNT},
	{"sluice_worker_ring_full_packets_total", "counter", "Packets lost to a full RX ring.",
	 WORKER(ring_full), COUNT},
	{"sluice_worker_flows", "gauge", "Flow-table entries in owned shards.", WORKER(flows),
	 COUNT},
	{"sluice_worker_flows_refused_total", "counter", "Flows refused for want of memory.",
	 WORKER(flow_refused), COUNT},
	{"sluice_worker_flows_evicted_total", "counter", "Flows evicted for want of memory.",
	 WORKER(flow_evicted), COUNT},
};

/* Has it ever run? Rows of workers that never did are left out. */
static bool worker_known(const struct served *s, unsigned w)
{
	return LOAD(s->inst->workers[w].heartbeat_ns) != 0;
}

static void put_worker_value(FILE *f, const struct worker_metric *k, const struct served *s,
			     unsigned w)
{
	const char *row = (const char *)&s->inst->workers[w];
	uint64_t v = LOAD(*(const uint64_t *)(row + k->offset));
	uint64_t hz = LOAD(s->inst->control->tsc_hz);

	fprintf(f, "%s{instance=\"%s\",worker=\"%u\"} ", k->name, s->inst->name, w);
	if (k->unit == SECONDS)
		fprintf(f, "%.6f\n", hz ? (double)v / (double)hz : 0);
	else
		fprintf(f, "%llu\n", (unsigned long long)v);
}

static void put_demand(FILE *f, const struct daemon *d)
{
	head(f, "sluice_worker_demand_ratio", "gauge",
	     "What a worker's buckets ask for, in cores; may exceed 1.");
	for (unsigned i = 0; i < d->served_n; i++)
		for (unsigned w = 0; w < d->served[i]->inst->max_workers; w++)
			if (worker_known(d->served[i], w))
				fprintf(f,
					"sluice_worker_demand_ratio{instance=\"%s\",worker=\"%u\"} "
					"%.6f\n",
					d->served[i]->inst->name, w,
					sl_tick_load(d->served[i]->tick)->workers[w].demand);
}

static void put_workers(FILE *f, const struct daemon *d)
{
	for (unsigned m = 0; m < sizeof(worker_metrics) / sizeof(worker_metrics[0]); m++) {
		const struct worker_metric *k = &worker_metrics[m];

		head(f, k->name, k->type, k->help);
		for (unsigned i = 0; i < d->served_n; i++)
			for (unsigned w = 0; w < d->served[i]->inst->max_workers; w++)
				if (worker_known(d->served[i], w))
					put_worker_value(f, k, d->served[i], w);
	}
	put_demand(f, d);
}

/* --- NICs' own tables */

struct nic_metric {
	const char *name, *type, *help;
	double (*value)(const struct sl_nic_state *nic);
};

#define NIC_VALUE(name, of_nic)                                                                    \
	static double nic_##name(const struct sl_nic_state *nic)                                   \
	{                                                                                          \
		return (double)(of_nic);                                                           \
	}
NIC_VALUE(follows, nic->state == SL_NIC_FOLLOWS)
NIC_VALUE(astray_now, nic->state == SL_NIC_ASTRAY)
NIC_VALUE(own, nic->own / 1000.0)
NIC_VALUE(writes, nic->writes)
NIC_VALUE(written, nic->written)
NIC_VALUE(packets, nic->packets)
NIC_VALUE(astray, nic->astray)
NIC_VALUE(late, nic->late)

static const struct nic_metric nic_metrics[] = {
	{"sluice_nic_follows", "gauge", "1 while packets come in as the NIC's own table says.",
	 nic_follows},
	{"sluice_nic_astray", "gauge", "1 while they come in elsewhere.", nic_astray_now},
	{"sluice_nic_own_queue_ratio", "gauge",
	 "Share of packets that come in on a queue of their worker's own.", nic_own},
	{"sluice_nic_writes_total", "counter", "Writes of the NIC's table.", nic_writes},
	{"sluice_nic_entries_written_total", "counter", "Entries that changed in them.",
	 nic_written},
	{"sluice_nic_packets_total", "counter", "Packets held against the NIC's table.",
	 nic_packets},
	{"sluice_nic_astray_packets_total", "counter",
	 "Of these, what came in elsewhere than the table says.", nic_astray},
	{"sluice_nic_late_packets_total", "counter",
	 "Packets that others may have overtaken after an entry changed.", nic_late},
};

static void put_nics(FILE *f, const struct daemon *d)
{
	for (unsigned m = 0; m < sizeof(nic_metrics) / sizeof(nic_metrics[0]); m++) {
		const struct nic_metric *k = &nic_metrics[m];

		head(f, k->name, k->type, k->help);
		for (unsigned i = 0; i < d->served_n; i++)
			for (unsigned n = 0; n < d->served[i]->inst->ifaces; n++) {
				const struct sl_instance *inst = d->served[i]->inst;
				const struct sl_nic_state nic = sl_nic_state_read(inst, n);

				fprintf(f, "%s{instance=\"%s\",interface=\"%s\"} %.17g\n", k->name,
					inst->name, inst->iface[n].name, k->value(&nic));
			}
	}
}

/* --- where packets went */

static void put_fate(FILE *f, const struct served *s, const char *fate, uint64_t n)
{
	fprintf(f, "sluice_packets_total{instance=\"%s\",fate=\"%s\"} %llu\n", s->inst->name, fate,
		(unsigned long long)n);
}

static void put_fates(FILE *f, const struct served *s)
{
	char name[SL_DROP_NAME + 1], label[SL_DROP_NAME + 16];
	struct sl_losses l;

	if (sl_losses_read(s->inst, &l))
		return;
	put_fate(f, s, "seen", l.seen);
	put_fate(f, s, "delivered", l.delivered);
	put_fate(f, s, "forwarded", l.forwarded);
	put_fate(f, s, "consumed", l.consumed);
	put_fate(f, s, "ring_full", l.ring_full);
	put_fate(f, s, "no_frame", l.no_frame);
	put_fate(f, s, "no_slot", l.no_slot);
	put_fate(f, s, "bad_row", l.bad_row);
	put_fate(f, s, "stamp_error", l.stamp_error);
	put_fate(f, s, "redirect_error", l.redirect_error);
	put_fate(f, s, "park_overflow", l.park_overflow);
	put_fate(f, s, "stray", l.stray);
	put_fate(f, s, "abandoned", l.abandoned);
	put_fate(f, s, "passed_to_stack", sl_losses_passed(&l));
	for (unsigned r = 0; r < SL_DROP_REASONS; r++) {
		if (!l.nf_drop[r])
			continue;
		sl_drop_name(s->inst, r, name);
		for (char *p = name; *p; p++)
			if (*p == '"' || *p == '\\' || *p < ' ')
				*p = '_';
		snprintf(label, sizeof(label), "nf_drop_%s", name);
		put_fate(f, s, label, l.nf_drop[r]);
	}
}

static void put_daemon(FILE *f, const struct daemon *d)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	head(f, "sluice_build_info", "gauge", "The version, as a label.");
	fprintf(f, "sluice_build_info{version=\"%s\"} 1\n", SL_VERSION);
	head(f, "sluice_reloads_total", "counter", "Configurations read, by outcome.");
	fprintf(f, "sluice_reloads_total{result=\"ok\"} %llu\n", (unsigned long long)d->reloads);
	fprintf(f, "sluice_reloads_total{result=\"refused\"} %llu\n",
		(unsigned long long)d->reloads_failed);
	head(f, "process_cpu_seconds_total", "counter", "CPU time of the daemon.");
	fprintf(f, "process_cpu_seconds_total %.6f\n",
		(double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
			(double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6);
}

char *metrics_text(struct daemon *d, size_t *len)
{
	char *text = NULL;
	FILE *f = open_memstream(&text, len);

	if (!f)
		return NULL;
	put_daemon(f, d);
	put_instances(f, d);
	put_elephants(f, d);
	put_workers(f, d);
	put_nics(f, d);
	tenants_told_metrics(f, d->served, d->served_n);
	head(f, "sluice_packets_total", "counter",
	     "Packets by fate: seen is the sum of delivered and the losses before a worker.");
	for (unsigned i = 0; i < d->served_n; i++)
		put_fates(f, d->served[i]);
	if (fclose(f)) {
		free(text);
		return NULL;
	}
	return text;
}
