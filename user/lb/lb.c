// SPDX-License-Identifier: GPL-2.0-or-later
/* Program, pins and interfaces of a load balancer. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <linux/if_link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lb.skel.h"
#include "platform/hook.h"
#include "lb/lb.h"
#include "platform/netns.h"
#include "platform/pinned.h"

#define KIND "lb-1"
_Static_assert(SL_LB_ABI_VERSION == 1, "it is in the directory's name");

#define SERVERS_SIZE (SL_LB_MAX_SERVERS * sizeof(struct sl_lb_server))

/* The program last. */
static const char *const names[SL_LB_MAPS + 1] = {
	[SL_LB_M_CONTROL] = "lb_control",
	[SL_LB_M_VIPS] = "lb_vips",
	[SL_LB_M_NETWORKS] = "lb_networks",
	[SL_LB_M_SERVERS] = "lb_servers",
	[SL_LB_M_REVERSE] = "lb_reverse",
	[SL_LB_M_TUNNELS] = "lb_tunnels",
	[SL_LB_M_CLOCKS] = "lb_clocks",
	[SL_LB_M_WATCH] = "lb_watch",
	[SL_LB_M_CONNECTIONS] = "lb_connections",
	[SL_LB_M_COUNTS] = "lb_counts",
	[SL_LB_M_VIP_STATS] = "lb_vip_stats",
	[SL_LB_M_SERVER_STATS] = "lb_server_stats",
	[SL_LB_M_PORTS] = "lb_ports",
	[SL_LB_M_TABLES] = "lb_tables",
	[SL_LB_M_QUIC] = "lb_quic",
	[SL_LB_M_QUIC_SERVERS] = "lb_quic_servers",
	[SL_LB_M_CORES] = "lb_cores",
	[SL_LB_M_SLOTS] = "lb_slots",
	[SL_LB_MAPS] = "sluice_lb",
};

static void begin(struct sl_lb *lb, const char *name)
{
	*lb = (struct sl_lb){.lock = -1, .prog = -1};
	snprintf(lb->name, sizeof(lb->name), "%s", name);
	for (unsigned i = 0; i < SL_LB_MAPS; i++)
		lb->map[i] = -1;
}

void sl_lb_unlock(struct sl_lb *lb)
{
	if (lb->lock >= 0)
		close(lb->lock);
	lb->lock = -1;
}

/* 0: there is none. */
static uint64_t pin_inode(const struct sl_lb *lb)
{
	char file[SL_PIN_PATH];
	struct stat st;

	sl_pinned_path(file, KIND, lb->name, names[SL_LB_MAPS]);
	return stat(file, &st) ? 0 : st.st_ino;
}

int sl_lb_lock(struct sl_lb *lb, bool wait)
{
	struct sl_error ignored;
	int fd = wait ? sl_pin_lock(true, &ignored) : sl_pin_try();

	if (fd < 0)
		return fd;
	lb->lock = fd;
	if (pin_inode(lb) == lb->inode)
		return 0;
	sl_lb_unlock(lb);
	return -ENOENT;
}

void sl_lb_run_lock(const char *name, char lock[SL_NAME_MAX + 4])
{
	snprintf(lock, SL_NAME_MAX + 4, "lb-%s", name);
}

void sl_lb_close(struct sl_lb *lb)
{
	if (lb->servers)
		munmap((void *)lb->servers, SERVERS_SIZE);
	for (unsigned i = 0; i < SL_LB_MAPS; i++)
		if (lb->map[i] >= 0)
			close(lb->map[i]);
	if (lb->prog >= 0)
		close(lb->prog);
	sl_lb_unlock(lb);
	begin(lb, "");
}

static int open_pins(struct sl_lb *lb)
{
	int rc = sl_pinned_open(KIND, lb->name, names, SL_LB_MAPS, lb->map);
	void *servers;

	if (!rc)
		rc = sl_pinned_open(KIND, lb->name, names + SL_LB_MAPS, 1, &lb->prog);
	if (rc)
		return rc;
	/* A system call for each of all ids is seconds when there are many servers. */
	servers = mmap(NULL, SERVERS_SIZE, PROT_READ, MAP_SHARED, lb->map[SL_LB_M_SERVERS], 0);
	if (servers == MAP_FAILED)
		return -errno;
	lb->servers = servers;
	lb->inode = pin_inode(lb);
	return 0;
}

/* Interface indexes and routes are those of one network namespace. */
static int check_netns(const struct sl_lb *lb, struct sl_error *err)
{
	struct sl_lb_control ctl = {0};
	uint32_t zero = 0;

	if (bpf_map_lookup_elem(lb->map[SL_LB_M_CONTROL], &zero, &ctl) || !ctl.netns ||
	    ctl.netns == sl_netns_self() || !sl_netns_alive(ctl.netns))
		return 0;
	return sl_error_set(err, -EINVAL,
			    "load balancer \"%s\" is in another network namespace: go there, or "
			    "give this one another name",
			    lb->name);
}

int sl_lb_open(const char *name, struct sl_lb *lb, struct sl_error *err)
{
	int rc;

	begin(lb, name);
	rc = sl_pinned_name_check("a load balancer", name, err);
	if (rc)
		return rc;
	lb->lock = sl_pin_claim(NULL, err);
	if (lb->lock < 0)
		return lb->lock;
	rc = open_pins(lb);
	if (!rc) {
		rc = check_netns(lb, err);
		if (rc)
			sl_lb_close(lb);
		return rc;
	}
	sl_lb_close(lb);
	return sl_error_set(err, rc,
			    rc == -ENOENT
				    ? "there is no load balancer \"%s\": `sluice lb apply FILE` "
				      "makes one"
				    : "load balancer \"%s\": %s",
			    name, strerror(-rc));
}

static struct lb_bpf *load(unsigned slots)
{
	struct lb_bpf *skel = lb_bpf__open();
	unsigned blocks = sl_lb_blocks(slots ? slots : SL_LB_SLOTS_DEFAULT);

	if (skel && (bpf_map__set_max_entries(skel->maps.lb_slots, blocks) || lb_bpf__load(skel))) {
		int saved = errno;

		lb_bpf__destroy(skel);
		errno = saved;
		return NULL;
	}
	return skel;
}

int sl_lb_claim(const struct sl_lb_config *config, struct sl_lb *lb, bool *created,
		struct sl_error *err)
{
	const char *name = config->name;
	struct lb_bpf *skel;
	int rc = sl_lb_open(name, lb, err);

	*created = false;
	if (rc != -ENOENT)
		return rc;
	begin(lb, name);
	lb->lock = sl_pin_claim(NULL, err);
	if (lb->lock < 0)
		return lb->lock;
	sl_lb_remove(lb); /* links of one that lost a pin would keep its program */
	skel = load(config->slots);
	rc = skel ? sl_pinned_store(KIND, name, names, SL_LB_MAPS + 1, skel->obj) : -errno;
	lb_bpf__destroy(skel);
	if (!rc)
		rc = open_pins(lb);
	*created = !rc;
	if (!rc)
		return 0;
	sl_lb_remove(lb);
	sl_lb_close(lb);
	return sl_error_set(err, rc, "cannot load the load balancer: %s%s", strerror(-rc),
			    rc == -EPERM ? ": run it as root" : "");
}

/* --- interfaces */

static void link_path(const struct sl_lb *lb, unsigned ifindex, char buf[SL_PIN_PATH])
{
	char file[32];

	snprintf(file, sizeof(file), "link-%u", ifindex);
	sl_pinned_path(buf, KIND, lb->name, file);
}

/* XDP answers ARP with it. */
static int enter_mac(const struct sl_lb *lb, const char *ifname, unsigned ifindex)
{
	struct sl_lb_port port = {0};
	struct ifreq req = {0};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), rc;

	if (fd < 0)
		return -errno;
	strncpy(req.ifr_name, ifname, IFNAMSIZ - 1);
	rc = ioctl(fd, SIOCGIFHWADDR, &req) ? -errno : 0;
	close(fd);
	memcpy(port.mac, req.ifr_hwaddr.sa_data, sizeof(port.mac));
	if (!rc && bpf_map_update_elem(lb->map[SL_LB_M_PORTS], &ifindex, &port, BPF_ANY))
		rc = -errno;
	return rc;
}

int sl_lb_attach(struct sl_lb *lb, const char *ifname, struct sl_error *err)
{
	unsigned ifindex = if_nametoindex(ifname);
	enum sl_xdp_mode mode = SL_XDP_UNKNOWN;
	char file[SL_PIN_PATH];
	struct sl_error note;
	int fd, rc;

	if (!ifindex)
		return sl_error_set(err, -ENODEV, "%s: no such interface: `ip link` lists them",
				    ifname);
	rc = enter_mac(lb, ifname, ifindex);
	if (rc)
		return sl_error_set(err, rc, "%s: %s", ifname, strerror(-rc));
	link_path(lb, ifindex, file);
	fd = bpf_obj_get(file);
	if (fd >= 0) {
		rc = sl_link_ifindex(fd) == (int)ifindex;
		close(fd);
		if (rc)
			return 0;
		unlink(file); /* of an interface that is gone */
	}
	fd = sl_hook_link(ifname, (int)ifindex, lb->prog, &mode, &note, err);
	if (fd < 0)
		return fd;
	rc = bpf_obj_pin(fd, file) ? -errno : 0;
	close(fd);
	return rc ? sl_error_set(err, rc, "%s: cannot pin the link: %s", ifname, strerror(-rc)) : 0;
}

/* Pins of links, SL_LB_LINKS_MAX at most; of interfaces that are gone too. */
static unsigned links(const struct sl_lb *lb, unsigned ifindex[SL_LB_LINKS_MAX])
{
	char dir[SL_PIN_PATH];
	struct dirent *e;
	unsigned n = 0;
	DIR *d;

	sl_pinned_path(dir, KIND, lb->name, NULL);
	d = opendir(dir);
	while (d && n < SL_LB_LINKS_MAX && (e = readdir(d)))
		if (sscanf(e->d_name, "link-%u", &ifindex[n]) == 1)
			n++;
	if (d)
		closedir(d);
	return n;
}

static bool is_gone(const struct sl_lb *lb, unsigned ifindex)
{
	char file[SL_PIN_PATH];
	int fd;
	bool gone;

	link_path(lb, ifindex, file);
	fd = bpf_obj_get(file);
	gone = fd >= 0 && sl_link_ifindex(fd) != (int)ifindex;
	if (fd >= 0)
		close(fd);
	return gone;
}

void sl_lb_tidy(const struct sl_lb *lb)
{
	unsigned ifindex[SL_LB_LINKS_MAX], n = links(lb, ifindex);
	char file[SL_PIN_PATH];

	for (unsigned i = 0; i < n; i++)
		if (is_gone(lb, ifindex[i])) {
			link_path(lb, ifindex[i], file);
			unlink(file);
			bpf_map_delete_elem(lb->map[SL_LB_M_PORTS], &ifindex[i]);
		}
}

void sl_lb_ifaces(const struct sl_lb *lb, unsigned ifindex[SL_LB_LINKS_MAX + 1])
{
	unsigned all[SL_LB_LINKS_MAX], n = links(lb, all), there = 0;

	for (unsigned i = 0; i < n; i++)
		if (!is_gone(lb, all[i]))
			ifindex[there++] = all[i];
	ifindex[there] = 0;
}

void sl_lb_remove(struct sl_lb *lb)
{
	unsigned ifindex[SL_LB_LINKS_MAX], n = links(lb, ifindex);
	char file[SL_PIN_PATH];

	for (unsigned i = 0; i < n; i++) {
		link_path(lb, ifindex[i], file);
		unlink(file);
	}
	sl_pinned_remove(KIND, lb->name, names, SL_LB_MAPS + 1);
}

/* --- what the maps say */

unsigned sl_lb_blocks(unsigned slots)
{
	unsigned blocks = 1;

	while (blocks * SL_LB_BLOCK_SLOTS < slots && blocks < SL_LB_BLOCKS_MAX)
		blocks *= 2;
	return blocks;
}

unsigned sl_lb_slots(const struct sl_lb *lb)
{
	struct bpf_map_info info = {0};
	uint32_t size = sizeof(info);

	if (bpf_obj_get_info_by_fd(lb->map[SL_LB_M_SLOTS], &info, &size))
		return 0;
	return info.max_entries * SL_LB_BLOCK_SLOTS;
}

int sl_lb_server(const struct sl_lb *lb, uint32_t id, struct sl_lb_server *s)
{
	if (id >= SL_LB_MAX_SERVERS)
		return -ENOENT;
	*s = lb->servers[id];
	return 0;
}

bool sl_lb_server_there(const struct sl_lb *lb, uint32_t id, struct sl_lb_server *s)
{
	return !sl_lb_server(lb, id, s) && s->state != SL_LB_ABSENT;
}

static int add_entry(struct sl_lb_vip_entry **vips, unsigned *n, const struct sl_lb_vip_entry *e)
{
	void *grown;

	if (!e->key.proto || e->key.fragments) /* beside the VIP's own */
		return 0;
	grown = reallocarray(*vips, *n + 1, sizeof(**vips));
	if (!grown)
		return -ENOMEM;
	*vips = grown;
	(*vips)[(*n)++] = *e;
	return 0;
}

unsigned sl_lb_vip_prefix(const struct sl_lb *lb, const __be32 addr[4])
{
	const unsigned v4 = addr[0] || addr[1] || addr[2] ? 0 : 96;
	struct sl_lb_network key, *last = NULL;

	while (!bpf_map_get_next_key(lb->map[SL_LB_M_NETWORKS], last, &key)) {
		if (!memcmp(key.addr, addr, sizeof(key.addr)) && key.bits >= v4)
			return key.bits - v4;
		last = &key;
	}
	return 128 - v4;
}

int sl_lb_vips(const struct sl_lb *lb, struct sl_lb_vip_entry **vips, unsigned *n)
{
	struct sl_lb_vip_key *after = NULL;
	struct sl_lb_vip_entry e;
	int rc = 0;

	*vips = NULL;
	*n = 0;
	while (!rc && !bpf_map_get_next_key(lb->map[SL_LB_M_VIPS], after, &e.key)) {
		after = &e.key;
		if (!bpf_map_lookup_elem(lb->map[SL_LB_M_VIPS], after, &e.vip))
			rc = add_entry(vips, n, &e);
	}
	if (rc)
		free(*vips);
	return rc;
}
