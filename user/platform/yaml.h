/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * yaml.h - YAML into structs by tables of fields. Unknown and repeated keys are refused, and every
 * error names the file, the line and the setting.
 */
#ifndef SL_PLATFORM_YAML_H
#define SL_PLATFORM_YAML_H

#include <stddef.h>
#include <yaml.h>

#include "platform/instance.h"

#define SL_YAML_FIELDS_MAX 32 /* of one mapping */

struct sl_yaml {
	const char *file;
	yaml_document_t doc;
	char where[160]; /* the setting being read: "instances[1].balance.tick_min" */
	struct sl_error *err;
};

struct sl_yaml_field {
	const char *key;
	/* Check `node` and store it at `base` + f->offset. 0 or the -errno of sl_yaml_error(). */
	int (*set)(struct sl_yaml *y, const yaml_node_t *node, void *base,
		   const struct sl_yaml_field *f);
	size_t offset;
	double min, max; /* of a number, inclusive; durations in seconds */
	const char *mend; /* what to write instead: "write a time such as 100ms" */
	const struct sl_yaml_field *fields; /* of sl_yaml_set_mapping, ended by a NULL key */
};

/* Parse the file into y->doc. yaml_document_delete() it after a 0. */
int sl_yaml_open(struct sl_yaml *y, const char *file, struct sl_error *err);
/* "file:line: setting: ...": returns -EINVAL. */
int sl_yaml_error(struct sl_yaml *y, const yaml_node_t *node, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Which of the words the scalar is, up to n or a NULL; -1: none, or no scalar. An empty word is
 * none. */
int sl_yaml_word(const yaml_node_t *node, const char *const *words, unsigned n);

/* "... is no good", and what the field says to write instead. */
int sl_yaml_bad_value(struct sl_yaml *y, const yaml_node_t *node, const struct sl_yaml_field *f);

/* Store each pair of the mapping as its field says. `fields` ends with a NULL key. */
int sl_yaml_mapping(struct sl_yaml *y, const yaml_node_t *node, const struct sl_yaml_field *fields,
		    void *base);
/* Call `each` for every item of a sequence, or once if the node is a scalar. */
int sl_yaml_sequence(struct sl_yaml *y, const yaml_node_t *node,
		     int (*each)(struct sl_yaml *y, const yaml_node_t *item, unsigned i, void *ctx),
		     void *ctx);
/* The text of a scalar, NULL if it is none. */
const char *sl_yaml_text(const yaml_node_t *node);

/* Setters: bool, unsigned, double (0.9 or 90%), uint64_t nanoseconds (100ms), a mapping in place.
 */
#define SL_YAML_SETTER(name)                                                                       \
	int name(struct sl_yaml *y, const yaml_node_t *node, void *base,                           \
		 const struct sl_yaml_field *f)
SL_YAML_SETTER(sl_yaml_set_bool);
SL_YAML_SETTER(sl_yaml_set_unsigned);
SL_YAML_SETTER(sl_yaml_set_fraction);
SL_YAML_SETTER(sl_yaml_set_duration);
SL_YAML_SETTER(sl_yaml_set_mapping);

#endif /* SL_PLATFORM_YAML_H */
