#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# nat44 on real captures beside the kernel's own NAT on the same packets, and on real TCP connections while buckets
# move.
load common

EXT=203.0.113.8
CHECK=$E2E/natcheck

setup() { needs_root; }
teardown() {
	local ns
	for ns in nft in out; do
		[ ! -e "/run/netns/$NAME-$ns" ] || ip netns del "$NAME-$ns"
	done
	tb_down
}

# The kernel as NAT in a namespace of its own, on the generator's pair 2 and 3.
kernel_up() {
	local i
	command -v nft >/dev/null || skip "no nft: install nftables"
	KERNEL=$NAME-nft
	ip netns del "$KERNEL" 2>/dev/null || true
	ip netns add "$KERNEL"
	for i in 2 3; do
		ip link add "${NAME}g$i" netns "$NAME-gen" mtu 1600 type veth peer name "${NAME}d$i" netns "$KERNEL"
		nsenter --net="/run/netns/$NAME-gen" -- ethtool -K "${NAME}g$i" tx off gro off >/dev/null
		nsenter --net="/run/netns/$KERNEL" -- ethtool -K "${NAME}d$i" tx off gro off >/dev/null
		nsenter --net="/run/netns/$NAME-gen" -- sysctl -qw "net.ipv6.conf.${NAME}g$i.disable_ipv6=1"
		ip -n "$NAME-gen" link set "${NAME}g$i" up
		ip -n "$KERNEL" link set "${NAME}d$i" mtu 1600 address "02:5c:00:00:00:1$i" up
	done
	nsenter --net="/run/netns/$KERNEL" -- sh -e <<-EOF
		sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0 \
			net.ipv4.conf.${NAME}d2.rp_filter=0 net.ipv4.conf.${NAME}d3.rp_filter=0
		ip addr add $EXT/32 dev ${NAME}d3
		# whatever comes from one side goes out of the other
		ip rule add iif ${NAME}d2 lookup 103
		ip rule add iif ${NAME}d3 lookup 102
		ip rule del lookup local
		ip rule add lookup local prio 1000
		ip rule add iif ${NAME}d3 to $EXT lookup local prio 1
		for i in 2 3; do
			ip neigh add 192.0.2.\$i lladdr 02:5c:00:00:00:2\$i nud permanent dev ${NAME}d\$i
			ip route add default via 192.0.2.\$i dev ${NAME}d\$i onlink table 10\$i
		done
		nft add table ip nat
		nft 'add chain ip nat out { type nat hook postrouting priority 100; }'
		nft add rule ip nat out oifname ${NAME}d3 snat to $EXT fully-random
		sysctl -qw net.netfilter.nf_conntrack_tcp_be_liberal=1 net.netfilter.nf_conntrack_checksum=0
	EOF
}

# through FROM TO FILE OUT: play FILE into one interface of the generator, record at another.
through() {
	local pid sent
	# not by a function: its shell would be what is killed
	nsenter --net="/run/netns/$NAME-gen" -- tcpdump -Z root -i "${NAME}g$2" -Q in -w "$4" -U --immediate-mode -B 16384 ip 2>"$4.log" 3>&- &
	pid=$!
	tb_wait 5 grep -q listening "$4.log"
	sent=$(tb_gen "$SLUICE" gen "${NAME}g$1" --pcap "$3" --rate 4000 -j | jq .sent)
	[ "$sent" -gt 0 ]
	sleep 0.5
	kill "$pid"
	wait "$pid" || true
}

# nat_of WHO INSIDE OUTSIDE: out with the prepared capture and back with the answers; what came through, judged.
nat_of() {
	local dir=$BATS_TEST_TMPDIR/$1
	mkdir "$dir"
	"$CHECK" prepare "$FILE" "$dir/sent.pcap" "02:5c:00:00:00:1$2"
	through "$2" "$3" "$dir/sent.pcap" "$dir/out.pcap"
	"$CHECK" out "$dir/sent.pcap" "$dir/out.pcap" "$EXT" >"$dir/out"
	"$CHECK" answer "$dir/out.pcap" "$dir/answers.pcap" "02:5c:00:00:00:1$3"
	through "$3" "$2" "$dir/answers.pcap" "$dir/back.pcap"
	"$CHECK" back "$dir/sent.pcap" "$dir/back.pcap" "$EXT" >"$dir/back"
}

sluice_up() { # NF ARGS...
	local i
	tb_up "$NAME" 1 2
	for i in 0 1; do
		ip -n "$NAME-gen" link set "${NAME}g$i" mtu 1600
		ip -n "$NAME-dut" link set "${NAME}d$i" mtu 1600
	done
	tb_s attach "$TB_D" "${NAME}d1" --match all --local
	tb_spawn run "$SLUICE" run -i "$TB_D" -i "${NAME}d1" --workers 2 --max-workers 3 --ring 8192 --nf "$@"
	tb_wait 20 grep -q '^serving' "$TB_RUN/run.log"
}

@test "a capture out and back: each packet that nftables translates, to the bit" {
	FILE=$BATS_TEST_TMPDIR/made.pcap
	"$E2E/mkpcap" "$FILE"
	[ ! -e "$CAPTURES/mixed-4096pkt-1006flow.pcap" ] || FILE=$CAPTURES/mixed-4096pkt-1006flow.pcap
	sluice_up "nat44:$EXT,forward"
	nat_of sluice 0 1
	losses_hold '.nf_drop_total == 0'
	kernel_up
	nat_of kernel 2 3
	cd "$BATS_TEST_TMPDIR"
	for i in sluice/out sluice/back; do
		[ "$(tail -n 1 $i)" = "0 wrong" ]
		[ "$(wc -l <$i)" -gt 1000 ]
	done
	cmp sluice/out sluice/back
	# whatever nftables lets through; it holds back, or leaves as it is, what begins in the middle of a connection
	[ "$(tail -n 1 kernel/out | cut -d' ' -f1)" -lt 100 ]
	for i in out back; do
		[ "$(wc -l <kernel/$i)" -gt 1000 ]
		[ -z "$(comm -23 <(head -n -1 kernel/$i | sort) <(head -n -1 sluice/$i | sort))" ]
	done
}

# A web server outside, hosts inside; the wire between the two interfaces knows neither ARP nor routes.
hosts_up() {
	local i
	for i in in out; do
		ip netns del "$NAME-$i" 2>/dev/null || true
		ip netns add "$NAME-$i"
	done
	ip -n "$NAME-gen" link set "${NAME}g0" netns "$NAME-in"
	ip -n "$NAME-gen" link set "${NAME}g1" netns "$NAME-out"
	for i in in:g0:10.1.0.2 out:g1:192.0.2.9; do
		nsenter --net="/run/netns/$NAME-${i%%:*}" -- sh -e <<-EOF
			dev=$NAME$(cut -d: -f2 <<<"$i")
			ip addr add ${i##*:}/32 dev \$dev
			ip link set lo up
			ip link set \$dev up
			ethtool -K \$dev tx off gro off >/dev/null
			ip neigh add 192.0.2.254 lladdr 02:5c:00:00:00:$([ "${i%%:*}" = in ] && echo 03 || echo 01) \
				nud permanent dev \$dev
			ip route add default via 192.0.2.254 dev \$dev onlink
		EOF
	done
}

listens() { nsenter --net="/run/netns/$NAME-out" -- ss -Hltn 'sport = :8000' | grep -q LISTEN; }

@test "real TCP connections through nat44 while buckets move at random: none is broken" {
	sluice_up "nat44:$EXT,forward"
	hosts_up
	nsenter --net="/run/netns/$NAME-out" -- "$E2E/connections" serve 192.0.2.9 8000 3>&- &
	SERVER=$!
	tb_wait 10 listens
	nsenter --net="/run/netns/$NAME-dut" -- "$E2E/mover" "$TB_D" -d 8 -r 20000 >"$BATS_TEST_TMPDIR/mover.json" 3>&- &
	MOVER=$!
	nsenter --net="/run/netns/$NAME-in" -- "$E2E/connections" call 192.0.2.9 8000 200 7 >"$BATS_TEST_TMPDIR/calls"
	wait "$MOVER"
	kill "$SERVER"
	cat "$BATS_TEST_TMPDIR/calls" "$BATS_TEST_TMPDIR/mover.json"
	expect "$(cat "$BATS_TEST_TMPDIR/calls")" '.broken == 0' '.connections > 1000' ".peer_was == \"$EXT\""
	expect "$(cat "$BATS_TEST_TMPDIR/mover.json")" '.unfinished == 0' '.asked > 10000'
	losses_hold '.nf_drop_total == 0'
	expect "$(tb_s nf "$TB_D" -j)" '.[0] | .no_port == 0 and .made >= 1000' \
		'.[0] | .mappings == (.states | add)'
}
