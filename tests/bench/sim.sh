#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# sim - does the simulator agree with this machine? Rounds of bench balance, live; then its traffic, tables and ticks
# simulated, with what a packet costs here measured first. To hold: static p95 and loss within 15 %, balanced p95 within
# the live rounds' spread. LIVE=FILE takes the rounds of an earlier `balance` (its lines of JSON) instead of running it.
set -euo pipefail
# shellcheck source=tests/bench/lib.sh
source "$(dirname "$0")/lib.sh"
# shellcheck source=scripts/skew.sh
source "$(dirname "$0")/../../scripts/skew.sh"
ROUNDS=${ROUNDS:-5} PHASES=${PHASES:-8} SEEDS=${SEEDS:-5}
# as balance.sh has them
export DEMAND=${DEMAND:-1.1} BURST=${BURST:-4}
export CONFIG=${CONFIG-'balance: {tick_min: 10ms, min_interval: 10ms, smoothing: 100ms}'}
SKEW_DEMAND=$DEMAND SKEW_FLOWS=1000 SKEW_ZIPF=1.3 SKEW_SHARE=0.97 SKEW_BURST=$BURST

# Busy cycles, packets, cycles since start of a worker, and the time.
counters() {
	tb_s workers "$TB_D" -j --interval 1ms | jq -c --argjson ns "$(date +%s%N)" \
		'{ns: $ns, busy: (map(.busy_cycles) | add), packets: (map(.packets) | add),
		  cycles: (.[0] | .busy_cycles + .idle_cycles + .sleep_cycles)}'
}

# packet_us EVERY: microseconds of work of a packet at bench balance's rate, with every EVERY-th bucket at worker 1: what
# softirq and the generator take of the CPUs meanwhile is in it.
packet_us() {
	local before after buckets pid
	buckets=$(tb_s buckets "$TB_D" -j --interval 1ms | jq length)
	seq 0 $((buckets - 1)) | awk -v n="$1" '{ print $1 ":" (n && $1 % n == 0) }' |
		xargs -n 100 nsenter --net="/run/netns/$TB_NAME-dut" "$SLUICE" move "$TB_D" >/dev/null
	skew_gen -d 4 >/dev/null &
	pid=$!
	sleep 1
	before=$(counters)
	sleep 2
	after=$(counters)
	wait $pid
	jq -n --argjson a "$before" --argjson b "$after" \
		'($b.busy - $a.busy) / ($b.cycles - $a.cycles) * ($b.ns - $a.ns) / 1000 / ($b.packets - $a.packets)'
}

# scenario US WARMUP POLICY > YAML: bench balance as the simulator reads it
scenario() {
	cat <<-END
		duration: ${PHASES}s
		warmup: $2
		cores: 2
		buckets: 1024
		ring: 2048
		batch: 64
		first_share: $SKEW_SHARE
		policies: [$3]
		service: {mean: ${1}us}
		traffic: {rate: $(skew_rate), flows: $SKEW_FLOWS, zipf: $SKEW_ZIPF, shift: 1s, burst: $SKEW_BURST, arrivals: even}
		$CONFIG
	END
}

# simulated KEY US WARMUP POLICY: the median over seeds
simulated() {
	local seed
	scenario "${@:2}" >"$dir/sim.yaml"
	for ((seed = 1; seed <= SEEDS; seed++)); do
		"$SLUICE" sim "$dir/sim.yaml" --seed $seed -j | jq ".rows[0].$1"
	done | bench_median
}

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
if [ -n "${LIVE:-}" ]; then
	cp "$LIVE" "$dir/live"
else
	ROUNDS=$ROUNDS PHASES=$PHASES "$(dirname "$0")/balance.sh" >"$dir/live"
fi
tb_up slsb 1
trap 'tb_down; rm -rf "$dir"' EXIT
skew_up ""
static_us=$(packet_us 0)
balanced_us=$(packet_us 2)

sent=$((PHASES * $(skew_rate)))
jq -cs --argjson machine "$BENCH_MACHINE" --argjson sent "$sent" --argjson static_us "$static_us" \
	--argjson balanced_us "$balanced_us" \
	--argjson static_p95 "$(simulated p95_us "$static_us" 1s static)" \
	--argjson static_loss "$(simulated loss "$static_us" 0s static)" \
	--argjson balanced_p95 "$(simulated p95_us "$balanced_us" 1s sluice)" '
	def median: sort | .[length / 2 | floor];
	[.[] | select(.summary | not)] as $r
	| ($r | map(.static_p95_us) | median) as $p95 | ($r | map(.static_lost / $sent) | median) as $loss
	| ($r | map(.balanced_p95_us) | [min, max]) as $spread
	| {bench: "sim", summary: true, machine: $machine, rounds: ($r | length), packet_us: {static: $static_us, balanced: $balanced_us},
	   static_p95_us: {live: $p95, simulated: $static_p95, error: ($static_p95 / $p95 - 1)},
	   static_loss: {live: $loss, simulated: $static_loss, error: (if $loss > 0 then $static_loss / $loss - 1 else null end)},
	   balanced_p95_us: {live: $spread, simulated: $balanced_p95,
	     inside: ($balanced_p95 >= $spread[0] and $balanced_p95 <= $spread[1])}}' "$dir/live"
