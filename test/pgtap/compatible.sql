-- Servers that speak almost OpenAI's API. The simulator is given the quirks of such servers; the
-- test proves that jobs end and that no quirk makes us pay twice.
\i lib.sql
SELECT no_plan();
SELECT sim.server('openai');
SELECT sim.server('plain', $$metadata 'off', expires_after '0'$$);
CREATE TABLE tickets (id int PRIMARY KEY, body text);
INSERT INTO tickets
SELECT i, CASE WHEN i = 4 THEN '[[sim:error=400:bad_words]]' ELSE 'body ' || i END
FROM generate_series(1, 5) i;

CREATE FUNCTION submit(server name) RETURNS bigint LANGUAGE sql AS $$
    SELECT batch_submit('SELECT id, body FROM tickets ORDER BY id', server => server,
        prompt => '{{body}}');
$$;
CREATE FUNCTION answers(job bigint) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(concat_ws(' ', record_id, outcome, output, finish_reason), E'\n' ORDER BY seq)
    FROM batch_records WHERE job_id = job
$$;
CREATE FUNCTION told(job bigint) RETURNS text LANGUAGE sql AS $$
    SELECT concat_ws(' ', state, 'succeeded', succeeded, 'errored', errored) FROM batch_jobs
    WHERE job_id = job
$$;
CREATE FUNCTION requests(route text) RETURNS int LANGUAGE sql AS $$
    SELECT COALESCE((sim.ledger() #>> ARRAY['requests', route])::int, 0)
$$;
CREATE FUNCTION billed() RETURNS int LANGUAGE sql AS $$
    SELECT (sim.ledger() ->> 'billed_requests')::int
$$;

SELECT submit('openai') AS openai \gset
CALL batch_work('60 s');
SELECT is(told(:openai), 'completed succeeded 4 errored 1', 'OpenAI');

-- A job at a server of these quirks has OpenAI's answers; once with the answer to create lost.
CREATE FUNCTION expect(job bigint, as_of bigint, what text) RETURNS SETOF text LANGUAGE sql AS $$
    SELECT is(answers(job), answers(as_of), what || ': the same answers')
    UNION ALL SELECT is(billed(), 4, what || ': paid for once')
    UNION ALL SELECT is(requests('POST /v1/batches'), 1, what || ': one create')
    UNION ALL SELECT is(sim.ledger() -> 'files_left', '[]', what || ': nothing is left');
$$;
CREATE PROCEDURE arrange(quirks jsonb, lost bool) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM sim.reset();
    PERFORM sim.config(jsonb_build_object('quirks', quirks));
    IF lost THEN
        PERFORM sim.fault('{"match": {"method": "POST", "path_regex": "/batches$"}, '
                          '"action": {"lost_after_effect": true}}');
    END IF;
END $$;
\set groq '{"errors": "array", "list": "cursor", "metadata": "dropped"}'
CALL arrange(:'groq', false);
SELECT submit('openai') AS job \gset
CALL batch_work('60 s');
SELECT expect(:job, :openai, 'errors in an array, a list by cursor');
CALL arrange(:'groq', true);
SELECT submit('openai') AS job \gset
CALL batch_work('60 s');
SELECT expect(:job, :openai, '… with a lost answer');

SELECT '{"ids": 700, "status": "upper", "times": "iso", "counts": "null", "empty_ids": true, '
       '"http_errors": "array"}' AS proxy \gset
CALL arrange(:'proxy', true);
SELECT submit('openai') AS job \gset
CALL batch_work('60 s');
SELECT expect(:job, :openai, 'ids of 700 characters, statuses in capitals, a lost answer');
SELECT cmp_ok(length(provider_batch_id), '>=', 700, '… the id is kept whole') FROM batch_chunks
WHERE job_id = :job;

SELECT '{"metadata": "refused", "expiry": "refused", "error_file": "none", "errors": "string", '
       '"status": "camel", "http_errors": "string"}' AS strict \gset
CALL arrange(:'strict', true);
SELECT submit('plain') AS job \gset
CALL batch_work('60 s');
SELECT expect(:job, :openai, 'no metadata, no expiry, one file, a lost answer');

-- without the options such a server refuses, and says why
CALL arrange(:'strict', false);
SELECT submit('openai') AS job \gset
CALL batch_work('60 s');
SELECT is(told(:job), 'failed succeeded 0 errored 5',
    'a server that refuses an expiry, without the option: refused');
SELECT matches(min(error), 'expires_after', '… and the reason is its own') FROM batch_records
WHERE job_id = :job;
SELECT is(billed(), 0, '… nothing is paid for');

-- a batch that is refused as a whole, its errors as a text
CALL arrange('{"errors": "string", "status": "capital"}', false);
SELECT sim.fault('{"match": {"method": "POST", "path_regex": "/batches$"}, '
                 '"action": {"batch_outcome": "failed", "errors": [{"code": "x", '
                 '"message": "This model is not for batches."}]}}');
SELECT submit('openai') AS job \gset
CALL batch_work('60 s');
SELECT is(told(:job), 'failed succeeded 0 errored 5', 'refused as a whole');
SELECT is(min(error), 'This model is not for batches.', '… in its own words') FROM batch_records
WHERE job_id = :job;

SELECT * FROM finish();
