#!/usr/bin/env bash
# test/pgtap/run.sh [FILE ...]: runs these tests, or all, one after another: each in a database of
# its own, with pg_prove.  The library is preloaded, but no worker visits the database of a test:
# only those whose names begin with worker- run with batchinf.enabled = on.
#
# --list [FILE ...] prints the tests instead, the slow ones first.  --from LIST runs what is in the
# file LIST, and takes each line out of it: several runs share a list.
set -u
cd "$(dirname "$0")" || exit 1
slow='control drip vertex failed gemini anthropic share seen body anthropic-lost bedrock-lost
	repeats revert revert-replace revert-upsert targets-foreign retention pipelines views insert
	replace pipelines-replace money forecast money-history budgets
	providers bedrock rights azure locks lines worker-cost rate fair worker-carry wild-lines chunks'

list() {
	local name pattern
	pattern=$(printf '%s|' $slow)
	for name in $slow; do printf '%s\n' "$@" | grep -xF "$name.sql"; done
	printf '%s\n' "$@" | grep -vE "^(lib.*|${pattern%|})\.sql$"
}

# Prints the next test; false if there is none.
next_test() {
	local test
	if [ -n "$shared" ]; then
		test=$(flock "$shared.lock" sh -c 'head -n 1 "$1"; sed -i 1d "$1"' sh "$shared")
	else
		test=$(head -n 1 "$own"); sed -i 1d "$own"
	fi
	[ -n "$test" ] && echo "$test"
}

if [ "${1-}" = --list ]; then
	shift
	[ $# -gt 0 ] || set -- *.sql
	list "$@"
	exit
fi
shared=''
if [ "${1-}" = --from ]; then shared=$2; set --; fi

. ../lib/cluster.sh
export BI_ROOT=$bi_root
folder=$(mktemp -d "${TMPDIR:-/tmp}/batchinf-pgtap.XXXXXX")
trap 'sim_stop "$folder"; cluster_stop "$folder"; rm -rf "$folder"' EXIT
chmod 755 "$folder"
own=$folder/list
set -- ${*:-*.sql}
printf '%s\n' "$@" | grep -v '^lib' >"$own"
sim_start "$folder" || exit 1
# jit: compiling a query of batch_jobs takes hundreds of times as long as the query
cluster_start "$folder" "shared_preload_libraries = 'batchinf'" "batchinf.enabled = off" \
	"batchinf.settle_time = '1s'" "jit = off" || exit 1
status=0
while test=$(next_test); do
	case $test in worker-*) enabled=on ;; *) enabled=off ;; esac
	psql -qX -c "ALTER SYSTEM SET batchinf.enabled = $enabled" -c "SELECT pg_reload_conf()" \
		-c "CREATE DATABASE test" >/dev/null || status=1
	pg_prove --ext .sql ${BI_PROVE:---failures} -d test "$test" ||
		{ status=1; tail -n 40 "$folder/log" | sed 's/^/# /'; }
	psql -qX -c "DROP DATABASE test WITH (FORCE)" || status=1
done
exit $status
