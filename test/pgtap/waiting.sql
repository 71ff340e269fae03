-- A job that waits says why: batch_jobs.waiting_for, the notices of batch_wait, the server log, and
-- the error of a job that failed.
\i lib.sql
SELECT no_plan();

SELECT sim.server('openai');
SELECT sim.tickets(20);
CREATE FUNCTION submit(n int, server name DEFAULT 'openai') RETURNS bigint LANGUAGE sql AS $$
    SELECT batch_submit(format('SELECT id, body FROM tickets WHERE id <= %s ORDER BY id', n),
        server => server, prompt => '{{body}}', target => 'tickets',
        write_back => '{"label": "$"}', in_flight => 'send', write_if => 'always');
$$;
-- What it waits for, with S and U for the times since and until when.
CREATE FUNCTION why(job bigint) RETURNS text LANGUAGE sql AS $$
    SELECT regexp_replace(
        regexp_replace(waiting_for, '; since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d [^; ]+', '; S'),
        '; next try \d{4}-\d\d-\d\d \d\d:\d\d:\d\d [^; ]+', '; U')
    FROM batch_jobs WHERE job_id = job $$;
CREATE FUNCTION waits(job bigint, wanted text) RETURNS text LANGUAGE sql AS $$
    SELECT is(sim.until(format('SELECT why(%s) ~ %L', job, wanted), 'true', 30), 'true',
        'waits for: ' || wanted) || E'\n'
            || CASE WHEN why(job) ~ wanted THEN '' ELSE diag(why(job)) END $$;
CREATE FUNCTION now_due() RETURNS void LANGUAGE sql AS $$
    UPDATE batchinf.pause SET until = now();
    UPDATE batchinf.chunk SET next_step_at = now() WHERE next_step_at IS NOT NULL $$;

CREATE FUNCTION log() RETURNS text LANGUAGE sql AS $$
    SELECT pg_read_file(split_part(current_setting('unix_socket_directories'), ',', 1) || '/log')
$$;

-- nobody works, paused, foreign
SELECT submit(3) AS job \gset
SELECT is(why(:job), NULL, 'a new job waits for nothing');
UPDATE batchinf.chunk SET next_step_at = now() - interval '1 min' WHERE job_id = :job;
SELECT is(
    why(:job),
    'no background worker does this job: batchinf.enabled is off. CALL batch_work() does it in a '
    'session; S',
    'work is disabled');
SELECT batch_pause(:job);
SELECT is(why(:job), format('the job is paused; batch_resume(%s) lets it go on; S', :job),
    'a paused job');
SELECT batch_resume(:job);
UPDATE batchinf.job SET install = gen_random_uuid() WHERE job_id = :job;
SELECT is(why(:job),
    format('the job belongs to another installation; batch_adopt(%s) lets it go on here', :job),
    'a foreign job');
SELECT batch_adopt(:job);
CALL batch_work('20 s');
SELECT is(why(:job), NULL, 'a job that has ended waits for nothing');

-- a bad key
SELECT sim.server('bad');
ALTER USER MAPPING FOR CURRENT_USER SERVER bad OPTIONS (SET api_key 'sk-bad');
SELECT sim.fault('{"match": {"path_regex": "/files"}, "times": "always", "action": {"status": 401, '
                 '"body": {"error": {"message": "no such key", "type": "invalid_request_error", '
                 '"code": "invalid_api_key"}}}}');
SELECT submit(3, 'bad') AS bad \gset
SELECT sim.work_beside('60 s');
SELECT waits(
    :bad,
    '^server "bad" refuses the key of role "postgres": invalid_api_key: no such key; '
    'batch_check\(''bad''\) tries it, ALTER USER MAPPING gives another; S; U$');
-- again and again, because nothing waits while the key is tried
SELECT is(
    sim.until(
        format(
            'SELECT sim.psql(%L) ~ %L', format('CALL batch_wait(%s, ''1 s'')', :bad),
            format(
                E'NOTICE:  batch job %s waits: server "bad" refuses the key of role "postgres": '
                'invalid_api_key: no such key;[^\n]*\nERROR',
                :bad)),
        'true', 30),
    'true', 'batch_wait says so');
SELECT ok(last_error = 'invalid_api_key: no such key' AND last_error_at IS NOT NULL,
    'batch_servers has the error')
FROM batch_servers WHERE server = 'bad';
SELECT sim.clear_faults();
ALTER USER MAPPING FOR CURRENT_USER SERVER bad OPTIONS (SET api_key 'sk-sim');
SELECT now_due();
SELECT is(
    sim.until(format('SELECT state FROM batch_jobs WHERE job_id = %s', :bad), 'completed', 30),
    'completed', 'a good key: it goes on');
SELECT is(count(*), 1::bigint, 'the log says once that the key fails')
FROM regexp_matches(log(),
    'LOG:  server "bad" is paused for batch jobs of role "postgres": invalid_api_key: no such key',
    'g');
SELECT is(count(*), 1::bigint, '… and once that it works again')
FROM regexp_matches(log(), 'LOG:  server "bad" works again for batch jobs of role "postgres"', 'g');
SELECT ok(last_error IS NULL AND last_error_at IS NULL, '… and success has cleared the error')
FROM batch_servers WHERE server = 'bad';

-- a server that fails
SELECT sim.fault('{"match": {"path_regex": "/files"}, "times": "always", "action": {"status": 503, '
                 '"body": {"error": {"message": "overloaded", "type": "server_error", '
                 '"code": "busy"}}}}');
SELECT submit(3) AS down \gset
SELECT sim.work_beside('60 s');
SELECT waits(
    :down,
    '^server "openai" does not work now: [^;]*overloaded; the job goes on by itself when it does; '
    'S; U$');
SELECT sim.clear_faults();
SELECT now_due();
SELECT is(
    sim.until(format('SELECT state FROM batch_jobs WHERE job_id = %s', :down), 'completed', 30),
    'completed', 'it works again: the job goes on');

-- a mapping that is missing, a right, a server
SELECT sim.server('gone');
SELECT submit(3, 'gone') AS gone, submit(3, 'gone') AS gone2 \gset
DROP USER MAPPING FOR CURRENT_USER SERVER gone;
SELECT sim.work_until_waits(:gone, :gone2);
SELECT is(
    why(:gone),
    'the job''s owner has no user mapping for server "gone"; CREATE USER MAPPING FOR postgres '
    'SERVER gone OPTIONS (…) gives the key; S; U',
    'no user mapping');
SELECT is(
    last_error,
    'the job''s owner has no user mapping for server "gone"; CREATE USER MAPPING FOR postgres '
    'SERVER gone OPTIONS (…) gives the key',
    'batch_servers says so, too')
FROM batch_servers WHERE server = 'gone';
DROP SERVER gone CASCADE;
SELECT now_due();
SELECT sim.work_until(format('why(%s) ~ ''not exist'' AND why(%s) ~ ''not exist''', :gone, :gone2));
SELECT is(count(*), 1::bigint,
    'the log says once that the key is missing, though two jobs wait for it')
FROM regexp_matches(
    log(),
    'LOG:  server "gone" is paused for batch jobs of role "postgres": the job''s owner has no user '
    'mapping',
    'g');
SELECT is(why(:gone),
    format('server "gone" does not exist any more; batch_cancel(%s) ends the job; S; U', :gone),
    'no server');
SELECT batch_cancel(:gone), batch_cancel(:gone2) \g /dev/null
CALL batch_work('10 s');
CREATE ROLE waiting_user;
GRANT USAGE ON FOREIGN SERVER openai TO waiting_user;
GRANT SELECT, UPDATE ON tickets TO waiting_user;
CREATE USER MAPPING FOR waiting_user SERVER openai OPTIONS (api_key 'sk-sim');
SET ROLE waiting_user;
SELECT submit(3) AS no_right \gset
RESET ROLE;
REVOKE USAGE ON FOREIGN SERVER openai FROM waiting_user;
SELECT sim.work_until_waits(:no_right);
SELECT is(
    why(:no_right),
    'the job''s owner lacks USAGE on server "openai"; GRANT USAGE ON FOREIGN SERVER openai TO '
    'waiting_user gives it; S; U',
    'no USAGE');
GRANT USAGE ON FOREIGN SERVER openai TO waiting_user;
SELECT now_due();
CALL batch_work('20 s');
SELECT is(state, 'completed', '… which is given: the job goes on') FROM batch_jobs
WHERE job_id = :no_right;

-- a base_url without /v1
SELECT sim.server('bare');
SELECT replace(sim.url(), '/v1', '') AS bare \gset
ALTER SERVER bare OPTIONS (SET base_url :'bare');
SELECT matches(detail, 'base_url has no path; should it end in /v1\?',
    'batch_check says what may be wrong with the address')
FROM batch_check('bare');
SELECT submit(3, 'bare') AS bare_job \gset
SELECT sim.work_until(format('(SELECT COALESCE(waiting_for, error) IS NOT NULL FROM batch_jobs '
                             'WHERE job_id = %s)', :bare_job));
SELECT matches(COALESCE(waiting_for, error), 'base_url has no path; should it end in /v1\?',
    '… and so does a job')
FROM batch_jobs WHERE job_id = :bare_job;
SELECT batch_cancel(:bare_job);
CALL batch_work('20 s');
SELECT is(state, 'cancelled', '… which ends when it is cancelled') FROM batch_jobs
WHERE job_id = :bare_job;

-- no room
SELECT sim.server('full', $$max_batches '1'$$);
SELECT sim.config('{"batch_seconds": 600}');
SELECT submit(3, 'full') AS first \gset
SELECT sim.work_until(format('(SELECT step IN (''submitted'', ''running'') FROM batch_chunks '
                             'WHERE job_id = %s)', :first));
SELECT submit(3, 'full') AS second \gset
SELECT sim.work_until_waits(:second);
SELECT is(
    why(:second),
    'server limit max_batches: 1 of 1 in use; it goes on when a batch there has ended; S; U',
    'a full server');
SELECT is(why(:first), NULL, 'a batch that runs at the provider waits for nothing here');
SELECT sim.config('{"batch_seconds": 0.2}');
SELECT batch_cancel(:first), batch_cancel(:second) \g /dev/null
CALL batch_work('20 s');

-- a locked row
SELECT sim.connect('locker');
SELECT submit(3) AS locked \gset
SELECT dblink_exec('locker', 'BEGIN'),
    dblink_exec('locker', 'UPDATE tickets SET label = label WHERE id = 2') \g /dev/null
SELECT sim.work_beside('60 s');
SELECT waits(
    :locked,
    '^answers are not yet written to (public\.)?tickets: .*lock.*; they are written as soon as '
    'that is possible; S; U$');
SELECT dblink_exec('locker', 'COMMIT'), dblink_disconnect('locker') \g /dev/null
SELECT is(
    sim.until(format('SELECT state FROM batch_jobs WHERE job_id = %s', :locked), 'completed', 30),
    'completed', 'it is written');

-- a job all of whose records failed
CREATE FUNCTION failed(prompt text, target regclass DEFAULT NULL, write_back jsonb DEFAULT NULL)
RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    job bigint := sim.psql(
        'SET client_min_messages = error',
        format(
            'SELECT batch_submit(%L, server => ''openai'', prompt => %L, target => %L, '
            'write_back => %L, max_attempts => 1)',
            'SELECT id, CASE id WHEN 1 THEN ''[[sim:refusal]]'' ELSE ''[[sim:error=400]]'' END AS '
            'mark FROM tickets WHERE id <= 5',
            prompt, target, write_back));
BEGIN
    PERFORM sim.psql('CALL batch_work(''30 s'')');
    RETURN (SELECT concat_ws(' | ', state, error) FROM batch_jobs WHERE job_id = job);
END $$;
SELECT matches(failed('{{mark}}'), '^completed \| 4 of 5 records ended as errored: .+',
    'the commonest reason and its count');
SELECT is(failed('[[sim:say=ok]] {{id}}'), 'completed', 'none where one has succeeded');
ALTER TABLE tickets ADD CHECK (label <> 'never');
SELECT matches(failed('[[sim:say=never]] {{id}}', 'tickets', '{"label": "$"}'),
    '^completed \| 5 of 5 answers have the write state write_failed: .*tickets_label_check',
    'answers none of which could be written');
SELECT matches(
    sim.psql(format('CALL batch_wait(%s)', (SELECT max(job_id) FROM batch_jobs))),
    E'^NOTICE:  batch job \\d+ is completed: 5 of 5 records done, '
    '5 succeeded, cost 0\\.\\d+ USD\nDETAIL:  5 of 5 answers have the write state write_failed',
    'batch_wait says it at the end');

-- what one line costs does not grow with other jobs' chunks
CREATE FUNCTION plan_of(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    line text;
    plan text := '';
BEGIN
    FOR line IN EXECUTE 'EXPLAIN (COSTS off) ' || query LOOP
        plan := plan || line || E'\n';
    END LOOP;
    RETURN plan;
END $$;
INSERT INTO batchinf.job (install, database, spec, owner, owner_name, server, server_name, model,
    task, records, skipped)
SELECT h.uuid, h.database, '{}', 10, 'x', s.oid, 'openai', 'm', 'chat', 10, 0
FROM batchinf.here h, (SELECT min(oid) AS oid FROM pg_foreign_server) s, generate_series(1, 5000);
INSERT INTO batchinf.chunk (job_id, state, attempt, attempts_left, intent, records, bytes, tokens)
SELECT job_id, 'planned', 1, 0, md5(job_id || ' ' || i), 10, 1000, 10
FROM batchinf.job, generate_series(1, 2) i WHERE spec = '{}';
ANALYZE batchinf.job, batchinf.chunk, batchinf.result;
SET enable_bitmapscan = off;
SELECT unalike(plan_of('SELECT waiting_for FROM batch_jobs WHERE job_id = ' || :job),
    '%Seq Scan on chunk%', 'one job''s waiting_for reads its own chunks');
SELECT unalike(plan_of('SELECT waiting_for FROM batch_jobs WHERE job_id = ' || :job),
    '%chunk_unfinished%', '… and not all that are unfinished');
DELETE FROM batchinf.job WHERE spec = '{}';

DROP OWNED BY waiting_user;
DROP ROLE waiting_user;
SELECT * FROM finish();
