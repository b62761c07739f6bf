/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * doctor.h - what is wrong with an interface, from facts about it: pure, so that what only a NIC
 * shows is tested with made-up facts. platform/examine.h collects them, platform/mend.h applies.
 */
#ifndef SL_CONTROL_DOCTOR_H
#define SL_CONTROL_DOCTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SL_FACT_CPUS 1024
#define SL_FACT_NAPIS 64
#define SL_FACT_WORKERS 128
#define SL_FACT_RETA 4096
#define SL_FACT_NAME 16 /* IF_NAMESIZE */

enum sl_answer { SL_UNKNOWN, SL_NO, SL_YES };
enum sl_fact_mode { SL_FACT_DETACHED, SL_FACT_NATIVE, SL_FACT_GENERIC };

struct sl_cpu_set {
	uint64_t word[SL_FACT_CPUS / 64];
};

static inline bool sl_cpu_set_has(const struct sl_cpu_set *set, unsigned cpu)
{
	return cpu < SL_FACT_CPUS && set->word[cpu / 64] >> cpu % 64 & 1;
}

static inline void sl_cpu_set_add(struct sl_cpu_set *set, unsigned cpu)
{
	if (cpu < SL_FACT_CPUS)
		set->word[cpu / 64] |= 1ULL << cpu % 64;
}

/* An offload: not there, off, on, or on for ever. */
enum sl_offload { SL_OFFLOAD_OFF, SL_OFFLOAD_ON, SL_OFFLOAD_FIXED_ON };

struct sl_fact_offloads {
	enum sl_offload lro, gro, gro_hw, gro_list, gro_udp; /* receiving */
	enum sl_offload vlan_rx; /* tags are taken off before XDP */
	enum sl_offload vlan_tx, checksum_tx, segment_tx; /* sending: matter at a veth's peer */
};

/* Where packets of a queue are received. */
struct sl_fact_napi {
	uint32_t id;
	int queue; /* -1: unknown */
	int irq; /* -1: unknown */
	int pid; /* of its thread, 0: softirq */
	struct sl_cpu_set cpus; /* that its interrupt, or thread, may run on */
	uint32_t defer_hard_irqs;
	uint64_t gro_flush_ns;
};

struct sl_facts {
	char ifname[SL_FACT_NAME], driver[32];
	bool up;
	unsigned mtu;

	unsigned rx, rx_max; /* queues; rx_max: as far as ethtool -L goes */
	bool combined; /* ethtool -L says combined, not rx */

	enum sl_answer native, zerocopy, rx_hash; /* what the driver can */
	struct sl_fact_offloads offloads;

	bool veth;
	bool peer_known;
	char peer[SL_FACT_NAME], peer_reach[96]; /* a command there begins with peer_reach */
	unsigned peer_tx;
	struct sl_fact_offloads peer_offloads;

	bool rss;
	uint32_t hfunc;
	unsigned reta_n, key_bytes;
	uint32_t reta[SL_FACT_RETA];
	uint8_t key[64];
	uint32_t fields[4]; /* by enum sl_flow_type: tcp4, tcp6, udp4, udp6 */
	bool fields_known[4];

	/* the instance */
	bool unseen; /* without privilege: attached or not, nobody knows */
	bool foreign; /* a program is on the interface that is not Sluice's */
	enum sl_fact_mode attached;
	bool toeplitz; /* it hashes as NICs do */
	bool key_differs; /* by another key than the device's */
	unsigned queues_room; /* RX queues that its maps have room for */

	/* the dataplane */
	bool running;
	bool copy, busy_poll; /* a socket is in copy mode; sockets busy-poll */
	unsigned frame_size; /* 0: unknown */
	unsigned workers;
	int worker_cpu[SL_FACT_WORKERS]; /* -1: not pinned */

	/* the host */
	struct sl_cpu_set cpus; /* that a worker may run on */
	int node; /* NUMA node of the device, -1 unknown */
	uint16_t cpu_node[SL_FACT_CPUS];
	unsigned napis;
	struct sl_fact_napi napi[SL_FACT_NAPIS];
	bool irqbalance; /* runs */

	uint64_t need; /* bytes of frames that `sluice run` takes by its defaults */
	uint64_t memlock; /* RLIMIT_MEMLOCK, UINT64_MAX none or it does not count */
	uint64_t machine, group; /* bytes available, UINT64_MAX unknown */
	char group_name[128];
};

enum sl_mend_kind {
	SL_MEND_NONE,
	SL_MEND_UP,
	SL_MEND_MTU, /* value */
	SL_MEND_QUEUES, /* value RX queues; at the peer, TX queues */
	SL_MEND_OFFLOADS, /* features off, at the peer if `peer` */
	SL_MEND_RETA, /* value queues in turn */
	SL_MEND_TOEPLITZ,
	SL_MEND_FIELDS, /* flow type id: addresses and ports */
	SL_MEND_IRQ, /* interrupt id to CPU value */
	SL_MEND_THREAD, /* thread id to CPU value */
	SL_MEND_DEFER, /* NAPI id */
};

#define SL_MEND_FEATURES 6

/* What a finding's command does, for who does it without a shell. */
struct sl_mend {
	enum sl_mend_kind kind;
	bool peer;
	uint32_t id, value;
	const char *features[SL_MEND_FEATURES]; /* the kernel's names, to be turned off */
	unsigned features_n;
};

/* Interrupts wait for so many empty polls, and so long, while busy polling (af_xdp.rst). */
#define SL_DEFER_HARD_IRQS 2u
#define SL_GRO_FLUSH_NS 200000u

struct sl_finding {
	const char *id; /* "peer-checksum" */
	bool problem; /* else worth knowing, and nothing to be done */
	char text[256];
	char command[384]; /* "" with a note only */
	struct sl_mend mend; /* SL_MEND_NONE: the command is for the operator */
};

#define SL_FINDINGS_MAX 160

struct sl_findings {
	unsigned n, problems;
	struct sl_finding v[SL_FINDINGS_MAX];
};

/* Problems first found come first: later ones may go with them. */
void sl_doctor(const struct sl_facts *facts, struct sl_findings *findings);

#endif /* SL_CONTROL_DOCTOR_H */
