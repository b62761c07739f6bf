// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * firewall:FILE - a stateful packet filter. The first rule of the file that matches decides; the
 * rules see what a packet is to the connections that were let in (new, established, related,
 * invalid), as nftables' do. What a rule has said of a direction of a connection is kept with the
 * connection until other rules are loaded, so its later packets cost one look-up in the shard.
 *
 * Only what passes leaves a trace: a dropped packet makes no connection and moves none.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "nf/builtin.h"
#include "nf/conn.h"
#include "nf/fw_packet.h"
#include "nf/fw_reject.h"
#include "nf/wire.h"

#define FILE_MAX 1024
#define LINE 64
/* Errors that refuse packets, for each shard: a burst, and one more every so often (RFC
 * 1812 4.3.2.8) */
#define ERROR_BURST 8u
#define ERROR_EVERY_NS 20000000u
#define RETIRE_WAIT_US 2000000u
#define RETIRE_NAP_US 100u

enum fw_drop { DROP_RULE = 0, DROP_REJECTED, DROP_FRAGMENT };

static const char *const more_reasons[] = {"firewall_reject", "firewall_fragment", NULL};

/* What a rule has said of packets like this one. */
struct verdict {
	uint32_t rule;
	uint32_t serial; /* of the rules; 0: nothing yet */
	uint32_t like; /* what else of the packet a rule may look at */
};

struct connection {
	struct conn conn;
	uint32_t bucket;
	struct verdict said[2]; /* by side */
	uint64_t packets[2], bytes[2]; /* [0]: from who began */
};

/* Of a shard; its owner writes. */
struct fw_shard {
	uint64_t packets[FW_STATES];
	uint64_t passed, dropped, rejected, fragments, no_room;
	uint64_t connections, made;
	uint64_t now[CONN_STATES];
	uint64_t error_ns; /* the owner's: until when errors are spent; what is above is counters */
};

struct fw_worker {
	_Alignas(LINE) struct fw_rules *_Atomic uses; /* by its batch; NULL between batches */
};

struct firewall {
	const struct sl_nf_host *host;
	struct fw_rules *_Atomic rules;
	struct fw_worker *worker;
	uint32_t serial; /* of the latest rules; the reloading thread's */
	char file[FILE_MAX];
};

/* --- rules come and go ------------------------------------------------------------------------ */

/* The rules stay as they are until rules_done(). Pairs with retire(): either the store here is seen
 * there, or the exchange there by the second load here. */
static const struct fw_rules *rules_get(struct firewall *fw, unsigned worker)
{
	struct fw_rules *r = atomic_load(&fw->rules), *again;

	for (;;) {
		atomic_store(&fw->worker[worker].uses, r);
		again = atomic_load(&fw->rules);
		if (again == r)
			return r;
		r = again;
	}
}

static void rules_done(struct firewall *fw, unsigned worker)
{
	atomic_store_explicit(&fw->worker[worker].uses, NULL, memory_order_release);
}

static bool in_use(const struct firewall *fw, const struct fw_rules *r)
{
	for (unsigned w = 0; w < fw->host->workers; w++)
		if (atomic_load(&fw->worker[w].uses) == r)
			return true;
	return false;
}

static int load(struct firewall *fw, char *err, size_t err_size)
{
	struct fw_rules *fresh, *old;
	int ret = fw_rules_load(fw->file, fw->host, &fresh, err, err_size);

	if (ret)
		return ret;
	fresh->serial = ++fw->serial;
	old = atomic_exchange(&fw->rules, fresh);
	for (unsigned us = 0; old && in_use(fw, old); us += RETIRE_NAP_US) {
		/* a worker that is stopped within a batch keeps them for good */
		if (us > RETIRE_WAIT_US)
			return 0;
		usleep(RETIRE_NAP_US);
	}
	fw_rules_free(old);
	return 0;
}

static int firewall_create(const char *args, void **self, char *err, size_t err_size)
{
	struct firewall *fw;
	int ret;

	if (!*args || strlen(args) >= FILE_MAX) {
		snprintf(err, err_size,
			 "name a file of rules: firewall:/etc/sluice/firewall.rules");
		return -EINVAL;
	}
	ret = fw_rules_check(args, err, err_size);
	if (ret)
		return ret;
	fw = calloc(1, sizeof(*fw));
	if (!fw)
		return -ENOMEM;
	strcpy(fw->file, args);
	*self = fw;
	return 0;
}

static int firewall_start(void *self, const struct sl_nf_host *host, char *err, size_t err_size)
{
	struct firewall *fw = self;
	size_t bytes = host->workers * sizeof(*fw->worker);

	if (!host->symmetric) {
		snprintf(err, err_size,
			 "it needs the symmetric hash: attach with --hash symmetric");
		return -EINVAL;
	}
	fw->host = host;
	fw->worker = aligned_alloc(LINE, bytes);
	if (!fw->worker)
		return -ENOMEM;
	memset(fw->worker, 0, bytes);
	return load(fw, err, err_size);
}

static int firewall_reload(void *self, char *err, size_t err_size)
{
	return load(self, err, err_size);
}

static void firewall_destroy(void *self)
{
	struct firewall *fw = self;

	fw_rules_free(atomic_load(&fw->rules));
	free(fw->worker);
	free(fw);
}

/* --- what becomes of it ----------------------------------------------------------------------- */

/* A packet in hand. */
struct job {
	const struct sl_nf_ctx *ctx;
	const struct fw_rules *rules;
	struct fw_shard *shard;
	struct sl_packet *pkt;
	struct fw_view *view;
	struct connection *found; /* NULL: none */
	struct conn next; /* what becomes of it if the packet passes */
	enum fw_state state;
	bool begins; /* the packet is its first */
};

static uint32_t find_rule(const struct job *j)
{
	const uint16_t *w = j->view->key.word;
	bool icmp = j->pkt->meta->proto == PROTO_ICMP || j->pkt->meta->proto == PROTO_ICMP6;
	uint32_t like = (uint32_t)j->state << 28 | (uint32_t)w[CLASSIFY_IFACE] << 24 |
			(uint32_t)w[CLASSIFY_VLAN] << 8 | (icmp ? w[CLASSIFY_DPORT] : 0);
	struct verdict *said = NULL;

	if (j->found)
		said = &j->found->said[j->view->reversed];
	if (said && said->serial == j->rules->serial && said->like == like)
		return said->rule;
	j->view->key.word[CLASSIFY_STATE] = (uint16_t)j->state;
	if (!said)
		return fw_rules_find(j->rules, &j->view->key);
	*said = (struct verdict){.rule = fw_rules_find(j->rules, &j->view->key),
				 .serial = j->rules->serial,
				 .like = like};
	return said->rule;
}

static void move_state(struct fw_shard *s, const struct conn *from, const struct conn *to)
{
	if (from->state == to->state)
		return;
	if (from->state != CONN_NONE)
		sl_nf_count(&s->now[from->state], (uint64_t)-1);
	sl_nf_count(&s->now[to->state], 1);
}

/* Its connection is as the packet leaves it. False: no room for a new one. *made: others that were
 * found may have moved. */
static bool follow(struct job *j, bool *made)
{
	struct connection *c = j->found;
	struct sl_flow_table *table = j->pkt->tables[j->ctx->slot];

	if (!c) {
		c = sl_flow_lookup(table, &j->view->flow, j->pkt->meta->hash, j->ctx->now_ns, 1);
		*made = true;
		if (!c)
			return false;
		sl_nf_count(&j->shard->connections, 1);
	}
	if (j->begins) {
		*c = (struct connection){.conn = c->conn, .bucket = j->pkt->meta->bucket};
		sl_nf_count(&j->shard->made, 1);
	}
	move_state(j->shard, &c->conn, &j->next);
	c->conn = j->next;
	c->packets[j->view->reversed != c->conn.origin]++;
	c->bytes[j->view->reversed != c->conn.origin] += j->pkt->len;
	sl_flow_expire_in(table, c, j->ctx->now_ns, conn_idle_ms(&c->conn));
	return true;
}

static bool may_answer(struct fw_shard *s, uint64_t now)
{
	uint64_t spent = s->error_ns > now ? s->error_ns : now;

	if (spent - now > (uint64_t)ERROR_BURST * ERROR_EVERY_NS)
		return false;
	s->error_ns = spent + ERROR_EVERY_NS;
	return true;
}

static void reject(const struct job *j)
{
	enum fw_answer answer = fw_answer_for(j->pkt);

	sl_nf_count(&j->shard->rejected, 1);
	if (answer == FW_NO_ANSWER ||
	    (answer == FW_UNREACHABLE && !may_answer(j->shard, j->ctx->now_ns))) {
		sl_nf_drop(j->ctx, j->pkt, DROP_REJECTED);
		return;
	}
	fw_make_answer(j->pkt, answer);
	j->pkt->out_iface = j->pkt->iface;
	j->pkt->verdict = SL_TX;
}

/* True: a connection was made. */
static bool decide(struct job *j)
{
	uint32_t rule = find_rule(j);
	bool made = false;

	sl_nf_count(&j->shard->packets[j->state], 1);
	fw_rules_count(j->rules, j->ctx->worker, rule, j->pkt->len);
	switch (j->rules->rule[rule].action) {
	case FW_PASS:
		if (j->view->tracked && j->state != FW_INVALID && !follow(j, &made)) {
			sl_nf_count(&j->shard->no_room, 1);
			j->pkt->verdict = SL_DROP;
			j->pkt->reason = SL_DROP_STATE;
			return made;
		}
		sl_nf_count(&j->shard->passed, 1);
		break;
	case FW_REJECT:
		reject(j);
		break;
	default:
		sl_nf_count(&j->shard->dropped, 1);
		sl_nf_drop(j->ctx, j->pkt, DROP_RULE);
	}
	return made;
}

static bool handle(struct job *j)
{
	const struct sl_meta *m = j->pkt->meta;
	struct sl_flow_table *table = j->pkt->tables[j->ctx->slot];
	struct fw_view *v = j->view;

	if (v->bad) {
		j->pkt->verdict = SL_DROP;
		j->pkt->reason = SL_DROP_MALFORMED;
		return false;
	}
	if (m->flags & SL_META_FRAGMENT) {
		sl_nf_count(&j->shard->fragments, 1);
		j->state = FW_NEW;
		if (!j->rules->fragments) {
			sl_nf_drop(j->ctx, j->pkt, DROP_FRAGMENT);
			return false;
		}
	} else if (!v->tracked) {
		j->state = sl_flow_peek(table, &v->flow, m->hash, j->ctx->now_ns) ? FW_RELATED
										  : FW_INVALID;
	} else {
		j->state = fw_state_of(j->rules, j->pkt, v, j->found ? &j->found->conn : NULL,
				       &j->next, &j->begins);
		/* the look-up has prolonged it by more than is its due */
		if (j->found)
			sl_flow_expire_in(table, j->found, j->ctx->now_ns,
					  conn_idle_ms(&j->found->conn));
	}
	return decide(j);
}

/* Look-ups of a batch overlap. Once one packet has made a connection, what was found for those
 * behind it may be gone, or is new: they look again. */
static void firewall_process(const struct sl_nf_ctx *ctx, struct sl_packet **pkts, unsigned n)
{
	struct firewall *fw = ctx->self;
	struct sl_flow_table *tables[SL_BATCH];
	struct fw_view view[SL_BATCH];
	const void *keys[SL_BATCH];
	uint32_t hashes[SL_BATCH];
	void *found[SL_BATCH + 1];
	struct job j = {.ctx = ctx, .rules = rules_get(fw, ctx->worker)};
	unsigned m = 0, at[SL_BATCH];
	bool made = false;

	for (unsigned i = 0; i < n; i++) {
		fw_look(pkts[i], &view[i]);
		at[i] = SL_BATCH;
		if (!view[i].tracked)
			continue;
		tables[m] = pkts[i]->tables[ctx->slot];
		keys[m] = &view[i].flow;
		hashes[m] = pkts[i]->meta->hash;
		at[i] = m++;
	}
	if (m)
		sl_flow_lookup_batch(tables, keys, hashes, m, ctx->now_ns, 0, found);
	found[SL_BATCH] = NULL;
	for (unsigned i = 0; i < n; i++) {
		j.pkt = pkts[i];
		j.view = &view[i];
		j.found = found[at[i]];
		j.shard = sl_nf_shard(fw->host, pkts[i]->meta->bucket);
		if (made && view[i].tracked)
			j.found = sl_flow_lookup(pkts[i]->tables[ctx->slot], &view[i].flow,
						 pkts[i]->meta->hash, ctx->now_ns, 0);
		made |= handle(&j);
	}
	rules_done(fw, ctx->worker);
}

/* --- reports ---------------------------------------------------------------------------------- */

static void firewall_end(void *self, const void *key, void *value)
{
	const struct firewall *fw = self;
	const struct connection *c = value;
	struct fw_shard *s;

	if (c->conn.state == CONN_NONE)
		return;
	s = sl_nf_shard(fw->host, c->bucket);
	sl_nf_count(&s->connections, (uint64_t)-1);
	sl_nf_count(&s->now[c->conn.state], (uint64_t)-1);
}

static int firewall_flow(void *self, const void *key, const void *value, char *buf, size_t size)
{
	const struct connection *c = value;

	return snprintf(buf, size,
			"\"state\":\"%s\",\"origin\":\"%c\",\"packets\":%" PRIu64
			",\"bytes\":%" PRIu64 ",\"packets_reply\":%" PRIu64
			",\"bytes_reply\":%" PRIu64,
			conn_state_name(c->conn.state), "ab"[c->conn.origin], c -> packets[0],
			c -> bytes[0], c -> packets[1], c -> bytes[1]);
}

static void show_names(struct text *t, const char *name, const uint64_t *n,
		       const char *(*name_of)(unsigned), unsigned from, unsigned to)
{
	text_add(t, "\"%s\":{", name);
	for (unsigned i = from; i < to; i++)
		text_add(t, "%s\"%s\":%" PRIu64, i > from ? "," : "", name_of(i), n[i]);
	text_add(t, "},");
}

static const char *state_name(unsigned s)
{
	return fw_state_names[s];
}

static const char *conn_name(unsigned s)
{
	return conn_state_name((enum conn_state)s);
}

static int firewall_show(void *self, char *buf, size_t size)
{
	struct firewall *fw = self;
	const struct fw_rules *r = atomic_load(&fw->rules);
	struct text t = {.buf = buf, .size = size};
	struct fw_shard sum = {0};

	for (unsigned b = 0; b < fw->host->buckets; b++)
		text_sum((uint64_t *)&sum, sl_nf_shard(fw->host, b),
			 offsetof(struct fw_shard, error_ns) / sizeof(uint64_t));
	text_add(&t, "\"file\":");
	text_quote(&t, fw->file);
	text_add(&t,
		 ",\"loaded\":%u,\"passed\":%" PRIu64 ",\"dropped\":%" PRIu64
		 ",\"rejected\":%" PRIu64 ",\"fragments\":%" PRIu64 ",\"no_room\":%" PRIu64
		 ",\"connections\":%" PRIu64 ",\"made\":%" PRIu64 ",",
		 r->serial, sum.passed, sum.dropped, sum.rejected, sum.fragments, sum.no_room,
		 sum.connections, sum.made);
	show_names(&t, "packets", sum.packets, state_name, FW_NEW, FW_STATES);
	show_names(&t, "states", sum.now, conn_name, CONN_UNREPLIED, CONN_STATES);
	fw_rules_show(r, &t);
	return text_end(&t);
}

const struct sl_nf sl_nf_firewall = {
	.abi = SL_NF_ABI,
	.name = "firewall",
	.summary = "firewall:FILE passes, drops and rejects by rules, and knows connections",
	.drop_reason = "firewall_drop",
	.drop_reasons = more_reasons,
	.key_size = sizeof(struct sl_flow_key),
	.value_size = sizeof(struct connection),
	.idle_ms = CONN_IDLE_MAX_MS,
	.flow_times = true,
	.shard_size = sizeof(struct fw_shard),
	.create = firewall_create,
	.destroy = firewall_destroy,
	.start = firewall_start,
	.reload = firewall_reload,
	.process = firewall_process,
	.flow_end = firewall_end,
	.flow_show = firewall_flow,
	.show = firewall_show,
};
