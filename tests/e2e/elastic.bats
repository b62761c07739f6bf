#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# balance.elastic: as few workers as hold the target, none lost where their number changes, sleepers without CPU time.
load common

TARGET=0.25
COST=30 # us a packet

setup() { needs_root; }
teardown() { tb_down; }

# traffic QUEUE SHARE SECONDS: so much of a worker's target, as packets a second.
traffic() {
	tb_spawn_gen "gen$1" "$SLUICE" gen "$TB_G" --queue "$1" --flows 300 --sport "$(($1 + 1))024" --duration "$3" --burst 16 -j \
		--rate "$(jq -n "$2 * $TARGET * 1000000 / $COST | floor")"
}
gone() { ! kill -0 "$1" 2>/dev/null; }
samples() { # until process $1 is gone
	while ! gone "$1"; do tb_s status "$TB_D" -i 200ms -j; done
}
elastic() { tb_s status "$TB_D" -i 1ms -j | jq -e ".daemon.elastic | $1"; }
cpu_ticks() { # of worker $1
	local t
	for t in "/proc/$TB_RUN_PID/task"/*; do
		[ "$(cat "$t/comm")" != "sluice-w$1" ] || awk '{ print $14 + $15 }' "$t/stat"
	done
}
# Where twice as many threads as there are CPUs want to run, what is measured in a tenth of a second jumps with whose turn it is.
most_awake() { awk -v cpus="$(nproc)" '{ print ($1 > 2 * cpus ? 2 : 1.15) }' /proc/loadavg; }
# Did worker $1 use no CPU for a second?
idle() {
	local before
	before=$(cpu_ticks "$1")
	sleep 1
	[ -n "$before" ] && [ "$(cpu_ticks "$1")" = "$before" ]
}

@test "workers follow a load that rises and falls; nothing is lost or reordered; sleepers use no CPU" {
	local all watcher
	tb_up "$NAME" 3
	tb_s attach "$TB_D" --match all --max-workers 4
	printf '%s\n' "metrics: {listen: 127.0.0.1:9464}" "balance:" "  elastic: {enabled: true, target: $TARGET, ahead: 200ms, hold: 200ms}" \
		"instances:" "  - interfaces: $TB_D" >"$TB_RUN/sluice.yaml"
	ip -n "$NAME-dut" link set lo up
	tb_run --workers 4 --ring 8192 --nf "$ORDER:$TB_RUN/order.json,work:${COST}us,sink"
	tb_spawn sluiced "$SLUICED" --config "$TB_RUN/sluice.yaml"
	tb_wait 10 daemon_answers
	tb_wait 10 elastic '.awake == 1 and (.asleep | length) == 3'
	expect "$(tb_s workers "$TB_D" -i 1ms -j)" '[.[] | select(.state == "asleep" and .buckets == 0)] | length == 3' \
		'map(select(.state == "running")) | length == 1 and .[0].buckets == 1024'
	run -0 tb_s status "$TB_D" -i 1ms
	[[ $output == *"elastic    1 workers awake, 3 asleep"* ]]
	run -0 tb_dut curl -sS "http://127.0.0.1:9464/metrics"
	[[ $output == *"sluice_workers_awake{instance=\"$TB_D\"} 1"* && $output == *"sluice_workers_asleep{instance=\"$TB_D\"} 3"* ]]

	# 0.5, 1.5, 2.5, 1.5 and 0.5 of what a worker may take
	traffic 0 0.5 11
	all=$TB_PID
	tb_wait 3 idle "$(elastic '.asleep[-1]')"
	samples "$all" >"$TB_RUN/samples" 3>&- &
	watcher=$!
	sleep 0.5
	traffic 1 1 5.5
	sleep 1.5
	traffic 2 1 2
	wait "$all"
	wait "$watcher"
	expect "$(jq -s . "$TB_RUN"/gen?.json)" 'length == 3 and all(.[]; .sent > 10000)'
	expect "$(jq -s '[.[].daemon.elastic | {awake, needed: ([1, (.load / .target | ceil)] | max)}] |
		{n: length, least: (map(.awake) | min), peak: (map(.awake) | max), awake: (map(.awake) | add), needed: (map(.needed) | add)}' \
		"$TB_RUN/samples")" '.n > 15' ".awake <= $(most_awake) * .needed" '.peak >= 3' '.least == 1'
	tb_wait 10 elastic '.awake == 1 and (.asleep | length) == 3'
	losses_hold '.ring_full == 0' '.no_frame == 0' '.park_overflow == 0' '.no_slot == 0'
	tb_stop "$TB_RUN_PID"
	order_holds "$TB_RUN/order.json"
}

@test "restarts of either process, pause, pins and workers --set agree with who sleeps" {
	tb_up "$NAME"
	tb_s attach "$TB_D" --match all --max-workers 4
	printf '%s\n' "metrics: {listen: off}" "balance:" "  elastic: {enabled: true, hold: 200ms}" "instances:" \
		"  - interfaces: $TB_D" >"$TB_RUN/sluice.yaml"
	tb_run --workers 4 --nf sink
	tb_spawn sluiced "$SLUICED" --config "$TB_RUN/sluice.yaml"
	local moves daemon=$TB_PID
	tb_wait 10 elastic '.awake == 1 and (.asleep | length) == 3'
	# another daemon takes over who sleeps: nothing moves
	tb_stop "$daemon" KILL
	moves=$(tb_s status "$TB_D" -i 1ms -j | jq .moves.started)
	tb_spawn sluiced "$SLUICED" --config "$TB_RUN/sluice.yaml"
	tb_wait 10 elastic '.awake == 1 and (.asleep | length) == 3'
	[ "$(tb_s status "$TB_D" -i 1ms -j | jq .moves.started)" = "$moves" ]
	# a row written to a sleeper is followed, then taken back: it is not left alone with a bucket
	tb_s move "$TB_D" "5:$(elastic '.asleep[0]')"
	tb_wait 10 elastic '.awake == 1 and (.asleep | length) == 3'
	# who leaves does not count, whoever it was
	tb_s workers "$TB_D" --set 2
	tb_wait 10 elastic '.awake == 1 and (.asleep | length) == 1'
	tb_s workers "$TB_D" --set 4
	tb_wait 10 elastic '.awake == 1 and (.asleep | length) == 3'
	# another dataplane deals its buckets to all its workers; it begins with these
	tb_stop "$TB_RUN_PID"
	tb_s pause "$TB_D"
	tb_run --workers 4 --nf sink
	sleep 1
	expect "$(tb_s workers "$TB_D" -i 1ms -j)" 'all(.[]; .buckets == 256 and .state == "running")'
	tb_s resume "$TB_D"
	tb_wait 10 elastic '.awake == 1 and (.asleep | length) == 3'
}
