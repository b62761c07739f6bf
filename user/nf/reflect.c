// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * reflect - sends every packet back: Ethernet, IP addresses and ports change sides. The Internet
 * checksum is a sum, so it does not change with the order of its terms (RFC 1071).
 */
#include <string.h>

#include "nf/builtin.h"

#define ETH_ALEN 6
#define IPV4_SRC 12
#define IPV6_SRC 8

static void swap(uint8_t *a, uint8_t *b, size_t n)
{
	uint8_t t[16];

	memcpy(t, a, n);
	memcpy(a, b, n);
	memcpy(b, t, n);
}

static void reflect_one(struct sl_packet *p)
{
	const struct sl_meta *m = p->meta;
	uint8_t *ip = p->data + m->l3_off;

	swap(p->data, p->data + ETH_ALEN, ETH_ALEN);
	if (m->flags & SL_META_V4)
		swap(ip + IPV4_SRC, ip + IPV4_SRC + 4, 4);
	else if (m->flags & SL_META_V6)
		swap(ip + IPV6_SRC, ip + IPV6_SRC + 16, 16);
	if (m->flags & SL_META_PORTS)
		swap(p->data + m->l4_off, p->data + m->l4_off + 2, 2);
}

static void reflect_process(const struct sl_nf_ctx *ctx, struct sl_packet **pkts, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		reflect_one(pkts[i]);
		pkts[i]->out_iface = pkts[i]->iface;
		pkts[i]->verdict = SL_TX;
	}
}

const struct sl_nf sl_nf_reflect = {
	.abi = SL_NF_ABI,
	.name = "reflect",
	.summary = "swap MAC addresses, IP addresses and ports, and send the packet back",
	.process = reflect_process,
};
