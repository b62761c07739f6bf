#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# sluice sched: the reproduction of published figures, formats, order, memory, what is refused, and what it writes.
# shellcheck disable=SC2143 # bats does not see a ! fail
load common

TRACES=$TB_ROOT/../shared/data/google2011

setup() { cd "$BATS_TEST_TMPDIR" || exit; }

s() { "$SLUICE" sched "$@"; }

# What does not hang on the machine, in one order.
same() { jq -cS 'del(.seconds, .peak_kb)'; }

# R, policy and its options; mean wait of a task, of users' means (s), tasks done, mean of users' completion: what an
# independent simulator got from parts 235 to 238 at R = 0.7; unit/test_sched_trace has it all (delta is the decay a second: half-life = -ln 2 / ln delta).
TABLE="
0.70|drf|5555.9|154.4|0.5969|0.9911
0.70|sdrf --no-floor --half-life 692.8s|5636.8|140.5|0.5971|0.9943
0.70|sdrf --no-floor --half-life 6931.1s|5636.4|140.0|0.5969|0.9943
0.70|sdrf --no-floor --half-life 69314.4s|5571.7|150.1|0.5974|0.9919
0.70|sdrf --half-life 6931.1s|5635.4|139.6|0.5972|0.9943"

# One row of the table: what was got and what was wanted.
table_row() { # R POLICY WAIT USERS DONE COMPLETION
	# shellcheck disable=SC2086 # words
	"$SLUICE" sched "$TRACES"/part-*.csv.gz -c "$1" -P $2 --samples 1 -j | jq -c --arg row "$1 $2" \
		"{row: \$row, tasks: .tasks, users: .users, want: [$3, $4, $5, $6],
		got: [.mean_wait_s, .mean_user_wait_s, .completion, .mean_user_completion]}"
}

@test "Google's trace: the published reproduction within 3 %" {
	[ -e "$TRACES/part-00235-of-00500.csv.gz" ] || skip "the four parts of Google's trace are not here: $TRACES"
	export -f table_row
	export SLUICE TRACES
	sed -n '/|/s/|/\n/gp' <<<"$TABLE" | xargs -d '\n' -n 6 -P 2 bash -c 'table_row "$@"' row >rows
	[ "$(wc -l <rows)" = 5 ]
	expect "$(jq -cs . rows)" 'all(.tasks == 241573 and .users == 88)' \
		'[.[] | .row as $row | [.want, .got] | transpose[] | ((.[1] - .[0]) / .[0] | fabs)
		 | select(. > 0.03)] == []'
}

# Capacity 9 and 18; ann's tasks take 1 and 4, bob's 3 and 1: three and two run at a time.
@test "the example of DRF: three and two tasks at a time, dominant shares of two thirds" {
	local out
	{
		echo submit,duration,user,cpu,memory
		for _ in {1..6}; do echo 0,1,ann,1,4; done
		for _ in {1..4}; do echo 0,1,bob,3,1; done
	} >trace.csv
	out=$(s trace.csv -P drf -s 9,18 --samples 100 -j)
	expect "$out" .complete '.tasks == 10 and .users == 2' '.per_user[0].mean_wait_s == 0.5' \
		'.per_user[1].mean_wait_s == 0.5' 'all(.per_user[]; .max_wait_s == 1)' \
		'.over_time[0].shares | (.ann - 2 / 3 | fabs) < 1e-9 and (.bob - 2 / 3 | fabs) < 1e-9' \
		'.over_time[0].jain > 0.999999' '(.over_time[0].used[0] - 1 | fabs) < 1e-9'
	# in text, the same
	run -0 s trace.csv -P drf -s 9,18
	[[ $output == *"10 tasks of 2 users"*"mean wait 0.5 s a task, 0.5 s a user"* ]]
}

# A row of task_events: TIME MISSING JOB EVENT USER CPU
event() { echo "$1,$2,$3,0,,$4,$5,0,0,$6,0.5,0,0"; }

@test "Google's format: the published filter, parts in order, gzip or not, from a pipe" {
	local out
	{
		event 0 '' 1 0 early 0.1 # submitted before the trace
		event 10 '' 2 0 ann 0.1
		event 10 '' 3 0 ann 0.1
		event 10 '' 4 0 ann 0.1
		event 10 '' 5 0 ann 0.1
		event 10 '' 6 0 ann 0.1
		event 10 '' 7 0 ann 0
		event 10 '' 8 0 ann 0.1
		event 10 '' 9 0 ann 0.1
		event 20 '' 1 1 early 0.1
		event 20 '' 2 1 ann 0.2 # the demand is this row's
		event 20 '' 3 1 ann 0.1
		event 20 '' 4 1 ann 0.1
		event 20 '' 5 1 ann 0.1
		event 20 '' 7 1 ann 0
		event 20 '' 8 1 ann 0.1
		event 20 2 9 1 ann 0.1 # missing information: it never started
	} >one.csv
	{
		event 25 '' 2 8 ann 0.9 # an update changes nothing
		event 30 '' 1 4 early 0.1
		event 30 '' 2 4 ann 0.1
		event 40 '' 3 3 ann 0.1 # failed: counts
		event 40 '' 4 2 ann 0.1 # evicted, killed, failed while pending, no request, after the trace: do not
		event 40 '' 5 5 ann 0.1
		event 40 '' 6 3 ann 0.1
		event 40 '' 7 4 ann 0
		event 40 '' 9 4 ann 0.1
		event 9223372036854775807 '' 8 4 ann 0.1
		event 40 '' 4 0 ann 0.1 # submitted again
		event 50 '' 4 1 ann 0.1
		event 70 '' 4 4 ann 0.1
	} >two.csv
	out=$(s one.csv two.csv -j)
	# mean use: (0.2 * 10 + 0.1 * 20 + 0.1 * 20) / 50
	expect "$out" .complete '.tasks == 3' '.users == 1' '.skipped == 1' '.rows == 30' '.per_user[0].user == "ann"' \
		'.resources[0].name == "cpu"' '(.resources[0].mean_use_of_trace - 0.12 | fabs) < 1e-9'
	gzip -k one.csv two.csv
	[ "$(s one.csv.gz two.csv.gz -j | same)" = "$(same <<<"$out")" ]
	[ "$(cat one.csv.gz two.csv.gz | s - -j | same)" = "$(same <<<"$out")" ]
	# the other way round no task is whole but the one that was submitted again
	expect "$(s two.csv one.csv -j)" '.tasks == 1'
}

# Tasks of five users at random times, one a row: SEED COUNT. The first of each tells users' numbers.
tasks() {
	awk -v seed="$1" -v n="$2" 'BEGIN { srand(seed)
		for (i = 0; i < 5; i++) print i "," 1 ",u" i ",1,1"
		for (i = 0; i < n; i++)
			printf "%d.%06d,%d,u%d,%.3f,%.3f\n", 10 + rand() * 5000, i, 1 + rand() * 60, rand() * 5,
				rand() * 3, rand() * 3 }'
}

@test "tasks in any order are sorted, in a file where memory is short" {
	local sorted
	rounded() { same | jq -cS 'del(.resources)'; } # sums of floating point in another order
	echo submit,duration,user,cpu,memory >top.csv
	tasks 1 30000 >body
	cat top.csv body >shuffled.csv
	{ cat top.csv; head -n 5 body; tail -n +6 body | sort -t, -g -k1,1; } >sorted.csv
	sorted=$(s sorted.csv -s 200,200 --samples 5 -j | rounded)
	expect "$sorted" '.tasks == 30005' '.mean_wait_s > 1'
	[ "$(s shuffled.csv -s 200,200 --samples 5 -j | rounded)" = "$sorted" ]
	mkdir spill
	# 1 MiB holds 13,107 of them
	[ "$(TMPDIR=$PWD/spill s shuffled.csv -s 200,200 --sort-memory 1M --samples 5 -j | rounded)" = "$sorted" ]
	[ -z "$(ls spill)" ]
	run -1 --separate-stderr env TMPDIR="$PWD/nosuch" "$SLUICE" sched shuffled.csv --sort-memory 1M -s 200,200 -j
	[[ $stderr == "sluice: shuffled.csv:13110: "*"set TMPDIR" && $stderr != *$'\n'* ]]
	expect "$(jq 'del(.over_time)' <<<"$output")" '.tasks == 13108' '.complete == false'
	# no room for the second half MiB
	run -1 --separate-stderr bash -c 'trap "" XFSZ; ulimit -f 768; exec "$@"' full "$SLUICE" sched shuffled.csv \
		--sort-memory 1M -s 200,200 --samples 5 -j
	[[ $stderr == "sluice: shuffled.csv:26218: cannot sort in a file: "* && $stderr != *$'\n'* ]]
	sorted=$(head -n 26217 shuffled.csv | s - -s 200,200 --samples 5 -j | rounded)
	expect "$sorted" '.tasks == 26216'
	[ "$(jq 'del(.complete, .rows)' <<<"$output" | rounded)" = "$(jq -cS 'del(.complete, .rows)' <<<"$sorted")" ]
}

@test "memory is bounded by the tasks that are open, however many there are" {
	local few many
	[[ $TB_BUILD != */[at]san ]] || skip "not under sanitizers"
	for n in 20000 300000; do
		awk -v n="$n" 'BEGIN { print "submit,duration,user,cpu"
			for (i = 0; i < n; i++) print i ",10,u" i % 50 "," 1 + i % 7 }' |
			"$SLUICE" sched - --sort-memory 1M -s 50 --samples 1 -j >$n.json 3>&- &
		wait $!
	done
	expect "$(cat 300000.json)" '.tasks == 300000' '.completion > 0.99'
	few=$(jq .peak_kb 20000.json) many=$(jq .peak_kb 300000.json)
	# the tasks alone are 9 MB
	echo "peak $few kB, $many kB"
	[ "$many" -lt $((few + 2000)) ]
}

@test "machines: a task is on one of them, and what fits none is told" {
	local out
	printf '%s\n' submit,duration,user,cpu,memory 0,10,a,6,1 0,10,b,6,1 0,10,a,3,7 0,10,b,11,1 >trace.csv
	out=$(s trace.csv -s 20,20 -m 2 -j)
	expect "$out" '.too_large == 1' '.tasks == 4' '.mean_wait_s == 0' '.completion == 0.75' \
		'.per_user[1].completion == 0.5'
	run -0 s trace.csv -s 20,20 -m 2
	[[ $output == *"1 task fits no machine"* ]]
	# who never had a turn waits for ever, not for no time
	printf '%s\n' submit,duration,user,cpu 0,10,a,10 0,10,a,10 0,10,b,11 >trace.csv
	expect "$(s trace.csv -s 10 -j)" '.mean_wait_s == 5' '.mean_user_wait_s == 5'
	# 4,4 and 7,7 are on two of 10,10 each; 3,3 leaves room for 6,6 only where it fits exactly
	printf '%s\n' submit,duration,user,cpu,memory 0,10,a,4,4 0,10,a,7,7 0,10,a,3,3 0,10,a,6,6 >fit.csv
	expect "$(s fit.csv -s 20,20 -m 2 -j)" '.mean_wait_s == 2.5'
	expect "$(s fit.csv -s 20,20 -m 2 --fit best -j)" '.mean_wait_s == 0'
	expect "$(s fit.csv -s 20,20 -m 2 --fit dominant -j)" '.mean_wait_s == 0'
}

@test "weights, from the trace and from the command line" {
	local out
	{
		echo submit,duration,user,weight,cpu
		for _ in {1..60}; do printf '%s\n' 0,1,ann,3,1 0,1,bob,1,1; done
	} >trace.csv
	out=$(s trace.csv -P drf -s 4 --samples 20 -j)
	expect "$out" '.per_user[0].weight == 3' '.over_time[1].shares == {ann: 0.75, bob: 0.25}'
	out=$(s trace.csv -P drf -s 4 --samples 20 -j -w ann=1 -w bob=3)
	expect "$out" '.over_time[1].shares == {ann: 0.25, bob: 0.75}'
}

@test "every policy runs every task" {
	local policy
	echo submit,duration,user,cpu,memory >trace.csv
	tasks 2 5000 >>trace.csv
	for policy in drf sdrf drfq karma maxmin; do
		expect "$(s trace.csv -P $policy -c 0.9 -j)" ".policy == \"$policy\"" .complete '.tasks == 5005' \
			'.too_large == 0' '(.per_user | map(.tasks) | add) == 5005' '.mean_wait_s > 0' \
			'.jain_share > 0.2 and .jain_share <= 1' '.over_time | length == 200'
	done
	expect "$(s trace.csv -P maxmin --resource memory -c 0.9 -j)" .complete
}

@test "units of time, comments, start and finish, how much is printed" {
	local out
	printf '%s\n' '# a comment' '' submit,duration,user,cpu 1,2,ann,1 2,2,bob,1 >s.csv
	printf '%s\n' task,submit,start,finish,user,cpu 7,1000,1500,3500,ann,1 8,2000,2000,4000,bob,1 >ms.csv
	out=$(s s.csv -s 1 -P drf -j)
	expect "$out" '.tasks == 2' '.horizon_s == 3' '.per_user[1].mean_wait_s == 1' '.mean_wait_s == 0.5'
	expect "$(s ms.csv --unit ms -s 1 -P drf -j)" '.horizon_s == 3' '.per_user[1].mean_wait_s == 1'
	expect "$(s ms.csv --unit us -s 1 -P drf -j)" '.horizon_s == 0.003'
	run -0 s s.csv -s 1 -n 1
	[[ $output == *"(1 more user)"* ]]
	[ "$(grep -cE '^(ann|bob) ' <<<"$output")" = 1 ]
	# a row of digits is no head, unless it is said to be a CSV's
	printf '%s\n' 1,2,ann,3 >digits.csv
	refused -1 "digits.csv:1: 4 columns; a row of task_events has 13" s digits.csv
	refused -1 "digits.csv:1: the first row must name" s digits.csv -f csv
}

@test "the floor: who is within its equal share comes before all memory" {
	local with without
	# ann has all of it for long; then both want half, and ann's tasks are within her half
	{
		echo submit,duration,user,cpu
		echo 0,1000,ann,10
		for _ in {1..20}; do printf '%s\n' 1000,10,bob,1 1000,10,ann,1; done
	} >trace.csv
	with=$(s trace.csv -s 10 --half-life 100s --samples 1 -j | jq '.per_user[] | select(.user == "bob") | .mean_wait_s')
	without=$(s trace.csv -s 10 --half-life 100s --samples 1 --no-floor -j |
		jq '.per_user[] | select(.user == "bob") | .mean_wait_s')
	# 10 at a time: five of each; or bob first until he has what ann's half too much counts
	[ "$with" = 15 ]
	jq -ne "$without < 15" >/dev/null
}

# bad FILE:ROW WORDS: one line that has both, exit status 1, and the report of what was read before: $TASKS tasks.
bad() {
	run -1 --separate-stderr s "${FILE:-trace.csv}" -s "${SIZE:-10}" -j
	# shellcheck disable=SC2154 # run sets stderr
	[[ $stderr == "sluice: "*"$1: "*"$2"* && $stderr != *$'\n'* ]] || {
		echo "$stderr"
		return 1
	}
	expect "$output" '.complete == false' ".tasks == ${TASKS:-2}"
}

# with ROW: a trace of two good tasks and this row, which is the fourth.
with() { printf '%s\n' submit,duration,user,cpu 0,1,ann,1 1,1,bob,1 "$1" 5,1,ann,1 >trace.csv; }

@test "a malformed CSV: one line with the row, and what was read is not lost" {
	with 2,1,ann && bad trace.csv:4 "3 columns; the first row has 4"
	with 2,1,ann,1,1 && bad trace.csv:4 "5 columns"
	with -2,1,ann,1 && bad trace.csv:4 '"-2" in column 1'
	with 2,-1,ann,1 && bad trace.csv:4 '"-1" in column 2'
	with 2,1,ann,-1 && bad trace.csv:4 '"-1" in column 4'
	with 2,1,ann,nan && bad trace.csv:4 '"nan" in column 4'
	with 2,1e12,ann,1 && bad trace.csv:4 "more than 31 years"
	with 2,,ann,1 && bad trace.csv:4 '"" in column 2'
	with "$(printf '%05000d' 2),1,ann,1" && bad trace.csv:4 "longer than"
	printf '%s\n' submit,start,finish,user,cpu 0,0,2,ann,1 1,5,4,ann,1 >trace.csv
	TASKS=1 bad trace.csv:3 "finishes before it starts"
	printf '%s\n' submit,duration,user,weight,cpu 0,1,ann,2,1 1,1,bob,0,1 >trace.csv
	TASKS=1 bad trace.csv:3 "weight of user bob must be from"
	printf '%s\n' submit,duration,user,weight,cpu 0,1,ann,2,1 1,1,ann,3,1 >trace.csv
	TASKS=1 bad trace.csv:3 "user ann had weight 2"
	TASKS=1
	printf '%s\n' submit,duration,user,weight,cpu 0,1,ann,2,1 1,1,bob,1e-320,1 >trace.csv
	bad trace.csv:3 "weight of user bob must be"
	# users and resources are told in JSON
	printf 'submit,duration,user,cpu\n0,1,ann,1\n0,1,J\xf6rg,1\n' >trace.csv
	bad trace.csv:3 "not UTF-8: convert the file"
	printf 'submit,duration,user,cp\xfc\n0,1,ann,1\n' >head.csv
	refused -1 "head.csv:1: a name is not UTF-8" s head.csv
	printf 'submit,duration,user,cpu\n0,1,J\xc3\xb6rg,1\n' >trace.csv
	expect "$(s trace.csv -s 1 -j)" '.per_user[0].user == "J\u00f6rg"'
	# what a crash leaves at the end of a file
	{ printf '%s\n' submit,duration,user,cpu 0,1,ann,1; head -c 9000 /dev/zero; } >trace.csv
	bad trace.csv:3 "a byte of zero"
	printf 'submit,duration,user,cpu\n0,1,ann,1\n1,1,bob,1\0,7\n' >trace.csv
	bad trace.csv:3 "a byte of zero"
	unset TASKS
	# the second file's head, with what the first said
	with 2,1,ann,1
	printf '%s\n' submit,duration,user,disk 0,1,ann,1 >other.csv
	run -1 --separate-stderr s trace.csv other.csv -s 10 -j
	[[ $stderr == *'other.csv:1: "disk" is no resource of the file before'* ]]
	expect "$output" '.tasks == 4' '.complete == false'
	# in text it is said too
	with -2,1,ann,1
	run -1 --separate-stderr s trace.csv -s 10
	[[ $output == "what was read of the trace: "*"2 tasks of 2 users"* ]]
}

@test "a malformed task_events: likewise" {
	local row
	{ for row in 0 1 4; do event "$row" '' 1 "$row" ann 0.1; done; } | sed 's/^0,/7,/; s/^1,/8,/; s/^4,/9,/' >good
	for row in "x,,1,0,,0,a,0,0,1,1,0,0|no time" "-5,,1,0,,0,a,0,0,1,1,0,0|no time" "5,,1,0,,9,a,0,0,1,1,0,0|no event" \
		"5,,j,0,,0,a,0,0,1,1,0,0|no job" "5,,1,-1,,0,a,0,0,1,1,0,0|no task index" "5,,1,0,,0,a,0,0,1,1,0|12 columns" \
		"99999999999999999999,,1,0,,0,a,0,0,1,1,0,0|no time" "1e3,,1,0,,0,a,0,0,1,1,0,0|no time"; do
		{ cat good; echo "${row%|*}"; cat good; } >trace.csv
		SIZE=1,1 TASKS=1 bad trace.csv:4 "${row#*|}"
	done
	{ cat good; event 10 '' 1 0 ann 0.1; event 11 '' 1 1 ann -1; } >trace.csv
	SIZE=1,1 TASKS=1 bad trace.csv:5 "no CPU request"
}

@test "gzip cut off: every whole row of it counts, and a part of a row does not" {
	local cut whole
	echo submit,duration,user,cpu >trace.csv
	tasks 3 20000 | cut -d, -f1-4 >>trace.csv
	gzip -c trace.csv >whole.gz
	for cut in 40000 60001 60777; do
		head -c $cut whole.gz >cut.gz
		whole=$(zcat cut.gz 2>/dev/null | tr -dc '\n' | wc -c)
		FILE=cut.gz TASKS=$((whole - 1)) bad "cut.gz:$((whole + 1))" "cut off"
	done
	# damaged in the middle
	{ head -c 50000 whole.gz; head -c 100 /dev/zero; tail -c +50101 whole.gz; } >bad.gz
	run -1 --separate-stderr s bad.gz -s 10 -j
	[[ $stderr == "sluice: bad.gz:"* && $stderr != *$'\n'* ]]
}

@test "words that are wrong: exit status 2 and nothing is run; files that are not there: 1" {
	with 2,1,ann,1
	refused -2 '"x=0" is not allowed; give USER=N' s trace.csv -w x=0
	refused -2 "--weight" s trace.csv -w x
	refused -2 "--weight" s trace.csv -w x=-1
	refused -2 "--weight" s trace.csv -w x=inf
	refused -2 "--weight" s trace.csv -w ann=1e-320
	refused -2 'the trace has no user "x"' s trace.csv -w x=2
	refused -2 "--size" s trace.csv -s 9,
	refused -2 "--size" s trace.csv -s 0
	refused -2 "the trace has 1 resources, 2 numbers were given" s trace.csv -s 9,18
	refused -2 'no resource "disk"' s trace.csv -P maxmin --resource disk
	refused -2 "drf, sdrf" s trace.csv -P fair
	refused -2 "TRACE is missing" s
	refused -1 "nosuch" s nosuch
	refused -1 "$PWD" s "$PWD"
	: >empty
	refused -1 "no complete task in empty" s empty
	echo submit,duration,user,cpu >empty
	refused -1 "no complete task in empty" s empty
	echo a,b,c >nohead
	refused -1 "nohead:1: the first row must name" s nohead
	echo submit,duration,user,cpu,cpu >twice
	refused -1 'twice:1: two columns are named "cpu"' s twice
	printf '%s\n' submit,duration,user,cpu 0,0,ann,1 >unused
	refused -2 "give --size" s unused
}

@test "--plot draws two pictures, and leaves their data" {
	command -v gnuplot || skip "gnuplot is not installed"
	echo submit,duration,user,cpu,memory >trace.csv
	tasks 4 2000 >>trace.csv
	s trace.csv -c 0.8 --samples 50 --plot out >/dev/null
	[ "$(wc -l <out/shares.dat)" = 50 ]
	[ "$(awk '{ print NF }' out/shares.dat | sort -u)" = 7 ]
	[ "$(wc -l <out/waits.dat)" = 5 ]
	for file in out/shares.png out/waits.png; do
		[ "$(head -c 4 $file | tail -c 3)" = PNG ]
	done
	run -1 --separate-stderr s trace.csv --plot /proc/nosuch
	[[ $stderr == *"--plot: cannot make /proc/nosuch"* && $stderr != *$'\n'* ]]
	run -1 --separate-stderr env PATH=/nosuch "$SLUICE" sched trace.csv --plot out2
	[[ $stderr == *"gnuplot-nox"* ]]
	[ -s out2/sched.gnuplot ]
}

@test "a bar on a terminal, and only there" {
	echo submit,duration,user,cpu,memory >trace.csv
	tasks 5 150000 >>trace.csv
	script -qefc "$SLUICE sched trace.csv -s 2000,2000 --samples 1 -n 1" /dev/null >tty.out 3>&-
	grep -qa $'\rreading    \[##* *\]  *[0-9]*%' tty.out
	grep -qa $'\rscheduling \[##* *\]  *[0-9]*%' tty.out
	script -qefc "cat trace.csv | $SLUICE sched - -s 2000,2000 --samples 1 -n 1" /dev/null >tty.out 3>&-
	grep -qa $'\rreading    131072' tty.out
	run -0 --separate-stderr s trace.csv -s 2000,2000 --samples 1
	[ -z "$stderr" ]
}
