// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * attach_keep.c - what stays when a program is replaced must be what was asked for, if it was.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/toeplitz.h"
#include "platform/attach_internal.h"

int sl_attach_keep_sizes(struct sl_attach *a, const struct sl_map_set *there, struct sl_error *err)
{
	const unsigned entries = there->max_entries[SL_MAP_INDIRECTION];
	const unsigned buckets = sl_hash_buckets(entries);
	const unsigned room = there->max_entries[SL_MAP_BUCKET_COST] / entries;

	if (a->opts->buckets && a->opts->buckets != buckets)
		return sl_error_set(
			err, -EINVAL,
			"%s has %u buckets already: leave --buckets away, or detach and "
			"attach anew with %u",
			a->name, buckets, a->opts->buckets);
	if (a->opts->max_workers && a->opts->max_workers != room)
		return sl_error_set(
			err, -EINVAL,
			"%s has room for %u workers: leave --max-workers away, or detach "
			"and attach anew with %u",
			a->name, room, a->opts->max_workers);
	a->sizes.buckets = buckets;
	a->sizes.max_workers = room;
	return 0;
}

int sl_attach_keep_mode(const struct sl_attach *a, const struct sl_target *t, struct sl_error *err)
{
	if (!a->opts->mode || t->prog.fd < 0 || a->opts->mode == t->hook.mode)
		return 0;
	return sl_error_set(err, -EINVAL,
			    "%s carries its program in %s mode: leave --mode away, or detach and "
			    "attach anew",
			    t->name, t->hook.mode == SL_XDP_GENERIC ? "generic" : "native");
}

/* Keys are not kept, but each has a table of its own. */
static int same_key(const struct sl_attach *a, const struct sl_map_set *there, bool *same)
{
	struct sl_toeplitz *tables = calloc(2, sizeof(*tables));
	const __u32 zero = 0;
	int rc = 0;

	if (!tables)
		return -ENOMEM;
	if (bpf_map_lookup_elem(there->fd[SL_MAP_TOEPLITZ], &zero, &tables[0]))
		rc = -errno;
	sl_toeplitz_build(a->opts->toeplitz_key, &tables[1]);
	*same = !memcmp(&tables[0], &tables[1], sizeof(tables[0]));
	free(tables);
	return rc;
}

static int keep_hash(struct sl_attach *a, const struct sl_map_set *there,
		     const struct sl_control *control, struct sl_error *err)
{
	const bool toeplitz = control->flags & SL_CTL_TOEPLITZ;
	bool same = true;
	int rc = 0;

	if (!a->opts->hash_given) {
		a->rx_hash = control->flags & SL_CTL_RX_HASH;
		return 0;
	}
	if (toeplitz && a->opts->toeplitz)
		rc = same_key(a, there, &same);
	if (rc)
		return sl_error_set(err, rc, "%s: map toeplitz: %s", a->name, strerror(-rc));
	if (toeplitz == a->opts->toeplitz && same)
		return 0;
	return sl_error_set(err, -EINVAL,
			    "%s hashes %s, and its flows lie where that put them: leave --hash "
			    "away, or detach and attach anew",
			    a->name,
			    !toeplitz ? "symmetrically"
			    : same    ? "by toeplitz"
				      : "by toeplitz with another key");
}

int sl_attach_keep_flags(struct sl_attach *a, const struct sl_map_set *there, struct sl_error *err)
{
	const __u32 zero = 0;
	struct sl_control control;
	bool inband, stack;
	int rc;

	if (bpf_map_lookup_elem(there->fd[SL_MAP_CONTROL], &zero, &control)) {
		rc = -errno;
		return sl_error_set(err, rc, "%s: map control: %s", a->name, strerror(-rc));
	}
	rc = keep_hash(a, there, &control, err);
	if (rc)
		return rc;
	stack = control.flags & SL_CTL_STACK;
	if (a->opts->stack_given && !stack)
		return sl_error_set(err, -EINVAL,
				    "%s steers to a dataplane: leave --stack away, or detach and "
				    "attach anew",
				    a->name);
	a->sizes.stack = stack;
	if (stack && a->rx_hash)
		return sl_error_set(err, -EINVAL,
				    "%s is in mode stack, which computes its hash: give --hash "
				    "toeplitz:nic instead of nic",
				    a->name);
	if (stack && a->n > 1)
		return sl_error_set(
			err, -EINVAL,
			"%s is in mode stack, with one interface: give each an instance "
			"of its own",
			a->name);
	inband = control.flags & SL_CTL_INBAND;
	if (!a->opts->stamp_given || inband == a->opts->inband)
		return 0;
	return sl_error_set(err, -EINVAL,
			    "%s stamps packets %s: leave --stamp away, or detach and attach anew",
			    a->name, inband ? "inband" : "in metadata");
}
