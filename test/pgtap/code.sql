-- Code of the jobs' owners (triggers and the like) runs in the process that works for all of them:
-- its time is shared by owner, and what takes long is cut off and goes on later (promise 8).
\i lib.sql
SELECT no_plan();
CREATE ROLE bad;
CREATE ROLE good;
GRANT CREATE ON SCHEMA public TO bad, good;
SELECT sim.config('{"batch_seconds": 0.3, "api_keys": ["sk-sim", "sk-bad", "sk-good"]}');
SELECT sim.server('bads'), sim.server('goods');
GRANT USAGE ON FOREIGN SERVER bads, goods TO bad, good;
CREATE USER MAPPING FOR bad SERVER bads OPTIONS (api_key 'sk-bad');
CREATE USER MAPPING FOR good SERVER goods OPTIONS (api_key 'sk-good');

-- A table of the current user, with a trigger that sleeps for so many seconds a row.
CREATE FUNCTION make(name text, rows int, seconds numeric) RETURNS void LANGUAGE plpgsql AS $f$
BEGIN
    EXECUTE format('CREATE TABLE %I (id int PRIMARY KEY, answer text)', name);
    EXECUTE format('INSERT INTO %I SELECT generate_series(1, %s)', name, rows);
    EXECUTE format('CREATE FUNCTION %I() RETURNS trigger LANGUAGE plpgsql AS %L', name || '_does',
        format('BEGIN PERFORM pg_sleep(%s); RETURN NEW; END', seconds));
    EXECUTE format('CREATE TRIGGER x BEFORE UPDATE ON %I FOR EACH ROW EXECUTE FUNCTION %I()', name,
        name || '_does');
END $f$;
CREATE FUNCTION ask(target regclass, server name, which text DEFAULT 'true') RETURNS bigint
LANGUAGE sql AS $$
    SELECT batch_submit(format('SELECT id FROM %s WHERE %s', target, which), server => server,
        prompt => 'for {{id}}', target => target, write_back => '{"answer": "$"}') $$;
CREATE FUNCTION counts(job bigint) RETURNS text LANGUAGE sql AS $$
    SELECT format('%s: %s written, %s waiting, %s failed', state, written, write_waiting,
        write_failed)
    FROM batch_jobs WHERE job_id = job $$;
SET ROLE good;
SELECT make('quick', 5, 0);
RESET ROLE;

-- Forty jobs of one row, whose trigger sleeps for 2 s each.
SET ROLE bad;
SELECT make('forty', 40, 2);
SELECT count(ask('forty', 'bads', 'id = ' || i)) FROM generate_series(1, 40) i;
RESET ROLE;
SELECT sim.start('worker', 'CALL batch_work()');
SELECT is(
    sim.until('SELECT (count(*) > 0)::text FROM batch_jobs WHERE owner = ''bad'' AND written > 0',
        'true'),
    'true', 'many jobs of one owner have triggers that sleep');
SET ROLE good;
SELECT ask('quick', 'goods') AS job \gset
RESET ROLE;
SELECT is(
    sim.until(format('SELECT counts(%s)', :job), 'completed: 5 written, 0 waiting, 0 failed', 60),
    'completed: 5 written, 0 waiting, 0 failed',
    'promise 8: a small job of another owner is not held up');
SELECT cmp_ok((SELECT count(*) FROM batch_jobs WHERE owner = 'bad' AND state <> 'completed'), '>',
    20::bigint, '… the others take much longer');
SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE application_name = 'worker';
SELECT isnt(sim.finish('worker'), '', 'batch_work is cancelled');
DROP TRIGGER x ON forty;
CALL batch_work('60 s');
SELECT is(
    (SELECT array_agg(DISTINCT counts(job_id)) FROM batch_jobs WHERE owner = 'bad'),
    '{"completed: 1 written, 0 waiting, 0 failed"}', '… and end, too');

SELECT is(
    (SELECT count(*) FROM batch_jobs
     WHERE succeeded <> written + write_waiting + stale + target_missing + write_failed),
    0::bigint, 'promise 3: the sums of every job agree');
DROP OWNED BY bad, good;
DROP ROLE bad, good;
SELECT * FROM finish();
