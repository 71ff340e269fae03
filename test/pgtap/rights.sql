-- SQL of users runs only as the user who submitted it (promise 5): triggers, constraints, policies,
-- functions in indexes, views. And who sees and manages whose jobs.
\i lib.sql
SELECT no_plan();

CREATE ROLE rights_alice;
CREATE ROLE rights_bob;
CREATE ROLE rights_member IN ROLE rights_alice;
CREATE ROLE rights_auditor IN ROLE pg_read_all_data;
CREATE ROLE rights_dave;
CREATE ROLE rights_erin;
CREATE ROLE rights_boss SUPERUSER;
SELECT sim.server('openai');
GRANT USAGE ON FOREIGN SERVER openai TO rights_alice, rights_bob, rights_dave, rights_erin;
CREATE USER MAPPING FOR rights_alice SERVER openai OPTIONS (api_key 'sk-sim');
CREATE USER MAPPING FOR rights_bob SERVER openai OPTIONS (api_key 'sk-sim');
CREATE USER MAPPING FOR rights_dave SERVER openai OPTIONS (api_key 'sk-sim');
CREATE USER MAPPING FOR rights_erin SERVER openai OPTIONS (api_key 'sk-sim');
CREATE USER MAPPING FOR rights_boss SERVER openai OPTIONS (api_key 'sk-sim');
CREATE SCHEMA alice AUTHORIZATION rights_alice;
CREATE SCHEMA tool;
GRANT USAGE ON SCHEMA tool TO PUBLIC;

-- Who was there.
CREATE TABLE tool.witness (what text, who text DEFAULT current_user,
    session text DEFAULT session_user, path text DEFAULT current_setting('search_path'));
GRANT INSERT ON tool.witness TO PUBLIC;
CREATE FUNCTION tool.say(text) RETURNS text LANGUAGE sql AS $$
    SELECT '[[sim:say=' || regexp_replace(encode(convert_to($1, 'UTF8'), 'hex'), '(..)', '%\1', 'g')
        || ']]'
$$;
CREATE FUNCTION tool.ask(query text, target regclass, col text DEFAULT 'answer') RETURNS bigint
LANGUAGE sql AS $$
    SELECT batch_submit(query, server => 'openai', prompt => '{{p}}', key => 'id', target => target,
        write_back => jsonb_build_object(col, '$'), in_flight => 'send', write_if => 'always') $$;
-- record_id: state: error, …
CREATE FUNCTION tool.told(job bigint) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(concat_ws(': ', record_id, write_state, write_error),
        E'\n' ORDER BY record_id)
    FROM batch_records WHERE job_id = job $$;
CREATE FUNCTION tool.states(job bigint) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(record_id || ' ' || write_state, ', ' ORDER BY record_id) FROM batch_records
    WHERE job_id = job $$;

--
-- Triggers run as the owner, and nothing of it stays in the session
--
SET ROLE rights_alice;
CREATE TABLE alice.plain (id int PRIMARY KEY, answer text);
INSERT INTO alice.plain SELECT generate_series(1, 3);
CREATE FUNCTION alice.witness() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO tool.witness (what) VALUES (TG_WHEN || ' ' || current_setting('lock_timeout'));
    PERFORM set_config('search_path', 'alice', false), set_config('lock_timeout', '123ms', false),
        set_config('DateStyle', 'German', false);
    RETURN NEW;
END $$;
CREATE TRIGGER a BEFORE UPDATE ON alice.plain FOR EACH ROW EXECUTE FUNCTION alice.witness();
CREATE TRIGGER b AFTER UPDATE ON alice.plain FOR EACH ROW EXECUTE FUNCTION alice.witness();
SELECT tool.ask('SELECT id, tool.say(''x'') AS p FROM alice.plain', 'alice.plain') AS job \gset
RESET ROLE;
SET lock_timeout = '7s';
SET search_path = tool, public;
SET datestyle = 'SQL, DMY';
CALL batch_work('60 s');
SELECT is(
    concat_ws(' | ', current_setting('search_path'), current_setting('lock_timeout'),
        current_setting('DateStyle'), current_user, session_user),
    'tool, public | 7s | SQL, DMY | postgres | postgres',
    'promise 5: search_path, lock_timeout, DateStyle and users of the session are as before');
RESET search_path; RESET lock_timeout; RESET datestyle;
SELECT is(tool.states(:job), '1 written, 2 written, 3 written',
    'rows of a table with triggers are written');
SELECT results_eq('SELECT DISTINCT split_part(what, '' '', 1), who FROM tool.witness ORDER BY 1',
    $$VALUES ('AFTER', 'rights_alice'), ('BEFORE', 'rights_alice')$$,
    'promise 5: BEFORE and AFTER triggers run as the job''s owner');
SELECT is(path, 'pg_catalog, pg_temp',
    'promise 5: the search_path of the write-back is pg_catalog, pg_temp')
FROM tool.witness LIMIT 1;
TRUNCATE tool.witness;

--
-- Row security, column privileges, constraints
--
CREATE TABLE shared (id int PRIMARY KEY, whose name,
    answer text UNIQUE CHECK (answer <> 'checked'));
INSERT INTO shared SELECT i, CASE WHEN i <= 6 THEN 'rights_alice' ELSE 'rights_bob' END, 'old ' || i
FROM generate_series(1, 9) i;
ALTER TABLE shared ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON shared USING (whose = current_user) WITH CHECK (answer NOT LIKE 'forbidden%');
GRANT SELECT, UPDATE (answer) ON shared TO rights_alice, rights_bob, rights_dave, rights_erin;
CREATE FUNCTION tool.shared_query() RETURNS text LANGUAGE sql AS $$
    SELECT 'SELECT id, tool.say(CASE id WHEN 2 THEN ''forbidden'' WHEN 3 THEN ''checked'' WHEN 4 '
           'THEN ''old 6'' ELSE ''new '' || id END) AS p FROM shared'
$$;
SET ROLE rights_alice;
SELECT tool.ask(tool.shared_query(), 'shared') AS alice_job \gset
SET ROLE rights_bob;
SELECT tool.ask(tool.shared_query(), 'shared') AS bob_job \gset
RESET ROLE;
UPDATE shared SET whose = 'rights_bob' WHERE id = 6;
CALL batch_work('60 s');
SELECT is(
    tool.states(:alice_job),
    '1 written, 2 write_failed, 3 write_failed, 4 write_failed, 5 written, 6 target_missing',
    'promise 5: the owner''s row security counts: a row that he cannot see any more is missing, '
    'a row that his policy forbids fails; promise 4: the others are written');
SELECT is((SELECT write_error FROM batch_records WHERE job_id = :alice_job AND record_id = '2'),
    'new row violates row-level security policy for table "shared"', 'a policy''s refusal is told');
SELECT matches(
    (SELECT write_error FROM batch_records WHERE job_id = :alice_job AND record_id = '3'),
    'violates check constraint', 'a CHECK''s refusal is told');
SELECT matches(
    (SELECT write_error FROM batch_records WHERE job_id = :alice_job AND record_id = '4'),
    'duplicate key', 'a unique constraint''s refusal is told');
SELECT is(tool.states(:bob_job), '7 written, 8 written, 9 written',
    'the same query of another role has its own rows');
SELECT is(string_agg(answer, ',' ORDER BY id),
    'new 1,old 2,old 3,old 4,new 5,old 6,new 7,new 8,new 9', 'and nothing else is changed')
FROM shared;

SET ROLE rights_alice;
SELECT tool.ask('SELECT id, tool.say(''y'' || id) AS p FROM shared WHERE id = 1', 'shared') AS job
\gset
RESET ROLE;
REVOKE UPDATE (answer) ON shared FROM rights_alice;
SELECT sim.work_until_waits(:job);
SELECT matches(waiting_for,
    '^the job''s owner lacks UPDATE on column "answer" of target table public.shared;',
    'promise 5: a privilege revoked after batch_submit is missing: nothing is sent')
FROM batch_chunks WHERE job_id = :job;
SELECT batch_cancel(:job);
SET ROLE rights_alice;
SELECT throws_ok($$SELECT tool.ask('SELECT id, ''x'' AS p FROM shared', 'shared')$$, '42501', NULL,
    'without UPDATE on the column batch_submit refuses');
RESET ROLE;
GRANT UPDATE (answer) ON shared TO rights_alice;

--
-- Who sees, who may
--
SET ROLE rights_alice;
SELECT is(string_agg(DISTINCT owner::text, ','), 'rights_alice', 'an owner sees his own jobs only')
FROM batch_jobs;
SELECT is(
    (SELECT count(*) FROM batch_records WHERE job_id = :bob_job)
        + (SELECT count(*) FROM batch_chunks WHERE job_id = :bob_job)
        + (SELECT count(*) FROM batch_events WHERE job_id = :bob_job),
    0::bigint, 'and nothing of another''s records, chunks and events');
SELECT ok(count(*) > 0, 'but his own') FROM batch_chunks;
SELECT is(count(*), 1::bigint, 'and servers he has USAGE on') FROM batch_servers;
SET ROLE rights_member;
SELECT is(string_agg(DISTINCT owner::text, ','), 'rights_alice',
    'a member of the owner role sees them too')
FROM batch_jobs;
SET ROLE rights_auditor;
SELECT is(count(DISTINCT owner), 2::bigint, 'pg_read_all_data sees all jobs') FROM batch_jobs;
SELECT is(count(*), 1::bigint, 'and all servers, without USAGE') FROM batch_servers;
SET ROLE rights_dave;
SELECT is(
    (SELECT count(*) FROM batch_jobs) + (SELECT count(*) FROM batch_records)
        + (SELECT count(*) FROM batch_events),
    0::bigint, 'a role without jobs sees none');
SET ROLE rights_bob;
SELECT throws_ok(format('SELECT %s(%s)', f, :alice_job), '42501', NULL,
    f || ' of another''s job is refused')
FROM unnest('{batch_cancel,batch_pause,batch_resume,batch_retry}'::text[]) f;
SELECT throws_ok('SELECT count(*) FROM ' || t, '42501', NULL, 'an ordinary user cannot read ' || t)
FROM unnest(
    '{batchinf.job,batchinf.chunk,batchinf.batch,batchinf.record,batchinf.result,batchinf.event,'
    'batchinf.install,batchinf.pause,batchinf.due,batchinf.job_status,batchinf.here}'::text[]) t;
SELECT throws_ok('DELETE FROM ' || t, '42501', NULL, 'nor change ' || t)
FROM unnest('{batchinf.job,batchinf.result,batchinf.install}'::text[]) t;
SELECT throws_ok('DELETE FROM ' || t, NULL, NULL, 'nor change ' || t)
FROM unnest('{batch_jobs,batch_chunks,batch_records,batch_events,batch_servers}'::text[]) t;
CREATE FUNCTION pg_temp.evil() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
SELECT throws_ok(
    'CREATE TRIGGER evil BEFORE INSERT ON ' || t || ' FOR EACH ROW EXECUTE FUNCTION pg_temp.evil()',
    '42501', NULL, 'promise 5: nor put a trigger on ' || t)
FROM unnest(
    '{batchinf.job,batchinf.chunk,batchinf.batch,batchinf.record,batchinf.result,batchinf.event,'
    'batchinf.pause}'::text[]) t;
CREATE FUNCTION pg_temp.leak(text) RETURNS bool LANGUAGE plpgsql COST 0.0001 AS $$
BEGIN
    INSERT INTO tool.witness (what) VALUES ($1);
    RETURN true;
END $$;
SELECT count(*) AS rows FROM batch_records WHERE pg_temp.leak(record_id) \gset
SELECT count(*) AS rows FROM batch_jobs WHERE pg_temp.leak(owner::text) \gset
SELECT count(*) AS rows FROM batch_events WHERE pg_temp.leak(job_id::text) \gset
RESET ROLE;
SELECT is(array_agg(DISTINCT what ORDER BY what), ARRAY[:'bob_job', '7', '8', '9', 'rights_bob'],
    'security_barrier: a leaky function sees only the reader''s rows')
FROM tool.witness;
TRUNCATE tool.witness;
SELECT matches(sim.psql('SET ROLE rights_bob', format('CALL batch_wait(%s, ''1 s'')', :alice_job)),
    'permission denied to wait for batch job', 'batch_wait for another''s job is refused');
SELECT matches(sim.psql('SET ROLE rights_bob', 'CALL batch_work(''1 s'')'),
    'permission denied for procedure batch_work', 'batch_work is not for everybody');
SELECT matches(sim.psql('SET ROLE rights_bob', format('CALL batch_wait(%s, ''1 s'')', :bob_job)),
    'completed', 'batch_wait for one''s own job');
SET ROLE rights_member;
SELECT lives_ok(format('SELECT batch_cancel(%s)', :alice_job),
    'a member of the owner role may cancel');
RESET ROLE;

--
-- Attacks: each row of alice.attack is a statement that her trigger tries
--
SET ROLE rights_alice;
CREATE TABLE alice.attack (id text PRIMARY KEY, answer text);
CREATE FUNCTION alice.try() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE NEW.id;
    INSERT INTO tool.witness (what) VALUES (NEW.id);
    RETURN NEW;
END $$;
CREATE TRIGGER try AFTER UPDATE ON alice.attack FOR EACH ROW EXECUTE FUNCTION alice.try();
CREATE TABLE alice.reasons (id text, reason text);
INSERT INTO alice.reasons VALUES
    ('SET ROLE postgres', 'cannot set parameter "role" within security-definer function'),
    ('RESET ROLE', 'cannot set parameter "role" within security-definer function'),
    ('SET SESSION AUTHORIZATION postgres',
     'cannot set parameter "session_authorization" within security-definer function'),
    ('RESET SESSION AUTHORIZATION',
     'cannot set parameter "session_authorization" within security-definer function'),
    ('SELECT set_config(''role'', ''postgres'', false)',
     'cannot set parameter "role" within security-definer function'),
    ('SELECT set_config(''session_replication_role'', ''replica'', false)',
     'permission denied to set parameter "session_replication_role"'),
    ('CREATE ROLE evil SUPERUSER', 'must be superuser to create superusers'),
    ('CREATE ROLE evil', 'permission denied to create role'),
    ('ALTER ROLE rights_alice SUPERUSER', 'must be superuser%'),
    ('CREATE TEMP TABLE pg_class (x int)',
     'cannot create temporary table within security-restricted operation'),
    ('CREATE TEMP VIEW v AS SELECT 1',
     'cannot create temporary table within security-restricted operation'),
    ('DECLARE c CURSOR WITH HOLD FOR SELECT alice.f()', '%'),
    ('UPDATE batchinf.job SET owner = 10', 'permission denied for schema batchinf'),
    ('CREATE TRIGGER t BEFORE UPDATE ON batchinf.result FOR EACH ROW EXECUTE FUNCTION alice.try()',
     'permission denied for schema batchinf'),
    ('COPY tool.witness FROM PROGRAM ''true''',
     'must be superuser or have privileges of the pg_execute_server_program role to COPY to or '
     'from an external program'),
    ('COMMIT', '%'),
    ('ROLLBACK', '%'),
    ('DO $d$ BEGIN RAISE EXCEPTION ''fake cancel'' USING ERRCODE = ''57014''; END $d$',
     'fake cancel'),
    ('DO $d$ BEGIN RAISE EXCEPTION ''fake shutdown'' USING ERRCODE = ''57P01''; END $d$',
     'fake shutdown'),
    ('DO $d$ BEGIN RAISE EXCEPTION ''sorry'' USING DETAIL = ''details''; END $d$',
     'sorry (details)'),
    ('SELECT 1/0', 'division by zero');
-- the words of 16 and newer
UPDATE alice.reasons r SET reason = w.reason
FROM (VALUES ('CREATE ROLE evil SUPERUSER', 'permission denied to create role (%)'),
          ('CREATE ROLE evil', 'permission denied to create role (%)'),
          ('ALTER ROLE rights_alice SUPERUSER', 'permission denied to alter role (%)'),
          ('COPY tool.witness FROM PROGRAM ''true''',
           'permission denied to COPY to or from an external program (%)')) AS w(id, reason)
WHERE r.id = w.id AND current_setting('server_version_num')::int >= 160000;
INSERT INTO alice.attack SELECT id FROM alice.reasons;
INSERT INTO alice.attack VALUES
    ('SELECT 1'),
    ('SET LOCAL search_path = alice'),
    ('SET lock_timeout = 0');
SELECT tool.ask('SELECT id, tool.say(''x'') AS p FROM alice.attack', 'alice.attack') AS job \gset
RESET ROLE;
SET batchinf.write_give_up = '1s';
CALL batch_work('60 s');
RESET batchinf.write_give_up;
SELECT ok(write_state = 'write_failed' AND write_error LIKE reason,
    'promise 5: in a trigger: ' || id)
FROM alice.reasons LEFT JOIN batch_records r ON r.job_id = :job AND r.record_id = id ORDER BY id;
SELECT diag(format('%s: %s', record_id, write_error)) FROM alice.reasons JOIN batch_records r
ON r.job_id = :job AND r.record_id = id
WHERE NOT (write_state = 'write_failed' AND write_error LIKE reason);
SELECT is(count(*), 3::bigint, 'promise 4: the rows whose triggers do no harm are written')
FROM batch_records WHERE job_id = :job AND write_state = 'written';
SELECT is(string_agg(DISTINCT who || ' ' || session, ','), 'rights_alice postgres',
    'all as the owner')
FROM tool.witness;
SELECT is(count(*), 0::bigint, 'promise 5: no role was made') FROM pg_roles
WHERE rolname = 'evil' OR (rolname LIKE 'rights_%' AND rolname <> 'rights_boss' AND rolsuper);
SELECT is(state, 'completed', 'the job is completed') FROM batch_jobs WHERE job_id = :job;
TRUNCATE tool.witness;

-- at commit
SET ROLE rights_alice;
CREATE TABLE alice.late (id int PRIMARY KEY, answer text, other int);
CREATE TABLE alice.referenced (id int PRIMARY KEY);
CREATE FUNCTION alice.at_commit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO tool.witness (what) VALUES ('at commit');
    CREATE ROLE evil SUPERUSER;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER late AFTER UPDATE ON alice.late DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
EXECUTE FUNCTION alice.at_commit();
CREATE TABLE alice.fk (id int PRIMARY KEY,
    answer int REFERENCES alice.referenced DEFERRABLE INITIALLY IMMEDIATE);
INSERT INTO alice.late VALUES (1), (2);
INSERT INTO alice.referenced VALUES (7);
INSERT INTO alice.fk VALUES (1), (2);
-- as Django makes them
CREATE TABLE alice.late_fk (id int PRIMARY KEY,
    answer int REFERENCES alice.referenced DEFERRABLE INITIALLY DEFERRED);
INSERT INTO alice.late_fk VALUES (1), (2), (3);
CREATE TABLE alice.late_key (id int PRIMARY KEY, answer text UNIQUE DEFERRABLE INITIALLY DEFERRED);
INSERT INTO alice.late_key VALUES (1, 'a'), (2, 'b'), (3, 'taken');
-- defers again what was made immediate
CREATE TABLE alice.again (id int PRIMARY KEY, answer text);
INSERT INTO alice.again VALUES (1);
CREATE FUNCTION alice.defer() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    SET CONSTRAINTS ALL DEFERRED;
    RETURN NEW;
END $$;
CREATE TRIGGER again BEFORE UPDATE ON alice.again FOR EACH ROW EXECUTE FUNCTION alice.defer();
CREATE CONSTRAINT TRIGGER late AFTER UPDATE ON alice.again DEFERRABLE INITIALLY DEFERRED
FOR EACH ROW EXECUTE FUNCTION alice.at_commit();
SELECT tool.ask(
        'SELECT id, tool.say(CASE id WHEN 2 THEN ''8'' ELSE ''7'' END) AS p FROM alice.late_fk',
        'alice.late_fk') AS late_fk_job,
    tool.ask(
        'SELECT id, tool.say(CASE id WHEN 2 THEN ''taken'' ELSE ''free'' END) AS p '
        'FROM alice.late_key WHERE id < 3',
        'alice.late_key') AS late_key_job,
    tool.ask('SELECT id, tool.say(''x'') AS p FROM alice.again', 'alice.again') AS again_job \gset
SELECT tool.ask('SELECT id, tool.say(''x'') AS p FROM alice.late', 'alice.late') AS late_job,
    tool.ask('SELECT id, tool.say(CASE id WHEN 1 THEN ''7'' ELSE ''8'' END) AS p FROM alice.fk',
        'alice.fk') AS fk_job \gset
RESET ROLE;
CALL batch_work('60 s');
SELECT matches(
    tool.told(:late_job),
    '^1: write_failed: (must be superuser to create superusers|permission denied to create '
    'role.*)\n2: write_failed: (must|permission)',
    'promise 5: the owner''s deferred trigger runs in the write-back, as the owner, '
    'and its error is told');
SELECT is(
    (SELECT count(*) FROM tool.witness) + (SELECT count(*) FROM pg_roles WHERE rolname = 'evil'),
    0::bigint, 'promise 5: nothing of it ran at the commit');
SELECT is(tool.states(:fk_job), '1 written, 2 write_failed',
    'a foreign key that is checked at once works');
SELECT is(tool.states(:late_fk_job), '1 written, 2 write_failed, 3 written',
    'a deferred foreign key is checked in the write-back');
SELECT matches(
    (SELECT write_error FROM batch_records WHERE job_id = :late_fk_job AND record_id = '2'),
    'violates foreign key constraint', '… and its refusal is told');
SELECT is(tool.states(:late_key_job), '1 written, 2 write_failed', 'a deferred unique key too');
SELECT is(tool.told(:again_job),
    '1: write_failed: cannot fire deferred trigger within security-restricted operation',
    'promise 5: what the owner''s code defers itself is refused and told');
SELECT is(count(*), 0::bigint, 'promise 5: … and does not run') FROM tool.witness;

-- names that stand in for PostgreSQL's own: in the session's path before pg_catalog, for a
-- superuser that works
CREATE SCHEMA trap;
GRANT ALL ON SCHEMA trap TO rights_alice;
SET ROLE rights_alice;
CREATE FUNCTION trap.note(text) RETURNS void LANGUAGE sql AS $$
    INSERT INTO tool.witness (what) VALUES ($1)
$$;
CREATE FUNCTION trap.now() RETURNS timestamptz LANGUAGE plpgsql AS $$
BEGIN
    PERFORM trap.note('now');
    RETURN pg_catalog.now();
END $$;
CREATE FUNCTION trap.clock_timestamp() RETURNS timestamptz LANGUAGE plpgsql AS $$
BEGIN
    PERFORM trap.note('clock_timestamp');
    RETURN pg_catalog.clock_timestamp();
END $$;
CREATE FUNCTION trap.sha256(bytea) RETURNS bytea LANGUAGE plpgsql AS $$
BEGIN
    PERFORM trap.note('sha256');
    RETURN '';
END $$;
CREATE FUNCTION trap.convert_to(text, name) RETURNS bytea LANGUAGE plpgsql AS $$
BEGIN
    PERFORM trap.note('convert_to');
    RETURN '';
END $$;
CREATE FUNCTION trap.nextval(regclass) RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
    PERFORM trap.note('nextval');
    RETURN pg_catalog.nextval($1);
END $$;
CREATE FUNCTION trap.pg_backend_pid() RETURNS int LANGUAGE plpgsql AS $$
BEGIN
    PERFORM trap.note('pid');
    RETURN pg_catalog.pg_backend_pid();
END $$;
CREATE FUNCTION trap.json_to_recordset(json) RETURNS SETOF record LANGUAGE plpgsql AS $$
BEGIN
    PERFORM trap.note('json_to_recordset');
END $$;
CREATE FUNCTION trap.same(text, text) RETURNS bool LANGUAGE plpgsql AS $$
BEGIN
    PERFORM trap.note('text =');
    RETURN true;
END $$;
CREATE FUNCTION trap.same(int, int) RETURNS bool LANGUAGE plpgsql AS $$
BEGIN
    PERFORM trap.note('int =');
    RETURN true;
END $$;
CREATE FUNCTION trap.same(bigint, bigint) RETURNS bool LANGUAGE plpgsql AS $$
BEGIN
    PERFORM trap.note('bigint =');
    RETURN true;
END $$;
CREATE FUNCTION trap.same(oid, int) RETURNS bool LANGUAGE plpgsql AS $$
BEGIN
    PERFORM trap.note('oid = int');
    RETURN true;
END $$;
CREATE FUNCTION trap.ratio(bigint, numeric) RETURNS numeric LANGUAGE plpgsql AS $$
BEGIN
    PERFORM trap.note('bigint / numeric');
    RETURN 0;
END $$;
CREATE OPERATOR trap.= (LEFTARG = text, RIGHTARG = text, FUNCTION = trap.same);
CREATE OPERATOR trap.= (LEFTARG = int, RIGHTARG = int, FUNCTION = trap.same);
CREATE OPERATOR trap.= (LEFTARG = bigint, RIGHTARG = bigint, FUNCTION = trap.same);
CREATE OPERATOR trap.= (LEFTARG = oid, RIGHTARG = int, FUNCTION = trap.same);
CREATE OPERATOR trap./ (LEFTARG = bigint, RIGHTARG = numeric, FUNCTION = trap.ratio);
CREATE DOMAIN trap.int8 AS pg_catalog.int8 CHECK (trap.note('int8') IS NULL);
-- code of her own that the write-back does run: a domain, an index, a rule, a key's operator class
CREATE FUNCTION trap.noted(text, text) RETURNS bool LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    PERFORM trap.note($2);
    RETURN true;
END $$;
CREATE DOMAIN trap.word AS text CHECK (trap.noted(VALUE, 'domain'));
CREATE TYPE trap.pair AS (a int, b int);
CREATE FUNCTION trap.pair_eq(trap.pair, trap.pair) RETURNS bool LANGUAGE plpgsql AS $$
BEGIN
    PERFORM trap.note('pair =');
    RETURN record_eq($1, $2);
END $$;
CREATE FUNCTION trap.pair_lt(trap.pair, trap.pair) RETURNS bool LANGUAGE plpgsql AS $$
BEGIN
    PERFORM trap.note('pair <');
    RETURN record_lt($1, $2);
END $$;
CREATE FUNCTION trap.pair_cmp(trap.pair, trap.pair) RETURNS int LANGUAGE plpgsql AS $$
BEGIN
    PERFORM trap.note('pair cmp');
    RETURN btrecordcmp($1, $2);
END $$;
CREATE FUNCTION trap.to_pair(text) RETURNS trap.pair LANGUAGE plpgsql AS $$
BEGIN
    PERFORM trap.note('cast');
    RETURN ROW(0, 0)::trap.pair;
END $$;
CREATE OPERATOR trap.= (LEFTARG = trap.pair, RIGHTARG = trap.pair, FUNCTION = trap.pair_eq);
CREATE OPERATOR trap.< (LEFTARG = trap.pair, RIGHTARG = trap.pair, FUNCTION = trap.pair_lt);
CREATE CAST (text AS trap.pair) WITH FUNCTION trap.to_pair AS IMPLICIT;
RESET ROLE;
CREATE OPERATOR CLASS trap.pair_ops DEFAULT FOR TYPE trap.pair
USING btree AS OPERATOR 1 trap.<, OPERATOR 3 trap.=, FUNCTION 1 trap.pair_cmp(trap.pair, trap.pair);
SET ROLE rights_alice;
CREATE TABLE trap.target (id trap.pair, answer trap.word);
CREATE INDEX ON trap.target (trap.noted(answer::text, 'index'));
CREATE RULE also AS ON UPDATE TO trap.target DO ALSO INSERT INTO tool.witness (what)
VALUES ('rule');
INSERT INTO trap.target VALUES (ROW(1, 2), 'old');
SET search_path = trap, public, pg_catalog;
SELECT tool.ask('SELECT id, ''[[sim:say=new]]'' AS p FROM trap.target', 'trap.target') AS job \gset
RESET ROLE;
RESET search_path;
SELECT is(count(*), 0::bigint, 'promise 5: batch_submit runs none of them as another')
FROM tool.witness WHERE who <> 'rights_alice';
TRUNCATE tool.witness;
SET search_path = trap, public, pg_catalog;
CALL batch_work('60 s');
RESET search_path;
SELECT is(tool.told(:job), '(1,2): written', 'a key with an operator class of its own');
SELECT is(string_agg(DISTINCT what, ',' ORDER BY what), 'domain,index,pair =,rule',
    'promise 5: only the target''s own code runs, nothing that stands in for PostgreSQL''s')
FROM tool.witness;
SELECT is(string_agg(DISTINCT who, ','), 'rights_alice', 'promise 5: and that as the owner')
FROM tool.witness;
TRUNCATE tool.witness;

-- no SQL through names and paths
SET ROLE rights_alice;
SELECT throws_ok(
    format(
        'SELECT batch_submit(''SELECT id, answer FROM alice.plain'', server => ''openai'', '
        'prompt => ''x'', target => ''alice.plain'', write_back => %L)',
        w),
    state, NULL, 'no SQL in ' || w)
FROM (VALUES ('{"answer": "$.a'') ; DROP TABLE alice.plain"}', '42601'),
          ('{"answer\" = ''x'' --": "$"}', '42703'), ('{"ctid": "$"}', '42703'),
          ('{"answer": ""}', '22023')) v(w, state);
RESET ROLE;

--
-- A superuser's own job is restricted too: deferred triggers run in the write-back, temporary
-- tables are refused
--
SET ROLE rights_boss;
CREATE TABLE boss (id int PRIMARY KEY, answer text);
INSERT INTO boss VALUES (1), (2), (3), (4);
CREATE FUNCTION tool.boss_late() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO tool.witness (what) VALUES ('late');
    IF NEW.id = 2 THEN RAISE EXCEPTION 'not 2' USING ERRCODE = '57014'; END IF;
    IF NEW.id = 4 THEN CREATE TEMP TABLE boss_temp (x int); END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER late AFTER UPDATE ON boss DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
EXECUTE FUNCTION tool.boss_late();
SELECT tool.ask('SELECT id, tool.say(''x'') AS p FROM boss', 'boss') AS job \gset
RESET ROLE;
SET batchinf.write_give_up = '1s';
CALL batch_work('60 s');
RESET batchinf.write_give_up;
SELECT is(
    tool.told(:job),
    E'1: written\n2: write_failed: not 2\n3: written\n4: write_failed: cannot create temporary '
    'table within security-restricted operation',
    'a superuser''s deferred trigger runs; promise 4: where it fails the row is told, '
    'the others are written');
SELECT is(string_agg(answer, ',' ORDER BY id), 'x,x', 'and what it refused is not there') FROM boss;
SELECT is((SELECT string_agg(DISTINCT what || ' ' || who, ',') FROM tool.witness),
    'late rights_boss', 'promise 5: as himself, on a table of his own');
TRUNCATE tool.witness;

--
-- A superuser's job on tables of others is written as their owner
--
CREATE FUNCTION tool.rise() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO tool.witness (what) VALUES (TG_TABLE_NAME || ' ' || TG_WHEN);
    BEGIN
        EXECUTE 'ALTER ROLE rights_alice SUPERUSER';
    EXCEPTION WHEN insufficient_privilege THEN NULL;
    END;
    RETURN COALESCE(NEW, OLD);
END $$;
SET ROLE rights_alice;
CREATE TABLE alice.mine (id int PRIMARY KEY, answer text UNIQUE, changed int);
CREATE TRIGGER b BEFORE UPDATE ON alice.mine FOR EACH ROW EXECUTE FUNCTION tool.rise();
CREATE TRIGGER a AFTER UPDATE ON alice.mine FOR EACH ROW EXECUTE FUNCTION tool.rise();
CREATE CONSTRAINT TRIGGER c AFTER UPDATE ON alice.mine DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
EXECUTE FUNCTION tool.rise();
INSERT INTO alice.mine VALUES (1), (2);
CREATE TABLE alice.later (LIKE alice.mine INCLUDING ALL);
CREATE TRIGGER b BEFORE UPDATE ON alice.later FOR EACH ROW EXECUTE FUNCTION tool.rise();
CREATE TABLE alice.piece (id int, answer text, changed int);
CREATE TRIGGER b BEFORE UPDATE ON alice.piece FOR EACH ROW EXECUTE FUNCTION tool.rise();
CREATE TABLE alice.child (id int, answer text, changed int);
CREATE TRIGGER b BEFORE UPDATE ON alice.child FOR EACH ROW EXECUTE FUNCTION tool.rise();
RESET ROLE;
INSERT INTO alice.later VALUES (1), (2);
ALTER TABLE alice.later OWNER TO rights_boss;
-- a partition, an inheritance child, a table that follows a key: tables of hers below or beside a
-- superuser's
CREATE TABLE parted (id int, answer text, changed int) PARTITION BY LIST (id);
ALTER TABLE parted ATTACH PARTITION alice.piece FOR VALUES IN (1, 2);
INSERT INTO parted VALUES (1), (2);
CREATE TABLE parent (id int, answer text, changed int);
ALTER TABLE alice.child INHERIT parent;
INSERT INTO alice.child VALUES (1);
INSERT INTO parent VALUES (2);
CREATE TABLE keyed (id int PRIMARY KEY, answer text UNIQUE, changed int);
INSERT INTO keyed VALUES (1, 'old 1'), (2, 'old 2');
GRANT REFERENCES ON keyed TO rights_alice;
SET ROLE rights_alice;
CREATE TABLE alice.follows (answer text REFERENCES keyed (answer) ON UPDATE CASCADE);
CREATE TRIGGER a AFTER UPDATE ON alice.follows FOR EACH ROW EXECUTE FUNCTION tool.rise();
RESET ROLE;
INSERT INTO alice.follows VALUES ('old 1');
-- hers above, a partition of a superuser's below, and of another's
CREATE TABLE alice.hers (id int, answer text, changed int) PARTITION BY LIST (id);
CREATE TABLE alice.hers1 PARTITION OF alice.hers FOR VALUES IN (1);
CREATE TABLE alice.hers2 PARTITION OF alice.hers FOR VALUES IN (2);
CREATE TRIGGER b BEFORE UPDATE ON alice.hers1 FOR EACH ROW EXECUTE FUNCTION tool.rise();
INSERT INTO alice.hers VALUES (1), (2);
ALTER TABLE alice.hers OWNER TO rights_alice;
ALTER TABLE alice.hers1 OWNER TO rights_boss;
CREATE TABLE two (id int, answer text, changed int) PARTITION BY LIST (id);
CREATE TABLE two1 PARTITION OF two FOR VALUES IN (1);
CREATE TABLE two2 PARTITION OF two FOR VALUES IN (2);
CREATE TRIGGER b BEFORE UPDATE ON two2 FOR EACH ROW EXECUTE FUNCTION tool.rise();
INSERT INTO two VALUES (1), (2);
ALTER TABLE two OWNER TO rights_alice;
ALTER TABLE two2 OWNER TO rights_bob;
SET ROLE rights_boss;
CREATE TABLE tool.bosses AS
SELECT t::regclass AS target,
    tool.ask(format('SELECT id, tool.say(''new'' || id) AS p FROM %s', t), t::regclass) AS job
FROM unnest('{alice.mine,alice.later,parted,parent,keyed,alice.hers,two}'::text[]) t;
RESET ROLE;
ALTER TABLE alice.later OWNER TO rights_alice;
CALL batch_work('60 s');
SELECT is((SELECT tool.states(job) FROM tool.bosses WHERE target = t::regclass),
    '1 written, 2 written', 'a superuser''s job on ' || t || ' is written')
FROM unnest('{alice.mine,alice.later,alice.hers}'::text[]) t;
SELECT is(
    (SELECT tool.told(job) FROM tool.bosses WHERE target = t::regclass),
    replace(E'1: write_failed: X\n2: write_failed: X', 'X',
        format('cannot write to "%s" for a superuser (Partitions, child tables or tables whose '
               'foreign keys follow it belong to other roles that are not superusers: %s.)', n, o)),
    'promise 5: a superuser''s job on ' || t || ' is refused, with the reason')
FROM (VALUES ('parted', 'public.parted', '"rights_alice"'),
          ('parent', 'public.parent', '"rights_alice"'),
          ('keyed', 'public.keyed', '"rights_alice"'),
          ('two', 'public.two', '"rights_alice", "rights_bob"')) v(t, n, o);
SELECT is(
    array_agg(DISTINCT what || ' ' || who ORDER BY what || ' ' || who),
    '{hers1 BEFORE rights_alice,later BEFORE rights_alice,mine AFTER rights_alice,'
    'mine BEFORE rights_alice}'::text[],
    'promise 5: the triggers ran as the table''s owner, also where it changed meanwhile')
FROM tool.witness;
SELECT is(rolsuper, false, 'promise 5: … and made nobody a superuser') FROM pg_roles
WHERE rolname = 'rights_alice';
TRUNCATE tool.witness;
DROP TABLE parted, parent, two, alice.follows, keyed CASCADE;

--
-- Rights, keys and roles that go away meanwhile
--
CREATE FUNCTION tool.waits(job bigint) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(concat_ws(': ', state, waiting_for), ', ') FROM batch_chunks
    WHERE job_id = job
$$;
SET ROLE rights_alice;
SELECT tool.ask('SELECT id, tool.say(''usage'') AS p FROM alice.plain', 'alice.plain') AS alice_job
\gset
SET ROLE rights_bob;
SELECT batch_submit('SELECT 1 AS id', server => 'openai', prompt => 'x') AS bob_job \gset
RESET ROLE;
REVOKE USAGE ON FOREIGN SERVER openai FROM rights_alice;
DROP USER MAPPING FOR rights_bob SERVER openai;
SELECT sim.work_until_waits(:alice_job, :bob_job);
SELECT is(
    tool.waits(:alice_job),
    'waiting: the job''s owner lacks USAGE on server "openai"; GRANT USAGE ON FOREIGN SERVER '
    'openai TO rights_alice gives it',
    'without USAGE the job waits and says so');
SELECT is(
    tool.waits(:bob_job),
    'waiting: the job''s owner has no user mapping for server "openai"; CREATE USER MAPPING FOR '
    'rights_bob SERVER openai OPTIONS (…) gives the key',
    'without a mapping the job waits and says so');
GRANT USAGE ON FOREIGN SERVER openai TO rights_alice;
CREATE USER MAPPING FOR rights_bob SERVER openai OPTIONS (api_key 'sk-sim');
UPDATE batchinf.chunk SET next_step_at = now() WHERE job_id IN (:alice_job, :bob_job);
CALL batch_work('60 s');
SELECT is(string_agg(state, ','), 'completed,completed', 'and goes on when they are back')
FROM batch_jobs WHERE job_id IN (:alice_job, :bob_job);

-- writes that wait need no key; an owner who is gone cannot write
CREATE TABLE busy (id int PRIMARY KEY, answer text);
INSERT INTO busy VALUES (1), (2);
GRANT SELECT, UPDATE ON busy TO rights_alice, rights_dave, rights_erin;
CREATE FUNCTION tool.busy() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'busy' USING ERRCODE = '40001';
END $$;
CREATE TRIGGER busy BEFORE UPDATE ON busy FOR EACH ROW EXECUTE FUNCTION tool.busy();
SET ROLE rights_alice;
SELECT tool.ask('SELECT id, tool.say(''alice'') AS p FROM busy WHERE id = 1', 'busy') AS alice_job
\gset
SET ROLE rights_dave;
SELECT tool.ask('SELECT id, tool.say(''dave'') AS p FROM busy WHERE id = 2', 'busy') AS dave_job
\gset
RESET ROLE;
SELECT sim.work_until(format('(SELECT sum(write_waiting) = 2 FROM batch_jobs '
                             'WHERE job_id IN (%1$s, %2$s)) AND NOT EXISTS (SELECT '
                             'FROM batchinf.chunk WHERE job_id IN (%1$s, %2$s) '
                             'AND next_step_at IS NOT NULL)', :alice_job, :dave_job));
SELECT is(tool.told(:alice_job) || ', ' || tool.told(:dave_job),
    '1: waiting: busy, 2: waiting: busy', 'a write that is not serialisable now waits');
DROP USER MAPPING FOR rights_alice SERVER openai;
DROP OWNED BY rights_dave;
DROP ROLE rights_dave;
DROP TRIGGER busy ON busy;
UPDATE batchinf.chunk SET write_at = now() WHERE write_waiting > 0;
CALL batch_work('60 s');
SELECT is(tool.told(:alice_job), '1: written', 'a waiting write needs no key');
SELECT is(tool.told(:dave_job),
    '2: write_failed: the owner of the batch job does not exist any more',
    'an owner who is gone at the write-back: write_failed');
SELECT results_eq(
    format('SELECT owner, state, succeeded, write_failed FROM batch_jobs WHERE job_id = %s',
        :dave_job),
    $$VALUES ('rights_dave'::name, 'completed', 1::bigint, 1::bigint)$$,
    'his job is completed and still bears his name');
SELECT is(answer, NULL, 'and nothing was written for him') FROM busy WHERE id = 2;

-- an owner who goes while the provider works
SELECT sim.config('{"batch_seconds": 3600}');
SET ROLE rights_erin;
SELECT tool.ask('SELECT id, tool.say(''erin'') AS p FROM busy', 'busy') AS job \gset
RESET ROLE;
SELECT sim.work_until(format('(SELECT step IN (''submitted'', ''running'') FROM batch_chunks '
                             'WHERE job_id = %s)', :job));
DROP OWNED BY rights_erin;
DROP ROLE rights_erin;
UPDATE batchinf.chunk SET next_step_at = now() WHERE job_id = :job;
SELECT sim.work_until_waits(:job);
SELECT is(
    tool.waits(:job),
    format(
        'waiting: the job''s owner does not exist any more; a superuser can give the job to '
        'another role: batch_adopt(%s, ''role'')',
        :job),
    'an owner who is gone while the provider works: the chunk waits and says so');
SELECT is(state || ' ' || pending, 'running 2', 'the job is not given up') FROM batch_jobs
WHERE job_id = :job;
SET ROLE rights_alice;
SELECT is(count(*), 0::bigint, 'the jobs of a role that is gone are nobody''s') FROM batch_jobs
WHERE job_id = :job;
RESET ROLE;
CREATE ROLE rights_erin;
GRANT USAGE ON FOREIGN SERVER openai TO rights_erin;
GRANT SELECT, UPDATE ON busy TO rights_erin;
SET ROLE rights_erin;
SELECT throws_ok(format('SELECT batch_adopt(%s)', :job), '42501',
    format('permission denied to adopt batch job %s', :job),
    '… nor a new role''s of the same name');
RESET ROLE;
SELECT lives_ok(format('SELECT batch_adopt(%s, owner => ''rights_alice'')', :job),
    '… a superuser may name who takes them over');
SELECT is(owner::text, 'rights_alice', '… who is their owner then') FROM batch_jobs
WHERE job_id = :job;
DROP OWNED BY rights_erin;
DROP ROLE rights_erin;

SELECT * FROM finish();
