// SPDX-License-Identifier: GPL-2.0-or-later
/* heavyhitters: the bounds that it promises, held against exact counts, over random traffic and
 * captures. */
#define PCAP_DONT_INCLUDE_PCAP_BPF_H /* its struct bpf_insn is not the kernel's */
#include <glob.h>
#include <pcap/pcap.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "nf/builtin.h"
#include "nf_rig.h"

#define FLOWS 4000
#define PLACES 16

static struct rig rig;

static void open_rig(const char *args)
{
	cr_assert_eq(rig_open(&rig, &sl_nf_heavyhitters, args), 0, "%s: %s", args, rig.error);
}

/* From 10.1.x.y, x and y of the number. */
static void frame_of(struct frame *f, unsigned flow, unsigned bytes)
{
	char src[32];

	snprintf(src, sizeof(src), "10.1.%u.%u", flow >> 8 & 255, flow & 255);
	frame_udp(f, src, 1000, "192.0.2.9", 53, bytes);
}

static uint32_t packet(unsigned flow, unsigned bytes)
{
	struct frame f;

	frame_of(&f, flow, bytes);
	cr_assert_eq(rig_send(&rig, &f, 0), SL_NEXT);
	return f.meta.bucket;
}

static unsigned flow_of(json_t *hitter)
{
	const char *addr = json_string_value(json_object_get(hitter, "addr_a"));
	unsigned a, b;

	cr_assert_eq(sscanf(addr, "10.1.%u.%u", &a, &b), 2);
	return a << 8 | b;
}

static long long number(json_t *o, const char *name)
{
	json_t *n = json_object_get(o, name);

	cr_assert(json_is_integer(n), "no number %s", name);
	return json_integer_value(n);
}

/* --- the bounds ------------------------------------------------------------------------------ */

struct exact {
	long long count[FLOWS];
	uint32_t bucket[FLOWS];
	long long shard[RIG_BUCKETS];
};

static void hitter_holds(const struct exact *x, json_t *h, unsigned flow)
{
	cr_assert_eq(number(h, "bucket"), x->bucket[flow]);
	cr_assert_geq(number(h, "count"), x->count[flow]);
	cr_assert_leq(number(h, "count") - number(h, "error"), x->count[flow]);
	cr_assert_leq(number(h, "error") * PLACES, x->shard[x->bucket[flow]]);
}

/* `which` gives a row's number among the exact counts. */
static unsigned bounds_hold(const struct exact *x, json_t *list, unsigned (*which)(json_t *))
{
	json_t *h, *top = json_object_get(list, "top");
	long long before = INT64_MAX, missed_max = number(list, "missed_max"), total = 0;
	bool listed[FLOWS] = {false};
	size_t i;

	cr_assert_eq(number(list, "unread"), 0);
	json_array_foreach (top, i, h) {
		unsigned flow = which(h);

		hitter_holds(x, h, flow);
		cr_assert_leq(number(h, "count"), before);
		before = number(h, "count");
		cr_assert_not(listed[flow]);
		listed[flow] = true;
	}
	for (unsigned f = 0; f < FLOWS; f++) {
		total += x->count[f];
		cr_assert(listed[f] || x->count[f] <= missed_max, "flow %u with %lld, not %lld", f,
			  x->count[f], missed_max);
	}
	cr_assert_eq(number(list, "total"), total);
	return (unsigned)json_array_size(top);
}

Test(heavyhitters, random_traffic_within_the_bounds)
{
	static struct exact x;
	json_t *all;

	open_rig("top=1000:window=0");
	for (unsigned n = 0; n < 200000; n++) {
		/* half of it Pareto-like: low numbers are frequent */
		uint64_t r = random64();
		unsigned flow = r & 1 ? (unsigned)(r >> 8) % FLOWS
				      : (unsigned)(FLOWS / (1 + (r >> 8) % FLOWS)) - 1;

		x.count[flow]++;
		x.bucket[flow] = packet(flow, 4);
		x.shard[x.bucket[flow]]++;
	}
	all = rig_show(&rig);
	cr_assert_eq(bounds_hold(&x, json_object_get(all, "running"), flow_of), 1000);
	cr_assert_null(json_object_get(all, "last"));
	/* who has more than a sixteenth of its shard is there for certain */
	for (unsigned f = 0; f < 4; f++)
		cr_assert_gt(x.count[f] * PLACES, x.shard[x.bucket[f]]);
	json_decref(all);
	rig_close(&rig);
}

/* Adversarial for sketches: as many flows as there are places and one, in turn, in one shard. */
Test(heavyhitters, seventeen_in_turn)
{
	static struct exact x;
	unsigned flow[PLACES + 1], n = 0;
	json_t *all;

	open_rig("window=0:top=16");
	for (unsigned f = 0; n <= PLACES; f++) {
		struct frame probe;

		frame_of(&probe, f, 4);
		cr_assert(rig_parse(&rig, &probe, 0));
		if (probe.meta.bucket == 5)
			flow[n++] = f;
	}
	for (unsigned i = 0; i < 1000 * (PLACES + 1); i++) {
		unsigned f = flow[i % (PLACES + 1)];

		x.bucket[f] = packet(f, 4);
		x.count[f]++;
		x.shard[x.bucket[f]]++;
	}
	all = rig_show(&rig);
	bounds_hold(&x, json_object_get(all, "running"), flow_of);
	cr_assert_leq(number(json_object_get(all, "running"), "missed_max"), 17000 / PLACES);
	json_decref(all);
	rig_close(&rig);
}

/* --- captures -------------------------------------------------------------------------------- */

static struct sl_flow_key captured[FLOWS];
static unsigned captures_flows;

static unsigned number_of(const struct sl_flow_key *key)
{
	unsigned i;

	for (i = 0; i < captures_flows; i++)
		if (!memcmp(&captured[i], key, sizeof(*key)))
			return i;
	cr_assert_lt(captures_flows++, FLOWS);
	captured[i] = *key;
	return i;
}

static void read_addr(uint8_t to[16], json_t *hitter, const char *name)
{
	const char *text = json_string_value(json_object_get(hitter, name));

	memset(to, 0, 16);
	if (inet_pton(AF_INET, text, to + 12) == 1)
		to[10] = to[11] = 0xff;
	else
		cr_assert_eq(inet_pton(AF_INET6, text, to), 1);
}

static unsigned captured_of(json_t *hitter)
{
	struct sl_flow_key k = {.proto = (uint8_t)number(hitter, "proto")};

	read_addr(k.addr[0], hitter, "addr_a");
	read_addr(k.addr[1], hitter, "addr_b");
	k.port[0] = htons((uint16_t)number(hitter, "port_a"));
	k.port[1] = htons((uint16_t)number(hitter, "port_b"));
	return number_of(&k);
}

static void play(const char *path, struct exact *x, bool bytes)
{
	char why[PCAP_ERRBUF_SIZE];
	pcap_t *pcap = pcap_open_offline(path, why);
	struct pcap_pkthdr *h;
	const u_char *data;
	struct frame f;

	cr_assert_not_null(pcap, "%s", why);
	while (pcap_next_ex(pcap, &h, &data) == 1) {
		struct sl_packet *one = &f.pkt;
		struct sl_flow_key key;
		unsigned flow;

		if (h->caplen > RIG_FRAME)
			continue;
		memcpy(f.b, data, h->caplen);
		f.pkt.len = h->caplen;
		if (!rig_parse(&rig, &f, 0))
			continue;
		rig_batch(&rig, &one, 1, rig.now);
		if (sl_packet_flow_key(&f.pkt, &key, NULL))
			continue;
		flow = number_of(&key);
		x->bucket[flow] = f.meta.bucket;
		x->count[flow] += bytes ? h->caplen : 1;
		x->shard[f.meta.bucket] += bytes ? h->caplen : 1;
	}
	pcap_close(pcap);
}

Test(heavyhitters, captures_within_the_bounds)
{
	glob_t found;

	if (glob("../shared/data/captures/*.pcap", 0, NULL, &found))
		cr_skip_test("no captures beside the source tree");
	for (size_t i = 0; i < 2 * found.gl_pathc; i++) {
		static struct exact x;
		json_t *all;

		memset(&x, 0, sizeof(x));
		captures_flows = 0;
		open_rig(i & 1 ? "bytes:top=50:window=0" : "window=0:top=50");
		play(found.gl_pathv[i / 2], &x, i & 1);
		all = rig_show(&rig);
		bounds_hold(&x, json_object_get(all, "running"), captured_of);
		json_decref(all);
		rig_close(&rig);
	}
	globfree(&found);
}

/* --- what is shown --------------------------------------------------------------------------- */

Test(heavyhitters, bytes_and_packets)
{
	for (unsigned bytes = 0; bytes < 2; bytes++) {
		json_t *all, *top, *first;

		open_rig(bytes ? "bytes:top=1:window=0" : "top=1:window=0");
		for (unsigned i = 0; i < 100; i++)
			packet(1, 1000);
		for (unsigned i = 0; i < 300; i++)
			packet(2, 10);
		all = rig_show(&rig);
		top = json_object_get(json_object_get(all, "running"), "top");
		cr_assert_eq(json_array_size(top), 1);
		first = json_array_get(top, 0);
		cr_assert_eq(flow_of(first), bytes ? 1 : 2);
		cr_assert_eq(number(first, "count"), bytes ? 104200 : 300);
		cr_assert_eq(number(first, "error"), 0);
		cr_assert_eq(number(json_object_get(all, "running"), "missed_max"),
			     bytes ? 15600 : 100);
		json_decref(all);
		rig_close(&rig);
	}
}

#define WINDOW (20 * SEC)

static uint64_t begin_of_window(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * SEC / WINDOW * WINDOW;
}

static void send_at(uint64_t at, unsigned flow, unsigned packets)
{
	rig.now = at;
	while (packets--)
		packet(flow, 4);
}

static long long total(json_t *report, const char *window)
{
	return number(json_object_get(report, window), "total");
}

/* Reports before and after the window that begins at `begin` has packets. */
static void send_windows(uint64_t begin, json_t *report[2])
{
	open_rig("window=20");
	send_at(begin - 2 * WINDOW, 1, 1000);
	send_at(begin - WINDOW, 2, 30);
	send_at(begin - 1, 1, 12);
	report[0] = rig_show(&rig);
	send_at(begin, 3, 7);
	/* an older time, of another worker's batch, belongs to the window that runs */
	send_at(begin - 1, 3, 1);
	report[1] = rig_show(&rig);
	rig_close(&rig);
}

/* The report goes by the machine's clock; the packets here by one that is turned back. */
Test(heavyhitters, windows_are_counted_apart)
{
	json_t *report[2], *last;
	uint64_t begin;

	for (;;) {
		begin = begin_of_window();
		send_windows(begin, report);
		if (begin_of_window() == begin)
			break;
		json_decref(report[0]);
		json_decref(report[1]);
	}
	cr_assert_eq(total(report[0], "running"), 0);
	cr_assert_eq(total(report[0], "last"), 42);
	cr_assert_eq(total(report[1], "running"), 8);
	cr_assert_eq(total(report[1], "last"), 42);
	last = json_object_get(json_object_get(report[1], "last"), "top");
	cr_assert_eq(json_array_size(last), 2);
	cr_assert_eq(flow_of(json_array_get(last, 0)), 2);
	cr_assert_eq(number(json_array_get(last, 1), "count"), 12);
	json_decref(report[0]);
	json_decref(report[1]);
}

/* --- while a worker writes ------------------------------------------------------------------- */

static _Atomic bool over;

/* Flow f's frames are all of one length: a row that mixes two flows shows a count that cannot be.
 */
static void *write_on(void *arg)
{
	static struct frame f[40];

	for (unsigned i = 0; i < 40; i++) {
		frame_of(&f[i], i, 4);
		rig_parse(&rig, &f[i], 0);
		f[i].meta.bucket = 7;
	}
	while (!over) {
		struct sl_packet *one = &f[random64() % 40].pkt;

		rig_batch(&rig, &one, 1, rig.now);
	}
	return NULL;
}

Test(heavyhitters, a_report_meanwhile_is_whole)
{
	pthread_t writer;

	open_rig("window=0:top=16");
	over = false;
	cr_assert_eq(pthread_create(&writer, NULL, write_on, NULL), 0);
	for (unsigned n = 0; n < 300; n++) {
		json_t *h, *all = rig_show(&rig), *running = json_object_get(all, "running");
		bool seen[40] = {false};
		size_t i;

		json_array_foreach (json_object_get(running, "top"), i, h) {
			unsigned flow = flow_of(h);

			cr_assert_lt(flow, 40u);
			cr_assert_not(seen[flow], "a flow twice");
			seen[flow] = true;
			cr_assert_gt(number(h, "count"), number(h, "error"));
		}
		json_decref(all);
	}
	over = true;
	pthread_join(writer, NULL);
	rig_close(&rig);
}

Test(heavyhitters, arguments)
{
	static const char *const wrong[] = {"x",      "top=0",	"top=1001",  "top=",	  "top=5x",
					    "bytes:", ":bytes", "window=-1", "window=1s", "window=",
					    "top= 5", "top=5,", "top=5:x=1", "window=1e3"};

	for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		cr_assert_eq(rig_open(&rig, &sl_nf_heavyhitters, wrong[i]), -EINVAL, "%s",
			     wrong[i]);
		cr_assert(rig.error[0] && !strchr(rig.error, '\n'));
	}
	open_rig("bytes:top=7:window=60");
	cr_assert_eq(rig_number(&rig, "window_s"), 60);
	rig_close(&rig);
	open_rig("");
	cr_assert_eq(rig_number(&rig, "window_s"), 10);
	rig_close(&rig);
}
