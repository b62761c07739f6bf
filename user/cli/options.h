/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * options.h - a command's options and arguments as a table bound to a configuration struct.
 *
 * The table is the only description of a command: it fills the struct, checks ranges and writes
 * --help. The config struct holds the defaults when it is handed in; a list and a string point into
 * argv. Options may stand before, between and behind the arguments; `--` ends them.
 *
 *	struct sink { uint32_t count; struct opt_list rules; const char *iface; };
 *	static const struct opt options[] = {
 *		OPT_U32(struct sink, count, 'n', "count", "N", 1, 64, "how many"),
 *		OPT_LIST(struct sink, rules, 'm', "match", "RULE", "what to take; repeatable"),
 *		OPT_END,
 *	};
 */
#ifndef SL_CLI_OPTIONS_H
#define SL_CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "platform/instance.h"

/* Exit status of every command. */
#define EXIT_FAILED 1 /* the system refused, or something is not there */
#define EXIT_USAGE                                                                                 \
	2 /* a word is wrong: in itself, or for what it is about. Nothing was changed              \
	   */

#define OPT_LIST_MAX 1024 /* values of one repeatable option: the parts of a large trace */

enum opt_type {
	OPT_TYPE_END = 0,
	OPT_TYPE_FLAG, /* bool: set to true */
	OPT_TYPE_U32, /* uint32_t; k, M and G multiply by powers of 1000 */
	OPT_TYPE_U64, /* uint64_t; likewise */
	OPT_TYPE_DOUBLE, /* double */
	OPT_TYPE_STRING, /* const char * */
	OPT_TYPE_LIST, /* struct opt_list: repeatable */
	OPT_TYPE_SIZE, /* uint64_t bytes; K, M, G and T multiply by powers of 1024 */
	OPT_TYPE_DURATION, /* uint64_t nanoseconds; ns, us, ms, s (the default), m, h */
	OPT_TYPE_CHOICE, /* unsigned: index of the word in `choices` */
};

struct opt_list {
	unsigned n;
	const char *v[OPT_LIST_MAX];
};

struct opt {
	const char *name; /* without the dashes */
	char letter; /* short form, 0: none */
	enum opt_type type;
	size_t offset; /* of the member in the configuration */
	const char *arg; /* what --help calls the value */
	double min, max; /* inclusive, in the unit stored; max 0: no limit */
	const char *const *choices; /* NULL-terminated */
	const char *help; /* one line */
};

/* A positional argument, in order. An optional or a repeated one comes last. */
struct opt_arg {
	const char *name; /* as --help shows it: "IF" */
	enum opt_type type; /* OPT_TYPE_STRING, OPT_TYPE_U32 or OPT_TYPE_LIST */
	size_t offset;
	bool optional;
	double min, max;
	const char *help;
};

struct opt_spec {
	const char *command; /* "attach" */
	const char *summary; /* one line */
	const struct opt_arg *args; /* ends with ARG_END; NULL: takes none */
	const struct opt *options; /* ends with OPT_END; NULL: none but the common ones */
	const char *notes; /* lines under the options, may be NULL */
};

/* Reads as the member's type, so that a table cannot name a member of another type. */
#define OPT_MEMBER(s, m, t) _Generic(((s *)0)->m, t : offsetof(s, m))

#define OPT_FLAG(s, m, c, n, h)                                                                    \
	{                                                                                          \
		.name = n, .letter = c, .type = OPT_TYPE_FLAG, .offset = OPT_MEMBER(s, m, bool),   \
		.help = h                                                                          \
	}
#define OPT_U32(s, m, c, n, a, lo, hi, h)                                                          \
	{                                                                                          \
		.name = n, .letter = c, .type = OPT_TYPE_U32,                                      \
		.offset = OPT_MEMBER(s, m, uint32_t), .arg = a, .min = lo, .max = hi, .help = h    \
	}
#define OPT_U64(s, m, c, n, a, lo, hi, h)                                                          \
	{                                                                                          \
		.name = n, .letter = c, .type = OPT_TYPE_U64,                                      \
		.offset = OPT_MEMBER(s, m, uint64_t), .arg = a, .min = lo, .max = hi, .help = h    \
	}
#define OPT_DOUBLE(s, m, c, n, a, lo, hi, h)                                                       \
	{                                                                                          \
		.name = n, .letter = c, .type = OPT_TYPE_DOUBLE,                                   \
		.offset = OPT_MEMBER(s, m, double), .arg = a, .min = lo, .max = hi, .help = h      \
	}
#define OPT_STRING(s, m, c, n, a, h)                                                               \
	{                                                                                          \
		.name = n, .letter = c, .type = OPT_TYPE_STRING,                                   \
		.offset = OPT_MEMBER(s, m, const char *), .arg = a, .help = h                      \
	}
#define OPT_LIST(s, m, c, n, a, h)                                                                 \
	{                                                                                          \
		.name = n, .letter = c, .type = OPT_TYPE_LIST,                                     \
		.offset = OPT_MEMBER(s, m, struct opt_list), .arg = a, .help = h                   \
	}
#define OPT_SIZE(s, m, c, n, a, lo, hi, h)                                                         \
	{                                                                                          \
		.name = n, .letter = c, .type = OPT_TYPE_SIZE,                                     \
		.offset = OPT_MEMBER(s, m, uint64_t), .arg = a, .min = lo, .max = hi, .help = h    \
	}
#define OPT_DURATION(s, m, c, n, a, lo, hi, h)                                                     \
	{                                                                                          \
		.name = n, .letter = c, .type = OPT_TYPE_DURATION,                                 \
		.offset = OPT_MEMBER(s, m, uint64_t), .arg = a, .min = lo, .max = hi, .help = h    \
	}
#define OPT_CHOICE(s, m, c, n, a, words, h)                                                        \
	{                                                                                          \
		.name = n, .letter = c, .type = OPT_TYPE_CHOICE,                                   \
		.offset = OPT_MEMBER(s, m, unsigned), .arg = a, .choices = words, .help = h        \
	}
#define OPT_END                                                                                    \
	{                                                                                          \
		.type = OPT_TYPE_END                                                               \
	}

#define ARG_STRING(s, m, n, opt, h)                                                                \
	{                                                                                          \
		.name = n, .type = OPT_TYPE_STRING, .offset = OPT_MEMBER(s, m, const char *),      \
		.optional = opt, .help = h                                                         \
	}
#define ARG_U32(s, m, n, opt, lo, hi, h)                                                           \
	{                                                                                          \
		.name = n, .type = OPT_TYPE_U32, .offset = OPT_MEMBER(s, m, uint32_t),             \
		.optional = opt, .min = lo, .max = hi, .help = h                                   \
	}
#define ARG_LIST(s, m, n, opt, h)                                                                  \
	{                                                                                          \
		.name = n, .type = OPT_TYPE_LIST, .offset = OPT_MEMBER(s, m, struct opt_list),     \
		.optional = opt, .help = h                                                         \
	}
#define ARG_END                                                                                    \
	{                                                                                          \
		.type = OPT_TYPE_END                                                               \
	}

/* Options that every command takes: -j, -p, -h. Set by opt_parse() and by main(). */
struct cli_globals {
	bool json; /* print JSON instead of text */
	bool pretty; /* indent it */
};
extern struct cli_globals cli;

enum opt_outcome { OPT_OK = 0, OPT_HELP = 1 };

/*
 * Read argv[1..argc) into `config`. OPT_OK, OPT_HELP if --help is among them, or -EINVAL with one
 * line in err that names the option and what is allowed; `config` is then half filled. Prints
 * nothing.
 */
int opt_read(const struct opt_spec *spec, int argc, char **argv, void *config,
	     struct sl_error *err);

/*
 * The same for a command: prints help to standard output or the error to standard error. True: go
 * on. False: return *status from the command.
 */
bool opt_parse(const struct opt_spec *spec, int argc, char **argv, void *config, int *status);

/* Print one line "sluice COMMAND: ..." to standard error and return EXIT_USAGE. For checks that a
 * table cannot express. */
int opt_usage(const struct opt_spec *spec, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* Print "sluice: ..." to standard error and return EXIT_FAILED. */
int cli_fail(const struct sl_error *err);

/* The one or the other: `rc` -EINVAL is about the words of the command line. */
int opt_refuse(const struct opt_spec *spec, int rc, const struct sl_error *err);

/* Values as the types above read them. 0, -EINVAL malformed, -ERANGE beyond 64 bits. */
int opt_count(const char *text, uint64_t *value);
int opt_size(const char *text, uint64_t *bytes);
int opt_duration(const char *text, uint64_t *ns);

#endif /* SL_CLI_OPTIONS_H */
