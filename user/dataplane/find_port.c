// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * find_port.c - the port that brings a packet into a given bucket.
 *
 * With addresses and the peer's port fixed, the symmetric hash (bpf/hash.h) is (s + w * port) >> 32
 * for some s and w, so a port falls into bucket b if (s - b * 2^32 + w * port) mod 2^(32 + log2
 * buckets) is below 2^32. The first such port is found as Euclid's algorithm finds a divisor,
 * instead of by trying a thousand.
 */
#include "dataplane/nf_host.h"
#include "hash.h"

#define NONE UINT64_MAX
#define PORTS 65536u

/*
 * The least x with low <= a * x mod m <= high, where 0 < low <= high < m <= 2^48; NONE if there is
 * none below PORTS. If no multiple of a lies in the interval, a * x - m * y does, for the least y
 * that has -m * y mod a between low mod a and high mod a: the same question, at most half as large.
 */
static uint64_t first_hit(uint64_t a, uint64_t m, uint64_t low, uint64_t high)
{
	uint64_t turned, x;

	if (!low)
		return 0;
	if (2 * a > m) {
		a = m - a;
		turned = m - high;
		high = m - low;
		low = turned;
	}
	if (!a)
		return NONE;
	x = (low + a - 1) / a;
	if (x * a > high) {
		uint64_t y = first_hit((a - m % a) % a, a, low % a, high % a);

		if (y == NONE)
			return NONE;
		x = (low + m * y + a - 1) / a; /* y < 2^16 */
	}
	return x < PORTS ? x : NONE;
}

int sl_nf_find_port_v4(const struct sl_nf_host *host, unsigned bucket, uint32_t addr, uint32_t peer,
		       uint16_t peer_port, uint8_t proto, unsigned from, unsigned to)
{
	const uint64_t *key = host->hash->key;
	uint64_t m = (uint64_t)host->buckets << 32, one = 1, other = 1, weight, sum, at;
	bool echo = proto == SL_IP_ICMP;

	if (host->hash->toeplitz || addr == peer)
		return -1;
	*(bpf_ntohl(addr) < bpf_ntohl(peer) ? &other : &one) = key[SL_KEY_UPPER];
	weight = key[SL_KEY_PORT] * (echo ? one + other : one);
	sum = key[SL_KEY_ADDR + 3] * (one * bpf_ntohl(addr) + other * bpf_ntohl(peer)) +
	      key[SL_KEY_PORT] * ((uint64_t)proto << 16);
	if (!echo)
		sum += key[SL_KEY_PORT] * other * bpf_ntohs(peer_port);
	sum += weight * from - ((uint64_t)bucket << 32);
	sum &= m - 1;
	if (sum >> 32) /* else `from` is one itself */
		at = first_hit(weight & (m - 1), m, m - sum, m - sum + UINT32_MAX);
	else
		at = 0;
	return at != NONE && from + at <= to ? (int)(from + at) : -1;
}
