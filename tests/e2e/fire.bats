#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Order and loss under fire: buckets move at random as fast as they can, workers come and go, at full rate.
# Nothing may be overtaken, doubled, lost without a name or in two workers' hands, and every move must end.
# SLUICE_FIRE_SECONDS is how long the main one lasts.
load common

setup() {
	needs_root
	SOFTNET_BEFORE=$(softnet_dropped)
}
teardown() { tb_down; }

SECONDS_MAIN=${SLUICE_FIRE_SECONDS:-30}
# Packets, and moves a second, below which a run shows nothing. The thread sanitizer takes a hundred times as long.
PACKETS_LEAST=10000 MOVES_LEAST=10000
[[ $TB_BUILD != */tsan ]] || PACKETS_LEAST=200 MOVES_LEAST=100

# What a sender reports that takes its packets back: none overtaken or doubled on the wire.
wire_holds() { # FILE
	expect "$(cat "$1")" .valid '.reordered == 0' '.duplicated == 0' ".received > $PACKETS_LEAST" '.sent > .lost' \
		'.received + .lost == .sent - .untracked'
}

# fire_gen NAME IF SECONDS ARGS...: a sender in the background.
fire_gen() {
	local name=$1 dev=$2 seconds=$3
	shift 3
	tb_spawn_gen "$name" "$SLUICE" gen "$dev" -d "$seconds" --linger 2s -j "$@"
	GENS+=("$TB_PID")
}

fire_mover() { # ARGS...
	tb_dut "$E2E/mover" "$TB_D" "$@" >"$TB_RUN/mover.json" 3>&- &
	MOVER=$!
}

fire_over() {
	local pid
	wait "$MOVER" || {
		cat "$TB_RUN/mover.json"
		return 1
	}
	for pid in "${GENS[@]}"; do
		wait "$pid" || {
			cat "$TB_RUN"/*.err
			return 1
		}
	done
}

# Lost on the wire is lost at a place with a name: what the senders miss is what the counters say.
# Packets that the receiving side of a veth without NAPI threw away: its CPU's backlog was full.
softnet_dropped() {
	local sum=0 processed dropped rest
	# shellcheck disable=SC2034 # columns
	while read -r processed dropped rest; do
		sum=$((sum + 16#$dropped))
	done </proc/net/softnet_stat
	echo "$sum"
}

lost_is_named() { # JSON FILES of senders...
	local lost named wire
	lost=$(jq -s 'map(.lost) | add' "$@")
	named=$(tb_s losses "$TB_D" -j | jq '.ring_full + .no_frame + .no_slot + .redirect_error + .nf_drop_total +
		.park_overflow')
	wire=$(($(softnet_dropped) - SOFTNET_BEFORE))
	[ "$lost" -ge "$named" ] && [ "$lost" -le $((named + wire)) ] || {
		echo "senders miss $lost, counters name $named, the wire back $wire at most"
		tb_s losses "$TB_D" -j
		return 1
	}
}

@test "one queue fed from two CPUs, an idle queue, idle workers, workers joining and leaving: $SECONDS_MAIN s" {
	GENS=()
	tb_up "$NAME" 2
	tb_s attach "$TB_D" --match all
	tb_run --workers 4 --max-workers 6 --nf "$ORDER:$TB_RUN/order.json,reflect"
	fire_gen a "$TB_G" "$SECONDS_MAIN" --flows 3000 --cpu 0 --mode live --expect --rx-ring 256M
	# two senders share queue 0 of 2; the other stays idle
	fire_gen b "$TB_G" "$SECONDS_MAIN" --flows 3000 --cpu 1 --queue 0 --expect --rx-ring 256M --ipv6 0.5
	fire_mover -w -d "$SECONDS_MAIN"
	fire_over
	wire_holds "$TB_RUN/a.json"
	wire_holds "$TB_RUN/b.json"
	expect "$(cat "$TB_RUN/mover.json")" '.unfinished == 0' ".per_second >= $MOVES_LEAST"
	losses_hold '.abandoned == 0' '.no_slot == 0' '.redirect_error == 0' '.passed_to_stack == 0'
	lost_is_named "$TB_RUN/a.json" "$TB_RUN/b.json"
	frames_conserved
	expect "$(tb_s workers "$TB_D" -j)" 'map(select(.state == "running")) | length == 4' 'all(.tx_invalid == 0)'
	tb_stop "$TB_RUN_PID"
	order_holds "$TB_RUN/order.json" ".stamped > 10 * $PACKETS_LEAST"
	grep -q 'worker [0-9] joins' "$TB_RUN/run.log"
	grep -q 'worker [0-9] has left' "$TB_RUN/run.log"
	jq -c '{per_second, p50_us, p99_us, max_us, by_rule}' "$TB_RUN/mover.json"
}

@test "no traffic at all: every move ends" {
	tb_up "$NAME" 2
	tb_s attach "$TB_D" --match all
	tb_run --workers 4 --nf sink
	fire_mover -d 2
	GENS=()
	fire_over
	expect "$(cat "$TB_RUN/mover.json")" '.unfinished == 0' '.asked > 1000'
	losses_hold '.seen == 0'
	frames_conserved
}

@test "a bucket for each packet in a hundred: rare traffic, sleeping workers, moves all the time" {
	GENS=()
	tb_up "$NAME" 1
	tb_s attach "$TB_D" --match all
	tb_run --workers 3 --nf "$ORDER:$TB_RUN/order.json,reflect"
	fire_gen a "$TB_G" 4 --flows 500 --rate 2000 --expect
	fire_mover -d 4
	fire_over
	expect "$(cat "$TB_RUN/a.json")" .valid '.lost == 0' '.reordered == 0' '.duplicated == 0' '.received > 7000'
	expect "$(cat "$TB_RUN/mover.json")" '.unfinished == 0'
	losses_hold '.forwarded == .seen'
	frames_conserved
	tb_stop "$TB_RUN_PID"
	order_holds "$TB_RUN/order.json" '.gaps == 0'
}

@test "tiny parks and rings: what overflows is counted, and order holds all the same" {
	GENS=()
	tb_up "$NAME" 1
	tb_s attach "$TB_D" --match all --buckets 128
	tb_run --workers 3 --ring 64 --park 16 --nf "$ORDER:$TB_RUN/order.json,work:2000,reflect"
	fire_gen a "$TB_G" 5 --flows 1000 --expect
	fire_mover -d 5
	fire_over
	wire_holds "$TB_RUN/a.json"
	losses_hold '.ring_full > 0' '.park_overflow > 0'
	lost_is_named "$TB_RUN/a.json"
	frames_conserved
	tb_stop "$TB_RUN_PID"
	order_holds "$TB_RUN/order.json"
}

@test "generic mode, where several CPUs serve a queue: rule (c) alone" {
	GENS=()
	# two queues to send from, one to receive on, and each CPU that sends serves it
	TB_GEN_QUEUES=2 tb_up "$NAME" 1
	tb_s attach "$TB_D" --match all --mode generic
	tb_run --workers 3 --nf "$ORDER:$TB_RUN/order.json,reflect"
	fire_gen a "$TB_G" 6 --flows 2000 --rate 100000 --burst 16 --expect --cpu 0 --queue 0 --ipv6 0.5
	fire_gen b "$TB_G" 6 --flows 2000 --rate 100000 --burst 16 --expect --cpu 1 --queue 1 --tcp 0.5
	fire_mover -d 6 -w
	fire_over
	wire_holds "$TB_RUN/a.json"
	wire_holds "$TB_RUN/b.json"
	expect "$(cat "$TB_RUN/mover.json")" '.unfinished == 0' '.asked > 100' '.by_rule.a == 0' '.by_rule.d == 0' \
		'.by_rule.c > 0'
	losses_hold
	lost_is_named "$TB_RUN/a.json" "$TB_RUN/b.json"
	frames_conserved
	tb_stop "$TB_RUN_PID"
	# numbers of one queue and bucket are given out by two CPUs: only the flows' own order is defined
	expect "$(cat "$TB_RUN/order.json")" '.double_owner == 0' '.flow_reordered == 0' '.duplicated == 0'
}

@test "forward: both directions of a flow meet one state on two interfaces, under moves" {
	[[ $TB_BUILD != */tsan ]] || skip "the thread sanitizer is too slow for rings that must not overflow"
	local rate=40000 loop=8
	# the address sanitizer takes a few times as long
	[[ $TB_BUILD != */asan ]] || rate=8000 loop=2
	GENS=()
	tb_up "$NAME" 1 2
	ip -n "$NAME-gen" link set "${NAME}g0" mtu 1600
	ip -n "$NAME-gen" link set "${NAME}g1" mtu 1600
	ip -n "$NAME-dut" link set "${NAME}d0" mtu 1600
	ip -n "$NAME-dut" link set "${NAME}d1" mtu 1600
	tb_s attach "$TB_D" "${NAME}d1" --match all
	tb_spawn run "$SLUICE" run -i "$TB_D" -i "${NAME}d1" --workers 3 --ring 16384 --park 65536 \
		--nf "$ORDER:$TB_RUN/order.json,flowcount,forward"
	TB_RUN_PID=$TB_PID
	tb_wait 20 grep -q '^serving' "$TB_RUN/run.log"
	"$E2E/mkpcap" "$TB_RUN/out.pcap" 3 0
	"$E2E/mkpcap" "$TB_RUN/back.pcap" 3 1
	fire_gen out "${NAME}g0" 20 --pcap "$TB_RUN/out.pcap" --loop "$loop" --rate "$rate" --burst 16 --expect-on "${NAME}g1"
	fire_gen back "${NAME}g1" 20 --pcap "$TB_RUN/back.pcap" --loop "$loop" --rate "$rate" --burst 16 --expect-on "${NAME}g0"
	fire_mover -d 5
	fire_over
	wire_holds "$TB_RUN/out.json"
	wire_holds "$TB_RUN/back.json"
	expect "$(cat "$TB_RUN/mover.json")" '.unfinished == 0' ".per_second >= $MOVES_LEAST"
	losses_hold ".seen == $((40000 * loop))" ".forwarded == $((40000 * loop))"
	lost_is_named "$TB_RUN/out.json" "$TB_RUN/back.json"
	frames_conserved
	# each flow's packets of either direction, counted in one place
	"$E2E/count_flows" "$TB_RUN/out.pcap" "$TB_RUN/back.pcap" | jq -r --argjson loop "$loop" '.flows[] |
		"\(.addr_a) \(.port_a) \(.addr_b) \(.port_b) \(.proto) \($loop * .packets) \($loop * .packets_reverse)"' |
		LC_ALL=C sort >"$TB_RUN/expected"
	tb_s flows "$TB_D" -j | jq -r '.[] | select(.nf == "flowcount") |
		"\(.addr_a) \(.port_a) \(.addr_b) \(.port_b) \(.proto) \(.packets) \(.packets_reverse)"' |
		LC_ALL=C sort >"$TB_RUN/flows"
	[ "$(wc -l <"$TB_RUN/expected")" -gt 1000 ]
	cmp "$TB_RUN/expected" "$TB_RUN/flows"
	tb_stop "$TB_RUN_PID"
	order_holds "$TB_RUN/order.json"
}
