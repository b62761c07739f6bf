// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * dpi_patterns.c - a pattern a line, as Hyperscan's own tools write them, and what to do:
 *
 *	7:/GET \/admin/i drop
 *	/\x13BitTorrent protocol/
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nf/dpi_patterns.h"
#include "nf/lines.h"

#define PATTERNS_MAX 65536u
#define SHAPE "write [NUMBER:]/EXPRESSION/[FLAGS] [drop]"

struct parse {
	struct lines at;
	unsigned room;
	struct dpi_patterns *out;
};

/* Letters as in Hyperscan's tools. */
static bool read_flags(const char *word, unsigned *flags)
{
	static const struct {
		char letter;
		unsigned flag;
	} known[] = {{'i', HS_FLAG_CASELESS},	 {'s', HS_FLAG_DOTALL}, {'m', HS_FLAG_MULTILINE},
		     {'H', HS_FLAG_SINGLEMATCH}, {'8', HS_FLAG_UTF8},	{'W', HS_FLAG_UCP}};

	for (*flags = 0; *word; word++) {
		unsigned i = 0;

		while (i < sizeof(known) / sizeof(known[0]) && known[i].letter != *word)
			i++;
		if (i == sizeof(known) / sizeof(known[0]))
			return false;
		*flags |= known[i].flag;
	}
	return true;
}

static char *skip_blanks(char *s)
{
	return s + strspn(s, " \t");
}

/* Behind the closing slash: flags, then what to do. */
static int read_rest(const struct parse *p, char *rest, struct dpi_pattern *out)
{
	char *save = NULL, *word;
	bool flags = *rest != ' ' && *rest != '\t';

	word = strtok_r(rest, " \t", &save);
	if (flags && word) {
		if (!read_flags(word, &out->flags))
			return lines_fail(&p->at,
					  "'%s' are no flags: i s m H 8 W, as in Hyperscan's tools",
					  word);
		word = strtok_r(NULL, " \t", &save);
	}
	if (word && !strcmp(word, "drop")) {
		out->drop = true;
		word = strtok_r(NULL, " \t", &save);
	}
	return !word || *word == '#' ? 0
				     : lines_fail(&p->at, "'%s' is nothing to do: " SHAPE, word);
}

static int add_pattern(struct parse *p, const struct dpi_pattern *one)
{
	struct dpi_patterns *all = p->out;

	if (all->n == PATTERNS_MAX)
		return lines_fail(&p->at, "more than %u patterns", PATTERNS_MAX);
	if (all->n == p->room) {
		unsigned room = p->room ? 2 * p->room : 64;
		struct dpi_pattern *more = realloc(all->pattern, room * sizeof(*more));

		if (!more)
			return -ENOMEM;
		all->pattern = more;
		p->room = room;
	}
	all->pattern[all->n] = *one;
	all->pattern[all->n].expression = strdup(one->expression);
	return all->pattern[all->n++].expression ? 0 : -ENOMEM;
}

static int take_line(void *ctx, char *line)
{
	struct parse *p = ctx;
	struct dpi_pattern one = {.line = p->at.line, .id = p->at.line};
	char *at = skip_blanks(line), *end;
	int ret;

	at[strcspn(at, "\r\n")] = '\0';
	if (!*at || *at == '#')
		return 0;
	if (*at >= '0' && *at <= '9') {
		unsigned long id = strtoul(at, &end, 10);

		if (*end != ':' || id > UINT32_MAX)
			return lines_fail(&p->at, "'%s': " SHAPE, at);
		one.id = (unsigned)id;
		at = end + 1;
	}
	end = strrchr(at, '/');
	if (*at != '/' || end == at)
		return lines_fail(&p->at, "'%s': " SHAPE, at);
	*end = '\0';
	one.expression = at + 1;
	ret = read_rest(p, end + 1, &one);
	return ret ? ret : add_pattern(p, &one);
}

static int compile(struct parse *p)
{
	struct dpi_patterns *all = p->out;
	const char **expressions = calloc(all->n, sizeof(*expressions));
	unsigned *flags = calloc(all->n, sizeof(*flags)), *ids = calloc(all->n, sizeof(*ids));
	hs_compile_error_t *wrong = NULL;
	int ret = expressions && flags && ids ? 0 : -ENOMEM;

	for (unsigned i = 0; !ret && i < all->n; i++) {
		expressions[i] = all->pattern[i].expression;
		flags[i] = all->pattern[i].flags;
		ids[i] = i;
	}
	if (!ret && hs_compile_multi(expressions, flags, ids, all->n, HS_MODE_STREAM, NULL,
				     &all->db, &wrong) != HS_SUCCESS) {
		p->at.line = wrong && wrong->expression >= 0 ? all->pattern[wrong->expression].line
							     : all->pattern[0].line;
		ret = lines_fail(&p->at, "Hyperscan takes no such pattern: %s",
				 wrong ? wrong->message : "no memory");
		hs_free_compile_error(wrong);
	}
	if (!ret && hs_stream_size(all->db, &all->stream_bytes) != HS_SUCCESS)
		ret = -ENOMEM;
	free(expressions);
	free(flags);
	free(ids);
	return ret;
}

int dpi_patterns_load(const char *path, struct dpi_patterns *out, char *err, size_t err_size)
{
	struct parse p = {.at = {.path = path, .err = err, .err_size = err_size}, .out = out};
	int ret;

	memset(out, 0, sizeof(*out));
	if (hs_valid_platform() != HS_SUCCESS) {
		snprintf(err, err_size, "Hyperscan needs a CPU with SSSE3");
		return -ENOTSUP;
	}
	ret = lines_read(&p.at, "patterns", take_line, &p);
	if (!ret && !out->n) {
		snprintf(err, err_size, "%s: no pattern: " SHAPE, path);
		ret = -EINVAL;
	}
	if (!ret)
		ret = compile(&p);
	if (ret)
		dpi_patterns_free(out);
	return ret;
}

void dpi_patterns_free(struct dpi_patterns *p)
{
	for (unsigned i = 0; i < p->n; i++)
		free(p->pattern[i].expression);
	free(p->pattern);
	hs_free_database(p->db);
	memset(p, 0, sizeof(*p));
}
