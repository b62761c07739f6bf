/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * plan.h - from the command line to a run: checks what the option table cannot, and builds it.
 */
#ifndef SL_GEN_PLAN_H
#define SL_GEN_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "cli/gen/send.h"

/* The options as given; what is not given has the value of gen_config_defaults. */
struct gen_config {
	const char *ifname, *expect_on;
	bool expect, calibrate;
	uint32_t flows, size, sport, dport, batch, burst, queues, cpu, loop;
	double skew, elephant, ipv6, tcp;
	uint64_t rate, count, seed;
	uint64_t duration_ns, warmup_ns, linger_ns, shift_ns;
	uint64_t rx_ring;
	const char *pcap, *src, *dst, *src_mac, *dst_mac, *queue_list;
	unsigned mode; /* enum gen_mode */
};

#define GEN_UNSET UINT32_MAX

extern const struct gen_config gen_config_defaults;

/* Do the options agree? 0 or -EINVAL with a line that names the option. */
int gen_config_check(const struct gen_config *c, struct sl_error *err);

/*
 * Look at the interface, read the capture or build the flows. 0, or -errno with a line in err;
 * -EINVAL and -ERANGE: an option is to blame. Free with gen_plan_free() in either case.
 */
int gen_plan_build(struct gen_plan *plan, const struct gen_config *c, struct sl_error *err);
void gen_plan_free(struct gen_plan *plan);

/* Numbers of flows that stamps carry. */
uint32_t gen_plan_flows(const struct gen_plan *plan);

/* "0,2-3" into queue[]; returns how many, or -EINVAL. */
int gen_queues_parse(const char *text, uint32_t queue[GEN_QUEUES_MAX], struct sl_error *err);

#endif /* SL_GEN_PLAN_H */
