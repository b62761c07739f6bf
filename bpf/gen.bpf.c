// SPDX-License-Identifier: GPL-2.0-only
/*
 * gen.bpf.c - the generator at full rate: run by BPF_PROG_RUN with live frames (kernel 5.18), each
 * run writes one packet and sends it out of the interface that the run names.
 *
 * A frame's bytes stay from one run to the next, of whatever flow that was: the headers and the
 * zeros behind them are written whole each time.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <stddef.h>

#include "gen.h"
#include "kernel_types.h"

char LICENSE[] SEC("license") = "GPL";

const volatile __u32 flows_n = 1;
const volatile __u32 frame_size = 98;
const volatile __u16 run_id = 0;
const volatile __u32 shift_step = 0;
const volatile __u64 shift_ns = 0; /* 0: the hot set stays */

/* One CPU runs the program, in one thread: no atomics. User space reads after the run. */
__u64 random_state = 0;
__u64 next_shift_ns = 0;
__u64 stop_ns = 0; /* what is run at or after this is not sent; 0: no end */
__u64 warm_ns = 0; /* packets from here on are counted in `warm` */
__u64 made = 0, warm = 0;
__u32 shift = 0;

/* What became of it, by the devmap's tracepoint. */
__u32 sender_tid = 0;
__u32 sender_ifindex = 0;
__u64 accepted = 0, refused = 0;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sl_gen_flow);
} gen_flows SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sl_alias);
} gen_alias SEC(".maps");

/* memcpy of a size known at load time, in words of two bytes: frames are aligned no better. */
static __always_inline void write_headers(__u8 *frame, const struct sl_gen_flow *f)
{
	const __u32 room = frame_size - sizeof(struct sl_stamp);

#pragma unroll
	for (__u32 i = 0; i < SL_GEN_HEADERS; i += 2)
		if (i + 2 <= room)
			*(__u16 *)(frame + i) = *(const __u16 *)(f->headers + i);
}

/* The verifier wants the bound on the very pointer that is written to. */
static __always_inline __u16 *check_field(__u8 *frame, const __u8 *end, const struct sl_gen_flow *f)
{
	__u16 *check = (void *)(frame + f->check_off);

	return (__u8 *)(check + 1) > end ? NULL : check;
}

SEC("xdp")
int gen_xdp(struct xdp_md *ctx)
{
	__u8 *frame = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	__u64 draw = sl_gen_random(&random_state), now;
	__u32 column = sl_alias_column(draw, flows_n), id;
	struct sl_gen_flow *f;
	struct sl_stamp *stamp;
	struct sl_alias *a;
	__be64 seq, time_ns;
	__u16 *check;

	a = bpf_map_lookup_elem(&gen_alias, &column);
	if (!a)
		return XDP_ABORTED;
	id = sl_gen_shifted(sl_alias_rank(a, column, draw), shift, flows_n);
	f = bpf_map_lookup_elem(&gen_flows, &id);
	if (!f || frame_size < 66 || frame_size > 4096 || frame + frame_size > end ||
	    !(check = check_field(frame, end, f)))
		return XDP_ABORTED;

	now = bpf_ktime_get_ns();
	if (stop_ns && now >= stop_ns)
		return XDP_DROP;
	if (shift_ns && now >= next_shift_ns) {
		next_shift_ns += shift_ns;
		shift = sl_gen_shifted(shift, shift_step, flows_n);
	}
	seq = bpf_cpu_to_be64(f->seq++);
	time_ns = bpf_cpu_to_be64(now);

	write_headers(frame, f);
	*check = sl_gen_check(f, seq, time_ns, frame_size & 1);
	stamp = (void *)(frame + frame_size - sizeof(*stamp));
	stamp->magic = bpf_htons(SL_STAMP_MAGIC);
	stamp->run = bpf_htons(run_id);
	stamp->flow = bpf_htonl(id);
	stamp->seq = seq;
	stamp->time_ns = time_ns;

	made++;
	if (now >= warm_ns)
		warm++;
	return XDP_TX;
}

/*
 * A bulk of frames was given to the driver. The run's own flushes happen in its thread, so the
 * thread and the interface tell them from all others of the host.
 */
SEC("tp_btf/xdp_devmap_xmit")
int BPF_PROG(gen_xmit, const struct net_device *from, const struct net_device *to, int sent,
	     int drops, int err)
{
	if ((__u32)bpf_get_current_pid_tgid() != sender_tid || to->ifindex != (int)sender_ifindex)
		return 0;
	accepted += sent;
	refused += drops;
	return 0;
}
