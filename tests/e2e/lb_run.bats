#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# What `sluice lb run` does for clients while servers die, answer badly and come back, and while it dies itself.
load common
load pool
load run

setup() {
	needs_root
	export SLUICE_RUN_DIR=$BATS_TEST_TMPDIR
	HTTP=()
}
teardown() {
	local pid
	stop_run
	for pid in "${HTTP[@]}"; do
		kill "$pid" 2>/dev/null || true
		wait "$pid" 2>/dev/null || true
	done
	pool_down
}

# run_file VIP-SETTINGS SERVER[:STATE]...
run_file() {
	local settings=$1 i
	shift
	printf 'version: 1\nname: %s\ninterfaces: [%s' "$NAME" "${NAME}b0"
	for i in 1 2 3; do printf ', %s' "${NAME}b$i"; done
	printf ']\nrefill: 20ms\nmetrics: 127.0.0.1:9465\nvips:\n  - {address: 10.9.9.9, port: 80, %s, servers: [' "$settings"
	for i in "$@"; do printf '{address: "10.7.%s.2:8080", state: %s},' "${i%:*}" "$(state_of "$i")"; done
	printf ']}\n'
}

balance() { # as run_file
	run_file "$@" >"$BATS_TEST_TMPDIR/lb.yaml"
	start_run
}
health() { # SERVER: its word
	lb show -n "$NAME" -j | jq -r --arg a "10.7.$1.2:8080" '.vips[0].servers[] | select(.address == $a) | .health'
}
is() { [ "$(health "$1")" = "$2" ]; }

# status SERVER STATUS: what the HTTP server at its port 8081 answers.
status() { echo "$2" >"$BATS_TEST_TMPDIR/status-$1"; }
http_up() {
	in_pool "l$1" python3 -c '
import http.server, sys
class Answer(http.server.BaseHTTPRequestHandler):
	def do_GET(self):
		good = self.path == "/up" and self.headers["Host"] == "example.org"
		self.send_response(int(open(sys.argv[1]).read()) if good else 404)
		self.end_headers()
	def log_message(self, *args):
		pass
http.server.ThreadingHTTPServer(("", 8081), Answer).serve_forever()' "$BATS_TEST_TMPDIR/status-$1" 3>&- &
	HTTP+=($!)
	tb_wait 5 in_pool "l$1" bash -c 'exec 3<>/dev/tcp/127.0.0.1/8081'
}

@test "a server that dies is out in fall probes and back after rise; a runner that is killed stops no traffic" {
	local pid
	pool_up 3
	balance 'check: {type: tcp, interval: 200ms, timeout: 200ms, fall: 3, rise: 2}' 1 2 3
	tb_wait 3 is 1 healthy
	kill "${POOL_SPAWNED[0]}"
	pid=$(date +%s%3N)
	until is 1 failing; do [ $(($(date +%s%3N) - pid)) -lt 2000 ]; done
	said 'server 10.7.1.2:8080 fails: Connection refused'
	pool_traffic 10.9.9.9 2
	kill -9 "$RUN"
	wait "$RUN" || true
	is 1 failing
	start_run
	expect "$(pool_result)" '.held_broken == 0' '.new_failed == 0' '.words | has("s1") | not'
	is 1 failing
	pool_spawn l1 "$BATS_TEST_TMPDIR/server-1" server 10.7.1.2 8080 s1
	tb_wait 4 is 1 healthy
	pool_traffic 10.9.9.9 1
	expect "$(pool_result)" '.held_broken == 0' '.new_failed == 0' '.words | has("s1")'
	[ "$(grep -c 'server 10.7.1.2' "$BATS_TEST_TMPDIR/run.err")" = 1 ] # back
	refused 'runs already' lb run "$BATS_TEST_TMPDIR/lb.yaml"
	kill "$RUN"
	wait "$RUN"
	lb show -n "$NAME" >/dev/null
}

@test "HTTP by path, host and status; datagrams; where all servers fail all serve" {
	local i
	pool_up 3
	for i in 1 2 3; do
		status "$i" 200
		http_up "$i"
	done
	balance 'check: {type: http, port: 8081, path: /up, host: example.org, status: 200, interval: 100ms, fall: 2}' 1 2 3
	tb_wait 3 is 3 healthy
	status 1 500
	tb_wait 3 is 1 failing
	expect "$(lb show -n "$NAME" -j)" '.vips[0].servers[0].check_error == "HTTP status 500"'
	lb show -n "$NAME" | grep -q '^10.7.1.2:8080: HTTP status 500'
	in_pool lb curl -sS http://127.0.0.1:9465/metrics >"$BATS_TEST_TMPDIR/metrics"
	grep -qx "sluice_lb_server_failing{balancer=\"$NAME\",vip=\"10.9.9.9\",protocol=\"tcp\",port=\"80\",server=\"10.7.1.2:8080\"} 1" \
		"$BATS_TEST_TMPDIR/metrics"
	[ "$(grep -c '^sluice_lb_server_serving{.* 1$' "$BATS_TEST_TMPDIR/metrics")" = 2 ]
	grep -q '^sluice_lb_packets_total{.*count="new"}' "$BATS_TEST_TMPDIR/metrics"
	lb set -n "$NAME" 10.7.2.2:8080 -s drain
	status 3 503
	tb_wait 3 is 3 panic
	is 1 panic
	said 'all servers fail: all serve'
	pool_traffic 10.9.9.9 1
	expect "$(pool_result)" '.new_failed == 0' '.words | has("s1") and has("s3") and (has("s2") | not)'
	status 1 200
	tb_wait 3 is 1 healthy
	is 3 failing
	run_file 'protocol: udp, check: {type: udp, send: "who\n", expect: s, interval: 100ms, fall: 2}' 1 2 3 >"$BATS_TEST_TMPDIR/lb.yaml"
	kill -HUP "$RUN"
	tb_wait 3 is 1 healthy
	pool_traffic 10.9.9.9 1 udp
	expect "$(pool_result)" '.held_broken == 0' '.words | has("s1")'
	kill "${POOL_SPAWNED[0]}"
	tb_wait 3 is 1 failing
	pool_traffic 10.9.9.9 1 udp
	expect "$(pool_result)" '.held_broken == 0' '.new_failed == 0' '.words | has("s1") | not'
	run_file 'protocol: udp, check: off' 1 2 3 >"$BATS_TEST_TMPDIR/lb.yaml"
	kill -HUP "$RUN"
	tb_wait 3 is 1 unchecked
}

@test "SIGHUP brings a server under traffic, by load and by hash; what it refuses changes nothing" {
	pool_up 3
	balance 'select: awrr, metric: packets, check: tcp' 1 2
	pool_traffic 10.9.9.9 4
	run_file 'select: least, metric: bytes, check: tcp' 1 2 3 >"$BATS_TEST_TMPDIR/lb.yaml"
	kill -HUP "$RUN"
	tb_wait 3 said 'is in force'
	sleep 1
	expect "$(lb show -n "$NAME" -j)" '[.vips[0].servers[].load] | max > 0 and length == 3'
	run_file 'select: pow2, check: tcp' 1:drain 2 3 >"$BATS_TEST_TMPDIR/lb.yaml"
	kill -HUP "$RUN"
	sleep 0.5
	lb set -n "$NAME" 10.7.1.2:8080 -s up
	sed 's/pow2/fastest/' "$BATS_TEST_TMPDIR/lb.yaml" >"$BATS_TEST_TMPDIR/bad.yaml"
	cp "$BATS_TEST_TMPDIR/bad.yaml" "$BATS_TEST_TMPDIR/lb.yaml"
	kill -HUP "$RUN"
	tb_wait 3 said 'write hash, turn'
	expect "$(pool_result)" '.held_broken == 0' '.new_failed == 0' '.words | length == 3'
	lb remove -n "$NAME"
	tb_wait 5 said 'was removed'
	wait "$RUN"
}

@test "a server that its clients do not reach is out although its probes succeed" {
	local i verdict
	pool_up 3
	for i in 1 2 3; do
		status "$i" 200
		http_up "$i"
	done
	balance 'check: {type: http, port: 8081, path: /up, host: example.org, interval: 300ms, rise: 100, passive: 50%}' 1 2 3
	tb_wait 3 is 1 healthy
	in_pool lc sysctl -qw net.ipv4.tcp_syn_retries=1
	for verdict in 'reject with tcp reset' drop; do
		in_pool l1 nft -f - <<<"table ip t { chain c { type filter hook input priority 0; ip saddr 10.7.0.2 tcp flags syn / syn,ack $verdict; }; }"
		in_pool lc python3 -c '
import socket, time
for _ in range(20):
	calls = [socket.socket() for _ in range(60)]
	for s in calls:
		s.setblocking(False)
		s.connect_ex(("10.9.9.9", 80))
	time.sleep(0.05)'
		is 1 failing
		is 2 healthy
		pool_traffic 10.9.9.9 1
		expect "$(pool_result)" '.new_failed == 0' '.words | has("s1") | not'
		in_pool l1 nft flush ruleset
		if [ "$verdict" != drop ]; then
			said 'SYNs without answer, [1-9]'
			sed -i 's/rise: 100/rise: 2/' "$BATS_TEST_TMPDIR/lb.yaml"
			kill -HUP "$RUN"
			tb_wait 4 is 1 healthy
			sed -i 's/rise: 2/rise: 100/' "$BATS_TEST_TMPDIR/lb.yaml"
			kill -HUP "$RUN"
		fi
	done
}

@test "what a check cannot be is said before anything is done" {
	local bad=$BATS_TEST_TMPDIR/bad.yaml settings
	wrong() { # MESSAGE SETTINGS
		run_file "$2" 1 >"$bad"
		refused -2 "$1" "$SLUICE" lb apply --check "$bad"
	}
	wrong 'write off, tcp, http or udp' 'check: ping'
	wrong 'a time from 10ms to 1h' 'check: {interval: 1ms}'
	wrong '1 to 100' 'check: {fall: 0}'
	wrong 'write a path' 'check: {type: http, path: "/a b"}'
	wrong 'write a path' 'check: {type: http, path: up}'
	wrong 'write a status' 'check: {type: http, status: 400-200}'
	wrong 'check.send is missing' 'protocol: udp, check: udp'
	wrong 'UDP has no SYNs' 'protocol: udp, check: {type: tcp, passive: 50%}'
	wrong 'a probe has to tell' 'check: {type: off, passive: 50%}'
	wrong 'write connections, packets' 'metric: cpu'
	wrong 'write select: hash' 'select: awrr, keep: none'
	sed 's/127.0.0.1:9465/192.0.2.1:9465/' "$bad" >"$bad.2"
	refused -2 'write a loopback address' "$SLUICE" lb apply --check "$bad.2"
	sed 's/refill: 20ms/refill: 1ms/' "$bad" >"$bad.2"
	refused -2 'a time from 10ms to 10s' "$SLUICE" lb apply --check "$bad.2"
	printf 'version: 1\ninterfaces: [a0]\nvips:\n  - {address: 10.9.9.9, check: tcp, servers: [{address: 10.7.1.2}]}\n' >"$bad"
	refused -2 'write check.port' "$SLUICE" lb apply --check "$bad"
	sed -i 's/check: tcp/forward: ipip, port: 80, check: {passive: 50%}/' "$bad"
	refused -2 'with forward: ipip a server' "$SLUICE" lb apply --check "$bad"
	for settings in 'check: off' 'check: {type: http, status: 204, passive: 30%, timeout: 500ms}' \
		'protocol: udp, check: {type: tcp, port: 22}'; do
		run_file "$settings" 1 >"$bad"
		"$SLUICE" lb apply --check "$bad"
	done
}
