/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * move.h - the words of `sluice move`, apart from carrying them out.
 */
#ifndef SL_CLI_MOVE_H
#define SL_CLI_MOVE_H

#include "cli/options.h"

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

#endif /* SL_CLI_MOVE_H */
