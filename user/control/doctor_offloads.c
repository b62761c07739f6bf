// SPDX-License-Identifier: GPL-2.0-or-later
/* Offloads that change packets before XDP sees them, here and at a veth's peer. */
#include <stdio.h>
#include <string.h>

#include "control/doctor_impl.h"

/* One word of ethtool -K and the kernel's features that it stands for. */
struct word {
	const char *word;
	enum sl_offload state;
	const char *features[SL_MEND_FEATURES];
};

/* Features that ethtool's "tx" and "tso" stand for; those a device lacks are skipped when mended.
 */
static struct word checksum_tx(const struct sl_fact_offloads *o)
{
	return (struct word){"tx",
			     o->checksum_tx,
			     {"tx-checksum-ip-generic", "tx-checksum-sctp", "tx-checksum-ipv4",
			      "tx-checksum-ipv6"}};
}

static struct word segment_tx(const struct sl_fact_offloads *o)
{
	return (struct word){"tso",
			     o->segment_tx,
			     {"tx-tcp-segmentation", "tx-tcp6-segmentation",
			      "tx-tcp-ecn-segmentation", "tx-tcp-mangleid-segmentation",
			      "tx-tcp-accecn-segmentation", "tx-generic-segmentation"}};
}

static struct word one(const char *word, enum sl_offload state, const char *feature)
{
	return (struct word){word, state, {feature}};
}

static void turn_off(const struct sl_facts *f, struct sl_finding *finding, const struct word *w,
		     bool peer)
{
	/* ethtool's "tso" leaves segmentation in software on, which does the same. */
	const char *more = strcmp(w->word, "tso") ? "" : " gso off";

	doctor_command(finding, "%sethtool -K %s %s off%s", peer ? f->peer_reach : "",
		       peer ? f->peer : f->ifname, w->word, more);
	finding->mend = (struct sl_mend){.kind = SL_MEND_OFFLOADS, .peer = peer};
	for (unsigned i = 0; i < SL_MEND_FEATURES && w->features[i]; i++)
		finding->mend.features[finding->mend.features_n++] = w->features[i];
}

static void check(const struct sl_facts *f, struct sl_findings *out, const char *id,
		  const struct word *w, bool peer, const char *harm)
{
	if (w->state == SL_OFFLOAD_ON)
		turn_off(f,
			 doctor_problem(out, id, "%s%s: %s", peer ? "peer " : "",
					peer ? f->peer : w->word, harm),
			 w, peer);
	else if (w->state == SL_OFFLOAD_FIXED_ON)
		doctor_note(out, id, "%s cannot be turned off%s: %s", w->word,
			    peer ? " at the peer" : "", harm);
}

static void check_receive(const struct sl_facts *f, struct sl_findings *out)
{
	/* Generic XDP comes behind GRO; native before it. */
	const bool behind_gro = f->attached == SL_FACT_GENERIC ||
				(f->attached == SL_FACT_DETACHED && f->native == SL_NO);
	const struct sl_fact_offloads *o = &f->offloads;
	const struct word lro = one("lro", o->lro, "rx-lro");
	const struct word gro_hw = one("rx-gro-hw", o->gro_hw, "rx-gro-hw");
	const struct word gro = one("gro", o->gro, "rx-gro");
	const struct word list = one("rx-gro-list", o->gro_list, "rx-gro-list");
	const struct word udp = one("rx-udp-gro-forwarding", o->gro_udp, "rx-udp-gro-forwarding");

	check(f, out, "lro", &lro, false, "packets are merged before XDP sees them");
	check(f, out, "gro-hw", &gro_hw, false, "packets are merged before XDP sees them");
	if (!behind_gro)
		return;
	check(f, out, "gro", &gro, false, "in generic mode XDP sees merged packets");
	check(f, out, "gro-list", &list, false, "in generic mode XDP sees merged packets");
	check(f, out, "gro-udp", &udp, false, "in generic mode XDP sees merged packets");
}

static void check_peer(const struct sl_facts *f, struct sl_findings *out)
{
	const struct word checksum = checksum_tx(&f->peer_offloads);
	const struct word segment = segment_tx(&f->peer_offloads);
	const struct word vlan = one("txvlan", f->peer_offloads.vlan_tx, "tx-vlan-hw-insert");

	if (!f->peer_known) {
		doctor_note(out, "peer-unknown",
			    "the peer is in a namespace that cannot be seen from here; there: "
			    "ethtool -K PEER tx off txvlan off");
		return;
	}
	check(f, out, "peer-checksum", &checksum, true,
	      "what it sends arrives with unfinished checksums");
	check(f, out, "peer-vlan", &vlan, true, "XDP does not see the VLAN tags of what it sends");
	/* Native XDP turns it off at the peer (veth_fix_features()). */
	if (f->attached == SL_FACT_GENERIC)
		check(f, out, "peer-segmentation", &segment, true,
		      "it sends packets larger than a frame");
}

void doctor_offloads(const struct sl_facts *f, struct sl_findings *out)
{
	const struct word vlan = one("rxvlan", f->offloads.vlan_rx, "rx-vlan-hw-parse");

	check_receive(f, out);
	/* A veth has the flag and takes no tag off: its peer leaves them out. */
	if (f->veth)
		check_peer(f, out);
	else
		check(f, out, "vlan", &vlan, false, "VLAN tags are taken off before XDP sees them");
}
