-- The limits of a server hold across its jobs, users and workers, and no job is starved (promise
-- 4). Three users share one server; batch_work runs in several sessions at once.
\i lib.sql
SELECT no_plan();

CREATE ROLE share_ann;
CREATE ROLE share_bob;
SELECT sim.config('{"api_keys": ["sk-sim", "sk-ann", "sk-bob"]}');
-- A server for all three.
CREATE FUNCTION serve(name text, more text) RETURNS void LANGUAGE plpgsql AS $$ BEGIN
    PERFORM sim.server(name, more);
    EXECUTE format('GRANT USAGE ON FOREIGN SERVER %I TO share_ann, share_bob', name);
    EXECUTE format('CREATE USER MAPPING FOR share_ann SERVER %I OPTIONS (api_key ''sk-ann'')',
        name);
    EXECUTE format('CREATE USER MAPPING FOR share_bob SERVER %I OPTIONS (api_key ''sk-bob'')',
        name);
END $$;
CREATE FUNCTION submit(server name, n int, prompt text DEFAULT '{{id}}') RETURNS bigint
LANGUAGE sql AS $$
    SELECT batch_submit(format('SELECT i AS id FROM generate_series(1, %s) i', n), server => server,
        prompt => prompt) $$;
CREATE FUNCTION submit_as(owner name, server name, n int, prompt text DEFAULT '{{id}}')
RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    job bigint;
BEGIN
    EXECUTE format('SET LOCAL ROLE %I', owner);
    job := submit(server, n, prompt);
    SET LOCAL ROLE NONE;
    RETURN job;
END $$;
CREATE FUNCTION state_of(job bigint) RETURNS text LANGUAGE sql AS $$
    SELECT state || ' ' || succeeded FROM batch_jobs WHERE job_id = job
$$;
-- How much its batches have been at the provider at once, at most.
CREATE FUNCTION most_at_once(which name, what text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    most bigint;
BEGIN
    EXECUTE format(
        'WITH c AS (SELECT c.*, b.claimed_at, b.ended_at FROM batchinf.chunk c '
        'JOIN batchinf.batch b ON b.chunk_id = c.chunk_id AND b.try = c.tries '
        'JOIN batchinf.job j USING (job_id) '
        'JOIN pg_foreign_server s ON s.oid = j.server WHERE srvname = %L) SELECT max((SELECT %s '
        'FROM c WHERE c.claimed_at <= x.claimed_at AND c.ended_at > x.claimed_at)) FROM c x',
        which, what)
    INTO most;
    RETURN most;
END $$;

--
-- Limits
--
SELECT sim.config('{"batch_seconds": 0.6}');
SELECT serve('narrow', $$max_requests '1', max_batches '3'$$);
SELECT submit_as('share_ann', 'narrow', 6) AS anns, submit_as('share_bob', 'narrow', 6) AS bobs,
    submit('narrow', 6) AS ours \gset
SELECT sim.start('one', 'CALL batch_work(''60 s'')'), sim.start('two', 'CALL batch_work(''60 s'')');
CALL batch_work('60 s');
SELECT is(sim.finish('one') || sim.finish('two'), '',
    'several workers at a server that takes few batches');
SELECT is(concat_ws(' ', state_of(:anns), state_of(:bobs), state_of(:ours)),
    'completed 6 completed 6 completed 6', '… end the jobs of all');
SELECT is(most_at_once('narrow', 'count(*)'), 3::bigint,
    'max_batches holds across jobs, users and workers, and is used');

SELECT sim.config('{"batch_seconds": 0.05}');
SELECT serve('tokens', $$max_requests '1', max_enqueued_tokens '400'$$);
SELECT submit_as('share_ann', 'tokens', 8, repeat('x', 200)) AS anns,
    submit_as('share_bob', 'tokens', 8, repeat('x', 200)) AS bobs \gset
SELECT sim.start('one', 'CALL batch_work(''60 s'')');
CALL batch_work('60 s');
SELECT is(sim.finish('one'), '', 'two workers at a server with few tokens');
SELECT is(concat_ws(' ', state_of(:anns), state_of(:bobs)), 'completed 8 completed 8',
    '… end the jobs of both');
SELECT cmp_ok(most_at_once('tokens', 'sum(tokens)'), '<=', 400::numeric::bigint,
    'max_enqueued_tokens holds across them');

SELECT serve('queue', $$max_requests '2', max_enqueued_requests '5'$$);
SELECT submit_as('share_ann', 'queue', 8) AS anns, submit_as('share_bob', 'queue', 8) AS bobs \gset
CALL batch_work('60 s');
SELECT is(concat_ws(' ', state_of(:anns), state_of(:bobs)), 'completed 8 completed 8',
    'a server whose queue is short ends the jobs of both');
SELECT is(most_at_once('queue', 'sum(records)'), 4::bigint,
    'max_enqueued_requests holds, and is used');

SELECT serve('shelf', $$max_requests '1', max_files '2'$$);
SELECT submit_as('share_ann', 'shelf', 4) AS anns, submit_as('share_bob', 'shelf', 4) AS bobs \gset
CALL batch_work('60 s');
SELECT is(concat_ws(' ', state_of(:anns), state_of(:bobs)), 'completed 4 completed 4',
    'a server that takes few files ends the jobs of both');
CREATE VIEW filed AS
SELECT chunk_id, min(at) FILTER (WHERE event = 'uploaded') AS since,
    min(at) FILTER (WHERE event = 'cleaned') AS until
FROM batch_events WHERE job_id IN (:anns, :bobs) GROUP BY 1;
SELECT is(max((SELECT count(*) FROM filed f WHERE f.since <= x.since AND f.until > x.since)),
    2::bigint, 'max_files holds, and is used')
FROM filed x;

--
-- A large one is not overtaken for ever.
--
SELECT serve('endless', '');
SELECT sim.fault('{"match": {"method": "POST", "path_regex": "/batches$"}, '
                 '"action": {"batch_outcome": "in_progress_forever", "finished": 0}}');
SELECT submit('endless', 1) AS endless \gset
SELECT sim.start('worker', 'CALL batch_work()');
SELECT is(
    sim.until(format('SELECT step FROM batch_chunks WHERE job_id = %s', :endless), 'running', 10),
    'running', 'a worker that has always something to do');
SELECT serve('scales', $$max_requests '1', max_enqueued_tokens '730'$$);
SELECT sim.fault('{"match": {"method": "POST", "path_regex": "/batches$"}, '
                 '"action": {"batch_outcome": "in_progress_forever", "finished": 0}}');
SELECT submit('scales', 1) AS running \gset
SELECT is(
    sim.until(format('SELECT step FROM batch_chunks WHERE job_id = %s', :running), 'running', 10),
    'running', 'while a batch is under way');
SELECT submit_as('share_ann', 'scales', 1, repeat('word ', 720)) AS large \gset
SELECT is(
    sim.until(
        format(
            'SELECT (waiting_for ~ ''^server limit max_enqueued_tokens: \d+ of \d+ in use, '
            'and this batch needs \d+$'')::text FROM batch_chunks WHERE job_id = %s',
            :large),
        'true', 10),
    'true', '… a large one waits for room');
SELECT submit_as('share_bob', 'scales', 1) AS small,
    'server limits: max_enqueued_tokens N in use; '
    '1 job with fewer batches or older chunks goes first'
        AS first \gset
SELECT is(
    sim.until(
        format(
            'SELECT regexp_replace(waiting_for, ''\d+ of \d+'', ''N'', ''g'') FROM batch_chunks '
            'WHERE job_id = %s',
            :small),
        :'first', 10),
    :'first', '… and a small one, which would fit, comes after it');
SELECT submit_as('share_bob', 'scales', 12) AS more \gset
SELECT is(
    sim.until(
        format(
            'SELECT count(*) FROM batch_chunks WHERE job_id = %s '
            'AND waiting_for ~ ''^server limits: .*; \d+ jobs? with fewer batches or older '
            'chunks goe?s? first$''',
            :more),
        '12', 10),
    '12', '… nor do many');
SELECT n_tup_upd AS before FROM pg_stat_user_tables WHERE relid = 'batchinf.chunk'::regclass \gset
SELECT sim.until(format('SELECT now() > %L', clock_timestamp() + interval '3 s'), 'true', 10);
SELECT cmp_ok(n_tup_upd - :before, '<', 200::bigint, '… and they wait in peace')
FROM pg_stat_user_tables WHERE relid = 'batchinf.chunk'::regclass;
SELECT batch_cancel(:running);
SELECT is(
    sim.until(format('SELECT state_of(%s) || '' '' || state_of(%s)', :large, :small),
        'completed 1 completed 1', 20),
    'completed 1 completed 1', '… once there is room both go');
SELECT is(
    (SELECT string_agg(CASE job_id WHEN :large THEN 'large' ELSE 'small' END,
         ' ' ORDER BY claimed_at)
     FROM batchinf.chunk JOIN batchinf.batch USING (chunk_id) WHERE job_id IN (:large, :small)),
    'large small', '… in their order');
SELECT is(sim.until(format('SELECT state_of(%s)', :more), 'completed 12', 30), 'completed 12',
    '… and the others after them');

--
-- What does not go on holds no place.
--
SELECT serve('single', $$max_batches '1'$$);
SELECT sim.fault('{"match": {"method": "POST", "path_regex": "/batches$"}, '
                 '"action": {"status": 429, "headers": {"retry-after": "600"}}}');
SELECT submit_as('share_ann', 'single', 2) AS anns \gset
SELECT is(
    sim.until(
        format(
            'SELECT step || '' '' || failures FROM batch_chunks JOIN batchinf.chunk USING '
            '(chunk_id) WHERE batch_chunks.job_id = %s',
            :anns),
        'uploaded 1', 10),
    'uploaded 1', 'the key of one owner is asked to wait, after her upload');
SELECT is(
    (SELECT owner FROM batchinf.pause q JOIN pg_foreign_server s ON s.oid = q.server
     WHERE srvname = 'single' AND until > now()),
    'share_ann'::regrole::oid, '… which is her own affair');
SELECT submit_as('share_bob', 'single', 2) AS bobs \gset
SELECT is(sim.until(format('SELECT state_of(%s)', :bobs), 'completed 2', 10), 'completed 2',
    '… and holds no place that another could have');
SELECT batch_pause(:anns);
DELETE FROM batchinf.pause;
SELECT submit_as('share_bob', 'single', 3) AS bobs \gset
SELECT is(sim.until(format('SELECT state_of(%s)', :bobs), 'completed 3', 10), 'completed 3',
    'nor does a job that is paused after its upload');
SELECT batch_resume(:anns);
UPDATE batchinf.chunk SET next_step_at = now() WHERE job_id = :anns;
SELECT is(sim.until(format('SELECT state_of(%s)', :anns), 'completed 2', 10), 'completed 2',
    '… which goes on from there');
SELECT is(
    (SELECT billed
     FROM (SELECT count(*) AS billed FROM jsonb_array_elements(sim.call('GET', '/_sim/entries')) e
           JOIN batchinf.chunk c ON c.intent LIKE split_part(e->>'custom_id', '-', 1) || '%'
           WHERE c.job_id = :anns) b),
    2::bigint, 'promise 1: … and is billed once');

--
-- One that always fails is not the server.
--
SELECT serve('odd', $$max_batches '50'$$);
SELECT sim.fault('{"match": {"path_regex": "/content$"}, "times": "always", '
                 '"action": {"status": 500}}');
SELECT submit_as('share_ann', 'odd', 1) AS bad \gset
SELECT is(
    sim.until(
        format(
            'SELECT (count(*) > 0)::text FROM batch_events WHERE job_id = %s '
            'AND event = ''deferred''',
            :bad),
        'true', 15),
    'true', 'results that the provider fails to give');
SELECT sim.clear_faults();
SELECT sim.fault(jsonb_build_object(
    'match', jsonb_build_object('path_regex', (refs->>'output') || '/content$'), 'times', 'always',
    'action', '{"status": 500}'::jsonb))
FROM batchinf.chunk JOIN batchinf.batch USING (chunk_id) WHERE job_id = :bad;
SELECT submit_as('share_ann', 'odd', 1) AS one, submit_as('share_bob', 'odd', 1) AS two,
    submit('odd', 1) AS three \gset
SELECT is(
    sim.until(
        format('SELECT concat_ws('' '', state_of(%s), state_of(%s), state_of(%s))', :one, :two,
            :three),
        'completed 1 completed 1 completed 1', 40),
    'completed 1 completed 1 completed 1', 'promise 4: … do not hold up the other jobs there');
SELECT is(state_of(:bad), 'running 0', '… while it is tried again');
SELECT cmp_ok(
    (SELECT next_step_at - now() FROM batchinf.chunk WHERE job_id = :bad), '>',
    (SELECT COALESCE(max(until), now()) - now() FROM batchinf.pause_here q JOIN pg_foreign_server s
     ON s.oid = q.server WHERE srvname = 'odd'),
    '… less and less often');
SELECT sim.clear_faults();
UPDATE batchinf.chunk SET next_step_at = now() WHERE job_id = :bad;
SELECT is(sim.until(format('SELECT state_of(%s)', :bad), 'completed 1', 20), 'completed 1',
    '… until it has them');

--
-- Large and small
--
SELECT serve('crowd', $$max_requests '1', max_batches '4'$$);
SELECT sim.config('{"batch_seconds": 0.3}');
SELECT submit_as('share_ann', 'crowd', 150) AS large \gset
SELECT is(
    sim.until(
        format(
            'SELECT (count(*) > 5)::text FROM batch_chunks WHERE job_id = %s AND step = ''done''',
            :large),
        'true', 20),
    'true', 'a job of many batches is under way');
SELECT submit_as('share_bob', 'crowd', 2) AS small \gset
SELECT is(sim.until(format('SELECT state_of(%s)', :small), 'completed 2', 15), 'completed 2',
    'promise 4: a small job does not wait for its end');
SELECT cmp_ok((SELECT count(*) FROM batch_chunks WHERE job_id = :large AND step = 'planned'), '>',
    50::bigint, '… which is far');
SELECT submit_as('share_bob', 'crowd', 30) AS wrong \gset
SELECT is(
    sim.until(
        format(
            'SELECT (count(*) > 1)::text FROM batch_chunks WHERE job_id = %s '
            'AND step <> ''planned''',
            :wrong),
        'true', 15),
    'true', 'two jobs of many batches share the places');
SELECT batch_cancel(:wrong);
SELECT is(
    sim.until(format('SELECT state FROM batch_jobs WHERE job_id = %s', :wrong), 'cancelled', 10),
    'cancelled', 'a cancel waits for nobody');
SELECT cmp_ok((SELECT count(*) FROM batch_chunks WHERE job_id = :large AND step = 'planned'), '>',
    20::bigint, '… the other goes on');
SELECT batch_cancel(:large);
SELECT is(
    sim.until(format('SELECT state FROM batch_jobs WHERE job_id = %s', :large), 'cancelled', 20),
    'cancelled', '… until it is not wanted any more');

--
-- A server that rests is not asked for the batches that it has.
--
SELECT sim.config('{"batch_seconds": 0.05}');
SELECT serve('resting', '');
SELECT sim.fault('{"match": {"method": "POST", "path_regex": "/batches$"}, '
                 '"action": {"batch_outcome": "in_progress_forever", "finished": 0}, "times": 3}');
SELECT submit_as('share_ann', 'resting', 1), submit_as('share_bob', 'resting', 1),
    submit('resting', 1);
SELECT is(
    sim.until(
        'SELECT count(*) FROM batch_chunks k JOIN batch_jobs USING (job_id) '
        'WHERE server = ''resting'' AND step = ''running''',
        '3', 10),
    '3', 'batches of a server are under way');
SELECT sim.fault(jsonb_build_object(
    'match', jsonb_build_object('method', 'GET', 'path_regex', min(provider_batch_id)),
    'action', '{"status": 503, "headers": {"retry-after": "600"}}'::jsonb))
FROM batch_chunks JOIN batch_jobs USING (job_id) WHERE server = 'resting';
SELECT is(
    sim.until('SELECT (paused_until > now())::text FROM batch_servers WHERE server = ''resting''',
        'true', 10),
    'true', '… and it asks to be left alone');
SELECT jsonb_array_length(sim.call('GET', '/_sim/requests')) AS asked \gset
SELECT submit('odd', 1) AS job \gset
SELECT is(sim.until(format('SELECT state_of(%s)', :job), 'completed 1', 10), 'completed 1',
    'another server''s job is worked on');
SELECT is(
    (SELECT count(*)
     FROM jsonb_array_elements(sim.call('GET', '/_sim/requests')) WITH ORDINALITY r(request, n)
     WHERE n > :asked
     AND request->>'path' IN (SELECT '/v1/batches/' || provider_batch_id FROM batch_chunks
                              JOIN batch_jobs USING (job_id) WHERE server = 'resting')),
    0::bigint, '… and the resting one''s are not polled');

SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE application_name = 'worker';
SELECT isnt(sim.finish('worker'), '', 'batch_work is cancelled');
SELECT * FROM finish();
