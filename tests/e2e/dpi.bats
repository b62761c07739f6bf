#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# dpi on real captures: what it counts is what grep counts, also while streams move with their buckets.
load common

setup() { needs_root; }
teardown() { tb_down; }

built() { ! "$SLUICE" run --help | grep -q 'dpi.*not in this build' || skip "built without Hyperscan: install libhyperscan-dev"; }

# The captures are not part of the product; what mkpcap makes is, and has hardly a word in it.
traffic() { # CAPTURE
	FILE=$BATS_TEST_TMPDIR/made.pcap
	FEW=yes
	"$E2E/mkpcap" "$FILE"
	[ ! -e "$CAPTURES/$1" ] || FILE=$CAPTURES/$1 FEW=''
}

# Words and expressions for both: what they match has one length and does not overlap itself.
PATTERNS=('GND' 'User-Agent' 'Accept-Encoding' 'HTTP/1\.[01]' 'X-[A-Z]' 'Bye-Packet: [0-9]\.[0-9]' 'gnutella' 'qz')

write_patterns() {
	local p
	for p in "${PATTERNS[@]}"; do
		echo "/${p//\//\\/}/"
	done >"$BATS_TEST_TMPDIR/patterns"
}

up() {
	tb_up "$NAME" 1 1
	ip -n "$NAME-gen" link set "${NAME}g0" mtu 1600
	ip -n "$NAME-dut" link set "${NAME}d0" mtu 1600
	tb_s attach "$TB_D" --match all --local
	tb_run --workers 2 --max-workers 3 --ring 8192 --nf "$1"
}

counted_alike() {
	local p i=0 ours theirs all=0
	"$E2E/payload" "$FILE" >"$BATS_TEST_TMPDIR/text"
	tb_s nf "$TB_D" -j >"$BATS_TEST_TMPDIR/nf"
	for p in "${PATTERNS[@]}"; do
		theirs=$({ LC_ALL=C grep -aoE "$p" "$BATS_TEST_TMPDIR/text" || true; } | wc -l)
		ours=$(jq ".[0].patterns[$i].matches" "$BATS_TEST_TMPDIR/nf")
		echo "$p: dpi $ours, grep $theirs"
		[ "$ours" = "$theirs" ]
		i=$((i + 1)) all=$((all + ours))
	done
	[ -n "$FEW" ] || [ "$all" -gt 1000 ]
	expect "$(cat "$BATS_TEST_TMPDIR/nf")" ".[0].matches == $all" '.[0].unscanned == 0'
}

@test "a capture's matches are those that grep counts in what was said, wherever its streams are" {
	built
	traffic manyflow-3905pkt-937flow.pcap
	write_patterns
	up "dpi:$BATS_TEST_TMPDIR/patterns,sink"
	nsenter --net="/run/netns/$NAME-dut" -- "$E2E/mover" "$TB_D" -d 3 -r 20000 >"$BATS_TEST_TMPDIR/mover.json" 3>&- &
	MOVER=$!
	tb_gen "$SLUICE" gen "$TB_G" --pcap "$FILE" --rate 2000 -j
	wait "$MOVER"
	losses_hold '.nf_drop_total == 0'
	expect "$(cat "$BATS_TEST_TMPDIR/mover.json")" '.unfinished == 0' '.asked > 5000'
	counted_alike
	expect "$(tb_s flows "$TB_D" -j)" '[.[] | select(.nf == "dpi") | .matches] | add >= 0'
}

@test "packets of a connection in which a pattern was found are dropped from there on" {
	built
	traffic manyflow-3905pkt-937flow.pcap
	write_patterns
	sed -i 's|^/GND/|& drop|' "$BATS_TEST_TMPDIR/patterns"
	up "dpi:$BATS_TEST_TMPDIR/patterns:reassemble=64K,sink"
	tb_gen "$SLUICE" gen "$TB_G" --pcap "$FILE" --rate 20000 -j
	losses_hold '.nf_drop_total == .nf_drop.dpi_drop'
	expect "$(tb_s nf "$TB_D" -j)" '.[0] | .patterns[0].action == "drop" and .dropped >= .blocked'
	[ -n "$FEW" ] || expect "$(tb_s nf "$TB_D" -j)" '.[0].dropped > 100'
}

@test "a wrong pattern: one line with file and line, exit status 2, nothing started" {
	built
	tb_up "$NAME" 1 1
	tb_s attach "$TB_D" --match all
	printf '/ok/\n/(/\n' >"$BATS_TEST_TMPDIR/patterns"
	refused -2 "patterns:2: Hyperscan takes no such pattern" \
		tb_s run -i "$TB_D" --nf "dpi:$BATS_TEST_TMPDIR/patterns,sink"
}
