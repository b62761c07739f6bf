#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# VIPs that are networks: real TCP and UDP to addresses of theirs, by direct server return.
load common
load pool
load direct

setup() { needs_root; }
teardown() { direct_down; }

networks() { # PREFIX: the file's VIPs become networks
	sed -e "s|address: 10.9.9.9|address: 10.9.9.0/$1|; s|address: \"fd09::9\"|address: \"fd09::/64\"|" "$BATS_TEST_TMPDIR/hosts.yaml" \
		>"$BATS_TEST_TMPDIR/lb.yaml"
}
traffic_holds() { # ADDRESS [udp]
	pool_traffic "$1" 1 "${@:2}"
	expect "$(pool_result)" '.held > 0' '.held_broken == 0' '.new > 0' '.new_failed == 0'
}
networks_known() { bpftool -j map dump pinned "/sys/fs/bpf/sluice/lb-1/$NAME/lb_networks" | jq length; }

@test "every address of a network is served, its ports and echoes are the balancer's, and it goes without a trace" {
	local i
	pool_up 2
	vips_on 1 2
	for i in 1 2; do
		in_pool "l$i" "$SLUICE" agent attach -n "$NAME-l$i" --vip 10.9.9.0/24 --vip fd09::/64 --from 10.7.0.0/16 --from fd07::/16 "${NAME}e$i"
	done
	direct_file gue 10.7.N.2 fd07:N::2 1 2 >"$BATS_TEST_TMPDIR/hosts.yaml"
	networks 24
	lb apply "$BATS_TEST_TMPDIR/lb.yaml"
	expect "$(lb show -n "$NAME" -j)" '[.vips[].address] | unique == ["10.9.9.0/24", "fd09::/64"]'
	traffic_holds 10.9.9.9 udp
	traffic_holds fd09::9
	in_pool lc ping -c 1 -W 2 10.9.9.77
	expect "$(counts)" '.answered >= 1' '.drop_no_vip == 0'
	! in_pool lc timeout 1 bash -c 'exec 3<>/dev/tcp/10.9.9.78/81' || return 1
	expect "$(counts)" '.drop_no_vip >= 1'
	# narrower, then hosts: nothing of the wider one stays
	networks 28
	lb apply "$BATS_TEST_TMPDIR/lb.yaml"
	expect "$(lb show -n "$NAME" -j)" '[.vips[].address] | unique == ["10.9.9.0/28", "fd09::/64"]'
	[ "$(networks_known)" = 2 ]
	traffic_holds 10.9.9.9
	! in_pool lc ping -c 1 -W 1 10.9.9.77 || return 1
	lb apply "$BATS_TEST_TMPDIR/hosts.yaml"
	[ "$(networks_known)" = 0 ]
	traffic_holds 10.9.9.9
}

# says PART SED-SCRIPT: the file, changed so, is refused.
says() {
	sed -E "$2" "$BATS_TEST_TMPDIR/lb.yaml" >"$BATS_TEST_TMPDIR/bad.yaml"
	refused -2 "$1" lb apply "$BATS_TEST_TMPDIR/bad.yaml"
}

@test "what a network cannot be is said" {
	pool_up 2
	direct_file gue 10.7.N.2 fd07:N::2 1 2 >"$BATS_TEST_TMPDIR/hosts.yaml"
	networks 24
	says 'with forward: nat an answer would not know' 's/forward: gue, //'
	says 'keep: agent needs one address' 's/forward: gue/forward: gue, keep: agent/'
	says 'address: "10.9.9.0/33" is no good' 's|10.9.9.0/24|10.9.9.0/33|'
	says 'address: "10.9.9.1/24" is no good' 's|10.9.9.0/24|10.9.9.1/24|'
	says 'address: "fd09::/0" is no good' 's|fd09::/64|fd09::/0|'
	says 'vips: 10.9.9.0 is there with /24 and with /25: write one prefix' '0,/10.9.9.0.24/!{0,/10.9.9.0.24/s|10.9.9.0/24|10.9.9.0/25|}'
	says "it is this host's own" 's|10.9.9.0/24|10.7.0.0/16|'
	refused 'there is no load balancer' lb show -n "$NAME"
}
