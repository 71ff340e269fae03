#!/usr/bin/env bash
# test/bench/bench.sh: what batchinf costs beside plain SQL doing the same, in a private
# cluster with the simulator.  BENCH_ROWS (100000, at least 20000) and BENCH_ROUNDS (3) may
# be set.
set -euo pipefail
cd "$(dirname "$0")"
. ../lib/cluster.sh
rows=${BENCH_ROWS:-100000} rounds=${BENCH_ROUNDS:-3}
[ "$rows" -ge 20000 ] ||
	{ echo "BENCH_ROWS must be at least 20000: a shorter phase cannot be followed"; exit 1; }
folder=$(mktemp -d /tmp/batchinf-bench.XXXXXX)
trap 'set +e; sim_stop "$folder"; cluster_stop "$folder"; rm -rf "$folder"' EXIT
chmod 755 "$folder"

control() { perl ../lib/http.pl POST "http://127.0.0.1:$SIM_PORT/_sim/$1" "$2" >/dev/null; }

large_batches() { control config '{"max_lines": 1000000, "max_file_bytes": 1e9}'; }

start_all() {
	sim_start "$folder" --batch-seconds 0.5
	large_batches
	cluster_start "$folder" "shared_preload_libraries = 'batchinf'" "batchinf.enabled = off" \
		"autovacuum = off" \
		"max_wal_size = 8GB" "checkpoint_timeout = 1h" "shared_buffers = 512MB"
}

sql() { PGOPTIONS="-c client_min_messages=warning" psql -qXAt -v ON_ERROR_STOP=1 -d bench "$@"; }

# Each in a backend of its own, from a checkpoint on, with its own peak of memory.
run() { # PHASE SIDE STATEMENT
	sql -c CHECKPOINT
	sql -v phase="$1" -v side="$2" -v statement="$3" \
		<<<"CALL bench.run(:'phase', :'side', :'statement')"
}

stage() {
	local template='Label this ticket billing, bug or other. {{subject}}: {{body}}'
	sql -c "COPY (SELECT * FROM bench.request) TO '$folder/lines'"
	run stage copy "COPY bench.line FROM '$folder/lines'"
	run stage sql \
		"INSERT INTO bench.record (job_id, seq, chunk_id, attempt, record_id, input, input_hash)
		SELECT 1, id, 1, 1, id::text, p, sha256(convert_to(p, 'UTF8'))
		FROM (SELECT id, 'Label this ticket billing, bug or other. '
				|| subject || ': ' || body AS p FROM bench.ticket ORDER BY id) t"
	run stage batchinf \
		"SELECT batch_submit('SELECT id, subject, body FROM bench.ticket ORDER BY id', 
			server => 'sim',
		prompt => '$template', target => 'bench.ticket', write_back => '{\"label\": \"\$\"}')"
}

work() {
	local follower
	run render sql "COPY (SELECT line FROM bench.request) TO PROGRAM 'cat >/dev/null'"
	sql -c CHECKPOINT
	sql \
		-c "CALL bench.follow('render', 'uploading', 'uploaded', 'creating',
			'submitted', 'running')" \
		-c CHECKPOINT \
		-c "CALL bench.follow('fetch', 'fetching', 'delivering')" \
		-c "CALL bench.follow('deliver', 'delivering', 'cleaning', 'done')" &
	follower=$!
	sql -c "CALL bench.await_follower()" -c "CALL batch_work('10 min')"
	wait $follower
	run deliver sql "WITH r AS (INSERT INTO bench.result SELECT * FROM batchinf.result)
		UPDATE bench.target t SET label = r.output FROM batchinf.result r WHERE t.id = r.seq"
	sql -c "DO \$\$BEGIN ASSERT (SELECT state = 'completed' AND written = records FROM batch_jobs),
		'not all rows are written'; END\$\$"
}

# The measures of a round, as lines: KIND phase side rows seconds wal memory
round() { # KIND ROWS BYTES
	psql -qX -c "CREATE DATABASE bench"
	sql -v sim_port="$SIM_PORT" -v rows="$2" -v bytes="$3" -f setup.sql
	stage
	work
	sql -F ' ' \
		-c "SELECT '$1', phase, side, $2, seconds, wal, memory FROM bench.measure" \
		>>"$folder/measures"
	psql -qX -c "DROP DATABASE bench"
	control reset '{}'
	large_batches
}

start_all
for _ in $(seq "$rounds"); do
	round main "$rows" 300
done
round tenth $((rows / 10)) 300
round wide 200 1000000
node report.mjs "$folder/measures"
