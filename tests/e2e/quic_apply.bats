#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# keep: quic in a file: what is taken, refused and changed under it; `sluice lb cid`. quic.bats has the packets.
load common

KEY=8f95f09245765f80256934e50c66207f
OTHER=000102030405060708090a0b0c0d0e0f

teardown() {
	[ ! -e "/run/netns/$NAME-lb" ] || {
		lb remove -n "$NAME" 2>/dev/null || true
		ip netns del "$NAME-lb"
	}
}

net() {
	needs_root
	ip netns add "$NAME-lb"
	at lb ip link set lo up
	at lb sysctl -qw net.ipv4.ip_forward=1
	at lb ip link add a0 type veth peer name a1
	at lb ip link set a0 up
	at lb ip link set a1 up
}

at() { nsenter --net="/run/netns/$NAME-$1" -- "${@:2}"; }
lb() { at lb "$SLUICE" lb "$@"; }

# file QUIC SERVER...: both lists' insides
file() {
	printf 'version: 1\nname: %s\ninterfaces: [a0]\nvips:\n' "$NAME"
	printf '  - address: 10.9.0.1\n    protocol: udp\n    port: 443\n    keep: quic\n    quic: [%s]\n    servers:\n' "$1"
	shift
	printf '      - {%s}\n' "$@"
}
apply() {
	file "$@" >"$BATS_TEST_TMPDIR/lb.yaml"
	lb apply "$BATS_TEST_TMPDIR/lb.yaml"
}
quic() { lb show -n "$NAME" -j | jq -c '.vips[0].quic'; }
# entries: server ids that XDP knows, as id=quic_id
entries() { quic | jq -r '[.servers[] | "\(.id)=\(.quic_id | ltrimstr("0"))" | gsub("=0*"; "=")] | sort | join(" ")'; }
configs() { quic | jq -r '[.configs[].config_id] | join(" ")'; }
one() { printf 'config_id: %s, server_id_length: %s, nonce_length: %s' "$@"; }
check() { "$SLUICE" lb apply --check "$BATS_TEST_TMPDIR/lb.yaml"; }

@test "configurations and server ids come and go by apply" {
	net
	apply "{$(one 0 3 4), key: $KEY}" 'address: "10.8.0.1:443", id: 4' 'address: "10.8.0.2:443", id: 5, quic_id: 0xed793a'
	[ "$(configs)" = 0 ]
	[ "$(entries)" = '4=4 5=ed793a' ]
	apply "{$(one 0 3 4), key: $KEY}, {$(one 6 8 8), key: $OTHER}" 'address: "10.8.0.1:443"' 'address: "10.8.0.2:443", quic_id: 0xed793a' 'address: "10.8.0.3:443"'
	[ "$(configs)" = '0 6' ]
	[ "$(entries)" = '4=4 5=ed793a 6=6' ]
	expect "$(quic)" '.configs[1] == {config_id: 6, server_id_length: 8, nonce_length: 8, encrypted: true}'
	apply "{$(one 6 8 8), key: $OTHER}" 'address: "10.8.0.1:443"' 'address: "10.8.0.3:443"'
	[ "$(configs)" = 6 ]
	[ "$(entries)" = '4=4 6=6' ]
	# the id of one that is gone is free for another
	apply "{$(one 6 8 8), key: $OTHER}" 'address: "10.8.0.1:443"' 'address: "10.8.0.4:443", quic_id: 6'
	expect "$(entries | wc -w)" '. == 2'
	# another way of keeping, and the VIP's end
	sed -i 's/keep: quic/keep: table/; /quic: \[/d; s/, quic_id: 6//' "$BATS_TEST_TMPDIR/lb.yaml"
	lb apply "$BATS_TEST_TMPDIR/lb.yaml"
	expect "$(lb show -n "$NAME" -j)" '.vips[0] | .keep == "table" and (has("quic") | not)'
	apply "$(printf '{%s}' "$(one 1 1 4)")" 'address: "10.8.0.1:443"'
	[ "$(entries)" = '4=4' ]
	printf 'version: 1\nname: %s\ninterfaces: [a0]\nvips: []\n' "$NAME" >"$BATS_TEST_TMPDIR/lb.yaml"
	lb apply "$BATS_TEST_TMPDIR/lb.yaml"
	[ "$(bpftool -j map dump pinned "/sys/fs/bpf/sluice/lb-1/$NAME/lb_quic_servers" | jq length)" = 0 ]
}

@test "what would break connections is refused, and changes nothing" {
	net
	apply "{$(one 0 2 6)}" 'address: "10.8.0.1:443", id: 1' 'address: "10.8.0.2:443", id: 2'
	file "{$(one 0 2 6)}" 'address: "10.8.0.1:443", quic_id: 9' 'address: "10.8.0.2:443"' >"$BATS_TEST_TMPDIR/bad.yaml"
	refused -2 'quic_id: it has another' lb apply "$BATS_TEST_TMPDIR/bad.yaml"
	file "{$(one 0 2 6)}" 'address: "10.8.0.1:443"' 'address: "10.8.0.3:443", quic_id: 1' >"$BATS_TEST_TMPDIR/bad.yaml"
	refused -2 "quic_id: it is another's too" lb apply "$BATS_TEST_TMPDIR/bad.yaml"
	file "{$(one 0 1 6)}" 'address: "10.8.0.1:443"' 'address: "10.8.0.3:443", id: 300' >"$BATS_TEST_TMPDIR/bad.yaml"
	refused -2 'more octets than a server_id_length' lb apply "$BATS_TEST_TMPDIR/bad.yaml"
	[ "$(entries)" = '1=1 2=2' ]
}

# bad LINE QUIC SERVER...: the file is refused with such a line
bad() {
	file "${@:2}" >"$BATS_TEST_TMPDIR/lb.yaml"
	refused -2 "$1" check
}

@test "files that are wrong" {
	local server='address: "10.8.0.1:443", id: 1'
	bad 'quic is missing' '' "$server"
	bad 'write a whole number, 0 to 6' "{$(one 7 2 6)}" "$server"
	bad 'octets, 1 to 15' "{$(one 0 16 4)}" "$server"
	bad 'octets, 4 to 18' "{$(one 0 1 3)}" "$server"
	bad 'are 20 octets together: write 19 or less' "{$(one 0 10 10)}" "$server"
	bad '0 is there twice' "{$(one 0 2 6)}, {$(one 0 2 7)}" "$server"
	bad 'nonce_length is missing' '{config_id: 0, server_id_length: 2}' "$server"
	bad '32 hexadecimal digits' "{$(one 0 2 6), key: 12}" "$server"
	bad 'give all of them a key, or none' "{$(one 0 2 6), key: $KEY}, {$(one 1 2 6)}" "$server"
	bad 'up to 30 hexadecimal digits' "{$(one 0 2 6)}" 'address: "10.8.0.1:443", quic_id: -1'
	bad 'more octets than a server_id_length' "{$(one 0 2 6)}" 'address: "10.8.0.1:443", quic_id: 0x10000'
	bad "is another's too" "{$(one 0 2 6)}" "$server" 'address: "10.8.0.2:443", id: 2, quic_id: 1'
	file "{$(one 0 2 6)}" "$server" | sed 's/protocol: udp/protocol: tcp/' >"$BATS_TEST_TMPDIR/lb.yaml"
	refused -2 'write protocol: udp' check
	file "{$(one 0 2 6)}" "$server" | sed 's/keep: quic/keep: table/' >"$BATS_TEST_TMPDIR/lb.yaml"
	refused -2 'quic is of keep: quic only' check
	file "{$(one 0 2 6)}" "$server, quic_id: 3" | sed 's/keep: quic/keep: table/; /quic: \[/d' >"$BATS_TEST_TMPDIR/lb.yaml"
	refused -2 'quic_id is of keep: quic only' check
}

@test "lb cid writes and reads the draft's connection ids, without a balancer" {
	file "{$(one 0 3 4), key: $KEY}, {$(one 2 8 8), key: $KEY}" 'address: "10.8.0.1:443", quic_id: 0xed793a' \
		'address: "10.8.0.2:443", id: 7, state: down' 'address: "10.8.0.3:443"' >"$BATS_TEST_TMPDIR/lb.yaml"
	cid() { "$SLUICE" lb cid "$BATS_TEST_TMPDIR/lb.yaml" "$@"; }
	expect "$(cid 10.8.0.1:443 -c 0 --nonce ee080dbf)" 'length == 1' '.[0] | .cid == "0720b1d07b359d3c" and .server_id == "ed793a" and .encrypted'
	expect "$(cid 10.8.0.1:443)" 'map(.config_id) == [0, 2]' 'map(.cid | length) == [16, 34]'
	[ "$(cid 10.8.0.1:443)" != "$(cid 10.8.0.1:443)" ]
	for i in 0 2; do
		expect "$(cid -d "$(cid 10.8.0.1:443 -c $i | jq -r '.[0].cid')")" '.[0] | .server == "10.8.0.1:443" and .found == "server"'
	done
	expect "$(cid -d "$(cid 10.8.0.2:443 -c 2 | jq -r '.[0].cid')")" '.[0].found == "down"'
	expect "$(cid -d e1ffffffffffffff)" '.[0] | .found == "no_config" and .config_id == 7'
	expect "$(cid -d 0720b1d07b359d)" '.[0].found == "short"'
	expect "$(cid -d 0720b1d07b359d3d)" '.[0] | .found == "bad" and .server == null'
	refused -2 'gives the server no quic_id' cid 10.8.0.3:443
	refused -2 'write a server, or --decode' cid
	refused -2 'no VIP with keep: quic has that server' cid 10.8.0.9:443
	refused -2 'write 8 digits' cid 10.8.0.1:443 --nonce ff
	refused -2 'is no connection id' cid -d 0x07
}
