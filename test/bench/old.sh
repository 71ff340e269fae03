#!/usr/bin/env bash
# test/bench/old.sh: what it costs to keep old values, for batch_revert and batch_lineage: the
# processor time from the first answer to the end of a job that keeps them, and of one that does
# not, because its owner may not call batch_note.  BENCH_ROWS (20000) and BENCH_ROUNDS (3) may be
# set.
set -euo pipefail
cd "$(dirname "$0")"
. ../lib/cluster.sh
rows=${BENCH_ROWS:-20000} rounds=${BENCH_ROUNDS:-3}
folder=$(mktemp -d /tmp/batchinf-bench.XXXXXX)
trap 'set +e; sim_stop "$folder"; cluster_stop "$folder"; rm -rf "$folder"' EXIT
chmod 755 "$folder"

sql() { PGOPTIONS="-c client_min_messages=warning" psql -qXAt -v ON_ERROR_STOP=1 -d bench "$@"; }

measure() { # MODE KEPT
	local follower
	psql -qX -c "CREATE DATABASE bench"
	sql -v sim_port="$SIM_PORT" -v rows="$rows" -f old.sql
	[ "$2" = yes ] ||
		sql -c "REVOKE EXECUTE ON FUNCTION batch_note(bigint, int, record) FROM PUBLIC"
	sql -c "SET ROLE bench_owner" -c "SELECT FROM bench.submit('$1')"
	sql -c "VACUUM ANALYZE bench.ticket" -c CHECKPOINT
	sql -c "CALL bench.follow_job('$1', '$2')" &
	follower=$!
	sql -c "CALL bench.await_follower()" -c "CALL batch_work('10 min')"
	wait $follower
	sql -F ' ' -c "SELECT mode, kept, seconds FROM bench.measure" >>"$folder/measures"
	sql -c "DROP OWNED BY bench_owner"
	psql -qX -c "DROP DATABASE bench" -c "DROP ROLE bench_owner"
}

sim_start "$folder" --batch-seconds 0.5
perl ../lib/http.pl POST "http://127.0.0.1:$SIM_PORT/_sim/config" \
	'{"max_lines": 1000000, "max_file_bytes": 1e9}' >/dev/null
cluster_start "$folder" "shared_preload_libraries = 'batchinf'" "batchinf.enabled = off" \
	"autovacuum = off" "max_wal_size = 8GB" "checkpoint_timeout = 1h" "shared_buffers = 512MB"
for _ in $(seq "$rounds"); do
	for mode in update upsert replace; do
		for kept in yes no; do measure $mode $kept; done
	done
done
node old.mjs "$folder/measures" "$rows"
