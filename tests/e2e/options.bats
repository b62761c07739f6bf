#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# What the options of attach, run and capture change for packets and flows, seen from outside.
load common

setup() {
	needs_root
	tb_up "$NAME"
}
teardown() { tb_down; }

# So many packets there and back, whole and in order.
echoed() { # COUNT [GEN ARGS...]
	local gen
	gen=$(tb_gen "$SLUICE" gen "$TB_G" --count "$1" --rate 20000 --expect --linger 1s -j "${@:2}")
	expect "$gen" .valid ".received == $1" '.lost == 0' '.duplicated == 0' '.reordered == 0'
}

workers_sum() { tb_s workers "$TB_D" -i 1ms -j | jq "map(.$1) | add"; }

# A value that is wrong in itself, each with an interface that is not there: 2, and the value is named.
WRONG_WORDS="attach nosuch --match bogus=1|attach nosuch --match all --hash md5|attach nosuch nosuch --match all -j
run -i nosuch --nf sink --ring 100|run -i nosuch --nf nosuch|run -i nosuch --nf sink --cpus 9999
status nosuch x|top nosuch --interval 0|workers nosuch --set 0|buckets nosuch --top x|moves nosuch -n 5000
flows nosuch --top x|losses nosuch --wait 2h|tenants nosuch --watch -j|move nosuch 5:x|split nosuch 5:1|merge nosuch x|capture nosuch --filter bogus
gen nosuch --src bogus|gen nosuch --dst 10.0.0.0/40|gen nosuch --dst-mac 02:00|gen nosuch --src-mac x
gen nosuch --queue 1-|gen nosuch --size 65|gen nosuch --tcp 1 --ipv6 1 --size 97|gen nosuch --cpu 1023
gen nosuch --skew -1|gen nosuch --pcap f --src 10.0.0.1|pause nosuch x|resume nosuch x|balance nosuch --nosuch|detach nosuch x
check --nosuch|version now"

@test "exit status: 2 for a wrong word, whatever else is missing" {
	local words
	while read -r words; do
		# shellcheck disable=SC2086 # words
		refused -2 "sluice ${words%% *}: " tb_s $words
	done < <(tr '|' '\n' <<<"$WRONG_WORDS")
	refused -2 nosuch tb_s nosuch
	refused -2 -- tb_dut "$SLUICED" --nosuch
	refused -2 nosuch tb_dut "$SLUICED" nosuch
}

@test "exit status: 2 for a value that does not fit the instance, 1 for what is not there" {
	local words
	for words in "attach nosuch --match all -j" "run -i nosuch --nf sink" "status nosuch" "top nosuch" "workers nosuch" \
		"buckets nosuch" "moves nosuch" "flows nosuch" "losses nosuch" "tenants nosuch" "move nosuch 5 1" "split nosuch 5" "merge nosuch 5" \
		"capture nosuch" \
		"gen nosuch" "gen nosuch --src 10.0.0.1" "pause nosuch" "resume nosuch" "balance nosuch" "detach nosuch" \
		"check nosuch" "detach $TB_D"; do
		# shellcheck disable=SC2086 # words
		refused -1 "sluice: " tb_s $words
	done
	refused -1 nosuch tb_dut "$SLUICED" --config nosuch
	tb_s attach "$TB_D" --match all -j
	refused -1 "--replace" tb_s attach "$TB_D" --match all -j
	refused -2 "--buckets" tb_s attach "$TB_D" --replace --buckets 2048 -j
	refused -2 "--instance" tb_s attach "$TB_D" --replace --instance other -j
	refused -1 "sluice run" tb_s move "$TB_D" 3 1
	refused -1 "sluice run" tb_s split "$TB_D" 3
	refused -1 "start sluiced" tb_s pause "$TB_D"
	tb_run --workers 2 --nf sink
	refused -2 "buckets 0 to 1023" tb_s move "$TB_D" 1024 1
	refused -2 "buckets 0 to 1023" tb_s split "$TB_D" 1024
	refused -2 "workers 0 to 15" tb_s move "$TB_D" 3 99
	refused -1 "does not run" tb_s move "$TB_D" 3 9
	refused -2 "16 workers" tb_s workers "$TB_D" --set 17
	refused -1 "already" tb_s run -i "$TB_D" --nf sink
	refused -1 "queue 40" tb_gen "$SLUICE" gen "$TB_G" --queue 40 --count 1
	refused -2 "--size" tb_gen "$SLUICE" gen "$TB_G" --size 4000
	ip -n "$NAME-dut" link add "${NAME}d8" type veth peer name "${NAME}d9"
	tb_s attach "${NAME}d8" --match all >/dev/null
	refused -2 "name one of" tb_s status
	tb_s detach "${NAME}d8"
}

@test "attach --stamp inband: workers take the stamp off, under moves too" {
	tb_s attach "$TB_D" --match all --stamp inband
	expect "$(tb_s status "$TB_D" -j)" '.stamp == "inband"'
	tb_run --workers 2 --nf "$ORDER:$TB_RUN/order.json,reflect"
	tb_spawn mover "$E2E/mover" "$TB_D" -d 2 -r 1000
	echoed 20000 --ipv6 0.3 --tcp 0.5 --flows 300
	wait "$TB_PID"
	expect "$(cat "$TB_RUN/mover.log")" '.unfinished == 0' '.logged > 100'
	tb_spawn capture "$SLUICE" capture "$TB_D" -d rx -c 10 -j
	sleep 0.5
	echoed 100 --size 200
	tb_wait 5 grep -q '^10 packets captured' "$TB_RUN/capture.log"
	[ "$(head -n 10 "$TB_RUN/capture.log" | jq -s 'length == 10 and all(.[]; .length == 200)')" = true ]
	losses_hold '.forwarded == 20100' '.seen == 20100'
	frames_conserved
	tb_stop "$TB_RUN_PID"
	order_holds "$TB_RUN/order.json" '.gaps == 0'
}

@test "attach --hash toeplitz: spreads flows, by the key that is given" {
	tb_s attach "$TB_D" --match all --hash toeplitz
	expect "$(tb_s status "$TB_D" -j)" '.hash == "toeplitz"'
	tb_run --workers 2 --nf flowcount,reflect
	echoed 5000 --flows 200
	losses_hold '.forwarded == 5000'
	expect "$(tb_s buckets "$TB_D" -i 1ms -j)" 'map(select(.packets > 0)) | length > 100'
	expect "$(tb_s flows "$TB_D" -j)" 'length == 200' 'map(.packets) | add == 5000'
	tb_stop "$TB_RUN_PID"
	tb_s detach "$TB_D"
	# a key of zeros: every hash is 0, and so is every bucket
	tb_s attach "$TB_D" --match all --hash "toeplitz:$(printf '00%.0s' {1..40})"
	tb_run --workers 2 --nf flowcount,reflect
	echoed 500 --flows 200
	expect "$(tb_s buckets "$TB_D" -i 1ms -j)" '[.[] | select(.packets > 0) | .bucket] == [0]'
}

@test "run --flow-idle: flows are forgotten so much later" {
	tb_s attach "$TB_D" --match all
	tb_run --workers 2 --flow-idle 700ms --nf flowcount,reflect
	echoed 1000 --flows 50
	expect "$(tb_s flows "$TB_D" -j)" 'length == 50'
	tb_wait 5 no_flows
	expect "$(tb_s workers "$TB_D" -i 1ms -j)" 'map(.flow_expired) | add == 50'
}
no_flows() { [ "$(tb_s flows "$TB_D" -j)" = "[]" ]; }

@test "run --flow-memory: at the bound new flows are refused, or old ones evicted, and packets go on" {
	tb_s attach "$TB_D" --match all --buckets 128
	tb_run --workers 1 --flow-memory 256K --nf flowcount,reflect
	echoed 20000 --flows 10000 --skew 0
	[ "$(workers_sum flow_refused)" -gt 1000 ]
	[ "$(workers_sum flow_evicted)" = 0 ]
	tb_stop "$TB_RUN_PID"
	tb_run --workers 1 --flow-memory 256K --flow-policy evict --nf flowcount,reflect
	echoed 20000 --flows 10000 --skew 0
	[ "$(workers_sum flow_evicted)" -gt 1000 ]
}

@test "run --bind, --busy-poll, --spin: what the driver grants is said" {
	tb_s attach "$TB_D" --match all
	refused "zero-copy" tb_s run -i "$TB_D" --bind zerocopy --nf sink -q
	tb_run --bind copy --busy-poll 20 --spin 1 --nf reflect
	grep -q 'AF_XDP copy' "$TB_RUN/run.log"
	grep -q 'busy polling' "$TB_RUN/run.log"
	echoed 500
	# hardly any polling: every packet that comes alone wakes the worker
	[ "$(workers_sum sleeps)" -gt 100 ]
}

@test "capture --sample and --snaplen: one packet of so many, so much of each" {
	local file=$BATS_TEST_TMPDIR/c.pcap
	tb_s attach "$TB_D" --match all
	tb_run --workers 1 --nf reflect
	tb_spawn capture "$SLUICE" capture "$TB_D" -d rx -s 10 -S 60 -w "$file" -c 100
	sleep 0.5
	echoed 1000 --size 500
	tb_wait 5 grep -q '^100 packets captured' "$TB_RUN/capture.log"
	# a header of 24 bytes, then 16 and what was kept of each
	[ "$(stat -c %s "$file")" = $((24 + 100 * (16 + 60))) ]
	[ "$(od -An -tu4 -j36 -N4 "$file" | tr -d ' ')" = 500 ]
}
