-- Records that copy the answers of others: requests that repeat (dedup), answers of earlier jobs
-- (cache).  The ledger of the simulator tells what was sent.
\i lib.sql
SELECT plan(79);

SELECT sim.server('openai');
CREATE TABLE texts (id int PRIMARY KEY, body text, label text);
INSERT INTO texts SELECT i, 'text ' || i % 3 FROM generate_series(1, 60) i;

-- How often the provider was paid since the last call.
CREATE TEMP TABLE paid (n bigint);
INSERT INTO paid VALUES (0);
CREATE FUNCTION sim.billed() RETURNS bigint LANGUAGE sql AS $$
    WITH now AS MATERIALIZED (SELECT (sim.ledger() ->> 'billed_requests')::bigint AS n),
    was AS MATERIALIZED (SELECT n FROM paid)
    SELECT now.n - was.n FROM now, was
$$;
CREATE FUNCTION sim.sent() RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    fresh bigint := sim.billed();
BEGIN
    UPDATE paid SET n = n + fresh;
    RETURN fresh;
END $$;

-- Sums of a job's outcomes by its records.
CREATE FUNCTION sim.outcomes(job bigint) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(format('%s %s', outcome, n), ', ' ORDER BY outcome)
    FROM (SELECT COALESCE(outcome, 'pending') AS outcome, count(*) AS n FROM batch_records
          WHERE job_id = job GROUP BY 1) o
$$;

--
-- dedup
--
SELECT sim.psql($$SELECT batch_submit('SELECT id, body FROM texts ORDER BY id', server => 'openai',
    prompt => 'Say {{body}}', target => 'texts', write_back => '{"label": "$"}', dedup => true,
    name => 'first')$$) AS said \gset
SELECT ok(:'said' LIKE '%57 of 60 records are not sent, because their requests repeat others%',
    'batch_submit says how many records repeat others');
SELECT job_id AS job FROM batch_jobs WHERE name = 'first' \gset
SELECT results_eq(
    'SELECT copies, count(*), sum(records) FROM batch_chunks GROUP BY copies ORDER BY copies',
    $$VALUES ('repeat', 1::bigint, 57::numeric), (NULL, 1, 3)$$,
    'copies have a chunk of their own');
CALL batch_work('60 s');
SELECT results_eq(format('SELECT state, records, succeeded, written, pending, repeats, cached
    FROM batch_jobs WHERE job_id = %s', :job),
    $$VALUES ('completed', 60::bigint, 60::bigint, 60::bigint, 0::bigint, 57::bigint,
        0::bigint)$$, 'all rows are written');
SELECT is(sim.sent(), 3::bigint, 'each text is billed once');
SELECT is(sim.ledger() ->> 'content_billed_again', '0', 'no text is billed again');
SELECT is((SELECT count(*) FROM texts WHERE label LIKE '%text ' || id % 3), 60::bigint,
    'each row has the answer to its own text');
SELECT is((SELECT count(*) FROM batch_records WHERE job_id = :job AND outcome = 'succeeded'
    AND attempt = 1 AND write_state = 'written' AND output LIKE '%' || split_part(input, ' ', 3)),
    60::bigint, 'each record has an outcome of its own');
SELECT results_eq(format('SELECT count(*), count(DISTINCT source_record_id), bool_and(source_job_id
    = %s), count(input_tokens), count(output_tokens) FROM batch_records WHERE job_id = %s
    AND source_job_id IS NOT NULL', :job, :job),
    $$VALUES (57::bigint, 3::bigint, true, 0::bigint, 0::bigint)$$,
    'a repeat says whose answer it has, and counts no tokens');
SELECT is((SELECT input_tokens FROM batch_jobs WHERE job_id = :job),
    (SELECT sum(input_tokens)::bigint FROM batch_records WHERE job_id = :job
     AND source_job_id IS NULL), 'the job counts the tokens of what was sent');
SELECT results_eq(format('SELECT count(s.cost), sum(s.cost) FROM batchinf.result s
    JOIN batchinf.record r USING (job_id, seq) WHERE job_id = %s AND r.source_job IS NOT NULL',
    :job), 'VALUES (57::bigint, 0::numeric)', 'a repeat costs nothing, and is not unpriced');
SELECT is(sum(cost), (SELECT sum(cost) FROM batchinf.result WHERE job_id = :job),
    'the job costs what was sent') FROM batchinf.chunk WHERE job_id = :job;
SELECT is(sum(unpriced), 0::numeric, 'nothing is unpriced') FROM batchinf.chunk
    WHERE job_id = :job;
SELECT is((SELECT count(*) FROM batch_chunks WHERE state = 'done'), 2::bigint,
    'both chunks are done');

-- By default.
SELECT batch_submit('SELECT id, body FROM texts', server => 'openai', prompt => 'As {{body}}')
    AS job \gset
SELECT is(repeats, 0::bigint, 'at the usual temperature each record is sent')
    FROM batch_jobs WHERE job_id = :job;
SELECT batch_submit('SELECT id, body FROM texts', server => 'openai', prompt => 'Be {{body}}',
    params => '{"temperature": 0}') AS job \gset
SELECT is(repeats, 57::bigint, 'at temperature 0 equal requests are sent once')
    FROM batch_jobs WHERE job_id = :job;
SELECT batch_submit('SELECT id, body FROM texts', server => 'openai', prompt => 'Be {{body}}',
    params => '{"temperature": 0}', dedup => false) AS job \gset
SELECT is(repeats, 0::bigint, 'dedup => false sends each') FROM batch_jobs WHERE job_id = :job;
SELECT batch_submit('SELECT id, body FROM texts', server => 'openai', prompt => 'Be {{body}}',
    params => '{"temperature": 0.7}') AS job \gset
SELECT is(repeats, 0::bigint, 'so does a temperature') FROM batch_jobs WHERE job_id = :job;
SELECT batch_submit('SELECT id, body AS input FROM texts', server => 'openai',
    task => 'embedding', model => 'text-embedding-3-small') AS embedding \gset
SELECT is(repeats, 57::bigint, 'embeddings of equal texts are made once')
    FROM batch_jobs WHERE job_id = :embedding;
CREATE TABLE made (n int GENERATED ALWAYS AS IDENTITY, line text);
SELECT batch_submit('SELECT i FROM generate_series(1, 5) i', server => 'openai',
    prompt => 'Invent a ticket.', params => '{"temperature": 0}', target => 'made',
    write_mode => 'insert', write_back => '{"line": "$"}') AS made \gset
SELECT is(repeats, 0::bigint, 'rows that are invented are invented each')
    FROM batch_jobs WHERE job_id = :made;
CALL batch_work('60 s');
SELECT is(sim.sent(), (60 + 3 + 60 + 60 + 3 + 5)::bigint, 'the ledger agrees');
SELECT is(sim.outcomes(:embedding), 'succeeded 60', 'each record has its embedding');
SELECT is((SELECT count(*) FROM made), 5::bigint, 'five rows are invented');

-- Small chunks, and repeats whose sources are in many of them.
SELECT sim.server('small', 'max_requests ''7''');
SELECT batch_submit('SELECT i AS id, (i * 7) % 50 AS n FROM generate_series(1, 200) i',
    server => 'small', prompt => 'Number {{n}}', dedup => true) AS job \gset
SELECT ok(bool_and(records <= 7), 'chunks of copies keep the limits of a batch')
    FROM batch_chunks WHERE job_id = :job;
CALL batch_work('120 s');
SELECT is(sim.outcomes(:job), 'succeeded 200', 'all are answered');
SELECT is(sim.sent(), 50::bigint, 'each number was sent once');
SELECT is((SELECT count(*) FROM batch_records WHERE job_id = :job AND output NOT LIKE '%' || input),
    0::bigint, 'each has its own answer');
SELECT is((SELECT count(*) FROM batch_records r WHERE job_id = :job AND source_job_id IS NOT NULL
    AND NOT EXISTS (SELECT FROM batch_records s WHERE s.job_id = r.source_job_id
        AND s.record_id = r.source_record_id AND s.input = r.input AND s.source_job_id IS NULL)),
    0::bigint, 'each source has the same request');

-- A provider that refuses small batches: as many copies are sent as it needs.
SELECT sim.server('large', 'min_requests ''10''');
SELECT batch_submit('SELECT id, body FROM texts ORDER BY id', server => 'large',
    prompt => 'Large {{body}}', dedup => true) AS job \gset
SELECT is(repeats, 50::bigint, 'a batch has the requests that it needs')
    FROM batch_jobs WHERE job_id = :job;
CALL batch_work('60 s');
SELECT is(sim.outcomes(:job), 'succeeded 60', 'and all are answered');
SELECT is(sim.sent(), 10::bigint, 'ten were sent');

-- Failures: a source is tried again, and its copies wait for the end.
SELECT batch_submit('SELECT i AS id FROM generate_series(1, 20) i', server => 'openai',
    prompt => 'Again [[sim:fail_times=1]]', dedup => true) AS again,
    batch_submit('SELECT i AS id FROM generate_series(1, 20) i', server => 'openai',
    prompt => 'Never [[sim:error=400:bad_thing]]', dedup => true) AS never \gset
CALL batch_work('60 s');
SELECT is(sim.outcomes(:again), 'succeeded 20', 'a source that was tried again answers all');
SELECT is((SELECT count(*) FROM batch_records WHERE job_id = :again AND attempt = 2), 1::bigint,
    'only the source had a second attempt');
SELECT is(sim.outcomes(:never), 'errored 20', 'a source that fails for good fails all');
SELECT is((SELECT count(DISTINCT (error_code, error)) FROM batch_records WHERE job_id = :never),
    1::bigint, 'for the same reason');
SELECT is((SELECT state FROM batch_jobs WHERE job_id = :never), 'completed',
    'the job is completed');
SELECT is((SELECT answers || ' ' || bad_answers FROM batchinf.chunk WHERE job_id = :never
    AND copies = 'repeat'), '0 0', 'copies are no answers');
SELECT sim.sent();
SELECT is(batch_retry(:never), 20::bigint, 'all are sent again ...');
CALL batch_work('60 s');
SELECT is(sim.outcomes(:never), 'errored 20', '... and end as their source does');
SELECT is((SELECT count(*) FROM batch_attempts WHERE job_id = :never
    AND provider_batch_id IS NOT NULL), 2::bigint, '... which alone was sent');

-- Cancel, deadline, pause.
SELECT sim.config('{"batch_seconds": 60}');
SELECT batch_submit('SELECT id, body FROM texts', server => 'openai', prompt => 'Cancel {{body}}',
    dedup => true) AS cancel \gset
SELECT batch_submit('SELECT id, body FROM texts', server => 'openai', prompt => 'Late {{body}}',
    dedup => true, deadline => '2 s') AS late \gset
SELECT sim.work_until(format($$(SELECT bool_and(state IN ('submitted', 'running'))
    FROM batchinf.chunk WHERE job_id = %s AND copies IS NULL)$$, :cancel));
SELECT is((SELECT waiting_for FROM batch_jobs WHERE job_id = :cancel), NULL,
    'a job whose copies wait for its batch waits for nothing else');
SELECT is((SELECT wait_kind FROM batch_chunks WHERE job_id = :cancel AND copies = 'repeat'),
    'source', 'its chunk of copies says what it waits for');
SELECT batch_cancel(:cancel);
CALL batch_work('60 s');
SELECT is(sim.outcomes(:cancel), 'cancelled 60', 'a cancel ends sources and copies');
SELECT is((SELECT state FROM batch_jobs WHERE job_id = :cancel), 'cancelled', 'and the job');
SELECT is(sim.outcomes(:late), 'expired 60', 'so does the deadline');
SELECT sim.config('{"batch_seconds": 0.2}');
SELECT is(batch_retry(:cancel, '{cancelled}'), 60::bigint, 'what was cancelled can be sent');
SELECT sim.sent();
CALL batch_work('60 s');
SELECT is(sim.outcomes(:cancel), 'succeeded 60', 'all have answers then');
SELECT is(sim.sent(), 3::bigint, 'each text was sent once');

-- A row that has changed since, and a job that is paused.
UPDATE texts SET label = NULL;
SELECT batch_submit('SELECT id, body FROM texts ORDER BY id', server => 'openai',
    prompt => 'Changed {{body}}', target => 'texts', write_back => '{"label": "$"}',
    dedup => true) AS job \gset
UPDATE texts SET body = 'edited' WHERE id IN (1, 60);
SELECT batch_pause(:job);
CALL batch_work('5 s');
SELECT is(pending, 60::bigint, 'nothing of a paused job is delivered')
    FROM batch_jobs WHERE job_id = :job;
SELECT batch_resume(:job);
CALL batch_work('60 s');
SELECT results_eq(format('SELECT written, stale FROM batch_jobs WHERE job_id = %s', :job),
    $$VALUES (58::bigint, 2::bigint)$$, 'a copy is not written to a row that has changed');

-- Answers that add rows.
CREATE TABLE parts (id int, n int, word text);
SELECT batch_submit('SELECT i AS id FROM generate_series(1, 30) i', server => 'openai',
    prompt => 'List [[sim:json=%5B"a","b"%5D]]', dedup => true, target => 'parts',
    write_mode => 'insert', each => '$[*]',
    write_back => '{"id": {"column": "id"}, "n": {"ordinal": true}, "word": "$"}') AS job \gset
SELECT sim.sent();
CALL batch_work('60 s');
SELECT results_eq('SELECT count(*), count(DISTINCT id), count(DISTINCT word) FROM parts',
    $$VALUES (60::bigint, 30::bigint, 2::bigint)$$, 'each copy adds its own rows');
SELECT is(sim.sent(), 1::bigint, 'of one answer');
SELECT batch_submit('SELECT i AS id FROM generate_series(1, 30) i', server => 'openai',
    prompt => 'List [[sim:json=%5B"c"%5D]]', dedup => true, target => 'parts',
    write_mode => 'replace', each => '$[*]', replace_by => 'id',
    write_back => '{"id": {"column": "id"}, "n": {"ordinal": true}, "word": "$"}') AS job \gset
CALL batch_work('60 s');
SELECT results_eq('SELECT count(*), count(DISTINCT id), min(word) FROM parts',
    $$VALUES (30::bigint, 30::bigint, 'c')$$, 'copies replace rows, too');

--
-- cache
--
SELECT sim.sent();
SELECT batch_submit('SELECT i AS id, ''a '' || i % 5 AS t FROM generate_series(1, 10) i',
    server => 'openai', prompt => 'Know {{t}}', system_prompt => 'Be brief.') AS source \gset
CALL batch_work('60 s');
SELECT is(sim.sent(), 10::bigint, 'an earlier job');
CREATE TABLE known (id int PRIMARY KEY, t text, answer text);
INSERT INTO known SELECT i, 'a ' || i % 10 FROM generate_series(1, 100) i;
SELECT to_jsonb(e) AS guess FROM batch_estimate('SELECT id, t FROM known', server => 'openai',
    prompt => 'Know {{t}}', system_prompt => 'Be brief.', cache => '1 hour', dedup => true) e \gset
SELECT results_eq(format('SELECT (e ->> ''repeats'')::int, (e ->> ''cached'')::int
    FROM jsonb(%L) e', :'guess'), 'VALUES (90, 5)', 'batch_estimate tells both');
SELECT ok((SELECT (e ->> 'input_tokens')::int < 5 * 50 FROM jsonb(:'guess') e),
    'and counts the tokens of what would be sent');
SELECT sim.psql($$SELECT batch_submit('SELECT id, t FROM known', server => 'openai',
    prompt => 'Know {{t}}', system_prompt => 'Be brief.', cache => '1 hour', target => 'known',
    write_back => '{"answer": "$"}', name => 'cached')$$) AS said \gset
SELECT ok(:'said' LIKE '%50 of 100 records are not sent, because earlier jobs have%',
    'batch_submit says how many answers are there');
SELECT job_id AS cached FROM batch_jobs WHERE name = 'cached' \gset
CALL batch_work('60 s');
SELECT results_eq(format('SELECT succeeded, written, repeats, cached FROM batch_jobs
    WHERE job_id = %s', :cached), $$VALUES (100::bigint, 100::bigint, 0::bigint, 50::bigint)$$,
    'half of the answers are cached');
SELECT is(sim.sent(), 50::bigint, 'the others are sent');
SELECT is((SELECT count(*) FROM known WHERE answer LIKE '%' || t), 100::bigint,
    'each row has the answer to its own text');
SELECT results_eq(format('SELECT DISTINCT source_job_id, count(*) OVER () FROM batch_records r
    WHERE job_id = %s AND source_record_id IS NOT NULL AND EXISTS (SELECT FROM batch_records s
        WHERE s.job_id = r.source_job_id AND s.record_id = r.source_record_id
        AND s.input = r.input AND s.output = r.output)', :cached),
    format('VALUES (%s::bigint, 50::bigint)', :source), 'a cached answer says where it is from');

-- What is no hit.
CREATE FUNCTION sim.hits(more text, variant text DEFAULT 'Know {{t}}') RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    job bigint;
    n bigint;
BEGIN
    EXECUTE format('SELECT public.batch_submit(''SELECT i AS id, ''''a '''' || i AS t'
                   ' FROM generate_series(0, 4) i'', server => ''openai'', prompt => %L, %s)',
                   variant, more) INTO job;
    SELECT cached INTO n FROM public.batch_jobs WHERE job_id = job;
    PERFORM public.batch_cancel(job);
    RETURN n;
END $$;
SELECT is(sim.hits($$system_prompt => 'Be brief.', cache => '1 hour'$$), 5::bigint,
    'the same is a hit');
SELECT is(sim.hits($$system_prompt => 'Be brief.', cache => '1 us'$$), 0::bigint,
    'an older answer is none');
SELECT is(sim.hits($$system_prompt => 'Be long.', cache => '1 hour'$$)
    + sim.hits($$system_prompt => 'Be brief.', cache => '1 hour', model => 'gpt-5.4-nano'$$)
    + sim.hits($$system_prompt => 'Be brief.', cache => '1 hour', params => '{"seed": 1}'$$)
    + sim.hits($$system_prompt => 'Be brief.', cache => '1 hour',
        response_schema => '{"type": "object", "properties": {}, "additionalProperties": false}'$$)
    + sim.hits($$system_prompt => 'Be brief.', cache => '1 hour'$$, 'Other {{t}}'), 0::bigint,
    'nor is one to another request');
ALTER SERVER openai RENAME TO renamed;
ALTER SERVER renamed RENAME TO openai;
SELECT is(sim.hits($$system_prompt => 'Be brief.', cache => '1 hour'$$), 5::bigint,
    'the name of a server does not matter');
SELECT is(sim.hits($$system_prompt => 'Be brief.'$$), 0::bigint, 'without the argument none is');
CREATE ROLE other SUPERUSER;
CREATE USER MAPPING FOR other SERVER openai OPTIONS (api_key 'sk-sim');
SET ROLE other;
SELECT is(sim.hits($$system_prompt => 'Be brief.', cache => '1 hour'$$), 0::bigint,
    'another owner has no hit, not even a superuser');
RESET ROLE;
SELECT throws_ok($$SELECT sim.hits('cache => ''-1 hour''')$$, '22023',
    'argument "cache" must be a positive interval', 'an interval looks back');

-- The earlier job is deleted while its answers wait to be copied.
SELECT batch_submit('SELECT i AS id, ''a '' || i % 5 AS t FROM generate_series(1, 40) i',
    server => 'openai', prompt => 'Know {{t}}', system_prompt => 'Be brief.', cache => '1 hour',
    dedup => true) AS job \gset
SELECT results_eq(format('SELECT repeats, cached FROM batch_jobs WHERE job_id = %s', :job),
    $$VALUES (35::bigint, 5::bigint)$$, 'repeats of cached answers');
SELECT batch_delete(:source);
SELECT batch_delete(:cached);
SELECT sim.sent();
CALL batch_work('60 s');
SELECT is(sim.outcomes(:job), 'succeeded 40', 'nothing is lost');
SELECT is(sim.sent(), 5::bigint, 'what had lost its answer was sent');
SELECT results_eq(format('SELECT repeats, cached FROM batch_jobs WHERE job_id = %s', :job),
    $$VALUES (35::bigint, 0::bigint)$$, 'and is cached no more');

-- Texts that are kept no longer are no hit.
SELECT is(sim.hits($$system_prompt => 'Be brief.', cache => '1 hour'$$), 5::bigint,
    'that job has answers again');
ALTER SYSTEM SET batchinf.keep_results = 0;
SELECT pg_reload_conf();
SELECT sim.work_until(format(
    '(SELECT results_next IS NULL FROM batchinf.job WHERE job_id = %s)', :job));
SELECT is(sim.hits($$system_prompt => 'Be brief.', cache => '1 hour'$$), 0::bigint,
    'until they are removed');
ALTER SYSTEM RESET batchinf.keep_results;
SELECT pg_reload_conf();

-- A pipeline: its own answers stay its own, and what it sends is sent once.
SELECT batch_create_pipeline('piped', 'SELECT id, ''pipe '' || id % 4 AS t FROM known', 'openai',
    prompt => 'Pipe {{t}}', dedup => true, cache => '1 hour');
SELECT batch_refresh('piped') AS job \gset
SELECT sim.sent();
CALL batch_work('60 s');
SELECT is(sim.outcomes(:job), 'succeeded 100', 'a pipeline has copies, too');
SELECT is(sim.sent(), 4::bigint, 'of what it has sent');
SELECT batch_refresh('piped');
SELECT is(answered, 100::bigint, 'all are answered') FROM batch_pipelines;
SELECT is(batch_forget('piped', '{1,2}'), 2::bigint, 'rows that are to be answered again ...');
SELECT batch_refresh('piped') AS job \gset
CALL batch_work('60 s');
SELECT is(sim.outcomes(:job) || ', sent ' || sim.sent(), 'succeeded 2, sent 0',
    '... have their answer by the cache');

SELECT is((SELECT string_agg(chunk_id::text, ',') FROM batchinf.chunk c WHERE c.records
    <> c.succeeded + c.invalid_output + c.errored + c.expired + c.cancelled + c.missing + c.retried
    AND next_step_at IS NULL), NULL, 'all sums agree');
SELECT * FROM finish();
