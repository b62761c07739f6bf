# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# wires.bash - a chain of NFs as a wire between two interfaces of the generator, the kernel as another one, and
# captures and real connections through them. On top of common.bash.

CHECK=$E2E/natcheck

# In place of a test's teardown: tb_down, and what is made here.
wires_down() {
	local ns
	for ns in nft in out; do
		[ ! -e "/run/netns/$NAME-$ns" ] || ip netns del "$NAME-$ns"
	done
	tb_down
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

# The kernel as a router in a namespace of its own, on the generator's pair 2 and 3: what comes from one goes out of
# the other.
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
		ip link set lo up # without an address there is no table of local ones, and no gateway is valid
		ip rule add iif ${NAME}d2 lookup 103
		ip rule add iif ${NAME}d3 lookup 102
		ip rule del lookup local
		ip rule add lookup local prio 1000
		for i in 2 3; do
			ip neigh add 192.0.2.\$i lladdr 02:5c:00:00:00:2\$i nud permanent dev ${NAME}d\$i
			ip route add default via 192.0.2.\$i dev ${NAME}d\$i onlink table 10\$i
		done
	EOF
}

# conntrack of a namespace exists once a rule asks for it
kernel_liberal() {
	nsenter --net="/run/netns/$KERNEL" -- \
		sysctl -qw net.netfilter.nf_conntrack_tcp_be_liberal=1 net.netfilter.nf_conntrack_checksum=0
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

# A server outside, hosts inside; the wire between the two interfaces knows neither ARP nor routes.
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
