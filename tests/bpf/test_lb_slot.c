// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Connections in slots: every segment byte for byte, with servers that have a timestamp offset for
 * each connection; floods; what becomes of a connection whose slot is not there.
 */
#include "lb_expect.h"
#include "slot.h"

static struct lb_rig rig;
static const struct layout *const data = &layouts[0];

enum { FIN = 1, SYN = 2, RST = 4, ACK = 16 };

/* A connection as its ends see it: what each has sent last, and what it has seen of the other. */
struct connection {
	struct segment s;
	const struct layout *l;
	unsigned server;
	uint32_t client, server_stamp; /* clocks of the two */
	uint32_t client_wire, server_wire; /* as the other end has seen them */
};

static void put_stamps(struct expected *e, const struct layout *l, uint32_t stamp, uint32_t echo)
{
	if (l->at < 0)
		return;
	expect_stamp(e, (unsigned)l->at, stamp);
	expect_stamp(e, (unsigned)l->at + 4, echo);
}

static uint32_t stamp_in(const struct outcome *out, const struct connection *c, unsigned off)
{
	uint32_t value;

	if (c->l->at < 0)
		return 0;
	memcpy(&value, out->b + 14 + 4 * c->s.vlans + (c->s.v6 ? 40 : 20) + 20 + c->l->at + off, 4);
	return ntohl(value);
}

static struct outcome pass(struct connection *c, bool to_client, uint8_t flags)
{
	struct outcome out;

	c->s.to_client = to_client;
	c->s.server = c->server;
	c->s.flags = flags;
	c->s.stamp = to_client ? c->server_stamp : c->client;
	c->s.echo = to_client ? c->client_wire : c->server_wire;
	lb_rig_pass(&rig, &c->s, &out);
	return out;
}

/* The segment came out translated, with these timestamps, and all checksums right. */
static void check(const struct connection *c, const struct outcome *out, uint32_t stamp,
		  uint32_t echo)
{
	struct expected e;
	__be32 addr[4];

	expect_from(&e, &c->s);
	if (c->s.to_client)
		lb_vip_address(c->s.v6, addr);
	else
		lb_server_address(c->s.v6, c->server, addr);
	expect_end(&e, &c->s, addr, c->s.to_client ? 80 : 8080);
	put_stamps(&e, c->l, stamp, echo);
	expect_checksums(&e, c->s.v6);
	compare(&e, out, c->l->name, &c->s);
}

/* SYN and SYN-ACK: the one as it was, the other with the slot in TSval. */
static struct connection open_up(bool v6, unsigned vlans, const struct layout *l)
{
	static uint32_t offset = 12345; /* of a server's timestamps: another for each connection */
	struct connection c = {.s = segment(v6, vlans, l), .l = l, .client = 0x7ffffff0};
	struct outcome out;

	offset = offset * 1664525 + 1013904223;
	c.server_stamp = offset;
	out = pass(&c, false, SYN);
	c.server = server_of(&out, &c.s);
	check(&c, &out, c.client, 0);
	c.client_wire = c.client;
	out = pass(&c, true, SYN | ACK);
	c.server_wire = stamp_in(&out, &c, 0);
	if (l->at >= 0)
		cr_assert_eq(c.server_wire, sl_slot_wire(offset, c.server_wire % 512));
	check(&c, &out, c.server_wire, c.client);
	return c;
}

/* One of each way, time having passed at both. */
static void exchange(struct connection *c, uint8_t forward, uint8_t reply)
{
	uint32_t seen = c->server_stamp, wire = c->client_wire;
	struct outcome out;

	c->client += 3;
	out = pass(c, false, forward);
	c->client_wire = stamp_in(&out, c, 0);
	check(c, &out, c->client_wire, seen);
	cr_assert(c->l->at < 0 || (int32_t)(c->client_wire - wire) > 0, "%s: PAWS", c->l->name);
	c->server_stamp += 5;
	wire = c->server_wire;
	out = pass(c, true, reply);
	c->server_wire = stamp_in(&out, c, 0);
	check(c, &out, c->server_wire, c->client);
	cr_assert(c->l->at < 0 || (int32_t)(c->server_wire - wire) > 0, "%s: PAWS", c->l->name);
}

TestSuite(lb_slot, .timeout = 120);

Test(lb_slot, every_segment_byte_for_byte)
{
	lb_rig_up(&rig, SL_LB_KEEP_SLOT, SL_LB_SLOT_BITS);
	for (unsigned l = 0; l < LAYOUTS; l++)
		for (unsigned i = 0; i < 6; i++) {
			bool v6 = i & 1;
			struct connection c;

			if (layouts[l].at < 0)
				continue;
			c = open_up(v6, i / 2, &layouts[l]);
			lb_rig_table(&rig, v6, (int)((c.server + 1) % LB_RIG_SERVERS));
			exchange(&c, ACK, ACK);
			exchange(&c, ACK | 8, ACK | 8);
			exchange(&c, ACK | FIN, ACK | FIN);
			exchange(&c, ACK, ACK);
			exchange(&c, ACK | RST, ACK | RST);
			lb_rig_table(&rig, v6, -1);
		}
	cr_expect_gt(lb_rig_count(&rig, SL_LB_SLOT_TAKEN), 0);
	cr_expect_eq(lb_rig_count(&rig, SL_LB_SLOT), 5 * lb_rig_count(&rig, SL_LB_SLOT_TAKEN));
	cr_expect_eq(lb_rig_count(&rig, SL_LB_TABLE) + lb_rig_count(&rig, SL_LB_HASHED), 0);
	cr_expect_eq(lb_rig_count(&rig, SL_LB_SLOT_UNKNOWN), 0);
}

/* To which server an ACK of the connection goes. */
static unsigned ack(struct connection *c)
{
	struct outcome out = pass(c, false, ACK);

	cr_assert_eq(out.verdict, XDP_REDIRECT);
	return server_of(&out, &c->s);
}

Test(lb_slot, without_the_option_it_is_the_table_that_keeps)
{
	struct connection c;

	lb_rig_up(&rig, SL_LB_KEEP_SLOT, SL_LB_SLOT_BITS);
	c = open_up(false, 0, &layouts[LAYOUTS - 1]);
	lb_rig_table(&rig, false, (int)((c.server + 1) % LB_RIG_SERVERS));
	cr_expect_eq(ack(&c), c.server);
	cr_expect_eq(lb_rig_count(&rig, SL_LB_TABLE), 1);
	cr_expect_eq(lb_rig_count(&rig, SL_LB_SLOT_TAKEN), 0);
}

/* One with segments behind it, whose rows are another server's since: `other`. */
static struct connection open_and_turn(unsigned *other)
{
	struct connection c;

	lb_rig_up(&rig, SL_LB_KEEP_SLOT, SL_LB_SLOT_BITS);
	c = open_up(false, 0, data);
	exchange(&c, ACK, ACK);
	*other = (c.server + 1) % LB_RIG_SERVERS;
	lb_rig_table(&rig, false, (int)*other);
	return c;
}

/* The slots are this balancer's own: another, or this one begun anew, has the rows of the hash. */
Test(lb_slot, what_another_balancer_took_goes_by_the_hash_and_is_counted)
{
	unsigned other;
	struct connection c = open_and_turn(&other);

	rig.control.phase = 1; /* cookies' secrets are not the slots' */
	lb_rig_control(&rig);
	cr_expect_eq(ack(&c), c.server);
	rig.control.slot_key[0]++;
	lb_rig_control(&rig);
	cr_expect_eq(ack(&c), other);
	cr_expect_eq(lb_rig_count(&rig, SL_LB_SLOT_UNKNOWN), 1);
	cr_expect_eq(lb_rig_count(&rig, SL_LB_HASHED), 1);
}

Test(lb_slot, drained_servers_keep_their_connections_those_that_are_down_do_not)
{
	unsigned other;
	struct connection c = open_and_turn(&other);

	lb_rig_state(&rig, false, c.server, SL_LB_DRAIN);
	cr_expect_eq(ack(&c), c.server);
	lb_rig_state(&rig, false, c.server, SL_LB_DOWN);
	cr_expect_eq(ack(&c), other);
	cr_expect_eq(lb_rig_count(&rig, SL_LB_COOKIE_DOWN), 1);
	lb_rig_state(&rig, false, c.server, SL_LB_ABSENT);
	cr_expect_eq(ack(&c), other);
	cr_expect_eq(lb_rig_count(&rig, SL_LB_HASHED), 2);
}

/* Guessed echoes: none confirms a slot, and none is believed but one that names it. */
Test(lb_slot, forged_timestamps_change_nothing)
{
	struct connection c, f;
	unsigned found = 0;

	lb_rig_up(&rig, SL_LB_KEEP_SLOT, SL_LB_SLOT_BITS);
	c = open_up(false, 0, data);
	f = c;
	for (uint32_t i = 0; i < 20000; i++) {
		f.server_wire = i * 2654435761u;
		if (f.server_wire != c.server_wire)
			ack(&f);
	}
	cr_expect_eq(lb_rig_count(&rig, SL_LB_SLOT), 0);
	cr_expect_eq(lb_rig_count(&rig, SL_LB_SLOT_UNKNOWN), 20000);
	exchange(&c, ACK, ACK);
	f.s.client_port++; /* another connection's */
	for (uint32_t i = 0; i < 2000; i++) {
		f.server_wire = i;
		ack(&f);
		found += lb_rig_count(&rig, SL_LB_SLOT) > 1;
	}
	cr_expect_eq(found, 0);
}

static struct sl_lb_block block_0(void)
{
	static struct sl_lb_block b;
	uint32_t zero = 0;

	cr_assert_eq(bpf_map_lookup_elem(bpf_map__fd(rig.skel->maps.lb_slots), &zero, &b), 0);
	return b;
}

/* As if nothing had happened since. */
static void age(uint32_t ms)
{
	struct sl_lb_block b = block_0();
	uint32_t zero = 0;

	for (unsigned i = 0; i < SL_LB_BLOCK_SLOTS; i++)
		b.slot[i].seen.tick -= sl_slot_tick(ms) + 2;
	lb_put(rig.skel->maps.lb_slots, &zero, &b);
}

/* SYN-ACKs to clients that never come back: 128 slots, and who is there stays. */
Test(lb_slot, a_flood_takes_no_slot_of_who_is_there)
{
	struct connection c[64];
	struct outcome out;
	uint64_t taken;

	lb_rig_up(&rig, SL_LB_KEEP_SLOT, SL_LB_SLOT_BITS);
	rig.control.slot_blocks = 1;
	lb_rig_control(&rig);
	for (unsigned i = 0; i < 64; i++) {
		c[i] = open_up(false, 0, data);
		exchange(&c[i], ACK, ACK);
	}
	for (unsigned i = 0; i < 20000; i++) {
		struct connection f = {.s = segment(false, 0, data), .l = data, .server = i % 4};

		out = pass(&f, true, SYN | ACK);
		cr_assert_eq(out.verdict, XDP_REDIRECT);
	}
	cr_expect_eq(block_0().young, SL_LB_BLOCK_YOUNG);
	cr_expect_eq(lb_rig_count(&rig, SL_LB_SLOT_TAKEN), 64 + SL_LB_BLOCK_YOUNG);
	cr_expect_eq(lb_rig_count(&rig, SL_LB_SLOT_FULL), 20000 - SL_LB_BLOCK_YOUNG);
	for (unsigned i = 0; i < 64; i++)
		exchange(&c[i], ACK, ACK);
	/* A new one meanwhile goes without: by the table, its timestamps as they are. */
	c[0] = (struct connection){.s = segment(false, 0, data), .l = data, .server = 1};
	out = pass(&c[0], true, SYN | ACK);
	check(&c[0], &out, 0, 0);
	/* ... and the flood over, slots are there again when the sweep has come to them. */
	age(SL_SLOT_YOUNG_MS + 1);
	for (unsigned i = 0; i < SL_LB_BLOCK_SLOTS / SL_SLOT_SWEEP; i++)
		pass(&c[0], true, SYN | ACK);
	taken = lb_rig_count(&rig, SL_LB_SLOT_TAKEN);
	for (unsigned i = 0; i < 100; i++) {
		struct connection n = open_up(false, 0, data);

		exchange(&n, ACK, ACK);
	}
	cr_expect_geq(lb_rig_count(&rig, SL_LB_SLOT_TAKEN) - taken, 100);
	cr_expect_geq(lb_rig_count(&rig, SL_LB_SLOT_FREED), 100);
}

/* FIN both ways: the last ACK still finds it, and so does one that is sent again; then it is free.
 */
Test(lb_slot, it_is_released_after_the_last_ack_and_not_before)
{
	struct connection c;

	lb_rig_up(&rig, SL_LB_KEEP_SLOT, SL_LB_SLOT_BITS);
	rig.control.slot_blocks = 1;
	lb_rig_control(&rig);
	c = open_up(false, 0, data);
	exchange(&c, ACK, ACK);
	exchange(&c, ACK | FIN, ACK | FIN);
	exchange(&c, ACK, ACK | FIN);
	for (unsigned i = 0; i < SL_LB_BLOCK_SLOTS / SL_SLOT_SWEEP; i++)
		open_up(false, 0, data);
	exchange(&c, ACK, ACK | FIN);
	cr_expect_eq(lb_rig_count(&rig, SL_LB_SLOT_FREED), 0);
	age(SL_SLOT_CLOSED_MS + 1);
	for (unsigned i = 0; i < SL_LB_BLOCK_SLOTS / SL_SLOT_SWEEP; i++)
		open_up(false, 0, data);
	cr_expect_gt(lb_rig_count(&rig, SL_LB_SLOT_FREED), 0);
	ack(&c);
	cr_expect_eq(lb_rig_count(&rig, SL_LB_SLOT_UNKNOWN), 1);
}
