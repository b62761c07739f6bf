// SPDX-License-Identifier: GPL-2.0-or-later
/* What probes and clients say of a server, a line for each change, and the tables that follow. */
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "cli/lb/run_target.h"
#include "cli/lb/stats.h"
#include "platform/clock.h"

static const char *protocol(const struct sl_lb_vip_config *v)
{
	return v->key.proto == IPPROTO_UDP ? "udp" : "tcp";
}

static struct sl_health_rules rules_of(const struct target *t)
{
	return (struct sl_health_rules){
		.rise = t->check->rise, .fall = t->check->fall, .passive = t->check->passive};
}

static void changed(struct run_checks *c, struct target *t, const char *why)
{
	char end[64];

	c->dirty[t->server.vip] = true;
	c->watch[t->id].since_ns = sl_clock_ns();
	sl_lb_end_text(t->server.addr, t->server.v6, t->server.port, end, sizeof(end));
	if (t->health.health == SL_LB_FAILING)
		run_say("%s %s: server %s fails: %s", t->host, protocol(t->vip), end, why);
	else if (t->fell)
		run_say("%s %s: server %s is back", t->host, protocol(t->vip), end);
	t->fell = t->health.health == SL_LB_FAILING;
}

static void note(struct run_checks *c, const struct target *t, const char *why)
{
	snprintf(c->watch[t->id].why, sizeof(c->watch[t->id].why), "%s", why);
}

void run_verdict_probe(struct run_checks *c, struct target *t, const char *why)
{
	struct sl_health_rules rules = rules_of(t);

	if (why)
		note(c, t, why);
	if (sl_health_probe(&t->health, &rules, !why))
		changed(c, t, why);
}

/* --- clients */

/* Of the VIP's servers that are up: how many there are, and how many fail. */
static void tally(const struct run_checks *c, unsigned vip, unsigned *failing, unsigned *servers)
{
	*failing = *servers = 0;
	for (unsigned i = 0; i < c->n; i++) {
		const struct target *t = c->target[c->ids[i]];

		if (t->server.vip != vip || c->lb->servers[t->id].state != SL_LB_UP)
			continue;
		++*servers;
		*failing += t->health.health == SL_LB_FAILING;
	}
}

void run_verdict_passive(struct run_checks *c, struct target *t, uint64_t now)
{
	struct sl_health_rules rules = rules_of(t);
	unsigned failing, servers;
	struct sl_lb_stats s;
	char why[48];

	if (rules.passive <= 0 || now < t->window_ns)
		return;
	lb_stats_sum(c->lb->map[SL_LB_M_SERVER_STATS], t->id, &s);
	if (t->window_ns) {
		uint64_t syns = s.connections - t->before.connections,
			 accepted = s.accepted - t->before.accepted;

		tally(c, t->server.vip, &failing, &servers);
		if (sl_health_passive(&t->health, &rules, syns, accepted, failing, servers)) {
			snprintf(why, sizeof(why), "%llu of %llu SYNs without answer, %llu refused",
				 (unsigned long long)(syns - accepted), (unsigned long long)syns,
				 (unsigned long long)(s.refused - t->before.refused));
			note(c, t, why);
			changed(c, t, why);
		}
	}
	t->before = s;
	t->window_ns = now + t->check->interval_ns;
}

/* --- into the maps */

static void tell_panic(struct run_checks *c, unsigned vip, const struct target *t, bool panic)
{
	if (panic == c->panic[vip])
		return;
	c->panic[vip] = panic;
	if (panic)
		run_say("%s %s: all servers fail: all serve", t->host, protocol(t->vip));
	else
		run_say("%s %s: not all servers fail any more", t->host, protocol(t->vip));
}

/* Locked. Whether a table is to be dealt anew. */
static bool publish_vip(struct run_checks *c, unsigned vip)
{
	unsigned failing, servers;
	bool anew = false;

	tally(c, vip, &failing, &servers);
	for (unsigned i = 0; i < c->n; i++) {
		const struct target *t = c->target[c->ids[i]];
		enum sl_lb_health served = sl_health_served(&t->health, failing, servers);
		uint8_t before = c->lb->servers[t->id].health;

		if (t->server.vip != vip || !run_is_checked(t))
			continue;
		if (before != served && !sl_lb_set_health(c->lb, t->id, served))
			anew |= before == SL_LB_FAILING || served == SL_LB_FAILING;
		if (servers)
			tell_panic(c, vip, t, failing == servers);
	}
	return anew;
}

/* Locked. Nobody would ever bring back who failed when there was a check. */
static bool forget_verdicts(struct run_checks *c, unsigned vip)
{
	struct sl_lb_server s;

	for (uint32_t id = 0; id < SL_LB_MAX_SERVERS; id++)
		if (sl_lb_server_there(c->lb, id, &s) && s.vip == vip &&
		    s.health != SL_LB_UNCHECKED)
			sl_lb_set_health(c->lb, id, SL_LB_UNCHECKED);
	c->stale[vip] = c->panic[vip] = false;
	return true;
}

static bool publish_or_forget(struct run_checks *c, unsigned vip)
{
	return c->stale[vip] ? forget_verdicts(c, vip) : publish_vip(c, vip);
}

void run_verdict_publish(struct run_checks *c)
{
	struct sl_error err;
	bool locked = false;

	for (unsigned vip = 0; vip < SL_LB_MAX_VIPS; vip++) {
		if (!c->dirty[vip])
			continue;
		if (!locked && sl_lb_lock(c->lb, false))
			return;
		locked = true;
		c->dirty[vip] = false;
		if (c->vip[vip] && publish_or_forget(c, vip) &&
		    sl_lb_deal(c->lb, vip, c->vip[vip]->select, &err)) {
			c->dirty[vip] = true;
			run_say("%s", err.text);
		}
	}
	if (locked)
		sl_lb_unlock(c->lb);
}
