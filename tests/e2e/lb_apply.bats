#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# What `sluice lb apply` and `set` make of a file: there is no way to the servers, or nobody listens there.
load common

setup() {
	needs_root
	ip netns add "$NAME-lb"
	at lb ip link set lo up
	at lb sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
	at lb ip link add a0 type veth peer name a1
	at lb ip link set a0 up
	at lb ip link set a1 up
}

teardown() {
	local ns
	lb remove -n "$NAME" 2>/dev/null || true
	for ns in lb other; do [ ! -e "/run/netns/$NAME-$ns" ] || ip netns del "$NAME-$ns"; done
}

at() { nsenter --net="/run/netns/$NAME-$1" -- "${@:2}"; }
lb() { at lb "$SLUICE" lb "$@"; }

# All of 10.8.0.0/21 is a host that says at once that nobody listens.
refusing() {
	ip netns add "$NAME-other"
	at lb ip link set a1 netns "$NAME-other"
	at lb ip addr add 10.8.9.1/16 dev a0
	at other ip link set lo up
	at other ip addr add 10.8.9.2/16 dev a1
	at other ip link set a1 up
	at other ip route add local 10.8.0.0/21 dev lo
}

# file VIP...: each the inside of a mapping
file() {
	printf 'version: 1\nname: %s\ninterfaces: [a0]\nvips:\n' "$NAME"
	[ $# = 0 ] || printf '  - {protocol: udp, %s}\n' "$@"
}
apply() {
	file "$@" >"$BATS_TEST_TMPDIR/lb.yaml"
	lb apply "$BATS_TEST_TMPDIR/lb.yaml"
}
state() { lb show -n "$NAME" -j | jq -S 'del(.counts) | del(.. | .clock?, .packets?, .bytes?)'; }
# answers ADDRESS PORT: the server whose answers come from there, or "none"; the pin is read by the map's own types.
answers() {
	bpftool -j map dump pinned "/sys/fs/bpf/sluice/lb-1/$NAME/lb_reverse" |
		jq -r --argjson a "$(at lb python3 -c "import socket,struct,sys; print(struct.unpack('=I', socket.inet_aton(sys.argv[1]))[0])" "$1")" \
			--argjson p "$(python3 -c "import socket,sys; print(socket.htons(int(sys.argv[1])))" "$2")" \
			'[.[].formatted | select(.key.addr[3] == $a and .key.port == $p) | .value.vip] | if . == [] then "none" else .[0] end'
}

@test "a server that moves to another VIP, or is written otherwise, keeps its answers" {
	apply 'address: 10.9.0.1, port: 53, servers: [{address: "10.8.0.1:53"}]' 'address: 10.9.0.2, port: 53, servers: []'
	[ "$(answers 10.8.0.1 53)" = 0 ]
	apply 'address: 10.9.0.2, port: 53, servers: [{address: "10.8.0.1:53"}]' 'address: 10.9.0.1, port: 53, servers: []'
	[ "$(answers 10.8.0.1 53)" = 1 ]
	apply 'address: 10.9.0.1, port: 53, servers: [{address: "10.8.0.1:53"}]'
	[ "$(answers 10.8.0.1 53)" = 0 ]
	apply 'address: 10.9.0.1, port: 53, servers: [{address: 10.8.0.1}]'
	[ "$(answers 10.8.0.1 53)" = 0 ]
	apply 'address: 10.9.0.1, port: 53, servers: []'
	[ "$(answers 10.8.0.1 53)" = none ]
}

@test "CPUs are told of each change of a VIP: they remember those that they have seen" {
	generation() { bpftool -j map dump pinned "/sys/fs/bpf/sluice/lb-1/$NAME/lb_control" | jq '.[0].formatted.value.generation'; }
	local first second
	apply 'address: 10.9.0.1, port: 53, servers: []' 'address: 10.9.0.2, port: 53, servers: []'
	first=$(generation)
	apply 'address: 10.9.0.1, port: 53, keep: none, servers: []' 'address: 10.9.0.2, port: 53, servers: []'
	second=$(generation)
	[ "$second" -gt "$first" ]
	apply 'address: 10.9.0.1, port: 53, keep: none, servers: []'
	[ "$(generation)" -gt "$((second + 2))" ] # the one that stays is written again: two; and the one that goes
}

@test "what cannot be applied is found out before anything changes" {
	local i before bad=$BATS_TEST_TMPDIR/bad.yaml one='protocol: tcp, address: 10.9.0.1, port: 80'
	tcp() { file "$@" | sed 's/protocol: udp, //'; }
	tcp "$one, servers: [{address: \"10.8.0.1:80\"}, {address: \"10.8.0.2:80\", id: 0}]" >"$BATS_TEST_TMPDIR/lb.yaml"
	refusing
	at lb ip link add b0 type veth peer name a1
	at lb ip link set a1 up
	at lb ip addr add 10.8.0.3/32 dev lo
	lb apply "$BATS_TEST_TMPDIR/lb.yaml" 2>/dev/null
	expect "$(lb show -n "$NAME" -j)" '[.vips[0].servers[].address] == ["10.8.0.2:80", "10.8.0.1:80"]'
	before=$(state)
	tcp "$one, cookie_bits: 10, servers: []" >"$bad"
	refused -2 'cookie_bits: it has 9' lb apply "$bad"
	tcp "$one, keep: table, servers: []" >"$bad"
	refused -2 'keep: it is cookie' lb apply "$bad"
	tcp "$one, keep: slot, servers: []" >"$bad"
	refused -2 'keep: it is cookie' lb apply "$bad"
	tcp "$one, keep: slot, cookie_bits: 10, servers: []" >"$bad"
	refused -2 'with keep: slot it is 9' lb apply --check "$bad"
	tcp "$one, servers: []" 'address: 10.9.0.1, port: 81, keep: slot, servers: []' | sed 's/^vips/slots: 1000\nvips/' >"$bad"
	refused -2 'slots: it has 262144' lb apply "$bad"
	tcp "$one, servers: [{address: \"10.8.0.9:80\", id: 0}]" >"$bad"
	refused -2 "id: 0 is another server's" lb apply "$bad"
	tcp "$one, servers: [{address: \"10.8.0.9:80\", id: 256}]" >"$bad"
	refused -2 'servers[0]: id: cookie_bits: 9 ends at 255' lb apply --check "$bad"
	tcp "$one, servers: []" | sed 's/\[a0\]/[a0, nosuch]/' >"$bad"
	refused 'interfaces: nosuch' lb apply "$bad"
	at lb sysctl -qw net.ipv4.conf.a1.forwarding=0
	tcp "$one, servers: []" | sed 's/\[a0\]/[a0, a1]/' >"$bad"
	refused 'a1 does not forward' lb apply "$bad"
	tcp "$one, select: turn, keep: none, servers: []" >"$bad"
	refused -2 'write select: hash' lb apply --check "$bad"
	tcp "$one, select: core, servers: []" >"$bad"
	refused -2 'sign their reports by the secret' lb apply --check "$bad"
	tcp "$one, select: core, candidates: 9, servers: []" >"$bad"
	refused -2 'write 1 to 8' lb apply --check "$bad"
	tcp 'address: 10.9.0.1, servers: [{address: "10.8.0.1:80"}]' >"$bad"
	refused -2 "leave the servers' ports out" lb apply --check "$bad"
	tcp "$one, servers: []" | sed 's/^name: .*/name: a.b/' >"$bad"
	refused -2 'letters, digits, dashes, underscores' lb apply --check "$bad"
	tcp "$one, select: awrr, metric: cpu, servers: []" >"$bad"
	refused -2 'metric: cpu: servers sign' lb apply --check "$bad"
	tcp "$one, keep: agent, servers: [{address: 10.8.0.1}]" | sed 's/^vips/secret: 00112233445566778899aabbccddeeff\nvips/' >"$bad"
	refused -2 'server 10.8.0.1: id is missing' lb apply --check "$bad"
	tcp "$one, servers: [{address: 10.8.0.1}, {address: \"10.8.0.1:80\"}]" >"$bad"
	refused -2 '10.8.0.1:80 is there twice: remove one' lb apply --check "$bad"
	# any port, and one of them: whose is an answer from there? Of one address it is that port's.
	local any='address: 10.9.0.2, servers: [{address: 10.8.0.1}]'
	for i in "$one, servers: [{address: 10.8.0.1}]" 'address: 10.9.0.2, port: 80, servers: [{address: "10.8.0.1:81"}]'; do
		tcp "$any" "$i" >"$bad"
		refused -2 'and of a VIP with port any: give it another address for one of them' lb apply --check "$bad"
		tcp "$i" "$any" >"$bad"
		refused -2 'and of a VIP with port any: give it another address for one of them' lb apply --check "$bad"
	done
	tcp "$any" "${one/0.1,/0.2,}, servers: [{address: 10.8.0.1}]" "$one, servers: [{address: 10.8.0.2}]" >"$bad"
	lb apply --check "$bad"
	file "$any" >"$bad" # of UDP
	echo "  - {$one, servers: [{address: 10.8.0.1}]}" >>"$bad"
	lb apply --check "$bad"
	tcp "$one, servers: [{address: \"10.9.0.1:81\"}]" >"$bad"
	refused -2 "servers[0]: address: it is the VIP's" lb apply --check "$bad"
	for i in 0.0.0.0 127.0.0.1 224.0.0.1 255.255.255.255 :: ::1 ::1.2.3.4 ::ffff:1.2.3.4 fe80::1 ff02::1; do
		tcp "address: \"$i\", port: 80, servers: []" >"$bad"
		refused -2 "address: \"$i\" is no host's" lb apply --check "$bad"
		tcp "$one, forward: ipip, servers: [{address: \"$i\"}]" >"$bad"
		refused -2 "servers[0].address: \"$i\" is no host's" lb apply --check "$bad"
	done
	tcp 'address: 10.8.0.3, port: 80, servers: []' >"$bad"
	refused -2 "VIP 10.8.0.3: address: it is this host's own" lb apply "$bad"
	tcp "$one, servers: [{address: 10.8.0.3}]" >"$bad"
	refused -2 'server 10.8.0.3: it is an address of this host' lb apply "$bad"
	tcp "$one, port: +80, servers: []" | sed 's/port: 80, //' >"$bad"
	refused -2 'write 1 to 65535, or any' lb apply --check "$bad"
	compile "$BATS_TEST_TMPDIR/pass.o" <<-'END'
		#include <linux/bpf.h>
		#include <bpf/bpf_helpers.h>
		SEC("xdp") int pass(struct xdp_md *ctx) { return XDP_PASS; }
		char _license[] SEC("license") = "GPL";
	END
	at lb sysctl -qw net.ipv4.conf.a1.forwarding=1
	at lb ip link set dev a1 xdp obj "$BATS_TEST_TMPDIR/pass.o" sec xdp
	tcp "$one, servers: []" | sed 's/\[a0\]/[a0, a1]/' >"$bad"
	refused 'interfaces: a1 carries the XDP program' lb apply "$bad"
	refused -2 '32 hexadecimal digits' lb rotate -n "$NAME" --secret 00000000000000000000000000000000
	for i in '' a.b a/b; do refused -2 'name' lb show -n "$i"; done
	tcp "$one, servers: []" | sed 's/^name: .*/secret: 00000000000000000000000000000000/' >"$bad"
	refused -2 '32 hexadecimal digits' lb apply --check "$bad"
	diff <(echo "$before") <(state)
}

@test "what would mean nothing beside the other settings is refused, and named" {
	local settings bad=$BATS_TEST_TMPDIR/bad.yaml top='' secret='secret: 000102030405060708090a0b0c0d0e0f'
	vip() { file "port: 80, servers: [], $1" | sed "s/protocol: udp, /address: 10.9.0.1, /; s/^vips/$top\nvips/" >"$bad"; }
	idle() { # PART SETTINGS
		vip "$2"
		refused -2 "$1 only: write that, or leave it out" lb apply --check "$bad"
	}
	fine() {
		vip "$1"
		lb apply --check "$bad"
	}
	idle 'candidates is of select: core' 'candidates: 2'
	idle 'metric is of select: awrr, least and pow2' 'metric: packets'
	for settings in 'keep: table' 'keep: none' 'forward: l2' 'protocol: udp'; do
		idle 'cookie_bits is of TCP with keep: cookie or agent' "cookie_bits: 9, $settings"
	done
	idle 'check.path is of check.type: http' 'check: {path: /up}'
	idle 'check.host is of check.type: http' 'protocol: udp, check: {type: udp, send: a, host: b}'
	idle 'check.status is of check.type: http' 'check: {type: tcp, status: 200}'
	idle 'check.send is of check.type: udp' 'check: {type: http, send: a}'
	idle 'check.expect is of check.type: udp' 'check: {expect: a}'
	fine 'check: {type: off, path: /up, interval: 1s}'
	fine 'check: {type: http, port: 81}, cookie_bits: 16'
	top='slots: 1000'
	idle 'slots is of TCP with keep: slot' ''
	idle 'slots is of TCP with keep: slot' 'keep: slot, protocol: udp'
	fine 'keep: slot, cookie_bits: 9'
	top='refill: 1s'
	idle 'refill is of select: awrr, least and pow2' 'select: turn'
	fine 'select: least, metric: bytes'
	top="$secret\\nreports: 10.9.0.5"
	idle 'reports is of select: core and metric: cpu' 'select: awrr'
	fine 'select: pow2, metric: cpu'
	fine 'select: core, candidates: 2'
	printf 'version: 1\ninterfaces: [a0]\nslots: 512\nrefill: 1s\nvips: []\n' >"$bad" # none as yet
	lb apply --check "$bad"
}

@test "who comes does not begin with the counts of who had its id" {
	local map i ones=()
	for ((i = 0; i < 56; i++)); do ones+=("$((i % 8 == 0))"); done
	apply 'address: 10.9.0.1, port: 53, servers: [{address: 10.8.0.1, id: 1}]'
	for map in 'lb_vip_stats key 0' 'lb_server_stats key 1'; do
		# shellcheck disable=SC2086 # words
		bpftool map update pinned "/sys/fs/bpf/sluice/lb-1/$NAME/"$map 0 0 0 value "${ones[@]}"
	done
	apply 'address: 10.9.0.1, port: 53, servers: [{address: 10.8.0.1, id: 1}]'
	expect "$(lb show -n "$NAME" -j)" '.vips[0] | .packets > 0 and .servers[0].packets > 0'
	file >"$BATS_TEST_TMPDIR/lb.yaml"
	sed -i 's/^vips:$/vips: []/' "$BATS_TEST_TMPDIR/lb.yaml"
	lb apply "$BATS_TEST_TMPDIR/lb.yaml"
	apply 'address: 10.9.0.2, port: 53, servers: [{address: 10.8.0.2, id: 1}]'
	expect "$(lb show -n "$NAME" -j)" '.vips[0] | .packets == 0 and .servers[0].packets == 0'
}

# ids that rows of the first VIP name
dealt() {
	local id
	id=$(bpftool -j map lookup pinned "/sys/fs/bpf/sluice/lb-1/$NAME/lb_tables" key 0 0 0 0 |
		python3 -c 'import json, sys; print(int.from_bytes(bytes(int(b, 16) for b in json.load(sys.stdin)["value"]), sys.byteorder))')
	bpftool -j map lookup id "$id" key 0 0 0 0 | python3 -c '
import json, struct, sys
value = bytes(int(b, 16) for b in json.load(sys.stdin)["value"])
print(*sorted(set(struct.unpack("=65536H", value[:131072]))))'
}

@test "a server that goes without being drained first has no row left" {
	apply 'address: 10.9.0.1, port: 53, servers: [{address: 10.8.0.1, id: 1}, {address: 10.8.0.2, id: 2}]'
	[ "$(dealt)" = "1 2" ]
	apply 'address: 10.9.0.1, port: 53, servers: [{address: 10.8.0.2, id: 2}]'
	[ "$(dealt)" = 2 ]
}

@test "an id that was given back rests for as long as there are others, all used or not" {
	local list='' i seen=''
	tcp() { apply "$@" 2>/dev/null; }
	apply() {
		file "$@" | sed 's/protocol: udp, //' >"$BATS_TEST_TMPDIR/lb.yaml"
		lb apply "$BATS_TEST_TMPDIR/lb.yaml"
	}
	refusing
	for i in {1..126}; do list+="{address: 10.8.0.$i}, "; done
	tcp "address: 10.9.0.1, port: 80, cookie_bits: 8, servers: [$list]"
	for i in 201 202 203 204 205 206; do # cookies of 8 bits have 128
		tcp "address: 10.9.0.1, port: 80, cookie_bits: 8, servers: [{address: 10.8.0.$i}]"
		seen+="$(lb show -n "$NAME" -j | jq '.vips[0].servers[0].id') "
	done
	[ "$seen" = "126 127 0 1 2 3 " ] || { echo "$seen"; false; }
}

@test "a secret before that is not the one in force would end what has its cookies" {
	local a=000102030405060708090a0b0c0d0e0f b=101112131415161718191a1b1c1d1e1f c=202122232425262728292a2b2c2d2e2f
	secret() { # SECRET PHASE [BEFORE]
		file 'address: 10.9.0.1, port: 53, servers: []' |
			sed "s/^vips/secret: $1\nsecret_phase: $2\n${3:+secret_before: $3\n}vips/" >"$BATS_TEST_TMPDIR/lb.yaml"
		lb apply "$BATS_TEST_TMPDIR/lb.yaml"
	}
	keys() { bpftool -j map dump pinned "/sys/fs/bpf/sluice/lb-1/$NAME/lb_control" | jq -c '.[0].formatted.value | [.key, .phase]'; }
	secret $b 1 $a # who starts late knows both
	lb remove -n "$NAME"
	secret $a 0 $b # the next one is known before it is used
	local before
	before=$(keys)
	refused -2 'secret_before: another secret is in force' secret $b 1 $c
	[ "$(keys)" = "$before" ]
	secret $b 1 $a
	secret $b 1 $c # its time is over
	secret $c 0
	refused -2 'secret_before: another secret is in force' secret $a 1 $b
	refused -2 'secret_before: it is the secret' secret $a 1 $a
	lb remove -n "$NAME"
	for before in $a $b; do # without a phase it turns by itself
		file 'address: 10.9.0.1, port: 53, servers: []' | sed "s/^vips/secret: $before\nvips/" >"$BATS_TEST_TMPDIR/lb.yaml"
		lb apply "$BATS_TEST_TMPDIR/lb.yaml"
	done
	before=$(keys)
	secret $b 1 $a
	[ "$(keys)" = "$before" ]
}

@test "set changes what it is told, and finds a server with its VIP's port" {
	apply 'address: 10.9.0.1, port: 53, servers: [{address: 10.8.0.1, state: drain}, {address: 10.8.0.2}]'
	lb set -n "$NAME" 10.8.0.1 -w 7
	expect "$(lb show -n "$NAME" -j)" '.vips[0].servers[0] | .weight == 7 and .state == "drain"'
	lb set -n "$NAME" 10.8.0.1:53 -s up
	expect "$(lb show -n "$NAME" -j)" '.vips[0].servers[0] | .weight == 7 and .state == "up"'
	refused -2 'say --state' lb set -n "$NAME" 10.8.0.1
	refused 'no such server' lb set -n "$NAME" 10.8.0.1:54 -s up
}

@test "two thousand servers are no matter of minutes; a pin that is lost is no balancer's end" {
	local list i
	for ((i = 0; i < 2000; i++)); do list+="{address: 10.8.$((i / 250)).$((i % 250 + 1))}, "; done
	SECONDS=0
	apply "address: 10.9.0.1, port: 53, servers: [$list]"
	apply "address: 10.9.0.1, port: 53, servers: [$list]"
	lb show -n "$NAME" -j >"$BATS_TEST_TMPDIR/show"
	[ "$SECONDS" -lt 10 ]
	expect "$(jq '.vips[0].servers | length' "$BATS_TEST_TMPDIR/show")" '. == 2000'
	rm "/sys/fs/bpf/sluice/lb-1/$NAME/lb_ports"
	apply 'address: 10.9.0.1, port: 53, servers: [{address: 10.8.0.1}]'
	[ "$(at lb bpftool -j net show | jq '[.[].xdp[] | select(.devname == "a0")] | length')" = 1 ]
	[ "$(at lb ip -j -d link show a0 | jq '.[0].xdp.prog.id')" = "$(bpftool -j prog show pinned "/sys/fs/bpf/sluice/lb-1/$NAME/sluice_lb" | jq .id)" ]
}

@test "more servers than a process may have files are all probed" {
	local list i pid
	refusing
	at other sysctl -qw net.core.somaxconn=4096
	at other python3 -c '
import socket
s = socket.create_server(("0.0.0.0", 8080), backlog=4096)
while True:
	s.accept()' 3>&- &
	pid=$!
	tb_wait 5 at lb bash -c 'exec 3<>/dev/tcp/10.8.0.1/8080'
	for ((i = 0; i < 300; i++)); do list+="{address: \"10.8.$((i / 250)).$((i % 250 + 1)):8080\"}, "; done
	file "address: 10.9.0.1, port: 80, cookie_bits: 10, servers: [$list]" | sed 's/protocol: udp, //' >"$BATS_TEST_TMPDIR/lb.yaml"
	(ulimit -n 256 && lb apply "$BATS_TEST_TMPDIR/lb.yaml") 2>"$BATS_TEST_TMPDIR/err"
	kill "$pid"
	wait "$pid" || true
	! grep -m 3 "does not answer" "$BATS_TEST_TMPDIR/err" || { grep -c "does not answer" "$BATS_TEST_TMPDIR/err"; false; }
}

@test "nothing stays of more interfaces than a file has room for, nor of those that are gone" {
	local i
	names() { for i in 0 1 2 3 4 5 6 7; do printf '%s%s, ' "$1" "$i"; done; }
	many() { printf 'version: 1\nname: %s\ninterfaces: [%s]\nvips: []\n' "$NAME" "$*" >"$BATS_TEST_TMPDIR/lb.yaml"; }
	for i in 0 1 2 3 4 5 6 7; do at lb ip link add "c$i" type veth peer name "d$i"; done
	many "$(names c)"
	lb apply "$BATS_TEST_TMPDIR/lb.yaml"
	many "$(names d)"
	lb apply "$BATS_TEST_TMPDIR/lb.yaml"
	expect "$(lb show -n "$NAME" -j)" '.interfaces | length == 16'
	for i in 0 1 2 3 4 5 6 7; do at lb ip link del "c$i"; done
	many a0
	lb apply "$BATS_TEST_TMPDIR/lb.yaml"
	expect "$(lb show -n "$NAME" -j)" '.interfaces == ["a0"]'
	[ "$(find "/sys/fs/bpf/sluice/lb-1/$NAME" -name 'link-*' | wc -l)" = 1 ]
	for i in 0 1 2 3 4 5 6 7; do at lb ip link add "c$i" type veth peer name "d$i"; done
	many "$(names c)"
	lb apply "$BATS_TEST_TMPDIR/lb.yaml"
	many "$(names d)"
	lb apply "$BATS_TEST_TMPDIR/lb.yaml"
	lb remove -n "$NAME"
	[ ! -e "/sys/fs/bpf/sluice/lb-1/$NAME" ]
	at lb ip -j -d link show | jq -e 'all(.xdp == null)'
}

@test "in another network namespace the name is somebody else's" {
	apply 'address: 10.9.0.1, port: 53, servers: []'
	ip netns add "$NAME-other"
	elsewhere() { nsenter --net="/run/netns/$NAME-other" -- "$SLUICE" lb "$@"; }
	refused -2 'is in another network namespace' elsewhere apply "$BATS_TEST_TMPDIR/lb.yaml"
	refused -2 'is in another network namespace' elsewhere show -n "$NAME"
	refused -2 'is in another network namespace' elsewhere remove -n "$NAME"
	at lb ip link del a0
	ip netns del "$NAME-lb" # and nobody is there any more
	tb_wait 5 elsewhere remove -n "$NAME"
	[ ! -e "/sys/fs/bpf/sluice/lb-1/$NAME" ]
	ip netns del "$NAME-other"
}
