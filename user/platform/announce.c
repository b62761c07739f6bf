// SPDX-License-Identifier: GPL-2.0-or-later
#include <string.h>

#include "platform/announce.h"
#include "platform/clock.h"

static struct sl_row unpack(uint64_t word)
{
	struct sl_row row;

	memcpy(&row, &word, sizeof(row));
	return row;
}

static bool swap_next(uint64_t *at, uint64_t seen, uint8_t next)
{
	struct sl_row row = unpack(seen);
	uint64_t word;

	row.next = next;
	memcpy(&word, &row, sizeof(word));
	return __atomic_compare_exchange_n(at, &seen, word, false, __ATOMIC_RELEASE,
					   __ATOMIC_RELAXED);
}

/* Full barriers: an announcement is not stored after the time that it was made at, nor is a row
 * loaded before the time of the look. */
uint64_t sl_announce_now(void)
{
	uint64_t now;

	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	now = sl_clock_ns();
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return now;
}

static bool speaks(uint64_t told, uint64_t now)
{
	return told && now < told + SL_ANNOUNCE_LEASE_NS;
}

bool sl_announce_heard(const struct sl_control *c, uint64_t now)
{
	return speaks(__atomic_load_n(&c->told_ns, __ATOMIC_RELAXED), now);
}

bool sl_announce_row(uint64_t *row, uint64_t seen, uint16_t to)
{
	if (to >= SL_MAX_WORKERS)
		return false;
	return swap_next(row, seen, (uint8_t)(to + 1));
}

void sl_announce_withdraw(uint64_t *row, uint16_t to)
{
	uint64_t seen = __atomic_load_n(row, __ATOMIC_ACQUIRE);

	/* in vain if it changes now: then whoever changes it knows better */
	if (unpack(seen).next == to + 1)
		swap_next(row, seen, 0);
}

enum sl_announced sl_announce_state(const struct sl_control *c, uint64_t since, uint64_t now)
{
	/* acquire: pairs with the swap in sl_announce_told() */
	const uint64_t told = __atomic_load_n(&c->told_ns, __ATOMIC_ACQUIRE);

	if (told > since)
		return SL_ANNOUNCED_TOLD;
	if (!speaks(told, now) || now >= since + SL_ANNOUNCE_WAIT_NS)
		return SL_ANNOUNCED_LATE;
	return SL_ANNOUNCED_WAIT;
}

uint16_t sl_announce_read(uint64_t *at, uint64_t *since, uint64_t now)
{
	const uint64_t seen = __atomic_load_n(at, __ATOMIC_ACQUIRE);
	const struct sl_row row = unpack(seen);

	if (!row.next || row.worker >= SL_MAX_WORKERS) {
		*since = 0;
		return row.worker;
	}
	if (!*since)
		*since = now;
	if (now - *since < SL_ANNOUNCE_PLAN_NS)
		return (uint16_t)(row.next - 1);
	swap_next(at, seen, 0);
	*since = 0;
	return row.worker;
}

bool sl_announce_told(struct sl_control *c, uint64_t *told, uint64_t looked)
{
	uint64_t seen = __atomic_load_n(&c->told_ns, __ATOMIC_RELAXED);

	if (seen != *told && speaks(seen, looked))
		return false;
	/* release: what was sent was sent before. Of two that begin at once one finds the other's.
	 */
	if (!__atomic_compare_exchange_n(&c->told_ns, &seen, looked, false, __ATOMIC_RELEASE,
					 __ATOMIC_RELAXED))
		return false;
	*told = looked;
	return true;
}

void sl_announce_leave(struct sl_control *c, uint64_t *told)
{
	__atomic_compare_exchange_n(&c->told_ns, told, 0, false, __ATOMIC_RELAXED,
				    __ATOMIC_RELAXED);
	*told = 0;
}
