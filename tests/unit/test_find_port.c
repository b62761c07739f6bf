// SPDX-License-Identifier: GPL-2.0-or-later
/* sl_nf_find_port_v4() finds what trying all ports in turn finds, and nothing else. */
#include <arpa/inet.h>
#include <criterion/criterion.h>

#include "dataplane/nf_host.h"
#include "random_key.h"

static struct sl_nf_hash hash;
static struct sl_nf_host host = {.symmetric = true, .hash = &hash};

struct question {
	uint32_t addr, peer;
	uint16_t peer_port;
	uint8_t proto;
	unsigned bucket;
};

static unsigned bucket_of(const struct question *q, unsigned port)
{
	uint16_t p = htons((uint16_t)port), other = q->proto == 1 ? p : q->peer_port;

	return sl_nf_hash_v4(&host, q->addr, q->peer, p, other, q->proto) & (host.buckets - 1);
}

static struct question ask(void)
{
	static const uint8_t protos[] = {1, 6, 17};
	uint64_t r = random64(), s = random64();

	return (struct question){(uint32_t)r, (uint32_t)(r >> 32), (uint16_t)s, protos[s >> 16 & 1],
				 (unsigned)(s >> 32) & (host.buckets - 1)};
}

static void all_ports(const struct question *q, unsigned from, unsigned to)
{
	unsigned next = from;

	for (;;) {
		int port = sl_nf_find_port_v4(&host, q->bucket, q->addr, q->peer, q->peer_port,
					      q->proto, next, to);
		unsigned end = port < 0 ? to + 1 : (unsigned)port;

		for (unsigned p = next; p < end; p++)
			cr_assert_neq(bucket_of(q, p), q->bucket, "%u was left out", p);
		if (port < 0)
			return;
		cr_assert_eq(bucket_of(q, end), q->bucket, "%u is another bucket's", end);
		next = end + 1;
	}
}

Test(find_port, all_of_them_in_order)
{
	for (unsigned i = 0; i < 120; i++) {
		struct question q;

		random_key((__u64 *)hash.key);
		host.buckets = 128u << (i % 10);
		q = ask();
		if (i % 3 == 2)
			q.proto = 17;
		if (i % 5)
			all_ports(&q, 1024, 65535);
		else
			all_ports(&q, (unsigned)random64() & 0xffff, 65535);
	}
}

Test(find_port, there_is_none)
{
	struct question q;

	random_key((__u64 *)hash.key);
	host.buckets = 1024;
	q = ask();
	cr_assert_eq(sl_nf_find_port_v4(&host, q.bucket, q.addr, q.addr, 1, 6, 0, 65535), -1);
	for (unsigned p = 1; p < 3000; p++)
		cr_assert_eq(sl_nf_find_port_v4(&host, q.bucket, q.addr, q.peer, q.peer_port,
						q.proto, p, p) >= 0,
			     bucket_of(&q, p) == q.bucket);
	hash.toeplitz = true;
	cr_assert_eq(sl_nf_find_port_v4(&host, q.bucket, q.addr, q.peer, 1, 6, 0, 65535), -1);
}
