// SPDX-License-Identifier: GPL-2.0-or-later
/* YAML into structs by tables of fields. */
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "platform/yaml.h"

int sl_yaml_error(struct sl_yaml *y, const yaml_node_t *node, const char *fmt, ...)
{
	char text[384];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return sl_error_set(y->err, -EINVAL, "%s:%zu: %s%s%s", y->file,
			    node ? node->start_mark.line + 1 : 1, y->where, *y->where ? ": " : "",
			    text);
}

int sl_yaml_open(struct sl_yaml *y, const char *file, struct sl_error *err)
{
	FILE *f = fopen(file, "re");
	yaml_parser_t parser;
	int rc = 0;

	*y = (struct sl_yaml){.file = file, .err = err};
	if (!f)
		return sl_error_set(err, -errno, "%s: cannot read the configuration: %s", file,
				    strerror(errno));
	if (!yaml_parser_initialize(&parser)) {
		fclose(f);
		return sl_error_set(err, -ENOMEM, "%s: no memory", file);
	}
	yaml_parser_set_input_file(&parser, f);
	if (!yaml_parser_load(&parser, &y->doc))
		rc = sl_error_set(err, -EINVAL, "%s:%zu: not YAML: %s: mend this line", file,
				  parser.problem_mark.line + 1,
				  parser.problem ? parser.problem : "unreadable");
	yaml_parser_delete(&parser);
	fclose(f);
	return rc;
}

const char *sl_yaml_text(const yaml_node_t *node)
{
	return node->type == YAML_SCALAR_NODE ? (const char *)node->data.scalar.value : NULL;
}

static const struct sl_yaml_field *field_find(const struct sl_yaml_field *fields, const char *key)
{
	for (; fields->key; fields++)
		if (!strcmp(fields->key, key))
			return fields;
	return NULL;
}

static int unknown_key(struct sl_yaml *y, const yaml_node_t *node,
		       const struct sl_yaml_field *fields, const char *key)
{
	char known[300] = "";
	size_t n = 0;

	for (; fields->key && n < sizeof(known); fields++)
		n += (size_t)snprintf(known + n, sizeof(known) - n, "%s%s", n ? ", " : "",
				      fields->key);
	return sl_yaml_error(y, node, "unknown setting \"%s\": use one of %s", key ? key : "",
			     known);
}

int sl_yaml_mapping(struct sl_yaml *y, const yaml_node_t *node, const struct sl_yaml_field *fields,
		    void *base)
{
	const struct sl_yaml_field *f;
	size_t depth = strlen(y->where);
	uint32_t seen = 0;
	int rc = 0;

	if (node->type != YAML_MAPPING_NODE)
		return sl_yaml_error(y, node, "expected settings: write \"key: value\" lines");
	for (yaml_node_pair_t *p = node->data.mapping.pairs.start;
	     !rc && p < node->data.mapping.pairs.top; p++) {
		yaml_node_t *key = yaml_document_get_node(&y->doc, p->key);
		const char *name = sl_yaml_text(key);

		f = name ? field_find(fields, name) : NULL;
		if (!f)
			return unknown_key(y, key, fields, name);
		snprintf(y->where + depth, sizeof(y->where) - depth, "%s%s", depth ? "." : "",
			 name);
		if (seen & 1U << (f - fields))
			return sl_yaml_error(y, key, "given twice: remove one");
		seen |= 1U << (f - fields);
		rc = f->set(y, yaml_document_get_node(&y->doc, p->value), base, f);
		if (!rc)
			y->where[depth] = 0;
	}
	return rc;
}

int sl_yaml_sequence(struct sl_yaml *y, const yaml_node_t *node,
		     int (*each)(struct sl_yaml *y, const yaml_node_t *item, unsigned i, void *ctx),
		     void *ctx)
{
	size_t depth = strlen(y->where);
	unsigned n = 0;
	int rc = 0;

	if (node->type == YAML_SCALAR_NODE)
		return each(y, node, 0, ctx);
	if (node->type != YAML_SEQUENCE_NODE)
		return sl_yaml_error(y, node, "expected a list: write [a, b]");
	for (yaml_node_item_t *i = node->data.sequence.items.start;
	     !rc && i < node->data.sequence.items.top; i++, n++) {
		snprintf(y->where + depth, sizeof(y->where) - depth, "[%u]", n);
		rc = each(y, yaml_document_get_node(&y->doc, *i), n, ctx);
		if (!rc)
			y->where[depth] = 0;
	}
	return rc;
}

/* --- setters */

int sl_yaml_word(const yaml_node_t *node, const char *const *words, unsigned n)
{
	const char *text = sl_yaml_text(node);

	for (unsigned i = 0; text && *text && i < n && words[i]; i++)
		if (!strcmp(text, words[i]))
			return (int)i;
	return -1;
}

int sl_yaml_bad_value(struct sl_yaml *y, const yaml_node_t *node, const struct sl_yaml_field *f)
{
	const char *text = sl_yaml_text(node);

	return sl_yaml_error(y, node, "\"%s\" is no good: %s", text ? text : "(a list or mapping)",
			     f->mend);
}

/* The number at the start of the scalar; *rest is what follows. False if there is none. */
static bool number(const yaml_node_t *node, double *value, const char **rest)
{
	const char *text = sl_yaml_text(node);
	char *end;

	/* strtod() also takes "inf", "nan" and hexadecimal. */
	if (!text || !*text || strspn(text, "0123456789.") == 0)
		return false;
	if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X'))
		return false;
	*value = strtod(text, &end);
	*rest = end;
	return end != text && isfinite(*value);
}

SL_YAML_SETTER(sl_yaml_set_bool)
{
	const char *text = sl_yaml_text(node);
	bool *out = (bool *)((char *)base + f->offset);

	if (text && (!strcmp(text, "true") || !strcmp(text, "yes") || !strcmp(text, "on")))
		*out = true;
	else if (text && (!strcmp(text, "false") || !strcmp(text, "no") || !strcmp(text, "off")))
		*out = false;
	else
		return sl_yaml_bad_value(y, node, f);
	return 0;
}

SL_YAML_SETTER(sl_yaml_set_unsigned)
{
	const char *rest;
	double v;

	if (!number(node, &v, &rest) || *rest || v != floor(v) || v < f->min || v > f->max)
		return sl_yaml_bad_value(y, node, f);
	*(unsigned *)((char *)base + f->offset) = (unsigned)v;
	return 0;
}

SL_YAML_SETTER(sl_yaml_set_fraction)
{
	const char *rest;
	double v;

	if (!number(node, &v, &rest) || (*rest && strcmp(rest, "%")))
		return sl_yaml_bad_value(y, node, f);
	if (*rest)
		v /= 100;
	if (v < f->min || v > f->max)
		return sl_yaml_bad_value(y, node, f);
	memcpy((char *)base + f->offset, &v, sizeof(v));
	return 0;
}

SL_YAML_SETTER(sl_yaml_set_duration)
{
	static const struct {
		const char *unit;
		double seconds;
	} units[] = {{"us", 1e-6}, {"ms", 1e-3}, {"s", 1}, {"m", 60}, {"min", 60}};
	const char *rest;
	double v;

	if (!number(node, &v, &rest))
		return sl_yaml_bad_value(y, node, f);
	while (*rest == ' ')
		rest++;
	for (unsigned i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcmp(rest, units[i].unit))
			continue;
		v *= units[i].seconds;
		/* A hair's breadth for what binary fractions do to decimal ones. */
		if (v < f->min * (1 - 1e-9) || v > f->max * (1 + 1e-9))
			return sl_yaml_bad_value(y, node, f);
		*(uint64_t *)((char *)base + f->offset) = (uint64_t)llround(v * 1e9);
		return 0;
	}
	return sl_yaml_bad_value(y, node, f);
}

SL_YAML_SETTER(sl_yaml_set_mapping)
{
	return sl_yaml_mapping(y, node, f->fields, (char *)base + f->offset);
}
