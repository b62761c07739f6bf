// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * nl.c - netlink by libmnl; generic netlink's families.
 */
#include <errno.h>
#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <stdlib.h>
#include <time.h>

#include "platform/nl.h"

int sl_nl_query(int bus, struct nlmsghdr *request, mnl_cb_t cb, void *arg)
{
	const unsigned seq = (unsigned)time(NULL);
	struct mnl_socket *nl;
	ssize_t len;
	unsigned port;
	char *buf;
	int rc = -1;

	buf = malloc(SL_NL_BUFFER);
	if (!buf)
		return -ENOMEM;
	request->nlmsg_seq = seq;
	nl = mnl_socket_open2(bus, SOCK_CLOEXEC);
	if (!nl)
		goto out;
	if (mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) ||
	    mnl_socket_sendto(nl, request, request->nlmsg_len) < 0)
		goto out;
	port = mnl_socket_get_portid(nl);
	do {
		len = mnl_socket_recvfrom(nl, buf, SL_NL_BUFFER);
		rc = len < 0 ? -1 : mnl_cb_run(buf, (size_t)len, seq, port, cb, arg);
	} while (rc > MNL_CB_STOP);
out:
	if (rc < 0)
		rc = -errno;
	if (nl)
		mnl_socket_close(nl);
	free(buf);
	return rc;
}

struct nlmsghdr *sl_genl_begin(void *buf, const struct sl_genl *family, uint8_t command,
			       uint16_t flags)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct genlmsghdr *head;

	nlh->nlmsg_type = family->id;
	nlh->nlmsg_flags = NLM_F_REQUEST | flags;
	head = mnl_nlmsg_put_extra_header(nlh, sizeof(*head));
	head->cmd = command;
	head->version = family->version;
	return nlh;
}

static void read_ops(const struct nlattr *ops, struct sl_genl *family)
{
	const struct nlattr *op, *attr;

	mnl_attr_for_each_nested (op, ops)
		mnl_attr_for_each_nested (attr, op)
			if (mnl_attr_get_type(attr) == CTRL_ATTR_OP_ID &&
			    mnl_attr_get_u32(attr) > family->commands)
				family->commands = mnl_attr_get_u32(attr);
}

static int on_family(const struct nlmsghdr *nlh, void *arg)
{
	struct sl_genl *family = arg;
	const struct nlattr *attr;

	sl_genl_for_each (attr, nlh) {
		switch (mnl_attr_get_type(attr)) {
		case CTRL_ATTR_FAMILY_ID:
			family->id = mnl_attr_get_u16(attr);
			break;
		case CTRL_ATTR_VERSION:
			family->version = (uint8_t)mnl_attr_get_u32(attr);
			break;
		case CTRL_ATTR_OPS:
			read_ops(attr, family);
			break;
		default:
			break;
		}
	}
	return MNL_CB_STOP;
}

int sl_genl_find(const char *name, struct sl_genl *family)
{
	static const struct sl_genl control = {.id = GENL_ID_CTRL, .version = 1};
	char buf[256] __attribute__((aligned(4)));
	struct nlmsghdr *nlh = sl_genl_begin(buf, &control, CTRL_CMD_GETFAMILY, 0);
	int rc;

	*family = (struct sl_genl){0};
	mnl_attr_put_strz(nlh, CTRL_ATTR_FAMILY_NAME, name);
	rc = sl_nl_query(NETLINK_GENERIC, nlh, on_family, family);
	if (rc)
		return rc;
	return family->id ? 0 : -ENOENT;
}
