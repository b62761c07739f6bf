// SPDX-License-Identifier: GPL-2.0-or-later
/* Asking: one request, one reply. Paths of the sockets. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "platform/rpc.h"

#define READ_STEP 65536

static int socket_path(const char *stem, const char *suffix, char path[SL_RPC_PATH_MAX],
		       struct sl_error *err)
{
	int n = snprintf(path, SL_RPC_PATH_MAX, "%s/%s%s", sl_run_dir(), stem, suffix);

	if (n < SL_RPC_PATH_MAX)
		return 0;
	return sl_error_set(err, -ENAMETOOLONG,
			    "SLUICE_RUN_DIR=%s is too long: a socket's path has room for %d bytes",
			    sl_run_dir(), SL_RPC_PATH_MAX - 1);
}

int sl_rpc_daemon_path(char path[SL_RPC_PATH_MAX], struct sl_error *err)
{
	return socket_path("sluiced", ".sock", path, err);
}

int sl_rpc_dataplane_path(const char *instance, char path[SL_RPC_PATH_MAX], struct sl_error *err)
{
	return socket_path(instance, ".dataplane.sock", path, err);
}

/* Connected socket or -errno. */
static int client_connect(const char *path, int flags)
{
	struct timeval tv = {.tv_sec = SL_RPC_TIMEOUT_MS / 1000,
			     .tv_usec = SL_RPC_TIMEOUT_MS % 1000 * 1000};
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd, rc;

	if (strlen(path) >= sizeof(addr.sun_path))
		return -ENAMETOOLONG;
	memcpy(addr.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	do
		rc = connect(fd, (struct sockaddr *)&addr, sizeof(addr));
	while (rc && errno == EINTR);
	if (!rc)
		return fd;
	rc = -errno;
	close(fd);
	return rc;
}

/* The request as a line, malloc'ed; NULL on no memory. */
static char *request_line(json_t *request, size_t *len)
{
	char *text, *line;

	if (json_object_set_new(request, "v", json_integer(SL_RPC_VERSION)))
		return NULL;
	text = json_dumps(request, JSON_COMPACT);
	if (!text)
		return NULL;
	*len = strlen(text) + 1;
	line = realloc(text, *len + 1);
	if (!line) {
		free(text);
		return NULL;
	}
	memcpy(line + *len - 1, "\n", 2);
	return line;
}

static ssize_t send_some(int fd, const char *data, size_t len, int pass_fd)
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(sizeof(int))];
	} control = {0};
	struct iovec iov = {.iov_base = (void *)data, .iov_len = len};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	struct cmsghdr *c;

	if (pass_fd >= 0) {
		msg.msg_control = &control;
		msg.msg_controllen = sizeof(control);
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &pass_fd, sizeof(int));
	}
	return sendmsg(fd, &msg, MSG_NOSIGNAL);
}

static int send_all(int fd, const char *data, size_t len, int pass_fd)
{
	ssize_t n;

	while (len) {
		n = send_some(fd, data, len, pass_fd);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? -ETIMEDOUT : -errno;
		pass_fd = -1;
		data += n;
		len -= (size_t)n;
	}
	return 0;
}

/* Read up to the newline. *line is malloc'ed. */
static int read_line(int fd, char **line, size_t *len)
{
	size_t size = 0, room = 0;
	char *buf = NULL, *grown;
	ssize_t n;
	int rc;

	for (;;) {
		if (room - size < READ_STEP) {
			room = room ? room * 2 : 2 * READ_STEP;
			grown = realloc(buf, room);
			if (!grown) {
				rc = -ENOMEM;
				break;
			}
			buf = grown;
		}
		n = recv(fd, buf + size, room - size, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			rc = n ? (errno == EAGAIN ? -ETIMEDOUT : -errno) : -ECONNRESET;
			break;
		}
		size += (size_t)n;
		if (memchr(buf + size - n, '\n', (size_t)n)) {
			*line = buf;
			*len = size;
			return 0;
		}
	}
	free(buf);
	return rc;
}

/* What the reply says. */
static int take_reply(const char *path, const char *line, size_t len, json_t **result,
		      struct sl_error *err)
{
	json_t *reply = json_loadb(line, len, JSON_DISABLE_EOF_CHECK, NULL);
	const char *text;
	int rc = 0;

	if (json_integer_value(json_object_get(reply, "v")) != SL_RPC_VERSION) {
		rc = sl_error_set(err, -EPROTO,
				  "%s: the reply is not of version %d: use the sluice and the "
				  "sluiced of one release",
				  path, SL_RPC_VERSION);
	} else if (!json_is_true(json_object_get(reply, "ok"))) {
		text = json_string_value(json_object_get(reply, "error"));
		rc = sl_error_set(err, -EREMOTEIO, "%s", text ? text : "refused without a reason");
	} else if (result) {
		*result = json_incref(json_object_get(reply, "result"));
	}
	json_decref(reply);
	return rc;
}

int sl_rpc_call(const char *path, json_t *request, int pass_fd, json_t **result,
		struct sl_error *err)
{
	char *line = NULL, *reply = NULL;
	size_t len;
	int fd, rc;

	if (result)
		*result = NULL;
	fd = client_connect(path, 0);
	if (fd < 0)
		return sl_error_set(err, fd, "%s: %s (is it running?)", path, strerror(-fd));
	line = request_line(request, &len);
	rc = line ? send_all(fd, line, len, pass_fd) : -ENOMEM;
	if (!rc)
		rc = read_line(fd, &reply, &len);
	if (rc)
		sl_error_set(err, rc, "%s: no reply: %s", path, strerror(-rc));
	else
		rc = take_reply(path, reply, len, result, err);
	free(reply);
	free(line);
	close(fd);
	return rc;
}

int sl_rpc_post(const char *path, json_t *request)
{
	size_t len;
	char *line;
	int fd, rc;

	fd = client_connect(path, SOCK_NONBLOCK);
	if (fd < 0)
		return fd;
	line = request_line(request, &len);
	rc = line ? send_all(fd, line, len, -1) : -ENOMEM;
	free(line);
	close(fd);
	return rc;
}

void sl_rpc_wake(const char *instance)
{
	json_t *request = json_pack("{s:s,s:s}", "cmd", "wake", "instance", instance);
	char path[SL_RPC_PATH_MAX];

	if (request && !sl_rpc_dataplane_path(instance, path, NULL))
		sl_rpc_post(path, request);
	json_decref(request);
}
