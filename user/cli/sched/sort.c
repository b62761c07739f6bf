// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * sort.c - tasks by time of submission: runs of one buffer each, merged out of a file. Memory is
 * what was allowed, whatever the number of tasks, as long as there is room for a few records of
 * each run.
 */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/sched/trace.h"

/* Records of a run that are read back at a time, at least. */
#define CHUNK_MIN 16

struct run {
	off_t at, end; /* of what is still in the file */
	char *chunk;
	size_t next, n; /* of the chunk's records */
};

struct trace_sort {
	size_t record; /* bytes */
	size_t room, n; /* of the buffer, records */
	size_t bytes; /* that may be taken */
	char *buffer, *kept; /* kept: the run that the file had no room for */
	int fd; /* of the spill file, -1: none yet */
	off_t end;
	struct run *run;
	unsigned *heap; /* runs that have records, earliest first */
	unsigned runs, left;
	size_t chunk; /* records */
};

struct trace_sort *trace_sort_new(unsigned resources, size_t bytes)
{
	struct trace_sort *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->fd = -1;
	s->record = offsetof(struct trace_task, demand) + resources * sizeof(double);
	s->bytes = bytes;
	s->room = bytes / 2 / s->record + 1; /* qsort() takes as much again */
	s->buffer = malloc(s->room * s->record);
	if (!s->buffer) {
		free(s);
		return NULL;
	}
	return s;
}

void trace_sort_free(struct trace_sort *s)
{
	if (!s)
		return;
	free(s->run);
	free(s->heap);
	free(s->buffer);
	free(s->kept);
	if (s->fd >= 0)
		close(s->fd);
	free(s);
}

static int compare(const void *a, const void *b)
{
	const struct trace_task *x = a, *y = b;

	if (x->submit_us != y->submit_us)
		return x->submit_us < y->submit_us ? -1 : 1;
	return x->number < y->number ? -1 : x->number > y->number;
}

static int open_spill(struct trace_sort *s)
{
	const char *dir = getenv("TMPDIR");
	char path[4096];

	snprintf(path, sizeof(path), "%s/sluice-sched-XXXXXX", dir && *dir ? dir : "/var/tmp");
	s->fd = mkstemp(path);
	if (s->fd < 0)
		return -errno;
	unlink(path);
	return 0;
}

static int write_all(int fd, const char *data, size_t size, off_t at)
{
	while (size) {
		const ssize_t n = pwrite(fd, data, size, at);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0) {
			data += n;
			at += n;
			size -= (size_t)n;
		}
	}
	return 0;
}

static int spill(struct trace_sort *s)
{
	struct run *more = realloc(s->run, (s->runs + 1) * sizeof(*more));
	const size_t size = s->n * s->record;
	int ret = more ? 0 : -ENOMEM;

	if (ret)
		return ret;
	s->run = more;
	if (s->fd < 0)
		ret = open_spill(s);
	qsort(s->buffer, s->n, s->record, compare);
	if (!ret)
		ret = write_all(s->fd, s->buffer, size, s->end);
	if (ret)
		return ret;
	s->run[s->runs++] = (struct run){.at = s->end, .end = s->end + (off_t)size};
	s->end += (off_t)size;
	s->n = 0;
	return 0;
}

int trace_sort_add(struct trace_sort *s, const struct trace_task *task)
{
	if (s->n == s->room) {
		const int ret = spill(s);

		if (ret)
			return ret;
	}
	memcpy(s->buffer + s->n++ * s->record, task, s->record);
	return 0;
}

/* Have the next records of a run in its chunk, if there are any. */
static int refill(const struct trace_sort *s, struct run *r)
{
	const off_t left = r->end - r->at;
	size_t want = s->chunk * s->record, got = 0;

	if ((off_t)want > left)
		want = (size_t)left;
	while (got < want) {
		const ssize_t n = pread(s->fd, r->chunk + got, want - got, r->at + (off_t)got);

		if (n == 0)
			return -EIO;
		if (n < 0 && errno != EINTR)
			return -errno;
		got += n > 0 ? (size_t)n : 0;
	}
	r->at += (off_t)want;
	r->n = want / s->record;
	r->next = 0;
	return 0;
}

static const void *head(const struct trace_sort *s, unsigned at)
{
	const struct run *r = &s->run[s->heap[at]];

	return r->chunk + r->next * s->record;
}

/* The run at this place may be later than those below it. */
static void sink(struct trace_sort *s, unsigned at)
{
	for (;;) {
		unsigned side = 2 * at + 1, moved = s->heap[at];

		if (side + 1 < s->left && compare(head(s, side + 1), head(s, side)) < 0)
			side++;
		if (side >= s->left || compare(head(s, at), head(s, side)) < 0)
			return;
		s->heap[at] = s->heap[side];
		s->heap[side] = moved;
		at = side;
	}
}

/* A disk that is full: the latest run stays in memory. */
static int keep(struct trace_sort *s)
{
	struct run *more = realloc(s->run, (s->runs + 1) * sizeof(*more));

	if (!more)
		return -ENOMEM;
	s->run = more;
	qsort(s->buffer, s->n, s->record, compare);
	s->run[s->runs++] = (struct run){.chunk = s->buffer, .n = s->n};
	s->kept = s->buffer;
	s->buffer = NULL;
	return 0;
}

/* Chunks of all runs instead of the buffer that they were sorted in. */
static int read_back(struct trace_sort *s)
{
	int ret = s->n && spill(s) ? keep(s) : 0;

	free(s->buffer);
	s->buffer = NULL;
	s->chunk = s->bytes / s->runs / s->record;
	s->chunk = s->chunk > CHUNK_MIN ? s->chunk : CHUNK_MIN;
	if (!ret)
		s->buffer = malloc(s->runs * s->chunk * s->record);
	if (!s->buffer)
		return ret ? ret : -ENOMEM;
	for (unsigned i = 0; !ret && i < s->runs; i++) {
		if (s->run[i].at == s->run[i].end)
			continue;
		s->run[i].chunk = s->buffer + i * s->chunk * s->record;
		ret = refill(s, &s->run[i]);
	}
	return ret;
}

int trace_sort_rewind(struct trace_sort *s)
{
	int ret = 0;

	if (s->fd < 0 && s->heap) { /* once more */
		s->run[0].next = 0;
		s->left = 1;
		return 0;
	}
	if (s->runs) {
		ret = read_back(s);
	} else { /* all fits into the buffer: the only run is there */
		qsort(s->buffer, s->n, s->record, compare);
		free(s->run);
		s->run = calloc(1, sizeof(*s->run));
		if (!s->run)
			return -ENOMEM;
		s->run[0] = (struct run){.chunk = s->buffer, .n = s->n};
		s->runs = 1;
	}
	s->heap = malloc(s->runs * sizeof(*s->heap));
	if (ret || !s->heap)
		return ret ? ret : -ENOMEM;
	for (s->left = 0; s->left < s->runs; s->left++)
		s->heap[s->left] = s->left;
	for (unsigned i = s->runs / 2; i--;)
		sink(s, i);
	return 0;
}

int trace_sort_next(struct trace_sort *s, struct trace_task *task)
{
	struct run *first;
	int ret = 0;

	if (!s->left)
		return 0;
	first = &s->run[s->heap[0]];
	memcpy(task, head(s, 0), s->record);
	if (++first->next == first->n) {
		if (first->at < first->end)
			ret = refill(s, first);
		else
			s->heap[0] = s->heap[--s->left];
	}
	if (s->left)
		sink(s, 0);
	return ret ? ret : 1;
}
