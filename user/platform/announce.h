/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * announce.h - rows are said before they are stored, to load balancers that foretell which worker a
 * flow reaches.
 *
 * Whoever is about to move buckets writes their workers into the rows' `next`, which the agent
 * (`sluice agent report`) reads for the row itself, and moves them when the agent has said that
 * what it read since is with the balancers (control.told_ns). Nobody waits without an agent, and
 * with one that is slow or dead not for long. `next` binds nobody: a row may be moved elsewhere
 * meanwhile, whoever stores a worker clears it, and what nobody carries out the agent takes away.
 */
#ifndef SL_PLATFORM_ANNOUNCE_H
#define SL_PLATFORM_ANNOUNCE_H

#include <stdbool.h>
#include <stdint.h>

#include <sluice/maps.h>

/* The agent says something every 5 ms: one that was silent for so long is not there. */
#define SL_ANNOUNCE_LEASE_NS 200000000ull
/* It takes 7 ms where the agent gets its CPU; a balancer that is told late costs less than a worker
 * that is overloaded for longer. */
#define SL_ANNOUNCE_WAIT_NS 20000000ull
#define SL_ANNOUNCE_POLL_NS 1000000ull /* between two looks at the answer */
/* A mover carries it out within SL_ANNOUNCE_WAIT_NS, or has died. */
#define SL_ANNOUNCE_PLAN_NS 1000000000ull

/* The clock of all this, between what was stored before and what is loaded after. */
uint64_t sl_announce_now(void);

/* --- who moves; any thread */

/* Is there an agent to wait for? */
bool sl_announce_heard(const struct sl_control *c, uint64_t now);

/* Announce that the row, if it still is `seen`, will lead to `to`. */
bool sl_announce_row(uint64_t *row, uint64_t seen, uint16_t to);
/* It will not, as far as we are concerned. */
void sl_announce_withdraw(uint64_t *row, uint16_t to);

enum sl_announced {
	SL_ANNOUNCED_WAIT, /* look again in SL_ANNOUNCE_POLL_NS */
	SL_ANNOUNCED_TOLD, /* the balancers were told */
	SL_ANNOUNCED_LATE, /* they were not, and it is not to be waited for any longer */
};
/* What became of rows that were announced before `since`, of sl_announce_now(). */
enum sl_announced sl_announce_state(const struct sl_control *c, uint64_t since, uint64_t now);

/* --- the agent */

/*
 * Where the row leads, or is about to. *since: of the row, by the agent only, 0 at first; from it
 * the agent knows plans that nobody carries out, and takes them away.
 */
uint16_t sl_announce_read(uint64_t *row, uint64_t *since, uint64_t now);

/*
 * Rows read from `looked` (of sl_announce_now()) on are with the balancers. *told: what this agent
 * said last, 0 at first. False: another agent speaks.
 */
bool sl_announce_told(struct sl_control *c, uint64_t *told, uint64_t looked);
/* This agent ends: nobody waits for it any more. */
void sl_announce_leave(struct sl_control *c, uint64_t *told);

#endif /* SL_PLATFORM_ANNOUNCE_H */
