#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Real input: captures through `sluice gen --pcap` on 1, 2 and 4 queues to 1, 2 and 4 workers, native and
# generic: each flow in order, nothing lost, and flowcount equal to a count by other means.
load common

setup_file() {
	needs_root
	local f
	"$E2E/mkpcap" "$BATS_FILE_TMPDIR/made.pcap"
	: >"$BATS_FILE_TMPDIR/files"
	for f in "$BATS_FILE_TMPDIR/made.pcap" "$CAPTURES"/*.pcap; do
		[ -e "$f" ] && echo "$f" >>"$BATS_FILE_TMPDIR/files"
	done
	mapfile -t files <"$BATS_FILE_TMPDIR/files"
	"$E2E/count_flows" -t 24 "${files[@]}" >"$BATS_FILE_TMPDIR/expected.json"
	sorted <"$BATS_FILE_TMPDIR/expected.json" >"$BATS_FILE_TMPDIR/expected.flows"
}

teardown() { tb_down; }

# One line for each flow, in an order of its own.
sorted() {
	jq -r '(.flows? // .)[] | select((.nf // "flowcount") == "flowcount") |
		"\(.addr_a) \(.port_a) \(.addr_b) \(.port_b) \(.proto) \(.packets) \(.bytes) \(.packets_reverse) \(.bytes_reverse)"' |
		LC_ALL=C sort
}

play() { # QUEUES WORKERS MODE
	local queues=$1 workers=$2 mode=$3 file gen expected

	tb_up "$NAME" "$queues"
	ip -n "$NAME-gen" link set "$TB_G" mtu 1600
	ip -n "$NAME-dut" link set "$TB_D" mtu 1600
	tb_s attach "$TB_D" --match all --local --mode "$mode"
	tb_run --workers "$workers" --max-workers "$workers" --ring $((workers > 2 ? 8192 : 16384)) \
		--nf "$ORDER:$TB_RUN/order.json,flowcount,reflect"
	grep -q "$queues queues, XDP $mode mode" "$TB_RUN/run.log"
	while read -r file; do
		gen=$(tb_gen "$SLUICE" gen "$TB_G" --pcap "$file" --rate 40000 --burst 16 --queues "$queues" \
			--expect --linger 3s -j)
		expect "$gen" .valid '.lost == 0' '.duplicated == 0' '.reordered == 0' \
			'.received == .sent - .untracked' '.received > 3000' '.refused == 0' '.tx_dropped == 0' || {
			tb_s losses "$TB_D" -j
			return 1
		}
	done <"$BATS_FILE_TMPDIR/files"
	expected=$(jq -c '{taken, passed}' "$BATS_FILE_TMPDIR/expected.json")
	losses_hold "([.seen, .delivered, .forwarded] | all(. == ($expected).taken))" \
		"([.no_slot, .ring_full, .no_frame, .nf_drop_total, .park_overflow] | all(. == 0))" \
		".passed_to_stack == ($expected).passed"
	frames_conserved
	tb_s flows "$TB_D" -j | sorted >"$TB_RUN/flows"
	cmp "$BATS_FILE_TMPDIR/expected.flows" "$TB_RUN/flows" || {
		diff "$BATS_FILE_TMPDIR/expected.flows" "$TB_RUN/flows" | head -n 20
		return 1
	}
	if [ "$workers" -gt 1 ]; then # all of them had a part in it
		expect "$(tb_s workers "$TB_D" -j)" "length == $workers" 'all(.packets > 0)'
	fi
	tb_stop "$TB_RUN_PID"
	order_holds "$TB_RUN/order.json" ".packets == ($expected).taken" '.gaps == 0'
}

@test "the captures that are part of the test" {
	local f
	for f in "$CAPTURES"/*.pcap; do
		[ -e "$f" ] || skip "no captures in ../shared/data/captures; made.pcap was played"
	done
	[ "$(wc -l <"$BATS_FILE_TMPDIR/files")" -ge 2 ]
}

@test "1 queue, 1 worker, native" { play 1 1 native; }
@test "1 queue, 2 workers, native" { play 1 2 native; }
@test "1 queue, 4 workers, native" { play 1 4 native; }
@test "2 queues, 1 worker, native" { play 2 1 native; }
@test "2 queues, 2 workers, native" { play 2 2 native; }
@test "2 queues, 4 workers, native" { play 2 4 native; }
@test "4 queues, 1 worker, native" { play 4 1 native; }
@test "4 queues, 2 workers, native" { play 4 2 native; }
@test "4 queues, 4 workers, native" { play 4 4 native; }
@test "1 queue, 1 worker, generic" { play 1 1 generic; }
@test "1 queue, 2 workers, generic" { play 1 2 generic; }
@test "1 queue, 4 workers, generic" { play 1 4 generic; }
@test "2 queues, 1 worker, generic" { play 2 1 generic; }
@test "2 queues, 2 workers, generic" { play 2 2 generic; }
@test "2 queues, 4 workers, generic" { play 2 4 generic; }
@test "4 queues, 1 worker, generic" { play 4 1 generic; }
@test "4 queues, 2 workers, generic" { play 4 2 generic; }
@test "4 queues, 4 workers, generic" { play 4 4 generic; }
