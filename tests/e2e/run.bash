# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# run.bash - `sluice lb run` of $BATS_TEST_TMPDIR/lb.yaml on the balancer of pool.bash.

RUN=

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
