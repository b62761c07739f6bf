#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# balance - a hot set that shifts every second, on two workers: the table that a static hash may have dealt, the
# balancer starting from that table, and the best fixed table for this traffic, found afterwards.
set -euo pipefail
# shellcheck source=tests/bench/lib.sh
source "$(dirname "$0")/lib.sh"
# shellcheck source=scripts/skew.sh
source "$(dirname "$0")/../../scripts/skew.sh"
PHASES=${PHASES:-8} ROUNDS=${ROUNDS:-1}
SKEW_DEMAND=${DEMAND:-1.1} SKEW_FLOWS=1000 SKEW_ZIPF=1.3 SKEW_SHARE=0.97 SKEW_BURST=${BURST:-4}
SKEW_CONFIG=${CONFIG-'balance: {tick_min: 10ms, min_interval: 10ms, smoothing: 100ms}'}

deal() { xargs -n 100 nsenter --net="/run/netns/$TB_NAME-dut" "$SLUICE" move "$TB_D" <"$TB_RUN/$1" >/dev/null; }
lost() { tb_s losses "$TB_D" -j | jq '.ring_full + .no_frame + .park_overflow + .stray + ([.nf_drop[]] | add // 0)'; }

# watched NAME: the traffic once, rows and buckets watched. Leaves NAME.gen, NAME.watch and NAME.lost.
watched() {
	local was
	was=$(lost)
	tb_dut "$TB_BUILD/tests/bench/bench_balance" "$TB_D" "$PHASES" 1000 "$SKEW_SHARE" "$TB_RUN" \
		>"$TB_RUN/$1.watch" &
	local pid=$!
	sleep 0.2
	skew_gen --warmup 1 -d $((PHASES - 1)) --hot-shift 1s >"$TB_RUN/$1.gen"
	wait $pid
	echo $(($(lost) - was)) >"$TB_RUN/$1.lost"
}

round() {
	watched scout
	deal static.rows
	cp "$TB_RUN/static.rows" "$TB_RUN/first.rows"
	cp "$TB_RUN/best.rows" "$TB_RUN/fixed.rows"
	watched static
	tb_s resume "$TB_D" >/dev/null
	watched balanced
	tb_s pause "$TB_D" >/dev/null
	deal fixed.rows
	watched best
	jq -cn --slurpfile s "$TB_RUN/static.gen" --slurpfile b "$TB_RUN/balanced.gen" --slurpfile f "$TB_RUN/best.gen" \
		--slurpfile w "$TB_RUN/balanced.watch" --slurpfile bw "$TB_RUN/best.watch" --slurpfile sw "$TB_RUN/static.watch" \
		--slurpfile sl "$TB_RUN/static.lost" --slurpfile bl "$TB_RUN/balanced.lost" \
		'{bench: "balance", static_p95_us: $s[0].p95_us, balanced_p95_us: $b[0].p95_us, best_fixed_p95_us: $f[0].p95_us,
		  p95_ratio: ($s[0].p95_us / $b[0].p95_us), over_best: ($b[0].p95_us / $f[0].p95_us),
		  converged_s: $w[0].converged_s, converged: $w[0].converged, static_lost: $sl[0], balanced_lost: $bl[0],
		  bound: $w[0].bound, static_p50_us: $s[0].p50_us, balanced_p50_us: $b[0].p50_us, best_fixed_p50_us: $f[0].p50_us}'
}

tb_up slbb 1
trap tb_down EXIT
skew_up ""
for ((i = 0; i < ROUNDS; i++)); do
	round | tee -a "$TB_RUN/rounds"
done
jq -cs --argjson machine "$BENCH_MACHINE" --argjson demand "$SKEW_DEMAND" --argjson us "$SKEW_SERVICE_US" '
	def median: sort | .[length / 2 | floor];
	{bench: "balance", summary: true, rounds: length, machine: $machine, demand_cpus: $demand, service_us: $us, workers: 2}
	+ ([.[] | to_entries[] | select(.value | type == "number")] | group_by(.key) | map({(.[0].key): ([.[].value] | median)}) | add)' \
	"$TB_RUN/rounds"
