// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Written before the first change and renamed into place, so a process that is killed at any moment
 * leaves either a NIC as it was or the file that says how it was.
 */
#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "platform/lock.h"
#include "platform/nic_kept.h"

#define KEPT_VERSION 1

static void kept_path(const char *instance, const char *ifname, char path[PATH_MAX])
{
	snprintf(path, PATH_MAX, "%s/%s.%s.nic.json", sl_run_dir(), instance, ifname);
}

/* An array of numbers; how many, at most `room`. */
static unsigned take_numbers(const json_t *array, uint32_t *out, unsigned room)
{
	unsigned n = (unsigned)json_array_size(array);

	if (n > room)
		n = room;
	for (unsigned i = 0; i < n; i++)
		out[i] = (uint32_t)json_integer_value(json_array_get(array, i));
	return n;
}

static json_t *numbers(const uint32_t *in, unsigned n)
{
	json_t *array = json_array();

	for (unsigned i = 0; i < n; i++)
		json_array_append_new(array, json_integer(in[i]));
	return array;
}

static void take_kept(const json_t *root, struct nic_kept *kept)
{
	uint32_t key[SL_RSS_KEY_MAX];

	kept->rss.hfunc = (uint32_t)json_integer_value(json_object_get(root, "hash"));
	kept->rss.entries =
		take_numbers(json_object_get(root, "table"), kept->rss.reta, SL_RETA_MAX);
	kept->rss.key_bytes = take_numbers(json_object_get(root, "key"), key, SL_RSS_KEY_MAX);
	for (unsigned i = 0; i < kept->rss.key_bytes; i++)
		kept->rss.key[i] = (uint8_t)key[i];
	for (unsigned t = 0; t < SL_FLOW_TYPES; t++)
		kept->fields[t] = NIC_NO_FIELDS;
	take_numbers(json_object_get(root, "fields"), kept->fields, SL_FLOW_TYPES);
}

int nic_kept_load(const char *instance, const char *ifname, int ifindex, struct nic_kept *kept)
{
	char path[PATH_MAX];
	json_error_t error;
	json_t *root;

	memset(kept, 0, sizeof(*kept));
	kept_path(instance, ifname, path);
	if (access(path, F_OK))
		return -errno;
	root = json_load_file(path, 0, &error);
	if (json_integer_value(json_object_get(root, "v")) != KEPT_VERSION ||
	    json_integer_value(json_object_get(root, "ifindex")) != ifindex) {
		json_decref(root);
		return -ENOENT;
	}
	take_kept(root, kept);
	json_decref(root);
	return 0;
}

int nic_kept_save(const char *instance, const char *ifname, int ifindex,
		  const struct nic_kept *kept)
{
	char path[PATH_MAX], fresh[PATH_MAX + 8];
	uint32_t key[SL_RSS_KEY_MAX];
	json_t *root;
	int rc = 0;

	for (unsigned i = 0; i < kept->rss.key_bytes; i++)
		key[i] = kept->rss.key[i];
	root = json_pack("{s:i,s:i,s:I,s:o,s:o,s:o}", "v", KEPT_VERSION, "ifindex", ifindex, "hash",
			 (json_int_t)kept->rss.hfunc, "table",
			 numbers(kept->rss.reta, kept->rss.entries), "key",
			 numbers(key, kept->rss.key_bytes), "fields",
			 numbers(kept->fields, SL_FLOW_TYPES));
	if (!root)
		return -ENOMEM;
	kept_path(instance, ifname, path);
	snprintf(fresh, sizeof(fresh), "%s.new", path);
	if (json_dump_file(root, fresh, JSON_COMPACT) || rename(fresh, path))
		rc = errno ? -errno : -EIO;
	json_decref(root);
	return rc;
}

void nic_kept_forget(const char *instance, const char *ifname)
{
	char path[PATH_MAX];

	kept_path(instance, ifname, path);
	unlink(path);
}
