# SPDX-License-Identifier: GPL-2.0-or-later
# bash completion for sluice. Commands and options come from --help, so they are those of the
# installed version; instances, buckets and workers from the running system.

# Commands, one a line.
_sluice_commands()
{
	"$1" --help 2>/dev/null | sed -n 's/^  \([a-z][a-z]*\) .*/\1/p'
}

# Verbs of a command that has them, one a line.
_sluice_verbs()
{
	[[ $2 = lb || $2 = agent ]] && "$1" "$2" --help 2>/dev/null | sed -n 's/^  \([a-z][a-z]*\) .*/\1/p'
}

# Load balancers.
_sluice_balancers()
{
	local path

	for path in "${SLUICE_BPFFS:-/sys/fs/bpf}"/sluice/lb-*/*/; do
		[ -d "$path" ] && path=${path%/} && printf '%s\n' "${path##*/}"
	done 2>/dev/null
}

# Agents.
_sluice_agents()
{
	local path

	for path in "${SLUICE_BPFFS:-/sys/fs/bpf}"/sluice/agent-*/*/; do
		[ -d "$path" ] && path=${path%/} && printf '%s\n' "${path##*/}"
	done 2>/dev/null
}

# Long options of a command.
_sluice_options()
{
	# shellcheck disable=SC2086 # a command may be two words: lb show
	"$1" $2 --help 2>/dev/null | sed -n 's/^  .*\(--[a-z0-9-]*\).*/\1/p'
}

# Does this option of the command take a value? The word behind it in --help is its name.
_sluice_takes_value()
{
	# shellcheck disable=SC2086
	"$1" $2 --help 2>/dev/null | grep -Eq -- "^  (-[A-Za-z], +|    )?${3} [A-Z]+|^  ${3}, --[a-z0-9-]+ [A-Z]+"
}

_sluice_interfaces()
{
	local path

	for path in /sys/class/net/*; do
		[ -e "$path" ] && printf '%s\n' "${path##*/}"
	done
}

# Instances are pinned below bpffs; without privilege there is nothing to see.
_sluice_instances()
{
	local path

	for path in "${SLUICE_BPFFS:-/sys/fs/bpf}"/sluice/*/*/; do
		[[ $path == */sluice/lb-* || $path == */sluice/agent-* ]] && continue
		[ -d "$path" ] && path=${path%/} && printf '%s\n' "${path##*/}"
	done 2>/dev/null
}

# Tenants of the only instance, or of the first one that answers.
_sluice_tenants()
{
	# shellcheck disable=SC2020 # each character, a line of its own
	"$1" tenants -j 2>/dev/null | tr ',{' '\n\n' | sed -n 's/^"tenant":"\(.*\)"$/\1/p'
}

# Numbers from the tables of an instance: _sluice_numbers SLUICE workers|buckets KEY IF
_sluice_numbers()
{
	# shellcheck disable=SC2086,SC2020 # no word where there is no IF; each character, a line of its own
	"$1" "$2" $4 -j --interval 1ms 2>/dev/null | tr ',{' '\n\n' |
		sed -n "s/^\"$3\":\([0-9]*\)\$/\1/p"
}

# The value of an option: _sluice_value SLUICE COMMAND OPTION WORD
_sluice_value()
{
	case "$2 $3" in
	'tenants --tenant' | 'tenants -t') _sluice_tenants "$1" ;;
	'attach --mode' | 'attach -M') printf '%s\n' auto native generic ;;
	'attach --hash' | 'attach -H') printf '%s\n' symmetric toeplitz toeplitz:nic nic ;;
	'nic --hardware' | 'nic -H') printf '%s\n' auto on off ;;
	'attach --match' | 'attach -m') printf '%s\n' all proto= src= dst= port= sport= dport= ;;
	'run --nf' | 'run -f') printf '%s\n' reflect forward sink flowcount conntrack dpi: firewall: heavyhitters nat44: police: work: ;;
	'run --flow-policy') printf '%s\n' refuse evict ;;
	'run --bind') printf '%s\n' auto copy zerocopy ;;
	'run --interface' | 'run -i' | 'gen --expect-on' | 'gen -X') _sluice_interfaces ;;
	'gen --mode' | 'gen -m') printf '%s\n' auto live xdp ;;
	'capture --direction' | 'capture -d') printf '%s\n' both rx tx ;;
	'buckets --worker' | 'buckets -w') _sluice_numbers "$1" workers worker ;;
	'capture --write' | 'capture -w' | 'gen --pcap') compgen -f -- "$4" ;;
	'sim --plot' | 'sim -P' | 'sched --plot' | 'lb sim --plot' | 'lb sim -P') compgen -d -- "$4" ;;
	'sched --policy' | 'sched -P') printf '%s\n' drf sdrf drfq karma maxmin ;;
	'sched --format' | 'sched -f') printf '%s\n' auto google csv ;;
	'sched --fit') printf '%s\n' first best dominant ;;
	'lb cid --config' | 'lb cid -c') printf '%s\n' 0 1 2 3 4 5 6 ;;
	'lb set --state' | 'lb set -s') printf '%s\n' up drain down ;;
	'lb '*' --name' | 'lb '*' -n') _sluice_balancers ;;
	'agent report --secret-file') compgen -f -- "$4" ;;
	'agent attach --lb' | 'agent attach -l') compgen -f -- "$4" ;;
	'agent '*' --name' | 'agent '*' -n') _sluice_agents ;;
	'sched --unit') printf '%s\n' s ms us ;;
	esac
}

# The positional arguments.
_sluice_arguments()
{
	local args=$4

	case $2 in
	attach | run | gen | doctor | 'agent attach' | 'agent detach') _sluice_interfaces ;;
	check | sim | sched | 'lb apply' | 'lb run' | 'lb cid' | 'lb sim') compgen -f -- "$3" ;;
	'agent report') _sluice_instances; _sluice_interfaces ;;
	version | 'lb '* | 'agent '*) ;;
	lb | agent) _sluice_verbs "$1" "$2" ;;
	move)
		case $args in
		0) _sluice_instances; _sluice_interfaces ;;
		1) _sluice_numbers "$1" buckets bucket "$5" ;;
		*) _sluice_numbers "$1" workers worker "$5" ;;
		esac
		;;
	split | merge)
		case $args in
		0) _sluice_instances; _sluice_interfaces ;;
		*) _sluice_numbers "$1" buckets bucket "$5" ;;
		esac
		;;
	*) [ "$args" = 0 ] && { _sluice_instances; _sluice_interfaces; } ;;
	esac
}

_sluice()
{
	local sluice=${COMP_WORDS[0]} word=${COMP_WORDS[COMP_CWORD]}
	local previous=${COMP_WORDS[COMP_CWORD - 1]} command='' first='' args=0 i words

	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		-*) ;;
		*)
			if [ -z "$command" ]; then
				command=${COMP_WORDS[i]}
			elif [ "$command" = lb ] || [ "$command" = agent ]; then
				command+=" ${COMP_WORDS[i]}"
			elif ! { [[ ${COMP_WORDS[i - 1]} == -* ]] &&
				_sluice_takes_value "$sluice" "$command" "${COMP_WORDS[i - 1]}"; }; then
				[ "$args" = 0 ] && first=${COMP_WORDS[i]}
				args=$((args + 1))
			fi
			;;
		esac
	done
	if [ -z "$command" ]; then
		words="$(_sluice_commands "$sluice") --json --pretty --version --help"
	elif [[ $previous == -* ]] && _sluice_takes_value "$sluice" "$command" "$previous"; then
		words=$(_sluice_value "$sluice" "$command" "$previous" "$word")
	elif [[ $word == -* ]]; then
		words=$(_sluice_options "$sluice" "$command")
	else
		words=$(_sluice_arguments "$sluice" "$command" "$word" "$args" "$first")
	fi
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word" | sort -u)
}

complete -F _sluice sluice
