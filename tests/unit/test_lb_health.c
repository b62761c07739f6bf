// SPDX-License-Identifier: GPL-2.0-or-later
/* Probes into verdicts, beside a model that looks at the whole history. */
#include <criterion/criterion.h>
#include <string.h>

#include "control/lb_health.h"

#define LONGEST 10

/* The verdict by the definition: the last time that enough in a row spoke against it, it changed.
 */
static enum sl_lb_health by_history(unsigned outcomes, unsigned n, unsigned rise, unsigned fall)
{
	enum sl_lb_health health = SL_LB_UNCHECKED;
	unsigned from = 0; /* what came before does not count any more */

	for (unsigned end = 1; end <= n; end++) {
		unsigned good = 0, bad = 0;

		for (unsigned i = end; i > from && outcomes >> (i - 1) & 1; i--)
			good++;
		for (unsigned i = end; i > from && !(outcomes >> (i - 1) & 1); i--)
			bad++;
		if (health == SL_LB_UNCHECKED)
			health = good ? SL_LB_HEALTHY : SL_LB_FAILING;
		else if (health == SL_LB_HEALTHY && bad >= fall)
			health = SL_LB_FAILING;
		else if (health == SL_LB_FAILING && good >= rise)
			health = SL_LB_HEALTHY;
		else
			continue;
		from = end;
	}
	return health;
}

Test(lb_health, every_history_of_ten_probes)
{
	for (unsigned rise = 1; rise <= 4; rise++)
		for (unsigned fall = 1; fall <= 4; fall++)
			for (unsigned outcomes = 0; outcomes < 1u << LONGEST; outcomes++) {
				struct sl_health_rules rules = {.rise = rise, .fall = fall};
				struct sl_health h = {0};

				for (unsigned n = 1; n <= LONGEST; n++) {
					uint8_t before = h.health;
					bool changed = sl_health_probe(&h, &rules,
								       outcomes >> (n - 1) & 1);

					cr_assert_eq(changed, h.health != before);
					cr_assert_eq(h.health, by_history(outcomes, n, rise, fall),
						     "rise %u fall %u outcomes %x after %u", rise,
						     fall, outcomes, n);
				}
			}
}

static bool passive(unsigned health, double share, uint64_t syns, uint64_t accepted,
		    unsigned failing, unsigned servers)
{
	struct sl_health_rules rules = {.rise = 2, .fall = 3, .passive = share};
	struct sl_health h = {.health = (uint8_t)health, .run = 1};
	bool changed = sl_health_passive(&h, &rules, syns, accepted, failing, servers);

	cr_expect_eq(changed, health != h.health);
	cr_expect(h.health == health || h.health == SL_LB_FAILING);
	return changed;
}

Test(lb_health, clients_tell)
{
	cr_expect(passive(SL_LB_HEALTHY, 0.5, 10, 5, 0, 3));
	cr_expect(passive(SL_LB_UNCHECKED, 0.5, 10, 0, 0, 3));
	cr_expect_not(passive(SL_LB_HEALTHY, 0.5, 10, 6, 0, 3));
	cr_expect_not(passive(SL_LB_HEALTHY, 0.5, 9, 0, 0, 3), "too few");
	cr_expect_not(passive(SL_LB_HEALTHY, 0.5, 10, 12, 0, 3), "SYN-ACKs sent twice");
	cr_expect_not(passive(SL_LB_HEALTHY, 0, 100, 0, 0, 3), "off");
	cr_expect_not(passive(SL_LB_FAILING, 0.5, 100, 0, 1, 3));
}

Test(lb_health, clients_take_out_half_at_most)
{
	for (unsigned servers = 1; servers < 20; servers++)
		for (unsigned failing = 0; failing < servers; failing++)
			cr_expect_eq(passive(SL_LB_HEALTHY, 0.5, 100, 0, failing, servers),
				     2 * (failing + 1) <= servers, "%u of %u", failing, servers);
}

Test(lb_health, a_probe_in_time_brings_back_who_clients_took_out)
{
	struct sl_health_rules rules = {.rise = 2, .fall = 3, .passive = 0.5};
	struct sl_health h = {.health = SL_LB_HEALTHY};

	sl_health_passive(&h, &rules, 10, 0, 0, 2);
	cr_expect_not(sl_health_probe(&h, &rules, true));
	cr_expect(sl_health_probe(&h, &rules, true));
	cr_expect_eq(h.health, SL_LB_HEALTHY);
}

Test(lb_health, where_all_fail_all_serve)
{
	struct sl_health bad = {.health = SL_LB_FAILING}, good = {.health = SL_LB_HEALTHY},
			 fresh = {.health = SL_LB_UNCHECKED};

	cr_expect_eq(sl_health_served(&bad, 2, 3), SL_LB_FAILING);
	cr_expect_eq(sl_health_served(&bad, 3, 3), SL_LB_PANIC);
	cr_expect_eq(sl_health_served(&good, 2, 3), SL_LB_HEALTHY);
	cr_expect_eq(sl_health_served(&fresh, 0, 1), SL_LB_UNCHECKED);
	/* one that is drained and fails, while none is up */
	cr_expect_eq(sl_health_served(&bad, 0, 0), SL_LB_PANIC);
}

Test(lb_health, status_of_http)
{
	static const struct {
		const char *text;
		int status;
	} cases[] = {
		{"HTTP/1.1 200 OK\r\n", 200},
		{"HTTP/1.0 503 no", 503},
		{"HTTP/1.1 404", 404},
		{"HTTP/1.1 20", 0},
		{"", 0},
		{"HTTP", 0},
		{"HTTP/2 200", -1},
		{"SSH-2.0-OpenSSH", -1},
		{"HTTP/1.1 2x0", -1},
		{"HTTP/1.1_200", -1},
		{"HTTP/1.1 099 ", -1},
		{"S", -1},
	};

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		cr_expect_eq(sl_health_http_status(cases[i].text, strlen(cases[i].text)),
			     cases[i].status, "%s", cases[i].text);
}
