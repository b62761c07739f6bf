/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lb_core_foretell.h - which core of a server a packet reaches, told another way than the balancer
 * does: Toeplitz bit by bit, and the steering program itself. And loads that leave no doubt whose
 * core is the least busy.
 */
#ifndef TESTS_BPF_LB_CORE_FORETELL_H
#define TESTS_BPF_LB_CORE_FORETELL_H

#include "lb_core_rig.h"
#include "rig.h"

/* For every set bit of the input the 32 bits of the key from there on: the definition. */
static inline uint32_t toeplitz(const uint8_t *key, const uint8_t *input, unsigned n)
{
	uint32_t hash = 0;

	for (unsigned bit = 0; bit < 8 * n; bit++) {
		uint32_t window = 0;

		if (!(input[bit / 8] >> (7 - bit % 8) & 1))
			continue;
		for (unsigned i = 0; i < 32; i++)
			window = window << 1 | (key[(bit + i) / 8] >> (7 - (bit + i) % 8) & 1);
		hash ^= window;
	}
	return hash;
}

/* Loads all different: of four servers' cores one is the least, and nothing added changes that. */
static inline void distinct_loads(void)
{
	unsigned order[2 * LB_RIG_SERVERS * CORES];

	for (unsigned k = 0; k < 2 * LB_RIG_SERVERS * CORES; k++)
		order[k] = k;
	for (unsigned k = 2 * LB_RIG_SERVERS * CORES; k-- > 1;) {
		unsigned other = draw() % (k + 1), was = order[k];

		order[k] = order[other];
		order[other] = was;
	}
	for (unsigned v6 = 0; v6 < 2; v6++)
		for (unsigned i = 0; i < LB_RIG_SERVERS; i++) {
			for (unsigned c = 0; c < CORES; c++)
				set_load(&servers[v6][i], c,
					 20 * order[(v6 * LB_RIG_SERVERS + i) * CORES + c]);
			report(&servers[v6][i]);
		}
}

static inline void set_flow(uint32_t flow)
{
	for (unsigned v6 = 0; v6 < 2; v6++)
		for (unsigned i = 0; i < LB_RIG_SERVERS; i++) {
			uint32_t id = lb_id(v6, i), zero = 0, map;
			struct sl_lb_cores c;
			int fd;

			if (sl_lb_cores_read(&lb, id, &c))
				continue;
			c.flow = flow;
			cr_assert_eq(bpf_map_lookup_elem(lb.map[SL_LB_M_CORES], &id, &map), 0);
			fd = bpf_map_get_fd_by_id(map);
			cr_assert_eq(bpf_map_update_elem(fd, &zero, &c, 0), 0);
			close(fd);
		}
}

/* --- servers that run Sluice: their steering program decides */

static struct rig *steer[2 * LB_RIG_SERVERS];

static inline void row(struct rig *r, uint32_t bucket, uint8_t core)
{
	cr_assert_eq(rig_row(r, bucket,
			     core < SL_REPORT_SPLIT
				     ? core
				     : (uint16_t)(SL_TO_PARTS + core - SL_REPORT_SPLIT)),
		     0);
}

static inline void sluice_server(bool v6, unsigned i)
{
	struct server *s = &servers[v6][i];
	struct rig **r = &steer[v6 * LB_RIG_SERVERS + i];
	const char *why;

	*r = rig_open(&why);
	cr_assert_not_null(*r, "%s", why);
	for (unsigned k = 0; k < SL_HASH_KEY; k++) {
		uint64_t word;

		memcpy(&word, s->table.key + 8 * k, 8);
		(*r)->control.hash_key[k] = be64toh(word);
	}
	cr_assert_eq(rig_write_control(*r), 0);
	for (unsigned b = 0; b < 64; b++) /* many go through parts */
		s->table.core[b * 16] = (uint8_t)(SL_REPORT_SPLIT + draw() % SL_SPLITS);
	for (unsigned k = 0; k < SL_PARTS; k++)
		row(*r, SL_DEFAULT_BUCKETS + k, s->table.split[k] = (uint8_t)(draw() % CORES));
	for (unsigned b = 0; b < SL_DEFAULT_BUCKETS; b++)
		row(*r, b, s->table.core[b]);
	for (unsigned c = 0; c < CORES; c++)
		cr_assert_eq(rig_fill_slot(*r, c), 0);
}

/* The worker that gets the frame. */
static inline unsigned steered(struct rig *r, const uint8_t *frame, unsigned len)
{
	struct rig_run run;
	struct sl_row at;
	uint32_t bucket;

	cr_assert_eq(rig_run(r, frame, len, &run), 0);
	cr_assert_eq(run.verdict, XDP_REDIRECT);
	bucket = run.meta.bucket;
	cr_assert_eq(bpf_map_lookup_elem(bpf_map__fd(r->skel->maps.indirection), &bucket, &at), 0);
	return at.worker;
}

#endif /* TESTS_BPF_LB_CORE_FORETELL_H */
