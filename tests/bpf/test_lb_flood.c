// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Floods, port scans and forged packets at a VIP: every packet is counted once, memory stays what
 * it is, and nothing comes to a server that is not for it. SLUICE_FLOOD: packets of each flood.
 */
#include "lb_rig.h"

#include "lb_flood.h"
#include "lb_flood.skel.h"

static struct lb_rig rig;
static struct lb_flood_bpf *flood;

TestSuite(lb_flood, .timeout = 300);

#define UDP_VIP 2
#define UDP_SERVER 20

static unsigned packets(unsigned usual)
{
	const char *s = getenv("SLUICE_FLOOD");

	return s ? (unsigned)strtoul(s, NULL, 10) : usual;
}

static void flood_up(void)
{
	uint32_t zero = 0;

	lb_rig_up(&rig, SL_LB_KEEP_COOKIE, 9);
	for (unsigned i = 0; i < LB_RIG_SERVERS; i++)
		lb_rig_set_clock(&rig, lb_id(false, i), 1000000);
	flood = lb_flood_bpf__open_and_load();
	cr_assert_not_null(flood);
	cr_assert_eq(bpf_map_update_elem(bpf_map__fd(flood->maps.flood_next), &zero, &rig.prog, 0),
		     0);
	flood->bss->flood.random = 88172645463325252;
}

/* `n` times a segment with these flags, and what is to differ. */
static void flood_run(enum lb_flood_kind kind, uint8_t flags, uint8_t protocol, unsigned n)
{
	struct segment s = {.client_port = 40000,
			    .flags = flags,
			    .options = "\1\1\x8\xa"
				       "ttttTTTT",
			    .options_n = 12,
			    .ttl = 64};
	struct xdp_md ctx = {.data_end = LB_FLOOD_FRAME, .ingress_ifindex = rig.client_if};
	struct frame f;
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = f.b, .data_size_in = LB_FLOOD_FRAME,
		    .ctx_in = &ctx, .ctx_size_in = sizeof(ctx), .repeat = (int)n);
	unsigned l4;

	segment_build(&s, &f, &l4);
	f.b[f.l3 + 3] = LB_FLOOD_FRAME - 14;
	f.b[f.l3 + 9] = protocol;
	flood->bss->flood.kept = 0;
	flood->bss->flood.kind = kind;
	cr_assert_eq(bpf_prog_test_run_opts(bpf_program__fd(flood->progs.lb_flood), &opts), 0);
}

/*
 * Of the first group, in which every packet is once; but for what goes up the stack, which here is
 * nothing but the kernel's own router solicitations.
 */
static uint64_t all_counted(void)
{
	uint64_t n = 0;

	for (uint32_t i = SL_LB_NEW; i < SL_LB_BAD_COOKIE; i++)
		n += i == SL_LB_PASSED ? 0 : lb_rig_count(&rig, i);
	return n;
}

static unsigned connections(void)
{
	struct sl_lb_connection key, *after = NULL;
	unsigned n = 0;

	while (!bpf_map_get_next_key(bpf_map__fd(rig.skel->maps.lb_connections), after, &key)) {
		after = &key;
		n++;
	}
	return n;
}

Test(lb_flood, ten_million_sources_of_syns_leave_nothing_behind)
{
	unsigned n = packets(10000000);

	flood_up();
	flood_run(FLOOD_SOURCES, 2, IPPROTO_TCP, n);
	cr_assert_eq(lb_rig_count(&rig, SL_LB_NEW), n);
	cr_assert_eq(all_counted(), n);
	cr_assert_eq(connections(), 0);
}

Test(lb_flood, a_scan_of_ports_comes_to_no_server)
{
	static const uint8_t flags[] = {2, 16, 1, 0, 41, 4}; /* SYN, ACK, FIN, none, Xmas, RST */
	uint64_t served = 0, counts[] = {SL_LB_NEW, SL_LB_HASHED, SL_LB_COOKIE, SL_LB_TABLE};

	flood_up();
	for (unsigned i = 0; i < sizeof(flags); i++)
		flood_run(FLOOD_PORTS, flags[i], IPPROTO_TCP, 65536);
	flood_run(FLOOD_PORTS, 0, IPPROTO_UDP, 65536);
	for (unsigned i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
		served += lb_rig_count(&rig, (uint32_t)counts[i]);
	cr_assert_eq(served, sizeof(flags), "port 80 and no other");
	cr_assert_eq(lb_rig_count(&rig, SL_LB_DROP_NO_VIP), 7 * 65536 - sizeof(flags));
	cr_assert_eq(connections(), 0);
}

/* A cookie has 8 bits for the server: of 256 forged ones four name one, whichever the secret. */
Test(lb_flood, forged_cookies_name_nobody_in_particular)
{
	unsigned n = packets(200000);
	uint64_t cookie, bad;

	flood_up();
	flood_run(FLOOD_ECHOES, 16, IPPROTO_TCP, n);
	cookie = lb_rig_count(&rig, SL_LB_COOKIE);
	bad = lb_rig_count(&rig, SL_LB_BAD_COOKIE);
	cr_assert_eq(cookie + bad, n);
	cr_assert_eq(lb_rig_count(&rig, SL_LB_HASHED), bad);
	cr_assert_float_eq((double)cookie / n, 4. / 256, 0.002);
	cr_assert_eq(all_counted(), n);
	cr_assert_eq(connections(), 0);
}

/* The same timestamp from everywhere: a cookie that was right for one client is none for others. */
Test(lb_flood, a_cookie_is_worth_nothing_to_others)
{
	unsigned n = packets(200000);

	flood_up();
	flood_run(FLOOD_SOURCES, 16, IPPROTO_TCP, n);
	cr_assert_float_eq((double)lb_rig_count(&rig, SL_LB_COOKIE) / n, 4. / 256, 0.002);
}

Test(lb_flood, options_and_flags_of_chance_are_counted_and_forgotten)
{
	unsigned n = packets(200000);

	flood_up();
	flood_run(FLOOD_OPTIONS, 16, IPPROTO_TCP, n);
	cr_assert_eq(all_counted(), n);
	/* headers shorter than 20 bytes or longer than 32: 12 of 16 */
	cr_assert_float_eq((double)lb_rig_count(&rig, SL_LB_DROP_MALFORMED) / n, 12. / 16, 0.01);
	flood_run(FLOOD_FLAGS, 0, IPPROTO_TCP, n);
	cr_assert_eq(all_counted(), 2ull * n);
	cr_assert_eq(connections(), 0);
}

/* A flow of UDP that was there before the flood is there after it. */
Test(lb_flood, a_flood_of_datagrams_pushes_no_flow_out)
{
	struct sl_lb_vip_key key = {.proto = IPPROTO_UDP, .port = htons(80)};
	struct sl_lb_vip vip = {.id = UDP_VIP, .keep = SL_LB_KEEP_COOKIE, .bits = 9};
	struct sl_lb_server s = {.port = htons(8080), .vip = UDP_VIP, .state = SL_LB_UP};
	struct sl_lb_connection old = {.client_port = htons(40000),
				       .vip_port = htons(80),
				       .vip = UDP_VIP,
				       .proto = IPPROTO_UDP};
	uint32_t id = UDP_SERVER, zero = 0, at = UDP_VIP, server;
	int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "lb_rows", 4, sizeof(rig.table), 1, NULL);
	unsigned n = packets(500000);
	uint64_t inserted;

	flood_up();
	lb_vip_address(false, key.addr);
	lb_put(rig.skel->maps.lb_vips, &key, &vip);
	lb_server_address(false, 0, s.addr);
	lb_put(rig.skel->maps.lb_servers, &id, &s);
	for (unsigned i = 0; i < SL_LB_ROWS; i++)
		rig.table.server[i] = UDP_SERVER;
	cr_assert(fd >= 0 && !bpf_map_update_elem(fd, &zero, &rig.table, 0));
	lb_put(rig.skel->maps.lb_tables, &at, &fd);
	lb_client(false, old.client);
	lb_put(rig.skel->maps.lb_connections, &old, &id);
	flood_run(FLOOD_SOURCES, 0, IPPROTO_UDP, n);
	inserted = lb_rig_count(&rig, SL_LB_INSERTED);
	cr_assert_eq(all_counted(), n);
	cr_assert_eq(inserted + lb_rig_count(&rig, SL_LB_BYPASSED), n);
	cr_assert(inserted <= 1000 * 30, "1000 a second and CPU");
	cr_assert_eq(connections(), inserted + 1);
	cr_assert_eq(bpf_map_lookup_elem(bpf_map__fd(rig.skel->maps.lb_connections), &old, &server),
		     0);
}
