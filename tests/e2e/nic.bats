#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# A NIC's own table follows the buckets'. veth has none, so fake_nic plays the device: memory behind ethtool's door,
# and a sender that hashes as the NIC would. The real ones are for tests/vm.
load common

FAKE=$TB_BUILD/tests/e2e/fake_nic

setup() {
	needs_root
	tb_up "$NAME" 2
	tb_s attach "$TB_D" --match all --hash toeplitz >/dev/null
}
teardown() { tb_down; }

fake() { tb_dut timeout 30 "$FAKE" "$@" "$TB_D" "/run/netns/$TB_NAME-gen" "$TB_G"; }

@test "entries move under traffic: packets follow, in order, none lost, and the NIC gets back what it had" {
	run -0 --separate-stderr fake -d 2 -e 1024
	# a packet that may have been overtaken is counted; without holds there are dozens
	expect "$output" '.written > 30' '.reordered <= .late' '.reordered < 10' '.state == 5' '.own > 0.99 * 1000' \
		'.astray * 50 < .packets' '.rewrites == 0' .restored
	losses_hold ".ring_full + .no_frame == $(jq '.sent - .received' <<<"$output")"
}

@test "a NIC that shows its table and does not use it is found out by packets" {
	run -0 --separate-stderr fake -d 1 -i -e 128
	expect "$output" '.state == 6' '.astray > 1000' '.rewrites > 0' '.reordered == 0'
}

@test "a table that the NIC forgot is written again" {
	run -0 --separate-stderr fake -d 1 -s -e 1024
	expect "$output" '.state == 5' '.rewrites == 1' '.astray > 1000' .restored
}

@test "without a table the NIC is left alone, and on says so" {
	tb_run --workers 1 --nf sink
	is() { tb_s nic "$TB_D" -j | jq -e ".[0] | $1"; }
	tb_wait 3 is '.state == "absent" and .hardware == "auto" and .trouble == null'
	tb_s nic "$TB_D" --hardware on
	run -0 tb_s nic "$TB_D"
	[[ $output == *"its driver shows no table (RETA)"* ]]
	run -0 tb_s status "$TB_D" -i 1ms
	[[ $output == *"warning: $TB_D: steering.hardware is on"* ]]
	tb_s nic "$TB_D" --hardware off
	tb_wait 3 is '.state == "off" and .trouble == null'
	refused -2 "--hardware" "$SLUICE" nic "$TB_D" --hardware maybe
}

@test "the configuration decides, and the daemon tells" {
	tb_s detach "$TB_D" >/dev/null
	ip -n "$NAME-dut" link set lo up
	cat >"$TB_RUN/c.yaml" <<-EOF
		metrics: {listen: 127.0.0.1:9464}
		instances:
		  - interfaces: [$TB_D]
		    attach: true
		    match: all
		    steering: {hardware: on}
	EOF
	tb_spawn sluiced "$SLUICED" --config "$TB_RUN/c.yaml"
	attached() { ! no_xdp; }
	tb_wait 10 attached
	tb_wait 10 daemon_answers
	tb_run --workers 1 --nf sink
	warned() { grep -q "does not hash as the NIC does" "$TB_RUN/sluiced.log"; }
	tb_wait 5 warned
	run -0 tb_dut curl -s http://127.0.0.1:9464/metrics
	[[ $output == *"sluice_nic_follows{instance=\"$TB_D\",interface=\"$TB_D\"} 0"* ]]
	sed -i 's/hardware: on/hardware: never/' "$TB_RUN/c.yaml"
	refused -1 "write auto, on or off" "$SLUICE" check "$TB_RUN/c.yaml"
}

@test "a key that nobody tells" {
	tb_s detach "$TB_D" >/dev/null
	run -1 tb_s attach "$TB_D" --match all --hash toeplitz:nic
	[[ $output == *"its driver tells no key to hash with"* ]]
	no_xdp
	run -1 tb_s attach "$TB_D" --match all --hash nic
	[[ $output == *"its driver tells no key to hash with"* ]]
	no_xdp
	refused -2 "it computes its hash" "$SLUICE" attach "$TB_D" --match all --hash nic --stack
	cat >"$TB_RUN/c.yaml" <<-EOF
		instances:
		  - interfaces: [$TB_D]
		    hash: nic
		    toeplitz_key: 6d5a56da255b0ec24167253d43a38fb0d0ca2bcbae7b30b477cb2da38030f20c6a42b73bbeac01fa
	EOF
	refused -1 "leave out toeplitz_key" "$SLUICE" check "$TB_RUN/c.yaml"
	sed -i '/toeplitz_key/d' "$TB_RUN/c.yaml"
	run -0 "$SLUICE" check "$TB_RUN/c.yaml"
	# without a NIC's key nothing takes its hash
	tb_s attach "$TB_D" --match all --hash toeplitz >/dev/null
	expect "$(tb_s status "$TB_D" -j)" '.interfaces[0].rx_hash == false'
}
