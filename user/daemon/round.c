// SPDX-License-Identifier: GPL-2.0-or-later
/* One round of the control loop, and what it tells the operator. */
#include "daemon/log.h"
#include "daemon/served.h"
#include "platform/announce.h"
#include "platform/clock.h"
#include "platform/elephant.h"
#include "platform/nic_state.h"

/*
 * Rounds may take 1/100 of a CPU, and do so only while something happens. Of CPU time: on a CPU
 * that workers keep busy a round waits, and that is no reason to wait longer. By the mean of the
 * latest rounds: one that planned takes three times as much, and the look at what came of it must
 * not wait for that.
 */
#define ROUND_SHARE 100
#define ROUND_MEAN 8
#define ELEPHANT_ROUNDS 10 /* a burst is none */
#define IDLE_NS 200000000ULL /* how often to look whether a dataplane has come */

static void report_stuck(struct served *s, const struct sl_tick_result *r)
{
	bool now[SL_MAX_WORKERS] = {false};

	for (unsigned i = 0; i < r->stuck_n; i++)
		now[r->stuck[i]] = true;
	for (unsigned w = 0; w < s->inst->max_workers; w++) {
		if (now[w] && !s->reported_stuck[w])
			log_line(
				LOG_ERR,
				"%s: worker %u is stuck: no heartbeat; its buckets stay where they "
				"are until it answers or is stopped",
				s->inst->name, w);
		else if (!now[w] && s->reported_stuck[w])
			log_line(LOG_NOTICE, "%s: worker %u answers again", s->inst->name, w);
		s->reported_stuck[w] = now[w];
	}
}

/* Its owner tells which flows it consists of soon after the bucket was marked. */
static void report_flow(struct served *s)
{
	const int b = s->reported_elephant;
	struct sl_elephant e;
	char flow[SL_HEAVY_TEXT];
	double load, share;

	if (b < 0)
		return;
	served_mark(s, (uint32_t)b, SL_ROW_ELEPHANT);
	if (s->reported_flow || !sl_elephant_read(s->inst, (uint32_t)b, &e))
		return;
	load = (double)sl_tick_load(s->tick)->buckets[b].load;
	share = e.flow[0].share / 1000.0;
	sl_heavy_flow_text(&e.flow[0], flow);
	log_line(LOG_WARNING, "%s: bucket %d: %s takes %.0f %% of it, %.1f cores%s", s->inst->name,
		 b, flow, 100 * share, load * share,
		 load * share > 1 ? ": one flow above a core, no table can spread it" : "");
	s->reported_flow = true;
}

static void report_elephant(struct served *s, const struct sl_tick_result *r)
{
	int e = r->plan.elephant;

	s->elephant_rounds = e == s->reported_elephant ? 0 : s->elephant_rounds + 1;
	if (s->elephant_rounds < ELEPHANT_ROUNDS)
		return;
	s->elephant_rounds = 0;
	if (e >= 0)
		log_line(LOG_WARNING,
			 "%s: bucket %d needs %.1f cores: no move can help it, it gets a worker to "
			 "itself",
			 s->inst->name, e, (double)sl_tick_load(s->tick)->buckets[e].load);
	else
		log_line(LOG_NOTICE, "%s: no bucket needs more than a core any more",
			 s->inst->name);
	if (s->reported_elephant >= 0)
		served_mark(s, (uint32_t)s->reported_elephant, SL_ROW_WORKER);
	s->reported_elephant = e;
	s->reported_flow = false;
	s->split_asked = false;
}

static void report_awake(struct served *s)
{
	const struct sl_elastic *e = sl_tick_elastic(s->tick);

	if (!s->balance.elastic.enabled || !e->begun || e->awake_n == s->reported_awake)
		return;
	log_line(LOG_INFO, "%s: %u workers awake for a load of %.2f cores", s->inst->name,
		 e->awake_n, e->load);
	s->reported_awake = e->awake_n;
}

/* Only what is wrong, and what was. */
static void report_nics(struct served *s)
{
	char line[SL_NIC_LINE];

	for (unsigned i = 0; i < s->inst->ifaces; i++) {
		const unsigned state = sl_nic_state_read(s->inst, i).state;

		if (state == s->reported_nic[i])
			continue;
		if (sl_nic_trouble(s->inst, i, line))
			log_line(LOG_WARNING, "%s: %s", s->inst->name, line);
		else if (state == SL_NIC_FOLLOWS)
			log_line(LOG_INFO, "%s: the NIC of %s follows the table", s->inst->name,
				 s->inst->iface[i].name);
		s->reported_nic[i] = state;
	}
}

static void report(struct served *s, const struct sl_tick_result *r)
{
	report_stuck(s, r);
	report_awake(s);
	report_nics(s);
	/* A round that did not plan knows nothing of elephants. */
	if (r->verdict != SL_TICK_LEARNING && r->verdict != SL_TICK_NO_WORKERS)
		report_elephant(s, r);
	report_flow(s);
}

static void watch_dataplane(struct served *s)
{
	bool runs = sl_instance_running(s->inst);
	uint64_t incarnation = __atomic_load_n(&s->inst->control->incarnation, __ATOMIC_RELAXED);

	if (runs != s->dataplane)
		log_line(LOG_NOTICE, "%s: dataplane %s", s->inst->name,
			 runs ? "runs" : "is gone: packets take the fallback verdict");
	s->dataplane = runs;
	/* Another one has dealt its buckets to all its workers. */
	if (s->incarnation != incarnation)
		sl_tick_restart(s->tick);
	s->incarnation = incarnation;
}

static uint64_t sooner(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

void served_round(struct served *s, uint64_t now_ns)
{
	uint64_t began = sl_clock_thread_ns(), tenants;
	struct sl_tick_result r;
	struct sl_sample sample;

	watch_dataplane(s);
	if (!s->dataplane) {
		served_withdraw(s);
		s->due_ns = now_ns + IDLE_NS;
		return;
	}
	tenants = served_tenants_round(s, now_ns);
	if (served_announced(s, now_ns)) {
		if (!s->due_ns)
			s->tick_due_ns = 0;
		s->due_ns = sooner(now_ns + SL_ANNOUNCE_POLL_NS, tenants);
		return;
	}
	if (s->due_ns && now_ns < s->tick_due_ns) {
		s->due_ns = sooner(s->tick_due_ns, tenants);
		return;
	}
	sample = served_sample(s, now_ns);
	sl_tick_run(s->tick, &sample, &r);
	if (!s->paused && s->balance.enabled && r.moves_n && served_apply(s, r.moves, r.moves_n))
		sl_tick_applied(s->tick, now_ns);
	report(s, &r);
	served_splits(s, now_ns);
	s->last = r;
	s->last.moves = NULL;
	s->rounds++;
	s->round_ns = sl_clock_thread_ns() - began;
	s->round_mean_ns += ((double)s->round_ns - s->round_mean_ns) / ROUND_MEAN;
	if ((double)r.next_ns < s->round_mean_ns * ROUND_SHARE)
		r.next_ns = (uint64_t)(s->round_mean_ns * ROUND_SHARE);
	s->tick_due_ns = now_ns + r.next_ns;
	s->due_ns = sooner(s->tick_due_ns, tenants);
	if (s->announced_n)
		s->due_ns = sooner(s->due_ns, now_ns + SL_ANNOUNCE_POLL_NS);
}
