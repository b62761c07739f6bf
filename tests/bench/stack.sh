#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# stack - real servers in mode stack: nginx under wrk and memcached under memcaslap, with three quarters of the buckets
# on one CPU as a static table may have them, and with the balancer starting from there.
set -euo pipefail
# shellcheck source=tests/bench/lib.sh
source "$(dirname "$0")/lib.sh"
SECONDS_EACH=${SECONDS_EACH:-6} ROUNDS=${ROUNDS:-3} CONNECTIONS=${CONNECTIONS:-64}

# not among scripts/packages: installing a server starts it, and who wants to try Sluice has not asked for one
for tool in nginx:nginx-light wrk:wrk memcached:memcached memcaslap:libmemcached-tools; do
	command -v "${tool%%:*}" >/dev/null || {
		echo "bench stack: skipped, ${tool%%:*} is missing: apt-get install ${tool##*:} (and end the service that it may start)" >&2
		jq -cn --arg missing "${tool%%:*}" '{bench: "stack", summary: true, skipped: $missing}'
		exit 0
	}
done

skew() {
	tb_s pause "$TB_D" >/dev/null
	tb_s move "$TB_D" 0-767 0 >/dev/null 2>&1 || true
	tb_s move "$TB_D" 768-1023 1 >/dev/null 2>&1 || true
}
busy_ticks() { awk '/^cpu[01] / {print $2 + $3 + $4 + $7 + $8 + $9}' /proc/stat; }

# web NAME, kv NAME: one line of figures
web() {
	cat >"$TB_RUN/p95.lua" <<-'LUA'
		done = function(summary, latency, requests)
			print(string.format('JSON {"p50_us": %d, "p95_us": %d, "p99_us": %d, "requests": %d}', latency:percentile(50),
				latency:percentile(95), latency:percentile(99), summary.requests))
		end
	LUA
	tb_gen wrk --latency -t 1 -c "$CONNECTIONS" -d "$SECONDS_EACH" -s "$TB_RUN/p95.lua" "http://10.9.0.2/" |
		sed -n 's/^JSON //p'
}
kv() {
	tb_gen memcaslap -s 10.9.0.2:11211 -T 1 -c 32 -t "${SECONDS_EACH}s" 2>/dev/null |
		sed -n 's/.*TPS: \([0-9]*\).*/{"tps": \1}/p' | tail -n 1
}

# measured SERVER TABLE: run it, and what the two CPUs did meanwhile
measured() {
	local before after figures moved
	moved=$(tb_s status "$TB_D" -i 1ms -j | jq '.moves.started // 0')
	mapfile -t before < <(busy_ticks)
	figures=$("$1")
	mapfile -t after < <(busy_ticks)
	moved=$(($(tb_s status "$TB_D" -i 1ms -j | jq '.moves.started // 0') - moved))
	jq -cn --argjson f "$figures" --arg server "$1" --arg table "$2" --argjson s "$SECONDS_EACH" --argjson moves "$moved" \
		--argjson a $((after[0] - before[0])) --argjson b $((after[1] - before[1])) --argjson hz "$(getconf CLK_TCK)" \
		'{bench: "stack", server: $server, table: $table, moves: $moves} + $f +
		 {cpu0: ($a / $hz / $s), cpu1: ($b / $hz / $s)}'
}

tb_up slbs 1
trap tb_down EXIT
ip -n "$TB_NAME-gen" addr add 10.9.0.1/24 dev "$TB_G"
ip -n "$TB_NAME-dut" addr add 10.9.0.2/24 dev "$TB_D"
ip -n "$TB_NAME-dut" link set lo up
tb_s attach "$TB_D" --match all --local --stack --max-workers 2 >/dev/null
tb_run --workers 2
printf 'instances:\n  - interfaces: %s\nmetrics:\n  listen: off\nbalance: {threshold: 10%%}\n' "$TB_D" >"$TB_RUN/sluice.yaml"
tb_spawn sluiced "$SLUICED" --config "$TB_RUN/sluice.yaml"
tb_wait 10 tb_s pause "$TB_D"
cat >"$TB_RUN/nginx.conf" <<-NGINX
	worker_processes 2;
	worker_cpu_affinity 01 10;
	pid $TB_RUN/nginx.pid;
	error_log $TB_RUN/nginx.err;
	daemon off;
	events { worker_connections 1024; }
	http {
		access_log off;
		keepalive_requests 1000000000;
		server { listen 10.9.0.2:80 reuseport; location / { return 200 "sluice\n"; } }
	}
NGINX
tb_spawn nginx nginx -c "$TB_RUN/nginx.conf"
tb_spawn memcached memcached -u nobody -l 10.9.0.2 -t 2 -m 256
sleep 1
for ((i = 0; i < ROUNDS; i++)); do
	for server in web kv; do
		skew
		measured $server static
		tb_s resume "$TB_D" >/dev/null
		measured $server balanced
	done
done | tee "$TB_RUN/rounds"
jq -cs --argjson machine "$BENCH_MACHINE" '
	def median: sort | .[length / 2 | floor];
	def of(s; t; f): [.[] | select(.server == s and .table == t) | .[f]] | median;
	{bench: "stack", summary: true, machine: $machine, web_static_p95_us: of("web"; "static"; "p95_us"),
	 web_balanced_p95_us: of("web"; "balanced"; "p95_us"), web_static_requests: of("web"; "static"; "requests"),
	 web_balanced_requests: of("web"; "balanced"; "requests"), kv_static_tps: of("kv"; "static"; "tps"),
	 kv_balanced_tps: of("kv"; "balanced"; "tps"), static_cpu: [of("web"; "static"; "cpu0"), of("web"; "static"; "cpu1")],
	 balanced_cpu: [of("web"; "balanced"; "cpu0"), of("web"; "balanced"; "cpu1")]}
	| . + {p95_ratio: (.web_static_p95_us / .web_balanced_p95_us)}' "$TB_RUN/rounds"
