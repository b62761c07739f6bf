// SPDX-License-Identifier: GPL-2.0-or-later
#include <string.h>

#include "cli/gen/pace.h"
#include "cli/gen/send.h"

uint32_t gen_shift_step(uint32_t flows)
{
	/* The golden section: hot sets of successive shifts overlap least. */
	uint32_t step = (uint32_t)(flows * 0.6180339887);

	return flows > 1 && !step ? 1 : step;
}

void gen_source_init(struct gen_source *s, struct gen_plan *plan, uint64_t start_ns)
{
	*s = (struct gen_source){
		.plan = plan,
		.random = plan->seed,
		.shift_step = gen_shift_step(plan->traffic.flows),
		.next_shift_ns = start_ns + plan->shift_ns,
	};
}

bool gen_source_more(const struct gen_source *s)
{
	return !s->plan->captured || !s->plan->loops || s->loop < s->plan->loops;
}

/* A packet without a flow goes where flow 0 goes: its queue must not change either. */
static struct gen_pick pick_captured(struct gen_source *s)
{
	const struct gen_plan *plan = s->plan;
	struct gen_pick pick = {.index = s->next, .flow = plan->capture.packet[s->next].flow};

	if (pick.flow != CAPTURE_UNTRACKED)
		pick.queue = pick.flow % plan->queues;
	if (++s->next == plan->capture.packets) {
		s->next = 0;
		s->loop++;
	}
	return pick;
}

struct gen_pick gen_source_pick(struct gen_source *s, uint64_t now_ns)
{
	const struct gen_plan *plan = s->plan;
	const uint32_t n = plan->traffic.flows;
	uint64_t draw;
	uint32_t column, flow;

	if (plan->captured)
		return pick_captured(s);
	if (plan->shift_ns && now_ns >= s->next_shift_ns) {
		s->next_shift_ns += plan->shift_ns;
		s->shift = sl_gen_shifted(s->shift, s->shift_step, n);
	}
	draw = sl_gen_random(&s->random);
	column = sl_alias_column(draw, n);
	flow = sl_gen_shifted(sl_alias_rank(&plan->alias[column], column, draw), s->shift, n);
	return (struct gen_pick){.flow = flow, .queue = plan->flow[flow].queue};
}

uint32_t gen_source_write(struct gen_source *s, const struct gen_pick *pick, uint8_t *frame,
			  uint64_t now_ns)
{
	struct gen_plan *plan = s->plan;
	uint64_t seq = 0;

	if (!plan->captured) {
		gen_frame_write(frame, plan->traffic.size, &plan->flow[pick->flow], pick->flow,
				plan->run, now_ns);
		return plan->traffic.size;
	}
	if (pick->flow != CAPTURE_UNTRACKED)
		seq = plan->seq[pick->flow]++;
	return capture_frame_write(&plan->capture, &plan->capture.packet[pick->index], frame,
				   plan->run, seq, now_ns);
}
