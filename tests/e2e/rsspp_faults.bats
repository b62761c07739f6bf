#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# What goes wrong in RSS++'s released hand-over, (a) to (j) of docs/evaluation.md, seen from outside. The schedules that
# need exact timing are played in tests/unit/test_rsspp_faults.c.
load common

setup() {
	needs_root
	tb_up "$NAME"
}
teardown() { tb_down; }

busiest() { tb_s buckets "$TB_D" -i 1ms -j | jq -c 'max_by(.packets)'; }
no_flows() { [ "$(tb_s flows "$TB_D" -j)" = "[]" ]; }
workers_sum() { tb_s workers "$TB_D" -i 1ms -j | jq "map(.$1) | add"; }
moved_on() { tb_s moves "$TB_D" -j | jq -e "[.[] | select(.bucket == $1 and .took_us == null)] == []"; }

@test "(a) one flow, so that the old owner gets nothing more: its move ends, nothing is lost" {
	local bucket i
	tb_s attach "$TB_D" --match all
	tb_run --workers 2 --nf flowcount,reflect
	tb_spawn_gen gen "$SLUICE" gen "$TB_G" --count 400 --rate 200 --flows 1 --expect --linger 2s -j
	GEN=$TB_PID
	sleep 0.2
	bucket=$(busiest)
	for i in 1 2 3 4; do
		tb_s move "$TB_D" "$(jq .bucket <<<"$bucket")" $(((i + $(jq .worker <<<"$bucket")) % 2))
		tb_wait 5 moved_on "$(jq .bucket <<<"$bucket")"
	done
	wait "$GEN"
	expect "$(cat "$TB_RUN/gen.json")" .valid '.received == 400' '.lost == 0' '.reordered == 0' '.duplicated == 0'
	expect "$(tb_s moves "$TB_D" -j)" 'length == 4' 'all(.took_us > 0)'
	losses_hold '.forwarded == 400'
}

@test "(b) bursts with silence behind them, under moves: each arrives whole before the next" {
	tb_s attach "$TB_D" --match all --buckets 128
	tb_run --workers 3 --nf "$ORDER:$TB_RUN/order.json,reflect"
	tb_spawn mover "$E2E/mover" "$TB_D" -d 3
	# what stayed behind in a park would be missing at the end: nothing comes after the last burst
	expect "$(tb_gen "$SLUICE" gen "$TB_G" --count 640 --rate 256 --burst 64 --flows 40 --expect --linger 1s -j)" \
		.valid '.received == 640' '.lost == 0' '.reordered == 0'
	wait "$TB_PID"
	expect "$(cat "$TB_RUN/mover.log")" '.unfinished == 0' '.logged > 1000'
	losses_hold '.forwarded == 640'
	frames_conserved
	tb_stop "$TB_RUN_PID"
	order_holds "$TB_RUN/order.json" '.gaps == 0'
}

@test "(f) flow tables full, under moves: packets go on, no frame leaks, and flows that end make room" {
	local refused
	tb_s attach "$TB_D" --match all --buckets 128
	tb_run --workers 2 --flow-memory 256K --flow-idle 500ms --nf flowcount,reflect
	tb_spawn mover "$E2E/mover" "$TB_D" -d 2 -r 500
	expect "$(tb_gen "$SLUICE" gen "$TB_G" --count 20000 --rate 20000 --flows 10000 --skew 0 --expect --linger 1s -j)" \
		'.received == 20000' '.lost == 0' '.reordered == 0'
	wait "$TB_PID"
	refused=$(workers_sum flow_refused)
	[ "$refused" -gt 1000 ]
	losses_hold '.forwarded == 20000'
	frames_conserved
	tb_wait 5 no_flows
	expect "$(tb_gen "$SLUICE" gen "$TB_G" --count 100 --rate 1000 --flows 100 --expect --linger 1s -j)" '.lost == 0'
	[ "$(workers_sum flow_refused)" = "$refused" ] && ! no_flows
}

@test "(g) idle flows end at the worker that their bucket moved to" {
	local flows
	tb_s attach "$TB_D" --match all --buckets 128
	tb_run --workers 2 --flow-idle 700ms --nf flowcount,reflect
	expect "$(tb_gen "$SLUICE" gen "$TB_G" --count 1000 --rate 20000 --flows 200 --expect --linger 100ms -j)" '.lost == 0'
	flows=$(tb_s flows "$TB_D" -j | jq length)
	[ "$flows" -gt 100 ]
	tb_s move "$TB_D" 0-127 1 >/dev/null
	expect "$(tb_s workers "$TB_D" -i 1ms -j)" '.[0].buckets == 0' '.[0].flow_expired == 0'
	tb_wait 5 no_flows
	expect "$(tb_s workers "$TB_D" -i 1ms -j)" ".[1].flow_expired == $flows" '.[0].flow_expired == 0'
}

@test "(i) every fault has tests, and those that docs/evaluation.md names exist" {
	local letter name file
	for letter in a b c d e f g h i j; do
		grep -q "^| $letter |.*| \`[^|]*\` |$" "$TB_ROOT/docs/evaluation.md"
	done
	while read -r name; do
		case $name in
		*.bats:*)
			file=$BATS_TEST_DIRNAME/${name%%:*}
			grep -qF "@test \"${name#*: }" "$file"
			;;
		*) grep -qE "^Test\(${name%%.*}, ${name#*.}[,)]" "$TB_ROOT/tests/unit/test_${name%%.*}.c" ;;
		esac || {
			echo "no such test: $name"
			return 1
		}
	done < <(sed -n 's/^| [a-j] |.*| \([^|]*\) |$/\1/p' "$TB_ROOT/docs/evaluation.md" | grep -o '`[^`]*`' | tr -d '`')
}
