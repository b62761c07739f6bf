#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Connections in slots between real TCP stacks: servers have an offset of their timestamps for each connection, as is
# Linux's default, and no clock that a balancer could follow.
load common
load pool

setup() { needs_root; }
teardown() { pool_down; }

slots() { # SERVER...
	pool_file slot "$@" | sed 's/^vips:/slots: 4096\nvips:/' >"$BATS_TEST_TMPDIR/lb.yaml"
	lb apply "$BATS_TEST_TMPDIR/lb.yaml"
}

refused_stamps() { # by any of the stacks
	local i
	for i in lc l1 l2 l3; do
		in_pool $i nstat -asz TcpExtPAWSEstab TcpExtTSEcrRejected 2>/dev/null
	done | awk '/TcpExt/ { n += $2 } END { print n + 0 }'
}

# Servers come, drain and return, and the secret of cookies changes.
check_churn() { # ADDRESS
	TIMESTAMPS=1 pool_up 3
	slots 1 2 2>"$BATS_TEST_TMPDIR/err"
	[ ! -s "$BATS_TEST_TMPDIR/err" ]
	pool_traffic "$1" 4
	sleep 0.5
	slots 1 2 3
	sleep 0.5
	slots 1:drain 2 3
	lb rotate -n "$NAME"
	sleep 0.5
	slots 1:drain 2:drain 3
	sleep 0.5
	lb set -n "$NAME" 10.7.1.2:8080 -s up
	expect "$(pool_result)" '.held_broken == 0' '.new_failed == 0' '.words | has("s3")'
	expect "$(counts)" '.slot > 2 * .new' '.slot_taken > 100' '.slot_unknown == 0' '.table == 0' '.hashed == 0'
	[ "$(refused_stamps)" = 0 ]
}

@test "slots: no connection breaks with servers that have a timestamp offset for each" {
	check_churn 10.9.9.9
	[ "$(lb show -n "$NAME" -j | jq .slots)" = 4096 ]
}

@test "slots over IPv6" { check_churn fd09::9; }

@test "a flood of SYNs has its share of the slots: open connections live, new ones begin" {
	TIMESTAMPS=1 pool_up 2
	slots 1 2
	in_pool lb ip route add 10.66.0.0/16 via 10.7.0.2
	in_pool lc ip route add blackhole 10.66.0.0/16
	pool_traffic 10.9.9.9 4
	in_pool lc timeout 20 python3 "$TB_ROOT/tests/e2e/lb_flood.py" "${NAME}e0" "$(in_pool lb ip -j link show "${NAME}b0" | jq -r '.[0].address')" 60000
	expect "$(pool_result)" '.held_broken == 0' '.new_failed == 0'
	expect "$(counts)" '.slot_full > 10000' '.bypassed + .inserted > 10000'
	# 8 blocks of 128; and those that the sweep freed meanwhile may have gone to the flood again
	expect "$(counts)" '.slot_taken < 1200 + .slot_freed'
	[ "$(refused_stamps)" = 0 ]
}
