// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * features.c - the kernel's answer is four bitsets by name: what can be changed, what is wanted,
 * what is in force, what never changes. Sets without a mask hold the bits that are set, only.
 */
#include <errno.h>
#include <linux/ethtool_netlink.h>
#include <linux/netlink.h>
#include <string.h>

#include "platform/features.h"
#include "platform/nl.h"

struct wanted {
	struct sl_feature *features;
	unsigned n;
};

static struct sl_feature *find(const struct wanted *w, const char *name)
{
	for (unsigned i = 0; i < w->n; i++)
		if (!strcmp(w->features[i].name, name))
			return &w->features[i];
	return NULL;
}

static void mark(const struct wanted *w, const char *name, int set)
{
	struct sl_feature *f = find(w, name);

	if (!f)
		return;
	if (set == ETHTOOL_A_FEATURES_ACTIVE)
		f->on = true;
	else if (set == ETHTOOL_A_FEATURES_HW)
		f->fixed = false;
}

static void read_bits(const struct nlattr *bits, const struct wanted *w, int set)
{
	const struct nlattr *bit, *attr;

	mnl_attr_for_each_nested (bit, bits)
		mnl_attr_for_each_nested (attr, bit)
			if (mnl_attr_get_type(attr) == ETHTOOL_A_BITSET_BIT_NAME)
				mark(w, mnl_attr_get_str(attr), set);
}

static int on_features(const struct nlmsghdr *nlh, void *arg)
{
	const struct nlattr *set, *attr;

	sl_genl_for_each (set, nlh) {
		if (mnl_attr_get_type(set) != ETHTOOL_A_FEATURES_ACTIVE &&
		    mnl_attr_get_type(set) != ETHTOOL_A_FEATURES_HW)
			continue;
		mnl_attr_for_each_nested (attr, set)
			if (mnl_attr_get_type(attr) == ETHTOOL_A_BITSET_BITS)
				read_bits(attr, arg, mnl_attr_get_type(set));
	}
	return MNL_CB_STOP;
}

static void put_device(struct nlmsghdr *nlh, const char *ifname)
{
	struct nlattr *head = mnl_attr_nest_start(nlh, ETHTOOL_A_FEATURES_HEADER);

	mnl_attr_put_strz(nlh, ETHTOOL_A_HEADER_DEV_NAME, ifname);
	mnl_attr_nest_end(nlh, head);
}

int sl_features_get(const char *ifname, struct sl_feature *features, unsigned n)
{
	struct wanted w = {features, n};
	char buf[256] __attribute__((aligned(4)));
	struct nlmsghdr *nlh;
	struct sl_genl family;
	int rc = sl_genl_find(ETHTOOL_GENL_NAME, &family);

	if (rc)
		return rc;
	for (unsigned i = 0; i < n; i++) {
		features[i].on = false;
		features[i].fixed = true;
	}
	nlh = sl_genl_begin(buf, &family, ETHTOOL_MSG_FEATURES_GET, 0);
	put_device(nlh, ifname);
	return sl_nl_query(NETLINK_GENERIC, nlh, on_features, &w);
}

static void put_bits(struct nlmsghdr *nlh, const char *const *names, unsigned n, bool on)
{
	struct nlattr *set = mnl_attr_nest_start(nlh, ETHTOOL_A_FEATURES_WANTED);
	struct nlattr *bits = mnl_attr_nest_start(nlh, ETHTOOL_A_BITSET_BITS);

	for (unsigned i = 0; i < n; i++) {
		struct nlattr *bit = mnl_attr_nest_start(nlh, ETHTOOL_A_BITSET_BITS_BIT);

		mnl_attr_put_strz(nlh, ETHTOOL_A_BITSET_BIT_NAME, names[i]);
		if (on)
			mnl_attr_put(nlh, ETHTOOL_A_BITSET_BIT_VALUE, 0, NULL);
		mnl_attr_nest_end(nlh, bit);
	}
	mnl_attr_nest_end(nlh, bits);
	mnl_attr_nest_end(nlh, set);
}

int sl_features_set(const char *ifname, const char *const *names, unsigned n, bool on)
{
	char buf[1024] __attribute__((aligned(4)));
	struct sl_feature after;
	struct nlmsghdr *nlh;
	struct sl_genl family;
	int rc = sl_genl_find(ETHTOOL_GENL_NAME, &family);

	if (rc)
		return rc;
	nlh = sl_genl_begin(buf, &family, ETHTOOL_MSG_FEATURES_SET, NLM_F_ACK);
	put_device(nlh, ifname);
	put_bits(nlh, names, n, on);
	rc = sl_nl_query(NETLINK_GENERIC, nlh, NULL, NULL);
	/* The kernel reports success for a change that the driver did not make. */
	for (unsigned i = 0; !rc && i < n; i++) {
		after.name = names[i];
		rc = sl_features_get(ifname, &after, 1);
		if (!rc && after.on != on)
			rc = -EOPNOTSUPP;
	}
	return rc;
}
