// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * napi.c - the netdev family. Its header is younger than Debian 12's: the numbers are those of
 * include/uapi/linux/netdev.h, which never change.
 */
#include <errno.h>
#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <string.h>

#include "platform/napi.h"
#include "platform/nl.h"

#define FAMILY "netdev"
#define CMD_DEV_GET 1
#define CMD_QUEUE_GET 10
#define CMD_NAPI_GET 11
#define CMD_NAPI_SET 14

#define DEV_IFINDEX 1
#define DEV_XDP_FEATURES 3
#define DEV_RX_METADATA 5
#define XDP_BASIC_REDIRECT 3u /* NETDEV_XDP_ACT_BASIC, _REDIRECT */
#define XDP_ZEROCOPY 8u
#define RX_METADATA_HASH 2u

#define NAPI_IFINDEX 1
#define NAPI_ID 2
#define NAPI_IRQ 3
#define NAPI_PID 4
#define NAPI_DEFER 5
#define NAPI_FLUSH 6

#define QUEUE_ID 1
#define QUEUE_IFINDEX 2
#define QUEUE_TYPE 3
#define QUEUE_NAPI 4
#define QUEUE_TYPE_RX 0

/* The kernel shortens a 64-bit value to 32 bits where it fits. */
static uint64_t number(const struct nlattr *attr)
{
	return mnl_attr_get_payload_len(attr) >= sizeof(uint64_t) ? mnl_attr_get_u64(attr)
								  : mnl_attr_get_u32(attr);
}

static int on_dev(const struct nlmsghdr *nlh, void *arg)
{
	struct sl_xdp_features *f = arg;
	const struct nlattr *attr;

	sl_genl_for_each (attr, nlh) {
		const uint64_t bits = mnl_attr_get_payload_len(attr) ? number(attr) : 0;

		if (mnl_attr_get_type(attr) == DEV_XDP_FEATURES) {
			f->native = (bits & XDP_BASIC_REDIRECT) == XDP_BASIC_REDIRECT;
			f->zerocopy = bits & XDP_ZEROCOPY;
		} else if (mnl_attr_get_type(attr) == DEV_RX_METADATA) {
			f->rx_hash = bits & RX_METADATA_HASH;
		}
	}
	return MNL_CB_STOP;
}

int sl_xdp_features(int ifindex, struct sl_xdp_features *features)
{
	char buf[256] __attribute__((aligned(4)));
	struct nlmsghdr *nlh;
	struct sl_genl family;
	int rc = sl_genl_find(FAMILY, &family);

	if (rc)
		return rc;
	*features = (struct sl_xdp_features){0};
	nlh = sl_genl_begin(buf, &family, CMD_DEV_GET, 0);
	mnl_attr_put_u32(nlh, DEV_IFINDEX, (uint32_t)ifindex);
	return sl_nl_query(NETLINK_GENERIC, nlh, on_dev, features);
}

struct list {
	struct sl_napi *napis;
	unsigned room, n;
};

static int on_napi(const struct nlmsghdr *nlh, void *arg)
{
	struct sl_napi napi = {.queue = -1, .irq = -1};
	const struct nlattr *attr;
	struct list *list = arg;

	sl_genl_for_each (attr, nlh) {
		switch (mnl_attr_get_type(attr)) {
		case NAPI_ID:
			napi.id = mnl_attr_get_u32(attr);
			break;
		case NAPI_IRQ:
			napi.irq = (int)mnl_attr_get_u32(attr);
			break;
		case NAPI_PID:
			napi.pid = (int)mnl_attr_get_u32(attr);
			break;
		case NAPI_DEFER:
			napi.defer_hard_irqs = mnl_attr_get_u32(attr);
			break;
		case NAPI_FLUSH:
			napi.gro_flush_ns = number(attr);
			break;
		default:
			break;
		}
	}
	if (list->n < list->room)
		list->napis[list->n++] = napi;
	return MNL_CB_OK;
}

static int on_queue(const struct nlmsghdr *nlh, void *arg)
{
	uint32_t id = 0, type = QUEUE_TYPE_RX, queue = 0;
	const struct list *list = arg;
	const struct nlattr *attr;

	sl_genl_for_each (attr, nlh) {
		if (mnl_attr_get_type(attr) == QUEUE_ID)
			queue = mnl_attr_get_u32(attr);
		else if (mnl_attr_get_type(attr) == QUEUE_TYPE)
			type = mnl_attr_get_u32(attr);
		else if (mnl_attr_get_type(attr) == QUEUE_NAPI)
			id = mnl_attr_get_u32(attr);
	}
	for (unsigned i = 0; id && type == QUEUE_TYPE_RX && i < list->n; i++)
		if (list->napis[i].id == id)
			list->napis[i].queue = (int)queue;
	return MNL_CB_OK;
}

static int dump(const struct sl_genl *family, uint8_t command, uint16_t attr, int ifindex,
		mnl_cb_t cb, struct list *list)
{
	char buf[256] __attribute__((aligned(4)));
	struct nlmsghdr *nlh = sl_genl_begin(buf, family, command, NLM_F_DUMP);

	mnl_attr_put_u32(nlh, attr, (uint32_t)ifindex);
	return sl_nl_query(NETLINK_GENERIC, nlh, cb, list);
}

/* A driver that names its queues' NAPIs has others too, for transmit or control. */
static unsigned keep_rx(struct sl_napi *napis, unsigned n)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < n; i++)
		if (napis[i].queue >= 0)
			napis[kept++] = napis[i];
	return kept ? kept : n;
}

int sl_napi_list(int ifindex, struct sl_napi *napis, unsigned room, unsigned *n)
{
	struct list list = {napis, room, 0};
	struct sl_genl family;
	int rc = sl_genl_find(FAMILY, &family);

	*n = 0;
	if (rc)
		return rc;
	if (family.commands < CMD_NAPI_GET)
		return -EOPNOTSUPP;
	rc = dump(&family, CMD_NAPI_GET, NAPI_IFINDEX, ifindex, on_napi, &list);
	if (!rc)
		rc = dump(&family, CMD_QUEUE_GET, QUEUE_IFINDEX, ifindex, on_queue, &list);
	if (!rc)
		*n = keep_rx(napis, list.n);
	return rc;
}

int sl_napi_defer(uint32_t id, uint32_t defer_hard_irqs, uint64_t gro_flush_ns)
{
	char buf[256] __attribute__((aligned(4)));
	struct nlmsghdr *nlh;
	struct sl_genl family;
	int rc = sl_genl_find(FAMILY, &family);

	if (rc)
		return rc;
	nlh = sl_genl_begin(buf, &family, CMD_NAPI_SET, NLM_F_ACK);
	mnl_attr_put_u32(nlh, NAPI_ID, id);
	mnl_attr_put_u32(nlh, NAPI_DEFER, defer_hard_irqs);
	mnl_attr_put_u64(nlh, NAPI_FLUSH, gro_flush_ns);
	return sl_nl_query(NETLINK_GENERIC, nlh, NULL, NULL);
}
