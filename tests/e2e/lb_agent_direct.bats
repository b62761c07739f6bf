#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# keep: agent with direct server return: the balancer sees no answer, and needs none.
load common
load pool
load direct
load agents

setup() { needs_root; }
teardown() { agents_down; }

@test "direct server return: l2, ipip and gue alike" {
	local i
	TIMESTAMPS=1 pool_up 3
	vips_on 1 2 3
	agents l2 0 1 2 3
	apply l2 0 1 2
	pool_traffic 10.9.9.9 3
	churn l2
	expect "$(pool_result)" '.held_broken == 0' '.new_failed == 0' '.words | has("s3")'
	expect "$(counts)" '.cookie > 2 * .new' '.bad_cookie == 0' '.hashed == 0' '.table == 0' '.reply == 0' '.inserted == 0'
	for i in ipip gue; do
		lb remove -n "$NAME"
		agents $i 1 1 2 3
		apply $i 1 1 2 3
		pool_traffic fd09::9 1
		apply $i 1 1:drain 2 3
		expect "$(pool_result)" '.held_broken == 0' '.new_failed == 0' '.words | has("s3")'
		expect "$(counts)" '.cookie > 2 * .new' '.bad_cookie == 0' '.hashed == 0' '.inserted == 0'
		expect "$(agent 2 show -j)" ".counts.$i > 50"
	done
	nobody_minded
}

@test "a client without timestamps goes by the table; without agents the same changes break connections" {
	pool_up 3
	vips_on 1 2 3
	apply l2 0 1 2
	in_pool lc sysctl -qw net.ipv4.tcp_timestamps=0
	pool_traffic 10.9.9.9 1
	apply l2 0 1:drain 2 3
	expect "$(pool_result)" '.held_broken == 0' '.new_failed == 0'
	expect "$(counts)" '.table > 2 * .new' '.cookie == 0'
	in_pool lc sysctl -qw net.ipv4.tcp_timestamps=1
	lost
}
