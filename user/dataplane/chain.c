// SPDX-License-Identifier: GPL-2.0-or-later
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/chain.h"
#include "nf/builtin.h"

#define CHAIN_TEXT_MAX 1024
#define NF_VALUE_MAX 256

struct chain_slot {
	const struct sl_nf *nf;
	const char *name, *args; /* words of the chain's text */
	void *self;
	bool made;
	unsigned drops; /* number of the first of its drop_reasons */
	struct sl_nf_host host;
	void *object; /* dlopen handle of an NF from a shared object */
};

struct sl_chain {
	unsigned n;
	unsigned drops; /* further drop reasons of all */
	struct chain_slot slot[SL_CHAIN_MAX];
	char text[CHAIN_TEXT_MAX];
};

const struct sl_nf *const *chain_builtin(void)
{
	return sl_nf_builtin;
}

static const struct sl_nf *find_builtin(const char *name)
{
	for (const struct sl_nf *const *p = sl_nf_builtin; *p; p++)
		if (!strcmp((*p)->name, name))
			return *p;
	return NULL;
}

static int load_object(const char *path, struct chain_slot *s, struct sl_error *err)
{
	s->object = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!s->object)
		return sl_error_set(err, -EINVAL, "--nf %s: %s", path, dlerror());
	s->nf = dlsym(s->object, "sluice_nf");
	if (!s->nf)
		return sl_error_set(err, -EINVAL, "--nf %s: no symbol sluice_nf (see sluice/nf.h)",
				    path);
	return 0;
}

static int check_nf(const struct sl_nf *nf, const char *name, unsigned ifaces, struct sl_error *err)
{
	if (nf->abi != SL_NF_ABI)
		return sl_error_set(err, -EINVAL,
				    "--nf %s was built for NF interface %u, this is %u: rebuild it",
				    name, nf->abi, SL_NF_ABI);
	if (!nf->process || nf->key_size > SL_FLOW_KEY_MAX || nf->value_size > NF_VALUE_MAX)
		return sl_error_set(err, -EINVAL,
				    "--nf %s: needs process(), key_size <= %u and value_size <= %u",
				    name, SL_FLOW_KEY_MAX, NF_VALUE_MAX);
	if (ifaces < nf->min_ifaces)
		return sl_error_set(err, -EINVAL, "--nf %s needs %u interfaces: give another -i",
				    name, nf->min_ifaces);
	return 0;
}

/* Drop reasons beyond one each. */
static int number_drops(struct sl_chain *chain, struct chain_slot *s, struct sl_error *err)
{
	s->drops = SL_DROP_MORE + chain->drops;
	for (const char *const *r = s->nf->drop_reasons; r && *r; r++)
		chain->drops++;
	if (chain->drops > SL_DROP_MORE_MAX)
		return sl_error_set(err, -EINVAL,
				    "--nf %s: the chain has %u further drop reasons, %u at most: "
				    "make it shorter",
				    s->name, chain->drops, SL_DROP_MORE_MAX);
	return 0;
}

static int add_nf(struct sl_chain *chain, char *word, unsigned ifaces, struct sl_error *err)
{
	struct chain_slot *s = &chain->slot[chain->n];
	char *args = strchr(word, ':');
	int ret = 0;

	if (chain->n == SL_CHAIN_MAX)
		return sl_error_set(err, -EINVAL, "--nf: at most %u NFs in a chain", SL_CHAIN_MAX);
	if (args)
		*args++ = '\0';
	chain->n++;
	s->name = word;
	s->args = args ? args : "";
	if (strchr(word, '/'))
		ret = load_object(word, s, err);
	else
		s->nf = find_builtin(word);
	if (ret)
		return ret;
	if (!s->nf)
		return sl_error_set(
			err, -EINVAL,
			"--nf %s: no such NF (sluice run --help lists them; a shared object needs "
			"a path with '/')",
			word);
	ret = check_nf(s->nf, word, ifaces, err);
	return ret ? ret : number_drops(chain, s, err);
}

int chain_open(const char *text, unsigned ifaces, struct sl_chain **out, struct sl_error *err)
{
	struct sl_chain *chain;
	char *rest, *word;
	int ret = 0;

	if (strlen(text) >= CHAIN_TEXT_MAX)
		return sl_error_set(err, -EINVAL, "--nf: longer than %d characters",
				    CHAIN_TEXT_MAX - 1);
	chain = calloc(1, sizeof(*chain));
	if (!chain)
		return sl_error_set(err, -ENOMEM, "no memory for the chain");
	rest = strcpy(chain->text, text);
	while (*text && !ret && (word = strsep(&rest, ","))) {
		if (*word)
			ret = add_nf(chain, word, ifaces, err);
		else
			ret = sl_error_set(err, -EINVAL,
					   "--nf \"%s\": a name is missing between commas", text);
	}
	if (ret) {
		chain_close(chain);
		return ret;
	}
	*out = chain;
	return 0;
}

int chain_start(struct sl_chain *chain, struct sl_error *err)
{
	for (unsigned i = 0; i < chain->n; i++) {
		struct chain_slot *s = &chain->slot[i];
		char why[256] = "";
		int ret = s->nf->create ? s->nf->create(s->args, &s->self, why, sizeof(why)) : 0;

		if (ret)
			return sl_error_set(err, ret, "--nf %s: %s", s->name,
					    why[0] ? why : strerror(-ret));
		s->made = true;
	}
	return 0;
}

/* Cache lines, so that no two shards share one. */
static size_t shard_stride(const struct sl_nf *nf)
{
	return (nf->shard_size + SL_CACHE_LINE - 1) & ~(size_t)(SL_CACHE_LINE - 1);
}

size_t chain_shard_bytes(const struct sl_chain *chain)
{
	size_t bytes = 0;

	for (unsigned i = 0; i < chain->n; i++)
		bytes += shard_stride(chain->slot[i].nf);
	return bytes;
}

bool chain_divisible(const struct sl_chain *chain)
{
	for (unsigned i = 0; i < chain->n; i++) {
		const struct sl_nf *nf = chain->slot[i].nf;

		if (!nf->divisible && (nf->key_size || nf->shard_size))
			return false;
	}
	return true;
}

static int attach_nf(struct chain_slot *s, const struct sl_nf_host *host, struct sl_error *err)
{
	char why[256] = "";
	size_t bytes;
	int ret = 0;

	s->host = *host;
	s->host.shard_stride = shard_stride(s->nf);
	bytes = s->host.shard_stride * host->shards_n;
	if (bytes) {
		s->host.shards = aligned_alloc(SL_CACHE_LINE, bytes);
		if (!s->host.shards)
			return sl_error_set(err, -ENOMEM, "--nf %s: no memory for its shards",
					    s->name);
		memset(s->host.shards, 0, bytes);
	}
	if (s->nf->start)
		ret = s->nf->start(s->self, &s->host, why, sizeof(why));
	if (ret)
		return sl_error_set(err, ret, "--nf %s: %s", s->name,
				    why[0] ? why : strerror(-ret));
	return 0;
}

int chain_attach(struct sl_chain *chain, const struct sl_nf_host *host, struct sl_error *err)
{
	int ret = 0;

	for (unsigned i = 0; i < chain->n && !ret; i++)
		ret = attach_nf(&chain->slot[i], host, err);
	return ret;
}

void chain_close(struct sl_chain *chain)
{
	if (!chain)
		return;
	for (unsigned i = chain->n; i-- > 0;) {
		struct chain_slot *s = &chain->slot[i];

		if (s->made && s->nf->destroy)
			s->nf->destroy(s->self);
		free(s->host.shards);
		if (s->object)
			dlclose(s->object);
	}
	free(chain);
}

unsigned chain_slots(const struct sl_chain *chain)
{
	return chain->n;
}

const struct sl_nf *chain_nf(const struct sl_chain *chain, unsigned slot)
{
	return chain->slot[slot].nf;
}

unsigned chain_drops(const struct sl_chain *chain, unsigned slot)
{
	return chain->slot[slot].drops;
}

void *chain_self(const struct sl_chain *chain, unsigned slot)
{
	return chain->slot[slot].self;
}

void chain_run(const struct sl_chain *chain, const struct sl_nf_ctx *ctx, struct sl_packet **pkts,
	       unsigned n)
{
	struct sl_packet *left[SL_BATCH];
	struct sl_nf_ctx c = *ctx;

	if (chain->n == 1) {
		c.self = chain->slot[0].self;
		c.slot = 0;
		c.drops = chain->slot[0].drops;
		chain->slot[0].nf->process(&c, pkts, n);
		return;
	}
	memcpy(left, pkts, n * sizeof(left[0]));
	for (unsigned s = 0; s < chain->n && n; s++) {
		unsigned m = 0;

		c.self = chain->slot[s].self;
		c.slot = s;
		c.drops = chain->slot[s].drops;
		chain->slot[s].nf->process(&c, left, n);
		if (s + 1 == chain->n)
			break;
		for (unsigned i = 0; i < n; i++)
			if (left[i]->verdict == SL_NEXT)
				left[m++] = left[i];
		n = m;
	}
}
