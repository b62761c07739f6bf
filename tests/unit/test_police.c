// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * police: to the packet what a token bucket by the textbook lets through, over random traffic and
 * captures; in any span of time no more than the rate and one burst; also over several threads.
 */
#define PCAP_DONT_INCLUDE_PCAP_BPF_H /* its struct bpf_insn is not the kernel's */
#include <glob.h>
#include <pcap/pcap.h>
#include <pthread.h>
#include <stdatomic.h>

#include "police_rig.h"

/* --- beside the textbook --------------------------------------------------------------------- */

/* Tokens come with time, up to the depth; a packet takes as many as it has bytes, or one. */
struct reference {
	uint8_t key[SL_FLOW_KEY_MAX + 1];
	__int128 tokens, depth; /* in units of a token's share of a nanosecond */
	uint64_t at;
};

#define REFERENCES 4096

struct textbook {
	uint64_t per_second, burst;
	bool packets;
	struct reference *of;
	unsigned n;
};

static struct reference *reference_of(struct textbook *t, const uint8_t *key, uint64_t now)
{
	struct reference *r;

	for (r = t->of; r < t->of + t->n; r++)
		if (!memcmp(r->key, key, sizeof(r->key)))
			return r;
	cr_assert_lt(t->n++, REFERENCES);
	memcpy(r->key, key, sizeof(r->key));
	r->depth = r->tokens = (__int128)t->burst * SEC;
	r->at = now;
	return r;
}

static bool textbook_passes(struct textbook *t, const uint8_t *key, uint64_t now, uint32_t len)
{
	struct reference *r = reference_of(t, key, now);
	__int128 want = (__int128)(t->packets ? 1 : len) * SEC;

	r->tokens += (__int128)(now - r->at) * t->per_second;
	r->at = now;
	if (r->tokens > r->depth)
		r->tokens = r->depth;
	if (r->tokens < want)
		return false;
	r->tokens -= want;
	return true;
}

/* Which bucket a packet belongs to. */
enum by { BY_FLOW, BY_ALL, BY_SRC24 };

static void key_of(const struct frame *f, enum by by, uint8_t key[SL_FLOW_KEY_MAX + 1])
{
	struct sl_flow_key flow;
	bool reversed;

	memset(key, 0, SL_FLOW_KEY_MAX + 1);
	if (by == BY_SRC24)
		memcpy(key, f->b + ETH + 12, 3);
	if (by != BY_FLOW)
		return;
	cr_assert_eq(sl_packet_flow_key(&f->pkt, &flow, &reversed), 0);
	memcpy(key, &flow, sizeof(flow));
	key[SL_FLOW_KEY_MAX] = reversed;
}

struct drops {
	unsigned long passed, dropped;
};

/* A batch through both. */
static void compare(struct textbook *t, enum by by, struct frame *f, unsigned n, uint64_t now,
		    struct drops *sum)
{
	struct sl_packet *pkts[SL_BATCH];
	uint8_t key[SL_FLOW_KEY_MAX + 1];

	for (unsigned i = 0; i < n; i++)
		pkts[i] = &f[i].pkt;
	rig_batch(&rig, pkts, n, now);
	for (unsigned i = 0; i < n; i++) {
		bool ours = passed(&f[i]);

		key_of(&f[i], by, key);
		cr_assert_eq(ours, textbook_passes(t, key, now, f[i].pkt.len), "packet %lu",
			     sum->passed + sum->dropped);
		*(ours ? &sum->passed : &sum->dropped) += 1;
	}
}

struct setting {
	const char *args;
	enum by by;
	bool packets;
	uint64_t per_second, burst;
};

/* Rates of which a token's time is a whole number of 1/64 ns: nothing is rounded. */
static const struct setting settings[] = {
	{"80kbit:burst=9k", BY_FLOW, false, 10000, 9000},
	{"32kbit:burst=1514", BY_FLOW, false, 4000, 1514},
	{"50pps:burst=4", BY_FLOW, true, 50, 4},
	{"800kbit:burst=20k:per=all", BY_ALL, false, 100000, 20000},
	{"1kpps:burst=1:per=all", BY_ALL, true, 1000, 1},
	{"160kbit:burst=1514:src=0.0.0.0/8:per=src/24", BY_SRC24, false, 20000, 1514},
};

static void begin(const struct setting *s, struct textbook *t)
{
	static struct reference of[REFERENCES];

	memset(of, 0, sizeof(of));
	*t = (struct textbook){
		.per_second = s->per_second, .burst = s->burst, .packets = s->packets, .of = of};
	open_rig(s->args);
}

static void sums_hold(const struct drops *sum)
{
	cr_assert_eq(rig_number(&rig, "passed_packets"), sum->passed);
	cr_assert_eq(rig_number(&rig, "dropped_packets"), sum->dropped);
	cr_assert_eq(rig_number(&rig, "unpoliced_packets"), 0);
}

Test(police, random_traffic_as_by_the_textbook)
{
	static struct frame f[SL_BATCH];

	for (unsigned s = 0; s < sizeof(settings) / sizeof(settings[0]); s++) {
		struct drops sum = {0};
		struct textbook t;

		begin(&settings[s], &t);
		for (unsigned round = 0; round < 3000; round++) {
			unsigned n = 1 + (unsigned)(random64() % SL_BATCH);

			rig.now += random64() % (random64() & 1 ? 100 * US : 100000 * US);
			for (unsigned i = 0; i < n; i++) {
				char src[32];

				snprintf(src, sizeof(src), "0.1.%u.%u", (unsigned)random64() % 8,
					 (unsigned)random64() % 4);
				frame_udp(&f[i], src, 1 + (unsigned)(random64() & 1), B, 80,
					  (unsigned)random64() % 1400);
				cr_assert(rig_parse(&rig, &f[i], 0));
			}
			compare(&t, settings[s].by, f, n, rig.now, &sum);
		}
		cr_assert_gt(sum.passed, 100);
		cr_assert_gt(sum.dropped, 100);
		sums_hold(&sum);
		rig_close(&rig);
	}
}

/* With the capture's own times, a batch for each. */
static void play(const char *path, struct textbook *t, enum by by, struct drops *sum)
{
	static struct frame f[SL_BATCH];
	char why[PCAP_ERRBUF_SIZE];
	pcap_t *pcap = pcap_open_offline(path, why);
	struct pcap_pkthdr *h;
	const u_char *bytes;
	uint64_t first = 0;
	unsigned n = 0;

	cr_assert_not_null(pcap, "%s", why);
	while (pcap_next_ex(pcap, &h, &bytes) == 1) {
		uint64_t at = (uint64_t)h->ts.tv_sec * SEC + (uint64_t)h->ts.tv_usec * US;

		first = first ? first : at;
		if (h->caplen > RIG_FRAME)
			continue;
		if (n == SL_BATCH || (n && rig.now != 1000 * SEC + at - first)) {
			compare(t, by, f, n, rig.now, sum);
			n = 0;
		}
		rig.now = 1000 * SEC + at - first;
		memcpy(f[n].b, bytes, h->caplen);
		f[n].pkt.len = h->caplen;
		n += rig_parse(&rig, &f[n], 0);
	}
	compare(t, by, f, n, rig.now, sum);
	pcap_close(pcap);
}

Test(police, captures_as_by_the_textbook)
{
	static const struct setting more[] = {
		{"20kbit:burst=1600", BY_FLOW, false, 2500, 1600},
		{"2pps:burst=3", BY_FLOW, true, 2, 3},
		{"160kbit:burst=1600:per=all", BY_ALL, false, 20000, 1600}};
	glob_t found;

	if (glob("../shared/data/captures/*.pcap", 0, NULL, &found))
		cr_skip_test("no captures beside the source tree");
	for (size_t i = 0; i < found.gl_pathc; i++)
		for (unsigned s = 0; s < sizeof(more) / sizeof(more[0]); s++) {
			struct drops sum = {0};
			struct textbook t;

			begin(&more[s], &t);
			play(found.gl_pathv[i], &t, more[s].by, &sum);
			cr_assert_gt(sum.passed, 0, "%s", found.gl_pathv[i]);
			cr_assert_gt(sum.dropped, 10, "%s", found.gl_pathv[i]);
			sums_hold(&sum);
			rig_close(&rig);
		}
	globfree(&found);
}

/* Rounding, where a token's time is no round number: never more, and 0.3 % less at most. */
Test(police, rounding_is_never_in_favour)
{
	struct frame f;
	uint64_t bytes = 0, ns = SEC / 100;

	open_rig("97Gbit:burst=100k:per=all");
	frame_udp(&f, A, 1, B, 80, 22);
	for (uint64_t end = rig.now + ns; rig.now < end; rig.now += 4)
		bytes += rig_send(&rig, &f, 0) == SL_NEXT ? f.pkt.len : 0;
	cr_assert_leq((double)bytes, 100000 + 97e9 / 8 * (double)ns / 1e9);
	cr_assert_geq((double)bytes, (100000 + 97e9 / 8 * (double)ns / 1e9) * 0.997);
	rig_close(&rig);
}

/* --- workers --------------------------------------------------------------------------------- */

#define THREADS 4
#define BATCHES 20000
#define STEP_NS 1000 /* from one batch to the next */

static _Atomic uint64_t clock_ns;

struct thread {
	pthread_t id;
	unsigned number;
	uint64_t passed;
};

/* Several workers' batches of 8 packets, 1 us apart all together, at times that are not in order.
 */
static void *work(void *arg)
{
	struct thread *t = arg;
	static struct frame frames[THREADS][8];
	struct frame *f = frames[t->number];
	struct sl_packet *pkts[8];

	for (unsigned i = 0; i < 8; i++) {
		frame_udp(&f[i], A, 1 + 8 * t->number + i, B, 80, 58);
		rig_parse(&rig, &f[i], 0);
		pkts[i] = &f[i].pkt;
	}
	for (unsigned n = 0; n < BATCHES; n++) {
		rig_batch(&rig, pkts, 8, rig.now + atomic_fetch_add(&clock_ns, STEP_NS));
		for (unsigned i = 0; i < 8; i++) {
			t->passed += pkts[i]->verdict == SL_NEXT;
			pkts[i]->verdict = SL_NEXT;
		}
	}
	return NULL;
}

/*
 * 8 packets of 100 bytes each us are offered, a sixteenth is the rate. The counters of shards are
 * not looked at: here they have several owners at a time.
 */
Test(police, threads_share_a_prefix_to_the_packet)
{
	uint64_t span = (uint64_t)THREADS * BATCHES * STEP_NS, most = 5000 + span / 20, sum = 0;
	struct thread t[THREADS] = {0};

	open_rig("400Mbit:burst=5k:src=10.0.0.0/8:per=src/16");
	clock_ns = 0;
	for (unsigned i = 0; i < THREADS; i++) {
		t[i].number = i;
		cr_assert_eq(pthread_create(&t[i].id, NULL, work, &t[i]), 0);
	}
	for (unsigned i = 0; i < THREADS; i++) {
		pthread_join(t[i].id, NULL);
		sum += t[i].passed * 100;
	}
	cr_assert_leq(sum, most);
	/* who sleeps between clock and bucket asks with an old time, and leaves it to the others */
	cr_assert_geq(sum, most - most / 1000);
	rig_close(&rig);
}
