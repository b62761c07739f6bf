#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Direct server return between real TCP stacks: the VIPs are addresses of the servers, their answers go to the client
# past the load balancer.
load common
load pool
load direct

setup() { needs_root; }
teardown() { direct_down; }

@test "l2: whole connections, fragments too; the balancer sees no answer" {
	pool_up 2
	vips_on 1 2
	direct l2 10.7.N.2 fd07:N::2 1 2
	serves 10.9.9.9 l2 10.7.N.2 fd07:N::2
	serves fd09::9 l2 10.7.N.2 fd07:N::2
	pool_traffic 10.9.9.9 1 udp
	expect "$(pool_result)" '.held_broken == 0' '.new_failed == 0'
	in_pool lc timeout 5 python3 -c '
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(2)
for i in range(20):
	s.sendto(b"x" * 4000, ("10.9.9.9", 80))
	assert s.recv(64) in (b"s1\n", b"s2\n")'
	expect "$(counts)" '.fragment >= 60' '.drop_fragment == 0' '.reply == 0' '.table > .new' '.cookie == 0' \
		'.drop_no_route == 0'
	expect "$(lb show -n "$NAME" -j)" '[.vips[] | .forward == "l2" and .keep == "table"] | all'
	lb show -n "$NAME" | grep -q 'forward l2'
}

managed() { in_pool lb ip neigh show to "$1" | grep -c managed; }

@test "neighbours are kept for XDP, and given back; one that is lost all the same costs no connection" {
	pool_up 2
	vips_on 1 2
	agents_on 1 2
	in_pool lb ip neigh replace 10.7.2.2 dev "${NAME}b2" lladdr "$(in_pool l2 ip -j link show "${NAME}e2" | jq -r ".[0].address")" nud permanent
	direct gue 10.7.N.2 fd07:N::2 1 2
	[ "$(managed 10.7.1.2)" = 1 ]
	in_pool lb ip neigh show to 10.7.2.2 | grep PERMANENT
	direct gue 10.7.N.2 fd07:N::2 2
	[ "$(managed 10.7.1.2)" = 0 ]
	direct gue 10.7.N.2 fd07:N::2 1
	in_pool lb ip neigh del 10.7.1.2 dev "${NAME}b1"
	sleep 0.2
	pool_traffic 10.9.9.9 1
	expect "$(pool_result)" '.held_broken == 0' '.new_failed == 0'
	expect "$(counts)" '.resolve >= 1'
	direct l2 10.7.N.2 fd07:N::2 1
	in_pool lb ip neigh del 10.7.1.2 dev "${NAME}b1"
	sleep 0.2
	pool_traffic 10.9.9.9 1
	expect "$(pool_result)" '.held_broken == 0'
	direct l2 10.7.N.2 fd07:N::2 1
	[ "$(managed 10.7.1.2)" = 1 ]
	lb remove -n "$NAME"
	[ "$(managed 10.7.1.2)" = 0 ]
}

# says PART SED-SCRIPT: the file of l2, changed so, is refused.
says() {
	sed -E "$2" "$BATS_TEST_TMPDIR/good.yaml" >"$BATS_TEST_TMPDIR/bad.yaml"
	refused -2 "$1" lb apply "$BATS_TEST_TMPDIR/bad.yaml"
}

# How many VIPs get the fragments of their address and protocol.
fragments() { bpftool -j map dump pinned "/sys/fs/bpf/sluice/lb-1/$NAME/lb_vips" | jq '[.[].formatted.key | select(.fragments == 1)] | length'; }

@test "what direct return cannot do is said, and changes nothing" {
	pool_up 2
	direct_file ipip 10.7.N.2 fd07:N::2 1 2 >"$BATS_TEST_TMPDIR/good.yaml"
	says 'keep: cookie: with forward: ipip' 's/forward: ipip/forward: ipip, keep: cookie/'
	says 'check.passive: with forward: ipip' 's/forward: ipip/forward: ipip, check: {type: tcp, passive: 50%}/'
	says 'leave the port out' 's/"10.7.1.2"/"10.7.1.2:8080"/'
	says 'write nat, l2, ipip or gue' 's/forward: ipip/forward: gre/'
	says 'forward: l2 has no outer header' 's/forward: ipip/forward: l2, source: 10.7.1.1/'
	says 'gue_port: forward: ipip has no UDP header' 's/forward: ipip/forward: ipip, gue_port: 9886/'
	says 'source: forward: nat has no outer header' 's/forward: ipip/source: 10.7.1.1/'
	says 'the VIP is IPv4 and this is not' 's/forward: ipip, //; s/"10.7.1.2"/"fd07:1::2"/'
	says 'it is IPv6 and servers[0] is not' 's/forward: ipip/forward: ipip, source: "fd07::1"/'
	says '10.1.0.0/16' 's|forward: ipip|forward: ipip, source: 10.0.0.0/8|'
	says 'is an address of this host' 's/"10.7.1.2"/"10.7.1.1"/'
	says 'no route to it' 's/"10.7.1.2"/"10.77.1.2"/'
	in_pool lb ip route add 10.77.0.0/16 via 10.7.1.2
	says 'behind a router' 's/forward: ipip/forward: l2/; s/"10.7.1.2"/"10.77.1.2"/'
	refused 'there is no load balancer' lb show -n "$NAME"
	lb apply "$BATS_TEST_TMPDIR/good.yaml"
	says 'forward: it is ipip, and open connections would break' 's/forward: ipip, //'
	direct_file gue 10.7.N.2 fd07:N::2 1 2 | sed 's|forward: gue|forward: gue, gue_port: 9886|' >"$BATS_TEST_TMPDIR/lb.yaml"
	lb apply "$BATS_TEST_TMPDIR/lb.yaml"
	expect "$(lb show -n "$NAME" -j)" '[.vips[].forward == "gue"] | all'
	[ "$(fragments)" = 4 ]
	echo '  - {address: 10.9.9.9, protocol: udp, port: 81, forward: gue, servers: []}' >>"$BATS_TEST_TMPDIR/lb.yaml"
	lb apply "$BATS_TEST_TMPDIR/lb.yaml"
	[ "$(fragments)" = 3 ]
	sed -i '/10.9.9.9, protocol: tcp/d; $d' "$BATS_TEST_TMPDIR/lb.yaml"
	lb apply "$BATS_TEST_TMPDIR/lb.yaml"
	[ "$(fragments)" = 3 ] # udp again, tcp no more
}
