// SPDX-License-Identifier: GPL-2.0-or-later
/* Captures as traffic: flows by direction, trailers, and what cannot have one. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/gen/capture.c"
#include "cli/gen/flow_key.c"
#include "cli/gen/flows.c"

#define LIMIT 1514

/* A UDP frame; `fragment` goes into the IPv4 flags and offset. */
static uint32_t udp(uint8_t *f, uint8_t src, uint8_t dst, uint16_t sport, uint16_t fragment,
		    uint32_t len)
{
	memset(f, 0, len);
	f[12] = 8;
	f[14] = 0x45;
	f[16] = (uint8_t)((len - 14) >> 8);
	f[17] = (uint8_t)(len - 14);
	f[20] = (uint8_t)(fragment >> 8);
	f[21] = (uint8_t)fragment;
	f[23] = IPPROTO_UDP;
	f[26] = f[30] = 10;
	f[29] = src;
	f[33] = dst;
	f[34] = (uint8_t)(sport >> 8);
	f[35] = (uint8_t)sport;
	f[37] = 53;
	f[38] = (uint8_t)((len - 34) >> 8);
	f[39] = (uint8_t)(len - 34);
	return len;
}

struct file {
	char path[64];
	pcap_t *pcap;
	pcap_dumper_t *dump;
};

static struct file file_open(int linktype)
{
	struct file f = {"/tmp/sluice-test-XXXXXX", NULL, NULL};

	close(mkstemp(f.path));
	f.pcap = pcap_open_dead(linktype, 65535);
	f.dump = pcap_dump_open(f.pcap, f.path);
	cr_assert_not_null(f.dump);
	return f;
}

static void file_add(struct file *f, const uint8_t *frame, uint32_t len, uint32_t wire)
{
	const struct pcap_pkthdr h = {.caplen = len, .len = wire};

	pcap_dump((u_char *)f->dump, &h, frame);
}

static int file_load(struct file *f, struct capture *c, struct sl_error *err)
{
	int rc;

	pcap_dump_close(f->dump);
	pcap_close(f->pcap);
	rc = capture_load(c, f->path, LIMIT, err);
	unlink(f->path);
	return rc;
}

Test(gen_capture, flows_are_directions)
{
	struct file f = file_open(DLT_EN10MB);
	static uint8_t p[2048];
	struct sl_error err;
	struct capture c;

	file_add(&f, p, udp(p, 1, 2, 1000, 0, 100), 100);
	file_add(&f, p, udp(p, 2, 1, 1000, 0, 100), 100); /* the other way */
	file_add(&f, p, udp(p, 1, 2, 1001, 0, 100), 100); /* another port */
	file_add(&f, p, udp(p, 1, 2, 1000, 0, 300), 300); /* the first again */
	file_add(&f, p, udp(p, 1, 2, 1000, 0x2000, 100), 100); /* a fragment of it */
	file_add(&f, p, udp(p, 1, 2, 9, 0x0010, 100), 100); /* and its next */
	cr_assert_eq(file_load(&f, &c, &err), 0);
	cr_assert_eq(c.packets, 6);
	cr_assert_eq(c.tracked, 6);
	cr_assert_eq(c.flows, 4);
	cr_assert_eq(c.packet[0].flow, c.packet[3].flow);
	cr_assert_eq(c.packet[4].flow, c.packet[5].flow);
	cr_assert_neq(c.packet[0].flow, c.packet[4].flow);
	capture_free(&c);
}

Test(gen_capture, what_has_no_room_or_no_flow_is_counted)
{
	struct file f = file_open(DLT_EN10MB);
	static uint8_t p[2048];
	struct sl_error err;
	struct capture c;

	file_add(&f, p, udp(p, 1, 2, 1, 0, LIMIT - 24), LIMIT - 24);
	file_add(&f, p, udp(p, 1, 2, 1, 0, LIMIT - 23), LIMIT - 23); /* no room for the trailer */
	file_add(&f, p, udp(p, 1, 2, 1, 0, LIMIT), LIMIT);
	file_add(&f, p, udp(p, 1, 2, 1, 0, LIMIT + 1), LIMIT + 1); /* does not fit */
	udp(p, 1, 2, 1, 0, 200);
	file_add(&f, p, 100, 200); /* cut by the snap length */
	p[13] = 6;
	file_add(&f, p, 60, 60); /* ARP */
	cr_assert_eq(file_load(&f, &c, &err), 0);
	cr_assert_eq(c.packets, 5);
	cr_assert_eq(c.tracked, 1);
	cr_assert_eq(c.untracked, 4);
	cr_assert_eq(c.skipped, 1);
	cr_assert_eq(c.frame_max, LIMIT);
	capture_free(&c);
}

Test(gen_capture, the_trailer_is_behind_and_nothing_else_changes)
{
	static const uint32_t lens[] = {42, 43, 60, 61, 1000};
	static uint8_t p[2048], out[2048];
	struct sl_error err;

	for (unsigned i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
		struct file f = file_open(DLT_EN10MB);
		uint64_t seq, time;
		struct capture c;
		uint32_t flow, len;

		file_add(&f, p, udp(p, 1, 2, 1, 0, lens[i]), lens[i]);
		cr_assert_eq(file_load(&f, &c, &err), 0);
		memset(out, 0xee, sizeof(out));
		len = capture_frame_write(&c, &c.packet[0], out, 77, 5, 99);
		cr_assert_geq(len, 60);
		cr_assert_eq(memcmp(out, p, lens[i]), 0);
		cr_assert(gen_stamp_read(out, len, 77, &flow, &seq, &time));
		cr_assert(flow == 0 && seq == 5 && time == 99);
		for (uint32_t at = lens[i]; at < len - 24; at++)
			cr_assert_eq(out[at], 0);
		cr_assert_eq(len, lens[i] < 36 ? 60 : lens[i] + 24);
		cr_assert_eq(c.frame_max, len);
		capture_free(&c);
	}
}

Test(gen_capture, bad_files_are_named)
{
	struct file f = file_open(DLT_RAW);
	static uint8_t p[64];
	struct sl_error err;
	struct capture c;

	file_add(&f, p, 60, 60);
	cr_assert_eq(file_load(&f, &c, &err), -EINVAL);
	cr_assert_not_null(strstr(err.text, "Ethernet"));
	cr_assert_not_null(strstr(err.text, f.path));
	cr_assert_eq(capture_load(&c, "/nonexistent.pcap", LIMIT, &err), -EINVAL);
	cr_assert_str_eq(err.text, "--pcap /nonexistent.pcap: No such file or directory");
	f = file_open(DLT_EN10MB);
	cr_assert_eq(file_load(&f, &c, &err), -ENODATA);
	cr_assert_not_null(strstr(err.text, f.path));
}

/* A capture of one packet, cut anywhere, is one that was not written to its end. */
Test(gen_capture, cut_files_are_named)
{
	for (long size = 0; size < 24 + 16 + 60; size++) {
		struct file f = file_open(DLT_EN10MB);
		static uint8_t p[64];
		struct sl_error err;
		struct capture c;

		file_add(&f, p, 60, 60);
		pcap_dump_flush(f.dump);
		cr_assert_eq(truncate(f.path, size), 0);
		cr_assert_lt(file_load(&f, &c, &err), 0, "%ld bytes", size);
		cr_assert_not_null(strstr(err.text, f.path), "%ld bytes: %s", size, err.text);
	}
}
