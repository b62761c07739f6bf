#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Two tiers: a client, a first balancer, two second ones, and two servers behind each. The first chooses the second by the
# upper bits of the cookie that the second writes, and sees no more of a connection.
load common

TRAFFIC=$TB_ROOT/tests/e2e/lb_traffic.py
SPAWNED=()
SECRET=00112233445566778899aabbccddeeff

at() { nsenter --net="/run/netns/$NAME-$1" -- "${@:2}"; }
at_bg() { # NAMESPACE FILE CMD...
	nsenter --net="/run/netns/$NAME-$1" -- "${@:3}" >"$2.out" 2>"$2.err" 3>&- &
	SPAWNED+=($!)
}
lb() { at "$1" "$SLUICE" lb "$2" -n "$NAME$1" "${@:3}"; }

# wire A B NET: an interface called B in A, with .1, and one called A in B, with .2.
wire() {
	ip -n "$NAME-$1" link add "$2" type veth peer name "$1" netns "$NAME-$2"
	at "$1" ip addr add "$3.1/24" dev "$2"
	at "$2" ip addr add "$3.2/24" dev "$1"
	at "$1" ip link set dev "$2" up
	at "$2" ip link set dev "$1" up
	at "$1" ethtool -K "$2" tx off gro on >/dev/null
	at "$2" ethtool -K "$1" tx off gro on >/dev/null
	at "$2" ip route add default via "$3.1"
}

setup() {
	needs_root
	local n i
	for n in c a b1 b2 s1 s2 s3 s4; do
		ip netns add "$NAME-$n"
		at $n ip link set lo up
		at $n sysctl -qw net.ipv4.ip_forward=1
	done
	wire a c 10.7.0
	for i in 1 2; do
		wire a b$i 10.7.$i
		at a ip route add 10.8.$i.0/24 via 10.7.$i.2
		wire b$i s$((2 * i - 1)) 10.8.$i
		wire b$i s$((2 * i)) 10.9.$i
	done
	for i in 1 2 3 4; do
		at s$i sysctl -qw net.ipv4.tcp_timestamps=2
		at_bg s$i "$BATS_TEST_TMPDIR/s$i" python3 "$TRAFFIC" server 0.0.0.0 8080 "s$i"
	done
	for i in 1 2 3 4; do tb_wait 10 at s$i bash -c "exec 3<>/dev/tcp/127.0.0.1/8080"; done
}

teardown() {
	local pid n
	for n in a b1 b2; do lb $n remove 2>/dev/null || true; done
	for pid in "${SPAWNED[@]}"; do
		kill "$pid" 2>/dev/null || true
		wait "$pid" 2>/dev/null || true
	done
	for n in c a b1 b2 s1 s2 s3 s4; do ip netns del "$NAME-$n" 2>/dev/null || true; done
}

# first STATE-OF-THE-SECOND-ONES...: ids 0 and 1 are the upper bits of their servers'.
first() {
	printf 'version: 1\nname: %sa\nsecret: %s\nsecret_phase: 0\ninterfaces: [c, b1, b2]\nvips:\n' "$NAME" "$SECRET"
	printf '  - {address: 10.9.9.9, port: 80, forward: l2, keep: agent, select: turn, tier: 1, servers: ['
	printf '{address: 10.7.1.2, id: 0, state: %s}, {address: 10.7.2.2, id: 1, state: %s}]}\n' "$1" "$2"
}

# second I STATE STATE: servers have the ids 5 and 6, or 128 more.
second() {
	local high=$((128 * ($1 - 1)))
	printf 'version: 1\nname: %sb%s\nsecret: %s\nsecret_phase: 0\ninterfaces: [a, s%s, s%s]\nvips:\n' "$NAME" "$1" "$SECRET" \
		$((2 * $1 - 1)) $((2 * $1))
	printf '  - {address: 10.9.9.9, port: 80, select: turn, servers: ['
	printf '{address: "10.8.%s.2:8080", id: %s, state: %s}, {address: "10.9.%s.2:8080", id: %s, state: %s}]}\n' "$1" \
		$((high + 5)) "$2" "$1" $((high + 6)) "$3"
}

apply() { # NAMESPACE FILE-OF...
	"${@:2}" >"$BATS_TEST_TMPDIR/$1.yaml"
	at "$1" "$SLUICE" lb apply "$BATS_TEST_TMPDIR/$1.yaml"
}

@test "connections stay with their balancer and server while both tiers change" {
	apply b1 second 1 up up
	apply b2 second 2 up up
	apply a first up up
	at_bg c "$BATS_TEST_TMPDIR/client" python3 "$TRAFFIC" client 10.9.9.9 80 60 2.5
	tb_wait 10 grep -q held "$BATS_TEST_TMPDIR/client.err"
	apply a first up drain
	sleep 0.4
	apply b1 second 1 drain up
	sleep 0.4
	apply a first drain up
	apply b1 second 1 up drain
	sleep 0.4
	apply a first up up
	wait "${SPAWNED[-1]}"
	expect "$(cat "$BATS_TEST_TMPDIR/client.out")" '.held_broken == 0' '.new_failed == 0' '.words | length == 4'
	expect "$(lb a counts -j)" '.cookie > 2 * .new' '.bad_cookie == 0' '.hashed == 0' '.table == 0' '.reply == 0'
	expect "$(lb b1 counts -j)" '.cookie > 100' '.bad_cookie == 0' '.hashed == 0' '.table == 0'
	expect "$(lb b2 counts -j)" '.cookie > 100' '.bad_cookie == 0' '.hashed == 0' '.table == 0'
	for i in c s1 s2 s3 s4; do
		[ "$(at $i nstat -asz TcpExtPAWSEstab TcpExtTSEcrRejected 2>/dev/null | awk '/TcpExt/ { n += $2 } END { print n + 0 }')" = 0 ]
	done
	first up up >"$BATS_TEST_TMPDIR/good.yaml"
	try() { # MESSAGE SED
		sed "$2" "$BATS_TEST_TMPDIR/good.yaml" >"$BATS_TEST_TMPDIR/bad.yaml"
		refused -2 "$1" at a "$SLUICE" lb apply "$BATS_TEST_TMPDIR/bad.yaml"
	}
	try 'forward: l2 and keep: agent' 's/forward: l2/forward: gue/'
	try 'forward: l2 and keep: agent' 's/keep: agent/keep: table/'
	try 'id is missing' 's/, id: 1//'
	try 'tier: 1 ends at 1' 's/10.7.2.2, id: 1/10.7.2.3, id: 2/'
	try 'write 1 to 7' 's/tier: 1/tier: 8/'
	try 'tier: it has another one' 's/tier: 1/tier: 2/'
}
