/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * compiler.h - the kernel's words for the compiler (its linux/compiler.h is not installed).
 * libbpf's bpf_helpers.h defines the first two for BPF; user space gets the same here.
 */
#ifndef SL_HEADERS_COMPILER_H
#define SL_HEADERS_COMPILER_H

#ifndef __always_inline
#define __always_inline inline __attribute__((always_inline))
#endif
#ifndef __noinline
#define __noinline __attribute__((noinline))
#endif
#ifndef likely
#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)
#endif

#endif /* SL_HEADERS_COMPILER_H */
