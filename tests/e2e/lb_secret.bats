#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# The secret of cookies changes at two balancers one after the other, while connections pass both.
load common
export FLEET_WANTED=4
load fleet

OLD=000102030405060708090a0b0c0d0e0f
NEW=ffeeddccbbaa99887766554433221100

# secrets PHASE PRESENT OTHER: of what is applied next
secrets() { export FLEET_PHASE=$1 FLEET_SECRET=$2 FLEET_BEFORE=$3; }

@test "both know a secret before either uses it, and so does a balancer that comes later" {
	local b
	fleet_both 1 2 3 4
	fleet_wrk held 24 6
	fleet_wrk fresh 8 6 close
	sleep 1
	for b in b1 b2; do
		secrets 0 "$OLD" "$NEW"
		fleet_apply $b 1 2 3 4
		sleep 0.3
	done
	for b in b1 b2; do
		secrets 1 "$NEW" "$OLD"
		fleet_apply $b 1 2 3 4
		sleep 0.7
	done
	fleet_die b1
	sleep 0.3
	fleet_revive b1 1 2 3 4
	fleet_wrk_wait
	expect "$(jq -s '{failed: (map(.failed) | add), requests: (map(.requests) | add)}' "$FLEET_RUN"/{held,fresh}.json)" \
		'.failed == 0' '.requests > 500'
	for b in b1 b2; do
		expect "$(fleet_lb $b counts -j)" '.cookie > 0' '.bad_cookie == 0' '.hashed == .rst_no_option'
	done
}
