// SPDX-License-Identifier: GPL-2.0-or-later
#include <arpa/inet.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "nf/text.h"

void text_add(struct text *t, const char *fmt, ...)
{
	size_t at = t->used < t->size ? t->used : t->size;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(at < t->size ? t->buf + at : NULL, t->size - at, fmt, ap);
	va_end(ap);
	if (n > 0)
		t->used += (size_t)n;
}

void text_quote(struct text *t, const char *s)
{
	text_add(t, "\"");
	for (; *s; s++)
		if (*s == '"' || *s == '\\')
			text_add(t, "\\%c", *s);
		else
			text_add(t, "%c", *s >= ' ' && *s <= '~' ? *s : '?');
	text_add(t, "\"");
}

int text_end(const struct text *t)
{
	return t->used < INT_MAX ? (int)t->used : -1;
}

void text_flow_key(struct text *t, const struct sl_flow_key *key)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	char addr[2][INET6_ADDRSTRLEN];

	for (int i = 0; i < 2; i++)
		if (!memcmp(key->addr[i], mapped, sizeof(mapped)))
			inet_ntop(AF_INET, key->addr[i] + 12, addr[i], sizeof(addr[i]));
		else
			inet_ntop(AF_INET6, key->addr[i], addr[i], sizeof(addr[i]));
	text_add(t, "\"addr_a\":\"%s\",\"port_a\":%u,\"addr_b\":\"%s\",\"port_b\":%u,\"proto\":%u",
		 addr[0], ntohs(key->port[0]), addr[1], ntohs(key->port[1]), key->proto);
}

void text_sum(uint64_t *sum, const void *counters, unsigned n)
{
	const uint64_t *c = counters;

	for (unsigned i = 0; i < n; i++)
		sum[i] += SL_NF_READ(c[i]);
}
