// SPDX-License-Identifier: GPL-2.0-or-later
/* Programs, maps and interfaces of the agent. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent.skel.h"
#include "lb/agent.h"
#include "platform/hook.h"
#include "lb/secret.h"
#include "platform/netns.h"
#include "platform/pinned.h"
#include "platform/tc.h"

#define KIND "agent-1"
_Static_assert(SL_AGENT_ABI_VERSION == 1, "it is in the directory's name");

static const char *const names[SL_AGENT_OBJECTS] = {
	[SL_AGENT_O_CONTROL] = "agent_control",	  [SL_AGENT_O_VIPS] = "agent_vips",
	[SL_AGENT_O_FROM] = "agent_from",	  [SL_AGENT_O_PORTS] = "agent_ports",
	[SL_AGENT_O_SERVICES] = "agent_services", [SL_AGENT_O_OUT] = "sluice_agent_out",
	[SL_AGENT_O_COUNTS] = "agent_counts",	  [SL_AGENT_O_IN] = "sluice_agent_in",
};

static const struct {
	enum sl_tc_way way;
	enum sl_agent_object prog;
} hooks[] = {
	{SL_TC_OUT, SL_AGENT_O_OUT},
	{SL_TC_IN, SL_AGENT_O_IN},
};
#define HOOKS (sizeof(hooks) / sizeof(hooks[0]))

static void begin(struct sl_agent *agent, const char *name)
{
	*agent = (struct sl_agent){.lock = -1};
	snprintf(agent->name, sizeof(agent->name), "%s", name);
	for (unsigned i = 0; i < SL_AGENT_OBJECTS; i++)
		agent->fd[i] = -1;
}

void sl_agent_close(struct sl_agent *agent)
{
	for (unsigned i = 0; i < SL_AGENT_OBJECTS; i++)
		if (agent->fd[i] >= 0)
			close(agent->fd[i]);
	if (agent->lock >= 0)
		close(agent->lock);
	begin(agent, "");
}

static int lock(const char *name, struct sl_agent *agent, struct sl_error *err)
{
	int rc = sl_pinned_name_check("an agent", name, err);

	begin(agent, name);
	if (!rc) {
		agent->lock = sl_pin_claim(NULL, err);
		rc = agent->lock < 0 ? agent->lock : 0;
	}
	return rc;
}

/* The control entry is all zeros in an agent that was never used. */
static int read_control(const struct sl_agent *agent, struct sl_agent_control *ctl)
{
	uint32_t zero = 0;

	return bpf_map_lookup_elem(agent->fd[SL_AGENT_O_CONTROL], &zero, ctl) ? -errno : 0;
}

static int write_control(const struct sl_agent *agent, const struct sl_agent_control *ctl)
{
	uint32_t zero = 0;

	return bpf_map_update_elem(agent->fd[SL_AGENT_O_CONTROL], &zero, ctl, BPF_ANY) ? -errno : 0;
}

/* Interface indexes and filters are those of one network namespace. */
static int check_netns(const struct sl_agent *agent, struct sl_error *err)
{
	struct sl_agent_control ctl;

	if (read_control(agent, &ctl) || !ctl.netns || ctl.netns == sl_netns_self())
		return 0;
	if (sl_netns_alive(ctl.netns))
		return sl_error_set(err, -EINVAL,
				    "agent \"%s\" is in another network namespace: go there, or "
				    "give this one a --name",
				    agent->name);
	return -ESTALE; /* its interfaces are gone, and filters with them */
}

int sl_agent_open(const char *name, struct sl_agent *agent, struct sl_error *err)
{
	int rc = lock(name, agent, err);

	if (rc)
		return rc;
	rc = sl_pinned_open(KIND, name, names, SL_AGENT_OBJECTS, agent->fd);
	if (!rc) {
		rc = check_netns(agent, err);
		if (!rc)
			return 0;
		if (rc != -ESTALE)
			goto out;
		sl_pinned_remove(KIND, name, names, SL_AGENT_OBJECTS);
		rc = -ENOENT;
	}
	sl_error_set(err, rc,
		     rc == -ENOENT ? "there is no agent \"%s\": `sluice agent attach` makes one"
				   : "agent \"%s\": %s",
		     name, strerror(-rc));
out:
	sl_agent_close(agent);
	return rc;
}

int sl_agent_claim(const char *name, struct sl_agent *agent, bool *created, struct sl_error *err)
{
	struct sl_agent_control ctl = {.netns = sl_netns_self()};
	struct agent_bpf *skel;
	int rc = sl_agent_open(name, agent, err);

	*created = false;
	if (rc != -ENOENT)
		return rc;
	rc = lock(name, agent, err);
	if (rc)
		return rc;
	skel = agent_bpf__open_and_load();
	rc = skel ? sl_pinned_store(KIND, name, names, SL_AGENT_OBJECTS, skel->obj) : -errno;
	agent_bpf__destroy(skel);
	if (!rc)
		rc = sl_pinned_open(KIND, name, names, SL_AGENT_OBJECTS, agent->fd);
	if (!rc)
		rc = write_control(agent, &ctl);
	*created = !rc;
	if (!rc)
		return 0;
	sl_pinned_remove(KIND, name, names, SL_AGENT_OBJECTS);
	sl_agent_close(agent);
	return sl_error_set(err, rc, "cannot load the agent: %s%s", strerror(-rc),
			    rc == -EPERM ? ": run it as root" : "");
}

/* --- what it takes off */

static bool among(const void *key, size_t size, const void *keys, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (!memcmp(key, (const char *)keys + i * size, size))
			return true;
	return false;
}

/*
 * The map's keys become these, with values of `value_size` or (0) the same for all: new ones come
 * before old ones go.
 */
static int set_entries(int map, const void *keys, size_t size, const void *values,
		       size_t value_size, unsigned n)
{
	char key[32], after[32], *last = NULL;

	for (unsigned i = 0; i < n; i++)
		if (bpf_map_update_elem(map, (const char *)keys + i * size,
					(const char *)values + i * value_size, BPF_ANY))
			return -errno;
	while (!bpf_map_get_next_key(map, last, key)) {
		if (among(key, size, keys, n)) {
			memcpy(after, key, size);
			last = after;
		} else if (bpf_map_delete_elem(map, key)) {
			return -errno;
		}
	}
	return 0;
}

static unsigned get_keys(int map, void *keys, size_t size, unsigned max)
{
	unsigned n = 0;
	char *last = NULL;

	while (n < max && !bpf_map_get_next_key(map, last, (char *)keys + n * size))
		last = (char *)keys + n++ * size;
	return n;
}

int sl_agent_apply(const struct sl_agent *agent, const struct sl_agent_config *config,
		   struct sl_error *err)
{
	const uint32_t one = 1;
	struct sl_agent_control ctl;
	int rc = read_control(agent, &ctl);

	ctl.gue_port = config->gue_port;
	if (!rc)
		rc = set_entries(agent->fd[SL_AGENT_O_FROM], config->from, sizeof(config->from[0]),
				 &one, 0, config->from_n);
	if (!rc)
		rc = set_entries(agent->fd[SL_AGENT_O_VIPS], config->vips, sizeof(config->vips[0]),
				 &one, 0, config->vips_n);
	if (!rc)
		rc = set_entries(agent->fd[SL_AGENT_O_SERVICES], config->ends,
				 sizeof(config->ends[0]), config->services,
				 sizeof(config->services[0]), config->services_n);
	if (!rc)
		rc = write_control(agent, &ctl);
	return rc ? sl_error_set(err, rc, "cannot write the agent's maps: %s", strerror(-rc)) : 0;
}

int sl_agent_secrets(const struct sl_agent *agent, const struct sl_lb_config *lb,
		     struct sl_error *err)
{
	struct sl_agent_control ctl;
	int rc = read_control(agent, &ctl);

	if (!rc) {
		rc = sl_secret_check(ctl.key, ctl.phase, lb, err);
		if (rc)
			return rc;
		rc = sl_secret_store(agent->fd[SL_AGENT_O_CONTROL], &ctl, ctl.key, &ctl.phase, lb);
	}
	return rc ? sl_error_set(err, rc, "cannot write the agent's secret: %s", strerror(-rc)) : 0;
}

int sl_agent_read(const struct sl_agent *agent, struct sl_agent_config *config)
{
	struct sl_agent_control ctl;
	int rc = read_control(agent, &ctl);

	if (rc)
		return rc;
	config->gue_port = ctl.gue_port;
	config->vips_n = get_keys(agent->fd[SL_AGENT_O_VIPS], config->vips, sizeof(config->vips[0]),
				  SL_AGENT_MAX_VIPS);
	config->from_n = get_keys(agent->fd[SL_AGENT_O_FROM], config->from, sizeof(config->from[0]),
				  SL_AGENT_MAX_FROM);
	config->services_n = get_keys(agent->fd[SL_AGENT_O_SERVICES], config->ends,
				      sizeof(config->ends[0]), SL_AGENT_MAX_VIPS);
	for (unsigned i = 0; i < config->services_n; i++)
		bpf_map_lookup_elem(agent->fd[SL_AGENT_O_SERVICES], &config->ends[i],
				    &config->services[i]);
	return 0;
}

/* --- interfaces */

static bool ours(const struct sl_agent *agent, unsigned ifindex, unsigned hook)
{
	return sl_tc_query(ifindex, hooks[hook].way) == sl_prog_id(agent->fd[hooks[hook].prog]);
}

static int check_iface(const char *ifname, unsigned ifindex, struct sl_error *err)
{
	struct ifreq req = {0};
	int fd, rc;

	if (!ifindex)
		return sl_error_set(err, -ENODEV, "%s: no such interface: `ip link` lists them",
				    ifname);
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return sl_error_set(err, -errno, "%s: %s", ifname, strerror(errno));
	strncpy(req.ifr_name, ifname, IFNAMSIZ - 1);
	rc = ioctl(fd, SIOCGIFHWADDR, &req) ? -errno : 0;
	close(fd);
	if (rc)
		return sl_error_set(err, rc, "%s: %s", ifname, strerror(-rc));
	/* the loopback interface is none of Ethernet, but its frames look so */
	if (req.ifr_hwaddr.sa_family != ARPHRD_ETHER && req.ifr_hwaddr.sa_family != ARPHRD_LOOPBACK)
		return sl_error_set(err, -EINVAL,
				    "%s is no Ethernet interface: name the one that the balancers' "
				    "packets come in by",
				    ifname);
	return 0;
}

static int hook_error(const char *ifname, int rc, struct sl_error *err)
{
	return sl_error_set(
		err, rc, "%s: no filter of tc: %s%s", ifname, strerror(-rc),
		rc == -EEXIST || rc == -EINVAL || rc == -EBUSY
			? ": another kind of qdisc or filter may be there: tc filter show dev"
			: "");
}

int sl_agent_check(const struct sl_agent *agent, const char *ifname, struct sl_error *err)
{
	unsigned ifindex = if_nametoindex(ifname);
	int rc = check_iface(ifname, ifindex, err);

	for (unsigned i = 0; !rc && i < HOOKS; i++)
		if (!ours(agent, ifindex, i) && sl_tc_query(ifindex, hooks[i].way))
			rc = sl_error_set(err, -EEXIST,
					  "%s has another agent: detach that one, it has another "
					  "--name",
					  ifname);
	return rc;
}

static void take_off(const struct sl_agent *agent, unsigned ifindex,
		     const struct sl_agent_port *port)
{
	for (unsigned i = 0; i < HOOKS; i++)
		if (ours(agent, ifindex, i))
			sl_tc_detach(ifindex, hooks[i].way);
	if (port->qdisc)
		sl_tc_tidy(ifindex);
	bpf_map_delete_elem(agent->fd[SL_AGENT_O_PORTS], &ifindex);
}

int sl_agent_attach(const struct sl_agent *agent, const char *ifname, struct sl_error *err)
{
	unsigned ifindex = if_nametoindex(ifname);
	int rc = sl_agent_check(agent, ifname, err);
	struct sl_agent_port port = {0};
	bool made, there;

	if (rc)
		return rc;
	there = !bpf_map_lookup_elem(agent->fd[SL_AGENT_O_PORTS], &ifindex, &port);
	for (unsigned i = 0; !rc && i < HOOKS; i++) {
		if (ours(agent, ifindex, i))
			continue;
		rc = sl_tc_attach(ifindex, hooks[i].way, agent->fd[hooks[i].prog], &made);
		port.qdisc |= made;
	}
	if (rc)
		hook_error(ifname, rc, err);
	else if (bpf_map_update_elem(agent->fd[SL_AGENT_O_PORTS], &ifindex, &port, BPF_ANY))
		rc = sl_error_set(err, -errno, "agent_ports: %s", strerror(errno));
	if (rc && !there)
		take_off(agent, ifindex, &port);
	return rc ? rc : !there;
}

int sl_agent_there(const struct sl_agent *agent, const char *ifname, struct sl_error *err)
{
	unsigned ifindex = if_nametoindex(ifname);
	struct sl_agent_port port;

	if (ifindex && !bpf_map_lookup_elem(agent->fd[SL_AGENT_O_PORTS], &ifindex, &port))
		return 0;
	return sl_error_set(err, -ENOENT,
			    "%s: agent \"%s\" is not there: `sluice agent show` says where it is",
			    ifname, agent->name);
}

void sl_agent_detach(const struct sl_agent *agent, const char *ifname)
{
	unsigned ifindex = if_nametoindex(ifname);
	struct sl_agent_port port;

	if (!bpf_map_lookup_elem(agent->fd[SL_AGENT_O_PORTS], &ifindex, &port))
		take_off(agent, ifindex, &port);
}

/* All that were ever attached; *gone: no program of ours is there. */
static unsigned ports(const struct sl_agent *agent, unsigned ifindex[SL_AGENT_MAX_IFACES],
		      bool gone[SL_AGENT_MAX_IFACES])
{
	unsigned n = get_keys(agent->fd[SL_AGENT_O_PORTS], ifindex, sizeof(*ifindex),
			      SL_AGENT_MAX_IFACES);

	for (unsigned i = 0; i < n; i++) {
		gone[i] = true;
		for (unsigned h = 0; h < HOOKS; h++)
			gone[i] &= !ours(agent, ifindex[i], h);
	}
	return n;
}

void sl_agent_tidy(const struct sl_agent *agent)
{
	unsigned ifindex[SL_AGENT_MAX_IFACES], n;
	bool gone[SL_AGENT_MAX_IFACES];

	n = ports(agent, ifindex, gone);
	for (unsigned i = 0; i < n; i++)
		if (gone[i])
			bpf_map_delete_elem(agent->fd[SL_AGENT_O_PORTS], &ifindex[i]);
}

void sl_agent_ifaces(const struct sl_agent *agent, unsigned ifindex[SL_AGENT_MAX_IFACES + 1])
{
	unsigned all[SL_AGENT_MAX_IFACES], n, there = 0;
	bool gone[SL_AGENT_MAX_IFACES];

	n = ports(agent, all, gone);
	for (unsigned i = 0; i < n; i++)
		if (!gone[i])
			ifindex[there++] = all[i];
	ifindex[there] = 0;
}

void sl_agent_remove(const struct sl_agent *agent)
{
	unsigned ifindex[SL_AGENT_MAX_IFACES + 1];
	struct sl_agent_port port;

	sl_agent_ifaces(agent, ifindex);
	for (unsigned i = 0; ifindex[i]; i++)
		if (!bpf_map_lookup_elem(agent->fd[SL_AGENT_O_PORTS], &ifindex[i], &port))
			take_off(agent, ifindex[i], &port);
	sl_pinned_remove(KIND, agent->name, names, SL_AGENT_OBJECTS);
}
