#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Tenants: who they are, what they have, and that one that floods takes nothing from the others.
load common

setup() {
	needs_root
	TB_GEN_QUEUES=4 tb_up "$NAME"
	ip -n "$NAME-dut" link set lo up
}
teardown() { tb_down; }

tenants_yaml() { # LINES of `tenants`
	cat >"$TB_RUN/sluice.yaml" <<-END
		instances:
		  - interfaces: $TB_D
		    attach: true
		    match: all
		    tenants:
		$(sed 's/^/      /')
	END
}

three() { # POLICY
	tenants_yaml <<-END
		policy: $1
		list:
		  - name: light
		    match: 10.1.0.0/16
		  - name: steady
		    match: 10.2.0.0/16
		  - name: flood
		    match: 10.3.0.0/16
	END
}

serve() { # run arguments
	tb_spawn sluiced "$SLUICED" -c "$TB_RUN/sluice.yaml"
	DAEMON=$TB_PID
	tb_wait 10 has_tenants || {
		cat "$TB_RUN/sluice.yaml" "$TB_RUN/sluiced.log"
		return 1
	}
	tb_run "$@"
}

# jq is content with no input at all.
has_tenants() { SEEN=$(tb_s tenants "$TB_D" -j) && jq -e '.tenants | length > 1' <<<"$SEEN"; }
tenant() { SEEN=$(tb_s tenants "$TB_D" -t "$1" -j) && jq -e ".tenants[0] | $2" <<<"$SEEN"; }
tenant_is() {
	tb_wait 5 tenant "$@" || {
		echo "not so: $*"
		tb_s tenants "$TB_D" -p
		return 1
	}
}

none_held() { tb_s losses "$TB_D" -j | jq -e '.held == 0'; }

# What came and was not dropped is what was steered, to the packet.
add_up() {
	tb_wait 10 none_held
	losses_hold
	[ "$(tb_s tenants "$TB_D" -j | jq '.tenants | map(.packets - .drops) | add')" = \
		"$(tb_s losses "$TB_D" -j | jq .seen)" ]
}

# gen NAME NET QUEUE ARGS...: from 10.NET.0.0/16, until tb_stop
source_of() {
	local name=$1 net=$2 queue=$3
	shift 3
	tb_spawn_gen "$name" "$SLUICE" gen "$TB_G" --src "10.$net.0.0/16" --queue "$queue" --mode xdp "$@" -j
}

@test "packets are counted for their tenant, in XDP and by the worker" {
	three drf
	serve --workers 1 --nf sink
	tb_gen "$SLUICE" gen "$TB_G" --src 10.1.0.0/16 --count 3000 --rate 20000 -j >/dev/null
	tb_gen "$SLUICE" gen "$TB_G" --src 10.9.0.0/16 --count 1000 --rate 20000 -j >/dev/null
	tenant_is light '.packets == 3000 and .drops == 0 and .cycles > 0'
	tenant_is others '.packets == 1000 and .drops == 0'
	tenant_is flood '.packets == 0'
	losses_hold '.seen == 4000' '.delivered == 4000'
	refused 'no tenant "heavy": name one of others, light, steady, flood' tb_s tenants "$TB_D" -t heavy
}

# A worker that takes 10,000 packets a second at most gets five times that from one tenant.
@test "a flood dies in XDP, counted for who floods; the others keep theirs" {
	local pid pids=()
	three drf
	serve --workers 1 --nf work:100us,sink
	source_of steady 2 1 --rate 1000 --duration 30
	pids+=("$TB_PID")
	source_of light 1 0 --rate 300 --duration 30
	pids+=("$TB_PID")
	sleep 1
	source_of flood 3 2 --rate 50000 --duration 30
	pids+=("$TB_PID")
	tb_wait 10 tenant flood '.drops > 30000' || tenant_is flood '.drops > 30000'
	SEEN=$(tb_s tenants "$TB_D" -j)
	expect "$SEEN" '[.tenants[].drops] | add as $all | max > 0.95 * $all' \
		'[.tenants[] | select(.tenant == "flood") | .dominant] == ["cycles"]' \
		'.tenants[] | select(.tenant == "flood") | .demand > 1 and .share < 1 and .drops > 0.3 * .packets' \
		'.tenants[] | select(.tenant == "steady") | .drops < 0.3 * .packets and .packets > 1000' \
		'.tenants[] | select(.tenant == "light") | .drops < 0.3 * .packets and .packets > 300'
	for pid in "${pids[@]}"; do tb_stop "$pid"; done
	add_up
}

@test "what others leave is a tenant's at once, and back with them at once" {
	three sdrf
	serve --workers 1 --nf work:100us,sink
	source_of flood 3 2 --rate 50000 --duration 30
	tenant_is flood '.used > 0.7 and .floor < 0.3 and .drops > 0'
	tb_s workers "$TB_D" -j | jq -e '.[0].load > 0.8'
	tb_s tenants "$TB_D" -t flood -j | jq -e '.tenants[0].commitment > 0'
	source_of steady 2 1 --rate 1000 --duration 3
	tenant_is steady '.packets > 2000'
	tenant_is steady '.drops < 0.3 * .packets'
}

config_in_force() { grep -c "configuration reloaded" "$TB_RUN/sluiced.log" | grep -qx "$1"; }

@test "tenants that change under traffic lose nothing" {
	three drf
	serve --workers 2 --nf conntrack,reflect
	source_of flow 1 0 --rate 3000 --duration 5 --flows 300 --expect
	local gen=$TB_PID n=0 weight
	for weight in 1 2 gone 3 none 4; do
		sleep 0.3
		three sdrf
		case $weight in
		gone) sed -i '/name: light/,+1d' "$TB_RUN/sluice.yaml" ;;
		none) sed -i '/tenants:/,$d' "$TB_RUN/sluice.yaml" ;;
		*) sed -i "s/name: light/&\n          weight: $weight/" "$TB_RUN/sluice.yaml" ;;
		esac
		kill -HUP "$DAEMON"
		n=$((n + 1))
		tb_wait 5 config_in_force $n
	done
	wait "$gen"
	expect "$(cat "$TB_RUN/flow.json")" '.sent > 10000' '.lost == 0' '.reordered == 0'
	tenant_is light '.packets > 0 and .drops == 0 and .weight == 4'
	losses_hold
}

# Turns change the order of tenants only, whatever moves meanwhile: nobody's flow is overtaken or in two workers' hands.
@test "tenants that wait for their turns, and buckets that move at random" {
	local pids=() name
	three sdrf
	# the daemon leaves the rows alone
	sed -i 's/    match: all/&\n    balance: {enabled: false}/' "$TB_RUN/sluice.yaml"
	serve --workers 3 --nf "work:20us,$ORDER:$TB_RUN/order.json,reflect"
	source_of light 1 0 --rate 2000 --duration 8 --flows 200 --expect --linger 2s
	pids+=("$TB_PID")
	source_of steady 2 1 --rate 8000 --duration 8 --flows 200 --expect --linger 2s
	pids+=("$TB_PID")
	source_of flood 3 2 --rate 100000 --duration 8 --flows 2000 --expect --linger 2s
	pids+=("$TB_PID")
	tb_dut "$E2E/mover" "$TB_D" -d 8 >"$TB_RUN/mover.json" 3>&-
	wait "${pids[@]}"
	expect "$(cat "$TB_RUN/mover.json")" '.unfinished == 0' '.moves > 1000'
	for name in light steady flood; do
		expect "$(cat "$TB_RUN/$name.json")" '.received > 1000' '.reordered == 0' '.duplicated == 0'
	done
	losses_hold
	tb_stop "$TB_RUN_PID"
	expect "$(cat "$TB_RUN/order.json")" '.flow_reordered == 0' '.duplicated == 0' '.double_owner == 0'
}

full() { tb_s workers "$TB_D" -j | jq -e 'map(.flow_refused) | add > 1000'; }

# A flow's packets are drawn by chance, and on a busy machine the gate takes some. Where memory is short a bucket may have
# room for four flows alone, and five of light's.
nearly_all_of_light() {
	tb_gen "$SLUICE" gen "$TB_G" --src 10.1.0.0/16 --flows 1000 --count 20000 --rate 20000 -j >/dev/null
	tenant light '.flows >= 990'
}
all_of_light() { nearly_all_of_light && tenant light '.flows == 1000'; }

# A tenant that fills the flow tables makes way for who has few; before anybody else comes it may have them all.
@test "flow tables are for every tenant" {
	local light
	three drf
	# who is gone has no part
	echo '        - {name: heavy, match: [10.4.0.0/16], weight: 1000}' >>"$TB_RUN/sluice.yaml"
	serve --workers 2 --flow-memory 2M --nf conntrack,sink
	tenant_is heavy '.floor > 0.9'
	three drf
	kill -HUP "$DAEMON"
	tb_wait 5 config_in_force 1
	tb_gen "$SLUICE" gen "$TB_G" --src 10.3.0.0/16 --flows 60000 --count 120000 --rate 100000 -j >/dev/null
	tb_wait 5 full
	tenant_is flood '.flows > 10000 and .flow_bytes > 1000000 and .used_of.flows > 0.5'
	tb_wait 20 nearly_all_of_light
	light=$(tb_s tenants "$TB_D" -t light -j | jq '.tenants[0].flows')
	tb_gen "$SLUICE" gen "$TB_G" --src 10.3.0.0/16 --flows 60000 --count 60000 --rate 100000 -j >/dev/null
	tenant_is light ".flows == $light"
	tenant_is flood '.flows > 9000'
	[ "$(tb_s tenants "$TB_D" -j | jq '.tenants | map(.flows) | add')" = "$(tb_s workers "$TB_D" -j | jq 'map(.flows) | add')" ]
}

# flow tables of workers that were there before the tenants
late() { # run arguments
	three drf
	tb_s attach "$TB_D" --match all
	tb_run --workers 1 --flow-memory 2M "$@" --nf conntrack,sink
	tb_gen "$SLUICE" gen "$TB_G" --src 10.3.0.0/16 --flows 1000 --count 2000 --rate 100000 -j >/dev/null
	tb_spawn sluiced "$SLUICED" -c "$TB_RUN/sluice.yaml"
	tb_wait 10 has_tenants
}
not_shared() { grep -q 'flow tables are not shared.*--flow-tenants' "$TB_RUN/sluiced.log"; }

@test "tenants that come later have their part of flow tables with --flow-tenants; without it a line says so" {
	late
	tb_wait 5 not_shared
	tenant_is flood '.flows == 0'
	tb_down
	TB_GEN_QUEUES=4 tb_up "$NAME"
	late --flow-tenants
	! not_shared || false
	tenant_is flood '.flows == 0' # those of before are nobody's
	tb_wait 20 all_of_light
	tenant_is light '.flows == 1000'
	tenant_is others ".flows > 500 and .flows == $(tb_s workers "$TB_D" -j | jq 'map(.flows) | add') - 1000"
}

@test "metrics have each tenant; ids outlive the daemon" {
	local name list=
	three drf
	sed -i '1i metrics: {listen: "127.0.0.1:9464"}' "$TB_RUN/sluice.yaml"
	serve --workers 1 --nf sink
	tb_gen "$SLUICE" gen "$TB_G" --src 10.3.0.0/16 --count 500 --rate 10000 -j >/dev/null
	tenant_is flood '.packets == 500 and .id == 3'
	tb_dut curl -sS --max-time 5 http://127.0.0.1:9464/metrics |
		grep -Fx "sluice_tenant_packets_total{instance=\"$TB_D\",tenant=\"flood\"} 500"
	tb_stop "$DAEMON"
	sed -i '/name: light/,+1d' "$TB_RUN/sluice.yaml"
	tb_spawn sluiced "$SLUICED" -c "$TB_RUN/sluice.yaml"
	DAEMON=$TB_PID
	tb_wait 10 has_tenants
	tenant_is flood '.packets == 500 and .id == 3'
	# a name takes over nobody's counters
	tb_gen "$SLUICE" gen "$TB_G" --src 10.2.0.0/16 --count 100 --rate 10000 -j >/dev/null
	sed -i 's/name: steady/name: new/' "$TB_RUN/sluice.yaml"
	for name in new newer steady; do
		sed -i "s/name: new.*/name: $name/" "$TB_RUN/sluice.yaml"
		kill -HUP "$DAEMON"
		tb_wait 5 tenant $name true
		list+=$SEEN
	done
	expect "$(jq -cs 'map(.tenants[0] | [.tenant, .id, .packets])' <<<"$list")" \
		'. == [["new", 4, 0], ["newer", 5, 0], ["steady", 2, 100]]'
}

@test "bad tenants are refused in one line" {
	three drf
	sed -i 's/policy: drf/policy: fair/' "$TB_RUN/sluice.yaml"
	refused 'tenants.policy: "fair" is no good: write maxmin, drf, sdrf, drfq or karma' "$SLUICE" check "$TB_RUN/sluice.yaml"
	three drf
	sed -i 's/name: light/&\n          weight: 0/' "$TB_RUN/sluice.yaml"
	refused 'tenants.list[0].weight: "0" is no good: write a weight from 0.001 on' "$SLUICE" check "$TB_RUN/sluice.yaml"
	three drf
	sed -i 's/10.2.0.0.16/10.0.0.0\/8/' "$TB_RUN/sluice.yaml"
	refused '"10.0.0.0/8" overlaps "10.1.0.0/16" of tenant light: make one narrower' "$SLUICE" check "$TB_RUN/sluice.yaml"
	three drf
	sed -i 's/name: steady/name: light/' "$TB_RUN/sluice.yaml"
	refused 'name "light" is taken' "$SLUICE" check "$TB_RUN/sluice.yaml"
	three drf
	sed -i 's/    match: all/    match: all\n    stack: true/' "$TB_RUN/sluice.yaml"
	refused 'tenants need AF_XDP' "$SLUICE" check "$TB_RUN/sluice.yaml"
}
