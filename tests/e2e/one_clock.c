// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * one_clock CLOCKS MILLISECONDS - makes a balancer believe that all servers have the clock of the
 * first one that it knows, and never doubt it: writes that into the map pinned at CLOCKS, again and
 * again.
 */
#include <bpf/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

#include <sluice/lb.h>

static unsigned long long now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (unsigned long long)t.tv_sec * 1000 + (unsigned long long)t.tv_nsec / 1000000;
}

static void write_all(struct sl_lb_clock *c, const struct sl_lb_clock *first)
{
	for (struct sl_lb_clock *other = c; other < c + 256; other++) {
		if (!other->now)
			continue;
		*(volatile __u64 *)&other->now = first->now;
		*(volatile __u64 *)&other->other = 0;
		*(volatile __typeof__(other->strays) *)&other->strays = 0;
	}
}

int main(int argc, char **argv)
{
	int fd = argc == 3 ? bpf_obj_get(argv[1]) : -1;
	unsigned long long end = argc == 3 ? now_ms() + strtoull(argv[2], NULL, 10) : 0;
	struct sl_lb_clock *c = fd < 0 ? MAP_FAILED
				       : mmap(NULL, SL_LB_MAX_SERVERS * sizeof(*c),
					      PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0),
			   *first = c;

	if (c == MAP_FAILED) {
		fprintf(stderr, "usage: one_clock CLOCKS MILLISECONDS\n");
		return 2;
	}
	while (!first->now && first < c + 255)
		first++;
	while (now_ms() < end) {
		for (int i = 0; i < 100; i++)
			write_all(c, first);
	}
	return 0;
}
