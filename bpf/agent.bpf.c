// SPDX-License-Identifier: GPL-2.0-only
/*
 * agent.bpf.c - on a server: takes off what a balancer put around packets for its VIPs, and puts
 * the cookie by which the balancer finds this server again into the timestamps of what goes out.
 *
 * At tc and not at XDP: Sluice's steering program or its balancer may have the XDP hook, and the
 * packet is to go up the stack in any case. So it runs behind GRO, which sees into IP in IP, and
 * behind `sluice attach --stack`, on the CPU that chose.
 */
#include <linux/pkt_cls.h>

#include "agent_cookie.h"
#include "agent_tunnel.h"

char LICENSE[] SEC("license") = "GPL";

const volatile __u32 sluice_agent_abi = SL_AGENT_ABI_VERSION;

/* Whoever has a filter behind ours sees the packet as we leave it. */
#define AGENT_GO_ON TC_ACT_UNSPEC

SEC("tc")
int sluice_agent_in(struct __sk_buff *skb)
{
	struct agent_tunnel t = {};
	int rc;

	if (sluice_agent_abi != SL_AGENT_ABI_VERSION)
		return AGENT_GO_ON;
	rc = agent_open(skb, &t);
	agent_count(rc == AGENT_OK ? t.how : (__u32)rc);
	if (rc == SL_AGENT_DROP_ECN || rc == SL_AGENT_DROP_FAILED)
		return TC_ACT_SHOT;
	agent_restore(skb);
	return AGENT_GO_ON;
}

SEC("tc")
int sluice_agent_out(struct __sk_buff *skb)
{
	if (sluice_agent_abi == SL_AGENT_ABI_VERSION)
		agent_write_cookie(skb);
	return AGENT_GO_ON;
}
