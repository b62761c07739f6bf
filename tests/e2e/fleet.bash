# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# fleet.bash - scripts/fleet.sh and fleet_runs.sh for tests: eight servers for each, or FLEET_WANTED.

# shellcheck source=scripts/fleet.sh
. "$BATS_TEST_DIRNAME/../../scripts/fleet.sh"
# shellcheck source=scripts/fleet_runs.sh
. "$BATS_TEST_DIRNAME/../../scripts/fleet_runs.sh"

setup() {
	local why
	needs_root
	why=$(fleet_missing) && skip "$why"
	fleet_up "$NAME" "${FLEET_WANTED:-8}"
	fleet_clocks 4000
}

teardown() { fleet_down; }
