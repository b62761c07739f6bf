/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside the server side of rpc.h: what listening (rpc_server.c) and a connection (rpc_conn.c)
 * share. */
#ifndef SL_PLATFORM_RPC_INTERNAL_H
#define SL_PLATFORM_RPC_INTERNAL_H

#include "platform/rpc.h"

#define COMMANDS_MAX 48

struct command {
	const char *name;
	sl_rpc_handler handler;
	void *ctx;
};

struct client {
	struct sl_rpc_server *server;
	int fd; /* -1: free slot */
	int passed_fd; /* came with the request that is being read, or -1 */
	uint64_t used; /* server's activity count at its latest sign of life */
	bool closing; /* after the reply */
	char *in; /* the request so far, SL_RPC_REQUEST_MAX bytes */
	size_t in_len;
	char *out; /* the reply: bytes [out_off, out_len) are unsent */
	size_t out_len, out_off, out_room;
	json_t *rest; /* elements of a long result not yet encoded */
	size_t rest_next;
};

struct sl_rpc_server {
	int epoll_fd, listen_fd, lock_fd;
	char path[SL_RPC_PATH_MAX];
	uint64_t activity;
	unsigned commands_n;
	struct command commands[COMMANDS_MAX];
	struct client clients[SL_RPC_CLIENTS_MAX];
};

/* The registered command of that name, or NULL. */
const struct command *command_find(const struct sl_rpc_server *s, const char *name);

/* The connection's descriptor is ready: read and answer one request, or go on with a reply. Closes
 * the connection at its end or on an error. */
void client_event(struct client *c);
/* Close and forget everything; the slot is free again. */
void client_close(struct client *c);

#endif /* SL_PLATFORM_RPC_INTERNAL_H */
