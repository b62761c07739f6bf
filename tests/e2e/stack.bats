#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Mode stack: buckets go to CPUs and up the kernel's stack; here it forwards them to a second pair, where gen looks.
load common

setup() { needs_root; }
teardown() { tb_down; }

# The stack of the device's namespace sends everything on to the generator's second interface. GRO there gives
# its veth a NAPI ring; without one each sending CPU has a backlog of its own, and those reorder.
router_up() { # QUEUES
	tb_up "$NAME" "$1" 2
	[ "$(nproc)" -ge 2 ] || skip "needs two CPUs"
	tb_gen ethtool -K "${NAME}g1" gro on
	ip -n "$NAME-dut" addr add 10.9.0.2/24 dev "$TB_D"
	ip -n "$NAME-dut" addr add 10.8.0.2/24 dev "${NAME}d1"
	ip -n "$NAME-dut" neigh add 10.8.0.1 lladdr 02:5c:00:00:00:03 dev "${NAME}d1"
	ip -n "$NAME-dut" route add default via 10.8.0.1
	tb_dut sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.rp_filter=0 "net.ipv4.conf.$TB_D.rp_filter=0"
}
router_gen() { # GEN ARGS...: through the stack of the device, in the background
	tb_spawn_gen gen "$SLUICE" gen "$TB_G" --flows 300 --skew 1.1 --expect-on "${NAME}g1" \
		--dst-mac 02:5c:00:00:00:02 -j "$@"
	GEN=$TB_PID
}
threads() { cat /proc/[0-9]*/comm 2>/dev/null | grep -c "^cpumap/.*/map:$1\$" || true; }
cpumap_id() { bpftool map show pinned "/sys/fs/bpf/sluice/1/$TB_D/$TB_D/cpus" -j | jq .id; }
no_move_under_way() { tb_s status "$TB_D" -i 1ms -j | jq -e '.moves.under_way == 0'; }

@test "flows keep their order while buckets move at random; all is counted, and detach leaves nothing" {
	local i first id
	router_up 1
	tb_s attach "$TB_D" --match all --local --stack
	tb_run --workers 2
	grep -q "mode stack, 2 CPUs" "$TB_RUN/run.log"
	id=$(cpumap_id)
	[ "$(threads "$id")" = 2 ]
	router_gen -d 4 --rate 30000
	for ((i = 0; i < 60; i++)); do
		first=$((RANDOM % 900))
		tb_s move "$TB_D" "$first-$((first + 100))" $((RANDOM % 2)) >/dev/null 2>&1 || true
	done
	expect "$(tb_s workers "$TB_D" -j)" '[.[] | select(.state == "running" and .packets > 0)] | length == 2'
	wait "$GEN"
	expect "$(cat "$TB_RUN/gen.json")" .valid '.received > 10000' '.reordered == 0' '.duplicated == 0'
	losses_hold '.consumed > 10000' '.no_slot == 0'
	tb_wait 5 no_move_under_way
	expect "$(tb_s moves "$TB_D" -j)" 'length > 500' 'all(.ended != false)'
	tb_stop "$TB_RUN_PID"
	[ "$TB_STATUS" = 0 ]
	tb_wait 5 eval "[ \$(threads $id) = 0 ]"
	tb_s detach "$TB_D"
	no_xdp
	[ ! -e "/sys/fs/bpf/sluice/1/$TB_D" ]
}

@test "silent buckets move too; a killed keeper stops neither traffic nor moves; the next one takes over" {
	router_up 2
	tb_s attach "$TB_D" --match all --local --stack --max-workers 2
	tb_run --ring 8192
	router_gen --count 3000 --rate 20000 --linger 300ms
	wait "$GEN"
	expect "$(cat "$TB_RUN/gen.json")" '.received == 3000' '.reordered == 0'
	tb_s move "$TB_D" 0-1023 1 >/dev/null
	tb_wait 5 no_move_under_way
	router_gen --count 3000 --rate 20000 --linger 300ms
	wait "$GEN"
	expect "$(tb_s workers "$TB_D" -i 1ms -j)" '.[1].packets >= 3000' '.[0].buckets == 0'
	tb_stop "$TB_RUN_PID" KILL
	router_gen --count 3000 --rate 20000 --linger 300ms
	wait "$GEN"
	expect "$(cat "$TB_RUN/gen.json")" '.received == 3000' '.reordered == 0'
	losses_hold '.consumed == 9000' '.no_slot == 0'
	tb_run --ring 8192
	router_gen --count 3000 --rate 20000 --linger 300ms
	wait "$GEN"
	losses_hold '.consumed == 12000' '.no_slot == 0'
}

@test "what does not go with mode stack is refused in one line" {
	router_up 1
	refused -2 "an instance of its own" tb_s attach "$TB_D" "${NAME}d1" --match all --stack
	refused -2 "native mode" tb_s attach "$TB_D" --match all --stack --mode generic
	tb_s attach "$TB_D" --match all --stack
	refused -2 "mode stack" tb_s run -i "$TB_D" --nf reflect
	refused -2 "room for 16" tb_s run -i "$TB_D" --workers 17
	tb_s attach "$TB_D" --replace
	expect "$(tb_s status "$TB_D" -i 1ms -j)" .stack
}
