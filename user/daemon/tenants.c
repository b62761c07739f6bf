// SPDX-License-Identifier: GPL-2.0-or-later
/* An instance's tenants: what the maps say to control/tenants.c, and its rates into the gates. */
#include <stdlib.h>
#include <string.h>

#include "daemon/log.h"
#include "daemon/served.h"
#include "platform/config_tenants.h"
#include "platform/cpu.h"
#include "platform/tenants.h"

#define LOAD(x) __atomic_load_n(&(x), __ATOMIC_RELAXED)
#define TICK_NS 100000000ull

struct served_tenants {
	struct sl_tenants_config config;
	char name[SL_MAX_TENANTS][SL_TENANT_NAME]; /* by id */
	double weight[SL_MAX_TENANTS]; /* by id; 0: none */
	unsigned queues; /* of all interfaces, as many as their maps have room for */
	struct sl_tenants *control;
	struct sl_tenant_arrived *arrived; /* [queue * SL_MAX_TENANTS + id] */
	uint64_t due_ns;
};

void served_tenants_free(struct served *s)
{
	struct served_tenants *t = s->tenants;

	if (!t)
		return;
	sl_tenants_free(t->control);
	free(t->arrived);
	free(t);
	s->tenants = NULL;
}

static struct served_tenants *tenants_new(const struct sl_instance *inst)
{
	struct served_tenants *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	for (unsigned i = 0; i < inst->ifaces; i++)
		t->queues += inst->iface[i].queues_max;
	t->control = sl_tenants_new(t->queues);
	/* an instance has a queue at least, but that is not to be seen here */
	t->arrived =
		calloc((size_t)(t->queues ? t->queues : 1) * SL_MAX_TENANTS, sizeof(*t->arrived));
	if (t->control && t->arrived)
		return t;
	sl_tenants_free(t->control);
	free(t->arrived);
	free(t);
	return NULL;
}

const struct sl_tenants_config *served_tenants_config(const struct served *s)
{
	return s->tenants ? &s->tenants->config : NULL;
}

static struct sl_tenant_gate *gate_of(const struct served *s, unsigned queue, unsigned id)
{
	unsigned i = 0;

	for (; queue >= s->inst->iface[i].queues_max; i++)
		queue -= s->inst->iface[i].queues_max;
	return &s->inst->iface[i].gates[queue * SL_MAX_TENANTS + id];
}

/* Only the daemon's line; each word by itself, for XDP reads them one by one. */
static void write_gate(struct sl_tenant_gate *to, const struct sl_tenant_gate *from)
{
	__atomic_store_n(&to->floor_packet, from->floor_packet, __ATOMIC_RELAXED);
	__atomic_store_n(&to->floor_byte, from->floor_byte, __ATOMIC_RELAXED);
	__atomic_store_n(&to->share_packet, from->share_packet, __ATOMIC_RELAXED);
	__atomic_store_n(&to->share_byte, from->share_byte, __ATOMIC_RELAXED);
	__atomic_store_n(&to->floor_depth, from->floor_depth, __ATOMIC_RELAXED);
	__atomic_store_n(&to->share_depth, from->share_depth, __ATOMIC_RELAXED);
	__atomic_store_n(&to->turn_norm, from->turn_norm, __ATOMIC_RELAXED);
	__atomic_store_n(&to->turn_byte, from->turn_byte, __ATOMIC_RELAXED);
	__atomic_store_n(&to->turn_credit, from->turn_credit, __ATOMIC_RELAXED);
}

/* Who is gone has no weight, and nothing that could be short. */
static void open_gates(const struct served *s)
{
	const struct served_tenants *t = s->tenants;
	const struct sl_tenant_gate open = {0};

	for (unsigned q = 0; q < t->queues; q++)
		for (unsigned id = 0; id < SL_TENANT_TOTAL; id++)
			if (t->weight[id] <= 0)
				write_gate(gate_of(s, q, id), &open);
}

static void write_gates(const struct served *s)
{
	const struct served_tenants *t = s->tenants;
	struct sl_tenant_gate gate;

	for (unsigned q = 0; q < t->queues; q++)
		for (unsigned id = 0; id < SL_MAX_TENANTS; id++) {
			if (id != SL_TENANT_TOTAL && t->weight[id] <= 0)
				continue;
			sl_tenants_gate(t->control, q, id, &gate);
			write_gate(gate_of(s, q, id), &gate);
		}
}

static unsigned running(const struct served *s)
{
	unsigned n = 0;

	for (unsigned w = 0; w < s->inst->max_workers; w++)
		n += LOAD(s->inst->workers[w].state) == SL_WORKER_RUNNING;
	return n;
}

static void say(const struct served *s, const struct sl_tenants_config *config)
{
	if (!config->n) {
		log_line(LOG_NOTICE, "%s: no tenants any more", s->inst->name);
		return;
	}
	log_line(LOG_NOTICE, "%s: %u tenants, %s", s->inst->name, config->n,
		 sl_policy_name(config->policy));
	if (running(s) && !LOAD(s->inst->control->flow_memory))
		log_line(LOG_WARNING,
			 "%s: flow tables are not shared, for sluice run was there before the "
			 "tenants: start it again, at best with --flow-tenants",
			 s->inst->name);
}

/* Ids, from the maps or new, and the table. */
static int install(struct served *s, const struct sl_tenants_config *config,
		   struct sl_tenants_named *named, struct sl_error *err)
{
	named->n = config->n;
	for (unsigned i = 0; i < config->n; i++)
		named->name[i] = config->tenant[i].name;
	return sl_tenants_install(s->inst, named, config->rule, config->rules_n, err);
}

static void adopt(struct served_tenants *t, const struct sl_tenants_config *config,
		  const struct sl_tenants_named *named)
{
	struct sl_tenants_opts opts = {.policy = config->policy,
				       .half_life = (double)config->half_life_ns / 1e9,
				       .borrowable = config->borrowable,
				       .bytes = config->bandwidth / 8};

	t->config = *config;
	memset(t->weight, 0, sizeof(t->weight));
	strcpy(t->name[0], "others");
	t->weight[0] = config->others;
	for (unsigned i = 0; i < config->n; i++) {
		strcpy(t->name[named->id[i]], named->name[i]);
		t->weight[named->id[i]] = config->tenant[i].weight;
	}
	memcpy(opts.weight, t->weight, sizeof(opts.weight));
	sl_tenants_configure(t->control, &opts);
}

void served_tenants_configure(struct served *s, const struct sl_tenants_config *config)
{
	struct sl_tenants_named named = {0};
	struct sl_error err;

	if (!config->n && !sl_tenants_on(s->inst))
		return;
	if (install(s, config, &named, &err)) {
		log_line(LOG_ERR, "%s: tenants: %s", s->inst->name, err.text);
		return;
	}
	say(s, config);
	if (!config->n) {
		served_tenants_free(s);
		return;
	}
	if (!s->tenants)
		s->tenants = tenants_new(s->inst);
	if (!s->tenants) {
		log_line(LOG_ERR, "%s: tenants: no memory, nobody's share is kept", s->inst->name);
		return;
	}
	adopt(s->tenants, config, &named);
	open_gates(s);
	s->tenants->due_ns = s->due_ns = 0;
}

/* --- a round */

static void read_arrived(const struct served *s)
{
	const struct served_tenants *t = s->tenants;

	for (unsigned q = 0; q < t->queues; q++)
		for (unsigned id = 0; id < SL_TENANT_TOTAL; id++) {
			const struct sl_tenant_gate *g = gate_of(s, q, id);

			if (t->weight[id] > 0)
				t->arrived[q * SL_MAX_TENANTS + id] = (struct sl_tenant_arrived){
					LOAD(g->packets), LOAD(g->bytes), LOAD(g->drops)};
		}
}

/* A gauge of which only the sum over workers says something; they are read one after the other. */
static uint64_t not_below_0(uint64_t sum)
{
	return (int64_t)sum > 0 ? sum : 0;
}

static void read_done(const struct served *s, struct sl_tenant_done *done)
{
	const struct sl_tenant_work *work = s->inst->tenant_work;

	for (unsigned w = 0; w < s->inst->max_workers; w++)
		for (unsigned id = 0; id < SL_TENANT_TOTAL; id++) {
			const struct sl_tenant_work *k = &work[w * SL_MAX_TENANTS + id];

			if (s->tenants->weight[id] <= 0)
				continue;
			done[id].cycles += LOAD(k->cycles);
			done[id].packets += LOAD(k->packets);
			done[id].bytes += LOAD(k->bytes);
			done[id].slots += (double)LOAD(k->slots) / 256;
			/* differences, of which the sum over workers is the gauge */
			done[id].flows += (double)(int64_t)LOAD(k->flow_bytes);
		}
}

/* Of rings that a running worker serves. */
static double count_slots(const struct served *s)
{
	double slots = 0;

	for (unsigned i = 0; i < s->inst->ifaces; i++)
		for (unsigned q = 0; q < s->inst->iface[i].queues_max; q++)
			for (unsigned w = 0; w < s->inst->max_workers; w++) {
				const struct sl_tenant_ring *r =
					&s->inst->iface[i].tenant_rings[q * SL_MAX_WORKERS + w];

				if (LOAD(s->inst->workers[w].state) == SL_WORKER_RUNNING)
					slots += LOAD(r->low) ? LOAD(r->size) : 0;
			}
	return slots;
}

static double count_cycles(const struct served *s)
{
	const uint64_t hz = LOAD(s->inst->control->tsc_hz);

	return (double)running(s) * (double)(hz ? hz : sl_cycles_hz());
}

uint64_t served_tenants_round(struct served *s, uint64_t now_ns)
{
	struct sl_tenant_done done[SL_MAX_TENANTS] = {0};
	struct served_tenants *t = s->tenants;
	struct sl_tenants_sample sample;

	if (!t)
		return UINT64_MAX;
	if (now_ns < t->due_ns)
		return t->due_ns;
	read_arrived(s);
	read_done(s, done);
	sample = (struct sl_tenants_sample){.now_ns = now_ns,
					    .cycles = count_cycles(s),
					    .slots = count_slots(s),
					    .flows = (double)LOAD(s->inst->control->flow_memory),
					    .queues = t->queues,
					    .arrived = t->arrived,
					    .done = done};
	sl_tenants_run(t->control, &sample);
	write_gates(s);
	t->due_ns = now_ns + TICK_NS;
	return t->due_ns;
}

/* --- what is told */

bool served_tenant_get(const struct served *s, unsigned id, struct served_tenant *out)
{
	const struct served_tenants *t = s->tenants;

	if (!t || id >= SL_TENANT_TOTAL || !*t->name[id])
		return false;
	*out = (struct served_tenant){.name = t->name[id],
				      .weight = t->weight[id],
				      .view = sl_tenants_view(t->control, id),
				      .gone = t->weight[id] <= 0};
	for (unsigned q = 0; q < t->queues; q++) {
		const struct sl_tenant_gate *g = gate_of(s, q, id);

		out->packets += LOAD(g->packets);
		out->bytes += LOAD(g->bytes);
		out->drops += LOAD(g->drops);
		out->drop_bytes += LOAD(g->drop_bytes);
	}
	for (unsigned w = 0; w < s->inst->max_workers; w++) {
		const struct sl_tenant_work *k = &s->inst->tenant_work[w * SL_MAX_TENANTS + id];

		out->cycles += LOAD(k->cycles);
		out->flows += LOAD(k->flows);
		out->flow_bytes += LOAD(k->flow_bytes);
	}
	out->flows = not_below_0(out->flows);
	out->flow_bytes = not_below_0(out->flow_bytes);
	return true;
}
