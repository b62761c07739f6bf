/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * run.h - `sluice lb run`: what stays with a balancer. The loop (run.c) has the configuration, the
 * checks (run_check.c) take servers out and back, and a thread (run_refill.c) deals tables by load,
 * since a table's change of place waits for a grace period of the kernel.
 */
#ifndef SL_CLI_LB_RUN_H
#define SL_CLI_LB_RUN_H

#include "lb/lb.h"

struct opt_spec;
extern const struct opt_spec lb_run_spec;
int lb_run(int argc, char **argv);

/* One line on standard error. */
void run_say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* What an event of the loop's epoll is about: a server's id, a signal, or a door. */
#define RUN_SIGNAL_ID UINT32_MAX
#define RUN_DOOR_ID (UINT32_MAX - 2)

/* --- run_doors.c: servers' reports, and who reads metrics */

struct run_doors;

struct run_doors *run_doors_open(struct sl_lb *lb, int epoll_fd);
void run_doors_close(struct run_doors *d);
/* Listen where the configuration says, and nowhere else. */
int run_doors_set(struct run_doors *d, const struct sl_lb_config *config, struct sl_error *err);
void run_doors_event(struct run_doors *d, uint32_t id);
/* What a time-out closes. */
void run_doors_serve(struct run_doors *d);

/* --- run_check.c */

struct run_checks;

/* Sockets of probes hang in this epoll, each event's data the server's id. NULL: no memory. */
struct run_checks *run_checks_open(struct sl_lb *lb, int epoll_fd);
void run_checks_close(struct run_checks *c);
/*
 * Take up servers that are there and let go of those that are not; what is known of the others
 * stays. `config` is read until the next call.
 */
void run_checks_sync(struct run_checks *c, const struct sl_lb_config *config);
/* A probe's socket is ready. */
void run_checks_event(struct run_checks *c, uint32_t id);
/* What is due. Returns when there is something again. */
uint64_t run_checks_due(struct run_checks *c, uint64_t now);

/* --- run_refill.c */

struct run_refill;

/* Starts the thread, or NULL where no VIP goes by load; *rc. `config` is read until the stop. */
struct run_refill *run_refill_start(const struct sl_lb *lb, const struct sl_lb_config *config,
				    int *rc);
void run_refill_stop(struct run_refill *r);

#endif /* SL_CLI_LB_RUN_H */
