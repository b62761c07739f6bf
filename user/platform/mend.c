// SPDX-License-Identifier: GPL-2.0-or-later
/* What the doctor's findings ask for. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "platform/ethtool.h"
#include "platform/examine.h"
#include "platform/features.h"
#include "platform/napi.h"
#include "platform/netlink.h"
#include "platform/peer.h"
#include "platform/rss.h"

/* Only those that are on: asking for what a device does not have is an error. */
static int turn_off(const char *ifname, const struct sl_mend *mend)
{
	const char *names[SL_MEND_FEATURES];
	struct sl_feature f;
	unsigned n = 0;

	for (unsigned i = 0; i < mend->features_n; i++) {
		f.name = mend->features[i];
		if (!sl_features_get(ifname, &f, 1) && f.on && !f.fixed)
			names[n++] = f.name;
	}
	return n ? sl_features_set(ifname, names, n, false) : 0;
}

static int set_rss(const char *ifname, const struct sl_mend *mend)
{
	const struct sl_rss_door *door = sl_rss_kernel();
	struct sl_rss *rss = malloc(sizeof(*rss));
	unsigned changed;
	int rc;

	if (!rss)
		return -ENOMEM;
	rc = sl_rss_get(door, ifname, rss);
	if (!rc) {
		if (mend->kind == SL_MEND_RETA)
			sl_rss_spread(rss, mend->value);
		else
			rss->hfunc = SL_RSS_TOEPLITZ;
		rc = sl_rss_set(door, ifname, rss, &changed);
	}
	free(rss);
	return rc;
}

static int set_irq(uint32_t irq, uint32_t cpu)
{
	char path[64], text[16];
	int fd, rc = 0, len;

	snprintf(path, sizeof(path), "/proc/irq/%u/smp_affinity_list", irq);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	len = snprintf(text, sizeof(text), "%u\n", cpu);
	if (write(fd, text, (size_t)len) != len)
		rc = -errno;
	close(fd);
	return rc;
}

static int set_thread(uint32_t pid, uint32_t cpu)
{
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(cpu, &cpus);
	return sched_setaffinity((pid_t)pid, sizeof(cpus), &cpus) ? -errno : 0;
}

static int apply(const char *ifname, const struct sl_mend *mend)
{
	switch (mend->kind) {
	case SL_MEND_UP:
		return sl_link_up(ifname);
	case SL_MEND_MTU:
		return sl_link_set_mtu(ifname, mend->value);
	case SL_MEND_QUEUES:
		return sl_ethtool_set_channels(ifname, mend->peer ? 0 : mend->value,
					       mend->peer ? mend->value : 0);
	case SL_MEND_OFFLOADS:
		return turn_off(ifname, mend);
	case SL_MEND_RETA:
	case SL_MEND_TOEPLITZ:
		return set_rss(ifname, mend);
	case SL_MEND_FIELDS:
		return sl_rss_fields_set(sl_rss_kernel(), ifname, (enum sl_flow_type)mend->id,
					 mend->value);
	case SL_MEND_IRQ:
		return set_irq(mend->id, mend->value);
	case SL_MEND_THREAD:
		return set_thread(mend->id, mend->value);
	case SL_MEND_DEFER:
		return sl_napi_defer(mend->id, SL_DEFER_HARD_IRQS, SL_GRO_FLUSH_NS);
	case SL_MEND_NONE:
		break;
	}
	return -EOPNOTSUPP;
}

int sl_mend_apply(const char *ifname, const struct sl_mend *mend)
{
	struct sl_peer peer;
	int rc, back;

	if (!mend->peer)
		return apply(ifname, mend);
	rc = sl_peer_find(ifname, &peer);
	if (rc)
		return rc;
	rc = sl_peer_enter(&peer, &back);
	if (!rc) {
		rc = apply(peer.name, mend);
		sl_peer_leave(back);
	}
	sl_peer_close(&peer);
	return rc;
}
