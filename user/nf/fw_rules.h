/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fw_rules.h - the rules of firewall: a file's, their classifier and their counters. fw_parse.c
 * reads them, fw_rules.c keeps them. Once loaded a set does not change but for the counters, each
 * written by one worker.
 */
#ifndef SL_NF_FW_RULES_H
#define SL_NF_FW_RULES_H

#include "nf/classify.h"
#include "nf/text.h"

enum fw_action { FW_PASS, FW_DROP, FW_REJECT };

/* What a packet is to the connections that are known; order and numbers are CLASSIFY_STATE's. */
enum fw_state { FW_NEW, FW_ESTABLISHED, FW_RELATED, FW_INVALID, FW_STATES };

extern const char *const fw_action_names[], *const fw_state_names[FW_STATES];

struct fw_rule {
	enum fw_action action;
	unsigned line;
	char *text; /* as written, without comments; NULL: the default */
};

struct fw_count {
	uint64_t packets, bytes;
};

struct fw_rules {
	struct fw_rule *rule; /* [rules] is the default */
	unsigned rules;
	bool strict; /* only a SYN begins a TCP connection */
	bool fragments; /* looked at by rules without ports; false: dropped */
	uint32_t serial; /* the caller's, different for each set */
	struct classifier *classifier;
	struct fw_count *count; /* worker * stride + rule */
	unsigned workers, stride;
};

/* As fw_rules_load(), but for the names of interfaces; keeps nothing. */
int fw_rules_check(const char *path, char *err, size_t err_size);

/* 0, or -errno with one line in err that names the file, its line and the mend. */
int fw_rules_load(const char *path, const struct sl_nf_host *host, struct fw_rules **out, char *err,
		  size_t err_size);
void fw_rules_free(struct fw_rules *r);

/* fw_parse.c: rules of the file into r->rule, and what the classifier takes. Without host any
 * interface will do. */
int fw_parse(const char *path, const struct sl_nf_host *host, struct fw_rules *r,
	     struct classify_rule **entries, unsigned *n, char *err, size_t err_size);

/* Index of the rule that decides; never fails. */
static inline uint32_t fw_rules_find(const struct fw_rules *r, const struct classify_key *key)
{
	uint32_t found = classifier_find(r->classifier, key, NULL);

	return found == CLASSIFY_NONE ? r->rules : found;
}

static inline void fw_rules_count(const struct fw_rules *r, unsigned worker, uint32_t rule,
				  uint32_t bytes)
{
	struct fw_count *c = &r->count[(size_t)worker * r->stride + rule];

	sl_nf_count(&c->packets, 1);
	sl_nf_count(&c->bytes, bytes);
}

/* "rules":[...],"default":{...} */
void fw_rules_show(const struct fw_rules *r, struct text *t);

#endif /* SL_NF_FW_RULES_H */
