#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# attribution - what it costs to time packets of each bucket: one worker, even load, timing left and taken up again
# every 100 ms within one run, 200 pairs; the ratio of packets processed, on against off. No daemon runs.
set -euo pipefail
# shellcheck source=tests/bench/lib.sh
source "$(dirname "$0")/lib.sh"
PAIRS=${PAIRS:-200}

tb_up slba 1
trap tb_down EXIT
tb_s attach "$TB_D" --match all >/dev/null 2>&1
tb_run --workers 1 --cpus 1 --nf flowcount,sink
tb_gen "$SLUICE" gen "$TB_G" --mode live --cpu 0 --flows 65536 -d "$((PAIRS * 25 / 100 + 10))" -j >/dev/null &
gen=$!
sleep 2
tb_dut "$TB_BUILD/tests/bench/bench_toggle" "$TB_D" "$PAIRS" 100 cost >"$TB_RUN/toggle.json"
kill $gen 2>/dev/null || true
wait $gen 2>/dev/null || true
jq -cn --slurpfile t "$TB_RUN/toggle.json" --argjson machine "$BENCH_MACHINE" \
	'{bench: "attribution", summary: true, machine: $machine, ratio: $t[0].ratio, pairs: $t[0].pairs, mpps: $t[0].mpps}'
