#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# docs/examples, as somebody outside builds and runs them: against the build tree, and against what make install
# put somewhere else; and programs with their own packet loop, well behaved or not.
# shellcheck disable=SC2143,SC2153 # bats does not see a ! fail; TB_PID is testbed's
load common

setup_file() {
	needs_root
	export INST=$BATS_FILE_TMPDIR/inst OUT=$BATS_FILE_TMPDIR/out SAN=
	case $TB_BUILD in
	*/asan) SAN=-fsanitize=address,undefined ;;
	*/tsan) SAN=-fsanitize=thread ;;
	esac
	mkdir -p "$OUT"
	make -s -C "$TB_ROOT" B="$TB_BUILD" ${SAN:+SANITIZE=${TB_BUILD##*/}} PREFIX=/opt/sluice DESTDIR="$INST" install >/dev/null
	export LIB=$INST/opt/sluice/lib
}

teardown() { tb_down; }

pc() { PKG_CONFIG_PATH=$LIB/pkgconfig pkg-config --define-variable=prefix="$INST/opt/sluice" "$@" libsluice; }

# shellcheck disable=SC2046,SC2086 # flags are words
compile() { # OUT ARGS...
	local out=$1
	shift
	gcc $SAN -O2 -Wall -Wextra -Wno-unused-parameter -Werror -o "$out" "$@"
}

# Some traffic there and back: as many packets as were sent, each flow in order.
echoed() { # COUNT
	local gen
	gen=$(tb_gen "$SLUICE" gen "$TB_G" --flows 200 --rate 10000 --count "$1" --expect --linger 2s -j)
	expect "$gen" .valid ".sent == $1" ".received == $1" '.lost == 0' '.duplicated == 0' '.reordered == 0' || {
		tb_s losses "$TB_D" -j
		return 1
	}
}

start_own() { # PROGRAM [VAR=VALUE]...
	local program=$1
	shift
	tb_spawn own env "$@" "$program" "$TB_D"
	OWN=$TB_PID
	tb_wait 20 own_serves || {
		cat "$TB_RUN/own.log"
		return 1
	}
}
own_serves() { tb_s status "$TB_D" -i 1ms -j | jq -e .dataplane.running; }

end_own() { # [SIGNAL]
	local rc=0
	[ "${1:-}" = none ] || kill "-${1:-TERM}" "$OWN"
	tb_wait 10 own_ended || kill -KILL "$OWN"
	wait "$OWN" || rc=$?
	[ $rc -eq 0 ] && return 0
	echo "exit $rc:"
	cat "$TB_RUN/own.log"
	return 1
}
own_ended() { ! kill -0 "$OWN"; }

# What flowcount has in its tables, which moved with their buckets: every packet.
flows_are() { # PACKETS
	expect "$(tb_s flows "$TB_D" -j)" "map(.packets + .packets_reverse) | add == $1"
}

up() { # QUEUES
	tb_up "$NAME" "$1"
	tb_s attach "$TB_D" --match all --local >/dev/null
}

# From behind pair $1 to behind pair $2: JSON of the sender.
across() { # FROM TO
	tb_gen "$SLUICE" gen "${NAME}g$1" --expect-on "${NAME}g$2" --pcap "$BATS_TEST_TMPDIR/$1.pcap" --rate 20000 \
		--linger 1s -j
}

run_my_nf() { # SO
	local out back
	"$E2E/mkpcap" "$BATS_TEST_TMPDIR/0.pcap" 3 0
	"$E2E/mkpcap" "$BATS_TEST_TMPDIR/1.pcap" 3 1
	tb_up "$NAME" 1 2
	tb_s attach "$TB_D" "${NAME}d1" --match all --local >/dev/null
	refused "interfaces" tb_s run -i "$TB_D" --nf "$1,forward" -q
	tb_run -i "${NAME}d1" --workers 2 --ring 16384 --nf "$1,forward"
	back=$(across 1 0)
	expect "$back" .valid '.sent > 5000' '.received == 0'
	losses_hold ".nf_drop.not_asked_for == $(jq .sent <<<"$back")" '.forwarded == 0'
	out=$(across 0 1)
	expect "$out" .valid '.lost == 0' '.reordered == 0' '.received > 5000'
	back=$(across 1 0)
	expect "$back" .valid '.lost == 0' '.reordered == 0' '.received > 5000'
	losses_hold ".nf_drop.not_asked_for == $(jq .sent <<<"$back")" \
		".forwarded == $(jq .sent <<<"$out") + $(jq .sent <<<"$back")"
}

run_own_loop() { # PROGRAM [VAR=VALUE]...
	up 2
	start_own "$@"
	echoed 5000
	losses_hold '.forwarded == 5000'
	flows_are 5000
	end_own
	losses_hold '.forwarded == 5000' '.abandoned == 0'
}

@test "an NF of one's own, the build tree's headers" {
	compile "$OUT/my_nf.so" -shared -fPIC "-I$TB_ROOT/include" "$TB_ROOT/docs/examples/my_nf.c"
	run_my_nf "$OUT/my_nf.so"
}

# shellcheck disable=SC2046
@test "an NF of one's own, as installed" {
	mkdir -p "$OUT/inst"
	compile "$OUT/inst/my_nf.so" -shared -fPIC "$TB_ROOT/docs/examples/my_nf.c" $(pc --cflags)
	SLUICE=$INST/opt/sluice/sbin/sluice run_my_nf "$OUT/inst/my_nf.so"
}

@test "an own loop, the build tree" {
	compile "$OUT/own_loop" -pthread "-I$TB_ROOT/include" "$TB_ROOT/docs/examples/own_loop.c" -L"$TB_BUILD" -lsluice
	run_own_loop "$OUT/own_loop" LD_LIBRARY_PATH="$TB_BUILD"
}

# shellcheck disable=SC2046
@test "an own loop, as installed, shared" {
	compile "$OUT/own_shared" -pthread "$TB_ROOT/docs/examples/own_loop.c" $(pc --cflags --libs)
	LD_LIBRARY_PATH=$LIB ldd "$OUT/own_shared" | grep -F "libsluice.so.0 => $LIB/libsluice.so.0"
	[ -z "$(LD_LIBRARY_PATH=$LIB ldd -r "$OUT/own_shared" 2>&1 | grep 'undefined symbol')" ]
	run_own_loop "$OUT/own_shared" LD_LIBRARY_PATH="$LIB"
}

# shellcheck disable=SC2046,SC2086
@test "an own loop, as installed, static" {
	local libs
	libs=$(pc --libs --static)
	libs=${libs/-lsluice/}
	compile "$OUT/own_static" -pthread "$TB_ROOT/docs/examples/own_loop.c" $(pc --cflags) "$LIB/libsluice.a" \
		$libs
	[ -z "$(ldd "$OUT/own_static" | grep libsluice)" ]
	run_own_loop "$OUT/own_static"
}

# The example of DRF as jobs: three of ann's and two of bob's at a time fill 9 CPUs and 18 GB; all end.
run_my_sched() { # PROGRAM [VAR=VALUE]...
	local out
	for _ in {1..4}; do
		printf '%s\n' "ann 1 4 sleep 0.3; echo done >&2" "bob 3 1 sleep 0.3; echo done >&2"
	done >"$OUT/jobs"
	printf '%s\n' 'ann 10 1 echo too large' 'no job' >>"$OUT/jobs"
	out=$(env "${@:2}" "$1" 9 18 <"$OUT/jobs" 2>"$OUT/err")
	[ "$(head -n 5 <<<"$out" | cut -d: -f1 | sort | tr '\n' ' ')" = 'ann ann ann bob bob ' ]
	[ "$(wc -l <<<"$out")" = 8 ]
	[ "$(grep -c '^done$' "$OUT/err")" = 8 ]
	grep -q 'line 9 is no job, or larger' "$OUT/err"
}

# shellcheck disable=SC2046
@test "a scheduler of one's own, the build tree and as installed" {
	compile "$OUT/my_sched" "-I$TB_ROOT/include" "$TB_ROOT/docs/examples/my_sched.c" -L"$TB_BUILD" -lsluice
	run_my_sched "$OUT/my_sched" LD_LIBRARY_PATH="$TB_BUILD"
	compile "$OUT/my_sched2" "$TB_ROOT/docs/examples/my_sched.c" $(pc --cflags --libs)
	run_my_sched "$OUT/my_sched2" LD_LIBRARY_PATH="$LIB"
}

@test "the shared library exports what its map lists, versioned, and nothing else" {
	local listed exported
	listed=$(sed -n 's/^\t\t\(sl_[a-z0-9_]*\);$/\1@@SLUICE_0.1/p' "$TB_ROOT/user/libsluice.map" | sort)
	exported=$(nm -D --defined-only "$LIB/libsluice.so.0" | sed -n 's/.* T //p' | sort)
	diff <(echo "$listed") <(echo "$exported")
	[ -z "$(nm -D --defined-only "$LIB/libsluice.so.0" | grep -v ' [TA] ')" ]
	objdump -p "$LIB/libsluice.so.0" | grep -q 'SONAME *libsluice.so.0$'
	[ "$(readlink "$LIB/libsluice.so")" = libsluice.so.0 ]
	# each public function of the headers is there
	diff <(echo "${listed//@@SLUICE_0.1/}") <(cat "$TB_ROOT"/include/sluice/{nf,sched,sluice}.h |
		grep -v '^static' | grep -o '^[a-z].*\bsl_[a-z0-9_]*(' | grep -o 'sl_[a-z0-9_]*($' | tr -d '(' | sort)
}

@test "an archive keeps its insides to itself" {
	nm -g --defined-only "$LIB/libsluice.a" | sed -n 's/.* [A-Z] //p' | sort >"$OUT/symbols"
	diff <(sed -n 's/^\t\t\(sl_[a-z0-9_]*\);$/\1/p' "$TB_ROOT/user/libsluice.map" | sort) "$OUT/symbols"
}

@test "sluice offers NFs what nf.h promises and nothing else" {
	diff <(nm -D --defined-only "$INST/opt/sluice/sbin/sluice" | sed -n 's/.* T \(sl_\)/\1/p' | sort) \
		<(grep -v '^static' "$TB_ROOT/include/sluice/nf.h" | grep -o '^[a-z].*\bsl_[a-z0-9_]*(' | grep -o 'sl_[a-z0-9_]*($' | tr -d '(' | sort)
}

@test "the public headers compile by themselves, as C and as C++" {
	local h
	for h in "$INST/opt/sluice/include/sluice"/*.h; do
		for cc in "gcc -xc -std=c11 -D_GNU_SOURCE" "clang -xc -std=c11" "g++ -xc++ -std=c++17" "clang++ -xc++ -std=c++17"; do
			command -v "${cc%% *}" >/dev/null || continue
			# shellcheck disable=SC2086
			$cc -Wall -Wextra -Werror -fsyntax-only -I"$INST/opt/sluice/include" -include "$h" /dev/null
		done
	done
}

@test "own loops while buckets move between their threads" {
	local moves gen
	compile "$OUT/own_loop" -pthread "-I$TB_ROOT/include" "$TB_ROOT/docs/examples/own_loop.c" -L"$TB_BUILD" -lsluice
	up 2
	start_own "$OUT/own_loop" LD_LIBRARY_PATH="$TB_BUILD"
	tb_spawn mover "$E2E/mover" "$TB_D" -d 4 -r 2000
	gen=$(tb_gen "$SLUICE" gen "$TB_G" --flows 200 --rate 10000 --count 30000 --expect --linger 2s -j)
	expect "$gen" .valid '.sent == 30000' '.duplicated == 0' '.reordered == 0' '.received > 20000'
	wait "$TB_PID"
	moves=$(cat "$TB_RUN/mover.log")
	expect "$moves" '.unfinished == 0' '.logged > 1000'
	# where this machine gave a thread no CPU for long, rings and parks ran over, by name
	losses_hold ".ring_full + .park_overflow + .nf_drop_total + .no_frame == $(jq .lost <<<"$gen")"
	flows_are "$(tb_s losses "$TB_D" -j | jq '.forwarded + .nf_drop_total')" # none lost between two threads
	end_own
}

@test "an own loop's load, cost, heartbeat, flows and captures" {
	compile "$OUT/own_loop" -pthread "-I$TB_ROOT/include" "$TB_ROOT/docs/examples/own_loop.c" -L"$TB_BUILD" -lsluice
	up 1
	start_own "$OUT/own_loop" LD_LIBRARY_PATH="$TB_BUILD"
	sleep 1.5
	expect "$(tb_s workers "$TB_D" -j)" 'length == 2' 'all(.heartbeat_age_ms < 1200 and .load < 0.2)' 'all(.buckets > 0)'
	expect "$(tb_s flows "$TB_D" -j)" '. == []'
	tb_spawn capture "$SLUICE" capture "$TB_D" -c 10 -t 8s -j
	sleep 0.5
	nsenter --net="/run/netns/$TB_NAME-gen" -- "$SLUICE" gen "$TB_G" --flows 200 --rate 20000 --duration 12 >/dev/null &
	TB_PIDS+=($!)
	sleep 1
	expect "$(tb_s workers "$TB_D" -i 1s -j)" 'all(.load > 0 and .load <= 1)' 'all(.pps > 1000)' \
		'all(.busy_cycles > 0 and .sleep_cycles > 0)'
	expect "$(tb_s buckets "$TB_D" -j | jq -c '{load: (map(.load) | add), pps: (map(.pps) | add)}')" '.load > 0 and .pps > 1000'
	tb_stop "${TB_PIDS[-1]}"
	[ "$(wc -l <"$TB_RUN/capture.log")" -ge 10 ]
	end_own
}

@test "an own loop ends under load with every packet accounted for, and when its interface is gone" {
	compile "$OUT/own_loop" -pthread "-I$TB_ROOT/include" "$TB_ROOT/docs/examples/own_loop.c" -L"$TB_BUILD" -lsluice
	local signal gen
	up 1
	tb_spawn_gen gen "$SLUICE" gen "$TB_G" --flows 200 --rate 50000 --burst 16 --duration 30
	gen=$TB_PID
	for signal in TERM INT TERM; do
		start_own "$OUT/own_loop" LD_LIBRARY_PATH="$TB_BUILD"
		sleep 0.3
		end_own $signal
		expect "$(tb_s status "$TB_D" -j)" '.dataplane.running == false' '.dataplane.pid == 0'
	done
	tb_stop "$gen"
	losses_hold '.abandoned == 0' '.forwarded > 10000' '.no_slot > 0'
	start_own "$OUT/own_loop" LD_LIBRARY_PATH="$TB_BUILD"
	ip -n "$NAME-dut" link del "$TB_D"
	end_own none
}

@test "calls wait as they should; a close over full rings counts every packet" {
	local losses
	up 2
	start_own "$E2E/own_calls"
	tb_wait 20 grep -q '^serving' "$TB_RUN/own.log"
	tb_gen "$SLUICE" gen "$TB_G" --flows 300 --rate 20000 --count 2000 -j
	tb_s move "$TB_D" 0-1023:1 --wait 10ms || true # under way for ever: worker 0 does not release
	tb_gen "$SLUICE" gen "$TB_G" --flows 300 --rate 20000 --count 500 --seed 2 -j
	end_own
	losses=$(tb_s losses "$TB_D" --wait 2s -j)
	expect "$losses" .identity_ok.in .identity_ok.out '.unaccounted == 0' '.held == 0' '.seen == 2500' '.stray == 0' \
		'.abandoned > 2000' '.consumed >= 1 and .consumed <= 8' '.abandoned + .consumed + .park_overflow + .ring_full == 2500'
	# the next start has nothing to settle
	start_own "$E2E/own_calls"
	expect "$(tb_s losses "$TB_D" -j)" ".abandoned == $(jq .abandoned <<<"$losses")"
}
