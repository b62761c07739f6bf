// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * my_sched.c - a batch queue for the users of one machine: each line of standard input is a user,
 * the CPUs and gigabytes that a command needs, and the command. Commands run as soon as the policy
 * gives their user a turn and there is room.
 *
 *	cc -O2 -o my_sched my_sched.c $(pkg-config --cflags --libs libsluice)
 *	printf 'ann 1 4 make\nbob 3 1 ./simulate\n' | ./my_sched 9 18
 */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <sluice/sched.h>

#define JOBS 1000

static struct job {
	uint64_t id;
	pid_t pid;
	char user[32], command[256];
} job[JOBS];
static unsigned jobs;

/* The first job of a user adds it; users are numbered from 0 on. */
static int user_of(struct sl_sched *s, const char *name)
{
	static char names[JOBS][32];
	static int users;
	int u = 0;

	while (u < users && strcmp(names[u], name))
		u++;
	if (u < users || u == JOBS)
		return u;
	strcpy(names[users++], name);
	return sl_sched_add_user(s, 1);
}

static void read_jobs(struct sl_sched *s)
{
	double demand[2];
	char line[512];

	while (jobs < JOBS && fgets(line, sizeof(line), stdin)) {
		struct job *j = &job[jobs];

		if (sscanf(line, "%31s %lf %lf %255[^\n]", j->user, &demand[0], &demand[1],
			   j->command) != 4 ||
		    sl_sched_submit(s, (unsigned)user_of(s, j->user), demand, 1, jobs, &j->id))
			warnx("line %u is no job, or larger than the machine: %s", jobs + 1, line);
		else
			jobs++;
	}
}

/* Start what may: the cookie is our number of the job. */
static unsigned start_jobs(struct sl_sched *s)
{
	struct sl_sched_task task;
	struct timespec now;
	unsigned started = 0;

	clock_gettime(CLOCK_MONOTONIC, &now);
	sl_sched_tick(s, (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec);
	for (; sl_sched_next(s, &task) == 1; started++) {
		struct job *j = &job[task.cookie];

		printf("%s: %s\n", j->user, j->command);
		fflush(stdout);
		j->pid = fork();
		if (j->pid == 0)
			execl("/bin/sh", "sh", "-c", j->command, NULL);
		if (j->pid <= 0)
			err(1, "cannot start %s", j->command);
	}
	return started;
}

int main(int argc, char **argv)
{
	struct sl_sched_opts opts = {.fair = {.policy = SL_POLICY_SDRF, .resources = 2}};
	struct sl_error why;
	struct sl_sched *s;
	unsigned running;
	pid_t pid;

	if (argc != 3)
		errx(2, "usage: my_sched CPUS GIGABYTES <jobs");
	opts.fair.capacity[0] = atof(argv[1]);
	opts.fair.capacity[1] = atof(argv[2]);
	if (sl_sched_open(&opts, &s, &why))
		errx(1, "%s", why.text);
	read_jobs(s);
	for (running = start_jobs(s); running; running += start_jobs(s)) {
		pid = wait(NULL);
		for (unsigned i = 0; i < jobs; i++)
			if (job[i].pid == pid && sl_sched_finish(s, job[i].id) == 0)
				running--;
	}
	sl_sched_close(s);
	return 0;
}
