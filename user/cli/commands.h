/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * commands.h - the commands of `sluice`. Each takes its own name as argv[0] and returns the exit
 * status: 0, EXIT_FAILED or EXIT_USAGE.
 */
#ifndef SL_CLI_COMMANDS_H
#define SL_CLI_COMMANDS_H

int cmd_attach(int argc, char **argv);
int cmd_detach(int argc, char **argv);
int cmd_run(int argc, char **argv);
int cmd_status(int argc, char **argv);
int cmd_top(int argc, char **argv);
int cmd_workers(int argc, char **argv);
int cmd_buckets(int argc, char **argv);
int cmd_moves(int argc, char **argv);
int cmd_flows(int argc, char **argv);
int cmd_nf(int argc, char **argv);
int cmd_nic(int argc, char **argv);
int cmd_losses(int argc, char **argv);
int cmd_tenants(int argc, char **argv);
int cmd_move(int argc, char **argv);
int cmd_split(int argc, char **argv);
int cmd_merge(int argc, char **argv);
int cmd_pause(int argc, char **argv);
int cmd_resume(int argc, char **argv);
int cmd_balance(int argc, char **argv);
int cmd_doctor(int argc, char **argv);
int cmd_check(int argc, char **argv);
int cmd_capture(int argc, char **argv);
int cmd_gen(int argc, char **argv);
int cmd_sim(int argc, char **argv);
int cmd_sched(int argc, char **argv);
int cmd_lb(int argc, char **argv);
int cmd_agent(int argc, char **argv);
int cmd_version(int argc, char **argv);

#endif /* SL_CLI_COMMANDS_H */
