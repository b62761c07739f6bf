// SPDX-License-Identifier: GPL-2.0-or-later
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "dataplane/chain.h"
#include "dataplane/export.h"
#include "dataplane/worker.h"
#include "platform/clock.h"

#define STEP_FLOWS 128
#define STEP_BUCKETS 1024
#define TEXT_MAX 1024

/* Where a shard's copy stands. Only the shard's owner touches it. */
struct shard_walk {
	uint64_t cursor;
	uint8_t slot;
	_Atomic bool done;
};

/* Flows copied by one worker. */
struct copies {
	uint8_t *data;
	size_t used, size;
	uint32_t next_bucket;
	bool failed; /* no memory */
};

struct copy_head {
	uint32_t bucket;
	uint16_t worker, slot;
	uint64_t idle_ns;
};

struct sl_export {
	struct sl_dataplane *dp;
	struct shard_walk *walk; /* [buckets] */
	struct copies *copies; /* [workers_max] */
};

static bool listed(const struct sl_dataplane *dp, unsigned slot)
{
	return dp->flow_config[slot].key_size && chain_nf(dp->chain, slot)->flow_show;
}

static void copy_flow(struct sl_export *e, struct worker *w, uint32_t bucket, unsigned slot,
		      const void *key, const void *value, uint64_t idle_ns)
{
	const struct sl_flow_config *c = &w->dp->flow_config[slot];
	struct copies *out = &e->copies[w->id];
	struct copy_head head = {
		.bucket = bucket, .worker = w->id, .slot = slot, .idle_ns = idle_ns};
	size_t need = sizeof(head) + c->key_size + c->value_size;

	if (out->used + need > out->size) {
		size_t size = out->size ? 2 * out->size : 65536;
		uint8_t *data = realloc(out->data, size);

		if (!data) {
			out->failed = true;
			return;
		}
		out->data = data;
		out->size = size;
	}
	memcpy(out->data + out->used, &head, sizeof(head));
	memcpy(out->data + out->used + sizeof(head), key, c->key_size);
	memcpy(out->data + out->used + sizeof(head) + c->key_size, value, c->value_size);
	out->used += need;
}

/* Go on with an owned shard; returns flows copied. */
static unsigned walk_shard(struct sl_export *e, struct worker *w, uint32_t bucket, unsigned budget)
{
	struct shard_walk *k = &e->walk[bucket];
	struct sl_shard *shard = shard_of(w->dp, bucket);
	unsigned n = 0;

	for (; k->slot < chain_slots(w->dp->chain); k->slot++, k->cursor = 0) {
		const void *key;
		uint64_t idle;
		void *value;

		if (!listed(w->dp, k->slot))
			continue;
		while (n < budget && sl_flow_table_walk(shard->tables[k->slot], &k->cursor, &key,
							&value, &idle, w->now_ns)) {
			copy_flow(e, w, bucket, k->slot, key, value, idle);
			n++;
		}
		if (n >= budget)
			return n;
	}
	/* pairs with the acquire in all_done() */
	atomic_store_explicit(&k->done, true, memory_order_release);
	return n;
}

bool export_step(struct worker *w)
{
	struct sl_dataplane *dp = w->dp;
	struct sl_export *e;
	unsigned flows = 0;
	struct copies *out;

	/* `users` is raised before the pointer is read again: export_flows() frees only what nobody
	 * uses */
	atomic_fetch_add(&dp->export_users, 1);
	e = atomic_load(&dp->export);
	if (!e)
		goto out;
	out = &e->copies[w->id];
	w->now_ns = sl_clock_ns();
	for (unsigned i = 0; i < STEP_BUCKETS && flows < STEP_FLOWS; i++) {
		uint32_t b = out->next_bucket;

		if (owner_load(&dp->inst->owners[b]).owner == w->id && !e->walk[b].done) {
			flows += walk_shard(e, w, b, STEP_FLOWS - flows);
			if (!e->walk[b].done)
				break;
		}
		out->next_bucket = b + 1 < dp->inst->buckets ? b + 1 : 0;
	}
out:
	atomic_fetch_sub(&dp->export_users, 1);
	return true;
}

static json_t *key_json(const struct sl_flow_key *key)
{
	char text[2][INET6_ADDRSTRLEN];
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

	for (int i = 0; i < 2; i++)
		if (!memcmp(key->addr[i], mapped, sizeof(mapped)))
			inet_ntop(AF_INET, key->addr[i] + 12, text[i], sizeof(text[i]));
		else
			inet_ntop(AF_INET6, key->addr[i], text[i], sizeof(text[i]));
	return json_pack("{s:s,s:i,s:s,s:i,s:i}", "addr_a", text[0], "port_a", ntohs(key->port[0]),
			 "addr_b", text[1], "port_b", ntohs(key->port[1]), "proto", key->proto);
}

static json_t *hex_json(const uint8_t *key, size_t size)
{
	char text[2 * SL_FLOW_KEY_MAX + 1] = "";

	for (size_t i = 0; i < size; i++)
		snprintf(text + 2 * i, 3, "%02x", key[i]);
	return json_pack("{s:s}", "key", text);
}

static json_int_t expires_ms(const struct sl_flow_config *c, uint64_t idle_ns)
{
	json_int_t left = (json_int_t)c->idle_ms - (json_int_t)(idle_ns / 1000000);

	return left > 0 ? left : 0;
}

static json_t *flow_json(struct sl_dataplane *dp, const struct copy_head *head, const uint8_t *key)
{
	const struct sl_flow_config *c = &dp->flow_config[head->slot];
	const struct sl_nf *nf = chain_nf(dp->chain, head->slot);
	uint64_t value[32], aligned[SL_FLOW_KEY_MAX / 8];
	char text[TEXT_MAX] = "{";
	json_t *flow, *more;
	int n;

	memcpy(aligned, key, c->key_size);
	memcpy(value, key + c->key_size, c->value_size);
	flow = c->key_size == sizeof(struct sl_flow_key)
		       ? key_json((const struct sl_flow_key *)aligned)
		       : hex_json(key, c->key_size);
	n = nf->flow_show(chain_self(dp->chain, head->slot), aligned, value, text + 1,
			  sizeof(text) - 2);
	if (n < 0) {
		json_decref(flow);
		return NULL;
	}
	if (n > 0 && (size_t)n < sizeof(text) - 2) {
		memcpy(text + 1 + n, "}", 2);
		more = json_loads(text, 0, NULL);
		if (more)
			json_object_update(flow, more);
		json_decref(more);
	}
	json_object_set_new(flow, "nf", json_string(nf->name));
	json_object_set_new(flow, "bucket", json_integer(head->bucket));
	json_object_set_new(flow, "worker", json_integer(head->worker));
	if (!nf->flow_times)
		json_object_set_new(flow, "idle_ms",
				    json_integer((json_int_t)(head->idle_ns / 1000000)));
	if (c->idle_ms)
		json_object_set_new(flow, "expires_ms", json_integer(expires_ms(c, head->idle_ns)));
	return flow;
}

static json_t *export_json(struct sl_export *e)
{
	json_t *flows = json_array();

	for (unsigned i = 0; i < e->dp->workers_max; i++)
		for (size_t at = 0; at < e->copies[i].used;) {
			struct copy_head head;
			const struct sl_flow_config *c;
			json_t *flow;

			memcpy(&head, e->copies[i].data + at, sizeof(head));
			c = &e->dp->flow_config[head.slot];
			flow = flow_json(e->dp, &head, e->copies[i].data + at + sizeof(head));
			if (flow)
				json_array_append_new(flows, flow);
			at += sizeof(head) + c->key_size + c->value_size;
		}
	return flows;
}

static struct sl_export *export_new(struct sl_dataplane *dp)
{
	struct sl_export *e = calloc(1, sizeof(*e));

	if (!e)
		return NULL;
	e->dp = dp;
	e->walk = calloc(dp->inst->buckets, sizeof(*e->walk));
	e->copies = calloc(dp->workers_max, sizeof(*e->copies));
	if (e->walk && e->copies)
		return e;
	free(e->walk);
	free(e->copies);
	free(e);
	return NULL;
}

static void export_free(struct sl_export *e)
{
	for (unsigned i = 0; i < e->dp->workers_max; i++)
		free(e->copies[i].data);
	free(e->copies);
	free(e->walk);
	free(e);
}

/* Nobody has the flows of a bucket that is split, nor a part that is not in use. A flow whose shard
 * becomes another one meanwhile may be listed twice. */
static bool all_done(const struct sl_export *e)
{
	for (uint32_t b = 0; b < e->dp->inst->buckets; b++)
		if (!atomic_load_explicit(&e->walk[b].done, memory_order_acquire) &&
		    owner_load(&e->dp->inst->owners[b]).owner < SL_MAX_WORKERS)
			return false;
	return true;
}

int export_flows(struct sl_dataplane *dp, unsigned timeout_ms, json_t **out, struct sl_error *err)
{
	uint64_t until = sl_clock_ns() + timeout_ms * 1000000ull;
	struct sl_export *e = export_new(dp);
	int ret = 0;

	if (!e)
		return sl_error_set(err, -ENOMEM, "no memory to list flows");
	atomic_store(&dp->export, e);
	for (unsigned i = 0; i < dp->workers_max; i++)
		worker_wake(&dp->worker[i]);
	while (!all_done(e)) {
		if (atomic_load(&dp->stop)) {
			ret = sl_error_set(err, -ECANCELED, "the dataplane is stopping");
			break;
		}
		if (sl_clock_ns() > until) {
			ret = sl_error_set(
				err, -ETIMEDOUT,
				"a worker did not answer within %u ms (see sluice workers)",
				timeout_ms);
			break;
		}
		usleep(500);
	}
	atomic_store(&dp->export, NULL);
	while (atomic_load(&dp->export_users))
		usleep(10);
	for (unsigned i = 0; !ret && i < dp->workers_max; i++)
		if (e->copies[i].failed)
			ret = sl_error_set(err, -ENOMEM, "no memory to list all flows");
	if (!ret)
		*out = export_json(e);
	export_free(e);
	return ret;
}
