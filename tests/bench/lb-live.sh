#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# lb-live - 8 nginx servers with a clock each behind two balancers, 48 connections. Every second servers come or drain, or
# a balancer dies or is replaced; then every second a server dies: what failed, by cookies, by Maglev with a connection
# table, by plain hash. SECONDS_EACH: each run's length with cookies, a third of it with the others. Then connections that
# are idle for IDLE seconds (empty: none), with cookies of 9 and of 16 bits.
set -euo pipefail
# shellcheck source=tests/bench/lib.sh
source "$(dirname "$0")/lib.sh"
# shellcheck source=scripts/fleet.sh
source "$TB_ROOT/scripts/fleet.sh"
# shellcheck source=scripts/fleet_runs.sh
source "$TB_ROOT/scripts/fleet_runs.sh"
SECONDS_EACH=${SECONDS_EACH:-60} IDLE=${IDLE-40 70 140}

! fleet_missing >&2 || exit 1
run() { # KEEP RUN SECONDS
	fleet_up slblv 8
	fleet_clocks 5000
	FLEET_KEEP=$1 "$2" "$3"
	fleet_down
}

# Each connection is idle once: one set for each pause, all at the same time.
idle() { # BITS
	local seconds pids=()
	fleet_up slblv 8
	fleet_clocks 0 # what jumps has jumped: it would be a pause of another length
	FLEET_BITS=$1 fleet_both $(seq 8)
	for seconds in $IDLE; do
		{ sleep "$seconds" && echo; } | fleet_at c python3 "$FLEET_PARTS/held.py" "$FLEET_VIP" 80 16 |
			tail -n 1 >"$FLEET_RUN/idle-$seconds" &
		pids+=($!)
	done
	wait "${pids[@]}"
	for seconds in $IDLE; do
		jq -c --argjson bits "$1" --argjson idle "$seconds" \
			'{run: "idle", cookie_bits: $bits, idle_s: $idle, asked: ([.[].asked] | add), answered: ([.[].answered] | add)}' \
			"$FLEET_RUN/idle-$seconds"
	done
	fleet_down
}

lines() {
	local keep seconds
	trap fleet_down EXIT # it runs in a shell of its own
	for keep in cookie table none; do
		seconds=$SECONDS_EACH
		[ $keep = cookie ] || seconds=$(((SECONDS_EACH + 2) / 3))
		run $keep fleet_run_churn "$seconds"
		run $keep fleet_run_deaths "$seconds"
	done
	[ -z "$IDLE" ] || idle 9
	[ -z "$IDLE" ] || idle 16
}

lines | tee /dev/stderr | jq -cs --argjson machine "$BENCH_MACHINE" '
	def key: "\(.keep)_\(.run)";
	(.[] | {bench: "lb-live"} + .),
	{bench: "lb-live", summary: true, machine: $machine}
	+ ([.[] | select(.keep) | {"\(key)_failed": .failed, "\(key)_requests": .requests, "\(key)_resets": .resets}] | add)
	+ {cookie_deaths_open: ([.[] | select(.keep == "cookie" and .run == "deaths") | .open_when_killed] | add)}
	+ ([.[] | select(.run == "idle") | {"idle_\(.cookie_bits)bits_\(.idle_s)s": "\(.answered)/\(.asked)"}] | add // {})'
