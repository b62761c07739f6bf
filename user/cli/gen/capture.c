// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/gen/capture.h"

#include <errno.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/gen/flow_key.h"
#include "cli/gen/flows.h"
#include "platform/instance.h"

#define BYTES_MAX ((size_t)1 << 31) /* a capture is held in memory */
#define FRAME_MIN 60 /* Ethernet's least frame without its FCS */
#define ETHERNET_HEADER 14u

static uint32_t frame_len(const struct capture_packet *p)
{
	uint32_t len = p->len;

	if (p->flow == CAPTURE_UNTRACKED)
		return len;
	if (len < FRAME_MIN - sizeof(struct sl_stamp))
		len = FRAME_MIN - sizeof(struct sl_stamp);
	return len + sizeof(struct sl_stamp);
}

static int make_room(struct capture *c, uint32_t len)
{
	if (c->bytes_n + len > c->bytes_room) {
		size_t room = c->bytes_room ? c->bytes_room * 2 : 1 << 20;
		uint8_t *bytes;

		if (room > BYTES_MAX)
			return -EFBIG;
		bytes = realloc(c->bytes, room);
		if (!bytes)
			return -ENOMEM;
		c->bytes = bytes;
		c->bytes_room = room;
	}
	if (c->packets == c->packets_room) {
		uint32_t room = c->packets_room ? c->packets_room * 2 : 4096;
		struct capture_packet *packet = realloc(c->packet, room * sizeof(*packet));

		if (!packet)
			return -ENOMEM;
		c->packet = packet;
		c->packets_room = room;
	}
	return 0;
}

static int add(struct capture *c, struct flow_numbers *numbers, const uint8_t *frame, uint32_t len,
	       uint32_t frame_limit)
{
	struct capture_packet *p;
	struct flow_key key;
	int rc;

	if (len > frame_limit || len < ETHERNET_HEADER) {
		c->skipped++;
		return 0;
	}
	rc = make_room(c, len);
	if (rc)
		return rc;
	p = &c->packet[c->packets++];
	*p = (struct capture_packet){.offset = c->bytes_n, .len = len};
	memcpy(c->bytes + c->bytes_n, frame, len);
	c->bytes_n += len;
	if (frame_len(p) > frame_limit || !flow_key_of(frame, len, &key)) {
		p->flow = CAPTURE_UNTRACKED;
		c->untracked++;
	} else {
		p->flow = flow_numbers_get(numbers, &key);
		if (p->flow == CAPTURE_UNTRACKED)
			return -ENOMEM;
		c->tracked++;
	}
	if (frame_len(p) > c->frame_max)
		c->frame_max = frame_len(p);
	return 0;
}

static int read_all(struct capture *c, pcap_t *pcap, const char *path, uint32_t frame_limit,
		    struct sl_error *err)
{
	struct flow_numbers numbers = {0};
	struct pcap_pkthdr *header;
	const u_char *frame;
	int rc = 0, got;

	while (!rc && (got = pcap_next_ex(pcap, &header, &frame)) == 1)
		rc = add(c, &numbers, frame, header->caplen, frame_limit);
	c->flows = numbers.n;
	flow_numbers_free(&numbers);
	if (rc == -EFBIG)
		return sl_error_set(err, rc, "--pcap %s: more than %zu MiB of packets; split it",
				    path, BYTES_MAX >> 20);
	if (rc)
		return sl_error_set(err, rc, "--pcap %s: no memory for its packets", path);
	if (got == PCAP_ERROR)
		return sl_error_set(err, -EBADMSG, "--pcap %s: packet %u: %s", path,
				    c->packets + c->skipped + 1, pcap_geterr(pcap));
	if (!c->packets)
		return sl_error_set(
			err, -ENODATA,
			"--pcap %s: no packet that fits (%u are longer than %u bytes or "
			"no Ethernet frames)",
			path, c->skipped, frame_limit);
	return 0;
}

/* Not pcap_open_offline(): its reasons name the file at times, and at times do not. */
static pcap_t *open_capture(const char *path, char why[PCAP_ERRBUF_SIZE])
{
	FILE *file = fopen(path, "rbe");
	pcap_t *pcap = file ? pcap_fopen_offline(file, why) : NULL;

	if (!file)
		snprintf(why, PCAP_ERRBUF_SIZE, "%s", strerror(errno));
	else if (!pcap)
		fclose(file);
	return pcap;
}

int capture_load(struct capture *c, const char *path, uint32_t frame_limit, struct sl_error *err)
{
	char why[PCAP_ERRBUF_SIZE];
	pcap_t *pcap;
	int rc;

	memset(c, 0, sizeof(*c));
	pcap = open_capture(path, why);
	if (!pcap)
		return sl_error_set(err, -EINVAL, "--pcap %s: %s", path, why);
	if (pcap_datalink(pcap) == DLT_EN10MB)
		rc = read_all(c, pcap, path, frame_limit, err);
	else
		rc = sl_error_set(err, -EINVAL,
				  "--pcap %s: link type %s; only captures of Ethernet can be sent",
				  path, pcap_datalink_val_to_name(pcap_datalink(pcap)) ?: "?");
	pcap_close(pcap);
	if (rc)
		capture_free(c);
	return rc;
}

void capture_free(struct capture *c)
{
	free(c->bytes);
	free(c->packet);
	memset(c, 0, sizeof(*c));
}

uint32_t capture_frame_write(const struct capture *c, const struct capture_packet *p,
			     uint8_t *frame, uint16_t run, uint64_t seq, uint64_t now_ns)
{
	const uint32_t len = frame_len(p);

	memcpy(frame, c->bytes + p->offset, p->len);
	if (p->flow == CAPTURE_UNTRACKED)
		return len;
	memset(frame + p->len, 0, len - p->len);
	gen_stamp_write(frame, len, run, p->flow, seq, now_ns);
	return len;
}
