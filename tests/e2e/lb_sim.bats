#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# sluice lb sim: what the committed scenarios must show, what it refuses, and what it writes.
load common

SCENARIOS=$TB_ROOT/docs/scenarios/lb

# shorter NAME SED...: a committed scenario with lines changed
shorter() {
	sed "${@:2}" "$SCENARIOS/$1.yaml" >"$BATS_TEST_TMPDIR/$1.yaml"
	"$SLUICE" lb sim "$BATS_TEST_TMPDIR/$1.yaml" -j
}

# each FILTER JSON: true of the rows by policy, as $hash, $rr, ...
each() {
	jq -e ".rows | map({(.policy | sub(\"-\"; \"_\")): .}) | add | .hash as \$hash | .rr as \$rr | .awrr as \$awrr |
		.least as \$least | .least_stale as \$stale | .pow2 as \$pow2 | .core as \$core | $1" <<<"$2" >/dev/null || {
		echo "not so: $1"
		jq -c '.rows[] | [.policy, .p99_ms, .variance_cores, .delivered]' <<<"$2"
		return 1
	}
}

@test "every committed scenario is read" {
	local file
	for file in "$SCENARIOS"/*.yaml; do
		sed -e '/^sweep/d; /^duration/d' -e 's/{load: [0-9.]*, /{/; s/\(requests\|streams\): {/&load: 0.1, /' "$file" \
			>"$BATS_TEST_TMPDIR/s.yaml"
		printf 'duration: 300ms\nwarmup: 100ms\nwindow: 50ms\n' >>"$BATS_TEST_TMPDIR/s.yaml"
		expect "$("$SLUICE" lb sim "$BATS_TEST_TMPDIR/s.yaml" -j)" '.rows | length >= 3' '.rows | all(.flows > 0)'
	done
}

@test "64 servers at high load: p99 by turns and by loads is a half to a third of that by hash" {
	local out
	out=$(shorter uniform -e 's/^sweep.*/duration: 20s/; s/requests: {/&load: 0.85, /; s/warmup.*//')
	each '$rr.p99_ms * 2.5 < $hash.p99_ms and $awrr.p99_ms * 2 < $hash.p99_ms and $least.p99_ms * 2 < $hash.p99_ms' "$out"
	each '$rr.flows == $hash.flows and $stale.p99_ms > 10 * $hash.p99_ms' "$out"
}

@test "bimodal: awrr, pow2 and core are ahead of turns, and of the least loaded by stale reports" {
	local out
	out=$(shorter bimodal -e '/^sweep/d; s/^duration.*/servers: 32/')
	each '[$awrr, $pow2, $least, $core] | all(.p99_ms < 0.8 * $rr.p99_ms)' "$out"
	each '$stale.p99_ms > 2 * $awrr.p99_ms and $stale.p99_ms > 2 * $pow2.p99_ms and $stale.p99_ms > $hash.p99_ms' "$out"
}

@test "CrossRSS: the cores' variance is 27 times below round robin's, and 12 % more is delivered than by hash" {
	local out
	out=$(shorter crossrss -e '/^sweep/d; s/, pow2//; s/streams: {/&load: 1, /')
	each '$rr.variance_cores > 27 * $core.variance_cores and $core.delivered > 1.12 * $hash.delivered' "$out"
	each '$hash.loss > 0.15 and $hash.loss < 0.2' "$out"
}

@test "a fast server has its weight's share by wrr, and what the others leave it by load" {
	local out
	out=$(shorter weights -e 's/^sweep.*/duration: 20s/; s/requests: {/&load: 0.65, /')
	jq -e '.rows | map({(.policy): .p99_ms}) | add | .wrr * 10 < .rr and .awrr * 5 < .rr' <<<"$out"
}

@test "the same seed gives the same numbers, however many run at a time; another seed others" {
	local a b c
	printf 'duration: 1s\nwarmup: 100ms\nwindow: 100ms\npolicies: [core, pow2, hash]\nsweep: {servers: [2, 9]}\n' \
		>"$BATS_TEST_TMPDIR/s.yaml"
	printf 'cores: 2\nrequests: {load: 0.7, mean: 1ms}\n' >>"$BATS_TEST_TMPDIR/s.yaml"
	a=$("$SLUICE" lb -j sim "$BATS_TEST_TMPDIR/s.yaml" --jobs 1)
	b=$("$SLUICE" lb sim "$BATS_TEST_TMPDIR/s.yaml" -j --jobs 5)
	c=$("$SLUICE" lb sim "$BATS_TEST_TMPDIR/s.yaml" -j --seed 7)
	[ "$a" = "$b" ] && [ "$a" != "$c" ]
	expect "$a" '[.rows[].policy] == ["core", "pow2", "hash", "core", "pow2", "hash"]' '.seed == 1' '.axis == "servers"' \
		'[.rows[].servers] == [2, 2, 2, 9, 9, 9]'
	expect "$c" '.seed == 7'
	"$SLUICE" lb sim "$BATS_TEST_TMPDIR/s.yaml" | grep -q '^ *9  core '
}

# refuses LINE SETTING MEND YAML: one line that names them.
refuses() {
	local yaml=$BATS_TEST_TMPDIR/bad.yaml
	printf '%b' "$4" >"$yaml"
	refused -1 "bad.yaml:$1: $2" "$SLUICE" lb sim "$yaml" && refused -1 "$3" "$SLUICE" lb sim "$yaml"
}

@test "a wrong scenario is refused with its line, the setting and the mend" {
	local good='policies: [rr]\nrequests: {load: 0.5}\n'
	refuses 3 'unknown setting "severs"' servers "${good}severs: 4\n"
	refuses 3 'servers: "0"' '1 to 1024' "${good}servers: 0\n"
	refuses 1 'policies: "jsq"' 'hash, maglev, rr' 'policies: jsq\nrequests: {load: 0.5}\n'
	refuses 1 'policies[1]: given twice' remove 'policies: [rr, rr]\nrequests: {load: 0.5}\n'
	refuses 1 'policies is missing' 'write policies' 'requests: {load: 0.5}\n'
	refuses 1 'write requests or streams' 'one of the two' 'policies: [rr]\n'
	refuses 1 'write requests or streams' 'one of the two' "${good}streams: {load: 1}\n"
	refuses 1 'requests: no load' 'write load' 'policies: [rr]\nrequests: {mean: 1ms}\n'
	refuses 2 'requests.mean: "7"' 'write a time' 'policies: [rr]\nrequests: {load: 0.5, mean: 7}\n'
	refuses 1 'requests.long_factor' 'lower it' 'policies: [rr]\nrequests: {load: 0.5, long_share: 0.5, long_factor: 2}\n'
	refuses 1 'streams.most' 'raise it' 'policies: [rr]\nstreams: {load: 0.5, fewest: 10, most: 5}\n'
	refuses 3 'sweep.servers: one setting' 'remove load' "${good}sweep: {load: [0.1], servers: [1]}\n"
	refuses 1 'sweep.lasts' 'write streams' "${good}sweep: {lasts: [1s]}\n"
	refuses 1 'table: 100' 'write 128' "${good}table: 100\n"
	refuses 1 'cores: more than 4096' 'lower it' "${good}cores: 128\nservers: 64\n"
	refuses 1 'warmup' 'raise duration' "${good}duration: 5s\n"
	refuses 1 'balancer.stale' 'raise it' "${good}balancer: {report: 2s}\n"
	refuses 3 'balancer.told: "all"' 'busy or arrived' "${good}balancer: {told: all}\n"
	refuses 3 'figure: "p95"' 'p99, p50' "${good}figure: p95\n"
	refused -1 nosuch.yaml "$SLUICE" lb sim nosuch.yaml
	refused -2 SCENARIO "$SLUICE" lb sim
	refused -2 --jobs "$SLUICE" lb sim x --jobs 0
}

@test "--plot writes data and script and calls gnuplot" {
	local dir=$BATS_TEST_TMPDIR/out figure
	mkdir -p "$BATS_TEST_TMPDIR/bin"
	printf '#!/bin/sh\necho "$PWD/$1" >called\n' >"$BATS_TEST_TMPDIR/bin/gnuplot"
	chmod +x "$BATS_TEST_TMPDIR/bin/gnuplot"
	printf 'duration: 300ms\nwarmup: 100ms\nwindow: 50ms\npolicies: [rr, core]\nsweep: {load: [0.5, 0.7]}\nfigure: p99\n' \
		>"$BATS_TEST_TMPDIR/fig.yaml"
	printf 'requests: {mean: 100us}\n' >>"$BATS_TEST_TMPDIR/fig.yaml"
	PATH=$BATS_TEST_TMPDIR/bin:$PATH "$SLUICE" lb sim "$BATS_TEST_TMPDIR/fig.yaml" --plot "$dir" >/dev/null
	[ "$(cat "$dir/called")" = "$dir/fig.gnuplot" ]
	[ "$(grep -c '^0.[57] ' "$dir/fig.dat")" = 4 ]
	! command -v gnuplot >/dev/null || {
		for figure in p99 p50 variance delivered; do
			sed -i "s/^figure: .*/figure: $figure/" "$BATS_TEST_TMPDIR/fig.yaml"
			"$SLUICE" lb sim "$BATS_TEST_TMPDIR/fig.yaml" --plot "$dir" >/dev/null
			grep -q '</svg>' "$dir/fig.svg"
			rm "$dir/fig.svg"
		done
		sed -i '/^sweep/d; s/^requests.*/requests: {load: 0.5}/' "$BATS_TEST_TMPDIR/fig.yaml"
		"$SLUICE" lb sim "$BATS_TEST_TMPDIR/fig.yaml" --plot "$dir" >/dev/null
		grep -q '</svg>' "$dir/fig.svg"
	}
}
