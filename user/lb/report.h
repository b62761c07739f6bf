/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * report.h - a server's reports to its load balancers, between memory and datagrams
 * (sluice/lb_report.h). Pure.
 */
#ifndef SL_LB_REPORT_H
#define SL_LB_REPORT_H

#include <stddef.h>
#include <stdint.h>

#include <sluice/lb_report.h>

/* A table as a server has it. */
struct sl_core_table {
	uint8_t hash; /* enum sl_report_hash */
	uint8_t cores; /* at most SL_REPORT_CORES */
	uint16_t entries;
	uint8_t fields[SL_REPORT_FLOWS];
	uint8_t key[SL_REPORT_KEY];
	uint8_t split[SL_REPORT_SPLITS];
	uint8_t core[SL_REPORT_ENTRIES];
};

struct sl_core_loads {
	unsigned cores;
	unsigned period_ms;
	uint16_t load[SL_REPORT_CORES]; /* of SL_REPORT_CORE */
};

/* Who sends, and where it is. */
struct sl_report_sender {
	uint16_t server;
	uint64_t boot, sequence; /* the latest one's; counted up by each datagram */
	uint32_t table; /* number of the table in force */
	uint64_t key[2]; /* from sl_report_key() */
};

/* SipHash-2-4, as its authors recommend for MACs (Aumasson and Bernstein 2012, section 2). */
uint64_t sl_report_mac(const uint64_t key[2], const uint8_t *data, size_t n);

/* The key of MACs from a balancer's secret. */
void sl_report_key(const uint64_t secret[2], uint64_t key[2]);

unsigned sl_report_parts(const struct sl_core_table *t);

/* The next datagram: its bytes. */
size_t sl_report_put_loads(struct sl_report_sender *s, const struct sl_core_loads *l,
			   uint8_t out[SL_REPORT_MAX]);
size_t sl_report_put_table(struct sl_report_sender *s, const struct sl_core_table *t, unsigned part,
			   uint8_t out[SL_REPORT_MAX]);

/*
 * 0 and *head in host order if the datagram is whole, of this version and authentic by one of
 * `keys` (pairs of words), or -EBADMSG it is no report, -EPROTO another version, -EKEYREJECTED.
 * What is in the body is checked by the two below.
 */
struct sl_report_seen {
	uint8_t kind, part, parts;
	uint16_t server;
	uint64_t boot, sequence;
	uint32_t table;
};
int sl_report_open(const void *datagram, size_t bytes, const uint64_t (*keys)[2], unsigned keys_n,
		   struct sl_report_seen *head);

/* The body of a datagram that sl_report_open() let pass. -EBADMSG. */
int sl_report_get_loads(const void *datagram, size_t bytes, struct sl_core_loads *l);
/* A part into its place in *t; all else in *t is the part's too. */
int sl_report_get_table(const void *datagram, size_t bytes, struct sl_core_table *t);

#endif /* SL_LB_REPORT_H */
