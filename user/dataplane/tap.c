// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "dataplane/tap_worker.h"

struct sl_tap {
	int fd;
	unsigned sample, snaplen;
	_Atomic uint32_t count; /* packets seen, for sampling across workers */
	_Atomic uint32_t lost;
	_Atomic bool dead; /* the reader has gone */
};

static uint64_t realtime_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void send_record(struct sl_tap *t, struct worker *w, const struct sl_packet *p,
			enum sl_tap_direction dir)
{
	struct sl_tap_record rec = {
		.time_ns = realtime_ns(),
		.lost = atomic_load_explicit(&t->lost, memory_order_relaxed),
		.len = p->len,
		.caplen = p->len < t->snaplen ? p->len : t->snaplen,
		.worker = w->id,
		.bucket = p->meta->bucket,
		.queue = p->queue,
		.iface = dir == SL_TAP_TX ? p->out_iface : p->iface,
		.direction = dir,
	};
	struct iovec iov[2] = {{&rec, sizeof(rec)}, {p->data, rec.caplen}};
	struct msghdr msg = {.msg_iov = iov, .msg_iovlen = 2};

	if (sendmsg(t->fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
		return;
	if (errno == EPIPE || errno == ECONNRESET || errno == ENOTCONN)
		atomic_store(&t->dead, true);
	else
		atomic_fetch_add_explicit(&t->lost, 1, memory_order_relaxed);
}

void tap_send(struct worker *w, const struct sl_packet *p, enum sl_tap_direction dir)
{
	struct sl_tap *t;

	/* raised before the pointer is read: tap_reap() frees only what nobody uses */
	atomic_fetch_add(&w->dp->tap_users, 1);
	t = atomic_load(&w->dp->tap);
	if (t && !atomic_load_explicit(&t->dead, memory_order_relaxed) &&
	    atomic_fetch_add_explicit(&t->count, 1, memory_order_relaxed) % t->sample == 0)
		send_record(t, w, p, dir);
	atomic_fetch_sub(&w->dp->tap_users, 1);
}

static bool reader_gone(struct sl_tap *t)
{
	struct pollfd fd = {.fd = t->fd, .events = POLLIN};

	return atomic_load(&t->dead) || (poll(&fd, 1, 0) > 0 && fd.revents & (POLLHUP | POLLERR));
}

void tap_reap(struct sl_dataplane *dp, bool all)
{
	struct sl_tap *t = atomic_load(&dp->tap);

	if (!t || (!all && !reader_gone(t)))
		return;
	atomic_store(&dp->tap, NULL);
	while (atomic_load(&dp->tap_users))
		usleep(10);
	close(t->fd);
	free(t);
}

int tap_open(struct sl_dataplane *dp, int fd, unsigned sample, unsigned snaplen,
	     struct sl_error *err)
{
	struct sl_tap *t;

	tap_reap(dp, false);
	if (atomic_load(&dp->tap))
		return sl_error_set(err, -EBUSY, "another capture is running on %s: end it first",
				    dp->inst->name);
	t = calloc(1, sizeof(*t));
	if (!t)
		return sl_error_set(err, -ENOMEM, "no memory for a capture");
	t->fd = dup(fd);
	if (t->fd < 0) {
		free(t);
		return sl_error_set(err, -errno, "capture: %s", strerror(errno));
	}
	t->sample = sample ? sample : 1;
	t->snaplen = snaplen && snaplen < SL_TAP_SNAPLEN ? snaplen : SL_TAP_SNAPLEN;
	atomic_store(&dp->tap, t);
	return 0;
}
