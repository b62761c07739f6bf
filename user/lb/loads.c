// SPDX-License-Identifier: GPL-2.0-or-later
/* The receiver of load reports: who may tell what, and what becomes of it in the maps. */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "control/lb_flow.h"
#include "platform/clock.h"
#include "lb/cores.h"
#include "lb/loads.h"
#include "lb/report.h"

/* A table whose parts are coming in. */
struct assembly {
	struct sl_core_table table;
	uint64_t boot;
	uint32_t number;
	unsigned have; /* bit i: part i */
};

/* A server that has reported. */
struct reporter {
	uint32_t map_id; /* of the inner map; 0: there is none */
	struct sl_lb_cores *cores; /* that map */
	struct assembly assembly;
	uint64_t boot, sequence; /* of the latest report */
	unsigned vip;
	double load, rate; /* of all cores; connections a second; in the VIP's sums */
	uint64_t chosen; /* connections until the latest report */
	/* Of each core by the latest report; connections sent before it, and in the time before. */
	unsigned told_n; /* cores that it told of; 0: there is none to compare with */
	uint16_t told[SL_REPORT_CORES];
	uint64_t sent[SL_REPORT_CORES], sent_before[SL_REPORT_CORES];
};

/* What a VIP's connections add to a core, as its servers' reports show it. */
struct learned {
	struct sl_lb_flow flow;
	unsigned observations;
};
#define OBSERVATIONS_MIN 256 /* a quarter of what it remembers */

struct sl_lb_loads {
	const struct sl_lb *lb;
	unsigned max_age_ms;
	int fd;
	struct sl_lb_loads_counts counts;
	double load[SL_LB_MAX_VIPS], rate[SL_LB_MAX_VIPS]; /* of all their servers */
	struct learned learned[SL_LB_MAX_VIPS];
	struct reporter *reporters[SL_LB_MAX_SERVERS];
};

/* --- a reporter and its map */

static void forget_map(struct reporter *r)
{
	if (r->cores)
		munmap(r->cores, sl_lb_cores_size());
	r->cores = NULL;
	r->map_id = 0;
}

static uint64_t chosen(const struct sl_lb_cores *c)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < SL_REPORT_CORES; i++)
		sum += __atomic_load_n(&c->chosen[i], __ATOMIC_RELAXED);
	return sum;
}

/* The map in force may be another one, or none: the balancer's configuration was applied anew. */
static void sync_map(struct sl_lb_loads *l, uint32_t server, struct reporter *r)
{
	uint32_t id = 0;

	if (bpf_map_lookup_elem(l->lb->map[SL_LB_M_CORES], &server, &id))
		id = 0;
	if (id == r->map_id)
		return;
	forget_map(r);
	if (!id)
		return;
	r->cores = sl_lb_cores_map(id);
	if (!r->cores)
		return;
	r->map_id = id;
	r->chosen = chosen(r->cores);
	r->told_n = 0;
	if (r->cores->boot > r->boot) { /* what another receiver took */
		r->boot = r->cores->boot;
		r->sequence = r->cores->sequence;
	}
}

static struct reporter *reporter_of(struct sl_lb_loads *l, uint32_t server)
{
	struct reporter *r = l->reporters[server];

	if (!r)
		r = l->reporters[server] = calloc(1, sizeof(*r));
	if (r)
		sync_map(l, server, r);
	return r;
}

/* --- loads */

static void store(uint32_t *at, uint32_t value)
{
	__atomic_store_n(at, value, __ATOMIC_RELAXED);
}

/* A server's part in what its VIP's connections cost: smoothed over some ten reports. */
static void count_in(struct sl_lb_loads *l, struct reporter *r, unsigned vip,
		     const struct sl_core_loads *loads)
{
	const double fresh = 0.1;
	uint64_t now = chosen(r->cores);
	double total = 0;

	l->load[r->vip] -= r->load;
	l->rate[r->vip] -= r->rate;
	for (unsigned i = 0; i < loads->cores; i++)
		total += loads->load[i];
	r->load += fresh * (total - r->load);
	r->rate += fresh * (1000.0 * (double)(now - r->chosen) / loads->period_ms - r->rate);
	r->chosen = now;
	r->vip = vip;
	l->load[vip] += r->load;
	l->rate[vip] += r->rate;
}

static void learn(struct learned *k, struct reporter *r, const struct sl_core_loads *loads)
{
	for (unsigned i = 0; i < loads->cores; i++) {
		uint64_t now = __atomic_load_n(&r->cores->chosen[i], __ATOMIC_RELAXED);
		uint64_t sent = now - r->sent[i];

		if (i < r->told_n) {
			sl_lb_flow_observe(&k->flow, r->told[i], loads->load[i], (double)sent,
					   (double)r->sent_before[i]);
			k->observations += k->observations < OBSERVATIONS_MIN;
		}
		r->told[i] = loads->load[i];
		r->sent_before[i] = i < r->told_n ? sent : 0;
		r->sent[i] = now;
	}
	r->told_n = loads->cores;
}

/*
 * What a connection adds to its core until the next report. Until that is learned, all load of the
 * VIP's servers by all its connections: more than it is where connections outlast a report, and
 * then they are dealt rather than balanced.
 */
static uint32_t flow_load(const struct sl_lb_loads *l, unsigned vip, unsigned period_ms)
{
	const struct learned *k = &l->learned[vip];
	double flows = l->rate[vip] * period_ms / 1000, least = 0.05;
	double flow = k->observations < OBSERVATIONS_MIN ? 0 : sl_lb_flow_added(&k->flow);

	if (!(flow > 0))
		flow = l->load[vip] / (flows > least ? flows : least);
	if (flow > SL_REPORT_CORE)
		return SL_REPORT_CORE;
	return flow < 1 ? 1 : (uint32_t)flow;
}

static void store_loads(struct sl_lb_loads *l, struct reporter *r, unsigned vip,
			const struct sl_core_loads *loads)
{
	struct sl_lb_cores *c = r->cores;
	bool fresh = sl_lb_cores_fresh(c);

	for (unsigned i = 0; i < loads->cores; i++) {
		uint32_t added = __atomic_load_n(&c->added[i], __ATOMIC_RELAXED);

		store(&c->load[i], fresh ? (c->load[i] + loads->load[i] + 1u) / 2 : loads->load[i]);
		__atomic_fetch_sub(&c->added[i], (added + 1) / 2, __ATOMIC_RELAXED);
	}
	count_in(l, r, vip, loads);
	learn(&l->learned[vip], r, loads);
	store(&c->flow, flow_load(l, vip, loads->period_ms));
	__atomic_store_n(&c->until_ns, sl_clock_ns() + l->max_age_ms * 1000000ull,
			 __ATOMIC_RELAXED);
}

static int take_loads(struct sl_lb_loads *l, struct reporter *r, const struct sl_report_seen *head,
		      const void *datagram, size_t bytes)
{
	struct sl_core_loads loads;
	int rc = sl_report_get_loads(datagram, bytes, &loads);

	if (rc)
		return rc;
	if (!r->cores || r->cores->table != head->table || r->cores->cores != loads.cores) {
		/* Its cores are not those that we know: better no answer than a wrong one. */
		if (r->cores)
			__atomic_store_n(&r->cores->until_ns, 0, __ATOMIC_RELAXED);
		return -EAGAIN;
	}
	store_loads(l, r, l->lb->servers[head->server].vip % SL_LB_MAX_VIPS, &loads);
	return 0;
}

/* --- tables */

static int take_table(struct sl_lb_loads *l, struct reporter *r, const struct sl_report_seen *head,
		      const void *datagram, size_t bytes)
{
	struct assembly *a = &r->assembly;
	int rc;

	if (a->number != head->table || a->boot != head->boot)
		a->have = 0;
	rc = sl_report_get_table(datagram, bytes, &a->table);
	if (rc)
		return rc;
	a->number = head->table;
	a->boot = head->boot;
	a->have |= 1u << head->part;
	if (a->have != (1u << head->parts) - 1)
		return 0;
	a->have = 0;
	if (r->cores && sl_lb_cores_update(r->cores, &a->table, a->number))
		return 0;
	rc = sl_lb_cores_replace(l->lb, r->cores, &a->table, head);
	sync_map(l, head->server, r);
	return rc;
}

/* --- datagrams */

static bool newer(const struct reporter *r, const struct sl_report_seen *head)
{
	return head->boot != r->boot ? head->boot > r->boot : head->sequence > r->sequence;
}

/* Numbers of tables begin anew with each start of the sender. */
static void remember(struct reporter *r, const struct sl_report_seen *head)
{
	if (r->cores && r->cores->boot != head->boot)
		store(&r->cores->table, 0);
	r->boot = head->boot;
	r->sequence = head->sequence;
	if (r->cores) {
		r->cores->boot = head->boot;
		r->cores->sequence = head->sequence;
	}
}

static int open_datagram(struct sl_lb_loads *l, const void *datagram, size_t bytes,
			 struct sl_report_seen *head)
{
	struct sl_lb_control control;
	struct sl_lb_server s;
	uint64_t keys[2][2];
	uint32_t zero = 0;
	int rc;

	if (bpf_map_lookup_elem(l->lb->map[SL_LB_M_CONTROL], &zero, &control))
		return -errno;
	for (unsigned i = 0; i < 2; i++)
		sl_report_key((const uint64_t *)control.key[i], keys[i]);
	rc = sl_report_open(datagram, bytes, keys, 2, head);
	if (rc)
		return rc;
	return sl_lb_server_there(l->lb, head->server, &s) ? 0 : -ENOENT;
}

static int take(struct sl_lb_loads *l, const void *datagram, size_t bytes)
{
	struct sl_report_seen head = {0};
	struct reporter *r;
	int rc = open_datagram(l, datagram, bytes, &head);

	if (rc)
		return rc;
	r = reporter_of(l, head.server);
	if (!r)
		return -ENOMEM;
	if (!newer(r, &head))
		return -EALREADY;
	remember(r, &head);
	if (head.kind == SL_REPORT_TABLE)
		rc = take_table(l, r, &head, datagram, bytes);
	else if (head.kind == SL_REPORT_LOADS)
		rc = take_loads(l, r, &head, datagram, bytes);
	else
		rc = -EBADMSG;
	return rc;
}

int sl_lb_loads_take(struct sl_lb_loads *l, const void *datagram, size_t bytes)
{
	int rc = take(l, datagram, bytes);

	switch (rc) {
	case 0:
		l->counts.accepted++;
		break;
	case -EPROTO:
		l->counts.version++;
		break;
	case -EKEYREJECTED:
		l->counts.forged++;
		break;
	case -EALREADY:
		l->counts.replayed++;
		break;
	case -ENOENT:
		l->counts.unknown++;
		break;
	case -EAGAIN:
		l->counts.behind++;
		break;
	default:
		l->counts.malformed++;
	}
	return rc;
}

unsigned sl_lb_loads_receive(struct sl_lb_loads *l, unsigned most)
{
	uint8_t datagram[SL_REPORT_MAX + 1]; /* a longer one is seen to be */
	unsigned accepted = 0;

	for (unsigned i = 0; i < most; i++) {
		ssize_t n = recv(l->fd, datagram, sizeof(datagram), MSG_DONTWAIT);

		if (n < 0)
			break;
		accepted += !sl_lb_loads_take(l, datagram, (size_t)n);
	}
	return accepted;
}

/* --- life */

static int bind_any(int fd)
{
	const struct sockaddr_in6 any = {.sin6_family = AF_INET6,
					 .sin6_port = htons(SL_REPORT_PORT)};
	int off = 0;

	setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
	return bind(fd, (const struct sockaddr *)&any, sizeof(any));
}

static int bind_end(int fd, const __be32 addr[4], bool v6, __be16 port)
{
	struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = port};
	struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = port};

	memcpy(&six.sin6_addr, addr, sizeof(six.sin6_addr));
	four.sin_addr.s_addr = addr[3];
	return v6 ? bind(fd, (const struct sockaddr *)&six, sizeof(six))
		  : bind(fd, (const struct sockaddr *)&four, sizeof(four));
}

static int listen_on(const char *where, struct sl_error *err)
{
	__be32 addr[4] = {0};
	__be16 port = 0;
	bool v6 = true;
	int fd, rc;

	if (where && sl_lb_end_parse(where, addr, &v6, &port))
		return sl_error_set(err, -EINVAL,
				    "--listen: \"%s\" is no address: write 10.0.0.1, "
				    "10.0.0.1:%d or [fd00::1]:%d",
				    where, SL_REPORT_PORT, SL_REPORT_PORT);
	fd = socket(v6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return sl_error_set(err, -errno, "cannot receive reports: %s", strerror(errno));
	rc = where ? bind_end(fd, addr, v6, port ? port : htons(SL_REPORT_PORT)) : bind_any(fd);
	if (!rc)
		return fd;
	rc = -errno;
	close(fd);
	return sl_error_set(
		err, rc,
		"cannot receive reports at %s: %s: choose another address or port (reports: "
		"of the file, --listen), or stop who has it",
		where ? where : "port 7077", strerror(-rc));
}

int sl_lb_loads_open(const struct sl_lb *lb, const char *listen, unsigned max_age_ms,
		     struct sl_lb_loads **out, struct sl_error *err)
{
	int fd = listen_on(listen, err);

	if (fd < 0)
		return fd;
	*out = calloc(1, sizeof(**out));
	if (!*out) {
		close(fd);
		return sl_error_set(err, -ENOMEM, "no memory");
	}
	(*out)->lb = lb;
	(*out)->fd = fd;
	(*out)->max_age_ms = max_age_ms ? max_age_ms : SL_LB_MAX_AGE_MS;
	return 0;
}

void sl_lb_loads_close(struct sl_lb_loads *l)
{
	if (!l)
		return;
	for (unsigned i = 0; i < SL_LB_MAX_SERVERS; i++)
		if (l->reporters[i]) {
			forget_map(l->reporters[i]);
			free(l->reporters[i]);
		}
	close(l->fd);
	free(l);
}

int sl_lb_loads_fd(const struct sl_lb_loads *l)
{
	return l->fd;
}

struct sl_lb_loads_counts sl_lb_loads_counts(const struct sl_lb_loads *l)
{
	return l->counts;
}
