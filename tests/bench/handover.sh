#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# handover - buckets move at random as fast as they can under full-rate traffic, then 100 a second. Two queues, three
# workers; every packet's order and owner is checked by nf_order, inside the worker.
set -euo pipefail
# shellcheck source=tests/bench/lib.sh
source "$(dirname "$0")/lib.sh"
FIRE=${FIRE:-60} SLOW=${SLOW:-20}

# fire SECONDS RATE-OPTION... -> the mover's line and the checker's
fire() {
	local seconds=$1 order=$TB_RUN/order.json losses
	shift
	tb_run --workers 3 --nf "$TB_BUILD/tests/e2e/nf_order.so:$order,sink"
	tb_gen "$SLUICE" gen "$TB_G" --queues 2 --flows 4096 --skew 0.8 -d "$((seconds + 1))" -j >"$TB_RUN/gen.json" &
	local pid=$!
	tb_dut "$TB_BUILD/tests/e2e/mover" -d "$seconds" "$@" "$TB_D" >"$TB_RUN/mover.json"
	wait $pid
	losses=$(tb_s losses "$TB_D" -j)
	tb_stop "$TB_RUN_PID"
	jq -cn --slurpfile mover "$TB_RUN/mover.json" --slurpfile order "$order" --slurpfile gen "$TB_RUN/gen.json" \
		--argjson losses "$losses" '{mover: $mover[0], order: $order[0], gen: $gen[0], losses: $losses}'
}

tb_up slbh 2
trap tb_down EXIT
tb_s attach "$TB_D" --match all >/dev/null 2>&1
fast=$(fire "$FIRE")
slow=$(fire "$SLOW" -r 100)
jq -cn --argjson fast "$fast" --argjson slow "$slow" --argjson machine "$BENCH_MACHINE" '
	def gap: .losses | (.seen - .delivered - .ring_full - .no_frame - .no_slot - .bad_row - .stamp_error - .redirect_error | fabs)
		+ (.delivered - .forwarded - .consumed - ([.nf_drop[]] | add // 0) - .park_overflow - .stray - .held - .abandoned | fabs);
	{bench: "handover", summary: true, machine: $machine,
	 moves: $fast.mover.asked, per_second: $fast.mover.per_second, mpps: $fast.gen.mpps,
	 p50_us: $fast.mover.p50_us, p99_us: $fast.mover.p99_us, max_us: $fast.mover.max_us, by_rule: $fast.mover.by_rule,
	 unfinished: ($fast.mover.unfinished + $slow.mover.unfinished),
	 reordered: ($fast.order.ring_reordered + $fast.order.flow_reordered + $slow.order.ring_reordered + $slow.order.flow_reordered),
	 duplicated: ($fast.order.duplicated + $slow.order.duplicated),
	 double_owner: ($fast.order.double_owner + $slow.order.double_owner),
	 lost_unnamed: (($fast | gap) + ($slow | gap)), stray: $slow.losses.stray, park_overflow: $slow.losses.park_overflow,
	 slow: {moves: $slow.mover.asked, p50_us: $slow.mover.p50_us, p99_us: $slow.mover.p99_us, max_us: $slow.mover.max_us,
		by_rule: $slow.mover.by_rule}}'
