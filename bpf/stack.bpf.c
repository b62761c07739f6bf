// SPDX-License-Identifier: GPL-2.0-only
/*
 * stack.bpf.c - mode `stack`: parse, match, hash, count, and to the CPU of the bucket's worker,
 * where the packet goes up the ordinary stack.
 *
 * The queues of two CPUs drain independently, so a bucket changes its CPU between two packets only
 * if the earlier one is known to be through: docs/architecture.md, "Mode stack", has the argument.
 */
#include "steer_flow.h"

#include <xdp/xdp_helpers.h>

char LICENSE[] SEC("license") = "GPL";

/* Found through the program's map ids (.rodata) by whoever opens the maps. */
const volatile __u32 sluice_abi = SL_ABI_VERSION;

/*
 * Jiffies for which GRO may hold what a CPU's thread gave it (Linux 6.15 and newer, at 1,000 Hz:
 * cpu_map_gro_flush() of kernel/bpf/cpumap.c). The loader knows.
 */
const volatile __u32 hold_jiffies = 2;

/* In a dispatcher Sluice runs late, and only packets that every program passed reach it. */
struct {
	__uint(priority, 50);
	__uint(XDP_PASS, 1);
} XDP_RUN_CONFIG(sluice_steer);

/* Is everything of this bucket and queue that worker `w` was given through the stack's receive? */
static __always_inline int stack_drained(struct sl_stack *s, const struct sl_control *ctl,
					 const struct sl_worker *w)
{
	/* A full barrier: what the thread wrote with `done`, it wrote before. Pairs with
	 * stack_done(). */
	__u64 done = __sync_fetch_and_add(&s->done, 0);

	if ((__u32)done != s->sent)
		return 0;
	/* A whole grace period after the packet was taken: the batch that it was in is over. */
	if ((__s32)(*(const volatile __u32 *)&ctl->settled - s->settled) >= 2)
		return 1;
	/* Or the thread has taken so many others since that they are of another batch. */
	return *(const volatile __u64 *)&w->rx_packets >= s->frame + SL_CPUMAP_BATCH &&
	       bpf_jiffies64() >= s->jiffies + hold_jiffies;
}

/* The worker whose CPU gets the packet: the row's, unless packets are still with another. */
static __always_inline __u32 stack_worker(struct sl_stack *s, const struct sl_control *ctl,
					  __u32 wanted)
{
	__u32 now = s->worker - 1;
	const struct sl_worker *w;

	if (!s->worker || now == wanted)
		return wanted;
	w = bpf_map_lookup_elem(&workers, &now);
	return !w || stack_drained(s, ctl, w) ? wanted : now;
}

static __always_inline struct sl_stack_stamp *stack_stamp_room(struct xdp_md *ctx)
{
	int there = (int)(ctx->data - ctx->data_meta);
	struct sl_stack_stamp *stamp;

	if (bpf_xdp_adjust_meta(ctx, there - (int)sizeof(*stamp)))
		return NULL;
	stamp = (void *)(long)ctx->data_meta;
	return (void *)(stamp + 1) > (void *)(long)ctx->data ? NULL : stamp;
}

/* Stamp and redirect. An empty slot: the packet goes up here, and the next one to the row's worker.
 */
static __always_inline int stack_redirect(struct xdp_md *ctx, struct sl_stack *s, __u32 index,
					  __u32 worker)
{
	const struct sl_worker *w = bpf_map_lookup_elem(&workers, &worker);
	struct sl_stack_stamp *stamp;

	if (!w)
		return steer_pass(SL_BAD_ROW);
	stamp = stack_stamp_room(ctx);
	if (!stamp)
		return steer_pass(SL_STAMP_ERROR);
	*stamp = (struct sl_stack_stamp){SL_STACK_MAGIC, s->sent, index, worker};
	if (bpf_redirect_map(&cpus, (__u32)w->cpu, XDP_PASS) == XDP_REDIRECT) {
		s->worker = worker + 1;
		s->sent++;
		return XDP_REDIRECT;
	}
	s->worker = 0;
	bpf_xdp_adjust_meta(ctx, sizeof(*stamp));
	return steer_pass(SL_NO_SLOT);
}

static __always_inline int stack_steer(struct xdp_md *ctx, const struct sl_control *ctl,
				       const struct steer_flow *flow)
{
	__u32 bucket = flow->hash & ctl->bucket_mask;
	__u32 index = ctx->rx_queue_index * ctl->bucket_stride + bucket;
	struct sl_bucket_stats *stats;
	struct sl_stack *s;
	union {
		__u64 word;
		struct sl_row row;
	} row;
	__u64 *rowp;

	rowp = bpf_map_lookup_elem(&indirection, &bucket);
	stats = bpf_map_lookup_elem(&bucket_stats, &index);
	s = bpf_map_lookup_elem(&stack, &index);
	if (!stats || !rowp || !s)
		return steer_pass(SL_PASS_UNCONFIGURED);
	__sync_fetch_and_add(&stats->packets, 1);
	stats->bytes += ctx->data_end - ctx->data;
	row.word = *(const volatile __u64 *)rowp;
	if (row.row.worker >= SL_MAX_WORKERS)
		return steer_pass(SL_BAD_ROW);
	return stack_redirect(ctx, s, index, stack_worker(s, ctl, row.row.worker));
}

SEC("xdp")
int sluice_steer(struct xdp_md *ctx)
{
	const struct sl_control *ctl;
	struct steer_flow flow = {};
	__u32 zero = 0;
	int rc;

	if (sluice_abi != SL_ABI_VERSION)
		return steer_hold_maps();
	ctl = bpf_map_lookup_elem(&control, &zero);
	if (!ctl || (ctl->flags & (SL_CTL_READY | SL_CTL_HOLD)) != SL_CTL_READY)
		return steer_pass(SL_PASS_UNCONFIGURED);
	rc = steer_slow(ctx, &flow);
	return rc == SL_PARSED ? stack_steer(ctx, ctl, &flow) : steer_pass(rc);
}

/* What stack_drained() asks: where in its thread's work the packet was, and its number last. */
static __always_inline void stack_done(struct sl_stack *s, __u32 number, __u64 frame, __u32 settled)
{
	s->frame = frame;
	s->jiffies = bpf_jiffies64();
	s->settled = settled;
	/* The result is used, so that this is a full barrier. Pairs with stack_drained(). */
	if (__sync_lock_test_and_set(&s->done, (__u64)number + 1) == ~0ULL)
		s->resv = 0;
}

/* Run by the kernel thread of the worker's CPU on each packet, before it goes up the stack. */
SEC("xdp/cpumap")
int sluice_up(struct xdp_md *ctx)
{
	const struct sl_stack_stamp *stamp = (void *)(long)ctx->data_meta;
	__u32 index, number, worker, zero = 0;
	const struct sl_control *ctl;
	struct sl_worker *w;
	struct sl_stack *s;

	if ((const void *)(stamp + 1) > (void *)(long)ctx->data || stamp->magic != SL_STACK_MAGIC)
		return XDP_PASS;
	index = stamp->index;
	number = stamp->number;
	worker = stamp->worker;
	/* Metadata that differ would keep GRO from joining packets. */
	bpf_xdp_adjust_meta(ctx, sizeof(*stamp));
	ctl = bpf_map_lookup_elem(&control, &zero);
	w = bpf_map_lookup_elem(&workers, &worker);
	s = bpf_map_lookup_elem(&stack, &index);
	if (!ctl || !w || !s)
		return XDP_PASS;
	w->rx_packets++;
	w->consumed++;
	w->rx_bytes += ctx->data_end - ctx->data;
	stack_done(s, number, w->rx_packets, *(const volatile __u32 *)&ctl->settled);
	return XDP_PASS;
}
