#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# docs/examples, as somebody outside builds and runs them: against the build tree, and against what make install
# put somewhere else; and programs with their own packet loop, well behaved or not.
# shellcheck disable=SC2143,SC2153 # bats does not see a ! fail; TB_PID is testbed's
load common

setup_file() {
	needs_root
	export INST=$BATS_FILE_TMPDIR/inst OUT=$BATS_FILE_TMPDIR/out SAN=
	[[ $TB_BUILD != */asan ]] || SAN=-fsanitize=address,undefined
	mkdir -p "$OUT"
	make -s -C "$TB_ROOT" B="$TB_BUILD" ${SAN:+SANITIZE=asan} PREFIX=/opt/sluice DESTDIR="$INST" install >/dev/null
	export LIB=$INST/opt/sluice/lib
}

teardown() { tb_down; }

pc() { PKG_CONFIG_PATH=$LIB/pkgconfig pkg-config --define-variable=prefix="$INST/opt/sluice" "$@" libsluice; }

# shellcheck disable=SC2046,SC2086 # flags are words
compile() { # OUT ARGS...
	local out=$1
	shift
	gcc $SAN -O2 -Wall -Wextra -Werror -o "$out" "$@"
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
	OWN=${TB_PIDS[-1]}
	tb_wait 20 grep -q '^serving' "$TB_RUN/own.log" || {
		cat "$TB_RUN/own.log"
		return 1
	}
}

end_own() { # [LAST LINE]
	local rc=0
	kill -TERM "$OWN"
	wait "$OWN" || rc=$?
	[ $rc -eq 0 ] && [[ -z ${1:-} || $(tail -n 1 "$TB_RUN/own.log") == "$1" ]] && return 0
	echo "exit $rc:"
	cat "$TB_RUN/own.log"
	return 1
}

up() { # QUEUES
	tb_up "$NAME" "$1"
	tb_s attach "$TB_D" --match all --local >/dev/null
}

run_my_nf() { # SO
	local gen
	up 1
	tb_run --workers 2 --nf "$1:10,reflect"
	gen=$(tb_gen "$SLUICE" gen "$TB_G" --flows 20 --rate 20000 --count 4000 --expect -j)
	# 0.2 s see one second's end at most
	expect "$gen" .valid '.sent == 4000' '.received >= 200 and .received <= 400' '.reordered == 0'
	losses_hold '.forwarded + .nf_drop.over_limit == 4000' '.nf_drop.over_limit >= 3600'
	expect "$(tb_s workers "$TB_D" -j)" 'map(.flows) | add == 20'
	tb_stop "$TB_RUN_PID"
	refused 'packets a second of a flow' tb_s run -i "$TB_D" --nf "$1:some"
}

run_own_loop() { # PROGRAM [VAR=VALUE]...
	up 2
	start_own "$@"
	echoed 5000
	losses_hold '.forwarded == 5000'
	end_own '5000 packets'
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

@test "the shared library exports what its map lists, versioned, and nothing else" {
	local listed exported
	listed=$(sed -n 's/^\t\t\(sl_[a-z_]*\);$/\1@@SLUICE_0.1/p' "$TB_ROOT/user/libsluice.map" | sort)
	exported=$(nm -D --defined-only "$LIB/libsluice.so.0" | sed -n 's/.* T //p' | sort)
	diff <(echo "$listed") <(echo "$exported")
	[ -z "$(nm -D --defined-only "$LIB/libsluice.so.0" | grep -v ' [TA] ')" ]
	objdump -p "$LIB/libsluice.so.0" | grep -q 'SONAME *libsluice.so.0$'
	[ "$(readlink "$LIB/libsluice.so")" = libsluice.so.0 ]
	# each public function of the headers is there
	diff <(echo "${listed//@@SLUICE_0.1/}") <(cat "$TB_ROOT"/include/sluice/{nf,sluice}.h |
		grep -o '^[a-z].*\bsl_[a-z_]*(' | grep -o 'sl_[a-z_]*($' | tr -d '(' | sort)
}

@test "an archive keeps its insides to itself" {
	nm -g --defined-only "$LIB/libsluice.a" | sed -n 's/.* [A-Z] //p' | sort >"$OUT/symbols"
	diff <(sed -n 's/^\t\t\(sl_[a-z_]*\);$/\1/p' "$TB_ROOT/user/libsluice.map" | sort) "$OUT/symbols"
}

@test "sluice offers NFs what nf.h promises and nothing else" {
	diff <(nm -D --defined-only "$INST/opt/sluice/sbin/sluice" | sed -n 's/.* T \(sl_\)/\1/p' | sort) \
		<(grep -o '^[a-z].*\bsl_[a-z_]*(' "$TB_ROOT/include/sluice/nf.h" | grep -o 'sl_[a-z_]*($' | tr -d '(' | sort)
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
	local moves gen forwarded
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
	forwarded=$(tb_s losses "$TB_D" -j | jq '.forwarded + .nf_drop_total')
	end_own "$forwarded packets" # no count was lost between two threads
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

@test "calls wait as they should; a close over full rings counts every packet" {
	local losses
	up 2
	start_own "$E2E/own_calls"
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
