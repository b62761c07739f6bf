// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/sim/setters.h"

#include <stdint.h>
#include <string.h>

SL_YAML_SETTER(sim_set_version)
{
	const char *text = sl_yaml_text(node);

	return text && !strcmp(text, "1") ? 0 : sl_yaml_bad_value(y, node, f);
}

SL_YAML_SETTER(sim_set_text)
{
	const char *text = sl_yaml_text(node);

	if (!text || !*text || strlen(text) >= (size_t)f->max)
		return sl_yaml_bad_value(y, node, f);
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

int sim_add_policy(struct sl_yaml *y, const yaml_node_t *item, const struct sl_yaml_field *f,
		   unsigned i, int p, unsigned *list, unsigned *n)
{
	if (p < 0)
		return sl_yaml_bad_value(y, item, f);
	for (unsigned k = 0; k < i; k++)
		if (list[k] == (unsigned)p)
			return sl_yaml_error(y, item, "given twice: remove one");
	list[i] = (unsigned)p;
	*n = i + 1;
	return 0;
}
