#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Buckets split into parts and made whole again: flows keep their state and their order, nothing is lost without a
# name, and everything that lists buckets knows the parts.
load common

setup() {
	needs_root
	tb_up "$NAME"
}
teardown() { tb_down; }

buckets() { tb_s buckets "$TB_D" -i 1ms -j; }
counted() { buckets | jq -e "$1" >/dev/null; } # by sweeps of the owners, twice a second when they sleep
flows() { tb_s flows "$TB_D" -j | jq -c 'map({addr_a, port_a, addr_b, port_b, packets}) | sort'; }

@test "by hand: flows follow into parts and back, with what is known of them" {
	tb_s attach "$TB_D" --match all --buckets 128
	tb_run --workers 2 --nf flowcount,reflect
	tb_gen "$SLUICE" gen "$TB_G" --flows 2000 --count 20000 --rate 20000 --expect -j >"$TB_RUN/a.json"
	expect "$(cat "$TB_RUN/a.json")" '.lost == 0'
	flows >"$TB_RUN/before"
	n=$(buckets | jq '.[17].flows')
	[ "$n" -gt 4 ]

	expect "$(tb_s split "$TB_D" 17 -j)" '.[0] == {bucket: 17, state: "done", parts: "128-143"}'
	expect "$(buckets)" 'length == 144' '.[17].parts == 128 and .[17].owner == null' \
		'.[128:] | length == 16 and all(.part_of == 17 and .parts == null) and (map(.owner) | unique | length == 1)'
	flows >"$TB_RUN/split"
	cmp "$TB_RUN/before" "$TB_RUN/split"
	expect "$(tb_s status "$TB_D" -j)" '.split == 1' '.buckets == 128'
	refused "bucket 17 is split" tb_s move "$TB_D" 17:1
	refused "buckets 0 to 127" tb_s split "$TB_D" 128
	tb_s move "$TB_D" 128-135:0 136-143:1
	tb_gen "$SLUICE" gen "$TB_G" --flows 2000 --count 20000 --rate 20000 --expect -j >"$TB_RUN/b.json"
	expect "$(cat "$TB_RUN/b.json")" '.lost == 0' '.reordered == 0'
	# the second run's packets went to the same flows, wherever they are now
	expect "$(tb_s flows "$TB_D" -j)" 'length == 2000' '(map(.packets) | add) == 40000'
	tb_wait 5 counted "(map(select(.part_of == 17) | .flows) | add) == $n and .[17].flows == 0"
	expect "$(buckets)" '(map(select(.part_of == 17) | .packets) | add) > 0'
	bpftool map dump pinned "/sys/fs/bpf/sluice/1/$TB_D/indirection" | grep -q '"mode": 2'

	expect "$(tb_s merge "$TB_D" 17 -j)" '.[0] == {bucket: 17, state: "done", parts: null}'
	expect "$(buckets)" 'length == 128'
	tb_wait 5 counted ".[17].flows == $n"
	expect "$(tb_s flows "$TB_D" -j)" 'length == 2000' '(map(.packets) | add) == 40000'
	expect "$(tb_s moves "$TB_D" -j)" 'map(select(.kind == "split")) | length == 1' \
		'map(select(.kind == "merge" and .bucket == 17 and .from == null and .took_us)) | length == 1'
	losses_hold '.forwarded == 40000' '.seen == 40000'
	frames_conserved
}

@test "buckets are split, moved and made whole at random under full load: order holds" {
	tb_s attach "$TB_D" --match all --buckets 128
	tb_run --workers 3 --max-workers 4 --nf "$ORDER:$TB_RUN/order.json,reflect"
	tb_spawn_gen a "$SLUICE" gen "$TB_G" -d 4 --linger 1s -j --flows 3000 --mode live --expect --rx-ring 256M
	gen=$TB_PID
	tb_dut "$E2E/mover" "$TB_D" -x -w -d 4 >"$TB_RUN/mover.json"
	wait "$gen"
	expect "$(cat "$TB_RUN/mover.json")" '.unfinished == 0' '.splits > 20' '.merges > 20' '.asked > 500'
	expect "$(cat "$TB_RUN/a.json")" .valid '.reordered == 0' '.duplicated == 0' '.received > 1000'
	losses_hold '.abandoned == 0' '.no_slot == 0'
	frames_conserved
	tb_stop "$TB_RUN_PID"
	order_holds "$TB_RUN/order.json" '.stamped > 10000'
}

@test "calm traffic: nothing at all is lost while buckets split and merge" {
	tb_s attach "$TB_D" --match all --buckets 128
	tb_run --workers 3 --nf "$ORDER:$TB_RUN/order.json,reflect"
	tb_spawn_gen a "$SLUICE" gen "$TB_G" -d 3 --linger 1s -j --flows 1000 --rate 5000 --expect
	gen=$TB_PID
	tb_dut "$E2E/mover" "$TB_D" -x -r 2000 -d 3 >"$TB_RUN/mover.json"
	wait "$gen"
	expect "$(cat "$TB_RUN/mover.json")" '.unfinished == 0' '.splits > 20' '.merges > 20'
	expect "$(cat "$TB_RUN/a.json")" .valid '.lost == 0' '.reordered == 0' '.duplicated == 0' '.received > 14000'
	losses_hold '.forwarded == .seen'
	tb_stop "$TB_RUN_PID"
	order_holds "$TB_RUN/order.json"
}

@test "eight at a time, and splits outlive a killed dataplane" {
	tb_s attach "$TB_D" --match all --buckets 128
	refused "no dataplane" tb_s split "$TB_D" 3
	tb_run --workers 2 --nf flowcount,sink
	tb_s split "$TB_D" 0-7
	! tb_s split "$TB_D" 8 || false
	expect "$(buckets)" 'length == 256' '.[8].parts == null'
	tb_s merge "$TB_D" 3
	tb_s split "$TB_D" 8
	tb_stop "$TB_RUN_PID" KILL
	tb_run --workers 2 --nf flowcount,sink
	expect "$(buckets)" '.[8].parts != null' 'map(select(.part_of == 8 and .owner < 2)) | length == 16'
	tb_gen "$SLUICE" gen "$TB_G" --flows 500 --count 5000 --rate 50000
	losses_hold '.consumed >= 5000'
	tb_s merge "$TB_D" 0-2 4-8
	expect "$(buckets)" 'length == 128'
}

@test "a network function that cannot divide what it keeps keeps its buckets whole" {
	tb_down
	tb_up "$NAME" 1 2
	tb_s attach "$TB_D" "${NAME}d1" --match all
	tb_run -i "${NAME}d1" --workers 2 --nf nat44:198.51.100.1
	refused "cannot be divided" tb_s split "$TB_D" 3
	# by hand, nobody asked: the wish is taken back, and nothing else happens
	key=$(printf '3 0 0 0')
	# shellcheck disable=SC2086
	bpftool map update pinned "/sys/fs/bpf/sluice/1/$TB_D/indirection" key $key value 0 0 2 0 0 0 0 0
	taken_back() { expect "$(buckets)" '.[3].parts == null' && tb_s status "$TB_D" -j | jq -e '.moves.refused == 1'; }
	tb_wait 5 taken_back
}

# A capture of the flows of one bucket, the one with most: CAPTURE, and their number.
one_bucket() {
	local filter rows
	tb_run --workers 2 --nf flowcount,sink
	tb_gen "$SLUICE" gen "$TB_G" --flows 1000 --count 5000 --rate 20000 -j >"$TB_RUN/all.json"
	rows=$(tb_s flows "$TB_D" -j | jq 'group_by(.bucket) | max_by(length) | .[:8]')
	filter=$(jq -r 'map("(host \(.addr_a) and host \(.addr_b) and port \(.port_a) and port \(.port_b))") | join(" or ")' <<<"$rows")
	tb_spawn capture "$SLUICE" capture "$TB_D" -w "$1" -f "$filter"
	tb_wait 5 test -s "$1"
	tb_gen "$SLUICE" gen "$TB_G" --flows 1000 --count 5000 --rate 20000 -j >"$TB_RUN/all.json"
	sleep 0.3
	tb_stop "$TB_PID"
	tb_stop "$TB_RUN_PID"
	jq '.[0].bucket' <<<"$rows"
}
is_split() { [ "$(buckets | jq ".[$1].parts")" != null ]; }
is_whole() { [ "$(buckets | jq ".[$1].parts")" = null ]; }
# Both workers have traffic of the bucket.
spread() { tb_s buckets "$TB_D" -i 300ms -j | jq -e --argjson b "$1" '[.[] | select(.part_of == $b and .pps > 0) | .owner] | unique | length == 2'; }

@test "the daemon splits an elephant of several flows, spreads its parts, and makes it whole when the load is gone" {
	tb_s attach "$TB_D" --match all --buckets 128
	one_bucket "$TB_RUN/one.pcap" >"$TB_RUN/bucket"
	bucket=$(tail -n1 "$TB_RUN/bucket")
	printf 'metrics:\n  listen: off\nbalance:\n  tick_max: 100ms\n  split_hold: 1s\n' >"$TB_RUN/sluice.yaml"
	tb_spawn sluiced "$SLUICED" --config "$TB_RUN/sluice.yaml"
	tb_wait 10 daemon_answers
	tb_run --workers 2 --nf work:400000,flowcount,sink
	tb_spawn_gen gen "$SLUICE" gen "$TB_G" --pcap "$TB_RUN/one.pcap" --loop 0 --rate 20000 --duration 60
	gen=$TB_PID
	tb_wait 40 is_split "$bucket" || {
		cat "$TB_RUN/sluiced.log"
		tb_s status "$TB_D"
		return 1
	}
	grep -q "bucket $bucket is split into 16 parts" "$TB_RUN/sluiced.log"
	tb_wait 5 spread "$bucket" || {
		tb_s buckets "$TB_D" --top 10
		return 1
	}
	tb_stop "$gen" || true
	tb_wait 10 is_whole "$bucket"
	grep -q "bucket $bucket becomes whole again" "$TB_RUN/sluiced.log"
	losses_hold
}
