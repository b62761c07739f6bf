#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Checks of servers that get a VIP's packets as they are: a probe takes the way of a client's packet, so it finds what
# is broken on that way while the server's own address answers.
load common
load pool
load direct
load run

setup() { run_setup; }
teardown() {
	run_down
	direct_down
}

# checks FORWARD V4-PREFIX V6-PREFIX: of both servers, for both families, by TCP and UDP.
checks() {
	direct_file "$@" 1 2 >"$BATS_TEST_TMPDIR/lb.yaml"
	sed -i -e 's/protocol: tcp,/&check: {type: tcp, interval: 100ms, timeout: 300ms, fall: 2},/' \
		-e 's/protocol: udp,/&check: {type: udp, send: "who\\n", expect: s, interval: 100ms, timeout: 300ms, fall: 2},/' \
		"$BATS_TEST_TMPDIR/lb.yaml"
}
# are WORD WORD: of servers 1 and 2, of every VIP.
are() {
	lb show -n "$NAME" -j | jq -e --arg one "$1" --arg two "$2" \
		'[.vips[].servers | sort_by(.address) | map(.health) == [$one, $two]] | length == '"${ARE:-4}"' and all'
}
routes() {
	in_pool lb ip route add default via 10.7.0.2
	in_pool lb ip -6 route add default via fd07::2
}
# Addresses of IPv6 are there a second later than those of IPv4.
agents_reached() { # SERVER...
	local i
	agents_on "$@"
	for i in "$@"; do tb_wait 10 in_pool lb ping -c 1 -W 1 "fd07:$i::2"; done
}
reload() {
	kill -HUP "$RUN"
	tb_wait 5 said 'is in force'
	: >"$BATS_TEST_TMPDIR/run.err"
}

@test "what breaks a client's way breaks the probe's: the agent, the VIP's own server; l2, ipip, gue" {
	pool_up 2
	routes
	vips_on 1 2
	agents_reached 1 2
	checks ipip 10.7.N.2 fd07:N::2
	start_run
	tb_wait 5 are healthy healthy
	[ "$(wc -l <"$BATS_TEST_TMPDIR/run.err")" = 1 ] # nobody asked for their clocks
	in_pool l1 "$SLUICE" agent detach -n "$NAME-l1"
	tb_wait 5 are failing healthy
	said 'server 10.7.1.2 fails: no answer'
	agents_on 1
	tb_wait 5 are healthy healthy
	checks gue fd07:N::2 10.7.N.2
	reload
	sleep 0.5
	are healthy healthy
	in_pool l2 "$SLUICE" agent detach -n "$NAME-l2"
	tb_wait 5 are healthy failing
	checks l2 10.7.N.2 fd07:N::2
	reload
	tb_wait 5 are healthy healthy
	kill "${POOL_SPAWNED[4]}" "${POOL_SPAWNED[5]}" # of server 1 at the VIPs
	tb_wait 5 are failing healthy
	said '10.7.1.2 fails: Connection refused'
	pool_traffic 10.9.9.9 1
	expect "$(pool_result)" '.held_broken == 0' '.new_failed == 0' '.words | has("s1") | not'
}

@test "gue_port of the file is the agents' and the probes' too, one for all of a host's VIPs" {
	local i
	pool_up 2
	routes
	vips_on 1 2
	checks gue 10.7.N.2 fd07:N::2
	sed -i 's/forward: gue/&, gue_port: 9886/' "$BATS_TEST_TMPDIR/lb.yaml"
	sed '0,/gue_port: 9886/s//gue_port: 9887/' "$BATS_TEST_TMPDIR/lb.yaml" >"$BATS_TEST_TMPDIR/bad.yaml"
	refused -2 'gue_port: ' in_pool l1 "$SLUICE" agent attach -n "$NAME-l1" --lb "$BATS_TEST_TMPDIR/bad.yaml" "${NAME}e1"
	for i in 1 2; do
		in_pool "l$i" "$SLUICE" agent attach -n "$NAME-l$i" --lb "$BATS_TEST_TMPDIR/lb.yaml" "${NAME}e$i"
		expect "$(in_pool "l$i" "$SLUICE" agent show -n "$NAME-l$i" -j)" '.gue_port == 9886'
	done
	start_run
	tb_wait 5 are healthy healthy
}

# http.server's own server asks for the name of its address, which takes long where nobody answers
PAGES='
import http.server, socket, socketserver, sys
socketserver.TCPServer.address_family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
socketserver.TCPServer((sys.argv[1], 80), http.server.SimpleHTTPRequestHandler).serve_forever()'

# pages_on SERVER...: web servers at the VIPs, and at no other address, with a page `fit`.
pages_on() {
	local i at
	for i in "$@"; do
		mkdir -p "$BATS_TEST_TMPDIR/www-$i"
		echo fit >"$BATS_TEST_TMPDIR/www-$i/fit"
		in_pool "l$i" ip addr add 10.9.9.9/32 dev lo
		in_pool "l$i" ip -6 addr add fd09::9/128 dev lo nodad
		for at in 10.9.9.9 fd09::9; do
			cd "$BATS_TEST_TMPDIR/www-$i" || return
			nsenter --net="/run/netns/$NAME-l$i" -- python3 -c "$PAGES" "$at" 2>"$BATS_TEST_TMPDIR/www.log" 3>&- &
			POOL_SPAWNED+=($!)
		done
	done
	for i in "$@"; do
		tb_wait 10 in_pool "l$i" bash -c "exec 3<>/dev/tcp/10.9.9.9/80"
		tb_wait 10 in_pool "l$i" bash -c "exec 3<>/dev/tcp/fd09::9/80"
	done
}
pages() { # FORWARD V4-PREFIX V6-PREFIX
	direct_file "$@" 1 2 >"$BATS_TEST_TMPDIR/lb.yaml"
	sed -i -e 's|protocol: tcp,|&check: {type: http, path: /fit, interval: 100ms, timeout: 300ms, fall: 2},|' \
		-e '/protocol: udp,/d' "$BATS_TEST_TMPDIR/lb.yaml"
}

@test "a page is asked for at the VIP, through l2, ipip and gue; nothing else of it stays anywhere" {
	local i
	ARE=2
	pool_net 2
	routes
	pages_on 1 2
	agents_reached 1 2
	pages ipip 10.7.N.2 fd07:N::2
	start_run
	tb_wait 5 are healthy healthy
	rm "$BATS_TEST_TMPDIR/www-1/fit"
	tb_wait 5 are failing healthy
	said '10.7.1.2 fails: HTTP status 404'
	pages gue fd07:N::2 10.7.N.2
	reload
	tb_wait 5 are failing healthy
	echo fit >"$BATS_TEST_TMPDIR/www-1/fit"
	tb_wait 5 are healthy healthy
	pages l2 10.7.N.2 fd07:N::2
	reload
	sleep 0.5
	are healthy healthy
	kill -STOP "${POOL_SPAWNED[0]}" "${POOL_SPAWNED[1]}" # accepts, and says nothing
	tb_wait 5 are failing healthy
	said '10.7.1.2 fails: no answer'
	kill -CONT "${POOL_SPAWNED[0]}" "${POOL_SPAWNED[1]}"
	tb_wait 5 are healthy healthy
	kill "$RUN"
	wait "$RUN"
	# of hundreds of probes the balancer's kernel took none for a mistake, but for what came after one's end;
	# and each connection got its reset
	[ "$(in_pool lb nstat -asz TcpOutRsts | awk '/^Tcp/ { print $2 }')" -lt 20 ]
	for i in 1 2; do
		tb_wait 5 in_pool "l$i" bash -c '! ss -Htn state established state syn-recv | grep -q .'
	done
}
