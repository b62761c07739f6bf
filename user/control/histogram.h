/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * histogram.h - counts of values over many orders of magnitude, log-linear: powers of two, each in
 * 128 equal steps (the layout of G. Tene's HdrHistogram). A quantile is at most 1/128 too high.
 *
 * Pure; not thread-safe: one writer, read when it has stopped or by the writer.
 */
#ifndef SL_CONTROL_HISTOGRAM_H
#define SL_CONTROL_HISTOGRAM_H

#include <stdint.h>

#define SL_HISTOGRAM_STEP_BITS 7
/* Values below 2^40 (18 minutes in nanoseconds); larger ones count in the last step. */
#define SL_HISTOGRAM_VALUE_BITS 40
#define SL_HISTOGRAM_STEPS                                                                         \
	((SL_HISTOGRAM_VALUE_BITS - SL_HISTOGRAM_STEP_BITS + 1) << SL_HISTOGRAM_STEP_BITS)

/* 34 KiB. All zero is an empty one. */
struct sl_histogram {
	uint64_t n;
	uint64_t min, max; /* exact; meaningless while n is 0 */
	uint64_t count[SL_HISTOGRAM_STEPS];
};

void sl_histogram_add(struct sl_histogram *h, uint64_t value);

/* Count everything of `from` in `into` too. */
void sl_histogram_merge(struct sl_histogram *into, const struct sl_histogram *from);

/*
 * The smallest recorded value that at least a share q (0..1) of all values do not exceed, rounded
 * up to the end of its step and never beyond max. 0 if there is none.
 */
uint64_t sl_histogram_quantile(const struct sl_histogram *h, double q);

#endif /* SL_CONTROL_HISTOGRAM_H */
