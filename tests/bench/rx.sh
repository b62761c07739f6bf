#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# rx - one queue into one worker (sink), against a plain libxdp receive loop on the same veth pair; then 2 and 4
# workers on that queue. The sender runs on CPU 0 and so does the queue's NAPI; receivers start on CPU 1.
set -euo pipefail
# shellcheck source=tests/bench/lib.sh
source "$(dirname "$0")/lib.sh"
ROUNDS=${ROUNDS:-15} SECONDS_EACH=${SECONDS_EACH:-0.5} # many short rounds: the host moves our CPUs about

send() { tb_gen "$SLUICE" gen "$TB_G" --mode live --cpu 0 --flows 4096 -d "$SECONDS_EACH" -j; }

plain() { # -> {"packets":..,"cycles":..}
	local out=$TB_RUN/plain
	rm -f "$out.err"
	tb_dut "$TB_BUILD/tests/bench/bench_plain_rx" "$TB_D" "$(jq -n "$SECONDS_EACH + 1")" 1 \
		>"$out" 2>"$out.err" &
	local pid=$!
	tb_wait 10 grep -q serving "$out.err"
	send >/dev/null
	wait $pid
	tb_dut ip link set dev "$TB_D" xdp off 2>/dev/null || true
	cat "$out"
}

counters() {
	tb_s workers "$TB_D" -j --interval 1ms |
		jq '{packets: ([.[].packets] | add), busy: ([.[].busy_cycles] | add)}'
}

ours() { # WORKERS CPUS
	local before after
	tb_s attach "$TB_D" --match all >/dev/null 2>&1
	tb_run --workers "$1" --cpus "$2" --nf sink
	before=$(counters)
	send >/dev/null
	sleep 0.1
	after=$(counters)
	tb_stop "$TB_RUN_PID"
	tb_s detach "$TB_D" >/dev/null
	jq -cn --argjson a "$before" --argjson b "$after" \
		'($b.packets - $a.packets) as $n | {packets: $n, cycles: (($b.busy - $a.busy) / $n)}'
}

tb_up slbr 1
trap tb_down EXIT
for ((i = 0; i < ROUNDS; i++)); do
	jq -cn --argjson plain "$(plain)" --argjson ours "$(ours 1 1)" --argjson fan2 "$(ours 2 1)" \
		--argjson fan4 "$(ours 4 1)" --argjson s "$SECONDS_EACH" \
		'{bench: "rx", ours_mpps: ($ours.packets / $s / 1e6), libxdp_mpps: ($plain.packets / $s / 1e6),
		  ratio: ($ours.packets / $plain.packets), cycles_ratio: ($ours.cycles / $plain.cycles),
		  ours_cycles: $ours.cycles, libxdp_cycles: $plain.cycles,
		  fan2: ($fan2.packets / $ours.packets), fan4: ($fan4.packets / $ours.packets)}' |
		tee -a "$TB_RUN/rounds"
done
jq -cs --argjson machine "$BENCH_MACHINE" '
	def median: sort | .[length / 2 | floor];
	{bench: "rx", summary: true, rounds: length, machine: $machine}
	+ ([to_entries[] | .value | to_entries[] | select(.value | type == "number")]
	   | group_by(.key) | map({(.[0].key): ([.[].value] | median)}) | add)' "$TB_RUN/rounds"
