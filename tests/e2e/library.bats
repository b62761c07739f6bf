#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
bats_require_minimum_version 1.5.0
# libsluice as `make install` leaves it.

setup() {
	ROOT="$BATS_TEST_DIRNAME/../.."
	# instrumented objects need their runtime in the program too
	[[ ${TB_BUILD:-} != */[at]san ]] || skip "not under sanitizers"
	make -s -C "$ROOT" install DESTDIR="$BATS_TEST_TMPDIR" PREFIX=/usr >/dev/null
}

# Every function of the public headers, in a table that the linker must fill.
calls_all() {
	printf '#include <sluice/%s.h>\n' sluice sched
	echo 'const void *const all[] = {'
	cat "$BATS_TEST_TMPDIR"/usr/include/sluice/{sluice,nf,sched}.h | tr '\n' ' ' | sed 's|/\*[^*]*\*/||g' |
		grep -oE '\bsl_[a-z_]+\((const )?struct' | sed 's/(.*/,/; s/^/\t(const void *)/'
	echo '};'
	echo 'int main(void) { return !all[0]; }'
}

# shellcheck disable=SC2046
@test "a program links every public function from the shared library" {
	calls_all >"$BATS_TEST_TMPDIR/all.c"
	[ "$(grep -c 'const void \*)sl_' "$BATS_TEST_TMPDIR/all.c")" -ge 20 ]
	export PKG_CONFIG_SYSROOT_DIR=$BATS_TEST_TMPDIR PKG_CONFIG_PATH=$BATS_TEST_TMPDIR/usr/lib/pkgconfig
	export PKG_CONFIG_ALLOW_SYSTEM_CFLAGS=1 PKG_CONFIG_ALLOW_SYSTEM_LIBS=1
	gcc -o "$BATS_TEST_TMPDIR/all" "$BATS_TEST_TMPDIR/all.c" $(pkg-config --cflags --libs libsluice)
	LD_LIBRARY_PATH=$BATS_TEST_TMPDIR/usr/lib "$BATS_TEST_TMPDIR/all"
}
