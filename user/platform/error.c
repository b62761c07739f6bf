// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * error.c - one line for the operator.
 */
#include <stdarg.h>
#include <stdio.h>

#include "platform/instance.h"

int sl_error_set(struct sl_error *err, int code, const char *fmt, ...)
{
	va_list ap;

	if (!err)
		return code;
	va_start(ap, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	return code;
}
