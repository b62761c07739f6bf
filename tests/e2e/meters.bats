#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# police beside nftables' limit on the same packets, and heavyhitters beside exact counts; both while buckets move.
# The unit tests hold police to the packet; here time passes as it will on a busy machine, hence some per cent, and bursts of half
# a second, for which a worker may be stopped.
load common
load wires

MIXED=$CAPTURES/mixed-4096pkt-1006flow.pcap

setup() { needs_root; }
teardown() { wires_down; }

# The captures are not part of the product; what mkpcap makes is.
traffic() {
	FILE=$BATS_TEST_TMPDIR/made.pcap
	"$E2E/mkpcap" "$FILE"
	[ ! -e "$MIXED" ] || FILE=$MIXED
}

up() { # NF
	tb_up "$NAME" 1 1
	ip -n "$NAME-gen" link set "${NAME}g0" mtu 1600
	ip -n "$NAME-dut" link set "${NAME}d0" mtu 1600
	tb_s attach "$TB_D" --match all --local
	tb_run --workers 3 --ring 8192 --nf "$1,sink"
}

move_buckets() { # SECONDS
	nsenter --net="/run/netns/$NAME-dut" -- "$E2E/mover" "$TB_D" -d "$1" -r 20000 >"$BATS_TEST_TMPDIR/mover.json" 3>&- &
	MOVER=$!
}

moves_ended() {
	wait "$MOVER"
	expect "$(cat "$BATS_TEST_TMPDIR/mover.json")" '.unfinished == 0' '.asked > 1000'
}

nf_json() { tb_s nf "$TB_D" -j | jq -c ".[$1]"; } # SLOT

# within A B PERCENT
within() { jq -en "($1 - $2 | fabs) <= $2 * $3 / 100" >/dev/null || { echo "$1 and $2 differ by more than $3 %"; return 1; }; }

# nftables drops what exceeds the rate, at the ingress hook.
kernel_polices() { # RATE
	kernel_up
	nsenter --net="/run/netns/$KERNEL" -- nft -f - <<-EOF || skip "the kernel has no netdev tables"
		table netdev police {
			counter offered { }
			counter dropped { }
			chain in {
				type filter hook ingress device ${NAME}d2 priority 0;
				meta protocol != { ip, ip6, vlan, 8021ad } accept
				counter name offered
				limit rate over $1 counter name dropped drop
			}
		}
	EOF
}

kernel_count() { nsenter --net="/run/netns/$KERNEL" -- nft -j list counter netdev police "$1" | jq '[.. | .packets? // empty][0]'; }

# The packets of the file at some 4,000 a second; how many seconds it took.
play() { tb_gen "$SLUICE" gen "$1" --pcap "$FILE" --rate 4000 -j | jq .seconds; }

# Each count within its error of the exact one, nothing missed that is more than missed_max.
hitters_hold() {
	"$E2E/count_flows" -t 24 "$FILE" >"$BATS_TEST_TMPDIR/counted"
	nf_json 0 >"$BATS_TEST_TMPDIR/nf"
	expect "$(jq -n --slurpfile c "$BATS_TEST_TMPDIR/counted" --slurpfile n "$BATS_TEST_TMPDIR/nf" \
		'def id: "\(.addr_a) \(.port_a) \(.addr_b) \(.port_b) \(.proto)";
		$n[0].running as $r | ($r.top | map({(id): .}) | add) as $top |
		($c[0].flows | map({id: id, n: (.bytes + .bytes_reverse)})) as $all |
		($all | map(select($top[.id]) | . + $top[.id])) as $listed | {
			total: $r.total, counted: ($all | map(.n) | add), unread: $r.unread, missed_max: $r.missed_max,
			listed: ($r.top | length), known: ($listed | length),
			low: ($listed | map(select(.count < .n)) | length),
			high: ($listed | map(select(.count - .error > .n)) | length),
			missed: ($all | map(select($top[.id] | not).n) | max // 0),
			heaviest: ($all | sort_by(-.n) | .[0:10] | map(.id)), first: ($r.top | .[0:10] | map(id))}')" \
		'.total == .counted' '.unread == 0' '.listed == .known' '.listed > 500' '.low == 0' '.high == 0' \
		'.missed <= .missed_max' '.heaviest == .first'
}

@test "a capture while buckets move: heavyhitters within its bounds, police lets through what nftables does" {
	local seconds sluice offered dropped
	traffic
	up "heavyhitters:bytes:window=0:top=1000,police:1kpps:burst=500:per=all"
	move_buckets 2
	seconds=$(play "$TB_G")
	moves_ended
	losses_hold
	hitters_hold
	sluice=$(nf_json 1)
	losses_hold ".nf_drop.police_rate == $(jq .dropped_packets <<<"$sluice")"
	run -0 tb_s nf "$TB_D"
	[[ $output == *addr_a=* ]]
	kernel_polices "1000/second burst 500 packets"
	play "${NAME}g2"
	offered=$(kernel_count offered)
	dropped=$(kernel_count dropped)
	echo "sluice: $sluice in $seconds s; nftables dropped $dropped of $offered"
	expect "$sluice" ".passed_packets <= (500 + 1000 * $seconds) * 1.05" '.dropped_packets > 1000' '.passed_packets > 1000'
	within "$(jq '.passed_packets' <<<"$sluice")" $((offered - dropped)) 5
}

@test "police: each flow keeps its token bucket while its bucket moves" {
	local seconds
	up "police:200pps:burst=100"
	move_buckets 2
	seconds=$(tb_gen "$SLUICE" gen "$TB_G" --flows 24 --rate 19200 --duration 2 -j | jq .seconds)
	moves_ended
	losses_hold
	tb_s flows "$TB_D" -j | jq -c "{seconds: $seconds, flows: map({passed, dropped})}" >"$BATS_TEST_TMPDIR/flows"
	expect "$(cat "$BATS_TEST_TMPDIR/flows")" '.flows | length == 24' \
		'.seconds as $s | .flows | all(.passed <= (100 + 200 * $s) * 1.05)' \
		'.seconds as $s | .flows | all(.passed >= (100 + 200 * $s) * 0.8)' '.flows | all(.dropped > 500)'
	expect "$(nf_json 0)" ".passed_packets == $(jq '.flows | map(.passed) | add' "$BATS_TEST_TMPDIR/flows")" \
		".dropped_packets == $(jq '.flows | map(.dropped) | add' "$BATS_TEST_TMPDIR/flows")"
}

@test "police: flows on all workers share their prefix's rate, whichever worker they are on" {
	local seconds
	# a thousand of the generator's packets of 66 bytes a second
	up "police:528kbit:burst=33000:src=198.18.0.0/16:per=src/24"
	move_buckets 2
	# a source address each, in order: some 250 of them in each of four prefixes
	seconds=$(tb_gen "$SLUICE" gen "$TB_G" --flows 1000 --rate 20000 --duration 2 -j | jq .seconds)
	moves_ended
	losses_hold
	expect "$(nf_json 0 | jq -c ". + {seconds: $seconds}")" '.limited | length >= 1' \
		'.seconds as $s | .limited | all(.passed_bytes <= (33000 + 66000 * $s) * 1.05)' \
		'.seconds as $s | .limited | all(.passed_bytes >= (33000 + 66000 * $s) * 0.8)' \
		'.passed_packets == ([.limited[].passed_packets] | add)' \
		'.dropped_packets == ([.limited[].dropped_packets] | add)'
}
