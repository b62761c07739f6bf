// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "daemon/log.h"

static bool journal;

void log_open(void)
{
	journal = getenv("JOURNAL_STREAM") != NULL;
}

void log_line(int priority, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	/* One write a line: lines of several processes on one stderr do not mix. */
	if (journal)
		dprintf(STDERR_FILENO, "<%d>%s\n", priority, text);
	else
		dprintf(STDERR_FILENO, "sluiced: %s\n", text);
}
