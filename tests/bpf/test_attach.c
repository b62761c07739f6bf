// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_attach.c - attach to interfaces that carry nothing, detach, and what must be refused with
 * nothing changed.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <linux/if_link.h>
#include <time.h>

#include "attach_rig.h"
#include "platform/local.h"

/* A program that is not ours: XDP_PASS, nothing else. */
static int foreign_program(const char *name)
{
	const struct bpf_insn code[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = XDP_PASS},
		{.code = BPF_JMP | BPF_EXIT},
	};
	const int fd = bpf_prog_load(BPF_PROG_TYPE_XDP, name, "GPL", code, 2, NULL);

	cr_assert_geq(fd, 0);
	return fd;
}

TestSuite(attach, .init = setup, .timeout = 120);

Test(attach, configures_and_detach_leaves_nothing)
{
	const char *ifaces[] = {"slpa0"};
	struct sl_attach_opts opts = options(ifaces, 1);
	struct sl_instance *inst;
	uint64_t keys = 0;

	testnet_veth("slpa0", 2);
	opts.buckets = 256;
	opts.max_workers = 4;
	ATTACH(&opts, 0);
	cr_assert_str_empty(err.text);
	inst = open_instance("slpa0");
	cr_assert_eq(inst->ifaces, 1);
	cr_assert_eq(inst->hash_buckets, 256);
	cr_assert_eq(inst->buckets, 256 + SL_PARTS);
	cr_assert_eq(inst->max_workers, 4);
	cr_assert_eq(inst->iface[0].queues, 2);
	cr_assert_eq(inst->iface[0].queues_max, 2);
	cr_assert_eq(inst->iface[0].mode, SL_XDP_NATIVE);
	cr_assert(inst->control->flags & SL_CTL_READY);
	cr_assert_eq(inst->control->bucket_mask, 255);
	cr_assert_eq(inst->control->bucket_stride, 256 + SL_PARTS);
	for (unsigned i = 0; i < SL_HASH_KEY; i++)
		keys |= inst->control->hash_key[i];
	cr_assert_neq(keys, 0, "the hash has no key");
	cr_assert_not(sl_instance_running(inst));
	cr_assert_eq(sl_instance_grace(inst), 0);
	sl_instance_close(inst);
	DETACH("slpa0", 0);
	cr_assert_eq(prog_on("slpa0"), 0);
	cr_assert_not(is_pinned("slpa0"));
	cr_assert_eq(open_result("slpa0"), -ENOENT);
	cr_assert_eq(open_result("slpa0nope"), -ENODEV);
}

Test(attach, refuses_without_change)
{
	const char *ifaces[] = {"slpb0", "slpb1"}, *twice[] = {"slpb0", "slpb0"};
	const char *many[] = {"slpb0", "slpb1", "slpb2", "slpb3", "slpb4"};
	struct sl_attach_opts opts = options(ifaces, 1), bad;

	testnet_veth("slpb0", 1);
	bad = opts;
	bad.rules_n = 0;
	ATTACH(&bad, -EINVAL);
	cr_assert(strstr(err.text, "--match"), "%s", err.text);
	bad = opts;
	bad.buckets = 1000;
	ATTACH(&bad, -EINVAL);
	bad = opts;
	bad.instance = "a/b";
	ATTACH(&bad, -EINVAL);
	bad = options(twice, 2);
	ATTACH(&bad, -EINVAL);
	bad = options(many, SL_MAX_IFACES + 1);
	ATTACH(&bad, -EINVAL);
	cr_assert_not(strstr(err.text, "-i"), "attach has no such option: %s", err.text);
	/* The second interface is not there: the first one must stay as it was. */
	bad = options(ifaces, 2);
	ATTACH(&bad, -ENODEV);
	cr_assert_eq(prog_on("slpb0"), 0);
	cr_assert_not(is_pinned("slpb0"));
}

Test(attach, second_attach_is_refused_and_running_dataplane_holds_detach)
{
	const char *ifaces[] = {"slpc0"};
	struct sl_attach_opts opts = options(ifaces, 1);
	struct sl_instance *inst;
	struct timespec now;

	testnet_veth("slpc0", 1);
	ATTACH(&opts, 0);
	ATTACH(&opts, -EEXIST);
	cr_assert(strstr(err.text, "--replace"), "%s", err.text);
	inst = open_instance("slpc0");
	clock_gettime(CLOCK_MONOTONIC, &now);
	inst->control->pid = (uint32_t)getpid();
	inst->control->heartbeat_ns = (uint64_t)now.tv_sec * 1000000000u;
	cr_assert(sl_instance_running(inst));
	DETACH("slpc0", -EBUSY);
	cr_assert_neq(prog_on("slpc0"), 0);
	cr_assert(inst->control->flags & SL_CTL_READY);
	sl_instance_close(inst);
	cr_assert_eq(sl_detach("slpc0", true, &err), 0, "%s", err.text);
	cr_assert_eq(prog_on("slpc0"), 0);
}

Test(attach, foreign_program_is_named_and_left)
{
	const char *ifaces[] = {"slpd0", "slpd1"};
	struct sl_attach_opts opts = options(ifaces, 2);
	int fd;

	testnet_veth("slpd0", 1);
	testnet_veth("slpd1", 1);
	fd = foreign_program("their_firewall");
	cr_assert_eq(bpf_xdp_attach((int)if_nametoindex("slpd1"), fd, XDP_FLAGS_DRV_MODE, NULL), 0);
	ATTACH(&opts, -EEXIST);
	cr_assert(strstr(err.text, "their_firewall") && strstr(err.text, "slpd1"), "%s", err.text);
	opts.replace = true;
	ATTACH(&opts, -EEXIST);
	cr_assert_eq(prog_on("slpd1"), sl_prog_id(fd));
	cr_assert_eq(prog_on("slpd0"), 0);
	cr_assert_not(is_pinned("slpd0"));
	cr_assert_eq(open_result("slpd1"), -EEXIST);
	cr_assert_eq(sl_detach("slpd1", false, &err), -EEXIST);
	close(fd);
	fd = foreign_program("xdp_dispatcher");
	cr_assert_eq(bpf_xdp_attach((int)if_nametoindex("slpd0"), fd, XDP_FLAGS_DRV_MODE, NULL), 0);
	ATTACH(&opts, -EEXIST);
	cr_assert(strstr(err.text, "libxdp"), "%s", err.text);
	close(fd);
}

Test(attach, two_interfaces_share_the_instance_maps)
{
	const char *ifaces[] = {"slph0", "slph1"};
	struct sl_attach_opts opts = options(ifaces, 2);
	struct sl_instance *a, *b;

	testnet_veth("slph0", 1);
	testnet_veth("slph1", 2);
	opts.instance = "slph";
	ATTACH(&opts, 0);
	a = open_instance("slph0");
	b = open_instance("slph1");
	cr_assert_eq(a->ifaces, 2);
	cr_assert_str_eq(a->iface[0].name, "slph0");
	cr_assert_str_eq(a->iface[1].name, "slph1");
	cr_assert_eq(a->iface[1].queues_max, 2);
	__atomic_store_n(&a->rows[7], 0x1234, __ATOMIC_RELAXED);
	cr_assert_eq(b->rows[7], 0x1234, "one table for both");
	sl_instance_close(a);
	sl_instance_close(b);
	/* One of them goes away: the other is served. */
	cr_assert_eq(run("ip link del slph0"), 0);
	a = open_instance("slph");
	cr_assert_eq(a->ifaces, 1);
	cr_assert_str_eq(a->iface[0].name, "slph1");
	sl_instance_close(a);
	DETACH("slph1", 0);
	cr_assert_not(is_pinned("slph"));
}

Test(attach, generic_where_native_is_refused)
{
	const char *ifaces[] = {"slpk0"};
	struct sl_attach_opts opts = options(ifaces, 1);
	struct sl_instance *inst;

	testnet_veth("slpk0", 1);
	/* A veth refuses native XDP at an MTU over a page. */
	cr_assert_eq(run("ip link set slpk0 mtu 9000 && ip link set slpk0p mtu 9000"), 0);
	opts.mode = SL_XDP_NATIVE;
	ATTACH(&opts, -ERANGE);
	cr_assert(strstr(err.text, "MTU"), "%s", err.text);
	cr_assert_not(is_pinned("slpk0"));
	opts.mode = SL_XDP_UNKNOWN;
	ATTACH(&opts, 0);
	cr_assert(strstr(err.text, "generic") && strstr(err.text, "mtu 1500"), "%s", err.text);
	inst = open_instance("slpk0");
	cr_assert_eq(inst->iface[0].mode, SL_XDP_GENERIC);
	sl_instance_close(inst);
	DETACH("slpk0", 0);
}

/* The loopback device has no native XDP, and no setting of it that would help. */
Test(attach, mend_is_told_to_those_who_asked_for_native)
{
	const char *ifaces[] = {"lo"};
	struct sl_attach_opts opts = options(ifaces, 1);

	opts.instance = "slpr";
	opts.mode = SL_XDP_NATIVE;
	ATTACH(&opts, -EOPNOTSUPP);
	cr_assert(strstr(err.text, "--mode"), "%s", err.text);
	opts.mode = SL_XDP_UNKNOWN;
	ATTACH(&opts, 0);
	cr_assert_str_eq(err.text, "generic mode: lo: its driver has no native XDP");
	DETACH("slpr", 0);
	opts.mode = SL_XDP_GENERIC;
	ATTACH(&opts, 0);
	cr_assert_str_empty(err.text);
	DETACH("slpr", 0);
}

Test(attach, all_or_nothing)
{
	const char *ifaces[] = {"slpp0", "slpp1"};
	struct sl_attach_opts opts = options(ifaces, 2), one = options(ifaces, 1);
	struct sl_instance *inst;
	uint32_t prog;

	testnet_veth("slpp0", 1);
	testnet_veth("slpp1", 1);
	cr_assert_eq(run("ip link set slpp1 mtu 9000 && ip link set slpp1p mtu 9000"), 0);
	opts.mode = SL_XDP_NATIVE;
	ATTACH(&opts, -ERANGE);
	cr_assert_eq(prog_on("slpp0"), 0, "the first one is taken back");
	cr_assert_not(is_pinned("slpp0"));
	/* The first one is swapped before the second one fails. */
	ATTACH(&one, 0);
	prog = prog_on("slpp0");
	opts.replace = true;
	ATTACH(&opts, -ERANGE);
	cr_assert_eq(prog_on("slpp0"), prog);
	inst = open_instance("slpp0");
	cr_assert_eq(inst->ifaces, 1);
	cr_assert(inst->control->flags & SL_CTL_READY);
	sl_instance_close(inst);
	DETACH("slpp0", 0);
}

Test(attach, local_addresses_follow)
{
	const char *ifaces[] = {"slpn0"};
	struct sl_attach_opts opts = options(ifaces, 1);
	struct sl_addr *addrs, v4 = {.b = {[10] = 0xff, 0xff, 192, 0, 2, 7}};
	struct sl_instance *inst;
	uint32_t set;
	__u8 one;
	unsigned n;

	testnet_veth("slpn0", 1);
	ATTACH(&opts, 0);
	inst = open_instance("slpn0");
	set = inst->control->match_set;
	cr_assert_eq(sl_local_refresh(inst, &err), 0, "%s", err.text);
	cr_assert_eq(inst->control->match_set, set, "nothing changed, nothing to do");
	cr_assert_neq(bpf_map_lookup_elem(inst->iface[0].local_addrs_fd, &v4, &one), 0);
	cr_assert_eq(run("ip addr add 192.0.2.7/24 dev slpn0p"), 0);
	cr_assert_eq(sl_local_refresh(inst, &err), 0, "%s", err.text);
	cr_assert_neq(inst->control->match_set, set);
	cr_assert_eq(bpf_map_lookup_elem(inst->iface[0].local_addrs_fd, &v4, &one), 0);
	v4.b[15] = 255;
	cr_assert_eq(bpf_map_lookup_elem(inst->iface[0].local_addrs_fd, &v4, &one), 0,
		     "the subnet's broadcast");
	cr_assert_eq(sl_local_collect(&addrs, &n), 0);
	cr_assert(sl_local_same(inst->iface[0].local_addrs_fd, addrs, n));
	free(addrs);
	cr_assert_eq(run("ip addr del 192.0.2.7/24 dev slpn0p"), 0);
	cr_assert_eq(sl_local_refresh(inst, &err), 0, "%s", err.text);
	cr_assert_neq(bpf_map_lookup_elem(inst->iface[0].local_addrs_fd, &v4, &one), 0);
	sl_instance_close(inst);
	DETACH("slpn0", 0);
}

static unsigned count_ids(int (*next)(__u32, __u32 *))
{
	__u32 id = 0;
	unsigned n = 0;

	while (!next(id, &id))
		n++;
	return n;
}

static unsigned count_objects(void)
{
	return count_ids(bpf_prog_get_next_id) + count_ids(bpf_map_get_next_id) +
	       count_ids(bpf_link_get_next_id);
}

static unsigned count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned n = 0;

	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

/* Maps of one size: a size that nobody else makes counts exactly what this test made. */
static unsigned count_maps(uint32_t entries)
{
	unsigned n = 0;
	__u32 id = 0;

	while (!bpf_map_get_next_id(id, &id)) {
		struct bpf_map_info info = {0};
		__u32 len = sizeof(info);
		const int fd = bpf_map_get_fd_by_id(id);

		if (fd < 0)
			continue;
		n += !bpf_obj_get_info_by_fd(fd, &info, &len) && info.max_entries == entries;
		close(fd);
	}
	return n;
}

#define LEAK_WORKERS 13
#define LEAK_QUEUES 7

/*
 * Exact for the maps of odd sizes, which live as long as a program does. In sum for everything
 * else: others load programs on this machine too, so that sees a leak of one object in a cycle.
 */
Test(attach, cycles_leak_nothing)
{
	const char *ifaces[] = {"slpo0", "slpo1"};
	struct sl_attach_opts opts = options(ifaces, 2);
	unsigned objects, fds;

	testnet_veth("slpo0", LEAK_QUEUES);
	testnet_veth("slpo1", LEAK_QUEUES);
	opts.buckets = SL_MIN_BUCKETS;
	opts.max_workers = LEAK_WORKERS;
	objects = count_objects();
	fds = count_fds();
	for (unsigned i = 0; i < 50; i++) {
		opts.replace = false;
		ATTACH(&opts, 0);
		cr_assert_eq(count_maps((SL_MIN_BUCKETS + SL_PARTS) * LEAK_WORKERS), 1, "cycle %u",
			     i);
		opts.replace = true;
		ATTACH(&opts, 0);
		sl_instance_close(open_instance("slpo1"));
		DETACH("slpo0", 0);
		for (unsigned j = 0;
		     j < 100 && count_maps((SL_MIN_BUCKETS + SL_PARTS) * LEAK_WORKERS); j++)
			usleep(10000);
	}
	cr_assert_eq(count_fds(), fds);
	cr_assert_eq(count_maps((SL_MIN_BUCKETS + SL_PARTS) * LEAK_WORKERS), 0, "bucket_cost");
	cr_assert_eq(count_maps(SL_MIN_BUCKETS * LEAK_QUEUES), 0, "bucket_stats");
	for (unsigned i = 0; i < 300 && count_objects() > objects + 40; i++)
		usleep(100000);
	cr_assert_leq(count_objects(), objects + 40);
}
