#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# pictures DIR - of the live benches whose lines of JSON lie in DIR (NAME.json): data, script and SVG beside them. The
# simulator draws its own (bench scenarios).
set -euo pipefail
cd "$1"

# rounds NAME TITLE UNIT FILTER COLUMN...: a picture of clustered bars, one for each row that FILTER makes of NAME.json's
# lines.
rounds() {
	local name=$1 title=$2 unit=$3 filter=$4 column n=1 plots=""
	shift 4
	[ -s "$name.json" ] || return 0
	jq -rs "map(select(.summary | not)) | $filter | to_entries[] | [.key + 1, .value[]] | @tsv" "$name.json" >"$name.dat"
	[ -s "$name.dat" ] || return 0
	for column in "$@"; do
		n=$((n + 1))
		plots+="${plots:+, }'$name.dat' using $n:xtic(1) title '$column'"
	done
	cat >"$name.gnuplot" <<-END
		set terminal svg size 720,480
		set output '$name.svg'
		set title "$title"
		set key outside
		set grid ytics
		set logscale y
		set ylabel '$unit'
		set xlabel 'round'
		set style data histograms
		set style fill solid
		plot $plots
	END
	gnuplot "$name.gnuplot"
}

command -v gnuplot >/dev/null || {
	echo "bench: no pictures: apt-get install gnuplot-nox" >&2
	exit 0
}
rounds balance "Hot set that shifts every second, 2 workers, live" "p95 latency, us" \
	"map([.static_p95_us, .balanced_p95_us, .best_fixed_p95_us])" static balanced "best fixed table"
rounds stack "nginx in mode stack, 2 CPUs, live" "p95 latency, us" "map(select(.server == \"web\")) | map({(.table): .p95_us}) |
	[[.[].static | values], [.[].balanced | values]] | transpose" static balanced
