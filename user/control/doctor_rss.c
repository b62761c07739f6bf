// SPDX-License-Identifier: GPL-2.0-or-later
/* The NIC's indirection table, hash function, key and fields. */
#include <stdio.h>

#include "control/doctor_impl.h"

#define TOEPLITZ 1u /* ethtool's bits: ETH_RSS_HASH_TOP, RXH_IP_SRC .. RXH_L4_B_2_3 */
#define ADDRESSES (0x10u | 0x20u)
#define PORTS (0x40u | 0x80u)

static const char *const flow_words[] = {"tcp4", "tcp6", "udp4", "udp6"};

/* Entries of the table that name the queue. */
static unsigned share(const struct sl_facts *f, unsigned queue)
{
	unsigned n = 0;

	for (unsigned i = 0; i < f->reta_n; i++)
		n += f->reta[i] == queue;
	return n;
}

static void spread(const struct sl_facts *f, struct sl_finding *finding)
{
	doctor_command(finding, "ethtool -X %s equal %u", f->ifname, f->rx);
	finding->mend = (struct sl_mend){.kind = SL_MEND_RETA, .value = f->rx};
}

static void check_reta(const struct sl_facts *f, struct sl_findings *out)
{
	unsigned least = f->reta_n, most = 0, idle = 0;

	if (!f->reta_n || f->rx > f->reta_n)
		return;
	for (unsigned q = 0; q < f->rx; q++) {
		const unsigned n = share(f, q);

		least = n < least ? n : least;
		most = n > most ? n : most;
		idle += !n;
	}
	if (idle)
		spread(f, doctor_problem(out, "reta-idle",
					 "the NIC's table (RETA) gives %u of %u queues no packets",
					 idle, f->rx));
	else if (most > 2 * least)
		spread(f, doctor_problem(out, "reta-uneven",
					 "the NIC's table (RETA) gives a queue %u entries, another "
					 "%u",
					 most, least));
}

/* As ethtool -x prints it, for --hash. */
static void key_text(const struct sl_facts *f, char *text, size_t size)
{
	text[0] = 0;
	for (unsigned i = 0; i < f->key_bytes && 2 * i + 3 <= size; i++)
		snprintf(text + (size_t)2 * i, size - (size_t)2 * i, "%02x", f->key[i]);
}

static void check_hash(const struct sl_facts *f, struct sl_findings *out)
{
	struct sl_finding *finding;
	char key[2 * sizeof(f->key) + 1];

	if (!f->toeplitz)
		return;
	if (f->hfunc && f->hfunc != TOEPLITZ) {
		finding = doctor_problem(out, "hash-function",
					 "Sluice hashes by Toeplitz, the NIC does not");
		doctor_command(finding, "ethtool -X %s hfunc toeplitz", f->ifname);
		finding->mend.kind = SL_MEND_TOEPLITZ;
	}
	if (f->key_differs) {
		key_text(f, key, sizeof(key));
		doctor_command(
			doctor_problem(out, "hash-key",
				       "Sluice's Toeplitz key is not the NIC's: their hashes "
				       "disagree"),
			"sluice detach %s && sluice attach %s --hash toeplitz:%s --match ...",
			f->ifname, f->ifname, key);
	}
}

static void check_fields(const struct sl_facts *f, struct sl_findings *out)
{
	for (unsigned t = 0; t < sizeof(flow_words) / sizeof(flow_words[0]); t++) {
		struct sl_finding *finding;

		if (!f->fields_known[t] || (f->fields[t] & PORTS) == PORTS)
			continue;
		finding = doctor_problem(out, "hash-fields",
					 "the NIC hashes %s without its ports: all flows of two "
					 "hosts meet in one queue",
					 flow_words[t]);
		doctor_command(finding, "ethtool -N %s rx-flow-hash %s sdfn", f->ifname,
			       flow_words[t]);
		finding->mend = (struct sl_mend){
			.kind = SL_MEND_FIELDS, .id = t, .value = ADDRESSES | PORTS};
	}
}

void doctor_rss(const struct sl_facts *f, struct sl_findings *out)
{
	if (!f->rss)
		return;
	check_hash(f, out);
	if (f->rx < 2)
		return; /* nothing to spread */
	check_reta(f, out);
	check_fields(f, out);
}
