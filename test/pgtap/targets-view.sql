-- Views with an INSTEAD OF UPDATE trigger as targets: what is written, what a trigger that refuses
-- or fails does to its row, what batch_submit refuses, and with whose rights the trigger runs. And
-- tables with rules.
\i lib.sql
SELECT no_plan();

CREATE ROLE view_app;
CREATE ROLE view_mallory;
CREATE ROLE view_boss SUPERUSER;
SELECT sim.server('openai');
GRANT USAGE ON FOREIGN SERVER openai TO view_app, view_mallory;
CREATE USER MAPPING FOR view_app SERVER openai OPTIONS (api_key 'sk-sim');
CREATE USER MAPPING FOR view_mallory SERVER openai OPTIONS (api_key 'sk-sim');
CREATE USER MAPPING FOR view_boss SERVER openai OPTIONS (api_key 'sk-sim');
CREATE SCHEMA mallory AUTHORIZATION view_mallory;
GRANT USAGE ON SCHEMA mallory TO PUBLIC;

CREATE FUNCTION ask(target text, write_if text DEFAULT 'always', key text DEFAULT NULL)
RETURNS bigint LANGUAGE sql AS $$
    SELECT batch_submit('SELECT id, body FROM ' || target, server => 'openai',
        prompt => 'x [[sim:say=new]] {{body}}', target => target::regclass, key => key,
        write_back => '{"label": "$"}', write_if => write_if) $$;
CREATE FUNCTION states(job bigint) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(record_id || ' ' || write_state, ', ' ORDER BY record_id) FROM batch_records
    WHERE job_id = job $$;
CREATE FUNCTION told(job bigint, record text) RETURNS text LANGUAGE sql AS $$
    SELECT write_error FROM batch_records WHERE job_id = job AND record_id = record $$;
-- the message, detail and hint that a submit raises
CREATE FUNCTION refused(target text, write_if text DEFAULT 'always') RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    detail text;
    hint text;
BEGIN
    PERFORM ask(target, write_if);
    RETURN 'not refused';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
    RETURN concat_ws(' | ', SQLSTATE, SQLERRM, nullif(detail, ''), nullif(hint, ''));
END $$;

--
-- What is written
--
CREATE TABLE t (id int PRIMARY KEY, body text, label text);
INSERT INTO t SELECT i, 'body ' || i FROM generate_series(1, 5) i;
CREATE VIEW v AS SELECT id, upper(body) AS body, label FROM t;
CREATE TABLE witness (id int, who text DEFAULT current_user);
GRANT INSERT ON witness TO PUBLIC;
CREATE FUNCTION write_v() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO public.witness VALUES (NEW.id);
    IF NEW.id = 2 THEN RETURN NULL; END IF;
    IF NEW.id = 3 THEN RAISE 'three is refused'; END IF;
    UPDATE public.t SET label = NEW.label WHERE id = NEW.id;
    RETURN CASE WHEN NEW.id < 5 THEN NEW END;
END $$;
CREATE TRIGGER i INSTEAD OF UPDATE ON v FOR EACH ROW EXECUTE FUNCTION write_v();
GRANT SELECT, UPDATE ON v, t TO view_app;
SET ROLE view_app;
SELECT ask('v') AS job \gset
RESET ROLE;
DELETE FROM t WHERE id = 4;
CALL batch_work('60 s');
SELECT is(states(:job), '1 written, 2 write_failed, 3 write_failed, 4 target_missing, 5 written',
    'the trigger writes; its errors and its NULL are those of their rows; a NULL of a trigger that '
    'has written the row is no failure; a row that is gone is missing');
SELECT is(told(:job, '2'), 'a trigger or policy of the table kept the row from being updated',
    '… a row that the trigger returns NULL for has the reason');
SELECT is(told(:job, '3'), 'three is refused', '… a row that it raises for has the error');
SELECT is(string_agg(id || ' ' || label, ', ' ORDER BY id), '1 new, 5 new', '… the table has them')
FROM t WHERE label IS NOT NULL;
SELECT results_eq('SELECT DISTINCT who FROM witness', $$VALUES ('view_app')$$,
    'promise 5: the trigger runs as the job''s owner');
SELECT is((SELECT guarded FROM batch_jobs WHERE job_id = :job), '{}', 'nothing is guarded');
SELECT is(batch_rewrite(:job), 3::bigint, 'batch_rewrite writes to a view');
INSERT INTO t VALUES (4, 'body 4');
CREATE OR REPLACE FUNCTION write_v() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE public.t SET label = NEW.label WHERE id = NEW.id;
    RETURN NEW;
END $$;
CALL batch_work('60 s');
SELECT is(states(:job), '1 written, 2 written, 3 written, 4 written, 5 written', '… all rows');

-- rows in flight are those of the view
SELECT ask('v') AS job \gset
SELECT ask('v') AS second \gset
SELECT is((SELECT already_in_flight FROM batch_jobs WHERE job_id = :second), 5::bigint,
    'rows of a view that are in an open job are left out');
CALL batch_work('60 s');

--
-- What is refused
--
SELECT is(refused('v', NULL),
    '0A000 | write_if => ''unchanged'' is not supported for view "v" | PostgreSQL does not lock '
    'the rows of a view, so whether one has changed cannot be seen at the moment of the write. | '
    'Use write_if => ''always'', or name the table behind the view.',
    'write_if => ''always'' must be named');
SELECT matches(refused('v', 'unchanged'), '^0A000 \| write_if => ''unchanged'' is not supported',
    'unchanged is refused');
SELECT matches(refused('v', 'null'), '^0A000 \| write_if => ''null'' is not supported',
    'null is refused');
CREATE VIEW plain AS SELECT * FROM t;
CREATE VIEW ruled AS SELECT * FROM t;
CREATE TRIGGER i INSTEAD OF UPDATE ON ruled FOR EACH ROW EXECUTE FUNCTION write_v();
CREATE RULE r AS ON UPDATE TO ruled DO ALSO NOTHING;
CREATE VIEW inserted AS SELECT * FROM t;
CREATE TRIGGER i INSTEAD OF INSERT ON inserted FOR EACH ROW EXECUTE FUNCTION write_v();
SELECT is(refused(name),
    format('42809 | cannot write back to "%s" | It is a view.  A target is an ordinary or '
    'partitioned table. | Name the table behind the view, or give the view an INSTEAD OF UPDATE '
    'trigger and no rule for UPDATE.', name), what || ' is refused')
FROM (VALUES ('plain', 'a view that PostgreSQL updates by itself'),
          ('ruled', 'a view with a rule for UPDATE'),
          ('inserted', 'a view with another trigger')) v(name, what);
REVOKE UPDATE ON v FROM view_app;
SET ROLE view_app;
SELECT matches(refused('v'), '^42501 \| permission denied for column "label"',
    'promise 5: without UPDATE on the view batch_submit refuses');
RESET ROLE;
GRANT UPDATE ON v TO view_app;

-- pipelines
CREATE FUNCTION pipeline(write_if text) RETURNS int LANGUAGE sql AS $$
    SELECT batch_create_pipeline('p', 'SELECT id, body FROM v', 'openai',
        prompt => '[[sim:say=piped]] {{body}}', target => 'v', write_back => '{"label": "$"}',
        write_if => write_if) $$;
SELECT throws_ok($$SELECT pipeline('unchanged')$$, '0A000',
    'write_if => ''unchanged'' is not supported for view "v"', 'a pipeline is refused the same');
SELECT pipeline('always');
SELECT batch_refresh('p') AS job \gset
CALL batch_work('60 s');
SELECT is(states(:job), '1 written, 2 written, 3 written, 4 written, 5 written',
    '… and with always its answers are written');
SELECT batch_drop_pipeline('p');

--
-- What becomes of the view meanwhile
--
CREATE FUNCTION all_wait(job bigint) RETURNS void LANGUAGE sql AS $$
    SELECT sim.work_until(format(
        '(SELECT bool_and(write_state IS NOT DISTINCT FROM ''waiting'') FROM batch_records '
        'WHERE job_id = %s)', job)) $$;
UPDATE t SET label = 'old';
SET ROLE view_app;
SELECT ask('v') AS job \gset
RESET ROLE;
DROP TRIGGER i ON v;
SELECT all_wait(:job);
SELECT matches(told(:job, '1'), '^cannot write back to "v" \(It is a view\.',
    'the trigger was dropped: answers wait');
SELECT is(string_agg(DISTINCT label, ','), 'old', '… and nothing goes to the table behind') FROM t;
CREATE TRIGGER i INSTEAD OF UPDATE ON v FOR EACH ROW EXECUTE FUNCTION write_v();
CALL batch_work('60 s');
SELECT is(states(:job), '1 written, 2 written, 3 written, 4 written, 5 written',
    '… until it is there again');

-- a view that takes the name of a view, and one that takes the name of a table
CREATE VIEW w AS SELECT * FROM v;
CREATE TRIGGER i INSTEAD OF UPDATE ON w FOR EACH ROW EXECUTE FUNCTION write_v();
CREATE TABLE plain_t AS SELECT * FROM t;
UPDATE t SET label = 'old';
SELECT ask('w') AS view_job, ask('plain_t', key => 'id') AS table_job \gset
DROP VIEW w;
CREATE VIEW w AS SELECT * FROM t;
CREATE TRIGGER i INSTEAD OF UPDATE ON w FOR EACH ROW EXECUTE FUNCTION write_v();
DROP TABLE plain_t;
CREATE VIEW plain_t AS SELECT * FROM t;
CREATE TRIGGER i INSTEAD OF UPDATE ON plain_t FOR EACH ROW EXECUTE FUNCTION write_v();
SELECT sim.work_until(format(
    '(SELECT bool_and(state = ''completed'' OR waiting_for IS NOT NULL) FROM batch_jobs '
    'WHERE job_id IN (%s, %s)) AND '
    '(SELECT state = ''completed'' FROM batch_jobs WHERE job_id = %1$s)',
    :view_job, :table_job));
SELECT is(states(:view_job), '1 written, 2 written, 3 written, 4 written, 5 written',
    'a view that was dropped is followed by the view that has its name');
SELECT matches(waiting_for, 'target table public.plain_t does not exist any more',
    'a table is not followed by a view') FROM batch_jobs WHERE job_id = :table_job;
SELECT batch_cancel(:table_job);
DROP VIEW plain_t, w;

--
-- Hostile owners of views: never with the rights of a superuser (promise 5)
--
GRANT CREATE ON SCHEMA public TO view_mallory;
SET ROLE view_mallory;
CREATE FUNCTION mallory.rise() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO public.witness VALUES (NEW.id);
    ALTER ROLE view_mallory SUPERUSER;
    RETURN NEW;
EXCEPTION WHEN insufficient_privilege THEN
    INSERT INTO public.witness VALUES (NEW.id);
    RETURN NEW;
END $$;
CREATE TABLE mallory.rows (id int, body text, label text);
INSERT INTO mallory.rows VALUES (1, 'one'), (2, 'two');
CREATE FUNCTION mallory.look(text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO public.witness VALUES (-1);
    RETURN $1;
END $$;
CREATE VIEW mallory.hers AS SELECT id, body, label FROM mallory.rows;
CREATE TRIGGER i INSTEAD OF UPDATE ON mallory.hers FOR EACH ROW EXECUTE FUNCTION mallory.rise();
CREATE VIEW mallory.later AS SELECT id, body, label FROM mallory.rows;
CREATE TRIGGER i INSTEAD OF UPDATE ON mallory.later FOR EACH ROW EXECUTE FUNCTION mallory.rise();
RESET ROLE;
-- a superuser's view with a trigger function of hers; one that reads a view of hers
CREATE VIEW boss_trigger AS SELECT * FROM t;
CREATE TRIGGER i INSTEAD OF UPDATE ON boss_trigger FOR EACH ROW EXECUTE FUNCTION mallory.rise();
CREATE VIEW boss_reads AS
SELECT t.id, t.body, h.label FROM t LEFT JOIN mallory.hers h ON h.id = t.id;
CREATE TRIGGER i INSTEAD OF UPDATE ON boss_reads FOR EACH ROW EXECUTE FUNCTION write_v();
ALTER VIEW boss_trigger OWNER TO view_boss;
ALTER VIEW boss_reads OWNER TO view_boss;
TRUNCATE witness;
SET ROLE view_boss;
SELECT ask('mallory.hers') AS hers, ask('mallory.later') AS later \gset
SELECT is(refused('boss_trigger'),
    '42501 | cannot write to "public.boss_trigger" for a superuser | Views or foreign tables that '
    'it reads, or functions of its triggers, belong to other roles that are not superusers: '
    '"view_mallory". | Give all of them one owner, or submit the job as an ordinary role.',
    'promise 5: a superuser''s job on a view with a trigger function of another is refused');
SELECT matches(refused('boss_reads'), '^42501 \| cannot write to "public.boss_reads" for a super',
    'promise 5: … and on one that reads a view of another');
RESET ROLE;
CREATE VIEW changed AS SELECT * FROM t;
CREATE TRIGGER i INSTEAD OF UPDATE ON changed FOR EACH ROW EXECUTE FUNCTION write_v();
ALTER VIEW changed OWNER TO view_boss;
SET ROLE view_boss;
SELECT ask('changed') AS changed \gset
RESET ROLE;
-- the views change hands before the answers come, and what a view reads
CREATE OR REPLACE VIEW changed AS SELECT t.id, t.body, t.label FROM t
WHERE EXISTS (SELECT FROM mallory.hers);
CALL batch_work('60 s');
SELECT is(states(:hers) || ', ' || states(:later),
    '1 written, 2 written, 1 written, 2 written',
    'a superuser''s job on another''s view is written');
SELECT is(states(:changed),
    '1 write_failed, 2 write_failed, 3 write_failed, 4 write_failed, 5 write_failed',
    'promise 5: what a view reads is looked up at the write');
SELECT results_eq('SELECT DISTINCT who FROM witness', $$VALUES ('view_mallory')$$,
    'promise 5: the trigger of a hostile owner runs as that owner');
SELECT is(rolsuper, false, 'promise 5: … and makes nobody a superuser') FROM pg_roles
WHERE rolname = 'view_mallory';

-- a superuser's view becomes hers, and one is dropped and made by her
TRUNCATE witness;
DROP VIEW changed;
CREATE VIEW changed AS SELECT * FROM t;
CREATE TRIGGER i INSTEAD OF UPDATE ON changed FOR EACH ROW EXECUTE FUNCTION write_v();
CREATE VIEW dropped AS SELECT * FROM t;
CREATE TRIGGER i INSTEAD OF UPDATE ON dropped FOR EACH ROW EXECUTE FUNCTION write_v();
ALTER VIEW changed OWNER TO view_boss;
ALTER VIEW dropped OWNER TO view_boss;
SET ROLE view_boss;
SELECT ask('changed') AS changed, ask('dropped') AS dropped \gset
RESET ROLE;
ALTER VIEW changed OWNER TO view_mallory;
GRANT SELECT ON t TO view_mallory;
DROP VIEW dropped;
SET ROLE view_mallory;
CREATE OR REPLACE TRIGGER i INSTEAD OF UPDATE ON changed FOR EACH ROW
EXECUTE FUNCTION mallory.rise();
CREATE VIEW dropped AS SELECT * FROM mallory.rows;
CREATE TRIGGER i INSTEAD OF UPDATE ON dropped FOR EACH ROW EXECUTE FUNCTION mallory.rise();
RESET ROLE;
SELECT sim.work_until_waits(:dropped);
SELECT matches(waiting_for, 'the one that has its name now belongs to another role',
    'promise 5: a view of the same name of another is not followed')
FROM batch_jobs WHERE job_id = :dropped;
SELECT batch_cancel(:dropped);
CALL batch_work('60 s');
SELECT is(states(:changed), '1 written, 2 written, 3 written, 4 written, 5 written',
    'a view that has another owner now is written as that owner');
SELECT results_eq('SELECT DISTINCT who FROM witness', $$VALUES ('view_mallory')$$,
    'promise 5: … whose trigger runs as that owner');
SELECT is(rolsuper, false, 'promise 5: … and makes nobody a superuser') FROM pg_roles
WHERE rolname = 'view_mallory';

-- an ordinary role's job on her view: as with a table of hers, her code runs as the job's owner
GRANT SELECT, UPDATE ON mallory.hers TO view_app;
TRUNCATE witness;
SET ROLE view_app;
SELECT ask('mallory.hers') AS job \gset
RESET ROLE;
CALL batch_work('60 s');
SELECT is(states(:job), '1 written, 2 written', 'an ordinary role''s job on another''s view');
SELECT results_eq('SELECT DISTINCT who FROM witness', $$VALUES ('view_app')$$,
    '… runs as the job''s owner, as in a session of theirs');

--
-- Tables with rules
--
CREATE TABLE base (id int PRIMARY KEY, body text, label text);
INSERT INTO base VALUES (1, 'one');
CREATE FUNCTION with_rule(mode text, rule text, name text DEFAULT 'base') RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    result text;
    detail text;
    job bigint;
BEGIN
    EXECUTE format('CREATE RULE r AS ON %s', replace(rule, '@', name));
    BEGIN
        job := batch_submit('SELECT id, ''[[sim:say=ruled]]'' AS prompt FROM base', 'openai',
            target => name::regclass, write_back => CASE mode
                WHEN 'update' THEN '{"label": "$"}'
                ELSE '{"id": {"column": "id"}, "label": "$"}' END::jsonb,
            write_mode => mode, replace_by => CASE mode WHEN 'replace' THEN 'label' END);
        PERFORM batch_cancel(job);
        result := 'taken';
    EXCEPTION WHEN OTHERS THEN
        GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
        result := concat_ws(' | ', SQLSTATE, SQLERRM, detail);
    END;
    EXECUTE format('DROP RULE r ON %I', name);
    RETURN result;
END $$;
SELECT is(with_rule(mode, rule),
    '42809 | cannot write back to "base" | It has a rule that does something else instead of the '
    'write.', format('%s: %s is refused', mode, rule))
FROM (VALUES ('update', 'UPDATE TO @ DO INSTEAD NOTHING'),
          ('update', 'UPDATE TO @ WHERE OLD.id > 5 DO INSTEAD NOTHING'),
          ('insert', 'INSERT TO @ DO INSTEAD NOTHING'),
          ('replace', 'INSERT TO @ DO INSTEAD NOTHING')) v(mode, rule);
SELECT is(with_rule('upsert', rule),
    '0A000 | cannot write back to "base" | It has a rule for INSERT or UPDATE, and PostgreSQL has '
    'no INSERT … ON CONFLICT for such tables.', format('upsert: %s is refused', rule))
FROM (VALUES ('INSERT TO @ DO ALSO NOTHING'), ('UPDATE TO @ DO ALSO NOTHING')) v(rule);
SELECT is(with_rule('replace', rule),
    '0A000 | cannot write back to "base" | It has a rule for DELETE, and PostgreSQL cannot return '
    'what such a DELETE has deleted.', format('replace: %s is refused', rule))
FROM (VALUES ('DELETE TO @ DO INSTEAD NOTHING'), ('DELETE TO @ DO ALSO NOTHING')) v(rule);
SELECT is(with_rule(mode, rule), 'taken', format('%s: %s is taken', mode, rule))
FROM (VALUES ('update', 'INSERT TO @ DO INSTEAD NOTHING'),
          ('update', 'UPDATE TO @ DO ALSO NOTHING'),
          ('insert', 'UPDATE TO @ DO INSTEAD NOTHING'),
          ('insert', 'INSERT TO @ DO ALSO NOTHING'),
          ('upsert', 'DELETE TO @ DO INSTEAD NOTHING')) v(mode, rule);
-- a rule that is made later, while no cancelled job has the row
CALL batch_work('60 s');
SELECT ask('base') AS job \gset
CREATE RULE r AS ON UPDATE TO base DO INSTEAD NOTHING;
CALL batch_work('5 s');
SELECT matches(waiting_for, 'cannot write back to "base"',
    'a rule that is made later: the job waits')
FROM batch_jobs WHERE job_id = :job;
DROP RULE r ON base;
UPDATE batchinf.chunk SET write_at = now() WHERE job_id = :job;
CALL batch_work('60 s');
SELECT is(label, 'new', '… until it is gone') FROM base;

SELECT * FROM finish();
