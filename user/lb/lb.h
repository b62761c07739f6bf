/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lb.h - a load balancer in the kernel: its program, its maps (sluice/lb.h), their pins, and what a
 * configuration makes of them. What is pinned is all the state there is:
 *
 *   <bpffs>/sluice/lb-<abi>/<name>/{lb_control,...,sluice_lb,link-<ifindex>}
 *
 * Calls exclude one another on the machine while a struct sl_lb is locked, as it is when it is
 * opened.
 */
#ifndef SL_LB_LB_H
#define SL_LB_LB_H

#include "control/lb_select.h"
#include "lb/config.h"

/* A file names SL_LB_MAX_IFACES; those of files before stay. As many as lb_ports has room for. */
#define SL_LB_LINKS_MAX 64

enum sl_lb_map {
	SL_LB_M_CONTROL,
	SL_LB_M_VIPS,
	SL_LB_M_NETWORKS,
	SL_LB_M_SERVERS,
	SL_LB_M_REVERSE,
	SL_LB_M_TUNNELS,
	SL_LB_M_CLOCKS,
	SL_LB_M_WATCH,
	SL_LB_M_CONNECTIONS,
	SL_LB_M_COUNTS,
	SL_LB_M_VIP_STATS,
	SL_LB_M_SERVER_STATS,
	SL_LB_M_PORTS,
	SL_LB_M_TABLES,
	SL_LB_M_QUIC,
	SL_LB_M_QUIC_SERVERS,
	SL_LB_M_CORES,
	SL_LB_M_SLOTS,
	SL_LB_MAPS,
};

struct sl_lb {
	char name[SL_NAME_MAX];
	int lock; /* of the pin directory; -1: not held */
	uint64_t inode; /* of the program's pin: another one is another balancer */
	int map[SL_LB_MAPS]; /* enum sl_lb_map */
	int prog;
	const struct sl_lb_server *servers; /* the map itself, SL_LB_MAX_SERVERS of them */
};

/* A VIP as the maps have it. */
struct sl_lb_vip_entry {
	struct sl_lb_vip_key key;
	struct sl_lb_vip vip;
};

/* Open what is pinned. -ENOENT: no such balancer. */
int sl_lb_open(const char *name, struct sl_lb *lb, struct sl_error *err);
/* The same by its file, and load and pin it where there is none; *created tells. */
int sl_lb_claim(const struct sl_lb_config *config, struct sl_lb *lb, bool *created,
		struct sl_error *err);
void sl_lb_close(struct sl_lb *lb);

/* Let others change it; what can be read stays readable. */
void sl_lb_unlock(struct sl_lb *lb);
/* Not for long: -EBUSY while another call holds it, unless `wait`. -ENOENT: this balancer is gone.
 */
int sl_lb_lock(struct sl_lb *lb, bool wait);
/* `sluice lb run` holds the lock of this name for as long as it runs. */
void sl_lb_run_lock(const char *name, char lock[SL_NAME_MAX + 4]);

/* Put the program on an interface, unless it is there. */
int sl_lb_attach(struct sl_lb *lb, const char *ifname, struct sl_error *err);
/* Interfaces that it is on: their indexes, ended by 0. */
void sl_lb_ifaces(const struct sl_lb *lb, unsigned ifindex[SL_LB_LINKS_MAX + 1]);
/* Forget those that are gone. */
void sl_lb_tidy(const struct sl_lb *lb);
/* Off all interfaces, and everything forgotten but neighbours: sl_lb_forget() does that too. */
void sl_lb_remove(struct sl_lb *lb);

/* Blocks of `lb_slots` for so many slots: a power of two; and how many slots there are. */
unsigned sl_lb_blocks(unsigned slots);
unsigned sl_lb_slots(const struct sl_lb *lb);

/* Bits of the prefix of a VIP: 32 or 128 unless it is a network. */
unsigned sl_lb_vip_prefix(const struct sl_lb *lb, const __be32 addr[4]);
/* The VIPs, each once: an array to free, its length in *n. */
int sl_lb_vips(const struct sl_lb *lb, struct sl_lb_vip_entry **vips, unsigned *n);
int sl_lb_server(const struct sl_lb *lb, uint32_t id, struct sl_lb_server *s);
/* Is the id a server's? */
bool sl_lb_server_there(const struct sl_lb *lb, uint32_t id, struct sl_lb_server *s);

/*
 * Servers of the VIP that get connections: those that are up and do not fail, or where all fail all
 * that are up. `up` has room for SL_LB_MAX_SERVERS. How many.
 */
unsigned sl_lb_eligible(const struct sl_lb *lb, unsigned vip, struct sl_lb_member *up);
/* Put the tables in the place of those of these VIPs. Waits for a grace period, some 20 ms. */
int sl_lb_store(const struct sl_lb *lb, const uint32_t *vips,
		const struct sl_lb_table *const *tables, unsigned n);
/* Enter the servers themselves too, if they are few. */
void sl_lb_few(struct sl_lb_table *table, const struct sl_lb_member *up, unsigned n);
/* Deal the VIP's rows to sl_lb_eligible(), all at once. */
int sl_lb_deal(const struct sl_lb *lb, unsigned vip, unsigned select, struct sl_error *err);
/* What the checks say of a server; its rows are the caller's to deal. */
int sl_lb_set_health(const struct sl_lb *lb, uint32_t id, enum sl_lb_health health);

/*
 * Make the maps what the configuration says: VIPs and servers come, go and change, each step so
 * that no packet finds a half of it; ids stay with their servers. Interfaces are attached, and ones
 * that are named no more left as they are. What sl_lb_check() refuses changes nothing; on other
 * failures what was done stays and the next call goes on.
 */
int sl_lb_apply(struct sl_lb *lb, const struct sl_lb_config *config, struct sl_error *err);

/* State and weight (0 of each: as it is) of all servers with this end, whichever VIP's. How many,
 * or -errno. */
int sl_lb_set(struct sl_lb *lb, const __be32 addr[4], __be16 port, enum sl_lb_state state,
	      unsigned weight, struct sl_error *err);

/* New cookies by a new secret; those of the one before last mean nothing any more. */
int sl_lb_rotate(struct sl_lb *lb, const __u64 secret[2], struct sl_error *err);

#endif /* SL_LB_LB_H */
