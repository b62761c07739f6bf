// SPDX-License-Identifier: GPL-2.0-or-later
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>

#include "cli/move.h"

/* A number at *text, moved behind it. */
static bool number(const char **text, uint32_t max, uint32_t *value)
{
	unsigned long n;
	char *end;

	if (!isdigit((unsigned char)**text))
		return false;
	errno = 0;
	n = strtoul(*text, &end, 10);
	if (errno || n > max)
		return false;
	*value = (uint32_t)n;
	*text = end;
	return true;
}

/* BUCKET or BUCKET-BUCKET, then ':' WORKER if `worker`. */
static bool parse_range(const char *text, bool worker, struct move_range *r)
{
	if (!number(&text, SL_MAX_BUCKETS - 1, &r->first))
		return false;
	r->last = r->first;
	if (*text == '-') {
		text++;
		if (!number(&text, SL_MAX_BUCKETS - 1, &r->last) || r->last < r->first)
			return false;
	}
	if (worker) {
		if (*text++ != ':' || !number(&text, SL_MAX_WORKERS - 1, &r->worker))
			return false;
	}
	return !*text;
}

static bool parse_pair(const char *bucket, const char *worker, struct move_range *r)
{
	return parse_range(bucket, false, r) && number(&worker, SL_MAX_WORKERS - 1, &r->worker) &&
	       !*worker;
}

int move_words_parse(const struct opt_list *words, bool unpin, struct move_words *out,
		     struct sl_error *err)
{
	struct move_range r;
	unsigned i = 0;

	*out = (struct move_words){0};
	if (words->n && !parse_range(words->v[0], false, &r) && !parse_range(words->v[0], true, &r))
		out->name = words->v[i++];
	if (!unpin && words->n - i == 2 &&
	    parse_pair(words->v[i], words->v[i + 1], &out->range[0])) {
		out->n = 1;
		return 0;
	}
	for (; i < words->n; i++)
		if (!parse_range(words->v[i], !unpin, &out->range[out->n++]))
			return sl_error_set(err, -EINVAL, "\"%s\" is not allowed; give %s",
					    words->v[i],
					    unpin ? "BUCKET or BUCKET-BUCKET, buckets below 65536"
						  : "BUCKET WORKER, BUCKET:WORKER or "
						    "BUCKET-BUCKET:WORKER, workers below 128");
	if (!out->n)
		return sl_error_set(err, -EINVAL, "which bucket is missing; give %s",
				    unpin ? "BUCKET or BUCKET-BUCKET"
					  : "BUCKET WORKER, or BUCKET:WORKER...");
	return 0;
}
