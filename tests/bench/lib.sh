# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck disable=SC2034 # set here for those who source this file
# lib.sh - sourced by the benches that are scripts.

# shellcheck source=scripts/testbed.sh
source "$(dirname "${BASH_SOURCE[0]}")/../../scripts/testbed.sh"

BENCH_MACHINE=$(jq -cn --arg cpu "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)" \
	--arg kernel "$(uname -r)" --argjson cpus "$(nproc)" '{cpu: $cpu, cpus: $cpus, kernel: $kernel}')

# median of the numbers on standard input, one a line
bench_median() {
	jq -s 'sort | if length % 2 == 1 then .[length / 2 | floor] else (.[length / 2] + .[length / 2 - 1]) / 2 end'
}

# the sum of a worker's field over all workers: bench_worker_sum FIELD
bench_worker_sum() {
	tb_s workers "$TB_D" -j --interval 1ms | jq "[.[].$1] | add"
}
