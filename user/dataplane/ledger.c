// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdio.h>

#include "dataplane/chain.h"
#include "dataplane/ledger.h"
#include "platform/losses.h"

/* Counters of workers that are gone go on from where they were; gauges do not. */
static void clear_gauges(struct sl_dataplane *dp)
{
	for (unsigned i = 0; i < dp->inst->max_workers; i++) {
		struct sl_worker *w = &dp->inst->workers[i];

		stat_set(&w->held, 0);
		stat_set(&w->flows, 0);
		w->ring_fill = 0;
		w->buckets = 0;
		w->state = SL_WORKER_ABSENT;
	}
	for (size_t i = 0; i < (size_t)dp->inst->max_workers * dp->inst->buckets; i++) {
		if (dp->inst->cost[i].parked)
			dp->inst->cost[i].parked = 0;
		if (dp->inst->cost[i].flows)
			dp->inst->cost[i].flows = 0;
	}
}

/* XDP between its count and its verdict would look lost: let it pass everything for the moment. */
static void hold(struct sl_dataplane *dp)
{
	__atomic_fetch_or(&dp->inst->control->flags, SL_CTL_HOLD, __ATOMIC_SEQ_CST);
	sl_instance_grace(dp->inst);
}

static void let_go(struct sl_dataplane *dp)
{
	__atomic_fetch_and(&dp->inst->control->flags, ~(__u32)SL_CTL_HOLD, __ATOMIC_SEQ_CST);
}

void ledger_settle(struct sl_dataplane *dp)
{
	struct sl_control *control = dp->inst->control;
	struct sl_losses l;
	int64_t gap;

	clear_gauges(dp);
	hold(dp);
	if (!sl_losses_read(dp->inst, &l)) {
		/* published to a socket, counted by no worker: it was in the rings */
		gap = sl_losses_gap_in(&l);
		if (gap > 0) {
			stat_add(&control->abandoned_rx, (uint64_t)gap);
			l.delivered += (uint64_t)gap;
		}
		/* taken by a worker that never said what became of it */
		gap = sl_losses_gap_out(&l);
		if (gap > 0)
			stat_add(&control->abandoned, (uint64_t)gap);
	}
	let_go(dp);
	for (unsigned i = 0; i < dp->workers_max; i++) {
		dp->worker[i].full_base = dp->inst->workers[i].ring_full;
		dp->worker[i].dropped_base = dp->inst->workers[i].no_frame;
		dp->worker[i].invalid_base = dp->inst->workers[i].tx_invalid;
	}
	dp->settled = true;
}

void ledger_name_reasons(struct sl_dataplane *dp)
{
	static const char *const own[] = {[SL_DROP_TX_FULL] = "tx_full",
					  [SL_DROP_STATE] = "no_state",
					  [SL_DROP_MALFORMED] = "malformed",
					  [SL_DROP_NO_IFACE] = "no_interface",
					  [SL_DROP_TOO_LONG] = "too_long"};
	struct sl_drop_reason *names = dp->inst->drop_reasons;

	for (unsigned i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		snprintf(names[i].name, sizeof(names[i].name), "%s", own[i]);
	for (unsigned s = 0; s < chain_slots(dp->chain); s++) {
		const struct sl_nf *nf = chain_nf(dp->chain, s);

		snprintf(names[SL_DROP_NF + s].name, sizeof(names[0].name), "%s",
			 nf->drop_reason ? nf->drop_reason : nf->name);
		for (unsigned k = 0; nf->drop_reasons && nf->drop_reasons[k]; k++)
			snprintf(names[chain_drops(dp->chain, s) + k].name, sizeof(names[0].name),
				 "%s", nf->drop_reasons[k]);
	}
}
