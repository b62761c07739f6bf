#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# SIGKILL under load: the daemon's death costs no packet, the dataplane's leaves the packets to the stack at once
# and a new one serves within a second. And attach, run, stop, detach, over and over: nothing is left behind.
# SLUICE_KILLS and SLUICE_CYCLES are how often.
load common

KILLS=${SLUICE_KILLS:-50}
CYCLES=${SLUICE_CYCLES:-200}

setup() { needs_root; }
teardown() { tb_down; }

background_gen() { # ARGS...
	tb_spawn_gen gen "$SLUICE" gen "$TB_G" -j "$@"
	GEN=$TB_PID
}

now_ms() { echo $((${EPOCHREALTIME/./} / 1000)); }

@test "the daemon killed $KILLS times under load: no packet is lost by it" {
	local i
	tb_up "$NAME" 1
	tb_s attach "$TB_D" --match all
	tb_run --workers 2 --ring 16384 --nf "$ORDER:$TB_RUN/order.json,reflect"
	background_gen --flows 500 --skew 1.1 --rate 5000 -d $((KILLS / 4 + 4)) --expect
	for ((i = 0; i < KILLS; i++)); do
		start_daemon
		sleep 0.0$((i % 10))
		tb_stop "$TB_PID" KILL
	done
	start_daemon
	wait "$GEN"
	expect "$(cat "$TB_RUN/gen.json")" .valid '.lost == 0' '.reordered == 0' '.duplicated == 0' '.received > 10000'
	losses_hold '.forwarded == .seen' '.passed_to_stack == 0'
	frames_conserved
	tb_stop "$TB_PID"
	tb_stop "$TB_RUN_PID"
	order_holds "$TB_RUN/order.json" '.gaps == 0'
}

@test "the dataplane killed $KILLS times under load: fallback at once, serving again within a second" {
	local i before after start took slowest=0 slow=0
	tb_up "$NAME" 1
	tb_s attach "$TB_D" --match all
	background_gen --flows 500 --rate 50000 --burst 16 -d 120
	for ((i = 0; i < KILLS; i++)); do
		start=$(now_ms)
		tb_run --workers 2 --nf "$ORDER:$TB_RUN/order.json,work:3000,reflect"
		took=$(($(now_ms) - start))
		[ "$took" -le "$slowest" ] || slowest=$took
		[ "$took" -le 1000 ] || slow=$((slow + 1))
		sleep 0.0$((i % 10))
		tb_stop "$TB_RUN_PID" KILL
		# nobody holds the sockets: the very next packets are the stack's
		before=$(tb_s losses "$TB_D" -j --wait 1ms | jq .no_slot)
		sleep 0.02
		after=$(tb_s losses "$TB_D" -j --wait 1ms | jq .no_slot)
		[ $((after - before)) -gt 100 ] || {
			echo "kill $i: $((after - before)) packets went to the stack in 20 ms"
			return 1
		}
	done
	tb_run --workers 2 --nf reflect
	kill "$GEN"
	wait "$GEN"
	losses_hold '.abandoned > 0' '.no_slot > 0' '.forwarded > 1000' '.redirect_error == 0'
	frames_conserved
	# other work on this machine may hold up a start or two
	echo "slowest start: $slowest ms, $slow above a second"
	[ $((slow * 5)) -le "$KILLS" ]
	expect "$(tb_s status "$TB_D" -j)" ".dataplane.incarnation == $KILLS + 1" '.moves.under_way == 0'
}

@test "the dataplane killed while buckets move: the next one settles them" {
	local i
	tb_up "$NAME" 1
	tb_s attach "$TB_D" --match all
	background_gen --flows 500 --rate 50000 --burst 16 -d 120
	for ((i = 0; i < 10; i++)); do
		tb_run --workers 3 --nf "$ORDER:$TB_RUN/order.json,reflect"
		tb_spawn mover "$E2E/mover" "$TB_D" -d 5
		sleep 0.2
		tb_stop "$TB_RUN_PID" KILL
		tb_stop "$TB_PID"
	done
	tb_run --workers 3 --nf "$ORDER:$TB_RUN/order.json,reflect"
	tb_dut "$E2E/mover" "$TB_D" -d 1
	kill "$GEN"
	wait "$GEN"
	losses_hold
	frames_conserved
	tb_stop "$TB_RUN_PID"
	order_holds "$TB_RUN/order.json"
}

memory_kb() { awk '/^(Slab|Percpu|VmallocUsed):/ {s += $2} END {print s}' /proc/meminfo; }

cycle() { # N
	local i
	for ((i = 0; i < $1; i++)); do
		tb_s attach "$TB_D" --match all >/dev/null
		tb_run --workers 2 --ring 256 --park 64 --nf flowcount,reflect
		tb_stop "$TB_RUN_PID"
		tb_s detach "$TB_D" >/dev/null
	done
}

@test "$CYCLES cycles of attach, run, stop, detach: no program, map, link or memory stays" {
	local before after kb
	tb_up "$NAME" 1
	cycle 5
	sleep 0.5
	before=$(kernel_objects)
	kb=$(memory_kb)
	cycle "$CYCLES"
	# others on this machine may have some of theirs; a leak would leave one of each for every cycle
	tb_wait 10 objects_grew_less "$before" $((CYCLES / 4 + 2)) || {
		echo "before: $before, after: $(kernel_objects)"
		return 1
	}
	[ "$(find /sys/fs/bpf/sluice -path "*$TB_D*" | wc -l)" = 0 ]
	[ "$(find "$TB_RUN" -name '*.sock' | wc -l)" = 0 ]
	# a cycle that kept its maps would have kept more than 900 KiB
	after=$(($(memory_kb) - kb))
	echo "$after KiB of kernel memory more"
	[ "$after" -lt $((CYCLES * 200)) ]
}

@test "a dataplane and a daemon that live: no descriptor and no memory more after 75 requests and 1 s of moves" {
	local fds kb i daemon
	tb_up "$NAME" 2
	tb_s attach "$TB_D" --match all
	tb_run --workers 3 --nf flowcount,reflect
	start_daemon
	daemon=$TB_PID
	used() {
		local pid
		for pid in "$TB_RUN_PID" "$daemon"; do
			find "/proc/$pid/fd" -mindepth 1 | wc -l
			find "/proc/$pid/task" -mindepth 1 -maxdepth 1 | wc -l
		done
	}
	requests() {
		for ((i = 0; i < $1; i++)); do
			tb_s flows "$TB_D" -j >/dev/null
			tb_s workers "$TB_D" --set $((1 + i % 3)) >/dev/null
			tb_s capture "$TB_D" -t 1ms -w /dev/null >/dev/null 2>&1
		done
		tb_s workers "$TB_D" --set 3 >/dev/null
		tb_dut "$E2E/mover" "$TB_D" -d 1 >/dev/null
	}
	requests 3
	fds=$(used)
	kb=$(awk '/VmRSS/ {print $2}' "/proc/$TB_RUN_PID/status")
	requests 25
	sleep 0.5
	[ "$(used)" = "$fds" ] || {
		echo "descriptors and threads before: $fds, after: $(used)"
		return 1
	}
	[ $(($(awk '/VmRSS/ {print $2}' "/proc/$TB_RUN_PID/status") - kb)) -lt 4096 ]
}
