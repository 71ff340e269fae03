-- Texts of ended jobs that the worker removes by itself: at their time, in small transactions, and
-- after the work of others.
\i lib.sql
SELECT no_plan();
SET client_min_messages = error;
SELECT sim.server('openai');
CREATE ROLE keep_other;
GRANT USAGE ON FOREIGN SERVER openai TO keep_other;
CREATE USER MAPPING FOR keep_other SERVER openai OPTIONS (api_key 'sk-sim');
CREATE FUNCTION ask(keep interval) RETURNS bigint LANGUAGE sql AS $$
    SELECT batch_submit('SELECT 1 AS id', server => 'openai', prompt => 'zebra', keep => keep) $$;
CREATE FUNCTION texts(job bigint) RETURNS bigint LANGUAGE sql AS $$
    SELECT (SELECT count(input) FROM batchinf.record WHERE job_id = $1)
        + (SELECT count(output) FROM batchinf.result WHERE job_id = $1)
        + (SELECT count(*) FROM batchinf.event WHERE job_id = $1) $$;
CREATE FUNCTION is_done(job bigint) RETURNS text LANGUAGE sql AS $$
    SELECT (inputs_next IS NULL AND results_next IS NULL)::text FROM batchinf.job
    WHERE job_id = $1 $$;

SELECT ask('0') AS now, ask('8 s') AS later, ask(NULL) AS month \gset
SELECT is(sim.until(format('SELECT is_done(%s)', :now), 'true', 30), 'true',
    'the worker removes the texts of a job that has ended');
SELECT is(texts(:now), 0::bigint, '… all of them');
SELECT is((SELECT state || ' ' || succeeded FROM batch_jobs WHERE job_id = :now), 'completed 1',
    '… and what became of it stays');
-- nobody wakes it: it has left meanwhile
SELECT is(sim.until(format('SELECT is_done(%s)', :later), 'true', 40), 'true',
    'it comes when their time has come');
SELECT is(texts(:later), 0::bigint, '… and removes them');
SELECT cmp_ok(texts(:month), '>=', 3::bigint, '… a job without keep is as the settings say');

-- A large job whose removal takes long: each piece sleeps.
CREATE TABLE pieces (n int GENERATED ALWAYS AS IDENTITY, records bigint, transaction xid8);
CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO public.pieces (records, transaction)
    SELECT count(*), pg_current_xact_id() FROM gone WHERE input IS NULL;
    PERFORM pg_sleep(0.2);
    RETURN NULL;
END $$;
CREATE TRIGGER slow AFTER UPDATE ON batchinf.record REFERENCING NEW TABLE AS gone
    FOR EACH STATEMENT EXECUTE FUNCTION slow();
INSERT INTO batchinf.record (job_id, seq, chunk_id, attempt, record_id, input)
SELECT r.job_id, i, r.chunk_id, 1, i::text, 'zebra ' || i
FROM batchinf.record r, generate_series(2, 200000) i WHERE r.job_id = :month;
UPDATE batchinf.job SET kept_since = now() - interval '31 days' WHERE job_id = :month;
SELECT ask('1 year') IS NOT NULL AS woken \gset
SELECT is(sim.until('SELECT (count(*) > 0)::text FROM pieces', 'true', 30), 'true',
    'the removal of a large job begins');
SET ROLE keep_other;
SELECT ask('1 year') AS other \gset
RESET ROLE;
SELECT is(
    sim.until(format('SELECT state FROM batch_jobs WHERE job_id = %s', :other), 'completed', 60),
    'completed', 'promise 8: a job of another owner is done meanwhile');
SELECT isnt(is_done(:month), 'true', '… the removal is not done yet');
DROP TRIGGER slow ON batchinf.record;
SELECT is(sim.until(format('SELECT (inputs_next IS NULL)::text FROM batchinf.job WHERE job_id = %s',
    :month), 'true', 60), 'true', '… and goes on to its end');
SELECT is((SELECT format('%s %s', max(records) <= 1000, count(DISTINCT transaction) = count(*))
    FROM pieces), 't t', '… in pieces of 1000 records at most, each in a transaction of its own');
SELECT is((SELECT count(input) FROM batchinf.record WHERE job_id = :month), 0::bigint,
    '… no input is left');

DROP OWNED BY keep_other;
DROP ROLE keep_other;
SELECT * FROM finish();
