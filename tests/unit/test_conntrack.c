// SPDX-License-Identifier: GPL-2.0-or-later
/* conntrack, and with it the tracker of connection states that other NFs share. */
#include "nf/builtin.h"
#include "nf/conn.h"
#include "nf_rig.h"

#define A "10.1.0.5"
#define B "192.0.2.9"

static struct rig rig;

static void open_rig(void)
{
	cr_assert_eq(rig_open(&rig, &sl_nf_conntrack, ""), 0);
}

static void close_rig(void)
{
	rig_close(&rig);
}

TestSuite(conntrack, .init = open_rig, .fini = close_rig);

/* From A, or as answer from B. */
static void tcp(bool answer, unsigned flags, uint32_t seq, uint32_t ack, unsigned bytes)
{
	struct frame f;

	if (answer)
		frame_tcp(&f, B, 80, A, 4000, flags, seq, ack, bytes);
	else
		frame_tcp(&f, A, 4000, B, 80, flags, seq, ack, bytes);
	cr_assert_eq(rig_send(&rig, &f, answer), SL_NEXT);
}

static void state_is(const char *name)
{
	for (unsigned s = CONN_UNREPLIED; s < CONN_STATES; s++) {
		char path[64];

		snprintf(path, sizeof(path), "states.%s", conn_state_name(s));
		cr_assert_eq(rig_number(&rig, path), !strcmp(name, conn_state_name(s)),
			     "%s while %s is right", path, name);
	}
}

/* Nothing goes before its time, and nothing stays more than two ticks longer. */
static void lasts(unsigned seconds)
{
	rig_pass(&rig, seconds * SEC - 1);
	cr_assert_eq(rig_flows(&rig), 1, "gone before %u s", seconds);
	rig_pass(&rig, (2ull << 21) + 1);
	cr_assert_eq(rig_flows(&rig), 0, "there after %u s", seconds);
}

static void handshake(void)
{
	tcp(false, F_SYN, 100, 0, 0);
	state_is("syn_sent");
	tcp(true, F_SYN | F_ACK, 900, 101, 0);
	state_is("syn_received");
	tcp(false, F_ACK, 101, 901, 0);
	state_is("established");
}

Test(conntrack, a_whole_connection)
{
	handshake();
	tcp(false, F_ACK, 101, 901, 500);
	tcp(true, F_ACK, 901, 601, 1000);
	tcp(false, F_FIN | F_ACK, 601, 1901, 0);
	state_is("fin_wait");
	tcp(true, F_ACK, 1901, 602, 200); /* half closed: the other may go on */
	state_is("fin_wait");
	tcp(true, F_FIN | F_ACK, 2101, 602, 0);
	state_is("last_ack");
	tcp(false, F_ACK, 602, 2101, 0); /* not yet the FIN */
	state_is("last_ack");
	tcp(false, F_ACK, 602, 2102, 0);
	state_is("time_wait");
	cr_assert_eq(rig_number(&rig, "made"), 1);
	cr_assert_eq(rig_number(&rig, "established"), 1);
	lasts(120);
	cr_assert_eq(rig_number(&rig, "closed"), 1);
	cr_assert_eq(rig_number(&rig, "timed_out"), 0);
	state_is("nothing");
}

Test(conntrack, times_of_tcp)
{
	tcp(false, F_SYN, 100, 0, 0);
	lasts(60);
	handshake();
	lasts(7440);
	handshake();
	tcp(true, F_FIN | F_ACK, 901, 101, 0);
	lasts(240);
	handshake();
	tcp(true, F_RST, 901, 0, 0);
	state_is("reset");
	lasts(10);
	cr_assert_eq(rig_number(&rig, "timed_out"), 3);
	cr_assert_eq(rig_number(&rig, "reset"), 1);
}

Test(conntrack, times_of_others)
{
	struct frame f;

	frame_udp(&f, A, 53, B, 53, 10);
	rig_send(&rig, &f, 0);
	state_is("unreplied");
	lasts(30);
	frame_udp(&f, A, 53, B, 53, 10);
	rig_send(&rig, &f, 0);
	frame_udp(&f, B, 53, A, 53, 10);
	rig_send(&rig, &f, 1);
	state_is("replied");
	lasts(300);
	frame_echo(&f, A, B, 8, 77, 4);
	rig_send(&rig, &f, 0);
	frame_echo(&f, B, A, 0, 77, 4);
	rig_send(&rig, &f, 1);
	state_is("replied");
	lasts(60);
}

/* The latest packet starts the time of its state, whatever stood before. */
Test(conntrack, a_packet_prolongs)
{
	handshake();
	rig_pass(&rig, 7000 * SEC);
	tcp(true, F_ACK, 901, 101, 5);
	lasts(7440);
}

/* `sluice flows` of the connection that A's frame belongs to. */
static void flow_shows(struct frame *f, const char *text)
{
	struct sl_flow_key key;
	char shown[512];
	void *v;

	cr_assert_eq(sl_packet_flow_key(&f->pkt, &key, NULL), 0);
	v = sl_flow_lookup(f->tables[0], &key, f->meta.hash, rig.now, 0);
	cr_assert_not_null(v);
	cr_assert_gt(sl_nf_conntrack.flow_show(rig.self, &key, v, shown, sizeof(shown)), 0);
	cr_assert(strstr(shown, text), "%s, not %s", shown, text);
}

Test(conntrack, a_new_connection_in_its_place_counts_from_zero)
{
	struct frame f;

	handshake();
	frame_tcp(&f, A, 4000, B, 80, F_ACK, 101, 901, 7);
	cr_assert_eq(rig_send(&rig, &f, 0), SL_NEXT);
	flow_shows(&f, "\"packets\":3,\"bytes\":169,\"packets_reply\":1,\"bytes_reply\":54,");
	tcp(true, F_RST, 901, 0, 0);
	frame_tcp(&f, A, 4000, B, 80, F_SYN, 5000, 0, 0);
	cr_assert_eq(rig_send(&rig, &f, 0), SL_NEXT);
	flow_shows(&f, "\"packets\":1,\"bytes\":54,\"packets_reply\":0,\"bytes_reply\":0,");
	cr_assert_eq(rig_number(&rig, "made"), 2);
}

Test(conntrack, a_reset_from_nowhere_changes_nothing)
{
	handshake();
	tcp(true, F_ACK, 901, 101, 1000);
	tcp(false, F_ACK, 101, 1901, 0);
	tcp(true, F_RST, 1901 + 200000, 0, 0);
	tcp(true, F_RST, 500, 0, 0);
	state_is("established");
	cr_assert_eq(rig_number(&rig, "invalid"), 2);
	tcp(true, F_RST, 1901, 0, 0);
	state_is("reset");
}

Test(conntrack, a_refused_syn)
{
	tcp(false, F_SYN, 100, 0, 0);
	tcp(true, F_RST | F_ACK, 0, 77, 0);
	state_is("syn_sent");
	tcp(true, F_RST | F_ACK, 0, 101, 0);
	state_is("reset");
	/* and another try from the same port is another connection */
	tcp(false, F_SYN, 5000, 0, 0);
	state_is("syn_sent");
	cr_assert_eq(rig_number(&rig, "made"), 2);
	cr_assert_eq(rig_number(&rig, "reset"), 1);
}

Test(conntrack, the_middle_of_a_connection)
{
	tcp(true, F_ACK, 900, 100, 50);
	state_is("midstream");
	tcp(true, F_ACK, 950, 100, 50);
	state_is("midstream");
	tcp(false, F_ACK, 100, 1000, 0);
	state_is("established");
	cr_assert_eq(rig_number(&rig, "midstream"), 1);
}

Test(conntrack, sequence_numbers_wrap)
{
	tcp(false, F_SYN, 0xffffff00, 0, 0);
	tcp(true, F_SYN | F_ACK, 0xfffffff0, 0xffffff01, 0);
	tcp(false, F_ACK, 0xffffff01, 0xfffffff1, 400);
	tcp(true, F_ACK, 0xfffffff1, 0x91, 0);
	tcp(false, F_FIN | F_ACK, 0x91, 0xfffffff1, 0);
	tcp(true, F_FIN | F_ACK, 0xfffffff1, 0x92, 30);
	tcp(false, F_ACK, 0x92, 0x10, 0);
	state_is("time_wait");
}

Test(conntrack, errors_belong_to_nothing_new)
{
	struct frame f, g;

	frame_udp(&f, A, 1, B, 2, 30);
	frame_error(&g, "198.51.100.1", A, &f, 28);
	cr_assert_eq(rig_send(&rig, &g, 1), SL_NEXT);
	cr_assert_eq(rig_flows(&rig), 0);
	cr_assert_eq(rig_number(&rig, "icmp_errors"), 1);
}

/* Whatever comes: the states add up to the flows that there are, and made to them and the ended. */
Test(conntrack, counts_add_up)
{
	for (unsigned i = 0; i < 20000; i++) {
		struct frame f;
		uint64_t r = random64();
		bool answer = r & 1;

		frame_tcp(&f, answer ? B : A, answer ? 80 : 4000 + (r >> 8) % 50, answer ? A : B,
			  answer ? 4000 + (r >> 8) % 50 : 80, (r >> 16) & 0x1f,
			  (uint32_t)(r >> 24) % 300, (uint32_t)(r >> 40) % 300, (r >> 52) % 9);
		rig_send(&rig, &f, answer);
		if (!(i % 64))
			rig_pass(&rig, (r >> 20) % (20 * SEC));
		if (!(i % 500)) {
			json_t *all = rig_show(&rig), *n;
			long long sum = 0, flows = (long long)rig_flows(&rig);
			const char *name;

			json_object_foreach (json_object_get(all, "states"), name, n)
				sum += json_integer_value(n);
			json_decref(all);
			cr_assert_eq(sum, flows);
			cr_assert_eq(rig_number(&rig, "made"),
				     flows + rig_number(&rig, "closed") +
					     rig_number(&rig, "reset") +
					     rig_number(&rig, "timed_out"));
		}
	}
	cr_assert_gt(rig_number(&rig, "closed"), 0);
}

Test(conntrack_arguments, are_refused)
{
	cr_assert_eq(rig_open(&rig, &sl_nf_conntrack, "x"), -EINVAL);
	cr_assert_str_eq(rig.error, "'x': it takes no arguments");
}

/* The counts of a shard that are by state. */
static uint64_t counted(unsigned shard)
{
	const uint64_t *now = sl_nf_shard(&rig.host, shard);
	uint64_t sum = 0;

	for (unsigned s = 0; s < CONN_STATES; s++)
		sum += now[s];
	return sum;
}

/* Its bucket was split, or is whole again: whoever has the new shard alone may touch its counts. */
Test(conntrack, a_connection_that_changes_shards)
{
	unsigned from = 0, to;

	handshake();
	while (!sl_flow_table_count(rig.tables[from]))
		from++;
	to = (from + 1) % RIG_BUCKETS;
	cr_assert_eq(counted(from), 1);
	cr_assert_eq(sl_flow_table_give(rig.tables[from],
					&(struct sl_flow_heirs){&rig.tables[to], from, to, 32}, 10),
		     0);
	state_is("established");
	cr_expect_eq(counted(from), 0);
	cr_expect_eq(counted(to), 1);
	sl_flow_table_free(rig.tables[to]);
	rig.tables[to] = NULL;
	cr_expect_eq(counted(to), 0);
	cr_expect_eq(counted(from), 0);
}
