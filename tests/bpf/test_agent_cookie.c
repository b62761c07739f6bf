// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The cookie on the server itself: what goes out and what comes back, with BPF_PROG_TEST_RUN, of
 * real connections of this kernel, which say what their timestamps are (TCP_TIMESTAMP).
 */
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include "agent_rig.h"

#define SERVER 77
#define BITS 9

/* A server's socket of a connection within the namespace, and the addresses of its ends. */
struct connection {
	bool v6;
	int listener, client, server;
	uint16_t client_port, port;
	__be32 from[4], to[4]; /* client's, server's */
};

struct cookie_rig {
	struct agent_rig agent;
	int out; /* program */
	struct sl_agent_control ctl;
};

static void set_control(struct cookie_rig *r)
{
	uint32_t zero = 0;

	lb_put(r->agent.skel->maps.agent_control, &zero, &r->ctl);
}

static void rig_up(struct cookie_rig *r, unsigned mode)
{
	agent_rig_up(&r->agent);
	cr_assert_eq(
		run("ip addr add 10.9.9.9/32 dev lo && ip -6 addr add fd09::9/128 dev lo nodad "
		    "&& sysctl -qw net.ipv4.tcp_timestamps=%u",
		    mode),
		0);
	r->out = bpf_program__fd(r->agent.skel->progs.sluice_agent_out);
	r->ctl = (struct sl_agent_control){.key = {{1, 2}, {3, 4}}};
	set_control(r);
}

/* The end on `port` (0: all) of the VIP's address is that of VIP port `as`. */
static void serve(struct cookie_rig *r, bool v6, uint16_t port, uint16_t as)
{
	struct sl_agent_end end = {.port = htons(port)};
	struct sl_agent_service s = {.port = htons(as), .server = SERVER, .bits = BITS};

	lb_vip_address(v6, end.addr);
	lb_vip_address(v6, s.vip);
	lb_put(r->agent.skel->maps.agent_services, &end, &s);
}

static uint16_t name_of(int fd, bool v6, __be32 addr[4])
{
	struct sockaddr_storage at;
	socklen_t len = sizeof(at);
	const struct sockaddr_in *in4 = (void *)&at;
	const struct sockaddr_in6 *in6 = (void *)&at;

	cr_assert_eq(getsockname(fd, (void *)&at, &len), 0);
	memset(addr, 0, 16);
	if (v6)
		memcpy(addr, &in6->sin6_addr, 16);
	else
		addr[3] = in4->sin_addr.s_addr;
	return ntohs(v6 ? in6->sin6_port : in4->sin_port);
}

static struct connection connected(bool v6)
{
	struct connection c = {.v6 = v6};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
	struct sockaddr_in in4 = {.sin_family = AF_INET};
	struct sockaddr *at = v6 ? (void *)&in6 : (void *)&in4;
	socklen_t len = v6 ? sizeof(in6) : sizeof(in4);

	inet_pton(AF_INET, "10.9.9.9", &in4.sin_addr);
	inet_pton(AF_INET6, "fd09::9", &in6.sin6_addr);
	c.listener = socket(at->sa_family, SOCK_STREAM, 0);
	cr_assert(!bind(c.listener, at, len) && !listen(c.listener, 4));
	c.port = name_of(c.listener, v6, c.to);
	getsockname(c.listener, at, &len);
	c.client = socket(at->sa_family, SOCK_STREAM, 0);
	cr_assert_eq(connect(c.client, at, len), 0);
	c.client_port = name_of(c.client, v6, c.from);
	c.server = accept(c.listener, NULL, NULL);
	cr_assert(c.server >= 0);
	return c;
}

/* What the connection would write now. */
static uint32_t stamp_of(const struct connection *c)
{
	uint32_t stamp;
	socklen_t len = sizeof(stamp);

	cr_assert_eq(getsockopt(c->server, IPPROTO_TCP, TCP_TIMESTAMP, &stamp, &len), 0);
	return stamp;
}

static const char *const layouts[] = {
	"\1\1\10\12ttttTTTT", /* usual */
	"\10\12ttttTTTT\1\1",
	"\1\10\12ttttTTTT\1", /* at an odd offset */
	"\1\1\5\12aaaaaaaa\1\10\12ttttTTTT\1",
};
static const unsigned layout_size[] = {12, 12, 12, 24};
#define LAYOUTS 4

/* A segment of the connection from its server (`out`) or to it. Returns the offset of TSval. */
static unsigned segment(const struct connection *c, bool out, uint8_t flags, unsigned layout,
			uint32_t stamp, uint32_t echo, struct frame *f)
{
	const struct segment s = {.v6 = c->v6,
				  .client_port = out ? c->port : c->client_port,
				  .flags = flags,
				  .options = layouts[layout],
				  .options_n = layout_size[layout],
				  .stamp = stamp,
				  .echo = echo,
				  .ttl = 60};
	const char *t = memchr(s.options, 't', s.options_n);
	uint16_t dest = out ? c->client_port : c->port;
	unsigned l4, check;

	segment_build(&s, f, &l4);
	/* the rig's ends become the connection's */
	if (c->v6) {
		memcpy(f->b + 14 + 8, out ? c->to : c->from, 16);
		memcpy(f->b + 14 + 24, out ? c->from : c->to, 16);
	} else {
		memcpy(f->b + 14 + 12, (out ? c->to : c->from) + 3, 4);
		memcpy(f->b + 14 + 16, (out ? c->from : c->to) + 3, 4);
		f->b[24] = f->b[25] = 0;
		check = ~lb_sum(f->b + 14, 20, 0) & 0xffff;
		f->b[24] = (uint8_t)(check >> 8);
		f->b[25] = (uint8_t)check;
	}
	f->b[l4 + 2] = (uint8_t)(dest >> 8);
	f->b[l4 + 3] = (uint8_t)dest;
	f->b[l4 + 16] = f->b[l4 + 17] = 0;
	check = ~lb_tcp_sum(f->b, c->v6, 14, l4, f->len) & 0xffff;
	f->b[l4 + 16] = (uint8_t)(check >> 8);
	f->b[l4 + 17] = (uint8_t)check;
	return l4 + 20 + (unsigned)(t - s.options);
}

static uint32_t word(const uint8_t *b)
{
	return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

/* Only the four bytes at `at` and the checksum differ, and that is right. */
static uint32_t changed(const struct frame *f, const struct outcome *out, bool v6, unsigned at)
{
	unsigned l4 = v6 ? 54 : 34;
	struct frame rest = *f;

	cr_assert_eq(out->verdict, UINT32_MAX);
	cr_assert_eq(out->len, f->len);
	cr_assert_eq(lb_tcp_sum(out->b, v6, 14, l4, out->len), 0xffff, "checksum");
	memcpy(rest.b + at, out->b + at, 4);
	memcpy(rest.b + l4 + 16, out->b + l4 + 16, 2);
	cr_assert(!memcmp(rest.b, out->b, out->len), "something else changed");
	return word(out->b + at);
}

static struct sl_lb_ends ends_of(const struct connection *c, uint16_t vip_port)
{
	struct sl_lb_ends e = {
		.client_port = c->client_port, .vip_port = vip_port, .proto = 6, .v6 = c->v6};

	memcpy(e.client, c->from, 16);
	memcpy(e.vip, c->to, 16);
	return e;
}

/* One timestamp's way to the client and back, `age` ms later. */
static void there_and_back(struct cookie_rig *r, const struct connection *c, unsigned layout,
			   uint16_t vip_port, uint32_t age)
{
	struct sl_lb_ends e = ends_of(c, vip_port);
	uint32_t stamp = stamp_of(c) - age, wire, back;
	uint32_t phase = r->ctl.phase;
	uint64_t hash = sl_lb_hash(r->ctl.key[phase], &e);
	struct outcome out;
	struct frame f;
	unsigned at;

	at = segment(c, true, 16, layout, stamp, 0xabcdef01, &f);
	agent_rig_run(r->out, f.b, f.len, &out);
	wire = changed(&f, &out, c->v6, at);
	cr_assert_eq(wire, stamp << BITS | sl_cookie(SERVER, hash, phase, BITS));
	at = segment(c, false, 24, layout, 99, wire, &f);
	agent_rig_run(r->agent.in, f.b, f.len, &out);
	back = changed(&f, &out, c->v6, at + 4);
	cr_assert_eq(back, stamp, "%08x came back as %08x", stamp, back);
}

static void both_ways(unsigned mode)
{
	const uint32_t period = 1u << (32 - BITS);
	struct cookie_rig r;

	rig_up(&r, mode);
	for (unsigned v6 = 0; v6 < 2; v6++) {
		for (unsigned i = 0; i < 24; i++) {
			struct connection c = connected(v6);
			bool any = i & 1;

			r.ctl.phase = i >> 1 & 1;
			set_control(&r);
			serve(&r, v6, any ? 0 : c.port, any ? 0 : 80);
			there_and_back(&r, &c, i % LAYOUTS, any ? c.port : 80, 0);
			there_and_back(&r, &c, i % LAYOUTS, any ? c.port : 80, i * 100000);
			there_and_back(&r, &c, i % LAYOUTS, any ? c.port : 80, period - 1000);
			close(c.server);
			close(c.client);
			close(c.listener);
		}
	}
	cr_assert_eq(agent_rig_count(&r.agent, SL_AGENT_COOKIES), 144);
	cr_assert_eq(agent_rig_count(&r.agent, SL_AGENT_RESTORED), 144);
}

Test(agent_cookie, comes_back_exact_where_each_connection_has_an_offset)
{
	both_ways(1);
}

Test(agent_cookie, comes_back_exact_where_all_have_one_clock)
{
	both_ways(2);
}

/* Waits in the accept queue as a request, and after its end in TIME_WAIT. */
Test(agent_cookie, handshakes_and_closed_connections_have_their_offset_too)
{
	struct connection c;
	struct cookie_rig r;
	uint32_t stamp;
	struct outcome out;
	struct frame f;
	unsigned at;

	rig_up(&r, 1);
	c = connected(false);
	serve(&r, false, 0, 0);
	stamp = stamp_of(&c);
	shutdown(c.server, SHUT_WR);
	shutdown(c.client, SHUT_WR);
	poll(&(struct pollfd){.fd = c.server, .events = POLLIN}, 1, 1000);
	usleep(50000);
	close(c.server); /* it began to close: it is in TIME_WAIT */
	at = segment(&c, false, 16, 0, 99, stamp << BITS, &f);
	agent_rig_run(r.agent.in, f.b, f.len, &out);
	cr_assert_eq(changed(&f, &out, false, at + 4), stamp);
	cr_assert_eq(agent_rig_count(&r.agent, SL_AGENT_RESTORED), 1);
}

/* A SYN-ACK without a socket is of a SYN cookie; its ACK finds none but the listener. */
Test(agent_cookie, a_handshake_by_syn_cookie_is_remembered)
{
	const uint32_t stamp = 0xcafe0000;
	struct connection c, stranger;
	struct cookie_rig r;
	struct outcome out;
	uint32_t wire;
	struct frame f;
	unsigned at;

	rig_up(&r, 1);
	c = connected(true);
	serve(&r, true, 0, 0);
	c.client_port = 7;
	at = segment(&c, true, 18, 0, stamp, 1, &f);
	agent_rig_run(r.out, f.b, f.len, &out);
	wire = changed(&f, &out, true, at);
	at = segment(&c, false, 16, 0, 99, wire, &f);
	agent_rig_run(r.agent.in, f.b, f.len, &out);
	cr_assert_eq(changed(&f, &out, true, at + 4), stamp);
	cr_assert_eq(agent_rig_count(&r.agent, SL_AGENT_RESTORED_HANDSHAKE), 1);
	stranger = c;
	stranger.client_port = 8;
	at = segment(&stranger, false, 16, 0, 99, wire, &f);
	agent_rig_run(r.agent.in, f.b, f.len, &out);
	cr_assert(!memcmp(out.b, f.b, f.len), "nobody's");
	cr_assert_eq(agent_rig_count(&r.agent, SL_AGENT_NO_SOCKET), 1);
}

/* Other ports, no option, no ACK, fragments, cut short, not TCP: as they came. */
Test(agent_cookie, what_is_none_of_its_business_stays_as_it_is)
{
	struct connection c;
	struct cookie_rig r;
	struct outcome out;
	struct frame f;

	rig_up(&r, 1);
	c = connected(false);
	serve(&r, false, c.port, 80);
	for (unsigned i = 0; i < 12; i++) {
		bool to_client = i & 1;
		struct connection other = c;

		if (i / 2 == 0)
			other.port++;
		segment(&other, to_client, i / 2 == 1 && !to_client ? 2 : 16, 0, 5, 6, &f);
		if (i / 2 == 1 && to_client)
			continue;
		if (i / 2 == 2)
			f.b[14 + 6] = 0x20;
		if (i / 2 == 3)
			f.b[14 + 9] = 17;
		if (i / 2 == 4)
			f.b[34 + 12] = 0x50;
		if (i / 2 == 5)
			f.len = 34 + 20 + 6;
		agent_rig_run(to_client ? r.out : r.agent.in, f.b, f.len, &out);
		cr_assert(out.len == f.len && !memcmp(out.b, f.b, f.len), "%u", i);
	}
	cr_assert_eq(agent_rig_count(&r.agent, SL_AGENT_COOKIES), 0);
	cr_assert_eq(agent_rig_count(&r.agent, SL_AGENT_RESTORED), 0);
}
