#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# The agent between real TCP stacks: a client, 10.7.0.2, whose packets for a VIP go out in a tunnel, as a balancer's would,
# (and are small enough for it), and a server, 10.7.0.1, which has the VIPs 10.9.9.9 and fd09::9 but no tunnel device.
load common

TRAFFIC=$TB_ROOT/tests/e2e/lb_traffic.py
SPAWNED=()

at() { nsenter --net="/run/netns/$NAME-$1" -- "${@:2}"; }
# in the background, its outputs in FILE
at_bg() { # NAMESPACE FILE CMD...
	nsenter --net="/run/netns/$NAME-$1" -- "${@:3}" >"$2" 2>&1 3>&- &
	SPAWNED+=($!)
}
agent() { at s "$SLUICE" agent "$1" -n "$NAME" "${@:2}"; }

setup() {
	needs_root
	local n family
	for n in c s; do
		ip netns add "$NAME-$n"
		at $n ip link set lo up
	done
	ip -n "$NAME-c" link add c0 type veth peer name s0 netns "$NAME-s"
	at c ip addr add 10.7.0.2/24 dev c0
	at c ip -6 addr add fd07::2/64 dev c0 nodad
	at s ip addr add 10.7.0.1/24 dev s0
	at s ip -6 addr add fd07::1/64 dev s0 nodad
	at s ip addr add 10.9.9.9/32 dev lo
	at s ip -6 addr add fd09::9/128 dev lo nodad
	at c ip link set c0 up
	at s ip link set s0 up
	at c ip route add 10.9.9.9 via 10.7.0.1 mtu 1400
	at c ip -6 route add fd09::9 via fd07::1 mtu 1400
	for family in 10.9.9.9 fd09::9; do
		at_bg s "$BATS_TEST_TMPDIR/server" python3 "$TRAFFIC" server "$family" 8080 here
	done
	for family in 10.9.9.9 fd09::9; do tb_wait 10 at s bash -c "exec 3<>/dev/tcp/$family/8080"; done
}

teardown() {
	local pid n
	agent detach 2>/dev/null || true
	for pid in "${SPAWNED[@]}"; do
		kill "$pid" 2>/dev/null || true
		wait "$pid" 2>/dev/null || true
	done
	for n in c s; do ip netns del "$NAME-$n" 2>/dev/null || true; done
}

# What the client sends to a VIP goes out in a tunnel: KIND 0 (IP in IP) or 1, 2 (GUE, variant 0 and 1), outer IPv4 or 6.
wrap() { # KIND OUTER
	compile "$BATS_TEST_TMPDIR/wrap.o" -DKIND="$1" -DOUTER="$2" <<-'END'
		#include <linux/bpf.h>
		#include <linux/if_ether.h>
		#include <linux/ip.h>
		#include <linux/ipv6.h>
		#include <bpf/bpf_endian.h>
		#include <bpf/bpf_helpers.h>
		#define UDP (KIND ? 8 : 0)
		#define GUE (KIND == 1 ? 4 : 0)
		#define HEAD ((OUTER == 4 ? 20 : 40) + UDP + GUE)
		SEC("tc") int wrap(struct __sk_buff *skb)
		{
			__u8 h[HEAD] = {}, *u = h + HEAD - UDP - GUE;
			int v6 = skb->protocol == bpf_htons(ETH_P_IPV6), rest = skb->len - 14 + UDP + GUE;
			__u8 first = 0, proto = KIND ? 17 : v6 ? 41 : 4;
			__u64 flags = BPF_F_ADJ_ROOM_FIXED_GSO | (KIND ? BPF_F_ADJ_ROOM_ENCAP_L4_UDP : 0) |
				(OUTER == 4 ? BPF_F_ADJ_ROOM_ENCAP_L3_IPV4 : BPF_F_ADJ_ROOM_ENCAP_L3_IPV6);
			__be16 type = OUTER == 4 ? bpf_htons(ETH_P_IP) : bpf_htons(ETH_P_IPV6);
			__u32 sum = 0;

			if (!v6 && skb->protocol != bpf_htons(ETH_P_IP))
				return -1;
			bpf_skb_load_bytes(skb, v6 ? 38 : 30, &first, 1); /* of the destination */
			if (v6) {
				__u8 d[2];
				bpf_skb_load_bytes(skb, 38, d, 2);
				if (d[0] != 0xfd || d[1] != 9)
					return -1;
			} else {
				__u8 d[2];
				bpf_skb_load_bytes(skb, 30, d, 2);
				if (d[0] != 10 || d[1] != 9)
					return -1;
			}
			if (OUTER == 4) {
				struct iphdr ip = {.version = 4, .ihl = 5, .ttl = 9, .protocol = proto,
					.tot_len = bpf_htons(rest + 20), .saddr = bpf_htonl(0x0a070002),
					.daddr = bpf_htonl(0x0a070001)};
				for (int i = 0; i < 10; i++)
					sum += ((__u16 *)&ip)[i];
				sum = (sum & 0xffff) + (sum >> 16);
				ip.check = ~((sum & 0xffff) + (sum >> 16));
				__builtin_memcpy(h, &ip, 20);
			} else {
				h[0] = 0x60, h[4] = rest >> 8, h[5] = rest, h[6] = proto, h[7] = 9;
				h[8] = h[24] = 0xfd, h[9] = h[25] = 7, h[23] = 2, h[39] = 1;
			}
			if (KIND)
				u[0] = 99, u[2] = 6080 >> 8, u[3] = 6080 & 255, u[4] = rest >> 8, u[5] = rest;
			if (KIND == 1)
				u[9] = v6 ? 41 : 4;
			if (bpf_skb_adjust_room(skb, HEAD, BPF_ADJ_ROOM_MAC, flags) ||
			    bpf_skb_store_bytes(skb, 14, h, HEAD, 0) || bpf_skb_store_bytes(skb, 12, &type, 2, 0))
				return 2;
			return -1;
		}
		char _license[] SEC("license") = "GPL";
	END
	at c tc qdisc replace dev c0 clsact
	at c tc filter replace dev c0 egress prio 1 handle 1 bpf da obj "$BATS_TEST_TMPDIR/wrap.o" sec tc
}

# The server's answer to a line of 2 MB.
answer() { # ADDRESS
	at c timeout 5 python3 - "$1" <<-'END'
		import socket, sys
		s = socket.create_connection((sys.argv[1], 8080), 1)
		s.sendall(b'x' * 2000000 + b'\n')
		print(s.recv(64).decode().strip())
	END
}

@test "IP in IP and GUE of both families arrive as if nothing had been around them" {
	local kind outer vip
	wrap 0 4
	run answer 10.9.9.9
	[ "$status" != 0 ] # nobody takes it off
	agent attach s0 --vip 10.9.9.9 --vip fd09::9 --from 10.7.0.0/24 --from fd07::/64
	for kind in 0 1 2; do
		for outer in 4 6; do
			[ "$kind$outer" != 14 ] || continue # tests/bpf has all of them
			wrap $kind $outer
			for vip in 10.9.9.9 fd09::9; do
				echo "kind $kind in IPv$outer: $vip"
				[ "$(answer $vip)" = here ]
			done
		done
	done
	expect "$(agent show -j)" '.counts.ipip > 100' '.counts.gue > 100' '.counts | .not_from + .not_vip + .fragment == 0' \
		'.counts | .malformed + .gue_unknown + .drop_ecn + .drop_failed == 0'
	[ "$(at s nstat -asz TcpInCsumErrors | awk '/Csum/ { print $2 }')" = 0 ]
}

@test "beside the steering program and mode stack, and another's filter" {
	wrap 0 4
	at c ethtool -K c0 tx off >/dev/null # a redirected packet has only the checksum that is in it
	compile "$BATS_TEST_TMPDIR/other.o" <<-'END'
		#include <linux/bpf.h>
		#include <bpf/bpf_helpers.h>
		SEC("tc") int other(struct __sk_buff *skb) { return 0; }
		char _license[] SEC("license") = "GPL";
	END
	at s tc qdisc add dev s0 clsact
	at s tc filter add dev s0 ingress prio 9 bpf da obj "$BATS_TEST_TMPDIR/other.o" sec tc
	at s "$SLUICE" attach s0 --match all --local -n "$NAME"
	agent attach s0 --vip 10.9.9.9
	[ "$(answer 10.9.9.9)" = here ]
	at s "$SLUICE" detach "$NAME"
	at s "$SLUICE" attach s0 --match all --local --stack -n "$NAME"
	export SLUICE_RUN_DIR=$BATS_TEST_TMPDIR
	at_bg s "$BATS_TEST_TMPDIR/run.log" "$SLUICE" run -i s0 --workers 1
	tb_wait 10 grep -q '^serving' "$BATS_TEST_TMPDIR/run.log"
	[ "$(answer 10.9.9.9)" = here ]
	expect "$(at s "$SLUICE" workers s0 -i 1ms -j)" '.[0].packets > 20'
	kill "${SPAWNED[-1]}"
	wait "${SPAWNED[-1]}" || true
	at s "$SLUICE" detach "$NAME"
	agent detach
	at s tc filter show dev s0 ingress | grep -q other
	! at s tc filter show dev s0 ingress | grep -q sluice || return 1
}

# A neighbour may not be known as yet, and the first packets wait for it somewhere.
turned_away() { # ADDRESS COUNT
	! answer "$1" && agent show -j | jq -e ".counts.$2 > 0"
}

@test "only from balancers and for VIPs; what is set anew holds at once; detach leaves nothing" {
	wrap 2 6
	agent attach s0 --vip fd09::9 --from fd08::/64
	tb_wait 10 turned_away fd09::9 not_from
	expect "$(agent show -j)" '.counts.gue == 0' '.from == ["fd08::/64"]' '.gue_port == 6080'
	agent attach s0 --vip 10.9.9.9
	run answer fd09::9
	[ "$status" != 0 ]
	expect "$(agent show -j)" '.counts.not_vip > 0' '.counts.gue == 0' '.vips == ["10.9.9.9"]' '.from == ["::/0"]'
	agent attach s0 --vip 10.9.9.9 --vip fd09::9 --gue-port 7000
	run answer fd09::9
	[ "$status" != 0 ]
	agent attach s0 --vip 10.9.9.9 --vip fd09::9 --from fd07::2
	[ "$(answer fd09::9)" = here ]
	expect "$(agent show -j)" '.interfaces == ["s0"]' '.vips | length == 2' '.from == ["fd07::2/128"]'
	agent show | grep -q '^gue port 6080'
	agent detach s0
	expect "$(agent show -j)" '.interfaces == []'
	! at s tc qdisc show dev s0 | grep -q clsact || return 1
	agent detach
	[ ! -e "/sys/fs/bpf/sluice/agent-1/$NAME" ]
}

@test "what is wrong is refused in one line, and changes nothing" {
	refused -2 '--vip or --lb is missing' agent attach s0
	refused -2 'is no address' agent attach s0 --vip 10.9.9.0/33
	refused -2 'is no prefix' agent attach s0 --vip 10.9.9.9 --from 10.0.0.0/33
	refused -2 'is no prefix' agent attach s0 --vip 10.9.9.9 --from 10.0.0.0/
	refused 'no such interface' agent attach nosuch --vip 10.9.9.9
	refused 'there is no agent' agent show
	[ ! -e "/sys/fs/bpf/sluice/agent-1/$NAME" ]
	agent attach s0 --vip 10.9.9.9
	refused 'no such interface' agent attach s0 nosuch --vip 10.9.9.8
	expect "$(agent show -j)" '.vips == ["10.9.9.9"]'
	refused 'has another agent' at s "$SLUICE" agent attach s0 --vip 10.9.9.9 -n "$NAME-b"
	[ ! -e "/sys/fs/bpf/sluice/agent-1/$NAME-b" ]
	refused 'another network namespace' at c "$SLUICE" agent show -n "$NAME"
	refused 'is not there' agent detach lo
	refused 'is not there' agent detach s0 nosuch
	refused 'is not there' agent detach s0 lo
	expect "$(agent show -j)" '.interfaces == ["s0"]'
	agent detach s0 s0
	refused -2 'unknown verb' agent nosuch
	refused -2 'a verb is missing' at s "$SLUICE" agent
}

@test "an interface that cannot be had is left as it was; those that are gone take no room" {
	local i egress='tc filter show dev s1 egress'
	at s ip link add s1 type veth peer name s2
	at s tc qdisc add dev s1 clsact
	compile "$BATS_TEST_TMPDIR/other.o" <<-'END'
		#include <linux/bpf.h>
		#include <bpf/bpf_helpers.h>
		SEC("tc") int other(struct __sk_buff *skb) { return -1; }
		char _license[] SEC("license") = "GPL";
	END
	at s tc filter add dev s1 ingress pref 1 protocol ip bpf da obj "$BATS_TEST_TMPDIR/other.o" sec tc
	refused 's1: no filter of tc' agent attach s0 s1 --vip 10.9.9.9
	[ -z "$(at s $egress)" ]
	! at s tc qdisc show dev s0 | grep -q clsact || return 1
	[ ! -e "/sys/fs/bpf/sluice/agent-1/$NAME" ]
	agent attach lo --vip 10.9.9.9
	refused 's1: no filter of tc' agent attach s0 s1 --vip 10.9.9.9
	[ -z "$(at s $egress)" ]
	expect "$(agent show -j)" '.interfaces == ["lo"]'
	agent attach s0 --vip 10.9.9.9
	at s tc filter del dev s0 egress # somebody's hand: the other way is still there
	agent detach
	[ -z "$(at s tc filter show dev s0 ingress)" ]
	for i in {1..32}; do echo "link add c$i type veth peer name d$i"; done | at s ip -batch -
	agent attach c{1..32} --vip 10.9.9.9
	agent attach d{1..32} --vip 10.9.9.9
	for i in {1..32}; do echo "link del c$i"; done | at s ip -batch -
	agent attach s0 --vip 10.9.9.9
	expect "$(agent show -j)" '.interfaces == ["s0"]'
}

@test "an agent whose network namespace is gone is none, and leaves nothing" {
	agent attach s0 --vip 10.9.9.9
	kill "${SPAWNED[@]}"
	wait "${SPAWNED[@]}" || true
	ip netns del "$NAME-s"
	tb_wait 5 eval "! '$SLUICE' agent show -n '$NAME' 2>&1 | grep -q 'another network namespace'"
	refused 'there is no agent' "$SLUICE" agent show -n "$NAME"
	[ ! -e "/sys/fs/bpf/sluice/agent-1/$NAME" ]
}
