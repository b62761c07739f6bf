// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/output.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/options.h"

#define CELL 96 /* bytes of a cell's text */
#define COLUMNS_MAX 24

int output_json(json_t *document)
{
	struct sl_error err;
	int status = 0;

	if (!document) {
		sl_error_set(&err, -ENOMEM, "no memory for the output");
		return cli_fail(&err);
	}
	if (json_dumpf(document, stdout,
		       JSON_ENCODE_ANY | JSON_REAL_PRECISION(12) |
			       (cli.pretty ? JSON_INDENT(2) : JSON_COMPACT)) ||
	    putchar('\n') == EOF)
		status = EXIT_FAILED;
	json_decref(document);
	return status;
}

int output_close(int status)
{
	struct sl_error err;

	if (!fflush(stdout) && !ferror(stdout))
		return status;
	if (status)
		return status;
	sl_error_set(&err, -errno, "standard output: %s", strerror(errno));
	return cli_fail(&err);
}

static void format_scaled(double value, double base, const char *units, char *buf, size_t size)
{
	unsigned unit = 0;

	while (value >= base && units[unit + 1]) {
		value /= base;
		unit++;
	}
	if (!unit)
		snprintf(buf, size, "%.0f", value);
	else
		snprintf(buf, size, value < 99.95 ? "%.1f%c" : "%.0f%c", value, units[unit]);
}

void format_si(double value, char *buf, size_t size)
{
	format_scaled(value, 1000, " kMGTPE", buf, size);
}

void format_size(uint64_t bytes, char *buf, size_t size)
{
	format_scaled((double)bytes, 1024, " KMGTPE", buf, size);
}

void format_plain(const json_t *value, char *buf, size_t size)
{
	if (json_is_string(value))
		snprintf(buf, size, "%s", json_string_value(value));
	else if (json_is_integer(value))
		snprintf(buf, size, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
	else if (json_is_real(value))
		snprintf(buf, size, "%.3f", json_real_value(value));
	else if (json_is_boolean(value))
		snprintf(buf, size, "%s", json_is_true(value) ? "yes" : "no");
	else
		snprintf(buf, size, "-");
}

void format_percent(const json_t *value, char *buf, size_t size)
{
	if (json_is_number(value))
		snprintf(buf, size, "%.1f%%", 100 * json_number_value(value));
	else
		snprintf(buf, size, "-");
}

void format_bytes(const json_t *value, char *buf, size_t size)
{
	format_size((uint64_t)json_integer_value(value), buf, size);
}

void format_count(const json_t *value, char *buf, size_t size)
{
	format_si(json_number_value(value), buf, size);
}

void format_us(const json_t *value, char *buf, size_t size)
{
	if (json_is_number(value))
		snprintf(buf, size, "%.1f", json_number_value(value));
	else
		snprintf(buf, size, "-");
}

void format_bool(const json_t *value, char *buf, size_t size)
{
	snprintf(buf, size, "%s", json_is_true(value) ? "yes" : "");
}

static void cell(const json_t *row, const struct column *c, char buf[CELL])
{
	const json_t *value = json_object_get(row, c->key);

	if (c->format)
		c->format(value, buf, CELL);
	else
		format_plain(value, buf, CELL);
}

/* The last column is not padded when it is aligned left, so that no line ends in blanks. */
static void print_cell(const char *text, const struct column *c, int width)
{
	if (c->align == ALIGN_RIGHT)
		printf("%*s", width, text);
	else if (c[1].key)
		printf("%-*s", width, text);
	else
		fputs(text, stdout);
	fputs(c[1].key ? "  " : "\n", stdout);
}

void output_table(const json_t *rows, const struct column *columns)
{
	int width[COLUMNS_MAX];
	char buf[CELL];
	json_t *row;
	size_t i;

	for (unsigned c = 0; columns[c].key; c++) {
		width[c] = (int)strlen(columns[c].title);
		json_array_foreach (rows, i, row) {
			cell(row, &columns[c], buf);
			if ((int)strlen(buf) > width[c])
				width[c] = (int)strlen(buf);
		}
	}
	for (unsigned c = 0; columns[c].key; c++)
		print_cell(columns[c].title, &columns[c], width[c]);
	json_array_foreach (rows, i, row) {
		for (unsigned c = 0; columns[c].key; c++) {
			cell(row, &columns[c], buf);
			print_cell(buf, &columns[c], width[c]);
		}
	}
}

int output_rows(json_t *rows, const struct column *columns)
{
	if (cli.json || !rows)
		return output_json(rows);
	output_table(rows, columns);
	json_decref(rows);
	return 0;
}
