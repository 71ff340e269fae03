#!/usr/bin/env bash
# test/run.sh [PART ...]: all tests, or these parts, in a copy of the checkout under /tmp that is
# removed at the end.  Each part prints one line, and its log if something failed; the last line is
# "N passed, N failed".  A part that tests nothing, skips, is killed or leaves something behind has
# failed.  Only a part that needs another suite of Debian may say that it was not run, and why: on a
# machine that cannot make one (test/suite.sh).  The parts that build are always run.
#
# test/run.sh check: what takes less than two minutes, for each edit.
set -u
cd "$(dirname "$0")/.." || exit 1
[ "$*" != check ] || set -- walls indent regress quick simulator
passed=0 failed=0 not_run='' wanted=" $* "

if ! bash test/deps.sh; then
	echo "could not install what the tests need"
	echo "0 passed, 1 failed"
	exit 1
fi

# the servers of a part that was killed have nobody else to end them
clean_up() {
	find "$folder/tmp" -name postmaster.pid -exec head -qn 1 {} + 2>/dev/null |
		xargs -r kill -QUIT 2>/dev/null
	rm -rf "$folder"
}

folder=$(mktemp -d /tmp/batchinf.XXXXXX)
trap clean_up EXIT
trap 'kill $(jobs -p) 2>/dev/null; wait; exit 1' INT TERM HUP
mkdir "$folder/tree" "$folder/tmp"
chmod 755 "$folder" "$folder/tree"
chmod 1777 "$folder/tmp"
tar -cf - --exclude=./.git --exclude=node_modules --exclude='*.o' --exclude='*.bc' \
	--exclude='*.so' --exclude=./test/output --exclude=./test/fuzz/build . |
	tar -xf - --no-same-owner -C "$folder/tree" || { echo "0 passed, 1 failed"; exit 1; }
chmod -R u+w,go+rX "$folder/tree"
ln -s "$PWD/test/client/node_modules" "$folder/tree/test/client/node_modules"
cd "$folder/tree" || exit 1
export TMPDIR=$folder/tmp PG_CONFIG=${PG_CONFIG:-pg_config}
jobs=$(nproc)

# ---- parts ----

# count LOG: "passed failed" of TAP points and of pg_regress's lines, old and new
count() {
	awk '/^ok [0-9]/ && !/# *[Ss][Kk][Ii][Pp]/ || /^(test|     ) .*\.\.\. ok / { good++ }
		 /^ok [0-9].*# *[Ss][Kk][Ii][Pp]/ || /^not ok/ || /^Bail out/ { bad++ }
		 /^(test|     ) .*\.\.\. FAILED/ { bad++ }
		 END { print good + 0, bad + 0 }' "$1"
}

# points LOG: the points that failed, with what was got and wanted; where none did, what else went
# wrong
points() {
	if grep -q -e '^not ok' -e '^Bail out' -e '\.\.\. FAILED' "$1"; then
		grep -A 8 -e '^not ok' -e '^Bail out' -e '\.\.\. FAILED' "$1" |
			grep -e '^not ok' -e '^Bail out' -e FAILED -e '^# .*\(got\|expected\|have\|want\)'
	else
		{
			grep -e '\(ERROR\|FATAL\|PANIC\): ' -e '^ *Parse errors' -e 'Dubious' \
				-e '(Wstat: ' -e '^Result: FAIL' -e '^psql' -e 'terminated by' "$1"
			tail -n 3 "$1"
		} | tail -n 20
	fi | cut -c1-300
}

# show WORDS LOG: the lines that failed, then the end of the log
show() {
	echo "---- $1"
	grep -n -e '^not ok' -e '^Bail out' -e '^#\? *Failed' -e '\.\.\. FAILED' \
		-e '\(ERROR\|FATAL\|PANIC\): ' -e '[Ee]rror:' -e 'terminated by signal' "$2" |
		head -n 60 | cut -c1-300
	echo "---- the end of its log"
	tail -n 100 "$2" | cut -c1-500
	echo "----"
}

# launch NAME COMMAND: in the background; its exit status and seconds are in the log's .end once it
# is over
log_of() { echo "$folder/${1//[ \/]/-}.log"; }
launch() {
	local log
	log=$(log_of "$1")
	(
		begin=$SECONDS
		timeout -k 30 1500 bash -c "$2" >"$log" 2>&1 </dev/null &
		trap 'kill $!' TERM
		wait $!
		echo "$? $((SECONDS - begin))" >"$log.end"
	) &
}

# judge NAME KIND: of one that is over; a check is one test, of a suite the points are counted
judge() {
	local name=$1 kind=$2 log good=0 bad=0 status seconds
	log=$(log_of "$name")
	read -r status seconds <"$log.end"
	if [ "$status" = 77 ] && tail -n 1 "$log" | grep -q '^not run: '; then
		not_run="$not_run $name"
		printf '%-22s %s\n' "$name" "$(tail -n 1 "$log")"
		return 0
	elif [ "$kind" = suite ]; then
		read -r good bad < <(count "$log")
		if [ "$good" = 0 ] || { [ "$status" != 0 ] && [ "$bad" = 0 ]; }; then bad=$((bad + 1)); fi
	elif [ "$status" = 0 ]; then
		good=1
	else
		bad=1
	fi
	passed=$((passed + good))
	failed=$((failed + bad))
	printf '%-22s %4d passed %3d failed %4d s\n' "$name" "$good" "$bad" "$seconds"
	[ "$bad" != 0 ] || return 0
	show "$name, exit status $status" "$log"
	{ echo "$name, exit status $status:"; points "$log" | head -n 20; } >>"$folder/failed"
	return 1
}

is_wanted() { [ "$2" = build ] || [ "$wanted" = "  " ] || [[ $wanted == *" $1 "* ]]; }

# run NAME KIND COMMAND: now, alone
run() {
	is_wanted "$1" "$2" || return 0
	launch "$1" "$3"
	wait $!
	judge "$1" "$2"
}

# beside NAME KIND COMMAND: with others, in the order in which they are named, once work_off is
# called
queue=()
beside() { if is_wanted "$1" "$2"; then queue+=("$1" "$2" "$3"); fi; }

# work_off N: what is in the queue, N at a time; each is told when it is over
work_off() {
	local open=() rest i
	while [ ${#queue[@]} != 0 ] || [ ${#open[@]} != 0 ]; do
		while [ ${#queue[@]} != 0 ] && [ $((${#open[@]} / 2)) -lt "$1" ]; do
			launch "${queue[0]}" "${queue[2]}"
			open+=("${queue[@]:0:2}")
			queue=("${queue[@]:3}")
		done
		wait -n
		rest=()
		for ((i = 0; i < ${#open[@]}; i += 2)); do
			if [ -e "$(log_of "${open[i]}").end" ]; then
				judge "${open[@]:i:2}"
			else
				rest+=("${open[@]:i:2}")
			fi
		done
		open=(${rest[@]+"${rest[@]}"})
	done
}

# the servers that the extension was built for and ran in
versions() {
	local other log
	printf 'with %s' "$("$PG_CONFIG" --version)"
	for other in "${others[@]+"${others[@]}"}"; do
		log=$(log_of "postgresql-${other%:*}")
		other=$(grep -om1 '^PostgreSQL [0-9.a-z]*' "$log" 2>/dev/null) && printf ', %s' "$other"
	done
	echo '; not with PostgreSQL 16, which no suite of Debian has'
}

finish() {
	versions
	[ -z "$not_run" ] || echo "not run on this machine:$not_run"
	# once more, for a reader who sees only the end
	[ ! -e "$folder/failed" ] || sed 's/^/FAILED: /' "$folder/failed"
	echo "$passed passed, $failed failed"
	[ "$failed" = 0 ]
	exit
}

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

# warnings are errors here, and nowhere else: a newer compiler must not keep a user from building
gcc_build() { make -s -j"$jobs" CC=gcc COPT=-Werror; }

# elsewhere, so that both builds are whole; clang does not know all flags that gcc built the server
# with
clang_build() {
	local clang
	clang=$(sed -n 's/^CLANG *= *//p' \
		"$("$PG_CONFIG" --pgxs | sed 's|makefiles/pgxs.mk|Makefile.global|')")
	command -v "$clang" || { echo "no clang: $clang"; return 1; }
	cp -r . ../clang
	find ../clang -name '*.o' -delete
	make -s -C ../clang -j"$jobs" CC="$clang" with_llvm=no COPT="-Werror -Wno-ignored-attributes \
		-Wno-unknown-warning-option -Wno-ignored-optimization-argument" batchinf.so
}

install_build() { as_root make -s install; }
unit_build() { make -s -C test/unit -j"$jobs"; }

cppcheck_src() {
	# varFuncNullUB: NULL is a pointer wherever PostgreSQL 15 runs on Linux
	cppcheck -q -j"$jobs" --std=c99 --enable=warning,performance,portability,information \
		--error-exitcode=1 --inline-suppr \
		--include=test/lib/cppcheck.h -Isrc -UDATCONNLIMIT_INVALID_DB -UBGWORKER_INTERRUPTIBLE \
		--suppress=missingInclude --suppress=missingIncludeSystem --suppress=unmatchedSuppression \
		--suppress=varFuncNullUB \
		--suppress=normalCheckLevelMaxBranches src
}

each_node() {
	local script status=0
	for script; do node "$script" || status=1; done
	return $status
}
simulator() { each_node test/sim/test*.mjs; }
client() { each_node test/client/conformance*.mjs; }

# pgtap STREAMS [FILE ...]: these files of test/pgtap, or all, in that many runs side by side, for
# they wait most of the time.  Each run takes the next file of one list, the slow ones first.
pgtap() {
	local stream streams=$1 status=0 pids=() list=$folder/pgtap-$1.list; shift
	bash test/pgtap/run.sh --list "$@" >"$list"
	for stream in $(seq "$streams"); do
		BI_PROVE=--verbose bash test/pgtap/run.sh --from "$list" >"$list.$stream" 2>&1 &
		pids+=($!)
	done
	for stream in $(seq "$streams"); do
		wait "${pids[stream - 1]}" || status=1
		cat "$list.$stream"
	done
	return $status
}

# end to end in half a minute: a job, a submit that is refused, keys, views, rights to a schema
quick() { pgtap 4 basic.sql groups.sql keys.sql misfits.sql schema.sql submit.sql untouched.sql; }

# the folders of other suites of Debian, side by side
suites() {
	local suite status=0 pids=()
	for suite; do
		bash test/suite.sh "$suite" &
		pids+=($!)
	done
	for suite in "${pids[@]}"; do wait "$suite" || status=$?; done
	return $status
}

# where they are being made
await_suites() {
	while is_wanted suites check && [ ! -e "$(log_of suites).end" ]; do sleep 1; done
}

# in a copy that is whole from the source
other_postgresql() { # SUITE
	cp -r . "../$1"
	find "../$1" \( -name '*.o' -o -name '*.bc' -o -name '*.so' \) -delete
	cd "../$1" && bash test/suite.sh "$1" bash test/major.sh
}

# files of the tests, and processes that have the folder in their command line or environment but
# for this part's own
left_behind() {
	local process group
	ls -A "$TMPDIR"
	for process in /proc/[0-9]*; do
		group=$(sed 's/.*) //' "$process/stat" | cut -d' ' -f3)
		[ "$group" = "$(sed 's/.*) //' "/proc/$$/stat" | cut -d' ' -f3)" ] ||
			! grep -qF "$folder/" "$process/cmdline" "$process/environ" ||
				echo "${process#/proc/} $(tr '\0' ' ' <"$process/cmdline")"
	done 2>/dev/null
}
leaves_nothing() {
	local left
	for _ in $(seq 50); do
		left=$(left_behind)
		[ -n "$left" ] || return 0
		sleep 0.1
	done
	echo "$left"
	return 1
}

export folder jobs wanted
export -f log_of is_wanted await_suites as_root gcc_build clang_build install_build unit_build \
	cppcheck_src each_node simulator client pgtap quick suites other_postgresql left_behind \
	leaves_nothing

# ---- all of them ----

run walls suite 'bash test/walls.sh'
run indent suite 'perl test/indent.pl'
run cppcheck check cppcheck_src
run clang check clang_build
run gcc build gcc_build && run install build install_build && run unit-module build unit_build ||
	finish

# Most of them wait most of the time.  The long ones come first.
others=()		# MAJOR:SUITE of the servers that are not this one's
for other in 15:bookworm 17:trixie 18:forky; do
	"$PG_CONFIG" --version | grep -q "^PostgreSQL ${other%:*}\\." || others+=("$other")
done
beside suites check "suites ${others[*]#*:}"
beside pgtap suite 'pgtap 5'
[[ $wanted != *" quick "* ]] || beside quick suite quick
for script in $(grep -l 'Test::More' test/fault/*.pl | grep -v /neighbour); do
	name=${script#test/}
	beside "${name%.pl}" suite "perl $script"
done
beside fuzz suite 'bash test/fuzz/run.sh'
for other in "${others[@]}"; do
	beside "postgresql-${other%:*}" suite "await_suites; other_postgresql ${other#*:}"
done
beside rgw suite 'await_suites; bash test/rgw/run.sh'
beside sanitize suite 'bash test/sanitize.sh'
beside simulator suite simulator
beside client suite client
beside regress suite 'bash test/regress.sh'
for script in $(grep -l 'Test::More' test/*/*.pl | grep -vE '^test/(fault|worker)/'); do
	name=${script#test/}
	beside "${name%.pl}" suite "perl $script"
done
work_off 3

# What has a time in which it must be done is timed alone.
for script in test/fault/neighbour.pl $(grep -l 'Test::More' test/worker/*.pl); do
	name=${script#test/}
	run "${name%.pl}" suite "perl $script"
done
run nothing-left check leaves_nothing
finish
