#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Network functions on real captures, held against what others say of the same traffic.
load common

MIXED=$CAPTURES/mixed-4096pkt-1006flow.pcap

setup() { needs_root; }
teardown() { tb_down; }

# The captures are not part of the product; what mkpcap makes is.
traffic() {
	FILE=$BATS_TEST_TMPDIR/made.pcap
	"$E2E/mkpcap" "$FILE"
	[ ! -e "$MIXED" ] || FILE=$MIXED
}

# up PAIRS: interfaces whose frames may be as long as the captures'.
up() {
	local i
	tb_up "$NAME" 1 "$1"
	for ((i = 0; i < $1; i++)); do
		ip -n "$NAME-gen" link set "${NAME}g$i" mtu 1600
		ip -n "$NAME-dut" link set "${NAME}d$i" mtu 1600
	done
}

play() { tb_gen "$SLUICE" gen "$TB_G" --pcap "$FILE" --rate 20000 --burst 16 -j; }

@test "conntrack: every connection of a capture, with every packet; sums and list agree" {
	traffic
	up 1
	tb_s attach "$TB_D" --match all --local
	tb_run --workers 2 --ring 16384 --nf conntrack,sink
	play
	losses_hold
	"$E2E/count_flows" -t 24 "$FILE" >"$BATS_TEST_TMPDIR/counted"
	tb_s nf "$TB_D" -j >"$BATS_TEST_TMPDIR/nf"
	tb_s flows "$TB_D" -j >"$BATS_TEST_TMPDIR/flows"
	# errors are no connection's packets here, and belong to the one that they quote in the count
	expect "$(jq -n --slurpfile c "$BATS_TEST_TMPDIR/counted" --slurpfile n "$BATS_TEST_TMPDIR/nf" \
		--slurpfile f "$BATS_TEST_TMPDIR/flows" 'def id: {addr_a, port_a, addr_b, port_b, proto};
		$n[0][0] as $nf | $f[0] as $flows | $c[0].flows as $all | {$nf, chain: [$n[0][] | .nf],
		states: (reduce $flows[] as $flow ($nf.states | map_values(0); .[$flow.state] += 1)),
		packets: ($flows | map(.packets + .packets_reply) | add), flows: ($flows | length),
		counted: ($all | map(.packets + .packets_reverse) | add),
		missing: (($all | map(id)) - ($flows | map(id)) | length), times: ($flows | all(has("idle_ms") | not)),
		more: (($flows | map(id)) - ($all | map(id)) | length), latest: ($flows | map(.expires_ms) | max),
		unreplied: ($flows | map(select(.state == "unreplied").expires_ms) | max)}')" \
		'.chain == ["conntrack", "sink"]' '.nf.states == .states' '.more == 0' '.flows > 500' .times \
		'.nf | .made == (.states | add) + .closed + .reset + .timed_out' \
		'.packets + .nf.icmp_errors == .counted' '.missing <= .nf.icmp_errors' \
		'.latest <= 7440000 and .latest > 240000' '.unreplied <= 30000'
	run -0 tb_s nf "$TB_D"
	[[ $output == *established* ]]
}

@test "an NF's wrong arguments: one line, exit status 2, nothing started" {
	up 1
	tb_s attach "$TB_D" --match all
	refused -2 "conntrack: 'x': it takes no arguments" tb_s run -i "$TB_D" --nf conntrack:x,sink
}
