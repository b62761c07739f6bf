# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# common.bash - what the end-to-end tests share on top of scripts/testbed.sh. bats ends a test at the first
# command that fails; every function here says what it saw before it fails.

bats_require_minimum_version 1.5.0
# shellcheck source=scripts/testbed.sh
. "$BATS_TEST_DIRNAME/../../scripts/testbed.sh"

E2E=$TB_BUILD/tests/e2e
ORDER=$E2E/nf_order.so
CAPTURES=$TB_ROOT/../shared/data/captures

# Two runs at the same time must not meet.
NAME=$(printf 'sle%03x' $(($$ % 4096)))

needs_root() { [ "$(id -u)" = 0 ] || skip "needs root"; }

# expect JSON FILTER...: every jq filter is true of the JSON; says which is not.
expect() {
	local json=$1 f bad=0
	shift
	# jq takes nothing for the truth of any filter
	[[ $json == *[![:space:]]* ]] || {
		echo "nothing was printed; wanted: $*"
		return 1
	}
	for f in "$@"; do
		jq -e "$f" <<<"$json" >/dev/null || {
			echo "not so: $f"
			bad=1
		}
	done
	[ $bad -eq 0 ] || {
		echo "in: $json"
		return 1
	}
}

# The loss identities, to the packet. What is in flight now is waited for.
losses_hold() { # [JQ FILTER...]
	local losses
	losses=$(tb_s losses "$TB_D" --wait 3s -j)
	expect "$losses" .quiet .identity_ok.in .identity_ok.out '.unaccounted == 0' '.stray == 0' '.held == 0' \
		'.bad_row == 0' '.stamp_error == 0' "$@"
}

# What nf_order.so wrote when the dataplane ended: nobody may have overtaken, been doubled or been in a
# bucket that another worker was in.
order_holds() { # FILE [JQ FILTER...]
	local file=$1
	shift
	[ -s "$file" ] || {
		echo "nf_order wrote nothing; the dataplane ended with status ${TB_STATUS:-?} and said:"
		tail -n 5 "$TB_RUN/run.log"
		return 1
	}
	expect "$(cat "$file")" '.double_owner == 0' '.ring_reordered == 0' '.flow_reordered == 0' \
		'.duplicated == 0' "$@"
}

# Frames of the dataplane: each is in exactly one place. The kernel keeps one of a queue: the frame of a packet
# that found the RX ring full waits in the buffer pool for the next packet (xp_free() of net/xdp).
frames_conserved() {
	local i frames
	for i in 1 2 3 4 5 6 7 8; do
		frames=$("$E2E/rpc" "$TB_RUN/$TB_D.dataplane.sock" status |
			jq -c '.result.frames + {queues: (.result.rings | length)}')
		jq -e '.total > 0 and .total == .fill + .rx + .parked + .cached + .tx + .kernel and .kernel >= 0 and
			.kernel <= .queues and .parked == 0 and .rx == 0 and .tx == 0' <<<"$frames" >/dev/null && return 0
		sleep 0.25
	done
	echo "frames: $frames"
	return 1
}

# All programs, maps and links on this machine.
kernel_objects() { echo $(($(bpftool prog show -j | jq length) + $(bpftool map show -j | jq length) + $(bpftool link show -j | jq length))); }
objects_grew_less() { [ $(($(kernel_objects) - $1)) -lt "$2" ]; }

daemon_answers() { tb_s status "$TB_D" -i 1ms -j | jq -e .daemon.running; }

start_daemon() {
	printf 'instances:\n  - interfaces: %s\nmetrics:\n  listen: off\n' "$TB_D" >"$TB_RUN/sluice.yaml"
	tb_spawn sluiced "$SLUICED" --config "$TB_RUN/sluice.yaml"
	tb_wait 10 daemon_answers || {
		cat "$TB_RUN/sluiced.log"
		return 1
	}
}

# refused [-STATUS] PART CMD...: that exit status, or any but 0, nothing on standard output, and one line with PART
# on standard error.
refused() {
	local want='' part rc=0 out err=$BATS_TEST_TMPDIR/refused.err
	[[ $1 != -[0-9]* ]] || {
		want=${1#-}
		shift
	}
	part=$1
	shift
	out=$("$@" 2>"$err" </dev/null) || rc=$?
	[ "$rc" -eq "${want:-$rc}" ] && [ "$rc" -ne 0 ] && [ "$rc" -lt 124 ] && [ -z "$out" ] &&
		[ "$(wc -l <"$err")" = 1 ] && grep -qF -- "$part" "$err" && return 0
	echo "$*: exit $rc; wanted: ${want:+exit $want and }one line with \"$part\"; printed: $out"
	cat "$err"
	return 1
}

no_xdp() { ip -n "$TB_NAME-dut" -j -d link show "$TB_D" | jq -e '.[0].xdp == null' >/dev/null; }
workers_are() { tb_s workers "$TB_D" -i 1ms -j | jq -e "[.[] | select(.state == \"running\")] | length == $1"; }

compile() { # C-TEXT > OBJECT
	clang -O2 -g -target bpf -I"$TB_ROOT/include" -I"$TB_ROOT/bpf" -I"$TB_ROOT/headers" -idirafter \
		"/usr/include/$(uname -m)-linux-gnu" "${@:2}" -x c -c - -o "$1"
}

# A program that is not ours on the interface.
foreign() {
	compile "$BATS_TEST_TMPDIR/foreign.o" <<-'END'
		#include <linux/bpf.h>
		#include <bpf/bpf_helpers.h>
		SEC("xdp") int foreign(struct xdp_md *ctx) { return XDP_PASS; }
		char _license[] SEC("license") = "GPL";
	END
	tb_dut ip link set dev "$TB_D" xdp obj "$BATS_TEST_TMPDIR/foreign.o" sec xdp
}
