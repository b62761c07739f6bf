#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# What sluice run takes: said before, all of it, and refused where the machine does not have it.
load common

setup() { needs_root; }
teardown() { tb_down; }

# MiB that a dataplane says it takes, and KiB of data that its process then has, into SAID and HAS.
take() { # BUCKETS
	tb_up "$NAME" 2
	tb_s attach "$TB_D" --match all --buckets "$1" --max-workers 8 >/dev/null
	tb_run --workers 1 --max-workers 8 --nf flowcount
	SAID=$(grep -oP '^taking \K[0-9]+' "$TB_RUN/run.log")
	HAS=$(awk '/^VmData/ {print $2}' "/proc/$TB_RUN_PID/status")
	tb_down
}

@test "what is said is what is taken: shards, parks and hand-overs too" {
	local said has
	take 128
	said=$SAID has=$HAS
	take 65536
	echo "128 buckets: $said MiB said, $has KiB taken; 65536: $SAID MiB, $HAS KiB"
	said=$((SAID - said)) has=$(((HAS - has) / 1024))
	[ $has -gt 80 ] && [ $((said * 10)) -gt $((has * 9)) ] && [ $((said * 10)) -lt $((has * 11)) ]
}

@test "more than there is: refused before anything is taken, in one line with the settings" {
	local need before after
	# 16 queues of 2.2 million frames, and room for each of these in 16 buffer pools
	need=$((16 * 2166784 * 4096 / 1024 + 16 * 16 * 2166784 * 128 / 1024))
	[ $need -gt "$(awk '/^MemTotal/ {print $2}' /proc/meminfo)" ] || skip "this machine has more than $need KiB"
	tb_up "$NAME" 16
	tb_s attach "$TB_D" --match all --max-workers 128 >/dev/null
	before=$(bpftool map dump pinned "/sys/fs/bpf/sluice/1/$TB_D/control")
	refused -1 "--max-workers (128)" tb_s run -i "$TB_D" --nf sink --max-workers 128 --ring 16384 --frame-size 4096
	grep -q "available.*--ring (16384).*--park (4096).*--buckets (1024)" "$BATS_TEST_TMPDIR/refused.err"
	after=$(bpftool map dump pinned "/sys/fs/bpf/sluice/1/$TB_D/control")
	[ "$before" = "$after" ]
	tb_run --nf reflect # and less is taken
	expect "$(tb_gen "$SLUICE" gen "$TB_G" --count 100 --rate 1000 --expect -j)" '.lost == 0'
}

@test "more than the memory cgroup may have" {
	local limited=$BATS_TEST_TMPDIR/limited
	# what systemd's MemoryMax= or a container says, in a mount namespace of its own: files of both versions
	cat >"$limited" <<-'END'
		#!/bin/sh -e
		[ -n "$LIMITED" ] || LIMITED=1 exec unshare -m "$0" "$@"
		limit=$1 g=/sys/fs/cgroup
		shift
		mount -t tmpfs none $g
		mkdir $g/memory
		echo $((limit << 20)) | tee $g/memory.max >$g/memory/memory.limit_in_bytes
		echo 1048576 | tee $g/memory.current >$g/memory/memory.usage_in_bytes
		exec "$@"
	END
	chmod +x "$limited"
	tb_up "$NAME"
	tb_s attach "$TB_D" --match all >/dev/null
	refused -1 "15 are available in memory cgroup /:" tb_dut "$limited" 16 "$SLUICE" run -i "$TB_D" --nf sink
	tb_spawn run "$limited" 500 "$SLUICE" run -i "$TB_D" --nf sink
	tb_wait 20 grep -q '^serving' "$TB_RUN/run.log"
}
