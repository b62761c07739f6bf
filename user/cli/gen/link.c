// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/gen/link.h"

#include <errno.h>
#include <ifaddrs.h>
#include <linux/if_link.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "platform/instance.h"

/* A privileged process sees the namespace that it was started in, not the one that mounted /sys. */
#define ARP_TABLE "/proc/thread-self/net/arp"

static int ask(int fd, struct gen_link *link, struct sl_error *err)
{
	struct ifreq req = {0};

	memcpy(req.ifr_name, link->name, sizeof(req.ifr_name));
	if (ioctl(fd, SIOCGIFINDEX, &req))
		return sl_error_set(err, -ENODEV,
				    "no interface %s in this network namespace; see ip link",
				    link->name);
	link->ifindex = req.ifr_ifindex;
	if (ioctl(fd, SIOCGIFFLAGS, &req) || !(req.ifr_flags & IFF_UP))
		return sl_error_set(err, -ENETDOWN, "%s is down: ip link set %s up", link->name,
				    link->name);
	if (ioctl(fd, SIOCGIFMTU, &req))
		return sl_error_set(err, -errno, "%s: no MTU: %s", link->name, strerror(errno));
	link->mtu = (uint32_t)req.ifr_mtu;
	if (ioctl(fd, SIOCGIFHWADDR, &req) || req.ifr_hwaddr.sa_family != ARPHRD_ETHER)
		return sl_error_set(
			err, -EMEDIUMTYPE,
			"%s is no Ethernet interface: packets could not be built for it",
			link->name);
	memcpy(link->mac, req.ifr_hwaddr.sa_data, 6);
	return 0;
}

int gen_link_get(struct gen_link *link, const char *name, struct sl_error *err)
{
	int fd, rc;

	memset(link, 0, sizeof(*link));
	if (strlen(name) >= sizeof(link->name))
		return sl_error_set(err, -ENODEV, "no interface %s: names have %zu letters at most",
				    name, sizeof(link->name) - 1);
	strcpy(link->name, name);
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return sl_error_set(err, -errno, "no socket: %s", strerror(errno));
	rc = ask(fd, link, err);
	close(fd);
	return rc;
}

static bool mac_scan(const char *text, uint8_t mac[6])
{
	int end = 0;

	return sscanf(text, "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx%n", &mac[0], &mac[1], &mac[2],
		      &mac[3], &mac[4], &mac[5], &end) == 6 &&
	       !text[end];
}

bool gen_link_neighbour(const struct gen_link *link, uint8_t mac[6])
{
	char line[256], text[32], dev[32];
	uint8_t found[6];
	unsigned flags, n = 0;
	FILE *f = fopen(ARP_TABLE, "re");

	if (!f)
		return false;
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%*s %*s %x %31s %*s %31s", &flags, text, dev) != 3 ||
		    strcmp(dev, link->name) || !(flags & ATF_COM) || !mac_scan(text, found))
			continue;
		if (n && memcmp(found, mac, 6)) {
			n++;
			break;
		}
		memcpy(mac, found, 6);
		n = 1;
	}
	fclose(f);
	return n == 1;
}

int gen_mac_parse(const char *option, const char *text, uint8_t mac[6], struct sl_error *err)
{
	if (mac_scan(text, mac))
		return 0;
	return sl_error_set(err, -EINVAL,
			    "--%s: \"%s\" is no MAC address; write it as 02:00:00:00:00:01", option,
			    text);
}

uint32_t gen_link_tx_dropped(const struct gen_link *link)
{
	const struct rtnl_link_stats *stats;
	struct ifaddrs *list;
	uint32_t dropped = 0;

	if (getifaddrs(&list))
		return 0;
	for (struct ifaddrs *i = list; i; i = i->ifa_next) {
		if (!i->ifa_addr || i->ifa_addr->sa_family != AF_PACKET || !i->ifa_data ||
		    strcmp(i->ifa_name, link->name))
			continue;
		stats = i->ifa_data;
		dropped = stats->tx_dropped;
	}
	freeifaddrs(list);
	return dropped;
}
