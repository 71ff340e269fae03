#!/usr/bin/env bash
# test/pgtap/run.sh [FILE ...]: each test in a database of its own, with pg_prove.  The
# library is preloaded but no visit comes to a test's database unless the test asks for it:
# names that begin with worker- run with batchinf.enabled = on.
set -u
. "$(dirname "$0")/../lib/cluster.sh"
export BI_ROOT=$bi_root
folder=$(mktemp -d "${TMPDIR:-/tmp}/batchinf-pgtap.XXXXXX")
trap 'sim_stop "$folder"; cluster_stop "$folder"; rm -rf "$folder"' EXIT
chmod 755 "$folder"
sim_start "$folder" || exit 1
cluster_start "$folder" "shared_preload_libraries = 'batchinf'" "batchinf.enabled = off" "batchinf.settle_time = '1s'" || exit 1
cd "$bi_root/test/pgtap" || exit 1
status=0
for file in "${@:-*.sql}"; do
	for test in $file; do
		[[ $test = lib*.sql ]] && continue
		case $test in worker-*) enabled=on ;; *) enabled=off ;; esac
		psql -qX -c "ALTER SYSTEM SET batchinf.enabled = $enabled" -c "SELECT pg_reload_conf()" -c "CREATE DATABASE test" >/dev/null || status=1
		pg_prove --ext .sql ${BI_PROVE:---failures} -d test "$test" || { status=1; tail -n 40 "$folder/log" | sed 's/^/# /'; }
		psql -qX -c "DROP DATABASE test WITH (FORCE)" || status=1
	done
done
exit $status
