// SPDX-License-Identifier: GPL-2.0-or-later
/* firewall: its rules, what it knows of connections, how it refuses, and new rules under traffic.
 */
#include <stdio.h>
#include <unistd.h>

#include "nf/builtin.h"
#include "nf_rig.h"

#define IN "10.1.0.5"
#define OUT "192.0.2.9"

static struct rig rig;
static char path[] = "/tmp/sluice-rules-XXXXXX";

static void write_rules(const char *text)
{
	FILE *f = fopen(path, "w");

	fputs(text, f);
	fclose(f);
}

static void make_file(void)
{
	close(mkstemp(path));
}

static void remove_file(void)
{
	unlink(path);
}

static void open_with(const char *text)
{
	write_rules(text);
	cr_assert_eq(rig_open(&rig, &sl_nf_firewall, path), 0, "%s", rig.error);
}

TestSuite(firewall, .init = make_file, .fini = remove_file);

static enum sl_verdict udp(unsigned iface, const char *src, unsigned sport, const char *dst,
			   unsigned dport)
{
	struct frame f;

	frame_udp(&f, src, sport, dst, dport, 30);
	return rig_send(&rig, &f, iface);
}

static enum sl_verdict tcp(bool answer, unsigned flags, uint32_t seq, uint32_t ack)
{
	struct frame f;

	if (answer)
		frame_tcp(&f, OUT, 80, IN, 4000, flags, seq, ack, 0);
	else
		frame_tcp(&f, IN, 4000, OUT, 80, flags, seq, ack, 0);
	return rig_send(&rig, &f, answer);
}

static enum sl_verdict echo(bool answer, unsigned id)
{
	struct frame f;

	frame_echo(&f, answer ? OUT : IN, answer ? IN : OUT, answer ? 0 : 8, id, 8);
	return rig_send(&rig, &f, answer);
}

/* packets of rule i, or of the default. */
static long long matched(int i)
{
	json_t *all = rig_show(&rig), *rule = json_object_get(all, "default");
	long long n;

	if (i >= 0)
		rule = json_array_get(json_object_get(all, "rules"), (size_t)i);
	n = json_integer_value(json_object_get(rule, "packets"));
	json_decref(all);
	return n;
}

Test(firewall, first_match_decides_and_is_counted)
{
	open_with("# services\n"
		  "drop udp from any to any port 53 on out   # comment\n"
		  "pass udp,tcp from any to 192.0.2.0/24,198.51.100.7 port 53,8000-8010\n"
		  "\n"
		  "\tpass udp from 10.0.0.0/8 port 123 to any\n");
	cr_expect_eq(udp(1, IN, 999, OUT, 53), SL_DROP);
	cr_expect_eq(udp(0, IN, 999, OUT, 53), SL_NEXT);
	cr_expect_eq(udp(0, IN, 999, OUT, 7999), SL_DROP);
	cr_expect_eq(udp(0, IN, 999, OUT, 8000), SL_NEXT);
	cr_expect_eq(udp(0, IN, 999, "198.51.100.7", 8010), SL_NEXT);
	cr_expect_eq(udp(0, IN, 999, "198.51.100.8", 8010), SL_DROP);
	cr_expect_eq(udp(0, IN, 123, "198.51.100.8", 8010), SL_NEXT);
	cr_expect_eq(udp(0, "11.0.0.0", 123, "198.51.100.8", 8010), SL_DROP);
	cr_expect_eq(matched(0), 1);
	cr_expect_eq(matched(1), 3);
	cr_expect_eq(matched(2), 1);
	cr_expect_eq(matched(-1), 3);
	cr_expect_eq(rig_number(&rig, "passed"), 4);
	cr_expect_eq(rig_number(&rig, "dropped"), 4);
	rig_close(&rig);
}

#define OUTBOUND                                                                                   \
	"pass state established,related\n"                                                         \
	"pass on in state new\n"

Test(firewall, answers_pass_and_what_was_not_asked_for_does_not)
{
	struct frame f, error;

	open_with(OUTBOUND);
	cr_expect_eq(udp(1, OUT, 53, IN, 4000), SL_DROP);
	cr_expect_eq(udp(0, IN, 4000, OUT, 53), SL_NEXT);
	cr_expect_eq(udp(1, OUT, 53, IN, 4000), SL_NEXT);
	cr_expect_eq(udp(1, OUT, 54, IN, 4000), SL_DROP);
	cr_expect_eq(echo(true, 7), SL_DROP);
	cr_expect_eq(echo(false, 7), SL_NEXT);
	cr_expect_eq(echo(true, 7), SL_NEXT);
	cr_expect_eq(echo(true, 8), SL_DROP);

	frame_udp(&f, IN, 4000, OUT, 53, 30);
	frame_error(&error, "203.0.113.1", IN, &f, 28);
	cr_expect_eq(rig_send(&rig, &error, 1), SL_NEXT);
	frame_udp(&f, IN, 4001, OUT, 53, 30);
	frame_error(&error, "203.0.113.1", IN, &f, 28);
	cr_expect_eq(rig_send(&rig, &error, 1), SL_DROP);
	cr_expect_eq(rig_number(&rig, "packets.related"), 1);
	cr_expect_eq(rig_number(&rig, "connections"), 2);
	rig_close(&rig);
}

Test(firewall, tcp_from_its_syn_to_its_end)
{
	open_with(OUTBOUND);
	cr_expect_eq(tcp(true, F_SYN | F_ACK, 900, 101), SL_DROP);
	cr_expect_eq(tcp(false, F_SYN, 100, 0), SL_NEXT);
	cr_expect_eq(tcp(true, F_SYN | F_ACK, 900, 101), SL_NEXT);
	cr_expect_eq(tcp(false, F_ACK, 101, 901), SL_NEXT);
	cr_expect_eq(rig_number(&rig, "states.established"), 1);
	cr_expect_eq(tcp(true, F_SYN | F_FIN, 901, 101), SL_DROP, "flags that never meet");
	cr_expect_eq(tcp(true, F_RST, 5000000, 0), SL_DROP, "a reset far outside");
	cr_expect_eq(rig_number(&rig, "states.established"), 1);
	cr_expect_eq(tcp(true, F_RST | F_ACK, 901, 101), SL_NEXT);
	cr_expect_eq(rig_number(&rig, "states.reset"), 1);
	cr_expect_eq(tcp(true, F_SYN, 1, 0), SL_DROP, "opened anew from outside");
	cr_expect_eq(rig_number(&rig, "states.reset"), 1, "what was dropped moves nothing");
	cr_expect_eq(tcp(false, F_SYN, 7000, 0), SL_NEXT);
	cr_expect_eq(rig_number(&rig, "made"), 2);
	cr_expect_eq(rig_number(&rig, "packets.invalid"), 3);
	rig_close(&rig);
}

/* `sluice flows` of the connection that the frame belongs to. */
static void flow_shows(struct frame *f, const char *part)
{
	struct sl_flow_key key;
	char shown[512];
	void *v;

	cr_assert_eq(sl_packet_flow_key(&f->pkt, &key, NULL), 0);
	v = sl_flow_lookup(f->tables[0], &key, f->meta.hash, rig.now, 0);
	cr_assert_not_null(v);
	cr_assert_gt(sl_nf_firewall.flow_show(rig.self, &key, v, shown, sizeof(shown)), 0);
	cr_expect_not_null(strstr(shown, part), "%s, not %s", shown, part);
}

Test(firewall, a_new_connection_in_the_place_of_another_counts_from_zero)
{
	struct frame f;

	open_with("pass\n");
	tcp(false, F_SYN, 100, 0);
	tcp(true, F_SYN | F_ACK, 900, 101);
	tcp(true, F_RST | F_ACK, 901, 101);
	frame_tcp(&f, IN, 4000, OUT, 80, F_SYN, 7000, 0, 0);
	cr_expect_eq(rig_send(&rig, &f, 0), SL_NEXT);
	flow_shows(&f, "\"packets\":1,\"bytes\":54,\"packets_reply\":0,");
	rig_close(&rig);
}

Test(firewall, beginnings_that_were_not_seen)
{
	open_with("pass state new,established\n");
	cr_expect_eq(tcp(false, F_ACK, 100, 1), SL_NEXT);
	cr_expect_eq(udp(0, IN, 1, OUT, 2), SL_NEXT);
	rig_close(&rig);
	open_with("tcp strict\npass state new,established\n");
	cr_expect_eq(tcp(false, F_ACK, 100, 1), SL_DROP);
	cr_expect_eq(tcp(false, F_FIN | F_ACK, 100, 1), SL_DROP);
	cr_expect_eq(tcp(false, F_SYN, 100, 0), SL_NEXT);
	rig_close(&rig);
}

Test(firewall, what_is_dropped_leaves_no_trace_and_what_is_silent_is_forgotten)
{
	open_with(OUTBOUND);
	for (unsigned i = 0; i < 50; i++)
		cr_expect_eq(udp(1, OUT, 1000 + i, IN, 2000), SL_DROP);
	cr_expect_eq(rig_flows(&rig), 0);
	udp(0, IN, 4000, OUT, 53);
	rig_pass(&rig, 29 * SEC);
	cr_expect_eq(rig_flows(&rig), 1);
	rig_pass(&rig, 2 * SEC);
	cr_expect_eq(rig_flows(&rig), 0);
	cr_expect_eq(rig_number(&rig, "connections"), 0);
	cr_expect_eq(udp(1, OUT, 53, IN, 4000), SL_DROP);
	rig_close(&rig);
}

Test(firewall, new_rules_find_the_old_connections)
{
	char why[256] = "";

	open_with(OUTBOUND);
	udp(0, IN, 4000, OUT, 53);
	udp(1, OUT, 53, IN, 4000);
	udp(1, OUT, 53, IN, 4000);
	write_rules("pass state established\n");
	cr_assert_eq(sl_nf_firewall.reload(rig.self, why, sizeof(why)), 0, "%s", why);
	cr_expect_eq(udp(1, OUT, 53, IN, 4000), SL_NEXT);
	cr_expect_eq(udp(0, IN, 4001, OUT, 53), SL_DROP);
	cr_expect_eq(rig_number(&rig, "loaded"), 2);

	write_rules("pass\nblock all\n");
	cr_expect_eq(sl_nf_firewall.reload(rig.self, why, sizeof(why)), -EINVAL);
	cr_expect_not_null(strstr(why, ":2: 'block' is no action"), "%s", why);
	cr_expect_eq(udp(0, IN, 4001, OUT, 53), SL_DROP, "the old rules stay");

	write_rules("drop from any to 10.0.0.0/8\npass\n");
	cr_assert_eq(sl_nf_firewall.reload(rig.self, why, sizeof(why)), 0);
	cr_expect_eq(udp(1, OUT, 53, IN, 4000), SL_DROP, "new rules hold for old connections");
	cr_expect_eq(udp(0, IN, 4000, OUT, 53), SL_NEXT);
	rig_close(&rig);
}

static void add_tag(struct frame *f, unsigned vlan)
{
	memmove(f->b + 16, f->b + 12, f->pkt.len - 12);
	store16(f->b + 12, 0x8100);
	store16(f->b + 14, 0x6000 | vlan);
	f->pkt.len += 4;
}

static enum sl_verdict tagged(unsigned vlan)
{
	struct frame f;

	frame_udp(&f, IN, 1, OUT, 2, 30);
	if (vlan)
		add_tag(&f, vlan);
	return rig_send(&rig, &f, 0);
}

Test(firewall, vlans_and_types)
{
	struct frame f;

	open_with("pass vlan 12\npass vlan none udp\npass inet icmp type echo-request\n");
	cr_expect_eq(tagged(12), SL_NEXT);
	cr_expect_eq(tagged(13), SL_DROP);
	cr_expect_eq(tagged(0), SL_NEXT);
	cr_expect_eq(matched(0), 1);
	cr_expect_eq(echo(false, 1), SL_NEXT);
	cr_expect_eq(echo(true, 1), SL_DROP);
	frame_echo(&f, IN, OUT, 13, 0, 12);
	cr_expect_eq(rig_send(&rig, &f, 0), SL_DROP);
	rig_close(&rig);
}

Test(firewall, fragments)
{
	struct frame f;

	open_with("pass\n");
	frame_udp(&f, IN, 1, OUT, 2, 30);
	store16(f.b + ETH + 6, 0x2000);
	cr_expect_eq(rig_send(&rig, &f, 0), SL_DROP);
	cr_expect_eq(f.pkt.reason, SL_DROP_MORE + 1);
	rig_close(&rig);
	open_with("fragments rules\npass udp from any to any port 2\npass udp from any to "
		  "10.0.0.0/8\n");
	cr_expect_eq(rig_send(&rig, &f, 0), SL_DROP, "its port is not known");
	frame_udp(&f, OUT, 1, IN, 2, 30);
	store16(f.b + ETH + 6, 0x2001);
	cr_expect_eq(rig_send(&rig, &f, 0), SL_NEXT);
	rig_close(&rig);
}

Test(firewall, refusals_by_reset)
{
	struct frame f;
	const uint8_t *ip = f.b + ETH;

	open_with("reject\n");
	frame_tcp(&f, IN, 4000, OUT, 80, F_SYN, 100, 0, 0);
	f.b[ETH + 1] = 0x10;
	fill_checks(f.b + ETH);
	cr_expect_eq(rig_send(&rig, &f, 1), SL_TX);
	cr_expect_eq(f.pkt.out_iface, 1);
	cr_expect_eq(f.pkt.len, ETH + 40);
	cr_expect(checks_hold(ip));
	cr_expect_arr_eq(f.b, "\x02\x00\x00\x00\x00\x01\x02\x00\x00\x00\x00\x02", 12);
	cr_expect_eq(load32(ip + 16), ntohl(inet_addr(IN)));
	cr_expect_eq(load32(ip + 20), 80u << 16 | 4000);
	cr_expect_eq(load32(ip + 24), 0);
	cr_expect_eq(load32(ip + 28), 101);
	cr_expect_eq(ip[33], F_RST | F_ACK);

	frame_tcp(&f, IN, 4000, OUT, 80, F_ACK, 100, 777, 10);
	cr_expect_eq(rig_send(&rig, &f, 0), SL_TX);
	cr_expect(checks_hold(ip));
	cr_expect_eq(load32(ip + 24), 777);
	cr_expect_eq(ip[33], F_RST);

	frame_tcp(&f, IN, 4000, OUT, 80, F_RST, 100, 0, 0);
	cr_expect_eq(rig_send(&rig, &f, 0), SL_DROP, "no reset answers a reset");
	cr_expect_eq(f.pkt.reason, SL_DROP_MORE);
	cr_expect_eq(rig_number(&rig, "rejected"), 3);
	rig_close(&rig);
}

Test(firewall, refusals_by_error)
{
	struct frame f, error, sent;
	const uint8_t *ip = f.b + ETH;
	unsigned answered = 0;

	open_with("reject\n");
	frame_udp(&sent, IN, 4000, OUT, 53, 30);
	f = sent;
	cr_expect_eq(rig_send(&rig, &f, 0), SL_TX);
	cr_expect(checks_hold(ip));
	cr_expect_eq(load16(ip + 20), 0x0303);
	cr_expect_eq(f.pkt.len, ETH + 28 + 58);
	cr_expect_arr_eq(ip + 28, sent.b + ETH, 58);
	cr_expect_eq(load32(ip + 12), ntohl(inet_addr(OUT)));
	cr_expect_eq(load32(ip + 16), ntohl(inet_addr(IN)));

	frame_udp(&f, IN, 4000, OUT, 53, 1400);
	cr_expect_eq(rig_send(&rig, &f, 0), SL_TX);
	cr_expect_eq(f.pkt.len, ETH + 28 + 512);
	cr_expect(checks_hold(ip));

	frame_error(&error, OUT, IN, &sent, 28);
	cr_expect_eq(rig_send(&rig, &error, 0), SL_DROP);
	frame_udp(&f, IN, 4000, "224.0.0.251", 53, 30);
	cr_expect_eq(rig_send(&rig, &f, 0), SL_DROP);
	for (unsigned i = 0; i < 100; i++) {
		f = sent;
		answered += rig_send(&rig, &f, 0) == SL_TX;
	}
	cr_expect(answered >= 6 && answered <= 8, "%u", answered);
	rig_pass(&rig, SEC);
	f = sent;
	cr_expect_eq(rig_send(&rig, &f, 0), SL_TX);
	rig_close(&rig);
}

/* An IPv6 packet of `bytes` from ...:1 to ...:2; returns its L4 header. */
static uint8_t *frame_v6(struct frame *f, const char *prefix, unsigned proto, unsigned bytes)
{
	uint8_t *ip = f->b + ETH;

	memset(f, 0, sizeof(*f));
	memcpy(f->b, "\x02\x00\x00\x00\x00\x02\x02\x00\x00\x00\x00\x01\x86\xdd", ETH);
	ip[0] = 0x60;
	store16(ip + 4, bytes);
	ip[6] = (uint8_t)proto;
	ip[7] = 64;
	inet_pton(AF_INET6, prefix, ip + 8);
	memcpy(ip + 24, ip + 8, 16);
	ip[23] = 1;
	ip[39] = 2;
	f->pkt.len = ETH + 40 + bytes;
	return ip + 40;
}

static bool v6_check_holds(const uint8_t *ip)
{
	unsigned n = load16(ip + 4);

	return fold(sum16(ip + 40, n, sum16(ip + 8, 32, ip[6] + n))) == 0xffff;
}

Test(firewall, ipv6)
{
	struct frame f;
	const uint8_t *ip = f.b + ETH;
	uint8_t *l4;

	open_with("pass udp from 2001:db8::/32 to any port 9\nreject inet6\npass\n");
	l4 = frame_v6(&f, "2001:db8::", 17, 20);
	store16(l4 + 2, 9);
	cr_expect_eq(rig_send(&rig, &f, 0), SL_NEXT);
	l4 = frame_v6(&f, "2001:db9::", 17, 20);
	store16(l4 + 2, 9);
	cr_expect_eq(rig_send(&rig, &f, 0), SL_TX);
	cr_expect_eq(f.pkt.len, ETH + 40 + 8 + 60);
	cr_expect_eq(load16(ip + 40), 0x0104);
	cr_expect_eq(ip[6], 58);
	cr_expect_eq(ip[23], 2);
	cr_expect_eq(ip[39], 1);
	cr_expect(v6_check_holds(ip));
	l4 = frame_v6(&f, "2001:db9::", 6, 20);
	l4[12] = 0x50;
	l4[13] = F_SYN;
	cr_expect_eq(rig_send(&rig, &f, 0), SL_TX);
	cr_expect_eq(f.pkt.len, ETH + 40 + 20);
	cr_expect(v6_check_holds(ip));
	cr_expect_eq(udp(0, IN, 1, OUT, 9), SL_NEXT);
	frame_v6(&f, "::ffff:10.1.0.0", 17, 20);
	cr_expect_eq(rig_send(&rig, &f, 0), SL_DROP, "IPv4 in disguise");
	cr_expect_eq(f.pkt.reason, SL_DROP_MALFORMED);
	rig_close(&rig);
}

/* The line of the error, and a part of what it says. */
static const struct wrong {
	const char *rules;
	unsigned line;
	const char *says;
} wrong[] = {
	{"pass\n\nallow tcp\n", 3, "'allow' is no action: write pass|drop|reject"},
	{"pass tpc from any\n", 1, "'tpc' is no word of a rule"},
	{"pass from 10.0.0.0/33\n", 1, "'10.0.0.0/33' is no prefix"},
	{"pass from 10.0.0/8\n", 1, "'10.0.0/8' is no prefix"},
	{"pass tcp from any port 70000\n", 1, "'70000' is no port"},
	{"pass tcp from any port 20-10\n", 1, "'20-10' is no port"},
	{"pass from any port 53\n", 1, "port without a protocol: write tcp, udp, or tcp,udp"},
	{"pass tcp,icmp from any port 53\n", 1, "protocol 1 has no ports"},
	{"pass tcp port 53\n", 1, "port before from and to"},
	{"pass on eth9\n", 1, "on eth9: no interface of this instance, whose first is in"},
	{"pass vlan 4095\n", 1, "vlan 4095: write 1-4094, or none"},
	{"pass state old\n", 1, "state 'old': write new, established, related, invalid"},
	{"pass from 10.0.0.0/8 to 2001:db8::/32\n", 1, "IPv4 and IPv6 in one rule"},
	{"pass inet from 2001:db8::/32\n", 1, "IPv4 and IPv6 in one rule"},
	{"pass tcp type 8\n", 1, "type 8 goes with icmp or icmp6"},
	{"pass icmp type ping\n", 1, "type 'ping': write 0-255, echo-request"},
	{"pass from\n", 1, "nothing behind 'from'"},
	{"default allow\n", 1, "default allow: write pass, drop or reject"},
	{"fragments yes\n", 1, "fragments yes: write drop, or rules"},
	{"tcp any\n", 1, "tcp any: write strict or loose"},
};

Test(firewall, errors_name_line_and_mend)
{
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		char at[64];

		write_rules(wrong[i].rules);
		cr_expect_eq(rig_open(&rig, &sl_nf_firewall, path), -EINVAL, "%s", wrong[i].rules);
		snprintf(at, sizeof(at), "%s:%u: ", path, wrong[i].line);
		cr_expect_eq(strncmp(rig.error, at, strlen(at)), 0, "%s", rig.error);
		cr_expect_not_null(strstr(rig.error, wrong[i].says), "%s", rig.error);
		rig_close(&rig);
	}
	unlink(path);
	cr_expect_eq(rig_open(&rig, &sl_nf_firewall, path), -EINVAL);
	cr_expect_not_null(strstr(rig.error, "name a file of rules"), "%s", rig.error);
	rig_close(&rig);
}

Test(firewall, ten_thousand_rules)
{
	FILE *f = fopen(path, "w");

	for (unsigned i = 0; i < 10000; i++)
		fprintf(f, "%s tcp,udp from 10.%u.%u.0/24 to any port %u-%u\n",
			i % 2 ? "drop" : "pass", i / 256, i % 256, i, i + 10);
	fclose(f);
	cr_assert_eq(rig_open(&rig, &sl_nf_firewall, path), 0, "%s", rig.error);
	cr_expect_eq(udp(0, "10.3.7.9", 5, OUT, 776), SL_DROP);
	cr_expect_eq(udp(0, "10.3.8.9", 5, OUT, 776), SL_NEXT);
	cr_expect_eq(udp(0, "10.3.8.9", 5, OUT, 775), SL_DROP);
	cr_expect_eq(rig_number(&rig, "passed"), 1);
	rig_close(&rig);
}
