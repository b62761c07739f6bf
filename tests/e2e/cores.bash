# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# cores.bash - on top of pool.bash: servers that run Sluice report to the balancer, and flows land on the workers that
# it foretold. SERVERS: how many.

REPORTERS=() # of each server, its agent's pid

in_server() { nsenter --net="/run/netns/$NAME-l$1" -- "$SLUICE" "${@:2}"; }

spawn() { # SERVER FILE SLUICE-WORD...
	nsenter --net="/run/netns/$NAME-l$1" -- "$SLUICE" "${@:3}" >"$BATS_TEST_TMPDIR/$2" 2>&1 3>&- &
	POOL_SPAWNED+=($!)
}

cores_down() {
	local i pid
	for pid in "${POOL_SPAWNED[@]}"; do
		kill -CONT "$pid" 2>/dev/null || true
		kill "$pid" 2>/dev/null || true
		wait "$pid" 2>/dev/null || true
	done
	POOL_SPAWNED=()
	for ((i = 1; i <= SERVERS; i++)); do
		[ ! -e "/run/netns/$NAME-l$i" ] || in_server "$i" detach "${NAME}e$i" || true
	done
}

reports_up() {
	local i
	nsenter --net="/run/netns/$NAME-lb" -- "$SLUICE" lb loads -n "$NAME" --receive -j \
		>"$BATS_TEST_TMPDIR/received" 2>"$BATS_TEST_TMPDIR/received.err" 3>&- &
	RECEIVER=$!
	POOL_SPAWNED+=("$RECEIVER")
	tb_wait 10 grep -q receiving "$BATS_TEST_TMPDIR/received.err"
	for ((i = 1; i <= SERVERS; i++)); do
		spawn "$i" "report-$i" agent report "${NAME}e$i" --to "10.7.$i.1" --id "$i" --id "1$i" -i 50ms \
			--secret-file "$BATS_TEST_TMPDIR/secret"
		REPORTERS[i]=$!
	done
	tb_wait 10 all_report
}

loads() { lb loads -n "$NAME" -j; }
all_report() { [ "$(loads | jq '[.[] | select(.fresh)] | length')" = $((2 * SERVERS)) ]; }

# Packets of each worker, and connections meant for it: "1.0 123".
worked() {
	local i
	for ((i = 1; i <= SERVERS; i++)); do
		in_server "$i" workers "${NAME}e$i" -i 1ms -j | jq -r --arg s "$i" '.[] | select(.worker < 2) | "\($s).\(.worker) \(.packets)"'
	done
}
meant() { # of both families together
	loads | jq -r '[.[] | .id as $id | .cores[] | {k: "\($id % 10).\(.core)", n: .connections}] | group_by(.k)[] | "\(.[0].k) \(map(.n) | add)"'
}

flows() { in_pool lc python3 "$TB_ROOT/tests/e2e/lb_flows.py" "$@"; }

# since FILE1 FILE2: what was added, a worker a line
since() { paste -d' ' "$1" "$2" | awk '{ print $1, $4 - $2 }'; }

variance() { awk '{ n++; s += $2; q += $2 * $2 } END { print q / n - (s / n) ^ 2 }'; }

# as_foretold ADDRESS FIRST FLOWS: each of the flows lands where the balancer says that it sent it; its flows by worker
# in the file `landed`.
as_foretold() {
	worked >w0
	meant >m0
	[ "$(flows "$1" 80 "$2" "$3")" = "$3" ]
	worked >w1
	meant >m1
	since w0 w1 >landed
	since m0 m1 >foretold
	diff landed foretold
	[ "$(awk '{ n += $2 } END { print n }' landed)" = "$3" ]
}

