#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# The load balancer and time: every server's clock is its own, and connections that were idle for long.
load common
load fleet

# asked N: of N new connections how many were answered
asked() {
	local i n=0
	for ((i = 0; i < $1; i++)); do
		! fleet_at c curl -so /dev/null -m 0.4 "http://$FLEET_VIP/" || n=$((n + 1))
	done
	echo "$n"
}

@test "a balancer that takes all clocks for one does not work here, one that follows each does" {
	local pids=() b
	fleet_both 1 2 3 4 5 6 7 8
	[ "$(asked 16)" = 16 ]
	for b in b1 b2; do
		"$E2E/one_clock" "/sys/fs/bpf/sluice/lb-1/$FLEET-$b/lb_clocks" 20000 3>&- &
		pids+=($!)
	done
	sleep 0.1
	# Some are answered: by the first server, and where the scheduler lets a balancer learn between two forgeries.
	[ "$(asked 16)" -lt 14 ]
	kill "${pids[@]}"
	[ "$(fleet_nstat "$(fleet_server_names)" TcpExtTSEcrRejected)" -gt 0 ]
	# Each shows its clock to each balancer twice before it is believed again, as chance has it.
	tb_wait 30 eval '[ "$(asked 16)" = 16 ]'
	for b in b1 b2; do
		expect "$(fleet_lb "$b" show -j)" '[.. | .clock? // empty | select(. == "erratic")] == []'
	done
}

# idle BITS: connections to servers whose clocks then jump by 40 s (1, 2), 70 s (3, 4) and 140 s (5, 6), which is what a
# client sees of so long a pause; what they say afterwards.
idle() {
	local i now at=(0 40 40 70 70 140 140)
	FLEET_BITS=$1 fleet_both 1 2 3 4 5 6 7 8
	coproc HELD { fleet_at c python3 "$TB_ROOT/tests/e2e/held.py" "$FLEET_VIP" 80 64 3>&-; }
	FLEET_PIDS+=("$HELD_PID")
	read -r -t 10 -u "${HELD[0]}"
	now=$(fleet_ms)
	for i in 1 2 3 4 5 6; do fleet_clock "$i" $((i * 300000000)) 0 "$now" $((at[i] * 1000)); done
	echo again >&"${HELD[1]}"
	read -r -t 10 -u "${HELD[0]}" IDLE
	eval "exec ${HELD[1]}>&-"
}

@test "9 bits: connections that were idle for 40, 70 and 140 s go on" {
	for i in 1 2 3 4 5 6; do fleet_clock "$i" $((i * 300000000)); done
	idle 9
	expect "$IDLE" 'length == 8' '[.[] | .asked == .answered] | all'
	[ "$(fleet_nstat c TcpExtPAWSEstab)" = 0 ]
}

@test "16 bits: 40 s are in the gap from 32.8 s on" {
	for i in 1 2 3 4 5 6; do fleet_clock "$i" $((i * 300000000)); done
	idle 16
	expect "$IDLE" '[.s1, .s2 | .answered == 0] | all' '[del(.s1, .s2)[] | .asked == .answered] | all'
	[ "$(fleet_nstat c TcpExtPAWSEstab)" -gt 0 ]
}

@test "UDP flows stay with their server while servers come" {
	local i client
	for i in 1 2 3 4 5 6; do
		fleet_at "s$i" python3 "$TB_ROOT/tests/e2e/lb_traffic.py" server "10.30.$i.2" 8080 "s$i" udp 3>&- &
		FLEET_PIDS+=($!)
	done
	fleet_both 1 2 3
	tb_wait 5 fleet_at s6 bash -c "ss -Hlun sport = :8080 | grep -q ."
	fleet_at c python3 "$TB_ROOT/tests/e2e/lb_traffic.py" client "$FLEET_VIP" 80 80 3 udp >"$FLEET_RUN/udp" \
		2>"$FLEET_RUN/udp.err" 3>&- &
	client=$!
	tb_wait 10 grep -q held "$FLEET_RUN/udp.err"
	# first both know them, then they get flows: answers pass either balancer
	fleet_both 1 2 3 4:drain 5:drain 6:drain
	fleet_both 1 2 3 4 5:drain 6:drain
	sleep 0.5
	fleet_both 1 2 3 4 5 6
	wait "$client"
	expect "$(cat "$FLEET_RUN/udp")" '.held_broken == 0' '.new_failed == 0' '.words | has("s6")'
	expect "$(fleet_lb b1 counts -j)" '.table > 0'
}
