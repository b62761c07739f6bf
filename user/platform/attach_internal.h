/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * attach_internal.h - one attach under way: what is there (attach_survey.c), what is to be done
 * about it (attach.c), what of it stays (attach_keep.c), doing it and undoing it (attach_apply.c).
 */
#ifndef SL_PLATFORM_ATTACH_INTERNAL_H
#define SL_PLATFORM_ATTACH_INTERNAL_H

#include "platform/attach.h"
#include "platform/hook.h"
#include "platform/steer_load.h"

/* One interface of the attach. */
struct sl_target {
	const char *name;
	int ifindex;
	/* what is there */
	struct sl_hook hook;
	struct sl_prog prog; /* fd -1: the hook is empty */
	char instance[SL_NAME_MAX]; /* that it is pinned in, or empty */
	int link_fd; /* pinned link, or the new one; -1: none */
	struct sl_map_set old; /* maps of the program that is there */
	bool ready; /* it is configured */
	bool keep; /* its interface maps stay */
	/* what comes */
	struct sl_map_set set;
	int prog_fd; /* -1: not loaded */
	enum sl_xdp_mode mode;
	bool rx_hash; /* the program is for this device, and takes the hash from it */
	bool swapped, linked; /* done so far, to be undone on failure */
};

struct sl_attach {
	const struct sl_attach_opts *opts;
	char name[SL_NAME_MAX]; /* of the instance */
	struct sl_target target[SL_MAX_IFACES];
	unsigned n;
	int base; /* target whose instance maps stay, -1: new ones */
	struct sl_load_sizes sizes; /* but for the queues, which are each interface's */
	struct sl_rule rules[SL_MAX_RULES]; /* in force afterwards */
	unsigned rules_n;
	bool local;
	bool rx_hash; /* the NICs' own hash where they give it */
	struct sl_error note;
};

/* Another line for the operator. */
void sl_attach_note(struct sl_attach *a, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* Look at every interface; changes nothing. */
int sl_attach_survey(struct sl_attach *a, struct sl_error *err);
void sl_attach_forget(struct sl_attach *a);

/*
 * What stays as it is, and was asked for otherwise, is refused with -EINVAL: the sizes of the maps
 * `there` (which the attach takes on), its hash and key, its stamp; a target's mode.
 */
int sl_attach_keep_sizes(struct sl_attach *a, const struct sl_map_set *there, struct sl_error *err);
int sl_attach_keep_flags(struct sl_attach *a, const struct sl_map_set *there, struct sl_error *err);
int sl_attach_keep_mode(const struct sl_attach *a, const struct sl_target *t, struct sl_error *err);

/* Load, put in place, pin. On failure everything is as it was. */
int sl_attach_apply(struct sl_attach *a, struct sl_error *err);
/* Take back what sl_attach_apply() did. */
void sl_attach_undo(struct sl_attach *a);

/* Hash, rows, rules and local addresses, and SL_CTL_READY last. */
int sl_configure(struct sl_instance *inst, const struct sl_attach *a, struct sl_error *err);

#endif /* SL_PLATFORM_ATTACH_INTERNAL_H */
