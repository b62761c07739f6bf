#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# tenants - three tenants on one worker that CAPACITY packets a second keep busy: light sends three times its share for
# 100 ms of each second, steady STEADY all the time, within its share, and flood five times what there is. Unshared, then under
# each policy: packets a second, p99 and drops of each, and of all together; and light's p99 when nobody else sends. A
# queue of the generator can have one sender, so each tenant has its own, and all meet in the one queue of the device.
# Then two that ask for twice what there is, one of cycles (small packets), one of bytes (large ones, half CAPACITY of
# which fill the bandwidth): what each gets of what it is most in need of (`dominant`), under DRF.
set -euo pipefail
# shellcheck source=tests/bench/lib.sh
source "$(dirname "$0")/lib.sh"
SECONDS_EACH=${SECONDS_EACH:-10} CAPACITY=${CAPACITY:-10000} POLICIES=${POLICIES:-maxmin drf sdrf}
STEADY=${STEADY:-$((CAPACITY / 20))} # packets a second
HALF_LIFE=${HALF_LIFE:-10s}

config() { # POLICY, or `none`
	printf 'version: 1\nmetrics: {listen: off}\ninstances:\n  - interfaces: %s\n    attach: true\n    match: all\n' "$TB_D"
	[ "$1" = none ] || cat <<-END
		    tenants:
		      policy: $1
		      half_life: $HALF_LIFE
		      others: 0.001
		      list:
		        - {name: light, match: 10.1.0.0/16}
		        - {name: steady, match: 10.2.0.0/16}
		        - {name: flood, match: 10.3.0.0/16}
	END
}

up() { # POLICY
	TB_GEN_QUEUES=4 tb_up slbt
	if [ "$1" = heavy ]; then heavy_config; else config "$1"; fi >"$TB_RUN/sluice.yaml"
	tb_spawn sluiced "$SLUICED" -c "$TB_RUN/sluice.yaml"
	tb_wait 10 tb_s tenants "$TB_D"
	tb_run --workers 1 --nf "work:$((1000000 / CAPACITY))us,reflect"
}

# source_of NAME NET RATE ARGS...: in the background, on a queue of its own
source_of() {
	local name=$1 net=$2 rate=$3
	shift 3
	tb_spawn_gen "$name" timeout $((SECONDS_EACH + 10)) "$SLUICE" gen "$TB_G" --mode xdp --queue "$net" \
		--src "10.$net.0.0/16" --rate "$rate" --duration "$((SECONDS_EACH - 1))s" --warmup 1s --expect -j "$@"
}

# light's bursts, the first of which is at second 1; a line for each
bursts() {
	local i due
	for ((i = 1; i < SECONDS_EACH; i++)); do
		due=$((BEGIN_US + i * 1000000 - ${EPOCHREALTIME/./}))
		[ $due -le 0 ] || sleep "$(printf '%d.%06d' $((due / 1000000)) $((due % 1000000)))"
		tb_gen timeout 5 "$SLUICE" gen "$TB_G" --mode xdp --queue 1 --src 10.1.0.0/16 --rate "$CAPACITY" \
			--duration 100ms --burst 4 --linger 300ms --expect -j || true
	done >"$TB_RUN/light.json" 2>"$TB_RUN/light.err"
}

# measured SETTING: a line of figures; the others' sources run, light's bursts begin
measured() {
	local first last from to pid
	BEGIN_US=${EPOCHREALTIME/./}
	bursts &
	pid=$!
	sleep 1
	first=$(bench_worker_sum packets) from=$EPOCHREALTIME
	sleep $((SECONDS_EACH - 2))
	last=$(bench_worker_sum packets) to=$EPOCHREALTIME
	wait $pid
	tb_wait 5 over "$1"
	touch "$TB_RUN/steady.json" "$TB_RUN/flood.json"
	jq -cn --arg setting "$1" --argjson packets $((last - first)) --argjson from "$from" --argjson to "$to" \
		--argjson capacity "$CAPACITY" --argjson seconds "$SECONDS_EACH" --slurpfile light "$TB_RUN/light.json" \
		--slurpfile steady "$TB_RUN/steady.json" --slurpfile flood "$TB_RUN/flood.json" \
		--argjson tenants "$(tb_s tenants "$TB_D" -j | jq -c .tenants)" '
		def median: sort | .[length / 2 | floor];
		def drops($name): [$tenants[]? | select(.tenant == $name) | .drops] | add;
		# of one tenant: all its runs together; the p99 is the median of theirs
		def figures($name; $run; $seconds): if $run == [] then null else
			{pps: (($run | map(.received - .duplicated) | add) / $seconds | round), sent: ($run | map(.sent) | add),
			 lost: ($run | map(.lost) | add), drops: drops($name), p99_us: ($run | map(.p99_us) | median)} end;
		{bench: "tenants", setting: $setting, total_pps: ($packets / ($to - $from) | round),
		 light: figures("light"; $light; $seconds - 1), steady: figures("steady"; $steady; $seconds),
		 flood: figures("flood"; $flood; $seconds)}'
}

HEAVY_BYTES=1400

heavy_config() {
	printf 'version: 1\nmetrics: {listen: off}\ninstances:\n  - interfaces: %s\n    attach: true\n    match: all\n' "$TB_D"
	cat <<-END
		    tenants:
		      policy: drf
		      bandwidth: $((CAPACITY * HEAVY_BYTES * 4 / 1000))Kbit
		      others: 0.001
		      list:
		        - {name: cycles, match: 10.1.0.0/16}
		        - {name: bytes, match: 10.2.0.0/16}
	END
}

heavy_counts() {
	jq -cn --argjson tenants "$(tb_s tenants "$TB_D" -j)" --argjson workers "$(tb_s workers "$TB_D" -j)" '
		($tenants.tenants | map({(.tenant): {cycles, through: (.bytes - .drop_bytes)}}) | add)
		+ {all: ($workers | map(.busy_cycles + .idle_cycles + .sleep_cycles) | add)}'
}

# heavy: a line with both dominant shares, of all the cycles that the worker has
heavy() {
	local first last from to
	up heavy
	source_of cycles 1 $((CAPACITY * 2)) --burst 16
	source_of bytes 2 "$CAPACITY" --size "$HEAVY_BYTES" --burst 16
	sleep 3
	first=$(heavy_counts) from=$EPOCHREALTIME
	sleep $((SECONDS_EACH - 4))
	last=$(heavy_counts) to=$EPOCHREALTIME
	jq -cn --argjson first "$first" --argjson last "$last" --argjson from "$from" --argjson to "$to" \
		--argjson bandwidth $((CAPACITY * HEAVY_BYTES / 2)) '
		def share($name; $what; $capacity): ($last[$name][$what] - $first[$name][$what]) / $capacity;
		def shares($name): {cycles: share($name; "cycles"; $last.all - $first.all),
			bytes: share($name; "through"; $bandwidth * ($to - $from))};
		{bench: "tenants", setting: "heavy", cycles: shares("cycles"), bytes: shares("bytes")}
		| .dominant_ratio = ([.cycles.cycles, .bytes.bytes] | min / max)' | tee -a "$lines"
	tb_down
}

# The sources of this setting have written what they saw.
over() { [ "$1" = alone ] || { [ -s "$TB_RUN/steady.json" ] && [ -s "$TB_RUN/flood.json" ]; }; }

# setting NAME POLICY
setting() {
	up "$2"
	if [ "$1" != alone ]; then
		source_of steady 2 "$STEADY" --burst 4
		source_of flood 3 $((CAPACITY * 5)) --burst 64
	fi
	measured "$1" | tee -a "$lines"
	tb_down
}

lines=$(mktemp)
trap 'tb_down; rm -f "$lines"' EXIT
setting alone drf
setting unshared none
for policy in $POLICIES; do
	setting "$policy" "$policy"
done
heavy
jq -cs --argjson machine "$BENCH_MACHINE" --argjson capacity "$CAPACITY" '
	map({(.setting): .}) | add
	| . as $at | (keys - ["alone", "unshared", "heavy"]) as $policies
	| def each(f): $policies | map({(.): ($at[.] | f)}) | add;
	{bench: "tenants", summary: true, machine: $machine, capacity_pps: $capacity, light_alone_p99_us: $at.alone.light.p99_us,
	 light_unshared_p99_us: $at.unshared.light.p99_us, light_p99_us: each(.light.p99_us), steady_p99_us: each(.steady.p99_us),
	 light_lost: each(.light | .lost / .sent), steady_lost: each(.steady | .lost / .sent), flood_lost: each(.flood | .lost / .sent),
	 light_p99_to_alone: each(.light.p99_us / $at.alone.light.p99_us),
	 total_to_unshared: each(.total_pps / $at.unshared.total_pps),
	 heavy_dominant_ratio: $at.heavy.dominant_ratio,
	 drops: each({light: .light.drops, steady: .steady.drops, flood: .flood.drops})}
	+ (if $at.sdrf and $at.drf then {light_p99_sdrf_to_drf: ($at.sdrf.light.p99_us / $at.drf.light.p99_us)} else {} end)' "$lines"
