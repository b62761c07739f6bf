// SPDX-License-Identifier: GPL-2.0-or-later
#include "lb/ends.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int sl_lb_address_parse(const char *text, __be32 addr[4], bool *v6)
{
	memset(addr, 0, 4 * sizeof(*addr));
	*v6 = false;
	if (inet_pton(AF_INET, text, &addr[3]) == 1)
		return 0;
	*v6 = true;
	return inet_pton(AF_INET6, text, addr) == 1 ? 0 : -EINVAL;
}

int sl_lb_prefix_parse(const char *text, __be32 addr[4], bool *v6, unsigned *prefix)
{
	const size_t length = strcspn(text, "/");
	const char *slash = text[length] ? text + length : NULL;
	char host[INET6_ADDRSTRLEN], *end;
	unsigned long bits;

	if (length >= sizeof(host))
		return -EINVAL;
	snprintf(host, sizeof(host), "%.*s", (int)length, text);
	if (sl_lb_address_parse(host, addr, v6))
		return -EINVAL;
	*prefix = *v6 ? 128 : 32;
	if (!slash)
		return 0;
	bits = strtoul(slash + 1, &end, 10);
	if (!isdigit((unsigned char)slash[1]) || *end || bits > *prefix)
		return -EINVAL;
	*prefix = (unsigned)bits;
	return 0;
}

bool sl_lb_prefix_cut(__be32 addr[4], unsigned bits)
{
	bool had = false;

	for (unsigned i = 0; i < 4; i++) {
		const unsigned in = bits > 32 * i ? bits - 32 * i : 0;
		const __be32 mask = htonl(in >= 32 ? ~0u : ~(~0u >> in));

		had |= addr[i] & ~mask;
		addr[i] &= mask;
	}
	return had;
}

int sl_lb_port_parse(const char *text, __be16 *port)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end || !n || n > 65535)
		return -EINVAL;
	*port = htons((uint16_t)n);
	return 0;
}

int sl_lb_end_parse(const char *text, __be32 addr[4], bool *v6, __be16 *port)
{
	char host[64];
	const char *colon = strrchr(text, ':');
	bool bracket = *text == '[';
	size_t n;

	*port = 0;
	if (!bracket && (!colon || strchr(text, ':') != colon)) /* without a port */
		return sl_lb_address_parse(text, addr, v6);
	if (bracket && (!strchr(text, ']') || (colon && colon < strchr(text, ']'))))
		colon = NULL;
	n = bracket ? strcspn(text + 1, "]") : strcspn(text, ":");
	if (n >= sizeof(host) || (bracket && text[n + 1] != ']') ||
	    (bracket && text[n + 2] && text + n + 2 != colon))
		return -EINVAL;
	memcpy(host, text + bracket, n);
	host[n] = '\0';
	if (sl_lb_address_parse(host, addr, v6) || *v6 != bracket)
		return -EINVAL;
	return colon ? sl_lb_port_parse(colon + 1, port) : 0;
}

void sl_lb_end_text(const __be32 addr[4], bool v6, __be16 port, char *buf, size_t size)
{
	char host[INET6_ADDRSTRLEN];

	inet_ntop(v6 ? AF_INET6 : AF_INET, v6 ? addr : addr + 3, host, sizeof(host));
	if (!port)
		snprintf(buf, size, "%s", host);
	else
		snprintf(buf, size, v6 ? "[%s]:%u" : "%s:%u", host, ntohs(port));
}
