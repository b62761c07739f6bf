/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * model.h - the hand-over protocol (docs/handover.md) as a finite state machine, explored
 * exhaustively.
 *
 * Memory is sequentially consistent and every load or store of a word that two threads share is a
 * step of its own; a step may also do work that no other thread can see. Where two accesses are one
 * step a comment says why no behaviour is lost. What the protocol relies on beyond that (release
 * and acquire, the full barrier of fetch-and-add) is argued where it is coded.
 */
#ifndef SL_TESTS_MODEL_H
#define SL_TESTS_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	MODEL_QUEUES = 2,
	MODEL_WORKERS = 3,
	MODEL_BUCKETS = 2,
	MODEL_CPUS = 2, /* that serve one queue at once: more than one in generic mode only */
	MODEL_RING = 4,
	MODEL_PARK = 4,
	MODEL_TX = 8,
	MODEL_FANOUT = 96, /* successors of one state */
	MODEL_KEY = 6, /* 64-bit words of a packed state, at most */
};

/* One rule of the protocol taken away or bent, each. */
enum model_mutant {
	MUT_OK,
	MUT_NO_RULE, /* released as soon as the move is seen */
	MUT_ONE_QUEUE, /* one drained queue is enough */
	MUT_A_EARLIER, /* (a) accepts a stamp one older than the move's epoch */
	MUT_A_ANY_WORKER, /* (a) accepts a stamp that any worker took from the queue */
	MUT_D_COUNT_LATE, /* XDP counts the packet after it has read the row */
	MUT_D_RESYNC, /* L set to the counter when (c) has drained the queue */
	MUT_D_STALE_L, /* after a restart L starts at the counter and is believed */
	MUT_D_UNTAGGED, /* F of an earlier move is believed */
	MUT_D_FIRST_KEPT, /* the first packet of an earlier stay is announced again */
	MUT_C_CACHED, /* (c) consumes up to a producer index that was loaded before */
	MUT_EPOCH_FIRST, /* a round publishes its epoch before its words */
	MUT_GRACE_FIRST, /* settled is stored before the polls in flight have ended */
	MUT_GRACE_NONE, /* no poll is waited for: a barrier among threads only */
	MUT_GRACE_LATE, /* the epoch is read when the grace period ends */
	MUT_TX_PENDING, /* released before the kernel has taken the transmissions */
	MUT_PARK_LATER, /* a packet of an owned bucket does not drain the park first */
	MUT_PARK_LEFT, /* released with packets of the bucket in the own park */
	MUT_NO_OWNER_CHECK, /* a worker processes whatever reaches it */
	MUT_MOVE_EARLY, /* the second move begins before the first has ended */
	MUT_ROW_BACK, /* the row is taken back while the move is under way, and its packets are
			 processed */
	MUT_WORD_FIRST, /* a foreign packet: the word, then the row, and the word not again */
	MUT_STRAY_KEPT, /* a park that nobody will hand over is kept */
	MUT_EPOCH_RESET, /* a restarted dataplane counts epochs from 0 */
	MUT_STOP_EARLY, /* a worker leaves while its last moves are under way */
	MUT_SLEEP_PENDING, /* a worker sleeps with a release pending; nobody wakes it later */
	MUT_SLEEP_PARK, /* a worker sleeps with a park */
	MUT_NO_BELL, /* housekeeping starts a move and wakes nobody */
	MUT_PART_OWNED, /* the parts are the owner's as soon as the bucket is split */
	MUT_PART_UNREADY, /* the bucket's row leads to parts whose row and word are not ready */
	MUT_PART_EPOCH, /* XDP loads the epoch anew after it has read the split row */
	MUT_PART_LATE, /* XDP counts a part's packet after it has read the part's row */
	MUT_MERGE_D, /* (d) drains the parts of a bucket that becomes whole */
	MUT_MERGE_FORCE, /* a part's row that was just written is taken back for it */
	MUT_MERGE_OPEN, /* a part's row may be written while its bucket becomes whole */
	MUT_MERGE_EPOCH, /* the epoch is published before the bucket's row is stored */
	MUT_TURNS_LEFT, /* released with packets of the bucket waiting for their tenants' turns */
};

struct model_config {
	const char *name;
	uint8_t queues, workers, buckets, packets; /* packets in all, on any queue */
	uint8_t cpus; /* serving one queue: 1 native; 2 generic, published at once */
	uint8_t ring, park; /* entries of a ring; packets parked of one bucket */
	uint8_t moves[MODEL_BUCKETS]; /* rows rewritten, at any time, at most */
	uint8_t owner[MODEL_BUCKETS]; /* at the start */
	uint8_t restarts; /* of the dataplane, at any time */
	bool rule_a, rule_c, rule_d;
	bool drops; /* any packet may be lost before its ring */
	bool tx; /* processed packets go through a TX ring of (queue, worker) */
	bool sleep; /* idle workers sleep */
	bool stop; /* worker 0 leaves when it has given everything away */
	bool by_hand; /* rows rewritten onward whatever is under way: strays are counted, not
			 forbidden */
	bool back; /* and back to the owner too */
	bool start_grace; /* a started dataplane waits for the polls in flight before it opens its
			     sockets */
	bool turns; /* two tenants, by a packet's number: what is taken waits, and either may be
		       next */
	bool calm; /* no row is rewritten before all restarts are over */
	uint8_t wishes; /* bucket 0 is to be split, and whole again, so many times; 1 is its part */
	enum model_mutant mutant;
	uint32_t limit; /* states; 0 for what the indices can hold */
};

struct model_entry {
	uint8_t bucket, n, stamp, cpu;
	uint8_t order; /* only checked: its number at the bucket, also where it went to a part */
};

enum cpu_pc {
	CPU_IDLE,
	CPU_POLL,
	CPU_EPOCH,
	CPU_COUNTED,
	CPU_FULL,
	CPU_FLUSH,
	CPU_ROW,
	CPU_PART,
	CPU_PART_ROW,
};

/* In a row or a word of bucket 0: its part has the packets; of the part: nobody. */
enum { ELSEWHERE = 3 };

/* A CPU inside (or outside) a NAPI poll of one queue. */
struct model_cpu {
	uint8_t pc, worker, flushes;
	uint8_t flush[MODEL_WORKERS]; /* sockets with packets reserved; the next to be published
					 first */
	uint8_t awaited; /* by the grace period under way */
	struct model_entry e; /* packet in hand */
};

/* Counted from the consumer: e[0] is the oldest entry. */
struct model_ring {
	uint8_t reserved, published, seen; /* seen: by the worker's cached producer index */
	struct model_entry e[MODEL_RING];
};

struct model_tx {
	uint8_t len;
	struct model_entry e[MODEL_TX];
};

/* Packets of one bucket from one queue that wait at one worker. */
struct model_park {
	uint8_t len;
	uint8_t listed; /* a first packet is known */
	uint8_t first; /* its number, parked or overflowed */
	uint8_t told; /* and was announced for the move into this worker */
	uint8_t n[MODEL_PARK], cpu[MODEL_PARK], order[MODEL_PARK];
};

/* What is kept of (queue, bucket). */
struct model_flow {
	uint8_t count; /* bucket_stats.packets */
	uint8_t l, l_valid; /* L of rule (d) */
	uint8_t f, f_tag; /* F of rule (d) */
	uint8_t quiet; /* drained towards the owner that moves the bucket away */
	uint8_t target; /* rule (c): 1 + entries still to be consumed; 0 none */
	uint8_t processed[MODEL_CPUS], wired[MODEL_CPUS]; /* only checked: 1 + the last number */
};

enum worker_pc { WORKER_RUNS, WORKER_ANNOUNCES, WORKER_WORD, WORKER_ROW };
enum worker_sleep { WORKER_AWAKE, WORKER_DROWSY, WORKER_ASLEEP };

struct model_worker {
	uint8_t pc, sleep, bell, stopped;
	uint8_t queue, row_mine, tag; /* of the packet in hand */
	struct model_entry e;
};

struct model_bucket {
	uint8_t row, owner, next, epoch, moves;
};

enum { HK_IDLE, HK_ROW, HK_WORDS, HK_BELLS, HK_SPLIT, HK_GATHERED, HK_MERGE };
enum { GRACE_IDLE, GRACE_EPOCH, GRACE_WAITS };
enum { DP_UP, DP_DOWN, DP_SETTLED };

enum model_bad {
	MODEL_OK,
	MODEL_I1_FOREIGN, /* processed by a worker that does not own the bucket */
	MODEL_I1_FLOWS, /* processed while the flow lies in another shard */
	MODEL_I2_ORDER, /* processed out of order */
	MODEL_I2_WIRE, /* left out of order */
	MODEL_I3_STRAY, /* reached a worker that has nothing to do with its bucket */
	MODEL_I3_UNCOUNTED, /* lost without a counter, or twice in one */
	MODEL_I4_MOVE, /* a move that never ends */
	MODEL_I4_STUCK, /* packets that are never processed */
};

struct model_state {
	struct model_bucket bucket[MODEL_BUCKETS];
	struct model_flow flow[MODEL_QUEUES][MODEL_BUCKETS];
	struct model_cpu cpu[MODEL_QUEUES][MODEL_CPUS];
	struct model_ring ring[MODEL_QUEUES][MODEL_WORKERS];
	struct model_tx tx[MODEL_QUEUES][MODEL_WORKERS];
	struct model_tx wait[MODEL_QUEUES][MODEL_WORKERS]; /* for turns, in the order of arrival */
	struct model_park park[MODEL_QUEUES][MODEL_WORKERS][MODEL_BUCKETS];
	struct model_worker worker[MODEL_WORKERS];
	uint8_t epoch, settled, dataplane, restarts;
	uint8_t hk_pc, hk_bucket, hk_row, hk_epoch, hk_bells;
	uint8_t grace_pc, grace_epoch;
	uint8_t wish, wishes; /* is bucket 0 to be split; changes of mind left */
	uint8_t stays; /* the part's row is not to be written */
	uint8_t flows; /* which bucket's shard they lie in */
	uint8_t left, done; /* packets not yet begun; packets processed or in a counter */
	uint8_t bad; /* enum model_bad */
};

struct model_key {
	uint64_t w[MODEL_KEY];
};

/* --- state.c, normal.c, codec.c ---------------------------------------------------- */

void model_start(const struct model_config *c, struct model_state *s);
/* Bring states that cannot be told apart by any future to one form. */
void model_normalise(const struct model_config *c, struct model_state *s);
/*
 * Exact: unpacking gives the normalised state with its queues exchanged or not; true if they were.
 * Words used, in `words`; the rest is 0.
 */
bool model_pack(const struct model_config *c, const struct model_state *s, struct model_key *key,
		unsigned *words);
void model_unpack(const struct model_config *c, const struct model_key *key, struct model_state *s);
const char *model_bad_name(enum model_bad bad);

/* --- steps_*.c
 * ------------------------------------------------------------------------------------ */

struct model_next {
	struct model_state s;
	bool outside; /* begun by the network, the daemon or an operator: may never come */
	char label[96];
};

struct model_steps {
	const struct model_config *c;
	bool labels;
	unsigned n;
	struct model_next next[MODEL_FANOUT];
};

/* All steps possible in `s`. */
void model_steps(struct model_steps *m, const struct model_state *s);
/* With nothing left to happen by itself: is this a good end (I3, I4)? */
enum model_bad model_end(const struct model_config *c, const struct model_state *s);

/* For the steps: a copy of `s` to be changed, described by the format. */
struct model_state *step_add(struct model_steps *m, const struct model_state *s, bool outside,
			     const char *fmt, ...) __attribute__((format(printf, 4, 5)));
void steps_xdp(struct model_steps *m, const struct model_state *s);
void steps_control(struct model_steps *m, const struct model_state *s);
void steps_restart(struct model_steps *m, const struct model_state *s);
void steps_worker(struct model_steps *m, const struct model_state *s);
void steps_cpu(struct model_steps *m, const struct model_state *s, unsigned q, unsigned c);
void steps_take(struct model_steps *m, const struct model_state *s, unsigned q, unsigned w);
void steps_park(struct model_steps *m, const struct model_state *s, unsigned w, unsigned b);
/* Steps that may be taken before all others; if there are any the others can wait. local.c */
bool steps_local(struct model_steps *m, const struct model_state *s);
void steps_release(struct model_steps *m, const struct model_state *s, unsigned w);
void worker_wake_up(struct model_state *s, unsigned w);
void model_target_reached(const struct model_config *c, struct model_flow *f);

/* Packets of a flow come from one CPU, or are one tenant's: what else is in whatever order. */
static inline unsigned kind_of(const struct model_config *c, struct model_entry e)
{
	return c->turns ? e.n % 2 : e.cpu;
}

static inline unsigned kinds(const struct model_config *c)
{
	return c->turns ? 2 : c->cpus;
}

static inline bool bucket_moves(const struct model_bucket *b)
{
	return b->owner != b->next;
}

/* Steps of splitting bucket 0 and the end of it. steps_split.c */
void steps_split(struct model_steps *m, const struct model_state *s);
/* Housekeeping: a bucket moves on, in the round under way or a new one. */
void round_join(const struct model_config *c, struct model_state *s, unsigned b);

/* What packets of a flow are compared by: parts are of the same flow. */
static inline uint8_t order_of(const struct model_config *c, struct model_entry e)
{
	return c->wishes ? e.order : e.n;
}

/* A bucket that becomes whole is its parts' move, from the worker that has them all. */
static inline bool bucket_merges(const struct model_config *c, const struct model_state *s)
{
	return c->wishes && s->bucket[0].owner == ELSEWHERE && s->bucket[0].next != ELSEWHERE;
}

/* Owned for good: no row of it will change any more. */
static inline bool bucket_rests(const struct model_bucket *b)
{
	return !b->moves && b->row == b->owner && b->row == b->next;
}

static inline bool worker_parks(const struct model_config *c, const struct model_state *s,
				unsigned w, unsigned b)
{
	for (unsigned q = 0; q < c->queues; q++)
		if (s->park[q][w][b].listed)
			return true;
	return false;
}

/* --- explore.c, walk.c
 * ---------------------------------------------------------------------------- */

struct model_result {
	enum model_bad bad;
	bool complete; /* everything that can be reached was */
	uint64_t states, steps;
	size_t memory; /* bytes */
	double seconds;
	unsigned depth; /* steps of the counterexample */
	char *trace; /* one line for each step, from malloc; NULL without one */
};

/* Breadth first, so the counterexample is a shortest one. 0 or -ENOMEM. */
int model_explore(const struct model_config *c, struct model_result *r);
/* `walks` random runs to their ends. */
int model_walk(const struct model_config *c, unsigned walks, uint64_t seed, struct model_result *r);

#endif /* SL_TESTS_MODEL_H */
