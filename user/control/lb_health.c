// SPDX-License-Identifier: GPL-2.0-or-later
#include <string.h>

#include "control/lb_health.h"

static bool become(struct sl_health *h, enum sl_lb_health health)
{
	h->run = 0;
	if (h->health == health)
		return false;
	h->health = (uint8_t)health;
	return true;
}

bool sl_health_probe(struct sl_health *h, const struct sl_health_rules *rules, bool ok)
{
	enum sl_lb_health says = ok ? SL_LB_HEALTHY : SL_LB_FAILING;
	unsigned needed = ok ? rules->rise : rules->fall;

	if (h->health == SL_LB_UNCHECKED || h->health == says)
		return become(h, says);
	return ++h->run >= needed ? become(h, says) : false;
}

bool sl_health_passive(struct sl_health *h, const struct sl_health_rules *rules, uint64_t syns,
		       uint64_t accepted, unsigned failing, unsigned servers)
{
	uint64_t lost = accepted < syns ? syns - accepted : 0;

	if (rules->passive <= 0 || h->health == SL_LB_FAILING || syns < SL_HEALTH_SYNS_MIN ||
	    (double)lost < rules->passive * (double)syns || 2 * (failing + 1) > servers)
		return false;
	return become(h, SL_LB_FAILING);
}

enum sl_lb_health sl_health_served(const struct sl_health *h, unsigned failing, unsigned servers)
{
	if (h->health == SL_LB_FAILING && failing >= servers)
		return SL_LB_PANIC;
	return (enum sl_lb_health)h->health;
}

#define HTTP "HTTP/1."
#define HTTP_STATUS_AT (sizeof(HTTP) - 1 + 2) /* behind the minor version and a space */

int sl_health_http_status(const char *text, size_t n)
{
	int status = 0;

	if (strncmp(text, HTTP, n < sizeof(HTTP) - 1 ? n : sizeof(HTTP) - 1) != 0)
		return -1;
	if (n < HTTP_STATUS_AT + 3)
		return 0;
	if (text[HTTP_STATUS_AT - 1] != ' ')
		return -1;
	for (size_t i = HTTP_STATUS_AT; i < HTTP_STATUS_AT + 3; i++) {
		if (text[i] < '0' || text[i] > '9')
			return -1;
		status = 10 * status + text[i] - '0';
	}
	return status >= 100 ? status : -1;
}
