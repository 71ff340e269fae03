-- Custom settings, which policies and triggers read, have the values of the submit while a target
-- row is written. The work is done by CALL batch_work(). worker-carry.sql runs the same file with
-- the background worker.
\i lib.sql
SELECT no_plan();
SELECT sim.server('openai');
CREATE ROLE carry_ann;
CREATE ROLE carry_bob LOGIN;
CREATE ROLE carry_member IN ROLE carry_ann;
CREATE ROLE carry_reader IN ROLE pg_read_all_data;
GRANT USAGE ON FOREIGN SERVER openai TO carry_ann, carry_bob;
CREATE USER MAPPING FOR PUBLIC SERVER openai OPTIONS (api_key 'sk-sim');
SELECT current_database() AS db \gset

-- The common pattern of many tenants: who has not said which one sees nothing.
CREATE TABLE note (id int PRIMARY KEY, tenant int, label text, seen jsonb);
INSERT INTO note SELECT i, 1 + i / 3 FROM generate_series(1, 4) i;
ALTER TABLE note ENABLE ROW LEVEL SECURITY;
CREATE POLICY of_tenant ON note USING (tenant::text = current_setting('app.tenant', true));
GRANT SELECT, UPDATE ON note TO carry_ann, carry_bob;

-- What a trigger sees of the settings that are looked at here.
CREATE TABLE looked_at (name text);
GRANT SELECT ON looked_at TO PUBLIC;
CREATE FUNCTION seen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.seen := (SELECT jsonb_object_agg(name, current_setting(name, true)) FROM public.looked_at);
    RETURN NEW;
END $$;
CREATE TRIGGER seen BEFORE UPDATE ON note FOR EACH ROW EXECUTE FUNCTION seen();

-- Submits for the tenant in force; an error as its text.
CREATE FUNCTION ask() RETURNS bigint LANGUAGE sql AS $$
    SELECT batch_submit('SELECT id FROM note ORDER BY id', 'openai', 'note {{id}}',
        target => 'note', write_back => '{"label": "$"}', in_flight => 'send',
        write_if => 'always') $$;
CREATE FUNCTION refused() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    detail text;
    hint text;
BEGIN
    RETURN ask();
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
    RETURN concat_ws(' | ', sqlstate, sqlerrm, detail, hint);
END $$;
CREATE FUNCTION asked() RETURNS bigint LANGUAGE sql SECURITY DEFINER AS $$
    SELECT max(job_id) FROM batchinf.job
$$;

-- How a job's rows ended; does all jobs, and how the last one's rows ended.
CREATE FUNCTION told(job bigint) RETURNS text LANGUAGE sql AS $$
    SELECT j.state || ': '
        || string_agg(concat_ws(' ', record_id, write_state, write_error), ', ' ORDER BY seq)
    FROM batch_records r JOIN batch_jobs j USING (job_id) WHERE job_id = job GROUP BY j.state $$;
CREATE FUNCTION done() RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    PERFORM sim.begin_work();
    PERFORM sim.until('SELECT count(*) FROM batch_jobs WHERE state <> ''completed''', '0', 60);
    PERFORM sim.end_work();
    RETURN told(asked());
END $$;
-- What a row's trigger saw; what the last job has kept.
CREATE FUNCTION saw(name text, id int DEFAULT 1) RETURNS text LANGUAGE sql AS $$
    SELECT seen ->> name FROM note n WHERE n.id = saw.id
$$;
CREATE FUNCTION kept(name text) RETURNS text LANGUAGE sql SECURITY DEFINER AS $$
    SELECT spec -> 'settings' ->> $1 FROM batchinf.job WHERE job_id = asked()
$$;
\set two_of_1 'completed: 1 written, 2 written'
\set two_of_2 'completed: 3 written, 4 written'

--
-- SET, SET LOCAL, set_config, a function's SET clause
--
SET ROLE carry_ann;
SELECT is((SELECT count(*) FROM note), 0::bigint, 'without a tenant there are no rows');
SET app.tenant = '1';
SELECT ask() AS by_set \gset
RESET app.tenant;
RESET ROLE;
BEGIN;
SET LOCAL ROLE carry_ann;
SELECT set_config('app.tenant', '2', true) \g /dev/null
SELECT ask() AS by_local \gset
COMMIT;
CREATE FUNCTION ask_as_2() RETURNS bigint LANGUAGE sql SET app.tenant = '2' AS $$ SELECT ask() $$;
SET ROLE carry_ann;
SET app.tenant = '1';
SELECT ask_as_2() AS by_clause \gset
RESET app.tenant;
RESET ROLE;
ALTER ROLE carry_bob SET app.tenant = '2';
-- In another session.
CREATE FUNCTION ask_as(whose text, commands text DEFAULT '') RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    CREATE TEMP TABLE IF NOT EXISTS ask_said (line text);
    TRUNCATE ask_said;
    EXECUTE format(
        'COPY ask_said FROM PROGRAM %L',
        format(
            'psql -XAtq -h %s -p %s -U %s -d %s -c "%s; SET client_min_messages = error; '
            'SELECT ask()" 2>&1 || true',
            current_setting('unix_socket_directories'), current_setting('port'), whose,
            current_database(), commands));
    RETURN (SELECT string_agg(line, E'\n') FROM ask_said);
END $$;
SELECT ask_as('carry_bob') AS by_role \gset
SELECT ask_as('postgres', 'SET app.tenant = 1; SET ROLE carry_bob') AS by_session \gset
SELECT done() \g /dev/null
SELECT is(told(:by_set), :'two_of_1', 'SET: both rows are written, and only these');
SELECT is(told(:by_local), :'two_of_2', 'set_config for the transaction only');
SELECT is(told(:by_clause), :'two_of_2', 'a function''s SET clause, over what the session has');
SELECT is(told(:by_role), :'two_of_2', 'ALTER ROLE, in a session of the role');
SELECT is(told(:by_session), :'two_of_1', 'what the session says goes before what the role has');

--
-- ALTER ROLE, ALTER DATABASE after SET ROLE, which does not load them
--
ALTER DATABASE :"db" SET app.tenant = '1';
ALTER DATABASE :"db" SET app.region = 'eu';
ALTER DATABASE :"db" SET work_mem = '7MB';
ALTER ROLE carry_bob IN DATABASE :"db" SET app.plan = 'a=b, ''c''';
ALTER ROLE carry_bob SET app.plan = 'none';
ALTER ROLE ALL SET app.every = 'all';
INSERT INTO looked_at VALUES ('app.tenant'), ('app.region'), ('app.plan'), ('app.every');
SET ROLE carry_bob;
SET app.tenant = '2';
SELECT ask() AS job \gset
RESET ROLE;
SELECT is(done(), :'two_of_2', 'after SET ROLE');
SELECT is(seen,
    '{"app.tenant": "2", "app.region": "eu", "app.plan": "a=b, ''c''", "app.every": "all"}',
    '… the role''s and the database''s own are in force, the closest first')
FROM note WHERE id = 3;
SELECT is(kept('work_mem'), NULL::text, '… and PostgreSQL''s own are not kept');
RESET app.tenant;
SET ROLE carry_bob;
SELECT is((SELECT count(*) FROM note), 0::bigint,
    'reset in the session is not set: the role''s own has no say');
RESET ROLE;
ALTER DATABASE :"db" RESET ALL;
ALTER ROLE carry_bob IN DATABASE :"db" RESET ALL;
ALTER ROLE carry_bob RESET ALL;
ALTER ROLE ALL RESET ALL;

--
-- What is kept, and who sees it
--
SET ROLE carry_ann;
SET app.tenant = '1';
SET "App.Name" = E'O''Brien "x"\n\\ é 😀 {{1}}';
SET app.empty = '';
SET request.jwt.claims = '{"sub": "ann"}';
SET request.headers = '{"authorization": "Bearer secret"}';
SET request.cookies = '{"token": "secret"}';
SET request.header."authorization" = 'Bearer secret';
SET request.cookie.token = 'secret'; SET request.headers_of = 'mine';
SELECT ask() AS job \gset
SELECT is(settings -> 'app.tenant', '"1"', 'the owner sees the settings') FROM batch_jobs
WHERE job_id = :job;
SET ROLE carry_member;
SELECT is(settings -> 'app.tenant', '"1"', 'so does a member of that role') FROM batch_jobs
WHERE job_id = :job;
SET ROLE carry_reader;
SELECT is(count(*) || ' ' || count(settings), '1 0',
    'who reads all data sees the job, not the settings')
FROM batch_jobs WHERE job_id = :job;
SET ROLE carry_bob;
SELECT is(count(*), 0::bigint, 'others see nothing of it') FROM batch_jobs WHERE job_id = :job;
RESET ROLE;
SELECT is(
    kept('request.headers') || kept('request.cookies') || kept('request.header.authorization')
        || kept('request.cookie.token'),
    NULL, 'PostgREST''s headers and cookies are not kept');
SELECT is((SELECT count(*) FROM batchinf.job WHERE spec::text LIKE '%secret%'), 0::bigint,
    '… nowhere');
SELECT is(kept('request.jwt.claims') || kept('request.headers_of'), '{"sub": "ann"}mine',
    '… its claims are, and what is called otherwise');
RESET app.tenant;
RESET app.name;
RESET request.jwt.claims;
RESET request.headers;
RESET request.cookies; RESET request.header."authorization"; RESET request.cookie.token;
INSERT INTO looked_at VALUES
    ('App.Name'), ('app.empty'), ('request.jwt.claims'), ('request.headers'), ('app.never');
SELECT is(done(), :'two_of_1', 'a job with odd values');
SELECT is(saw('App.Name'), E'O''Brien "x"\n\\ é 😀 {{1}}', '… each is what it was');
SELECT is(
    saw('app.empty') || saw('request.jwt.claims')
        || COALESCE(NULLIF(saw('request.headers'), ''), '(no headers)'),
    '{"sub": "ann"}(no headers)', '… the empty one too, and what is left out is not there');
SELECT is(saw('app.never'), NULL::text, '… nor what never was');
SELECT batch_submit('SELECT 1 AS id', 'openai', 'x') AS job \gset
SELECT is(settings, NULL, 'a job that writes nothing back keeps nothing') FROM batch_jobs
WHERE job_id = :job;
-- Whoever puts the job to work has settings of their own, which have no say and stay.
SELECT NOT current_setting('batchinf.enabled')::bool AS alone \gset
\if :alone
SET ROLE carry_ann; SET app.tenant = '1';
SELECT ask() AS job \gset
RESET ROLE;
SET app.tenant = '2'; SET app.never = 'another session''s';
CALL batch_work('60 s');
SELECT is(told(:job), :'two_of_1', 'settings of the session that works have no say');
SELECT is(saw('app.tenant') || COALESCE(saw('app.never'), ''), '1', '… nor are they seen');
SELECT is(current_setting('app.tenant') || current_setting('app.never'), '2another session''s',
    '… and are there afterwards');
RESET app.tenant; RESET app.never;
\endif

--
-- batchinf.carry_settings
--
CREATE FUNCTION carried(patterns text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    kept text;
BEGIN
    PERFORM set_config('batchinf.carry_settings', patterns, true);
    PERFORM ask();
    SELECT string_agg(k, ' ' ORDER BY lower(k) COLLATE "C") INTO kept
    FROM batchinf.job, jsonb_object_keys(spec -> 'settings') k
    WHERE job_id = asked() AND k ~* '^(t\.|request\.(headers|cookies)$)';
    DELETE FROM batchinf.job WHERE job_id = asked();
    RETURN kept;
END $$;
SET app.tenant = '1';
SET t.a = '1';
SET t.ab = '1'; SET t.x_b = '1'; SET t.xyb = '1'; SET "T.Upper" = '1'; SET t.a.b = '1';
SELECT is(carried(patterns), wanted, format('carry_settings = %L', patterns))
FROM (VALUES ('*', 'request.cookies request.headers t.a t.a.b t.ab T.Upper t.x_b t.xyb'),
          ('', NULL), ('*, !request.*', 't.a t.a.b t.ab T.Upper t.x_b t.xyb'), ('t.a', 't.a'),
          ('t.a*', 't.a t.a.b t.ab'), ('t.*b', 't.a.b t.ab t.x_b t.xyb'), ('t.x_b', 't.x_b'),
          ('T.UPPER', 'T.Upper'), ('!t.a, t.a*', 't.a.b t.ab'), ('t.a*, !*.ab', 't.a t.a.b'),
          (' t.a ,, t.ab ,', 't.a t.ab'), ('!*', NULL), ('!t.a', NULL),
          ('**.**', 'request.cookies request.headers t.a t.a.b t.ab T.Upper t.x_b t.xyb'),
          ('t.*a*b', 't.a.b t.ab'), ('*b*', 't.a.b t.ab t.x_b t.xyb')) v(patterns, wanted);
SELECT is(carried(DEFAULT_PATTERNS), 't.a t.a.b t.ab T.Upper t.x_b t.xyb', 'the default')
FROM (SELECT boot_val AS DEFAULT_PATTERNS FROM pg_settings
      WHERE name = 'batchinf.carry_settings') s;
SELECT throws_ok($$SET batchinf.carry_settings = 'app tenant'$$, '22023',
    'invalid value for parameter "batchinf.carry_settings": "app tenant"',
    'what can match nothing is refused');
SELECT throws_ok($$SET batchinf.carry_settings = 'app.*, app!'$$, '22023', NULL, '… a ! within');
SET ROLE carry_ann;
SELECT throws_ok($$SET batchinf.carry_settings = '*'$$, '42501', NULL,
    'an ordinary role does not set it');
RESET ROLE;

--
-- How much
--
SET app.tenant = '1';
SELECT set_config('big.value', repeat('x', 70000), false) \g /dev/null
SELECT matches(
    refused(),
    '^54000 \| custom settings are too large to be kept with a batch job \| [0-9]+ settings have '
    '7[0-9]+ bytes; a job keeps at most 1000 settings and 65536 bytes. The largest is "big.value", '
    '70009 bytes. \| RESET what the write-back does not need, '
    'or leave it out by "batchinf.carry_settings".$',
    'more than 64 kB is an error');
SELECT set_config('big.value', repeat('x', 1048576), false) \g /dev/null
SELECT matches(refused(), '^54000 ', '… a megabyte too');
SELECT set_config('big.value', repeat('x', 60000), false) \g /dev/null
INSERT INTO looked_at VALUES ('big.value');
SET ROLE carry_ann;
SELECT ask() AS job \gset
RESET ROLE;
SELECT set_config('batchinf.carry_settings', '*, !big.*', false),
    set_config('big.value', repeat('x', 70000), false) \g /dev/null
SELECT matches(refused(), '^[0-9]+$', '… what is left out does not count');
DELETE FROM batchinf.job WHERE job_id = asked();
RESET batchinf.carry_settings; RESET big.value;
SELECT is(done(), :'two_of_1', 'what fits is kept');
DELETE FROM looked_at WHERE name = 'big.value';
SELECT count(set_config('n' || i || '.many', '1', true)) FROM generate_series(1, 1001) i
\g /dev/null
SELECT matches(refused(), '^54000 .* 1[0-9]{3} settings have', 'nor more than 1000 of them');
SELECT set_config('batchinf.carry_settings', '*, !n*.many, !request.header*, !request.cookie*',
    false) \g /dev/null
-- A client's command line may hold any bytes.
CREATE TEMP TABLE odd_said (line text);
DO $$ BEGIN
    EXECUTE format(
        'COPY odd_said FROM PROGRAM %L',
        format(
            'PGOPTIONS="-c app.odd=$(printf ''\377'')" psql -XAtq -h %s -p %s -d %s -c "SELECT '
            'ask()" 2>&1 || true',
            current_setting('unix_socket_directories'), current_setting('port'),
            current_database()));
END $$;
SELECT is((SELECT line FROM odd_said WHERE line ~ 'ERROR'),
    'ERROR:  custom setting "app.odd" cannot be kept with a batch job', 'what is no text');

--
-- No setting of a job does what its owner may not
--
SET ROLE carry_ann;
SET app.tenant = '1';
SELECT ask() AS job \gset
RESET ROLE;
RESET app.tenant;
SELECT spec -> 'settings' AS settings FROM batchinf.job WHERE job_id = :job \gset
-- as if somebody had written what they like into a dump
UPDATE batchinf.job
SET spec = jsonb_set(
    spec, '{settings}',
    :'settings'::jsonb
        || jsonb_build_object('session_replication_role', 'replica', 'work_mem', '77MB',
            'search_path', 'evil', 'row_security', 'off', 'role', 'postgres',
            'batchinf.proxy', 'http://evil', 'batchinf.made_up', 'x',
            'plpgsql.variable_conflict', 'use_column', 'no dot', '1', 'a.b c', '1', '.', '1',
            'a.', '1', '.a', '1', 'a..b', '1', '', '1', 'x''; DROP TABLE note; --.y', '1',
            'app.good', 'good', 'app.number', 7, 'app.null', NULL, 'app.object', '{}'::jsonb,
            repeat('long.', 1000) || 'name', 'long',
            'x.' || repeat('y', 100000), repeat('z', 60000)))
WHERE job_id = :job;
TRUNCATE looked_at;
INSERT INTO looked_at VALUES
    ('session_replication_role'), ('work_mem'), ('search_path'), ('row_security'),
    ('plpgsql.variable_conflict'), ('app.good'), ('app.number'), ('app.null');
SELECT is(done(), :'two_of_1', 'a job whose settings have been tampered with');
SELECT is(
    seen - 'work_mem',
    '{"session_replication_role": "origin", "search_path": "pg_catalog, pg_temp", '
    '"row_security": "on", "plpgsql.variable_conflict": "error", "app.good": "good", '
    '"app.number": "7", "app.null": null}',
    '… sets what a custom setting may be, and nothing else')
FROM note WHERE id = 1;
SELECT isnt(saw('work_mem'), '77MB', '… no parameter of PostgreSQL');
UPDATE batchinf.job
SET spec = jsonb_set(spec, '{settings}', '["app.tenant"]'), ended = NULL, finished_at = NULL
WHERE job_id = :job;
SELECT is((SELECT settings FROM batch_jobs WHERE job_id = :job), '["app.tenant"]',
    'settings that are no object');
UPDATE batchinf.job SET ended = 'completed', finished_at = now() WHERE job_id = :job;

-- A module that defines a setting later asks for the owner's right to set it.
SELECT is(
    ask_as(
        'postgres',
        'SET ROLE carry_ann; SET app.tenant = 1; SET auto_explain.log_min_duration = 0; '
        'SET auto_explain.log_level = error'),
    asked()::text, 'settings of a module that is not loaded are custom ones');
SELECT is(kept('auto_explain.log_level'), 'error', '… and kept');
LOAD 'auto_explain';
SELECT is(done(), :'two_of_1',
    '… and not in force where it is loaded, or without the right to set them');

--
-- A job of 0.1.0 has kept nothing: it sees what the worker has, as before.  A foreign job that is
-- adopted keeps its own.
--
SET ROLE carry_ann;
SET app.tenant = '1';
SELECT ask() AS job \gset
RESET ROLE;
RESET app.tenant;
UPDATE batchinf.job SET spec = spec - 'settings' WHERE job_id = :job;
SELECT :job AS old \gset
SET ROLE carry_ann;
SET app.tenant = '2';
SELECT ask() AS job \gset
RESET ROLE;
UPDATE batchinf.job SET install = gen_random_uuid() WHERE job_id = :job;
SET ROLE carry_ann;
SELECT batch_adopt(:job) \g /dev/null
RESET ROLE;
RESET app.tenant;
SELECT is(done(), :'two_of_2', 'an adopted job keeps its settings');
SELECT is(told(:old), 'completed: 1 target_missing, 2 target_missing',
    'a job of 0.1.0 goes on as before');

DROP OWNED BY carry_ann, carry_bob, carry_member, carry_reader CASCADE;
DROP ROLE carry_ann, carry_bob, carry_member, carry_reader;
SELECT * FROM finish();
