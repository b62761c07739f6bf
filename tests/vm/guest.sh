# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# guest.sh - what scenarios have at hand. They run in the guest with `set -eu`; NIC is its interface, VM_NIC virtio or
# igb, and the peer, at the other end of the tap, is a network namespace of the machine that runs the guest. VM_QUEUES is
# how many queues that tap has.

NIC=eth0
ADDRESS=198.19.0.2 # the NIC's, if a scenario gives it one
PEER_ADDRESS=198.19.0.1 # what the peer's tap has
export NIC ADDRESS PEER_ADDRESS

# peer CMD...: in the peer's namespace; its output and exit status. PEER_IF is the tap's name there, PEER_RUN a
# directory that is removed afterwards, PEER_TOOLS this one, SLUICE our program. A shell line is: peer bash -c '...'
peer() {
	local line answer=""
	{
		echo @peer
		printf '%q ' "$@" | base64
		echo .
	} >&9
	while IFS= read -r -u 8 line && [ "$line" != . ]; do
		answer+=$line
	done
	answer=$(base64 -d <<<"$answer")
	line=${answer##*$'\n'}
	answer=${answer%"$line"}
	printf '%s' "$answer"
	return "$line"
}

# expect JSON FILTER...: every jq filter is true of the JSON; says which is not.
expect() {
	local json=$1 f bad=0
	shift
	for f; do
		jq -e "$f" <<<"$json" >/dev/null || {
			echo "not so: $f"
			bad=1
		}
	done
	[ $bad -eq 0 ] || {
		echo "in: $json"
		return 1
	}
}

wait_for() { # SECONDS CMD...
	local end=$((SECONDS + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt "$end" ] || {
			echo "gave up waiting for: $*"
			return 1
		}
		sleep 0.1
	done
}

# nic_up [RX-QUEUES]: with as many queues as CPUs, unless told, and no chatter of its own.
nic_up() {
	ethtool -L "$NIC" combined "${1:-$(nproc)}" 2>/dev/null || true
	sysctl -qw "net.ipv6.conf.$NIC.disable_ipv6=1" 2>/dev/null || true
	ip addr add "$ADDRESS/16" dev "$NIC"
	ip link set "$NIC" up
	wait_for 20 bash -c "ip -j link show $NIC | jq -e '.[0].operstate == \"UP\"'"
}

# run_start ARGS...: sluice run on the NIC, serving when this returns; RUN_PID.
run_start() {
	sluice run -i "$NIC" "$@" >/run/run.log 2>&1 &
	RUN_PID=$!
	wait_for 60 grep -q '^serving' /run/run.log || {
		cat /run/run.log
		return 1
	}
}
run_stop() {
	kill -TERM "$RUN_PID"
	wait "$RUN_PID"
}
# all_back REPORT: what XDP saw was forwarded and came back, each flow in order. A guest that this machine has no time for
# loses packets in its NIC's ring, before XDP: those may be missing, but none that was seen.
all_back() {
	local received
	expect "$1" '.received > .sent / 2' '.duplicated == 0' '.reordered == 0'
	received=$(jq .received <<<"$1")
	losses_hold ".seen == $received" ".forwarded == $received"
}
losses_hold() { # [FILTER...]
	expect "$(sluice losses "$NIC" --wait 10s -j)" .quiet .identity_ok.in .identity_ok.out '.unaccounted == 0' "$@"
}

# peer_gen ARGS...: sluice gen at the peer, to the NIC; its report
peer_gen() {
	# shellcheck disable=SC2016 # for the peer's shell
	peer bash -c '"$SLUICE" gen "$PEER_IF" --dst-mac 02:5c:00:00:00:02 -j "$@" \
		2>"$PEER_RUN/gen.err" || cat "$PEER_RUN/gen.err"' gen "$@"
}
# The same in the background; then whether it still runs, and its report.
# shellcheck disable=SC2016
peer_gen_start() {
	peer bash -c '{
		"$SLUICE" gen "$PEER_IF" --dst-mac 02:5c:00:00:00:02 -j "$@" >"$PEER_RUN/gen.out" 2>&1
		touch "$PEER_RUN/gen.done"
	} >/dev/null 2>&1 & rm -f "$PEER_RUN/gen.done"' gen "$@"
}
# shellcheck disable=SC2016
peer_gen_runs() { ! peer bash -c '[ -e "$PEER_RUN/gen.done" ]'; }
# shellcheck disable=SC2016
peer_gen_report() { peer bash -c 'cat "$PEER_RUN/gen.out"'; }
# Packets that XDP, or else the driver, counted on each RX queue, as a JSON array.
queue_packets() {
	local kind
	for kind in xdp_packets packets; do
		ethtool -S "$NIC" | sed -n "s/^ *rx_\{0,1\}\(queue_\)\{0,1\}[0-9][0-9]*_$kind: //p" | jq -cs . |
			grep -v '^\[\]$' && return
	done
}
