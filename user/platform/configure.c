// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * configure.c - what XDP reads, in the order that it may be read: everything, then SL_CTL_READY.
 */
#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "control/hash_key.h"
#include "control/toeplitz.h"
#include "platform/attach_internal.h"
#include "platform/rules.h"

static int set_hash(struct sl_instance *inst, const struct sl_attach_opts *opts,
		    struct sl_error *err)
{
	uint8_t seed[SL_HASH_SEED];
	struct sl_toeplitz table;
	const __u32 zero = 0;

	if (getrandom(seed, sizeof(seed), 0) != sizeof(seed))
		return sl_error_set(err, -EIO, "no random key: %s", strerror(errno));
	sl_hash_key_init(inst->control->hash_key, seed);
	if (!opts->toeplitz)
		return 0;
	sl_toeplitz_build(opts->toeplitz_key, &table);
	if (bpf_map_update_elem(inst->toeplitz_fd, &zero, &table, BPF_ANY))
		return sl_error_set(err, -errno, "map toeplitz: %s", strerror(errno));
	return 0;
}

/*
 * Over all workers that there is room for: the first dataplane spreads the rows of those that it
 * does not have over those that it has (moves_settle()), so none starts without a bucket.
 */
static void set_rows(struct sl_instance *inst)
{
	for (unsigned b = 0; b < inst->buckets; b++) {
		const bool part = b >= inst->hash_buckets;
		const struct sl_row row = {
			.worker = (__u16)(part ? SL_TO_NONE : b % inst->max_workers),
			.mode = SL_ROW_WORKER};
		uint64_t word;

		memcpy(&word, &row, sizeof(word));
		__atomic_store_n(&inst->rows[b], word, __ATOMIC_RELAXED);
	}
}

int sl_configure(struct sl_instance *inst, const struct sl_attach *a, struct sl_error *err)
{
	__u32 flags = SL_CTL_READY;
	int rc = 0;

	/* A base that is in force keeps its hash and its rows: flows lie where they put them. */
	if (a->base < 0) {
		inst->control->bucket_mask = inst->hash_buckets - 1;
		inst->control->bucket_stride = inst->buckets;
		flags |= a->opts->toeplitz ? SL_CTL_TOEPLITZ : 0;
		flags |= a->opts->stack ? SL_CTL_STACK : 0;
		flags |= a->opts->inband ? SL_CTL_INBAND : 0;
		set_rows(inst);
		rc = set_hash(inst, a->opts, err);
	}
	if (!rc)
		rc = sl_match_write(inst, a->rules, a->rules_n, a->local, err);
	/* No flow's bucket depends on it, so it may change. */
	if (!rc && !a->rx_hash)
		__atomic_fetch_and(&inst->control->flags, ~(__u32)SL_CTL_RX_HASH, __ATOMIC_RELAXED);
	flags |= a->rx_hash ? SL_CTL_RX_HASH : 0;
	/* XDP reads the flags of a packet before anything else that is written here. */
	if (!rc)
		__atomic_fetch_or(&inst->control->flags, flags, __ATOMIC_RELEASE);
	return rc;
}
