// SPDX-License-Identifier: GPL-2.0-or-later
#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/chain.h"
#include "dataplane/nf_host.h"
#include "hash.h"

#define REPORT_BYTES 4096u
#define REPORT_MAX (16u << 20)

_Static_assert(SL_NF_IFACES == SL_MAX_IFACES, "room for the names of all");

uint32_t sl_nf_hash_v4(const struct sl_nf_host *host, uint32_t saddr, uint32_t daddr,
		       uint16_t sport, uint16_t dport, uint8_t proto)
{
	struct sl_tuple t;

	if (!host->hash->toeplitz)
		return sl_hash_v4((const __u64 *)host->hash->key, saddr, daddr, bpf_ntohs(sport),
				  bpf_ntohs(dport), proto);
	t.src[3] = saddr;
	t.dst[3] = daddr;
	t.sport = bpf_ntohs(sport);
	t.dport = bpf_ntohs(dport);
	t.ports = (__u8)sl_has_ports(proto);
	return sl_toeplitz_hash(&host->hash->table, &t, SL_META_V4);
}

static int read_hash(const struct sl_dataplane *dp, struct sl_nf_hash *hash, struct sl_error *err)
{
	const struct sl_control *c = dp->inst->control;
	uint32_t zero = 0;

	hash->toeplitz = c->flags & SL_CTL_TOEPLITZ;
	for (unsigned i = 0; i < SL_HASH_KEY; i++)
		hash->key[i] = c->hash_key[i];
	if (hash->toeplitz && bpf_map_lookup_elem(dp->inst->toeplitz_fd, &zero, &hash->table))
		return sl_error_set(err, -errno, "map toeplitz: %s", strerror(errno));
	return 0;
}

int nf_attach(struct sl_dataplane *dp, struct sl_error *err)
{
	struct sl_nf_host host = {.buckets = dp->inst->hash_buckets,
				  .shards_n = dp->inst->buckets,
				  .ifaces = dp->inst->ifaces,
				  .workers = dp->workers_max};
	int ret;

	for (unsigned i = 0; i < dp->inst->ifaces; i++)
		host.iface_names[i] = dp->inst->iface[i].name;

	dp->nf_hash = calloc(1, sizeof(*dp->nf_hash));
	if (!dp->nf_hash)
		return sl_error_set(err, -ENOMEM, "no memory for the NFs' hash");
	ret = read_hash(dp, dp->nf_hash, err);
	if (ret)
		return ret;
	host.symmetric = !dp->nf_hash->toeplitz;
	host.hash = dp->nf_hash;
	return chain_attach(dp->chain, &host, err);
}

void nf_detach(struct sl_dataplane *dp)
{
	free(dp->nf_hash);
	dp->nf_hash = NULL;
}

/* The members that the NF prints, or NULL: it has none, or no memory. */
static json_t *members(const struct sl_nf *nf, void *self)
{
	for (size_t size = REPORT_BYTES; nf->show && size <= REPORT_MAX;) {
		char *text = malloc(size + 3);
		json_t *json;
		int n;

		if (!text)
			return NULL;
		n = nf->show(self, text + 1, size);
		if (n >= 0 && (size_t)n < size) {
			text[0] = '{';
			memcpy(text + 1 + n, "}", 2);
			json = json_loads(text, 0, NULL);
			free(text);
			return json;
		}
		free(text);
		if (n < 0)
			return NULL;
		size = 2 * (size_t)n; /* counters may have grown meanwhile */
	}
	return NULL;
}

int nf_reload(const struct sl_dataplane *dp, struct sl_error *err)
{
	for (unsigned s = 0; s < chain_slots(dp->chain); s++) {
		const struct sl_nf *nf = chain_nf(dp->chain, s);
		char why[256] = "";
		int ret = nf->reload ? nf->reload(chain_self(dp->chain, s), why, sizeof(why)) : 0;

		if (ret)
			return sl_error_set(err, ret, "%s: %s", nf->name,
					    why[0] ? why : strerror(-ret));
	}
	return 0;
}

json_t *nf_report(const struct sl_dataplane *dp)
{
	json_t *all = json_array();

	for (unsigned s = 0; s < chain_slots(dp->chain); s++) {
		const struct sl_nf *nf = chain_nf(dp->chain, s);
		json_t *one = json_pack("{s:s,s:i}", "nf", nf->name, "slot", (int)s);
		json_t *more = members(nf, chain_self(dp->chain, s));

		if (more)
			json_object_update(one, more);
		json_decref(more);
		json_array_append_new(all, one);
	}
	return all;
}
