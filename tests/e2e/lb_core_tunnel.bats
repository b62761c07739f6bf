#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# CrossRSS through tunnels: servers that run Sluice in mode stack choose a CPU by the outer header, and there the agent
# takes it off. Where the balancer says that flows will go they go, to the packet.
load common
load pool
load cores

SERVERS=2

setup() {
	needs_root
	[ "$(nproc)" -ge 2 ] || skip "needs two CPUs"
	servers_up
}
teardown() {
	for ((i = 1; i <= SERVERS; i++)); do
		[ ! -e "/run/netns/$NAME-l$i" ] || in_server "$i" agent detach -n "$NAME-$i" || true
	done
	cores_down
	pool_down
}

echo_up() { # SERVER ADDRESS: UDP port 80 sends back what it gets
	nsenter --net="/run/netns/$NAME-l$1" -- python3 -c '
import socket, sys
s = socket.socket(socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET, socket.SOCK_DGRAM)
s.bind((sys.argv[1], 80))
while True:
    s.sendto(*s.recvfrom(64))' "$2" 3>&- &
	POOL_SPAWNED+=($!)
}

servers_up() {
	local i
	export SLUICE_RUN_DIR=$BATS_TEST_TMPDIR
	echo 000102030405060708090a0b0c0d0e0f >"$BATS_TEST_TMPDIR/secret"
	pool_net $SERVERS
	for ((i = 1; i <= SERVERS; i++)); do
		in_pool "l$i" ip addr add 10.9.9.9/32 dev lo
		in_pool "l$i" ip -6 addr add fd09::9/128 dev lo nodad
		in_server "$i" attach "${NAME}e$i" --stack --local --match proto=udp,dport=6080 --match proto=41
		spawn "$i" "run-$i" run -i "${NAME}e$i" --workers 2
		in_server "$i" agent attach -n "$NAME-$i" --vip 10.9.9.9 --vip fd09::9 --from 10.7.0.0/16 --from fd07::/16 "${NAME}e$i"
		echo_up "$i" 10.9.9.9
		echo_up "$i" fd09::9
	done
	for ((i = 1; i <= SERVERS; i++)); do tb_wait 20 grep -q '^serving' "$BATS_TEST_TMPDIR/run-$i"; done
}

# The IPv4 VIP goes to IPv6 servers by GUE, and the table has the port that was aimed at; the IPv6 one to IPv4 servers
# by IPIP and remembers nothing. Ids are 1 and 2, 11 and 12.
apply() {
	cat >"$BATS_TEST_TMPDIR/lb.yaml" <<-END
		version: 1
		name: $NAME
		secret: $(cat "$BATS_TEST_TMPDIR/secret")
		interfaces: [${NAME}b0, ${NAME}b1, ${NAME}b2]
		vips:
		  - {address: 10.9.9.9, protocol: udp, port: 80, select: core, forward: gue, keep: table,
		     servers: [{address: "fd07:1::2", id: 1}, {address: "fd07:2::2", id: 2}]}
		  - {address: "fd09::9", protocol: udp, port: 80, select: core, forward: ipip, keep: none, source: 10.7.100.0/24,
		     servers: [{address: 10.7.1.2, id: 11}, {address: 10.7.2.2, id: 12}]}
	END
	lb apply "$BATS_TEST_TMPDIR/lb.yaml"
}

# Servers listen, and the balancer knows their MAC addresses: the first packet to one may go up the stack, in another header.
listens() { [ "$(in_pool "l$1" ss -Hlun 'sport = 80' | wc -l)" = 2 ]; }
ready() {
	local i
	for ((i = 1; i <= SERVERS; i++)); do
		tb_wait 10 listens "$i"
		tb_wait 10 in_pool lb ping -qc1 -W1 "10.7.$i.2"
		tb_wait 10 in_pool lb ping -qc1 -W1 "fd07:$i::2"
	done
}

@test "flows in GUE and in IPIP land on the CPU that was foretold, where the agent takes them out" {
	cd "$BATS_TEST_TMPDIR"
	apply
	ready
	reports_up
	as_foretold 10.9.9.9 10000 200
	as_foretold fd09::9 20000 200
	expect "$(counts)" '.by_load == 400' '.inserted >= 200'
	expect "$(in_server 1 agent show -n "$NAME-1" -j)" '.counts.gue > 0' '.counts.ipip > 0'
}
