// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/sim/setters.h"

#include <stdint.h>
#include <string.h>

int sim_bad(struct sl_yaml *y, const yaml_node_t *node, const struct sl_yaml_field *f)
{
	const char *text = sl_yaml_text(node);

	return sl_yaml_error(y, node, "\"%s\" is no good: %s", text ? text : "(a list or mapping)",
			     f->mend);
}

int sim_word(const yaml_node_t *node, const char *const *words, int n)
{
	const char *text = sl_yaml_text(node);

	for (int i = 0; text && i < n; i++)
		if (!strcmp(text, words[i]))
			return i;
	return -1;
}

SL_YAML_SETTER(sim_set_version)
{
	const char *text = sl_yaml_text(node);

	return text && !strcmp(text, "1") ? 0 : sim_bad(y, node, f);
}

SL_YAML_SETTER(sim_set_text)
{
	const char *text = sl_yaml_text(node);

	if (!text || !*text || strlen(text) >= (size_t)f->max)
		return sim_bad(y, node, f);
	strcpy((char *)base + f->offset, text);
	return 0;
}

SL_YAML_SETTER(sim_set_ns)
{
	struct sl_yaml_field whole = *f;
	uint64_t ns = 0;
	double value;
	int rc;

	whole.offset = 0;
	rc = sl_yaml_set_duration(y, node, &ns, &whole);
	value = (double)ns;
	if (!rc)
		memcpy((char *)base + f->offset, &value, sizeof(value));
	return rc;
}

SL_YAML_SETTER(sim_set_seed)
{
	struct sl_yaml_field whole = *f;
	unsigned seed;
	uint64_t wide;
	int rc;

	whole.offset = 0;
	rc = sl_yaml_set_unsigned(y, node, &seed, &whole);
	wide = seed;
	if (!rc)
		memcpy((char *)base + f->offset, &wide, sizeof(wide));
	return rc;
}
