// SPDX-License-Identifier: GPL-2.0-or-later
#include <bpf/bpf.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/toeplitz.h"
#include "platform/nic.h"
#include "platform/nic_kept.h"

_Static_assert(SL_TOEPLITZ_USED == SL_NIC_KEY, "a NIC's key is what the hash uses");

/* 52 bytes in hexadecimal with colons; all zero until the first driver has asked for it. */
#define KERNEL_KEY "/proc/sys/net/core/netdev_rss_key"

static int kernel_key(uint8_t key[SL_NIC_KEY])
{
	FILE *f = fopen(KERNEL_KEY, "re");
	unsigned byte, any = 0, i;

	if (!f)
		return -EOPNOTSUPP;
	for (i = 0; i < SL_NIC_KEY && fscanf(f, i ? ":%2x" : "%2x", &byte) == 1; i++) {
		key[i] = (uint8_t)byte;
		any |= byte;
	}
	fclose(f);
	return i == SL_NIC_KEY && any ? 0 : -EOPNOTSUPP;
}

static int key_of(const struct sl_rss *rss, uint8_t key[SL_NIC_KEY])
{
	if (rss->key_bytes < SL_NIC_KEY)
		return kernel_key(key);
	memcpy(key, rss->key, SL_NIC_KEY);
	return 0;
}

int sl_nic_key(const struct sl_rss_door *door, const char *ifname, uint8_t key[SL_NIC_KEY])
{
	struct sl_rss *rss = malloc(sizeof(*rss));
	int rc = rss ? sl_rss_get(door, ifname, rss) : -ENOMEM;

	if (!rc)
		rc = key_of(rss, key);
	free(rss);
	return rc;
}

int sl_nic_instance_key(int toeplitz_fd, uint8_t key[SL_NIC_KEY])
{
	struct sl_toeplitz *table = malloc(sizeof(*table));
	const __u32 zero = 0;
	int rc = table ? 0 : -ENOMEM;

	if (!rc && bpf_map_lookup_elem(toeplitz_fd, &zero, table))
		rc = -errno;
	if (!rc)
		sl_toeplitz_key(table, key);
	free(table);
	return rc;
}

/* The last bit of a key of 40 bytes is in no window of 32 bits that an input of 36 bytes takes. */
bool sl_nic_same_key(const uint8_t a[SL_NIC_KEY], const uint8_t b[SL_NIC_KEY])
{
	return !memcmp(a, b, SL_NIC_KEY - 1) && !((a[SL_NIC_KEY - 1] ^ b[SL_NIC_KEY - 1]) & 0xfe);
}

static int refused(struct sl_error *err, const char *ifname, int rc, const char *what)
{
	if (rc == -EPERM)
		return sl_error_set(err, rc,
				    "%s: %s: not permitted: run the dataplane with CAP_NET_ADMIN",
				    ifname, what);
	return sl_error_set(err, rc, "%s: %s: %s", ifname, what, strerror(-rc));
}

static int read_nic(struct sl_nic *nic, struct sl_error *err)
{
	int rc = sl_rss_get(nic->door, nic->ifname, &nic->rss);

	if (rc == -EOPNOTSUPP || (!rc && !nic->rss.entries))
		return sl_error_set(err, -EOPNOTSUPP, "%s: its driver shows no table (RETA)",
				    nic->ifname);
	if (rc)
		return refused(err, nic->ifname, rc, "its table (RETA) cannot be read");
	if (nic->rss.entries & (nic->rss.entries - 1))
		return sl_error_set(err, -EOPNOTSUPP,
				    "%s: its table has %u entries, which is no power of two: "
				    "buckets cannot follow it",
				    nic->ifname, nic->rss.entries);
	return 0;
}

/* Before the first change. What an earlier dataplane kept and nobody gave back is older. */
static int keep(const struct sl_nic *nic, struct sl_error *err)
{
	const int ifindex = (int)if_nametoindex(nic->ifname);
	struct nic_kept *kept = malloc(sizeof(*kept));
	int rc;

	if (!kept)
		return sl_error_set(err, -ENOMEM, "no memory");
	rc = nic_kept_load(nic->instance, nic->ifname, ifindex, kept);
	if (rc) {
		kept->rss = nic->rss;
		for (enum sl_flow_type t = 0; t < SL_FLOW_TYPES; t++)
			if (sl_rss_fields_get(nic->door, nic->ifname, t, &kept->fields[t]))
				kept->fields[t] = NIC_NO_FIELDS;
		rc = nic_kept_save(nic->instance, nic->ifname, ifindex, kept);
	}
	free(kept);
	return rc ? refused(err, nic->ifname, rc, "its table cannot be kept in the run directory")
		  : 0;
}

static int hash_alike(struct sl_nic *nic, const uint8_t key[SL_NIC_KEY], struct sl_error *err)
{
	uint8_t there[SL_NIC_KEY];
	unsigned changed;
	int rc;

	if (nic->rss.hfunc)
		nic->rss.hfunc = SL_RSS_TOEPLITZ;
	if (nic->rss.key_bytes >= SL_NIC_KEY)
		memcpy(nic->rss.key, key, SL_NIC_KEY);
	else if (key_of(&nic->rss, there) || !sl_nic_same_key(there, key))
		return sl_error_set(err, -EKEYREJECTED,
				    "%s: it does not tell its key, and the instance's is not the "
				    "kernel's: attach with --hash toeplitz:nic",
				    nic->ifname);
	rc = sl_rss_set(nic->door, nic->ifname, &nic->rss, &changed);
	return rc ? refused(err, nic->ifname, rc, "its hash key cannot be set") : 0;
}

/* Drivers that know no such setting hash in one way: what that is, packets will tell. */
static void hash_fields(struct sl_nic *nic)
{
	const uint32_t want = SL_HASH_ADDRESSES | SL_HASH_PORTS;
	uint32_t fields;

	for (enum sl_flow_type t = 0; t < SL_FLOW_TYPES; t++) {
		if (sl_rss_fields_get(nic->door, nic->ifname, t, &fields) || fields == want)
			continue;
		if (sl_rss_fields_set(nic->door, nic->ifname, t, want))
			nic->fields_kept = true;
	}
}

int sl_nic_take(struct sl_nic *nic, const struct sl_rss_door *door, const char *instance,
		const char *ifname, const uint8_t key[SL_NIC_KEY], struct sl_error *err)
{
	int rc;

	memset(nic, 0, sizeof(*nic));
	nic->door = door;
	snprintf(nic->instance, sizeof(nic->instance), "%s", instance);
	snprintf(nic->ifname, sizeof(nic->ifname), "%s", ifname);
	rc = read_nic(nic, err);
	if (!rc)
		rc = keep(nic, err);
	if (rc || !key)
		return rc;
	rc = hash_alike(nic, key, err);
	if (!rc)
		hash_fields(nic);
	return rc;
}

int sl_nic_write(struct sl_nic *nic, const uint32_t *reta, bool all)
{
	unsigned changed = 0;
	int rc;

	memcpy(nic->rss.reta, reta, nic->rss.entries * sizeof(reta[0]));
	rc = sl_rss_set(nic->door, nic->ifname, &nic->rss, &changed);
	if (!rc && all && !changed)
		rc = sl_rss_write_table(nic->door, nic->ifname, &nic->rss);
	return rc ? rc : (int)changed;
}

static int give_back(const struct sl_rss_door *door, const char *ifname,
		     const struct nic_kept *kept)
{
	unsigned changed;
	int rc = 0;

	for (enum sl_flow_type t = 0; t < SL_FLOW_TYPES; t++)
		if (kept->fields[t] != NIC_NO_FIELDS)
			sl_rss_fields_set(door, ifname, t, kept->fields[t]);
	rc = sl_rss_set(door, ifname, &kept->rss, &changed);
	/* Other queues or another size since: the driver's own default is what is left to give. */
	return rc == -EINVAL ? sl_rss_default_table(door, ifname) : rc;
}

int sl_nic_restore(const struct sl_rss_door *door, const char *instance, const char *ifname,
		   struct sl_error *err)
{
	struct nic_kept *kept = malloc(sizeof(*kept));
	int rc;

	if (!kept)
		return sl_error_set(err, -ENOMEM, "no memory");
	rc = nic_kept_load(instance, ifname, (int)if_nametoindex(ifname), kept);
	if (!rc)
		rc = give_back(door, ifname, kept);
	else if (rc == -ENOENT)
		rc = 0;
	if (!rc)
		nic_kept_forget(instance, ifname);
	else
		sl_error_set(err, rc,
			     "%s: its table and key cannot be given back: %s (ethtool -X %s "
			     "default)",
			     ifname, strerror(-rc), ifname);
	free(kept);
	return rc;
}
