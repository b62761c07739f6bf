// SPDX-License-Identifier: GPL-2.0-or-later
#include "platform/losses.h"
#include "platform/percpu.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Two readings this far apart that agree saw no traffic: a worker's round takes microseconds. */
#define SETTLE_NS 2000000
/* Readings that differ before traffic is taken to be running. */
#define RESTLESS_READS 5

static const char *const steer_names[SL_STEER_COUNTS] = {
	[SL_PASS_UNCONFIGURED] = "unconfigured",
	[SL_PASS_ARP] = "arp",
	[SL_PASS_ND] = "nd",
	[SL_PASS_NO_MATCH] = "no_match",
	[SL_PASS_LOCAL] = "local",
	[SL_PASS_TRUNCATED] = "truncated",
	[SL_PASS_UNKNOWN] = "unknown",
	[SL_NO_SLOT] = "no_slot",
	[SL_BAD_ROW] = "bad_row",
	[SL_STAMP_ERROR] = "stamp_error",
	[SL_INFO_FRAGMENT] = "fragment",
	[SL_INFO_ICMP_ERROR] = "icmp_error",
	[SL_INFO_SOFTWARE_HASH] = "software_hash",
};

const char *sl_steer_name(enum sl_steer_count c)
{
	return c < SL_STEER_COUNTS ? steer_names[c] : "?";
}

/* Counters have one writer each and are read with plain 64-bit loads, never torn. */
static uint64_t load(const uint64_t *counter)
{
	return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

static void add_workers(const struct sl_instance *inst, struct sl_losses *l)
{
	for (unsigned i = 0; i < inst->max_workers; i++) {
		const struct sl_worker *w = &inst->workers[i];

		l->delivered += load((const uint64_t *)&w->rx_packets);
		l->forwarded += load((const uint64_t *)&w->forwarded);
		l->consumed += load((const uint64_t *)&w->consumed);
		l->park_overflow += load((const uint64_t *)&w->park_overflow);
		l->stray += load((const uint64_t *)&w->stray);
		l->held += load((const uint64_t *)&w->held);
		l->ring_full += load((const uint64_t *)&w->ring_full);
		l->no_frame += load((const uint64_t *)&w->no_frame);
		for (unsigned r = 0; r < SL_DROP_REASONS; r++)
			l->nf_drop[r] += load((const uint64_t *)&w->nf_drop[r]);
	}
}

static void add_control(const struct sl_instance *inst, struct sl_losses *l)
{
	const struct sl_control *c = inst->control;

	l->delivered += load((const uint64_t *)&c->abandoned_rx);
	l->abandoned += load((const uint64_t *)&c->abandoned);
	l->redirect_error += load((const uint64_t *)&c->redirect_error);
}

static int add_verdicts(const struct sl_iface *iface, struct sl_losses *l)
{
	uint64_t sum;
	int ret = 0;

	for (uint32_t key = 0; key < SL_STEER_COUNTS && !ret; key++) {
		ret = sl_percpu_sum(iface->verdicts_fd, key, &sum, 1);
		l->steer[key] += sum;
	}
	return ret;
}

int sl_losses_read(const struct sl_instance *inst, struct sl_losses *l)
{
	int ret = 0;

	memset(l, 0, sizeof(*l));
	for (unsigned i = 0; i < inst->ifaces && !ret; i++) {
		const struct sl_iface *iface = &inst->iface[i];

		/* parts' packets are among their buckets' */
		for (unsigned q = 0; q < iface->queues_max; q++)
			for (unsigned b = 0; b < inst->hash_buckets; b++)
				l->seen +=
					iface->bucket_stats[(size_t)q * inst->buckets + b].packets;
		ret = add_verdicts(iface, l);
	}
	add_workers(inst, l);
	add_control(inst, l);
	l->no_slot = l->steer[SL_NO_SLOT];
	l->bad_row = l->steer[SL_BAD_ROW];
	l->stamp_error = l->steer[SL_STAMP_ERROR];
	return ret;
}

int sl_losses_read_quiet(const struct sl_instance *inst, unsigned timeout_ms, struct sl_losses *l,
			 bool *quiet)
{
	const struct timespec pause = {.tv_nsec = SETTLE_NS};
	unsigned tries = timeout_ms / (SETTLE_NS / 1000000) + 2;
	unsigned restless = 0;
	struct sl_losses before;
	int ret = sl_losses_read(inst, l);

	*quiet = false;
	while (!ret && tries--) {
		before = *l;
		nanosleep(&pause, NULL);
		ret = sl_losses_read(inst, l);
		*quiet = !ret && !memcmp(&before, l, sizeof(before));
		if (*quiet && !sl_losses_gap_in(l) && !sl_losses_gap_out(l))
			break;
		if (!*quiet && ++restless >= RESTLESS_READS)
			break;
	}
	return ret;
}

int64_t sl_losses_gap_in(const struct sl_losses *l)
{
	return (int64_t)(l->seen - l->delivered - l->ring_full - l->no_frame - l->no_slot -
			 l->stamp_error - l->bad_row - l->redirect_error);
}

int64_t sl_losses_gap_out(const struct sl_losses *l)
{
	return (int64_t)(l->delivered - l->forwarded - l->consumed - sl_losses_nf_drops(l) -
			 l->park_overflow - l->stray - l->held - l->abandoned);
}

uint64_t sl_losses_nf_drops(const struct sl_losses *l)
{
	uint64_t sum = 0;

	for (unsigned r = 0; r < SL_DROP_REASONS; r++)
		sum += l->nf_drop[r];
	return sum;
}

uint64_t sl_losses_passed(const struct sl_losses *l)
{
	uint64_t sum = 0;

	for (unsigned c = SL_PASS_UNCONFIGURED; c <= SL_PASS_UNKNOWN; c++)
		sum += l->steer[c];
	return sum;
}

void sl_drop_name(const struct sl_instance *inst, unsigned reason, char buf[SL_DROP_NAME + 1])
{
	snprintf(buf, SL_DROP_NAME + 1, "%.*s", SL_DROP_NAME, inst->drop_reasons[reason].name);
	if (!buf[0])
		snprintf(buf, SL_DROP_NAME + 1, "reason%u", reason);
}

/* Reasons that have a name, or a count, as {name: count}. Two reasons of one name add up. */
static json_t *drops_json(const struct sl_instance *inst, const struct sl_losses *l)
{
	json_t *drops = json_object();

	for (unsigned r = 0; r < SL_DROP_REASONS; r++) {
		char name[SL_DROP_NAME + 1];
		json_int_t sum;

		if (!l->nf_drop[r] && !inst->drop_reasons[r].name[0])
			continue;
		sl_drop_name(inst, r, name);
		sum = json_integer_value(json_object_get(drops, name));
		json_object_set_new(drops, name, json_integer(sum + (json_int_t)l->nf_drop[r]));
	}
	return drops;
}

static json_t *passed_json(const struct sl_losses *l)
{
	json_t *passed = json_object();

	for (unsigned c = SL_PASS_UNCONFIGURED; c <= SL_PASS_UNKNOWN; c++)
		json_object_set_new(passed, steer_names[c], json_integer((json_int_t)l->steer[c]));
	return passed;
}

json_t *sl_losses_json(const struct sl_instance *inst, const struct sl_losses *l, bool quiet)
{
#define I(x) ((json_int_t)(x))
	return json_pack(
		"{s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:o,s:I,s:I,s:I,s:I,s:I,s:o,"
		"s:I,s:I,s:I,s:I,s:b,s:{s:b,s:b}}",
		"seen", I(l->seen), "delivered", I(l->delivered), "ring_full", I(l->ring_full),
		"no_frame", I(l->no_frame), "no_slot", I(l->no_slot), "stamp_error",
		I(l->stamp_error), "bad_row", I(l->bad_row), "redirect_error", I(l->redirect_error),
		"forwarded", I(l->forwarded), "consumed", I(l->consumed), "nf_drop_total",
		I(sl_losses_nf_drops(l)), "nf_drop", drops_json(inst, l), "park_overflow",
		I(l->park_overflow), "stray", I(l->stray), "held", I(l->held), "abandoned",
		I(l->abandoned), "passed_to_stack", I(sl_losses_passed(l)), "passed_by",
		passed_json(l), "fragments", I(l->steer[SL_INFO_FRAGMENT]), "icmp_errors",
		I(l->steer[SL_INFO_ICMP_ERROR]), "software_hash",
		I(l->steer[SL_INFO_SOFTWARE_HASH]), "unaccounted", I(sl_losses_gap_in(l)), "quiet",
		quiet, "identity_ok", "in", !sl_losses_gap_in(l), "out", !sl_losses_gap_out(l));
#undef I
}
