#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# sluice sim: what the committed scenarios must show, what it refuses, and what it writes.
load common

SCENARIOS=$TB_ROOT/docs/scenarios

# Every scenario once, for all tests: {"p95": {...}, ...}
setup_file() {
	local file
	export RESULTS=$BATS_FILE_TMPDIR/results
	for file in "$SCENARIOS"/*.yaml; do
		"$SLUICE" sim "$file" -j | jq -c --arg name "$(basename "$file" .yaml)" '{($name): .}'
	done | jq -cs add >"$RESULTS"
	[ "$(jq length "$RESULTS")" = "$(find "$SCENARIOS" -maxdepth 1 -name '*.yaml' | wc -l)" ]
}

# each LABEL FILTER: true of every point of the scenarios that .name and the rows $static, $rsspp and $sluice give.
each() {
	local bad
	bad=$(jq -c "to_entries[] | .key as \$name | .value.axis as \$axis | .value.rows | group_by(.[\$axis] // 0)[]
		| (map({(.policy): .}) | add) as \$row | (.[0][\$axis] // 0) as \$x
		| \$row.static as \$static | \$row.rsspp as \$rsspp | \$row.sluice as \$sluice
		| select(($2) | not) | [\$name, \$x, \$static.p95_us, \$rsspp.p95_us, \$sluice.p95_us,
			\$static.loss, \$rsspp.loss, \$sluice.loss]" "$RESULTS")
	[ -z "$bad" ] || {
		echo "$1; not so at [scenario, x, p95 of static, rsspp, sluice, loss of static, rsspp, sluice]:"
		echo "$bad"
		return 1
	}
}

@test "scenarios: every packet is accounted for, and only spraying reorders" {
	each 'sums' 'all($row[]; .offered == .processed + .lost_ring + .lost_park)'
	each 'order' 'all($row[]; .policy == "sprayer" or .reordered == 0)'
	each 'moves' '$sluice.moves > 0 or ($name == "table" and $x == 1)'
}

@test "scenarios: where RSS saturates, p95 is at least 14 times below it" {
	# from the point on where 5 % of its packets are behind a full ring
	each 'p95' '$static.loss < 0.01 or $x >= 1 or $static.p95_us >= 14 * $sluice.p95_us'
	run jq '[.p95, .drops, .shift, .elephants, .cores128 | .rows[] | select(.policy == "static" and .loss >= 0.01 and
		.load < 1)] | length' "$RESULTS"
	[ "$output" -ge 10 ]
}

@test "scenarios: where the sum fits, at least 100 times fewer packets are lost than by RSS" {
	each 'loss' '$x >= 1 or $static.loss >= 100 * $sluice.loss'
	run jq '[.drops.rows[] | select(.policy == "static" and .load < 1 and .lost_pps > 100)] | length' "$RESULTS"
	[ "$output" = 3 ]
}

@test "scenarios: no worse than RSS++ as published, anywhere" {
	# 2 %: a step of the histogram is 0.8 %; past saturation both lose what does not fit
	each 'p95' '$sluice.p95_us <= 1.02 * $rsspp.p95_us'
	each 'loss' '$sluice.loss <= 1.02 * $rsspp.loss'
	each 'cores' '$sluice.awake <= $rsspp.awake'
	each 'imbalance' '$name != "imbalance" or $sluice.imbalance <= 1.02 * $rsspp.imbalance'
	each 'rate' '$name != "table" or $sluice.rate_pps >= 0.995 * $rsspp.rate_pps'
}

@test "with the daemon's defaults too, and with fewer moves" {
	sed '/^balance:/d' "$SCENARIOS/p95.yaml" >"$BATS_TEST_TMPDIR/p95.yaml"
	RESULTS=$BATS_TEST_TMPDIR/results
	"$SLUICE" sim "$BATS_TEST_TMPDIR/p95.yaml" -j | jq -c '{p95: .}' >"$RESULTS"
	each 'p95' '$sluice.p95_us <= 1.02 * $rsspp.p95_us and ($static.loss < 0.01 or $static.p95_us >= 14 * $sluice.p95_us)'
	each 'loss' '$sluice.loss == 0'
	each 'moves' '$sluice.moves <= $rsspp.moves / 2'
}

@test "scenarios: as few cores awake as hold the target, and none lost at the steps" {
	run jq -e '.active.rows[] | select(.policy == "sluice") |
		.awake <= 1.15 * .needed and .awake < 9 and .lost_ring == 0 and .lost_park == 0 and .awake_peak > 12' "$RESULTS"
	[ "$status" -eq 0 ]
	# a day: RSS keeps all 16 awake, the published rule more than ours
	run jq -e '.day.rows | map({(.policy): .}) | add | .static.awake == 16 and .sluice.awake <= 1.15 * .sluice.needed and
		.sluice.awake < .rsspp.awake and .sluice.lost_ring + .sluice.lost_park == 0' "$RESULTS"
	[ "$status" -eq 0 ]
}

@test "the same seed gives the same numbers, however many run at a time; another seed others" {
	local a b c
	cat >"$BATS_TEST_TMPDIR/s.yaml" <<-'END'
		duration: 500ms
		warmup: 100ms
		traffic: {load: 0.8, zipf: 1}
		policies: [sluice, rsspp, ovs, sprayer, static]
	END
	a=$("$SLUICE" sim "$BATS_TEST_TMPDIR/s.yaml" -j --jobs 1)
	b=$("$SLUICE" sim "$BATS_TEST_TMPDIR/s.yaml" -j --jobs 5)
	c=$("$SLUICE" sim "$BATS_TEST_TMPDIR/s.yaml" -j --seed 7)
	[ "$a" = "$b" ] && [ "$a" != "$c" ]
	expect "$a" '[.rows[].policy] == ["sluice", "rsspp", "ovs", "sprayer", "static"]' '.seed == 1' \
		'[.rows[].packets] | unique | length == 1'
	expect "$c" '.seed == 7'
	"$SLUICE" sim "$BATS_TEST_TMPDIR/s.yaml" | grep -q '^sluice .*%'
}

# refuses LINE SETTING MEND YAML: one line that names them.
refuses() {
	local yaml=$BATS_TEST_TMPDIR/bad.yaml
	printf '%b' "$4" >"$yaml"
	refused -1 "bad.yaml:$1: $2" "$SLUICE" sim "$yaml" && refused -1 "$3" "$SLUICE" sim "$yaml"
}

@test "a wrong scenario is refused with its line, the setting and the mend" {
	local good='policies: [static]\ntraffic: {load: 0.5}\n'
	refuses 3 'unknown setting "coers"' cores "${good}coers: 4\n"
	refuses 3 'cores: "0"' '1 to 128' "${good}cores: 0\n"
	refuses 3 'service.mean: "10"' 'write a time' "${good}service: {mean: 10}\n"
	refuses 1 'policies: "rss"' 'static, sluice, rsspp' 'policies: rss\ntraffic: {load: 0.5}\n'
	refuses 1 'policies[1]: given twice' remove 'policies: [ovs, ovs]\ntraffic: {load: 0.5}\n'
	refuses 1 'traffic: no load' 'write load' 'policies: [static]\n'
	refuses 1 'traffic.rate' 'leave one out' 'policies: [static]\ntraffic: {load: 0.5, rate: 10}\n'
	refuses 1 'policies is missing' 'write policies' 'traffic: {load: 0.5}\n'
	refuses 1 'warmup' 'raise duration' "${good}duration: 1s\nwarmup: 2s\n"
	refuses 1 'buckets: 1000' 'write 1024' "${good}buckets: 1000\n"
	refuses 3 'sweep.zipf: one setting' 'remove load' "${good}sweep: {load: [0.1], zipf: [1]}\n"
	refuses 1 'traffic.sizes: needs flow_rate' 'packets a second' 'policies: [static]\ntraffic: {load: 1, sizes: x}\n'
	refuses 1 'traffic.elephants' 'raise flows' 'policies: [static]\ntraffic: {load: 1, flows: 3, elephants: 5, elephant_share: 0.1}\n'
	refuses 1 'batch' 'batch: 1' "${good}batch: 4\ntable: {shared_by: static}\n"
	refuses 1 'first_share' 'leave one out' 'policies: [ovs]\nfirst_share: 0.9\ntraffic: {load: 1}\n'
	refuses 3 'balance: elastic' 'write scale' "${good}balance: {elastic: {enabled: true}}\n"
	refuses 4 'not YAML' mend "${good}a: [\n"
	refused -1 nosuch.yaml "$SLUICE" sim nosuch.yaml
	refused -2 SCENARIO "$SLUICE" sim
	refused -2 --jobs "$SLUICE" sim x --jobs 0
}

@test "a capture, and a file of flow sizes, are found beside the scenario" {
	cd "$BATS_TEST_TMPDIR"
	mkdir sub
	"$E2E/mkpcap" sub/made.pcap
	printf 'duration: 1s\nwarmup: 100ms\npolicies: [sluice, static]\ntraffic: {load: 0.5, capture: made.pcap}\n' >sub/c.yaml
	expect "$("$SLUICE" sim sub/c.yaml -j)" '.rows | all(.[]; .offered > 170000 and .offered < 190000 and .reordered == 0)' \
		'.rows[0].loss <= .rows[1].loss'
	refused -1 'leave it out' "$SLUICE" sim <(sed 's/made.pcap/&, sine: {period: 1s}/' sub/c.yaml)
	printf '# web\n1 50\n10 30 # small\n\n1000 1\n' >sub/sizes
	printf 'duration: 1s\nwarmup: 100ms\npolicies: [sluice, sprayer]\ntraffic: {load: 0.5, sizes: sizes, flow_rate: 5000}\nservice: {mean: 20us, distribution: exponential}\n' >sub/s.yaml
	expect "$("$SLUICE" sim sub/s.yaml -j)" '.rows | all(.[]; .processed > 100000 and .lost_ring == 0)' \
		'.rows[0].reordered == 0 and .rows[1].reordered > 0'
	printf '10 1\nmany\n' >sub/sizes
	refused -1 'sizes:2: no flow size: write' "$SLUICE" sim sub/s.yaml
	printf '# none\n' >sub/sizes
	refused -1 'no flow sizes: write' "$SLUICE" sim sub/s.yaml
	rm sub/sizes
	refused -1 'traffic.sizes: sub/sizes: No such file' "$SLUICE" sim sub/s.yaml
}

@test "--plot writes data and script, calls gnuplot, and says in one line if there is none" {
	local dir=$BATS_TEST_TMPDIR/out figure
	mkdir -p "$BATS_TEST_TMPDIR/bin"
	printf 'duration: 300ms\nwarmup: 100ms\npolicies: [static, sluice]\nsweep: {load: [0.5, 0.7]}\nfigure: rate\n' \
		>"$BATS_TEST_TMPDIR/fig.yaml"
	printf 'traffic: {flows: 100}\n' >>"$BATS_TEST_TMPDIR/fig.yaml"
	run env PATH="$BATS_TEST_TMPDIR/bin" "$SLUICE" sim "$BATS_TEST_TMPDIR/fig.yaml" --plot "$dir" -j
	[ "$status" = 1 ] && [ "${#lines[@]}" = 2 ]
	[[ $output == *"no gnuplot here: install gnuplot-nox"*fig.gnuplot* ]]
	[ "$(grep -c '^0.[57] ' "$dir/fig.dat")" = 4 ]
	printf '#!/bin/sh\necho "$PWD/$1" >called\n' >"$BATS_TEST_TMPDIR/bin/gnuplot"
	chmod +x "$BATS_TEST_TMPDIR/bin/gnuplot"
	PATH=$BATS_TEST_TMPDIR/bin:$PATH "$SLUICE" sim "$BATS_TEST_TMPDIR/fig.yaml" --plot "$dir" >/dev/null
	[ "$(cat "$dir/called")" = "$dir/fig.gnuplot" ]
	! command -v gnuplot >/dev/null || {
		for figure in rate p95 loss imbalance awake; do
			sed -i "s/^figure: .*/figure: $figure/" "$BATS_TEST_TMPDIR/fig.yaml"
			"$SLUICE" sim "$BATS_TEST_TMPDIR/fig.yaml" --plot "$dir" >/dev/null
			grep -q '</svg>' "$dir/fig.svg"
			rm "$dir/fig.svg"
		done
	}
	run "$SLUICE" sim "$BATS_TEST_TMPDIR/fig.yaml" --plot /dev/null/x -j
	[ "$status" = 1 ] && [[ $output == *'--plot: /dev/null/x: Not a directory: give a folder'* ]]
}
