# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# pool.bash - a client, a balancer and servers, each in a namespace: $NAME-lc, $NAME-lb, $NAME-l1, -l2, ... The
# client is 10.7.0.2 and fd07::2, server i 10.7.i.2 and fd07:i::2 on port 8080; VIPs are 10.9.9.9 and fd09::9.

POOL_SPAWNED=()
TRAFFIC=$TB_ROOT/tests/e2e/lb_traffic.py

in_pool() { nsenter --net="/run/netns/$NAME-$1" -- "${@:2}"; }
lb() { in_pool lb "$SLUICE" lb "$@"; }

# pool_wire PEER I: balancer and PEER, 10.7.I.1 and .2. A pair drops what XDP redirects into it unless its other end
# polls (gro), and checksums left to a NIC would never be made (tx).
pool_wire() {
	local a=${NAME}b$2 b=${NAME}e$2 six=fd07:$2::
	[ "$2" != 0 ] || six=fd07::
	ip netns add "$NAME-$1"
	ip -n "$NAME-lb" link add "$a" type veth peer name "$b" netns "$NAME-$1"
	in_pool lb ip addr add "10.7.$2.1/24" dev "$a"
	in_pool lb ip -6 addr add "${six}1/64" dev "$a" nodad
	in_pool lb ip link set "$a" up
	in_pool "$1" ip link set lo up
	in_pool "$1" ip addr add "10.7.$2.2/24" dev "$b"
	in_pool "$1" ip -6 addr add "${six}2/64" dev "$b" nodad
	in_pool "$1" ip link set "$b" up
	in_pool "$1" ethtool -K "$b" tx off gro on >/dev/null
	[ "$2" != 0 ] || in_pool "$1" ip link set dev "$b" xdp obj "$BATS_TEST_TMPDIR/pass.o" sec xdp # for XDP_TX into it
	in_pool "$1" ip route add default via "10.7.$2.1"
	in_pool "$1" ip -6 route add default via "${six}1"
}

# pool_spawn NAMESPACE FILE WORD...: lb_traffic.py in the background, its outputs in FILE.out and FILE.err.
pool_spawn() {
	nsenter --net="/run/netns/$NAME-$1" -- python3 "$TRAFFIC" "${@:3}" >"$2.out" 2>"$2.err" 3>&- &
	POOL_SPAWNED+=($!)
}

pool_net() { # SERVERS
	local i
	ip netns add "$NAME-lb"
	in_pool lb ip link set lo up
	in_pool lb sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
	compile "$BATS_TEST_TMPDIR/pass.o" <<-'END'
		#include <linux/bpf.h>
		#include <bpf/bpf_helpers.h>
		SEC("xdp") int pass(struct xdp_md *ctx) { return XDP_PASS; }
		char _license[] SEC("license") = "GPL";
	END
	pool_wire lc 0
	for ((i = 1; i <= $1; i++)); do
		pool_wire "l$i" "$i"
		in_pool "l$i" sysctl -qw net.ipv4.tcp_timestamps="${TIMESTAMPS:-2}"
	done
}

pool_up() { # SERVERS
	local i
	pool_net "$1"
	for ((i = 1; i <= $1; i++)); do
		pool_spawn "l$i" "$BATS_TEST_TMPDIR/server-$i" server "10.7.$i.2" 8080 "s$i"
		pool_spawn "l$i" "$BATS_TEST_TMPDIR/server-$i-6" server "fd07:$i::2" 8080 "s$i"
	done
	for ((i = 1; i <= $1; i++)); do
		tb_wait 10 in_pool "l$i" bash -c "exec 3<>/dev/tcp/10.7.$i.2/8080"
		tb_wait 10 in_pool "l$i" bash -c "exec 3<>/dev/tcp/fd07:$i::2/8080"
	done
}

pool_down() {
	local n pid
	lb remove -n "$NAME" 2>/dev/null || true
	for pid in "${POOL_SPAWNED[@]}"; do
		kill "$pid" 2>/dev/null || true
		wait "$pid" 2>/dev/null || true
	done
	for n in lc lb l1 l2 l3 l4; do
		[ ! -e "/run/netns/$NAME-$n" ] || ip netns del "$NAME-$n"
	done
}

# pool_file KEEP SERVER[:STATE]...: the configuration with these servers, for both families and for UDP.
pool_file() {
	local keep=$1 i proto
	shift
	printf 'version: 1\nname: %s\ninterfaces: [%s' "$NAME" "${NAME}b0"
	for i in 1 2 3 4; do
		[ ! -e "/run/netns/$NAME-l$i" ] || printf ', %s' "${NAME}b$i"
	done
	printf ']\nvips:\n'
	for proto in tcp udp; do
		printf '  - {address: 10.9.9.9, protocol: %s, port: 80, keep: %s, servers: [' "$proto" "$keep"
		for i in "$@"; do printf '{address: "10.7.%s.2:8080", state: %s},' "${i%:*}" "$(state_of "$i")"; done
		printf ']}\n  - {address: "fd09::9", protocol: %s, port: 80, keep: %s, servers: [' "$proto" "$keep"
		for i in "$@"; do printf '{address: "[fd07:%s::2]:8080", state: %s},' "${i%:*}" "$(state_of "$i")"; done
		printf ']}\n'
	done
}

state_of() {
	case $1 in
	*:*) echo "${1#*:}" ;;
	*) echo up ;;
	esac
}

# pool_apply KEEP SERVER...
pool_apply() {
	pool_file "$@" >"$BATS_TEST_TMPDIR/lb.yaml"
	lb apply "$BATS_TEST_TMPDIR/lb.yaml"
}

# A client that asks on 80 held connections and on new ones; returns when it holds them. pool_result prints what it found.
pool_traffic() { # ADDRESS SECONDS [udp]
	pool_spawn lc "$BATS_TEST_TMPDIR/client" client "$1" 80 80 "$2" "${@:3}"
	CLIENT=$!
	tb_wait 10 grep -q held "$BATS_TEST_TMPDIR/client.err"
}

pool_result() {
	tb_wait 20 eval "! kill -0 $CLIENT 2>/dev/null"
	cat "$BATS_TEST_TMPDIR/client.out"
}

counts() { lb counts -n "$NAME" -j; }
