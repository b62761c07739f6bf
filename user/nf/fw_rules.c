// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "nf/fw_rules.h"

const char *const fw_action_names[] = {"pass", "drop", "reject", NULL};
const char *const fw_state_names[FW_STATES] = {"new", "established", "related", "invalid"};

static size_t count_bytes(const struct fw_rules *r)
{
	return (size_t)r->workers * r->stride * sizeof(*r->count);
}

/* Pages that no worker counts in take no memory. */
static int make_counters(struct fw_rules *r, unsigned workers)
{
	void *p;

	r->workers = workers;
	r->stride = (r->rules + 1 + 3) & ~3u; /* whole cache lines */
	p = mmap(NULL, count_bytes(r), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	r->count = p == MAP_FAILED ? NULL : p;
	return r->count ? 0 : -ENOMEM;
}

int fw_rules_check(const char *path, char *err, size_t err_size)
{
	struct fw_rules *r = calloc(1, sizeof(*r));
	struct classify_rule *entries = NULL;
	unsigned n = 0;
	int ret = r ? fw_parse(path, NULL, r, &entries, &n, err, err_size) : -ENOMEM;

	free(entries);
	fw_rules_free(r);
	return ret;
}

int fw_rules_load(const char *path, const struct sl_nf_host *host, struct fw_rules **out, char *err,
		  size_t err_size)
{
	struct fw_rules *r = calloc(1, sizeof(*r));
	struct classify_rule *entries = NULL;
	unsigned n = 0;
	int ret = -ENOMEM;

	err[0] = '\0';
	if (r)
		ret = fw_parse(path, host, r, &entries, &n, err, err_size);
	if (!ret) {
		r->classifier = classifier_new(entries, n);
		ret = r->classifier ? make_counters(r, host->workers) : -ENOMEM;
	}
	free(entries);
	if (!ret) {
		*out = r;
		return 0;
	}
	if (ret == -ENOMEM && !err[0])
		snprintf(err, err_size, "%s: no memory for its rules", path);
	fw_rules_free(r);
	return ret;
}

void fw_rules_free(struct fw_rules *r)
{
	if (!r)
		return;
	for (unsigned i = 0; r->rule && i < r->rules; i++)
		free(r->rule[i].text);
	free(r->rule);
	classifier_free(r->classifier);
	if (r->count)
		munmap(r->count, count_bytes(r));
	free(r);
}

static void show_count(const struct fw_rules *r, unsigned rule, struct text *t)
{
	struct fw_count sum = {0};

	for (unsigned w = 0; w < r->workers; w++)
		text_sum((uint64_t *)&sum, &r->count[(size_t)w * r->stride + rule], 2);
	text_add(t, "\"packets\":%" PRIu64 ",\"bytes\":%" PRIu64, sum.packets, sum.bytes);
}

void fw_rules_show(const struct fw_rules *r, struct text *t)
{
	text_add(t, "\"rules\":[");
	for (unsigned i = 0; i < r->rules; i++) {
		text_add(t, "%s{\"line\":%u,\"rule\":", i ? "," : "", r->rule[i].line);
		text_quote(t, r->rule[i].text);
		text_add(t, ",");
		show_count(r, i, t);
		text_add(t, "}");
	}
	text_add(t, "],\"default\":{\"action\":\"%s\",", fw_action_names[r->rule[r->rules].action]);
	show_count(r, r->rules, t);
	text_add(t, "}");
}
