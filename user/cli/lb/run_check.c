// SPDX-License-Identifier: GPL-2.0-or-later
/* Who is checked, and probes when they are due. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>

#include "cli/lb/probe.h"
#include "cli/lb/run_target.h"
#include "platform/clock.h"

#define MS 1000000ull
#define WATCH_SIZE (SL_LB_MAX_SERVERS * sizeof(struct sl_lb_watch))
/* Who is due is looked up this often: more would be felt with tens of thousands of servers. */
#define TICK_NS (10 * MS)
/*
 * An offset for each connection shows at the fifth SYN-ACK, so a server whose clock is not known is
 * asked six times in a row.
 */
#define QUICK_PROBES 6
#define QUICK_NS (50 * MS)
#define SPREAD_NS (1000 * MS)
/* No socket to be had. */
#define LATER_NS (100 * MS)

const struct sl_lb_check_config run_clock_check = {.type = SL_LB_CHECK_TCP,
						   .interval_ns = 10000 * MS,
						   .timeout_ns = 1000 * MS,
						   .rise = 1,
						   .fall = 1};

struct run_checks *run_checks_open(struct sl_lb *lb, int epoll_fd)
{
	struct run_checks *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->lb = lb;
	c->epoll = epoll_fd;
	c->watch = mmap(NULL, WATCH_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED,
			lb->map[SL_LB_M_WATCH], 0);
	if (c->watch != MAP_FAILED)
		return c;
	free(c);
	return NULL;
}

static void forget(struct run_checks *c, uint32_t id)
{
	sl_lb_probe_end(&c->target[id]->probe);
	free(c->target[id]);
	c->target[id] = NULL;
}

void run_checks_close(struct run_checks *c)
{
	if (!c)
		return;
	for (unsigned i = 0; i < c->n; i++)
		forget(c, c->ids[i]);
	munmap(c->watch, WATCH_SIZE);
	free(c);
}

/* --- who is checked */

static bool has_cookies(const struct sl_lb_vip_config *v)
{
	return v->key.proto == IPPROTO_TCP && v->keep == SL_LB_KEEP_COOKIE;
}

static const struct sl_lb_check_config *check_of(const struct sl_lb_vip_config *v)
{
	if (v->check.type != SL_LB_CHECK_OFF)
		return &v->check;
	return has_cookies(v) ? &run_clock_check : NULL;
}

static bool same_server(const struct sl_lb_server *a, const struct sl_lb_server *b)
{
	return a->vip == b->vip && a->port == b->port && !memcmp(a->addr, b->addr, sizeof(a->addr));
}

/* Probes of many servers are spread over their interval, but none waits long for its first. */
static uint64_t first_due(const struct target *t, uint64_t now)
{
	uint64_t over = t->check->interval_ns < SPREAD_NS ? t->check->interval_ns : SPREAD_NS;

	return t->quick ? now : now + (t->id * 0x9e3779b97f4a7c15ull >> 32) % over;
}

static struct target *take_up(struct run_checks *c, uint32_t id, const struct sl_lb_server *s)
{
	struct target *t = calloc(1, sizeof(*t));
	bool erratic;

	if (!t)
		return NULL;
	t->id = id;
	t->server = *s;
	t->probe.fd = -1;
	t->health.health = s->health == SL_LB_PANIC ? SL_LB_FAILING : s->health;
	t->fell = t->health.health == SL_LB_FAILING;
	t->quick = probe_clock_known(c->lb, id, &erratic) ? 0 : QUICK_PROBES;
	t->told = !t->quick;
	return t;
}

static void ask_as(struct target *t, const struct sl_lb_vip_config *v,
		   const struct sl_lb_check_config *check, uint64_t now)
{
	bool fresh = !t->check;

	if (t->vip == v && t->check == check)
		return;
	sl_lb_probe_end(&t->probe); /* what it asked may be another question than now */
	if (!has_cookies(v)) {
		t->quick = 0;
		t->told = true;
	}
	t->vip = v;
	t->check = check;
	sl_lb_end_text(v->key.addr, v->v6, v->key.port, t->host, sizeof(t->host));
	if (fresh || t->due_ns > now + check->interval_ns)
		t->due_ns = first_due(t, now);
}

static void sync_server(struct run_checks *c, uint32_t id, uint64_t now)
{
	const struct sl_lb_check_config *check;
	const struct sl_lb_vip_config *v;
	struct sl_lb_server s;

	if (!sl_lb_server_there(c->lb, id, &s) || s.vip >= SL_LB_MAX_VIPS || !c->vip[s.vip])
		return;
	v = c->vip[s.vip];
	c->stale[s.vip] |= v->check.type == SL_LB_CHECK_OFF && s.health != SL_LB_UNCHECKED;
	check = check_of(v);
	if (!check || !(check->port || s.port || v->key.port))
		return;
	if (c->target[id] && !same_server(&c->target[id]->server, &s))
		forget(c, id);
	if (!c->target[id])
		c->target[id] = take_up(c, id, &s);
	if (!c->target[id])
		return;
	ask_as(c->target[id], v, check, now);
	c->ids[c->n++] = id;
}

static void sync_vips(struct run_checks *c, const struct sl_lb_config *config)
{
	struct sl_lb_vip_entry *vips;
	unsigned n;

	memset(c->vip, 0, sizeof(c->vip));
	if (sl_lb_vips(c->lb, &vips, &n))
		return;
	for (unsigned i = 0; i < n; i++)
		for (unsigned k = 0; k < config->vips_n; k++)
			if (!memcmp(&vips[i].key, &config->vips[k].key, sizeof(vips[i].key)) &&
			    vips[i].vip.id < SL_LB_MAX_VIPS)
				c->vip[vips[i].vip.id] = &config->vips[k];
	free(vips);
}

void run_checks_sync(struct run_checks *c, const struct sl_lb_config *config)
{
	uint64_t now = sl_clock_ns();

	sync_vips(c, config);
	c->n = 0;
	for (uint32_t id = 0; id < SL_LB_MAX_SERVERS; id++) {
		unsigned before = c->n;

		sync_server(c, id, now);
		if (c->target[id] && c->n == before)
			forget(c, id);
	}
	/* Another command may have changed who is up. */
	memset(c->dirty, true, sizeof(c->dirty));
}

/* --- probes */

static __be16 port_of(const struct target *t)
{
	if (t->asked->port)
		return t->asked->port;
	return t->server.port ? t->server.port : t->vip->key.port;
}

static __be16 gue_port(const struct sl_lb_vip_config *v)
{
	return htons((uint16_t)(v->gue_port ? v->gue_port : SL_LB_GUE_PORT));
}

static struct sl_lb_probe_to probe_to(const struct target *t)
{
	return (struct sl_lb_probe_to){.check = t->asked,
				       .addr = t->server.addr,
				       .port = port_of(t),
				       .v6 = t->server.v6,
				       .host = t->host,
				       .forward = (enum sl_lb_forward)t->vip->forward,
				       .vip = t->vip->key.addr,
				       .vip_port = port_of(t),
				       .vip_v6 = t->vip->v6,
				       .gue_port = gue_port(t->vip)};
}

/* What is learned of the clock while nobody knows it comes from the port that serves. */
static const struct sl_lb_check_config *question(const struct target *t)
{
	return t->quick && t->check->port ? &run_clock_check : t->check;
}

static void tell_clock(struct run_checks *c, struct target *t, bool answered)
{
	if (answered && t->quick && --t->quick)
		return;
	t->quick = 0;
	if (t->told || (!answered && run_is_checked(t))) /* the verdict says so */
		return;
	t->told = true;
	probe_tell(c->lb, t->id, t->server.port ? t->server.port : t->vip->key.port, answered);
}

static void ended(struct run_checks *c, struct target *t, const char *why)
{
	uint64_t now = sl_clock_ns();

	sl_lb_probe_end(&t->probe);
	if (t->asked == t->check && run_is_checked(t))
		run_verdict_probe(c, t, why);
	if (t->quick || !t->told)
		tell_clock(c, t, !why);
	t->due_ns = t->quick ? now + QUICK_NS : t->due_ns + t->check->interval_ns;
	if (t->due_ns < now)
		t->due_ns = now + t->check->interval_ns;
}

static int wait_for(struct run_checks *c, struct target *t, int op, uint32_t events)
{
	struct epoll_event ev = {.events = events, .data.u32 = t->id};

	return epoll_ctl(c->epoll, op, t->probe.fd, &ev) ? -errno : 0;
}

static void begin(struct run_checks *c, struct target *t, uint64_t now)
{
	struct sl_lb_probe_to to;
	enum sl_lb_probe_is is;

	t->asked = question(t);
	t->due_ns = now;
	to = probe_to(t);
	is = sl_lb_probe_begin(&t->probe, &to);
	if (is == SL_LB_PROBE_BAD) {
		ended(c, t, t->probe.why);
		return;
	}
	if (is == SL_LB_PROBE_LATER ||
	    wait_for(c, t, EPOLL_CTL_ADD, is == SL_LB_PROBE_READS ? EPOLLIN : EPOLLOUT)) {
		sl_lb_probe_end(&t->probe);
		t->due_ns = now + LATER_NS;
		return;
	}
	t->deadline_ns = now + t->asked->timeout_ns;
}

void run_checks_event(struct run_checks *c, uint32_t id)
{
	struct target *t = id < SL_LB_MAX_SERVERS ? c->target[id] : NULL;
	struct sl_lb_probe_to to;
	enum sl_lb_probe_is is;

	if (!t || t->probe.fd < 0)
		return;
	to = probe_to(t);
	is = sl_lb_probe_go(&t->probe, &to);
	if (is == SL_LB_PROBE_READS)
		wait_for(c, t, EPOLL_CTL_MOD, EPOLLIN);
	else
		ended(c, t, is == SL_LB_PROBE_BAD ? t->probe.why : NULL);
}

static void time_out(struct run_checks *c, struct target *t)
{
	char why[sizeof(t->probe.why)];

	snprintf(why, sizeof(why), "no answer in %g s", (double)t->asked->timeout_ns / 1e9);
	ended(c, t, why);
}

uint64_t run_checks_due(struct run_checks *c, uint64_t now)
{
	if (now < c->tick_ns)
		return c->tick_ns;
	c->tick_ns = now + TICK_NS;
	for (unsigned i = 0; i < c->n; i++) {
		struct target *t = c->target[c->ids[i]];

		if (t->probe.fd >= 0 && now >= t->deadline_ns)
			time_out(c, t);
		else if (t->probe.fd < 0 && now >= t->due_ns)
			begin(c, t, now);
		run_verdict_passive(c, t, now);
	}
	run_verdict_publish(c);
	return c->tick_ns;
}
