#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Bad input: one line that says what and what to do, exit status not 0, and nothing changed. Wrong words on the
# command line are cli.bats' part; here it is what the system refuses or what lies on an interface or a disk.
load common

setup_file() {
	needs_root
	# a user without privileges must be able to reach the program
	mkdir -p "$BATS_FILE_TMPDIR/open"
	chmod 755 "$BATS_RUN_TMPDIR" "$BATS_FILE_TMPDIR" "$BATS_FILE_TMPDIR/open" 2>/dev/null || true
}

# A command that is taken for good input after all must not keep the test.
tb_dut() { timeout 10 nsenter --net=/run/netns/"$NAME-dut" -- "$@"; }
tb_gen() { timeout 10 nsenter --net=/run/netns/"$NAME-gen" -- "$@"; }

setup() { tb_up "$NAME" 2; }
teardown() { tb_down; }

# All that a command could have changed here.
state() {
	echo "pins: $(find /sys/fs/bpf/sluice -path "*$NAME*" 2>/dev/null | sort | tr '\n' ' ')"
	echo "run: $(find "$TB_RUN" -name '*.sock' | sort | tr '\n' ' ')"
	echo "xdp: $(ip -n "$NAME-dut" -j -d link show "$TB_D" | jq -c '.[0].xdp')"
	echo "row: $(bpftool map dump pinned "/sys/fs/bpf/sluice/1/$TB_D/indirection" 2>/dev/null | cksum)"
}

# nothing_changed PART CMD...: refused, and the state is what it was.
nothing_changed() {
	local before after
	before=$(state)
	refused "$@" || return 1
	after=$(state)
	[ "$before" = "$after" ] || {
		echo "changed by: $*"
		diff <(echo "$before") <(echo "$after")
		return 1
	}
}

@test "interfaces: none such, the loopback by mistake, one twice, too many queues asked for" {
	nothing_changed nosuch tb_s attach nosuch --match all -j
	nothing_changed "$TB_D" tb_s attach "$TB_D" "$TB_D" --match all -j
	nothing_changed nosuch tb_s attach "$TB_D" nosuch --match all -j
	nothing_changed nosuch tb_s run -i nosuch --nf sink -q
	nothing_changed "$TB_D" tb_s run -i "$TB_D" --nf sink -q
	nothing_changed nosuch tb_s detach nosuch
}

@test "a foreign XDP program is left alone by attach, replace, run and detach" {
	command -v clang >/dev/null || skip "clang is not installed"
	foreign
	nothing_changed "$TB_D" tb_s attach "$TB_D" --match all -j
	nothing_changed "$TB_D" tb_s attach "$TB_D" --match all --replace -j
	nothing_changed "$TB_D" tb_s run -i "$TB_D" --nf sink -q
	nothing_changed "$TB_D" tb_s detach "$TB_D"
	nothing_changed "$TB_D" tb_s detach "$TB_D" --force
	nothing_changed "$TB_D" tb_s status "$TB_D"
}

@test "a steering program of another ABI is named as such and left alone" {
	command -v clang >/dev/null || skip "clang is not installed"
	mkdir "$BATS_TEST_TMPDIR/abi"
	sed 's/#define SL_ABI_VERSION .*/#define SL_ABI_VERSION 77/' "$TB_ROOT/include/sluice/maps.h" >"$BATS_TEST_TMPDIR/abi/maps.h"
	mkdir "$BATS_TEST_TMPDIR/abi/sluice"
	mv "$BATS_TEST_TMPDIR/abi/maps.h" "$BATS_TEST_TMPDIR/abi/sluice/"
	cp "$TB_ROOT"/include/sluice/packet.h "$BATS_TEST_TMPDIR/abi/sluice/"
	clang -O2 -g -target bpf -mcpu=v3 -I"$BATS_TEST_TMPDIR/abi" -I"$TB_ROOT/include" -I"$TB_ROOT/bpf" -I"$TB_ROOT/headers" \
		-idirafter "/usr/include/$(uname -m)-linux-gnu" -c "$TB_ROOT/bpf/steer.bpf.c" -o "$BATS_TEST_TMPDIR/steer77.o"
	tb_dut ip link set dev "$TB_D" xdp obj "$BATS_TEST_TMPDIR/steer77.o" sec xdp
	nothing_changed "77" tb_s attach "$TB_D" --match all -j
	nothing_changed -1 "77" tb_s run -i "$TB_D" --nf sink -q
	nothing_changed "77" tb_s status "$TB_D"
}

@test "busy: attached already, served already, detached while it is served, queues bound by others" {
	tb_s attach "$TB_D" --match all >/dev/null
	nothing_changed "--replace" tb_s attach "$TB_D" --match all -j
	nothing_changed "--replace" tb_s attach "$TB_D" --match 10.0.0.0/8 --instance other -j
	tb_run --workers 2 --nf sink
	nothing_changed -1 "already" tb_s run -i "$TB_D" --nf sink -q
	nothing_changed "--force" tb_s detach "$TB_D"
	kill -0 "$TB_RUN_PID"
}

@test "attach --replace: what stays, asked for otherwise, is refused by name; the same again is not" {
	local r="tb_s attach $TB_D --replace -j" a b
	a=toeplitz:$(printf '5a%.0s' {1..40}) b=toeplitz:$(printf '5b%.0s' {1..40})
	tb_s attach "$TB_D" --match all --hash "$a" --stamp inband >/dev/null
	nothing_changed -2 "with another key, and its flows lie where that put them: leave --hash" $r --hash "$b"
	nothing_changed -2 "with another key, and its flows lie where that put them: leave --hash" $r --hash toeplitz
	nothing_changed -2 "by toeplitz, and" $r --hash symmetric
	nothing_changed -2 "inband: leave --stamp" $r --stamp metadata
	nothing_changed -2 "leave --max-workers" $r --max-workers 8
	nothing_changed -2 "leave --max-workers" $r --max-workers 32
	nothing_changed -2 "leave --buckets" $r --buckets 2048
	nothing_changed -2 "leave --mode" $r --mode generic
	nothing_changed -2 "leave --instance" $r --instance other
	$r --hash "$a" --stamp inband --max-workers 16 --buckets 1024 --mode native --instance "$TB_D"
	expect "$(tb_s status "$TB_D" -j)" .ready '.hash == "toeplitz"' '.stamp == "inband"'
	tb_s detach "$TB_D"
	tb_s attach "$TB_D" --match all >/dev/null
	nothing_changed -2 "symmetrically, and" $r --hash toeplitz
	nothing_changed -2 "metadata: leave --stamp" $r --stamp inband
	$r --hash symmetric --stamp metadata
	# what is found loaded has its sizes too
	tb_s detach "$TB_D"
	tb_dut ip link set dev "$TB_D" xdp obj "$TB_BUILD/bpf/steer.bpf.o" sec xdp
	nothing_changed -2 "leave --max-workers" tb_s attach "$TB_D" --match all --max-workers 8 -j
	tb_s attach "$TB_D" --match all --hash "$a" -j
}

@test "queues that somebody else's AF_XDP socket holds" {
	local gen
	tb_s attach "$TB_D" --match all >/dev/null
	tb_spawn gen "$SLUICE" gen "$TB_D" --rate 100 -d 20
	gen=$TB_PID
	sleep 0.5
	nothing_changed -1 "queue 0" tb_s run -i "$TB_D" --nf sink -q
	expect "$(tb_s status "$TB_D" -j)" '.dataplane.running == false' '.dataplane.pid == 0'
	tb_stop "$gen"
	tb_run --nf sink # and it starts once they are free
}

@test "what sluice run is told: chains, numbers, CPUs, objects that are none" {
	tb_s attach "$TB_D" --match all --max-workers 4 >/dev/null
	local r="tb_s run -i $TB_D -q"
	nothing_changed -2 "nosuch" $r --nf nosuch
	nothing_changed -2 "./nosuch.so" $r --nf ./nosuch.so
	nothing_changed -2 "sluice_nf" $r --nf "$TB_BUILD/libsluice.so.0"
	nothing_changed -2 "forward" $r --nf forward
	nothing_changed -2 "work" $r --nf work:fast
	nothing_changed -2 "--nf" $r --nf ,,
	nothing_changed -2 "at most 8" $r --nf sink,sink,sink,sink,sink,sink,sink,sink,sink
	nothing_changed -2 "characters" $r --nf "$(printf 'sink,%.0s' {1..300})sink"
	nothing_changed -2 "--nf" $r
	nothing_changed -2 "-i" tb_s run --nf sink
	nothing_changed -2 "--workers" $r --nf sink --workers 5
	nothing_changed -2 "--workers" $r --nf sink --workers 3 --max-workers 2
	nothing_changed -2 "--ring" $r --nf sink --ring 1000
	nothing_changed -2 "--frame-size" $r --nf sink --frame-size 3000
	nothing_changed -2 "--cpus" $r --nf sink --cpus 5000
	nothing_changed -2 "--cpus" $r --nf sink --cpus 1-
	nothing_changed -2 "interfaces" $r -i lo --nf sink
	echo 'not an object' >"$BATS_TEST_TMPDIR/text.so"
	nothing_changed -2 "text.so" $r --nf "$BATS_TEST_TMPDIR/text.so"
	nothing_changed -2 "--nf nosuch" tb_s run -i nosuch1 -q --nf nosuch # what is wrong on any machine comes first
}

@test "not configured: loaded by hand, no rules yet" {
	tb_dut ip link set dev "$TB_D" xdp obj "$TB_BUILD/bpf/steer.bpf.o" sec xdp
	refused -1 "--match" tb_s run -i "$TB_D" --nf sink -q
	expect "$(tb_s status "$TB_D" -j)" '.ready == false' '.dataplane.incarnation == 0'
}

@test "files: captures and configurations that are not there, empty, or something else" {
	local f=$BATS_TEST_TMPDIR
	: >"$f/empty"
	head -c 4096 /dev/zero >"$f/zeros"
	"$E2E/mkpcap" "$f/whole.pcap"
	head -c 30 "$f/whole.pcap" >"$f/cut.pcap"
	nothing_changed "--pcap $f/nosuch: " tb_gen "$SLUICE" gen "$TB_G" --pcap "$f/nosuch"
	nothing_changed "--pcap $f/empty: " tb_gen "$SLUICE" gen "$TB_G" --pcap "$f/empty"
	nothing_changed "--pcap $f/zeros: " tb_gen "$SLUICE" gen "$TB_G" --pcap "$f/zeros"
	nothing_changed "--pcap $f/cut.pcap: " tb_gen "$SLUICE" gen "$TB_G" --pcap "$f/cut.pcap"
	nothing_changed "--pcap $f: " tb_gen "$SLUICE" gen "$TB_G" --pcap "$f"
	nothing_changed "nosuch" tb_gen "$SLUICE" gen nosuch
	nothing_changed "nosuch.yaml" tb_dut "$SLUICED" --config "$f/nosuch.yaml"
	nothing_changed "zeros" tb_dut "$SLUICED" --config "$f/zeros"
	printf 'instances:\n  - interfaces: nosuch\n    attach: maybe\n' >"$f/bad.yaml"
	nothing_changed "bad.yaml:3" tb_dut "$SLUICED" --config "$f/bad.yaml"
	nothing_changed "--nosuch" tb_dut "$SLUICED" --nosuch
}

@test "no privilege: attach, run, detach, daemon, generator" {
	local copy=$BATS_FILE_TMPDIR/open user="setpriv --reuid 65534 --regid 65534 --clear-groups"
	cp "$SLUICE" "$SLUICED" "$copy/"
	tb_dut $user "$copy/sluice" version >/dev/null || skip "$copy cannot be reached without privilege"
	nothing_changed "root" tb_dut $user "$copy/sluice" attach "$TB_D" --match all -j
	nothing_changed "root" tb_gen $user "$copy/sluice" gen "$TB_G" -d 1
	tb_s attach "$TB_D" --match all >/dev/null
	nothing_changed "root" tb_dut $user "$copy/sluice" run -i "$TB_D" --nf sink -q
	nothing_changed "root" tb_dut $user "$copy/sluice" detach "$TB_D"
	nothing_changed "root" tb_dut $user "$copy/sluice" attach "$TB_D" --replace -j
	nothing_changed "root" tb_dut $user "$copy/sluice" move "$TB_D" 1 1
	printf 'metrics:\n  listen: off\n' >"$copy/sluice.yaml"
	nothing_changed "root" tb_dut $user "$copy/sluiced" --config "$copy/sluice.yaml"
}

@test "an instance's pins that are cut short, and rubbish where pins belong: attach makes them anew" {
	local at=/sys/fs/bpf/sluice/1/$TB_D
	mkdir -p "$at"
	bpftool map create "$at/indirection" type array key 4 value 4 entries 7 name rubbish
	refused "$TB_D" tb_s status "$TB_D"
	tb_s attach "$TB_D" --match all -j
	expect "$(tb_s status "$TB_D" -j)" .ready '.buckets == 1024'
	rm "$at/owners"
	refused "$TB_D" tb_s status "$TB_D"
	tb_s detach "$TB_D"
	[ ! -e "$at" ]
	no_xdp
}
