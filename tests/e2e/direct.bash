# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# direct.bash - direct server return on top of pool.bash: servers that have the VIPs and agents.

# vips_on SERVER...: each has the VIPs and serves them on port 80.
vips_on() {
	local i
	for i in "$@"; do
		in_pool "l$i" ip addr add 10.9.9.9/32 dev lo
		in_pool "l$i" ip -6 addr add fd09::9/128 dev lo nodad
		pool_spawn "l$i" "$BATS_TEST_TMPDIR/vip-$i" server 10.9.9.9 80 "s$i"
		pool_spawn "l$i" "$BATS_TEST_TMPDIR/vip-$i-6" server fd09::9 80 "s$i"
	done
	for i in "$@"; do
		tb_wait 10 in_pool "l$i" bash -c "exec 3<>/dev/tcp/10.9.9.9/80"
		tb_wait 10 in_pool "l$i" bash -c "exec 3<>/dev/tcp/fd09::9/80"
	done
}

# Their end of the tunnels; direct_down takes it off.
agents_on() {
	local i
	for i in "$@"; do
		in_pool "l$i" "$SLUICE" agent attach -n "$NAME-l$i" --vip 10.9.9.9 --vip fd09::9 --from 10.7.0.0/16 --from fd07::/16 "${NAME}e$i"
	done
}

direct_down() {
	local i
	for i in 1 2; do
		[ ! -e "/run/netns/$NAME-l$i" ] || in_pool "l$i" "$SLUICE" agent detach -n "$NAME-l$i" 2>/dev/null || true
	done
	pool_down
}

# direct FORWARD V4-PREFIX V6-PREFIX SERVER[:STATE]...: the servers of the IPv4 VIP are V4-PREFIX and number, ...
direct_file() {
	local forward=$1 four=$2 six=$3 i proto
	shift 3
	printf 'version: 1\nname: %s\ninterfaces: [%sb0, %sb1, %sb2]\nvips:\n' "$NAME" "$NAME" "$NAME" "$NAME"
	for proto in tcp udp; do
		printf '  - {address: 10.9.9.9, protocol: %s, port: 80, forward: %s, servers: [' "$proto" "$forward"
		for i in "$@"; do printf '{address: "%s", state: %s},' "${four//N/${i%:*}}" "$(state_of "$i")"; done
		printf ']}\n  - {address: "fd09::9", protocol: %s, port: 80, forward: %s, servers: [' "$proto" "$forward"
		for i in "$@"; do printf '{address: "%s", state: %s},' "${six//N/${i%:*}}" "$(state_of "$i")"; done
		printf ']}\n'
	done
}

direct() {
	direct_file "$@" >"$BATS_TEST_TMPDIR/lb.yaml"
	lb apply "$BATS_TEST_TMPDIR/lb.yaml" 2>"$BATS_TEST_TMPDIR/err"
	[ ! -s "$BATS_TEST_TMPDIR/err" ] || { cat "$BATS_TEST_TMPDIR/err" && false; }
}

# upload ADDRESS: a line of 300 kB in segments that fill the link, and an answer.
upload() {
	in_pool lc timeout 10 python3 -c '
import socket, sys
s = socket.create_connection((sys.argv[1], 80), 5)
s.sendall(b"x" * 300000 + b"\n")
s.settimeout(5)
assert s.recv(64) in (b"s1\n", b"s2\n")' "$1"
}

# Connections live on while a server drains and comes back.
serves() { # ADDRESS FORWARD V4-PREFIX V6-PREFIX
	pool_traffic "$1" 1.5
	direct "${@:2:3}" 1:drain 2
	sleep 0.5
	direct "${@:2:3}" 1 2
	expect "$(pool_result)" '.held_broken == 0' '.new_failed == 0' '.words | has("s1") and has("s2")'
}
