// SPDX-License-Identifier: GPL-2.0-or-later
/* Facts about the interface itself and a veth's peer. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "platform/ethtool.h"
#include "platform/examine.h"
#include "platform/features.h"
#include "platform/napi.h"
#include "platform/netlink.h"
#include "platform/peer.h"
#include "platform/rss.h"

_Static_assert(SL_FACT_RETA == SL_RETA_MAX, "any table fits the facts");
_Static_assert(SL_FACT_NAME == IF_NAMESIZE, "any interface's name does");

enum feature {
	LRO,
	GRO,
	GRO_HW,
	GRO_LIST,
	GRO_UDP,
	VLAN_RX,
	VLAN_TX,
	CHECKSUM_TX,
	CHECKSUM_IPV4,
	CHECKSUM_IPV6,
	SEGMENT_TX,
	SEGMENT_SOFTWARE,
	FEATURES
};

static enum sl_offload offload(const struct sl_feature *f)
{
	return !f->on ? SL_OFFLOAD_OFF : f->fixed ? SL_OFFLOAD_FIXED_ON : SL_OFFLOAD_ON;
}

static enum sl_offload either(enum sl_offload a, enum sl_offload b)
{
	return a == SL_OFFLOAD_OFF ? b : a;
}

static void read_offloads(const char *ifname, struct sl_fact_offloads *o)
{
	struct sl_feature f[FEATURES] = {
		[LRO].name = "rx-lro",
		[GRO].name = "rx-gro",
		[GRO_HW].name = "rx-gro-hw",
		[GRO_LIST].name = "rx-gro-list",
		[GRO_UDP].name = "rx-udp-gro-forwarding",
		[VLAN_RX].name = "rx-vlan-hw-parse",
		[VLAN_TX].name = "tx-vlan-hw-insert",
		[CHECKSUM_TX].name = "tx-checksum-ip-generic",
		[CHECKSUM_IPV4].name = "tx-checksum-ipv4",
		[CHECKSUM_IPV6].name = "tx-checksum-ipv6",
		[SEGMENT_TX].name = "tx-tcp-segmentation",
		[SEGMENT_SOFTWARE].name = "tx-generic-segmentation",
	};

	if (sl_features_get(ifname, f, FEATURES))
		return;
	*o = (struct sl_fact_offloads){
		.lro = offload(&f[LRO]),
		.gro = offload(&f[GRO]),
		.gro_hw = offload(&f[GRO_HW]),
		.gro_list = offload(&f[GRO_LIST]),
		.gro_udp = offload(&f[GRO_UDP]),
		.vlan_rx = offload(&f[VLAN_RX]),
		.vlan_tx = offload(&f[VLAN_TX]),
		.checksum_tx = either(offload(&f[CHECKSUM_TX]), either(offload(&f[CHECKSUM_IPV4]),
								       offload(&f[CHECKSUM_IPV6]))),
		.segment_tx = either(offload(&f[SEGMENT_TX]), offload(&f[SEGMENT_SOFTWARE])),
	};
}

static void read_queues(const struct sl_link *link, struct sl_facts *facts)
{
	struct sl_channels c;

	if (sl_ethtool_channels(facts->ifname, &c)) {
		facts->rx = facts->rx_max = link->rx_queues ? link->rx_queues : 1;
		return;
	}
	facts->rx = c.rx;
	facts->rx_max = c.rx_max;
	facts->combined = c.combined;
}

static void read_peer(struct sl_facts *facts)
{
	struct sl_channels c;
	struct sl_peer peer;
	int back;

	if (sl_peer_find(facts->ifname, &peer))
		return;
	if (!sl_peer_enter(&peer, &back)) {
		facts->peer_known = true;
		snprintf(facts->peer, sizeof(facts->peer), "%s", peer.name);
		snprintf(facts->peer_reach, sizeof(facts->peer_reach), "%s", peer.reach);
		read_offloads(peer.name, &facts->peer_offloads);
		if (!sl_ethtool_channels(peer.name, &c))
			facts->peer_tx = c.tx;
		sl_peer_leave(back);
	}
	sl_peer_close(&peer);
}

static void read_rss(struct sl_facts *facts)
{
	const struct sl_rss_door *door = sl_rss_kernel();
	struct sl_rss *rss = malloc(sizeof(*rss));

	if (!rss)
		return;
	if (!sl_rss_get(door, facts->ifname, rss)) {
		facts->rss = rss->entries;
		facts->hfunc = rss->hfunc;
		facts->reta_n = rss->entries;
		memcpy(facts->reta, rss->reta, sizeof(facts->reta));
		facts->key_bytes = rss->key_bytes;
		if (facts->key_bytes > sizeof(facts->key))
			facts->key_bytes = sizeof(facts->key);
		memcpy(facts->key, rss->key, facts->key_bytes);
		for (int t = 0; t < SL_FLOW_TYPES; t++)
			facts->fields_known[t] =
				!sl_rss_fields_get(door, facts->ifname, t, &facts->fields[t]);
	}
	free(rss);
}

static enum sl_answer answer(bool yes)
{
	return yes ? SL_YES : SL_NO;
}

int sl_examine(const char *ifname, struct sl_facts *facts, struct sl_error *err)
{
	struct sl_xdp_features xdp;
	struct sl_link link;
	int rc;

	memset(facts, 0, sizeof(*facts));
	rc = sl_link_get(ifname, &link);
	if (rc)
		return sl_error_set(err, rc, "%s: no such interface in this network namespace",
				    ifname);
	snprintf(facts->ifname, sizeof(facts->ifname), "%s", link.name);
	if (sl_ethtool_driver(facts->ifname, facts->driver, sizeof(facts->driver)))
		snprintf(facts->driver, sizeof(facts->driver), "unknown");
	facts->up = link.up;
	facts->mtu = link.mtu;
	read_queues(&link, facts);
	read_offloads(facts->ifname, &facts->offloads);
	facts->veth = !strcmp(facts->driver, "veth");
	if (facts->veth)
		read_peer(facts);
	read_rss(facts);
	if (!sl_xdp_features(link.ifindex, &xdp)) {
		facts->native = answer(xdp.native);
		facts->zerocopy = answer(xdp.zerocopy);
		facts->rx_hash = answer(xdp.rx_hash);
	}
	examine_host(facts->ifname, facts);
	examine_instance(facts->ifname, facts);
	return 0;
}
