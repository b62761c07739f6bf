// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/option_values.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct unit {
	const char *suffix;
	double factor;
};

static const struct unit count_units[] = {{"", 1},    {"k", 1e3}, {"K", 1e3},
					  {"M", 1e6}, {"G", 1e9}, {NULL, 0}};
static const struct unit size_units[] = {{"", 1},	 {"K", 1024},	 {"k", 1024},
					 {"M", 1 << 20}, {"G", 1 << 30}, {"T", 1024.0 * (1 << 30)},
					 {"B", 1},	 {NULL, 0}};
static const struct unit duration_units[] = {{"ns", 1}, {"us", 1e3}, {"ms", 1e6},   {"s", 1e9},
					     {"", 1e9}, {"m", 60e9}, {"h", 3600e9}, {NULL, 0}};

static const struct unit *find_unit(const struct unit *units, const char *suffix)
{
	for (; units->suffix; units++)
		if (!strcmp(units->suffix, suffix))
			return units;
	return NULL;
}

/* A fraction of a unit above 1, such as 1.5M. */
static int fraction(const char *text, const struct unit *units, uint64_t *value)
{
	char *end;
	double real = strtod(text, &end);
	const struct unit *unit = find_unit(units, end);

	if (!unit || unit->factor == 1)
		return -EINVAL;
	if (real * unit->factor >= 0x1p64)
		return -ERANGE;
	*value = (uint64_t)llround(real * unit->factor);
	return 0;
}

/* A decimal number and a unit. Whole numbers stay exact. */
static int with_unit(const char *text, const struct unit *units, uint64_t *value)
{
	const struct unit *unit;
	unsigned long long whole;
	char *end;

	if (!isdigit((unsigned char)text[0]))
		return -EINVAL;
	errno = 0;
	whole = strtoull(text, &end, 10);
	if (*end == '.')
		return fraction(text, units, value);
	unit = find_unit(units, end);
	if (!unit)
		return -EINVAL;
	if (errno == ERANGE || __builtin_mul_overflow(whole, (uint64_t)unit->factor, value))
		return -ERANGE;
	return 0;
}

int opt_count(const char *text, uint64_t *value)
{
	return with_unit(text, count_units, value);
}

int opt_size(const char *text, uint64_t *bytes)
{
	return with_unit(text, size_units, bytes);
}

int opt_duration(const char *text, uint64_t *ns)
{
	return with_unit(text, duration_units, ns);
}

static const char *type_words(enum opt_type type)
{
	switch (type) {
	case OPT_TYPE_SIZE:
		return "a size such as 64M";
	case OPT_TYPE_DURATION:
		return "a time such as 200ms or 5s";
	case OPT_TYPE_DOUBLE:
		return "a number";
	default:
		return "a whole number";
	}
}

/* Bounds in the unit that the operator writes. */
static void range_words(const struct opt *o, char *buf, size_t size)
{
	double unit = o->type == OPT_TYPE_DURATION ? 1e9 : 1;
	const char *suffix = o->type == OPT_TYPE_DURATION ? "s" : "";
	double max = o->max ? o->max : o->type == OPT_TYPE_U32 ? UINT32_MAX : 0;

	if (max)
		snprintf(buf, size, "%.10g%s to %.10g%s", o->min / unit, suffix, max / unit,
			 suffix);
	else
		snprintf(buf, size, "%.10g%s or more", o->min / unit, suffix);
}

static int refuse(const struct opt *o, const char *label, const char *text, struct sl_error *err)
{
	char range[64];

	range_words(o, range, sizeof(range));
	return sl_error_set(err, -EINVAL, "%s: \"%s\" is not allowed; give %s, %s", label, text,
			    type_words(o->type), range);
}

static int set_number(const struct opt *o, const char *label, const char *text, void *member,
		      struct sl_error *err)
{
	double max = o->max ? o->max : o->type == OPT_TYPE_U32 ? UINT32_MAX : 0;
	uint64_t value;
	int ret;

	ret = o->type == OPT_TYPE_SIZE	     ? opt_size(text, &value)
	      : o->type == OPT_TYPE_DURATION ? opt_duration(text, &value)
					     : opt_count(text, &value);
	if (ret || (double)value < o->min || (max && (double)value > max))
		return refuse(o, label, text, err);
	if (o->type == OPT_TYPE_U32)
		*(uint32_t *)member = (uint32_t)value;
	else
		*(uint64_t *)member = value;
	return 0;
}

static int set_double(const struct opt *o, const char *label, const char *text, void *member,
		      struct sl_error *err)
{
	char *end;
	double value = strtod(text, &end);

	if (end == text || *end || !isfinite(value) || value < o->min || (o->max && value > o->max))
		return refuse(o, label, text, err);
	*(double *)member = value;
	return 0;
}

static int set_choice(const struct opt *o, const char *label, const char *text, void *member,
		      struct sl_error *err)
{
	char words[256] = "";

	for (unsigned i = 0; o->choices[i]; i++) {
		size_t used = strlen(words);

		if (!strcmp(o->choices[i], text)) {
			*(unsigned *)member = i;
			return 0;
		}
		snprintf(words + used, sizeof(words) - used, "%s%s", i ? ", " : "", o->choices[i]);
	}
	return sl_error_set(err, -EINVAL, "%s: \"%s\" is not allowed; give one of %s", label, text,
			    words);
}

static int add_to_list(const char *label, const char *text, struct opt_list *list,
		       struct sl_error *err)
{
	if (list->n == OPT_LIST_MAX)
		return sl_error_set(err, -E2BIG, "%s: more than %d values", label, OPT_LIST_MAX);
	list->v[list->n++] = text;
	return 0;
}

int opt_value_set(const struct opt *o, const char *label, const char *text, void *base,
		  struct sl_error *err)
{
	void *member = (char *)base + o->offset;

	switch (o->type) {
	case OPT_TYPE_FLAG:
		*(bool *)member = true;
		return 0;
	case OPT_TYPE_STRING:
		*(const char **)member = text;
		return 0;
	case OPT_TYPE_LIST:
		return add_to_list(label, text, member, err);
	case OPT_TYPE_DOUBLE:
		return set_double(o, label, text, member, err);
	case OPT_TYPE_CHOICE:
		return set_choice(o, label, text, member, err);
	default:
		return set_number(o, label, text, member, err);
	}
}

static void help_option(const struct opt *o, FILE *out)
{
	char left[64];

	if (o->letter)
		snprintf(left, sizeof(left), "-%c, --%s %s", o->letter, o->name,
			 o->arg ? o->arg : "");
	else
		snprintf(left, sizeof(left), "    --%s %s", o->name, o->arg ? o->arg : "");
	fprintf(out, "  %-28s %s\n", left, o->help);
}

void opt_help(const struct opt_spec *spec, const struct opt *common, FILE *out)
{
	fprintf(out, "Usage: sluice %s [options]", spec->command);
	for (const struct opt_arg *a = spec->args; a && a->type; a++)
		fprintf(out, a->optional ? " [%s%s]" : " %s%s", a->name,
			a->type == OPT_TYPE_LIST ? "..." : "");
	fprintf(out, "\n%s.\n\n", spec->summary);
	for (const struct opt_arg *a = spec->args; a && a->type; a++)
		fprintf(out, "  %-28s %s\n", a->name, a->help);
	for (const struct opt *o = spec->options; o && o->type; o++)
		help_option(o, out);
	for (const struct opt *o = common; o->type; o++)
		help_option(o, out);
	fprintf(out, "  %-28s %s\n", "-h, --help", "print this text");
	if (spec->notes)
		fprintf(out, "\n%s", spec->notes);
}
