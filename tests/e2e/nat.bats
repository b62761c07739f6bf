#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# nat44 on real captures beside the kernel's own NAT on the same packets, and on real TCP connections while buckets
# move.
load common
load wires

EXT=203.0.113.8

setup() { needs_root; }
teardown() { wires_down; }

# The kernel as NAT.
kernel_nat_up() {
	kernel_up
	nsenter --net="/run/netns/$KERNEL" -- sh -e <<-EOF
		ip addr add $EXT/32 dev ${NAME}d3
		ip rule add iif ${NAME}d3 to $EXT lookup local prio 1
		nft add table ip nat
		nft 'add chain ip nat out { type nat hook postrouting priority 100; }'
		nft add rule ip nat out oifname ${NAME}d3 snat to $EXT fully-random
	EOF
	kernel_liberal
}

# nat_of WHO INSIDE OUTSIDE: out with the prepared capture and back with the answers; what came through, judged.
nat_of() {
	local dir=$BATS_TEST_TMPDIR/$1
	mkdir "$dir"
	"$CHECK" prepare "$FILE" "$dir/sent.pcap" "02:5c:00:00:00:1$2"
	through "$2" "$3" "$dir/sent.pcap" "$dir/out.pcap"
	"$CHECK" out "$dir/sent.pcap" "$dir/out.pcap" "$EXT" >"$dir/out"
	"$CHECK" answer "$dir/out.pcap" "$dir/answers.pcap" "02:5c:00:00:00:1$3"
	through "$3" "$2" "$dir/answers.pcap" "$dir/back.pcap"
	"$CHECK" back "$dir/sent.pcap" "$dir/back.pcap" "$EXT" >"$dir/back"
}

@test "a capture out and back: each packet that nftables translates, to the bit" {
	FILE=$BATS_TEST_TMPDIR/made.pcap
	"$E2E/mkpcap" "$FILE"
	[ ! -e "$CAPTURES/mixed-4096pkt-1006flow.pcap" ] || FILE=$CAPTURES/mixed-4096pkt-1006flow.pcap
	sluice_up "nat44:$EXT,forward"
	nat_of sluice 0 1
	losses_hold '.nf_drop_total == 0'
	kernel_nat_up
	nat_of kernel 2 3
	cd "$BATS_TEST_TMPDIR"
	for i in sluice/out sluice/back; do
		[ "$(tail -n 1 $i)" = "0 wrong" ]
		[ "$(wc -l <$i)" -gt 1000 ]
	done
	cmp sluice/out sluice/back
	# whatever nftables lets through; it holds back, or leaves as it is, what begins in the middle of a connection
	[ "$(tail -n 1 kernel/out | cut -d' ' -f1)" -lt 100 ]
	for i in out back; do
		[ "$(wc -l <kernel/$i)" -gt 1000 ]
		[ -z "$(comm -23 <(head -n -1 kernel/$i | sort) <(head -n -1 sluice/$i | sort))" ]
	done
}

@test "real TCP connections through nat44 while buckets move at random: none is broken" {
	sluice_up "nat44:$EXT,forward"
	hosts_up
	nsenter --net="/run/netns/$NAME-out" -- "$E2E/connections" serve 192.0.2.9 8000 3>&- &
	SERVER=$!
	tb_wait 10 listens
	nsenter --net="/run/netns/$NAME-dut" -- "$E2E/mover" "$TB_D" -d 8 -r 20000 >"$BATS_TEST_TMPDIR/mover.json" 3>&- &
	MOVER=$!
	nsenter --net="/run/netns/$NAME-in" -- "$E2E/connections" call 192.0.2.9 8000 200 7 >"$BATS_TEST_TMPDIR/calls"
	wait "$MOVER"
	kill "$SERVER"
	cat "$BATS_TEST_TMPDIR/calls" "$BATS_TEST_TMPDIR/mover.json"
	expect "$(cat "$BATS_TEST_TMPDIR/calls")" '.broken == 0' '.connections > 1000' ".peer_was == \"$EXT\""
	expect "$(cat "$BATS_TEST_TMPDIR/mover.json")" '.unfinished == 0' '.asked > 10000'
	losses_hold '.nf_drop_total == 0'
	expect "$(tb_s nf "$TB_D" -j)" '.[0] | .no_port == 0 and .made >= 1000' \
		'.[0] | .mappings == (.states | add)'
}
