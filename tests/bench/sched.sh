#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The task scheduler: a decision with 128 and 1,024 users (and scan against tree), Google's trace of 241,573 tasks where it
# is, and made-up tasks through a pipe (SLUICE_TASKS: how many, default 2 million), which must take the memory of the
# open ones.
set -euo pipefail
cd "$(dirname "$0")/../.."
bench=./build/tests/bench/bench_sched
traces=(../shared/data/google2011/part-0023[5-8]-of-00500.csv.gz)
tasks=${SLUICE_TASKS:-2000000}

# sched ARGS...: an object with the figures of a run, its time from outside.
sched() {
	local begin=$EPOCHREALTIME
	./build/sluice sched "$@" --samples 1 -j |
		jq -c --argjson begin "$begin" '{tasks, seconds: ((now - $begin) * 100 | round / 100),
			scheduling_seconds: (.seconds * 100 | round / 100), peak_mb: (.peak_kb / 102.4 | round / 10), mean_wait_s}'
}

figures=$("$bench" | tee /dev/stderr | tail -n 1)
made=$("$bench" trace "$tasks" | sched - --capacity 1.1)
jq -c '{made_up: .}' <<<"$made"
real='{"tasks": null, "seconds": null, "peak_mb": null}'
if [ -e "${traces[0]}" ]; then
	real=$(sched "${traces[@]}" --capacity 0.7 --half-life 2h)
else
	echo "bench sched: Google's trace is not here: ${traces[*]}" >&2
fi
jq -c --argjson real "$real" '. + {trace_tasks: $real.tasks, trace_seconds: $real.seconds, peak_mb: $real.peak_mb}' <<<"$figures"
