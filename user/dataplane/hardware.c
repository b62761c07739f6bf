// SPDX-License-Identifier: GPL-2.0-or-later
#include <bpf/bpf.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "dataplane/hardware.h"
#include "dataplane/hardware_internal.h"
#include "dataplane/log.h"
#include "platform/clock.h"
#include "platform/cpu.h"
#include "platform/ethtool.h"

#define BUSY_MS 100 /* while entries change */
#define REST_MS 1000
/* What a driver refused, and what a NIC does not do, is tried again. */
#define RETRY_NS 10000000000ull
#define BAD_VERDICTS 2 /* in a row, before the NIC is said not to follow */

struct sl_hardware_steering {
	const struct sl_rss_door *door;
	pthread_t thread;
	bool runs;
	int stop_event;
	struct hw_iface iface[SL_MAX_IFACES];
};

static void show(struct hw_iface *f, enum sl_nic_steering state, int error)
{
	__atomic_store_n(&f->shown->error, (uint16_t)-error, __ATOMIC_RELAXED);
	__atomic_store_n(&f->shown->entries, (uint16_t)f->nic.rss.entries, __ATOMIC_RELAXED);
	__atomic_store_n(&f->shown->state, (uint16_t)state, __ATOMIC_RELEASE);
}

static enum sl_nic_steering shown(const struct hw_iface *f)
{
	return (enum sl_nic_steering)f->shown->state;
}

static const char *name_of(const struct hw_iface *f)
{
	return f->dp->inst->iface[f->index].name;
}

/* --- taking it */

static void forget_counts(struct hw_iface *f)
{
	free(f->seen);
	free(f->count);
	free(f->load);
	f->seen = f->count = NULL;
	f->load = NULL;
	f->taken = false;
}

static int make_counts(struct hw_iface *f)
{
	const size_t buckets = f->dp->inst->hash_buckets;

	f->queues = atomic_load(&f->dp->iface_active[f->index]);
	f->seen = calloc(f->queues * buckets, sizeof(*f->seen));
	f->count = calloc(f->queues * buckets, sizeof(*f->count));
	f->load = calloc(buckets, sizeof(*f->load));
	memset(&f->watch, 0, sizeof(f->watch));
	f->bad = 0;
	return f->seen && f->count && f->load ? 0 : -ENOMEM;
}

static int try_take(struct hw_iface *f, struct sl_error *err)
{
	uint8_t key[SL_NIC_KEY];
	unsigned rx = 0, tx;
	int rc = sl_nic_instance_key(f->dp->inst->toeplitz_fd, key);

	if (rc)
		return sl_error_set(err, rc, "map toeplitz: %s", strerror(-rc));
	rc = sl_nic_take(&f->nic, f->dp->hardware->door, f->dp->inst->name, name_of(f), key, err);
	if (rc)
		return rc;
	rc = make_counts(f);
	if (rc)
		return sl_error_set(err, rc, "no memory to look at the queues of %s", name_of(f));
	sl_ethtool_rings(name_of(f), &rx, &tx);
	resteer_ring_size(f->dp, f->index, rx);
	return 0;
}

static void take(struct hw_iface *f, uint64_t now_ns)
{
	const enum sl_nic_steering before = shown(f);
	struct sl_error err;
	int rc;

	if (!(f->dp->inst->control->flags & SL_CTL_TOEPLITZ)) {
		show(f, SL_NIC_HASH, 0);
		return;
	}
	rc = try_take(f, &err);
	f->taken = !rc;
	f->retry_ns = now_ns + RETRY_NS;
	if (!rc) {
		hw_look(f); /* begins to count */
		memset(f->load, 0, f->dp->inst->hash_buckets * sizeof(*f->load));
		memset(&f->watch, 0, sizeof(f->watch));
		show(f, SL_NIC_UNPROVEN, 0);
		dp_log(f->dp, "%s: the NIC's table of %u entries follows the workers", name_of(f),
		       f->nic.rss.entries);
		return;
	}
	forget_counts(f);
	show(f, rc == -EOPNOTSUPP ? SL_NIC_ABSENT : SL_NIC_REFUSED, rc);
	if (shown(f) != before &&
	    (rc != -EOPNOTSUPP || f->dp->inst->control->hardware == SL_HARDWARE_ON))
		dp_log(f->dp, "%s", err.text);
}

static void let_go(struct hw_iface *f)
{
	struct sl_error err;

	if (sl_nic_restore(f->dp->hardware->door, f->dp->inst->name, name_of(f), &err))
		dp_log(f->dp, "%s", err.text);
	else if (f->taken)
		dp_log(f->dp, "%s: the NIC's table is as it was", name_of(f));
	forget_counts(f);
	f->left = true;
	show(f, SL_NIC_OFF, 0);
}

/* --- a look, and what comes of it */

/* Only packets tell: virtio-net drops its table when XDP is attached after it was written, and goes
 * on showing it. */
static void judge(struct hw_iface *f, enum sl_reta_verdict verdict, uint64_t now_ns)
{
	if (verdict == SL_RETA_FOLLOWS) {
		if (shown(f) == SL_NIC_ASTRAY)
			dp_log(f->dp, "%s: packets come in as the NIC's table says again",
			       name_of(f));
		f->bad = 0;
		show(f, SL_NIC_FOLLOWS, 0);
	} else if (verdict == SL_RETA_ASTRAY && ++f->bad == BAD_VERDICTS) {
		if (shown(f) != SL_NIC_ASTRAY)
			dp_log(f->dp,
			       "%s: packets come in on other queues than the NIC's table says: it "
			       "is written again; see sluice nic",
			       name_of(f));
		show(f, SL_NIC_ASTRAY, 0);
		f->retry_ns = now_ns;
	}
}

/* A table that is not in force gains nothing by changes; all of it may bring it back. */
static void rewrite(struct hw_iface *f, uint64_t now_ns)
{
	if (now_ns < f->retry_ns)
		return;
	f->retry_ns = now_ns + RETRY_NS;
	f->bad = 0;
	memset(f->changed, 1, sizeof(f->changed));
	if (sl_nic_write(&f->nic, f->nic.rss.reta, true) >= 0)
		__atomic_store_n(&f->shown->rewrites, f->shown->rewrites + 1, __ATOMIC_RELAXED);
}

static void refused(struct hw_iface *f, int rc, uint64_t now_ns)
{
	forget_counts(f);
	/* ethtool -L in between: there is another table now */
	f->retry_ns = rc == -EINVAL ? now_ns : now_ns + RETRY_NS;
	dp_log(f->dp, "%s: the NIC's table cannot be written: %s", name_of(f), strerror(-rc));
	show(f, SL_NIC_REFUSED, rc);
}

/* True while there is something to do soon. */
static bool step(struct hw_iface *f, uint64_t now_ns)
{
	int rc;

	f->left = false;
	if (!f->taken) {
		if (now_ns >= f->retry_ns || shown(f) == SL_NIC_OFF || shown(f) == SL_NIC_HASH)
			take(f, now_ns);
		return f->taken;
	}
	if (f->queues != atomic_load(&f->dp->iface_active[f->index])) {
		forget_counts(f);
		f->retry_ns = now_ns;
		return true;
	}
	if (!resteer_idle(f->dp))
		return true;
	hw_count_late(f);
	judge(f, hw_look(f), now_ns);
	if (shown(f) == SL_NIC_ASTRAY) {
		rewrite(f, now_ns);
		return false;
	}
	rc = hw_follow(f);
	if (rc < 0)
		refused(f, rc, now_ns);
	return rc != 0;
}

static void *hardware_main(void *arg)
{
	struct sl_dataplane *dp = arg;
	struct pollfd fd = {.fd = dp->hardware->stop_event, .events = POLLIN};
	bool busy = true;

	while (!poll(&fd, 1, busy ? BUSY_MS : REST_MS)) {
		const bool off = __atomic_load_n(&dp->inst->control->hardware, __ATOMIC_RELAXED) ==
				 SL_HARDWARE_OFF;

		busy = false;
		for (unsigned i = 0; i < dp->inst->ifaces; i++) {
			struct hw_iface *f = &dp->hardware->iface[i];

			if (off && !f->left)
				let_go(f);
			else if (!off)
				busy |= step(f, sl_clock_ns());
		}
	}
	return NULL;
}

/* --- its life */

/* The instance's order of interfaces, whatever order the dataplane named them in. */
static struct sl_nic_state *place(struct sl_dataplane *dp, unsigned i)
{
	struct sl_nic_state *nic = dp->inst->control->nic;
	const __u32 ifindex = (__u32)dp->inst->iface[i].ifindex;

	for (unsigned k = 0; k < SL_MAX_IFACES; k++)
		if (nic[k].ifindex == ifindex)
			return &nic[k];
	memset(&nic[i], 0, sizeof(nic[i]));
	nic[i].ifindex = ifindex;
	return &nic[i];
}

int hardware_start(struct sl_dataplane *dp, struct sl_error *err)
{
	struct sl_hardware_steering *h = calloc(1, sizeof(*h));
	int rc;

	if (!h)
		return sl_error_set(err, -ENOMEM, "no memory");
	dp->hardware = h;
	h->door = sl_rss_kernel();
	for (unsigned i = 0; i < dp->inst->ifaces; i++) {
		h->iface[i] = (struct hw_iface){.dp = dp, .index = i, .shown = place(dp, i)};
		show(&h->iface[i], SL_NIC_OFF, 0);
	}
	h->stop_event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (h->stop_event < 0)
		return sl_error_set(err, -errno, "eventfd: %s", strerror(errno));
	rc = pthread_create(&h->thread, NULL, hardware_main, dp);
	if (rc)
		return sl_error_set(err, -rc, "cannot start the thread for NICs' tables: %s",
				    strerror(rc));
	h->runs = true;
	pthread_setname_np(h->thread, "sluice-nic");
	return 0;
}

void hardware_stop(struct sl_dataplane *dp)
{
	struct sl_hardware_steering *h = dp->hardware;
	const uint64_t one = 1;

	if (!h)
		return;
	if (h->runs && write(h->stop_event, &one, sizeof(one)) == sizeof(one))
		pthread_join(h->thread, NULL);
	for (unsigned i = 0; i < dp->inst->ifaces; i++)
		forget_counts(&h->iface[i]);
	if (h->stop_event >= 0)
		close(h->stop_event);
	free(h);
	dp->hardware = NULL;
}
