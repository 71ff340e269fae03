-- The target table changes while a batch is at the provider. Renamed tables and columns are
-- followed; what is gone is waited for, and nothing more is paid for meanwhile; batch_rewrite
-- writes kept outputs again. The work is done by CALL batch_work(). worker-rewrite.sql runs the
-- same file with the background worker.
\i lib.sql
SELECT no_plan();
SELECT sim.server('openai');
SELECT sim.server('narrow', 'max_requests ''2'', max_batches ''1''');
CREATE FUNCTION ask(target regclass, server name DEFAULT 'openai') RETURNS bigint LANGUAGE sql AS $$
    SELECT batch_submit(format('SELECT id, ''[[sim:say=x]]'' AS p FROM %s ORDER BY id', target),
        server => server, prompt => '{{p}}', key => 'id', target => target,
        write_back => '{"answer": "$"}') $$;
CREATE FUNCTION counts(job bigint) RETURNS text LANGUAGE sql AS $$
    SELECT format('%s: %s succeeded, %s written, %s waiting, %s missing, %s failed', state,
        succeeded, written, write_waiting, target_missing, write_failed)
    FROM batch_jobs WHERE job_id = job $$;
CREATE FUNCTION errors(job bigint) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(DISTINCT write_error, ', ') FROM batch_records WHERE job_id = job
$$;
CREATE FUNCTION billed() RETURNS int LANGUAGE sql AS $$
    SELECT COALESCE(sim.ledger() ->> 'billed_requests', '0')::int
$$;
CREATE FUNCTION hurry(job bigint) RETURNS void LANGUAGE sql AS $$
    UPDATE batchinf.chunk SET write_at = now() WHERE job_id = job AND write_waiting > 0
$$;

-- Batches stay away until they are let go.
SELECT sim.config('{"batch_seconds": 600}');
CREATE ROLE rewrite_owner;
GRANT CREATE, USAGE ON SCHEMA public TO rewrite_owner;
GRANT USAGE ON FOREIGN SERVER openai, narrow TO rewrite_owner;
CREATE USER MAPPING FOR rewrite_owner SERVER openai OPTIONS (api_key 'sk-sim');
CREATE USER MAPPING FOR rewrite_owner SERVER narrow OPTIONS (api_key 'sk-sim');
CREATE ROLE rewrite_other;
GRANT CREATE, USAGE ON SCHEMA public TO rewrite_other;
SELECT format(
    'CREATE TABLE %s (dropped int, id int PRIMARY KEY, answer text); ALTER TABLE %1$s DROP COLUMN '
    'dropped; INSERT INTO %1$s SELECT generate_series(1, 4); GRANT SELECT, '
    'UPDATE ON %1$s TO rewrite_owner',
    t)
FROM unnest('{renamed,crossed,retyped,lost,revoked,swapped,captured,gone}'::text[]) t \gexec
ALTER TABLE swapped OWNER TO rewrite_owner;
SELECT billed() AS billed \gset
SET ROLE rewrite_owner;
SELECT ask('renamed') AS renamed, ask('crossed') AS crossed, ask('retyped') AS retyped,
    ask('lost', 'narrow') AS lost, ask('revoked', 'narrow') AS revoked, ask('swapped') AS swapped,
    ask('captured') AS captured, ask('gone') AS gone \gset
RESET ROLE;
SELECT sim.begin_work();
CALL sim.await('(SELECT count(*) FROM batch_chunks WHERE step IN (''submitted'', '
               '''running'')) >= 7');

ALTER TABLE renamed RENAME COLUMN answer TO reply;
ALTER TABLE renamed RENAME COLUMN id TO "the id";
ALTER TABLE renamed RENAME TO "Renamed ""so""";
ALTER TABLE crossed RENAME COLUMN answer TO was_answer;
ALTER TABLE crossed ADD COLUMN answer text;
ALTER TABLE retyped DROP COLUMN answer;
ALTER TABLE retyped ADD COLUMN other int, ADD COLUMN answer varchar(10);
ALTER TABLE lost DROP COLUMN answer;
REVOKE UPDATE ON revoked FROM rewrite_owner;
-- as dbt does it; the columns stand in another order
BEGIN;
SET LOCAL ROLE rewrite_owner;
CREATE TABLE swapped_new (answer text, more text, id int PRIMARY KEY);
INSERT INTO swapped_new (id) SELECT id FROM swapped;
ALTER TABLE swapped RENAME TO swapped_old;
ALTER TABLE swapped_new RENAME TO swapped;
DROP TABLE swapped_old;
COMMIT;
DROP TABLE captured;
SET ROLE rewrite_other;
CREATE TABLE captured (id int PRIMARY KEY, answer text);
INSERT INTO captured VALUES (1);
GRANT SELECT, UPDATE ON captured TO PUBLIC;
RESET ROLE;
DROP TABLE gone;
SELECT sim.config('{"batch_seconds": 0}');

SELECT is(
    sim.until(format('SELECT counts(%s)', :renamed),
        'completed: 4 succeeded, 4 written, 0 waiting, 0 missing, 0 failed', 60),
    'completed: 4 succeeded, 4 written, 0 waiting, 0 missing, 0 failed',
    'RENAME of table, key and answer');
SELECT is(string_agg(reply, ''), 'xxxx', '… is followed') FROM "Renamed ""so""";
SELECT is(
    sim.until(format('SELECT counts(%s)', :crossed),
        'completed: 4 succeeded, 4 written, 0 waiting, 0 missing, 0 failed', 60),
    'completed: 4 succeeded, 4 written, 0 waiting, 0 missing, 0 failed',
    'another column has the name now');
SELECT is(string_agg(was_answer, '') || count(answer), 'xxxx0',
    '… the one that was asked for is written')
FROM crossed;
SELECT is(
    sim.until(format('SELECT counts(%s)', :retyped),
        'completed: 4 succeeded, 4 written, 0 waiting, 0 missing, 0 failed', 60),
    'completed: 4 succeeded, 4 written, 0 waiting, 0 missing, 0 failed',
    'a column dropped and added again has its name');
SELECT is(
    sim.until(format('SELECT counts(%s)', :swapped),
        'completed: 4 succeeded, 4 written, 0 waiting, 0 missing, 0 failed', 60),
    'completed: 4 succeeded, 4 written, 0 waiting, 0 missing, 0 failed',
    'a table swapped as dbt does it');
SELECT is(string_agg(answer, ''), 'xxxx', '… the new one is written') FROM swapped;
SELECT is(
    sim.until(format('SELECT counts(%s)', :captured),
        'running: 4 succeeded, 0 written, 4 waiting, 0 missing, 0 failed', 60),
    'running: 4 succeeded, 0 written, 4 waiting, 0 missing, 0 failed',
    'promise 5: somebody else''s table that has the name now is not written');
SELECT is(
    errors(:captured),
    'target table public.captured was dropped, and the one that has its name now belongs to '
    'another role',
    '… the rows wait and say why');
SELECT is(
    sim.until(format('SELECT counts(%s)', :gone),
        'running: 4 succeeded, 0 written, 4 waiting, 0 missing, 0 failed', 60),
    'running: 4 succeeded, 0 written, 4 waiting, 0 missing, 0 failed', 'a table that is gone');
SELECT is(errors(:gone), 'target table public.gone does not exist any more',
    '… the rows wait and say why');
SELECT is(
    sim.until(format('SELECT counts(%s)', :lost),
        'running: 2 succeeded, 0 written, 2 waiting, 0 missing, 0 failed', 60),
    'running: 2 succeeded, 0 written, 2 waiting, 0 missing, 0 failed', 'DROP COLUMN');
SELECT is(errors(:lost), 'column "answer" of target table public.lost does not exist any more',
    '… the rows wait and say why');
SELECT is(
    sim.until(
        format(
            'SELECT waiting_for FROM batch_chunks WHERE job_id = %s AND step = ''planned'' '
            'AND wait_kind = ''target''',
            :lost),
        format(
            'column "answer" of target table public.lost does not exist any more; it is '
            'looked at again every 1 s, or at once by batch_resume(%s)',
            :lost),
        60),
    format(
        'column "answer" of target table public.lost does not exist any more; it is looked '
        'at again every 1 s, or at once by batch_resume(%s)',
        :lost),
    '… and what was not sent is held with that reason');
SELECT is(
    sim.until(
        format(
            'SELECT count(*) FROM batch_chunks WHERE job_id = %s '
            'AND waiting_for LIKE ''the job''''s owner lacks UPDATE on column "answer" of '
            'target table public.revoked;%%''',
            :revoked),
        '2', 60),
    '2', 'REVOKE UPDATE: the same');
SELECT is(billed() - :billed, 26, '… nothing of it is paid for');

-- All comes back.
ALTER TABLE lost ADD COLUMN answer text;
GRANT UPDATE ON revoked TO rewrite_owner;
CREATE TABLE gone (id int PRIMARY KEY, answer text);
INSERT INTO gone SELECT generate_series(1, 4);
ALTER TABLE gone OWNER TO rewrite_owner;
ALTER TABLE captured OWNER TO rewrite_owner;
SELECT batch_resume(j) FROM unnest(ARRAY[:lost, :revoked, :gone, :captured]) j \g /dev/null
SELECT is(
    sim.until(format('SELECT counts(%s)', :lost),
        'completed: 4 succeeded, 4 written, 0 waiting, 0 missing, 0 failed', 60),
    'completed: 4 succeeded, 4 written, 0 waiting, 0 missing, 0 failed',
    'when the column is there again all of it goes on');
SELECT is(
    sim.until(format('SELECT counts(%s)', :revoked),
        'completed: 4 succeeded, 4 written, 0 waiting, 0 missing, 0 failed', 60),
    'completed: 4 succeeded, 4 written, 0 waiting, 0 missing, 0 failed',
    '… when the right is granted again');
SELECT is(
    sim.until(format('SELECT counts(%s)', :gone),
        'completed: 4 succeeded, 4 written, 0 waiting, 0 missing, 0 failed', 60),
    'completed: 4 succeeded, 4 written, 0 waiting, 0 missing, 0 failed',
    '… when there is a table again');
SELECT is(
    sim.until(format('SELECT counts(%s)', :captured),
        'completed: 4 succeeded, 1 written, 0 waiting, 3 missing, 0 failed', 60),
    'completed: 4 succeeded, 1 written, 0 waiting, 3 missing, 0 failed',
    '… and when it belongs to the owner');
SELECT is(sim.end_work(), '', '… the work ends');
SELECT is(billed() - :billed, 32, 'promise 1: each record is billed once');

--
-- batch_rewrite
--
CREATE TABLE again (id int PRIMARY KEY, answer text,
    CONSTRAINT full_up CHECK (answer IS NULL OR id <> 2));
INSERT INTO again SELECT generate_series(1, 4);
SELECT ask('again') AS again \gset
DELETE FROM again WHERE id = 3;
SELECT sim.begin_work();
SELECT is(
    sim.until(format('SELECT counts(%s)', :again),
        'completed: 4 succeeded, 2 written, 0 waiting, 1 missing, 1 failed', 60),
    'completed: 4 succeeded, 2 written, 0 waiting, 1 missing, 1 failed',
    'a row that fails and one that is missing');
SELECT is(sim.end_work(), '', '… the work ends');
SELECT billed() AS billed \gset
ALTER TABLE again DROP CONSTRAINT full_up;
INSERT INTO again VALUES (3);
UPDATE again SET answer = 'mine' WHERE id = 1;
SELECT throws_like(format('SELECT batch_rewrite(%s, ''{written}'')', :again),
    'outputs with write state "written" cannot be written again', 'what is written stays');
SELECT throws_like(format('SELECT batch_rewrite(%s, ''{NULL}'')', :again),
    'outputs with write state "NULL" cannot be written again', 'NULL is no state');
SELECT is(batch_rewrite(:again, '{stale}'), 0::bigint, 'no output is stale');
SELECT is(counts(:again), 'completed: 4 succeeded, 2 written, 0 waiting, 1 missing, 1 failed',
    '… and the job has ended');
SET ROLE rewrite_other;
SELECT throws_like(format('SELECT batch_rewrite(%s)', :again),
    'permission denied to rewrite batch job %', 'promise 5: only its owner');
RESET ROLE;
BEGIN;
BEGIN;
SELECT is(batch_rewrite(:again), 2::bigint, 'batch_rewrite: two outputs');
SELECT matches((SELECT waiting_for FROM batch_jobs WHERE job_id = :again),
    '^answers are not yet written to [^:;]+; they are written as soon as that is possible',
    '… and the job says what it waits for, without a reason before the first try');
COMMIT;
SELECT is(counts(:again), 'running: 4 succeeded, 2 written, 2 waiting, 0 missing, 0 failed',
    '… the job is running again');
COMMIT;
SELECT sim.begin_work();
SELECT is(
    sim.until(format('SELECT counts(%s)', :again),
        'completed: 4 succeeded, 4 written, 0 waiting, 0 missing, 0 failed', 60),
    'completed: 4 succeeded, 4 written, 0 waiting, 0 missing, 0 failed', '… and ends');
SELECT is(sim.end_work(), '', '… the work ends');
SELECT is(string_agg(answer, ' ' ORDER BY id), 'mine x x x', '… what was written stays as it is')
FROM again;
SELECT is(billed() - :billed, 0, 'promise 1: nothing is paid for');
SELECT is(batch_rewrite(:again), 0::bigint, 'nothing is left to write');
SELECT throws_like('SELECT batch_rewrite(0)', 'batch job 0 does not exist', 'no such job');
DROP OWNED BY rewrite_owner, rewrite_other CASCADE;
DROP ROLE rewrite_owner, rewrite_other;
SELECT * FROM finish();
