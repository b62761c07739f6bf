# shellcheck shell=bash
# shellcheck disable=SC2034 # set here for those who source this file
# SPDX-License-Identifier: GPL-2.0-or-later
# testbed.sh - sourced by demo, the benches and the end-to-end tests: a veth pair between two network
# namespaces, a run directory of its own, and everything away again at the end.
#
#   tb_up PREFIX [QUEUES] [PAIRS]  namespaces ${PREFIX}-gen and ${PREFIX}-dut; pair i is ${PREFIX}g$i - ${PREFIX}d$i
#   tb_gen CMD..., tb_dut CMD...   run in the generator's or the device's namespace
#   tb_down                        stop what tb_spawn started, detach, remove all

TB_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
TB_BUILD=${TB_BUILD:-$TB_ROOT/build}
SLUICE=$TB_BUILD/sluice
SLUICED=$TB_BUILD/sluiced

tb_gen() { nsenter --net="/run/netns/$TB_NAME-gen" -- "$@"; }
tb_dut() { nsenter --net="/run/netns/$TB_NAME-dut" -- "$@"; }
tb_s() { tb_dut "$SLUICE" "$@"; }

# tb_up PREFIX [QUEUES] [PAIRS] - PREFIX at most 6 characters. TB_GEN_QUEUES: TX queues of the generator, if others.
tb_up() {
	local queues=${2:-1} pairs=${3:-1} i
	TB_NAME=$1
	TB_PIDS=()
	tb_remove
	TB_RUN=$(mktemp -d "${TMPDIR:-/tmp}/$TB_NAME.XXXXXX")
	export SLUICE_RUN_DIR=$TB_RUN
	mountpoint -q /sys/fs/bpf || mount -t bpf bpf /sys/fs/bpf
	ip netns add "$TB_NAME-gen"
	ip netns add "$TB_NAME-dut"
	for ((i = 0; i < pairs; i++)); do
		ip link add "${TB_NAME}g$i" netns "$TB_NAME-gen" numrxqueues "$queues" \
			numtxqueues "${TB_GEN_QUEUES:-$queues}" \
			type veth peer name "${TB_NAME}d$i" netns "$TB_NAME-dut" numrxqueues "$queues" \
			numtxqueues "$queues"
		tb_prepare gen "${TB_NAME}g$i" "$((i * 2 + 1))"
		tb_prepare dut "${TB_NAME}d$i" "$((i * 2 + 2))"
	done
	TB_G=${TB_NAME}g0
	TB_D=${TB_NAME}d0
}

# A queueing discipline makes a full veth ring hold its sender back instead of dropping. No IPv6 chatter.
tb_prepare() {
	local ns=$TB_NAME-$1 dev=$2 host=$3
	nsenter --net="/run/netns/$ns" -- sysctl -qw "net.ipv6.conf.$dev.disable_ipv6=1" 2>/dev/null || true
	ip -n "$ns" link set "$dev" address "02:5c:00:00:00:0$host"
	nsenter --net="/run/netns/$ns" -- ethtool -K "$dev" tx off gro off >/dev/null 2>&1 || true
	nsenter --net="/run/netns/$ns" -- tc qdisc replace dev "$dev" root pfifo limit 10000 2>/dev/null || true
	ip -n "$ns" link set "$dev" up
}

# Start in the background in the device's namespace, output to $TB_RUN/NAME.log; TB_PID is its process.
tb_spawn() {
	local name=$1
	shift
	: >"$TB_RUN/$name.log" # now: who waits for a line must not find an earlier run's
	# 3 is bats' own: it waits until everybody has closed it
	nsenter --net="/run/netns/$TB_NAME-dut" -- "$@" >"$TB_RUN/$name.log" 2>&1 3>&- &
	TB_PID=$!
	TB_PIDS+=("$TB_PID")
}

# The same in the generator's namespace.
tb_spawn_gen() {
	local name=$1
	shift
	nsenter --net="/run/netns/$TB_NAME-gen" -- "$@" >"$TB_RUN/$name.json" 2>"$TB_RUN/$name.err" 3>&- &
	TB_PID=$!
	TB_PIDS+=("$TB_PID")
}

# tb_wait SECONDS CMD... - until the command succeeds.
tb_wait() {
	local end=$((SECONDS + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		if [ $SECONDS -ge "$end" ]; then
			echo "testbed: gave up waiting for: $*" >&2
			return 1
		fi
		sleep 0.05
	done
}

# tb_run ARGS... - sluice run on the device's first interface, ready when this returns.
tb_run() {
	tb_spawn run "$SLUICE" run -i "$TB_D" "$@"
	TB_RUN_PID=$TB_PID
	tb_wait 20 grep -q '^serving' "$TB_RUN/run.log" || {
		cat "$TB_RUN/run.log" >&2
		return 1
	}
}

# tb_stop PID [SIGNAL] - TB_STATUS is its exit status. False if it died of another signal than this one.
tb_stop() {
	local i
	kill "-${2:-TERM}" "$1" 2>/dev/null || true
	TB_STATUS=0
	wait "$1" 2>/dev/null || TB_STATUS=$?
	for i in "${!TB_PIDS[@]}"; do
		[ "${TB_PIDS[i]}" != "$1" ] || unset "TB_PIDS[i]" # tb_down need not judge it again
	done
	[ "$TB_STATUS" -le 128 ] || [ "$(kill -l "$TB_STATUS")" = "${2:-TERM}" ] || {
		echo "testbed: process $1 died of SIG$(kill -l "$TB_STATUS")" >&2
		return 1
	}
}

tb_remove() {
	local ns pins
	for ns in "$TB_NAME-gen" "$TB_NAME-dut"; do
		[ -e "/run/netns/$ns" ] && ip netns del "$ns"
	done
	for pins in /sys/fs/bpf/sluice/*/"$TB_NAME"d[0-9]*; do
		[ -d "$pins" ] && rm -rf "$pins"
	done
	return 0
}

tb_down() {
	local pid bad=0
	[ -n "${TB_NAME:-}" ] || return 0
	for pid in "${TB_PIDS[@]}"; do
		tb_stop "$pid" || bad=1
	done
	TB_PIDS=()
	tb_remove
	[ -n "${TB_RUN:-}" ] && rm -rf "$TB_RUN"
	unset SLUICE_RUN_DIR
	return $bad
}
