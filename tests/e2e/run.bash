# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# run.bash - `sluice lb run` of $BATS_TEST_TMPDIR/lb.yaml on the balancer of pool.bash.

RUN=
RUN_SPAWNED=() # what run_down ends

run_setup() {
	needs_root
	export SLUICE_RUN_DIR=$BATS_TEST_TMPDIR
}
run_down() {
	local pid
	stop_run
	for pid in "${RUN_SPAWNED[@]}"; do
		kill "$pid" 2>/dev/null || true
		wait "$pid" 2>/dev/null || true
	done
}

# run_file VIP-SETTINGS SERVER[:STATE]...
run_file() {
	local settings=$1 i
	shift
	printf 'version: 1\nname: %s\ninterfaces: [%s' "$NAME" "${NAME}b0"
	for i in 1 2 3; do printf ', %s' "${NAME}b$i"; done
	echo ]
	[[ $settings != *select:\ @(awrr|least|pow2)* ]] || echo 'refill: 20ms'
	printf 'metrics: 127.0.0.1:9465\nvips:\n  - {address: 10.9.9.9, port: 80, %s, servers: [' "$settings"
	for i in "$@"; do printf '{address: "10.7.%s.2:8080", state: %s},' "${i%:*}" "$(state_of "$i")"; done
	printf ']}\n'
}

balance() { # as run_file
	run_file "$@" >"$BATS_TEST_TMPDIR/lb.yaml"
	start_run
}
health() { # SERVER: its word
	lb show -n "$NAME" -j | jq -r --arg a "10.7.$1.2:8080" '.vips[0].servers[] | select(.address == $a) | .health'
}
is() { [ "$(health "$1")" = "$2" ]; }

start_run() {
	nsenter --net="/run/netns/$NAME-lb" -- "$SLUICE" lb run "$BATS_TEST_TMPDIR/lb.yaml" 2>"$BATS_TEST_TMPDIR/run.err" 3>&- &
	RUN=$!
	tb_wait 5 said "$NAME runs"
}
said() { grep -q -- "$1" "$BATS_TEST_TMPDIR/run.err"; }
stop_run() {
	[ -n "$RUN" ] || return 0
	kill "$RUN" 2>/dev/null || true
	wait "$RUN" 2>/dev/null || true
}
