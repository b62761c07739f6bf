// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * hook.c - the XDP hook of an interface.
 */
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/if_link.h>
#include <string.h>
#include <unistd.h>

#include "platform/dispatcher.h"
#include "platform/hook.h"
#include "platform/netns.h"

int sl_hook_query(int ifindex, struct sl_hook *hook)
{
	struct bpf_xdp_query_opts opts = {.sz = sizeof(opts)};
	int rc = bpf_xdp_query(ifindex, 0, &opts);
	uint32_t member = 0;

	if (rc)
		return rc;
	hook->mode = SL_XDP_UNKNOWN;
	hook->prog_id = opts.hw_prog_id;
	if (opts.drv_prog_id) {
		hook->prog_id = opts.drv_prog_id;
		hook->mode = SL_XDP_NATIVE;
	} else if (opts.skb_prog_id) {
		hook->prog_id = opts.skb_prog_id;
		hook->mode = SL_XDP_GENERIC;
	}
	hook->dispatcher_id = 0;
	if (hook->prog_id)
		member = sl_dispatcher_member(hook->prog_id);
	if (member) {
		hook->dispatcher_id = hook->prog_id;
		hook->prog_id = member;
	}
	return 0;
}

int sl_hook_judge(const char *ifname, const struct sl_prog *prog, struct sl_error *err)
{
	if (prog->ours && prog->abi == SL_ABI_VERSION)
		return 0;
	if (prog->ours)
		return sl_error_set(
			err, -EPROTO,
			"%s carries Sluice's program %u of ABI %u, this is ABI %d: detach "
			"it with the version that attached it",
			ifname, prog->id, prog->abi, SL_ABI_VERSION);
	if (!strcmp(prog->name, SL_DISPATCHER_NAME))
		return sl_dispatcher_foreign(ifname, prog->id, err);
	return sl_error_set(err, -EEXIST,
			    "%s carries the XDP program \"%s\" (id %u), not Sluice's: take it off "
			    "first (ip link set dev %s xdp off, or stop the program that owns it)",
			    ifname, prog->name, prog->id, ifname);
}

/* What only native mode wants of a device. */
static int native_error(const char *ifname, bool asked, int rc, struct sl_error *err)
{
	switch (rc) {
	case -EOPNOTSUPP:
		return sl_error_set(err, rc, "%s: its driver has no native XDP%s", ifname,
				    asked ? ": use --mode generic, or leave --mode away" : "");
	case -ENOSPC:
		return sl_error_set(err, rc,
				    "%s refused native XDP: too few RX queues for its peer's TX "
				    "queues (veth: make it with numrxqueues of the peer's "
				    "numtxqueues)",
				    ifname);
	case -ERANGE:
	case -EINVAL:
		return sl_error_set(err, rc,
				    "%s refused native XDP: MTU over a page, or LRO on (ip link "
				    "set dev %s mtu 1500; ethtool -K %s lro off)",
				    ifname, ifname, ifname);
	default:
		return sl_error_set(err, rc, "%s refused native XDP: %s", ifname, strerror(-rc));
	}
}

/* `asked`: the operator chose the mode, or left it to us. */
static int link_error(const char *ifname, enum sl_xdp_mode mode, bool asked, int rc,
		      struct sl_error *err)
{
	switch (rc) {
	case -EPERM:
		return sl_error_set(err, rc, "attach to %s refused: run as root", ifname);
	case -EBUSY:
	case -EEXIST:
		return sl_error_set(err, rc, "%s was given another XDP program just now: try again",
				    ifname);
	case -ENODEV:
		return sl_error_set(err, rc, "interface %s is gone", ifname);
	default:
		if (mode == SL_XDP_NATIVE)
			return native_error(ifname, asked, rc, err);
		return sl_error_set(err, rc, "%s refused generic XDP: %s", ifname, strerror(-rc));
	}
}

static int link_create(int ifindex, int prog_fd, enum sl_xdp_mode mode)
{
	const struct bpf_link_create_opts opts = {
		.sz = sizeof(opts),
		.flags = mode == SL_XDP_GENERIC ? XDP_FLAGS_SKB_MODE : XDP_FLAGS_DRV_MODE};
	int fd = bpf_link_create(prog_fd, ifindex, BPF_XDP, &opts);

	return fd < 0 ? -errno : fd;
}

int sl_hook_link(const char *ifname, int ifindex, int prog_fd, enum sl_xdp_mode *mode,
		 struct sl_error *note, struct sl_error *err)
{
	const enum sl_xdp_mode first = *mode == SL_XDP_UNKNOWN ? SL_XDP_NATIVE : *mode;
	struct sl_error native;
	int fd;

	fd = link_create(ifindex, prog_fd, first);
	if (fd >= 0) {
		*mode = first;
		return fd;
	}
	link_error(ifname, first, *mode == first, fd, &native);
	if (*mode != SL_XDP_UNKNOWN || fd == -EPERM || fd == -EBUSY || fd == -EEXIST ||
	    fd == -ENODEV)
		return sl_error_set(err, fd, "%s", native.text);
	*mode = SL_XDP_GENERIC;
	fd = link_create(ifindex, prog_fd, *mode);
	if (fd < 0)
		return link_error(ifname, *mode, false, fd, err);
	sl_error_set(note, 0, "generic mode: %.400s", native.text);
	return fd;
}

int sl_hook_swap(int ifindex, enum sl_xdp_mode mode, int link_fd, int old_fd, int new_fd)
{
	const struct bpf_link_update_opts link = {
		.sz = sizeof(link), .flags = BPF_F_REPLACE, .old_prog_fd = (__u32)old_fd};
	const struct bpf_xdp_attach_opts netlink = {.sz = sizeof(netlink), .old_prog_fd = old_fd};
	const __u32 flags = mode == SL_XDP_GENERIC ? XDP_FLAGS_SKB_MODE : XDP_FLAGS_DRV_MODE;

	if (link_fd >= 0)
		return bpf_link_update(link_fd, new_fd, &link) ? -errno : 0;
	return bpf_xdp_attach(ifindex, new_fd, flags | XDP_FLAGS_REPLACE, &netlink);
}

int sl_hook_clear(int ifindex, enum sl_xdp_mode mode, int old_fd)
{
	const struct bpf_xdp_attach_opts opts = {.sz = sizeof(opts), .old_prog_fd = old_fd};
	const __u32 flags = mode == SL_XDP_GENERIC ? XDP_FLAGS_SKB_MODE : XDP_FLAGS_DRV_MODE;

	return bpf_xdp_detach(ifindex, flags | XDP_FLAGS_REPLACE, &opts);
}

int sl_link_ifindex(int link_fd)
{
	struct bpf_link_info info = {0};
	__u32 len = sizeof(info);

	if (bpf_obj_get_info_by_fd(link_fd, &info, &len) || info.type != BPF_LINK_TYPE_XDP)
		return 0;
	return (int)info.xdp.ifindex;
}

uint32_t sl_prog_id(int prog_fd)
{
	struct bpf_prog_info info = {0};
	__u32 len = sizeof(info);

	return bpf_obj_get_info_by_fd(prog_fd, &info, &len) ? 0 : info.id;
}

bool sl_prog_takes_rx_hash(int prog_fd)
{
	struct bpf_prog_info info = {0};
	__u32 len = sizeof(info);

	return !bpf_obj_get_info_by_fd(prog_fd, &info, &len) && !strcmp(info.name, "sluice_rxhash");
}

bool sl_pin_iface_alive(const char *instance, const struct sl_pin_iface *iface)
{
	int link = sl_pin_open_link(instance, iface->name);
	struct sl_hook hook;
	bool alive;
	int prog;

	if (link >= 0) {
		alive = sl_link_ifindex(link);
		close(link);
		return alive;
	}
	if (iface->netns != sl_netns_self())
		return sl_netns_alive(iface->netns);
	prog = sl_pin_open_prog(instance, iface->name);
	if (prog < 0)
		return false;
	alive = !sl_hook_query((int)iface->ifindex, &hook) && hook.prog_id &&
		hook.prog_id == sl_prog_id(prog);
	close(prog);
	return alive;
}
