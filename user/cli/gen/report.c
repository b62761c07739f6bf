// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/gen/report.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>

#include "cli/gen/plan.h"
#include "cli/options.h"
#include "cli/output.h"

static double us(double ns)
{
	return ns / 1e3;
}

static double per(double sum, double n)
{
	return n > 0 ? sum / n : 0;
}

static void put_int(json_t *o, const char *key, uint64_t value)
{
	json_object_set_new(o, key, json_integer((json_int_t)value));
}

static void put_real(json_t *o, const char *key, double value)
{
	json_object_set_new(o, key, json_real(value));
}

static void put_sent(json_t *o, const struct gen_result *r)
{
	const struct gen_sent *s = r->sent;

	json_object_set_new(o, "mode", json_string(s->mode == GEN_LIVE ? "live" : "xdp"));
	put_int(o, "sent", s->accepted);
	put_int(o, "refused", s->refused);
	put_int(o, "left", s->left);
	put_int(o, "tx_dropped", r->tx_dropped);
	put_int(o, "untracked", s->untracked);
	put_int(o, "skipped", r->plan->capture.skipped);
	put_int(o, "backpressure", s->backpressure);
	put_int(o, "flows", r->plan->captured ? r->plan->capture.flows : r->plan->traffic.flows);
	put_int(o, "queues", r->plan->queues);
	put_real(o, "seconds", (double)(s->end_ns - s->start_ns) / 1e9);
	put_real(o, "mpps", per((double)s->measured * 1e3, (double)s->measured_ns));
}

/* Its own cost and accuracy. Live frames are made inside the kernel's call: one figure for both. */
static void put_accuracy(json_t *o, const struct gen_result *r)
{
	const struct gen_sent *s = r->sent;
	json_t *pace = json_null();
	double asked = r->plan->rate;

	if (s->mode == GEN_LIVE)
		json_object_set_new(o, "gen_ns_per_packet", json_null());
	else
		put_real(o, "gen_ns_per_packet", per((double)s->build_ns, (double)s->made));
	put_real(o, "send_ns_per_packet", per((double)s->send_ns, (double)s->made));
	if (asked > 0) {
		pace = json_object();
		put_real(pace, "rate",
			 per((double)s->measured * 1e9, (double)s->measured_ns * asked) - 1);
		put_real(pace, "p50_us", us((double)sl_histogram_quantile(&s->late, 0.5)));
		put_real(pace, "p99_us", us((double)sl_histogram_quantile(&s->late, 0.99)));
		put_real(pace, "max_us", us((double)(s->late.n ? s->late.max : 0)));
	}
	json_object_set_new(o, "pace_error", pace);
}

static uint64_t tracked_sent(const struct gen_sent *s)
{
	return s->accepted - s->untracked;
}

static bool valid(const struct gen_rx *rx)
{
	return !rx->dropped && !rx->tally.beyond && !rx->tally.foreign;
}

static void put_received(json_t *o, const struct gen_result *r)
{
	const struct gen_rx *rx = r->rx;
	const uint64_t sent = tracked_sent(r->sent), unique = gen_tally_unique(&rx->tally);
	const struct sl_histogram *h = &rx->latency;

	put_int(o, "received", rx->tally.received);
	put_int(o, "lost", sent > unique ? sent - unique : 0);
	put_int(o, "duplicated", rx->tally.duplicated);
	put_int(o, "reordered", rx->tally.reordered);
	put_int(o, "reordered_by_max", rx->tally.reach_max);
	put_int(o, "beyond_window", rx->tally.beyond);
	put_int(o, "other", rx->other);
	put_int(o, "rx_dropped", rx->dropped);
	json_object_set_new(o, "valid", json_boolean(valid(rx)));
	put_real(o, "p50_us", us((double)sl_histogram_quantile(h, 0.5)));
	put_real(o, "p95_us", us((double)sl_histogram_quantile(h, 0.95)));
	put_real(o, "p99_us", us((double)sl_histogram_quantile(h, 0.99)));
	put_real(o, "p999_us", us((double)sl_histogram_quantile(h, 0.999)));
	put_real(o, "max_us", us((double)(h->n ? h->max : 0)));
	put_real(o, "rx_mpps", per((double)rx->timed * 1e3, (double)(rx->last_ns - rx->first_ns)));
	put_real(o, "clock_error_us", us((double)rx->clock_error_ns));
	put_int(o, "before_sent", rx->early);
}

static void print_text(const struct gen_result *r)
{
	const struct gen_sent *s = r->sent;
	const struct gen_rx *rx = r->rx;
	const double made = (double)s->made;

	printf("sent        %lu packets of %u flows in %.2f s, %.3f Mpps, by %s\n",
	       (unsigned long)s->accepted, gen_plan_flows(r->plan),
	       (double)(s->end_ns - s->start_ns) / 1e9,
	       per((double)s->measured * 1e3, (double)s->measured_ns),
	       s->mode == GEN_LIVE ? "live frames" : "AF_XDP");
	if (s->refused || s->left || r->tx_dropped)
		printf("not sent    %lu refused, %lu left in the ring; the interface dropped %u\n",
		       (unsigned long)s->refused, (unsigned long)s->left, r->tx_dropped);
	if (s->untracked || r->plan->capture.skipped)
		printf("capture     %lu sent without a trailer, %u longer than the interface "
		       "takes\n",
		       (unsigned long)s->untracked, r->plan->capture.skipped);
	if (s->mode == GEN_LIVE)
		printf("cost        %.0f ns a packet\n", per((double)s->send_ns, made));
	else
		printf("cost        %.0f ns a packet to make, %.0f to send\n",
		       per((double)s->build_ns, made), per((double)s->send_ns, made));
	if (r->plan->rate > 0)
		printf("late by     p50 %.1f us, p99 %.1f, max %.1f; rate off by %+.3f%%\n",
		       us((double)sl_histogram_quantile(&s->late, 0.5)),
		       us((double)sl_histogram_quantile(&s->late, 0.99)), us((double)s->late.max),
		       100 * (per((double)s->measured * 1e9,
				  (double)s->measured_ns * r->plan->rate) -
			      1));
	if (!rx)
		return;
	printf("received    %lu packets: %lu lost, %lu duplicated, %lu reordered\n",
	       (unsigned long)rx->tally.received,
	       (unsigned long)(tracked_sent(s) > gen_tally_unique(&rx->tally)
				       ? tracked_sent(s) - gen_tally_unique(&rx->tally)
				       : 0),
	       (unsigned long)rx->tally.duplicated, (unsigned long)rx->tally.reordered);
	printf("latency     p50 %.1f us, p95 %.1f, p99 %.1f, p99.9 %.1f, max %.1f; clocks agree to "
	       "%.2f us\n",
	       us((double)sl_histogram_quantile(&rx->latency, 0.5)),
	       us((double)sl_histogram_quantile(&rx->latency, 0.95)),
	       us((double)sl_histogram_quantile(&rx->latency, 0.99)),
	       us((double)sl_histogram_quantile(&rx->latency, 0.999)), us((double)rx->latency.max),
	       us((double)rx->clock_error_ns));
}

/* A result that cannot be trusted says so by itself. */
static int verdict(const struct gen_result *r)
{
	struct sl_error err;

	if (!r->rx || valid(r->rx))
		return 0;
	if (r->rx->dropped)
		sl_error_set(&err, -ENOBUFS,
			     "the receiver itself dropped %lu packets, so `lost` is not the "
			     "path's: give it a larger --rx-ring or a lower --rate",
			     (unsigned long)r->rx->dropped);
	else
		sl_error_set(&err, -ERANGE,
			     "%lu packets came more than %u behind their flow's newest: late and "
			     "duplicate cannot be told apart",
			     (unsigned long)r->rx->tally.beyond, TALLY_WINDOW);
	return cli_fail(&err);
}

int gen_report(const struct gen_result *r)
{
	int status = 0;
	json_t *o;

	if (cli.json) {
		o = json_object();
		put_sent(o, r);
		if (r->rx)
			put_received(o, r);
		put_accuracy(o, r);
		status = output_json(o);
	} else {
		print_text(r);
	}
	return status ? status : verdict(r);
}
