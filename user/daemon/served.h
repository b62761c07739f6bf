/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * served.h - an instance in the daemon's care: its maps, its control loop, what the operator said.
 */
#ifndef SL_DAEMON_SERVED_H
#define SL_DAEMON_SERVED_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "control/splitting.h"
#include "control/tenants.h"
#include "control/tick.h"
#include "platform/config.h"
#include "platform/instance.h"

struct served_tenants;

struct served {
	struct sl_instance *inst;
	ino_t pin; /* of its folder in bpffs: another one is another attach */
	struct sl_balance_config balance;
	struct sl_tick *tick;
	struct sl_sample_worker *workers; /* [max_workers] */
	struct sl_sample_bucket *buckets; /* [buckets] */
	int cpu[SL_MAX_WORKERS]; /* of each worker at the latest sample; -1: not pinned */
	bool paused; /* by the operator; survives the daemon, not the attach */
	bool *pinned; /* by the operator, beside the configuration's; likewise */

	uint64_t due_ns; /* next round; 0: at once, and of everything */
	uint64_t tick_due_ns; /* of these, the next that looks at the workers' balance */
	bool dataplane; /* ran at the latest round */
	uint64_t incarnation; /* of it */
	unsigned reported_awake; /* workers; 0: nothing said yet */
	uint32_t plan; /* number of the latest plan, in the rows it wrote */
	uint64_t rounds, plans, moves, moves_skipped;
	struct sl_plan_move *announced; /* [buckets] a plan that balancers are told of before */
	unsigned announced_n; /* 0: there is none */
	uint64_t announced_ns;
	uint64_t plans_told, plans_late; /* balancers knew before, or were not waited for longer */
	uint64_t round_ns; /* CPU time of the latest round */
	double round_mean_ns; /* of the latest few */
	struct sl_tick_result last; /* of the latest round; `moves` is not valid */
	bool reported_stuck[SL_MAX_WORKERS];
	int reported_elephant; /* -1: none */
	bool reported_flow; /* its heaviest flow was named */
	unsigned reported_nic[SL_MAX_IFACES]; /* enum sl_nic_steering */
	bool split_asked; /* it was to be split */
	struct sl_splitting splitting;
	unsigned elephant_rounds; /* in a row that found another one than was reported */
	struct served_tenants *tenants; /* NULL: none */
};

/* Take over an opened instance (its owner from now on, also on failure). NULL on no memory. */
struct served *served_new(struct sl_instance *inst, const struct sl_balance_config *balance);
void served_free(struct served *s);
/* New settings; what was learnt stays. */
void served_configure(struct served *s, const struct sl_balance_config *balance);

void served_pause(struct served *s, bool paused);
/* Buckets first..last. */
void served_pin(struct served *s, uint32_t first, uint32_t last, bool pinned);

/* The folder of the instance's pins, 0 if it is not there. */
ino_t served_pin_inode(const char *name);

/* --- sample.c */
/* Read the counters. Takes no system call unless a worker's CPU is another than before. */
struct sl_sample served_sample(struct served *s, uint64_t now_ns);

/* --- apply.c */
/*
 * Store the rows of a plan and wake the dataplane; or announce them (platform/announce.h), and
 * served_announced() stores them. Instead of the plan before, if that is announced still. Returns
 * the rows.
 */
unsigned served_apply(struct served *s, const struct sl_plan_move *moves, unsigned n);
/* Store an announced plan when it is time to. True: it is not yet. */
bool served_announced(struct served *s, uint64_t now_ns);
/* It is not carried out. */
void served_withdraw(struct served *s);
/* The bucket's row gets this mode and stays otherwise; one that is to be split keeps its own. */
void served_mark(struct served *s, uint32_t bucket, enum sl_row_mode mode);

/* --- splits.c */
/* Split what is worth it, end what is not any more; after the elephants were reported. */
void served_splits(struct served *s, uint64_t now_ns);

/* --- round.c */
/* One round of the control loop; sets due_ns. */
void served_round(struct served *s, uint64_t now_ns);

/* --- tenants.c */
/* Put the configuration's tenants in force; NULL, or none in it: nobody shares. Logs what fails. */
void served_tenants_configure(struct served *s, const struct sl_tenants_config *config);
/* Learn, share, write the gates. Returns when it wants to be called again, ns. */
uint64_t served_tenants_round(struct served *s, uint64_t now_ns);
void served_tenants_free(struct served *s);

/* A tenant as requests and metrics tell it. */
struct served_tenant {
	const char *name;
	double weight;
	const struct sl_tenant_view *view;
	uint64_t packets, bytes, drops, drop_bytes, cycles, flows, flow_bytes;
	bool gone; /* from the configuration; its counters stay */
};
/* Tenant 0 .. SL_TENANT_TOTAL - 1; false: there is none of that id. */
bool served_tenant_get(const struct served *s, unsigned id, struct served_tenant *out);
const struct sl_tenants_config *served_tenants_config(const struct served *s);

/* --- state.c: what the operator said, in <run>/<instance>.balance.json until detach or boot */
void served_state_load(struct served *s);
void served_state_save(const struct served *s);
void served_state_forget(const struct served *s);

#endif /* SL_DAEMON_SERVED_H */
