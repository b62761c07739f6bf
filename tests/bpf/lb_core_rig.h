/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lb_core_rig.h - select: core on the balancer of lb_rig.h: its servers have cores, whose loads and
 * tables come in as datagrams; connections are begun, and the cores that were meant counted.
 */
#ifndef TESTS_BPF_LB_CORE_RIG_H
#define TESTS_BPF_LB_CORE_RIG_H

#include <sys/mman.h>

#include "lb_rig.h"
#include "lb/loads.h"
#include "lb/report.h"

#define CORES 4

static struct lb_rig rig;
static struct sl_lb lb;
static struct sl_lb_loads *receiver;

/* A server as the test knows it. */
static struct server {
	struct sl_report_sender sender;
	struct sl_core_table table;
	struct sl_core_loads loads;
} servers[2][LB_RIG_SERVERS];

static inline uint32_t draw(void)
{
	static uint64_t state = 7;

	state = state * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint32_t)(state >> 32);
}

/* --- reports */

static inline int send_table(struct server *s)
{
	uint8_t d[SL_REPORT_MAX];
	int rc = 0;

	for (unsigned i = 0; !rc && i < sl_report_parts(&s->table); i++)
		rc = sl_lb_loads_take(receiver, d,
				      sl_report_put_table(&s->sender, &s->table, i, d));
	return rc;
}

static inline int send_loads(struct server *s)
{
	uint8_t d[SL_REPORT_MAX];

	return sl_lb_loads_take(receiver, d, sl_report_put_loads(&s->sender, &s->loads, d));
}

static inline void report(struct server *s)
{
	cr_assert_eq(send_table(s), 0);
	cr_assert_eq(send_loads(s), 0);
}

static inline struct sl_lb_cores cores_of(unsigned id)
{
	struct sl_lb_cores c;

	cr_assert_eq(sl_lb_cores_read(&lb, id, &c), 0);
	return c;
}

static inline void set_load(struct server *s, unsigned core, unsigned permille)
{
	s->loads.load[core] = (uint16_t)(permille * SL_REPORT_CORE / 1000);
}

static inline void new_server(bool v6, unsigned i, enum sl_report_hash hash, unsigned entries)
{
	struct server *s = &servers[v6][i];

	*s = (struct server){.sender = {.server = (uint16_t)lb_id(v6, i), .boot = 1, .table = 1},
			     .table = {.hash = (uint8_t)hash,
				       .cores = CORES,
				       .entries = (uint16_t)entries,
				       .fields = {3, 3, 3, 3}},
			     .loads = {.cores = CORES, .period_ms = 100}};
	sl_report_key((const uint64_t *)rig.control.key[0], s->sender.key);
	for (unsigned k = 0; k < sizeof(s->table.key); k++)
		s->table.key[k] = (uint8_t)draw();
	for (unsigned k = 0; k < entries; k++)
		s->table.core[k] = (uint8_t)(draw() % CORES);
	memset(s->table.split, SL_REPORT_NOBODY, sizeof(s->table.split));
}

static inline void store_table(bool v6)
{
	int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "lb_rows", 4, sizeof(rig.table), 1, NULL);
	uint32_t zero = 0, vip = v6;

	cr_assert(fd >= 0 && !bpf_map_update_elem(fd, &zero, &rig.table, 0));
	lb_put(rig.skel->maps.lb_tables, &vip, &fd);
	close(fd);
}

static inline void few(bool v6)
{
	lb_rig_table(&rig, v6, -1);
	rig.table.few_n = LB_RIG_SERVERS;
	for (unsigned i = 0; i < LB_RIG_SERVERS; i++)
		rig.table.few[i] = (uint16_t)lb_id(v6, i);
	store_table(v6);
}

static inline void up(enum sl_report_hash hash, unsigned entries)
{
	struct sl_error err;

	lb_rig_up(&rig, SL_LB_KEEP_COOKIE, 9);
	lb = (struct sl_lb){.lock = -1};
	lb.map[SL_LB_M_CONTROL] = bpf_map__fd(rig.skel->maps.lb_control);
	lb.map[SL_LB_M_SERVERS] = bpf_map__fd(rig.skel->maps.lb_servers);
	lb.map[SL_LB_M_CORES] = bpf_map__fd(rig.skel->maps.lb_cores);
	lb.servers = mmap(NULL, SL_LB_MAX_SERVERS * sizeof(*lb.servers), PROT_READ, MAP_SHARED,
			  lb.map[SL_LB_M_SERVERS], 0);
	cr_assert_neq(lb.servers, MAP_FAILED);
	cr_assert_eq(sl_lb_loads_open(&lb, "127.0.0.1", 60000, &receiver, &err), 0, "%s", err.text);
	for (unsigned v6 = 2; v6-- > 0;) { /* rig.table is the last one's, IPv4's */
		rig.vip[v6].select = SL_LB_BY_CORE;
		rig.vip[v6].candidates = SL_LB_CANDIDATES;
		lb_rig_vip(&rig, v6);
		few(v6);
		for (unsigned i = 0; i < LB_RIG_SERVERS; i++)
			new_server(v6, i, hash, entries);
	}
}

static inline struct outcome send_syn(bool v6, uint16_t port)
{
	struct segment s = {.v6 = v6, .client_port = port, .flags = 2, .options = "", .ttl = 64};
	struct outcome out;
	struct frame f;
	unsigned l4;

	segment_build(&s, &f, &l4);
	lb_rig_run(&rig, f.b, f.len, rig.client_if, &out);
	return out;
}

static inline struct outcome syn(bool v6, uint16_t port)
{
	struct outcome out = send_syn(v6, port);

	cr_assert_eq(out.verdict, XDP_REDIRECT);
	return out;
}

static inline unsigned server_of(const struct outcome *out, bool v6)
{
	return out->b[14 + (v6 ? 39 : 19)] - (v6 ? 0x10u : 10u);
}

static inline uint64_t chosen(bool v6, unsigned i, unsigned core)
{
	return cores_of(lb_id(v6, i)).chosen[core];
}

#endif /* TESTS_BPF_LB_CORE_RIG_H */
