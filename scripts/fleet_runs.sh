# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# fleet_runs.sh - sourced after fleet.sh: what happens to a fleet under load, and what its clients saw of it, as JSON.
#
#   fleet_run_churn SECONDS   every second servers come or drain, or a balancer dies or is replaced
#   fleet_run_deaths SECONDS  every second a server dies, and balancers are told 200 ms later
#
# FLEET_KEEP as for fleet_apply. 40 connections are held, 8 more are opened for each request. FLEET_SAY: a command that
# is told what happens.

FLEET_STAMP_STATISTICS=(TcpExtPAWSEstab TcpExtPAWSActive TcpExtPAWSPassive TcpExtPAWSOldAck TcpExtPAWSTimewait TcpExtTSEcrRejected)

fleet_say() { [ -z "${FLEET_SAY:-}" ] || "$FLEET_SAY" "$*"; }

fleet_both() { fleet_apply b1 "$@" && fleet_apply b2 "$@"; }

# Balancers learn of a server one after the other. Both know it before either gives it connections.
fleet_enter() { # I...
	local i
	for i in "$@"; do fleet_states[i]=$i:drain; done
	fleet_both "${fleet_states[@]}"
	for i in "$@"; do fleet_states[i]=$i; done
	fleet_both "${fleet_states[@]}"
}

fleet_drain() { # I...
	local i
	for i in "$@"; do fleet_states[i]=$i:drain; done
	fleet_both "${fleet_states[@]}"
}

fleet_event() { # NUMBER
	case $(($1 % 8)) in
	0) fleet_say "servers 7 and 8 come" && fleet_enter 7 8 ;;
	1) fleet_say "balancer 1 dies" && fleet_die b1 ;;
	2) fleet_say "another takes its place" && fleet_revive b1 "${fleet_states[@]}" ;;
	3) fleet_say "servers 1 and 2 drain" && fleet_drain 1 2 ;;
	4) fleet_say "balancer 2 dies" && fleet_die b2 ;;
	5) fleet_say "another takes its place" && fleet_revive b2 "${fleet_states[@]}" ;;
	6) fleet_say "servers 1 and 2 are back" && fleet_enter 1 2 ;;
	7) fleet_say "servers 7 and 8 drain" && fleet_drain 7 8 ;;
	esac
}

# Sleeps until NUMBER seconds after $begin_us.
fleet_until() {
	local us=$((begin_us + $1 * 1000000 - ${EPOCHREALTIME/./}))
	[ $us -le 0 ] || sleep "$((us / 1000000)).$(printf %06d $((us % 1000000)))"
}

fleet_load() { # SECONDS: until 2 s later than the last event
	begin_us=${EPOCHREALTIME/./}
	fleet_wrk held 40 $(($1 + 3))
	fleet_wrk fresh 8 $(($1 + 3)) close
}

# Before the load ends, whose connections are reset then.
fleet_seen() {
	resets=$(fleet_nstat "c $(fleet_server_names)" TcpOutRsts)
	stamps=$(fleet_nstat "c $(fleet_server_names)" "${FLEET_STAMP_STATISTICS[@]}")
}

fleet_report() { # RUN EVENTS OPEN
	fleet_wrk_wait
	jq -cn --slurpfile h "$FLEET_RUN/held.json" --slurpfile f "$FLEET_RUN/fresh.json" --arg run "$1" --argjson events "$2" \
		--argjson open "$3" --arg keep "${FLEET_KEEP:-cookie}" --argjson resets "$resets" --argjson stamps "$stamps" \
		'{run: $run, keep: $keep, events: $events, requests: ($h[0].requests + $f[0].requests), failed: ($h[0].failed + $f[0].failed),
		  failed_held: $h[0].failed, failed_fresh: $f[0].failed, resets: $resets, paws_and_tsecr: $stamps,
		  slowest_ms: ([$h[0].max_ms, $f[0].max_ms] | max)} + if $open == null then {} else {open_when_killed: $open} end'
}

fleet_run_churn() { # SECONDS
	local fleet_states=() begin_us resets stamps i
	for ((i = 1; i <= 6; i++)); do fleet_states[i]=$i; done
	fleet_both "${fleet_states[@]}"
	fleet_load "$1"
	for ((i = 0; i < $1; i++)); do
		fleet_until $((i + 1))
		fleet_event "$i"
	done
	fleet_until $(($1 + 2))
	fleet_seen
	fleet_report churn "$1" null
}

# Connections that its kernel holds or is about to.
fleet_open() { # I
	fleet_at "s$1" ss -Htan state all sport = :8080 | awk '$1 != "LISTEN" && $1 != "TIME-WAIT"' | wc -l
}

fleet_run_deaths() { # SECONDS
	local begin_us resets stamps i n open=0
	fleet_both $(seq "$FLEET_SERVERS")
	fleet_load "$1"
	for ((i = 0; i < $1; i++)); do
		n=$((i % FLEET_SERVERS + 1))
		fleet_until $((i + 1))
		fleet_say "server $n dies"
		ip -n "$FLEET-s$n" link set eth0 down
		open=$((open + $(fleet_open $n)))
		sleep 0.2
		fleet_lb b1 set "10.30.$n.2:8080" -s down
		fleet_lb b2 set "10.30.$n.2:8080" -s down
		[ "$i" -lt 2 ] || fleet_return $(((i - 2) % FLEET_SERVERS + 1))
	done
	fleet_until $(($1 + 2))
	fleet_seen
	fleet_report deaths "$1" "$open"
}

# Its kernel has forgotten its connections, as after a crash.
fleet_return() { # I
	fleet_say "server $1 is back"
	fleet_at "s$1" ss -K sport = :8080 >/dev/null 2>&1 || true
	ip -n "$FLEET-s$1" link set eth0 up
	ip -n "$FLEET-s$1" route replace default via "10.30.$1.1"
	fleet_lb b1 set "10.30.$1.2:8080" -s up
	fleet_lb b2 set "10.30.$1.2:8080" -s up
}
