// SPDX-License-Identifier: GPL-2.0-or-later
/* Secrets of cookies: two of them, each with a phase, which is the bit of a cookie that names it.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "lb/secret.h"

static bool unset(const __u64 key[2])
{
	return !key[0] && !key[1];
}

int sl_secret_parse(const char *text, __u64 secret[2])
{
	char half[2][17] = {{0}};

	if (strlen(text) != 32 || strspn(text, "0123456789abcdefABCDEF") != 32)
		return -EINVAL;
	for (unsigned i = 0; i < 2; i++) {
		memcpy(half[i], text + 16 * i, 16);
		secret[i] = strtoull(half[i], NULL, 16);
	}
	return secret[0] || secret[1] ? 0 : -EINVAL;
}

int sl_secret_check(const __u64 key[2][2], unsigned phase, const struct sl_lb_config *config,
		    struct sl_error *err)
{
	const unsigned p = (unsigned)config->phase;

	if (config->phase < 0 || !config->has_secret)
		return 0;
	if (config->has_before && (phase & 1) != p && !unset(key[p ^ 1]) &&
	    memcmp(key[p ^ 1], config->before, sizeof(config->before)) != 0)
		return sl_error_set(err, -EINVAL,
				    "secret_before: another secret is in force, whose cookies "
				    "would name other servers: write that one, or leave it out");
	if (unset(key[p]) || (phase & 1) != p ||
	    !memcmp(key[p], config->secret, sizeof(config->secret)))
		return 0;
	return sl_error_set(
		err, -EINVAL,
		"secret: it changed and secret_phase did not, so cookies of the old one "
		"would name other servers: write secret_phase: %u, or the secret that was",
		p ^ 1);
}

/* Which secret new cookies are by, once the keys are what the configuration says. -errno. */
static int set_keys(__u64 key[2][2], unsigned phase, const struct sl_lb_config *config)
{
	unsigned p = phase & 1;

	if (config->has_secret && config->phase >= 0)
		p = (unsigned)config->phase;
	else if (config->has_secret && !unset(key[p]) && memcmp(key[p], config->secret, 16) != 0)
		p ^= 1;
	if (config->has_secret)
		memcpy(key[p], config->secret, 16);
	if (config->has_before)
		memcpy(key[p ^ 1], config->before, 16);
	for (unsigned i = 0; i < 2; i++)
		if (unset(key[i]) && getrandom(key[i], 16, 0) != 16)
			return -EIO;
	return (int)p;
}

int sl_secret_store(int map, void *control, __u64 key[2][2], __u32 *phase,
		    const struct sl_lb_config *config)
{
	__u32 zero = 0;
	int p = set_keys(key, *phase, config);

	if (p < 0)
		return p;
	/* first the secret, then its use */
	if (bpf_map_update_elem(map, &zero, control, BPF_ANY))
		return -errno;
	if ((__u32)p == *phase)
		return 0;
	*phase = (__u32)p;
	return bpf_map_update_elem(map, &zero, control, BPF_ANY) ? -errno : 0;
}
