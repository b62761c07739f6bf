#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# sluice doctor: each problem that a veth can have is made, found, and mended; nothing else changes.
load common

setup() {
	needs_root
	tb_up "$NAME" 2
	tb_gen ethtool -K "$TB_G" tx off txvlan off >/dev/null
}
teardown() { tb_down; }

features() { tb_dut ethtool -k "$TB_D"; tb_gen ethtool -k "$TB_G"; }

# problem ID COMMAND: found, with that command, and exit status 1; gone after --fix, which says what it did.
mended() {
	local id=$1 command=$2
	run -1 tb_s doctor "$TB_D" -j
	expect "$output" ".findings[] | select(.id == \"$id\") | .level == \"problem\" and .fixable" \
		".findings[] | select(.id == \"$id\") | .command | contains(\"$command\")" '.actions == []'
	run tb_s doctor "$TB_D" --fix -j
	expect "$output" "[.findings[] | select(.id == \"$id\")] == []" \
		".actions[] | select(.id == \"$id\") | .done" "[.actions[] | select(.id != \"$id\")] == []"
	run -0 tb_s doctor "$TB_D"
	[[ $output == *"nothing is wrong"* ]]
}

@test "a prepared veth has nothing wrong, and says what it is" {
	run -0 tb_s doctor "$TB_D" -j
	expect "$output" '.problems == 0' '.facts.driver == "veth"' '.facts.rx_queues == 2' ".facts.peer.name == \"$TB_G\"" \
		'.facts.mode == "detached"' '.facts.rss == null' '.facts.mtu == 1500'
}

@test "checksums and VLAN tags of the peer in another namespace" {
	tb_gen ethtool -K "$TB_G" tx on >/dev/null
	mended peer-checksum "ip netns exec $NAME-gen ethtool -K $TB_G tx off"
	tb_gen ethtool -k "$TB_G" | grep -q '^tx-checksumming: off'
	tb_gen ethtool -K "$TB_G" txvlan on >/dev/null
	mended peer-vlan "ip netns exec $NAME-gen ethtool -K $TB_G txvlan off"
	tb_gen ethtool -k "$TB_G" | grep -q '^tx-vlan-offload: off'
}

@test "the command printed mends, and --fix changes nothing else" {
	local before command
	tb_gen ethtool -K "$TB_G" tx on >/dev/null
	run -1 tb_s doctor "$TB_D" -j
	command=$(jq -r '.findings[] | select(.id == "peer-checksum").command' <<<"$output")
	tb_dut sh -c "$command" >/dev/null
	tb_s doctor "$TB_D" >/dev/null
	before=$(features)
	tb_s doctor "$TB_D" --fix >/dev/null
	[ "$before" = "$(features)" ]
	ip -n "$NAME-dut" link set "$TB_D" down
	tb_s doctor "$TB_D" --fix >/dev/null
	[ "$before" = "$(features)" ]
}

@test "queues, link and MTU" {
	tb_dut ethtool -L "$TB_D" rx 1
	mended peer-queues "ethtool -L $TB_D rx 2"
	[ "$(tb_dut ethtool -l "$TB_D" | grep -c 'RX:.*2')" = 2 ]
	tb_gen ethtool -L "$TB_G" tx 1
	tb_dut ethtool -L "$TB_D" rx 1
	[ "$(nproc)" = 1 ] || mended queues-one "ethtool -L $TB_D rx 2"
	ip -n "$NAME-dut" link set "$TB_D" down
	mended link-down "ip link set dev $TB_D up"
	ip -n "$NAME-dut" link set "$TB_D" mtu 9000
	tb_s doctor "$TB_D" -j >"$TB_RUN/out" || true
	expect "$(cat "$TB_RUN/out")" '.findings[] | select(.id == "mtu").fixable'
	tb_s doctor "$TB_D" --fix >"$TB_RUN/out" || [ $? = 1 ]
	grep -q '^fixed: .*MTU 9000' "$TB_RUN/out"
	ip -n "$NAME-dut" -j link show "$TB_D" | jq -e '.[0].mtu == 3826'
	# frames of 4096 then: for the operator, who starts the dataplane
	run -1 tb_s doctor "$TB_D" --fix -j
	expect "$output" '.findings[] | select(.id == "frame-size") | .fixable == false' '.actions == []'
}

@test "generic mode: merged packets, and the driver has native" {
	tb_s attach "$TB_D" --match all --mode generic >/dev/null
	[ "$(tb_s doctor "$TB_D" -j | jq .facts.native)" = true ] || skip "this kernel does not say what drivers can (6.3)"
	tb_dut ethtool -K "$TB_D" gro on >/dev/null
	run -1 tb_s doctor "$TB_D" -j
	expect "$output" '[.findings[] | select(.level == "problem").id] | sort ==
			["generic-mode", "gro", "peer-segmentation"]'
	run -1 tb_s doctor "$TB_D" --fix -j
	expect "$output" '.problems == 1' '.findings[0].id == "generic-mode"' '[.actions[].done] == [true, true]'
	tb_dut ethtool -k "$TB_D" | grep -q '^generic-receive-offload: off'
	tb_gen ethtool -k "$TB_G" | grep -q '^tcp-segmentation-offload: off'
	tb_s detach "$TB_D" >/dev/null
	tb_dut ethtool -K "$TB_D" gro on >/dev/null
	tb_s doctor "$TB_D" >/dev/null # native comes before GRO
}

@test "a receiving thread on a worker's CPU, workers that share one" {
	local thread
	[ "$(nproc)" -ge 2 ] || skip "needs two CPUs"
	tb_s attach "$TB_D" --match all >/dev/null
	# ip netns exec mounts the namespace's own /sys where nobody else sees it
	ip netns exec "$NAME-dut" sh -c "echo 1 >/sys/class/net/$TB_D/threaded" || skip "no threaded NAPI"
	tb_run --workers 2 --cpus 0 --nf sink
	run -1 tb_s doctor "$TB_D" -j
	expect "$output" '.findings[] | select(.id == "workers-share") | .fixable == false' '.facts.worker_cpus == [0, 0]'
	jq -e '.facts.napis[0].thread' <<<"$output" >/dev/null || skip "this kernel names no NAPI threads"
	thread=$(jq '.facts.napis[0].thread' <<<"$output")
	expect "$output" '.findings[] | select(.id == "napi-thread") | .fixable'
	run -1 tb_s doctor "$TB_D" --fix -j
	expect "$output" '[.findings[] | select(.id == "napi-thread")] == []' '.problems == 1'
	[[ $(taskset -pc "$thread") == *"list: 1" || $(nproc) -gt 2 ]]
}

@test "foreign programs, words, privilege" {
	refused -2 "no such interface" tb_s doctor nosuch
	refused -2 "IF is missing" tb_s doctor
	refused -2 "one argument too many" tb_s doctor a b
	refused -2 "unknown option --mend" tb_s doctor "$TB_D" --mend
	tb_s attach "$TB_D" --match all >/dev/null
	install -m 755 "$SLUICE" "$BATS_TEST_TMPDIR/sluice"
	chmod 755 "$BATS_RUN_TMPDIR" "$BATS_TEST_TMPDIR" "${BATS_TEST_TMPDIR%/*}"
	run tb_dut setpriv --reuid=65534 --regid=65534 --clear-groups "$BATS_TEST_TMPDIR/sluice" doctor "$TB_D" -j
	expect "$output" '.findings[] | select(.id == "unseen").level == "note"' '.facts.driver == "veth"'
	tb_s detach "$TB_D" >/dev/null
	foreign
	run -1 tb_s doctor "$TB_D" --fix -j
	expect "$output" '.findings[] | select(.id == "foreign-program") | .fixable == false' '.actions == []'
}
