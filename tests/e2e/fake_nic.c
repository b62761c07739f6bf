// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fake_nic IF NETNS PEER [-d SECONDS] [-e ENTRIES] [-i] [-s] - a dataplane on
 * IF, a veth, whose NIC has a table (RETA): ethtool's part is played by memory, and the wire's by a
 * sender that hashes each packet as the NIC would and sends it in on the queue that the table
 * names. Rows are moved at random meanwhile. Every packet has its flow and number; the program's
 * own loop looks at them. With -i the NIC ignores its table; with -s it forgets it once, and shows
 * it still. Ends with one line of JSON.
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <linux/ethtool.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sluice/sluice.h>

#include "cli/gen/port.h"
#include "dataplane/word.h"
#include "hash.h"
#include "platform/clock.h"
#include "platform/rss.h"

#define QUEUES 2
#define WORKERS 2
#define FLOWS 64 /* each has packets in both queues at a time */
#define BURST 32
#define LAG 4 /* bursts that queue 0 comes later than the others, some 1 ms */
#define MOVE_US 10000
#define FRAME 64

struct fake {
	unsigned entries;
	_Atomic uint32_t reta[SL_RETA_MAX]; /* as it reads back */
	_Atomic uint32_t force[SL_RETA_MAX]; /* as packets meet it */
	uint8_t key[40];
	uint32_t fields[64];
	bool ignores, forgets;
};

static struct fake fake = {.entries = 128};
static struct sl_dataplane *dp;
static struct sl_instance *inst;
static struct sl_toeplitz table;
static const char *netns, *peer;
static atomic_bool stop, moving = true;
static uint64_t sent[FLOWS];
static _Atomic uint64_t next_seq[FLOWS], received, reordered;

/* --- the device */

static int rxfh_read(struct ethtool_rxfh *x)
{
	const bool sizes_only = !x->indir_size && !x->key_size;

	x->indir_size = fake.entries;
	x->key_size = sizeof(fake.key);
	x->hfunc = SL_RSS_TOEPLITZ;
	for (unsigned e = 0; !sizes_only && e < fake.entries; e++)
		x->rss_config[e] = fake.reta[e];
	if (!sizes_only)
		memcpy(x->rss_config + fake.entries, fake.key, sizeof(fake.key));
	return 0;
}

static int rxfh_write(const struct ethtool_rxfh *x)
{
	const unsigned n = x->indir_size == ETH_RXFH_INDIR_NO_CHANGE ? 0 : x->indir_size;

	for (unsigned e = 0; e < n; e++) {
		fake.reta[e] = x->rss_config[e];
		if (!fake.ignores)
			fake.force[e] = x->rss_config[e];
	}
	memcpy(fake.key, x->rss_config + n, x->key_size);
	return 0;
}

static int ethtool(void *ctx, const char *ifname, void *data)
{
	struct ethtool_rxnfc *f = data;

	switch (*(uint32_t *)data) {
	case ETHTOOL_GRSSH:
		return rxfh_read(data);
	case ETHTOOL_SRSSH:
		return rxfh_write(data);
	case ETHTOOL_GRXFH:
		f->data = fake.fields[f->flow_type];
		return 0;
	case ETHTOOL_SRXFH:
		fake.fields[f->flow_type] = (uint32_t)f->data;
		return 0;
	default:
		return -EOPNOTSUPP;
	}
}

/* The linker's --wrap puts it in the place of the kernel's. */
const struct sl_rss_door *__wrap_sl_rss_kernel(void);
const struct sl_rss_door *__wrap_sl_rss_kernel(void)
{
	static const struct sl_rss_door door = {.ioctl = ethtool};

	return &door;
}

/* --- the wire */

static uint16_t checksum(const uint8_t *p, unsigned len)
{
	uint32_t sum = 0;

	for (unsigned i = 0; i < len; i += 2)
		sum += (uint32_t)p[i] << 8 | p[i + 1];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static void write_frame(uint8_t *p, uint32_t flow, uint64_t seq)
{
	static const uint8_t head[] = {
		2,  0,	0, 0, 0,  1, 2, 0, 0,  0, 0, 2, 8, 0, 0x45, 0,	0, FRAME - 14, 0, 0, 0, 0,
		64, 17, 0, 0, 10, 9, 0, 1, 10, 9, 0, 2, 0, 0, 0,    53, 0, FRAME - 34, 0, 0};
	uint16_t sum;

	memset(p, 0, FRAME);
	memcpy(p, head, sizeof(head));
	sum = checksum(p + 14, 20);
	p[24] = (uint8_t)(sum >> 8);
	p[25] = (uint8_t)sum;
	p[34] = (uint8_t)((1000 + flow) >> 8);
	p[35] = (uint8_t)(1000 + flow);
	memcpy(p + 42, &flow, sizeof(flow));
	memcpy(p + 46, &seq, sizeof(seq));
}

static uint32_t hash_of(uint32_t flow)
{
	struct sl_tuple t = {
		.sport = (uint16_t)(1000 + flow), .dport = 53, .proto = 17, .ports = 1};

	t.src[3] = htonl(0x0a090001);
	t.dst[3] = htonl(0x0a090002);
	return sl_toeplitz_hash(&table, &t, SL_META_V4);
}

static void open_ports(struct gen_port port[QUEUES])
{
	struct sl_error why;
	int fd = open(netns, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || setns(fd, CLONE_NEWNET))
		err(1, "%s", netns);
	close(fd);
	for (unsigned q = 0; q < QUEUES; q++)
		if (gen_port_open(&port[q], peer, q, FRAME, &why))
			errx(1, "%s", why.text);
}

static void kick(struct gen_port port[QUEUES], unsigned q)
{
	while (port[q].pending && !gen_port_kick(&port[q]) && port[q].pending)
		sched_yield();
}

/* One packet of a flow, behind all that was sent before it. */
static void send_one(struct gen_port port[QUEUES], uint32_t flow, uint32_t hash)
{
	const unsigned q = fake.force[hash & (fake.entries - 1)] % QUEUES;
	uint8_t *frame = gen_port_frame(&port[q]);

	while (!frame) {
		kick(port, q);
		frame = gen_port_frame(&port[q]);
	}
	write_frame(frame, flow, sent[flow]++);
	gen_port_push(&port[q], frame, FRAME, false);
}

static void *sender(void *arg)
{
	static struct gen_port port[QUEUES];
	unsigned bursts = 0;
	uint32_t hash[FLOWS];

	open_ports(port);
	for (uint32_t f = 0; f < FLOWS; f++)
		hash[f] = hash_of(f);
	for (uint32_t f = 0; !atomic_load(&stop); usleep(200)) {
		for (unsigned i = 0; i < BURST; i++, f = (f + 1) % FLOWS)
			send_one(port, f, hash[f]);
		for (unsigned q = 0; q < QUEUES; q++)
			if (q || !(++bursts % LAG))
				kick(port, q);
	}
	kick(port, 0);
	for (unsigned q = 0; q < QUEUES; q++)
		gen_port_close(&port[q]);
	return arg;
}

/* --- the program */

static void look(const struct sl_packet *p)
{
	uint32_t flow;
	uint64_t seq;

	memcpy(&flow, p->data + 42, sizeof(flow));
	memcpy(&seq, p->data + 46, sizeof(seq));
	received++;
	if (flow >= FLOWS)
		return;
	if (seq < next_seq[flow])
		reordered++;
	else
		next_seq[flow] = seq + 1;
}

static void *worker(void *id)
{
	struct sl_packet *pkts[SL_BATCH];
	unsigned n;

	while ((n = sl_worker_receive(dp, (unsigned)(uintptr_t)id, pkts, SL_BATCH, -1)) ||
	       !atomic_load(&stop))
		for (unsigned i = 0; i < n; i++)
			look(pkts[i]);
	return NULL;
}

static void *mover(void *arg)
{
	unsigned seed = 1;

	for (; !atomic_load(&stop); usleep(MOVE_US)) {
		const uint32_t b = hash_of((uint32_t)rand_r(&seed) % FLOWS) & (inst->buckets - 1);
		const struct sl_owner word = owner_load(&inst->owners[b]);
		struct sl_row row = row_load(&inst->rows[b]);

		if (!atomic_load(&moving) || word.owner != word.next || row.worker != word.owner)
			continue;
		row = row_to(row, (row.worker + 1) % WORKERS);
		__atomic_store_n(&inst->rows[b], row_pack(row), __ATOMIC_RELEASE);
	}
	return arg;
}

static bool as_it_was(void)
{
	inst->control->hardware = SL_HARDWARE_OFF;
	for (unsigned i = 0; i < 30 && inst->control->nic[0].state != SL_NIC_OFF; i++)
		usleep(100000);
	for (unsigned e = 0; e < fake.entries; e++)
		if (fake.reta[e] != e % QUEUES)
			return false;
	return fake.fields[UDP_V4_FLOW] == SL_HASH_ADDRESSES;
}

static void report(void)
{
	const struct sl_nic_state nic = inst->control->nic[0];
	uint64_t all = 0;

	for (unsigned f = 0; f < FLOWS; f++)
		all += sent[f];
	printf("{\"sent\": %llu, \"received\": %llu, \"reordered\": %llu, \"state\": %u, "
	       "\"writes\": %llu, \"written\": %llu, \"packets\": %llu, \"astray\": %llu, "
	       "\"late\": %llu, \"cut_short\": %u, \"rewrites\": %u, \"own\": %u, "
	       "\"restored\": %s}\n",
	       (unsigned long long)all, (unsigned long long)received, (unsigned long long)reordered,
	       nic.state, (unsigned long long)nic.writes, (unsigned long long)nic.written,
	       (unsigned long long)nic.packets, (unsigned long long)nic.astray,
	       (unsigned long long)nic.late, nic.cut_short, nic.rewrites, nic.own,
	       as_it_was() ? "true" : "false");
}

static void open_all(const char *ifname)
{
	const struct sl_dataplane_opts opts = {
		.ifaces = {ifname}, .workers = WORKERS, .own_loop = true};
	const __u32 zero = 0;
	struct sl_error why;

	if (sl_instance_open(ifname, &inst, &why))
		errx(1, "%s", why.text);
	if (bpf_map_lookup_elem(inst->toeplitz_fd, &zero, &table))
		err(1, "map toeplitz");
	for (unsigned e = 0; e < SL_RETA_MAX; e++)
		fake.reta[e] = fake.force[e] = e % QUEUES;
	fake.fields[UDP_V4_FLOW] = SL_HASH_ADDRESSES;
	if (sl_dataplane_open(&opts, &dp, &why))
		errx(1, "%s", why.text);
}

int main(int argc, char **argv)
{
	pthread_t threads[WORKERS + 2];
	unsigned seconds = 3;
	int c;

	while ((c = getopt(argc, argv, "d:e:is")) >= 0) {
		switch (c) {
		case 'd':
			seconds = (unsigned)atoi(optarg);
			break;
		case 'e':
			fake.entries = (unsigned)atoi(optarg);
			break;
		case 'i':
			fake.ignores = true;
			break;
		case 's':
			fake.forgets = true;
			break;
		default:
			return 2;
		}
	}
	if (argc - optind != 3)
		return 2;
	netns = argv[optind + 1];
	peer = argv[optind + 2];
	open_all(argv[optind]);
	for (uintptr_t w = 0; w < WORKERS; w++)
		pthread_create(&threads[w], NULL, worker, (void *)w);
	pthread_create(&threads[WORKERS], NULL, sender, NULL);
	pthread_create(&threads[WORKERS + 1], NULL, mover, NULL);
	sleep(seconds);
	atomic_store(&moving, false);
	sleep(1); /* the table comes to rest */
	for (unsigned e = 0; fake.forgets && e < fake.entries; e++)
		fake.force[e] = e % QUEUES;
	sleep(fake.forgets ? 5 : 0);
	atomic_store(&stop, true);
	pthread_join(threads[WORKERS], NULL);
	pthread_join(threads[WORKERS + 1], NULL);
	usleep(300000);
	report();
	sl_dataplane_stop(dp);
	for (unsigned w = 0; w < WORKERS; w++)
		pthread_join(threads[w], NULL);
	sl_dataplane_close(dp);
	sl_instance_close(inst);
	return 0;
}
