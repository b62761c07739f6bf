// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * wrong_slot IF XSKMAP SLOT - binds a socket to queue 0 of IF and puts it into that slot of another
 * interface's pinned XSKMAP, where the kernel finds out only after XDP's verdict. Until SIGTERM.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "platform/xsk.h"

#define FRAMES 64
#define FRAME 2048

static int failed(const char *what)
{
	fprintf(stderr, "wrong_slot: %s\n", what);
	return 1;
}

int main(int argc, char **argv)
{
	const struct sl_xsk_opts opts = {.frame_size = FRAME,
					 .fill_size = 2 * FRAMES,
					 .comp_size = FRAMES,
					 .rx_size = FRAMES,
					 .tx_size = FRAMES,
					 .bind = SL_XSK_BIND_COPY};
	struct sl_xsk_umem umem;
	struct sl_error err;
	struct sl_xsk xsk;
	void *area;
	__u32 slot;
	int map;

	if (argc != 4)
		return failed("usage: wrong_slot IF XSKMAP SLOT");
	area = sl_area_map(FRAMES * FRAME);
	if (!area)
		return failed("no memory");
	if (sl_xsk_umem_open(&umem, argv[1], 0, area, FRAMES * FRAME, &opts, &err) ||
	    sl_xsk_open(&xsk, &umem, &opts, &err))
		return failed(err.text);
	map = bpf_obj_get(argv[2]);
	slot = (__u32)atoi(argv[3]);
	if (map < 0 || bpf_map_update_elem(map, &slot, &xsk.fd, BPF_ANY))
		return failed(strerror(errno));
	puts("placed");
	fflush(stdout);
	pause();
	return 0;
}
