// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a packet costs in the steering program, against the program that libxdp loads by default, a
 * floor (metadata and redirect) and an empty program. Programs take turns in rounds of one run, so
 * that a slow moment of the machine hits all alike; a ratio is the median of the rounds' ratios.
 */
#include <getopt.h>
#include <math.h>

#include "../bpf/rig.h"
#include "../bpf/frames.h"
#include "control/tenant_rules.h"
#include "rounds.h"
#include "steer_programs.h"

#define REPEAT 250000

struct subject {
	const char *name;
	int prog;
	void (*frame)(struct frame *f);
	uint32_t verdict;
	uint32_t set; /* match table */
	double ns[ROUNDS_MAX];
	bool tenants; /* are configured */
};

enum { EMPTY, FLOOR, LIBXDP, OURS, TCP6, VLAN, MATCH16, TENANTS, SUBJECTS };

/* ns a packet, or a negative number: the run failed, or the verdict is not the one expected. */
static double measure(const struct subject *s)
{
	uint8_t out[RIG_MAX_FRAME + RIG_META_MAX];
	struct frame f;
	double from;

	s->frame(&f);
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = f.b, .data_size_in = f.len, .data_out = out,
		    .data_size_out = sizeof(out), .repeat = REPEAT);
	from = cpu_ns();
	if (bpf_prog_test_run_opts(s->prog, &opts) || opts.retval != s->verdict)
		return -1;
	/* opts.duration is whole nanoseconds: too coarse for a ratio. */
	return (cpu_ns() - from) / REPEAT;
}

/* 16 prefixes of which the fixtures' addresses meet the last. */
static int rules16(struct rig *r)
{
	char text[16][64];
	const char *rules[17] = {0};

	for (unsigned i = 0; i < 15; i++) {
		snprintf(text[i], sizeof(text[i]), "%s=10.%u.0.0/%u", i & 1 ? "src" : "dst", 16 + i,
			 16 + i % 9);
		rules[i] = text[i];
	}
	rules[15] = "src=10.1.2.0/24";
	return rig_rules(r, rules);
}

/* Of 16 tenants the fixtures' addresses are the last's. */
static int tenants16(struct rig *r)
{
	struct sl_tenant_match *m = calloc(1, sizeof(*m));
	struct sl_tenant_rule rules[16] = {0};
	char text[64], err[256] = "";
	uint32_t zero = 0;
	int rc = m ? 0 : -ENOMEM;

	for (unsigned i = 0; i < 16 && !rc; i++) {
		rules[i].tenant = i + 1;
		snprintf(text, sizeof(text), i < 15 ? "src=10.%u.0.0/16" : "src=10.1.2.0/24",
			 16 + i);
		rc = sl_tenant_rule_parse(text, &rules[i], err, sizeof(err));
	}
	if (!rc)
		rc = sl_tenant_compile(rules, 16, m, err, sizeof(err));
	if (!rc)
		rc = bpf_map_update_elem(bpf_map__fd(r->skel->maps.tenant_match), &zero, m, 0);
	free(m);
	return rc;
}

static int take_turns(struct rig *r, struct subject *s, unsigned rounds)
{
	for (unsigned round = 0; round < rounds + 1; round++) /* the first warms up */
		for (unsigned i = 0; i < SUBJECTS; i++) {
			double ns;

			r->control.match_set = s[i].set;
			r->control.flags = SL_CTL_READY | (s[i].tenants ? SL_CTL_TENANTS : 0);
			if (rig_write_control(r))
				return -errno;
			ns = measure(&s[i]);
			if (ns <= 0) {
				fprintf(stderr, "bench_steer: %s: wrong verdict\n", s[i].name);
				return -EIO;
			}
			if (round)
				s[i].ns[round - 1] = ns;
		}
	return 0;
}

static void report(const struct subject *s, unsigned rounds)
{
	char where[512];

	machine(where, sizeof(where));
	for (unsigned i = 0; i < SUBJECTS; i++)
		printf("{\"bench\":\"steer\",\"program\":\"%s\",\"ns\":%.1f}\n", s[i].name,
		       median(s[i].ns, rounds));
	printf("{\"bench\":\"steer\",\"ours_ns\":%.1f,\"libxdp_ns\":%.1f,\"floor_ns\":%.1f,"
	       "\"empty_ns\":%.1f,\"ratio\":%.3f,\"floor_ratio\":%.3f,\"ipv6_tcp_ratio\":%.3f,"
	       "\"vlan_ratio\":%.3f,\"match16_extra_ns\":%.1f,\"tenants_extra_ns\":%.1f,"
	       "\"rounds\":%u,\"machine\":{%s}}\n",
	       median(s[OURS].ns, rounds), median(s[LIBXDP].ns, rounds),
	       median(s[FLOOR].ns, rounds), median(s[EMPTY].ns, rounds),
	       median_ratio(s[OURS].ns, s[LIBXDP].ns, rounds),
	       median_ratio(s[OURS].ns, s[FLOOR].ns, rounds),
	       median_ratio(s[TCP6].ns, s[LIBXDP].ns, rounds),
	       median_ratio(s[VLAN].ns, s[LIBXDP].ns, rounds),
	       median_difference(s[MATCH16].ns, s[OURS].ns, rounds),
	       median_difference(s[TENANTS].ns, s[OURS].ns, rounds), rounds, where);
}

int main(int argc, char **argv)
{
	unsigned rounds = argc > 1 ? (unsigned)atoi(argv[1]) : 31;
	struct bpf_object *object = NULL;
	const char *why = NULL;
	struct rig *r;
	uint32_t all;
	int rc = 1;

	if (rounds < 5 || rounds > ROUNDS_MAX) {
		fprintf(stderr, "usage: bench_steer [ROUNDS], 5 to %d\n", ROUNDS_MAX);
		return 2;
	}
	stay_on_this_cpu();
	r = rig_open(&why);
	if (!r) {
		fprintf(stderr, "bench_steer: %s\n", why);
		return 1;
	}
	for (uint32_t q = 1; q < SL_MAX_QUEUES; q++) /* a test run's queue is another's index */
		rig_fill_slot(r, q * SL_MAX_WORKERS);
	all = r->control.match_set;
	if (rules16(r) || tenants16(r))
		goto out;

	struct subject subjects[SUBJECTS] = {
		[EMPTY] = {"empty", empty_program(), frame_udp4, XDP_PASS, all, {0}},
		[FLOOR] = {"floor",
			   floor_program(bpf_map__fd(r->skel->maps.xsks)),
			   frame_udp4,
			   XDP_REDIRECT,
			   all,
			   {0}},
		[LIBXDP] = {"libxdp",
			    libxdp_program(r->xsk, &object),
			    frame_udp4,
			    XDP_REDIRECT,
			    all,
			    {0}},
		[OURS] = {"ours", r->prog, frame_udp4, XDP_REDIRECT, all, {0}},
		[TCP6] = {"ours_ipv6_tcp", r->prog, frame_tcp6, XDP_REDIRECT, all, {0}},
		[VLAN] = {"ours_vlan", r->prog, frame_vlan4, XDP_REDIRECT, all, {0}},
		[MATCH16] = {"ours_match16", r->prog, frame_udp4, XDP_REDIRECT, !all, {0}},
		[TENANTS] = {"ours_tenants", r->prog, frame_udp4, XDP_REDIRECT, all, {0}, true},
	};

	for (unsigned i = 0; i < SUBJECTS; i++)
		if (subjects[i].prog < 0) {
			fprintf(stderr, "bench_steer: cannot load the program `%s`\n",
				subjects[i].name);
			goto out;
		}
	if (!take_turns(r, subjects, rounds)) {
		report(subjects, rounds);
		rc = 0;
	}
	close(subjects[EMPTY].prog);
	close(subjects[FLOOR].prog);
out:
	bpf_object__close(object);
	rig_close(r);
	return rc;
}
