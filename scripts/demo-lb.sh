# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# demo-lb.sh - sourced by demo: eight nginx servers behind two balancers, 48 connections, and every second something
# happens to them; first under Sluice, then by plain hash. $json as in demo.

# shellcheck source=scripts/fleet.sh
source scripts/fleet.sh
# shellcheck source=scripts/fleet_runs.sh
source scripts/fleet_runs.sh
DEMO_EVENTS=${DEMO_EVENTS:-16}

demo_event() { say "  $*"; }

demo_half() { # KEEP
	trap fleet_down EXIT # it runs in a shell of its own
	fleet_up sldmlb 8
	fleet_clocks 5000
	FLEET_KEEP=$1 FLEET_SAY=demo_event fleet_run_churn "$DEMO_EVENTS"
	fleet_down
}

if why=$(fleet_missing); then
	say "demo: $why"
	exit 1
fi
say "Eight nginx servers, each with a TCP clock of its own, behind two balancers; a client holds 40 connections and opens others."
say "Under Sluice, $DEMO_EVENTS s:"
cookie=$(demo_half cookie)
say "By plain hash, the same:"
none=$(demo_half none)

result=$(jq -cn --argjson s "$cookie" --argjson h "$none" '
	def half($r): $r | {requests, failed, resets, slowest_ms};
	{sluice: half($s), plain_hash: half($h), events: $s.events}')
jq -r '
	def row($name; $h): [$name, $h.requests, $h.failed, $h.resets, ($h.slowest_ms | round)];
	["", "requests", "failed", "resets", "slowest ms"], row("Sluice"; .sluice), row("plain hash"; .plain_hash) | @tsv' \
	<<<"$result" | column -t -s $'\t' >&2
[ -z "$json" ] || echo "$result"
