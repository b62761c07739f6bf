/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dataplane_scene.h - the rig with RX rings: the test plays XDP, packet by packet. */
#ifndef TESTS_UNIT_DATAPLANE_SCENE_H
#define TESTS_UNIT_DATAPLANE_SCENE_H

#include <sluice/packet.h>

#include "dataplane_rig.h"

#define RING 256

/* The rig, with RX rings. */
struct scene {
	struct rig *g;
	struct xdp_desc desc[RIG_WORKERS][RING];
	uint32_t producer[RIG_WORKERS], consumer[RIG_WORKERS];
	uint32_t next[RIG_BUCKETS]; /* the number of the bucket's packet that comes next */
	unsigned done; /* packets processed */
};

/* Bucket b is worker b % RIG_WORKERS's. */
static inline struct scene *scene_new(void)
{
	struct scene *s = calloc(1, sizeof(*s));
	struct rig *g = rig_new();

	cr_assert_not_null(s);
	s->g = g;
	for (unsigned i = 0; i < RIG_WORKERS; i++) {
		struct sl_worker_ring *r = &g->worker[i].ring[0];

		r->xsk.rx = (struct xsk_ring_cons){.mask = RING - 1,
						   .size = RING,
						   .producer = &s->producer[i],
						   .consumer = &s->consumer[i],
						   .ring = s->desc[i]};
		r->open = true;
	}
	atomic_store(&g->home.active, true);
	frames_top_up(&g->dp, 0);
	for (unsigned b = 0; b < RIG_BUCKETS; b++)
		g->rows[b] = row_pack((struct sl_row){.worker = b % RIG_WORKERS});
	moves_settle(&g->dp);
	return s;
}

/* Each frame is in one place. */
static inline void scene_free(struct scene *s)
{
	struct sl_frame_count n;

	for (unsigned i = 0; i < RIG_WORKERS; i++)
		atomic_store(&s->g->worker[i].cached_shown, s->g->worker[i].cached);
	frames_count(&s->g->dp, &n);
	cr_expect_eq(n.fill + n.rx + n.parked + n.cached, n.total, "no frame leaks");
	rig_free(s->g);
	free(s);
}

/* XDP, up to the redirect: the epoch, a number, the row. */
static inline struct sl_meta stamp(struct scene *s, uint32_t bucket)
{
	const uint32_t epoch = s->g->control.epoch;

	return (struct sl_meta){.magic = SL_META_MAGIC,
				.bucket = (uint16_t)bucket,
				.epoch = epoch,
				.seq = (uint32_t)s->g->packets[bucket].packets++};
}

/* n packets of the bucket arrive, each where the row says, with these flags and tenant in their
 * stamps. */
static inline void arrive_stamped(struct scene *s, uint32_t bucket, unsigned n, uint16_t flags,
				  uint16_t tenant)
{
	struct rig *g = s->g;

	while (n--) {
		const uint64_t frame = g->fill[g->fill_consumer++ % RIG_FILL];
		const uint64_t addr = frame + sizeof(struct sl_meta);
		const unsigned w = row_load(&g->rows[bucket]).worker;

		struct sl_meta *m = (struct sl_meta *)(g->area + frame);

		*m = stamp(s, bucket);
		m->flags = flags;
		m->tenant = tenant;
		m->ticket = g->tenant_rings[w].sent++;
		s->desc[w][s->producer[w]++ % RING] = (struct xdp_desc){.addr = addr, .len = 100};
	}
}

static inline void arrive(struct scene *s, uint32_t bucket, unsigned n)
{
	arrive_stamped(s, bucket, n, 0, 0);
}

static inline void want(struct scene *s, uint32_t bucket, uint16_t worker)
{
	__atomic_store_n(&s->g->rows[bucket], row_pack((struct sl_row){.worker = worker}),
			 __ATOMIC_RELEASE);
}

static inline void settle(struct scene *s)
{
	__atomic_store_n(&s->g->control.settled, s->g->control.epoch, __ATOMIC_RELEASE);
}

static inline struct sl_owner owner(const struct scene *s, uint32_t bucket)
{
	return owner_load(&s->g->owners[bucket]);
}

#endif /* TESTS_UNIT_DATAPLANE_SCENE_H */
