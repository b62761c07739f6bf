#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Errors of ICMP about connections through two balancers reach whom they concern.
load common
export FLEET_WANTED=4
load fleet

counted() { # COUNT: of both balancers
	local b
	for b in b1 b2; do fleet_lb $b counts -j; done | jq -s "[.[].$1] | add"
}

@test "a server learns the MTU of a narrow link before the client: a large answer arrives" {
	fleet_both 1 2 3 4
	head -c 4000000 /dev/urandom >"$FLEET_RUN/file"
	# the client knows nothing of it, so its MSS is 1460
	ip -n "$FLEET-in" link set clients mtu 1300
	for _ in 1 2 3 4 5 6; do
		fleet_at c curl -s -m 5 "http://$FLEET_VIP/file" | cmp - "$FLEET_RUN/file"
	done
	[ "$(counted icmp_cookie)" -gt 0 ]
	[ "$(counted icmp_hashed)" = 0 ]
}

@test "a datagram that nobody wants is refused to its sender" {
	fleet_both 1 2 3 4
	for _ in 1 2 3 4 5 6; do
		fleet_at c python3 -c '
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.connect((sys.argv[1], 80))
s.settimeout(2)
s.send(b"x")
try:
	s.recv(10)
except ConnectionRefusedError:
	sys.exit(0)
sys.exit(1)' "$FLEET_VIP"
	done
	[ "$(counted icmp_client)" -ge 6 ]
}

@test "who connects to a server that is gone is told by the router before it" {
	fleet_both 1
	fleet_at out sysctl -qw net.ipv4.conf.s1.ignore_routes_with_linkdown=1
	ip -n "$FLEET-s1" link set eth0 down
	run ! fleet_at c timeout 5 bash -c "exec 3<>/dev/tcp/$FLEET_VIP/80"
	[[ $output == *unreachable* ]]
}
