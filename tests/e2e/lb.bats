#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# The load balancer between real TCP stacks: connections that were open before stay with their server while others
# come, drain and go and secrets change.
load common
load pool

setup() { needs_root; }
teardown() { pool_down; }

churn() { # KEEP
	sleep 0.5
	pool_apply "$1" 1 2 3
	sleep 0.5
	pool_apply "$1" 1:drain 2 3
	sleep 0.5
	[ "$1" != cookie ] || lb rotate -n "$NAME"
	pool_apply "$1" 1:drain 2:drain 3
	sleep 0.5
	lb set -n "$NAME" 10.7.1.2:8080 -s up
	sleep 0.5
}

@test "cookies: no connection breaks while servers come, drain and return, and the secret changes" {
	pool_up 3
	pool_apply cookie 1 2
	pool_traffic 10.9.9.9 4
	churn cookie
	expect "$(pool_result)" '.held_broken == 0' '.new_failed == 0' '.words | has("s3")'
	expect "$(counts)" '.cookie > 2 * .new' '.bad_cookie == 0' '.hashed == 0' '.table == 0' '.drop_no_route == 0'
	expect "$(lb show -n "$NAME" -j)" '[.vips[] | select(.protocol == "tcp") | .servers[] | .clock == "known"] | all'
	for i in lc l1 l2 l3; do
		[ "$(in_pool $i nstat -asz TcpExtPAWSEstab TcpExtTSEcrRejected 2>/dev/null | awk '/TcpExt/ { n += $2 } END { print n + 0 }')" = 0 ]
	done
}

@test "cookies over IPv6" {
	pool_up 3
	pool_apply cookie 1 2
	pool_traffic fd09::9 4
	churn cookie
	expect "$(pool_result)" '.held_broken == 0' '.new_failed == 0' '.words | has("s3")'
	expect "$(counts)" '.cookie > 2 * .new' '.bad_cookie == 0' '.hashed == 0'
}

@test "without cookies or a table the same changes break connections: the test can tell" {
	pool_up 3
	pool_apply none 1 2
	pool_traffic 10.9.9.9 4
	churn none
	expect "$(pool_result)" '.held_broken > 5'
}

@test "the connection table keeps TCP without timestamps, and UDP" {
	pool_up 3
	in_pool lc sysctl -qw net.ipv4.tcp_timestamps=0
	pool_apply cookie 1 2
	pool_traffic 10.9.9.9 4
	churn cookie
	expect "$(pool_result)" '.held_broken == 0' '.new_failed == 0'
	expect "$(counts)" '.table > 2 * .new' '.cookie == 0'
	pool_traffic 10.9.9.9 2 udp
	pool_apply cookie 1:drain 2:drain 3
	expect "$(pool_result)" '.held_broken == 0' '.new_failed == 0'
}

@test "servers with an offset for each connection are told of and kept by the table" {
	TIMESTAMPS=1 pool_up 2
	pool_file cookie 1 2 >"$BATS_TEST_TMPDIR/lb.yaml"
	lb apply "$BATS_TEST_TMPDIR/lb.yaml" 2>"$BATS_TEST_TMPDIR/err"
	[ "$(grep -c 'tcp_timestamps=2' "$BATS_TEST_TMPDIR/err")" = 4 ]
	pool_traffic 10.9.9.9 3
	pool_apply cookie 1 2:drain
	expect "$(pool_result)" '.held_broken == 0' '.new_failed == 0'
	expect "$(counts)" '.cookie == 0' '.table > 2 * .new'
}

@test "ping, ARP and neighbours of a VIP; an unknown neighbour is resolved on the way" {
	pool_up 2
	pool_apply cookie 1 2
	in_pool lc ping -c 2 -W 2 10.9.9.9
	in_pool lc ping -c 2 -W 2 fd09::9
	in_pool lc ip route add 10.9.9.9/32 dev "${NAME}e0"
	in_pool lc ping -c 2 -W 2 10.9.9.9
	in_pool lb ip neigh flush all
	pool_traffic 10.9.9.9 1
	expect "$(pool_result)" '.held_broken == 0' '.new_failed == 0'
	expect "$(counts)" '.answered >= 6'
}

@test "what is removed leaves nothing; what is refused changes nothing" {
	pool_up 2
	pool_apply cookie 1 2
	local before
	before=$(lb show -n "$NAME" -j | jq -S 'del(.counts) | del(.. | .clock?, .packets?, .bytes?)')
	sed 's/state: up/state: over/' "$BATS_TEST_TMPDIR/lb.yaml" >"$BATS_TEST_TMPDIR/bad.yaml"
	refused -2 'write up, drain or down' lb apply "$BATS_TEST_TMPDIR/bad.yaml"
	sed 's/10.7.2.2/10.7.1.2/' "$BATS_TEST_TMPDIR/lb.yaml" >"$BATS_TEST_TMPDIR/bad.yaml"
	refused -2 'is there twice' lb apply "$BATS_TEST_TMPDIR/bad.yaml"
	sed 's|10.9.9.9|10.9.9.0/24|' "$BATS_TEST_TMPDIR/lb.yaml" >"$BATS_TEST_TMPDIR/bad.yaml"
	refused -2 'with forward: nat an answer would not know' lb apply "$BATS_TEST_TMPDIR/bad.yaml"
	refused 'no such server' lb set -n "$NAME" 10.7.9.9:8080 -s drain
	refused 'there is no load balancer' lb show -n nosuch
	[ "$before" = "$(lb show -n "$NAME" -j | jq -S 'del(.counts) | del(.. | .clock?, .packets?, .bytes?)')" ]
	lb remove -n "$NAME"
	in_pool lb ip -j -d link show "${NAME}b0" | jq -e '.[0].xdp == null'
	[ ! -e "/sys/fs/bpf/sluice/lb-1/$NAME" ]
}
