// SPDX-License-Identifier: GPL-2.0-or-later
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>

#include "platform/nl.h"
#include "platform/tc.h"

/* Of the filter: the first that is asked, and a handle that says whose it is. */
#define PRIORITY 1
#define HANDLE 0x51

static struct bpf_tc_hook hook_of(unsigned ifindex, enum sl_tc_way way)
{
	return (struct bpf_tc_hook){.sz = sizeof(struct bpf_tc_hook),
				    .ifindex = (int)ifindex,
				    .attach_point =
					    way == SL_TC_IN ? BPF_TC_INGRESS : BPF_TC_EGRESS};
}

static struct bpf_tc_opts filter(void)
{
	return (struct bpf_tc_opts){
		.sz = sizeof(struct bpf_tc_opts), .handle = HANDLE, .priority = PRIORITY};
}

uint32_t sl_tc_query(unsigned ifindex, enum sl_tc_way way)
{
	const struct bpf_tc_hook hook = hook_of(ifindex, way);
	struct bpf_tc_opts opts = filter();

	return bpf_tc_query(&hook, &opts) ? 0 : opts.prog_id;
}

int sl_tc_attach(unsigned ifindex, enum sl_tc_way way, int prog_fd, bool *made)
{
	struct bpf_tc_hook hook = hook_of(ifindex, way);
	struct bpf_tc_opts opts = filter();
	int rc;

	hook.attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS;
	rc = bpf_tc_hook_create(&hook);
	*made = !rc;
	if (rc && rc != -EEXIST)
		return rc;
	hook = hook_of(ifindex, way);
	opts.prog_fd = prog_fd;
	opts.flags = BPF_TC_F_REPLACE;
	return bpf_tc_attach(&hook, &opts);
}

int sl_tc_detach(unsigned ifindex, enum sl_tc_way way)
{
	const struct bpf_tc_hook hook = hook_of(ifindex, way);
	const struct bpf_tc_opts opts = filter();

	return bpf_tc_detach(&hook, &opts);
}

static int on_filter(const struct nlmsghdr *nlh, void *arg)
{
	if (nlh->nlmsg_type == RTM_NEWTFILTER)
		++*(unsigned *)arg;
	return MNL_CB_OK;
}

static unsigned filters(unsigned ifindex, unsigned minor)
{
	char buf[256] __attribute__((aligned(4)));
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	unsigned n = 0;
	struct tcmsg *tc;

	nlh->nlmsg_type = RTM_GETTFILTER;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	tc = mnl_nlmsg_put_extra_header(nlh, sizeof(*tc));
	tc->tcm_family = AF_UNSPEC;
	tc->tcm_ifindex = (int)ifindex;
	tc->tcm_parent = TC_H_MAKE(TC_H_CLSACT, minor);
	/* if in doubt, somebody's filter is there */
	return sl_nl_query(NETLINK_ROUTE, nlh, on_filter, &n) ? 1 : n;
}

void sl_tc_tidy(unsigned ifindex)
{
	struct bpf_tc_hook hook = hook_of(ifindex, SL_TC_IN);

	if (filters(ifindex, TC_H_MIN_INGRESS) || filters(ifindex, TC_H_MIN_EGRESS))
		return;
	hook.attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS;
	bpf_tc_hook_destroy(&hook);
}
