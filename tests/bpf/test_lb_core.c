// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * select: core. Which core of each server a connection would reach is computed here a second way
 * (Toeplitz bit by bit, and the steering program itself on the packet that comes out); the balancer
 * must have chosen the least loaded of them. Reports come in as datagrams.
 */
#include <sys/mman.h>

#include "lb_rig.h"
#include "platform/lb_loads.h"
#include "platform/lb_report.h"
#include "rig.h"

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

static uint32_t draw(void)
{
	static uint64_t state = 7;

	state = state * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint32_t)(state >> 32);
}

/* --- reports */

static int send_table(struct server *s)
{
	uint8_t d[SL_REPORT_MAX];
	int rc = 0;

	for (unsigned i = 0; !rc && i < sl_report_parts(&s->table); i++)
		rc = sl_lb_loads_take(receiver, d,
				      sl_report_put_table(&s->sender, &s->table, i, d));
	return rc;
}

static int send_loads(struct server *s)
{
	uint8_t d[SL_REPORT_MAX];

	return sl_lb_loads_take(receiver, d, sl_report_put_loads(&s->sender, &s->loads, d));
}

static void report(struct server *s)
{
	cr_assert_eq(send_table(s), 0);
	cr_assert_eq(send_loads(s), 0);
}

static struct sl_lb_cores cores_of(unsigned id)
{
	struct sl_lb_cores c;

	cr_assert_eq(sl_lb_cores_read(&lb, id, &c), 0);
	return c;
}

static void set_load(struct server *s, unsigned core, unsigned permille)
{
	s->loads.load[core] = (uint16_t)(permille * SL_REPORT_CORE / 1000);
}

static void new_server(bool v6, unsigned i, enum sl_report_hash hash, unsigned entries)
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

static void store_table(bool v6)
{
	int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "lb_rows", 4, sizeof(rig.table), 1, NULL);
	uint32_t zero = 0, vip = v6;

	cr_assert(fd >= 0 && !bpf_map_update_elem(fd, &zero, &rig.table, 0));
	lb_put(rig.skel->maps.lb_tables, &vip, &fd);
	close(fd);
}

static void few(bool v6)
{
	lb_rig_table(&rig, v6, -1);
	rig.table.few_n = LB_RIG_SERVERS;
	for (unsigned i = 0; i < LB_RIG_SERVERS; i++)
		rig.table.few[i] = (uint16_t)lb_id(v6, i);
	store_table(v6);
}

static void up(enum sl_report_hash hash, unsigned entries)
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

/* --- what a server makes of a packet, told another way */

/* For every set bit of the input the 32 bits of the key from there on: the definition. */
static uint32_t toeplitz(const uint8_t *key, const uint8_t *input, unsigned n)
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

static unsigned nic_core(const struct server *s, bool v6, unsigned i, uint16_t port, bool ports)
{
	__be32 client[4], server[4];
	unsigned size = v6 ? 16 : 4;
	uint8_t input[36];
	uint16_t ends[2] = {htons(port), htons(8080)};

	lb_client(v6, client);
	lb_server_address(v6, i, server);
	memcpy(input, (uint8_t *)client + 16 - size, size);
	memcpy(input + size, (uint8_t *)server + 16 - size, size);
	memcpy(input + 2 * size, ends, 4);
	return s->table
		.core[toeplitz(s->table.key, input, 2 * size + (ports ? 4 : 0)) % s->table.entries];
}

static struct outcome send_syn(bool v6, uint16_t port)
{
	struct segment s = {.v6 = v6, .client_port = port, .flags = 2, .options = "", .ttl = 64};
	struct outcome out;
	struct frame f;
	unsigned l4;

	segment_build(&s, &f, &l4);
	lb_rig_run(&rig, f.b, f.len, rig.client_if, &out);
	return out;
}

static struct outcome syn(bool v6, uint16_t port)
{
	struct outcome out = send_syn(v6, port);

	cr_assert_eq(out.verdict, XDP_REDIRECT);
	return out;
}

static unsigned server_of(const struct outcome *out, bool v6)
{
	return out->b[14 + (v6 ? 39 : 19)] - (v6 ? 0x10u : 10u);
}

static uint64_t chosen(bool v6, unsigned i, unsigned core)
{
	return cores_of(lb_id(v6, i)).chosen[core];
}

/* --- tests */

/* Loads all different: of four servers' cores one is the least, and nothing added changes that. */
static void distinct_loads(void)
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

static void set_flow(uint32_t flow)
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

/* `core_at` is the core that the connection would reach. */
static void least_loaded_is_chosen(unsigned (*core_at)(bool v6, unsigned i, uint16_t port))
{
	distinct_loads();
	set_flow(0);
	for (unsigned n = 0; n < 2 * 200; n++) {
		bool v6 = n & 1;
		uint16_t port = (uint16_t)(1024 + draw() % 60000);
		unsigned best = 0, at, got;
		struct outcome out;
		uint64_t before;

		for (unsigned i = 1; i < LB_RIG_SERVERS; i++)
			if (servers[v6][i].loads.load[core_at(v6, i, port)] <
			    servers[v6][best].loads.load[core_at(v6, best, port)])
				best = i;
		at = core_at(v6, best, port);
		before = chosen(v6, best, at);
		out = syn(v6, port);
		got = server_of(&out, v6);
		cr_assert_eq(got, best, "v6 %d, port %u: server %u, not %u", v6, port, got, best);
		cr_assert_eq(chosen(v6, best, at), before + 1, "another core was meant");
	}
	cr_expect_eq(lb_rig_count(&rig, SL_LB_BY_LOAD), 400);
	cr_expect_eq(lb_rig_count(&rig, SL_LB_UNREPORTED), 0);
}

static unsigned by_nic(bool v6, unsigned i, uint16_t port)
{
	return nic_core(&servers[v6][i], v6, i, port, true);
}

static unsigned by_addresses(bool v6, unsigned i, uint16_t port)
{
	return nic_core(&servers[v6][i], v6, i, port, false);
}

Test(lb_core, toeplitz_with_a_key_for_each_server)
{
	up(SL_REPORT_TOEPLITZ, 512);
	least_loaded_is_chosen(by_nic);
}

Test(lb_core, toeplitz_with_one_key_for_all)
{
	up(SL_REPORT_TOEPLITZ, 128);
	for (unsigned v6 = 0; v6 < 2; v6++)
		for (unsigned i = 1; i < LB_RIG_SERVERS; i++)
			memcpy(servers[v6][i].table.key, servers[v6][0].table.key, SL_REPORT_KEY);
	least_loaded_is_chosen(by_nic);
}

Test(lb_core, toeplitz_over_addresses_only)
{
	up(SL_REPORT_TOEPLITZ, 4096);
	for (unsigned v6 = 0; v6 < 2; v6++)
		for (unsigned i = 0; i < LB_RIG_SERVERS; i++)
			memset(servers[v6][i].table.fields, SL_REPORT_ADDRESSES, SL_REPORT_FLOWS);
	least_loaded_is_chosen(by_addresses);
}

/* With l2 the packet stays what it is: all servers hash the client's end and the VIP's. */
static unsigned by_vip(bool v6, unsigned i, uint16_t port)
{
	const struct server *s = &servers[v6][i];
	unsigned size = v6 ? 16 : 4;
	uint16_t ends[2] = {htons(port), htons(80)};
	__be32 client[4], vip[4];
	uint8_t input[36];

	lb_client(v6, client);
	lb_vip_address(v6, vip);
	memcpy(input, (uint8_t *)client + 16 - size, size);
	memcpy(input + size, (uint8_t *)vip + 16 - size, size);
	memcpy(input + 2 * size, ends, 4);
	return s->table.core[toeplitz(s->table.key, input, 2 * size + 4) % s->table.entries];
}

Test(lb_core, l2_is_hashed_with_the_vip)
{
	up(SL_REPORT_TOEPLITZ, 256);
	for (unsigned v6 = 0; v6 < 2; v6++) {
		rig.vip[v6].forward = SL_LB_L2;
		lb_rig_vip(&rig, v6);
	}
	distinct_loads();
	set_flow(0);
	for (unsigned n = 0; n < 2 * 100; n++) {
		bool v6 = n & 1;
		uint16_t port = (uint16_t)(3000 + n);
		unsigned best = 0;
		uint64_t before;

		for (unsigned i = 1; i < LB_RIG_SERVERS; i++)
			if (servers[v6][i].loads.load[by_vip(v6, i, port)] <
			    servers[v6][best].loads.load[by_vip(v6, best, port)])
				best = i;
		before = chosen(v6, best, by_vip(v6, best, port));
		send_syn(v6, port);
		cr_assert_eq(chosen(v6, best, by_vip(v6, best, port)), before + 1);
	}
}

/* --- servers that run Sluice: their steering program decides */

static struct rig *steer[2 * LB_RIG_SERVERS];

static void row(struct rig *r, uint32_t bucket, uint8_t core)
{
	cr_assert_eq(rig_row(r, bucket,
			     core < SL_REPORT_SPLIT
				     ? core
				     : (uint16_t)(SL_TO_PARTS + core - SL_REPORT_SPLIT)),
		     0);
}

static void sluice_server(bool v6, unsigned i)
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

/* The worker to which the server's program sends what the balancer would send it. */
static unsigned by_steer(bool v6, unsigned i, uint16_t port)
{
	struct rig *r = steer[v6 * LB_RIG_SERVERS + i];
	struct segment s = {.v6 = v6, .client_port = port, .flags = 2, .options = "", .ttl = 64};
	struct sl_row at;
	struct rig_run run;
	struct frame f;
	unsigned l4;
	__be32 server[4];
	uint32_t bucket;

	segment_build(&s, &f, &l4);
	lb_server_address(v6, i, server);
	memcpy(f.b + f.l3 + (v6 ? 24 : 16), (uint8_t *)server + (v6 ? 0 : 12), v6 ? 16 : 4);
	f.b[l4 + 2] = 8080 >> 8;
	f.b[l4 + 3] = 8080 & 255;
	cr_assert_eq(rig_run(r, f.b, f.len, &run), 0);
	cr_assert_eq(run.verdict, XDP_REDIRECT);
	bucket = run.meta.bucket;
	cr_assert_eq(bpf_map_lookup_elem(bpf_map__fd(r->skel->maps.indirection), &bucket, &at), 0);
	return at.worker;
}

Test(lb_core, sluice_servers_do_what_was_foretold, .timeout = 60)
{
	up(SL_REPORT_SYMMETRIC, SL_DEFAULT_BUCKETS);
	for (unsigned v6 = 0; v6 < 2; v6++)
		for (unsigned i = 0; i < LB_RIG_SERVERS; i++)
			sluice_server(v6, i);
	least_loaded_is_chosen(by_steer);
	/* Rows move: told, they are foretold. Loads are smoothed by now. */
	for (unsigned b = 0; b < SL_DEFAULT_BUCKETS; b++) {
		struct server *s = &servers[0][b % LB_RIG_SERVERS];

		s->table.core[b] = (uint8_t)(draw() % CORES);
		row(steer[b % LB_RIG_SERVERS], b, s->table.core[b]);
	}
	for (unsigned i = 0; i < LB_RIG_SERVERS; i++)
		servers[0][i].sender.table++;
	distinct_loads();
	set_flow(0);
	for (unsigned n = 0; n < 100; n++) {
		uint16_t port = (uint16_t)(2000 + n);
		struct outcome out = syn(false, port);
		unsigned got = server_of(&out, false), core = by_steer(false, got, port);

		for (unsigned i = 0; i < LB_RIG_SERVERS; i++)
			cr_assert_leq(cores_of(got).load[core],
				      cores_of(i).load[by_steer(false, i, port)]);
	}
}

/* --- loads that the balancer adds itself, and equals */

Test(lb_core, equal_cores_get_alike)
{
	up(SL_REPORT_TOEPLITZ, 128);
	for (unsigned i = 0; i < LB_RIG_SERVERS; i++)
		report(&servers[0][i]);
	set_flow(100);
	for (unsigned n = 0; n < 1600; n++)
		syn(false, (uint16_t)(1024 + n));
	for (unsigned i = 0; i < LB_RIG_SERVERS; i++)
		for (unsigned c = 0; c < CORES; c++)
			cr_expect(chosen(false, i, c) >= 95 && chosen(false, i, c) <= 105,
				  "server %u, core %u: %lu of 1600", i, c, chosen(false, i, c));
}

Test(lb_core, what_was_added_is_halved_by_each_report)
{
	struct sl_lb_cores before, after;
	unsigned most = 0;

	up(SL_REPORT_TOEPLITZ, 128);
	report(&servers[0][0]);
	for (unsigned n = 0; n < 64; n++)
		syn(false, (uint16_t)(1024 + n));
	before = cores_of(0);
	cr_assert_eq(send_loads(&servers[0][0]), 0);
	after = cores_of(0);
	for (unsigned c = 0; c < CORES; c++) {
		cr_expect_eq(before.added[c], SL_LB_ADDED_FLOW * before.chosen[c]);
		cr_expect_eq(after.added[c], before.added[c] / 2);
		most = before.added[c] > most ? before.added[c] : most;
	}
	cr_expect_gt(most, SL_LB_ADDED_FLOW);
}

/* Each connection adds 1/50 of a core, a tenth of what there is ends from report to report. */
Test(lb_core, what_a_connection_adds_is_learned)
{
	double load[LB_RIG_SERVERS][CORES] = {{0}};
	double flow;

	up(SL_REPORT_TOEPLITZ, 128);
	for (unsigned i = 0; i < LB_RIG_SERVERS; i++)
		report(&servers[0][i]);
	for (unsigned round = 0; round < 60; round++) {
		uint64_t sent[LB_RIG_SERVERS][CORES];

		for (unsigned i = 0; i < LB_RIG_SERVERS; i++)
			for (unsigned c = 0; c < CORES; c++)
				sent[i][c] = chosen(false, i, c);
		for (unsigned n = draw() % 40; n > 0; n--)
			syn(false, (uint16_t)(1024 + draw() % 60000));
		for (unsigned i = 0; i < LB_RIG_SERVERS; i++) {
			for (unsigned c = 0; c < CORES; c++) {
				/* half of those that came in between were there, on average */
				double now = 0.02 * (double)(chosen(false, i, c) - sent[i][c]);

				set_load(&servers[0][i], c,
					 (unsigned)(1000 * (0.9 * load[i][c] + now / 2)));
				load[i][c] = 0.9 * load[i][c] + now;
			}
			cr_assert_eq(send_loads(&servers[0][i]), 0);
		}
	}
	flow = (double)cores_of(0).flow / SL_REPORT_CORE;
	cr_expect(flow > 0.014 && flow < 0.026, "%g of a core", flow);
}

/* Who has no cookie is remembered from the SYN on: with the server that got it, not the row's. */
Test(lb_core, the_table_has_the_server_that_was_chosen)
{
	up(SL_REPORT_TOEPLITZ, 128);
	distinct_loads();
	set_flow(0);
	for (unsigned n = 0; n < 50; n++) {
		struct sl_lb_connection key = {.client_port = htons((uint16_t)(7000 + n)),
					       .vip_port = htons(80),
					       .proto = IPPROTO_TCP};
		struct outcome out = syn(false, (uint16_t)(7000 + n));
		uint32_t server;

		lb_client(false, key.client);
		cr_assert_eq(bpf_map_lookup_elem(bpf_map__fd(rig.skel->maps.lb_connections), &key,
						 &server),
			     0);
		cr_assert_eq(server, server_of(&out, false));
	}
	cr_expect_eq(lb_rig_count(&rig, SL_LB_BY_LOAD), 50);
}

/* --- who does not report, or no more */

/* The row's server, whoever is less loaded. */
static void by_rows(unsigned from, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		struct outcome out = syn(false, (uint16_t)(from + i));
		struct sl_lb_ends e = {
			.client_port = (uint16_t)(from + i), .vip_port = 80, .proto = IPPROTO_TCP};

		lb_client(false, e.client);
		lb_vip_address(false, e.vip);
		cr_assert_eq(server_of(&out, false),
			     rig.table.server[sl_lb_row(sl_lb_hash(rig.control.key[0], &e))]);
	}
}

Test(lb_core, out_of_date_reports_count_for_nothing)
{
	up(SL_REPORT_TOEPLITZ, 128);
	by_rows(5000, 40); /* nobody has reported yet */
	cr_expect_eq(lb_rig_count(&rig, SL_LB_UNREPORTED), 40);
	for (unsigned i = 0; i < LB_RIG_SERVERS; i++) {
		report(&servers[0][i]);
		servers[0][i].sender.table++; /* a table that never comes */
		cr_expect_eq(send_loads(&servers[0][i]), -EAGAIN);
	}
	by_rows(6000, 40);
	cr_expect_eq(lb_rig_count(&rig, SL_LB_BY_LOAD), 0);
	cr_expect_eq(sl_lb_loads_counts(receiver).behind, LB_RIG_SERVERS);
}

Test(lb_core, reports_age)
{
	struct sl_error err;

	up(SL_REPORT_TOEPLITZ, 128);
	sl_lb_loads_close(receiver);
	cr_assert_eq(sl_lb_loads_open(&lb, "127.0.0.1", 400, &receiver, &err), 0);
	for (unsigned i = 0; i < LB_RIG_SERVERS; i++)
		report(&servers[0][i]);
	cr_expect(sl_lb_cores_fresh(&(struct sl_lb_cores){.until_ns = cores_of(0).until_ns}));
	syn(false, 999);
	cr_expect_eq(lb_rig_count(&rig, SL_LB_BY_LOAD), 1);
	usleep(450000);
	by_rows(5000, 20);
	cr_expect_eq(lb_rig_count(&rig, SL_LB_UNREPORTED), 20);
}

/* One of four reports, and has nothing to do: it must not get what is the others'. */
Test(lb_core, who_does_not_report_keeps_his_share)
{
	unsigned got[LB_RIG_SERVERS] = {0};

	up(SL_REPORT_TOEPLITZ, 128);
	report(&servers[0][2]);
	for (unsigned n = 0; n < 800; n++) {
		struct outcome out = syn(false, (uint16_t)(1024 + n));

		got[server_of(&out, false)]++;
	}
	for (unsigned i = 0; i < LB_RIG_SERVERS; i++)
		cr_expect(got[i] > 150 && got[i] < 250, "server %u: %u of 800", i, got[i]);
}

Test(lb_core, a_server_that_drains_gets_nothing)
{
	up(SL_REPORT_TOEPLITZ, 128);
	for (unsigned i = 0; i < LB_RIG_SERVERS; i++)
		report(&servers[0][i]);
	lb_rig_state(&rig, false, 1, SL_LB_DRAIN);
	for (unsigned n = 0; n < 200; n++) {
		struct outcome out = syn(false, (uint16_t)(1024 + n));

		cr_assert_neq(server_of(&out, false), 1);
	}
}

/* More servers than are compared: some rows are looked at, the least loaded of them wins. */
Test(lb_core, of_many_some_are_compared)
{
	unsigned got[LB_RIG_SERVERS] = {0};

	up(SL_REPORT_TOEPLITZ, 128);
	rig.table.few_n = 0;
	for (unsigned i = 0; i < SL_LB_ROWS; i++)
		rig.table.server[i] = (uint16_t)(draw() % LB_RIG_SERVERS);
	store_table(false);
	rig.vip[0].candidates = 2;
	lb_rig_vip(&rig, false);
	for (unsigned i = 0; i < LB_RIG_SERVERS; i++) {
		for (unsigned c = 0; c < CORES; c++)
			set_load(&servers[0][i], c, 100 * i);
		report(&servers[0][i]);
	}
	set_flow(0);
	for (unsigned n = 0; n < 1600; n++) {
		struct outcome out = syn(false, (uint16_t)(1024 + n));

		got[server_of(&out, false)]++;
	}
	/* of two at random the better one: 7, 5, 3 and 1 of 16 */
	for (unsigned i = 0; i < LB_RIG_SERVERS; i++)
		cr_expect(abs((int)got[i] - (int)(700 - 200 * i)) < 90, "server %u: %u", i, got[i]);
}

/* --- who may tell what */

Test(lb_core, replays_and_forgeries_change_nothing)
{
	uint8_t d[SL_REPORT_MAX], later[SL_REPORT_MAX];
	struct server *s = &servers[0][0], stranger;
	struct sl_lb_cores before, after;
	size_t n, m;

	up(SL_REPORT_TOEPLITZ, 128);
	report(s);
	set_load(s, 0, 500);
	n = sl_report_put_loads(&s->sender, &s->loads, d);
	set_load(s, 0, 900);
	m = sl_report_put_loads(&s->sender, &s->loads, later);
	cr_expect_eq(sl_lb_loads_take(receiver, later, m), 0);
	before = cores_of(0);
	cr_expect_eq(sl_lb_loads_take(receiver, later, m), -EALREADY);
	cr_expect_eq(sl_lb_loads_take(receiver, d, n), -EALREADY);
	stranger = *s;
	stranger.sender.key[0]++;
	cr_expect_eq(send_loads(&stranger), -EKEYREJECTED);
	stranger = *s;
	stranger.sender.server = 4000;
	cr_expect_eq(send_loads(&stranger), -ENOENT);
	stranger = *s;
	stranger.sender.boot = 0;
	cr_expect_eq(send_loads(&stranger), -EALREADY);
	after = cores_of(0);
	cr_expect(!memcmp(&before, &after, sizeof(before)));
	cr_expect_eq(sl_lb_loads_counts(receiver).replayed, 3);
	cr_expect_eq(sl_lb_loads_counts(receiver).forged, 1);
	cr_expect_eq(sl_lb_loads_counts(receiver).unknown, 1);
}

/* What was taken before is not taken again by a receiver that has just started. */
Test(lb_core, a_new_receiver_knows_the_old_ones_reports)
{
	uint8_t d[SL_REPORT_MAX];
	struct server *s = &servers[0][0];
	struct sl_error err;
	size_t n;

	up(SL_REPORT_TOEPLITZ, 128);
	report(s);
	n = sl_report_put_loads(&s->sender, &s->loads, d);
	cr_expect_eq(sl_lb_loads_take(receiver, d, n), 0);
	sl_lb_loads_close(receiver);
	cr_assert_eq(sl_lb_loads_open(&lb, "127.0.0.1", 1000, &receiver, &err), 0);
	cr_expect_eq(sl_lb_loads_take(receiver, d, n), -EALREADY);
	cr_expect_eq(send_loads(s), 0);
}

/* Numbers of tables begin anew with a sender: its loads wait for its table. */
Test(lb_core, a_sender_that_starts_again_sends_its_table_first)
{
	struct server *s = &servers[0][0];

	up(SL_REPORT_TOEPLITZ, 2048);
	report(s);
	s->sender.boot++;
	s->sender.sequence = 0;
	cr_expect_eq(send_loads(s), -EAGAIN);
	cr_expect_not(sl_lb_cores_fresh(&(struct sl_lb_cores){.until_ns = cores_of(0).until_ns}));
	report(s);
	cr_expect(sl_lb_cores_fresh(&(struct sl_lb_cores){.until_ns = cores_of(0).until_ns}));
}

/* Through the socket, and only as long as it is whole. */
Test(lb_core, datagrams_are_received)
{
	struct sockaddr_in to = {.sin_family = AF_INET,
				 .sin_port = htons(SL_REPORT_PORT),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = -1;
	uint8_t d[SL_REPORT_MAX];
	size_t n;

	up(SL_REPORT_TOEPLITZ, 128);
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	cr_assert_eq(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	n = sl_report_put_table(&servers[0][0].sender, &servers[0][0].table, 0, d);
	cr_assert_eq(send(fd, d, n, 0), (ssize_t)n);
	n = sl_report_put_loads(&servers[0][0].sender, &servers[0][0].loads, d);
	cr_assert_eq(send(fd, d, n, 0), (ssize_t)n);
	cr_assert_eq(send(fd, d, n - 1, 0), (ssize_t)n - 1);
	cr_expect_eq(sl_lb_loads_receive(receiver, 100), 2);
	cr_expect_eq(sl_lb_loads_counts(receiver).malformed, 1);
	cr_expect(sl_lb_cores_fresh(&(struct sl_lb_cores){.until_ns = cores_of(0).until_ns}));
	close(fd);
}
