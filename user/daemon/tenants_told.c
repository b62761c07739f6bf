// SPDX-License-Identifier: GPL-2.0-or-later
/* What requests and metrics are told of tenants. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "daemon/daemon.h"
#include "daemon/tenants_told.h"
#include "platform/config_tenants.h"

#define I(x) ((json_int_t)(x))

static json_t *amounts_json(const double *amount)
{
	json_t *all = json_object();

	for (int r = 0; r < SL_TENANT_RESOURCES; r++)
		json_object_set_new(all, sl_tenant_resource_name(r), json_real(amount[r]));
	return all;
}

static double largest(const double *amount)
{
	double most = 0;

	for (int r = 0; r < SL_TENANT_RESOURCES; r++)
		most = amount[r] > most ? amount[r] : most;
	return most;
}

static json_t *tenant_json(const struct served_tenant *k, unsigned id)
{
	const struct sl_tenant_view *v = k->view;

	return json_pack("{s:s,s:I,s:f,s:b,s:f,s:f,s:f,s:f,s:s,s:f,s:f,s:f,s:f,s:f,s:f,s:o,s:o,s:I,"
			 "s:I,s:I,s:I,"
			 "s:I,s:I,s:I}",
			 "tenant", k->name, "id", I(id), "weight", k->weight, "gone", k->gone,
			 "demand", largest(v->demand), "share", v->share, "floor", v->floor, "used",
			 largest(v->used), "dominant", sl_tenant_resource_name(v->dominant),
			 "commitment", v->commitment, "credits", v->credits, "pps", v->pps, "bps",
			 8 * v->bps, "drops_pps", v->drops, "packet_cycles", v->cost, "demand_of",
			 amounts_json(v->demand), "used_of", amounts_json(v->used), "packets",
			 I(k->packets), "bytes", I(k->bytes), "drops", I(k->drops), "drop_bytes",
			 I(k->drop_bytes), "cycles", I(k->cycles), "flows", I(k->flows),
			 "flow_bytes", I(k->flow_bytes));
}

static int unknown(const struct served *s, const char *name, struct sl_error *err)
{
	char known[256] = "";
	struct served_tenant k;

	for (unsigned id = 0; id < SL_TENANT_TOTAL; id++)
		if (served_tenant_get(s, id, &k) && strlen(known) + SL_TENANT_NAME < sizeof(known))
			snprintf(known + strlen(known), sizeof(known) - strlen(known), "%s%s",
				 *known ? ", " : "", k.name);
	return sl_error_set(err, -ENOENT, "%s has no tenant \"%s\": name one of %s", s->inst->name,
			    name, known);
}

int tenants_told_json(const struct served *s, const char *name, json_t **result,
		      struct sl_error *err)
{
	const struct sl_tenants_config *config = served_tenants_config(s);
	json_t *all = json_array();
	struct served_tenant k;

	if (name && !config) {
		json_decref(all);
		return sl_error_set(err, -ENOENT,
				    "%s has no tenants: list them under tenants in the "
				    "configuration, sluice.yaml(5)",
				    s->inst->name);
	}
	for (unsigned id = 0; id < SL_TENANT_TOTAL; id++)
		if (served_tenant_get(s, id, &k) && (!name || !strcmp(name, k.name)))
			json_array_append_new(all, tenant_json(&k, id));
	if (name && !json_array_size(all)) {
		json_decref(all);
		return unknown(s, name, err);
	}
	*result = json_pack("{s:s,s:s,s:f,s:f,s:o}", "instance", s->inst->name, "policy",
			    config ? sl_policy_name(config->policy) : "none", "half_life_s",
			    config ? (double)config->half_life_ns / 1e9 : 0, "bandwidth",
			    config ? config->bandwidth : 0, "tenants", all);
	return *result ? 0 : sl_error_set(err, -ENOMEM, "no memory");
}

/* --- metrics */

#define VALUE(name, of_k)                                                                          \
	static double v_##name(const struct served_tenant *k)                                      \
	{                                                                                          \
		return (double)(of_k);                                                             \
	}
VALUE(packets, k->packets)
VALUE(bytes, k->bytes)
VALUE(drops, k->drops)
VALUE(flows, k->flows)
VALUE(demand, largest(k->view->demand))
VALUE(share, k->view->share)
VALUE(floor, k->view->floor)
VALUE(used, largest(k->view->used))
VALUE(commitment, k->view->commitment)

static const struct {
	const char *name, *type, *help;
	double (*value)(const struct served_tenant *k);
} metrics[] = {
	{"sluice_tenant_packets_total", "counter", "Packets of the tenant that came.", v_packets},
	{"sluice_tenant_bytes_total", "counter", "Their bytes.", v_bytes},
	{"sluice_tenant_dropped_packets_total", "counter",
	 "Of these, packets beyond its share that XDP dropped.", v_drops},
	{"sluice_tenant_flows", "gauge", "Entries of flow tables that its packets made.", v_flows},
	{"sluice_tenant_demand_ratio", "gauge", "What it asks for, of its dominant resource.",
	 v_demand},
	{"sluice_tenant_share_ratio", "gauge", "What the policy gives it, likewise.", v_share},
	{"sluice_tenant_floor_ratio", "gauge", "What it has in any case, likewise.", v_floor},
	{"sluice_tenant_used_ratio", "gauge", "What it uses, likewise.", v_used},
	{"sluice_tenant_commitment_ratio", "gauge", "What it had beyond its equal share (SDRF).",
	 v_commitment},
};

void tenants_told_metrics(FILE *f, struct served *const *served, unsigned n)
{
	struct served_tenant k;

	for (unsigned m = 0; m < sizeof(metrics) / sizeof(metrics[0]); m++) {
		fprintf(f, "# HELP %s %s\n# TYPE %s %s\n", metrics[m].name, metrics[m].help,
			metrics[m].name, metrics[m].type);
		for (unsigned i = 0; i < n; i++)
			for (unsigned id = 0; id < SL_TENANT_TOTAL; id++)
				if (served_tenant_get(served[i], id, &k))
					fprintf(f, "%s{instance=\"%s\",tenant=\"%s\"} %.17g\n",
						metrics[m].name, served[i]->inst->name, k.name,
						metrics[m].value(&k));
	}
}
