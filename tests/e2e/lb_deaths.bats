#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Servers that die behind two balancers, and what a connection table of each balancer's own is worth where there are two.
load common
load fleet

@test "who dies takes the connections that were open to it, and no other" {
	local result
	result=$(fleet_run_deaths 4)
	echo "# deaths: $result" >&3
	expect "$result" '.open_when_killed > 4' '.failed <= .open_when_killed' '.paws_and_tsecr == 0'
}

@test "a connection table ends with its balancer" {
	local result
	result=$(FLEET_KEEP=table fleet_run_churn 5)
	echo "# Maglev and connection table: $result" >&3
	expect "$result" '.failed > 0' '.resets > 0'
}
