#!/usr/bin/env bash
# test/fuzz/run.sh: each target over its found inputs, then a fixed number of runs from a fixed seed
# (TAP).
#
# test/fuzz/run.sh SECONDS [TARGET ...] runs each target, or these, for so long from any seed, and
# keeps what it learns in build/corpus for the next time. An input that breaks a target is left in
# build/.
set -u
cd "$(dirname "$0")" || exit 1
seconds=${1:-}
[ $# = 0 ] || shift
build=$PWD/build
export seconds build

# so many take some 8 seconds each on an ordinary core
declare -A runs=(
	[header]=150000 [json]=25000 [line]=60000 [lines]=6000 [option]=80000 [reply]=40000
	[request]=40000 [schema]=60000 [secret]=20000 [split]=150000 [template]=150000
)

# fuzz NUMBER TARGET RUNS
fuzz() {
	local number=$1 target=$2 runs=$3 status=0 log=$build/$2.log
	local options=(-print_final_stats=1 -timeout=60 -rss_limit_mb=2048 -verbosity=1
		-artifact_prefix="$build/$target-" -max_len=16384)
	local words=$build/seeds/$target.words corpus=$build/corpus/$target
	[ ! -e "$words" ] || options+=(-dict="$words")
	if [ -n "$seconds" ]; then
		options+=(-max_total_time="$seconds")
	else
		options+=(-seed=1 -runs="$runs")
	fi
	[ -n "$seconds" ] || rm -rf "$corpus"
	mkdir -p "$corpus"
	{
		[ -n "$(ls "$build/seeds/$target")" ] || status=1
		[ -z "$(ls "found/$target" 2>/dev/null)" ] ||
			"$build/$target" -timeout=60 "found/$target"/* || status=1
		[ $status != 0 ] || "$build/$target" "${options[@]}" "$corpus" "$build/seeds/$target" ||
			status=1
	} >"$log" 2>&1
	if [ $status = 0 ]; then
		units=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
		edges=$(sed -n 's/^.*DONE *cov: \([0-9]*\).*/, \1 edges/p' "$log")
		echo "ok $number - $target: $units runs$edges"
	else
		echo "not ok $number - $target"
		tail -n 60 "$log" | cut -c1-300 | sed 's/^/# /'
	fi
	return $status
}
export -f fuzz
export ASAN_OPTIONS=${ASAN_OPTIONS:-}:quarantine_size_mb=64:detect_stack_use_after_return=1
export UBSAN_OPTIONS=${UBSAN_OPTIONS:-}:print_stacktrace=1

make -s -j"$(nproc)" BUILD="$build" || exit 1
rm -rf "$build/seeds"
mkdir -p "$build/seeds"
perl seeds.pl "$build/seeds" || exit 1

targets=("$@")
[ ${#targets[@]} -gt 0 ] || mapfile -t targets < <(ls target_*.c | sed 's/^target_//; s/\.c$//')
echo "1..${#targets[@]}"
for i in "${!targets[@]}"; do echo "$((i + 1)) ${targets[i]} ${runs[${targets[i]}]:-20000}"; done |
	xargs -P "$(nproc)" -L 1 bash -c 'fuzz "$@"' fuzz
