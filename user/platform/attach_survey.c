// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * attach_survey.c - what is on the interfaces before an attach.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "platform/attach_internal.h"
#include "platform/discover.h"
#include "platform/netlink.h"

static int read_control(int fd, struct sl_control *control)
{
	const __u32 zero = 0;

	return bpf_map_lookup_elem(fd, &zero, control) ? -errno : 0;
}

/* A program is there: whose is it, where is it pinned, is it configured? */
static int survey_program(struct sl_target *t, struct sl_error *err)
{
	struct sl_control control;
	int rc;

	rc = sl_prog_open(t->hook.prog_id, &t->prog, err);
	if (rc) {
		t->prog.fd = -1;
		return rc;
	}
	rc = sl_hook_judge(t->name, &t->prog, err);
	if (rc)
		return rc;
	rc = sl_prog_maps(&t->prog, &t->old, err);
	if (rc)
		return rc;
	rc = read_control(t->old.fd[SL_MAP_CONTROL], &control);
	if (rc)
		return sl_error_set(err, rc, "%s: map control: %s", t->name, strerror(-rc));
	t->ready = control.flags & SL_CTL_READY;
	t->mode = t->hook.mode;
	if (!sl_discover_by_prog(t->ifindex, t->hook.prog_id, t->instance)) {
		t->link_fd = sl_pin_open_link(t->instance, t->name);
		if (t->link_fd < 0)
			t->link_fd = -1;
	}
	return 0;
}

static int survey(struct sl_target *t, struct sl_error *err)
{
	struct sl_link link;
	int rc;

	rc = sl_link_get(t->name, &link);
	if (!rc)
		rc = sl_hook_query(link.ifindex, &t->hook);
	if (rc == -ENODEV)
		return sl_error_set(err, rc,
				    "no interface %s in this network namespace (ip link shows what "
				    "there is)",
				    t->name);
	if (rc)
		return sl_error_set(err, rc, "interface %s: %s", t->name, strerror(-rc));
	t->ifindex = link.ifindex;
	return t->hook.prog_id ? survey_program(t, err) : 0;
}

int sl_attach_survey(struct sl_attach *a, struct sl_error *err)
{
	int rc = 0;

	a->n = a->opts->ifaces_n;
	for (unsigned i = 0; i < a->n; i++) {
		struct sl_target *t = &a->target[i];

		t->name = a->opts->ifaces[i];
		t->prog.fd = t->link_fd = t->prog_fd = -1;
		t->mode = a->opts->mode;
		sl_map_set_init(&t->old);
		sl_map_set_init(&t->set);
	}
	for (unsigned i = 0; i < a->n && !rc; i++)
		rc = survey(&a->target[i], err);
	return rc;
}

void sl_attach_forget(struct sl_attach *a)
{
	for (unsigned i = 0; i < a->n; i++) {
		struct sl_target *t = &a->target[i];

		sl_prog_close(&t->prog);
		sl_map_set_close(&t->old, 0, SL_MAP_COUNT);
		sl_map_set_close(&t->set, 0, SL_MAP_COUNT);
		if (t->link_fd >= 0)
			close(t->link_fd);
		if (t->prog_fd >= 0)
			close(t->prog_fd);
	}
}
