/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rss.h - a NIC's own indirection table (RETA), its key, hash function, and the header fields that
 * it hashes.
 *
 * Table and key go through ethtool netlink where the kernel has RSS_GET (6.3) and RSS_SET (6.17),
 * else through the ioctl; the fields through the ioctl, which every kernel has. Interfaces are
 * those of the calling thread's network namespace. Any thread.
 */
#ifndef SL_PLATFORM_RSS_H
#define SL_PLATFORM_RSS_H

#include <stdbool.h>
#include <stdint.h>

#define SL_RETA_MAX 4096 /* entries; the largest in a driver is 2,048 (ice) */
#define SL_RSS_KEY_MAX 256 /* bytes */

/* Bits of hfunc: the kernel's string set ETH_SS_RSS_HASH_FUNCS. */
#define SL_RSS_TOEPLITZ 1u

struct sl_rss {
	uint32_t hfunc; /* 0: unknown */
	uint32_t transform; /* RXH_XFRM_*: of the fields before they are hashed; 0: none. Read only
			     */
	unsigned entries; /* 0: the device has no table */
	unsigned key_bytes; /* 0: it does not show its key */
	uint32_t reta[SL_RETA_MAX]; /* RX queue of each entry */
	uint8_t key[SL_RSS_KEY_MAX];
};

/* Flow types that have ports. */
enum sl_flow_type { SL_FLOW_TCP4, SL_FLOW_TCP6, SL_FLOW_UDP4, SL_FLOW_UDP6, SL_FLOW_TYPES };

/* Header fields: ethtool's RXH_*. */
#define SL_HASH_ADDRESSES (0x10u | 0x20u)
#define SL_HASH_PORTS (0x40u | 0x80u)

/* How the device is reached; the kernel's by sl_rss_kernel(), a test's by its own functions. */
struct sl_rss_door {
	/* SIOCETHTOOL with `data`: 0 or -errno */
	int (*ioctl)(void *ctx, const char *ifname, void *data);
	/* -EOPNOTSUPP: this kernel has no such netlink command, the ioctl is asked instead */
	int (*get)(void *ctx, const char *ifname, struct sl_rss *rss);
	int (*set)(void *ctx, const char *ifname, const struct sl_rss *rss);
	void *ctx;
};
const struct sl_rss_door *sl_rss_kernel(void);

/* -EOPNOTSUPP: the driver has no RSS that it shows. -E2BIG: a larger table than SL_RETA_MAX. */
int sl_rss_get(const struct sl_rss_door *door, const char *ifname, struct sl_rss *rss);

/*
 * Make table, key and hash function those of `want`, which has the sizes that sl_rss_get() gave;
 * nothing is written where all is so already, and only what differs (the kernel takes a table as a
 * whole). *changed entries of the table were written. Drivers may reset a link: never per packet.
 */
int sl_rss_set(const struct sl_rss_door *door, const char *ifname, const struct sl_rss *want,
	       unsigned *changed);

/* Write the table though it reads back the same: some devices show what they do not do. */
int sl_rss_write_table(const struct sl_rss_door *door, const char *ifname,
		       const struct sl_rss *rss);

/* Back to what the driver makes of the table by itself. */
int sl_rss_default_table(const struct sl_rss_door *door, const char *ifname);

/* Fields that go into the hash of a type of flow. -EOPNOTSUPP. */
int sl_rss_fields_get(const struct sl_rss_door *door, const char *ifname, enum sl_flow_type type,
		      uint32_t *fields);
int sl_rss_fields_set(const struct sl_rss_door *door, const char *ifname, enum sl_flow_type type,
		      uint32_t fields);

/* Make the table what `ethtool -X IF equal N` does: queues 0..queues in turn. */
void sl_rss_spread(struct sl_rss *rss, unsigned queues);

#endif /* SL_PLATFORM_RSS_H */
