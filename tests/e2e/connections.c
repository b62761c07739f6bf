// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * connections serve ADDR PORT | call ADDR PORT N SECONDS - TCP connections, N at a time, each of
 * some turns: the caller sends bytes that only it would send, the server returns them. Ends with
 * one line of JSON: connections made, how many broke (refused, reset, silent for 15 s, wrong
 * bytes), and the address that the server saw last.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MAX 1024
#define BYTES 600
#define TURNS 20
#define SILENCE_MS 15000 /* SYNs are sent anew after 1, 3 and 7 s */

struct call {
	uint32_t id, turn, got;
	uint64_t since_ms;
	uint8_t in[BYTES];
};

static struct sockaddr_in where;

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static int serve(void)
{
	struct pollfd fds[MAX + 1] = {{.events = POLLIN}};
	int one = 1, n = 1, on = 1;

	fds[0].fd = socket(AF_INET, SOCK_STREAM, 0);
	setsockopt(fds[0].fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fds[0].fd, (void *)&where, sizeof(where)) || listen(fds[0].fd, MAX))
		return perror("connections"), 1;
	for (;;) {
		poll(fds, (nfds_t)n, -1);
		for (int i = n - 1; i > 0; i--) {
			char buf[BYTES];
			ssize_t got;

			if (!fds[i].revents)
				continue;
			got = read(fds[i].fd, buf, sizeof(buf));
			if (got > 0 && write(fds[i].fd, buf, (size_t)got) == got)
				continue;
			close(fds[i].fd);
			fds[i] = fds[--n];
		}
		if (fds[0].revents && n <= MAX) {
			struct sockaddr_in peer;
			socklen_t size = sizeof(peer);
			int fd = accept(fds[0].fd, (void *)&peer, &size);

			/* the first bytes are the address that the caller appears to have */
			on = fd >= 0 && write(fd, &peer.sin_addr, 4) == 4;
			if (on)
				fds[n++] = (struct pollfd){.fd = fd, .events = POLLIN};
		}
	}
}

static void fill(const struct call *c, uint8_t out[BYTES])
{
	for (uint32_t i = 0; i < BYTES; i++)
		out[i] = (uint8_t)((c->id * 2654435761u + c->turn * 40503u + i) >> (i & 7));
}

static bool say(struct pollfd *p, struct call *c)
{
	uint8_t out[BYTES];

	fill(c, out);
	c->got = 0;
	c->since_ms = now_ms();
	return write(p->fd, out, BYTES) == BYTES;
}

static void begin(struct pollfd *p, struct call *c, uint32_t id)
{
	*c = (struct call){.id = id, .since_ms = now_ms()};
	*p = (struct pollfd){.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0),
			     .events = POLLOUT};
	if (connect(p->fd, (void *)&where, sizeof(where)) && errno != EINPROGRESS)
		p->events = 0;
}

static struct in_addr seen;
static unsigned silent, reset, wrong;

/* 1: over, 0: goes on, -1: broken. */
static int step(struct pollfd *p, struct call *c)
{
	uint32_t want = c->turn ? BYTES : 4;
	uint8_t sent[BYTES];
	ssize_t n;

	if (!p->revents)
		return now_ms() - c->since_ms > SILENCE_MS ? silent++, -1 : 0;
	if (p->events == POLLOUT) {
		p->events = POLLIN;
		return p->revents & (POLLERR | POLLHUP) ? reset++, -1 : 0;
	}
	n = read(p->fd, c->in + c->got, want - c->got);
	if (n <= 0)
		return n < 0 && errno == EAGAIN ? 0 : (reset++, -1);
	c->got += (uint32_t)n;
	if (c->got < want)
		return 0;
	fill(c, sent);
	if (!c->turn)
		memcpy(&seen, c->in, 4);
	else if (memcmp(sent, c->in, BYTES))
		return wrong++, -1;
	if (c->turn++ == TURNS)
		return 1;
	return say(p, c) ? 0 : -1;
}

static int call(unsigned n, unsigned seconds)
{
	static struct call calls[MAX];
	struct pollfd fds[MAX];
	uint64_t until = now_ms() + seconds * 1000ull;
	uint32_t made = n, broken = 0, open = n;

	for (unsigned i = 0; i < n; i++)
		begin(&fds[i], &calls[i], i);
	while (open) {
		poll(fds, n, 100);
		for (unsigned i = 0; i < n; i++) {
			int over = fds[i].fd < 0 ? 0 : step(&fds[i], &calls[i]);

			if (!over)
				continue;
			broken += over < 0;
			close(fds[i].fd);
			fds[i].fd = -1;
			open--;
			if (now_ms() < until) {
				begin(&fds[i], &calls[i], made++);
				open++;
			}
		}
	}
	printf("{\"connections\":%u,\"broken\":%u,\"silent\":%u,\"reset\":%u,\"wrong\":%u,"
	       "\"peer_was\":\"%s\"}\n",
	       made, broken, silent, reset, wrong, inet_ntoa(seen));
	return 0;
}

int main(int argc, char **argv)
{
	if (argc < 4)
		return 2;
	where.sin_family = AF_INET;
	where.sin_port = htons((uint16_t)atoi(argv[3]));
	inet_pton(AF_INET, argv[2], &where.sin_addr);
	if (!strcmp(argv[1], "serve"))
		return serve();
	return argc == 6 ? call((unsigned)atoi(argv[4]), (unsigned)atoi(argv[5])) : 2;
}
