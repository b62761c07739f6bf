// SPDX-License-Identifier: GPL-2.0-or-later
/* test_doctor.c - findings from made-up facts: mostly what only a NIC, or a larger machine, has. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "control/doctor.h"

static struct sl_facts f;
static struct sl_findings out;

/* A NIC of four queues on a machine of eight CPUs, nothing wrong with it. */
static void healthy(void)
{
	memset(&f, 0, sizeof(f));
	strcpy(f.ifname, "eth7");
	strcpy(f.driver, "mlx5_core");
	f.up = true;
	f.mtu = 1500;
	f.rx = f.rx_max = 4;
	f.combined = true;
	f.native = f.zerocopy = f.rx_hash = SL_YES;
	f.rss = true;
	f.hfunc = 1;
	f.reta_n = 128;
	f.key_bytes = 40;
	for (unsigned i = 0; i < f.reta_n; i++)
		f.reta[i] = i % f.rx;
	for (unsigned t = 0; t < 4; t++) {
		f.fields_known[t] = true;
		f.fields[t] = 0xf0;
	}
	f.attached = SL_FACT_NATIVE;
	f.queues_room = 4;
	f.node = -1;
	for (unsigned cpu = 0; cpu < 8; cpu++)
		sl_cpu_set_add(&f.cpus, cpu);
	f.napis = 4;
	for (unsigned i = 0; i < 4; i++) {
		f.napi[i] =
			(struct sl_fact_napi){.id = 100 + i, .queue = (int)i, .irq = 30 + (int)i};
		sl_cpu_set_add(&f.napi[i].cpus, i);
	}
	f.memlock = f.machine = f.group = UINT64_MAX;
}

static void serving(void)
{
	f.running = true;
	f.frame_size = 2048;
	f.workers = 4;
	for (unsigned w = 0; w < 4; w++)
		f.worker_cpu[w] = 4 + (int)w;
}

static const struct sl_finding *find(const char *id)
{
	sl_doctor(&f, &out);
	for (unsigned i = 0; i < out.n; i++)
		if (!strcmp(out.v[i].id, id))
			return &out.v[i];
	return NULL;
}

/* The one problem there is, with this command and mend. */
static const struct sl_finding *only(const char *id, const char *command, enum sl_mend_kind kind)
{
	const struct sl_finding *x = find(id);

	cr_assert(x, "%s is not found", id);
	cr_assert_eq(out.problems, 1, "%u problems", out.problems);
	cr_assert(x->problem && x->text[0]);
	cr_assert_str_eq(x->command, command);
	cr_assert_eq(x->mend.kind, kind);
	return x;
}

TestSuite(doctor, .init = healthy);

Test(doctor, nothing)
{
	sl_doctor(&f, &out);
	cr_assert_eq(out.n, 0, "%s", out.v[0].text);
	serving();
	sl_doctor(&f, &out);
	cr_assert_eq(out.n, 0, "%s", out.v[0].text);
}

Test(doctor, reta)
{
	for (unsigned i = 0; i < f.reta_n; i++)
		f.reta[i] = i % 3;
	cr_assert_eq(only("reta-idle", "ethtool -X eth7 equal 4", SL_MEND_RETA)->mend.value, 4);
	for (unsigned i = 0; i < f.reta_n; i++)
		f.reta[i] = i < 16 ? i % 4 : i % 3;
	only("reta-uneven", "ethtool -X eth7 equal 4", SL_MEND_RETA);
	f.reta_n = 2; /* fewer entries than queues: some have to be idle */
	cr_assert_not(find("reta-idle"));
}

Test(doctor, one_queue_hashes_as_it_likes)
{
	f.rx = f.rx_max = 1;
	f.reta_n = 128;
	memset(f.reta, 0, sizeof(f.reta));
	f.fields[2] = 0x30;
	sl_doctor(&f, &out);
	cr_assert_eq(out.problems, 0, "%s", out.v[0].text);
}

Test(doctor, fields)
{
	const struct sl_finding *x;

	f.fields[2] = 0x30; /* igb */
	x = only("hash-fields", "ethtool -N eth7 rx-flow-hash udp4 sdfn", SL_MEND_FIELDS);
	cr_assert(x->mend.id == 2 && x->mend.value == 0xf0);
	f.fields_known[2] = false;
	cr_assert_not(find("hash-fields"));
}

Test(doctor, hash)
{
	f.hfunc = 2;
	f.key_differs = true;
	sl_doctor(&f, &out);
	cr_assert_eq(out.n, 0, "Sluice's own hash does not care");
	f.toeplitz = true;
	f.key_differs = false;
	only("hash-function", "ethtool -X eth7 hfunc toeplitz", SL_MEND_TOEPLITZ);
	f.hfunc = 1;
	f.key_differs = true;
	f.key_bytes = 2;
	f.key[0] = 0x6d;
	f.key[1] = 0x5a;
	only("hash-key",
	     "sluice detach eth7 && sluice attach eth7 --hash toeplitz:6d5a --match ...",
	     SL_MEND_NONE);
}

Test(doctor, queues)
{
	f.rx = 1;
	cr_assert_eq(only("queues-one", "ethtool -L eth7 combined 4", SL_MEND_QUEUES)->mend.value,
		     4);
	memset(&f.cpus, 0, sizeof(f.cpus));
	sl_cpu_set_add(&f.cpus, 3);
	cr_assert_not(find("queues-one"), "one CPU needs no second queue");
	healthy();
	f.rx = f.rx_max = 96;
	f.queues_room = 0;
	f.reta_n = 0;
	only("queues-many", "ethtool -L eth7 combined 64", SL_MEND_QUEUES);
	f.queues_room = 8;
	only("queues-many", "ethtool -L eth7 combined 8", SL_MEND_QUEUES);
}

static void veth(void)
{
	strcpy(f.driver, "veth");
	f.veth = f.peer_known = true;
	strcpy(f.peer, "p0");
	strcpy(f.peer_reach, "ip netns exec x ");
	f.rss = f.combined = false;
	f.zerocopy = SL_UNKNOWN;
	f.napis = 0;
	f.peer_tx = 4;
}

Test(doctor, queues_of_a_veth)
{
	veth();
	f.attached = SL_FACT_DETACHED;
	f.rx = 2;
	only("peer-queues", "ethtool -L eth7 rx 4", SL_MEND_QUEUES);
	f.rx_max = 2;
	cr_assert(only("peer-queues", "ip netns exec x ethtool -L p0 tx 2", SL_MEND_QUEUES)
			  ->mend.peer);
	/* New queues of a veth get no program: --fix must not open a way past XDP. */
	f.attached = SL_FACT_NATIVE;
	f.rx_max = 4;
	f.rx = 1;
	only("queues-one", "ethtool -L eth7 rx 4 && sluice attach eth7 --replace", SL_MEND_NONE);
}

Test(doctor, merging_offloads)
{
	f.offloads.gro = SL_OFFLOAD_ON;
	sl_doctor(&f, &out);
	cr_assert_eq(out.n, 0, "native XDP comes before GRO");
	f.offloads.lro = SL_OFFLOAD_ON;
	cr_assert_str_eq(only("lro", "ethtool -K eth7 lro off", SL_MEND_OFFLOADS)->mend.features[0],
			 "rx-lro");
	f.offloads.lro = SL_OFFLOAD_OFF;
	f.native = SL_NO;
	f.attached = SL_FACT_GENERIC;
	only("gro", "ethtool -K eth7 gro off", SL_MEND_OFFLOADS);
	f.offloads.gro = SL_OFFLOAD_FIXED_ON;
	cr_assert_not(find("gro")->problem, "what cannot be mended is a note");
}

Test(doctor, vlan)
{
	f.offloads.vlan_rx = SL_OFFLOAD_ON;
	only("vlan", "ethtool -K eth7 rxvlan off", SL_MEND_OFFLOADS);
	veth();
	sl_doctor(&f, &out);
	cr_assert_eq(out.problems, 0, "a veth's flag does nothing");
	f.peer_offloads.vlan_tx = SL_OFFLOAD_ON;
	cr_assert(only("peer-vlan", "ip netns exec x ethtool -K p0 txvlan off", SL_MEND_OFFLOADS)
			  ->mend.peer);
	f.peer_known = false;
	cr_assert_not(find("peer-vlan"));
	cr_assert_not(find("peer-unknown")->problem);
}

Test(doctor, modes)
{
	serving();
	f.copy = true;
	only("copy-mode", "sluice run -i eth7 --bind zerocopy ...", SL_MEND_NONE);
	f.zerocopy = SL_NO;
	cr_assert_not(find("copy-mode"));
	cr_assert_not(find("no-zerocopy")->problem);
	f.attached = SL_FACT_GENERIC;
	only("generic-mode", "sluice detach eth7 && sluice attach eth7 --mode native --match ...",
	     SL_MEND_NONE);
}

Test(doctor, programs_of_others)
{
	f.attached = SL_FACT_DETACHED;
	f.unseen = true;
	cr_assert_not(find("unseen")->problem);
	f.unseen = false;
	f.foreign = true;
	only("foreign-program", "ip link set dev eth7 xdp off", SL_MEND_NONE);
}

Test(doctor, frames)
{
	f.mtu = 3000;
	only("frame-size", "sluice run -i eth7 --frame-size 4096 ...", SL_MEND_NONE);
	serving();
	f.frame_size = 4096;
	sl_doctor(&f, &out);
	cr_assert_eq(out.n, 0);
	f.mtu = 3827;
	cr_assert_eq(only("mtu", "ip link set dev eth7 mtu 3826", SL_MEND_MTU)->mend.value, 3826);
}

Test(doctor, interrupts)
{
	const struct sl_finding *x;

	serving();
	f.worker_cpu[0] = 2; /* CPU 4 is free now */
	x = only("irq", "echo 4 > /proc/irq/32/smp_affinity_list", SL_MEND_IRQ);
	cr_assert(x->mend.id == 32 && x->mend.value == 4);
	f.irqbalance = true;
	cr_assert_not(find("irqbalance")->problem);
	f.workers = 0;
	f.running = false;
	for (unsigned i = 0; i < 4; i++)
		f.napi[i].cpus = f.napi[0].cpus;
	cr_assert(find("irq-spread"));
	cr_assert_eq(out.problems, 3, "one of four stays: %u", out.problems);
	cr_assert(out.v[0].mend.value != out.v[1].mend.value);
}

Test(doctor, threads)
{
	serving();
	f.napi[1].irq = -1;
	f.napi[1].pid = 777;
	f.napi[1].cpus = f.cpus;
	only("napi-thread", "taskset -pc 1 777", SL_MEND_THREAD);
	for (unsigned cpu = 0; cpu < 8; cpu++)
		f.worker_cpu[cpu] = (int)cpu;
	f.workers = 8;
	sl_doctor(&f, &out);
	cr_assert_eq(out.problems, 0, "no CPU is free, nothing to be done");
}

Test(doctor, busy_polling)
{
	serving();
	f.busy_poll = true;
	for (unsigned i = 0; i < 4; i++) {
		f.napi[i].defer_hard_irqs = 2;
		f.napi[i].gro_flush_ns = 200000;
	}
	sl_doctor(&f, &out);
	cr_assert_eq(out.n, 0);
	f.napi[3].defer_hard_irqs = 0;
	cr_assert_eq(find("napi-defer")->mend.id, 103);
	for (unsigned i = 0; i < 4; i++)
		f.napi[i].queue = -1;
	cr_assert_not(find("no-busy-poll")->problem);
}

Test(doctor, workers)
{
	serving();
	f.worker_cpu[1] = 4;
	only("workers-share", "sluice run -i eth7 --cpus LIST ...", SL_MEND_NONE);
	memset(&f.cpus, 0, sizeof(f.cpus));
	sl_cpu_set_add(&f.cpus, 4);
	f.workers = 2;
	only("workers-many", "sluice workers eth7 --set N", SL_MEND_NONE);
	healthy();
	serving();
	f.node = 1;
	for (unsigned cpu = 0; cpu < 6; cpu++)
		f.cpu_node[cpu] = 1;
	cr_assert(strstr(find("workers-node")->text, "2 of 4"), "%s", find("workers-node")->text);
}

Test(doctor, memory)
{
	f.need = 64 << 20;
	f.memlock = 8 << 20;
	only("memlock", "ulimit -l unlimited", SL_MEND_NONE);
	f.memlock = UINT64_MAX;
	f.group = 32 << 20;
	cr_assert(find("memory-group"));
	f.group = UINT64_MAX;
	f.machine = 32 << 20;
	cr_assert(find("memory"));
	serving();
	cr_assert_not(find("memory"), "it has what it needs");
}

Test(doctor, more_than_there_is_room_for)
{
	serving();
	f.busy_poll = true;
	f.napis = SL_FACT_NAPIS;
	for (unsigned i = 0; i < SL_FACT_NAPIS; i++) {
		f.napi[i] = f.napi[0];
		f.napi[i].id = i + 1;
	}
	sl_doctor(&f, &out);
	cr_assert_leq(out.n, SL_FINDINGS_MAX);
	cr_assert_geq(out.problems, SL_FACT_NAPIS);
}
