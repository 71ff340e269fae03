-- An error is blamed on the right thing. A fault of the moment waits and is tried again; a fault of
-- a record ends that record alone; nothing that was paid for is lost. The work is done by CALL
-- batch_work(). worker-blame.sql runs the same file with the background worker.
\i lib.sql
SELECT no_plan();
SELECT sim.server('openai');

CREATE FUNCTION ask(target regclass, prompt text DEFAULT '[[sim:say={{id}}]]') RETURNS bigint
LANGUAGE sql AS $$
    SELECT batch_submit(format('SELECT id FROM %s ORDER BY id', target), server => 'openai',
        prompt => prompt, key => 'id', target => target, write_back => '{"answer": "$"}') $$;
CREATE FUNCTION counts(job bigint) RETURNS text LANGUAGE sql AS $$
    SELECT format('%s: %s succeeded, %s invalid, %s written, %s waiting, %s failed', state,
        succeeded, invalid_output, written, write_waiting, write_failed)
    FROM batch_jobs WHERE job_id = job $$;
CREATE FUNCTION told(job bigint) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(concat_ws(' ', record_id, write_state, write_error), ', ' ORDER BY record_id)
    FROM batch_records WHERE job_id = job $$;
-- All that waits is due.
CREATE FUNCTION hurry(job bigint) RETURNS void LANGUAGE sql AS $$
    UPDATE batchinf.chunk SET write_at = now() WHERE job_id = job AND write_waiting > 0;
    UPDATE batchinf.chunk SET next_step_at = now() WHERE job_id = job AND next_step_at > now() $$;

--
-- The target: errors of a moment
--
CREATE TABLE passing (id int PRIMARY KEY, code text, answer text);
INSERT INTO passing SELECT n, code
FROM unnest(
    '{53100,53200,53300,57014,08006,58030,55006,40001,25006,XX000,'
    'HV00N}'::text[]) WITH ORDINALITY c(code, n);
-- They fail until this has a row.
CREATE TABLE open (only_row bool PRIMARY KEY DEFAULT true);
CREATE FUNCTION only_now() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_catalog AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM open) THEN RAISE 'only now' USING errcode = NEW.code; END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER only_now BEFORE UPDATE ON passing FOR EACH ROW EXECUTE FUNCTION only_now();
CREATE TABLE lasting (id int PRIMARY KEY, code text, answer text);
INSERT INTO lasting SELECT n, code
FROM unnest('{22003,23514,44000,54000,P0001,38000,U1234}'::text[]) WITH ORDINALITY c(code, n);
CREATE FUNCTION always() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE 'always' USING errcode = NEW.code;
END $$;
CREATE TRIGGER always BEFORE UPDATE ON lasting FOR EACH ROW EXECUTE FUNCTION always();
SELECT ask('passing') AS passing, ask('lasting') AS lasting \gset
SELECT sim.begin_work();
SELECT is(
    sim.until(format('SELECT counts(%s)', :lasting),
        'completed: 7 succeeded, 0 invalid, 0 written, 0 waiting, 7 failed', 60),
    'completed: 7 succeeded, 0 invalid, 0 written, 0 waiting, 7 failed',
    'issue 11.2: what a value or code of the target raises is that row''s fault');
SELECT is(
    sim.until(format('SELECT counts(%s)', :passing),
        'running: 11 succeeded, 0 invalid, 0 written, 11 waiting, 0 failed', 60),
    'running: 11 succeeded, 0 invalid, 0 written, 11 waiting, 0 failed',
    'issue 11.2: errors of the moment in a target''s write: the rows wait');
SELECT is(string_agg(DISTINCT write_error, ', '), 'only now', '… and say why') FROM batch_records
WHERE job_id = :passing;
SELECT is(
    sim.until(format('SELECT write_tries > 1 FROM batchinf.chunk WHERE job_id = %s', :passing),
        'true', 60),
    'true', '… they are tried again, later and later');
INSERT INTO open DEFAULT VALUES;
SELECT hurry(:passing);
SELECT is(
    sim.until(format('SELECT counts(%s)', :passing),
        'completed: 11 succeeded, 0 invalid, 11 written, 0 waiting, 0 failed', 60),
    'completed: 11 succeeded, 0 invalid, 11 written, 0 waiting, 0 failed',
    '… and written when the moment has passed');
SELECT is(count(*), 11::bigint, '… all of them') FROM passing WHERE answer = id::text;
SELECT is(sim.end_work(), '', '… the work ends');

-- What does not pass ends after batchinf.write_give_up.
ALTER SYSTEM SET batchinf.write_give_up = '1s';
SELECT pg_reload_conf();
TRUNCATE open;
SELECT ask('passing') AS passing \gset
SELECT sim.begin_work();
SELECT is(
    sim.until(format('SELECT counts(%s)', :passing),
        'completed: 11 succeeded, 0 invalid, 0 written, 0 waiting, 11 failed', 60),
    'completed: 11 succeeded, 0 invalid, 0 written, 0 waiting, 11 failed',
    'issue 11.2: after write_give_up they are final');
SELECT is(sim.end_work(), '', '… the work ends');
SELECT is(string_agg(DISTINCT write_error, ', '), 'only now', '… and say why') FROM batch_records
WHERE job_id = :passing;
SELECT ok(bool_and(output = record_id), '… the answers are kept') FROM batch_records
WHERE job_id = :passing;
ALTER SYSTEM RESET batchinf.write_give_up;
SELECT pg_reload_conf();

--
-- Our own tables: no room for large answers, while small ones fit
--
CREATE TABLE t (id int PRIMARY KEY, answer text);
INSERT INTO t SELECT generate_series(1, 6);
TRUNCATE open;
CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF length(NEW.output) > 200000 AND NOT EXISTS (SELECT FROM public.open) THEN
        RAISE 'could not extend file: No space left on device' USING errcode = '53100';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER keep BEFORE INSERT ON batchinf.result FOR EACH ROW EXECUTE FUNCTION keep();
SELECT sim.ledger() ->> 'billed_requests' AS billed \gset
SELECT batch_submit(
    'SELECT id, CASE WHEN id <= 2 THEN ''[[sim:big=300000]]'' ELSE ''[[sim:say=small]]'' END AS p '
    'FROM t ORDER BY id',
    server => 'openai', prompt => '{{p}}', key => 'id', target => 't',
    write_back => '{"answer": "$"}') AS
full \gset
SELECT sim.begin_work();
SELECT is(
    sim.until(format('SELECT counts(%s)', :full),
        'running: 4 succeeded, 0 invalid, 4 written, 0 waiting, 0 failed', 60),
    'running: 4 succeeded, 0 invalid, 4 written, 0 waiting, 0 failed',
    'issue 11.1: no room for two answers: promise 4: the others are delivered');
SELECT is(
    sim.until(
        format(
            'SELECT (waiting_for = ''local_error: could not save 2 answers: could not extend file: '
            'No space left on device'')::text FROM batch_chunks WHERE job_id = %s '
            'AND step = ''fetching''',
            :full),
        'true', 60),
    'true', '… the two wait, and the chunk says for what');
SELECT is(
    sim.until(
        format(
            'SELECT (count(*) > 1)::text FROM batch_events WHERE job_id = %s '
            'AND event = ''deferred''',
            :full),
        'true', 60),
    'true', '… they are fetched again, later and later');
INSERT INTO open DEFAULT VALUES;
SELECT hurry(:full);
SELECT is(
    sim.until(format('SELECT counts(%s)', :full),
        'completed: 6 succeeded, 0 invalid, 6 written, 0 waiting, 0 failed', 60),
    'completed: 6 succeeded, 0 invalid, 6 written, 0 waiting, 0 failed',
    '… and are delivered when there is room');
SELECT is(sim.end_work(), '', '… the work ends');
SELECT is(count(*), 2::bigint, '… in whole') FROM t WHERE length(answer) >= 300000;
SELECT is((sim.ledger() ->> 'billed_requests')::int - :billed, 6,
    'promise 1: nothing is paid for again');
SELECT is(refs ? 'unsaved', false, '… and nothing is left of the wait')
FROM batchinf.chunk JOIN batchinf.batch USING (chunk_id) WHERE job_id = :full;

-- What one record alone causes again and again ends it, and its beginning is kept.
CREATE OR REPLACE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF length(NEW.output) > 200000 THEN
        RAISE 'invalid memory alloc request size 1073741824' USING errcode = 'XX000';
    END IF;
    RETURN NEW;
END $$;
ALTER SYSTEM SET batchinf.write_give_up = '1s';
SELECT pg_reload_conf();
SELECT batch_submit(
    'SELECT id, CASE WHEN id <= 2 THEN ''[[sim:big=300000]]'' ELSE ''[[sim:say=small]]'' END AS p '
    'FROM t ORDER BY id',
    server => 'openai', prompt => '{{p}}', key => 'id', target => 't',
    write_back => '{"answer": "$"}') AS large \gset
SELECT sim.begin_work();
SELECT is(
    sim.until(format('SELECT counts(%s)', :large),
        'completed: 4 succeeded, 2 invalid, 4 written, 0 waiting, 0 failed', 60),
    'completed: 4 succeeded, 2 invalid, 4 written, 0 waiting, 0 failed',
    'issue 11.1: an internal error that one record alone causes again and again: it ends after '
    'write_give_up');
SELECT is(sim.end_work(), '', '… the work ends');
SELECT ok(
    bool_and(
        error_code = 'not_storable' AND error = 'invalid memory alloc request size 1073741824'
        AND length(output) = 65536),
    '… with its reason, and its beginning is kept')
FROM batch_records WHERE job_id = :large AND outcome = 'invalid_output';
-- A value that cannot be kept at once.
CREATE OR REPLACE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.output = 'bad' THEN RAISE 'untranslatable' USING errcode = '22P05'; END IF;
    RETURN NEW;
END $$;
ALTER SYSTEM RESET batchinf.write_give_up;
SELECT pg_reload_conf();
SELECT batch_submit(
    'SELECT id, CASE WHEN id = 2 THEN ''[[sim:say=bad]]'' ELSE ''[[sim:say=small]]'' END AS p '
    'FROM t ORDER BY id',
    server => 'openai', prompt => '{{p}}', key => 'id', target => 't',
    write_back => '{"answer": "$"}') AS bad \gset
SELECT sim.begin_work();
SELECT is(
    sim.until(format('SELECT counts(%s)', :bad),
        'completed: 5 succeeded, 1 invalid, 5 written, 0 waiting, 0 failed', 60),
    'completed: 5 succeeded, 1 invalid, 5 written, 0 waiting, 0 failed',
    'a value that our table refuses ends its record at once');
SELECT is(sim.end_work(), '', '… the work ends');
SELECT is(concat_ws(' ', error_code, error, output), 'not_storable untranslatable',
    '… with the reason')
FROM batch_records WHERE job_id = :bad AND outcome = 'invalid_output';
DROP TRIGGER keep ON batchinf.result;
SELECT * FROM finish();
