// SPDX-License-Identifier: GPL-2.0-or-later
#include "lb/quic.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "quic_lb.h"

bool sl_lb_quic_fits(const struct sl_lb_quic *quic, const __u64 id[2])
{
	for (unsigned i = 0; i < SL_LB_QUIC_CONFIGS; i++) {
		struct sl_aes_block b = {id[0], id[1]};

		if (!quic->config[i].used)
			continue;
		b = sl_quic_shift_right(b, 8 * quic->config[i].server_id_length);
		if (b.high || b.low)
			return false;
	}
	return true;
}

void sl_lb_quic_id(const struct sl_lb_server_config *s, uint32_t server, __u64 id[2])
{
	id[0] = s->has_quic_id ? s->quic_id[0] : 0;
	id[1] = s->has_quic_id ? s->quic_id[1] : server;
}

void sl_lb_quic_id_text(const __u64 id[2], unsigned length, char *buf)
{
	uint8_t octets[16];

	sl_quic_store(octets, id[0]);
	sl_quic_store(octets + 8, id[1]);
	sl_lb_hex_text(octets + sizeof(octets) - length, length, buf);
}

/* --- what is there */

static int add_entry(struct sl_lb_quic_entry **entries, unsigned *n,
		     const struct sl_lb_quic_entry *e)
{
	void *grown =
		*n & (*n - 1) ? *entries : reallocarray(*entries, *n ? 2 * *n : 1, sizeof(*e));

	if (!grown)
		return -ENOMEM;
	*entries = grown;
	(*entries)[(*n)++] = *e;
	return 0;
}

int sl_lb_quic_entries(const struct sl_lb *lb, unsigned vip, struct sl_lb_quic_entry **entries,
		       unsigned *n)
{
	int map = lb->map[SL_LB_M_QUIC_SERVERS], rc = 0;
	struct sl_lb_quic_server *after = NULL;
	struct sl_lb_quic_entry e;

	*entries = NULL;
	*n = 0;
	while (!rc && !bpf_map_get_next_key(map, after, &e.key)) {
		after = &e.key;
		if (e.key.vip == vip && !bpf_map_lookup_elem(map, &e.key, &e.server))
			rc = add_entry(entries, n, &e);
	}
	if (!rc)
		return 0;
	free(*entries);
	*entries = NULL;
	*n = 0;
	return rc;
}

int sl_lb_quic_read(const struct sl_lb *lb, unsigned vip, struct sl_lb_quic *quic)
{
	uint32_t id, zero = 0, index = vip;
	int fd, rc;

	if (bpf_map_lookup_elem(lb->map[SL_LB_M_QUIC], &index, &id))
		return -errno;
	fd = bpf_map_get_fd_by_id(id);
	if (fd < 0)
		return -errno;
	rc = bpf_map_lookup_elem(fd, &zero, quic) ? -errno : 0;
	close(fd);
	return rc;
}

/* --- apply */

static int is_taken(const struct sl_lb_vip_config *v, unsigned i, const uint16_t *servers)
{
	__u64 a[2], b[2];

	sl_lb_quic_id(&v->servers[i], servers[i], a);
	for (unsigned k = 0; k < i; k++) {
		sl_lb_quic_id(&v->servers[k], servers[k], b);
		if (a[0] == b[0] && a[1] == b[1])
			return 1;
	}
	return 0;
}

/* Connections of a server that is there carry the id that it has. */
static bool changes(const struct sl_lb_quic_entry *entries, unsigned n, uint32_t server,
		    const __u64 id[2])
{
	for (unsigned i = 0; i < n; i++)
		if (entries[i].server == server)
			return entries[i].key.id[0] != id[0] || entries[i].key.id[1] != id[1];
	return false;
}

int sl_lb_quic_check(const struct sl_lb *lb, const struct sl_lb_vip_config *v, int old,
		     const uint16_t *servers, struct sl_error *err)
{
	struct sl_lb_quic_entry *entries = NULL;
	unsigned n = 0;
	char end[64];
	__u64 id[2];
	int rc = 0;

	if (v->keep != SL_LB_KEEP_QUIC)
		return 0;
	if (old >= 0)
		rc = sl_lb_quic_entries(lb, (unsigned)old, &entries, &n);
	if (rc)
		return sl_error_set(err, rc, "cannot read lb_quic_servers: %s", strerror(-rc));
	for (unsigned i = 0; !rc && i < v->servers_n; i++) {
		const struct sl_lb_server_config *s = &v->servers[i];

		sl_lb_quic_id(s, servers[i], id);
		sl_lb_end_text(s->addr, s->v6, s->port, end, sizeof(end));
		if (!sl_lb_quic_fits(&v->quic, id))
			rc = sl_error_set(err, -EINVAL,
					  "server %s: quic_id: its id, %u, has more octets than a "
					  "server_id_length: write a quic_id, or raise that",
					  end, servers[i]);
		else if (is_taken(v, i, servers))
			rc = sl_error_set(err, -EINVAL,
					  "server %s: quic_id: it is another's too: write one for "
					  "each server, or for none",
					  end);
		else if (changes(entries, n, servers[i], id))
			rc = sl_error_set(err, -EINVAL,
					  "server %s: quic_id: it has another, and its connections "
					  "would break: write that, or apply without the server "
					  "first",
					  end);
	}
	free(entries);
	return rc;
}

static int store_configs(const struct sl_lb *lb, uint32_t vip, const struct sl_lb_quic *quic)
{
	int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "lb_quic", sizeof(vip), sizeof(*quic), 1, NULL);
	uint32_t zero = 0;
	int rc = 0;

	if (fd < 0)
		return -errno;
	if (bpf_map_update_elem(fd, &zero, quic, BPF_ANY) ||
	    bpf_map_update_elem(lb->map[SL_LB_M_QUIC], &vip, &fd, BPF_ANY))
		rc = -errno;
	close(fd);
	return rc;
}

int sl_lb_quic_enter(const struct sl_lb *lb, const struct sl_lb_vip_config *v, unsigned vip,
		     const uint16_t *servers, struct sl_error *err)
{
	struct sl_lb_quic_server key = {.vip = (__u16)vip};
	int rc = 0;

	if (v->keep != SL_LB_KEEP_QUIC)
		return 0;
	for (unsigned i = 0; !rc && i < v->servers_n; i++) {
		uint32_t server = servers[i];

		sl_lb_quic_id(&v->servers[i], server, key.id);
		if (bpf_map_update_elem(lb->map[SL_LB_M_QUIC_SERVERS], &key, &server, BPF_ANY))
			rc = -errno;
	}
	if (!rc)
		rc = store_configs(lb, vip, &v->quic);
	return rc ? sl_error_set(err, rc, "cannot write quic of VIP %u: %s", vip, strerror(-rc))
		  : 0;
}

static bool is_named(const struct sl_lb_vip_config *v, const uint16_t *servers,
		     const struct sl_lb_quic_entry *e)
{
	__u64 id[2];

	for (unsigned i = 0; v && v->keep == SL_LB_KEEP_QUIC && i < v->servers_n; i++) {
		sl_lb_quic_id(&v->servers[i], servers[i], id);
		if (servers[i] == e->server && id[0] == e->key.id[0] && id[1] == e->key.id[1])
			return true;
	}
	return false;
}

void sl_lb_quic_leave(const struct sl_lb *lb, const struct sl_lb_vip_config *v, unsigned vip,
		      const uint16_t *servers)
{
	struct sl_lb_quic_entry *entries;
	uint32_t index = vip;
	unsigned n;

	if (!v || v->keep != SL_LB_KEEP_QUIC)
		bpf_map_delete_elem(lb->map[SL_LB_M_QUIC], &index);
	if (sl_lb_quic_entries(lb, vip, &entries, &n))
		return;
	for (unsigned i = 0; i < n; i++)
		if (!is_named(v, servers, &entries[i]))
			bpf_map_delete_elem(lb->map[SL_LB_M_QUIC_SERVERS], &entries[i].key);
	free(entries);
}
