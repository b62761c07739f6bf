#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# What happens around a running dataplane: links, queues, workers, programs and processes come and go.
load common

setup() { needs_root; }
teardown() { tb_down; }

PINS() { echo "/sys/fs/bpf/sluice/1/$TB_D"; }

# Attached, and a dataplane on it. The chain word ORDER is nf_order.so, which writes to $TB_RUN/order.json.
up() { # QUEUES RUN-ARGS...
	local queues=$1
	shift
	tb_up "$NAME" "$queues"
	tb_s attach "$TB_D" --match all >/dev/null
	tb_run "${@/ORDER/$ORDER:$TB_RUN/order.json}"
}

# So many packets there and back, none lost.
echo_works() { # [GEN ARGS...]
	local gen
	gen=$(tb_gen "$SLUICE" gen "$TB_G" --count 500 --rate 5000 --flows 100 --expect -j "$@")
	expect "$gen" .valid '.lost == 0' '.received == 500' '.reordered == 0' || {
		tb_s losses "$TB_D" -j
		return 1
	}
}
echo_once() { echo_works --linger 300ms >/dev/null; }

wait_end() { # SECONDS: the dataplane ends by itself; ENDED is its status
	local end=$((SECONDS + $1))
	ENDED=0
	while kill -0 "$TB_RUN_PID" 2>/dev/null; do
		[ $SECONDS -lt $end ] || {
			echo "still running after $1 s"
			return 1
		}
		sleep 0.05
	done
	wait "$TB_RUN_PID" || ENDED=$?
}

cpu_ticks() { awk '{s += $14 + $15} END {print s}' /proc/"$TB_RUN_PID"/task/*/stat; }

row() { # BUCKET WORKER: write it as bpftool does
	bpftool map update pinned "$(PINS)/indirection" key $(($1 & 255)) $(($1 >> 8)) 0 0 value $(($2 & 255)) $(($2 >> 8)) 0 0 0 0 0 0
}
owner_is() { tb_s buckets "$TB_D" -i 1ms -j | jq -e ".[$1] | .owner == $2 and .next == $2 and .worker == $2"; }

@test "the link goes down and up: the dataplane stays and serves again" {
	up 1 --workers 2 --nf reflect
	echo_works
	ip -n "$NAME-dut" link set "$TB_D" down
	sleep 0.3
	kill -0 "$TB_RUN_PID"
	ip -n "$NAME-dut" link set "$TB_D" up
	tb_wait 5 echo_once
	ip -n "$NAME-gen" link set "$TB_G" down
	sleep 0.2
	ip -n "$NAME-gen" link set "$TB_G" up
	tb_wait 5 echo_once
	echo_works
	losses_hold
	frames_conserved
}

@test "the link goes down under load: what was on its way is found again" {
	up 1 --workers 2 --nf reflect
	tb_spawn_gen gen "$SLUICE" gen "$TB_G" -d 3 --rate 50000 --burst 16 -j
	sleep 1
	ip -n "$NAME-dut" link set "$TB_D" down
	sleep 0.5
	ip -n "$NAME-dut" link set "$TB_D" up
	wait "$TB_PID" || true
	tb_wait 5 echo_once
	echo_works
	losses_hold
	frames_conserved
}

@test "the interface is deleted: one line, an end, nothing left" {
	up 2 --workers 2 --nf reflect
	echo_works
	ip -n "$NAME-dut" link del "$TB_D"
	wait_end 5
	[ "$ENDED" -eq 1 ]
	[ "$(grep -c 'gone' "$TB_RUN/run.log")" = 1 ]
	tail -n 1 "$TB_RUN/run.log" | grep -q "^sluice: .*$TB_D.* gone"
	refused "$TB_D" tb_s status "$TB_D"
}

@test "SIGTERM and SIGINT under load end cleanly: exit 0, every packet accounted for" {
	local signal gen
	tb_up "$NAME" 2
	tb_s attach "$TB_D" --match all
	tb_spawn_gen gen "$SLUICE" gen "$TB_G" -d 60 --rate 50000 --burst 16 --queues 2 -j
	gen=$TB_PID
	for signal in TERM INT TERM; do
		tb_run --workers 3 --nf reflect
		sleep 0.3
		kill "-$signal" "$TB_RUN_PID"
		wait_end 5
		[ "$ENDED" -eq 0 ]
		expect "$(tb_s status "$TB_D" -j)" '.dataplane.running == false' '.dataplane.pid == 0'
	done
	tb_stop "$gen"
	losses_hold '.abandoned == 0' '.no_slot > 0' '.forwarded > 10000' '.nf_drop_total == 0'
}

@test "more queues than before (ethtool -L) while it runs: the new ones are served" {
	tb_up "$NAME" 4
	tb_gen ethtool -L "$TB_G" tx 1
	tb_dut ethtool -L "$TB_D" rx 1
	tb_s attach "$TB_D" --match all
	tb_run --workers 2 --nf "$ORDER:$TB_RUN/order.json,reflect"
	grep -q "$TB_D: 1 queues" "$TB_RUN/run.log"
	echo_works
	tb_dut ethtool -L "$TB_D" rx 4
	tb_gen ethtool -L "$TB_G" tx 4
	tb_wait 5 queues_served 4 || {
		cat "$TB_RUN/run.log"
		return 1
	}
	# veth leaves queues that come later without the program (veth_enable_range_safe() of the kernel)
	tb_wait 5 grep -q "4 queues now; packets of queues 1 to 3 pass.* until: sluice attach $TB_D --replace" "$TB_RUN/run.log"
	tb_s attach "$TB_D" --replace
	echo_works --queues 4
	losses_hold '.no_slot == 0'
	# fewer than there are sockets: the kernel refuses, and nothing is harmed
	run ! tb_dut ethtool -L "$TB_D" rx 2
	echo_works --queues 4
	losses_hold
	frames_conserved
}
queues_served() { [ "$("$E2E/rpc" "$TB_RUN/$TB_D.dataplane.sock" status | jq '.result.rings | length')" = "$1" ]; }

@test "workers join and leave at run time, and no packet is lost" {
	local n rate=20000
	[[ $TB_BUILD != */tsan ]] || rate=4000 # what one worker can take there, on a busy machine too
	up 1 --workers 2 --max-workers 4 --ring 8192 --nf ORDER,reflect
	tb_spawn_gen gen "$SLUICE" gen "$TB_G" -d 4 --rate $rate --burst 8 --expect -j
	for n in 4 1 3 2; do
		tb_s workers "$TB_D" --set $n
		tb_wait 5 workers_are $n
	done
	refused "4" tb_s workers "$TB_D" --set 5
	wait "$TB_PID"
	expect "$(cat "$TB_RUN/gen.json")" .valid '.lost == 0' '.reordered == 0' '.duplicated == 0'
	losses_hold '.forwarded == .seen' '.no_slot == 0'
	frames_conserved
	tb_stop "$TB_RUN_PID"
	order_holds "$TB_RUN/order.json" '.gaps == 0'
}

@test "daemon and dataplane, started and stopped in any order" {
	tb_up "$NAME" 1
	tb_s attach "$TB_D" --match all
	tb_run --workers 2 --nf reflect # the dataplane first
	start_daemon
	local daemon=$TB_PID
	echo_works
	tb_stop "$TB_RUN_PID" # the dataplane ends first
	expect "$(tb_s status "$TB_D" -j)" .daemon.running '.dataplane.running == false'
	tb_run --workers 2 --nf reflect # the daemon was there first
	tb_wait 5 echo_once
	tb_stop "$daemon" # the daemon ends first
	echo_works
	expect "$(tb_s status "$TB_D" -j)" '.daemon.running == false' .dataplane.running
	start_daemon
	daemon=$TB_PID
	tb_stop "$TB_RUN_PID"
	tb_stop "$daemon"
	losses_hold '.abandoned == 0'
	start_daemon # and again, daemon first
	tb_run --workers 2 --nf reflect
	echo_works
}

@test "the first table: as many buckets for each worker, and not in turn" {
	up 1 --workers 2 --nf sink
	expect "$(tb_s buckets "$TB_D" -i 1ms -j | jq -c '[.[].owner]')" 'length == 1024' '(map(select(. == 0)) | length) == 512' \
		'[to_entries[] | select(.value == .key % 2)] | length | . > 400 and . < 624' \
		'[to_entries[] | select(.value == (.key / 512 | floor))] | length | . > 400 and . < 624'
}

@test "a second dataplane is refused and harms nothing" {
	up 1 --workers 2 --nf reflect
	refused "already" tb_s run -i "$TB_D" --workers 1 --nf sink -q
	echo_works
}

@test "a row written with bpftool moves the bucket; one to an absent worker is refused and counted" {
	local b refusals
	up 1 --workers 3 --nf ORDER,reflect
	tb_spawn_gen gen "$SLUICE" gen "$TB_G" -d 4 --flows 300 --rate 20000 --burst 8 --expect -j
	for b in 0 1 2 300 1023; do
		row $b 2
		tb_wait 3 owner_is $b 2
		row $b 0
		tb_wait 3 owner_is $b 0
	done
	refusals=$(tb_s status "$TB_D" -j | jq .moves.refused)
	wait "$TB_PID"
	expect "$(cat "$TB_RUN/gen.json")" .valid '.lost == 0' '.reordered == 0'
	row 7 99 # a slot where nobody is
	tb_wait 3 refused_more_than "$refusals"
	expect "$(tb_s buckets "$TB_D" -j | jq '.[7]')" '.worker == .owner' '.owner < 3'
	row 7 5000 # no slot at all
	tb_wait 3 refused_more_than $((refusals + 1))
	expect "$(tb_s buckets "$TB_D" -j | jq '.[7]')" '.worker == .owner' '.owner < 3'
	echo_works
	losses_hold
	tb_stop "$TB_RUN_PID"
	order_holds "$TB_RUN/order.json"
}
refused_more_than() { [ "$(tb_s status "$TB_D" -i 1ms -j | jq .moves.refused)" -gt "$1" ]; }

@test "bpftool map dump shows every pinned map, with the names of its fields" {
	local pin maps=0
	up 1 --workers 2 --nf reflect
	echo_works
	for pin in "$(PINS)"/* "$(PINS)/$TB_D"/*; do
		[ -f "$pin" ] || continue
		case ${pin##*/} in
		link | *prog* | xsks | cpus | grace | match | toeplitz) continue ;; # no maps; descriptors; large
		esac
		echo "$pin"
		bpftool map dump pinned "$pin" >"$TB_RUN/dump"
		jq -e 'type == "array" and all(.[]; has("key") and (has("value") or has("values")))' "$TB_RUN/dump"
		maps=$((maps + 1))
	done
	[ "$maps" -ge 10 ]
	for pin in xsks cpus match; do
		bpftool map dump pinned "$(PINS)/$TB_D/$pin" >/dev/null
	done
	bpftool map dump pinned "$(PINS)/owners" | jq -e '.[0].value | has("owner") and has("next") and has("epoch")'
	bpftool map dump pinned "$(PINS)/indirection" | jq -e '.[0].value | has("worker") and has("mode")'
	bpftool map dump pinned "$(PINS)/workers" | jq -e '.[0].value | has("rx_packets") and has("park_overflow")'
	bpftool map dump pinned "$(PINS)/$TB_D/bucket_stats" | jq -e '[.[].value.packets] | add == 500'
	bpftool map dump pinned "$(PINS)/control" | jq -e '.[0].value | .epoch > 0 and .incarnation == 1'
}

@test "an idle worker uses no CPU, and wakes for a packet and for a hand-over" {
	local before after
	up 2 --workers 4 --nf reflect
	echo_works
	sleep 0.5
	before=$(cpu_ticks)
	sleep 2
	after=$(cpu_ticks)
	echo "$((after - before)) ticks in 2 s"
	# of 200 a CPU: housekeeping looks at the rows 100 times a second, and ten times as long under the thread sanitizer
	[ $((after - before)) -le "$([[ $TB_BUILD == */tsan ]] && echo 20 || echo 6)" ]
	expect "$(tb_gen "$SLUICE" gen "$TB_G" --count 20 --rate 10 --flows 20 --expect -j)" '.lost == 0' '.p50_us < 200000'
	expect "$(tb_s move "$TB_D" 0-63:3 -j)" 'length == 64' 'all(.state == "done")' 'all(.took_us < 400000)'
}

@test "upgrade under traffic (attach --replace): a new program, no packet lost" {
	local old new
	up 1 --workers 2 --ring 8192 --nf ORDER,reflect
	tb_spawn_gen gen "$SLUICE" gen "$TB_G" -d 4 --rate 20000 --burst 8 --expect -j
	for _ in 1 2 3 4 5; do
		old=$(tb_s status "$TB_D" -j | jq '.interfaces[0].prog_id')
		tb_s attach "$TB_D" --replace >/dev/null
		new=$(tb_s status "$TB_D" -j | jq '.interfaces[0].prog_id')
		[ "$old" != "$new" ]
	done
	wait "$TB_PID"
	expect "$(cat "$TB_RUN/gen.json")" .valid '.lost == 0' '.reordered == 0' '.duplicated == 0'
	losses_hold '.forwarded == .seen' '.passed_to_stack == 0' '.seen > 50000'
	tb_stop "$TB_RUN_PID"
	order_holds "$TB_RUN/order.json" '.gaps == 0'
}

adopted() { # the program is on the interface: configure and serve it
	tb_s attach "$TB_D" --match all
	tb_run --workers 2 --nf reflect
	echo_works
	losses_hold '.forwarded == .seen'
	tb_stop "$TB_RUN_PID"
}

@test "loaded with ip link: passes everything until it is configured, then serves" {
	tb_up "$NAME" 1
	tb_dut ip link set dev "$TB_D" xdp obj "$TB_BUILD/bpf/steer.bpf.o" sec xdp
	adopted
	tb_s detach "$TB_D"
	no_xdp
}

@test "loaded with xdp-loader: the same" {
	command -v xdp-loader >/dev/null || skip "xdp-loader is not installed"
	tb_up "$NAME" 1
	tb_dut xdp-loader load -m native "$TB_D" "$TB_BUILD/bpf/steer.bpf.o"
	adopted
}

@test "match all leaves the host's own addresses, ARP and ND to the stack; --local does not" {
	local before
	tb_up "$NAME" 1
	tb_dut sysctl -qw "net.ipv6.conf.$TB_D.disable_ipv6=0" "net.ipv6.conf.$TB_D.accept_dad=0"
	tb_gen sysctl -qw "net.ipv6.conf.$TB_G.disable_ipv6=0" "net.ipv6.conf.$TB_G.accept_dad=0"
	ip -n "$NAME-dut" addr add 10.9.0.1/24 dev "$TB_D"
	ip -n "$NAME-gen" addr add 10.9.0.2/24 dev "$TB_G"
	ip -n "$NAME-dut" addr add fd00:9::1/64 dev "$TB_D" nodad
	ip -n "$NAME-gen" addr add fd00:9::2/64 dev "$TB_G" nodad
	tb_s attach "$TB_D" --match all
	tb_run --workers 2 --nf reflect
	for _ in 1 2 3; do
		tb_gen bash -c 'echo >/dev/udp/10.9.0.1/9; echo >/dev/udp/fd00:9::1/9'
		sleep 0.1
	done
	[ "$(tb_dut awk '/^Udp: [0-9]/ {print $3}' /proc/net/snmp)" -ge 3 ]
	[ "$(tb_dut awk '/^Udp6NoPorts/ {print $2}' /proc/net/snmp6)" -ge 3 ]
	losses_hold '.passed_by.arp > 0' '.passed_by.nd > 0' '.passed_by.local >= 6'
	# another address of the same net is Sluice's
	ip -n "$NAME-gen" neigh replace 10.9.0.77 lladdr 02:5c:00:00:00:02 dev "$TB_G"
	tb_gen bash -c 'echo >/dev/udp/10.9.0.77/9'
	losses_hold '.forwarded >= 1'
	tb_stop "$TB_RUN_PID"
	tb_s detach "$TB_D"
	tb_s attach "$TB_D" --match all --local
	tb_run --workers 2 --nf sink
	before=$(tb_dut awk '/^Udp: [0-9]/ {print $3}' /proc/net/snmp)
	tb_gen bash -c 'echo >/dev/udp/10.9.0.1/9'
	sleep 0.1
	[ "$(tb_dut awk '/^Udp: [0-9]/ {print $3}' /proc/net/snmp)" = "$before" ]
	losses_hold '.consumed >= 1'
}

# XDP has given its verdict when the kernel finds that a slot's socket is bound elsewhere.
redirects_fail() { # MODE
	local slot gen
	tb_up "$NAME" 1 2
	tb_s attach "$TB_D" --match all --mode "$1"
	tb_run --workers 2 --nf sink
	tb_s move "$TB_D" 0-1023:1 >/dev/null
	tb_gen "$SLUICE" gen "$TB_G" --count 300 --rate 10000
	tb_spawn wrong "$E2E/wrong_slot" "${NAME}d1" "$(PINS)/$TB_D/xsks" 1 # queue 0, worker 1
	slot=$TB_PID
	tb_wait 5 grep -q placed "$TB_RUN/wrong.log"
	# the program is upgraded meanwhile: not one is missed
	tb_spawn_gen gen "$SLUICE" gen "$TB_G" --count 1000 --rate 1000
	gen=$TB_PID
	for _ in 1 2 3; do
		tb_s attach "$TB_D" --replace -j
		sleep 0.2
	done
	wait "$gen"
	losses_hold '.redirect_error == 1000' '.consumed == 300' '.seen == 1300'
	# the socket takes its slot along: what no slot holds is the stack's
	tb_stop "$slot"
	tb_gen "$SLUICE" gen "$TB_G" --count 50 --rate 10000
	losses_hold '.redirect_error == 1000' '.no_slot == 50'
	# the next dataplane fills the slot again, and goes on counting where this one ended
	tb_stop "$TB_RUN_PID"
	tb_run --workers 2 --nf sink
	tb_gen "$SLUICE" gen "$TB_G" --count 200 --rate 10000
	losses_hold '.redirect_error == 1000' '.consumed == 500' '.abandoned == 0'
	frames_conserved
}

@test "a redirect that fails behind XDP is counted, native" { redirects_fail native; }
@test "a redirect that fails behind XDP is counted, generic" { redirects_fail generic; }
