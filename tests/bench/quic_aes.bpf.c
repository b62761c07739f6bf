// SPDX-License-Identifier: GPL-2.0-only
/*
 * quic_aes.bpf.c - a block of AES by Sluice's tables and by the kernel's crypto kfuncs
 * (Linux 6.10), as many in a run that entering the program does not count.
 */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "../../bpf/aes.h"
#include "quic_aes.h"

char LICENSE[] SEC("license") = "GPL";

/* As in the kernel's net/bpf_crypto.h; no uapi header has it. */
struct bpf_crypto_params {
	char type[14];
	__u8 reserved[2];
	char algo[128];
	__u8 key[256];
	__u32 key_len;
	__u32 authsize;
};

/* libbpf compares kinds of types: a declaration alone is another. */
struct bpf_crypto_ctx {
	int opaque;
};

extern struct bpf_crypto_ctx *bpf_crypto_ctx_create(const struct bpf_crypto_params *params,
						    __u32 params__sz, int *err) __ksym __weak;
extern void bpf_crypto_ctx_release(struct bpf_crypto_ctx *ctx) __ksym __weak;
extern int bpf_crypto_decrypt(struct bpf_crypto_ctx *ctx, const struct bpf_dynptr *src,
			      const struct bpf_dynptr *dst,
			      const struct bpf_dynptr *siv__nullable) __ksym __weak;

/* clang 14 writes the tag of a pointer to a typedef, but not of one to a struct. */
typedef struct bpf_crypto_ctx aes_context;

struct aes_kernel {
	aes_context __kptr *ctx;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct aes_kernel);
} aes_kernels SEC(".maps");

struct quic_aes_state aes = {};

/* Each block is the last one's outcome; `cipher` is inlined with the call. */
static __always_inline int aes_by_tables(struct sl_aes_block (*cipher)(const __u32 *key,
								       struct sl_aes_block b),
					 const __u32 *key)
{
	struct sl_aes_block b = {aes.block[0], aes.block[1]};

#pragma GCC unroll 1
	for (int i = 0; i < QUIC_AES_BLOCKS; i++)
		b = cipher(key, b);
	aes.block[0] = b.high;
	aes.block[1] = b.low;
	return XDP_PASS;
}

SEC("xdp")
int aes_encrypt(struct xdp_md *ctx)
{
	return aes_by_tables(sl_aes_encrypt, aes.encrypt);
}

SEC("xdp")
int aes_decrypt(struct xdp_md *ctx)
{
	return aes_by_tables(sl_aes_decrypt, aes.decrypt);
}

/* A context can only be made where the program may sleep. */
SEC("syscall")
int aes_create(void *ctx)
{
	struct bpf_crypto_params params = {
		.type = "skcipher",
		.algo = "ecb(aes)",
		.key_len = 16,
	};
	struct bpf_crypto_ctx *made;
	struct aes_kernel *v;
	__u32 zero = 0;
	int err = 0;

	if (!bpf_crypto_ctx_create || !bpf_crypto_ctx_release)
		return -1;
	__builtin_memcpy(params.key, aes.key, 16);
	made = bpf_crypto_ctx_create(&params, sizeof(params), &err);
	if (!made)
		return err;
	v = bpf_map_lookup_elem(&aes_kernels, &zero);
	if (v)
		made = bpf_kptr_xchg(&v->ctx, made);
	if (made)
		bpf_crypto_ctx_release(made);
	return 0;
}

/* `calls` of so many octets. */
static __always_inline int aes_by_kernel(int calls, __u32 octets)
{
	struct bpf_dynptr in, out;
	struct bpf_crypto_ctx *made;
	struct aes_kernel *v;
	__u32 zero = 0;

	v = bpf_map_lookup_elem(&aes_kernels, &zero);
	if (!v || !bpf_crypto_decrypt)
		return XDP_ABORTED;
	made = v->ctx;
	if (!made)
		return XDP_ABORTED;
	bpf_dynptr_from_mem(aes.in, octets, 0, &in);
	bpf_dynptr_from_mem(aes.out, octets, 0, &out);
#pragma GCC unroll 1
	for (int i = 0; i < calls; i++)
		if (bpf_crypto_decrypt(made, &in, &out, NULL))
			return XDP_ABORTED;
	return XDP_PASS;
}

SEC("xdp")
int aes_kernel(struct xdp_md *ctx)
{
	return aes_by_kernel(QUIC_AES_BLOCKS, 16);
}

/* The same blocks in one call: what is left is the cipher. */
SEC("xdp")
int aes_kernel_long(struct xdp_md *ctx)
{
	return aes_by_kernel(1, sizeof(aes.in));
}
