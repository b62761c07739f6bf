// SPDX-License-Identifier: GPL-2.0-or-later
/* read.c - rows of files, compressed by gzip or not, as they come. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "cli/sched/trace.h"

#define ROW_MAX 4096
#define PROGRESS_ROWS 65536

struct file {
	const char *name;
	gzFile gz;
	uint64_t row;
};

unsigned trace_split(char *row, char **field, unsigned max)
{
	unsigned n = 0;

	for (char *at = row; at; n++) {
		char *comma = strchr(at, ',');

		if (n < max)
			field[n] = at;
		if (comma)
			*comma++ = 0;
		at = comma;
	}
	return n;
}

int trace_add(struct trace *t, struct trace_task *task, uint64_t start_us, const char *user,
	      struct sl_error *err)
{
	const uint64_t finish_us = start_us + task->duration_us;
	const int u = trace_user(t, user, err);
	int ret;

	if (u < 0)
		return u;
	if (!t->sort)
		t->sort = trace_sort_new(t->resources, t->sort_bytes);
	if (!t->sort)
		return sl_error_set(err, -ENOMEM, "no memory to sort in: lower --sort-memory");
	task->user = (uint32_t)u;
	task->number = t->tasks;
	ret = trace_sort_add(t->sort, task);
	if (ret)
		return sl_error_set(err, ret,
				    "cannot sort in a file: %s; make room in /var/tmp, or set "
				    "TMPDIR",
				    strerror(-ret));
	if (t->tasks++ == 0)
		t->first_submit_us = t->min_start_us = UINT64_MAX;
	if (task->submit_us < t->first_submit_us)
		t->first_submit_us = task->submit_us;
	if (start_us < t->min_start_us)
		t->min_start_us = start_us;
	if (finish_us > t->max_finish_us)
		t->max_finish_us = finish_us;
	for (unsigned r = 0; r < t->resources; r++)
		t->work[r] += task->demand[r] * (double)task->duration_us / 1e6;
	trace_user_add_work(t, task);
	return 0;
}

/* Why the last read ended: 0 at the end of the file, or -EIO. */
static int end_of(const struct file *f, struct sl_error *err)
{
	int code = 0;
	const char *why = gzerror(f->gz, &code);

	if (code == Z_OK || code == Z_STREAM_END)
		return 0;
	return sl_error_set(err, -EIO, "%s",
			    code == Z_BUF_ERROR ? "the file was cut off: gzip's end is missing"
						: why);
}

/* A row without its end: 1, 0 at the end of the file, or -errno. */
static int next_row(struct file *f, char *row, struct sl_error *err)
{
	const z_off_t at = gztell(f->gz);
	size_t len;

	f->row++;
	if (!gzgets(f->gz, row, ROW_MAX))
		return end_of(f, err);
	len = strlen(row);
	if (gztell(f->gz) - at != (z_off_t)len)
		return sl_error_set(err, -EINVAL, "a byte of zero: the file is damaged or no text");
	if (len == ROW_MAX - 1 && row[len - 1] != '\n')
		return sl_error_set(err, -EINVAL, "the row is longer than %d bytes", ROW_MAX - 2);
	/* part of a row may read well and be wrong */
	if (!len || row[len - 1] != '\n') {
		const int ret = end_of(f, err);

		if (ret)
			return ret;
	}
	while (len && (row[len - 1] == '\n' || row[len - 1] == '\r'))
		row[--len] = 0;
	return 1;
}

/* The first row tells: Google's begin with a time and have 13 columns, a CSV's name columns. */
static enum trace_format guess(const char *row)
{
	return *row >= '0' && *row <= '9' ? TRACE_GOOGLE : TRACE_CSV;
}

static int take_row(struct trace *t, char *row, struct sl_error *err)
{
	t->rows++;
	if (!*row || *row == '#')
		return 0;
	if (t->format == TRACE_AUTO)
		t->format = guess(row);
	if (t->format == TRACE_GOOGLE)
		return trace_google_row(t, row, err);
	return t->columns ? trace_csv_row(t, row, err) : trace_csv_header(t, row, err);
}

static void progress(const struct trace *t, const struct file *f)
{
	const double done = t->bytes_before + (double)gzoffset(f->gz);

	t->progress("reading", t->bytes > 0 ? done / t->bytes : -1, t->rows);
}

static int read_rows(struct trace *t, struct file *f, struct sl_error *err)
{
	struct sl_error why = {""};
	char row[ROW_MAX];
	int ret;

	t->columns = 0; /* each CSV has a header */
	while ((ret = next_row(f, row, &why)) > 0) {
		ret = take_row(t, row, &why);
		if (ret)
			break;
		if (t->progress && f->row % PROGRESS_ROWS == 0)
			progress(t, f);
	}
	if (ret < 0)
		return sl_error_set(err, ret, "%s:%llu: %s", f->name, (unsigned long long)f->row,
				    *why.text ? why.text : strerror(-ret));
	return 0;
}

static gzFile open_file(const char *name)
{
	gzFile gz;
	int fd;

	if (strcmp(name, "-"))
		return gzopen(name, "rb");
	fd = dup(STDIN_FILENO);
	gz = fd < 0 ? NULL : gzdopen(fd, "rb");
	if (!gz && fd >= 0)
		close(fd);
	return gz;
}

static double size_of(const char *name)
{
	struct stat st;

	return strcmp(name, "-") && !stat(name, &st) && S_ISREG(st.st_mode) ? (double)st.st_size
									    : -1;
}

static int read_file(struct trace *t, const char *name, struct sl_error *err)
{
	struct file f = {.name = name};
	int ret;

	errno = 0;
	f.gz = open_file(name);
	if (!f.gz)
		return sl_error_set(err, -EIO, "%s: %s", name, strerror(errno ? errno : ENOMEM));
	gzbuffer(f.gz, 1 << 18);
	ret = read_rows(t, &f, err);
	gzclose(f.gz);
	t->bytes_before += size_of(name);
	return ret;
}

int trace_read(struct trace *t, const char *const *files, unsigned n, struct sl_error *err)
{
	int ret = 0, sorted;

	for (unsigned i = 0; i < n && t->bytes >= 0; i++) {
		const double size = size_of(files[i]);

		t->bytes = size < 0 ? -1 : t->bytes + size;
	}
	for (unsigned i = 0; !ret && i < n; i++)
		ret = read_file(t, files[i], err);
	sorted = t->sort ? trace_sort_rewind(t->sort) : 0;
	if (sorted)
		t->tasks = 0;
	if (sorted && !ret)
		ret = sl_error_set(err, sorted,
				   "cannot sort in a file: %s; make room in /var/tmp, or set "
				   "TMPDIR",
				   strerror(-sorted));
	return ret;
}

void trace_free(struct trace *t)
{
	trace_sort_free(t->sort);
	trace_users_free(t->users);
	trace_open_free(t->open);
}
