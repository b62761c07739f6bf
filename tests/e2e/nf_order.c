// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * nf_order.so:FILE - a network function that believes nothing: for every packet it checks that no
 * other worker is inside the same bucket, that XDP's numbers of its queue and bucket only grow, and
 * that the sequence numbers of `sluice gen` only grow within the flow. Writes what it found to FILE
 * as JSON at the end.
 */
#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sluice/maps.h>
#include <sluice/nf.h>

#include "gen.h"

/* Numbers of one (interface, queue, bucket); only the bucket's owner may touch them. */
struct last {
	uint32_t seq;
	uint32_t seen;
};

struct order {
	char path[256];
	_Atomic uint8_t *inside; /* [bucket]: 1 + worker that is in there now */
	struct last *last;
	_Atomic uint64_t packets, stamped, double_owner, ring_reordered, flow_reordered, duplicated,
		gaps;
};

/* Two senders at once number their flows alike: the run tells them apart. */
struct flow_key {
	uint32_t flow;
	uint32_t run;
};

struct flow {
	uint64_t next;
};

static int order_create(const char *args, void **self, char *err, size_t err_size)
{
	struct order *o = calloc(1, sizeof(*o));

	if (!o)
		return -ENOMEM;
	snprintf(o->path, sizeof(o->path), "%s", args);
	o->inside = calloc(SL_MAX_BUCKETS, sizeof(*o->inside));
	o->last = calloc((size_t)SL_MAX_IFACES * SL_MAX_QUEUES * SL_MAX_BUCKETS, sizeof(*o->last));
	*self = o;
	return o->inside && o->last ? 0 : -ENOMEM;
}

static void order_destroy(void *self)
{
	struct order *o = self;
	FILE *f = o->path[0] ? fopen(o->path, "w") : stdout;

	if (f)
		fprintf(f,
			"{\"packets\":%lu,\"stamped\":%lu,\"double_owner\":%lu,\"ring_reordered\":%"
			"lu,"
			"\"flow_reordered\":%lu,\"duplicated\":%lu,\"gaps\":%lu}\n",
			o->packets, o->stamped, o->double_owner, o->ring_reordered,
			o->flow_reordered, o->duplicated, o->gaps);
	if (f && f != stdout)
		fclose(f);
	free(o->inside);
	free(o->last);
	free(o);
}

static void check_ring(struct order *o, const struct sl_packet *p)
{
	size_t queue = (size_t)p->iface * SL_MAX_QUEUES + p->queue;
	struct last *l = &o->last[queue * SL_MAX_BUCKETS + p->meta->bucket];
	int32_t step = (int32_t)(p->meta->seq - l->seq);

	if (l->seen && step <= 0)
		o->ring_reordered++;
	else if (l->seen && step > 1)
		o->gaps += (uint64_t)step - 1;
	l->seq = p->meta->seq;
	l->seen = 1;
}

static void check_flow(const struct sl_nf_ctx *ctx, struct order *o, const struct sl_packet *p)
{
	struct sl_stamp stamp;
	struct flow *f;
	uint64_t seq;
	struct flow_key key;

	if (p->len < sizeof(stamp))
		return;
	memcpy(&stamp, p->data + p->len - sizeof(stamp), sizeof(stamp));
	if (stamp.magic != htons(SL_STAMP_MAGIC))
		return;
	o->stamped++;
	key = (struct flow_key){stamp.flow, stamp.run};
	f = sl_flow_lookup(p->tables[ctx->slot], &key, p->meta->hash, ctx->now_ns, 1);
	if (!f)
		return;
	seq = be64toh(stamp.seq);
	if (seq + 1 == f->next)
		o->duplicated++;
	else if (seq < f->next)
		o->flow_reordered++;
	else
		f->next = seq + 1;
}

static void order_process(const struct sl_nf_ctx *ctx, struct sl_packet **pkts, unsigned n)
{
	struct order *o = ctx->self;
	uint8_t me = (uint8_t)(ctx->worker + 1);

	for (unsigned i = 0; i < n; i++) {
		uint8_t was = atomic_exchange(&o->inside[pkts[i]->meta->bucket], me);

		if (was && was != me)
			o->double_owner++;
	}
	for (unsigned i = 0; i < n; i++) {
		check_ring(o, pkts[i]);
		check_flow(ctx, o, pkts[i]);
	}
	for (unsigned i = 0; i < n; i++)
		atomic_store(&o->inside[pkts[i]->meta->bucket], 0);
	o->packets += n;
}

const struct sl_nf sluice_nf = {
	.abi = SL_NF_ABI,
	.name = "order",
	.summary = "checks order and ownership",
	.key_size = sizeof(struct flow_key),
	.value_size = sizeof(struct flow),
	.divisible = true,
	.create = order_create,
	.destroy = order_destroy,
	.process = order_process,
};
