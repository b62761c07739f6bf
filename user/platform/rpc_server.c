// SPDX-License-Identifier: GPL-2.0-or-later
/* Listening: the socket file and its lock, new connections, the table of commands. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "platform/rpc_internal.h"

#define EVENTS_MAX 16
#define SOCKET_MODE 0660

const struct command *command_find(const struct sl_rpc_server *s, const char *name)
{
	for (unsigned i = 0; i < s->commands_n; i++)
		if (!strcmp(s->commands[i].name, name))
			return &s->commands[i];
	return NULL;
}

/* A free slot; the connection that was silent longest makes room if it must be. */
static struct client *client_slot(struct sl_rpc_server *s)
{
	struct client *oldest = &s->clients[0];

	for (unsigned i = 0; i < SL_RPC_CLIENTS_MAX; i++) {
		if (s->clients[i].fd < 0)
			return &s->clients[i];
		if (s->clients[i].used < oldest->used)
			oldest = &s->clients[i];
	}
	client_close(oldest);
	return oldest;
}

static void server_accept(struct sl_rpc_server *s)
{
	struct epoll_event ev = {.events = EPOLLIN};
	int fd = accept4(s->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct client *c;

	if (fd < 0)
		return;
	c = client_slot(s);
	c->in = malloc(SL_RPC_REQUEST_MAX);
	c->fd = fd;
	c->used = ++s->activity;
	ev.data.ptr = c;
	if (!c->in || epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, fd, &ev))
		client_close(c);
}

void sl_rpc_server_poll(struct sl_rpc_server *s)
{
	struct epoll_event ev[EVENTS_MAX];
	int n = epoll_wait(s->epoll_fd, ev, EVENTS_MAX, 0);
	bool accepting = false;

	for (int i = 0; i < n; i++) {
		struct client *c = ev[i].data.ptr;

		if (!c)
			accepting = true;
		else if (c->fd >= 0)
			client_event(c);
	}
	/* Last: it may reuse a slot that has an event in this batch. */
	if (accepting)
		server_accept(s);
}

int sl_rpc_server_fd(const struct sl_rpc_server *s)
{
	return s->epoll_fd;
}

int sl_rpc_server_add(struct sl_rpc_server *s, const char *cmd, sl_rpc_handler handler, void *ctx)
{
	if (command_find(s, cmd))
		return -EEXIST;
	if (s->commands_n == COMMANDS_MAX)
		return -ENOMEM;
	s->commands[s->commands_n++] =
		(struct command){.name = cmd, .handler = handler, .ctx = ctx};
	return 0;
}

/* The lock decides who may serve the path; it goes with the process, however that ends. */
static int lock_path(struct sl_rpc_server *s, struct sl_error *err)
{
	char path[SL_RPC_PATH_MAX + 8];
	int rc;

	snprintf(path, sizeof(path), "%s.lock", s->path);
	s->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (s->lock_fd < 0) {
		rc = -errno;
		return sl_error_set(err, rc,
				    "%s: cannot open the lock file: %s (run as root, or set "
				    "SLUICE_RUN_DIR to a directory of yours)",
				    path, strerror(-rc));
	}
	if (!flock(s->lock_fd, LOCK_EX | LOCK_NB))
		return 0;
	return sl_error_set(err, -EADDRINUSE,
			    "%s is served already: stop the process that holds %s first", s->path,
			    path);
}

/* Somebody who knows nothing of our lock may listen there: leave it alone. */
static bool path_served(const struct sockaddr_un *addr)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool served;

	if (fd < 0)
		return false;
	served = !connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) || errno == EAGAIN;
	close(fd);
	return served;
}

static int group_id(const char *group, gid_t *gid, struct sl_error *err)
{
	struct group *g;

	errno = 0;
	g = getgrnam(group);
	if (!g)
		return sl_error_set(err, -ENOENT,
				    "socket group \"%s\" does not exist: groupadd --system %s, or "
				    "name another group",
				    group, group);
	*gid = g->gr_gid;
	return 0;
}

static int listen_on(struct sl_rpc_server *s, const char *group, struct sl_error *err)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	gid_t gid = (gid_t)-1;
	int rc = 0;

	if (group)
		rc = group_id(group, &gid, err);
	if (rc)
		return rc;
	memcpy(addr.sun_path, s->path, sizeof(addr.sun_path));
	if (path_served(&addr))
		return sl_error_set(err, -EADDRINUSE,
				    "%s is served already: stop that process first", s->path);
	unlink(s->path);
	s->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	/* The mode of an unbound socket becomes the file's: it is never more open than it should.
	 */
	if (s->listen_fd < 0 || fchmod(s->listen_fd, SOCKET_MODE) ||
	    bind(s->listen_fd, (struct sockaddr *)&addr, sizeof(addr)) ||
	    (group && lchown(s->path, (uid_t)-1, gid)) || chmod(s->path, SOCKET_MODE) ||
	    listen(s->listen_fd, SL_RPC_CLIENTS_MAX)) {
		rc = -errno;
		return sl_error_set(err, rc, "%s: cannot listen: %s", s->path, strerror(-rc));
	}
	return 0;
}

int sl_rpc_server_open(const char *path, const char *group, struct sl_rpc_server **out,
		       struct sl_error *err)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.ptr = NULL};
	struct sl_rpc_server *s;
	int rc;

	if (strlen(path) >= SL_RPC_PATH_MAX)
		return sl_error_set(err, -ENAMETOOLONG, "%s: a socket's path has room for %d bytes",
				    path, SL_RPC_PATH_MAX - 1);
	s = calloc(1, sizeof(*s));
	if (!s)
		return sl_error_set(err, -ENOMEM, "%s: no memory", path);
	strcpy(s->path, path);
	s->listen_fd = s->lock_fd = -1;
	for (unsigned i = 0; i < SL_RPC_CLIENTS_MAX; i++)
		s->clients[i] = (struct client){.server = s, .fd = -1, .passed_fd = -1};
	s->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	rc = s->epoll_fd < 0 ? sl_error_set(err, -errno, "%s: epoll: %s", path, strerror(errno))
			     : lock_path(s, err);
	if (!rc)
		rc = listen_on(s, group, err);
	if (!rc && epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, s->listen_fd, &ev))
		rc = sl_error_set(err, -errno, "%s: epoll: %s", path, strerror(errno));
	if (rc)
		sl_rpc_server_close(s);
	else
		*out = s;
	return rc;
}

void sl_rpc_server_close(struct sl_rpc_server *s)
{
	struct sockaddr_un self;
	socklen_t len = sizeof(self);

	if (!s)
		return;
	for (unsigned i = 0; i < SL_RPC_CLIENTS_MAX; i++)
		client_close(&s->clients[i]);
	/* Only what was bound by this server goes. */
	if (s->listen_fd >= 0) {
		if (!getsockname(s->listen_fd, (struct sockaddr *)&self, &len) &&
		    len > sizeof(sa_family_t))
			unlink(s->path);
		close(s->listen_fd);
	}
	if (s->epoll_fd >= 0)
		close(s->epoll_fd);
	if (s->lock_fd >= 0)
		close(s->lock_fd);
	free(s);
}
