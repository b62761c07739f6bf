#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# quiet - what balancing costs when there is nothing to balance: even load, the balancer paused and resumed every
# 100 ms within one run, 200 pairs; the ratio of packets processed, on against off, and the daemon's CPU.
set -euo pipefail
# shellcheck source=tests/bench/lib.sh
source "$(dirname "$0")/lib.sh"
PAIRS=${PAIRS:-200}

tb_up slbq 1
trap tb_down EXIT
tb_s attach "$TB_D" --match all >/dev/null 2>&1
tb_run --workers 2 --nf sink
printf 'version: 1\nmetrics:\n  listen: off\n' >"$TB_RUN/sluice.yaml"
tb_spawn sluiced "$SLUICED" -c "$TB_RUN/sluice.yaml"
daemon=$TB_PID
tb_wait 10 tb_s pause "$TB_D"
tb_gen "$SLUICE" gen "$TB_G" --mode live --cpu 0 --flows 65536 -d "$((PAIRS * 25 / 100 + 10))" -j >/dev/null &
gen=$!
sleep 2
cpu_ms() { awk -v hz="$(getconf CLK_TCK)" '{print ($14 + $15) * 1000 / hz}' "/proc/$daemon/stat"; }
before=$(cpu_ms) begin=$EPOCHREALTIME
tb_dut "$TB_BUILD/tests/bench/bench_toggle" "$TB_D" "$PAIRS" 100 >"$TB_RUN/toggle.json"
after=$(cpu_ms) end=$EPOCHREALTIME
kill $gen 2>/dev/null || true
wait $gen 2>/dev/null || true
jq -cn --slurpfile t "$TB_RUN/toggle.json" --argjson machine "$BENCH_MACHINE" \
	--argjson cpu "$(awk -v a="$before" -v b="$after" -v s="$begin" -v e="$end" 'BEGIN {print (b - a) / 1000 / (e - s)}')" \
	'{bench: "quiet", summary: true, machine: $machine, ratio: $t[0].ratio, pairs: $t[0].pairs, mpps: $t[0].mpps, moves: $t[0].moves, daemon_cpu: $cpu}'
