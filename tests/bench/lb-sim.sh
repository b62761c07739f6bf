#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# lb-sim - servers behind a balancer, simulated (docs/scenarios/lb) under SEEDS seeds: a line for each point, the medians over
# the seeds; pictures of the first; and where the issue's targets hold. The figures are the same on every machine.
set -euo pipefail
# shellcheck source=tests/bench/lib.sh
source "$(dirname "$0")/lib.sh"
SEEDS=${SEEDS:-5} OUT=${BENCH_OUT:-$TB_BUILD/bench}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
mkdir -p "$OUT"
command -v gnuplot >/dev/null || echo "bench lb-sim: no pictures: apt-get install gnuplot-nox" >&2
# uniform.yaml and the like would pass for those of `bench scenarios`
for file in "$TB_ROOT"/docs/scenarios/lb/*.yaml; do
	name=$(basename "$file" .yaml)
	cp "$file" "$dir/lb-$name.yaml"
	for ((seed = 1; seed <= SEEDS; seed++)); do
		plot=()
		[ "$seed" != 1 ] || ! command -v gnuplot >/dev/null || plot=(--plot "$OUT")
		"$SLUICE" lb sim "$dir/lb-$name.yaml" --seed $seed -j "${plot[@]}" | jq -c --arg scenario "$name" '
			.axis as $axis | .seed as $seed | .rows | group_by(.[$axis])[] | map({(.policy): .}) | add
			| {scenario: $scenario, seed: $seed, axis: $axis, at: (.[keys[0]][$axis]), policies: .}'
	done
done >"$dir/points"
jq -cs --argjson machine "$BENCH_MACHINE" '
	def median: sort | if length % 2 == 1 then .[length / 2 | floor] else (.[length / 2] + .[length / 2 - 1]) / 2 end;
	def range: {least: min, median: median, most: max};
	def round3: . * 1000 | round / 1000;
	# of one scenario and point: the medians over the seeds
	def point: . as $of | $of[0].policies | keys | map({(.): (. as $p | $of | map(.policies[$p])
		| if .[0].p99_ms then {p50_ms: (map(.p50_ms) | median | round3), p99_ms: (map(.p99_ms) | median | round3)}
		  else {delivered: (map(.delivered) | median | round3), loss: (map(.loss) | median | round3),
			variance_cores: (map(.variance_cores) | median * 1000 | round3 / 1000)} end)}) | add;
	(group_by([.scenario, .at]) | map({bench: "lb-sim", scenario: .[0].scenario, axis: .[0].axis, at: .[0].at, seeds: length}
		+ point + (if .[0].policies.core.delivered then
			{variance_rr_to_core: (map(.policies | .rr.variance_cores / .core.variance_cores) | range),
			 delivered_core_to_hash: (map(.policies | .core.delivered / .hash.delivered) | range)} else {} end))) as $points
	| ($points | map(select(.variance_rr_to_core))) as $cross
	| $points[], {bench: "lb-sim", summary: true, machine: $machine, runs: length,
		p99_hash_to: ($points | map(select(.scenario == "uniform" and .at >= 0.8) | . as $p | {(.at | tostring):
			(["rr", "awrr", "least", "pow2", "core"] | map({(.): ($p.hash.p99_ms / $p[.].p99_ms | round3)}) | add)}) | add),
		p99_stale_to: ($points | map(select(.scenario == "bimodal") | . as $p | {(.at | tostring):
			(["awrr", "pow2", "least", "core"] | map({(.): ($p["least-stale"].p99_ms / $p[.].p99_ms | round3)}) | add)}) | add),
		variance_27_times: ($cross | map({scenario, at, holds: (.variance_rr_to_core.median >= 27)})),
		delivered_12_percent: ($cross | map(select(.hash.loss >= 0.12)
			| {scenario, at, holds: (.delivered_core_to_hash.median >= 1.12)}))}' "$dir/points"
