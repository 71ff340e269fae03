-- How a job is cut into chunks by the server's limits, how many chunks are at the provider at once,
-- and that memory does not grow with the job.
\i lib.sql
SELECT plan(33);

SELECT sim.fault('{"match":{"method":"DELETE"},"times":"always","action":{"status":400}}');
SELECT sim.server('records', $$max_requests '7'$$);
SELECT sim.server('bytes', $$max_bytes '2000'$$);
SELECT sim.server('tokens', $$max_enqueued_tokens '250'$$);
SELECT sim.server('batches', $$max_requests '5', max_batches '2'$$);

CREATE TABLE t (id int PRIMARY KEY, x text, y text);
INSERT INTO t (id, x) SELECT i, repeat(E'größe 😀 "\\\t\x01/', i % 7) || i
FROM generate_series(1, 40) i;
CREATE FUNCTION submit(server text, rows int) RETURNS bigint LANGUAGE sql AS $$
    UPDATE t SET y = NULL;
    SELECT batch_submit(format('SELECT id, x FROM t WHERE id <= %s ORDER BY id', rows), server,
        'Say {{x}}.', target => 't', write_back => '{"y":"$"}') $$;
-- The real size of the files of a job, by chunk.
CREATE FUNCTION sizes(job bigint) RETURNS TABLE (chunk_id bigint, bytes bigint) LANGUAGE sql AS $$
    SELECT c.chunk_id, (f->>'bytes')::bigint FROM batchinf.chunk c
    JOIN batchinf.batch b USING (chunk_id) JOIN jsonb_array_elements(sim.ledger()->'files_left') f
    ON f->>'id' = b.refs->>'input' WHERE c.job_id = job $$;

-- Limits
SELECT submit('records', 20) AS job \gset
CALL batch_work('60 s');
SELECT results_eq(
    format('SELECT records FROM batch_chunks WHERE job_id = %s ORDER BY chunk_id', :job),
    ARRAY[7, 7, 6]::bigint[], 'cut by max_requests');
SELECT results_eq(
    format('SELECT chunk_id, bytes FROM batch_chunks WHERE job_id = %s ORDER BY 1', :job),
    format('SELECT * FROM sizes(%s) ORDER BY 1', :job),
    'the bytes of a chunk are those of its file');
SELECT results_eq(
    format(
        'SELECT chunk_id, min(seq), max(seq) FROM batch_records WHERE job_id = %s GROUP BY 1 '
        'ORDER BY 1',
        :job),
    format(
        'SELECT chunk_id, v.a, v.b FROM (SELECT chunk_id, row_number() OVER (ORDER BY chunk_id) AS '
        'n FROM batch_chunks WHERE job_id = %s) c, LATERAL (VALUES (1, 1::bigint, 7::bigint), (2, '
        '8, 14), (3, 15, 20)) v(n, a, b) WHERE v.n = c.n',
        :job),
    'chunks follow the order of the query');

SELECT submit('bytes', 40) AS job \gset
CALL batch_work('60 s');
SELECT cmp_ok(count(*), '>', 3::bigint, 'cut by max_bytes') FROM batch_chunks WHERE job_id = :job;
SELECT cmp_ok(max(bytes), '<=', 2000::bigint, '… no file is larger') FROM sizes(:job);
SELECT results_eq(
    format('SELECT chunk_id, bytes FROM batch_chunks WHERE job_id = %s ORDER BY 1', :job),
    format('SELECT * FROM sizes(%s) ORDER BY 1', :job),
    '… and each is as large as was reckoned, whatever characters it holds');
SELECT is(
    (SELECT count(*)
     FROM (SELECT bytes, lead(l.first) OVER (ORDER BY chunk_id) AS next FROM sizes(:job) z
           JOIN LATERAL (SELECT octet_length(line) + 1 AS first
                         FROM sim.lines(
                             (SELECT refs->>'input' FROM batchinf.batch b
                              WHERE b.chunk_id = z.chunk_id)) line
                         LIMIT 1) l
           ON true) x
     WHERE bytes + next <= 2000),
    0::bigint, '… nor smaller than need be');
SELECT is(succeeded, 40::bigint, '… and all records succeed') FROM batch_jobs WHERE job_id = :job;
-- Exactly what fits, and a byte less
SELECT sim.server('exact',
    format('max_bytes %L', (SELECT max(bytes) FROM batch_chunks WHERE job_id = :job)));
SELECT batch_submit(
    format(
        'SELECT r.seq AS id, input AS prompt FROM batchinf.record r WHERE job_id = %s '
        'AND chunk_id = (SELECT chunk_id FROM batchinf.chunk WHERE job_id = %1$s '
        'AND bytes = (SELECT max(bytes) FROM batchinf.chunk WHERE job_id = %1$s) LIMIT 1) '
        'ORDER BY seq',
        :job),
    'exact') AS exact \gset
SELECT cmp_ok(
    max(bytes), '<=',
    (SELECT option_value::bigint FROM pg_foreign_server, pg_options_to_table(srvoptions)
     WHERE srvname = 'exact' AND option_name = 'max_bytes'),
    'a limit is met to the byte')
FROM batch_chunks WHERE job_id = :exact;

-- Enqueued tokens and batches in flight, as the provider sees them
SELECT sim.config('{"batch_seconds":0.6}');
CREATE TABLE seen (server text, batches int, tokens bigint);
CREATE PROCEDURE watch(job bigint) LANGUAGE plpgsql AS $$
DECLARE
    deadline timestamptz := clock_timestamp() + interval '90 s';
BEGIN
    LOOP
        INSERT INTO seen SELECT max(j.server_name), count(b), COALESCE(sum(c.tokens), 0)
        FROM jsonb_array_elements(sim.ledger()->'batches') b JOIN batchinf.chunk c
        ON c.intent = b->'metadata'->>'batchinf_intent' JOIN batchinf.job j USING (job_id)
        WHERE c.job_id = job AND b->>'status' IN ('validating', 'in_progress', 'finalizing');
        COMMIT;
        EXIT WHEN (SELECT state = 'completed' FROM batch_jobs WHERE job_id = job);
        IF clock_timestamp() > deadline THEN RAISE EXCEPTION 'job % does not end', job; END IF;
        PERFORM pg_sleep(0.02);
    END LOOP;
END $$;
SELECT submit('tokens', 20) AS job \gset
SELECT sim.work_beside();
CALL watch(:job);
SELECT cmp_ok(max(estimated_tokens), '<=', 250::bigint, 'cut by max_enqueued_tokens')
FROM batch_chunks WHERE job_id = :job;
SELECT cmp_ok(count(*), '>', 2::bigint, '… into several') FROM batch_chunks WHERE job_id = :job;
SELECT cmp_ok(max(tokens), '<=', 250::bigint, '… of which no more are enqueued at once') FROM seen
WHERE server = 'tokens';
SELECT cmp_ok(max(tokens), '>', 0::bigint, '… as was watched') FROM seen WHERE server = 'tokens';
SELECT is(succeeded || ' ' || written, '20 20', '… and all records succeed') FROM batch_jobs
WHERE job_id = :job;

SELECT submit('batches', 30) AS job \gset
SELECT sim.work_beside();
CALL sim.await(format(
    'EXISTS (SELECT FROM batch_chunks WHERE job_id = %s AND state = ''waiting'')', :job));
SELECT matches(min(waiting_for), '^server limit max_batches: 2 of 2 in use$',
    'max_batches: a chunk waits for room and says so')
FROM batch_chunks WHERE job_id = :job AND state = 'waiting';
CALL watch(:job);
SELECT is(max(batches), 2, '… never more at once, and as many as may be') FROM seen
WHERE server = 'batches';
SELECT is(succeeded || ' ' || written, '30 30', '… and all records succeed') FROM batch_jobs
WHERE job_id = :job;
SELECT is(count(*), 6::bigint, '… in six chunks') FROM batch_chunks WHERE job_id = :job;

SELECT sim.server('free', $$max_requests '5'$$);
SELECT submit('free', 40) AS job \gset
SELECT sim.work_beside();
CALL watch(:job);
SELECT cmp_ok(max(batches), '>=', 4, 'without a limit several travel at once') FROM seen
WHERE server = 'free';

-- A poll that finds nothing new: no row is written, or even locked.
SELECT sim.config('{"batch_seconds": 600}');
SELECT submit('records', 3) AS job \gset
CREATE FUNCTION rows_of(job bigint) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(concat_ws(' ', c.ctid, c.xmin, c.xmax, b.ctid, b.xmin, b.xmax), ', ')
    FROM batchinf.batch b JOIN batchinf.chunk c USING (chunk_id) WHERE c.job_id = job $$;
CREATE FUNCTION polls(job bigint) RETURNS bigint LANGUAGE sql AS $$
    SELECT count(*) FROM jsonb_array_elements(sim.call('GET', '/_sim/requests')) r
    JOIN batchinf.batch b ON r->>'path' = '/v1/batches/' || b.batch_id
    JOIN batchinf.chunk c USING (chunk_id) WHERE c.job_id = job AND r->>'method' = 'GET' $$;
SELECT sim.begin_work();
CALL sim.await(format('polls(%s) >= 2 AND (SELECT state IN (''submitted'', ''running'') '
                      'FROM batchinf.chunk WHERE job_id = %1$s)', :job));
SELECT rows_of(:job) AS rows, polls(:job) AS polls \gset
CALL sim.await(format('polls(%s) >= %s + 3', :job, :polls));
SELECT is(rows_of(:job), :'rows', 'polls that find nothing new write no row');
SELECT batch_cancel(:job) \g /dev/null
SELECT is(sim.end_work(), '', '… and the work ends');
SELECT sim.config('{"batch_seconds": 0.2}');

-- Many rows, flat memory.  VmPeak holds the shared memory as a constant, so that it grows by what
-- the backend takes for itself; each pair is measured in a fresh session.
SELECT sim.reset();
CREATE TABLE told (n int GENERATED ALWAYS AS IDENTITY, line text);
CREATE PROCEDURE fresh(VARIADIC statements text[]) LANGUAGE plpgsql AS $$
BEGIN
    TRUNCATE told RESTART IDENTITY;
    COMMIT;
    EXECUTE format(
        'COPY told (line) FROM PROGRAM %L',
        format(
            'psql -qXAt -v ON_ERROR_STOP=1 -h %s -p %s -U postgres -d %s %s',
            split_part(current_setting('unix_socket_directories'), ',', 1), current_setting('port'),
            current_database(),
            (SELECT string_agg('-c "' || s || '"', ' ' ORDER BY n)
             FROM unnest(statements) WITH ORDINALITY u(s, n))));
END $$;
CREATE FUNCTION peak() RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
    CREATE TEMP TABLE IF NOT EXISTS status (line text);
    TRUNCATE status;
    EXECUTE format('COPY status FROM PROGRAM %L WITH (FORMAT csv, DELIMITER E''\x01'')',
        format('grep VmPeak /proc/%s/status', pg_backend_pid()));
    RETURN (SELECT substring(line FROM '\d+')::bigint FROM status);
END $$;
SELECT sim.server('many', $$max_requests '6000'$$);
CREATE TABLE big (id int PRIMARY KEY, x text, y text);
INSERT INTO big SELECT i, 'number ' || i || repeat(' some more text', 20)
FROM generate_series(1, 100000) i;
ANALYZE big;
CREATE FUNCTION stage(rows int) RETURNS bigint LANGUAGE sql AS $$
    SELECT batch_submit(format('SELECT id, x FROM big WHERE id <= %s', rows), 'many', 'Say {{x}}',
        target => 'big', write_back => '{"y":"$"}', in_flight => 'send')
$$;
CALL fresh('SET client_min_messages = warning', 'SELECT peak()', 'SELECT stage(10000)',
    'SELECT peak()', 'SELECT stage(100000)', 'SELECT peak()');
SELECT min(line::bigint) FILTER (WHERE n = 1) AS idle,
    min(line::bigint) FILTER (WHERE n = 2) AS small_job,
    min(line::bigint) FILTER (WHERE n = 3) AS before,
    min(line::bigint) FILTER (WHERE n = 4) AS large_job,
    min(line::bigint) FILTER (WHERE n = 5) AS after
FROM told \gset
SELECT cmp_ok(:before, '>', :idle, 'staging takes memory');
SELECT cmp_ok(:after - :before, '<', 8192,
    'promise 7: 100,000 rows are staged in the memory of 10,000 (kB more)');
SELECT results_eq(
    format(
        'SELECT records, (SELECT count(*) FROM batch_chunks WHERE job_id = %s) FROM batch_jobs '
        'WHERE job_id = %1$s',
        :large_job),
    'VALUES (100000::bigint, 17::bigint)', '… in 17 chunks');
SELECT batch_cancel(:small_job), batch_cancel(:large_job) \g /dev/null
CALL batch_work('60 s');
SELECT results_eq(
    format('SELECT state, cancelled FROM batch_jobs WHERE job_id IN (%s, %s) ORDER BY job_id',
        :small_job, :large_job),
    $$VALUES ('cancelled', 10000::bigint), ('cancelled', 100000::bigint)$$,
    '… and cancelled before any is sent');

CALL fresh('SET client_min_messages = warning', 'SELECT stage(2000)', $$CALL batch_work('120 s')$$,
    'SELECT peak()', 'SELECT stage(20000)', $$CALL batch_work('240 s')$$, 'SELECT peak()');
SELECT min(line::bigint) FILTER (WHERE n = 2) AS before,
    min(line::bigint) FILTER (WHERE n = 3) AS job, min(line::bigint) FILTER (WHERE n = 4) AS after
FROM told \gset
SELECT results_eq(
    format('SELECT state, succeeded, written, pending FROM batch_jobs WHERE job_id = %s', :job),
    $$VALUES ('completed', 20000::bigint, 20000::bigint, 0::bigint)$$,
    '20,000 rows in several chunks');
SELECT results_eq(
    format('SELECT records FROM batch_chunks WHERE job_id = %s ORDER BY chunk_id', :job),
    ARRAY[6000, 6000, 6000, 2000]::bigint[], '… of 6,000 at most');
SELECT is((SELECT count(*) FROM big WHERE id <= 20000 AND y LIKE '%number ' || id || ' some%'),
    20000::bigint, '… each with its own answer');
SELECT is((SELECT count(*) FROM big WHERE id > 20000 AND y IS NOT NULL), 0::bigint,
    '… and no other row');
SELECT is((sim.call('GET', '/_sim/ledger?summary=1')->>'billed_requests')::int, 22000,
    '… each billed once');
SELECT is(sim.call('GET', '/_sim/ledger?summary=1')->'files_left', '[]',
    '… and nothing left behind');
SELECT cmp_ok(:after - :before, '<', 16384,
    'promise 7: 20,000 rows are sent and delivered in little more memory than 2,000 (kB more)');
SELECT is(sum(duplicates + unknown + malformed), 0::numeric, 'no line was strange') FROM batch_jobs;

SELECT * FROM finish();
