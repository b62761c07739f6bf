/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * link.h - what the generator needs to know of an interface of this network namespace.
 */
#ifndef SL_GEN_LINK_H
#define SL_GEN_LINK_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include <sluice/error.h>

struct gen_link {
	char name[IF_NAMESIZE];
	int ifindex;
	uint32_t mtu;
	uint8_t mac[6];
};

/* 0; -ENODEV, -ENETDOWN, -EMEDIUMTYPE (no Ethernet) with a line in err. */
int gen_link_get(struct gen_link *link, const char *name, struct sl_error *err);

/*
 * The MAC address of the neighbour on the link: true if the IPv4 neighbour table knows exactly one.
 */
bool gen_link_neighbour(const struct gen_link *link, uint8_t mac[6]);

/* "02:00:00:00:00:01". 0 or -EINVAL with a line that names --`option`. */
int gen_mac_parse(const char *option, const char *text, uint8_t mac[6], struct sl_error *err);

/* Packets that the interface says it dropped on transmit, modulo 2^32. 0 if it cannot be asked. */
uint32_t gen_link_tx_dropped(const struct gen_link *link);

#endif /* SL_GEN_LINK_H */
