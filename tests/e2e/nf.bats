#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Network functions on real captures, held against what others say of the same traffic.
load common
load wires

MIXED=$CAPTURES/mixed-4096pkt-1006flow.pcap
REAL=$CAPTURES/manyflow-3905pkt-937flow.pcap # with the flags that TCP had

setup() { needs_root; }
teardown() { wires_down; }

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

# The kernel as a router that tracks and counts.
kernel_tracks() {
	kernel_up
	nsenter --net="/run/netns/$KERNEL" -- nft 'table inet t { chain c { type filter hook prerouting priority 0; ct state new accept; }; }'
	nsenter --net="/run/netns/$KERNEL" -- sysctl -qw net.netfilter.nf_conntrack_acct=1
	kernel_liberal
	nsenter --net="/run/netns/$KERNEL" -- test -r /proc/net/nf_conntrack || skip "the kernel has no /proc/net/nf_conntrack"
}

# Its connections of TCP and UDP as a list of {id, packets, packets_reply, state}: id is proto, who began, who answered.
kernel_connections() {
	nsenter --net="/run/netns/$KERNEL" -- cat /proc/net/nf_conntrack | awk '$1 == "ipv4" && ($3 == "tcp" || $3 == "udp") {
		n = 0; delete v
		for (i = 1; i <= NF; i++)
			if (split($i, kv, "=") == 2 && kv[1] ~ /^(src|dst|sport|dport|packets)$/)
				v[kv[1], (seen[NR, kv[1]]++) + 0] = kv[2]
		state = $3 == "tcp" ? $6 : /UNREPLIED/ ? "UNREPLIED" : "REPLIED"
		printf "{\"id\":\"%s %s %s %s %s\",\"state\":\"%s\",\"packets\":%d,\"packets_reply\":%d}\n", $4, v["src", 0],
			v["sport", 0], v["dst", 0], v["dport", 0], state, v["packets", 0], v["packets", 1] }' | jq -s .
}

# Ours beside the kernel's. It forgets at once what was refused before it was answered, and counts no packet that a
# connection had sent before.
connections_agree() {
	expect "$(jq -n --slurpfile k "$BATS_TEST_TMPDIR/kernel" --slurpfile f "$BATS_TEST_TMPDIR/flows" '
		def name: {unreplied: "UNREPLIED", replied: "REPLIED", syn_sent: "SYN_SENT", syn_received: "SYN_RECV",
			established: "ESTABLISHED", last_ack: "LAST_ACK", time_wait: "TIME_WAIT", reset: "CLOSE"}[.];
		($k[0] | map({(.id): .}) | add) as $kernel |
		[$f[0][] | select(.proto == 6 or .proto == 17) | (if .origin == "a" then
			"\(.proto) \(.addr_a) \(.port_a) \(.addr_b) \(.port_b)" else
			"\(.proto) \(.addr_b) \(.port_b) \(.addr_a) \(.port_a)" end) as $id |
			{id: $id, was: .state, state: (.state | name), packets, packets_reply, k: $kernel[$id]}] as $ours |
		($ours | map(select(.k))) as $both | {both: ($both | length), unknown: ($k[0] | length - ($both | length)),
			states: ($both | map(.state) | unique), forgotten: ($ours | map(select(.k | not).was) | unique),
			other: ($both | map(select(.state != .k.state and (.was != "fin_wait" or
				(.k.state != "FIN_WAIT" and .k.state != "CLOSE_WAIT"))))),
			fewer: ($both | map(select(.packets < .k.packets or .packets_reply < .k.packets_reply))),
			udp: ($both | map(select((.id | startswith("17 ")) and
				(.packets != .k.packets or .packets_reply != .k.packets_reply))))}')" \
		'.both > 700' '.unknown == 0' '.forgotten - ["reset"] == []' '.other == []' '.fewer == []' '.udp == []' \
		'.states == ["CLOSE","ESTABLISHED","REPLIED","SYN_SENT","TIME_WAIT","UNREPLIED"]'
}

@test "conntrack: each connection of a capture is in the state that the kernel has it in" {
	[ -e "$REAL" ] || skip "no captures beside the source tree"
	FILE=$BATS_TEST_TMPDIR/sent.pcap
	"$CHECK" prepare "$REAL" "$FILE" 02:5c:00:00:00:12
	up 1
	tb_s attach "$TB_D" --match all --local
	tb_run --workers 2 --ring 16384 --nf conntrack,sink
	play
	losses_hold
	tb_s flows "$TB_D" -j >"$BATS_TEST_TMPDIR/flows"
	kernel_tracks
	tb_gen "$SLUICE" gen "${NAME}g2" --pcap "$FILE" --rate 4000
	kernel_connections >"$BATS_TEST_TMPDIR/kernel"
	connections_agree
}
