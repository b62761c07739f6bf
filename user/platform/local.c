// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * local.c - the host's own addresses.
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "platform/local.h"
#include "platform/netlink.h"

static const char *const well_known[] = {
	"::ffff:255.255.255.255",
	"::ffff:224.0.0.1", /* all systems */
	"::ffff:224.0.0.2", /* all routers */
	"::ffff:224.0.0.5", /* OSPF */
	"::ffff:224.0.0.6", /* OSPF designated routers */
	"::ffff:224.0.0.9", /* RIP */
	"::ffff:224.0.0.10", /* EIGRP */
	"::ffff:224.0.0.13", /* PIM */
	"::ffff:224.0.0.18", /* VRRP */
	"::ffff:224.0.0.22", /* IGMP */
	"::ffff:224.0.0.251", /* mDNS */
	"::ffff:224.0.0.252", /* LLMNR */
	"ff02::1", /* all nodes */
	"ff02::2", /* all routers */
	"ff02::5", /* OSPF */
	"ff02::6", /* OSPF designated routers */
	"ff02::9", /* RIP */
	"ff02::d", /* PIM */
	"ff02::12", /* VRRP */
	"ff02::16", /* MLDv2 */
	"ff02::fb", /* mDNS */
	"ff02::1:2", /* DHCP agents */
	"ff02::1:3", /* LLMNR */
};

struct addr_set {
	struct sl_addr *addrs;
	unsigned n, room;
	int rc;
};

static void set_add(struct addr_set *set, const void *addr)
{
	if (set->n == set->room) {
		const unsigned room = set->room ? 2 * set->room : 64;
		struct sl_addr *more = realloc(set->addrs, room * sizeof(*more));

		if (!more) {
			set->rc = -ENOMEM;
			return;
		}
		set->addrs = more;
		set->room = room;
	}
	memcpy(set->addrs[set->n++].b, addr, sizeof(struct sl_addr));
}

static void set_add_v4(struct addr_set *set, __u32 network_order)
{
	struct sl_addr a = {.b = {[10] = 0xff, [11] = 0xff}};

	memcpy(a.b + 12, &network_order, 4);
	set_add(set, &a);
}

static void add_addresses(struct addr_set *set)
{
	const struct sl_addr none = {0};
	struct sl_local_addr *addrs;
	unsigned n;
	int rc;

	rc = sl_addr_list(&addrs, &n);
	if (rc) {
		set->rc = rc;
		return;
	}
	for (unsigned i = 0; i < n; i++) {
		set_add(set, &addrs[i].addr);
		if (memcmp(&addrs[i].broadcast, &none, sizeof(none)) != 0)
			set_add(set, &addrs[i].broadcast);
		/* RFC 3021: a /31 has no broadcast. The kernel delivers the computed one also
		 * where none was configured. */
		if (addrs[i].v4 && addrs[i].prefix < 31) {
			__u32 a;

			memcpy(&a, addrs[i].addr.b + 12, sizeof(a));
			set_add_v4(set, a | htonl(0xffffffffu >> addrs[i].prefix));
		}
	}
	free(addrs);
}

/* "\t\t\t\t010000E0     1 0:00000000 0": the group as the kernel holds it, in network order. */
static void add_igmp(struct addr_set *set)
{
	char line[256];
	unsigned group;
	FILE *f = fopen("/proc/thread-self/net/igmp", "re");

	while (f && fgets(line, sizeof(line), f))
		if (line[0] == '\t' && sscanf(line, "%x", &group) == 1)
			set_add_v4(set, group);
	if (f)
		fclose(f);
}

/* "2    eth0  ff0200000000000000000001ff000001     1 00000004 0" */
static void add_mld(struct addr_set *set)
{
	char line[256], hex[33];
	struct sl_addr a;
	FILE *f = fopen("/proc/thread-self/net/igmp6", "re");

	while (f && fgets(line, sizeof(line), f)) {
		unsigned bytes = 0;

		if (sscanf(line, "%*u %*s %32s", hex) != 1)
			continue;
		while (bytes < 16 && sscanf(hex + (size_t)2 * bytes, "%2hhx", &a.b[bytes]) == 1)
			bytes++;
		if (bytes == 16)
			set_add(set, &a);
	}
	if (f)
		fclose(f);
}

static int compare(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct sl_addr));
}

int sl_local_collect(struct sl_addr **addrs, unsigned *n)
{
	struct addr_set set = {0};
	unsigned kept = 0;

	add_addresses(&set);
	add_igmp(&set);
	add_mld(&set);
	for (unsigned i = 0; i < sizeof(well_known) / sizeof(well_known[0]); i++) {
		struct sl_addr a;

		if (inet_pton(AF_INET6, well_known[i], &a) == 1)
			set_add(&set, &a);
	}
	if (set.rc) {
		free(set.addrs);
		return set.rc;
	}
	qsort(set.addrs, set.n, sizeof(*set.addrs), compare);
	for (unsigned i = 0; i < set.n; i++)
		if (!kept || compare(&set.addrs[kept - 1], &set.addrs[i]))
			set.addrs[kept++] = set.addrs[i];
	*addrs = set.addrs;
	*n = kept;
	return 0;
}

int sl_local_add(int map_fd, const struct sl_addr *addrs, unsigned n)
{
	const __u8 one = 1;

	for (unsigned i = 0; i < n; i++)
		if (bpf_map_update_elem(map_fd, &addrs[i], &one, BPF_ANY))
			return -errno;
	return 0;
}

int sl_local_prune(int map_fd, const struct sl_addr *addrs, unsigned n)
{
	struct sl_addr key, next, *at = NULL;
	bool more = !bpf_map_get_next_key(map_fd, NULL, &next);

	while (more) {
		key = next;
		at = &key;
		more = !bpf_map_get_next_key(map_fd, at, &next);
		if (!bsearch(at, addrs, n, sizeof(*addrs), compare) &&
		    bpf_map_delete_elem(map_fd, at) && errno != ENOENT)
			return -errno;
	}
	return 0;
}

bool sl_local_same(int map_fd, const struct sl_addr *addrs, unsigned n)
{
	struct sl_addr key;
	unsigned count = 0;
	int rc;

	for (rc = bpf_map_get_next_key(map_fd, NULL, &key); !rc;
	     rc = bpf_map_get_next_key(map_fd, &key, &key)) {
		if (!bsearch(&key, addrs, n, sizeof(*addrs), compare))
			return false;
		count++;
	}
	return count == n;
}
