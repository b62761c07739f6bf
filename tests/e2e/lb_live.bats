#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# nginx servers whose clocks differ, behind two balancers at once, under load while servers and balancers come and go.
# SLUICE_LIVE_SECONDS is how long the main one lasts; ./scripts/bench lb-live is the long form.
load common
load fleet

@test "no request fails while servers come and drain and balancers die" {
	local result
	result=$(fleet_run_churn "${SLUICE_LIVE_SECONDS:-9}")
	expect "$result" '.requests > 1000' '.failed == 0' '.resets == 0' '.paws_and_tsecr == 0'
	# fleet_both balancers had packets of fleet_both directions, and nothing went by guess
	for b in b1 b2; do
		expect "$(fleet_lb $b counts -j)" '.cookie > 0' '.reply > 0' '.new > 0' '.hashed == 0' '.bad_cookie == 0' \
			'.drop_no_clock == 0'
	done
	expect "$(fleet_lb b1 show -j)" '[.vips[] | select(.protocol == "tcp").servers[].clock == "known"] | all'
}

@test "by plain hash the same breaks connections: the test can tell" {
	local result
	result=$(FLEET_KEEP=none fleet_run_churn 3)
	echo "# plain hash: $result" >&3
	expect "$result" '.failed > 0' '.resets > 0'
}
