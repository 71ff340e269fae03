-- Promise 11: a call with an idempotency_key makes one job, however often and from however many
-- sessions it is repeated.
\i lib.sql
SELECT no_plan();
SELECT sim.server('s');
SELECT sim.tickets(5);
CREATE ROLE once_ann;
CREATE ROLE once_bob;
GRANT USAGE ON FOREIGN SERVER s TO once_ann, once_bob;
CREATE USER MAPPING FOR once_ann SERVER s OPTIONS (api_key 'sk-sim');
CREATE USER MAPPING FOR once_bob SERVER s OPTIONS (api_key 'sk-sim');
GRANT SELECT ON tickets TO once_ann, once_bob;
CREATE FUNCTION once(key text, more text DEFAULT '') RETURNS bigint LANGUAGE plpgsql AS $f$
DECLARE
    job bigint;
BEGIN
    EXECUTE format(
        $$SELECT batch_submit('SELECT id, body FROM tickets', 's', '{{body}}', %s
              idempotency_key => %L)$$,
        more, key) INTO job;
    RETURN job;
END $f$;
CREATE FUNCTION refused(key text, more text) RETURNS text LANGUAGE plpgsql AS $f$
DECLARE
    message text;
    detail text;
    hint text;
BEGIN
    PERFORM once(key, more);
    RETURN 'taken';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL,
        hint = PG_EXCEPTION_HINT;
    RETURN concat_ws(' | ', SQLSTATE, message, nullif(detail, ''), nullif(hint, ''));
END $f$;

-- again
SELECT once('monday') AS first \gset
SELECT is(once('monday'), :first::bigint, 'the same call again gives the first job');
SELECT is(
    sim.psql($$SELECT once('monday')$$),
    format(
        E'NOTICE:  batch job %s was made by an earlier call with idempotency_key "monday"\n%1$s',
        :first),
    '… also in another session, with a NOTICE');
SELECT isnt(once('tuesday'), :first::bigint, 'another key is another job');
SELECT is(count(*), 2::bigint, 'there are as many jobs as keys') FROM batch_jobs;

-- a call that failed has not been made
SELECT matches(refused('wednesday', $$model => NULL, params => '[]',$$), '^22023',
    'a call that fails');
SELECT isnt(once('wednesday'), NULL, '… can be made again');
BEGIN;
SELECT once('thursday') AS gone \gset
ROLLBACK;
SELECT isnt(once('thursday'), :gone::bigint, '… and so can one that was rolled back');

-- arguments
SELECT once('given', $$system_prompt => 'Be brief', deadline => '1 day', params => '{"a": 1}',
    max_failure_rate => 0.50, target => 'tickets', write_back => '{"label": "$"}',$$) AS given \gset
SELECT is(once('given', $$system_prompt => 'Be brief', deadline => '1 day', params => '{"a": 1}',
    max_failure_rate => 0.50, target => 'tickets', write_back => '{"label": "$"}',$$),
    :given::bigint,
    'the same arguments');
SET intervalstyle = 'iso_8601';
SET search_path = tap, pg_temp, public, pg_catalog;
SELECT is(once('given', $$system_prompt => 'Be brief', deadline => '1 day', task => 'chat',
    params => '{ "a" : 1 }', max_attempts => 3, max_failure_rate => 0.5,
    target => 'public.tickets', write_back => '{ "label": "$" }',$$),
    :given::bigint,
    '… written in another way, with other settings, and with what are defaults');
RESET intervalstyle;
RESET search_path;
SELECT is(
    refused('given', $$system_prompt => 'Be long', deadline => '1 day', params => '{"a": 1}',
        max_attempts => 4,$$),
    '22023 | idempotency_key "given" was used with other arguments | What differs: max_attempts, '
    'max_failure_rate, system_prompt, target, write_back. | Give each batch job a key of its own.',
    'other arguments are an error, which names them');
SELECT is(
    refused(repeat('k', 1025), ''),
    '54000 | argument "idempotency_key" is too large | It has 1025 bytes, and may have 1024.',
    'a key that is too long');
SELECT isnt(once(''), NULL, 'an empty key is a key');
SELECT isnt(once(NULL), once(NULL), 'NULL is none');

-- roles
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA sim TO once_ann, once_bob;
SET ROLE once_ann;
SELECT once('monday') AS anns \gset
SET ROLE once_bob;
SELECT once('monday') AS bobs \gset
SELECT is(once('monday'), :bobs::bigint, 'each role has keys of its own');
SELECT throws_ok('SELECT * FROM batchinf.call', '42501', NULL, '… and sees nobody''s');
RESET ROLE;
SELECT is(array_length(ARRAY(SELECT DISTINCT unnest(ARRAY[:first, :anns, :bobs])), 1), 3,
    '… three roles, three jobs');

-- a role with another name, and another role with its name
ALTER ROLE once_ann RENAME TO once_anna;
SET ROLE once_anna;
SELECT is(once('monday'), :anns::bigint, 'a role that was renamed has its keys');
RESET ROLE;
ALTER ROLE once_bob RENAME TO once_ann;
SET ROLE once_ann;
SELECT is(once('monday'), :bobs::bigint, '… and another one that has its old name has not');
RESET ROLE;
ALTER ROLE once_ann RENAME TO once_bob;
ALTER ROLE once_anna RENAME TO once_ann;
-- as in a restored database, where the same oid is another role
SELECT uuid AS install FROM batchinf.here \gset
UPDATE batchinf.call SET install = gen_random_uuid(), owner = 10 WHERE job_id = :bobs;
SET ROLE once_bob;
SELECT is(once('monday'), :bobs::bigint, 'in a restored database a role is known by its name');
RESET ROLE;
UPDATE batchinf.call SET install = :'install', owner = 'once_bob'::regrole WHERE job_id = :bobs;

-- what becomes of the job
SELECT batch_cancel(:first);
CALL batch_work('20 s');
SELECT is(once('monday'), :first::bigint, 'the job has ended: the call gives it all the same');
DELETE FROM batchinf.job WHERE job_id = :first;
SELECT is(once('monday'), :first::bigint, '… also when it is deleted');
DROP SERVER s CASCADE;
SELECT is(once('monday'), :first::bigint, '… and when its server is gone');
SELECT sim.server('s');

-- two at once
SELECT count(*) AS jobs FROM batch_jobs \gset
CREATE FUNCTION begin(key text, last text) RETURNS text LANGUAGE sql AS $$
    SELECT sim.start('first', format(
        'DO %L', format('BEGIN PERFORM once(%L); PERFORM pg_sleep(2); %s END', key, last)));
    SELECT sim.until(
        'SELECT count(*) FROM pg_stat_activity '
        'WHERE application_name = ''first'' AND wait_event = ''PgSleep''',
        '1')
$$;
SELECT begin('both', '') \g /dev/null
SELECT matches(
    sim.psql($$SELECT once('both')$$), 'NOTICE:  batch job \d+ was made by an earlier call',
    'two at once: the second waits for the first, and gives its job');
SELECT is(sim.finish('first'), '', '… which the first has made');
SELECT is(count(*), :jobs + 1::bigint, '… and there is no other') FROM batch_jobs;
SELECT begin('undone', 'RAISE ''undone'';') \g /dev/null
SELECT matches(sim.psql($$SELECT once('undone')$$), '(^|\n)\d+$',
    'the first is rolled back: the second makes the job');
SELECT is(sim.finish('first'), 'undone', '… as the first has not');
SELECT is(count(*), :jobs + 2::bigint, '… the only one') FROM batch_jobs;

DROP OWNED BY once_ann, once_bob;
DROP ROLE once_ann, once_bob;
SELECT * FROM finish();
