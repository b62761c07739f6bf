#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# CrossRSS: four servers that run Sluice with two workers each tell a balancer which worker a flow goes to, and how
# busy that is. Where the balancer says that flows will go they go, to the packet.
load common
load pool
load cores

SERVERS=4

setup() {
	needs_root
	cores_up
}
teardown() {
	cores_down
	pool_down
}

cores_up() {
	local i
	export SLUICE_RUN_DIR=$BATS_TEST_TMPDIR
	echo 000102030405060708090a0b0c0d0e0f >"$BATS_TEST_TMPDIR/secret"
	pool_net $SERVERS
	# on one CPU: what else runs there is a load of all workers alike
	for ((i = 1; i <= SERVERS; i++)); do
		in_server "$i" attach "${NAME}e$i" --match proto=udp --local
		spawn "$i" "run-$i" run -i "${NAME}e$i" --workers 2 --cpus 0 --ring 256 --nf work:200us,reflect
	done
	for ((i = 1; i <= SERVERS; i++)); do tb_wait 20 grep -q '^serving' "$BATS_TEST_TMPDIR/run-$i"; done
}

# cores_apply SELECT: IPv4 servers have ids 1 to 4, IPv6 11 to 14
cores_apply() {
	local i six
	{
		printf 'version: 1\nname: %s\nsecret: %s\ninterfaces: [%s' "$NAME" "$(cat "$BATS_TEST_TMPDIR/secret")" "${NAME}b0"
		for ((i = 1; i <= SERVERS; i++)); do printf ', %s' "${NAME}b$i"; done
		printf ']\nvips:\n'
		for six in 0 1; do
			printf '  - {address: "%s", protocol: udp, port: 80, select: %s, keep: table, servers: [' \
				"$([ $six = 1 ] && echo fd09::9 || echo 10.9.9.9)" "$1"
			for ((i = 1; i <= SERVERS; i++)); do
				printf '{address: "%s", id: %d},' \
					"$([ $six = 1 ] && echo "[fd07:$i::2]:8080" || echo "10.7.$i.2:8080")" $((six * 10 + i))
			done
			printf ']}\n'
		done
	} >"$BATS_TEST_TMPDIR/lb.yaml"
	lb apply "$BATS_TEST_TMPDIR/lb.yaml"
}

# by chance it is 600 * 1/8 * 7/8
even_enough() { awk -v v="$(variance <landed)" 'BEGIN { exit !(4 * v < 66) }'; }

table_of() { loads | jq ".[] | select(.id == $1) | .table"; }
table_is_not() { [ "$(table_of "$1")" != "$2" ]; }

@test "flows land on the worker that was foretold, also after rows have moved, and are spread evenly" {
	cd "$BATS_TEST_TMPDIR"
	local table b rows=()
	cores_apply hash
	worked >w0
	[ "$(flows 10.9.9.9 80 10000 600)" = 600 ]
	worked >w1
	since w0 w1 >by_hash
	cores_apply core
	reports_up
	for ((b = 1; b <= 3; b++)); do # others are busy on this machine too
		as_foretold 10.9.9.9 $((10000 * b + 1000)) 600
		echo "variance of a worker's flows: by hash $(variance <by_hash), by core $(variance <landed)"
		even_enough && break
	done
	even_enough
	as_foretold fd09::9 20000 300
	table=$(table_of 1)
	for ((b = 0; b < 1024; b += 3)); do rows+=("$b:$((b % 2))"); done
	in_server 1 move "${NAME}e1" "${rows[@]}" >/dev/null
	tb_wait 5 table_is_not 1 "$table"
	as_foretold 10.9.9.9 30000 300
	as_foretold fd09::9 30000 300
	expect "$(counts)" '.by_load >= 1500' '.unreported == 0'

	# who reports no more is gone by the hash, and nobody is without an answer
	kill "$RECEIVER"
	wait "$RECEIVER" || true
	expect "$(cat received)" '.accepted > 100' '.forged == 0' '.malformed == 0' '.unknown == 0' '.replayed == 0'
	sleep 1.1
	expect "$(loads)" '[.[] | .fresh] | any | not'
	[ "$(flows 10.9.9.9 80 40000 100)" = 100 ]
	expect "$(counts)" '.unreported == 100'
}

# who looks at server 1's rows and at what the balancer knows of them
watch_up() {
	nsenter --net="/run/netns/$NAME-lb" -- "$TB_BUILD/tests/e2e/told_first" "$NAME" 1 "${NAME}e1" "/run/netns/$NAME-l1" \
		>seen 2>seen.err 3>&- &
	WATCH=$!
	POOL_SPAWNED+=("$WATCH")
	tb_wait 10 grep -q looking seen.err || { cat seen.err; false; }
}
watched() { # JQ-CONDITION...
	kill "$WATCH"
	wait "$WATCH"
	expect "$(cat seen)" "$@"
}

# all to worker 0, some load, and the daemon is asked to balance that
plan_told() {
	in_server 1 move "${NAME}e1" 0-1023:0 >/dev/null
	flows 10.9.9.9 80 20000 300 >answered
	in_server 1 balance "${NAME}e1" >balanced 2>&1 || return
	in_pool l1 curl -s http://127.0.0.1:9464/metrics | grep -q '^sluice_balance_plans_told_total{.*} [1-9]'
}

@test "the balancer knows of a move before the server acts on it, by hand or by the daemon" {
	cd "$BATS_TEST_TMPDIR"
	local i second
	cores_apply core
	reports_up
	watch_up
	flows 10.9.9.9 80 10000 400 >answered &
	for ((i = 0; i < 10; i++)); do in_server 1 move "${NAME}e1" "0-199:$((i % 2))" >/dev/null; done
	wait $!
	[ "$(cat answered)" = 400 ]
	watched '.before + .there + .after > 1000' '.before >= 400' '.before > 2 * .after'

	spawn 1 second agent report "${NAME}e1" --to 127.0.0.1 --id 1 --secret-file "$BATS_TEST_TMPDIR/secret"
	second=$!
	# the daemon
	printf 'version: 1\nbalance: {threshold: 100%%}\n' >d.yaml
	nsenter --net="/run/netns/$NAME-l1" -- "$SLUICED" -c d.yaml >daemon.log 2>&1 3>&- &
	POOL_SPAWNED+=($!)
	tb_wait 10 grep -q serves daemon.log
	tb_wait 15 plan_told

	# moves wait for one agent only; on a busy machine that may have become the second
	tb_wait 5 grep -q "^another agent reports from ${NAME}e1: .*--to" second report-1

	# the agent does not answer: the move is not put off for long, and the balancer hears of it later
	kill "$second" # it would take the other's place
	kill -STOP "${REPORTERS[1]}"
	watch_up
	in_server 1 move "${NAME}e1" 0-199:1 -j >moved
	expect "$(cat moved)" 'length == 200' '[.[] | .state == "done"] | all'
	watched '.after > 100' '.before == 0'
	kill -CONT "${REPORTERS[1]}"
}
