#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Direct server return through tunnels, IPIP and GUE, between real TCP stacks. At the server `sluice agent` takes them
# off.
load common
load pool
load direct

setup() { needs_root; }
teardown() { direct_down; }

@test "ipip: IPv4 and IPv6, each in the other too; who sends too much is told" {
	pool_up 2
	vips_on 1 2
	agents_on 1 2
	direct ipip 10.7.N.2 fd07:N::2 1 2
	serves 10.9.9.9 ipip 10.7.N.2 fd07:N::2
	upload 10.9.9.9
	upload fd09::9
	direct_file ipip 10.7.N.2 fd07:N::2 1 2 | sed '/ 10.9.9.9,/s|forward: ipip|&, source: 10.7.100.0/24|' >"$BATS_TEST_TMPDIR/lb.yaml"
	lb apply "$BATS_TEST_TMPDIR/lb.yaml"
	in_pool lb ip neigh flush to 10.7.0.0/16
	sleep 0.2
	upload 10.9.9.9
	expect "$(counts)" '.resolve > 0'
	direct ipip fd07:N::2 10.7.N.2 1 2
	serves 10.9.9.9 ipip fd07:N::2 10.7.N.2
	upload fd09::9
	expect "$(counts)" '.too_big >= 3' '.drop_too_big == 0' '.reply == 0'
}

@test "gue: IPv4 and IPv6, each in the other too; who sends too much is told" {
	pool_up 2
	vips_on 1 2
	agents_on 1 2
	direct gue fd07:N::2 10.7.N.2 1 2
	upload 10.9.9.9
	upload fd09::9
	direct gue 10.7.N.2 fd07:N::2 1 2
	serves fd09::9 gue 10.7.N.2 fd07:N::2
	upload 10.9.9.9
	pool_traffic 10.9.9.9 1 udp
	expect "$(pool_result)" '.held_broken == 0' '.new_failed == 0'
	expect "$(counts)" '.too_big >= 3' '.drop_too_big == 0' '.reply == 0'
}
