// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * bpf_log.c - libbpf's and libxdp's messages.
 */
#include <bpf/libbpf.h>
#include <stdarg.h>
#include <stdio.h>
#include <xdp/libxdp.h>

#include "platform/bpf_log.h"

static int print_bpf(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	return vfprintf(stderr, fmt, ap);
}

static int print_xdp(enum libxdp_print_level level, const char *fmt, va_list ap)
{
	return vfprintf(stderr, fmt, ap);
}

void sl_bpf_log_setup(bool verbose)
{
	libbpf_set_strict_mode(LIBBPF_STRICT_ALL);
	libbpf_set_print(verbose ? print_bpf : NULL);
	libxdp_set_print(verbose ? print_xdp : NULL);
}
