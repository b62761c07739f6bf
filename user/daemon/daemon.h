/* SPDX-License-Identifier: GPL-2.0-or-later */
/* daemon.h - sluiced: what its parts share. One thread; no part blocks. */
#ifndef SL_DAEMON_DAEMON_H
#define SL_DAEMON_DAEMON_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/served.h"
#include "platform/config.h"
#include "http/http_page.h"
#include "platform/rpc.h"

#define INSTANCES_MAX 64

struct daemon {
	const char *config_path; /* NULL: no file, the defaults */
	struct sl_config *config;
	struct served *served[INSTANCES_MAX];
	unsigned served_n;
	struct sl_rpc_server *rpc;
	struct sl_http_page *metrics; /* NULL: off */
	int lock_fd, epoll_fd, signal_fd, net_fd;
	bool stop;
	bool addresses_changed;
	uint64_t started_ns, discover_ns;
	uint64_t reloads, reloads_failed;
};

/* --- instances.c */
/* Attach what the configuration says to attach; adopt what is there. 0 or -errno. */
int instances_attach(struct daemon *d, struct sl_error *err);
/* Open instances that have come, let go of those that are gone. */
void instances_discover(struct daemon *d);
void instances_configure(struct daemon *d);
void instances_refresh_addresses(struct daemon *d);
struct served *instances_find(struct daemon *d, const char *name);

/* --- requests.c */
int requests_register(struct daemon *d);

/* --- reload.c */
/* Read the configuration again. On an error the old one stays in force, and is said to. */
int daemon_reload(struct daemon *d, struct sl_error *err);

/* --- metrics.c */
int metrics_start(struct daemon *d, struct sl_error *err);
void metrics_stop(struct daemon *d);

/* --- metrics_text.c */
/* The page as text, malloc'ed; NULL on no memory. */
char *metrics_text(struct daemon *d, size_t *len);

/* --- privileges.c */
/* Keep what the loop needs, give up the rest for good. 0 or -errno. */
int privileges_drop(struct sl_error *err);

/* --- loop.c */
int loop_open(struct daemon *d, struct sl_error *err);
void loop_run(struct daemon *d);
void loop_close(struct daemon *d);
/* After metrics_start() or metrics_stop(). */
int loop_watch_metrics(struct daemon *d);

#endif /* SL_DAEMON_DAEMON_H */
