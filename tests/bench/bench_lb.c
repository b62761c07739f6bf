// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a packet on its way to a server costs in the load balancer: by plain hash, keyed and not, by
 * its cookie, by its slot, by the connection table, and by connection tracking in BPF's hash
 * tables, with 1, 10,000 and a million live flows. Each packet is of another flow
 * (lb_rounds.bpf.c); what writing it costs, measured alone in the same round, is taken off.
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include <sluice/lb.h>

#include "lb_rounds.h"
#include "lb_rounds.skel.h"
#include "platform/clock.h"
#include "rounds.h"

#define REPEAT 100000
#define FRAME 66

enum { NOTHING, HASH, STATELESS, STATEFUL, TABLE, UNKEYED, TRACKED, TRACKED_LRU, SUBJECTS };
_Static_assert(REPEAT <= LB_ROUNDS_PACKETS, "each packet of a run is drawn");

static const struct subject {
	const char *name;
	uint8_t keep; /* enum sl_lb_keep */
	uint32_t count; /* enum sl_lb_count: where its packets must show */
} subjects[SUBJECTS] = {
	[NOTHING] = {"round", SL_LB_KEEP_NONE, SL_LB_COUNTS},
	[HASH] = {"hash", SL_LB_KEEP_NONE, SL_LB_HASHED},
	[STATELESS] = {"stateless", SL_LB_KEEP_COOKIE, SL_LB_COOKIE},
	[STATEFUL] = {"stateful", SL_LB_KEEP_SLOT, SL_LB_SLOT},
	[TABLE] = {"maglev_lru", SL_LB_KEEP_TABLE, SL_LB_TABLE},
	[UNKEYED] = {"unkeyed", SL_LB_KEEP_NONE, SL_LB_HASHED},
	[TRACKED] = {"conntrack", SL_LB_KEEP_NONE, SL_LB_TABLE},
	[TRACKED_LRU] = {"conntrack_lru", SL_LB_KEEP_NONE, SL_LB_TABLE},
};

static const uint32_t live[] = {1, 10000, LB_ROUNDS_FLOWS_MAX};
#define LIVE (sizeof(live) / sizeof(live[0]))

struct bench {
	struct lb_rounds_bpf *skel;
	struct sl_lb_control control;
	unsigned ifindex, rounds;
	int programs[SUBJECTS];
	double ns[LIVE][SUBJECTS][ROUNDS_MAX];
};

static int put(struct bpf_map *map, const void *key, const void *value)
{
	if (!bpf_map_update_elem(bpf_map__fd(map), key, value, BPF_ANY))
		return 0;
	fprintf(stderr, "bench_lb: %s: %s\n", bpf_map__name(map), strerror(errno));
	return -1;
}

/* Clients on cl, servers 10.0.2.10 and on behind sv, in a namespace that goes with the process. */
static int net_up(struct bench *b)
{
	if (unshare(CLONE_NEWNET) ||
	    system("ip link add cl type veth peer name clp && ip link add sv type veth peer name "
		   "svp && for i in cl clp sv svp; do ip link set $i up || exit 1; done &&"
		   "ip addr add 10.0.1.1/24 dev cl && ip addr add 10.0.2.1/24 dev sv &&"
		   "sysctl -qw net.ipv4.conf.all.forwarding=1 &&"
		   "for i in $(seq 10 73); do"
		   "  ip neigh add 10.0.2.$i lladdr 02:00:00:00:02:02 dev sv || exit 1;"
		   "done")) {
		fprintf(stderr, "bench_lb: no network namespace with two veth pairs\n");
		return -1;
	}
	b->ifindex = if_nametoindex("cl");
	return 0;
}

static int put_vip(struct bench *b, uint8_t keep)
{
	struct sl_lb_vip_key key = {.proto = IPPROTO_TCP,
				    .port = htons(LB_ROUNDS_PORT),
				    .addr = {0, 0, 0, htonl(LB_ROUNDS_VIP)}};
	struct sl_lb_vip vip = {.keep = keep, .bits = LB_ROUNDS_BITS};
	uint32_t zero = 0;

	b->control.generation++;
	return put(b->skel->maps.lb_vips, &key, &vip) ||
	       put(b->skel->maps.lb_control, &zero, &b->control);
}

static int put_servers(struct bench *b)
{
	struct sl_lb_clock clock = {.now = (uint64_t)b->skel->bss->rounds.stamp << 32 |
					   (uint32_t)(sl_clock_ns() / 1000000)};

	for (uint32_t id = 0; id < LB_ROUNDS_SERVERS; id++) {
		struct sl_lb_server s = {.addr = {0, 0, 0, htonl(0x0a00020a + id)},
					 .port = htons(8080),
					 .state = SL_LB_UP};

		if (put(b->skel->maps.lb_servers, &id, &s) ||
		    put(b->skel->maps.lb_clocks, &id, &clock))
			return -1;
	}
	return 0;
}

static int put_table(struct bench *b)
{
	static struct sl_lb_table table;
	uint32_t zero = 0;
	int rc, fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "lb_rows", 4, sizeof(table), 1, NULL);

	for (unsigned i = 0; i < SL_LB_ROWS; i++)
		table.server[i] = (uint16_t)((i * 40503u >> 8) % LB_ROUNDS_SERVERS);
	if (fd < 0)
		return -1;
	rc = bpf_map_update_elem(fd, &zero, &table, 0) ? -1
						       : put(b->skel->maps.lb_tables, &zero, &fd);
	close(fd);
	return rc;
}

/*
 * The connection table is one for all CPUs here: its share of one CPU, on which all runs, would not
 * hold a million flows. Looking something up is the same.
 */
static int load(struct bench *b)
{
	struct lb_rounds_bpf *skel = lb_rounds_bpf__open();

	b->skel = skel;
	if (!skel || bpf_map__set_map_flags(skel->maps.lb_connections, 0) ||
	    bpf_map__set_max_entries(skel->maps.lb_connections, LB_ROUNDS_ENTRIES) ||
	    bpf_map__set_max_entries(skel->maps.lb_slots, LB_ROUNDS_BLOCKS) ||
	    lb_rounds_bpf__load(skel)) {
		fprintf(stderr, "bench_lb: the programs do not load: %s\n", strerror(errno));
		return -1;
	}
	b->programs[NOTHING] = bpf_program__fd(skel->progs.lb_nothing);
	for (unsigned i = HASH; i <= TABLE; i++)
		b->programs[i] = bpf_program__fd(skel->progs.sluice_lb);
	b->programs[UNKEYED] = bpf_program__fd(skel->progs.lb_unkeyed);
	b->programs[TRACKED] = bpf_program__fd(skel->progs.lb_tracked_hash);
	b->programs[TRACKED_LRU] = bpf_program__fd(skel->progs.lb_tracked_lru);
	return 0;
}

static int set_up(struct bench *b)
{
	if (net_up(b) || load(b))
		return -1;
	/* A test run may name an interface once that has XDP. */
	if (bpf_xdp_attach((int)b->ifindex, b->programs[HASH], XDP_FLAGS_DRV_MODE, NULL))
		return -1;
	b->control.key[0][0] = 0x0706050403020100;
	b->control.key[0][1] = 0x0f0e0d0c0b0a0908;
	memcpy(b->control.slot_key, b->control.key[0], 16);
	b->control.slot_blocks = LB_ROUNDS_BLOCKS;
	memcpy(b->skel->bss->rounds.key, b->control.key[0], 16);
	b->skel->bss->rounds.random = 88172645463325252;
	b->skel->bss->rounds.stamp = LB_ROUNDS_STAMP;
	return put_servers(b) || put_table(b);
}

static int test_run(struct bench *b, struct bpf_program *prog, uint32_t repeat, uint32_t *verdict)
{
	struct xdp_md ctx = {.data_end = FRAME, .ingress_ifindex = b->ifindex};
	uint8_t frame[FRAME] = {0};
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame, .data_size_in = FRAME,
		    .ctx_in = &ctx, .ctx_size_in = sizeof(ctx), .repeat = (int)repeat);
	int rc = bpf_prog_test_run_opts(bpf_program__fd(prog), &opts);

	*verdict = opts.retval;
	return rc;
}

static int fill(struct bench *b, uint32_t flows)
{
	struct lb_rounds_state *state = &b->skel->bss->rounds;
	uint32_t verdict;

	if (state->filled < flows &&
	    test_run(b, b->skel->progs.lb_fill, flows - state->filled, &verdict))
		return -1;
	state->flows = flows;
	if (!state->failed && state->filled == flows)
		return 0;
	fprintf(stderr, "bench_lb: %u of %u flows not entered\n", state->failed, flows);
	return -1;
}

/* Flows of which the next packets are. */
static int draw(struct bench *b)
{
	struct lb_rounds_state *state = &b->skel->bss->rounds;
	uint32_t verdict;

	state->at = 0;
	if (test_run(b, b->skel->progs.lb_draw, REPEAT, &verdict) || verdict != XDP_PASS)
		return -1;
	state->at = 0;
	state->clock = (uint32_t)(sl_clock_ns() / 1000000);
	return 0;
}

static uint64_t counted(struct bench *b, uint32_t what)
{
	int cpus = libbpf_num_possible_cpus();
	uint64_t value[cpus > 0 ? cpus : 1], sum = 0;

	if (bpf_map_lookup_elem(bpf_map__fd(b->skel->maps.lb_counts), &what, value))
		return 0;
	for (int i = 0; i < cpus; i++)
		sum += value[i];
	return sum;
}

/* ns a packet; negative if not every packet found its server in the way that is to be measured. */
static double measure(struct bench *b, unsigned which)
{
	const struct subject *s = &subjects[which];
	uint32_t zero = 0, verdict;
	uint64_t before;
	double from, ns;

	if (put_vip(b, s->keep) || put(b->skel->maps.rounds_next, &zero, &b->programs[which]) ||
	    draw(b))
		return -1;
	b->skel->bss->rounds.slots = which == STATEFUL;
	before = counted(b, s->count);
	from = cpu_ns();
	if (test_run(b, b->skel->progs.lb_round, REPEAT, &verdict))
		return -1;
	ns = (cpu_ns() - from) / REPEAT;
	if (verdict != XDP_REDIRECT ||
	    (which != NOTHING && counted(b, s->count) - before != REPEAT)) {
		fprintf(stderr, "bench_lb: %s: verdict %u, %llu of %u packets as they should be\n",
			s->name, verdict, (unsigned long long)(counted(b, s->count) - before),
			REPEAT);
		return -1;
	}
	return ns;
}

static int take_turns(struct bench *b, unsigned at)
{
	if (fill(b, live[at]))
		return -1;
	for (unsigned round = 0; round < b->rounds + 1; round++) { /* the first warms up */
		double ns[SUBJECTS];

		for (unsigned i = 0; i < SUBJECTS; i++) {
			ns[i] = measure(b, i);
			if (ns[i] <= 0)
				return -1;
			if (round)
				b->ns[at][i][round - 1] = ns[i] - (i ? ns[NOTHING] : 0);
		}
	}
	return 0;
}

static void report_live(const struct bench *b, unsigned at)
{
	const double(*ns)[ROUNDS_MAX] = b->ns[at];
	unsigned n = b->rounds;

	for (unsigned i = 0; i < SUBJECTS; i++)
		printf("\"%s_ns\":%.1f,", subjects[i].name, median(ns[i], n));
	printf("\"stateless_over_hash\":%.3f,\"stateless_over_unkeyed\":%.3f,"
	       "\"maglev_lru_over_hash\":%.3f,"
	       "\"conntrack_over_stateless\":%.3f,\"conntrack_lru_over_stateless\":%.3f,"
	       "\"conntrack_over_stateful\":%.3f,\"conntrack_lru_over_stateful\":%.3f",
	       median_ratio(ns[STATELESS], ns[HASH], n),
	       median_ratio(ns[STATELESS], ns[UNKEYED], n), median_ratio(ns[TABLE], ns[HASH], n),
	       median_ratio(ns[TRACKED], ns[STATELESS], n),
	       median_ratio(ns[TRACKED_LRU], ns[STATELESS], n),
	       median_ratio(ns[TRACKED], ns[STATEFUL], n),
	       median_ratio(ns[TRACKED_LRU], ns[STATEFUL], n));
}

/* The summary: a million flows, and by each number of them. */
static void report(const struct bench *b)
{
	char where[512];

	machine(where, sizeof(where));
	printf("{\"bench\":\"lb\",\"flows\":%u,", live[LIVE - 1]);
	report_live(b, LIVE - 1);
	printf(",\"by_flows\":{");
	for (unsigned i = 0; i < LIVE; i++) {
		printf("%s\"%u\":{", i ? "," : "", live[i]);
		report_live(b, i);
		printf("}");
	}
	printf("},\"servers\":%d,\"bits\":%d,\"rounds\":%u,\"machine\":{%s}}\n", LB_ROUNDS_SERVERS,
	       LB_ROUNDS_BITS, b->rounds, where);
}

int main(int argc, char **argv)
{
	static struct bench b;
	int rc = 1;

	b.rounds = argc > 1 ? (unsigned)atoi(argv[1]) : 31;
	if (b.rounds < 5 || b.rounds > ROUNDS_MAX) {
		fprintf(stderr, "usage: bench_lb [ROUNDS], 5 to %d\n", ROUNDS_MAX);
		return 2;
	}
	stay_on_this_cpu();
	if (set_up(&b))
		goto out;
	for (unsigned i = 0; i < LIVE; i++)
		if (take_turns(&b, i))
			goto out;
	report(&b);
	rc = 0;
out:
	lb_rounds_bpf__destroy(b.skel);
	return rc;
}
