#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# make: what install puts where and whether it works there; what a changed file rebuilds; a build from nothing, in
# parallel, by somebody who is not root. In copies of the tree, so that this one's build/ is left alone.
# shellcheck disable=SC2143 # bats does not see a ! fail
load common

setup_file() {
	needs_root
	export COPY=$BATS_FILE_TMPDIR/copy INST=$BATS_FILE_TMPDIR/inst
	mkdir -p "$COPY"
	tar -C "$TB_ROOT" --exclude=./build --exclude=./.git -cf - . | tar -C "$COPY" -xf -
	chown -R nobody: "$COPY"
	chmod 755 "$BATS_RUN_TMPDIR" "$BATS_FILE_TMPDIR" "$BATS_FILE_TMPDIR/.."
	as_nobody make -C "$COPY" -j8 >"$BATS_FILE_TMPDIR/make.log" 2>&1 || {
		tail -n 20 "$BATS_FILE_TMPDIR/make.log"
		return 1
	}
	make -C "$COPY" PREFIX=/opt/sluice DESTDIR="$INST" install >"$BATS_FILE_TMPDIR/install.log"
}

teardown() { [ -z "${TB_NAME:-}" ] || tb_down; }

as_nobody() { setpriv --reuid=nobody --regid=nogroup --clear-groups env HOME=/nonexistent "$@"; }

# What make does now, a line "CC file" for each thing built.
rebuilt() { (set -o pipefail && as_nobody make -C "$COPY" -j2 all | sed -n 's/^  \([A-Z]*\) *build\//\1 /p' | sort); }
nothing_rebuilt() {
	local all
	all=$(rebuilt) && [ -z "$all" ]
}

@test "a parallel build by nobody, from nothing, without a warning" {
	[ -x "$COPY/build/sluice" ]
	[ -x "$COPY/build/sluiced" ]
	[ -z "$(grep -i 'warning' "$BATS_FILE_TMPDIR/make.log")" ]
}

@test "nothing changed, nothing built; a header rebuilds what includes it and no more" {
	local all
	nothing_rebuilt
	touch "$COPY/user/dataplane/park.h"
	all=$(rebuilt)
	diff <(grep '^CC' <<<"$all") <(cd "$COPY" && grep -l 'user/dataplane/park.h' -r build/user --include='*.d' |
		sed 's|^build/|CC |; s|\.d$|.o|' | sort)
	grep -q 'CC user/dataplane/receive.o' <<<"$all"
	[ -z "$(grep -E 'user/(cli|daemon|control|nf)|BPF|SKEL' <<<"$all")" ]
	touch "$COPY/bpf/parse.h"
	grep -qx 'BPF bpf/steer.bpf.o' <<<"$(rebuilt)"
	nothing_rebuilt
}

@test "other flags rebuild, and clean leaves nothing" {
	as_nobody make -C "$COPY" B=build/one CFLAGS=-O1 build/one/user/dataplane/park.o
	[ -z "$(as_nobody make -C "$COPY" B=build/one CFLAGS=-O1 build/one/user/dataplane/park.o | grep CC)" ]
	as_nobody make -C "$COPY" B=build/one CFLAGS=-O2 build/one/user/dataplane/park.o | grep -q CC
	cp -a "$COPY" "$BATS_TEST_TMPDIR/copy"
	make -C "$BATS_TEST_TMPDIR/copy" clean
	diff -r "$BATS_TEST_TMPDIR/copy" "$TB_ROOT" --exclude=build --exclude=.git --exclude=.ci
	[ ! -e "$BATS_TEST_TMPDIR/copy/build" ]
}

@test "install puts there what it says, with the prefix and not the staging directory in it" {
	local at=$INST/opt/sluice
	diff - <(cd "$at" && find . ! -type d | sort) <<-END
		./include/sluice/agent.h
		./include/sluice/cycles.h
		./include/sluice/error.h
		./include/sluice/fair.h
		./include/sluice/lb.h
		./include/sluice/lb_report.h
		./include/sluice/maps.h
		./include/sluice/nf.h
		./include/sluice/packet.h
		./include/sluice/sched.h
		./include/sluice/sluice.h
		./include/sluice/tenants.h
		./lib/libsluice.a
		./lib/libsluice.so
		./lib/libsluice.so.0
		./lib/pkgconfig/libsluice.pc
		./lib/sluice/steer.bpf.o
		./lib/systemd/system/sluice-lb@.service
		./lib/systemd/system/sluice@.service
		./lib/systemd/system/sluiced.service
		./sbin/sluice
		./sbin/sluiced
		./share/bash-completion/completions/sluice
		./share/doc/sluice/CHANGELOG.md
		./share/doc/sluice/README.md
		./share/doc/sluice/examples/my_nf.c
		./share/doc/sluice/examples/my_sched.c
		./share/doc/sluice/examples/own_loop.c
		./share/doc/sluice/scenarios/active.yaml
		./share/doc/sluice/scenarios/bimodal.yaml
		./share/doc/sluice/scenarios/cores128.yaml
		./share/doc/sluice/scenarios/day.yaml
		./share/doc/sluice/scenarios/drops.yaml
		./share/doc/sluice/scenarios/elephants.yaml
		./share/doc/sluice/scenarios/imbalance.yaml
		./share/doc/sluice/scenarios/lb/bimodal.yaml
		./share/doc/sluice/scenarios/lb/crossrss-fastest.yaml
		./share/doc/sluice/scenarios/lb/crossrss-lasts.yaml
		./share/doc/sluice/scenarios/lb/crossrss-report.yaml
		./share/doc/sluice/scenarios/lb/crossrss-shape.yaml
		./share/doc/sluice/scenarios/lb/crossrss.yaml
		./share/doc/sluice/scenarios/lb/uniform.yaml
		./share/doc/sluice/scenarios/lb/weights.yaml
		./share/doc/sluice/scenarios/p95.yaml
		./share/doc/sluice/scenarios/shift.yaml
		./share/doc/sluice/scenarios/table.yaml
		./share/doc/sluice/sluice.yaml
		./share/man/man3/sl_sched.3
		./share/man/man5/sluice-firewall.5
		./share/man/man5/sluice-lb-sim.5
		./share/man/man5/sluice-lb.5
		./share/man/man5/sluice-sim.5
		./share/man/man5/sluice.yaml.5
		./share/man/man8/sluice-agent.8
		./share/man/man8/sluice-gen.8
		./share/man/man8/sluice-lb.8
		./share/man/man8/sluice-sched.8
		./share/man/man8/sluice.8
		./share/man/man8/sluiced.8
	END
	[ -z "$(grep -rl "$INST" "$at/lib/pkgconfig" "$at/lib/systemd" "$at/share")" ]
	[ -z "$(grep -r '@PREFIX@\|@VERSION@' "$at")" ]
	[ -z "$(find "$at" ! -type l -perm /022)" ] # nobody else may write there
	grep -qx "prefix=/opt/sluice" "$at/lib/pkgconfig/libsluice.pc"
	grep -qx "Version: $("$at/sbin/sluice" version -j | jq -r .version)" "$at/lib/pkgconfig/libsluice.pc"
	# another prefix from the same build
	make -C "$COPY" PREFIX=/usr DESTDIR="$BATS_TEST_TMPDIR" install >/dev/null
	grep -qx "prefix=/usr" "$BATS_TEST_TMPDIR/usr/lib/pkgconfig/libsluice.pc"
}

@test "units start what was installed" {
	local unit program
	for unit in "$INST"/opt/sluice/lib/systemd/system/*.service; do
		program=$(sed -n 's/^ExecStart=\([^ ]*\).*/\1/p' "$unit")
		[ -x "$INST$program" ]
		# systemd's own opinion, where it is installed and can have one
		if command -v systemd-analyze >/dev/null; then
			systemd-analyze verify --root="$INST" "$unit" 2>&1 | grep -i "${unit##*/}:[0-9]" && return 1
		fi
	done
	[ -x "$INST/opt/sluice/sbin/sluice" ]
}

@test "manual pages and completion, where they are looked for" {
	local page
	for page in sluice sluiced sluice.yaml sluice-gen sl_sched; do
		mandoc -T markdown "$INST"/opt/sluice/share/man/man[358]/"$page".[358] | grep -q sluice
	done
	bash -c "source '$INST/opt/sluice/share/bash-completion/completions/sluice' && complete -p sluice"
}

@test "the installed programs run, from the installed place alone" {
	tb_up "$NAME" 1
	SLUICE=$INST/opt/sluice/sbin/sluice
	mv "$COPY" "$COPY.away"
	tb_s attach "$TB_D" --match all --local >/dev/null
	tb_run --nf flowcount,reflect
	printf 'version: 1\n' >"$TB_RUN/sluice.yaml"
	tb_spawn daemon "$INST/opt/sluice/sbin/sluiced" -c "$TB_RUN/sluice.yaml"
	tb_wait 10 bash -c "nsenter --net=/run/netns/$TB_NAME-dut $SLUICE status $TB_D -j | jq -e .daemon.running"
	expect "$(tb_gen "$SLUICE" gen "$TB_G" --rate 5000 --count 1000 --expect -j)" '.received == 1000'
	mv "$COPY.away" "$COPY"
}

@test "the installed object attaches by ip link, is adopted and serves" {
	tb_up "$NAME" 1
	SLUICE=$INST/opt/sluice/sbin/sluice
	tb_dut ip link set dev "$TB_D" xdp obj "$INST/opt/sluice/lib/sluice/steer.bpf.o" sec xdp
	tb_s attach "$TB_D" --match all --local
	tb_run --nf flowcount,reflect
	expect "$(tb_gen "$SLUICE" gen "$TB_G" --rate 5000 --count 1000 --expect -j)" '.received == 1000'
}

@test "uninstall takes all of it away and nothing else" {
	local at=$INST/opt/sluice
	touch "$at/lib/other" "$at/sbin/other"
	make -C "$COPY" PREFIX=/opt/sluice DESTDIR="$INST" uninstall >/dev/null
	[ "$(cd "$at" && find . ! -type d | sort | tr '\n' ' ')" = './lib/other ./sbin/other ' ]
}
