/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pin.h - where an instance lives in the BPF file system.
 *
 *   <bpffs>/sluice/<abi>/<instance>/{indirection,...,rules,ifaces}      instance maps
 *   <bpffs>/sluice/<abi>/<instance>/<interface>/{bucket_stats,...,prog,link}
 *
 * bpffs forbids dots in names: a dot is written %2e, a percent sign %25, and the first letter of an
 * interface that is called as a map is, in hexadecimal too.
 */
#ifndef SL_PLATFORM_PIN_H
#define SL_PLATFORM_PIN_H

#include "pins.h"
#include "platform/maps.h"

#define SL_PIN_PATH 256

_Static_assert(sizeof(((struct sl_pin_iface *)0)->name) == IF_NAMESIZE, "see pins.h");

/* What is pinned for an instance besides the maps of the ABI. */
struct sl_pin_extra {
	int rules_fd; /* ARRAY of SL_MAX_RULES sl_pin_rule */
	int ifaces_fd; /* ARRAY of SL_MAX_IFACES sl_pin_iface */
};

/* 0 if the name can be an instance's: 1..SL_NAME_MAX-1 of [A-Za-z0-9._-]. -EINVAL. */
int sl_instance_name_check(const char *name, struct sl_error *err);

/* <bpffs>/sluice/<abi>[/<instance>[/<iface>]][/<file>]; each may be NULL. */
void sl_pin_path(char path[SL_PIN_PATH], const char *instance, const char *iface, const char *file);

/*
 * Lock the directory against every other attach, detach and adoption on this machine (exclusive),
 * or against those while opening (shared). An fd to close, or -errno. -ENOENT: nothing was ever
 * pinned.
 */
int sl_pin_lock(bool exclusive, struct sl_error *err);

/* sl_pin_lock(), exclusive, if nobody else has it: -EBUSY. */
int sl_pin_try(void);

/* sl_pin_lock(), exclusive, of a directory that need not be there: mounts bpffs where it is not
 * (*mounted tells, may be NULL) and makes it. */
int sl_pin_claim(bool *mounted, struct sl_error *err);

int sl_pin_extra_create(struct sl_pin_extra *extra);
void sl_pin_extra_close(struct sl_pin_extra *extra);

/* Pin; what is pinned there already is replaced. On failure the caller removes the instance. */
int sl_pin_instance(const char *name, const struct sl_map_set *set,
		    const struct sl_pin_extra *extra, struct sl_error *err);
/* link_fd -1: none. */
int sl_pin_iface(const char *name, const char *iface, const struct sl_map_set *set, int prog_fd,
		 int link_fd, struct sl_error *err);

/* Open what is pinned. -ENOENT, -EACCES. *link_fd is -1 where there is none. */
int sl_pin_open_instance(const char *name, struct sl_map_set *set, struct sl_pin_extra *extra);
int sl_pin_open_iface(const char *name, const char *iface, struct sl_map_set *set);
int sl_pin_open_prog(const char *name, const char *iface); /* fd or -errno */
int sl_pin_open_link(const char *name, const char *iface); /* fd or -errno */

/* The interfaces of a pinned instance. How many, or -errno. */
int sl_pin_ifaces(const char *name, struct sl_pin_iface ifaces[SL_MAX_IFACES]);
int sl_pin_ifaces_set(int ifaces_fd, const struct sl_pin_iface *ifaces, unsigned n);

/* sl_instance_open() of a pinned instance by its own name; the caller holds the pin lock. */
int sl_instance_open_pinned(const char *name, struct sl_instance **out, struct sl_error *err);

void sl_pin_remove_iface(const char *name, const char *iface);
void sl_pin_remove(const char *name);

#endif /* SL_PLATFORM_PIN_H */
