# shellcheck shell=bash
# shellcheck disable=SC2034 # set here for those who source this file
# SPDX-License-Identifier: GPL-2.0-or-later
# lib.sh - what the programs of tests/vm share: where downloads are kept, which kernels there are, how to skip.

VM_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
VM_ROOT=$(cd "$VM_DIR/../.." && pwd)
VM_BUILD=${TB_BUILD:-$VM_ROOT/build}
VM_CACHE=${SLUICE_VM_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/sluice/vm}

# Debian's suite of each kernel.
declare -A VM_KERNELS=([6.1]=bookworm [6.12]=bookworm-backports [newest]=trixie-backports)

VM_SKIP=77 # exit status: this machine cannot show it (automake's)

vm_skip() {
	echo "skip: $*" >&2
	exit $VM_SKIP
}

# The cloud flavour is a third of the size and has no driver but virtio's.
vm_flavour() { # NIC
	case $1 in
	igb) echo amd64 ;;
	*) echo cloud-amd64 ;;
	esac
}

# Where NAME is: unpacked, or this machine's.
vm_tool_path() {
	local dir
	for dir in usr/bin usr/sbin bin sbin; do
		if [ -x "$VM_CACHE/tools/$dir/$1" ]; then
			echo "$VM_CACHE/tools/$dir/$1"
			return
		fi
	done
	type -P "$1"
}

# Run with the libraries that were unpacked, and this machine's.
vm_libraries() { # CMD...
	LD_LIBRARY_PATH=$VM_CACHE/tools/lib/x86_64-linux-gnu:$VM_CACHE/tools/usr/lib/x86_64-linux-gnu "$@"
}
vm_tool() { # NAME ARGS...
	local path
	path=$(vm_tool_path "$1")
	shift
	vm_libraries "$path" "$@"
}
