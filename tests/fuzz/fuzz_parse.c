// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fuzz_parse [MUTATIONS [SEED]]: mutate real frames, parse each with the page behind its last byte
 * and the page before its first taken away, and hold every 1000th against the BPF build.
 *
 * One JSON line at the end; status 1 if the builds ever disagreed. A read outside the packet ends
 * the program with SIGSEGV.
 */
#include <glob.h>
#include <sys/mman.h>

#include "../bpf/frames.h"
#include "../bpf/pcap_file.h"
#include "../bpf/rig.h"

#define MUTATIONS 10000000ULL
#define COMPARE_EVERY 1000
#define CORPUS_MAX 50000

struct seed_frame {
	uint8_t *data;
	unsigned len;
};

static struct seed_frame corpus[CORPUS_MAX];
static unsigned corpus_n;
static uint64_t state;

static uint32_t roll(uint32_t below)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)((state >> 32) * below >> 32);
}

static void corpus_add(const uint8_t *data, unsigned len)
{
	struct seed_frame *s = &corpus[corpus_n];

	if (corpus_n == CORPUS_MAX || len < 14)
		return;
	s->data = malloc(len);
	if (!s->data)
		return;
	memcpy(s->data, data, len);
	s->len = len;
	corpus_n++;
}

static void corpus_load(void)
{
	static uint8_t data[RIG_MAX_FRAME];
	glob_t found = {0};

	for (unsigned i = 0; i < FIXTURES; i++) {
		struct frame f;

		fixtures[i].build(&f);
		corpus_add(f.b, f.len);
	}
	if (glob("../shared/data/captures/*.pcap", 0, NULL, &found))
		fprintf(stderr, "fuzz_parse: no captures beside the source tree, fixtures only\n");
	for (size_t i = 0; i < found.gl_pathc; i++) {
		struct pcap_file pcap;
		unsigned len;

		if (!pcap_file_open(&pcap, found.gl_pathv[i]))
			continue;
		while ((len = pcap_file_next(&pcap, data, sizeof(data))))
			corpus_add(data, len);
		fclose(pcap.f);
	}
	globfree(&found);
}

/* Values on which parsers trip: types, lengths, flags. */
static const uint8_t interesting[] = {
	0,    1,    4,	  5,	6,    8,    17,	  41,	43,   44,  50,	51,  58,  59,	60,   0x40,
	0x45, 0x46, 0x4f, 0x60, 0x7f, 0x80, 0x81, 0x86, 0x88, 132, 133, 135, 137, 0xdd, 0xfe, 0xff};

/* Change `data` (of `len` bytes, mostly where headers are) a few times; the new length. */
static unsigned mutate(uint8_t *data, unsigned len)
{
	unsigned headers = len < 128 ? len : 128;

	for (uint32_t n = roll(6); n > 0; n--) {
		uint32_t at = roll(headers);

		switch (roll(5)) {
		case 0:
			data[at] ^= (uint8_t)(1 << roll(8));
			break;
		case 1:
			data[at] = interesting[roll(sizeof(interesting))];
			break;
		case 2:
			data[at] = (uint8_t)roll(256);
			break;
		case 3:
			data[12 + roll(8)] = interesting[roll(sizeof(interesting))];
			break;
		default: /* make room for, or take away, a header */
			if (headers > 40) {
				uint32_t from = 14 + roll(headers - 20), by = 4 * (1 + roll(2));

				if (from + by < headers)
					memmove(data + from, data + from + by, headers - from - by);
			}
		}
	}
	return roll(3) ? len : roll(len + 1);
}

int main(int argc, char **argv)
{
	uint64_t mutations = argc > 1 ? strtoull(argv[1], NULL, 10) : MUTATIONS;
	uint64_t compared = 0, disagreements = 0, reasons[SL_STEER_COUNTS + 1] = {0};
	long page = sysconf(_SC_PAGESIZE);
	const char *why = NULL;
	struct rig *rig;
	uint8_t *area;

	state = argc > 2 ? strtoull(argv[2], NULL, 10) | 1 : 0x5eed;
	area = mmap(NULL, 3 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (area == MAP_FAILED || mprotect(area, page, PROT_NONE) ||
	    mprotect(area + 2 * page, page, PROT_NONE)) {
		perror("fuzz_parse: mmap");
		return 2;
	}
	corpus_load();
	rig = rig_open(&why);
	if (!rig)
		fprintf(stderr, "fuzz_parse: user-space build only: %s\n", why);

	for (uint64_t i = 0; i < mutations; i++) {
		const struct seed_frame *s = &corpus[roll(2) ? roll(FIXTURES) : roll(corpus_n)];
		static uint8_t work[RIG_MAX_FRAME];
		struct sl_parsed p = {0};
		uint8_t *packet;
		unsigned len;
		int rc;

		memcpy(work, s->data, s->len);
		len = mutate(work, s->len);
		/* against the page behind, and now and then against the one before */
		packet = roll(8) ? area + 2 * page - len : area + page;
		memcpy(packet, work, len);
		rc = sl_parse(packet, packet + len, &p);
		reasons[rc == SL_PARSED ? SL_STEER_COUNTS : rc]++;
		if (rc == SL_PARSED && (p.l3_off >= len || p.l4_off > len || p.vlans > 2)) {
			fprintf(stderr, "fuzz_parse: offsets outside the packet\n");
			disagreements++;
		}
		if (rig && len >= 14 && i % COMPARE_EVERY == 0) {
			struct rig_run out;

			compared++;
			disagreements += !rig_agree(rig, work, len, &out, &rc);
		}
	}
	printf("{\"mutations\":%llu,\"seeds\":%u,\"parsed\":%llu,\"truncated\":%llu,"
	       "\"bpf_compared\":%llu,\"disagreements\":%llu}\n",
	       (unsigned long long)mutations, corpus_n,
	       (unsigned long long)reasons[SL_STEER_COUNTS],
	       (unsigned long long)reasons[SL_PASS_TRUNCATED], (unsigned long long)compared,
	       (unsigned long long)disagreements);
	if (rig)
		rig_close(rig);
	for (unsigned i = 0; i < corpus_n; i++)
		free(corpus[i].data);
	munmap(area, 3 * page);
	return disagreements ? 1 : 0;
}
