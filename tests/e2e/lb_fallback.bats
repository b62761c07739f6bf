#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Connections without cookies through two balancers, each of which sees one direction of many of them.
load common
export FLEET_WANTED=4
load fleet

# loaded TIMESTAMPS: four seconds of requests, a server of which has these; the others are drained meanwhile.
loaded() {
	fleet_at s2 sysctl -qw net.ipv4.tcp_timestamps="$1"
	# Without drift: of stamps from all of 32 bits the shim would give one in 2,001 back wrong. Its connection hangs, and
	# a socket that has sent again may take the other balancer (net.core.txrehash), whose table does not know it.
	fleet_clock 2 1000000000
	fleet_both 1 2 3 4 2>"$FLEET_RUN/err"
	fleet_wrk held 24 5
	fleet_wrk fresh 8 5 close
	sleep 1.5
	fleet_both 1:drain 2 3 4 2>>"$FLEET_RUN/err"
	sleep 1
	fleet_both 1 2:drain 3 4 2>>"$FLEET_RUN/err"
	fleet_wrk_wait
	cat "$FLEET_RUN/held.json" "$FLEET_RUN/fresh.json"
	expect "$(jq -s '{failed: (map(.failed) | add), requests: (map(.requests) | add)}' "$FLEET_RUN"/{held,fresh}.json)" \
		'.failed == 0' '.requests > 500'
}

@test "a server with a timestamp offset for each connection" {
	loaded 1
	grep -q 'offset for each connection' "$FLEET_RUN/err"
}

@test "a server without timestamps" {
	loaded 0
	grep -q 'sends no timestamps' "$FLEET_RUN/err"
}
