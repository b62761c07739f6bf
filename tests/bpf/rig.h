/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rig.h - the steering program on the bench: loaded, configured, and run over single packets with
 * BPF_PROG_TEST_RUN, next to the same code built for user space.
 */
#ifndef TESTS_BPF_RIG_H
#define TESTS_BPF_RIG_H

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <sluice/maps.h>
#include <sluice/packet.h>

#include "control/hash_key.h"
#include "control/match.h"
#include "hash.h"
#include <match.h> /* of bpf/ */
#include "steer.skel.h"

#ifndef AF_XDP
#define AF_XDP 44
#endif

#define RIG_MAX_FRAME 2048
#define RIG_META_MAX 252

struct rig {
	struct steer_bpf *skel;
	int prog, xsk;
	struct sl_control control; /* as written last */
	struct sl_match match; /* in force */
	struct sl_toeplitz toeplitz;
	struct sl_addr local[8];
	unsigned local_n;
};

/* What a run gave. */
struct rig_run {
	uint32_t verdict;
	unsigned meta_len; /* bytes in front of the packet on return */
	struct sl_meta meta;
	unsigned len; /* of the packet */
	uint8_t packet[RIG_MAX_FRAME];
};

static inline int rig_silent(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	return level == LIBBPF_WARN && getenv("RIG_VERBOSE") ? vfprintf(stderr, fmt, ap) : 0;
}

static inline int rig_write_control(struct rig *r)
{
	uint32_t zero = 0;

	return bpf_map_update_elem(bpf_map__fd(r->skel->maps.control), &zero, &r->control, 0);
}

/* Compile rules (text, NULL-terminated) and put them in force. */
static inline int rig_rules(struct rig *r, const char *const *text)
{
	uint32_t set = !r->control.match_set;
	struct sl_rule rules[SL_MAX_RULES];
	char err[256] = "";
	unsigned n = 0;

	for (; text[n]; n++)
		if (sl_rule_parse(text[n], &rules[n], err, sizeof(err)))
			goto refused;
	if (sl_match_compile(rules, n, r->local, r->local_n, &r->match, err, sizeof(err)))
		goto refused;
	if (bpf_map_update_elem(bpf_map__fd(r->skel->maps.match), &set, &r->match, 0))
		return -errno;
	r->control.match_set = set;
	return rig_write_control(r);

refused:
	fprintf(stderr, "%s\n", err);
	return -EINVAL;
}

/* A socket in the XSKMAP makes bpf_redirect_map() succeed; for that it need not be bound. */
static inline int rig_fill_slot(struct rig *r, uint32_t slot)
{
	return bpf_map_update_elem(bpf_map__fd(r->skel->maps.xsks), &slot, &r->xsk, 0);
}

static inline int rig_empty_slot(struct rig *r, uint32_t slot)
{
	return bpf_map_delete_elem(bpf_map__fd(r->skel->maps.xsks), &slot);
}

static inline int rig_row(struct rig *r, uint32_t bucket, uint16_t worker)
{
	struct sl_row row = {.worker = worker};

	return bpf_map_update_elem(bpf_map__fd(r->skel->maps.indirection), &bucket, &row, 0);
}

static inline int rig_add_local(struct rig *r, const struct sl_addr *addr)
{
	uint8_t one = 1;

	r->local[r->local_n++] = *addr;
	return bpf_map_update_elem(bpf_map__fd(r->skel->maps.local_addrs), addr, &one, 0);
}

static inline uint64_t rig_count(struct rig *r, uint32_t what)
{
	int cpus = libbpf_num_possible_cpus();
	uint64_t value[cpus > 0 ? cpus : 1], sum = 0;

	if (bpf_map_lookup_elem(bpf_map__fd(r->skel->maps.verdicts), &what, value))
		return 0;
	for (int i = 0; i < cpus; i++)
		sum += value[i];
	return sum;
}

static inline struct sl_bucket_stats rig_stats(struct rig *r, uint32_t index)
{
	struct sl_bucket_stats stats = {0};

	bpf_map_lookup_elem(bpf_map__fd(r->skel->maps.bucket_stats), &index, &stats);
	return stats;
}

static inline void rig_close(struct rig *r)
{
	if (r->xsk >= 0)
		close(r->xsk);
	steer_bpf__destroy(r->skel);
	free(r);
}

/*
 * Loaded and ready with `all`, 1,024 buckets, every row at worker 0, whose slot on queue 0 is
 * filled. NULL, and the reason in *why, where this machine or user cannot.
 */
static inline struct rig *rig_open(const char **why)
{
	static const char *const all[] = {"all", NULL};
	uint8_t seed[SL_HASH_SEED] = "a seed as good as every other";
	struct rig *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	libbpf_set_print(rig_silent);
	r->xsk = -1;
	*why = "cannot load BPF programs here: no privilege?";
	r->skel = steer_bpf__open_and_load();
	if (!r->skel)
		goto fail;
	r->prog = bpf_program__fd(r->skel->progs.sluice_steer);
	*why = "no AF_XDP sockets here";
	r->xsk = socket(AF_XDP, SOCK_RAW, 0);
	if (r->xsk < 0 || rig_fill_slot(r, 0))
		goto fail;

	*why = "cannot configure the maps";
	sl_hash_key_init(r->control.hash_key, seed);
	r->control.flags = SL_CTL_READY;
	r->control.epoch = 7;
	r->control.bucket_mask = SL_DEFAULT_BUCKETS - 1;
	r->control.bucket_stride = SL_DEFAULT_BUCKETS + SL_PARTS;
	if (rig_rules(r, all))
		goto fail;
	return r;

fail:
	rig_close(r);
	return NULL;
}

/* Run one packet, `foreign` bytes of somebody's metadata in front of it. 0 or -errno. */
static inline int rig_run_foreign(struct rig *r, const void *packet, unsigned len, unsigned foreign,
				  struct rig_run *out)
{
	static uint8_t in[RIG_META_MAX + RIG_MAX_FRAME], back[RIG_META_MAX + RIG_MAX_FRAME];
	struct xdp_md ctx_in = {.data = foreign, .data_end = foreign + len}, ctx_out = {0};
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = in, .data_size_in = foreign + len,
		    .data_out = back, .data_size_out = sizeof(back), .ctx_in = &ctx_in,
		    .ctx_size_in = sizeof(ctx_in), .ctx_out = &ctx_out,
		    .ctx_size_out = sizeof(ctx_out), .repeat = 1);

	memset(out, 0, sizeof(*out));
	if (len > RIG_MAX_FRAME || foreign > RIG_META_MAX)
		return -EINVAL;
	memset(in, 0xee, foreign);
	memcpy(in + foreign, packet, len);
	if (bpf_prog_test_run_opts(r->prog, &opts))
		return -errno;

	out->verdict = opts.retval;
	out->meta_len = ctx_out.data;
	out->len = opts.data_size_out - ctx_out.data;
	if (out->len > sizeof(out->packet))
		return -E2BIG;
	memcpy(out->packet, back + ctx_out.data, out->len);
	if (out->meta_len == sizeof(out->meta))
		memcpy(&out->meta, back, sizeof(out->meta));
	return 0;
}

static inline int rig_run(struct rig *r, const void *packet, unsigned len, struct rig_run *out)
{
	return rig_run_foreign(r, packet, len, 0, out);
}

/* true if user space knows the destination as local; what local_addrs says to XDP. */
static inline bool rig_is_local(const struct rig *r, const uint8_t *data, const uint8_t *end,
				const struct sl_parsed *p)
{
	struct sl_addr key;

	if (!sl_local_key(data, end, p->l3_off, p->flags, &key))
		return false;
	for (unsigned i = 0; i < r->local_n; i++)
		if (!memcmp(&key, &r->local[i], sizeof(key)))
			return true;
	return false;
}

/*
 * The steering program's answer by the build for user space: SL_PARSED and the stamp (without
 * epoch and seq), or the enum sl_steer_count under which the packet passes.
 */
static inline int rig_model(const struct rig *r, const uint8_t *packet, unsigned len,
			    struct sl_meta *meta)
{
	int local = r->control.flags & SL_CTL_LOCAL, rc;
	struct sl_parsed p = {0};

	rc = sl_parse(packet, packet + len, &p);
	if (rc != SL_PARSED)
		return rc;
	switch (sl_match(&r->match, &p.flow, p.flags, local)) {
	case SL_MATCH_PASS:
		return SL_PASS_NO_MATCH;
	case SL_MATCH_ASK_LOCAL:
		if (rig_is_local(r, packet, packet + len, &p))
			return SL_PASS_LOCAL;
		break;
	case SL_MATCH_TAKE:
		break;
	}
	*meta = (struct sl_meta){
		.magic = SL_META_MAGIC,
		.hash = r->control.flags & SL_CTL_TOEPLITZ
				? sl_toeplitz_hash(&r->toeplitz, &p.flow, p.flags)
				: sl_hash(r->control.hash_key, &p.flow, p.flags),
		.flags = p.flags,
		.l3_off = p.l3_off,
		.l4_off = p.l4_off,
		.proto = p.proto,
		.vlans = p.vlans,
	};
	meta->bucket = meta->hash & r->control.bucket_mask;
	return SL_PARSED;
}

/*
 * Both builds over one packet. true if they agree on verdict and stamp, and the packet itself is as
 * it was; `run` is what BPF gave, *reason what user space said.
 */
static inline bool rig_agree(struct rig *r, const uint8_t *packet, unsigned len,
			     struct rig_run *run, int *reason)
{
	struct sl_meta want;

	*reason = rig_model(r, packet, len, &want);
	if (rig_run(r, packet, len, run))
		return false;
	if (run->len != len || memcmp(run->packet, packet, len))
		return false;
	if (*reason != SL_PARSED)
		return run->verdict == XDP_PASS && run->meta_len == 0;
	if (run->verdict != XDP_REDIRECT || run->meta_len != sizeof(want))
		return false;
	want.epoch = r->control.epoch;
	want.seq = run->meta.seq;
	return !memcmp(&want, &run->meta, sizeof(want));
}

#endif /* TESTS_BPF_RIG_H */
