/* SPDX-License-Identifier: GPL-2.0-or-later */
/* jobs.h - simulations, some at a time. */
#ifndef SL_CLI_SIM_JOBS_H
#define SL_CLI_SIM_JOBS_H

#include <stdint.h>

#define SIM_JOBS_MAX 64

/* One a CPU. */
uint32_t sim_jobs_default(void);

/* Call run(ctx, i) for each i below n, on so many threads. */
void sim_jobs_run(unsigned n, uint32_t threads, void (*run)(void *ctx, unsigned i), void *ctx);

#endif /* SL_CLI_SIM_JOBS_H */
