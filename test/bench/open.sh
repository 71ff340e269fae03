#!/usr/bin/env bash
# test/bench/open.sh [SECONDS]: what open batches cost while nothing changes: the share of a CPU
# that all processes of the server take, the polls, and the rows of batchinf that are written.  In
# a private cluster with the simulator; all chunks of a measurement are one batch there, which
# takes hours.
set -euo pipefail
cd "$(dirname "$0")"
. ../lib/cluster.sh
seconds=${1:-60}
folder=$(mktemp -d /tmp/batchinf-open.XXXXXX)
trap 'set +e; sim_stop "$folder"; cluster_stop "$folder"; rm -rf "$folder"' EXIT
chmod 755 "$folder"
sim_start "$folder" --batch-seconds 36000
cluster_start "$folder" "shared_preload_libraries = 'batchinf'" "batchinf.enabled = off" \
	"autovacuum = off" "jit = off"

sql() { PGOPTIONS="-c client_min_messages=warning" psql -qXAt -v ON_ERROR_STOP=1 "$@"; }

enable() {
	sql -c "ALTER SYSTEM SET batchinf.enabled = $1" -c "SELECT pg_reload_conf()" >/dev/null
}

# A job at a server with that poll interval, and N open chunks that are as old as up to an hour.
open_chunks() { # N POLL_INTERVAL
	sql -c "CREATE EXTENSION batchinf" \
		-c "CREATE SERVER s FOREIGN DATA WRAPPER batchinf OPTIONS (provider 'openai', model 'm',
			base_url 'http://127.0.0.1:$SIM_PORT/v1', poll_interval '$2')" \
		-c "CREATE USER MAPPING FOR postgres SERVER s OPTIONS (api_key 'sk-sim')" \
		-c "SELECT batch_submit('SELECT 1 AS id, ''hello'' AS prompt', 's')" >/dev/null
	sql -c "CALL batch_work('3 s')"
	sql -c "SELECT 1 / count(*) FROM batchinf.chunk WHERE state IN ('submitted', 'running')" \
		>/dev/null
	sql -v n="$1" >/dev/null <<-'END'
		WITH old AS (SELECT * FROM batchinf.chunk LIMIT 1),
		new AS (INSERT INTO batchinf.chunk (job_id, state, attempt, attempts_left, intent, tries,
				records, bytes, tokens)
			SELECT job_id, state, attempt, attempts_left, md5(i::text), tries, records, bytes,
				tokens
			FROM old, generate_series(2, :n) i RETURNING chunk_id)
		INSERT INTO batchinf.batch (chunk_id, try, batch_id, refs, account, claimed_at,
			submitted_at)
		SELECT new.chunk_id, b.try, b.batch_id, b.refs, b.account, b.claimed_at, b.submitted_at
		FROM new, batchinf.batch b;
		UPDATE batchinf.chunk SET next_step_at = now() - random() * interval '1 hour';
		VACUUM ANALYZE;
	END
}

# CPU of the server so far in ms, that of its children which have ended included.
cpu() {
	local main ticks
	main=$(head -n 1 "$folder/data/postmaster.pid")
	ticks=$(cat "/proc/$main/stat" $(pgrep -P "$main" | sed 's|.*|/proc/&/stat|') 2>/dev/null |
		awk -v main="$main" '{ sub(/.*\) /, "");
			sum += $12 + $13 + (NR == 1 ? $14 + $15 : 0) } END { print sum }')
	echo $((ticks * 1000 / $(getconf CLK_TCK)))
}

polls() {
	perl ../lib/http.pl GET "http://127.0.0.1:$SIM_PORT/_sim/ledger?summary=1" |
		perl -ne 'print $1 if /"GET [^"]*batches[^"]*":(\d+)/' | grep . || echo 0
}

written() {
	sql -c "SELECT pg_stat_force_next_flush()" -c "SELECT sum(n_tup_ins + n_tup_upd + n_tup_del)
		FROM pg_stat_all_tables WHERE schemaname = 'batchinf'" | grep .
}

measure() { # N POLL_INTERVAL
	local cpu polls written
	open_chunks "$1" "$2"
	enable on
	sleep 10
	cpu=$(cpu) polls=$(polls) written=$(written)
	sleep "$seconds"
	cpu=$(($(cpu) - cpu)) polls=$(($(polls) - polls)) written=$(($(written) - written))
	echo "$1 open chunks, poll_interval $2 s: $(awk -v c="$cpu" -v s="$seconds" \
		'BEGIN { printf "%.1f", c / s / 10 }') % of a CPU, $polls polls, $written rows written"
	enable off
	sleep 1
	sql -c "DROP EXTENSION batchinf CASCADE"
}

for n in 10 10000; do
	for poll in 60 10; do measure $n $poll; done
done
