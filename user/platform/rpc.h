/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rpc.h - requests between the CLI, the daemon and the dataplane: one JSON object a line over a
 * unix stream socket.
 *
 *	request  {"v":1,"cmd":"pause","instance":"eth1", ...}
 *	reply    {"v":1,"ok":true,"result":...}
 *	         {"v":1,"ok":false,"error":"one line for the operator"}
 *
 * A connection may carry several requests; replies come in their order. A file descriptor may
 * travel with a request (SCM_RIGHTS). Sockets live in the run directory ($SLUICE_RUN_DIR, else
 * SL_RUN_DIR), mode 0660: `sluiced.sock` and `<instance>.dataplane.sock`.
 */
#ifndef SL_PLATFORM_RPC_H
#define SL_PLATFORM_RPC_H

#include <jansson.h>
#include <stddef.h>

#include "platform/instance.h"
#include "platform/lock.h"

#define SL_RPC_VERSION 1
#define SL_RPC_REQUEST_MAX 65536 /* bytes of a request line */
#define SL_RPC_CLIENTS_MAX 32 /* connections at a time; one more closes the longest silent one */
#define SL_RPC_TIMEOUT_MS 10000 /* a client gives up after so long without a byte */
#define SL_RPC_PATH_MAX 108 /* sizeof(sun_path) */

/* Where the daemon and the dataplane of `instance` listen. 0, or -ENAMETOOLONG. */
int sl_rpc_daemon_path(char path[SL_RPC_PATH_MAX], struct sl_error *err);
int sl_rpc_dataplane_path(const char *instance, char path[SL_RPC_PATH_MAX], struct sl_error *err);

/*
 * A command's handler. `request` is borrowed (the whole object), `passed_fd` too (-1: none; dup()
 * it to keep it). On 0, *result (one reference, the server's from now on) is the reply's result,
 * NULL for null. On -errno err->text is the reply's error. Runs inside sl_rpc_server_poll() and
 * must not block. A result that is an array is sent element by element as the client takes it, so
 * it may be long.
 */
typedef int (*sl_rpc_handler)(void *ctx, json_t *request, int passed_fd, json_t **result,
			      struct sl_error *err);

struct sl_rpc_server;

/*
 * Listen at `path`, group `group` (NULL: the process's own). Takes an exclusive lock beside the
 * socket (<path>.lock) for the server's lifetime: a socket file left behind by a killed process is
 * replaced, one that is served is not (-EADDRINUSE). One thread at a time may use a server.
 */
int sl_rpc_server_open(const char *path, const char *group, struct sl_rpc_server **out,
		       struct sl_error *err);
/* Register a command; `cmd` must outlive the server. -ENOMEM, -EEXIST. */
int sl_rpc_server_add(struct sl_rpc_server *s, const char *cmd, sl_rpc_handler handler, void *ctx);
/* A descriptor that polls readable when sl_rpc_server_poll() has work; put it into epoll or poll.
 */
int sl_rpc_server_fd(const struct sl_rpc_server *s);
/*
 * Do what can be done now and return; never blocks. At most one request a connection is handled and
 * a bounded piece of each reply written, so a loop gets its turn under any load.
 */
void sl_rpc_server_poll(struct sl_rpc_server *s);
/* Closes all connections, removes the socket file and frees. NULL is fine. */
void sl_rpc_server_close(struct sl_rpc_server *s);

/*
 * Ask and wait for the reply. Sets "v" in `request` (borrowed); `pass_fd` travels along, -1: none.
 * 0 and *result (yours; `result` may be NULL), or -errno: -ENOENT/-ECONNREFUSED nobody listens,
 * -ETIMEDOUT, -EPROTO another version or no JSON, -EREMOTEIO the other side's error, its line in
 * err.
 */
int sl_rpc_call(const char *path, json_t *request, int pass_fd, json_t **result,
		struct sl_error *err);
/* Send without waiting for the reply or for anything else: a hint. 0 or -errno. */
int sl_rpc_post(const char *path, json_t *request);
/* Tell an instance's dataplane that rows changed. Housekeeping finds out by itself soon enough;
 * this saves the wait. */
void sl_rpc_wake(const char *instance);

#endif /* SL_PLATFORM_RPC_H */
