#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# firewall on real captures and generated ones beside nftables with the same rules, and against real programs.
load common
load wires

setup() { needs_root; }
teardown() { wires_down; }

# rules_for CAPTURE COUNT SEED: random rules, most of them about the capture's own ends, as firewall's text in
# $RULES and as nft's in $RULES.nft. With seed 1 what is established passes, and some rules ask for states; else none
# does. Rules that drop replies would not compare: in the kernel these count for the connection all the same.
rules_for() {
	RULES=$BATS_TEST_TMPDIR/rules
	"$CHECK" prepare "$1" "$RULES.pcap" 02:5c:00:00:00:10
	tcpdump -nn -r "$RULES.pcap" 2>/dev/null |
		sed -nE 's/.* IP ([0-9]+\.[0-9]+\.[0-9]+\.[0-9]+)\.?([0-9]*) > ([0-9]+\.[0-9]+\.[0-9]+\.[0-9]+)\.?([0-9]*):.*/\1 \2 \3 \4/p' |
		sort -u >"$BATS_TEST_TMPDIR/ends"
	awk -v count="$2" -v seed="$3" -v fw="$RULES" -v nft="$RULES.nft" '
	function pick(list) { return substr(list, 2 * int(rand() * length(list) / 2) + 1, 2) + 0 }
	function address(a) {
		return rand() < 0.85 && a != "" ? a : int(rand() * 224) "." int(rand() * 256) "." int(rand() * 256) "." \
			int(rand() * 256)
	}
	function side(word, nftword, a, bits) {
		if (bits == 0)
			return
		a = address(a) "/" bits
		line = line " " word " " a
		other = other " ip " nftword " " a
	}
	{ n++; src[n] = $1; sport[n] = $2; dst[n] = $3; dport[n] = $4 }
	END {
		srand(seed)
		print "default drop" >fw
		if (seed == 1) {
			print "pass state established,related" >fw
			print "add rule ip fw f ct state established,related counter accept" >nft
			made++
		}
		while (made < count) {
			i = int(rand() * n) + 1
			action = rand() < 0.6 ? "pass" : "drop"
			proto = rand() < 0.5 ? "tcp" : rand() < 0.7 ? "udp" : rand() < 0.3 ? "icmp" : "any"
			bits = pick("00000812162024283232")
			ports = proto == "tcp" || proto == "udp" ? int(rand() * 4) : 0
			# what takes nearly everything would hide the rest
			if (bits < 20 && ports != 1)
				continue
			line = action " " proto
			other = proto == "any" ? "" : "ip protocol " proto
			side("from", "saddr", src[i], bits)
			if (bits == 0)
				line = line " from any"
			bits = pick("00000000081624")
			side("to", "daddr", dst[i], bits)
			if (bits == 0)
				line = line " to any"
			low = rand() < 0.9 ? dport[i] + 0 : int(rand() * 65000)
			if (ports) {
				high = low + int(rand() * 500)
				low = ports == 2 ? low "-" (high < 65535 ? high : 65535) : low
				line = line " port " low
				other = other " " proto " dport " low
			}
			s = rand()
			if (s < 0.4 && seed == 1) {
				state = s < 0.2 ? "new" : s < 0.3 ? "new,invalid" : "invalid"
				line = line " state " state
				other = other " ct state " state
			}
			print line >fw
			print "add rule ip fw f " other " counter " (action == "pass" ? "accept" : "drop") >nft
			made++
		}
	}' "$BATS_TEST_TMPDIR/ends"
	[ "$(wc -l <"$RULES.nft")" = "$2" ]
}

# The same rules in the kernel. Before routing, so that it judges packets too that it would not forward.
kernel_rules() {
	kernel_up
	{
		echo "add table ip fw"
		echo "add chain ip fw f { type filter hook forward priority 0; policy drop; }"
		cat "$RULES.nft"
	} | nsenter --net="/run/netns/$KERNEL" -- nft -f -
	kernel_liberal
}

# numbers FILE: which of the prepared packets came through; each bears its number.
numbers() { tcpdump -nnvr "$1" 2>/dev/null | sed -nE 's/.* IP \(.* id ([0-9]+),.*/\1/p' | sort; }

# both_ways WHO INSIDE OUTSIDE FILE: the capture out, and an answer to each of its packets, asked for or not, back in.
both_ways() {
	local dir=$BATS_TEST_TMPDIR/$1
	mkdir -p "$dir"
	"$CHECK" prepare "$4" "$dir/sent.pcap" "02:5c:00:00:00:1$2"
	through "$2" "$3" "$dir/sent.pcap" "$dir/out.pcap"
	"$CHECK" answer "$dir/sent.pcap" "$dir/answers.pcap" "02:5c:00:00:00:1$3"
	through "$3" "$2" "$dir/answers.pcap" "$dir/back.pcap"
	numbers "$dir/out.pcap" >>"$dir/out"
	numbers "$dir/back.pcap" >>"$dir/back"
}

# beside_nftables RULES SEED FILE...: one capture after the other; the rules are about the first one's ends.
beside_nftables() {
	local ours theirs count=$1 seed=$2 file
	shift 2
	rules_for "$1" "$count" "$seed"
	sluice_up "firewall:$RULES,forward"
	for file in "$@"; do
		both_ways sluice 0 1 "$file"
	done
	kernel_rules
	for file in "$@"; do
		both_ways kernel 2 3 "$file"
	done
	losses_hold
	ours=$(tb_s nf "$TB_D" -j | jq -c '.[0] | {passed, rules: [.rules[].packets], default: .default.packets}')
	theirs=$(nsenter --net="/run/netns/$KERNEL" -- nft -j list chain ip fw f |
		jq -c '[.nftables[].rule | select(.).expr | map(select(.counter).counter.packets)[0]]')
	jq -nc --argjson a "$ours" --argjson b "$theirs" \
		'{passed: $a.passed, matched: [$a.rules[] | select(. > 0)] | length, default: $a.default,
		unlike: [range($b | length) | select($a.rules[.] != $b[.]) | [., $a.rules[.], $b[.]]]}' \
		>"$BATS_TEST_TMPDIR/verdict"
	cat "$BATS_TEST_TMPDIR/verdict"
	wc -l "$BATS_TEST_TMPDIR"/{sluice,kernel}/{out,back}
}

# Packets that the kernel lost on their way: a CPU's backlog has 1,000 places, and a generator that was held up
# makes up for it at once.
lost() {
	{
		ip -n "$NAME-gen" -s -j link
		ip -n "$KERNEL" -s -j link
	} | jq -s 'flatten | map(.stats64.rx.dropped) | add'
	sed -nE 's/^([0-9]+) packets dropped by kernel/\1/p' "$BATS_TEST_TMPDIR"/{sluice,kernel}/*.log
}

# alike: the same packets came through, the same rules matched as often, and enough of them to tell.
alike() {
	[ "$(($(lost | paste -sd+)))" = 0 ] || skip "the machine is too busy: packets were lost beside the filters"
	cmp "$BATS_TEST_TMPDIR"/{sluice,kernel}/out
	cmp "$BATS_TEST_TMPDIR"/{sluice,kernel}/back
	expect "$(cat "$BATS_TEST_TMPDIR/verdict")" '.unlike == []' "$@"
}

# What is generated, and behind NAME in CAPTURES if it is there.
traffic() { # NAME
	FILES=("$BATS_TEST_TMPDIR/made.pcap")
	"$E2E/mkpcap" "${FILES[0]}"
	[ -e "$CAPTURES/$1" ] || return 0
	tcpdump -r "${FILES[0]}" -c 1500 -w "$BATS_TEST_TMPDIR/few.pcap" 2>/dev/null
	FILES=("$CAPTURES/$1" "$BATS_TEST_TMPDIR/few.pcap")
}

@test "10,000 rules with states on a capture, out and back: the packets that nftables passes, by the same rules" {
	traffic mixed-4096pkt-1006flow.pcap
	beside_nftables 10000 1 "${FILES[0]}"
	alike '.passed > 1000 and .matched > 50 and .default > 0'
}

@test "2,000 rules without states on another capture, and on generated traffic" {
	traffic manyflow-3905pkt-937flow.pcap
	beside_nftables 2000 2 "${FILES[@]}"
	alike '.passed > 1000 and .matched > 50 and .default > 0'
}

inside() { nsenter --net="/run/netns/$NAME-in" -- timeout 5 "$@"; }
connects() { inside bash -c "exec 3<>/dev/tcp/192.0.2.9/$1"; }
reload() { tb_s nf "$TB_D" --reload -j; }

@test "real connections while buckets move and rules are loaded anew; refusals that the kernel believes" {
	local i
	RULES=$BATS_TEST_TMPDIR/rules
	cat >"$RULES" <<-EOF
		default reject
		pass state established,related
		pass tcp from 10.0.0.0/8 to 192.0.2.9 port 8000 state new on ${NAME}d0
	EOF
	sluice_up "firewall:$RULES,forward"
	hosts_up
	nsenter --net="/run/netns/$NAME-out" -- "$E2E/connections" serve 192.0.2.9 8000 3>&- &
	SERVER=$!
	tb_wait 10 listens
	nsenter --net="/run/netns/$NAME-dut" -- "$E2E/mover" "$TB_D" -d 4 -r 20000 >"$BATS_TEST_TMPDIR/mover.json" 3>&- &
	MOVER=$!
	nsenter --net="/run/netns/$NAME-in" -- "$E2E/connections" call 192.0.2.9 8000 200 3 >"$BATS_TEST_TMPDIR/calls" 3>&- &
	CALLS=$!
	for i in 1 2 3 4 5 6; do
		expect "$(reload)" ".[0].loaded == $i + 1"
		sleep 0.3
	done
	wait "$CALLS"
	wait "$MOVER"
	kill "$SERVER"
	expect "$(cat "$BATS_TEST_TMPDIR/calls")" '.broken == 0' '.connections > 300'
	expect "$(cat "$BATS_TEST_TMPDIR/mover.json")" '.unfinished == 0' '.asked > 5000'
	# reports of multicast groups are not answered
	losses_hold '.nf_drop_total == .nf_drop.firewall_reject'
	expect "$(tb_s nf "$TB_D" -j)" '.[0] | .connections == (.states | add) and .made > 300 and .dropped == 0'

	# without an answer these would last until timeout(1) ends them
	run ! connects 81
	[[ $output == *"Connection refused"* ]]
	run ! inside bash -c 'exec 3<>/dev/udp/192.0.2.9/53; echo x >&3; read -r -u 3 x'
	[[ $output == *"Connection refused"* ]]
	expect "$(tb_s nf "$TB_D" -j)" '.[0].default | .action == "reject" and .packets > 1'

	echo 'pass on eth7' >"$RULES"
	refused -1 "$RULES:1: on eth7: no interface of this instance, whose first is $TB_D" reload
	echo 'pass tcp to 192.0.2.9 prot 80' >"$RULES"
	refused -1 "firewall: $RULES:1: 'prot' is no word of a rule" reload
	expect "$(tb_s nf "$TB_D" -j)" '.[0].loaded == 7'
	run -0 tb_s nf "$TB_D"
	[[ $output == *"rule=pass state established,related"* ]]
}

@test "a rule that is wrong: one line with file and line, exit status 2, nothing started" {
	tb_up "$NAME" 1 1
	tb_s attach "$TB_D" --match all
	printf 'pass\n\ndrop on eth7 to 10.0.0.0/40\n' >"$BATS_TEST_TMPDIR/rules"
	refused -2 "rules:3: '10.0.0.0/40' is no prefix" \
		tb_s run -i "$TB_D" --nf "firewall:$BATS_TEST_TMPDIR/rules,sink"
	refused -2 "firewall: name a file of rules" tb_s run -i "$TB_D" --nf firewall,sink
}
