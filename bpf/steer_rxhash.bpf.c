// SPDX-License-Identifier: GPL-2.0-only
/*
 * steer_rxhash.bpf.c - steer.bpf.c with the NIC's own hash where it has one; see steer_hash.h. It
 * must be loaded for one device (BPF_F_XDP_DEV_BOUND_ONLY).
 */
#define STEER_RX_HASH
/* What bpftool shows, and sl_prog_takes_rx_hash() asks for. */
#define sluice_steer sluice_rxhash

#include "steer.bpf.c"
