// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/options.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cli/option_values.h"

struct cli_globals cli;

static const struct opt common_options[] = {
	OPT_FLAG(struct cli_globals, json, 'j', "json", "print JSON"),
	OPT_FLAG(struct cli_globals, pretty, 'p', "pretty", "print JSON, indented"),
	OPT_END,
};

/* Where a scan of argv stands. */
struct scan {
	const struct opt_spec *spec;
	void *config;
	int argc;
	char **argv;
	int next; /* index of the word behind the one in hand */
	unsigned arg; /* positional argument to be filled next */
	bool literal; /* `--` was seen */
	struct sl_error *err;
};

/* Append to a line that may be cut at its end. */
static void line_add(struct sl_error *line, const char *fmt, ...)
{
	size_t used = strlen(line->text);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line->text + used, sizeof(line->text) - used, fmt, ap);
	va_end(ap);
}

static const struct opt *find_in(const struct opt *table, const char *name, size_t len, char letter)
{
	for (const struct opt *o = table; o && o->type; o++)
		if (name ? strlen(o->name) == len && !strncmp(o->name, name, len)
			 : o->letter && o->letter == letter)
			return o;
	return NULL;
}

/* Find an option by long name or by letter, and the struct that it fills. */
static const struct opt *find(const struct scan *s, const char *name, size_t len, char letter,
			      void **base)
{
	const struct opt *o = find_in(s->spec->options, name, len, letter);

	*base = s->config;
	if (!o) {
		o = find_in(common_options, name, len, letter);
		*base = &cli;
	}
	return o;
}

static int unknown(const struct scan *s, const char *word, int len)
{
	struct sl_error allowed = {""};

	for (const struct opt *o = s->spec->options; o && o->type; o++)
		line_add(&allowed, "--%s, ", o->name);
	return sl_error_set(s->err, -EINVAL,
			    "unknown option %.*s; allowed: %s--json, --pretty, --help", len, word,
			    allowed.text);
}

static int set(const struct scan *s, const struct opt *o, const char *value, void *base)
{
	char label[64];

	snprintf(label, sizeof(label), "--%s", o->name);
	return opt_value_set(o, label, value, base, s->err);
}

/* --name, --name=value, --name value. */
static int read_long(struct scan *s, const char *word)
{
	const char *name = word + 2, *equals = strchr(name, '=');
	size_t len = equals ? (size_t)(equals - name) : strlen(name);
	const struct opt *o;
	void *base;

	if (len == strlen("help") && !strncmp(name, "help", len))
		return OPT_HELP;
	o = find(s, name, len, 0, &base);
	if (!o)
		return unknown(s, word, (int)len + 2);
	if (o->type == OPT_TYPE_FLAG) {
		if (equals)
			return sl_error_set(s->err, -EINVAL, "--%s takes no value", o->name);
		return set(s, o, NULL, base);
	}
	if (equals)
		return set(s, o, equals + 1, base);
	if (s->next >= s->argc)
		return sl_error_set(s->err, -EINVAL, "--%s needs a value: %s", o->name, o->arg);
	return set(s, o, s->argv[s->next++], base);
}

/* -a, -ab, -aVALUE, -a VALUE. */
static int read_short(struct scan *s, const char *word)
{
	for (const char *c = word + 1; *c; c++) {
		const struct opt *o;
		void *base;
		int ret;

		if (*c == 'h')
			return OPT_HELP;
		o = find(s, NULL, 0, *c, &base);
		if (!o)
			return unknown(s, (const char[]){'-', *c, 0}, 2);
		if (o->type == OPT_TYPE_FLAG) {
			ret = set(s, o, NULL, base);
			if (ret)
				return ret;
			continue;
		}
		if (c[1])
			return set(s, o, c + 1, base);
		if (s->next >= s->argc)
			return sl_error_set(s->err, -EINVAL, "-%c (--%s) needs a value: %s", *c,
					    o->name, o->arg);
		return set(s, o, s->argv[s->next++], base);
	}
	return 0;
}

static int read_arg(struct scan *s, const char *word)
{
	const struct opt_arg *a = s->spec->args ? &s->spec->args[s->arg] : NULL;
	struct opt o;

	if (!a || !a->type)
		return sl_error_set(s->err, -EINVAL, "\"%s\" is one argument too many; see --help",
				    word);
	o = (struct opt){.name = a->name,
			 .type = a->type,
			 .offset = a->offset,
			 .min = a->min,
			 .max = a->max};
	if (a->type != OPT_TYPE_LIST)
		s->arg++;
	return opt_value_set(&o, a->name, word, s->config, s->err);
}

/* The first argument that must be there and is not. */
static int check_args(const struct scan *s)
{
	const struct opt_arg *a = s->spec->args ? &s->spec->args[s->arg] : NULL;

	if (!a || !a->type || a->optional)
		return 0;
	if (a->type == OPT_TYPE_LIST) {
		const struct opt_list *l = (const void *)((const char *)s->config + a->offset);

		if (l->n)
			return 0;
	}
	return sl_error_set(s->err, -EINVAL, "%s is missing: %s", a->name, a->help);
}

int opt_read(const struct opt_spec *spec, int argc, char **argv, void *config, struct sl_error *err)
{
	struct scan s = {
		.spec = spec, .config = config, .argc = argc, .argv = argv, .next = 1, .err = err};

	while (s.next < argc) {
		const char *word = argv[s.next++];
		int ret = 0;

		if (s.literal || word[0] != '-' || !word[1])
			ret = read_arg(&s, word);
		else if (word[1] != '-')
			ret = read_short(&s, word);
		else if (word[2])
			ret = read_long(&s, word);
		else
			s.literal = true;
		if (ret)
			return ret;
	}
	if (cli.pretty)
		cli.json = true;
	return check_args(&s);
}

bool opt_parse(const struct opt_spec *spec, int argc, char **argv, void *config, int *status)
{
	struct sl_error err = {""};
	int ret = opt_read(spec, argc, argv, config, &err);

	if (ret == OPT_HELP) {
		opt_help(spec, common_options, stdout);
		*status = 0;
	} else if (ret < 0) {
		*status = opt_usage(spec, "%s", err.text);
	}
	return ret == OPT_OK;
}

int opt_usage(const struct opt_spec *spec, const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "sluice %s: ", spec->command);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	return EXIT_USAGE;
}

int cli_fail(const struct sl_error *err)
{
	fprintf(stderr, "sluice: %s\n", err->text);
	return EXIT_FAILED;
}

int opt_refuse(const struct opt_spec *spec, int rc, const struct sl_error *err)
{
	return rc == -EINVAL ? opt_usage(spec, "%s", err->text) : cli_fail(err);
}
