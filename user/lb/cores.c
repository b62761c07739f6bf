// SPDX-License-Identifier: GPL-2.0-or-later
#include <bpf/bpf.h>
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "control/toeplitz.h"
#include "platform/clock.h"
#include "lb/cores.h"
#include "lb/loads.h"

_Static_assert(sizeof(((struct sl_lb_cores *)0)->toeplitz) ==
		       sizeof(uint32_t[2 * SL_TOEPLITZ_INPUT][16]),
	       "as sl_toeplitz_halves() makes it");
_Static_assert(SL_REPORT_SPLITS == SL_PARTS && SL_REPORT_CORES == SL_MAX_WORKERS, "one size");

size_t sl_lb_cores_size(void)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	return (sizeof(struct sl_lb_cores) + page - 1) / page * page;
}

struct sl_lb_cores *sl_lb_cores_map(uint32_t id)
{
	int fd = bpf_map_get_fd_by_id(id);
	void *c;

	if (fd < 0)
		return NULL;
	c = mmap(NULL, sl_lb_cores_size(), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	return c == MAP_FAILED ? NULL : c;
}

/* Servers with the same key have the same id: a hash, whose collision costs a wrong prediction. */
static uint32_t key_id(const struct sl_core_table *t)
{
	static const uint64_t any[2] = {1, 2};
	uint32_t id = (uint32_t)sl_report_mac(any, t->key, sizeof(t->key));

	return id ? id : 1;
}

static void symmetric_key(const struct sl_core_table *t, __u64 key[6])
{
	for (unsigned i = 0; i < 6; i++) {
		uint64_t word;

		memcpy(&word, t->key + i * sizeof(word), sizeof(word));
		key[i] = be64toh(word);
	}
}

bool sl_lb_cores_update(struct sl_lb_cores *c, const struct sl_core_table *t, uint32_t number)
{
	if (c->hash != t->hash || c->cores != t->cores || c->mask != t->entries - 1u ||
	    memcmp(c->fields, t->fields, sizeof(c->fields)) != 0 || c->key_id != key_id(t))
		return false;
	for (unsigned i = 0; i < SL_REPORT_SPLITS; i++)
		__atomic_store_n(&c->split[i], t->split[i], __ATOMIC_RELAXED);
	/* The parts before the row that names them. */
	for (unsigned i = 0; i < t->entries; i++)
		__atomic_store_n(&c->core[i], t->core[i], __ATOMIC_RELEASE);
	__atomic_store_n(&c->table, number, __ATOMIC_RELAXED);
	return true;
}

/* Toeplitz of the server's address, where the destination's is in the input. */
static uint32_t address_hash(const struct sl_lb_cores *c, const struct sl_lb_server *s)
{
	const uint8_t *b = (const uint8_t *)(s->v6 ? s->addr : s->addr + 3);
	unsigned at = s->v6 ? 16 : 4, n = s->v6 ? 16 : 4;
	uint32_t hash = 0;

	for (unsigned i = 0; i < n; i++)
		hash ^= c->toeplitz[2 * (at + i)][b[i] >> 4] ^
			c->toeplitz[2 * (at + i) + 1][b[i] & 15];
	return hash;
}

static void fill(struct sl_lb_cores *c, const struct sl_core_table *t,
		 const struct sl_report_seen *head, const struct sl_lb_server *s)
{
	uint8_t key[SL_TOEPLITZ_KEY] = {0};

	c->key_id = key_id(t);
	c->mask = t->entries - 1u;
	c->table = head->table;
	c->boot = head->boot;
	c->sequence = head->sequence;
	memcpy(c->fields, t->fields, sizeof(c->fields));
	c->hash = t->hash;
	c->cores = t->cores;
	memcpy(c->split, t->split, sizeof(c->split));
	memcpy(c->core, t->core, t->entries);
	symmetric_key(t, c->symmetric);
	memcpy(key, t->key, SL_REPORT_KEY);
	sl_toeplitz_halves(key, c->toeplitz);
	c->address = address_hash(c, s);
}

static void keep(struct sl_lb_cores *c, const struct sl_lb_cores *old)
{
	c->until_ns = old->until_ns;
	c->flow = old->flow;
	memcpy(c->load, old->load, sizeof(c->load));
	memcpy(c->added, old->added, sizeof(c->added));
	memcpy(c->chosen, old->chosen, sizeof(c->chosen));
}

int sl_lb_cores_replace(const struct sl_lb *lb, const struct sl_lb_cores *old,
			const struct sl_core_table *t, const struct sl_report_seen *head)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_MMAPABLE);
	struct sl_lb_cores *c = calloc(1, sizeof(*c));
	uint32_t zero = 0, server = head->server;
	struct sl_lb_server s;
	int fd, rc = 0;

	if (!c)
		return -ENOMEM;
	fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "lb_cores_of", sizeof(zero), sizeof(*c), 1, &opts);
	if (fd < 0) {
		rc = -errno;
	} else {
		sl_lb_server(lb, server, &s);
		fill(c, t, head, &s);
		if (old)
			keep(c, old);
		if (bpf_map_update_elem(fd, &zero, c, BPF_ANY) ||
		    bpf_map_update_elem(lb->map[SL_LB_M_CORES], &server, &fd, BPF_ANY))
			rc = -errno;
		close(fd);
	}
	free(c);
	return rc;
}

int sl_lb_cores_read(const struct sl_lb *lb, uint32_t id, struct sl_lb_cores *out)
{
	uint32_t map, zero = 0;
	int fd, rc;

	if (bpf_map_lookup_elem(lb->map[SL_LB_M_CORES], &id, &map))
		return -ENOENT;
	fd = bpf_map_get_fd_by_id(map);
	if (fd < 0)
		return -ENOENT;
	rc = bpf_map_lookup_elem(fd, &zero, out) ? -errno : 0;
	close(fd);
	return rc;
}

bool sl_lb_cores_fresh(const struct sl_lb_cores *c)
{
	return __atomic_load_n(&c->until_ns, __ATOMIC_RELAXED) > sl_clock_ns();
}

double sl_lb_cores_mean(const struct sl_lb_cores *c)
{
	double sum = 0;

	for (unsigned i = 0; i < c->cores; i++)
		sum += c->load[i];
	return c->cores ? sum / c->cores / SL_REPORT_CORE : 0;
}
