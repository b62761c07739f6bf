# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# skew.sh - sourced by demo and bench balance: two workers that together can do the work, and a static table
# that has dealt them an unlucky hand. Needs testbed.sh.

SKEW_SERVICE_US=50 # work of each packet
SKEW_DEMAND=1.10   # CPUs that all packets together need
SKEW_SHARE=0.97    # of it that the static table gives worker 0
SKEW_FLOWS=400
SKEW_ZIPF=0.9
SKEW_BURST=1  # packets that the sender sends at a time
SKEW_CONFIG='' # what sluice.yaml has besides

skew_rate() { jq -n "$SKEW_DEMAND * 1e6 / $SKEW_SERVICE_US | floor"; }

# Attach, start two workers with NFs in front of the work, and the daemon, paused. skew_up [NF,...]
skew_up() {
	tb_s attach "$TB_D" --match all >"$TB_RUN/attach.log" 2>&1 || {
		cat "$TB_RUN/attach.log" >&2
		return 1
	}
	tb_run --workers 2 --ring 2048 --nf "${1:-}work:${SKEW_SERVICE_US}us,reflect"
	printf '%s\n' 'version: 1' 'metrics: {listen: off}' "$SKEW_CONFIG" >"$TB_RUN/sluice.yaml"
	tb_spawn sluiced "$SLUICED" -c "$TB_RUN/sluice.yaml"
	tb_wait 10 tb_s pause "$TB_D"
}

skew_gen() { tb_gen "$SLUICE" gen "$TB_G" --flows "$SKEW_FLOWS" --skew "$SKEW_ZIPF" --rate "$(skew_rate)" \
	--size 128 --burst "$SKEW_BURST" --expect -j "$@"; }

# packets of every bucket so far, as {"17": n}
skew_packets() { tb_s buckets "$TB_D" -j --interval 1ms | jq -c 'map({(.bucket | tostring): .packets}) | add'; }

# Watch the buckets for a second, then hand the hottest of them to worker 0 until it has SKEW_SHARE of the load.
skew_deal() {
	local before after
	before=$(skew_packets)
	skew_gen -d 1 "$@" >/dev/null
	after=$(skew_packets)
	jq -rn --argjson a "$before" --argjson b "$after" --argjson share "$SKEW_SHARE" '
		[$b | to_entries[] | {bucket: .key, n: (.value - $a[.key])}] | sort_by(-.n)
		| (map(.n) | add * $share) as $want
		| reduce .[] as $x ({sum: 0, rows: []};
			.rows += ["\($x.bucket):\(if .sum < $want then 0 else 1 end)"] | .sum += $x.n)
		| .rows[]' | xargs -n 100 nsenter --net="/run/netns/$TB_NAME-dut" "$SLUICE" move "$TB_D" >/dev/null
}
