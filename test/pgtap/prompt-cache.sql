-- What the providers' prompt caches need of us: long requests that begin alike follow each other,
-- at each provider; the prefix of all requests is marked at Anthropic where that is worth it.
-- The ledger of the simulator tells which tokens were paid in full.
\i lib.sql
\i lib-places.sql
SELECT no_plan();

-- Three documents, with many questions to each, in the order of the questions.  A question says its
-- answer.
CREATE TABLE asked (id int PRIMARY KEY, doc text, question text, answer text);
INSERT INTO asked
SELECT i, (SELECT string_agg(md5(format('%s of %s', n, i % 3)), ' ')
           FROM generate_series(1, 200) n), format('[[sim:say=answer-%s]]', i), NULL
FROM generate_series(1, 60) i;
CREATE FUNCTION ask(server text, rows int DEFAULT 60, more text DEFAULT '') RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    job bigint;
BEGIN
    UPDATE asked SET answer = NULL;
    EXECUTE format(
        'SELECT batch_submit(''SELECT id, doc, question FROM asked WHERE id <= %s ORDER BY id'', '
        'server => %L, prompt => ''{{doc}} {{question}}'', target => ''asked'', '
        'write_back => ''{"answer": "$"}''%s)', rows, server, more)
    INTO job;
    RETURN job;
END $$;
CREATE FUNCTION right_answers() RETURNS bigint LANGUAGE sql AS $$
    SELECT count(*) FROM asked WHERE question = format('[[sim:say=%s]]', answer)
$$;

-- OpenAI: automatic, of what the last prompt began with.
SELECT sim.config('{"run_in_order": true, "cached_prompts": 1}');
SELECT ask('openai') AS job \gset
CALL batch_work('60 s');
SELECT is(right_answers(), 60::bigint, 'each row has the answer to its own question');
SELECT is((SELECT count(*) FROM jsonb_array_elements(sim.call('GET', '/_sim/entries')) e
    WHERE (e ->> 'cached_tokens')::int >= 1536), 57::bigint,
    'all requests but the first one to each document read it from the cache');
SELECT is(cached_tokens, (sim.ledger() ->> 'cached_tokens')::bigint, 'the job counts them')
    FROM batch_jobs WHERE job_id = :job;
SELECT ok((sim.ledger() ->> 'prompt_tokens')::int - (sim.ledger() ->> 'cached_tokens')::int
    < (sim.ledger() ->> 'prompt_tokens')::int / 4, 'a quarter of the tokens is paid in full');

-- A line that the provider names is the record that was sent there.
SELECT sim.reset();
UPDATE asked SET question = '[[sim:invalid_line]]' WHERE id = 20;
SELECT ask('openai') AS job \gset
CALL batch_work('60 s');
SELECT is((SELECT string_agg(record_id, ' ') FROM batch_records WHERE job_id = :job
    AND outcome = 'errored'), '20', 'the record of a bad line is the one that was written there');
SELECT is(right_answers(), 59::bigint, 'the others are answered');
UPDATE asked SET question = '[[sim:say=answer-20]]' WHERE id = 20;

-- Short requests stay in their order.
SELECT sim.reset();
SELECT batch_submit('SELECT i AS id, 100 - i AS n FROM generate_series(1, 50) i',
    server => 'openai', prompt => 'Say {{n}}') AS job \gset
SELECT sim.work_until(format('(SELECT tries > 0 AND state NOT IN (''planned'', ''uploading'')
    FROM batchinf.chunk WHERE job_id = %s)', :job));
SELECT is((SELECT string_agg(substring(line FROM '-(\d+)"'), ' ' ORDER BY n) FROM (
    SELECT line, n FROM sim.lines((SELECT file ->> 'id'
        FROM jsonb_array_elements(sim.ledger() -> 'files_left') file
        WHERE file ->> 'purpose' = 'batch')) WITH ORDINALITY f(line, n)) l),
    (SELECT string_agg(i::text, ' ' ORDER BY i) FROM generate_series(1, 50) i),
    'short requests are written in the order of their records');
CALL batch_work('60 s');

-- Each provider joins answers as it does, whatever the order is.
SELECT sim.reset();
SELECT sim.config('{"bedrock_min_records": 1}');
CREATE TABLE came (server name, n bigint, repeats bigint);
CREATE PROCEDURE ask_all() LANGUAGE plpgsql AS $$
DECLARE
    p record;
    job bigint;
BEGIN
    FOR p IN SELECT server FROM place ORDER BY server LOOP
        UPDATE asked SET question = format('[[sim:say=%s-%s]]', p.server, id / 2);
        job := ask(p.server, 12, ', dedup => true');
        COMMIT;
        CALL batch_work('60 s');
        INSERT INTO came SELECT p.server, right_answers(), repeats FROM batch_jobs
            WHERE job_id = job;
        COMMIT;
    END LOOP;
END $$;
CALL ask_all();
SELECT results_eq('SELECT server, n, repeats FROM came ORDER BY 1',
    'SELECT server, 12::bigint, 0::bigint FROM place ORDER BY 1',
    'long requests are answered at each provider');
TRUNCATE came;
UPDATE asked SET doc = (SELECT doc FROM asked WHERE id = 1);
CALL ask_all();
SELECT results_eq('SELECT server, n, repeats FROM came ORDER BY 1',
    'SELECT server, 12::bigint, 5::bigint FROM place ORDER BY 1',
    'and so are repeats of them');

--
-- Anthropic: the system prompt is marked.
--
CREATE FUNCTION claude(option text) RETURNS void LANGUAGE plpgsql AS $$ BEGIN
    DROP SERVER IF EXISTS claude CASCADE;
    EXECUTE format(
        'CREATE SERVER claude FOREIGN DATA WRAPPER batchinf OPTIONS (provider ''anthropic'', '
        'model ''claude-haiku-5-5'', base_url %L, poll_interval ''1'', prompt_cache %L)',
        regexp_replace(sim.url(), '/v1$', ''), option);
    CREATE USER MAPPING FOR CURRENT_USER SERVER claude OPTIONS (api_key 'sk-sim');
END $$;

-- Sends so many requests with a system prompt of so many characters. Tokens: paid in full, written
-- to the cache, read from it.
CREATE PROCEDURE send_claude(requests int, size int) LANGUAGE plpgsql AS $$
DECLARE
    job bigint := batch_submit(format('SELECT i AS id FROM generate_series(1, %s) i', requests),
        server => 'claude', system_prompt => repeat('x', size), prompt => 'About {{id}}');
BEGIN
    COMMIT;
    CALL batch_work('60 s');
    IF (SELECT succeeded FROM batch_jobs WHERE job_id = job) <> requests THEN
        RAISE EXCEPTION 'not all have come';
    END IF;
END $$;
CREATE FUNCTION paid() RETURNS TABLE (in_full int, written int, read int) LANGUAGE sql AS $$
    SELECT (l ->> 'prompt_tokens')::int - (l ->> 'cache_write_tokens')::int
        - (l ->> 'cached_tokens')::int, (l ->> 'cache_write_tokens')::int,
        (l ->> 'cached_tokens')::int FROM sim.ledger() l
$$;
SELECT sim.reset();
SELECT sim.config('{"cache_at_once": 10}');
SELECT claude('off');
CALL send_claude(120, 8000);
SELECT results_eq('SELECT in_full > 120 * 2000, written, read FROM paid()',
    'VALUES (true, 0, 0)', 'without the option all is paid in full');
SELECT sim.reset();
SELECT sim.config('{"cache_at_once": 10}');
SELECT claude('auto');
CALL send_claude(120, 8000);
SELECT results_eq('SELECT in_full < 120 * 20, written, read FROM paid()',
    'VALUES (true, 10 * 2000, 110 * 2000)',
    'with auto ten requests that run at once write the prefix, and all others read it');
SELECT is((SELECT spec ->> 'prompt_cache' FROM batchinf.job ORDER BY job_id DESC LIMIT 1), '1h',
    'for an hour');
SELECT sim.config('{"cache_clock_ms": 1800000}');
CALL send_claude(120, 8000);
SELECT results_eq('SELECT written, read FROM paid()', 'VALUES (10 * 2000, 230 * 2000)',
    'half an hour later it is there');
SELECT sim.config('{"cache_clock_ms": 9000000}');
CALL send_claude(120, 8000);
SELECT results_eq('SELECT written, read FROM paid()', 'VALUES (20 * 2000, 340 * 2000)',
    'two hours later it is written again');
SELECT sim.reset();
SELECT sim.config('{"cache_at_once": 10}');
CALL send_claude(99, 8000);
SELECT results_eq('SELECT written, read FROM paid()', 'VALUES (0, 0)',
    'auto marks nothing that few requests share');
CALL send_claude(120, 1000);
SELECT results_eq('SELECT written, read FROM paid()', 'VALUES (0, 0)', 'nor what is short');
SELECT claude('5m');
CALL send_claude(20, 8000);
SELECT results_eq('SELECT written, read FROM paid()', 'VALUES (10 * 2000, 10 * 2000)',
    'a time marks it in any job');

-- The mark changes no answer: it makes no miss.
SELECT sim.reset();
SELECT batch_submit('SELECT i AS id FROM generate_series(1, 120) i', server => 'claude',
    system_prompt => repeat('x', 8000), prompt => 'About {{id}}') AS job \gset
CALL batch_work('60 s');
ALTER SERVER claude OPTIONS (SET prompt_cache 'auto');
SELECT batch_submit('SELECT i AS id FROM generate_series(1, 120) i', server => 'claude',
    system_prompt => repeat('x', 8000), prompt => 'About {{id}}', cache => '1 hour') AS job \gset
SELECT is(cached, 120::bigint, 'a marked request is the same as one that is not')
    FROM batch_jobs WHERE job_id = :job;

SELECT * FROM finish();
