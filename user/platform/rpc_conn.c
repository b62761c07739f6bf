// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A connection: lines in, replies out. Nothing here blocks. While a reply is being written the
 * connection is not read, so a client that does not read its replies holds up only itself.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "platform/rpc_internal.h"

#define REPLY_CHUNK 65536 /* encoded ahead of the socket, bytes */

/* --- the reply */

/* json_dump_callback_t */
static int out_append(const char *data, size_t len, void *ctx)
{
	struct client *c = ctx;
	size_t room = c->out_room ? c->out_room : 512;
	char *grown;

	while (room < c->out_len + len)
		room *= 2;
	if (room != c->out_room) {
		grown = realloc(c->out, room);
		if (!grown)
			return -1;
		c->out = grown;
		c->out_room = room;
	}
	memcpy(c->out + c->out_len, data, len);
	c->out_len += len;
	return 0;
}

static int out_text(struct client *c, const char *text)
{
	return out_append(text, strlen(text), c);
}

static int out_json(struct client *c, const json_t *value)
{
	return json_dump_callback(value, out_append, c, JSON_COMPACT | JSON_ENCODE_ANY);
}

/* Encode elements of a long result until a chunk is full. */
static int out_refill(struct client *c)
{
	int rc = 0;

	c->out_off = 0;
	c->out_len = 0;
	while (!rc && c->rest && c->out_len < REPLY_CHUNK) {
		if (c->rest_next == json_array_size(c->rest)) {
			json_decref(c->rest);
			c->rest = NULL;
			rc = out_text(c, "]}\n");
			break;
		}
		if (c->rest_next)
			rc = out_text(c, ",");
		if (!rc)
			rc = out_json(c, json_array_get(c->rest, c->rest_next));
		c->rest_next++;
	}
	return rc;
}

/* Takes the reference to `result`. */
static int reply_result(struct client *c, json_t *result)
{
	int rc;

	c->out_off = 0;
	c->out_len = 0;
	if (json_is_array(result)) {
		c->rest = result;
		c->rest_next = 0;
		return out_text(c, "{\"v\":1,\"ok\":true,\"result\":[");
	}
	rc = out_text(c, "{\"v\":1,\"ok\":true,\"result\":");
	if (!rc)
		rc = result ? out_json(c, result) : out_text(c, "null");
	if (!rc)
		rc = out_text(c, "}\n");
	json_decref(result);
	return rc;
}

static int reply_error(struct client *c, const char *text)
{
	json_t *value = json_string(text);
	int rc;

	if (!value)
		value = json_string("refused (the reason is not UTF-8)");
	c->out_off = 0;
	c->out_len = 0;
	rc = out_text(c, "{\"v\":1,\"ok\":false,\"error\":");
	if (!rc)
		rc = out_json(c, value);
	if (!rc)
		rc = out_text(c, "}\n");
	json_decref(value);
	return rc;
}

_Static_assert(SL_RPC_VERSION == 1, "the replies above say so");

/* --- the request */

static int client_dispatch(struct client *c, size_t len)
{
	json_t *request = json_loadb(c->in, len, JSON_REJECT_DUPLICATES, NULL), *result = NULL;
	const char *name = json_string_value(json_object_get(request, "cmd"));
	json_int_t version = json_integer_value(json_object_get(request, "v"));
	const struct command *cmd = name ? command_find(c->server, name) : NULL;
	struct sl_error err = {.text = "refused"};
	int rc;

	if (!json_is_object(request))
		rc = sl_error_set(&err, -EPROTO, "a request is one JSON object on one line");
	else if (version != SL_RPC_VERSION)
		rc = sl_error_set(&err, -EPROTO,
				  "request has \"v\":%lld, this side speaks version %d: use the "
				  "sluice of the same release",
				  (long long)version, SL_RPC_VERSION);
	else if (!cmd)
		rc = sl_error_set(&err, -ENOSYS, "unknown command \"%s\" in \"cmd\"",
				  name ? name : "");
	else
		rc = cmd->handler(cmd->ctx, request, c->passed_fd, &result, &err);
	json_decref(request);
	if (c->passed_fd >= 0)
		close(c->passed_fd);
	c->passed_fd = -1;
	if (!rc)
		return reply_result(c, result);
	json_decref(result);
	return reply_error(c, err.text);
}

/* Keep the descriptor that came along; a request has one at most, others are closed. */
static void take_fds(struct client *c, struct msghdr *msg)
{
	for (struct cmsghdr *h = CMSG_FIRSTHDR(msg); h; h = CMSG_NXTHDR(msg, h)) {
		size_t n;

		if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS)
			continue;
		n = (h->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(h) + i * sizeof(int), sizeof(fd));
			if (c->passed_fd >= 0)
				close(c->passed_fd);
			c->passed_fd = fd;
		}
	}
}

/* Bytes read, 0 at the end of the connection, -EAGAIN, or another -errno. */
static ssize_t client_recv(struct client *c)
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(4 * sizeof(int))];
	} control;
	struct iovec iov = {.iov_base = c->in + c->in_len,
			    .iov_len = SL_RPC_REQUEST_MAX - c->in_len};
	struct msghdr msg = {.msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = &control,
			     .msg_controllen = sizeof(control)};
	ssize_t n = recvmsg(c->fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	if (n < 0)
		return -errno;
	take_fds(c, &msg);
	c->in_len += (size_t)n;
	return n;
}

/* --- connections */

void client_close(struct client *c)
{
	if (c->fd < 0)
		return;
	close(c->fd);
	if (c->passed_fd >= 0)
		close(c->passed_fd);
	json_decref(c->rest);
	free(c->in);
	free(c->out);
	*c = (struct client){.server = c->server, .fd = -1, .passed_fd = -1};
}

static bool client_replying(const struct client *c)
{
	return c->out_off < c->out_len || c->rest;
}

static void client_watch(struct client *c)
{
	/* A line that came together with the last one raises no event of its own. */
	bool ready = client_replying(c) || memchr(c->in, '\n', c->in_len);
	struct epoll_event ev = {.events = ready ? EPOLLOUT : EPOLLIN, .data.ptr = c};

	if (epoll_ctl(c->server->epoll_fd, EPOLL_CTL_MOD, c->fd, &ev))
		client_close(c);
}

/* Write what the socket takes, at most a chunk a call. 0 or -errno. */
static int client_flush(struct client *c)
{
	ssize_t n;

	if (c->out_off == c->out_len && c->rest && out_refill(c))
		return -ENOMEM;
	if (c->out_off < c->out_len) {
		n = send(c->fd, c->out + c->out_off, c->out_len - c->out_off,
			 MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0)
			return errno == EAGAIN || errno == EINTR ? 0 : -errno;
		c->out_off += (size_t)n;
	}
	if (client_replying(c))
		return 0;
	free(c->out);
	c->out = NULL;
	c->out_len = c->out_off = c->out_room = 0;
	return c->closing ? -ECONNRESET : 0;
}

/* Handle the first whole line in c->in, if there is one. 1: handled, 0: none yet, or -errno. */
static int client_line(struct client *c)
{
	char *end = memchr(c->in, '\n', c->in_len);
	size_t len;
	int rc;

	if (!end && c->in_len < SL_RPC_REQUEST_MAX)
		return 0;
	if (!end) {
		c->closing = true;
		c->in_len = 0;
		return reply_error(c, "the request is longer than 65536 bytes") ? -ENOMEM : 1;
	}
	len = (size_t)(end - c->in) + 1;
	rc = client_dispatch(c, len - 1);
	c->in_len -= len;
	memmove(c->in, c->in + len, c->in_len);
	return rc ? -ENOMEM : 1;
}

void client_event(struct client *c)
{
	bool ended = false;
	ssize_t n;
	int rc = 0;

	c->used = ++c->server->activity;
	if (!client_replying(c)) {
		if (!memchr(c->in, '\n', c->in_len)) {
			n = client_recv(c);
			ended = n <= 0 && n != -EAGAIN && n != -EINTR;
		}
		rc = client_line(c);
		if (ended && !rc)
			rc = -ECONNRESET;
	}
	if (rc >= 0)
		rc = client_flush(c);
	if (rc < 0)
		client_close(c);
	else
		client_watch(c);
}
