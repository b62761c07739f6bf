# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# agents.bash - keep: agent on top of pool.bash and direct.bash: the servers write the cookie themselves and take it out again,
# whatever timestamps their kernel has. Rows go in turn, so by the hash nobody finds back.

SECRETS=(00112233445566778899aabbccddeeff 0123456789abcdef0123456789abcdef)

agents_down() {
	local i
	for i in 1 2 3; do agent "$i" detach 2>/dev/null || true; done
	direct_down
}

agent() { in_pool "l$1" "$SLUICE" agent "$2" -n "$NAME-$1" "${@:3}"; }

# agent_file FORWARD PHASE SERVER[:STATE]...: server i has the ids i and 100 + i.
agent_file() {
	local forward=$1 phase=$2 i nat=
	shift 2
	[ "$forward" != nat ] || nat=:8080
	printf 'version: 1\nname: %s\nsecret: %s\nsecret_phase: %s\ninterfaces: [%sb0, %sb1, %sb2, %sb3]\nvips:\n' "$NAME" \
		"${SECRETS[phase]}" "$phase" "$NAME" "$NAME" "$NAME" "$NAME"
	printf '  - {address: 10.9.9.9, port: 80, keep: agent, select: turn, forward: %s, servers: [' "$forward"
	for i in "$@"; do printf '{address: "10.7.%s.2%s", id: %s, state: %s},' "${i%:*}" "$nat" "${i%:*}" "$(state_of "$i")"; done
	printf ']}\n  - {address: "fd09::9", port: 80, keep: agent, select: turn, forward: %s, servers: [' "$forward"
	for i in "$@"; do
		printf '{address: "[fd07:%s::2]%s", id: %s, state: %s},' "${i%:*}" "$nat" $((100 + ${i%:*})) "$(state_of "$i")"
	done
	printf ']}\n'
}

apply() {
	agent_file "$@" >"$BATS_TEST_TMPDIR/lb.yaml"
	lb apply "$BATS_TEST_TMPDIR/lb.yaml"
}

# agents FORWARD PHASE SERVER...: their file has all three servers.
agents() {
	local i
	agent_file "$1" "$2" 1 2 3 >"$BATS_TEST_TMPDIR/agents.yaml"
	for i in "${@:3}"; do agent "$i" attach "${NAME}e$i" --lb "$BATS_TEST_TMPDIR/agents.yaml"; done
}

churn() { # FORWARD
	sleep 0.4
	apply "$1" 0 1 2 3
	sleep 0.4
	apply "$1" 0 1:drain 2 3
	sleep 0.4
	apply "$1" 1 1:drain 2 3 # the balancer first: it knows both
	sleep 0.2
	agents "$1" 1 1 2 3
	apply "$1" 1 1:drain 2:drain 3
	sleep 0.4
	apply "$1" 1 1 2 3
}

nobody_minded() {
	local i
	for i in lc l1 l2 l3; do
		[ "$(in_pool $i nstat -asz TcpExtPAWSEstab TcpExtTSEcrRejected TcpInCsumErrors 2>/dev/null |
			awk '/^Tcp/ { n += $2 } END { print n + 0 }')" = 0 ]
	done
}

# The client's first connection does not find its server again.
lost() {
	pool_spawn lc "$BATS_TEST_TMPDIR/client" client 10.9.9.9 80 20 0.5
	! wait "${POOL_SPAWNED[-1]}" || return 1
	expect "$(counts)" '.bad_cookie > 0'
}
