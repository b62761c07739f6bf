// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/elastic.h"

#include <string.h>

bool elastic_asleep(const json_t *status, json_int_t worker)
{
	const json_t *asleep = json_object_get(json_object_get(status, "elastic"), "asleep");
	json_t *entry;
	size_t i;

	json_array_foreach (asleep, i, entry)
		if (json_integer_value(entry) == worker)
			return true;
	return false;
}

void elastic_mark(json_t *rows, const json_t *status)
{
	json_t *row;
	size_t i;

	json_array_foreach (rows, i, row) {
		const char *state = json_string_value(json_object_get(row, "state"));

		if (state && !strcmp(state, "running") &&
		    elastic_asleep(status, json_integer_value(json_object_get(row, "worker"))))
			json_object_set_new(row, "state", json_string("asleep"));
	}
}
