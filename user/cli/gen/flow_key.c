// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/gen/flow_key.h"

#include <stdlib.h>
#include <string.h>

#include "parse.h"

static uint32_t hash_bytes(const void *data, unsigned n)
{
	const uint8_t *p = data;
	uint32_t h = 2166136261u; /* FNV-1a, with a finaliser: slots are its low bits */

	while (n--)
		h = (h ^ *p++) * 16777619u;
	h ^= h >> 16;
	return h * 0x85ebca6bu ^ h >> 13;
}

/* The length that the IP header states, counted from the start of the frame. */
static uint32_t stated_end(const uint8_t *frame, const struct sl_parsed *p)
{
	const uint8_t *ip = frame + p->l3_off;

	if (p->flags & SL_META_V4)
		return p->l3_off + (uint32_t)(ip[2] << 8 | ip[3]);
	return p->l3_off + 40u + (uint32_t)(ip[4] << 8 | ip[5]);
}

static void addresses(const uint8_t *frame, const struct sl_parsed *p, struct flow_key *key)
{
	const uint8_t *ip = frame + p->l3_off;

	if (p->flags & SL_META_V4) {
		memcpy(key->src, ip + 12, 4);
		memcpy(key->dst, ip + 16, 4);
	} else {
		memcpy(key->src, ip + 8, 16);
		memcpy(key->dst, ip + 24, 16);
	}
}

bool flow_key_of(const uint8_t *frame, uint32_t len, struct flow_key *key)
{
	struct sl_parsed p = {.flags = 0};
	const uint8_t *l4;

	memset(key, 0, sizeof(*key));
	if (sl_parse(frame, frame + len, &p) != SL_PARSED || stated_end(frame, &p) > len)
		return false;
	addresses(frame, &p, key);
	key->kind = (uint8_t)(p.flags &
			      (SL_META_V4 | SL_META_V6 | SL_META_FRAGMENT | SL_META_ICMP_ERROR));
	key->vlan = p.vlans;
	if (p.flags & SL_META_FRAGMENT)
		return true;
	key->proto = p.proto;
	key->sport = p.flow.sport;
	key->dport = p.flow.dport;
	l4 = frame + p.l4_off;
	if (p.flags & SL_META_ICMP_ERROR) {
		struct flow_key quoted = {.sport = p.flow.sport, .dport = p.flow.dport};
		const bool v4 = p.flags & SL_META_V4;

		memcpy(quoted.src, v4 ? &p.flow.src[3] : p.flow.src, v4 ? 4 : 16);
		memcpy(quoted.dst, v4 ? &p.flow.dst[3] : p.flow.dst, v4 ? 4 : 16);
		quoted.proto = p.flow.proto;
		quoted.kind = p.flow.fragment;
		key->quoted = hash_bytes(&quoted, sizeof(quoted));
		key->sport = key->dport = 0;
	} else if (p.l4_off && (p.proto == SL_IP_ICMP || p.proto == SL_IP_ICMP6)) {
		key->sport = (uint16_t)(l4[0] << 8 | l4[1]);
	}
	return true;
}

static bool grow(struct flow_numbers *f)
{
	uint32_t room = f->room ? f->room * 2 : 1024, slots = room * 2;
	struct flow_key *key = realloc(f->key, room * sizeof(*key));
	uint32_t *slot;

	if (!key)
		return false;
	f->key = key;
	slot = calloc(slots, sizeof(*slot));
	if (!slot)
		return false;
	for (uint32_t i = 0; i < f->n; i++) {
		uint32_t at = hash_bytes(&key[i], sizeof(key[i])) & (slots - 1);

		while (slot[at])
			at = (at + 1) & (slots - 1);
		slot[at] = i + 1;
	}
	free(f->slot);
	f->slot = slot;
	f->slots = slots;
	f->room = room;
	return true;
}

uint32_t flow_numbers_get(struct flow_numbers *f, const struct flow_key *key)
{
	uint32_t at;

	if (f->n == f->room && !grow(f))
		return UINT32_MAX;
	at = hash_bytes(key, sizeof(*key)) & (f->slots - 1);
	while (f->slot[at]) {
		if (!memcmp(&f->key[f->slot[at] - 1], key, sizeof(*key)))
			return f->slot[at] - 1;
		at = (at + 1) & (f->slots - 1);
	}
	f->key[f->n] = *key;
	f->slot[at] = f->n + 1;
	return f->n++;
}

void flow_numbers_free(struct flow_numbers *f)
{
	free(f->key);
	free(f->slot);
	memset(f, 0, sizeof(*f));
}
