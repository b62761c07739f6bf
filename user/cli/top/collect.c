// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/top/collect.h"

#include <stdio.h>
#include <stdlib.h>

#include "cli/move_log.h"
#include "cli/sample.h"
#include "cli/target.h"
#include "platform/losses.h"

/* Fixed causes and the NFs' reasons. */
#define LOSSES_MAX (10 + SL_DROP_REASONS)

struct collector {
	struct sample *sample;
	struct sl_losses before, after;
	uint64_t moves_before;
	struct top_view view;
	struct top_worker worker[SL_MAX_WORKERS];
	struct top_bucket *bucket;
	struct sl_move *moves; /* room for the whole ring */
	struct top_loss loss[LOSSES_MAX];
	char drop_name[SL_DROP_REASONS][SL_DROP_NAME + 1];
	char title[160], warning[128];
};

struct collector *collector_new(const struct sl_instance *inst)
{
	struct collector *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->sample = sample_new(inst);
	c->bucket = calloc(inst->buckets, sizeof(*c->bucket));
	c->moves = calloc(SL_MOVE_LOG, sizeof(*c->moves));
	if (c->sample && c->bucket && c->moves)
		return c;
	collector_free(c);
	return NULL;
}

void collector_free(struct collector *c)
{
	if (!c)
		return;
	sample_free(c->sample);
	free(c->bucket);
	free(c->moves);
	free(c);
}

static void collect_workers(struct collector *c, const struct sl_instance *inst)
{
	double sum = 0, max = 0;

	c->view.workers = sample_worker_count(inst);
	c->view.worker = c->worker;
	c->view.pps = 0;
	for (unsigned i = 0; i < c->view.workers; i++) {
		const struct sl_worker *w = &c->sample->after.workers[i];
		const struct worker_rate *r = &c->sample->workers[i];

		c->worker[i] = (struct top_worker){.worker = i,
						   .cpu = w->cpu,
						   .state = sample_worker_state(c->sample, i),
						   .load = r->load,
						   .pps = r->pps,
						   .buckets = r->buckets,
						   .ring_fill = w->ring_fill};
		c->view.pps += r->pps;
		sum += r->load;
		max = r->load > max ? r->load : max;
	}
	c->view.unbalance = sum > 0 ? max * c->view.workers / sum : 0;
}

/* Behind the last one that exists. */
static unsigned buckets_end(const struct sl_instance *inst)
{
	unsigned end = inst->buckets;

	while (!sl_bucket_exists(inst, end - 1))
		end--;
	return end;
}

static void collect_buckets(struct collector *c, const struct sl_instance *inst)
{
	c->view.buckets = buckets_end(inst);
	c->view.bucket = c->bucket;
	for (unsigned b = 0; b < c->view.buckets; b++) {
		const struct bucket_rate *r = &c->sample->buckets[b];

		c->bucket[b] = (struct top_bucket){
			.owner = r->owner.owner < SL_MAX_WORKERS ? r->owner.owner : UINT16_MAX,
			.moving = r->owner.owner != r->owner.next,
			.load = (float)r->load};
	}
}

static void collect_moves(struct collector *c, const struct sl_instance *inst)
{
	uint64_t started = inst->control->moves_started;
	unsigned n = move_log_read(inst->moves, 0, c->moves);

	c->view.moves = move_log_latest(c->moves, n, TOP_MOVES);
	c->view.move = c->moves;
	c->view.moves_rate = (double)(started - c->moves_before) / c->sample->seconds;
	c->moves_before = started;
}

static void add_loss(struct collector *c, const char *name, uint64_t before, uint64_t after)
{
	if (!after)
		return;
	c->loss[c->view.losses++] =
		(struct top_loss){.name = name,
				  .total = after,
				  .rate = (double)(after - before) / c->sample->seconds};
}

static void collect_losses(struct collector *c, const struct sl_instance *inst)
{
	const struct sl_losses *b = &c->before, *a = &c->after;

	c->before = c->after;
	if (sl_losses_read(inst, &c->after))
		c->after = c->before;
	c->view.losses = 0;
	c->view.loss = c->loss;
	add_loss(c, "ring_full", b->ring_full, a->ring_full);
	add_loss(c, "no_frame", b->no_frame, a->no_frame);
	add_loss(c, "no_slot", b->no_slot, a->no_slot);
	add_loss(c, "park_overflow", b->park_overflow, a->park_overflow);
	add_loss(c, "stray", b->stray, a->stray);
	add_loss(c, "abandoned", b->abandoned, a->abandoned);
	add_loss(c, "stamp_error", b->stamp_error, a->stamp_error);
	add_loss(c, "bad_row", b->bad_row, a->bad_row);
	add_loss(c, "redirect_error", b->redirect_error, a->redirect_error);
	for (unsigned r = 0; r < SL_DROP_REASONS; r++) {
		sl_drop_name(inst, r, c->drop_name[r]);
		add_loss(c, c->drop_name[r], b->nf_drop[r], a->nf_drop[r]);
	}
}

static void collect_title(struct collector *c, const struct sl_instance *inst)
{
	const struct sl_control *ctl = inst->control;
	bool alive = target_dataplane_alive(inst);

	snprintf(c->title, sizeof(c->title), "%s  %s  %u workers  epoch %u  %llu moves", inst->name,
		 ctl->xdp_mode == SL_XDP_NATIVE	   ? "native"
		 : ctl->xdp_mode == SL_XDP_GENERIC ? "generic"
						   : "",
		 alive ? ctl->workers : 0, ctl->epoch, (unsigned long long)ctl->moves_started);
	c->view.title = c->title;
	c->view.warning = NULL;
	if (!alive) {
		snprintf(c->warning, sizeof(c->warning), "no dataplane: packets go to the stack");
		c->view.warning = c->warning;
	}
	for (unsigned i = 0; alive && i < c->view.workers; i++)
		if (c->sample->workers[i].stuck) {
			snprintf(c->warning, sizeof(c->warning), "worker %u is stuck", i);
			c->view.warning = c->warning;
		}
}

const struct top_view *collect(struct collector *c, const struct sl_instance *inst)
{
	sample_take(c->sample, inst);
	c->view.now_ns = c->sample->after.now_ns;
	collect_workers(c, inst);
	collect_buckets(c, inst);
	collect_moves(c, inst);
	collect_losses(c, inst);
	collect_title(c, inst);
	return &c->view;
}
