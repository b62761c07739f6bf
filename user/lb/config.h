/* SPDX-License-Identifier: GPL-2.0-or-later */
/* config.h - a load balancer's configuration file, sluice-lb(5). */
#ifndef SL_LB_CONFIG_H
#define SL_LB_CONFIG_H

#include <net/if.h>
#include <sys/socket.h>

#include <sluice/lb.h>
#include <sluice/maps.h>

#include "platform/instance.h"
#include "lb/ends.h"

#define SL_LB_MAX_IFACES 8
#define SL_LB_WEIGHT_MAX 1000
#define SL_LB_SLOTS_DEFAULT 262144 /* as the connection table */

struct sl_lb_server_config {
	__be32 addr[4];
	bool v6;
	__be16 port; /* 0: the VIP's */
	int id; /* -1: any that is free */
	bool has_quic_id;
	__u64 quic_id[2]; /* as in struct sl_lb_quic_server; without one it is the id */
	unsigned weight;
	unsigned state; /* enum sl_lb_state */
};

enum sl_lb_check {
	SL_LB_CHECK_OFF,
	SL_LB_CHECK_TCP, /* it accepts a connection */
	SL_LB_CHECK_HTTP, /* it answers a GET with a status */
	SL_LB_CHECK_UDP, /* it answers a datagram */
};

#define SL_LB_CHECK_TEXT 256

struct sl_lb_check_config {
	unsigned type; /* enum sl_lb_check */
	uint64_t interval_ns, timeout_ns;
	unsigned rise, fall;
	__be16 port; /* 0: the server's */
	unsigned status_min, status_max;
	double passive; /* share of SYNs without an answer; 0: off */
	char path[SL_LB_CHECK_TEXT], host[SL_LB_CHECK_TEXT]; /* no host: the VIP's address */
	char send[SL_LB_CHECK_TEXT], expect[SL_LB_CHECK_TEXT]; /* nothing expected: any answer */
};

/* What of its servers a VIP's loads are. */
enum sl_lb_metric {
	SL_LB_BY_CONNECTIONS, /* new ones, a second */
	SL_LB_BY_PACKETS, /* towards the server, a second */
	SL_LB_BY_BYTES,
	SL_LB_BY_CPU, /* what servers report: the share of their cores that is busy */
};

struct sl_lb_vip_config {
	struct sl_lb_vip_key key; /* of a network: its first address */
	bool v6;
	unsigned prefix; /* bits: 32 or 128 unless it is a network */
	unsigned forward, select, keep, bits;
	/* Of IPIP and GUE. The outer source: has_source, or by the route to the server. */
	bool has_source, source_v6;
	__be32 source[4];
	__u16 spread; /* bits of its last 16 that differ from flow to flow */
	unsigned gue_port; /* 0: GUE's own */
	unsigned tier; /* bits of a cookie's id that name its server, a balancer; 0: all */
	unsigned candidates; /* of select: core */
	unsigned metric; /* enum sl_lb_metric */
	struct sl_lb_check_config check;
	struct sl_lb_quic quic;
	struct sl_lb_server_config *servers;
	unsigned servers_n;
};

struct sl_lb_config {
	char name[SL_NAME_MAX];
	char ifaces[SL_LB_MAX_IFACES][IF_NAMESIZE];
	unsigned ifaces_n;
	bool has_secret;
	__u64 secret[2];
	int phase; /* of the secret: 0 or 1; -1: the one that is in force, or the other after it */
	bool has_before;
	__u64 before[2]; /* the secret of the other phase */
	unsigned inserts_max;
	uint64_t refill_ns;
	char reports[64]; /* where `run` listens for servers' reports; empty: everywhere */
	bool metrics;
	struct sockaddr_storage metrics_addr; /* a loopback address and a port */
	unsigned slots; /* 0: as many as there are, or the default */
	struct sl_lb_vip_config *vips;
	unsigned vips_n;
};

/* 0, or -errno with one line that names file, line and setting. sl_lb_config_free() after a 0. */
int sl_lb_config_read(const char *file, struct sl_lb_config *config, struct sl_error *err);
/* Bits of a cookie's id that are the next tier's own. */
unsigned sl_lb_tier_shift(const struct sl_lb_vip_config *v);
/* Ids of its servers are below it: those that fit a cookie, where it has cookies. */
unsigned sl_lb_id_limit(const struct sl_lb_vip_config *v);
void sl_lb_config_free(struct sl_lb_config *config);

extern const char *const sl_lb_state_words[]; /* by enum sl_lb_state, NULL-terminated */
extern const char *const sl_lb_forward_words[];
extern const char *const sl_lb_select_words[];
extern const char *const sl_lb_metric_words[];
extern const char *const sl_lb_check_words[];
/* By enum sl_lb_keep; "?": there is none of that number. */
const char *sl_lb_keep_word(unsigned keep);

#endif /* SL_LB_CONFIG_H */
