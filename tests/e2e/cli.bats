#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# The command line through the door that users take: options, messages, exit status, JSON, the
# full-screen view, completion.
load common

COMMANDS="attach detach run status top workers buckets moves flows nf nic losses tenants move split merge pause resume
	balance check capture gen sim sched doctor lb agent version"
READERS="status workers buckets moves losses flows nf nic"

setup() {
	needs_root
	tb_up "$NAME"
	ip -n "$NAME-gen" addr add 10.77.0.2/24 dev "$TB_G"
	ip -n "$NAME-gen" neigh replace 10.77.0.9 lladdr 02:5c:00:00:00:02 dev "$TB_G"
}
teardown() { tb_down; }

PINS() { echo "/sys/fs/bpf/sluice/1/$TB_D"; }

attach() { tb_s attach "$TB_D" --match all >/dev/null; }

# Attached, and served by two workers.
serve() {
	attach
	tb_run --workers 2 --max-workers 4 --nf flowcount,reflect
}

# N packets from the peer, in four flows, to port $2, and back.
send() {
	tb_gen bash -c '
		exec 4>/dev/udp/10.77.0.9/$2 5>/dev/udp/10.77.0.9/$2 6>/dev/udp/10.77.0.9/$2 \
			7>/dev/udp/10.77.0.9/$2
		for ((i = 0; i < $1; i++)); do printf x >&$((4 + i % 4)); done
		for i in 4 5 6 7; do read -r -t 5 -N $(($1 / 4)) -u $i || exit 1; done' send "$1" "${2:-5000}"
}

@test "every command has --help that exits 0 and names itself" {
	for c in $COMMANDS; do
		run -0 "$SLUICE" "$c" --help
		[[ ${lines[0]} == "Usage: sluice $c"* ]]
		[[ $output == *"--json"* && $output == *"--help"* ]]
	done
	run -0 "$SLUICE" --help
	for c in $COMMANDS; do
		[[ $output == *"  $c "* ]]
	done
}

@test "every command refuses an unknown option with one line and exit status 2" {
	for c in $COMMANDS; do
		refused -2 "unknown option --no-such" "$SLUICE" "$c" --no-such
		refused -2 "unknown option -9" "$SLUICE" "$c" -9
	done
	refused -2 "unknown option -q" "$SLUICE" -q
	refused -2 'unknown command "zap"' "$SLUICE" zap
	refused -2 "a command is missing" "$SLUICE"
}

@test "wrong values name the option and what is allowed" {
	refused -2 "128 to 65536" "$SLUICE" attach x --match all --buckets 64
	refused -2 "power of two" "$SLUICE" attach x --match all --buckets 1000
	refused -2 "1 to 128" "$SLUICE" attach x --match all --max-workers 129
	refused -2 "auto, native, generic" "$SLUICE" attach x --match all --mode fast
	refused -2 "toeplitz:KEY" "$SLUICE" attach x --match all --hash md5
	refused -2 "40 or 52 bytes" "$SLUICE" attach x --match all --hash toeplitz:00ff
	refused -2 "--match" "$SLUICE" attach x --match nonsense=1
	refused -2 "--match needs a value" "$SLUICE" attach x --match
	refused -2 "--match all" "$SLUICE" attach x
	refused -2 "at most 4" "$SLUICE" attach a b c d e --match all
	refused -2 "IF is missing" "$SLUICE" attach
	refused -2 "--set" "$SLUICE" workers --set 0
	refused -2 "200ms" "$SLUICE" workers --interval soon
	refused -2 "--top" "$SLUICE" buckets --top x
	refused -2 "1 to 4096" "$SLUICE" moves -n 5000
	refused -2 "BUCKET" "$SLUICE" move
	refused -2 "BUCKET-BUCKET:WORKER" "$SLUICE" move eth1 5:x
	refused -2 "exclude each other" "$SLUICE" move --pin --unpin 5 1
	refused -2 "syntax error" "$SLUICE" capture --filter 'udp port port'
	refused -2 "both, rx, tx" "$SLUICE" capture --direction up
	refused -2 "takes no value" "$SLUICE" balance --dry-run=yes
	refused -2 "too many" "$SLUICE" losses a b
	refused -2 "too many" "$SLUICE" version now
	refused -2 "power of two" "$SLUICE" run -i x --nf sink --ring 100
	refused -2 "2048 or 4096" "$SLUICE" run -i x --nf sink --frame-size 3000
	refused -2 "more than --max-workers 2" "$SLUICE" run -i x --nf sink --workers 4 --max-workers 2
}

@test "an interface that is not there, and one that is not attached" {
	refused -1 "nosuch" tb_s attach nosuch --match all -j
	for c in $READERS detach pause "move 5 1" "split 5" "merge 5" capture; do
		set -- $c
		refused -1 "nosuch" tb_s "$1" nosuch "${@:2}"
		refused -1 "$TB_D" tb_s "$1" "$TB_D" "${@:2}"
	done
	[ ! -e /sys/fs/bpf/sluice/1/nosuch ]
}

@test "without privilege: one line, nothing changed" {
	local copy user="setpriv --reuid=65534 --regid=65534 --clear-groups"

	copy=$(mktemp -d)
	chmod 755 "$copy"
	cp "$SLUICE" "$copy/sluice"
	refused -1 "root" tb_dut $user "$copy/sluice" attach "$TB_D" --match all -j
	for c in $READERS detach "move 5 1"; do
		set -- $c
		refused -1 "root" tb_dut $user "$copy/sluice" "$1" "$TB_D" "${@:2}"
	done
	tb_dut $user "$copy/sluice" version >/dev/null
	rm -r "$copy"
	no_xdp
}

@test "attach says memory and mode; a second one is refused; detach cleans up" {
	run -0 tb_s attach "$TB_D" --match 10.0.0.0/8 --match proto=tcp,dport=80 --buckets 256
	[[ $output == *"of kernel memory"* ]]
	[[ $output == *"native mode"* || $output == *"generic mode"* ]]
	refused -1 "--replace" tb_s attach "$TB_D" --match all -j
	run -0 tb_s status -j
	jq -e --arg dev "$TB_D" '.buckets == 256 and (.rules | length) == 2 and .instance == $dev and
		.dataplane.running == false and (.warnings | length) > 0' <<<"$output"
	run -0 tb_s detach
	[ ! -e "$(PINS)" ]
	no_xdp
}

@test "in a mount namespace without BPF file system: one line, not an attach that ends with it" {
	refused -1 "nsenter --net=" ip netns exec "$TB_NAME-dut" "$SLUICE" attach "$TB_D" --match all -j
	no_xdp
}

@test "attach -j: what was granted" {
	run -0 tb_s attach "$TB_D" --match all --instance "$TB_D.edge" --mode generic -j
	expect "$output" ".instance == \"$TB_D.edge\"" '.interfaces[0].mode == "generic"' '.memory_bytes > 0'
	run -0 tb_s status "$TB_D.edge" -j
	run -0 tb_s detach "$TB_D.edge" -j
	expect "$output" ".detached == \"$TB_D.edge\""
	no_xdp
}

@test "without daemon and dataplane, what needs them says which is missing" {
	attach
	for c in pause resume balance; do
		refused -1 "start sluiced" tb_s $c "$TB_D"
	done
	refused -1 "sluice run" tb_s flows "$TB_D"
	refused -1 "sluice run" tb_s capture "$TB_D"
	refused -1 "sluice run" tb_s workers "$TB_D" --set 2
	refused -1 "start sluiced" tb_s move "$TB_D" --unpin 5
	rows=$(bpftool map dump pinned "$(PINS)/indirection" | cksum)
	for c in "5 1" "5 7" "5:0 6-9:1" "--pin 5 1"; do # which workers the next start has is its own affair
		# shellcheck disable=SC2086
		refused -1 "sluice run" tb_s move "$TB_D" $c
	done
	[ "$(bpftool map dump pinned "$(PINS)/indirection" | cksum)" = "$rows" ]
	run -0 tb_s workers "$TB_D" -j
	[ "$output" = "[]" ]
}

flows_are_counted() { tb_s buckets "$TB_D" --top 4 -j | jq -e '.[0].flows >= 1'; }

@test "what is shown under traffic has the documented keys" {
	serve
	send 400
	run -0 tb_s losses "$TB_D" -j
	jq -e '.seen >= 400 and .forwarded == .seen and .delivered == .seen and .passed_to_stack >= 0
		and .identity_ok.in and .identity_ok.out and .quiet and .unaccounted == 0 and
		(.nf_drop | type) == "object" and ([.ring_full, .no_frame, .no_slot, .stamp_error,
		.bad_row, .redirect_error, .consumed, .park_overflow, .stray, .held, .abandoned]
		| all(. == 0))' <<<"$output"
	run -0 tb_s workers "$TB_D" -j
	jq -e 'length == 2 and (map(.packets) | add) >= 400 and (map(.buckets) | add) == 1024 and
		all(.[]; has("cpu") and has("load") and has("ring_fill") and .load >= 0 and
		.load <= 1 and .state == "running" and .heartbeat_age_ms < 3000)' <<<"$output"
	run -0 tb_s buckets "$TB_D" --top 4 -j
	jq -e 'length == 4 and (map(.packets) | add) >= 400 and
		all(.[]; .worker == .owner and .moving == false and .pinned == false)' <<<"$output"
	tb_wait 5 flows_are_counted # by a sweep, which an idle worker does before it sleeps again
	run -0 tb_s buckets "$TB_D" --worker 1 -j
	jq -e 'length > 0 and all(.[]; .owner == 1)' <<<"$output"
	run -0 tb_s flows "$TB_D" -j
	jq -e 'length == 4 and all(.[]; .packets == 100)' <<<"$output"
	for c in $READERS; do
		run -0 tb_s "$c" "$TB_D"
		[ -n "$output" ]
		run -0 tb_s -p "$c" "$TB_D"
		jq -e . <<<"$output" >/dev/null
	done
}

@test "status warns of what is wrong, and of nothing else" {
	local daemon
	serve
	start_daemon
	daemon=$TB_PID
	expect "$(tb_s status "$TB_D" -j)" '.warnings == []'
	tb_stop "$daemon"
	expect "$(tb_s status "$TB_D" -j)" '.warnings | length == 1' '.warnings[0] | test("no daemon runs")'
	tb_stop "$TB_RUN_PID" KILL
	expect "$(tb_s status "$TB_D" -j)" '.warnings | length == 2' '.warnings | any(test("pid [0-9]+. died"))'
	tb_s detach "$TB_D"
	tb_dut ip link set dev "$TB_D" xdp obj "$TB_BUILD/bpf/steer.bpf.o" sec xdp
	expect "$(tb_s status "$TB_D" -j)" '.warnings | any(test("not configured"))' '.warnings | any(test("no dataplane"))'
}

@test "with several instances a command wants the name of one" {
	attach
	ip -n "$NAME-dut" link add "${NAME}d8" type veth peer name "${NAME}d9"
	tb_s attach "${NAME}d8" --match all >/dev/null
	for c in $READERS detach; do
		refused -2 "name one of" tb_s "$c"
	done
	run -0 tb_s status "${NAME}d8" -j
	expect "$output" ".instance == \"${NAME}d8\""
	run -0 tb_s detach "${NAME}d8"
	run -0 tb_s status -j
	expect "$output" ".instance == \"$TB_D\""
}

@test "a move by hand arrives and is logged" {
	serve
	run -0 tb_s move "$TB_D" 0-7:0 -j
	run -0 tb_s move "$TB_D" 3 1 -j
	jq -e 'length == 1 and .[0].bucket == 3 and .[0].from == 0 and .[0].to == 1 and
		.[0].state == "done" and .[0].took_us > 0' <<<"$output"
	run -0 tb_s moves "$TB_D" -n 1 -j
	jq -e '.[0].bucket == 3 and .[0].to == 1 and .[0].epoch > 0 and .[0].asked_us > 0 and
		.[0].parked_max >= 0 and (.[0].rule | test("^[adc]$"))' <<<"$output"
	run -0 tb_s buckets "$TB_D" -j
	jq -e '.[3].owner == 1 and .[3].next == 1 and .[4].owner == 0' <<<"$output"
	refused -2 "buckets 0 to 1023" tb_s move "$TB_D" 1024 1
	refused -1 "does not run" tb_s move "$TB_D" 3 9
	refused -2 "0 to 15" tb_s move "$TB_D" 3 99
	run -0 tb_s buckets "$TB_D" -j
	jq -e '.[3].owner == 1' <<<"$output"
}

@test "workers --set changes their number and says where it ends" {
	serve
	run -0 tb_s workers "$TB_D" --set 3
	tb_wait 5 workers_are 3
	refused -2 "16 workers" tb_s workers "$TB_D" --set 17
	run -0 tb_s workers "$TB_D" --set 2
	tb_wait 5 workers_are 2
}

@test "capture writes pcap, filters, counts and ends" {
	local file="$BATS_TEST_TMPDIR/c.pcap"

	serve
	tb_dut timeout 20 "$SLUICE" capture "$TB_D" -d rx -c 10 -f 'udp dst port 53' -w "$file" 3>&- &
	sleep 0.5
	send 40 5000
	send 40 53
	wait $!
	# Nanosecond pcap: 24 bytes, then for each packet 16 and Ethernet + IPv4 + UDP + 1.
	[ "$(od -An -tx4 -N4 "$file" | tr -d ' ')" = a1b23c4d ]
	[ "$(stat -c %s "$file")" = $((24 + 10 * (16 + 14 + 20 + 8 + 1))) ]
	tb_dut timeout 20 "$SLUICE" capture "$TB_D" -d rx -c 4 -j >"$BATS_TEST_TMPDIR/lines" 3>&- &
	sleep 0.5
	send 40
	wait $!
	[ "$(jq -s --arg dev "$TB_D" 'length == 4 and all(.[]; .iface == $dev and .direction == "rx" and .length == 43)' \
		"$BATS_TEST_TMPDIR/lines")" = true ]
	run -0 tb_s capture "$TB_D" -t 100ms -w "$file"
	[ "$(stat -c %s "$file")" = 24 ]
	refused -1 "nosuchdir" tb_s capture "$TB_D" -w /nosuchdir/f
}

# Run sluice top on a terminal of $1 x $2 (columns, rows); what it printed is in $BATS_TEST_TMPDIR/tty.
on_terminal() {
	local cols=$1 rows=$2

	shift 2
	TERM=xterm-256color LC_ALL=C.UTF-8 script -qefc \
		"echo \$\$ >$BATS_TEST_TMPDIR/top.pid; stty cols $cols rows $rows; exec nsenter --net=/run/netns/$TB_NAME-dut $SLUICE $*" /dev/null \
		>"$BATS_TEST_TMPDIR/tty" 3>&-
}

# The terminal was taken (alternate screen) and given back.
restored() {
	grep -q $'\e\[?1049h' "$BATS_TEST_TMPDIR/tty"
	[[ $(tail -c 64 "$BATS_TEST_TMPDIR/tty") == *$'\e[?1049l'* ]]
}

@test "top shows all parts, ends on q and by itself, and restores the terminal" {
	serve
	run -0 on_terminal 80 24 top "$TB_D" -n 2 -i 200ms </dev/null
	restored
	for part in "buckets:" "moves:" "losses" "cpu"; do
		grep -qa "$part" "$BATS_TEST_TMPDIR/tty"
	done
	(sleep 1; printf q; sleep 1) | on_terminal 200 60 top "$TB_D"
	restored
	(sleep 1; printf q; sleep 1) | on_terminal 30 5 top "$TB_D"
	restored
}

@test "top restores the terminal on SIGTERM, follows a resize, and needs a terminal" {
	serve
	refused -1 "terminal" tb_s top "$TB_D"
	(sleep 3) | on_terminal 80 24 top "$TB_D" &
	local job=$! pid
	sleep 1.5
	pid=$(cat "$BATS_TEST_TMPDIR/top.pid")
	stty -F "$(readlink "/proc/$pid/fd/0")" cols 120 rows 40
	kill -WINCH "$pid"
	sleep 0.7
	kill -TERM "$pid"
	wait $job
	restored
}

@test "pause, resume, balance and pins go through the daemon" {
	serve
	start_daemon
	run -0 tb_s pause "$TB_D"
	run -0 tb_s status "$TB_D" -j
	jq -e '.daemon.running and .daemon.paused' <<<"$output"
	run -0 tb_s resume "$TB_D" -j
	jq -e '.paused == false' <<<"$output"
	run -0 tb_s move "$TB_D" --pin 40-41:1 -j
	jq -e 'length == 2 and all(.[]; .state == "done")' <<<"$output"
	run -0 tb_s buckets "$TB_D" -j
	jq -e '[.[] | select(.pinned) | .bucket] == [40, 41]' <<<"$output"
	run -0 tb_s move "$TB_D" --unpin 40
	run -0 tb_s buckets "$TB_D" -j
	jq -e '[.[] | select(.pinned) | .bucket] == [41]' <<<"$output"
	send 200
	sleep 1
	run -0 tb_s balance "$TB_D" --dry-run -j
	jq -e '.dry_run and (.moves | type) == "array" and .cost >= (.moves | length) and .late == false' <<<"$output"
	run -0 tb_s balance "$TB_D" --dry-run
	[[ $output == "$TB_D: "* ]]
}

@test "detach is refused while a dataplane runs, --force does it" {
	serve
	refused -1 "--force" tb_s detach "$TB_D"
	[ -e "$(PINS)" ]
	run -0 tb_s detach "$TB_D" --force
	[ ! -e "$(PINS)" ]
	no_xdp
	tb_stop "$TB_RUN_PID"
}

@test "check accepts a good file and names the line of a bad one" {
	printf 'version: 1\ninstances:\n- name: a\n  interfaces: [eth1]\n  match: [all]\n' \
		>"$BATS_TEST_TMPDIR/good.yaml"
	run -0 "$SLUICE" check "$BATS_TEST_TMPDIR/good.yaml" -j
	jq -e '.ok and .instances == ["a"]' <<<"$output"
	printf 'version: 1\nbalance:\n  threshold: high\n' >"$BATS_TEST_TMPDIR/bad.yaml"
	refused -1 "bad.yaml:3" "$SLUICE" check "$BATS_TEST_TMPDIR/bad.yaml"
	refused -1 "nosuch.yaml" "$SLUICE" check "$BATS_TEST_TMPDIR/nosuch.yaml"
}

@test "what cannot be written is an error" {
	run -0 "$SLUICE" version
	run ! bash -c "'$SLUICE' version >/dev/full 2>/dev/null"
	run ! bash -c "'$SLUICE' --help >/dev/full 2>/dev/null"
	run ! bash -c "'$SLUICE' version -j >/dev/full 2>/dev/null"
}

# What completion offers for the words given.
complete_words() {
	bash -c '. "$1"; shift; PATH="$(dirname "$1"):$PATH"; shift
		COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _sluice; printf "%s\n" "${COMPREPLY[@]}"' \
		complete "$TB_ROOT/docs/sluice.bash" "$SLUICE" "$@"
}

@test "completion knows commands, options, values, interfaces, instances, buckets and workers" {
	run complete_words sluice mo
	[ "$output" = $'move\nmoves' ]
	run complete_words sluice attach --m
	[ "$output" = $'--match\n--max-workers\n--mode' ]
	run complete_words sluice attach "$TB_D" --mode g
	[ "$output" = generic ]
	run complete_words sluice -j los
	[ "$output" = losses ]
	run complete_words sluice sched --policy d
	[ "$output" = $'drf\ndrfq' ]
	[[ $(complete_words sluice sched /etc/host) == */etc/hosts* ]]
	run complete_words sluice lb s
	[ "$output" = $'set\nshow\nsim' ]
	run complete_words sluice lb set --sta
	[ "$output" = --state ]
	run complete_words sluice lb set 10.0.0.1 --state d
	[ "$output" = $'down\ndrain' ]
	[[ $(complete_words sluice lb apply /etc/host) == */etc/hosts* ]]
	run complete_words sluice agent a
	[ "$output" = attach ]
	[[ $(complete_words sluice agent attach l) == *lo* ]]
	for c in $COMMANDS; do
		[[ $(complete_words sluice "$c" --he) == --help ]]
	done
	[[ $(complete_words sluice attach l) == *lo* ]]
	serve
	[[ $(complete_words sluice status "${TB_D%0}") == *$TB_D* ]]
	# In the namespace, or the instance cannot be opened.
	export TB_ROOT SLUICE
	export -f complete_words
	run tb_dut bash -c "complete_words sluice move $TB_D 102"
	[[ $output == *1020* && $output == *1023* ]]
	run tb_dut bash -c "complete_words sluice move $TB_D 3 ''"
	[ "$output" = $'0\n1' ]
}

@test "sluice(8) has no mistake that mandoc finds" {
	command -v mandoc >/dev/null || skip "mandoc is not installed"
	run -0 mandoc -Tlint -Wwarning "$TB_ROOT/docs/sluice.8"
	for c in $COMMANDS; do
		grep -q "Cm $c\b" "$TB_ROOT/docs/sluice.8"
	done
}

@test "sluice(8) knows every option of every command" {
	for c in $COMMANDS; do
		run -0 "$SLUICE" "$c" --help
		for o in $("$SLUICE" "$c" --help | sed -n 's/^  .*--\([a-z0-9-]*\).*/\1/p'); do
			grep -q "Fl Fl $o\b" "$TB_ROOT/docs/sluice.8" || { echo "$c --$o"; return 1; }
		done
	done
}
