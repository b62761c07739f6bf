/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * report.h - what a run says at its end.
 */
#ifndef SL_GEN_REPORT_H
#define SL_GEN_REPORT_H

#include "cli/gen/send.h"

struct gen_result {
	const struct gen_plan *plan;
	const struct gen_sent *sent;
	const struct gen_rx *rx; /* stopped; NULL: nothing was expected */
	uint32_t tx_dropped; /* by the interface's statistics, during the run */
};

/*
 * Print it as the globals ask: JSON or text. Returns the exit status: EXIT_FAILED with a line on
 * standard error if the receiver lost packets, since `lost` then says nothing.
 */
int gen_report(const struct gen_result *r);

/* Measure and print what this machine's clocks and the making of packets cost; sends nothing. */
int gen_calibrate(struct gen_plan *plan);

#endif /* SL_GEN_REPORT_H */
