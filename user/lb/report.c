// SPDX-License-Identifier: GPL-2.0-or-later
#include <endian.h>
#include <errno.h>
#include <string.h>

#include "lb/report.h"
#include "siphash.h"

#define HEAD sizeof(struct sl_report_head)

uint64_t sl_report_mac(const uint64_t key[2], const uint8_t *data, size_t n)
{
	struct sl_sip s = sl_sip_begin((const __u64 *)key);
	uint64_t word;

	for (size_t at = 0; at <= n; at += sizeof(word)) {
		size_t rest = n - at < sizeof(word) ? n - at : sizeof(word);

		word = 0;
		memcpy(&word, data + at, rest);
		word = le64toh(word);
		if (rest < sizeof(word))
			word |= (uint64_t)n << 56;
		s.d ^= word;
		sl_sip_round(&s);
		sl_sip_round(&s);
		s.a ^= word;
	}
	s.c ^= 0xff;
	for (unsigned i = 0; i < 4; i++)
		sl_sip_round(&s);
	return s.a ^ s.b ^ s.c ^ s.d;
}

void sl_report_key(const uint64_t secret[2], uint64_t key[2])
{
	uint8_t text[] = "sluice report i";

	for (unsigned i = 0; i < 2; i++) {
		text[14] = (uint8_t)('0' + i);
		key[i] = sl_report_mac(secret, text, sizeof(text) - 1);
	}
}

unsigned sl_report_parts(const struct sl_core_table *t)
{
	return (t->entries + SL_REPORT_PART - 1u) / SL_REPORT_PART;
}

static size_t finish(struct sl_report_sender *s, enum sl_report_kind kind, unsigned part,
		     unsigned parts, size_t body, uint8_t *out)
{
	size_t n = HEAD + body;
	struct sl_report_head head = {
		.magic = htobe32(SL_REPORT_MAGIC),
		.version = SL_REPORT_VERSION,
		.kind = (uint8_t)kind,
		.server = htobe16(s->server),
		.boot = htobe64(s->boot),
		.sequence = htobe64(++s->sequence),
		.table = htobe32(s->table),
		.bytes = htobe16((uint16_t)(n + SL_REPORT_MAC)),
		.part = (uint8_t)part,
		.parts = (uint8_t)parts,
	};
	uint64_t mac;

	memcpy(out, &head, sizeof(head));
	mac = htobe64(sl_report_mac(s->key, out, n));
	memcpy(out + n, &mac, SL_REPORT_MAC);
	return n + SL_REPORT_MAC;
}

size_t sl_report_put_loads(struct sl_report_sender *s, const struct sl_core_loads *l,
			   uint8_t out[SL_REPORT_MAX])
{
	struct sl_report_loads body = {.cores = htobe16((uint16_t)l->cores),
				       .period_ms = htobe16((uint16_t)l->period_ms)};
	size_t n = sizeof(body);

	memcpy(out + HEAD, &body, sizeof(body));
	for (unsigned i = 0; i < l->cores; i++, n += sizeof(uint16_t)) {
		uint16_t load = htobe16(l->load[i]);

		memcpy(out + HEAD + n, &load, sizeof(load));
	}
	return finish(s, SL_REPORT_LOADS, 0, 1, n, out);
}

static unsigned part_entries(unsigned entries, unsigned part)
{
	unsigned rest = entries - part * SL_REPORT_PART;

	return rest < SL_REPORT_PART ? rest : SL_REPORT_PART;
}

size_t sl_report_put_table(struct sl_report_sender *s, const struct sl_core_table *t, unsigned part,
			   uint8_t out[SL_REPORT_MAX])
{
	unsigned n = part_entries(t->entries, part);
	struct sl_report_table body = {
		.hash = t->hash, .cores = t->cores, .entries = htobe16(t->entries)};

	memcpy(body.fields, t->fields, sizeof(body.fields));
	memcpy(body.key, t->key, sizeof(body.key));
	memcpy(body.split, t->split, sizeof(body.split));
	memcpy(out + HEAD, &body, sizeof(body));
	memcpy(out + HEAD + sizeof(body), t->core + part * SL_REPORT_PART, n);
	return finish(s, SL_REPORT_TABLE, part, sl_report_parts(t), sizeof(body) + n, out);
}

static int authentic(const uint8_t *data, size_t n, const uint64_t (*keys)[2], unsigned keys_n)
{
	uint64_t mac;

	memcpy(&mac, data + n, SL_REPORT_MAC);
	for (unsigned i = 0; i < keys_n; i++)
		if (sl_report_mac(keys[i], data, n) == be64toh(mac))
			return 0;
	return -EKEYREJECTED;
}

int sl_report_open(const void *datagram, size_t bytes, const uint64_t (*keys)[2], unsigned keys_n,
		   struct sl_report_seen *seen)
{
	struct sl_report_head head;

	if (bytes < HEAD + SL_REPORT_MAC || bytes > SL_REPORT_MAX)
		return -EBADMSG;
	memcpy(&head, datagram, sizeof(head));
	if (head.magic != htobe32(SL_REPORT_MAGIC))
		return -EBADMSG;
	if (head.version != SL_REPORT_VERSION)
		return -EPROTO;
	if (be16toh(head.bytes) != bytes)
		return -EBADMSG;
	*seen = (struct sl_report_seen){.kind = head.kind,
					.part = head.part,
					.parts = head.parts,
					.server = be16toh(head.server),
					.boot = be64toh(head.boot),
					.sequence = be64toh(head.sequence),
					.table = be32toh(head.table)};
	return authentic(datagram, bytes - SL_REPORT_MAC, keys, keys_n);
}

int sl_report_get_loads(const void *datagram, size_t bytes, struct sl_core_loads *l)
{
	const uint8_t *at = (const uint8_t *)datagram + HEAD;
	size_t rest = bytes - HEAD - SL_REPORT_MAC;
	struct sl_report_loads body;

	if (rest < sizeof(body))
		return -EBADMSG;
	memcpy(&body, at, sizeof(body));
	l->cores = be16toh(body.cores);
	l->period_ms = be16toh(body.period_ms);
	if (!l->cores || l->cores > SL_REPORT_CORES || !l->period_ms ||
	    rest != sizeof(body) + l->cores * sizeof(uint16_t))
		return -EBADMSG;
	for (unsigned i = 0; i < l->cores; i++) {
		uint16_t load;

		memcpy(&load, at + sizeof(body) + i * sizeof(load), sizeof(load));
		l->load[i] = be16toh(load);
	}
	return 0;
}

/* Does an entry name a core that there is? */
static int entry_bad(uint8_t core, unsigned cores, unsigned splits)
{
	if (core == SL_REPORT_NOBODY || core < cores)
		return 0;
	return core < SL_REPORT_SPLIT || core - SL_REPORT_SPLIT >= (int)splits;
}

int sl_report_get_table(const void *datagram, size_t bytes, struct sl_core_table *t)
{
	const uint8_t *at = (const uint8_t *)datagram + HEAD;
	size_t rest = bytes - HEAD - SL_REPORT_MAC;
	struct sl_report_head head;
	struct sl_report_table body;
	unsigned entries, n;

	if (rest < sizeof(body))
		return -EBADMSG;
	memcpy(&head, datagram, sizeof(head));
	memcpy(&body, at, sizeof(body));
	entries = be16toh(body.entries);
	if (!entries || entries > SL_REPORT_ENTRIES || (entries & (entries - 1)) || !body.cores ||
	    body.cores > SL_REPORT_CORES ||
	    (body.hash != SL_REPORT_SYMMETRIC && body.hash != SL_REPORT_TOEPLITZ))
		return -EBADMSG;
	if (head.parts != (entries + SL_REPORT_PART - 1) / SL_REPORT_PART ||
	    head.part >= head.parts)
		return -EBADMSG;
	n = part_entries(entries, head.part);
	if (rest != sizeof(body) + n)
		return -EBADMSG;
	for (unsigned i = 0; i < n; i++)
		if (entry_bad(at[sizeof(body) + i], body.cores, SL_REPORT_SPLITS / 16))
			return -EBADMSG;
	for (unsigned i = 0; i < SL_REPORT_SPLITS; i++)
		if (entry_bad(body.split[i], body.cores, 0))
			return -EBADMSG;
	t->hash = body.hash;
	t->cores = body.cores;
	t->entries = (uint16_t)entries;
	memcpy(t->fields, body.fields, sizeof(t->fields));
	memcpy(t->key, body.key, sizeof(t->key));
	memcpy(t->split, body.split, sizeof(t->split));
	memcpy(t->core + head.part * SL_REPORT_PART, at + sizeof(body), n);
	return 0;
}
