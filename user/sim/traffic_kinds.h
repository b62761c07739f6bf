/* SPDX-License-Identifier: GPL-2.0-or-later */
/* traffic_kinds.h - what the kinds of traffic share among themselves. */
#ifndef SL_SIM_TRAFFIC_KINDS_H
#define SL_SIM_TRAFFIC_KINDS_H

#include "sim/traffic.h"

/* Each *_init: 0 or -errno. Each *_next: sets s->clock_ns and returns the packet's flow. */
int source_capture_init(struct sim_source *s);
uint32_t source_capture_next(struct sim_source *s);
int source_sizes_init(struct sim_source *s);
uint32_t source_sizes_next(struct sim_source *s);

/* Room for flows, each with its bucket and factor. 0 or -ENOMEM. */
int source_flows_new(struct sim_source *s, uint32_t flows);
/* A flow's bucket and factor follow from its identity. */
void source_flow_init(const struct sim_source *s, uint32_t flow, uint64_t identity);
/* rate and gap_ns, from the scenario and s->mean_factor. */
void source_set_rate(struct sim_source *s);
/* The rate now / its highest. */
double source_wave(struct sim_source *s);

#endif /* SL_SIM_TRAFFIC_KINDS_H */
