-- What answers cost: it is stored with them, once, for every attempt, and the ledger says the same.
-- The sums of answers, chunks and ledger agree to the last digit.
\i lib.sql
SELECT no_plan();
SELECT sim.server('s');
SELECT sim.tickets(10);

-- A prompt whose answer has these counts.
CREATE FUNCTION counts(usage jsonb) RETURNS text LANGUAGE sql AS $$
    SELECT '[[sim:usage=' || replace(replace(usage::text, '%', '%25'), ']', '%5D') || ']]'
$$;

-- What of the sums of a job does not agree; '' if all do.
CREATE FUNCTION disagreement(job bigint) RETURNS text LANGUAGE sql AS $$
    WITH answer AS (
        SELECT count(*) AS records, COALESCE(sum(input_tokens), 0) AS input_tokens,
               COALESCE(sum(cached_tokens), 0) AS cached_tokens,
               COALESCE(sum(cache_write_tokens), 0) AS cache_write_tokens,
               COALESCE(sum(cache_write_1h_tokens), 0) AS cache_write_1h_tokens,
               COALESCE(sum(output_tokens), 0) AS output_tokens, COALESCE(sum(cost), 0) AS cost,
               COALESCE(sum(realtime_cost), 0) AS realtime_cost,
               COALESCE(sum(realtime_cost - cost), 0) AS saving,
               COALESCE(sum(cost) FILTER (WHERE wasted), 0) AS wasted,
               count(*) FILTER (WHERE cost IS NULL) AS unpriced
        FROM batchinf.result WHERE job_id = job AND chunk_id IS NOT NULL
    ), chunk AS (
        SELECT sum(input_tokens) AS input_tokens, sum(cached_tokens) AS cached_tokens,
               sum(cache_write_tokens) AS cache_write_tokens,
               sum(cache_write_1h_tokens) AS cache_write_1h_tokens,
               sum(output_tokens) AS output_tokens, sum(cost) AS cost,
               sum(realtime_cost) AS realtime_cost, sum(saving) AS saving, sum(wasted) AS wasted,
               sum(unpriced) AS unpriced, sum(stray_cost) AS stray_cost,
               sum(bytes_up + bytes_down) AS bytes
        FROM batchinf.chunk WHERE job_id = job
    ), spent AS (
        SELECT sum(records) AS records, sum(input_tokens) AS input_tokens,
               sum(cached_tokens) AS cached_tokens, sum(cache_write_tokens) AS cache_write_tokens,
               sum(cache_write_1h_tokens) AS cache_write_1h_tokens,
               sum(output_tokens) AS output_tokens, sum(cost) AS cost,
               sum(realtime_cost) AS realtime_cost, sum(saving) AS saving, sum(wasted) AS wasted,
               sum(unpriced) AS unpriced, sum(bytes_staged) AS bytes
        FROM batchinf.spend WHERE job_id = job
    )
    SELECT concat_ws(', ',
        CASE WHEN (a.input_tokens, a.cached_tokens, a.cache_write_tokens, a.cache_write_1h_tokens,
                   a.output_tokens, a.cost + c.stray_cost, a.realtime_cost,
                   a.saving - c.stray_cost, a.wasted + c.stray_cost)
            IS DISTINCT FROM (c.input_tokens, c.cached_tokens, c.cache_write_tokens,
                              c.cache_write_1h_tokens, c.output_tokens, c.cost, c.realtime_cost,
                              c.saving, c.wasted) THEN format('answers %s, chunks %s', a, c) END,
        CASE WHEN (a.records, c.input_tokens, c.cached_tokens, c.cache_write_tokens,
                   c.cache_write_1h_tokens, c.output_tokens, c.cost, c.realtime_cost, c.saving,
                   c.wasted, c.unpriced, c.bytes)
            IS DISTINCT FROM (s.records, s.input_tokens, s.cached_tokens, s.cache_write_tokens,
                              s.cache_write_1h_tokens, s.output_tokens, s.cost, s.realtime_cost,
                              s.saving, s.wasted, s.unpriced, s.bytes)
            THEN format('chunks %s, ledger %s', c, s) END)
    FROM answer a, chunk c, spent s
$$;

-- An answer
SELECT batch_submit('SELECT 1 AS id', 's', 'Hello. ' || counts('{"prompt_tokens": 1000000,
    "prompt_tokens_details": {"cached_tokens": 400000}, "completion_tokens": 100000}'))
    AS job \gset
CALL batch_work('60 s');
SELECT :job AS first \gset
SELECT is(concat_ws(' ', input_tokens, cached_tokens, output_tokens, cost, realtime_cost, wasted),
    '1000000 400000 100000 0.465 0.93 f', 'an answer of OpenAI costs what its tokens cost')
FROM batchinf.result WHERE job_id = :job;
SELECT is(concat_ws(' ', cost, realtime_cost, saving, wasted, unpriced),
    '0.465 0.93 0.465 0 0', '... so does its chunk') FROM batchinf.chunk WHERE job_id = :job;
SELECT is(
    (SELECT concat_ws(' ', owner_name, server_name, provider, model, mode, records, cost,
                      realtime_cost, saving)
     FROM batchinf.spend WHERE job_id = :job AND records > 0),
    'postgres s openai gpt-5.4-mini-2026-03-17 batch 1 0.465 0.93 0.465', '... and the ledger');
SELECT ok(requests > 2 AND bytes_up > 0 AND bytes_down > bytes_up,
    'calls and bytes are counted') FROM batchinf.chunk WHERE job_id = :job;
SELECT is(disagreement(:job), '', 'all sums agree');

-- Every attempt and outcome
SELECT batch_submit(
    format($q$SELECT id, CASE id WHEN 1 THEN '[[sim:error=500]]' WHEN 2 THEN '[[sim:length]]'
        WHEN 3 THEN '[[sim:fail_times=1]]' WHEN 4 THEN '[[sim:expired]]'
        WHEN 5 THEN '[[sim:missing]]'
        WHEN 6 THEN '[[sim:duplicate]]' WHEN 7 THEN '[[sim:twice]]' WHEN 8 THEN '[[sim:unknown]]'
        WHEN 9 THEN %L ELSE '' END || ' text ' || id AS prompt FROM tickets$q$,
        counts('{"prompt_tokens": null}')), 's', max_attempts => 2) AS job \gset
CALL batch_work('120 s');
SELECT :job AS every \gset
SELECT is(string_agg(concat_ws(' ', seq, attempt, outcome, cost > 0, wasted), E'\n'
    ORDER BY seq, attempt), E'1 1 errored f t\n1 2 errored f t\n2 1 invalid_output t t\n'
    '3 1 errored f t\n3 2 succeeded t f\n4 1 expired f t\n4 2 expired f t\n5 1 missing f f\n'
    '5 2 missing f f\n6 1 succeeded t f\n7 1 succeeded t f\n8 1 succeeded t f\n9 1 succeeded f\n'
    '10 1 succeeded t f',
    'what was not billed costs 0, what has no counts is unpriced, what failed is wasted')
FROM batchinf.result WHERE job_id = :job;
SELECT is(disagreement(:job), '', '... and all sums agree');
SELECT is(unpriced, 1::numeric, '... with one that is unpriced')
FROM (SELECT sum(unpriced) AS unpriced FROM batchinf.chunk WHERE job_id = :job) c;
SELECT is((SELECT sum(stray_cost) FROM batchinf.chunk WHERE job_id = :job),
    (SELECT cost FROM batchinf.result WHERE job_id = :job AND seq = 7),
    'a second answer is paid for, a copy of a line is not');

-- No price
SELECT sim.server('none', model => 'gpt-4o-mini');
SELECT batch_submit('SELECT id FROM tickets', 'none', 'x', params => '{"temperature": 1}')
    AS unpriced \gset
UPDATE batchinf.price_list SET model = 'renamed ' || model WHERE model LIKE 'gpt-4o%';
CALL batch_work('60 s');
SELECT is(string_agg(DISTINCT concat_ws(' ', outcome, cost, realtime_cost), ','), 'succeeded',
    'without a price the cost is not known')
FROM batchinf.result WHERE job_id = :unpriced;
SELECT is(concat_ws(' ', cost, realtime_cost, saving, unpriced), '0 0 0 10', '... and that counts')
FROM batchinf.chunk WHERE job_id = :unpriced;
SELECT is(disagreement(:unpriced), '', '... in the ledger, too');

-- A price of its own, that of the time of the answer; none for real time
SELECT batch_set_price('openai', 'gpt-4o%', 'batch', kind, 2, server => 'none')
FROM unnest('{input,output}'::text[]) kind;
SELECT batch_set_price('openai', 'gpt-4o%', 'batch', 'input', 99, server => 'none',
    valid_from => now() + interval '1 hour');
SELECT batch_submit('SELECT id FROM tickets', 'none', 'x') AS job \gset
CALL batch_work('60 s');
SELECT :job AS own \gset
SELECT is(sum(s.cost - (s.input_tokens + s.output_tokens) * 0.000002), 0.0,
    'the price of a server counts there')
FROM batchinf.result s WHERE job_id = :job HAVING count(s.cost) = 10;
SELECT is(concat_ws(' ', cost > 0, realtime_cost, saving, unpriced), 't 0 0 0',
    'without a price of real time there is nothing to compare')
FROM batchinf.chunk WHERE job_id = :job;
SELECT is(disagreement(:job), '', '... all sums agree');

-- The views
SELECT is(
    (SELECT to_jsonb(j) - '{job_id}'::text[] FROM (SELECT job_id, cost, realtime_cost, saving,
        wasted, unpriced, bytes_staged FROM batch_jobs) j WHERE job_id = :first),
    (SELECT jsonb_build_object('cost', 0.465, 'realtime_cost', 0.93, 'saving', 0.465, 'wasted', 0,
        'unpriced', 0, 'bytes_staged', sum(bytes_up + bytes_down)) FROM batch_chunks
     WHERE job_id = :first), 'batch_jobs');
SELECT is(
    (SELECT concat_ws('|', cost, realtime_cost, saving, wasted, unpriced) FROM batch_jobs
     WHERE job_id = :unpriced), '0|10', 'what has no price at all is NULL, never 0');
SELECT is(
    (SELECT concat_ws('|', cost > 0, realtime_cost, saving) FROM batch_jobs WHERE job_id = :own),
    't', '... and so is what real time would cost without a price of real time');
SELECT is((SELECT sum(cost) FROM batch_records WHERE job_id = :every) + sum(stray_cost), sum(cost),
    'batch_records has what all attempts of a record cost')
FROM batchinf.chunk WHERE job_id = :every;
SELECT is((SELECT sum(cost) FILTER (WHERE wasted) FROM batch_attempts WHERE job_id = :every)
    + sum(stray_cost), sum(wasted), 'batch_attempts says what is wasted')
FROM batchinf.chunk WHERE job_id = :every;
SELECT is(
    (SELECT (sum(cost), sum(realtime_cost), sum(wasted), sum(unpriced), sum(bytes_staged))::text
     FROM batch_spend),
    (SELECT (sum(cost), sum(realtime_cost), sum(wasted), sum(unpriced), sum(bytes_staged))::text
     FROM batch_jobs), 'batch_spend has the same sums');
SELECT is(
    (SELECT concat_ws(' ', day = (now() AT TIME ZONE 'UTC')::date, role, server, provider, model,
                      mode, records, unpriced) FROM batch_spend
     WHERE server = 'none' AND records > 0),
    't postgres none openai gpt-4o-mini-2024-07-18 batch 20 10',
    '... by day, role, server, model and mode');

-- The formula of doc/money.md
SELECT is_empty($$
    WITH own AS (SELECT 0.00 AS per_gigabyte, 0.00 AS per_thousand_requests, 0.00 AS per_job),
    part AS (
        SELECT j.job_id, j.realtime_cost AS real_time_avoided, j.cost - j.wasted AS batch_cost,
               j.wasted AS retries, j.bytes_staged / 1e9 * o.per_gigabyte AS staging,
               (SELECT sum(c.requests) FROM batch_chunks c WHERE c.job_id = j.job_id) / 1000.0
                   * o.per_thousand_requests + o.per_job AS operation, j.saving
        FROM batch_jobs j, own o
        WHERE j.unpriced = 0
    )
    SELECT p.*, p.real_time_avoided - p.batch_cost - p.retries - p.staging - p.operation AS result
    FROM part p
    WHERE p.real_time_avoided - p.batch_cost - p.retries - p.staging - p.operation <> p.saving$$,
    'the formula has saving as its result');

-- Prices that are set later
CREATE FUNCTION reprice(job bigint) RETURNS text LANGUAGE sql AS $$
    SELECT sim.psql(format('SELECT batch_reprice(%s)', job))
$$;
SELECT is(reprice(:first), format(E'NOTICE:  0 answers of batch job %s have got a price, 0 are '
    'unpriced\n0', :first), 'batch_reprice finds nothing to do');
SELECT batch_set_price('openai', 'gpt-4o-mini%', 'realtime', 'output', 4);
SELECT is(reprice(:unpriced), format(E'NOTICE:  10 answers of batch job %s have got a price, 0 are '
    'unpriced\n10', :unpriced), 'batch_reprice says how many it has priced');
SELECT is(sum(s.cost - (s.input_tokens + s.output_tokens) * 0.000002), 0.0,
    'what had no price in its time has that of now')
FROM batchinf.result s WHERE job_id = :unpriced HAVING count(s.cost) = 10;
SELECT is(disagreement(:unpriced), '', '... all sums agree');
SELECT is((SELECT unpriced FROM batch_jobs WHERE job_id = :unpriced), 0::bigint,
    '... and none is unpriced');
SELECT batch_set_price('openai', 'gpt-4o-mini%', 'realtime', 'input', 4);
SELECT batch_reprice(:own) AS repriced \gset
SELECT is(concat_ws(' ', :repriced, saving = cost), '10 t', 'prices of real time are found, too')
FROM batch_jobs WHERE job_id = :own;
SELECT is(disagreement(:own), '', '... all sums agree');
SELECT batch_reprice(:own);
SELECT is(disagreement(:own), '', 'a second time it changes nothing');
SELECT is(batch_reprice(:every), 0::bigint, 'what was not counted stays unpriced');

-- Two at once
UPDATE batchinf.chunk SET unpriced = 10, cost = 0, wasted = 0, saving = 0, realtime_cost = 0
WHERE job_id = :unpriced;
UPDATE batchinf.result SET cost = NULL, realtime_cost = NULL WHERE job_id = :unpriced;
DELETE FROM batchinf.spend WHERE job_id = :unpriced AND unpriced < 0;
BEGIN;
SELECT is(batch_reprice(:unpriced), 10::bigint, 'two calls at once');
SELECT sim.start('other', format('SELECT public.batch_reprice(%s)', :unpriced));
SELECT is(sim.until($$SELECT count(*) FROM pg_stat_activity
    WHERE application_name = 'other' AND wait_event_type = 'Lock'$$, '1'), '1', '... wait');
COMMIT;
SELECT is(sim.finish('other'), '', '... for each other');
SELECT is(disagreement(:unpriced), '', '... and count once');

-- Who may
CREATE ROLE money_ann;
CREATE ROLE money_monitor IN ROLE pg_monitor;
SET ROLE money_ann;
SELECT throws_ok(format('SELECT batch_reprice(%s)', :first), '42501', NULL,
    'a job of another role cannot be repriced');
SELECT is_empty('SELECT * FROM batch_spend', 'batch_spend shows nothing of others');
SET ROLE money_monitor;
SELECT ok(count(*) > 2, '... and all to pg_monitor') FROM batch_spend;
RESET ROLE;
DROP ROLE money_ann, money_monitor;

-- The ledger outlives jobs, and old rows of it become one a day
CREATE TABLE sums AS SELECT sum(records) AS records, sum(cost) AS cost, sum(wasted) AS wasted,
    sum(saving) AS saving, sum(unpriced) AS unpriced, sum(bytes_staged) AS bytes_staged,
    sum(output_tokens) AS output_tokens FROM batch_spend;
CREATE FUNCTION unlike_sums() RETURNS bigint LANGUAGE sql AS $$
    SELECT count(*) FROM (SELECT sum(records), sum(cost), sum(wasted), sum(saving), sum(unpriced),
        sum(bytes_staged), sum(output_tokens) FROM batch_spend EXCEPT TABLE sums) x
$$;
SELECT batch_delete(:own);
SELECT is(unlike_sums(), 0::bigint, 'the ledger outlives a job');
UPDATE batchinf.spend SET at = at - CASE WHEN job_id = :every THEN interval '2 days'
    ELSE interval '50 days' END;
SELECT count(*) AS old FROM batchinf.spend WHERE job_id <> :every \gset
SELECT batch_submit('SELECT 1 AS id', 's', 'Hello') AS last \gset
CALL batch_work('60 s');
SELECT is(sim.until('SELECT count(*) FROM batchinf.spend WHERE at < now() - interval ''40 days'' '
    'AND chunk_id IS NOT NULL', '0'), '0', 'old rows are gone');
SELECT ok(count(*) < :old AND bool_and(date_trunc('day', at, 'UTC') = at)
    AND count(*) = count(DISTINCT (server, model)), 'there is one a day, server and model')
FROM batchinf.spend WHERE chunk_id IS NULL;
DELETE FROM batchinf.spend WHERE job_id = :last;
SELECT is(unlike_sums(), 0::bigint, '... and the sums are as they were');
SET batchinf.keep_spend = 0;
CALL batch_work('10 s');
SELECT ok(count(*) > 0, 'the day of today is not summed up before its end')
FROM batchinf.spend WHERE chunk_id IS NOT NULL AND at > now() - interval '1 day'
    OR (SELECT count(*) FROM batchinf.spend WHERE chunk_id IS NOT NULL) = 0;
SELECT * FROM finish();
