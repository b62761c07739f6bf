// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_rxhash.c - the build for the NIC's own hash on a veth, which gives XDP a hash of packets
 * that a socket sent and none of redirected ones. attach refuses it there, for veth's is not
 * Toeplitz: so it is put in place by hand, and the program must do as it is told by the driver.
 */
#include <arpa/inet.h>
#include <bpf/libbpf.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <string.h>
#include <sys/socket.h>

#include "control/toeplitz.h"
#include "hash.h"
#include "platform/hook.h"
#include "platform/napi.h"
#include "platform/nic.h"
#include "platform/steer_load.h"
#include "testnet.h"

#define PACKETS 50

struct frame {
	struct ether_header eth;
	struct iphdr ip;
	struct udphdr udp;
	char payload[18];
} __attribute__((packed));

static const uint8_t key[SL_TOEPLITZ_KEY] = "forty bytes that are as good as all else";
static struct sl_error err;
static struct sl_instance *inst;
static char name[8], peer[16]; /* pins are the machine's: each test has interfaces of its own */

static struct frame frame_of(uint16_t sport)
{
	struct frame frame = {
		.eth = {{2, 0, 0, 0, 0, 1}, {2, 0, 0, 0, 0, 2}, htons(ETHERTYPE_IP)},
		.ip = {.version = 4, .ihl = 5, .ttl = 64, .protocol = IPPROTO_UDP},
	};

	frame.ip.tot_len = htons(sizeof(frame) - sizeof(frame.eth));
	frame.ip.saddr = htonl(0xc6336401);
	frame.ip.daddr = htonl(0xc6336502);
	frame.udp.uh_sport = htons(sport);
	frame.udp.uh_dport = htons(53);
	frame.udp.uh_ulen = htons(sizeof(frame.udp) + sizeof(frame.payload));
	return frame;
}

static uint32_t bucket_of(const struct frame *f)
{
	static struct sl_toeplitz table;
	struct sl_tuple t = {.sport = ntohs(f->udp.uh_sport),
			     .dport = ntohs(f->udp.uh_dport),
			     .proto = f->ip.protocol,
			     .ports = 1};

	sl_toeplitz_build(key, &table);
	t.src[3] = f->ip.saddr;
	t.dst[3] = f->ip.daddr;
	return sl_toeplitz_hash(&table, &t, SL_META_V4) & inst->control->bucket_mask;
}

static uint64_t in_bucket(uint32_t bucket)
{
	return inst->iface[0].bucket_stats[bucket].packets;
}

static uint64_t in_all(void)
{
	uint64_t sum = 0;

	for (uint32_t b = 0; b < inst->hash_buckets; b++)
		sum += in_bucket(b);
	return sum;
}

static uint64_t software(void)
{
	uint64_t values[512] = {0}, sum = 0;
	const uint32_t what = SL_INFO_SOFTWARE_HASH;

	cr_assert_leq(libbpf_num_possible_cpus(), 512);
	cr_assert_eq(bpf_map_lookup_elem(inst->iface[0].verdicts_fd, &what, values), 0);
	for (unsigned i = 0; i < 512; i++)
		sum += values[i];
	return sum;
}

/* In the place of the ordinary build, over its maps, as --replace does. */
static void put_rxhash(int ifindex)
{
	const struct sl_load_sizes sizes = {.buckets = inst->hash_buckets,
					    .max_workers = inst->max_workers,
					    .queues = sl_load_queues(name),
					    .rx_hash = ifindex};
	struct sl_map_set there, set;
	struct sl_prog prog;
	struct sl_hook hook;
	int fd, link;

	cr_assert_eq(sl_hook_query(ifindex, &hook), 0);
	cr_assert_eq(sl_prog_open(hook.prog_id, &prog, &err), 0, "%s", err.text);
	cr_assert_eq(sl_prog_maps(&prog, &there, &err), 0, "%s", err.text);
	fd = sl_load(&sizes, &there, &set, &err);
	cr_assert_geq(fd, 0, "%s", err.text);
	cr_assert(sl_prog_takes_rx_hash(fd) && !sl_prog_takes_rx_hash(prog.fd));
	link = sl_pin_open_link(inst->name, name);
	cr_assert_eq(sl_hook_swap(ifindex, hook.mode, link, prog.fd, fd), 0);
}

static void setup(const char *ifname)
{
	static struct sl_rule all;
	struct sl_xdp_features features;
	const char *ifaces[] = {ifname};
	struct sl_attach_opts opts = {.ifaces = ifaces,
				      .ifaces_n = 1,
				      .rules = &all,
				      .rules_n = 1,
				      .mode = SL_XDP_NATIVE,
				      .toeplitz = true};
	int ifindex;

	testnet_enter();
	testnet_veth(ifname, 1);
	snprintf(name, sizeof(name), "%s", ifname);
	snprintf(peer, sizeof(peer), "%sp", ifname);
	ifindex = (int)if_nametoindex(ifname);
	if (sl_xdp_features(ifindex, &features) || !features.rx_hash)
		cr_skip_test("this kernel's veth gives XDP no hash");
	all = testnet_rule_all();
	memcpy(opts.toeplitz_key, key, sizeof(key));
	cr_assert_eq(sl_attach(&opts, &err), 0, "%s", err.text);
	cr_assert_eq(sl_instance_open(name, &inst, &err), 0, "%s", err.text);
	put_rxhash(ifindex);
}

static void done(void)
{
	sl_instance_close(inst);
	cr_assert_eq(sl_detach(name, true, &err), 0, "%s", err.text);
}

static void wait_for(uint64_t packets)
{
	for (unsigned i = 0; i < 2000 && in_all() < packets; i++)
		usleep(1000);
	cr_assert_eq(in_all(), packets);
}

/* As a socket sends it: veth gives XDP the packet's own hash. */
static void send_by_socket(const struct frame *frame)
{
	struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_IP)};
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

	cr_assert_geq(fd, 0);
	to.sll_ifindex = (int)if_nametoindex(peer);
	cr_assert_eq(sendto(fd, frame, sizeof(*frame), 0, (struct sockaddr *)&to, sizeof(to)),
		     (ssize_t)sizeof(*frame));
	close(fd);
}

/* As XDP of the other end sends it: without a hash. */
static void send_by_xdp(const struct frame *frame)
{
	const struct bpf_insn tx[] = {{.code = 0xb7, .imm = XDP_TX}, {.code = 0x95}};
	struct xdp_md ctx = {.ingress_ifindex = if_nametoindex(peer), .data_end = sizeof(*frame)};
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame, .data_size_in = sizeof(*frame),
		    .ctx_in = &ctx, .ctx_size_in = sizeof(ctx), .repeat = 1,
		    .flags = BPF_F_TEST_XDP_LIVE_FRAMES);
	int fd = bpf_prog_load(BPF_PROG_TYPE_XDP, "tx", "GPL", tx, 2, NULL);

	cr_assert_geq(fd, 0);
	cr_assert_eq(bpf_prog_test_run_opts(fd, &opts), 0);
	close(fd);
}

Test(rxhash, the_drivers_hash_is_taken)
{
	setup("rxh0");
	for (unsigned i = 0; i < PACKETS; i++) {
		const struct frame frame = frame_of((uint16_t)(i * 40503));

		send_by_socket(&frame);
	}
	wait_for(PACKETS);
	cr_assert_eq(software(), 0);
	done();
}

Test(rxhash, without_one_it_is_computed)
{
	setup("rxh1");
	for (unsigned i = 0; i < PACKETS; i++) {
		const struct frame frame = frame_of((uint16_t)(i * 40503));
		const uint64_t before = in_bucket(bucket_of(&frame));

		send_by_xdp(&frame);
		wait_for(i + 1);
		cr_assert_eq(in_bucket(bucket_of(&frame)), before + 1);
	}
	cr_assert_eq(software(), PACKETS);
	done();
}

/* A fragment's flow is its addresses, whatever the driver hashed. */
Test(rxhash, a_fragment_is_computed)
{
	struct frame frame = frame_of(7);

	setup("rxh2");
	frame.ip.frag_off = htons(0x2000);
	send_by_socket(&frame);
	wait_for(1);
	cr_assert_eq(software(), 1);
	done();
}
