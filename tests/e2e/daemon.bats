#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# sluiced as an operator meets it: start, socket, metrics, reload, refusals, SIGKILL and adoption,
# privileges, and that it moves buckets under a skewed load. A veth pair, two network namespaces.
bats_require_minimum_version 1.5.0

setup_file() {
	[ "$(id -u)" = 0 ] || skip "needs root"
	export ROOT="$BATS_TEST_DIRNAME/../.."
	export SLUICE="${SLUICE:-$ROOT/build/sluice}"
	export SLUICED="${SLUICED:-$(dirname "$SLUICE")/sluiced}"
	export NS="sld$$" PEER="sldp$$"
	export SLUICE_RUN_DIR="$BATS_FILE_TMPDIR/run"
	mountpoint -q /sys/fs/bpf || mount -t bpf bpf /sys/fs/bpf
	ip netns add "$NS"
	ip netns add "$PEER"
	ip link add sld0 netns "$NS" type veth peer name sld1 netns "$PEER"
	ip -n "$NS" addr add 10.78.0.1/24 dev sld0
	ip -n "$PEER" addr add 10.78.0.2/24 dev sld1
	ip -n "$NS" link set lo up
	ip -n "$NS" link set sld0 up
	ip -n "$PEER" link set sld1 up
}

teardown_file() {
	[ -e "/run/netns/$NS" ] || return 0
	in_ns "$SLUICE" detach sld0 --force >/dev/null 2>&1 || true
	ip netns del "$NS"
	ip netns del "$PEER"
}

setup() {
	CONF="$BATS_TEST_TMPDIR/sluice.yaml"
	LOG="$BATS_TEST_TMPDIR/daemon.log"
	DAEMON='' DATAPLANE=''
	cat >"$CONF" <<-END
		instances:
		  - interfaces: sld0
		    attach: true
		    match: all
	END
}

teardown() {
	end "$DATAPLANE"
	end "$DAEMON"
	rm -f "$SLUICE_RUN_DIR"/*.balance.json
}

in_ns() { nsenter --net="/run/netns/$NS" -- "$@"; }
in_peer() { nsenter --net="/run/netns/$PEER" -- "$@"; }
sluice() { in_ns "$SLUICE" "$@"; }
metrics() { in_ns curl -sS --max-time 5 "http://127.0.0.1:${1:-9464}/metrics"; }
metric() { metrics | awk -v name="$1" 'index($0, name) == 1 { v = $NF } END { print v }'; }
daemon_json() { sluice status sld0 -j | jq -e ".daemon | $1"; }

# Ends a process that this file started, and waits for it.
end() {
	[ -n "$1" ] || return 0
	kill "$1" 2>/dev/null || return 0
	wait "$1" 2>/dev/null || true
}

# wait_for CMD... - until it succeeds, at most 10 s.
wait_for() {
	for _ in $(seq 100); do
		"$@" >/dev/null 2>&1 && return 0
		sleep 0.1
	done
	echo "never: $*" >&2
	cat "$LOG" >&2
	return 1
}

start_daemon() {
	nsenter --net="/run/netns/$NS" -- "$SLUICED" -c "$CONF" 2>>"$LOG" 3>&- &
	DAEMON=$!
	wait_for grep -q "serves" "$LOG"
}

start_dataplane() {
	nsenter --net="/run/netns/$NS" -- "$SLUICE" run -i sld0 --workers 2 --nf "$1" \
		>"$BATS_TEST_TMPDIR/run.log" 2>&1 3>&- &
	DATAPLANE=$!
	wait_for dataplane_serves
}

dataplane_serves() {
	[ "$(sluice status sld0 -j | jq .dataplane.workers)" = 2 ]
}

@test "start attaches what the file says, status and metrics answer" {
	start_daemon
	run -0 daemon_json '.running and (.paused | not) and .instance == "sld0"'
	run -0 metrics
	[[ "$output" == *'sluice_dataplane_up{instance="sld0"} 0'* ]]
	# Every sample has a type, every counter ends in _total, none is per bucket.
	[ -z "$(metrics | awk '/^# TYPE/ { t[$3] = $4; if ($4 == "counter" && $3 !~ /_total$/) print }
		/^[a-z]/ { sub(/[{ ].*/, ""); if (!($0 in t)) print }')" ]
	run ! grep -q bucket= <(metrics)
}

@test "metrics: other paths and methods are refused, and only loopback listens" {
	start_daemon
	[ "$(in_ns curl -s -o /dev/null -w '%{http_code}' http://127.0.0.1:9464/)" = 404 ]
	[ "$(in_ns curl -s -o /dev/null -w '%{http_code}' -X POST http://127.0.0.1:9464/metrics)" = 405 ]
	run ! in_ns curl -s --max-time 2 http://10.78.0.1:9464/metrics
}

@test "a second daemon is refused with one line and the first serves on" {
	start_daemon
	run -1 in_ns "$SLUICED" -c "$CONF"
	[ "${#lines[@]}" = 1 ]
	[[ "$output" == *"runs already"* ]]
	daemon_json .running
}

@test "a busy metrics port is one line, and nothing is left behind" {
	sluice detach sld0 --force >/dev/null 2>&1 || true
	nsenter --net="/run/netns/$NS" -- python3 -c 'import socket,time; s=socket.create_server(("127.0.0.1", 9464)); time.sleep(30)' 3>&- &
	busy=$!
	wait_for in_ns bash -c 'echo >/dev/tcp/127.0.0.1/9464'
	run -1 in_ns "$SLUICED" -c "$CONF"
	end "$busy"
	[ "${#lines[@]}" = 1 ]
	[[ "$output" == *"metrics.listen: port 9464"* ]]
	[ ! -e "$SLUICE_RUN_DIR/sluiced.sock" ]
	run ! sluice status sld0
}

@test "bad configurations are refused at start, with file, line and setting" {
	echo 'balance: {tick: 1s}' >"$CONF"
	run -1 in_ns "$SLUICED" -c "$CONF"
	[ "${#lines[@]}" = 1 ]
	[[ "$output" == *"$CONF:1: balance: unknown setting \"tick\""* ]]
	run -1 in_ns "$SLUICED" -c /nonexistent.yaml
	[[ "$output" == *"/nonexistent.yaml"* ]]
	run -2 in_ns "$SLUICED" --nonsense
	run -2 in_ns "$SLUICED" extra
}

@test "an interface that is not there refuses the start" {
	sed -i 's/sld0/sldnone/' "$CONF"
	run -1 in_ns "$SLUICED" -c "$CONF"
	echo "$output"
	[ "${#lines[@]}" = 1 ]
	[[ "$output" == *sldnone* ]]
}

@test "reload: a good file takes effect, a bad one leaves the old in force" {
	start_daemon
	cat >>"$CONF" <<-END
		metrics: {listen: '127.0.0.1:9465'}
		balance: {enabled: false}
	END
	kill -HUP "$DAEMON"
	wait_for grep -q "configuration reloaded" "$LOG"
	wait_for metrics 9465
	run ! metrics 9464
	daemon_json '.enabled == false'
	echo 'balance: {enabled: maybe}' >"$CONF"
	kill -HUP "$DAEMON"
	wait_for grep -q "old configuration stays in force: $CONF:1: balance.enabled" "$LOG"
	daemon_json '.enabled == false'
	[ "$(metrics 9465 | grep -c 'result="refused"} 1')" = 1 ]
}

@test "reload puts changed match rules in force" {
	start_daemon
	sed -i 's/match: all/match: [192.0.2.0\/24, proto=udp]/' "$CONF"
	kill -HUP "$DAEMON"
	wait_for grep -q "configuration reloaded" "$LOG"
	run -0 sluice status sld0 -j
	[ "$(jq -c .rules <<<"$output")" = '["192.0.2.0/24","proto=udp"]' ]
	run ! grep -qi "error\|refused" "$LOG"
}

@test "pause and pins survive SIGKILL, and the restarted daemon adopts" {
	start_daemon
	before=$(sluice status sld0 -j | jq .interfaces[0].prog_id)
	sluice pause sld0
	rpc '{"v":1,"cmd":"pin","instance":"sld0","first":3,"last":5}'
	kill -KILL "$DAEMON"
	wait "$DAEMON" 2>/dev/null || true
	run -0 sluice status sld0 -j
	[ "$(jq .daemon.running <<<"$output")" = false ]
	: >"$LOG"
	start_daemon
	daemon_json '.paused and .pinned == 3'
	[ "$(sluice status sld0 -j | jq .interfaces[0].prog_id)" = "$before" ]
	sluice resume sld0
	daemon_json '.paused | not'
}

# One request over the socket.
rpc() {
	python3 - "$SLUICE_RUN_DIR/sluiced.sock" "$1" <<-'END'
		import socket, sys
		s = socket.socket(socket.AF_UNIX)
		s.connect(sys.argv[1])
		s.sendall(sys.argv[2].encode() + b"\n")
		print(s.makefile().readline().strip())
	END
}

@test "the socket refuses what it must, one line each" {
	start_daemon
	[ "$(stat -c %a "$SLUICE_RUN_DIR/sluiced.sock")" = 660 ]
	[[ "$(rpc '{"v":9,"cmd":"status"}')" == *'"ok":false'*version* ]]
	[[ "$(rpc '{"v":1,"cmd":"explode"}')" == *'unknown command'* ]]
	[[ "$(rpc '{"v":1,"cmd":"pause","instance":"eth99"}')" == *'eth99 is not attached'* ]]
	[[ "$(rpc '{"v":1,"cmd":"pin","first":9,"last":5000}')" == *'0-1023'* ]]
	[[ "$(rpc '{"v":1,"cmd":"pause","instance":5}')" == *'\"instance\": a name'* ]]
	[[ "$(rpc '{"v":1,"cmd":"balance","dry_run":"yes"}')" == *'true or false'* ]]
	[[ "$(rpc '{"v":1,"cmd":"balance"}')" == *'no dataplane'* ]]
	[[ "$(rpc '{"v":1,"cmd":"status"}')" == *'"ok":true'*'"instances":[{'* ]]
	daemon_json .running
}

@test "after start only CAP_BPF is left, and it is enough to adopt and to refresh addresses" {
	sluice detach sld0 --force >/dev/null 2>&1 || true
	echo '{}' >"$CONF"
	start_daemon
	[ "$(awk '/^CapPrm/ { print $2 }' "/proc/$DAEMON/status")" = 0000008000000000 ]
	[ "$(awk '/^CapEff/ { print $2 }' "/proc/$DAEMON/status")" = 0000008000000000 ]
	[ "$(awk '/^CapBnd/ { print $2 }' "/proc/$DAEMON/status")" = 0000000000000000 ]
	[ "$(awk '/^NoNewPrivs/ { print $2 }' "/proc/$DAEMON/status")" = 1 ]
	sluice attach sld0 --match all
	wait_for grep -q "sld0: adopted" "$LOG"
	ip -n "$NS" addr add 10.78.9.9/24 dev sld0
	sleep 1
	ip -n "$NS" addr del 10.78.9.9/24 dev sld0
	sluice detach sld0
	wait_for grep -q "sld0: detached" "$LOG"
	[ "$(grep -c sld0: "$LOG")" = 2 ]
}

@test "dataplane and daemon in either order; a skewed load is evened out" {
	start_daemon
	wait_for daemon_json .running
	start_dataplane work:80000,sink
	wait_for grep -q "dataplane runs" "$LOG"
	# all of it on one worker: above the threshold, whatever the hash key is
	sluice move sld0 0-1023:0 >/dev/null
	in_peer "$SLUICE" gen sld1 --flows 400 --skew 0.8 --rate 26000 --duration 4 --hot-shift 1 >/dev/null 2>&1 3>&- &
	gen=$!
	wait_for moved
	wait "$gen" || true
	[ "$(metric 'sluice_moves_started_total{')" -gt 0 ]
	end "$DATAPLANE"
	DATAPLANE=''
	wait_for grep -q "dataplane is gone" "$LOG"
}

moved() { [ "$(metric 'sluice_balance_moves_total{')" -gt 0 ]; }

@test "paused, nothing moves; balance --dry-run moves nothing, balance does" {
	start_daemon
	sluice pause sld0
	start_dataplane work:80000,sink
	sluice move sld0 0-1023:0 >/dev/null
	in_peer "$SLUICE" gen sld1 --flows 400 --skew 1.2 --rate 20000 --duration 6 >/dev/null 2>&1 3>&- &
	gen=$!
	sleep 2
	[ "$(metric 'sluice_balance_moves_total{')" = 0 ]
	run -0 sluice balance sld0 --dry-run -j
	[ "$(jq '.moves | length' <<<"$output")" -gt 0 ]
	[ "$(metric 'sluice_balance_moves_total{')" = 0 ]
	run -0 sluice balance sld0 -j
	[ "$(jq .stored <<<"$output")" -gt 0 ]
	[ "$(metric 'sluice_balance_moves_total{')" -gt 0 ]
	wait "$gen" || true
}

@test "SIGKILL of the daemon under load loses nothing, and the daemon costs less than 1 % of a CPU" {
	start_daemon
	start_dataplane sink
	# A ring holds a second of this rate: a busy machine loses nothing by itself.
	before=$(sluice losses sld0 -j | jq .delivered)
	in_peer "$SLUICE" gen sld1 --flows 1000 --rate 2000 --duration 5 -j \
		>"$BATS_TEST_TMPDIR/gen.json" 2>/dev/null 3>&- &
	gen=$!
	for _ in 1 2 3; do
		sleep 0.5
		kill -KILL "$DAEMON"
		wait "$DAEMON" 2>/dev/null || true
		: >"$LOG"
		start_daemon
	done
	cpu=$(metric process_cpu_seconds_total)
	sleep 2
	cpu=$(awk -v a="$cpu" -v b="$(metric process_cpu_seconds_total)" 'BEGIN { print (b - a) / 2 }')
	echo "daemon: $cpu of a CPU"
	awk -v c="$cpu" 'BEGIN { exit !(c < 0.01) }'
	wait "$gen"
	sleep 0.5
	sent=$(jq .sent "$BATS_TEST_TMPDIR/gen.json")
	run -0 sluice losses sld0 -j
	echo "sent $sent, before $before: $output"
	[ "$(($(jq .delivered <<<"$output") - before))" = "$sent" ]
	[ "$(jq .unaccounted <<<"$output")" = 0 ]
}
