// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * dpi:FILE[:memory=N][:reassemble=N] - looks for the patterns of a file with Hyperscan. Each
 * direction of a TCP connection is a stream, so that a match may lie across packets; each UDP
 * packet is one by itself. What Hyperscan knows of a stream lies in the connection's shard; its
 * scratch space is the worker's.
 *
 * Packets are never held back: with `drop` it is the packet in which a match ends that is dropped,
 * and all of its connection from then on.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nf/builtin.h"
#include "nf/conn.h"
#include "nf/dpi_stream.h"
#include "nf/flow_batch.h"
#include "nf/text.h"
#include "nf/wire.h"

#define FILE_MAX 1024
#define MEMORY (256ull << 20)
#define REASSEMBLE_MAX (1u << 30)
#define UDP_HEADER 8

enum { FIN = 0x01, SYN = 0x02 };

struct dpi_flow {
	struct conn conn;
	struct dpi_dir dir[2]; /* by side */
	uint32_t bucket;
	bool blocked;
	uint64_t matches;
};

struct dpi_worker {
	hs_scratch_t *scratch;
	hs_stream_t *datagram;
	uint64_t *matched; /* by pattern; nobody else's cache lines */
};

struct dpi {
	const struct sl_nf_host *host;
	struct dpi_patterns patterns;
	struct dpi_budget budget;
	struct dpi_worker *worker;
	uint32_t reassemble;
	char file[FILE_MAX];
};

static struct dpi_shard *shard_of(const struct dpi *d, uint32_t bucket)
{
	return sl_nf_shard(d->host, bucket);
}

/* --- arguments, start and end ---------------------------------------------------------------- */

static bool read_size(const char *word, uint64_t max, uint64_t *out)
{
	unsigned long long n;
	char *end;

	if (*word < '0' || *word > '9')
		return false;
	n = strtoull(word, &end, 10);
	if (n > max)
		return false;
	if (*end == 'K' || *end == 'M' || *end == 'G') {
		n <<= *end == 'K' ? 10 : *end == 'M' ? 20 : 30;
		end++;
	}
	*out = n;
	return !*end && n <= max;
}

static int take_argument(struct dpi *d, const char *word, char *err, size_t err_size)
{
	uint64_t n;

	if (!strncmp(word, "memory=", 7) && read_size(word + 7, 1ull << 40, &n)) {
		d->budget.limit = n;
		return 0;
	}
	if (!strncmp(word, "reassemble=", 11) && read_size(word + 11, REASSEMBLE_MAX, &n)) {
		d->reassemble = (uint32_t)n;
		return 0;
	}
	snprintf(err, err_size, "'%s': write memory=256M, or reassemble=64K (of each direction)",
		 word);
	return -EINVAL;
}

static void stop(struct dpi *d)
{
	for (unsigned b = 0; b < d->host->buckets; b++)
		dpi_release_spares(shard_of(d, b));
	for (unsigned w = 0; d->worker && w < d->host->workers; w++) {
		hs_close_stream(d->worker[w].datagram, NULL, NULL, NULL);
		hs_free_scratch(d->worker[w].scratch);
		free(d->worker[w].matched);
	}
	free(d->worker);
}

static void dpi_destroy(void *self)
{
	struct dpi *d = self;

	if (d->host)
		stop(d);
	dpi_patterns_free(&d->patterns);
	free(d);
}

static int dpi_create(const char *args, void **self, char *err, size_t err_size)
{
	struct dpi *d = calloc(1, sizeof(*d));
	char text[FILE_MAX], *rest = text, *word;
	int ret = 0;

	if (!d)
		return -ENOMEM;
	d->budget.limit = MEMORY;
	snprintf(text, sizeof(text), "%s", args);
	word = strsep(&rest, ":");
	strcpy(d->file, word);
	if (!*word) {
		snprintf(err, err_size, "name a file of patterns: dpi:/etc/sluice/dpi.patterns");
		ret = -EINVAL;
	}
	while (!ret && (word = strsep(&rest, ":")))
		ret = take_argument(d, word, err, err_size);
	if (!ret)
		ret = dpi_patterns_load(d->file, &d->patterns, err, err_size);
	if (ret)
		dpi_destroy(d);
	else
		*self = d;
	return ret;
}

static int start_worker(struct dpi *d, struct dpi_worker *w)
{
	size_t bytes = (d->patterns.n * sizeof(*w->matched) + 63) & ~(size_t)63;

	if (hs_alloc_scratch(d->patterns.db, &w->scratch) != HS_SUCCESS ||
	    hs_open_stream(d->patterns.db, 0, &w->datagram) != HS_SUCCESS)
		return -ENOMEM;
	w->matched = aligned_alloc(64, bytes);
	if (!w->matched)
		return -ENOMEM;
	memset(w->matched, 0, bytes);
	return 0;
}

static int dpi_start(void *self, const struct sl_nf_host *host, char *err, size_t err_size)
{
	struct dpi *d = self;
	int ret = 0;

	d->host = host;
	d->worker = calloc(host->workers, sizeof(*d->worker));
	if (!d->worker)
		return -ENOMEM;
	for (unsigned w = 0; w < host->workers && !ret; w++)
		ret = start_worker(d, &d->worker[w]);
	if (ret)
		snprintf(err, err_size,
			 "no memory for Hyperscan's scratch space: fewer patterns, "
			 "or fewer workers");
	return ret;
}

/* --- packets --------------------------------------------------------------------------------- */

static struct dpi_scan scan_for(struct dpi *d, const struct sl_nf_ctx *ctx,
				const struct sl_packet *pkt)
{
	struct dpi_worker *w = &d->worker[ctx->worker];

	return (struct dpi_scan){.patterns = &d->patterns,
				 .budget = &d->budget,
				 .shard = shard_of(d, pkt->meta->bucket),
				 .scratch = w->scratch,
				 .matched = w->matched,
				 .reassemble = d->reassemble};
}

static void drop(const struct sl_nf_ctx *ctx, struct sl_packet *pkt, struct dpi_shard *shard)
{
	sl_nf_count(&shard->dropped, 1);
	sl_nf_drop(ctx, pkt, 0);
}

static void datagram(struct dpi *d, const struct sl_nf_ctx *ctx, struct sl_packet *pkt)
{
	struct dpi_scan s = scan_for(d, ctx, pkt);
	hs_stream_t *stream = d->worker[ctx->worker].datagram;
	const uint8_t *udp = l4_header(pkt, UDP_HEADER);
	uint32_t n = udp ? (uint32_t)(pkt->data + ip_end(pkt) - udp) - UDP_HEADER : 0;

	if (!n)
		return;
	sl_nf_count(&s.shard->packets, 1);
	sl_nf_count(&s.shard->bytes, n);
	hs_scan_stream(stream, (const char *)udp + UDP_HEADER, n, 0, s.scratch, dpi_match, &s);
	hs_reset_stream(stream, 0, s.scratch, dpi_match, &s);
	sl_nf_count(&s.shard->matches, s.matches);
	if (s.drop)
		drop(ctx, pkt, s.shard);
}

static void begin_anew(struct dpi *d, struct dpi_scan *s, struct dpi_flow *f)
{
	for (unsigned side = 0; side < 2; side++)
		dpi_release(&d->patterns, &d->budget, s->shard, &f->dir[side]);
	f->blocked = false;
	f->matches = 0;
}

static void scan_segment(struct dpi_scan *s, struct dpi_flow *f, const struct sl_packet *pkt,
			 const uint8_t *tcp, unsigned side)
{
	uint32_t header = (uint32_t)(tcp[12] >> 4) * 4, seq = get32(tcp + 4);
	uint32_t bytes = (uint32_t)(pkt->data + ip_end(pkt) - tcp);
	struct dpi_dir *dir = &f->dir[side];

	if (tcp[13] & SYN) {
		seq++;
		if (!dir->started) {
			dir->started = true;
			dir->next = seq;
		}
	}
	if (header < TCP_HEADER || header > bytes)
		return;
	dpi_segment(s, dir, seq, tcp + header, bytes - header);
	if (tcp[13] & FIN)
		dpi_finish(s, dir, seq + bytes - header);
}

static void segment(struct dpi *d, const struct sl_nf_ctx *ctx, struct sl_packet *pkt,
		    struct dpi_flow *f, unsigned side)
{
	struct dpi_scan s = scan_for(d, ctx, pkt);
	const uint8_t *tcp = l4_header(pkt, TCP_HEADER);
	enum conn_state before;

	if (!f || !tcp) {
		sl_nf_count(&s.shard->unscanned, 1);
		return;
	}
	if (conn_packet(&f->conn, pkt, side, &before) == CONN_MADE && before != CONN_NONE)
		begin_anew(d, &s, f);
	sl_flow_expire_in(pkt->tables[ctx->slot], f, ctx->now_ns, conn_idle_ms(&f->conn));
	f->bucket = pkt->meta->bucket;
	if (!f->blocked)
		scan_segment(&s, f, pkt, tcp, side);
	f->matches += s.matches;
	sl_nf_count(&s.shard->matches, s.matches);
	if (s.drop && !f->blocked) {
		f->blocked = true;
		sl_nf_count(&s.shard->blocked, 1);
	}
	if (f->blocked)
		drop(ctx, pkt, s.shard);
}

/* True: it belongs to a connection. Else it has been dealt with. */
static bool is_segment(struct dpi *d, const struct sl_nf_ctx *ctx, struct sl_packet *pkt)
{
	struct dpi_shard *shard = shard_of(d, pkt->meta->bucket);

	if (pkt->meta->flags & SL_META_FRAGMENT) {
		sl_nf_count(&shard->fragments, 1);
		return false;
	}
	if (pkt->meta->proto == PROTO_TCP)
		return true;
	if (pkt->meta->proto == PROTO_UDP)
		datagram(d, ctx, pkt);
	else
		sl_nf_count(&shard->other, 1);
	return false;
}

static void dpi_process(const struct sl_nf_ctx *ctx, struct sl_packet **pkts, unsigned n)
{
	struct flow_batch b;

	b.n = 0;
	for (unsigned i = 0; i < n; i++)
		if (is_segment(ctx->self, ctx, pkts[i]))
			flow_batch_add(&b, ctx, pkts[i], i);
	flow_batch_make(&b, ctx);
	for (unsigned i = 0; i < b.n; i++)
		segment(ctx->self, ctx, pkts[b.of[i]], b.values[i], b.reversed[i]);
}

/* --- reports --------------------------------------------------------------------------------- */

static void dpi_end(void *self, const void *key, void *value)
{
	struct dpi *d = self;
	struct dpi_flow *f = value;

	for (unsigned side = 0; side < 2; side++)
		dpi_release(&d->patterns, &d->budget, shard_of(d, f->bucket), &f->dir[side]);
}

static int dpi_flow_show(void *self, const void *key, const void *value, char *buf, size_t size)
{
	const struct dpi_flow *f = value;

	return snprintf(buf, size,
			"\"state\":\"%s\",\"matches\":%" PRIu64
			",\"blocked\":%s,\"held_bytes\":%u,\"held_bytes_reverse\":%u",
			conn_state_name(f->conn.state), f->matches, f->blocked ? "true" : "false",
			f->dir[0].held_bytes, f->dir[1].held_bytes);
}

static void show_patterns(const struct dpi *d, struct text *t)
{
	text_add(t, "\"patterns\":[");
	for (unsigned i = 0; i < d->patterns.n; i++) {
		const struct dpi_pattern *p = &d->patterns.pattern[i];
		uint64_t matches = 0;

		for (unsigned w = 0; w < d->host->workers; w++)
			text_sum(&matches, &d->worker[w].matched[i], 1);
		text_add(t, "%s{\"id\":%u,\"line\":%u,\"expression\":", i ? "," : "", p->id,
			 p->line);
		text_quote(t, p->expression);
		text_add(t, ",\"action\":\"%s\",\"matches\":%" PRIu64 "}",
			 p->drop ? "drop" : "count", matches);
	}
	text_add(t, "]");
}

static int dpi_show(void *self, char *buf, size_t size)
{
	struct dpi *d = self;
	struct text t = {.buf = buf, .size = size};
	struct dpi_shard sum = {0};

	for (unsigned b = 0; b < d->host->buckets; b++)
		text_sum((uint64_t *)&sum, shard_of(d, b),
			 offsetof(struct dpi_shard, spares) / sizeof(uint64_t));
	text_add(&t, "\"file\":");
	text_quote(&t, d->file);
	text_add(&t,
		 ",\"packets\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"matches\":%" PRIu64
		 ",\"out_of_order\":%" PRIu64 ",\"repeated\":%" PRIu64 ",\"gaps\":%" PRIu64
		 ",\"unscanned\":%" PRIu64 ",\"fragments\":%" PRIu64 ",\"other\":%" PRIu64
		 ",\"blocked\":%" PRIu64 ",\"dropped\":%" PRIu64,
		 sum.packets, sum.bytes, sum.matches, sum.out_of_order, sum.repeated, sum.gaps,
		 sum.unscanned, sum.fragments, sum.other, sum.blocked, sum.dropped);
	text_add(&t,
		 ",\"streams\":%" PRIu64 ",\"stream_bytes\":%zu,\"held_bytes\":%" PRIu64
		 ",\"memory\":%zu,\"memory_limit\":%zu,",
		 sum.streams, d->patterns.stream_bytes, sum.held,
		 atomic_load_explicit(&d->budget.used, memory_order_relaxed), d->budget.limit);
	show_patterns(d, &t);
	return text_end(&t);
}

const struct sl_nf sl_nf_dpi = {
	.abi = SL_NF_ABI,
	.name = "dpi",
	.summary = "dpi:FILE counts or drops what matches patterns, with Hyperscan",
	.drop_reason = "dpi_drop",
	.key_size = sizeof(struct sl_flow_key),
	.value_size = sizeof(struct dpi_flow),
	.idle_ms = CONN_IDLE_MAX_MS,
	.flow_times = true,
	.shard_size = sizeof(struct dpi_shard),
	.create = dpi_create,
	.destroy = dpi_destroy,
	.start = dpi_start,
	.process = dpi_process,
	.flow_end = dpi_end,
	.flow_show = dpi_flow_show,
	.show = dpi_show,
};
