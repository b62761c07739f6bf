#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# QUIC through the load balancer: ngtcp2's client, which changes its port and its address in the middle of a connection,
# while servers come and drain and keys change. The servers have their ids in their connection ids (quic_server.c), or
# know nothing of that (ngtcp2's gtlsserver).
load common
load pool

KEY=8f95f09245765f80256934e50c66207f
OTHER=000102030405060708090a0b0c0d0e0f
OLD="{config_id: 2, server_id_length: 2, nonce_length: 14, key: $KEY}" # one block
NEW="{config_id: 5, server_id_length: 9, nonce_length: 7, key: $OTHER}" # as long, so one server can issue both
THREE="{config_id: 0, server_id_length: 1, nonce_length: 9, key: $KEY}" # three passes

setup() {
	needs_root
	[ -x "$E2E/quic_server" ] || skip "quic_server was not built: install libngtcp2-dev and libngtcp2-crypto-gnutls-dev"
	command -v gtlsclient >/dev/null || skip "no gtlsclient: install ngtcp2-client"
	command -v openssl >/dev/null || skip "no openssl"
	cd "$BATS_TEST_TMPDIR" || exit # gtlsserver serves what is here
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout key -out cert -days 2 -subj /CN=localhost 2>/dev/null
}
teardown() { pool_down; }

# serve I ADDRESS SPEC...: server I of the pool
serve() {
	nsenter --net="/run/netns/$NAME-l$1" -- "$E2E/quic_server" "$2" 8443 key cert "s$1" "${@:3}" >"ready-$1-$2" 2>&1 3>&- &
	POOL_SPAWNED+=($!)
	PIDS+=($!)
}
# servers N SPEC...: %d in a spec is the server's number; all of them, both families
servers() {
	local i specs
	PIDS=()
	pool_net "$1"
	for ((i = 1; i <= $1; i++)); do
		# shellcheck disable=SC2059 # a spec is a format
		mapfile -t specs < <(for s in "${@:2}"; do printf "$s\n" "$i"; done)
		serve "$i" "10.7.$i.2" "${specs[@]}"
		serve "$i" "fd07:$i::2" "${specs[@]}"
	done
	tb_wait 10 eval "[ \$(cat ready-* | grep -c ready) = $((2 * $1)) ]"
}

# apply KEEP QUIC SERVER[:STATE]...: the ids of server I are I, and 100 + I for IPv6, quic_id I in both
apply() {
	local keep=$1 quic=$2 i ids from
	shift 2
	{
		printf 'version: 1\nname: %s\ninterfaces: [%s' "$NAME" "${NAME}b0"
		for i in 1 2 3; do printf ', %s' "${NAME}b$i"; done
		printf ']\nvips:\n'
		for v6 in '' 1; do
			from=0
			[ -z "$v6" ] || from=100
			printf '  - {address: "%s", protocol: udp, port: 443, keep: %s' "$([ "$v6" ] && echo fd09::9 || echo 10.9.9.9)" "$keep"
			[ "$keep" != quic ] || printf ', quic: [%s]' "$quic"
			printf ', servers: ['
			for i in "$@"; do
				ids="id: $((from + ${i%:*}))"
				[ "$keep" != quic ] || ids+=", quic_id: ${i%:*}"
				printf '{address: "%s:8443", %s, state: %s},' "$([ "$v6" ] && echo "[fd07:${i%:*}::2]" || echo "10.7.${i%:*}.2")" "$ids" "$(state_of "$i")"
			done
			printf ']}\n'
		done
	} >lb.yaml
	lb apply lb.yaml
}

# clients N OPTION...: each asks once, late in its connection; every fourth over IPv6. Returns when all are connected.
clients() {
	local i n=$1 host
	shift
	for ((i = CLIENTS; i < CLIENTS + n; i++)); do
		host=10.9.9.9
		[ $((i % 4)) != 3 ] || host=fd09::9
		in_pool lc timeout "${LIMIT:-20}" gtlsclient --exit-on-all-streams-close --timeout=8s "$@" "$host" 443 https://localhost/index >"client-$i" 2>&1 3>&- &
		POOL_SPAWNED+=($!)
		ASKING+=($!)
	done
	CLIENTS=$((CLIENTS + n))
	tb_wait 10 eval "[ \$(grep -l 'QUIC handshake has been confirmed\|HANDSHAKE_DONE' client-* | wc -l) = $CLIENTS ]"
}
# answered N: when all clients have ended, as many have got an answer.
answered() {
	local pid
	for pid in "${ASKING[@]}"; do wait "$pid" || true; done
	ASKING=()
	ANSWERED=$(grep -l ':status: 200' client-* | wc -l)
	[ $# = 0 ] || [ "$ANSWERED" = "$1" ] || {
		echo "$ANSWERED of $CLIENTS were answered"
		counts
		return 1
	}
}
CLIENTS=0 ASKING=()
moved() { grep -l 'Path validation against path.*succeeded' client-* | wc -l; }

# The clients' address, too, is another from now on: those that change bind to it.
other_address() {
	in_pool lc ip addr add 10.7.0.3/24 dev "${NAME}e0"
	in_pool lc ip route change default via 10.7.0.1 src 10.7.0.3
}

churn() { # KEEP QUIC
	apply "$1" "$2" 1 2 3
	apply "$1" "$2" 1:drain 2 3
	apply "$1" "$2" 1:drain 2:drain 3
}

@test "clients that change port and address keep their servers while others come and drain" {
	servers 3 "2:%04x:14:$KEY"
	apply quic "$OLD" 1 2
	clients 8 --change-local-addr=1s --delay-stream=2s
	clients 8 --change-local-addr=1s --nat-rebinding --delay-stream=2s
	other_address
	churn quic "$OLD"
	answered 16
	[ "$(moved)" = 8 ]
	grep -q 'local=\[10.7.0.3\]' client-*
	expect "$(counts)" '.quic > 100' '.cid_short == 0' '.drop_no_server == 0'
	# new ones go to the one that is left
	clients 4
	answered 20
	for i in 16 17 18 19; do grep -q '|s3|' "client-$i"; done
}

@test "by the table alone the same breaks connections: the test can tell" {
	servers 3 "2:%04x:14:$KEY"
	apply table '' 1 2
	LIMIT=5 clients 12 --timeout=2s --change-local-addr=500ms --nat-rebinding --delay-stream=1s
	churn table ''
	answered
	[ "$ANSWERED" -lt 8 ]
}

@test "keys change while clients are there" {
	servers 3 "2:%04x:14:$KEY" "5:%018x:7:$OTHER"
	apply quic "$OLD" 1 2 3
	clients 8 --change-local-addr=2s --delay-stream=3s
	apply quic "$OLD, $NEW" 1 2 3
	kill -USR1 "${PIDS[@]}"
	clients 8 --change-local-addr=500ms --delay-stream=1s
	apply quic "$OLD, $NEW" 1:drain 2 3
	answered 16
	apply quic "$NEW" 1:drain 2 3
	clients 4 --change-local-addr=500ms --delay-stream=1s
	apply quic "$NEW" 1:drain 2:drain 3
	answered 20
	[ "$(moved)" = 20 ]
}

@test "three passes of AES, and a server that knows nothing of its id" {
	servers 2 "0:%02x:9:$KEY"
	pool_wire l3 3
	serve 3 10.7.3.2 # connection ids of configuration 7
	serve 3 fd07:3::2
	apply quic "$THREE" 1 2
	clients 6 --change-local-addr=500ms --delay-stream=1500ms
	apply quic "$THREE" 1:drain 2:drain 3
	answered 6
	# by the connection table, as long as they do not move
	clients 6 --delay-stream=1s
	apply quic "$THREE" 1 2 3:drain
	answered 12
	expect "$(counts)" '.cid_no_config > 12' '.table > 12'
}

@test "gtlsserver as it is: by the connection table" {
	local i
	command -v gtlsserver >/dev/null || skip "no gtlsserver: install ngtcp2-server"
	pool_net 3
	echo s >index
	for i in 1 2 3; do
		nsenter --net="/run/netns/$NAME-l$i" -- gtlsserver -q "10.7.$i.2" 8443 key cert >"gtls-$i" 2>&1 3>&- &
		POOL_SPAWNED+=($!)
		nsenter --net="/run/netns/$NAME-l$i" -- gtlsserver -q "fd07:$i::2" 8443 key cert >"gtls6-$i" 2>&1 3>&- &
		POOL_SPAWNED+=($!)
		tb_wait 10 eval "in_pool l$i ss -Hlun | grep -c :8443 | grep -qx 2"
	done
	apply quic "$OLD" 1 2
	clients 12 --delay-stream=1s
	churn quic "$OLD"
	answered 12
	expect "$(counts)" '.table > 24' '.cid_no_config > 24'
}
