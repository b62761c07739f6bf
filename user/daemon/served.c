// SPDX-License-Identifier: GPL-2.0-or-later
/* An instance in the daemon's care. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "daemon/served.h"
#include "platform/clock.h"
#include "platform/pin.h"

static struct sl_tick_opts tick_opts(const struct sl_balance_config *b)
{
	return (struct sl_tick_opts){.tick_min_ns = b->tick_min_ns,
				     .tick_max_ns = b->tick_max_ns,
				     .threshold = b->threshold,
				     .min_gain = b->min_gain,
				     .min_interval_ns = b->min_interval_ns,
				     .max_moves = b->max_moves,
				     .plan_ns = b->plan_ns,
				     .clock = sl_clock_ns,
				     .any_node = !b->numa,
				     .smoothing_ns = b->smoothing_ns,
				     .stuck_ns = b->stuck_ns,
				     .elastic = {.enabled = b->elastic.enabled,
						 .target = b->elastic.target,
						 .min_workers = b->elastic.min_workers,
						 .max_workers = b->elastic.max_workers,
						 .ahead_ns = b->elastic.ahead_ns,
						 .hold_ns = b->elastic.hold_ns}};
}

static void pin_all(struct served *s)
{
	for (unsigned b = 0; b < s->inst->buckets; b++)
		sl_tick_pin(s->tick, b, s->pinned[b]);
	for (unsigned i = 0; i < s->balance.pins; i++)
		for (uint32_t b = s->balance.pin[i].first; b <= s->balance.pin[i].last; b++)
			sl_tick_pin(s->tick, b, true);
}

void served_configure(struct served *s, const struct sl_balance_config *balance)
{
	struct sl_tick_opts opts = tick_opts(balance);

	s->balance = *balance;
	served_withdraw(s);
	sl_tick_configure(s->tick, &opts);
	pin_all(s);
	s->due_ns = 0;
}

ino_t served_pin_inode(const char *name)
{
	char path[SL_PIN_PATH];
	struct stat st;

	sl_pin_path(path, name, NULL, NULL);
	return stat(path, &st) ? 0 : st.st_ino;
}

struct served *served_new(struct sl_instance *inst, const struct sl_balance_config *balance)
{
	struct sl_tick_opts opts = tick_opts(balance);
	struct served *s = calloc(1, sizeof(*s));

	if (!s) {
		sl_instance_close(inst);
		return NULL;
	}
	s->inst = inst;
	s->pin = served_pin_inode(inst->name);
	s->balance = *balance;
	s->reported_elephant = -1;
	s->last.plan.elephant = -1;
	memset(s->cpu, -1, sizeof(s->cpu));
	s->tick = sl_tick_new(inst->max_workers, inst->buckets, &opts);
	s->workers = calloc(inst->max_workers, sizeof(*s->workers));
	s->buckets = calloc(inst->buckets, sizeof(*s->buckets));
	s->pinned = calloc(inst->buckets, sizeof(*s->pinned));
	s->announced = calloc(inst->buckets, sizeof(*s->announced));
	if (!s->tick || !s->workers || !s->buckets || !s->pinned || !s->announced) {
		served_free(s);
		return NULL;
	}
	served_state_load(s);
	pin_all(s);
	return s;
}

void served_free(struct served *s)
{
	if (!s)
		return;
	served_tenants_free(s);
	served_withdraw(s);
	sl_tick_free(s->tick);
	free(s->workers);
	free(s->buckets);
	free(s->pinned);
	free(s->announced);
	sl_instance_close(s->inst);
	free(s);
}

void served_pause(struct served *s, bool paused)
{
	s->paused = paused;
	served_withdraw(s);
	s->due_ns = 0;
	served_state_save(s);
}

void served_pin(struct served *s, uint32_t first, uint32_t last, bool pinned)
{
	for (uint32_t b = first; b <= last && b < s->inst->buckets; b++)
		s->pinned[b] = pinned;
	served_withdraw(s);
	pin_all(s);
	served_state_save(s);
}
