// SPDX-License-Identifier: GPL-2.0-or-later
/* What scenarios take from other files: a capture's packets, a table of flow sizes. */
#include <errno.h>
#include <inttypes.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/gen/flow_key.h"
#include "cli/sim/file.h"
#include "platform/instance.h"

struct trace {
	struct sim_record *record;
	uint32_t n, room;
	struct flow_numbers flows;
	uint64_t first_ns, last_ns;
};

/* A packet without a flow is none of ours. */
static int add(struct trace *t, const struct pcap_pkthdr *h, const uint8_t *frame)
{
	uint64_t now = (uint64_t)h->ts.tv_sec * 1000000000 + (uint64_t)h->ts.tv_usec;
	struct flow_key key;
	uint32_t flow;

	if (!flow_key_of(frame, h->caplen, &key))
		return 0;
	if (t->n == t->room) {
		uint32_t room = t->room ? 2 * t->room : 4096;
		struct sim_record *record = realloc(t->record, room * sizeof(*record));

		if (!record)
			return -ENOMEM;
		t->record = record;
		t->room = room;
	}
	flow = flow_numbers_get(&t->flows, &key);
	if (flow == UINT32_MAX)
		return -ENOMEM;
	if (!t->n)
		t->first_ns = now;
	if (now > t->last_ns) /* captures of several queues go back a little at times */
		t->last_ns = now;
	t->record[t->n++] = (struct sim_record){t->last_ns - t->first_ns, flow};
	return 0;
}

static int read_all(struct trace *t, pcap_t *pcap, const char *path, struct sl_error *err)
{
	struct pcap_pkthdr *header;
	const u_char *frame;
	int rc = 0, got;

	while (!rc && (got = pcap_next_ex(pcap, &header, &frame)) == 1)
		rc = add(t, header, frame);
	if (rc)
		return sl_error_set(err, rc, "%s: no memory for its packets", path);
	if (got == PCAP_ERROR)
		return sl_error_set(err, -EBADMSG,
				    "%s: packet %u: %s: mend the file, or take another", path,
				    t->n + 1, pcap_geterr(pcap));
	if (!t->n || !t->record[t->n - 1].at_ns)
		return sl_error_set(err, -ENODATA,
				    "%s: no IP packets over a time: take a longer capture", path);
	return 0;
}

int sim_capture_load(const char *path, struct sim_record **record, uint32_t *n,
		     struct sl_error *err)
{
	char why[PCAP_ERRBUF_SIZE] = "";
	struct trace t = {0};
	pcap_t *pcap =
		pcap_open_offline_with_tstamp_precision(path, PCAP_TSTAMP_PRECISION_NANO, why);
	int rc;

	if (!pcap)
		return sl_error_set(err, -EINVAL, "traffic.capture: %s: give a pcap file", why);
	if (pcap_datalink(pcap) == DLT_EN10MB)
		rc = read_all(&t, pcap, path, err);
	else
		rc = sl_error_set(err, -EINVAL,
				  "%s: not of Ethernet: give a capture of an Ethernet interface",
				  path);
	pcap_close(pcap);
	flow_numbers_free(&t.flows);
	if (rc)
		free(t.record);
	else
		*record = t.record, *n = t.n;
	return rc;
}

/* "PACKETS [WEIGHT]"; '#' begins a comment. 1: a size; 0: nothing; -1: neither. */
static int read_size(const char *line, struct sim_size *size)
{
	char rest = 0;
	int n;

	line += strspn(line, " \t\r\n");
	if (!*line || *line == '#')
		return 0;
	size->weight = 1;
	n = sscanf(line, "%" SCNu64 " %lf %c", &size->packets, &size->weight, &rest);
	if (n < 1 || *line == '-' || (n == 3 && rest != '#') || !size->packets ||
	    size->packets > UINT32_MAX || !(size->weight > 0))
		return -1;
	return 1;
}

static int sizes_read(FILE *file, const char *path, struct sim_size **size, uint32_t *n,
		      struct sl_error *err)
{
	char line[256];
	uint32_t room = 0;

	for (unsigned at = 1; fgets(line, sizeof(line), file); at++) {
		struct sim_size one;
		int got = read_size(line, &one);

		if (got < 0)
			return sl_error_set(err, -EINVAL,
					    "%s:%u: no flow size: write \"PACKETS WEIGHT\", such "
					    "as \"10 0.5\"",
					    path, at);
		if (!got)
			continue;
		if (*n == room) {
			struct sim_size *more;

			room = room ? 2 * room : 256;
			more = realloc(*size, room * sizeof(**size));
			if (!more)
				return sl_error_set(err, -ENOMEM, "%s: no memory", path);
			*size = more;
		}
		(*size)[(*n)++] = one;
	}
	return *n ? 0
		  : sl_error_set(err, -ENODATA,
				 "%s: no flow sizes: write lines of \"PACKETS WEIGHT\"", path);
}

int sim_sizes_load(const char *path, struct sim_size **size, uint32_t *n, struct sl_error *err)
{
	FILE *file = fopen(path, "re");
	int rc;

	if (!file)
		return sl_error_set(err, -errno,
				    "traffic.sizes: %s: %s: give a file that can be "
				    "read",
				    path, strerror(errno));
	rc = sizes_read(file, path, size, n, err);
	fclose(file);
	return rc;
}
