// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * dispatcher.c - libxdp's dispatcher, and Sluice's program in one.
 *
 * Members are found by their links, which name the program they are attached to, not by libxdp's
 * pins: those are of one bpffs, and of one version of libxdp.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <string.h>
#include <unistd.h>

#include "platform/dispatcher.h"
#include "platform/maps.h"

static bool is_dispatcher(uint32_t prog_id)
{
	const int fd = bpf_prog_get_fd_by_id(prog_id);
	struct bpf_prog_info info = {0};
	__u32 len = sizeof(info);
	bool is;

	if (fd < 0)
		return false;
	is = !bpf_obj_get_info_by_fd(fd, &info, &len) && !strcmp(info.name, SL_DISPATCHER_NAME);
	close(fd);
	return is;
}

/* The program that this link put into the dispatcher; 0: another kind of link, or not into it. */
static uint32_t linked(uint32_t link_id, uint32_t dispatcher_id)
{
	const int fd = bpf_link_get_fd_by_id(link_id);
	struct bpf_link_info info = {0};
	__u32 len = sizeof(info);
	uint32_t prog_id = 0;

	if (fd < 0)
		return 0;
	if (!bpf_obj_get_info_by_fd(fd, &info, &len) && info.type == BPF_LINK_TYPE_TRACING &&
	    info.tracing.target_obj_id == dispatcher_id)
		prog_id = info.prog_id;
	close(fd);
	return prog_id;
}

static bool is_ours(uint32_t prog_id)
{
	struct sl_error ignored;
	struct sl_prog prog;
	bool ours;

	if (sl_prog_open(prog_id, &prog, &ignored))
		return false;
	ours = prog.ours;
	sl_prog_close(&prog);
	return ours;
}

uint32_t sl_dispatcher_member(uint32_t prog_id)
{
	uint32_t link = 0, member;

	if (!is_dispatcher(prog_id))
		return 0;
	while (!bpf_link_get_next_id(link, &link)) {
		member = linked(link, prog_id);
		if (member && is_ours(member))
			return member;
	}
	return 0;
}

int sl_dispatcher_foreign(const char *ifname, uint32_t prog_id, struct sl_error *err)
{
	return sl_error_set(
		err, -EEXIST,
		"%s carries libxdp's dispatcher (program %u) with programs of others: xdp-loader "
		"load %s steer.bpf.o puts Sluice's beside them (\"Invalid argument\" there: libxdp "
		"before 1.5.5 takes no program that adjusts metadata on this kernel), xdp-loader "
		"unload -a %s takes them off",
		ifname, prog_id, ifname, ifname);
}

int sl_dispatcher_held(const char *ifname, uint32_t member_id, struct sl_error *err)
{
	return sl_error_set(err, -EBUSY,
			    "%s: Sluice's program is in libxdp's dispatcher, where only libxdp "
			    "changes it: xdp-loader unload -i %u %s, then again",
			    ifname, member_id, ifname);
}
