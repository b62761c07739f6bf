/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lb_config.h - a load balancer's configuration file, sluice-lb(5). */
#ifndef SL_PLATFORM_LB_CONFIG_H
#define SL_PLATFORM_LB_CONFIG_H

#include <net/if.h>

#include <sluice/lb.h>
#include <sluice/maps.h>

#include "platform/instance.h"

#define SL_LB_MAX_IFACES 8
#define SL_LB_WEIGHT_MAX 1000

struct sl_lb_server_config {
	__be32 addr[4];
	bool v6;
	__be16 port; /* 0: the VIP's */
	int id; /* -1: any that is free */
	unsigned weight;
	unsigned state; /* enum sl_lb_state */
};

struct sl_lb_vip_config {
	struct sl_lb_vip_key key;
	bool v6;
	unsigned select, keep, bits;
	struct sl_lb_server_config *servers;
	unsigned servers_n;
};

struct sl_lb_config {
	char name[SL_NAME_MAX];
	char ifaces[SL_LB_MAX_IFACES][IF_NAMESIZE];
	unsigned ifaces_n;
	bool has_secret;
	__u64 secret[2];
	unsigned inserts_max;
	struct sl_lb_vip_config *vips;
	unsigned vips_n;
};

/* 0, or -errno with one line that names file, line and setting. sl_lb_config_free() after a 0. */
int sl_lb_config_read(const char *file, struct sl_lb_config *config, struct sl_error *err);
void sl_lb_config_free(struct sl_lb_config *config);

/* Address and port as text: "192.0.2.1:80", "[2001:db8::1]:443"; port 0: without it. */
void sl_lb_end_text(const __be32 addr[4], bool v6, __be16 port, char *buf, size_t size);
/* The other way; *v6 tells. -EINVAL. */
int sl_lb_address_parse(const char *text, __be32 addr[4], bool *v6);
int sl_lb_end_parse(const char *text, __be32 addr[4], bool *v6, __be16 *port);

extern const char *const sl_lb_state_words[]; /* by enum sl_lb_state, NULL-terminated */
extern const char *const sl_lb_select_words[];
extern const char *const sl_lb_keep_words[];

#endif /* SL_PLATFORM_LB_CONFIG_H */
