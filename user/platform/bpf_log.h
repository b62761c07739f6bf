/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bpf_log.h - what libbpf and libxdp have to say goes through one door.
 *
 * Silent by default: an operator gets one line of ours, with the mend. Verbose: their lines, debug
 * level too, on stderr.
 */
#ifndef SL_PLATFORM_BPF_LOG_H
#define SL_PLATFORM_BPF_LOG_H

#include <stdbool.h>

/* Route both libraries' messages; call before the first use of either. Process-wide. */
void sl_bpf_log_setup(bool verbose);

#endif /* SL_PLATFORM_BPF_LOG_H */
