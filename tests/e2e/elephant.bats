#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# A flow that no core can take: found, named in status, log and metrics, and alone on its worker.
load common

setup() {
	needs_root
	tb_up "$NAME"
	ip -n "$NAME-dut" link set lo up
}
teardown() { tb_down; }

daemon_json() { tb_s status "$TB_D" -j | jq -e ".daemon | $1"; }
logged() { grep -Eq "$1" "$TB_RUN/sluiced.log"; }

wait_for() {
	tb_wait 10 "$@" || {
		cat "$TB_RUN/sluiced.log"
		tb_s status "$TB_D" -j
		return 1
	}
}

# Buckets with traffic on the elephant's worker: itself.
alone() {
	tb_s buckets "$TB_D" -j | jq -e --argjson e "$1" '(.[] | select(.bucket == $e).owner) as $w |
		[.[] | select(.owner == $w and .pps > 0)] | length == 1'
}

named() {
	tb_s status "$TB_D" -j >"$TB_RUN/status" && jq -e '.daemon | .elephant >= 0 and .elephant_load > 1 and
		(.elephant_flows | length > 0)' "$TB_RUN/status"
}
measured() {
	tb_dut curl -sS --max-time 5 http://127.0.0.1:9464/metrics |
		grep -E 'sluice_elephant_flow_share_ratio\{instance="'"$TB_D"'",flow="udp .*"\} (1|0\.[89])'
}

@test "an elephant is named with its flow, and has a worker to itself" {
	printf 'instances:\n  - interfaces: %s\n    attach: true\n    match: all\n' "$TB_D" >"$TB_RUN/sluice.yaml"
	tb_spawn sluiced "$SLUICED" -c "$TB_RUN/sluice.yaml"
	wait_for daemon_json .running
	tb_run --workers 2 --nf work:400000,sink
	tb_spawn_gen gen "$SLUICE" gen "$TB_G" --flows 200 --elephant 0.98 --rate 200000 --duration 60
	wait_for named
	expect "$(cat "$TB_RUN/status")" '.daemon.elephant_flows[0].share > 0.8' '.daemon.elephant_flows[0].proto == 17' \
		'.warnings | map(select(test("cores; [0-9]+ % of that is udp"))) | length == 1'
	bucket=$(jq .daemon.elephant "$TB_RUN/status")
	wait_for measured
	wait_for logged "bucket $bucket needs [0-9.]+ cores"
	wait_for logged "bucket $bucket: udp [0-9.]+ - [0-9.]+ takes [0-9]+ % of it"
	wait_for alone "$bucket"
	tb_stop "$TB_PID"
	wait_for daemon_json '.elephant < 0 and (.elephant_flows | length == 0)'
}
