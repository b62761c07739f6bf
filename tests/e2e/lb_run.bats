#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# `sluice lb run` beside traffic: while servers die and come back, while it dies itself, by load.
load common
load pool
load run

setup() { run_setup; }
teardown() {
	run_down
	pool_down
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

load_of() { lb show -n "$NAME" -j | jq --arg a "10.7.$1.2:8080" '.vips[0].servers[] | select(.address == $a) | .load'; }
reports() { [ "$(load_of "$1")" -ge "$2" ] && [ "$(load_of "$1")" -le "$3" ]; }

rows() { bpftool -j map dump pinned "/sys/fs/bpf/sluice/lb-1/$NAME/lb_tables" | jq -r '.[0].inner_map_id // (.[0].value | @json)'; }

@test "tables of a VIP that another command made another are not run's to deal" {
	local dealt
	pool_up 3
	balance 'select: awrr' 1 2
	dealt=$(rows)
	sleep 1.2
	[ "$(rows)" != "$dealt" ] # once a second at least
	run_file 'select: hash' 1 2 >"$BATS_TEST_TMPDIR/other.yaml"
	lb apply "$BATS_TEST_TMPDIR/other.yaml"
	dealt=$(rows)
	sleep 1.2
	[ "$(rows)" = "$dealt" ]
	lb apply "$BATS_TEST_TMPDIR/lb.yaml"
	dealt=$(rows)
	sleep 1.2
	[ "$(rows)" != "$dealt" ]
}

@test "servers that report a busy CPU get fewer connections; who falls silent is taken for the mean" {
	local secret=000102030405060708090a0b0c0d0e0f reporter
	pool_up 3
	run_file 'select: awrr, metric: cpu' 1 2 3 | sed "s/^refill/secret: $secret\nreports: 10.7.0.1\nrefill/" >"$BATS_TEST_TMPDIR/lb.yaml"
	start_run
	nsenter --net="/run/netns/$NAME-lc" -- python3 "$TB_ROOT/tests/e2e/lb_report.py" "$secret" 10.7.0.1 0=0.9 1=0.1 2=0.1 3>&- &
	reporter=$!
	RUN_SPAWNED+=("$reporter")
	tb_wait 5 reports 1 850 910
	tb_wait 5 reports 2 50 110
	pool_traffic 10.9.9.9 2
	expect "$(pool_result)" '.new_failed == 0' '.held_broken == 0' '3 * .words.s1 < .words.s2' '3 * .words.s1 < .words.s3'
	kill "$reporter"
	tb_wait 5 reports 1 0 0
	pool_traffic 10.9.9.9 1
	expect "$(pool_result)" '.new_failed == 0' '2 * .words.s1 > .words.s2'
}

@test "a port of its own that somebody has: nothing is left behind; later the rest is in force" {
	local holder
	pool_net 3
	run_file 'keep: table' 1 >"$BATS_TEST_TMPDIR/lb.yaml"
	nsenter --net="/run/netns/$NAME-lb" -- python3 -c 'import socket, time
s = socket.socket()
s.bind(("127.0.0.1", 9465))
s.listen()
time.sleep(60)' 3>&- &
	holder=$!
	RUN_SPAWNED+=("$holder")
	tb_wait 5 in_pool lb bash -c 'exec 3<>/dev/tcp/127.0.0.1/9465'
	refused 'metrics: port 9465' in_pool lb "$SLUICE" lb run "$BATS_TEST_TMPDIR/lb.yaml"
	[ ! -e "/sys/fs/bpf/sluice/lb-1/$NAME" ]
	sed -i.full '/^metrics/d' "$BATS_TEST_TMPDIR/lb.yaml"
	start_run
	mv "$BATS_TEST_TMPDIR/lb.yaml.full" "$BATS_TEST_TMPDIR/lb.yaml"
	kill -HUP "$RUN"
	tb_wait 5 said 'metrics: port 9465'
	tb_wait 5 said 'the rest of .* is in force'
	: >"$BATS_TEST_TMPDIR/run.err"
	sed -i 's/keep: table/&, select: awrr, metric: cpu/; s/^metrics: .*/secret: 000102030405060708090a0b0c0d0e0f\nreports: 10.77.0.1/' "$BATS_TEST_TMPDIR/lb.yaml"
	kill -HUP "$RUN"
	tb_wait 5 said 'reports: of the file'
}
