// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/move_log.h"

#include <stdlib.h>
#include <string.h>

#define COPY_TRIES 4

/* Housekeeping writes seq last, so an entry is whole if seq is the same before and after. */
static bool copy_entry(const struct sl_move *entry, struct sl_move *out)
{
	for (unsigned i = 0; i < COPY_TRIES; i++) {
		uint64_t seq = __atomic_load_n(&entry->seq, __ATOMIC_ACQUIRE);

		memcpy(out, entry, sizeof(*out));
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		if (__atomic_load_n(&entry->seq, __ATOMIC_RELAXED) != seq)
			continue;
		out->seq = seq;
		return seq != 0;
	}
	return false;
}

static int by_seq(const void *a, const void *b)
{
	uint64_t x = ((const struct sl_move *)a)->seq, y = ((const struct sl_move *)b)->seq;

	return x < y ? -1 : x > y;
}

unsigned move_log_read(const struct sl_move *ring, uint64_t after, struct sl_move *out)
{
	unsigned n = 0;

	for (unsigned i = 0; i < SL_MOVE_LOG; i++)
		if (copy_entry(&ring[i], &out[n]) && out[n].seq > after)
			n++;
	qsort(out, n, sizeof(*out), by_seq);
	return n;
}

unsigned move_log_latest(struct sl_move *moves, unsigned count, unsigned n)
{
	if (count <= n)
		return count;
	memmove(moves, moves + count - n, n * sizeof(*moves));
	return n;
}

const char *move_rule_name(uint32_t rule)
{
	switch (rule) {
	case SL_DRAIN_A:
		return "a";
	case SL_DRAIN_D:
		return "d";
	case SL_DRAIN_C:
		return "c";
	default:
		return NULL;
	}
}

json_t *worker_or_null(uint16_t worker)
{
	return worker < SL_MAX_WORKERS ? json_integer(worker) : json_null();
}

json_t *move_json(const struct sl_move *m)
{
	bool ended = m->ended_ns >= m->asked_ns && m->ended_ns;

	return json_pack("{s:I,s:I,s:s,s:o,s:o,s:I,s:f,s:o,s:I,s:s?}", "seq", (json_int_t)m->seq,
			 "bucket", (json_int_t)m->bucket, "kind",
			 m->to >= SL_TO_PARTS	  ? "split"
			 : m->from >= SL_TO_PARTS ? "merge"
						  : "move",
			 "from", worker_or_null(m->from), "to", worker_or_null(m->to), "epoch",
			 (json_int_t)m->epoch, "asked_us", (double)m->asked_ns / 1e3, "took_us",
			 ended ? json_real((double)(m->ended_ns - m->asked_ns) / 1e3) : json_null(),
			 "parked_max", (json_int_t)m->parked_max, "rule",
			 ended ? move_rule_name(m->rule) : NULL);
}
