// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/gen/plan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/gen/pace.h"
#include "cli/gen/zipf.h"
#include "platform/instance.h"

#define ETHERNET_HEADER 14
#define XSK_FRAME_MAX 4096u /* a UMEM chunk */
#define LIVE_FRAME_MAX 3400u /* a page less the kernel's own: net/bpf/test_run.c */
#define DEFAULT_FLOWS 1000
#define DEFAULT_DURATION_NS 10000000000u
#define DEFAULT_SPORT 1024
#define DEFAULT_DPORT 9 /* discard */
/* veth in XDP mode takes any address; a neighbour that is known is better. Locally administered. */
static const uint8_t no_neighbour_mac[6] = {0x02, 0x53, 0x4c, 0, 0, 0x02};

const struct gen_config gen_config_defaults = {
	.skew = -1,
	.elephant = -1,
	.ipv6 = -1,
	.tcp = -1,
	.sport = GEN_UNSET,
	.dport = GEN_UNSET,
	.cpu = GEN_UNSET,
	.loop = GEN_UNSET,
	.burst = 1,
	.seed = 1,
	.linger_ns = 1000000000,
	.rx_ring = 64 << 20,
};

static double given(double value, double otherwise)
{
	return value < 0 ? otherwise : value;
}

/* What a capture decides by itself. */
static const char *capture_conflict(const struct gen_config *c)
{
	return c->flows		       ? "flows"
	       : c->skew >= 0	       ? "skew"
	       : c->elephant >= 0      ? "elephant"
	       : c->ipv6 >= 0	       ? "ipv6"
	       : c->tcp >= 0	       ? "tcp"
	       : c->size	       ? "size"
	       : c->src		       ? "src"
	       : c->dst		       ? "dst"
	       : c->src_mac	       ? "src-mac"
	       : c->dst_mac	       ? "dst-mac"
	       : c->sport != GEN_UNSET ? "sport"
	       : c->dport != GEN_UNSET ? "dport"
	       : c->shift_ns	       ? "hot-shift"
				       : NULL;
}

/* What live frames cannot do. */
static const char *live_conflict(const struct gen_config *c)
{
	return c->pcap			  ? "pcap"
	       : c->rate		  ? "rate"
	       : c->queues		  ? "queues"
	       : c->queue_list		  ? "queue"
	       : c->size > LIVE_FRAME_MAX ? "size"
					  : NULL;
}

int gen_config_check(const struct gen_config *c, struct sl_error *err)
{
	const char *conflict = c->pcap ? capture_conflict(c) : NULL;

	if (conflict)
		return sl_error_set(err, -EINVAL,
				    "--%s: a capture is sent as it is; leave it out with --pcap",
				    conflict);
	if (!c->pcap && c->loop != GEN_UNSET)
		return sl_error_set(err, -EINVAL, "--loop repeats a capture: it needs --pcap FILE");
	if (c->queues && c->queue_list)
		return sl_error_set(err, -EINVAL, "--queues and --queue: give one of them");
	if (c->burst > 1 && !c->rate)
		return sl_error_set(err, -EINVAL, "--burst spaces bursts by --rate PPS: give it");
	if (c->elephant > 0 && c->flows == 1)
		return sl_error_set(err, -EINVAL, "--elephant needs --flows 2 at least");
	conflict = c->mode == GEN_LIVE ? live_conflict(c) : NULL;
	if (conflict)
		return sl_error_set(err, -EINVAL,
				    "--%s: live frames cannot do that; use --mode xdp", conflict);
	return 0;
}

int gen_queues_parse(const char *text, uint32_t queue[GEN_QUEUES_MAX], struct sl_error *err)
{
	const char *p = text;
	int n = 0;

	do {
		char *end;
		unsigned long first = strtoul(p, &end, 10), last = first;

		if (end == p)
			goto bad;
		if (*end == '-') {
			p = end + 1;
			last = strtoul(p, &end, 10);
			if (end == p)
				goto bad;
		}
		if ((*end && *end != ',') || last < first || last > UINT16_MAX ||
		    last - first >= (unsigned)(GEN_QUEUES_MAX - n))
			goto bad;
		while (first <= last)
			queue[n++] = (uint32_t)first++;
		p = end + 1;
		if (!*end)
			return n;
	} while (*p);
bad:
	return sl_error_set(err, -EINVAL,
			    "--queue: \"%s\" is no list of at most %d queues; write 0,2-3", text,
			    GEN_QUEUES_MAX);
}

static int set_queues(struct gen_plan *plan, const struct gen_config *c, struct sl_error *err)
{
	int n;

	plan->queues = c->queues ? c->queues : 1;
	for (uint32_t q = 0; q < plan->queues; q++)
		plan->queue[q] = q;
	if (!c->queue_list)
		return 0;
	n = gen_queues_parse(c->queue_list, plan->queue, err);
	if (n < 0)
		return n;
	plan->queues = (unsigned)n;
	return 0;
}

static int read_addresses(struct gen_traffic *t, const struct gen_config *c, struct sl_error *err)
{
	int rc = 0;

	gen_pools_default(t);
	if (c->src)
		rc = gen_pools_parse("src", c->src, &t->src4, &t->src6, err);
	if (!rc && c->dst)
		rc = gen_pools_parse("dst", c->dst, &t->dst4, &t->dst6, err);
	if (!rc && c->src_mac)
		rc = gen_mac_parse("src-mac", c->src_mac, t->src_mac, err);
	if (!rc && c->dst_mac)
		rc = gen_mac_parse("dst-mac", c->dst_mac, t->dst_mac, err);
	return rc;
}

/* All that the options alone decide. */
static int read_traffic(struct gen_plan *plan, const struct gen_config *c, struct sl_error *err)
{
	struct gen_traffic *t = &plan->traffic;
	uint32_t least;
	int rc;

	*t = (struct gen_traffic){
		.flows = c->flows ? c->flows : DEFAULT_FLOWS,
		.ipv6 = given(c->ipv6, 0),
		.tcp = given(c->tcp, 0),
		.sport = (uint16_t)(c->sport == GEN_UNSET ? DEFAULT_SPORT : c->sport),
		.dport = (uint16_t)(c->dport == GEN_UNSET ? DEFAULT_DPORT : c->dport),
		.queues = plan->queues,
		.run = plan->run,
	};
	rc = read_addresses(t, c, err);
	if (rc)
		return rc;
	least = gen_size_min(t);
	t->size = c->size ? c->size : least;
	if (t->size < least)
		return sl_error_set(err, -EINVAL,
				    "--size %u: headers and stamp of this traffic need %u bytes",
				    t->size, least);
	return 0;
}

/* What is left to the interface. */
static int fit_link(struct gen_plan *plan, const struct gen_config *c, struct sl_error *err)
{
	struct gen_traffic *t = &plan->traffic;
	const uint32_t limit = plan->link.mtu + ETHERNET_HEADER;
	const uint32_t most = limit < XSK_FRAME_MAX ? limit : XSK_FRAME_MAX;

	if (!c->src_mac)
		memcpy(t->src_mac, plan->link.mac, 6);
	if (!c->dst_mac && !gen_link_neighbour(&plan->link, t->dst_mac))
		memcpy(t->dst_mac, no_neighbour_mac, 6);
	if (t->size > most)
		return sl_error_set(err, -EINVAL, "--size %u: %s takes frames of %u bytes at most",
				    t->size, plan->link.name, most);
	return 0;
}

static int build_flows(struct gen_plan *plan, const struct gen_config *c, struct sl_error *err)
{
	struct gen_traffic *t = &plan->traffic;
	int rc = fit_link(plan, c, err);

	if (rc)
		return rc;
	plan->flow = calloc(t->flows, sizeof(*plan->flow));
	plan->alias = calloc(t->flows, sizeof(*plan->alias));
	if (!plan->flow || !plan->alias ||
	    gen_zipf_build(plan->alias, t->flows, given(c->skew, 0), given(c->elephant, 0)))
		return sl_error_set(err, -ENOMEM, "--flows %u: no memory for them", t->flows);
	return gen_flows_build(plan->flow, t, err);
}

static int read_capture(struct gen_plan *plan, const struct gen_config *c, struct sl_error *err)
{
	const uint32_t limit = plan->link.mtu + ETHERNET_HEADER;
	int rc = capture_load(&plan->capture, c->pcap,
			      limit < XSK_FRAME_MAX ? limit : XSK_FRAME_MAX, err);

	if (rc)
		return rc;
	plan->captured = true;
	plan->loops = c->loop != GEN_UNSET ? c->loop : !c->duration_ns && !c->count;
	plan->seq = calloc(plan->capture.flows + 1, sizeof(*plan->seq));
	if (!plan->seq)
		return sl_error_set(err, -ENOMEM, "--pcap %s: no memory for %u flows", c->pcap,
				    plan->capture.flows);
	return 0;
}

/* A batch of live frames may be long; one of AF_XDP is what one sendto() sends (TX_BATCH_SIZE). */
static void set_mode(struct gen_plan *plan, const struct gen_config *c)
{
	plan->mode = c->mode;
	if (plan->mode == GEN_AUTO && live_conflict(c))
		plan->mode = GEN_XSK;
	plan->batch = c->batch ? c->batch : plan->mode == GEN_XSK ? 32 : 64;
}

int gen_plan_build(struct gen_plan *plan, const struct gen_config *c, struct sl_error *err)
{
	int rc;

	memset(plan, 0, sizeof(*plan));
	/* Not of the seed: two runs with one seed send the same flows in the same order, but the
	 * stragglers of one are not the packets of the other. */
	plan->run = (uint16_t)((uint64_t)getpid() * 40503u ^ gen_now_ns() >> 10);
	plan->seed = c->seed;
	plan->rate = (double)c->rate;
	plan->burst = c->burst;
	plan->count = c->count;
	plan->warmup_ns = c->warmup_ns;
	plan->shift_ns = c->shift_ns;
	set_mode(plan, c);
	rc = set_queues(plan, c, err);
	if (!rc && !c->pcap)
		rc = read_traffic(plan, c, err);
	/* behind all that is wrong on any machine */
	if (!rc)
		rc = gen_link_get(&plan->link, c->ifname, err);
	if (rc)
		return rc;
	rc = c->pcap ? read_capture(plan, c, err) : build_flows(plan, c, err);
	plan->duration_ns = c->duration_ns;
	if (!c->duration_ns && !c->count && !plan->captured)
		plan->duration_ns = DEFAULT_DURATION_NS;
	return rc;
}

void gen_plan_free(struct gen_plan *plan)
{
	free(plan->flow);
	free(plan->alias);
	free(plan->seq);
	capture_free(&plan->capture);
}

uint32_t gen_plan_flows(const struct gen_plan *plan)
{
	return plan->captured ? plan->capture.flows : plan->traffic.flows;
}
