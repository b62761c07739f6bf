#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# How `sluice lb run` finds out who is fit: pages, datagrams, clients' SYNs; and what a check cannot be.
load common
load pool
load run

setup() { run_setup; }
teardown() {
	run_down
	pool_down
}

# status SERVER STATUS: what the HTTP server at its port 8081 answers.
status() { echo "$2" >"$BATS_TEST_TMPDIR/status-$1"; }
http_up() {
	nsenter --net="/run/netns/$NAME-l$1" -- python3 -c '
import http.server, sys
class Answer(http.server.BaseHTTPRequestHandler):
	def do_GET(self):
		good = self.path == "/up" and self.headers["Host"] == "example.org"
		self.send_response(int(open(sys.argv[1]).read()) if good else 404)
		self.end_headers()
	def log_message(self, *args):
		pass
http.server.ThreadingHTTPServer(("", 8081), Answer).serve_forever()' "$BATS_TEST_TMPDIR/status-$1" 3>&- &
	RUN_SPAWNED+=($!)
	tb_wait 5 in_pool "l$1" bash -c 'exec 3<>/dev/tcp/127.0.0.1/8081'
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
	wrong 'write connections, packets' 'metric: memory'
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
