/* SPDX-License-Identifier: GPL-2.0-only */
/* lb_table.h - the connection table: what is entered, how much of it, and what is forgotten. */
#ifndef SLUICE_LB_TABLE_H
#define SLUICE_LB_TABLE_H

#include "lb_packet.h"

static __always_inline void lb_connection_key(const struct lb *k, __u16 vip,
					      struct sl_lb_connection *key)
{
	__builtin_memcpy(key->client, k->ends.client, 16);
	key->client_port = bpf_htons(k->ends.client_port);
	key->vip_port = bpf_htons(k->ends.vip_port);
	key->vip = vip;
	key->proto = k->ends.proto;
	key->resv = 0;
}

/* What the table has of the connection that had these ends before is wrong of this one. */
static __always_inline void lb_forget(const struct lb *k, __u16 vip)
{
	struct sl_lb_connection key;

	lb_connection_key(k, vip, &key);
	bpf_map_delete_elem(&lb_connections, &key);
}

/* A flood of new connections must not push the others out: so many a second, and no more. */
static __always_inline int lb_admit(const struct lb *k, const struct sl_lb_control *ctl)
{
	struct lb_cpu *cpu;
	__u32 zero = 0, second = k->now_ms >> 10;

	cpu = bpf_map_lookup_elem(&lb_cpus, &zero);
	if (!cpu)
		return 0;
	if (cpu->second != second) {
		cpu->second = second;
		cpu->inserted = 0;
	}
	if (cpu->inserted >= ctl->inserts_max) {
		lb_count(SL_LB_BYPASSED);
		return 0;
	}
	cpu->inserted++;
	return 1;
}

/* `value`: the server, and in the upper half its outer entropy. */
static __always_inline void lb_insert(const struct lb *k, __u16 vip, __u32 value)
{
	struct sl_lb_connection key;

	lb_connection_key(k, vip, &key);
	if (!bpf_map_update_elem(&lb_connections, &key, &value, BPF_ANY))
		lb_count(SL_LB_INSERTED);
}

/*
 * A SYN-ACK without a cookie: into the table, unless its SYN came by here and is there. Not static,
 * for the verifier takes it by itself then.
 */
__noinline int lb_answered(const struct lb *k, const struct sl_lb_control *ctl, __u32 vip,
			   __u32 server)
{
	struct sl_lb_connection key;
	const __u32 *known;

	if (!k || !ctl)
		return 0;
	lb_connection_key(k, vip, &key);
	known = bpf_map_lookup_elem(&lb_connections, &key);
	if (known && (__u16)*known == server)
		return 0;
	if (lb_admit(k, ctl))
		lb_insert(k, vip, server);
	else
		lb_forget(k, vip);
	return 0;
}

#endif /* SLUICE_LB_TABLE_H */
