#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# keep: agent under NAT, of servers with an offset for each connection, and what balancer and agents cannot agree on.
load common
load pool
load direct
load agents

setup() { needs_root; }
teardown() { agents_down; }

@test "nat: no connection breaks while servers come, drain and return, and the secret changes" {
	TIMESTAMPS=1 pool_up 3
	agents nat 0 1 2 3
	apply nat 0 1 2
	pool_traffic 10.9.9.9 3
	churn nat
	expect "$(pool_result)" '.held_broken == 0' '.new_failed == 0' '.words | has("s3")'
	pool_traffic fd09::9 0.5
	expect "$(pool_result)" '.held_broken == 0' '.new_failed == 0'
	expect "$(counts)" '.cookie > 2 * .new' '.bad_cookie == 0' '.hashed == 0' '.table == 0' '.drop_no_clock == 0'
	expect "$(agent 3 show -j)" '.counts.cookies > 50' '.counts.restored > 50' '.counts.no_socket == 0' \
		'.services | length == 2'
	nobody_minded
}

@test "handshakes by SYN cookie" {
	TIMESTAMPS=1 pool_up 3
	agents nat 0 1 2 3
	apply nat 0 1 2 3
	for i in 1 2 3; do in_pool l$i sysctl -qw net.ipv4.tcp_syncookies=2; done
	pool_traffic fd09::9 1
	expect "$(pool_result)" '.held_broken == 0' '.new_failed == 0' '.words | length == 3'
	expect "$(agent 1 show -j)" '.counts.restored_handshake > 10' '.counts.restored > 100' '.counts.no_socket == 0'
	[ "$(in_pool l1 nstat -asz TcpExtSyncookiesRecv | awk '/Recv/ { print $2 }')" -gt 10 ]
	[ "$(in_pool l1 nstat -asz TcpExtSyncookiesFailed | awk '/Failed/ { print $2 }')" = 0 ]
	nobody_minded
}

@test "another secret, and what agent and balancer cannot agree on" {
	pool_up 3
	agent_file nat 0 1 2 3 >"$BATS_TEST_TMPDIR/good.yaml"
	try() { sed "$1" "$BATS_TEST_TMPDIR/good.yaml" >"$BATS_TEST_TMPDIR/bad.yaml"; }
	on1() { agent 1 attach "${NAME}e1" --lb "$BATS_TEST_TMPDIR/bad.yaml" "$@"; }
	try '/^secret/d'
	refused -2 'secret is missing' on1
	refused -2 'secret is missing' lb apply "$BATS_TEST_TMPDIR/bad.yaml"
	try 's/, id: 1,/,/'
	refused -2 'id is missing' on1
	try 's/, id: 1,/, id: 256,/'
	refused -2 'cookie_bits: 9 ends at 255' on1
	try 's/10\.7\.1\.2/10.7.4.2/; s/fd07:1:/fd07:4:/'
	refused -2 'none of its servers is this host' on1
	on1 --self 10.7.4.2
	expect "$(agent 1 show -j)" '.services == [{end: "10.7.4.2:8080", vip: "10.9.9.9:80", id: 1, cookie_bits: 9}]'
	try 's/^secret: 00/secret: 01/'
	refused -2 'secret_phase: 1' on1
	expect "$(agent 1 show -j)" '.services | length == 1'
	refused -2 'is about the file' agent 1 attach "${NAME}e1" --vip 10.9.9.9 --self 10.7.4.2
	lb apply "$BATS_TEST_TMPDIR/good.yaml"
	refused -2 'secret_phase: 1' lb apply "$BATS_TEST_TMPDIR/bad.yaml"
	try 's/keep: agent/keep: cookie/'
	refused -2 'keep: it is agent' lb apply "$BATS_TEST_TMPDIR/bad.yaml"
	refused 'keep: agent' lb rotate -n "$NAME"
	agent 1 detach
	sed 's/^secret: 00/secret: 77/; s/secret_phase: 0/secret_phase: 1/; /fd0/d' "$BATS_TEST_TMPDIR/good.yaml" >"$BATS_TEST_TMPDIR/bad.yaml"
	on1
	for i in 2 3; do agent "$i" attach "${NAME}e$i" --lb "$BATS_TEST_TMPDIR/bad.yaml"; done
	lost
}
