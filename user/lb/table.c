// SPDX-License-Identifier: GPL-2.0-or-later
/* Rows of a load balancer's VIPs: who is dealt them, and their tables' change of place. */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "platform/clock.h"
#include "lb/lb.h"

/* The same on every balancer: address and port. Two servers of a VIP differ in one of them. */
static uint64_t server_name(const struct sl_lb_server *s)
{
	uint64_t upper = (uint64_t)s->addr[0] << 32 | s->addr[1];
	uint64_t lower = (uint64_t)s->addr[2] << 32 | s->addr[3];

	return (upper * 0x9e3779b97f4a7c15ULL ^ lower) + ((uint64_t)s->port << 16);
}

static unsigned collect(const struct sl_lb *lb, unsigned vip, bool failing, struct sl_lb_member *up)
{
	struct sl_lb_server s;
	unsigned n = 0;

	for (uint32_t id = 0; id < SL_LB_MAX_SERVERS; id++)
		if (sl_lb_server_there(lb, id, &s) && s.vip == vip && s.state == SL_LB_UP &&
		    (failing || s.health != SL_LB_FAILING))
			up[n++] =
				(struct sl_lb_member){.server = {.name = server_name(&s),
								 .weight = s.weight ? s.weight : 1,
								 .id = (uint16_t)id},
						      .age_ns = SL_LB_NEVER_TOLD};
	return n;
}

unsigned sl_lb_eligible(const struct sl_lb *lb, unsigned vip, struct sl_lb_member *up)
{
	unsigned n = collect(lb, vip, false, up);

	return n ? n : collect(lb, vip, true, up);
}

static int new_table(const struct sl_lb_table *table)
{
	int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "lb_rows", sizeof(uint32_t), sizeof(*table), 1,
				NULL);
	uint32_t zero = 0;
	int rc;

	if (fd >= 0 && !bpf_map_update_elem(fd, &zero, table, BPF_ANY))
		return fd;
	rc = -errno;
	if (fd >= 0)
		close(fd);
	return rc;
}

/* Each update waits until no packet uses the old table; of a batch newer kernels wait once. */
int sl_lb_store(const struct sl_lb *lb, const uint32_t *vips,
		const struct sl_lb_table *const *tables, unsigned n)
{
	int fds[SL_LB_MAX_VIPS], rc = 0;
	unsigned made = 0;
	uint32_t count = n;

	if (n > SL_LB_MAX_VIPS)
		return -E2BIG;
	for (; !rc && made < n; made++) {
		fds[made] = new_table(tables[made]);
		if (fds[made] < 0) {
			rc = fds[made];
			break;
		}
	}
	if (!rc && n && bpf_map_update_batch(lb->map[SL_LB_M_TABLES], vips, fds, &count, NULL))
		rc = -errno;
	for (unsigned i = 0; i < made; i++)
		close(fds[i]);
	return rc;
}

void sl_lb_few(struct sl_lb_table *table, const struct sl_lb_member *up, unsigned n)
{
	table->few_n = n <= SL_LB_CANDIDATES ? n : 0;
	for (unsigned i = 0; i < SL_LB_CANDIDATES; i++)
		table->few[i] = i < table->few_n ? up[i].server.id : SL_LB_NO_SERVER;
}

int sl_lb_deal(const struct sl_lb *lb, unsigned vip, unsigned select, struct sl_error *err)
{
	struct sl_lb_member *up = calloc(SL_LB_MAX_SERVERS, sizeof(*up));
	struct sl_lb_table *table = malloc(sizeof(*table));
	struct sl_lb_fill_opts opts = {.seed = sl_clock_ns()};
	unsigned n = up ? sl_lb_eligible(lb, vip, up) : 0;
	void *scratch = malloc(sl_lb_fill_scratch(n));
	uint32_t index = vip;
	int rc = -ENOMEM;

	if (up && table && scratch) {
		sl_lb_fill((enum sl_lb_select)select, up, n, &opts, table->server, SL_LB_ROWS,
			   SL_LB_NO_SERVER, scratch);
		sl_lb_few(table, up, n);
		rc = sl_lb_store(lb, &index, (const struct sl_lb_table *const[]){table}, 1);
	}
	free(scratch);
	free(table);
	free(up);
	return rc ? sl_error_set(err, rc, "cannot deal the rows of VIP %u: %s", vip, strerror(-rc))
		  : 0;
}

int sl_lb_set_health(const struct sl_lb *lb, uint32_t id, enum sl_lb_health health)
{
	struct sl_lb_server s;

	if (!sl_lb_server_there(lb, id, &s))
		return -ENOENT;
	s.health = (uint8_t)health;
	return bpf_map_update_elem(lb->map[SL_LB_M_SERVERS], &id, &s, BPF_EXIST) ? -errno : 0;
}
