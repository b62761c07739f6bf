/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * steer_programs.h - what the steering program is measured against.
 */
#ifndef TESTS_BENCH_STEER_PROGRAMS_H
#define TESTS_BENCH_STEER_PROGRAMS_H

#include <errno.h>
#include <glob.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>

#define INSN(c, d, s, o, i)                                                                        \
	((struct bpf_insn){.code = (c), .dst_reg = (d), .src_reg = (s), .off = (o), .imm = (i)})
#define MOV_IMM(d, i) INSN(BPF_ALU64 | BPF_MOV | BPF_K, d, 0, 0, i)
#define MOV(d, s) INSN(BPF_ALU64 | BPF_MOV | BPF_X, d, s, 0, 0)
#define ADD_IMM(d, i) INSN(BPF_ALU64 | BPF_ADD | BPF_K, d, 0, 0, i)
#define SUB(d, s) INSN(BPF_ALU64 | BPF_SUB | BPF_X, d, s, 0, 0)
#define LOAD32(d, s, o) INSN(BPF_LDX | BPF_MEM | BPF_W, d, s, o, 0)
#define STORE64(d, o, i) INSN(BPF_ST | BPF_MEM | BPF_DW, d, 0, o, i)
#define JUMP_NE(d, i, o) INSN(BPF_JMP | BPF_JNE | BPF_K, d, 0, o, i)
#define JUMP_GT(d, s, o) INSN(BPF_JMP | BPF_JGT | BPF_X, d, s, o, 0)
#define CALL(f) INSN(BPF_JMP | BPF_CALL, 0, 0, 0, f)
#define EXIT INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)

/* Nothing but a verdict: what the kernel's test run itself costs. */
static inline int empty_program(void)
{
	struct bpf_insn insns[] = {MOV_IMM(BPF_REG_0, XDP_PASS), EXIT};

	return bpf_prog_load(BPF_PROG_TYPE_XDP, "empty", "GPL", insns, 2, NULL);
}

/*
 * 32 bytes of metadata and a redirect: the least that any program does that stamps packets. As in
 * the steering program the metadata is placed by the difference to what is there.
 */
static inline int floor_program(int xsks)
{
	struct bpf_insn insns[] = {
		MOV(BPF_REG_6, BPF_REG_1),
		LOAD32(BPF_REG_2, BPF_REG_6, offsetof(struct xdp_md, data)),
		LOAD32(BPF_REG_3, BPF_REG_6, offsetof(struct xdp_md, data_meta)),
		SUB(BPF_REG_2, BPF_REG_3),
		ADD_IMM(BPF_REG_2, -32),
		CALL(BPF_FUNC_xdp_adjust_meta),
		JUMP_NE(BPF_REG_0, 0, 14),
		LOAD32(BPF_REG_2, BPF_REG_6, offsetof(struct xdp_md, data_meta)),
		LOAD32(BPF_REG_3, BPF_REG_6, offsetof(struct xdp_md, data)),
		MOV(BPF_REG_4, BPF_REG_2),
		ADD_IMM(BPF_REG_4, 32),
		JUMP_GT(BPF_REG_4, BPF_REG_3, 9),
		STORE64(BPF_REG_2, 0, 1),
		STORE64(BPF_REG_2, 8, 2),
		STORE64(BPF_REG_2, 16, 3),
		STORE64(BPF_REG_2, 24, 4),
		LOAD32(BPF_REG_2, BPF_REG_6, offsetof(struct xdp_md, rx_queue_index)),
		INSN(BPF_LD | BPF_IMM | BPF_DW, BPF_REG_1, BPF_PSEUDO_MAP_FD, 0, xsks),
		INSN(0, 0, 0, 0, 0),
		MOV_IMM(BPF_REG_3, XDP_PASS),
		CALL(BPF_FUNC_redirect_map),
		EXIT,
	};

	return bpf_prog_load(BPF_PROG_TYPE_XDP, "floor", "GPL", insns,
			     sizeof(insns) / sizeof(insns[0]), NULL);
}

/*
 * The program that libxdp loads for a socket, from where libxdp installs it; socket `xsk` in slot 0
 * and its use count up, as libxdp does. The program's fd, or -errno.
 */
static inline int libxdp_program(int xsk, struct bpf_object **object)
{
	static const char *const places[] = {"/usr/lib/*/bpf/xsk_def_xdp_prog.o",
					     "/usr/lib*/bpf/xsk_def_xdp_prog.o",
					     "/usr/local/lib*/bpf/xsk_def_xdp_prog.o"};
	struct bpf_program *prog;
	struct bpf_map *map;
	__u32 zero = 0, users = 1;
	glob_t found = {0};
	int rc = -ENOENT;

	for (unsigned i = 0; i < 3; i++)
		glob(places[i], i ? GLOB_APPEND : 0, NULL, &found);
	if (!found.gl_pathc)
		goto out;
	*object = bpf_object__open_file(found.gl_pathv[0], NULL);
	if (!*object || bpf_object__load(*object)) {
		rc = -errno;
		goto out;
	}
	prog = bpf_object__next_program(*object, NULL);
	bpf_object__for_each_map(map, *object)
	{
		int value = bpf_map__type(map) == BPF_MAP_TYPE_XSKMAP ? xsk : (int)users;

		if (bpf_map_update_elem(bpf_map__fd(map), &zero, &value, 0))
			rc = -errno;
		else if (rc == -ENOENT)
			rc = 0;
	}
	if (!rc)
		rc = bpf_program__fd(prog);
out:
	globfree(&found);
	return rc;
}

#endif /* TESTS_BENCH_STEER_PROGRAMS_H */
