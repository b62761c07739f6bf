/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * output.h - what commands print: one JSON document, or aligned text.
 */
#ifndef SL_CLI_OUTPUT_H
#define SL_CLI_OUTPUT_H

#include <jansson.h>
#include <stdint.h>

/*
 * Print a document as the globals ask, compact or indented, and free it. Returns the exit status:
 * EXIT_FAILED with a line on standard error if it is NULL (no memory) or cannot be written.
 */
int output_json(json_t *document);

/* Close standard output: 0, or EXIT_FAILED with a line if something could not be written. `status`
 * is returned if it is not 0. */
int output_close(int status);

enum align { ALIGN_LEFT, ALIGN_RIGHT };

/* A column of a table over an array of objects. */
struct column {
	const char *key; /* member of the object */
	const char *title;
	enum align align;
	/* Text of a value; NULL: as it is. */
	void (*format)(const json_t *value, char *buf, size_t size);
};

/* Print `rows` (array of objects, borrowed) under titles, columns as wide as their content; with
 * no row, only the titles. `columns` ends with an entry without a key. */
void output_table(const json_t *rows, const struct column *columns);

/* Print rows as JSON or as a table, as the globals ask, and free them. NULL as for output_json().
 */
int output_rows(json_t *rows, const struct column *columns);

/* Text of a JSON scalar. */
void format_plain(const json_t *value, char *buf, size_t size);
/* A share of 1 as "12.3%"; null as "-". */
void format_percent(const json_t *value, char *buf, size_t size);
/* Bytes as "1.5G"; microseconds as "12.3"; null as "-". */
void format_bytes(const json_t *value, char *buf, size_t size);
/* A rate as "1.2M". */
void format_count(const json_t *value, char *buf, size_t size);
void format_us(const json_t *value, char *buf, size_t size);
void format_bool(const json_t *value, char *buf, size_t size);

/* 12345678 as "12.3M": at most five characters below 1000 of the largest unit (base 1000). */
void format_si(double value, char *buf, size_t size);
/* The same with base 1024. */
void format_size(uint64_t bytes, char *buf, size_t size);

#endif /* SL_CLI_OUTPUT_H */
