#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# scenarios - the simulator's scenarios (docs/scenarios) under SEEDS seeds, each as it is and with the daemon's default
# settings: a line for each point, the medians over the seeds; and their pictures. The figures are the same on every machine.
set -euo pipefail
# shellcheck source=tests/bench/lib.sh
source "$(dirname "$0")/lib.sh"
SEEDS=${SEEDS:-5} OUT=${BENCH_OUT:-$TB_BUILD/bench}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
mkdir -p "$OUT"

# simulated FILE BALANCE: every point of every seed. The pictures show the first seed of the file as it is.
simulated() {
	local seed name plot
	name=$(basename "$1" .yaml)
	for ((seed = 1; seed <= SEEDS; seed++)); do
		plot=()
		[ "$seed" != 1 ] || [ "$2" != given ] || plot=(--plot "$OUT")
		"$SLUICE" sim "$1" --seed $seed -j "${plot[@]}" | jq -c --arg scenario "$name" --arg balance "$2" '
			.axis as $axis | .seed as $seed | .rows | group_by(.[$axis] // 0)[] | map({(.policy): .}) | add
			| {scenario: $scenario, balance: $balance, seed: $seed, axis: $axis, at: (.sluice[$axis] // null), policies: .}'
	done
}

command -v gnuplot >/dev/null || echo "bench scenarios: no pictures: apt-get install gnuplot-nox" >&2
for file in "$TB_ROOT"/docs/scenarios/*.yaml; do
	simulated "$file" given || [ ! -e "$OUT/$(basename "$file" .yaml).svg" ]
	# elastic scenarios say what is compared; the others run with the daemon's own settings, too
	grep -q '^scale:' "$file" && continue
	sed '/^balance:/d' "$file" >"$dir/$(basename "$file")"
	simulated "$dir/$(basename "$file")" default
done >"$dir/points"
jq -cs --argjson machine "$BENCH_MACHINE" '
	def median: sort | if length % 2 == 1 then .[length / 2 | floor] else (.[length / 2] + .[length / 2 - 1]) / 2 end;
	def range: {least: min, median: median, most: max};
	# of one scenario, setting and point: the medians over the seeds
	def point: . as $of | $of[0].policies | keys | map({(.): (. as $p | $of | map(.policies[$p]) |
		{p95_us: (map(.p95_us) | median), loss: (map(.loss) | median), lost_pps: (map(.lost_pps) | median),
		 rate_pps: (map(.rate_pps) | median), imbalance: (map(.imbalance) | median), awake: (map(.awake) | median),
		 needed: (map(.needed) | median), moves: (map(.moves) | median)})}) | add;
	(group_by([.scenario, .balance, .at]) | map({bench: "scenarios", scenario: .[0].scenario, balance: .[0].balance,
		axis: .[0].axis, at: .[0].at, seeds: length} + point)) as $points
	| map(select(.scenario != "table" and .scenario != "active" and .scenario != "day")) as $steady
	| ($steady | map(select(.axis != "load" or .at < 1))) as $fits
	| ($fits | map(select(.policies.static.loss >= 0.01))) as $saturated
	| $points[], {bench: "scenarios", summary: true, machine: $machine, runs: length,
		saturated_points: ($saturated | length),
		p95_static_to_sluice: ($saturated | group_by(.balance) | map({(.[0].balance):
			(map(.policies | .static.p95_us / .sluice.p95_us) | range)}) | add),
		static_loss: ($saturated | map(.policies.static.loss) | range), sluice_loss: ($saturated | map(.policies.sluice.loss) | max),
		p95_sluice_to_rsspp: ($fits | group_by(.balance) | map({(.[0].balance):
			(map(.policies | .sluice.p95_us / .rsspp.p95_us) | range)}) | add),
		worse_than_rsspp: ($fits | map({scenario, balance, at, seed, ratio: (.policies | .sluice.p95_us / .rsspp.p95_us)}
			| select(.ratio > 1.02))),
		sluice_loss_above_rsspp: (map(.policies | .sluice.loss - .rsspp.loss) | max),
		awake: ($points | map(select(.static.awake and (.scenario == "active" or .scenario == "day")) | {(.scenario):
			{static: .static.awake, rsspp: .rsspp.awake, sluice: .sluice.awake, needed: .sluice.needed}}) | add)}' "$dir/points"
