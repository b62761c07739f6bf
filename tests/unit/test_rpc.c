// SPDX-License-Identifier: GPL-2.0-or-later
/* The request protocol through real sockets: a server in one thread, clients in the test's. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "platform/rpc.h"

#define LONG_RESULT 100000

static char dir[64];
static char path[SL_RPC_PATH_MAX];
static struct sl_rpc_server *server;
static pthread_t thread;
static atomic_bool stop;

static int cmd_echo(void *ctx, json_t *request, int passed_fd, json_t **result,
		    struct sl_error *err)
{
	*result = json_incref(json_object_get(request, "data"));
	return 0;
}

static int cmd_fail(void *ctx, json_t *request, int passed_fd, json_t **result,
		    struct sl_error *err)
{
	return sl_error_set(err, -EINVAL, "bucket 9 of 8: name one below 8");
}

static int cmd_long(void *ctx, json_t *request, int passed_fd, json_t **result,
		    struct sl_error *err)
{
	json_t *all = json_array();

	for (int i = 0; i < LONG_RESULT; i++)
		json_array_append_new(all, json_pack("{s:i,s:s}", "flow", i, "addr", "192.0.2.1"));
	*result = all;
	return 0;
}

static int cmd_write(void *ctx, json_t *request, int passed_fd, json_t **result,
		     struct sl_error *err)
{
	if (passed_fd < 0)
		return sl_error_set(err, -EBADF, "no descriptor came along");
	*result = json_integer(write(passed_fd, "pcap", 4));
	return 0;
}

static void *serve(void *arg)
{
	while (!atomic_load(&stop)) {
		struct pollfd p = {.fd = sl_rpc_server_fd(server), .events = POLLIN};

		if (poll(&p, 1, 20) > 0)
			sl_rpc_server_poll(server);
	}
	return NULL;
}

static void setup(void)
{
	struct sl_error err;

	strcpy(dir, "/tmp/sl-rpc-XXXXXX");
	cr_assert_not_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/t.sock", dir);
	cr_assert_eq(sl_rpc_server_open(path, NULL, &server, &err), 0, "%s", err.text);
	sl_rpc_server_add(server, "echo", cmd_echo, NULL);
	sl_rpc_server_add(server, "fail", cmd_fail, NULL);
	sl_rpc_server_add(server, "long", cmd_long, NULL);
	sl_rpc_server_add(server, "write", cmd_write, NULL);
	cr_assert_eq(pthread_create(&thread, NULL, serve, NULL), 0);
}

static void teardown(void)
{
	char lock[SL_RPC_PATH_MAX + 8];

	atomic_store(&stop, true);
	pthread_join(thread, NULL);
	sl_rpc_server_close(server);
	cr_expect_eq(access(path, F_OK), -1, "the socket file stays behind");
	snprintf(lock, sizeof(lock), "%s.lock", path);
	unlink(lock);
	rmdir(dir);
}

static int connect_raw(void)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct timeval tv = {.tv_sec = 5};

	strcpy(addr.sun_path, path);
	cr_assert_eq(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	return fd;
}

/* One reply line into buf; its length, 0 at the end of the connection. */
static size_t reply_raw(int fd, char *buf, size_t size)
{
	size_t n = 0;

	while (n + 1 < size && recv(fd, buf + n, 1, 0) == 1)
		if (buf[n++] == '\n')
			break;
	buf[n] = 0;
	return n;
}

TestSuite(rpc, .init = setup, .fini = teardown, .timeout = 60);

Test(rpc, result_comes_back)
{
	json_t *req = json_pack("{s:s,s:{s:i}}", "cmd", "echo", "data", "n", 7), *res;
	struct sl_error err = {0};

	cr_assert_eq(sl_rpc_call(path, req, -1, &res, &err), 0, "%s", err.text);
	cr_expect_eq(json_integer_value(json_object_get(res, "n")), 7);
	json_decref(res);
	json_decref(req);
}

Test(rpc, error_is_the_handlers_line)
{
	json_t *req = json_pack("{s:s}", "cmd", "fail"), *res;
	struct sl_error err = {0};

	cr_assert_eq(sl_rpc_call(path, req, -1, &res, &err), -EREMOTEIO);
	cr_expect_str_eq(err.text, "bucket 9 of 8: name one below 8");
	cr_expect_null(res);
	json_decref(req);
}

Test(rpc, unknown_command_version_and_garbage_are_refused)
{
	static const char *const lines[] = {"{\"v\":1,\"cmd\":\"nosuch\"}\n",
					    "{\"v\":2,\"cmd\":\"echo\"}\n", "[1]\n", "}{\n",
					    "{\"v\":1}\n"};
	static const char *const says[] = {"nosuch", "version 1", "one JSON object",
					   "one JSON object", "unknown command"};
	char reply[512];
	int fd = connect_raw();

	for (unsigned i = 0; i < 5; i++) {
		cr_assert_eq(send(fd, lines[i], strlen(lines[i]), 0), (ssize_t)strlen(lines[i]));
		cr_assert_gt(reply_raw(fd, reply, sizeof(reply)), 0);
		cr_expect_not_null(strstr(reply, "\"ok\":false"), "%s", reply);
		cr_expect_not_null(strstr(reply, says[i]), "%s", reply);
	}
	close(fd);
}

Test(rpc, long_result_arrives_whole)
{
	json_t *req = json_pack("{s:s}", "cmd", "long"), *res;
	struct sl_error err = {0};

	cr_assert_eq(sl_rpc_call(path, req, -1, &res, &err), 0, "%s", err.text);
	cr_assert_eq(json_array_size(res), LONG_RESULT);
	for (size_t i = 0; i < LONG_RESULT; i += 9973)
		cr_expect_eq(json_integer_value(json_object_get(json_array_get(res, i), "flow")),
			     (json_int_t)i);
	json_decref(res);
	json_decref(req);
}

Test(rpc, client_that_does_not_read_holds_up_nobody)
{
	static const char line[] = "{\"v\":1,\"cmd\":\"long\"}\n";
	json_t *req = json_pack("{s:s,s:i}", "cmd", "echo", "data", 1), *res;
	struct sl_error err = {0};
	int slow[3];

	for (unsigned i = 0; i < 3; i++) {
		slow[i] = connect_raw();
		cr_assert_eq(send(slow[i], line, strlen(line), 0), (ssize_t)strlen(line));
	}
	for (unsigned i = 0; i < 50; i++) {
		cr_assert_eq(sl_rpc_call(path, req, -1, &res, &err), 0, "%s", err.text);
		json_decref(res);
	}
	for (unsigned i = 0; i < 3; i++)
		close(slow[i]);
	json_decref(req);
}

Test(rpc, pipelined_requests_are_answered_in_order)
{
	char line[64], reply[128], want[64];
	int fd = connect_raw();
	size_t n;

	for (int i = 0; i < 200; i++) {
		n = (size_t)snprintf(line, sizeof(line), "{\"v\":1,\"cmd\":\"echo\",\"data\":%d}\n",
				     i);
		cr_assert_eq(send(fd, line, n, 0), (ssize_t)n);
	}
	for (int i = 0; i < 200; i++) {
		cr_assert_gt(reply_raw(fd, reply, sizeof(reply)), 0, "reply %d is missing", i);
		snprintf(want, sizeof(want), "\"result\":%d}", i);
		cr_assert_not_null(strstr(reply, want), "reply %d is %s", i, reply);
	}
	close(fd);
}

Test(rpc, request_in_pieces)
{
	static const char line[] = "{\"v\":1,\"cmd\":\"echo\",\"data\":5}\n";
	int fd = connect_raw();
	char reply[128];

	for (size_t i = 0; i < strlen(line); i++) {
		cr_assert_eq(send(fd, line + i, 1, 0), 1);
		if (i % 8 == 0)
			usleep(1000);
	}
	cr_assert_gt(reply_raw(fd, reply, sizeof(reply)), 0);
	cr_expect_str_eq(reply, "{\"v\":1,\"ok\":true,\"result\":5}\n");
	close(fd);
}

Test(rpc, oversized_request_is_refused_and_the_connection_ended)
{
	char *big = malloc(SL_RPC_REQUEST_MAX + 1000), reply[256];
	int fd = connect_raw();

	memset(big, 'x', SL_RPC_REQUEST_MAX + 1000);
	send(fd, big, SL_RPC_REQUEST_MAX, 0);
	cr_assert_gt(reply_raw(fd, reply, sizeof(reply)), 0);
	cr_expect_not_null(strstr(reply, "longer than 65536"), "%s", reply);
	cr_expect_eq(reply_raw(fd, reply, sizeof(reply)), 0);
	close(fd);
	free(big);
}

Test(rpc, descriptor_travels_and_none_is_leaked)
{
	json_t *req = json_pack("{s:s}", "cmd", "write"), *res;
	struct sl_error err = {0};
	char got[5] = "";
	int p[2], before, after;

	cr_assert_eq(pipe2(p, O_CLOEXEC), 0);
	cr_assert_eq(sl_rpc_call(path, req, -1, NULL, &err), -EREMOTEIO);
	before = dup(0);
	close(before);
	for (unsigned i = 0; i < 40; i++) {
		cr_assert_eq(sl_rpc_call(path, req, p[1], &res, &err), 0, "%s", err.text);
		json_decref(res);
		cr_assert_eq(read(p[0], got, 4), 4);
		cr_assert_str_eq(got, "pcap");
	}
	/* The writing end is closed everywhere: the pipe ends. */
	close(p[1]);
	usleep(50000);
	cr_expect_eq(read(p[0], got, 1), 0);
	after = dup(0);
	close(after);
	cr_expect_leq(after, before + 1);
	close(p[0]);
	json_decref(req);
}

Test(rpc, more_connections_than_slots)
{
	json_t *req = json_pack("{s:s,s:i}", "cmd", "echo", "data", 1);
	struct sl_error err = {0};
	int fds[SL_RPC_CLIENTS_MAX * 2];

	for (unsigned i = 0; i < SL_RPC_CLIENTS_MAX * 2; i++) {
		fds[i] = connect_raw();
		usleep(500);
	}
	cr_expect_eq(sl_rpc_call(path, req, -1, NULL, &err), 0, "%s", err.text);
	for (unsigned i = 0; i < SL_RPC_CLIENTS_MAX * 2; i++)
		close(fds[i]);
	json_decref(req);
}

Test(rpc, second_server_is_refused_and_the_first_serves_on)
{
	json_t *req = json_pack("{s:s,s:i}", "cmd", "echo", "data", 1);
	struct sl_rpc_server *second = NULL;
	struct sl_error err = {0};

	cr_assert_eq(sl_rpc_server_open(path, NULL, &second, &err), -EADDRINUSE);
	cr_expect_not_null(strstr(err.text, "served already"), "%s", err.text);
	cr_expect_eq(sl_rpc_call(path, req, -1, NULL, &err), 0, "%s", err.text);
	json_decref(req);
}

Test(rpc, socket_mode_is_0660)
{
	struct stat st;

	cr_assert_eq(stat(path, &st), 0);
	cr_expect_eq(st.st_mode & 0777, 0660);
}

Test(rpc, posted_request_is_handled)
{
	json_t *req = json_pack("{s:s,s:i}", "cmd", "echo", "data", 1);

	cr_expect_eq(sl_rpc_post(path, req), 0);
	cr_expect_eq(sl_rpc_post("/nonexistent/x.sock", req), -ENOENT);
	json_decref(req);
}

Test(rpc_alone, socket_of_a_killed_server_is_replaced, .timeout = 20)
{
	char where[] = "/tmp/sl-rpc-XXXXXX", file[64], lock[80];
	struct sl_rpc_server *s;
	struct sl_error err = {0};
	int status;
	pid_t pid;

	cr_assert_not_null(mkdtemp(where));
	snprintf(file, sizeof(file), "%s/s.sock", where);
	snprintf(lock, sizeof(lock), "%s.lock", file);
	pid = fork();
	if (!pid) {
		if (sl_rpc_server_open(file, NULL, &s, &err))
			_exit(1);
		_exit(0); /* leaves the file, as SIGKILL does */
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert_eq(status, 0);
	cr_assert_eq(access(file, F_OK), 0);
	cr_assert_eq(sl_rpc_server_open(file, NULL, &s, &err), 0, "%s", err.text);
	sl_rpc_server_close(s);
	unlink(lock);
	rmdir(where);
}

Test(rpc_alone, unknown_group_is_named, .timeout = 20)
{
	char where[] = "/tmp/sl-rpc-XXXXXX", file[64], lock[80];
	struct sl_rpc_server *s;
	struct sl_error err = {0};

	cr_assert_not_null(mkdtemp(where));
	snprintf(file, sizeof(file), "%s/s.sock", where);
	snprintf(lock, sizeof(lock), "%s.lock", file);
	cr_assert_eq(sl_rpc_server_open(file, "no-such-group", &s, &err), -ENOENT);
	cr_expect_not_null(strstr(err.text, "no-such-group"), "%s", err.text);
	cr_expect_eq(access(file, F_OK), -1);
	unlink(lock);
	rmdir(where);
}
