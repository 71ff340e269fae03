-- batch_readiness: each factor and each verdict, the recommendation, and a call that can be copied
-- whatever is in its arguments.
\i lib.sql
SELECT no_plan();
SELECT sim.server('s', $$min_requests '5', max_batches '10'$$);
SELECT sim.tickets(20);

--
-- The worksheet: verdicts by facts
--
CREATE FUNCTION facts(more jsonb DEFAULT '{}') RETURNS jsonb LANGUAGE sql AS $$
    SELECT '{"acceptable_delay": "1 day", "records": 1000, "min_requests": 100, "chunks": 1,
             "windows": 1, "bytes": 1000000, "output_tokens": 50000, "batches": 50,
             "hours_p50": 1, "hours_p95": 4, "hours_p99": 10, "late": 0, "answers": 50000,
             "failed": 0.001, "max_attempts": 3, "in_use": 0, "max_batches": 10, "waiting": 0,
             "cost": 10, "realtime_cost": 20, "flex_cost": 10, "capacity_cost": 100,
             "runs_per_month": 1, "provisioned_per_hour": 5, "left_over": "stop", "keep": "-",
             "owner": "me", "listens": true, "deadline_hours": 30}' || more
$$;
CREATE FUNCTION verdict(factor text, more jsonb DEFAULT '{}') RETURNS text LANGUAGE sql AS $$
    SELECT w.verdict FROM batchinf.worksheet(facts(more)) w WHERE w.factor = $1
$$;
SELECT is(string_agg(factor || '=' || verdict, ' ' ORDER BY n),
    'acceptable delay=batch batch window=batch late batches=batch failures and retries=batch '
    'queue=batch minimum size=batch data volume=batch cost=batch real-time capacity=batch '
    'steady volume=batch fallback=batch who looks after it=batch recommendation=batch',
    'each factor has its row, the recommendation comes last')
FROM batchinf.worksheet(facts());
SELECT is(verdict(f, more), wanted, f || ': ' || more::text)
FROM (VALUES
    ('acceptable delay', '{"acceptable_delay": "4 hours"}'::jsonb, 'batch'),
    ('acceptable delay', '{"acceptable_delay": "3:59"}', 'hybrid'),
    ('acceptable delay', '{"acceptable_delay": "59 min"}', 'flex'),
    ('acceptable delay', '{"acceptable_delay": "59 min", "flex_cost": null}', 'realtime'),
    ('acceptable delay', '{"acceptable_delay": "10 s"}', 'realtime'),
    ('acceptable delay', '{"acceptable_delay": null}', 'unknown'),
    ('acceptable delay', '{"acceptable_delay": "5 hours", "windows": 2}', 'hybrid'),
    ('acceptable delay', '{"acceptable_delay": "23 hours", "batches": 4}', 'hybrid'),
    ('acceptable delay', '{"acceptable_delay": "24 hours", "batches": 0, "hours_p50": null,
                           "hours_p95": null}', 'batch'),
    ('batch window', '{"deadline_hours": 3}', 'hybrid'),
    ('batch window', '{"deadline_hours": null, "batches": 0}', 'unknown'),
    ('late batches', '{"late": 0.02}', 'hybrid'),
    ('late batches', '{"batches": 0, "late": null}', 'unknown'),
    ('failures and retries', '{"failed": 0.1}', 'batch'),
    ('failures and retries', '{"failed": 0.1, "acceptable_delay": "7 hours"}', 'hybrid'),
    ('failures and retries', '{"answers": 0, "failed": null}', 'unknown'),
    ('queue', '{"in_use": 10, "acceptable_delay": "7 hours"}', 'hybrid'),
    ('queue', '{"in_use": 10, "max_batches": 0, "acceptable_delay": "7 hours"}', 'batch'),
    ('queue', '{"paused": "by batch_pause_server"}', 'unknown'),
    ('minimum size', '{"records": 99}', 'flex'),
    ('minimum size', '{"records": 99, "flex_cost": null}', 'realtime'),
    ('minimum size', '{"records": 0}', 'unknown'),
    ('cost', '{"cost": 20}', 'realtime'),
    ('cost', '{"cost": null}', 'unknown'),
    ('real-time capacity', '{"capacity_cost": 9}', 'realtime'),
    ('real-time capacity', '{"capacity_cost": null}', 'unknown'),
    ('steady volume', '{"provisioned_per_hour": null}', 'unknown'),
    ('steady volume', '{"runs_per_month": 19, "cost": 10000}', 'batch'),
    ('steady volume', '{"runs_per_month": 30, "cost": 200, "capacity_cost": null}', 'provisioned'),
    ('steady volume', '{"runs_per_month": 30, "cost": 100}', 'batch'),
    ('fallback', '{"left_over": "realtime"}', 'hybrid'),
    ('who looks after it', '{"no_worker": "it is off"}', 'unknown'),
    ('recommendation', '{"acceptable_delay": "2 hours"}', 'hybrid'),
    ('recommendation', '{"deadline_hours": 2}', 'hybrid'),
    ('recommendation', '{"late": 0.5}', 'hybrid'),
    ('recommendation', '{"acceptable_delay": "30 min"}', 'flex'),
    ('recommendation', '{"acceptable_delay": "1 min"}', 'realtime'),
    ('recommendation', '{"records": 3}', 'flex'),
    ('recommendation', '{"records": 3, "flex_cost": null}', 'realtime'),
    ('recommendation', '{"cost": 30}', 'realtime'),
    ('recommendation', '{"runs_per_month": 30, "cost": 200}', 'provisioned'),
    ('recommendation', '{"acceptable_delay": null}', 'batch')) v(f, more, wanted);
SELECT is(w.reason,
    'acceptable delay: a window takes 4 hours (p95 of 50 past batches; p50 1, p99 10), the job '
    'needs windows: 1. cost: batches save 10 US dollars. Missing to be sure: real-time capacity',
    'reasons, and what is missing to be sure')
FROM batchinf.worksheet(facts('{"capacity_cost": null}')) w WHERE factor = 'recommendation';
SELECT isnt(w.reason, NULL, format('%s has a reason where nothing is known', w.factor))
FROM batchinf.worksheet(facts('{"acceptable_delay": null, "batches": 0, "hours_p50": null,
    "hours_p95": null, "hours_p99": null, "late": null, "answers": 0, "failed": null,
    "cost": null, "realtime_cost": null, "flex_cost": null, "capacity_cost": null,
    "runs_per_month": null, "provisioned_per_hour": null, "deadline_hours": null,
    "last_look": null, "no_worker": null}')) w;

--
-- The function
--
SELECT sim.stored() AS before \gset
BEGIN READ ONLY;
SELECT is(count(*), 13::bigint, 'a transaction may be read only')
FROM batch_readiness('SELECT id, body FROM tickets', 's', '{{body}}');
COMMIT;
CREATE TEMP TABLE seen AS
SELECT row_number() OVER () AS n, r.*
FROM batch_readiness('SELECT id, body FROM tickets', 's', '{{body}}', deadline => '2 days',
                     acceptable_delay => '1 day', capacity_cost => 100) r;
SELECT is(sim.stored(), :'before', 'nothing is stored');
SELECT is(count(*), 13::bigint, 'a row for each factor, and one more') FROM seen;
SELECT is((SELECT value FROM seen WHERE factor = 'minimum size'), '20 records', 'it counts');
SELECT is((SELECT verdict FROM seen WHERE n = 13), 'batch', 'a day is enough');
SELECT is((SELECT value FROM seen WHERE n = 13),
    'SELECT public.batch_submit(query => ''SELECT id, body FROM tickets'', server => ''s'', '
    'prompt => ''{{body}}'', deadline => ''2 days'')', '… and this is the call');
SELECT is(verdict, 'flex', 'a batch that would be too small is no error here')
FROM batch_readiness('SELECT id, body FROM tickets WHERE id = 1', 's', '{{body}}',
                     acceptable_delay => '1 day') WHERE factor = 'recommendation';
SELECT matches(reason, 'This version does not take mode => ''flex'', so that the call sends '
                       'batches$', '… and what is not built is said')
FROM batch_readiness('SELECT id, body FROM tickets WHERE id = 1', 's', '{{body}}',
                     acceptable_delay => '1 day') WHERE factor = 'recommendation';

SELECT is(verdict || ': ' || regexp_replace(reason, '[.] Missing.*[.] This', '. This'),
    'hybrid: batch window: the deadline comes before the last batch is back. This version does not '
    'take left_over => ''realtime'', so that the call sends batches', 'a deadline that is too near')
FROM batch_readiness('SELECT id, body FROM tickets', 's', '{{body}}', deadline => '2 hours',
                     acceptable_delay => '1 day') WHERE factor = 'recommendation';

-- The call is the call.
CREATE TABLE "odd ""table'" (id int PRIMARY KEY, "it's" text);
INSERT INTO "odd ""table'" VALUES (1, 'x'), (2, 'y'), (3, 'x'), (4, 'y'), (5, 'z');
CREATE FUNCTION copied(OUT call text, OUT job bigint) LANGUAGE plpgsql AS $body$
BEGIN
    SELECT value INTO call
    FROM batch_readiness(
        E'SELECT id, "it''s" AS body, ''$a$; \\'' AS odd FROM "odd ""table''"\n-- '');',
        's', E'{{body}} '' || (SELECT 1) || ''\\n\\$$"; DROP TABLE tickets; --',
        system_prompt => E'back\\slash '' quote', params => '{"temperature": 0, "stop": ["''"]}',
        target => '"odd ""table''"', write_back => '{"it''s": "$"}', name => E'na\\''me',
        max_attempts => 2, deadline => '36 hours', write_if => 'always', keep => '3 days',
        acceptable_delay => '2 days')
    WHERE factor = 'recommendation';
    EXECUTE call INTO job;
END $body$;
SELECT call, job FROM copied() \gset
SELECT batch_submit(
    E'SELECT id, "it''s" AS body, ''$a$; \\'' AS odd FROM "odd ""table''"\n-- '');',
    's', E'{{body}} '' || (SELECT 1) || ''\\n\\$$"; DROP TABLE tickets; --',
    system_prompt => E'back\\slash '' quote', params => '{"temperature": 0, "stop": ["''"]}',
    target => '"odd ""table''"', write_back => '{"it''s": "$"}', name => E'na\\''me',
    max_attempts => 2, deadline => '36 hours', write_if => 'always', in_flight => 'send',
    keep => '3 days') AS twin \gset
SELECT is(
    (SELECT to_jsonb(d) - 'job_id' FROM batch_job_details d WHERE job_id = :job),
    (SELECT to_jsonb(d) - 'job_id' FROM batch_job_details d WHERE job_id = :twin),
    'the call that is recommended is the one that was asked about');
SELECT is(concat_ws(' ', name, target, records), E'na\\''me public."odd ""table''" 5',
          '… with its name')
FROM batch_jobs WHERE job_id = :job;
SELECT has_table('tickets'::name, 'nothing else was run');
SET standard_conforming_strings = off;
SET IntervalStyle = 'sql_standard';
SELECT is(
    (SELECT value FROM batch_readiness('SELECT id, body FROM tickets', 's', E'\\''{{body}}',
         deadline => '1 day 2:00', acceptable_delay => '2 days') WHERE factor = 'recommendation'),
    $$SELECT public.batch_submit(query => 'SELECT id, body FROM tickets', server => 's', $$
    || $$prompt => E'\\''{{body}}', deadline => '1 day 02:00:00')$$,
    'the settings of the session do not matter');
RESET standard_conforming_strings;
RESET IntervalStyle;

-- arguments
SELECT throws_ok($$SELECT * FROM batch_readiness('SELECT id, body FROM tickets', 's', '{{body}}',
    acceptable_delay => '-1 hour')$$, '22023',
    'argument "acceptable_delay" must be a positive interval', 'a delay is positive');
SELECT throws_ok(format($$SELECT * FROM batch_readiness('SELECT id, body FROM tickets', 's',
    '{{body}}', %s => %L)$$, a, v), '22023',
    format('argument "%s" must be a number that is not negative', a), a || ' is a number')
FROM unnest(ARRAY['capacity_cost', 'runs_per_month', 'provisioned_per_hour']) a,
    unnest(ARRAY['-1', 'NaN', 'Infinity']) v;
SELECT throws_ok($$SELECT * FROM batch_readiness('SELECT 1 / 0 AS id', 's', '{{id}}')$$, '22012',
                 NULL, 'errors of the query are errors');
CREATE ROLE readiness_ann;
SET ROLE readiness_ann;
SELECT throws_ok($$SELECT * FROM batch_readiness('SELECT 1 AS id', 's', '{{id}}')$$, '42501', NULL,
                 'it needs USAGE on the server');
RESET ROLE;
DROP ROLE readiness_ann;
SELECT * FROM finish();
