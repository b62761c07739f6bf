# shellcheck shell=bash
# shellcheck disable=SC2034 # set here for those who source this file
# SPDX-License-Identifier: GPL-2.0-or-later
# fleet.sh - sourced by demo, bench and tests after testbed.sh: clients, two balancers and nginx servers, each in a
# network namespace, every server with a TCP clock of its own (tests/e2e/clock_shim.bpf.c).
#
#   c - in = b1, b2 = out - s1, s2, ...      `in` deals to the VIP, and `out` to the clients, by the hash of the ports
#
# Clients are 10.20.0.0/24, server i is 10.30.i.2:8080, the VIP 10.9.9.9:80; the directions of a connection may pass
# different balancers.
#
#   fleet_up PREFIX SERVERS            namespaces PREFIX-c, PREFIX-in, ...; FLEET_RUN is a folder for files
#   fleet_at NAMESPACE CMD...          run there
#   fleet_apply BALANCER [I[:STATE]]...  its servers, and their states; FLEET_KEEP, FLEET_BITS: of the VIP;
#                                      FLEET_SECRET, FLEET_BEFORE and FLEET_PHASE: secrets
#   fleet_routes BALANCER...           those that routes lead to
#   fleet_die BALANCER                 its cables are pulled, routes follow
#   fleet_revive BALANCER [I[:STATE]]...  another takes its place, which knows nothing
#   fleet_wrk NAME CONNECTIONS SECONDS [close]  a load, in the background; NAME.json is what became of it
#   fleet_down

FLEET_VIP=10.9.9.9
FLEET_SECRET=000102030405060708090a0b0c0d0e0f
FLEET_PARTS=$TB_ROOT/tests/e2e

fleet_at() { nsenter --net="/run/netns/$FLEET-$1" -- "${@:2}"; }

fleet_missing() { # why there can be none here; false: nothing is missing
	local program
	for program in nginx wrk; do
		command -v "$program" /usr/sbin/"$program" >/dev/null || {
			echo "$program is not installed: ./scripts/setup"
			return 0
		}
	done
	return 1
}

# A then B, addresses .1 and .2 of NET. A pair drops what XDP redirects into it unless its other end polls (gro), and
# checksums left to a NIC would never be made (tx).
fleet_wire() { # A IF-OF-A B IF-OF-B NET
	ip -n "$FLEET-$1" link add "$2" type veth peer name "$4" netns "$FLEET-$3"
	ip -n "$FLEET-$1" addr add "$5.1/24" dev "$2"
	ip -n "$FLEET-$3" addr add "$5.2/24" dev "$4"
	ip -n "$FLEET-$1" link set "$2" up
	ip -n "$FLEET-$3" link set "$4" up
	fleet_at "$1" ethtool -K "$2" tx off gro on >/dev/null
	fleet_at "$3" ethtool -K "$4" tx off gro on >/dev/null
}

fleet_namespace() {
	ip netns add "$FLEET-$1"
	ip -n "$FLEET-$1" link set lo up
	fleet_at "$1" sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0 \
		net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1
	case $1 in
	in | out | b?) fleet_at "$1" sysctl -qw net.ipv4.ip_forward=1 net.ipv4.fib_multipath_hash_policy=1 ;;
	esac
}

fleet_server() { # I
	local dir=$FLEET_RUN/s$1
	mkdir -p "$dir"
	cat >"$dir/nginx.conf" <<-END
		daemon off;
		master_process off;
		pid $dir/pid;
		error_log stderr crit;
		worker_rlimit_nofile 4096;
		events { worker_connections 2048; }
		http {
			access_log off;
			keepalive_requests 1000000;
			keepalive_timeout 600s;
			client_body_temp_path $dir;
			proxy_temp_path $dir;
			fastcgi_temp_path $dir;
			uwsgi_temp_path $dir;
			scgi_temp_path $dir;
			server {
				listen 8080 backlog=1024;
				location / { return 200 "s$1\n"; }
				location /file { alias $FLEET_RUN/file; }
			}
		}
	END
	fleet_at "s$1" sysctl -qw net.ipv4.tcp_timestamps=2
	fleet_at "s$1" nginx -e stderr -c "$dir/nginx.conf" >"$dir/log" 2>&1 3>&- &
	FLEET_PIDS+=($!)
	FLEET_NGINX[$1]=$!
}

fleet_up() { # PREFIX SERVERS
	local i
	FLEET=$1 FLEET_SERVERS=$2 FLEET_PIDS=() FLEET_NGINX=() FLEET_WRK=()
	fleet_remove
	FLEET_RUN=$(mktemp -d "${TMPDIR:-/tmp}/$FLEET.XXXXXX")
	chmod 755 "$FLEET_RUN"
	mountpoint -q /sys/fs/bpf || mount -t bpf bpf /sys/fs/bpf
	for i in c in b1 b2 out $(seq -f 's%g' "$2"); do fleet_namespace "$i"; done
	fleet_wire in clients c eth0 10.20.0
	ip -n "$FLEET-c" route add default via 10.20.0.1
	for i in 1 2; do
		fleet_wire in "b$i" "b$i" in "10.21.$i"
		fleet_wire out "b$i" "b$i" out "10.22.$i"
		ip -n "$FLEET-b$i" route add default via "10.21.$i.1"
		ip -n "$FLEET-b$i" route add 10.30.0.0/16 via "10.22.$i.1"
		fleet_at in sysctl -qw "net.ipv4.conf.b$i.ignore_routes_with_linkdown=1"
		fleet_at out sysctl -qw "net.ipv4.conf.b$i.ignore_routes_with_linkdown=1"
	done
	fleet_routes b1 b2
	for ((i = 1; i <= $2; i++)); do
		fleet_wire out "s$i" "s$i" eth0 "10.30.$i"
		ip -n "$FLEET-s$i" route add default via "10.30.$i.1"
		fleet_server "$i"
	done
	for ((i = 1; i <= $2; i++)); do
		tb_wait 10 fleet_at "s$i" bash -c "exec 3<>/dev/tcp/10.30.$i.2/8080" || return 1
	done
}

fleet_routes() { # BALANCER...
	local name in=() out=()
	for name in "$@"; do
		in+=(nexthop via "10.21.${name#b}.2")
		out+=(nexthop via "10.22.${name#b}.2")
	done
	ip -n "$FLEET-in" route replace "$FLEET_VIP/32" "${in[@]}"
	ip -n "$FLEET-out" route replace 10.20.0.0/24 "${out[@]}"
}

# --- clocks

fleet_ms() { python3 -c 'import time; print(time.monotonic_ns() // 1000000)'; }

fleet_words() { # NUMBER...: bytes of little endian 32-bit words
	local n i
	for n in "$@"; do
		for i in 0 8 16 24; do printf '%d ' $((n >> i & 255)); done
	done
}

# fleet_clock I OFFSET [EVERY [JUMP_AT JUMP]]: a millisecond is gained in EVERY (0: none).
fleet_clock() {
	local pins=/sys/fs/bpf/$FLEET-shim/s$1 at=${4:-0}
	if [ ! -e "$pins" ]; then
		mkdir -p "$pins"
		bpftool prog loadall "$TB_BUILD/bpf/clock_shim.bpf.o" "$pins" pinmaps "$pins"
		fleet_at "s$1" tc qdisc add dev eth0 clsact
		fleet_at "s$1" tc filter add dev eth0 egress bpf da pinned "$pins/shim_out"
		fleet_at "s$1" tc filter add dev eth0 ingress bpf da pinned "$pins/shim_in"
	fi
	# shellcheck disable=SC2046 # words
	bpftool map update pinned "$pins/shim_config" key 0 0 0 0 \
		value $(fleet_words "$2" "$FLEET_BEGIN" "${3:-0}" "${at/#0/$FLEET_BEGIN}" "${5:-0}")
}

# Hours and days between any two; one gains 500 ppm, one jumps by 100 s, the timestamps of one come to their end, and
# those that its clients see of another.
fleet_clocks() { # MS-UNTIL-SOMETHING-HAPPENS
	local i now
	now=$(fleet_ms)
	FLEET_BEGIN=$((now - 60000))
	for ((i = 1; i <= FLEET_SERVERS; i++)); do
		case $i in
		1) fleet_clock 1 $((-now - $1 & 0xffffffff)) ;;
		2) fleet_clock 2 1000000000 2000 ;;
		3) fleet_clock 3 2000000000 0 $((now + $1)) 100000 ;;
		4) fleet_clock 4 $(((1 << 23) - now - $1 & 0xffffffff)) ;;
		*) fleet_clock "$i" $((i * 400000000)) ;;
		esac
	done
}

# --- balancers

fleet_file() { # BALANCER [I[:STATE]]...
	printf 'version: 1\nname: %s\ninterfaces: [in, out]\nsecret: %s\n' "$FLEET-$1" "$FLEET_SECRET"
	[ -z "${FLEET_BEFORE:-}" ] || printf 'secret_phase: %d\nsecret_before: %s\n' "$FLEET_PHASE" "$FLEET_BEFORE"
	echo vips:
	fleet_vip tcp "${FLEET_KEEP:-cookie}" 0 "${@:2}"
	fleet_vip udp table 100 "${@:2}"
}

fleet_vip() { # PROTOCOL KEEP FIRST-ID [I[:STATE]]...
	local i state
	printf '  - address: %s\n    protocol: %s\n    port: 80\n    keep: %s\n' "$FLEET_VIP" "$1" "$2"
	[ "$2" != cookie ] || printf '    cookie_bits: %d\n' "${FLEET_BITS:-9}"
	echo '    servers:'
	for i in "${@:4}"; do
		state=up
		[[ $i != *:* ]] || state=${i#*:}
		printf '      - {address: "10.30.%d.2:8080", id: %d, state: %s}\n' "${i%:*}" "$(($3 + ${i%:*}))" "$state"
	done
}

fleet_apply() { # BALANCER [I[:STATE]]...
	fleet_file "$@" >"$FLEET_RUN/$1.yaml"
	fleet_at "$1" "$SLUICE" lb apply "$FLEET_RUN/$1.yaml"
}

fleet_lb() { # BALANCER VERB...
	fleet_at "$1" "$SLUICE" lb "$2" -n "$FLEET-$1" "${@:3}"
}

fleet_other() { [ "$1" = b1 ] && echo b2 || echo b1; }

fleet_die() { # BALANCER
	ip -n "$FLEET-$1" link set in down
	ip -n "$FLEET-$1" link set out down
	fleet_routes "$(fleet_other "$1")"
}

fleet_revive() { # BALANCER [I[:STATE]]...
	fleet_lb "$1" remove
	ip -n "$FLEET-$1" link set in up
	ip -n "$FLEET-$1" link set out up
	ip -n "$FLEET-$1" route replace default via "10.21.${1#b}.1"
	ip -n "$FLEET-$1" route replace 10.30.0.0/16 via "10.22.${1#b}.1"
	fleet_apply "$@"
	fleet_routes b1 b2
}

# --- load

fleet_wrk() { # NAME CONNECTIONS SECONDS [close]
	local header=()
	[ "${4:-}" != close ] || header=(-H 'Connection: close')
	fleet_at c wrk -t 1 -c "$2" -d "$3" --timeout 10s -s "$FLEET_PARTS/wrk.lua" "${header[@]}" \
		"http://$FLEET_VIP/" 2>"$FLEET_RUN/$1.json" >"$FLEET_RUN/$1.out" 3>&- &
	FLEET_PIDS+=($!)
	FLEET_WRK+=($!)
}

fleet_wrk_wait() {
	wait "${FLEET_WRK[@]}" || true
	FLEET_WRK=()
}

# A network statistic, summed over namespaces.
fleet_nstat() { # NAMESPACES NAME...
	local name
	for name in $1; do
		fleet_at "$name" nstat -asz "${@:2}" 2>/dev/null
	done | awk '!/^#/ { n += $2 } END { print n + 0 }'
}

fleet_server_names() { seq -s ' ' -f 's%g' "$FLEET_SERVERS"; }

# --- the end

fleet_remove() {
	local path
	for path in /run/netns/"$FLEET"-*; do
		[ ! -e "$path" ] || ip netns del "${path##*/}"
	done
	rm -rf "/sys/fs/bpf/$FLEET-shim" /sys/fs/bpf/sluice/lb-1/"$FLEET"-b[12]
}

fleet_down() {
	local pid
	[ -n "${FLEET:-}" ] || return 0
	for pid in "${FLEET_PIDS[@]}"; do
		kill "$pid" 2>/dev/null || true
		wait "$pid" 2>/dev/null || true
	done
	FLEET_PIDS=()
	fleet_remove
	rm -rf "${FLEET_RUN:?}"
	unset FLEET
}
