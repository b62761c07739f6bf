/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * attach.h - load the steering program, put it on interfaces, take it off.
 */
#ifndef SL_PLATFORM_ATTACH_H
#define SL_PLATFORM_ATTACH_H

#include "platform/instance.h"
#include "control/match.h"

struct sl_attach_opts {
	const char *instance; /* NULL: the first interface's name */
	const char *const *ifaces;
	unsigned ifaces_n; /* 1..SL_MAX_IFACES */
	unsigned buckets; /* 0: SL_DEFAULT_BUCKETS */
	unsigned max_workers; /* 0: SL_DEFAULT_MAX_WORKERS */
	enum sl_xdp_mode mode; /* SL_XDP_UNKNOWN: native, else generic, and the caller says so */
	const struct sl_rule *rules; /* what Sluice takes; none is refused with -EINVAL */
	unsigned rules_n;
	bool local; /* take traffic to the host's own addresses too */
	bool inband; /* stamp in the packet, for drivers without metadata; when attached anew */
	bool stack; /* to CPUs and up the kernel's stack; when attached anew, one interface */
	bool toeplitz; /* with this key; when attached anew */
	bool nic_key; /* with the first interface's own key instead */
	bool rx_hash; /* with nic_key: the hash that the NIC computed, where it can be had */
	uint8_t toeplitz_key[SL_TOEPLITZ_KEY];
	bool stamp_given, hash_given,
		stack_given; /* with `replace`: what is there must be as above */
	bool replace; /* a Sluice program is there already: swap it atomically, keep its state */
};

#define SL_DEFAULT_MAX_WORKERS 16

/* Kernel memory that the maps of these options will take, bytes; said before it is taken. */
size_t sl_attach_memory(const struct sl_attach_opts *opts);

/*
 * Attach to every interface or to none. Creates the maps, pins them and a bpf_link for each
 * interface, sets the rows, writes rules and local addresses, and only then sets SL_CTL_READY:
 * until then every packet passes. On success err->text is empty, or a line for the operator: native
 * mode was refused and generic taken, and why; an interface's own hash is not used, and why; or
 * bpffs was mounted.
 *
 * Rows: bucket b to worker b % max_workers. Without a dataplane every packet passes to the stack
 * whatever its row says, and a dataplane that starts spreads the rows of workers that it has not
 * over those that it has.
 *
 * On an interface whose Sluice program came by xdp-loader or ip link the maps are adopted and
 * configured. With `replace` the program is swapped for this one without a gap: what is configured
 * keeps its maps, hash, rows and pins (and its rules, if opts has none), what is not gets new maps;
 * several interfaces become one instance. What stays but was asked for otherwise (buckets, workers,
 * mode, hash and key, stamp, name) is refused with -EINVAL. Leftovers of interfaces that are gone
 * are removed.
 *
 * Errors, with nothing changed: -EEXIST foreign program (named in err), or already attached;
 * -EPROTO Sluice's program of another ABI; -EBUSY a dataplane runs on an instance that would be
 * merged; -ENODEV, -EOPNOTSUPP, -EPERM; -EINVAL an option is to blame.
 */
int sl_attach(const struct sl_attach_opts *opts, struct sl_error *err);

/*
 * Take the program off every interface of the instance (or of the instance that the interface
 * `name` belongs to) and remove its pins: first every packet passes, then the link goes. -EBUSY
 * while a dataplane runs, unless force. -ENOENT not attached, -ENODEV.
 */
int sl_detach(const char *name, bool force, struct sl_error *err);

/* The rules in force, into rules[0..room). How many, or -errno. */
int sl_rules_get(const struct sl_instance *inst, struct sl_rule *rules, unsigned room);

/* Compile and write rules into the entry of `match` that is not in force, then switch. Atomic for
 * XDP. */
int sl_match_install(struct sl_instance *inst, const struct sl_rule *rules, unsigned n, bool local,
		     struct sl_error *err);

/* Bring `local_addrs` and the local filter in line with the addresses of this network namespace
 * (local.h says which). Does nothing where they agree. */
int sl_local_refresh(struct sl_instance *inst, struct sl_error *err);

#endif /* SL_PLATFORM_ATTACH_H */
