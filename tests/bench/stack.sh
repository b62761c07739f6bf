#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# stack - real servers in mode stack: nginx under wrk and memcached under memcaslap, with SHARE of the buckets on one CPU as
# a static table may have them, and with the balancer starting from there. What moves with the buckets is the kernel's work
# for each packet, so there has to be some: a packet filter of so many rules, gone through one by one, that a packet takes
# WORK_US. Requests come at a rate that keeps DEMAND CPUs busy with that; with handshakes, the server's program and the client
# it is more than one CPU has, and less than both.
set -euo pipefail
# shellcheck source=tests/bench/lib.sh
source "$(dirname "$0")/lib.sh"
SECONDS_EACH=${SECONDS_EACH:-6} ROUNDS=${ROUNDS:-3}
SHARE=${SHARE:-0.95} WORK_US=${WORK_US:-200} DEMAND=${DEMAND:-0.85}
THINK_MS=500   # on average between requests of a connection: a rate is offered, and acknowledgements come alone
PACKETS_EACH=2 # that a request brings then
BUCKETS=1024

# not among scripts/packages: installing a server starts it, and who wants to try Sluice has not asked for one
for tool in nginx:nginx-light wrk:wrk memcached:memcached memcaslap:libmemcached-tools; do
	command -v "${tool%%:*}" >/dev/null || {
		echo "bench stack: skipped, ${tool%%:*} is missing: apt-get install ${tool##*:} (and end the service that it may start)" >&2
		jq -cn --arg missing "${tool%%:*}" '{bench: "stack", summary: true, skipped: $missing}'
		exit 0
	}
done

skew() {
	local hot
	hot=$(jq -n --argjson n $BUCKETS --argjson share "$SHARE" '$n * $share | floor')
	tb_s pause "$TB_D" >/dev/null
	tb_s move "$TB_D" "0-$((hot - 1))" 0 >/dev/null 2>&1 || true
	tb_s move "$TB_D" "$hot-$((BUCKETS - 1))" 1 >/dev/null 2>&1 || true
}

# firewall RULES: on all that comes in, none of them true of it
firewall() {
	{
		printf 'table ip bench\ndelete table ip bench\ntable ip bench {\nchain input {\n'
		echo 'type filter hook input priority 0;'
		seq "$1" | awk '{ printf "ip daddr 10.9.0.2 ip saddr 198.18.%d.%d drop\n", $1 / 256 % 256, $1 % 256 }'
		printf '}\n}\n'
	} | tb_dut nft -f - || return 1
}

# What the CPUs' threads did so far: nanoseconds of each, and packets.
threads() { tb_s workers "$TB_D" -i 1ms -j | jq -c '{ns: map(.busy_cycles), packets: (map(.packets) | add)}'; }

# web, kv: one line of figures
web() { # [SECONDS [CONNECTIONS]]
	cat >"$TB_RUN/p95.lua" <<-LUA
		function delay() return math.random(0, 2 * $THINK_MS) end
		done = function(summary, latency, requests)
			print(string.format('JSON {"p50_us": %d, "p95_us": %d, "p99_us": %d, "requests": %d}', latency:percentile(50),
				latency:percentile(95), latency:percentile(99), summary.requests))
		end
	LUA
	tb_gen wrk --latency -t 1 -c "${2:-$CONNECTIONS}" -d "${1:-$SECONDS_EACH}" -s "$TB_RUN/p95.lua" "http://10.9.0.2/" |
		sed -n 's/^JSON //p'
}
kv() {
	tb_gen memcaslap -s 10.9.0.2:11211 -T 1 -c 32 -t "${1:-$SECONDS_EACH}s" 2>/dev/null |
		sed -n 's/.*TPS: \([0-9]*\).*/{"tps": \1}/p' | tail -n 1
}

# packet_ns RULES: of a CPU's thread for each packet, when it is busy: rules in its caches cost half
packet_ns() {
	local before THINK_MS=0
	firewall "$1"
	before=$(threads)
	web 2 50 >/dev/null
	jq -n --argjson a "$before" --argjson b "$(threads)" '(($b.ns | add) - ($a.ns | add)) / ($b.packets - $a.packets)'
}

# measured SERVER TABLE: run it, once the balancer has had its time, and what the CPUs' threads did meanwhile
measured() {
	local before figures moved
	"$1" 2 >/dev/null
	moved=$(tb_s status "$TB_D" -i 1ms -j | jq '.moves.started // 0')
	before=$(threads)
	figures=$("$1")
	moved=$(($(tb_s status "$TB_D" -i 1ms -j | jq '.moves.started // 0') - moved))
	jq -cn --argjson f "$figures" --arg server "$1" --arg table "$2" --argjson s "$SECONDS_EACH" --argjson moves "$moved" \
		--argjson a "$before" --argjson b "$(threads)" '{bench: "stack", server: $server, table: $table, moves: $moves} + $f +
		 {packets: ($b.packets - $a.packets), cpu: [$b.ns, $a.ns] | transpose | map((.[0] - .[1]) / 1e9 / $s)}'
}

tb_up slbs 1
trap tb_down EXIT
ip -n "$TB_NAME-gen" addr add 10.9.0.1/24 dev "$TB_G"
ip -n "$TB_NAME-dut" addr add 10.9.0.2/24 dev "$TB_D"
ip -n "$TB_NAME-dut" link set lo up
tb_s attach "$TB_D" --match all --local --stack --max-workers 2 --buckets $BUCKETS >/dev/null
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
	events { worker_connections 4096; }
	http {
		access_log off;
		keepalive_requests 1000000000;
		server { listen 10.9.0.2:80 reuseport; location / { return 200 "sluice\n"; } }
	}
NGINX
tb_spawn nginx nginx -c "$TB_RUN/nginx.conf"
tb_spawn memcached memcached -u nobody -l 10.9.0.2 -t 2 -m 256
sleep 1
none_ns=$(packet_ns 0)
some_ns=$(packet_ns 4000)
RULES=$(jq -n --argjson a "$none_ns" --argjson b "$some_ns" --argjson us "$WORK_US" \
	'($us * 1000 - $a) / ($b - $a) * 4000 | floor | if . < 0 then 0 else . end')
CONNECTIONS=$(jq -n --argjson d "$DEMAND" --argjson us "$WORK_US" --argjson n $PACKETS_EACH --argjson ms $THINK_MS \
	'$d * 1e6 / ($us * $n) * $ms / 1000 | floor')
firewall "$RULES"
for ((i = 0; i < ROUNDS; i++)); do
	for server in web kv; do
		skew
		measured $server static
		tb_s resume "$TB_D" >/dev/null
		measured $server balanced
	done
done | tee "$TB_RUN/rounds"
jq -cs --argjson machine "$BENCH_MACHINE" --argjson share "$SHARE" --argjson demand "$DEMAND" --argjson us "$WORK_US" \
	--argjson rules "$RULES" --argjson connections "$CONNECTIONS" --argjson none_ns "$none_ns" '
	def median: sort | .[length / 2 | floor];
	def of(s; t; f): [.[] | select(.server == s and .table == t) | f] | median;
	{bench: "stack", summary: true, machine: $machine, share: $share, demand_cpus: $demand, rules: $rules, work_us: $us,
	 packet_ns_without: $none_ns, connections: $connections,
	 web_static_p95_us: of("web"; "static"; .p95_us), web_balanced_p95_us: of("web"; "balanced"; .p95_us),
	 web_static_requests: of("web"; "static"; .requests), web_balanced_requests: of("web"; "balanced"; .requests),
	 kv_static_tps: of("kv"; "static"; .tps), kv_balanced_tps: of("kv"; "balanced"; .tps),
	 static_cpu: [of("web"; "static"; .cpu[0]), of("web"; "static"; .cpu[1])],
	 balanced_cpu: [of("web"; "balanced"; .cpu[0]), of("web"; "balanced"; .cpu[1])]}
	| . + {p95_ratio: (.web_static_p95_us / .web_balanced_p95_us), tps_ratio: (.kv_balanced_tps / .kv_static_tps)}' \
	"$TB_RUN/rounds"
