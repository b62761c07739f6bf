// SPDX-License-Identifier: GPL-2.0-or-later
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "platform/elephant.h"

#define TRIES 100
#define ENOUGH_SAMPLES 16 /* packets, to name flows */
#define WORDS (sizeof(struct sl_elephant) / sizeof(uint32_t))

/* Words one by one: what is read while it is written is thrown away, but must not be torn. */
static void copy(uint32_t *to, const uint32_t *from)
{
	for (size_t i = 1; i < WORDS; i++)
		__atomic_store_n(&to[i], __atomic_load_n(&from[i], __ATOMIC_RELAXED),
				 __ATOMIC_RELAXED);
}

void sl_elephant_write(struct sl_instance *inst, const struct sl_elephant *e)
{
	struct sl_elephant *shared = &inst->control->elephant;
	/* from odd too: a writer that was killed halfway has left it so */
	uint32_t seq = __atomic_load_n(&shared->seq, __ATOMIC_RELAXED) | 1;

	__atomic_store_n(&shared->seq, seq, __ATOMIC_RELAXED);
	/* pairs with the acquire fence in sl_elephant_read() */
	__atomic_thread_fence(__ATOMIC_RELEASE);
	copy((uint32_t *)shared, (const uint32_t *)e);
	__atomic_store_n(&shared->seq, seq + 1, __ATOMIC_RELEASE);
}

bool sl_elephant_read(const struct sl_instance *inst, uint32_t bucket, struct sl_elephant *out)
{
	const struct sl_elephant *shared = &inst->control->elephant;

	for (unsigned i = 0; i < TRIES; i++) {
		/* pairs with the release store in sl_elephant_write() */
		out->seq = __atomic_load_n(&shared->seq, __ATOMIC_ACQUIRE);
		copy((uint32_t *)out, (const uint32_t *)shared);
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		if (!(out->seq & 1) && out->seq == __atomic_load_n(&shared->seq, __ATOMIC_RELAXED))
			return out->bucket == bucket + 1 && out->samples >= ENOUGH_SAMPLES &&
			       out->flows && out->flows <= SL_HEAVY_FLOWS;
	}
	return false;
}

static void addr_text(const uint8_t addr[16], char text[INET6_ADDRSTRLEN])
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

	if (!memcmp(addr, mapped, sizeof(mapped)))
		inet_ntop(AF_INET, addr + 12, text, INET6_ADDRSTRLEN);
	else
		inet_ntop(AF_INET6, addr, text, INET6_ADDRSTRLEN);
}

void sl_heavy_flow_text(const struct sl_heavy_flow *f, char text[SL_HEAVY_TEXT])
{
	char a[INET6_ADDRSTRLEN], b[INET6_ADDRSTRLEN], proto[8];

	addr_text(f->addr[0], a);
	addr_text(f->addr[1], b);
	if (f->proto == IPPROTO_TCP || f->proto == IPPROTO_UDP)
		snprintf(proto, sizeof(proto), "%s", f->proto == IPPROTO_TCP ? "tcp" : "udp");
	else
		snprintf(proto, sizeof(proto), "ip/%u", f->proto);
	snprintf(text, SL_HEAVY_TEXT, "%s %s.%u - %s.%u", proto, a, ntohs(f->port[0]), b,
		 ntohs(f->port[1]));
}

json_t *sl_elephant_flows_json(const struct sl_elephant *e)
{
	char a[INET6_ADDRSTRLEN], b[INET6_ADDRSTRLEN];
	json_t *all = json_array();

	for (unsigned i = 0; i < e->flows; i++) {
		const struct sl_heavy_flow *f = &e->flow[i];

		addr_text(f->addr[0], a);
		addr_text(f->addr[1], b);
		json_array_append_new(all, json_pack("{s:s,s:i,s:s,s:i,s:i,s:f}", "addr_a", a,
						     "port_a", ntohs(f->port[0]), "addr_b", b,
						     "port_b", ntohs(f->port[1]), "proto", f->proto,
						     "share", f->share / 1000.0));
	}
	return all;
}
