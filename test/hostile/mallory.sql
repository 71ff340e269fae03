-- All that mallory, who is no superuser, may own, run in a session of mallory's.  Each piece of
-- code calls mallory.spy, which writes to the server's log as whom it runs, tries what must be
-- refused, leaves what it can, and misbehaves by chance.
--
-- Lines of the log:
--   SPY|where|current_user|session_user|superuser?|lines   it has run
--   BREACH|where|statement                                 a statement that must be refused was not
--   LEFT|where|what                                        something of an earlier transaction is
--                                                          there
CREATE SCHEMA mallory AUTHORIZATION mallory;
SET ROLE mallory;
SET search_path = mallory, pg_catalog;
GRANT USAGE ON SCHEMA mallory TO PUBLIC;

-- What nobody of mallory's rights may do, wherever it runs.
CREATE TABLE mallory.forbidden (n serial PRIMARY KEY, sql text);
INSERT INTO mallory.forbidden (sql) VALUES
    ('SET ROLE postgres'),
    ('SET SESSION AUTHORIZATION postgres'),
    ('SET ROLE alice'),
    ('SET SESSION AUTHORIZATION alice'),
    ('SELECT set_config(''role'', ''postgres'', false)'),
    ('SELECT set_config(''session_authorization'', ''postgres'', true)'),
    ('SET session_replication_role = replica'),
    ('SET batchinf.allowed_http_hosts = ''*'''),
    ('SET batchinf.write_timeout = ''1h'''),
    ('SET log_statement = ''none'''),
    ('ALTER ROLE mallory SUPERUSER'),
    ('GRANT pg_read_all_data TO mallory'),
    ('GRANT alice TO mallory'),
    ('CREATE ROLE mallorys SUPERUSER'),
    ('ALTER SYSTEM SET work_mem = ''1GB'''),
    ('COPY (SELECT 1) TO PROGRAM ''true'''),
    ('COPY mallory.forbidden TO ''/tmp/hostile-loot'''),
    ('SELECT pg_read_file(''PG_VERSION'')'),
    ('SELECT lo_import(''/etc/passwd'')'),
    ('SELECT * FROM pg_stat_file(''.'')'),
    ('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type LIKE '
     '''batchinf%'''),
    ('SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE backend_type LIKE ''batchinf%'''),
    ('SELECT pg_reload_conf()'),
    ('SELECT pg_switch_wal()'),
    ('CREATE EXTENSION file_fdw'),
    ('DROP EXTENSION batchinf CASCADE'),
    ('ALTER EXTENSION batchinf UPDATE'),
    ('LOAD ''/tmp/hostile.so'''),
    ('CREATE FUNCTION mallory.c() RETURNS int LANGUAGE c AS ''batchinf'', ''batchinf_submit'''),
    ('CREATE EVENT TRIGGER e ON ddl_command_end EXECUTE FUNCTION mallory.shadow()'),
    ('SELECT * FROM batchinf.job'),
    ('SELECT * FROM batchinf.record'),
    ('SELECT * FROM batchinf.result'),
    ('SELECT * FROM batchinf.event'),
    ('SELECT * FROM batchinf.due'),
    ('SELECT * FROM batchinf.job_status'),
    ('INSERT INTO batchinf.event (job_id, event) VALUES (1, ''mallory'')'),
    ('UPDATE batchinf.job SET owner = ''mallory''::regrole'),
    ('DELETE FROM batchinf.result'),
    ('TRUNCATE batchinf.record'),
    ('DELETE FROM batchinf.pause'),
    ('UPDATE public.batch_jobs SET state = ''failed'''),
    ('DELETE FROM public.batch_records'),
    ('SELECT * FROM public.batch_jobs FOR UPDATE'),
    ('LOCK TABLE batchinf.job IN ROW EXCLUSIVE MODE'),
    ('LOCK TABLE public.batch_jobs IN EXCLUSIVE MODE'),
    ('LOCK TABLE pg_foreign_server'),
    ('CREATE TRIGGER t BEFORE UPDATE ON batchinf.chunk FOR EACH ROW EXECUTE FUNCTION '
     'mallory.trigger()'),
    ('CREATE RULE r AS ON INSERT TO batchinf.result DO ALSO NOTHING'),
    ('CREATE INDEX ON batchinf.job (mallory.shadow_int(job_id))'),
    ('CREATE TABLE batchinf.mine ()'),
    ('ALTER TABLE batchinf.job DISABLE TRIGGER ALL'),
    ('CREATE TABLE mallory.child () INHERITS (batchinf.job)'),
    ('CREATE TABLE mallory.fk (j bigint REFERENCES batchinf.job)'),
    ('CREATE POLICY p ON batchinf.job'),
    ('CREATE OR REPLACE FUNCTION public.batch_submit(query text, '
     'server name) RETURNS bigint LANGUAGE sql AS ''SELECT 1::bigint'' STRICT; DROP FUNCTION '
     'public.batch_cancel(bigint)'),
    ('CREATE OR REPLACE VIEW public.batch_jobs AS SELECT 1 AS a'),
    ('ALTER VIEW public.batch_jobs SET (security_barrier = false)'),
    ('ALTER VIEW public.batch_records OWNER TO mallory'),
    ('ALTER SERVER alice_server OPTIONS (SET model ''x'')'),
    ('DROP SERVER alice_server CASCADE'),
    ('DROP USER MAPPING FOR alice SERVER alice_server'),
    ('CREATE USER MAPPING FOR PUBLIC SERVER alice_server OPTIONS (api_key ''x'')'),
    ('GRANT USAGE ON FOREIGN SERVER alice_server TO mallory'),
    ('SELECT umoptions FROM pg_user_mapping'),
    ('SELECT 1 / count(umoptions) FROM pg_user_mappings WHERE usename IN (''alice'', '
     '''postgres'')'),
    ('CREATE SERVER s FOREIGN DATA WRAPPER batchinf OPTIONS (provider ''openai'', '
     'model ''x''); CREATE USER MAPPING FOR mallory SERVER s OPTIONS (api_key_file '
     '''/etc/passwd'')'),
    ('SELECT public.batch_cancel(min(job)) FROM public.alice_jobs HAVING count(*) > 0'),
    ('SELECT public.batch_pause(min(job)) FROM public.alice_jobs HAVING count(*) > 0'),
    ('SELECT public.batch_retry(min(job)) FROM public.alice_jobs HAVING count(*) > 0'),
    ('SELECT public.batch_adopt(min(job)) FROM public.alice_jobs HAVING count(*) > 0'),
    ('SELECT public.batch_resume(min(job)) FROM public.alice_jobs HAVING count(*) > 0'),
    ('CALL public.batch_work(''1 s'')'),
    ('SELECT * FROM public.batch_check(''alice_server'')'),
    ('SELECT public.batch_submit(''SELECT 1 AS id'', server => ''alice_server'', prompt => ''x'')'),
    ('SELECT 1 / count(*) FROM public.batch_jobs WHERE owner NOT IN (''mallory'', ''m_member'')'),
    ('SELECT 1 / count(*) FROM public.batch_records r JOIN public.alice_jobs a ON a.job = '
     'r.job_id'),
    ('SELECT 1 / count(*) FROM public.batch_events e JOIN public.alice_jobs a ON a.job = e.job_id'),
    ('SELECT 1 / count(*) FROM public.batch_chunks c JOIN public.alice_jobs a ON a.job = c.job_id'),
    ('SELECT 1 / count(*) FROM public.batch_servers WHERE server = ''alice_server'''),
    ('SELECT * FROM alice.tickets'),
    ('SELECT 1 / count(*) FROM pg_stat_activity WHERE usename = ''alice'' '
     'AND query NOT LIKE ''<insufficient%''');

-- What a piece of code may leave in a session; none of it may be found by a later transaction of a
-- visit.
CREATE FUNCTION mallory.leave_behind(mark text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    attempt text;
BEGIN
    FOREACH attempt IN ARRAY ARRAY['SELECT pg_advisory_lock(77, 1)',
        'SELECT pg_advisory_lock_shared(78)', 'SELECT pg_advisory_xact_lock(79)',
        'PREPARE m' || mark || ' AS SELECT 1', 'DECLARE m CURSOR WITH HOLD FOR SELECT 1',
        'LISTEN m' || mark, 'CREATE TEMP TABLE m (a int)',
        'CREATE FUNCTION pg_temp.now() RETURNS int LANGUAGE sql AS ''SELECT 1''',
        'SELECT set_config(''mallory.mark'', ' || quote_literal(mark) || ', false)',
        'SET search_path = mallory, public', 'SET statement_timeout = ''1ms''',
        'SET lock_timeout = ''1h''', 'SET default_transaction_read_only = on',
        'SET DateStyle = ''German''', 'SET IntervalStyle = ''sql_standard''',
        'SET row_security = off', 'SET transform_null_equals = on', 'SET extra_float_digits = -15',
        'SET standard_conforming_strings = off', 'SET plpgsql.variable_conflict = use_column',
        'SET work_mem = ''64kB''', 'SET CONSTRAINTS ALL DEFERRED',
        'NOTIFY batchinf, ''{"job_id":1,"state":"completed"}''', 'LOAD ''plpgsql''',
        'SELECT setseed(0.5)', 'SET application_name = ''alice''', 'SET TRANSACTION READ ONLY',
        'SET enable_seqscan = off', 'SET timezone = ''Pacific/Kiritimati'''] LOOP
        CONTINUE WHEN random() < 0.7;
        BEGIN
            EXECUTE attempt;
        EXCEPTION WHEN OTHERS THEN NULL;
        END;
    END LOOP;
END $$;

CREATE FUNCTION mallory.look_around(place text, mark text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    what text;
BEGIN
    FOR what IN SELECT 'statement ' || name FROM pg_prepared_statements
    WHERE name ~ '^m\d' AND name <> 'm' || mark UNION ALL SELECT 'listens ' || c
    FROM pg_listening_channels() c WHERE c ~ '^m\d' AND c <> 'm' || mark
    UNION ALL SELECT 'cursor ' || name FROM pg_cursors WHERE is_holdable AND name = 'm'
    UNION ALL SELECT 'search_path ' || current_setting('search_path')
    WHERE current_setting('search_path') LIKE '%mallory%' AND place !~ '^SECURITY'
    AND current_setting('mallory.here', true) IS DISTINCT FROM mark
    UNION ALL SELECT 'advisory lock ' || classid || ' ' || objid FROM pg_locks
    WHERE locktype = 'advisory' AND pid = pg_backend_pid() AND classid IN (77, 0)
    AND objid IN (1, 78) AND current_setting('mallory.here', true) IS DISTINCT FROM mark LOOP
        RAISE LOG 'LEFT|%|%', place, what;
    END LOOP;
    PERFORM set_config('mallory.here', mark, true);
END $$;

CREATE FUNCTION mallory.spy(place text) RETURNS bool LANGUAGE plpgsql AS $$
DECLARE
    mark text := pg_current_xact_id()::text;
    attempt text;
    got bigint;
BEGIN
    RAISE LOG 'SPY|%|%|%|%', place, current_user, session_user,
        (SELECT rolsuper FROM pg_roles WHERE rolname = current_user);
    PERFORM mallory.look_around(place, mark);
    FOR attempt IN SELECT sql FROM mallory.forbidden ORDER BY random() LIMIT 3 LOOP
        BEGIN
            EXECUTE attempt;
            GET DIAGNOSTICS got = ROW_COUNT;
            CONTINUE WHEN got = 0 AND attempt ~ '^SELECT';
            RAISE LOG 'BREACH|%|% (% rows)', place, attempt, got;
        EXCEPTION WHEN OTHERS THEN NULL;
        END;
    END LOOP;
    PERFORM mallory.leave_behind(mark);
    CASE (random() * 60)::int
        WHEN 1 THEN RAISE EXCEPTION USING ERRCODE
            = (ARRAY['57014', '40001', '40P01', '55P03', '57P01', 'XX000', 'P0004', '53200',
                '53100', '08006', '25P02', '0A000', '00000'])[1 + (random() * 11)::int],
        MESSAGE = repeat('mallory ', 100), DETAIL = 'sk-mallory', HINT = E'\n\nERROR: x';
        WHEN 2 THEN PERFORM pg_sleep(0.5);
        WHEN 3 THEN PERFORM count(*) FROM generate_series(1, 300000);
        WHEN 4 THEN PERFORM mallory.recurse(1);
        WHEN 5 THEN PERFORM repeat('x', 50000000);
        WHEN 6 THEN FOR i IN 1 .. 5000 LOOP PERFORM pg_advisory_lock(1000 + i); END LOOP;
        WHEN 7 THEN RAISE LOG 'batch job 1 has ended: %', E'forged\nline';
        WHEN 8 THEN PERFORM pg_sleep(4);
        WHEN 9 THEN COMMIT;
        WHEN 10 THEN
            FOR i IN 1 .. 300 LOOP
                EXECUTE pg_catalog.format('CREATE TABLE IF NOT EXISTS mallory.many_%s ()', i);
            END LOOP;
        WHEN 11 THEN UPDATE mallory.plain SET label = 'by the trigger' WHERE id = 1;
        ELSE NULL;
    END CASE;
    RETURN true;
END $$;
CREATE FUNCTION mallory.recurse(int) RETURNS int LANGUAGE plpgsql AS $$
BEGIN
    RETURN mallory.recurse($1 + 1);
END $$;
CREATE FUNCTION mallory.spy_immutable(text, place text) RETURNS text
LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    PERFORM mallory.spy(place);
    RETURN $1;
END $$;
CREATE FUNCTION mallory.trigger() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM mallory.spy(TG_WHEN || ' ' || TG_LEVEL || ' ' || TG_OP || ' ' || TG_TABLE_NAME);
    IF random() < 0.05 THEN RETURN NULL; END IF;
    RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
END $$;
CREATE FUNCTION mallory.definer() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = mallory, public SET work_mem = '1GB' AS $$
BEGIN
    PERFORM mallory.spy('SECURITY DEFINER trigger');
    RETURN NEW;
END $$;

-- What stands in for PostgreSQL's own, in mallory's schema and in public.
CREATE FUNCTION mallory.shadow() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN END $$;
CREATE FUNCTION mallory.shadow_int(bigint) RETURNS bigint LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    PERFORM mallory.spy('index on their table');
    RETURN $1;
END $$;
DO $$
DECLARE
    s text;
BEGIN
    FOREACH s IN ARRAY '{mallory,public}'::text[] LOOP
        EXECUTE pg_catalog.format('CREATE FUNCTION %1$I.shadowed(text) RETURNS void
            LANGUAGE plpgsql AS ''BEGIN
                RAISE LOG ''''SHADOW|%%|%%'''', $1, current_user;
                PERFORM mallory.spy($1);
            END'';
            CREATE FUNCTION %1$I.now() RETURNS timestamptz
            LANGUAGE plpgsql AS ''BEGIN PERFORM mallory.spy(''''%1$s.now'''');
            RETURN pg_catalog.now();
        END'';
            CREATE FUNCTION %1$I.lower(varchar) RETURNS text
            LANGUAGE plpgsql AS ''BEGIN PERFORM mallory.spy(''''%1$s.lower'''');
            RETURN pg_catalog.lower($1);
        END'';
            CREATE FUNCTION %1$I.format(text, VARIADIC text[]) RETURNS text
            LANGUAGE plpgsql AS ''BEGIN PERFORM mallory.spy(''''%1$s.format'''');
            RETURN $1;
        END'';
            CREATE FUNCTION %1$I.json_build_object(text, bigint, text, text) RETURNS json
            LANGUAGE plpgsql AS ''BEGIN PERFORM mallory.spy(''''%1$s.json_build_object'''');
            RETURN NULL;
        END'';
            CREATE FUNCTION %1$I.pg_advisory_unlock_all() RETURNS void
            LANGUAGE plpgsql AS ''BEGIN PERFORM mallory.spy(''''%1$s.pg_advisory_unlock_all'''');
        END'';
            CREATE FUNCTION %1$I.eq(text, varchar) RETURNS bool
            LANGUAGE plpgsql AS ''BEGIN PERFORM mallory.spy(''''%1$s.='''');
            RETURN true;
        END'';
            CREATE OPERATOR %1$I.= (LEFTARG = text, RIGHTARG = varchar, FUNCTION = %1$I.eq);
            CREATE FUNCTION %1$I.eqi(bigint, int) RETURNS bool
            LANGUAGE plpgsql AS ''BEGIN PERFORM mallory.spy(''''%1$s.= of ints'''');
            RETURN true;
        END'';
            CREATE OPERATOR %1$I.= (LEFTARG = bigint, RIGHTARG = int, FUNCTION = %1$I.eqi)', s);
    END LOOP;
END $$;

-- Types, domains, casts, and tables of all kinds.
CREATE TYPE mallory.mood AS ENUM ('a', 'b');
CREATE TYPE mallory.pair AS (a int, b text);
CREATE FUNCTION mallory.to_pair(text) RETURNS mallory.pair LANGUAGE plpgsql AS $$
BEGIN
    PERFORM mallory.spy('cast');
    RETURN ROW(1, $1);
END $$;
CREATE CAST (text AS mallory.pair) WITH FUNCTION mallory.to_pair(text) AS ASSIGNMENT;
CREATE DOMAIN mallory.key AS int CHECK (mallory.spy('domain of the key'));
CREATE DOMAIN mallory.words AS text CHECK (mallory.spy('domain'));
CREATE TABLE mallory.plain (id int PRIMARY KEY, label text);
CREATE TABLE mallory.triggers (id int PRIMARY KEY, label text, other text);
CREATE TRIGGER b BEFORE UPDATE ON mallory.triggers FOR EACH ROW EXECUTE FUNCTION mallory.trigger();
CREATE TRIGGER bs BEFORE UPDATE ON mallory.triggers FOR EACH STATEMENT
EXECUTE FUNCTION mallory.trigger();
CREATE TRIGGER a AFTER UPDATE OF label ON mallory.triggers FOR EACH ROW
EXECUTE FUNCTION mallory.trigger();
CREATE TRIGGER tt AFTER UPDATE ON mallory.triggers REFERENCING OLD TABLE AS o NEW TABLE AS n
FOR EACH STATEMENT EXECUTE FUNCTION mallory.trigger();
CREATE TABLE mallory.deferred (id int PRIMARY KEY, label text);
CREATE CONSTRAINT TRIGGER d AFTER UPDATE ON mallory.deferred DEFERRABLE INITIALLY DEFERRED
FOR EACH ROW EXECUTE FUNCTION mallory.trigger();
CREATE TABLE mallory.defining (id int PRIMARY KEY, label text);
CREATE TRIGGER d BEFORE UPDATE ON mallory.defining FOR EACH ROW EXECUTE FUNCTION mallory.definer();
CREATE TABLE mallory.checked (id int PRIMARY KEY,
    label text CHECK (mallory.spy('CHECK') AND label <> 'never'));
CREATE TABLE mallory.domains (id mallory.key PRIMARY KEY, label mallory.words);
CREATE TABLE mallory.indexed (id int PRIMARY KEY, label text);
CREATE INDEX ON mallory.indexed (mallory.spy_immutable(label, 'index'))
WHERE mallory.spy_immutable(label, 'predicate') IS NOT NULL;
CREATE TABLE mallory.generated (id int PRIMARY KEY, label text,
    twice text GENERATED ALWAYS AS (mallory.spy_immutable(label, 'generated')) STORED);
CREATE TABLE mallory.ruled (id int PRIMARY KEY, label text);
CREATE RULE also AS ON UPDATE TO mallory.ruled DO ALSO SELECT mallory.spy('rule');
CREATE TABLE mallory.instead (id int PRIMARY KEY, label text);
CREATE RULE instead AS ON UPDATE TO mallory.instead DO INSTEAD SELECT mallory.spy('rule instead');
CREATE TABLE mallory.policed (id int PRIMARY KEY, label text);
ALTER TABLE mallory.policed ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY p ON mallory.policed USING (mallory.spy('policy'))
WITH CHECK (mallory.spy('policy check'));
CREATE TABLE mallory.parted (id int, label text, PRIMARY KEY (id)) PARTITION BY RANGE (id);
CREATE TABLE mallory.parted_1 PARTITION OF mallory.parted FOR VALUES FROM (0) TO (3);
CREATE TABLE mallory.parted_2 PARTITION OF mallory.parted DEFAULT;
CREATE TRIGGER p BEFORE UPDATE ON mallory.parted_1 FOR EACH ROW EXECUTE FUNCTION mallory.trigger();
CREATE TRIGGER all_parts AFTER UPDATE ON mallory.parted FOR EACH ROW
EXECUTE FUNCTION mallory.trigger();
CREATE TABLE mallory.pairs (id int PRIMARY KEY, label mallory.pair);
CREATE TABLE mallory.moods (id mallory.mood PRIMARY KEY, label text);
CREATE TABLE mallory.parent (label text PRIMARY KEY);
CREATE TABLE mallory.keyed (id int PRIMARY KEY,
    label text REFERENCES mallory.parent DEFERRABLE INITIALLY DEFERRED);
CREATE TABLE mallory.cascade (id int PRIMARY KEY, label text UNIQUE);
CREATE TABLE mallory.cascaded (label text REFERENCES mallory.cascade (label) ON UPDATE CASCADE);
CREATE TRIGGER c BEFORE UPDATE ON mallory.cascaded FOR EACH ROW EXECUTE FUNCTION mallory.trigger();
CREATE VIEW mallory.view AS SELECT id, label FROM mallory.plain WHERE mallory.spy('view');
CREATE TRIGGER i INSTEAD OF UPDATE ON mallory.view FOR EACH ROW EXECUTE FUNCTION mallory.trigger();
CREATE FUNCTION mallory.leak(text) RETURNS bool LANGUAGE plpgsql COST 0.0000001 AS $$
BEGIN
    RAISE LOG 'LEAK|%', $1;
    RETURN true;
END $$;
GRANT ALL ON ALL TABLES IN SCHEMA mallory TO PUBLIC;
ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO PUBLIC;

-- Rows, without a piece of code running yet: those of each table that is a target.
CREATE FUNCTION mallory.fill() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    t text;
BEGIN
    FOREACH t IN ARRAY '{plain,triggers,deferred,defining,indexed,generated,ruled,instead,policed,'
                       'parted,pairs,checked,domains,keyed,cascade}'::text[] LOOP
        BEGIN
            EXECUTE pg_catalog.format(
                'INSERT INTO mallory.%I (id) SELECT i FROM generate_series(1, '
                '5) i ON CONFLICT DO NOTHING',
                t);
        EXCEPTION WHEN OTHERS THEN NULL;
        END;
    END LOOP;
    INSERT INTO mallory.moods VALUES ('a'), ('b') ON CONFLICT DO NOTHING;
END $$;
