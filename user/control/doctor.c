// SPDX-License-Identifier: GPL-2.0-or-later
/* Link, queues, modes, memory; and the list of findings. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include <sluice/maps.h>

#include "control/doctor.h"
#include "control/doctor_impl.h"

#define FRAME_OVERHEAD 256 /* of a frame: the kernel's headroom, net/xdp/xdp_umem.c */
#define FRAME_DEFAULT 2048
#define FRAME_LARGEST 4096
#define ETHERNET 14

static struct sl_finding *next(struct sl_findings *out, const char *id, const char *fmt, va_list ap)
{
	struct sl_finding *finding = &out->v[out->n < SL_FINDINGS_MAX ? out->n++ : out->n - 1];

	*finding = (struct sl_finding){.id = id};
	vsnprintf(finding->text, sizeof(finding->text), fmt, ap);
	return finding;
}

struct sl_finding *doctor_problem(struct sl_findings *out, const char *id, const char *fmt, ...)
{
	struct sl_finding *finding;
	va_list ap;

	va_start(ap, fmt);
	finding = next(out, id, fmt, ap);
	va_end(ap);
	finding->problem = true;
	out->problems++;
	return finding;
}

struct sl_finding *doctor_note(struct sl_findings *out, const char *id, const char *fmt, ...)
{
	struct sl_finding *finding;
	va_list ap;

	va_start(ap, fmt);
	finding = next(out, id, fmt, ap);
	va_end(ap);
	return finding;
}

void doctor_command(struct sl_finding *finding, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(finding->command, sizeof(finding->command), fmt, ap);
	va_end(ap);
}

static void check_mtu(const struct sl_facts *f, struct sl_findings *out)
{
	const unsigned frame = f->frame_size ? f->frame_size : FRAME_DEFAULT;
	const unsigned most = FRAME_LARGEST - FRAME_OVERHEAD - ETHERNET;
	struct sl_finding *finding;

	if (f->mtu > most) {
		finding = doctor_problem(out, "mtu",
					 "MTU %u does not fit the largest frame: packets above %u "
					 "bytes are lost (no_frame)",
					 f->mtu, FRAME_LARGEST - FRAME_OVERHEAD);
		doctor_command(finding, "ip link set dev %s mtu %u", f->ifname, most);
		finding->mend = (struct sl_mend){.kind = SL_MEND_MTU, .value = most};
	} else if (f->mtu + ETHERNET > frame - FRAME_OVERHEAD) {
		finding = doctor_problem(out, "frame-size",
					 "MTU %u does not fit frames of %u: packets above %u bytes "
					 "are lost (no_frame)",
					 f->mtu, frame, frame - FRAME_OVERHEAD);
		doctor_command(finding, "sluice run -i %s --frame-size %u ...", f->ifname,
			       FRAME_LARGEST);
	}
}

static unsigned cpu_count(const struct sl_facts *f)
{
	unsigned n = 0;

	for (unsigned w = 0; w < SL_FACT_CPUS / 64; w++)
		n += (unsigned)__builtin_popcountll(f->cpus.word[w]);
	return n;
}

/* The program of a veth does not reach queues that come later. */
static void set_queues(const struct sl_facts *f, struct sl_finding *finding, unsigned rx)
{
	const bool bypass = f->veth && f->attached != SL_FACT_DETACHED && rx > f->rx;

	if (bypass)
		doctor_command(finding, "ethtool -L %s rx %u && sluice attach %s --replace",
			       f->ifname, rx, f->ifname);
	else
		doctor_command(finding, "ethtool -L %s %s %u", f->ifname,
			       f->combined ? "combined" : "rx", rx);
	if (!bypass)
		finding->mend = (struct sl_mend){.kind = SL_MEND_QUEUES, .value = rx};
}

/* veth_xdp_set() refuses a program whose interface could get packets for queues that it lacks. */
static void check_peer_queues(const struct sl_facts *f, struct sl_findings *out)
{
	struct sl_finding *finding;

	if (!f->peer_known || f->peer_tx <= f->rx || f->attached == SL_FACT_NATIVE)
		return;
	finding = doctor_problem(out, "peer-queues",
				 "the peer has %u TX queues for %u RX queues here: native XDP is "
				 "refused",
				 f->peer_tx, f->rx);
	if (f->rx_max >= f->peer_tx) {
		set_queues(f, finding, f->peer_tx);
		return;
	}
	doctor_command(finding, "%sethtool -L %s tx %u", f->peer_reach, f->peer, f->rx);
	finding->mend = (struct sl_mend){.kind = SL_MEND_QUEUES, .peer = true, .value = f->rx};
}

static void check_queues(const struct sl_facts *f, struct sl_findings *out)
{
	const unsigned room =
		f->queues_room && f->queues_room < SL_MAX_QUEUES ? f->queues_room : SL_MAX_QUEUES;
	const unsigned cpus = cpu_count(f), useful = cpus < f->rx_max ? cpus : f->rx_max;
	const unsigned before = out->n;

	check_peer_queues(f, out);
	if (out->n > before)
		return; /* the number changes with that */
	if (f->rx > room)
		set_queues(f,
			   doctor_problem(out, "queues-many",
					  "%u RX queues, room for %u: packets of the others go to "
					  "the stack (no_slot)",
					  f->rx, room),
			   room);
	else if (f->rx == 1 && useful > 1 && room > 1)
		set_queues(f,
			   doctor_problem(out, "queues-one",
					  "one RX queue of %u: one CPU receives for all workers",
					  f->rx_max),
			   useful < room ? useful : room);
}

void doctor_link(const struct sl_facts *f, struct sl_findings *out)
{
	struct sl_finding *finding;

	if (!f->up) {
		finding = doctor_problem(out, "link-down", "the interface is down");
		doctor_command(finding, "ip link set dev %s up", f->ifname);
		finding->mend.kind = SL_MEND_UP;
	}
	check_mtu(f, out);
	check_queues(f, out);
}

static void check_mode(const struct sl_facts *f, struct sl_findings *out)
{
	if (f->unseen)
		doctor_note(out, "unseen",
			    "what is attached cannot be seen without privilege; run as root");
	if (f->foreign)
		doctor_command(doctor_problem(out, "foreign-program",
					      "an XDP program that is not Sluice's is attached"),
			       "ip link set dev %s xdp off", f->ifname);
	if (f->attached == SL_FACT_GENERIC && f->native == SL_YES)
		doctor_command(
			doctor_problem(out, "generic-mode",
				       "XDP runs in generic mode, and the driver has native"),
			"sluice detach %s && sluice attach %s --mode native --match ...", f->ifname,
			f->ifname);
	if (f->attached == SL_FACT_DETACHED && f->native == SL_NO)
		doctor_note(out, "no-native",
			    "the driver (%s) has no native XDP: generic mode copies every packet "
			    "once more",
			    f->driver);
	if (f->running && f->copy && f->zerocopy == SL_YES && f->attached == SL_FACT_NATIVE)
		doctor_command(doctor_problem(out, "copy-mode",
					      "sockets copy, and the driver has zero-copy"),
			       "sluice run -i %s --bind zerocopy ...", f->ifname);
	else if (f->zerocopy == SL_NO)
		doctor_note(out, "no-zerocopy",
			    "the driver (%s) has no zero-copy: the kernel copies each packet into "
			    "a frame",
			    f->driver);
}

/* UINT64_MAX: unknown or no limit. */
static bool is_short(const struct sl_facts *f, uint64_t available)
{
	return !f->running && f->need > available;
}

void doctor_memory(const struct sl_facts *f, struct sl_findings *out)
{
	const uint64_t mib = f->need >> 20;

	if (is_short(f, f->memlock))
		doctor_command(doctor_problem(out, "memlock",
					      "frames take %" PRIu64
					      " MiB of locked memory, %" PRIu64
					      " are allowed, and CAP_IPC_LOCK is missing",
					      mib, f->memlock >> 20),
			       "ulimit -l unlimited");
	if (is_short(f, f->group))
		doctor_command(
			doctor_problem(out, "memory-group",
				       "frames take %" PRIu64 " MiB, memory cgroup %.100s has "
				       "%" PRIu64 " left",
				       mib, f->group_name, f->group >> 20),
			"sluice run -i %s --max-workers 1 --ring 256 --park 512 ...", f->ifname);
	else if (is_short(f, f->machine))
		doctor_command(doctor_problem(out, "memory",
					      "frames take %" PRIu64
					      " MiB, the machine has %" PRIu64 " available",
					      mib, f->machine >> 20),
			       "sluice run -i %s --max-workers 1 --ring 256 --park 512 ...",
			       f->ifname);
}

void sl_doctor(const struct sl_facts *facts, struct sl_findings *findings)
{
	findings->n = findings->problems = 0;
	doctor_link(facts, findings);
	doctor_rss(facts, findings);
	doctor_offloads(facts, findings);
	check_mode(facts, findings);
	doctor_placement(facts, findings);
	doctor_memory(facts, findings);
}
