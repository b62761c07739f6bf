// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a QUIC packet costs in the load balancer, by connection ids of each kind against hash and
 * table, with what writing the packet costs taken off; and a block of AES by Sluice's tables
 * against the kernel's crypto kfunc, for one block and for many in a call.
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <stdint.h>

#include <sluice/lb.h>

#include "quic_aes.h"
#include "quic_aes.skel.h"
#include "quic_lb.h"
#include "quic_rounds.h"
#include "quic_rounds.skel.h"
#include "rounds.h"

#define REPEAT 50000

enum { NOTHING, HASH, TABLE, PLAIN, ONE_BLOCK, THREE_PASSES, FOUR_PASSES, SUBJECTS };

static const struct subject {
	const char *name;
	uint8_t keep, server_id, nonce; /* of connection ids; 0: none */
	uint32_t count; /* enum sl_lb_count: where its packets must show */
} subjects[SUBJECTS] = {
	[NOTHING] = {"round", SL_LB_KEEP_NONE, 0, 0, SL_LB_COUNTS},
	[HASH] = {"hash", SL_LB_KEEP_NONE, 0, 0, SL_LB_NEW},
	[TABLE] = {"table", SL_LB_KEEP_TABLE, 0, 0, SL_LB_TABLE},
	[PLAIN] = {"plain", SL_LB_KEEP_QUIC, 2, 6, SL_LB_QUIC},
	[ONE_BLOCK] = {"one_block", SL_LB_KEEP_QUIC, 2, 14, SL_LB_QUIC},
	[THREE_PASSES] = {"three_passes", SL_LB_KEEP_QUIC, 3, 4, SL_LB_QUIC},
	[FOUR_PASSES] = {"four_passes", SL_LB_KEEP_QUIC, 10, 5, SL_LB_QUIC},
};

enum { ENCRYPT, DECRYPT, KERNEL, KERNEL_LONG, CIPHERS };
static const char *const ciphers[CIPHERS] = {"tables_encrypt", "tables_decrypt", "kernel",
					     "kernel_many"};

static struct {
	struct quic_rounds_bpf *lb;
	struct quic_aes_bpf *aes;
	struct sl_lb_control control;
	unsigned ifindex, rounds;
	double ns[SUBJECTS][ROUNDS_MAX], block_ns[CIPHERS][ROUNDS_MAX];
} b;

static int put(struct bpf_map *map, const void *key, const void *value)
{
	if (!bpf_map_update_elem(bpf_map__fd(map), key, value, BPF_ANY))
		return 0;
	fprintf(stderr, "bench_quic: %s: %s\n", bpf_map__name(map), strerror(errno));
	return -1;
}

static int put_inner(struct bpf_map *map, const void *value, size_t size)
{
	int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "inner", 4, (uint32_t)size, 1, NULL), rc;
	uint32_t zero = 0;

	rc = fd < 0 || bpf_map_update_elem(fd, &zero, value, 0) || put(map, &zero, &fd);
	if (fd >= 0)
		close(fd);
	return rc ? -1 : 0;
}

/* Server 0, behind sv, in a namespace that goes with the process. */
static int set_up(void)
{
	struct sl_lb_server s = {
		.addr = {0, 0, 0, htonl(0x0a00020a)}, .port = htons(8443), .state = SL_LB_UP};
	static struct sl_lb_table table;
	uint32_t zero = 0;

	if (unshare(CLONE_NEWNET) ||
	    system("ip link add cl type veth peer name clp && ip link add sv type veth peer name "
		   "svp && for i in cl clp sv svp; do ip link set $i up || exit 1; done &&"
		   "ip addr add 10.0.1.1/24 dev cl && ip addr add 10.0.2.1/24 dev sv &&"
		   "sysctl -qw net.ipv4.conf.all.forwarding=1 &&"
		   "ip neigh add 10.0.2.10 lladdr 02:00:00:00:02:02 dev sv"))
		return -1;
	b.ifindex = if_nametoindex("cl");
	b.lb = quic_rounds_bpf__open_and_load();
	/* A test run may name an interface once that has XDP. */
	if (!b.lb || bpf_xdp_attach((int)b.ifindex, bpf_program__fd(b.lb->progs.sluice_lb),
				    XDP_FLAGS_DRV_MODE, NULL))
		return -1;
	b.control.inserts_max = 1000;
	return put(b.lb->maps.lb_servers, &zero, &s) ||
	       put_inner(b.lb->maps.lb_tables, &table, sizeof(table));
}

static int put_vip(const struct subject *s)
{
	static const uint8_t key[16] = {0x8f, 0x95, 0xf0, 0x92};
	struct sl_lb_vip_key address = {.proto = IPPROTO_UDP,
					.port = htons(QUIC_ROUNDS_PORT),
					.addr = {0, 0, 0, htonl(QUIC_ROUNDS_VIP)}};
	struct sl_lb_quic_server name = {.id = {0, 0x21}};
	struct sl_lb_vip vip = {.keep = s->keep};
	struct sl_lb_quic quic = {0};
	uint32_t zero = 0;

	if (s->server_id) {
		sl_quic_configure(&quic.config[0], s->server_id, s->nonce,
				  s == &subjects[PLAIN] ? NULL : key);
		for (uint8_t i = 0; i < QUIC_ROUNDS_CIDS; i++) {
			const uint8_t nonce[20] = {i, 1, 2, 3};

			sl_quic_encode(&quic.config[0], 0, name.id, nonce,
				       b.lb->bss->rounds.cid[i]);
		}
	}
	b.control.generation++;
	return put_inner(b.lb->maps.lb_quic, &quic, sizeof(quic)) ||
	       put(b.lb->maps.lb_quic_servers, &name, &zero) ||
	       put(b.lb->maps.lb_vips, &address, &vip) ||
	       put(b.lb->maps.lb_control, &zero, &b.control);
}

static uint64_t counted(uint32_t what)
{
	int cpus = libbpf_num_possible_cpus();
	uint64_t value[cpus > 0 ? cpus : 1], sum = 0;

	if (bpf_map_lookup_elem(bpf_map__fd(b.lb->maps.lb_counts), &what, value))
		return 0;
	for (int i = 0; i < cpus; i++)
		sum += value[i];
	return sum;
}

static double run(struct bpf_program *prog, unsigned repeat, unsigned expected)
{
	struct xdp_md ctx = {.data_end = QUIC_ROUNDS_FRAME, .ingress_ifindex = b.ifindex};
	uint8_t frame[QUIC_ROUNDS_FRAME] = {0};
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame, .data_size_in = sizeof(frame),
		    .ctx_in = &ctx, .ctx_size_in = sizeof(ctx), .repeat = (int)repeat);
	double from = cpu_ns();

	if (bpf_prog_test_run_opts(bpf_program__fd(prog), &opts) || opts.retval != expected)
		return -1;
	return (cpu_ns() - from) / repeat;
}

/* ns a packet; negative if not every packet went the way that is to be measured. */
static double measure(unsigned which)
{
	const struct subject *s = &subjects[which];
	int next = bpf_program__fd(which ? b.lb->progs.sluice_lb : b.lb->progs.quic_nothing);
	uint32_t zero = 0;
	uint64_t before;
	double ns;

	if (put_vip(s) || put(b.lb->maps.rounds_next, &zero, &next) ||
	    run(b.lb->progs.quic_round, QUIC_ROUNDS_CIDS, XDP_REDIRECT) < 0) /* into the table */
		return -1;
	before = counted(s->count);
	ns = run(b.lb->progs.quic_round, REPEAT, XDP_REDIRECT);
	if (ns > 0 && (!which || counted(s->count) - before == REPEAT))
		return ns;
	fprintf(stderr, "bench_quic: %s: %llu of %d packets as they should be\n", s->name,
		(unsigned long long)(counted(s->count) - before), REPEAT);
	return -1;
}

static int take_turns(void)
{
	double ns[SUBJECTS];

	for (unsigned round = 0; round < b.rounds + 1; round++) /* the first warms up */
		for (unsigned i = 0; i < SUBJECTS; i++) {
			ns[i] = measure(i);
			if (ns[i] <= 0)
				return -1;
			if (round)
				b.ns[i][round - 1] = ns[i] - (i ? ns[NOTHING] : 0);
		}
	return 0;
}

/* --- AES alone. Without the kfuncs (before 6.10) there are no figures of the kernel's. */

static unsigned aes_up(void)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts);

	b.aes = quic_aes_bpf__open_and_load();
	if (!b.aes) {
		b.aes = quic_aes_bpf__open();
		if (!b.aes || bpf_program__set_autoload(b.aes->progs.aes_create, false) ||
		    bpf_program__set_autoload(b.aes->progs.aes_kernel, false) ||
		    bpf_program__set_autoload(b.aes->progs.aes_kernel_long, false) ||
		    quic_aes_bpf__load(b.aes))
			return 0;
		return KERNEL;
	}
	sl_aes_expand(b.aes->bss->aes.key, b.aes->bss->aes.encrypt, b.aes->bss->aes.decrypt);
	if (bpf_prog_test_run_opts(bpf_program__fd(b.aes->progs.aes_create), &opts) || opts.retval)
		return KERNEL;
	return CIPHERS;
}

static unsigned aes_turns(void)
{
	unsigned n = aes_up();

	for (unsigned round = 0; n && round < b.rounds; round++) {
		struct bpf_program *const progs[CIPHERS] = {
			b.aes->progs.aes_encrypt, b.aes->progs.aes_decrypt, b.aes->progs.aes_kernel,
			b.aes->progs.aes_kernel_long};

		for (unsigned i = 0; i < n; i++) {
			b.block_ns[i][round] = run(progs[i], 1000, XDP_PASS) / QUIC_AES_BLOCKS;
			if (b.block_ns[i][round] <= 0)
				return 0;
		}
	}
	return n;
}

static void report(unsigned n)
{
	char where[512];

	machine(where, sizeof(where));
	printf("{\"bench\":\"quic\",");
	for (unsigned i = 0; i < SUBJECTS; i++)
		printf("\"%s_ns\":%.1f,", subjects[i].name, median(b.ns[i], b.rounds));
	for (unsigned i = 0; i < n; i++)
		printf("\"aes_%s_ns\":%.1f,", ciphers[i], median(b.block_ns[i], b.rounds));
	printf("\"rounds\":%u,\"machine\":{%s}}\n", b.rounds, where);
}

int main(int argc, char **argv)
{
	unsigned n;

	b.rounds = argc > 1 ? (unsigned)atoi(argv[1]) : 31;
	if (b.rounds < 5 || b.rounds > ROUNDS_MAX) {
		fprintf(stderr, "usage: bench_quic [ROUNDS], 5 to %d\n", ROUNDS_MAX);
		return 2;
	}
	stay_on_this_cpu();
	if (set_up()) {
		fprintf(stderr, "bench_quic: no namespace, or the program does not load: %s\n",
			strerror(errno));
		return 1;
	}
	if (take_turns())
		return 1;
	n = aes_turns();
	if (!n)
		return 1;
	report(n);
	quic_aes_bpf__destroy(b.aes);
	quic_rounds_bpf__destroy(b.lb);
	return 0;
}
