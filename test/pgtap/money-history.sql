-- Random histories: jobs whose answers fail, come twice, have no price or no counts, are sent
-- again, priced later and deleted, while old days of the ledger are summed up.  After each round
-- the sums of answers, chunks, jobs and ledger agree to the last digit.  The seed is printed;
-- MONEY_SEED in the environment sets it.
\i lib.sql
\set seed `echo ${MONEY_SEED:-$(od -An -N3 -tu4 /dev/urandom)}`
\echo '# MONEY_SEED=':seed
SELECT no_plan();
SELECT setseed((:seed % 1000000) / 1000000.0) \g /dev/null
SELECT sim.server('s');
SELECT sim.server('t', model => 'gpt-4o-mini');
UPDATE batchinf.price_list SET model = 'no ' || model WHERE model LIKE 'gpt-4o%';

-- A request of a random kind.
CREATE FUNCTION request(id int) RETURNS text LANGUAGE sql AS $$
    SELECT (ARRAY['', '', '[[sim:error=500]]', '[[sim:error=400]]', '[[sim:refusal]]',
        '[[sim:length]]', '[[sim:fail_times=1]]', '[[sim:missing]]', '[[sim:expired]]',
        '[[sim:duplicate]]', '[[sim:twice]]', '[[sim:unknown]]', '[[sim:badjson]]',
        '[[sim:usage={"prompt_tokens":null}]]', '[[sim:usage={"prompt_tokens":300000}]]',
        '[[sim:usage={"prompt_tokens_details":{"cached_tokens":3}}]]'])
        [1 + floor(random() * 16)::int] || ' request ' || id
$$;
CREATE FUNCTION submit() RETURNS bigint LANGUAGE sql VOLATILE AS $$
    SELECT batch_submit(
        (SELECT 'VALUES ' || string_agg(format('(%s, %L)', i, request(i)), ', ')
         FROM generate_series(1, 3 + floor(random() * 12)::int) i),
        (ARRAY['s', 's', 't'])[1 + floor(random() * 3)::int], '{{column2}}',
        key => 'column1', max_attempts => 1 + floor(random() * 3)::int,
        deadline => CASE WHEN random() < 0.1 THEN interval '2 s' END)
$$;

-- What does not agree; '' if all does.
CREATE FUNCTION disagreement() RETURNS text LANGUAGE sql AS $$
    WITH answer AS (
        SELECT job_id, sum(cost) AS cost, sum(cost) FILTER (WHERE wasted) AS wasted,
               count(*) FILTER (WHERE cost IS NULL) AS unpriced,
               sum(realtime_cost) AS realtime_cost, count(*) AS records
        FROM batchinf.result WHERE chunk_id IS NOT NULL GROUP BY job_id
    ), chunk AS (
        SELECT job_id, sum(cost) AS cost, sum(wasted) AS wasted, sum(unpriced) AS unpriced,
               sum(realtime_cost) AS realtime_cost, sum(stray_cost) AS stray
        FROM batchinf.chunk GROUP BY job_id
    )
    SELECT COALESCE(string_agg(format('job %s: answers %s, chunks %s', c.job_id, a, c), '; '), '')
    FROM chunk c LEFT JOIN answer a USING (job_id)
    WHERE (COALESCE(a.cost, 0) + c.stray, COALESCE(a.wasted, 0) + c.stray,
           COALESCE(a.realtime_cost, 0)) IS DISTINCT FROM (c.cost, c.wasted, c.realtime_cost)
       OR c.unpriced < COALESCE(a.unpriced, 0)
$$;
-- What deleted jobs have cost.
CREATE TABLE gone AS SELECT 0.0 AS cost, 0.0 AS realtime_cost, 0.0 AS wasted, 0 AS unpriced,
    0 AS bytes_staged;
CREATE FUNCTION totals(OUT spent text, OUT of_jobs text) LANGUAGE sql AS $$
    SELECT (SELECT concat_ws(' ', trim_scale(COALESCE(sum(cost), 0)),
                trim_scale(COALESCE(sum(realtime_cost), 0)), trim_scale(COALESCE(sum(wasted), 0)),
                COALESCE(sum(unpriced), 0), COALESCE(sum(bytes_staged), 0)) FROM batch_spend),
           (SELECT concat_ws(' ', trim_scale(COALESCE(sum(cost), 0)),
                trim_scale(COALESCE(sum(realtime_cost), 0)), trim_scale(COALESCE(sum(wasted), 0)),
                COALESCE(sum(unpriced), 0), COALESCE(sum(bytes_staged), 0))
            FROM (SELECT cost, realtime_cost, wasted, unpriced, bytes_staged FROM batch_jobs
                  UNION ALL TABLE gone) j)
$$;

-- A random step of a job's history.
CREATE FUNCTION step() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    which int := floor(random() * 6);
    j bigint := (SELECT job_id FROM batch_jobs WHERE state = 'completed' ORDER BY random() LIMIT 1);
BEGIN
    IF which = 0 OR j IS NULL THEN
        RETURN 'submit ' || submit();
    ELSIF which = 1 THEN
        RETURN 'retry ' || j || ': ' || batch_retry(j);
    ELSIF which = 2 THEN
        PERFORM batch_set_price('openai', 'gpt-4o-mini%', mode, kind, (random() * 9)::numeric(9, 4))
        FROM unnest('{batch,realtime}'::text[]) mode, unnest('{input,output}'::text[]) kind
        WHERE random() < 0.7;
        RETURN 'price';
    ELSIF which = 3 THEN
        RETURN 'reprice ' || j || ': ' || batch_reprice(j);
    ELSIF which = 4 THEN
        UPDATE batchinf.spend SET at = at - interval '50 days' WHERE random() < 0.5;
        RETURN 'age';
    END IF;
    INSERT INTO gone SELECT cost, realtime_cost, wasted, unpriced, bytes_staged FROM batch_jobs
    WHERE job_id = j;
    PERFORM batch_delete(j);
    RETURN 'delete ' || j;
END $$;
CREATE TABLE steps (n int GENERATED ALWAYS AS IDENTITY, did text);

SELECT submit() FROM generate_series(1, 4) \g /dev/null
CALL batch_work('120 s');
CREATE TABLE found AS SELECT 0 AS round, disagreement(), t.* FROM totals() t;
SELECT command
FROM generate_series(1, 8) round,
    LATERAL unnest(ARRAY[
        'INSERT INTO steps (did) SELECT step() FROM generate_series(1, 4)',
        'CALL batch_work(''60 s'')',
        format('INSERT INTO found SELECT %s, disagreement(), t.* FROM totals() t', round)])
        WITH ORDINALITY c(command, n)
ORDER BY round, n \gexec
SELECT diag(string_agg(did, ', ' ORDER BY n)) FROM steps;
SELECT is(disagreement, '', 'round ' || round || ': answers and chunks agree') FROM found
ORDER BY round;
SELECT is(spent, of_jobs, 'round ' || round || ': jobs and ledger agree') FROM found
ORDER BY round;
SELECT batch_reprice(job_id) FROM batch_jobs \g /dev/null
SELECT is(disagreement(), '', 'after a reprice of all: answers and chunks agree');
SELECT is(spent, of_jobs, '... and jobs and ledger') FROM totals();
SELECT * FROM finish();
