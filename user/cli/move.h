/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * move.h - the words of `sluice move`, apart from carrying them out.
 */
#ifndef SL_CLI_MOVE_H
#define SL_CLI_MOVE_H

#include "cli/options.h"
#include "platform/instance.h"

#define MOVE_POLL_NS 50000 /* a move under traffic takes some microseconds */

/* Buckets first..last to one worker. */
struct move_range {
	uint32_t first, last; /* inclusive */
	uint32_t worker; /* unused for --unpin */
};

struct move_words {
	const char *name; /* interface or instance; NULL: the only one */
	unsigned n;
	struct move_range range[OPT_LIST_MAX];
};

/*
 * "[IF] BUCKET WORKER" or "[IF] BUCKET[-BUCKET]:WORKER...", and with `unpin`
 * "[IF] BUCKET[-BUCKET]...". A first word that is none of these is the interface. 0 or -EINVAL with
 * a line in err.
 */
int move_words_parse(const struct opt_list *words, bool unpin, struct move_words *out,
		     struct sl_error *err);

/*
 * Wait until the bucket is not under way and, if `worker` is one, is owned by it; until `deadline`
 * of sample_clock(). True if it is so.
 */
bool move_settle(const struct sl_instance *inst, uint32_t bucket, int worker, uint64_t deadline);

#endif /* SL_CLI_MOVE_H */
