// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * send_xsk.c - paced or full-rate sending by AF_XDP: any traffic, any queue.
 */
#include <errno.h>
#include <math.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "cli/gen/pace.h"
#include "cli/gen/port.h"
#include "cli/gen/send.h"

/* How long what is due or in the rings may wait at the end for a receiver that pushes back. */
#define FLUSH_NS 1000000000u
/* How soon a ring that the kernel left unfinished is tried again while nothing is due. */
#define RETRY_NS 50000u

struct sender {
	struct gen_plan *plan;
	struct gen_sent *sent;
	struct gen_source source;
	struct gen_schedule schedule;
	struct gen_port *port; /* [plan->queues] */
	uint64_t margin_ns, end_ns, measure_ns;
	uint64_t limit; /* packets */
	uint64_t accepted_before; /* the measured time */
	bool measuring;
	int rc;
};

static uint64_t accepted(const struct sender *s)
{
	uint64_t n = 0;

	for (unsigned q = 0; q < s->plan->queues; q++)
		n += s->port[q].accepted;
	return n;
}

static bool pending(const struct sender *s)
{
	for (unsigned q = 0; q < s->plan->queues; q++)
		if (s->port[q].pending)
			return true;
	return false;
}

/* False when the run is over. */
static bool go_on(const struct sender *s, uint64_t now)
{
	return !s->rc && !atomic_load_explicit(s->plan->stop, memory_order_relaxed) &&
	       (!s->end_ns || now < s->end_ns) && s->sent->made < s->limit &&
	       gen_source_more(&s->source);
}

static uint64_t kick_all(struct sender *s)
{
	const uint64_t before = gen_now_ns();
	uint64_t after;

	for (unsigned q = 0; q < s->plan->queues && !s->rc; q++)
		if (s->port[q].pending)
			s->rc = gen_port_kick(&s->port[q]);
	after = gen_now_ns();
	s->sent->send_ns += after - before;
	return after;
}

/* A frame of the queue, waiting for one while its ring is stuck. NULL: the run ended meanwhile. */
static uint8_t *frame_of(struct sender *s, struct gen_port *port)
{
	uint8_t *frame = gen_port_frame(port);

	while (!frame && go_on(s, gen_now_ns())) {
		kick_all(s);
		frame = gen_port_frame(port);
		if (!frame)
			sched_yield();
	}
	return frame;
}

/* Make up to n packets; returns the time behind the last. */
static uint64_t make(struct sender *s, uint64_t n, uint64_t now)
{
	const uint64_t began = now, sending = s->sent->send_ns;

	while (n-- && go_on(s, now)) {
		struct gen_pick pick = gen_source_pick(&s->source, now);
		struct gen_port *port = &s->port[pick.queue];
		uint8_t *frame = frame_of(s, port);
		uint32_t len;

		if (!frame)
			break;
		now = gen_now_ns();
		if (s->schedule.rate > 0) {
			uint64_t due = gen_due_ns(&s->schedule, s->sent->made);

			if (s->measuring)
				sl_histogram_add(&s->sent->late, now > due ? now - due : 0);
		}
		len = gen_source_write(&s->source, &pick, frame, now);
		gen_port_push(port, frame, len, pick.flow == CAPTURE_UNTRACKED);
		s->sent->made++;
	}
	now = gen_now_ns();
	s->sent->build_ns += now - began - (s->sent->send_ns - sending);
	return now;
}

static void begin_measuring(struct sender *s, uint64_t now)
{
	s->measuring = true;
	s->measure_ns = now;
	s->accepted_before = accepted(s);
	if (s->plan->rx)
		atomic_store(&s->plan->rx->measure_from_ns, now);
}

/* Nothing is due: wait for it, but not longer than a stuck ring or the end may wait. */
static uint64_t wait_for_due(struct sender *s, uint64_t now)
{
	uint64_t until = gen_due_ns(&s->schedule, s->sent->made);

	if (pending(s)) {
		kick_all(s);
		if (until > now + RETRY_NS)
			until = now + RETRY_NS;
	}
	if (s->end_ns && until > s->end_ns)
		until = s->end_ns;
	gen_wait_until(until, s->margin_ns);
	return gen_now_ns();
}

static void flush(struct sender *s)
{
	const uint64_t end = gen_now_ns() + FLUSH_NS;

	while (!s->rc && pending(s) && gen_now_ns() < end) {
		kick_all(s);
		if (pending(s))
			sched_yield();
	}
}

/*
 * When to stop. What is due within the duration is sent even if late, so that a stalled sender does
 * not change how much was asked for.
 */
static void set_end(struct sender *s, uint64_t now)
{
	const struct gen_plan *plan = s->plan;
	const uint64_t whole = plan->warmup_ns + plan->duration_ns;
	double due;

	s->limit = plan->count ? plan->count : UINT64_MAX;
	if (!plan->duration_ns)
		return;
	s->end_ns = now + whole;
	if (plan->rate <= 0)
		return;
	s->end_ns += FLUSH_NS;
	due = round(plan->rate * (double)whole / 1e9);
	if (due < (double)s->limit)
		s->limit = due < 1 ? 1 : (uint64_t)due;
}

static void send_all(struct sender *s)
{
	const struct gen_plan *plan = s->plan;
	uint64_t now = gen_now_ns();

	s->schedule = (struct gen_schedule){now, plan->rate, plan->burst};
	s->sent->start_ns = now;
	set_end(s, now);
	gen_source_init(&s->source, s->plan, now);
	while (go_on(s, now)) {
		uint64_t due;

		if (!s->measuring && now >= s->sent->start_ns + plan->warmup_ns)
			begin_measuring(s, now);
		due = gen_due_count(&s->schedule, now);
		if (due <= s->sent->made) {
			now = wait_for_due(s, now);
			continue;
		}
		due -= s->sent->made;
		make(s, due < plan->batch ? due : plan->batch, now);
		now = kick_all(s);
	}
	flush(s);
	s->sent->end_ns = gen_now_ns();
}

static void sum_up(struct sender *s)
{
	struct gen_sent *sent = s->sent;

	for (unsigned q = 0; q < s->plan->queues; q++) {
		const struct gen_port *p = &s->port[q];

		sent->accepted += p->accepted;
		sent->refused += p->refused;
		sent->left += p->pending;
		sent->untracked += p->untracked_accepted;
		sent->backpressure += p->backpressure;
	}
	if (s->measuring) {
		sent->measured = sent->accepted - s->accepted_before;
		sent->measured_ns = sent->end_ns - s->measure_ns;
	}
}

int gen_send_xsk(struct gen_plan *plan, struct gen_sent *sent, struct sl_error *err)
{
	struct sender s = {.plan = plan, .sent = sent};
	uint32_t frame_max = plan->captured ? plan->capture.frame_max : plan->traffic.size;
	unsigned opened = 0;
	int rc = 0;

	memset(sent, 0, sizeof(*sent));
	sent->mode = GEN_XSK;
	s.port = calloc(plan->queues, sizeof(*s.port));
	if (!s.port)
		return sl_error_set(err, -ENOMEM, "no memory for %u queues", plan->queues);
	for (; !rc && opened < plan->queues; opened += !rc)
		rc = gen_port_open(&s.port[opened], plan->link.name, plan->queue[opened], frame_max,
				   err);
	if (rc)
		goto out;
	if (plan->rate > 0)
		s.margin_ns = gen_spin_margin_ns();
	send_all(&s);
	sum_up(&s);
	rc = s.rc;
	if (rc)
		sl_error_set(err, rc, "%s stopped taking packets after %lu: %s", plan->link.name,
			     (unsigned long)sent->accepted, strerror(-rc));
out:
	while (opened)
		gen_port_close(&s.port[--opened]);
	free(s.port);
	return rc;
}
