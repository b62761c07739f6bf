// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * memory.c - frame memory.
 */
#include <stdint.h>
#include <sys/mman.h>

#include "platform/xsk.h"

#define HUGE_PAGE SL_AREA_ALIGN

static size_t round_up(size_t bytes)
{
	return (bytes + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1);
}

/* Anonymous memory on a huge-page boundary: map more, cut both ends off. */
static void *map_aligned(size_t bytes)
{
	const size_t whole = bytes + HUGE_PAGE;
	uint8_t *p, *start;
	size_t head;

	p = mmap(NULL, whole, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		return NULL;
	head = -(uintptr_t)p & (HUGE_PAGE - 1);
	start = p + head;
	if (head)
		munmap(p, head);
	if (HUGE_PAGE - head)
		munmap(start + bytes, HUGE_PAGE - head);
	return start;
}

void *sl_area_map(size_t bytes)
{
	const size_t size = round_up(bytes);
	void *p;

	/* Reserved huge pages first (vm.nr_hugepages), then transparent ones. */
	p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | MAP_POPULATE, -1, 0);
	if (p != MAP_FAILED)
		return p;
	p = map_aligned(size);
	if (p)
		madvise(p, size, MADV_HUGEPAGE);
	return p;
}

void sl_area_unmap(void *area, size_t bytes)
{
	if (area)
		munmap(area, round_up(bytes));
}
