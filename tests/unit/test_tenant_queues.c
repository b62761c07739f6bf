// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Whose turn it is at a worker, and what must hold whoever's it is: the order within a tenant, no
 * bucket released of which packets wait, and places in rings that XDP can count on.
 */
#include "dataplane/batch.h"
#include "dataplane_scene.h"

#define A 0
#define B 1
#define BUCKET 3 /* A's */
#define SET SL_META_TENANT
#define OTHER_SET (SL_META_TENANT | SL_META_TENANT_SET)
#define ONE 1000 /* cycles that a packet takes here */

static struct scene *scene(void)
{
	static struct sl_tenant_work work[RIG_WORKERS * SL_MAX_TENANTS];
	struct scene *s = scene_new();

	s->g->inst.tenant_work = work;
	s->g->control.flags = SL_CTL_TENANTS;
	for (unsigned w = 0; w < RIG_WORKERS; w++) {
		struct sl_tenant_meter *m = &s->g->worker[w].meter;

		tenants_round(&s->g->worker[w]);
		for (unsigned t = 0; t < SL_MAX_TENANTS; t++)
			m->cost[t] = ONE;
	}
	return s;
}

static void come(struct scene *s, uint16_t tenant, unsigned n)
{
	arrive_stamped(s, BUCKET, n, SET, tenant);
}

/* The next batch of A, n packets at most, its tenants as digits. */
static const char *turns(struct scene *s, unsigned n)
{
	static char text[SL_BATCH + 1];
	struct worker *w = &s->g->worker[A];

	w->max = n;
	worker_collect(w);
	for (unsigned i = 0; i < w->batch; i++)
		text[i] = (char)('0' + w->packet[i].meta->tenant);
	text[w->batch] = 0;
	worker_finish(w);
	return text;
}

static void run_out(struct scene *s, unsigned w)
{
	s->g->worker[w].max = SL_BATCH;
	while (worker_collect(&s->g->worker[w]))
		worker_finish(&s->g->worker[w]);
	worker_finish(&s->g->worker[w]);
}

static void done(struct scene *s)
{
	for (unsigned w = 0; w < RIG_WORKERS; w++) {
		run_out(s, w);
		cr_expect_eq(s->g->stat[w].held, 0);
		cr_expect_eq(s->g->worker[w].queues.waiting, 0);
	}
	scene_free(s);
}

Test(tenant_queues, a_backlog_does_not_stand_in_anothers_way)
{
	struct scene *s = scene();

	come(s, 1, 60);
	cr_expect_str_eq(turns(s, 4), "1111");
	come(s, 2, 3);
	cr_expect_str_eq(turns(s, 8), "21212111");
	done(s);
}

/* Twice the cost, half the packets; twice the weight, twice the packets; bytes count where they are
 * scarcer. */
Test(tenant_queues, turns_are_of_what_a_packet_takes_by_weight)
{
	struct scene *s = scene();
	unsigned n[4] = {0};

	s->g->worker[A].meter.cost[1] = 2 * ONE;
	s->g->gates[3].turn_norm = 1u << 15;
	for (uint16_t t = 1; t <= 3; t++)
		come(s, t, 30);
	for (const char *c = turns(s, 35); *c; c++)
		n[*c - '0']++;
	cr_expect(n[1] == 5 && n[2] == 10 && n[3] == 20, "%u %u %u", n[1], n[2], n[3]);
	done(s);

	s = scene();
	s->g->gates[1].turn_byte = 40 << 10; /* 100 bytes: four times the cycles */
	come(s, 1, 30);
	come(s, 2, 30);
	cr_expect_str_eq(turns(s, 10), "1222212222");
	done(s);
}

Test(tenant_queues, who_was_away_has_no_turns_saved_but_a_credit)
{
	struct scene *s = scene();
	const uint64_t mhz = s->g->dp.tsc_hz / 1000000;

	s->g->worker[A].meter.cost[1] = s->g->worker[A].meter.cost[2] = (uint32_t)mhz; /* 1 us */
	come(s, 1, 30);
	cr_expect_str_eq(turns(s, 20), "11111111111111111111");
	come(s, 2, 10);
	cr_expect_str_eq(turns(s, 6), "212121", "no memory");
	run_out(s, A);
	s->g->gates[2].turn_credit = 5000; /* ns: five turns */
	come(s, 1, 20);
	cr_expect_str_eq(turns(s, 10), "1111111111");
	come(s, 2, 10);
	cr_expect_str_eq(turns(s, 9), "222222121");
	done(s);

	/* nobody waits: what the last packet took is over */
	s = scene();
	s->g->worker[A].meter.cost[1] = 10 * ONE;
	come(s, 1, 1);
	turns(s, 1);
	s->g->worker[A].meter.cost[1] = ONE;
	come(s, 1, 5);
	come(s, 2, 5);
	cr_expect_str_eq(turns(s, 6), "121212");
	done(s);
}

Test(tenant_queues, a_batch_takes_a_millisecond_and_one_packet_at_least)
{
	struct scene *s = scene();

	s->g->worker[A].meter.cost[1] = (uint32_t)(s->g->dp.tsc_hz / 5000);
	come(s, 1, 20);
	cr_expect_str_eq(turns(s, SL_BATCH), "11111");
	s->g->worker[A].meter.cost[1] = (uint32_t)(s->g->dp.tsc_hz / 10);
	cr_expect_str_eq(turns(s, SL_BATCH), "1");
	s->g->worker[A].meter.cost[1] = 1;
	cr_expect_str_eq(turns(s, SL_BATCH), "11111111111111");
	done(s);
}

/* Numbers of a tenant's packets only grow, in whatever order tenants are served. */
Test(tenant_queues, the_order_within_a_tenant_is_that_of_arrival)
{
	struct scene *s = scene();
	struct worker *w = &s->g->worker[A];
	int64_t last[4] = {-1, -1, -1, -1};
	unsigned n = 0;

	for (unsigned i = 0; i < 40; i++) {
		come(s, 1, 1 + i % 3);
		come(s, 2 + i % 2, 1);
		w->max = 2;
		n += worker_collect(w);
		for (unsigned k = 0; k < w->batch; k++) {
			const struct sl_meta *m = w->packet[k].meta;

			cr_expect_gt(m->seq, last[m->tenant]);
			last[m->tenant] = m->seq;
		}
		worker_finish(w);
	}
	cr_expect_eq(n, 80);
	cr_expect_eq(s->g->stat[A].held, w->queues.waiting);
	cr_expect_eq(s->producer[A] - 80, w->queues.waiting);
	done(s);
}

/* The bucket is to go to B, `n` packets of tenant 1 and one of tenant 2 having come. */
static struct scene *leaving(unsigned n)
{
	struct scene *s = scene();

	come(s, 1, n);
	come(s, 2, 1);
	want(s, BUCKET, B);
	cr_assert_eq(moves_start(&s->g->dp), 1);
	return s;
}

/* The last of the bucket's numbers has been processed, an older one waits for its turn. */
Test(tenant_queues, no_bucket_goes_while_packets_of_it_wait)
{
	struct scene *s = leaving(8);

	cr_expect_str_eq(turns(s, 3), "121");
	cr_expect_eq(owner(s, BUCKET).owner, A, "six wait");
	settle(s);
	arrive_stamped(s, 0, 1, SET, 2); /* a newer stamp, out of the ring */
	cr_expect_str_eq(turns(s, 2), "21");
	cr_expect_eq(owner(s, BUCKET).owner, A, "whatever the rings say");
	come(s, 1, 2); /* at B */
	worker_collect(&s->g->worker[B]);
	cr_expect_eq(s->g->worker[B].batch, 0, "parked");
	worker_finish(&s->g->worker[B]);
	cr_expect_str_eq(turns(s, 8), "11111");
	cr_expect_eq(owner(s, BUCKET).owner, B);
	cr_expect_eq(worker_collect(&s->g->worker[B]), 2);
	done(s);
}

/* The last packet processed is not the one with the last number. */
Test(tenant_queues, numbers_meet_without_a_grace_period)
{
	struct scene *s = leaving(4);

	cr_expect_str_eq(turns(s, 8), "12111");
	cr_expect_eq(owner(s, BUCKET).owner, B);
	cr_expect_eq(s->g->stat[A].released_d, 1);
	done(s);
}

/* Tenant 2's flow is tenant 1's by the new rules: its packets stay behind the older ones. */
Test(tenant_queues, when_rules_change_what_waits_comes_first)
{
	struct scene *s = scene();

	come(s, 1, 5);
	come(s, 2, 5);
	cr_expect_str_eq(turns(s, 2), "12");
	arrive_stamped(s, BUCKET, 3, OTHER_SET, 1);
	come(s, 2, 1); /* a poll that had begun by the old rules */
	cr_expect_str_eq(turns(s, 20), "12121212111"
				       "2");
	done(s);
}

Test(tenant_queues, tenants_that_go_leave_nothing_behind)
{
	struct scene *s = scene();

	come(s, 1, 9);
	cr_expect_str_eq(turns(s, 2), "11");
	cr_expect_not(worker_idle(&s->g->worker[A]));
	s->g->control.flags = 0;
	tenants_round(&s->g->worker[A]);
	arrive(s, BUCKET, 2);
	cr_expect_str_eq(turns(s, SL_BATCH), "111111100");
	cr_expect(worker_idle(&s->g->worker[A]));
	done(s);
}

Test(tenant_queues, for_xdp_what_waits_is_in_the_ring)
{
	struct scene *s = scene();
	const struct sl_tenant_ring *r = &s->g->tenant_rings[A];

	come(s, 1, 1);
	turns(s, 1);
	cr_expect(r->low && r->size == RIG_FRAMES);
	come(s, 1, 10);
	come(s, 2, 5);
	turns(s, 4);
	cr_expect_eq(r->sent - r->taken, 11, "%u", r->sent - r->taken);
	turns(s, 4);
	cr_expect_eq(r->sent - r->taken, 7);
	run_out(s, A);
	cr_expect_eq(r->sent - r->taken, 0);
	done(s);
}
