/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pcap_file.h - the frames of a capture. libpcap's header cannot be had beside linux/bpf.h.
 */
#ifndef TESTS_BPF_PCAP_FILE_H
#define TESTS_BPF_PCAP_FILE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct pcap_file {
	FILE *f;
	bool swapped;
};

static inline uint32_t pcap_word(const struct pcap_file *p, uint32_t word)
{
	return p->swapped ? __builtin_bswap32(word) : word;
}

/* false if it is no Ethernet capture in the classic format */
static inline bool pcap_file_open(struct pcap_file *p, const char *path)
{
	uint32_t head[6];

	p->f = fopen(path, "rb");
	if (!p->f)
		return false;
	if (fread(head, sizeof(head), 1, p->f) == 1) {
		p->swapped = head[0] == 0xd4c3b2a1 || head[0] == 0x4d3cb2a1;
		head[0] = pcap_word(p, head[0]);
		if ((head[0] == 0xa1b2c3d4 || head[0] == 0xa1b23c4d) &&
		    (pcap_word(p, head[5]) & 0xffff) == 1)
			return true;
	}
	fclose(p->f);
	return false;
}

/* The next frame that fits into `size`; its length, or 0 at the end. */
static inline unsigned pcap_file_next(struct pcap_file *p, void *frame, unsigned size)
{
	uint32_t head[4];

	while (fread(head, sizeof(head), 1, p->f) == 1) {
		uint32_t len = pcap_word(p, head[2]);

		if (len <= size)
			return fread(frame, 1, len, p->f) == len ? len : 0;
		if (fseek(p->f, len, SEEK_CUR))
			break;
	}
	return 0;
}

#endif /* TESTS_BPF_PCAP_FILE_H */
