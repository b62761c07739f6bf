/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pinned.h - a folder of the BPF file system in which programs that stay, with their maps, are
 * found again: <bpffs>/sluice/<kind>/<name>/<object>. The last name of `names` is pinned last:
 * where it is missing nothing is there.
 */
#ifndef SL_PLATFORM_PINNED_H
#define SL_PLATFORM_PINNED_H

#include <bpf/libbpf.h>

#include "platform/pin.h"

/* 0 if the name can be the folder's: as of an instance, without a dot. `what`: "load balancer". */
int sl_pinned_name_check(const char *what, const char *name, struct sl_error *err);

/* <bpffs>/sluice/<kind>/<name>[/<file>]; file may be NULL. */
void sl_pinned_path(char path[SL_PIN_PATH], const char *kind, const char *name, const char *file);

/* Open all into fd[]; those that were opened before one fails are the caller's. -errno. */
int sl_pinned_open(const char *kind, const char *name, const char *const *names, unsigned n,
		   int *fd);

/* Pin a loaded object's maps and programs by these names; what is there is replaced. */
int sl_pinned_store(const char *kind, const char *name, const char *const *names, unsigned n,
		    const struct bpf_object *object);

/* The folder with these and no others, and that of the kind if it is empty then. */
void sl_pinned_remove(const char *kind, const char *name, const char *const *names, unsigned n);

#endif /* SL_PLATFORM_PINNED_H */
