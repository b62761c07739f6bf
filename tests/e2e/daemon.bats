#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# sluiced as an operator meets it: start, socket, metrics, reload, refusals, SIGKILL and adoption,
# privileges, and that it moves buckets under a skewed load.
load common

setup() {
	needs_root
	tb_up "$NAME"
	ip -n "$NAME-dut" link set lo up
	ip -n "$NAME-dut" addr add 10.78.0.1/24 dev "$TB_D"
	CONF="$BATS_TEST_TMPDIR/sluice.yaml"
	LOG="$TB_RUN/sluiced.log"
	cat >"$CONF" <<-END
		instances:
		  - interfaces: $TB_D
		    attach: true
		    match: all
	END
}
teardown() { tb_down; }

metrics() { tb_dut curl -sS --max-time 5 "http://127.0.0.1:${1:-9464}/metrics"; }
metric() { metrics | awk -v name="$1" 'index($0, name) == 1 { v = $NF } END { print v }'; }
daemon_json() { tb_s status "$TB_D" -j | jq -e ".daemon | $1"; }

# Until it succeeds, at most 10 s; the daemon's log tells why not.
wait_for() {
	tb_wait 10 "$@" || {
		cat "$LOG"
		return 1
	}
}
logged() { grep -q "$1" "$LOG"; }

start_daemon() {
	tb_spawn sluiced "$SLUICED" -c "$CONF"
	DAEMON=$TB_PID
	wait_for logged "serves"
}

@test "start attaches what the file says, status and metrics answer" {
	start_daemon
	run -0 daemon_json ".running and (.paused | not) and .instance == \"$TB_D\""
	run -0 metrics
	[[ "$output" == *"sluice_dataplane_up{instance=\"$TB_D\"} 0"* ]]
	# Every sample has a type, every counter ends in _total, none is per bucket.
	[ -z "$(metrics | awk '/^# TYPE/ { t[$3] = $4; if ($4 == "counter" && $3 !~ /_total$/) print }
		/^[a-z]/ { sub(/[{ ].*/, ""); if (!($0 in t)) print }')" ]
	run ! grep -q bucket= <(metrics)
}

@test "metrics: other paths and methods are refused, and only loopback listens" {
	start_daemon
	[ "$(tb_dut curl -s -o /dev/null -w '%{http_code}' http://127.0.0.1:9464/)" = 404 ]
	[ "$(tb_dut curl -s -o /dev/null -w '%{http_code}' -X POST http://127.0.0.1:9464/metrics)" = 405 ]
	run ! tb_dut curl -s --max-time 2 http://10.78.0.1:9464/metrics
}

@test "a second daemon is refused with one line and the first serves on" {
	start_daemon
	run -1 tb_dut "$SLUICED" -c "$CONF"
	[ "${#lines[@]}" = 1 ]
	[[ "$output" == *"runs already"* ]]
	daemon_json .running
}

@test "a busy metrics port is one line, and nothing is left behind" {
	tb_spawn busy python3 -c 'import socket,time; s=socket.create_server(("127.0.0.1", 9464)); time.sleep(30)'
	tb_wait 10 tb_dut bash -c 'echo >/dev/tcp/127.0.0.1/9464'
	run -1 tb_dut "$SLUICED" -c "$CONF"
	[ "${#lines[@]}" = 1 ]
	[[ "$output" == *"metrics.listen: port 9464"* ]]
	[ ! -e "$SLUICE_RUN_DIR/sluiced.sock" ]
	no_xdp
}

@test "bad configurations are refused at start, with file, line and setting" {
	echo 'balance: {tick: 1s}' >"$CONF"
	run -1 tb_dut "$SLUICED" -c "$CONF"
	[ "${#lines[@]}" = 1 ]
	[[ "$output" == *"$CONF:1: balance: unknown setting \"tick\""* ]]
	run -1 tb_dut "$SLUICED" -c /nonexistent.yaml
	[[ "$output" == *"/nonexistent.yaml"* ]]
	run -2 tb_dut "$SLUICED" --nonsense
	run -2 tb_dut "$SLUICED" extra
}

@test "an interface that is not there refuses the start" {
	sed -i "s/$TB_D/nosuch/" "$CONF"
	run -1 tb_dut "$SLUICED" -c "$CONF"
	[ "${#lines[@]}" = 1 ]
	[[ "$output" == *nosuch* ]]
}

@test "reload: a good file takes effect, a bad one leaves the old in force" {
	start_daemon
	cat >>"$CONF" <<-END
		metrics: {listen: '127.0.0.1:9465'}
		balance: {enabled: false}
	END
	kill -HUP "$DAEMON"
	wait_for logged "configuration reloaded"
	wait_for metrics 9465
	run ! metrics 9464
	daemon_json '.enabled == false'
	echo 'balance: {enabled: maybe}' >"$CONF"
	kill -HUP "$DAEMON"
	wait_for logged "old configuration stays in force: $CONF:1: balance.enabled"
	daemon_json '.enabled == false'
	[ "$(metrics 9465 | grep -c 'result="refused"} 1')" = 1 ]
}

@test "reload puts changed match rules in force" {
	start_daemon
	sed -i 's/match: all/match: [192.0.2.0\/24, proto=tcp]/' "$CONF"
	kill -HUP "$DAEMON"
	wait_for logged "configuration reloaded"
	run -0 tb_s status "$TB_D" -j
	[ "$(jq -c .rules <<<"$output")" = '["192.0.2.0/24","proto=tcp"]' ]
	tb_gen "$SLUICE" gen "$TB_G" --count 50
	tb_gen "$SLUICE" gen "$TB_G" --count 20 --tcp 1 # nobody serves them
	expect "$(tb_s losses "$TB_D" -j)" '.passed_by.no_match == 50' '.no_slot == 20'
	run ! grep -qi "error\|refused" "$LOG"
}

@test "pause and pins survive SIGKILL, and the restarted daemon adopts" {
	start_daemon
	before=$(tb_s status "$TB_D" -j | jq .interfaces[0].prog_id)
	tb_s pause "$TB_D"
	rpc "{\"v\":1,\"cmd\":\"pin\",\"instance\":\"$TB_D\",\"first\":3,\"last\":5}"
	tb_stop "$DAEMON" KILL
	run -0 tb_s status "$TB_D" -j
	[ "$(jq .daemon.running <<<"$output")" = false ]
	start_daemon
	daemon_json '.paused and .pinned == 3'
	[ "$(tb_s status "$TB_D" -j | jq .interfaces[0].prog_id)" = "$before" ]
	tb_s resume "$TB_D"
	daemon_json '.paused | not'
}

paused_and_pinned() { daemon_json '.paused and .pinned == 3'; }
as_attached_first() { daemon_json '(.paused | not) and .pinned == 0'; }
pause_and_pin() {
	tb_s pause "$TB_D"
	rpc '{"v":1,"cmd":"pin","first":3,"last":5}'
	paused_and_pinned
}

@test "pause and pins end with the attach that they were said of, daemon or no daemon" {
	start_daemon
	pause_and_pin
	tb_s attach "$TB_D" --match all --replace # the same instance
	paused_and_pinned
	tb_s detach "$TB_D"
	wait_for test ! -e "$SLUICE_RUN_DIR/$TB_D.balance.json"
	tb_s attach "$TB_D" --match all
	wait_for as_attached_first
	pause_and_pin
	tb_stop "$DAEMON"
	tb_s detach "$TB_D"
	tb_s attach "$TB_D" --match all
	start_daemon
	as_attached_first
	[ ! -e "$SLUICE_RUN_DIR/$TB_D.balance.json" ]
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
	echo '{}' >"$CONF"
	start_daemon
	[ "$(awk '/^CapPrm/ { print $2 }' "/proc/$DAEMON/status")" = 0000008000000000 ]
	[ "$(awk '/^CapEff/ { print $2 }' "/proc/$DAEMON/status")" = 0000008000000000 ]
	[ "$(awk '/^CapBnd/ { print $2 }' "/proc/$DAEMON/status")" = 0000000000000000 ]
	[ "$(awk '/^NoNewPrivs/ { print $2 }' "/proc/$DAEMON/status")" = 1 ]
	tb_s attach "$TB_D" --match all
	wait_for logged "$TB_D: adopted"
	run ! own_address_passes
	ip -n "$NAME-dut" addr add 10.78.9.9/24 dev "$TB_D"
	wait_for own_address_passes
	ip -n "$NAME-dut" addr del 10.78.9.9/24 dev "$TB_D"
	tb_s detach "$TB_D"
	wait_for logged "$TB_D: detached"
	[ "$(grep -c "$TB_D": "$LOG")" = 2 ]
}

own_address_passes() {
	tb_gen "$SLUICE" gen "$TB_G" --flows 1 --dst 10.78.9.9 --count 5 >/dev/null
	tb_s losses "$TB_D" -j | jq -e '.passed_by.local > 0'
}

@test "dataplane and daemon in either order; a skewed load is evened out" {
	start_daemon
	wait_for daemon_json .running
	tb_run --workers 2 --nf work:80000,sink
	wait_for logged "dataplane runs"
	# all of it on one worker: above the threshold, whatever the hash key is
	tb_s move "$TB_D" 0-1023:0 >/dev/null
	tb_spawn_gen gen "$SLUICE" gen "$TB_G" --flows 400 --skew 0.8 --rate 26000 --duration 10 --hot-shift 1
	wait_for moved
	wait_for even
	[ "$(metric 'sluice_moves_started_total{')" -gt 0 ]
	tb_stop "$TB_RUN_PID"
	wait_for logged "dataplane is gone"
}

# Two workers, one of which had everything: 2.
even() { tb_s status "$TB_D" -i 500ms -j | jq -e '.unbalance > 0 and .unbalance < 1.5'; }
moved() { [ "$(metric 'sluice_balance_moves_total{')" -gt 0 ]; }

@test "paused, nothing moves; balance --dry-run moves nothing, balance does" {
	start_daemon
	tb_s pause "$TB_D"
	tb_run --workers 2 --nf work:80000,sink
	tb_s move "$TB_D" 0-1023:0 >/dev/null
	tb_spawn_gen gen "$SLUICE" gen "$TB_G" --flows 400 --skew 1.2 --rate 20000 --duration 6
	sleep 2
	[ "$(metric 'sluice_balance_moves_total{')" = 0 ]
	run -0 tb_s balance "$TB_D" --dry-run -j
	[ "$(jq '.moves | length' <<<"$output")" -gt 0 ]
	[ "$(metric 'sluice_balance_moves_total{')" = 0 ]
	run -0 tb_s balance "$TB_D" -j
	[ "$(jq .stored <<<"$output")" -gt 0 ]
	[ "$(metric 'sluice_balance_moves_total{')" -gt 0 ]
}

# Load of CPU 1 that is none of the workers': seen where it is, and no bucket's.
@test "what else a worker's CPU does counts, by whatever source there is" {
	start_daemon
	tb_run --workers 2 --cpus 0,1 --nf sink
	tb_spawn spin taskset -c 1 bash -c 'while :; do :; done'
	source=$(tb_s status "$TB_D" -j | jq -r .dataplane.work_source)
	[ "$source" != /proc/stat ] || skip "no tracepoints: threads of others are not seen"
	[ "$source" = tracepoints ]
	wait_for daemon_json '.load[1].other > 0.3 and .load[1].demand < 0.2'
}

@test "a dataplane that hangs is reported, its buckets stay, and it is well again when it goes on" {
	start_daemon
	tb_run --workers 2 --nf work:20000,sink
	tb_s move "$TB_D" 0-1023:0 >/dev/null
	kill -STOP "$TB_RUN_PID"
	tb_spawn_gen gen "$SLUICE" gen "$TB_G" --flows 400 --rate 20000 --duration 6
	wait_for stuck 2
	expect "$(tb_s status "$TB_D" -i 1ms -j)" '.warnings | map(select(test("worker [01] is stuck"))) | length == 2' \
		'.workers | all(.state == "stuck")'
	wait_for metric_is 'sluice_workers_stuck{' 2
	before=$(metric 'sluice_balance_moves_total{')
	sleep 1
	metric_is 'sluice_balance_moves_total{' "$before"
	kill -CONT "$TB_RUN_PID"
	wait_for stuck 0
	wait_for metric_is 'sluice_workers_stuck{' 0
}
stuck() { tb_s workers "$TB_D" -i 1ms -j | jq -e "map(select(.state == \"stuck\")) | length == $1"; }
metric_is() { [ "$(metric "$1")" = "$2" ]; }

@test "SIGKILL of the daemon under load loses nothing, and the daemon costs less than 1 % of a CPU" {
	start_daemon
	tb_run --workers 2 --nf sink
	# A ring holds a second of this rate: a busy machine loses nothing by itself.
	before=$(tb_s losses "$TB_D" -j | jq .delivered)
	tb_spawn_gen gen "$SLUICE" gen "$TB_G" --flows 1000 --rate 2000 --duration 5 -j
	gen=$TB_PID
	for _ in 1 2 3; do
		sleep 0.5
		tb_stop "$DAEMON" KILL
		start_daemon
	done
	cpu=$(metric process_cpu_seconds_total)
	sleep 2
	cpu=$(awk -v a="$cpu" -v b="$(metric process_cpu_seconds_total)" 'BEGIN { print (b - a) / 2 }')
	echo "daemon: $cpu of a CPU"
	awk -v c="$cpu" 'BEGIN { exit !(c < 0.01) }'
	wait "$gen"
	sleep 0.5
	sent=$(jq .sent "$TB_RUN/gen.json")
	run -0 tb_s losses "$TB_D" -j
	echo "sent $sent, before $before: $output"
	[ "$(($(jq .delivered <<<"$output") - before))" = "$sent" ]
	[ "$(jq .unaccounted <<<"$output")" = 0 ]
}
