-- All code around a target row belongs to the job's owner: in the background worker, whose process
-- is a superuser's, it runs as that owner, in a security-restricted operation (promise 5).
-- rights.sql asks the same of batch_work, one attack after another.
\i lib.sql
SELECT no_plan();

CREATE ROLE visited_alice;
CREATE ROLE visited_bob;
SELECT sim.server('openai');
GRANT USAGE ON FOREIGN SERVER openai TO visited_alice;
CREATE USER MAPPING FOR visited_alice SERVER openai OPTIONS (api_key 'sk-sim');
CREATE SCHEMA alice AUTHORIZATION visited_alice;
CREATE SCHEMA tool;
GRANT USAGE, CREATE ON SCHEMA tool TO visited_bob;
GRANT USAGE ON SCHEMA tool TO PUBLIC;
CREATE FUNCTION tool.process() RETURNS text LANGUAGE sql SECURITY DEFINER
    RETURN (SELECT backend_type FROM pg_stat_activity WHERE pid = pg_backend_pid());
CREATE TABLE tool.witness (what text, who text DEFAULT current_user,
    session text DEFAULT session_user, path text DEFAULT current_setting('search_path'),
    process text DEFAULT tool.process());
GRANT INSERT ON tool.witness TO PUBLIC;
CREATE FUNCTION tool.ask(query text, target regclass, col text DEFAULT 'answer') RETURNS bigint
LANGUAGE sql AS $$
    SELECT batch_submit(query, server => 'openai', prompt => '{{p}}', key => 'id', target => target,
        write_back => jsonb_build_object(col, '$')) $$;
CREATE FUNCTION tool.say(text) RETURNS text LANGUAGE sql AS $$ SELECT '[[sim:say=' || $1 || ']]' $$;
CREATE FUNCTION tool.told(job bigint) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(concat_ws(': ', record_id, write_state, write_error), E'\n' ORDER BY seq)
    FROM batch_records WHERE job_id = job $$;

-- A definer of his own, and of another ordinary user.
SET ROLE visited_bob;
CREATE FUNCTION tool.of_bob() RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    INSERT INTO tool.witness (what) VALUES ('definer of another');
END $$;
SET ROLE visited_alice;

-- What each place tries besides being seen: each of these would only work for more than the
-- restricted owner.
CREATE FUNCTION alice.try(place text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    attack text;
BEGIN
    INSERT INTO tool.witness (what) VALUES (place);
    IF tool.process() <> 'batchinf visit' THEN RETURN; END IF;
    FOREACH attack IN ARRAY ARRAY[
        'SET ROLE postgres', 'RESET ROLE', 'RESET SESSION AUTHORIZATION',
        'SET SESSION AUTHORIZATION postgres', 'CREATE ROLE visited_evil SUPERUSER',
        'ALTER ROLE visited_alice SUPERUSER', 'CREATE TEMP TABLE evil (x int)',
        'SELECT * FROM pg_authid', 'SELECT * FROM pg_user_mapping', 'SELECT * FROM batchinf.job',
        'DELETE FROM batchinf.result', 'SELECT pg_read_file(''PG_VERSION'')',
        'CREATE TRIGGER evil BEFORE UPDATE ON batchinf.chunk FOR EACH ROW EXECUTE FUNCTION '
        'alice.row_trigger()',
        'SET session_replication_role = replica', 'COPY tool.witness FROM PROGRAM ''true'''] LOOP
        BEGIN
            EXECUTE attack;
            INSERT INTO tool.witness (what) VALUES ('could ' || attack || ' in ' || place);
        EXCEPTION WHEN OTHERS THEN
            IF sqlstate <> '42501' AND sqlerrm !~ 'security-(restricted|definer)' THEN
                INSERT INTO tool.witness (what)
                VALUES (format('%s in %s: %s %s', attack, place, sqlstate, sqlerrm));
            END IF;
        END;
    END LOOP;
    PERFORM set_config('search_path', 'alice', false), set_config('lock_timeout', '123ms', false);
END $$;
CREATE FUNCTION alice.seen(place text, value anyelement) RETURNS bool
LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    PERFORM alice.try(place);
    RETURN true;
END $$;
CREATE FUNCTION alice.made(text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    PERFORM alice.try('generated column');
    RETURN $1 || '!';
END $$;
CREATE FUNCTION alice.of_alice() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = alice AS $$
BEGIN
    PERFORM alice.try('definer of his own');
END $$;
CREATE FUNCTION alice.row_trigger() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM alice.try(lower(TG_WHEN || ' ' || TG_LEVEL || ' trigger'));
    IF TG_WHEN = 'BEFORE' AND TG_LEVEL = 'ROW' THEN PERFORM alice.of_alice(), tool.of_bob(); END IF;
    RETURN NEW;
END $$;
CREATE DOMAIN alice.word AS text CHECK (alice.seen('domain', VALUE));
CREATE DOMAIN alice.id AS int CHECK (alice.seen('domain of the key', VALUE));
CREATE TABLE alice.target (id alice.id PRIMARY KEY,
    answer alice.word UNIQUE CHECK (alice.seen('table check', answer::text)),
    made text GENERATED ALWAYS AS (alice.made(answer::text)) STORED,
    whose text DEFAULT 'visited_alice');
CREATE TABLE alice.child (answer alice.word REFERENCES alice.target (answer) ON UPDATE CASCADE);
CREATE INDEX ON alice.target ((alice.seen('expression index', answer::text)));
CREATE INDEX ON alice.target (whose) WHERE alice.seen('partial index', answer::text);
CREATE STATISTICS alice.statistics ON (alice.seen('statistics', answer::text)), whose
FROM alice.target;
INSERT INTO alice.target SELECT i, 'old ' || i FROM generate_series(1, 3) i;
INSERT INTO alice.child VALUES ('old 1');
CREATE TRIGGER b BEFORE UPDATE ON alice.target FOR EACH ROW EXECUTE FUNCTION alice.row_trigger();
CREATE TRIGGER a AFTER UPDATE ON alice.target
FOR EACH ROW WHEN (alice.seen('condition of a trigger', NEW.id::int))
EXECUTE FUNCTION alice.row_trigger();
CREATE TRIGGER bs BEFORE UPDATE ON alice.target FOR EACH STATEMENT
EXECUTE FUNCTION alice.row_trigger();
CREATE TRIGGER st AFTER UPDATE ON alice.target REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT
EXECUTE FUNCTION alice.row_trigger();
CREATE TRIGGER c AFTER UPDATE ON alice.child FOR EACH ROW WHEN (alice.seen('cascaded trigger', 1))
EXECUTE FUNCTION alice.row_trigger();
CREATE POLICY used ON alice.target USING (alice.seen('policy', whose)) WITH
CHECK (alice.seen('policy''s check', whose));
ALTER TABLE alice.target ENABLE ROW LEVEL SECURITY;
ALTER TABLE alice.target FORCE ROW LEVEL SECURITY;
-- a row that moves to another partition is deleted and inserted
CREATE TABLE alice.parted (id int, answer text) PARTITION BY LIST (alice.made(answer));
CREATE TABLE alice.part1 PARTITION OF alice.parted FOR VALUES IN ('old!');
CREATE TABLE alice.part2 PARTITION OF alice.parted DEFAULT;
CREATE FUNCTION alice.moved() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM alice.try(lower('trigger of a partition: ' || TG_OP));
    RETURN COALESCE(NEW, OLD);
END $$;
CREATE TRIGGER d BEFORE DELETE ON alice.part1 FOR EACH ROW EXECUTE FUNCTION alice.moved();
CREATE TRIGGER i BEFORE INSERT ON alice.part2 FOR EACH ROW EXECUTE FUNCTION alice.moved();
INSERT INTO alice.parted VALUES (1, 'old');
RESET ROLE;
TRUNCATE tool.witness;

--
-- The database's own settings put look-alikes before PostgreSQL's names, for every session and so
-- for the visit's
--
CREATE SCHEMA trap;
GRANT ALL ON SCHEMA trap TO visited_alice;
SET ROLE visited_alice;
CREATE FUNCTION trap.note(text) RETURNS void LANGUAGE sql AS $$
    INSERT INTO tool.witness (what) VALUES ($1)
$$;
DO $$
DECLARE
    f text;
    o record;
BEGIN
    FOR f IN
    SELECT DISTINCT format(
        'CREATE FUNCTION trap.%I(%s) RETURNS %s LANGUAGE plpgsql AS $f$ BEGIN PERFORM '
        'trap.note(%L); RETURN pg_catalog.%I(%s); END $f$',
        proname, args, pg_get_function_result(oid), 'look-alike: ' || proname, proname, params)
    FROM pg_proc p,
        LATERAL (SELECT string_agg(format_type(t, NULL), ', ' ORDER BY n) AS args,
                     string_agg('$' || n, ', ' ORDER BY n) AS params
                 FROM unnest(p.proargtypes) WITH ORDINALITY u(t, n)) a
    WHERE pronamespace = 'pg_catalog'::regnamespace AND prokind = 'f' AND NOT proretset
    AND provariadic = 0
    AND proname IN ('now', 'clock_timestamp', 'sha256', 'convert_to', 'nextval', 'pg_backend_pid',
        'lower', 'length', 'current_setting', 'set_config', 'has_server_privilege', 'pg_has_role',
        'current_database', 'greatest') LOOP
        EXECUTE f;
    END LOOP;
    FOR o IN
    SELECT DISTINCT ON (oprname, oprleft, oprright) oprname, format_type(oprleft, NULL) AS l,
        format_type(oprright, NULL) AS r, format_type(oprresult, NULL) AS res,
        oprcode::regproc AS code
    FROM pg_operator
    WHERE oprnamespace = 'pg_catalog'::regnamespace AND oprkind = 'b'
    AND oprname IN ('=', '<>', '<', '<=', '>', '>=', '+', '-', '||', '?')
    AND oprleft IN (16, 20, 23, 25, 19, 26, 1184, 2950, 3802)
    AND oprright IN (16, 20, 23, 25, 19, 26, 1184, 1186, 2950, 3802) LOOP
        EXECUTE format(
            'CREATE FUNCTION trap.%I(%s, %s) RETURNS %s LANGUAGE plpgsql AS $f$ BEGIN PERFORM '
            'trap.note(%L); RETURN pg_catalog.%s($1, $2); END $f$',
            'op ' || o.oprname || o.l || o.r, o.l, o.r, o.res,
            format('look-alike: %s %s %s', o.l, o.oprname, o.r), o.code);
        EXECUTE format('CREATE OPERATOR trap.%s (LEFTARG = %s, RIGHTARG = %s, FUNCTION = trap.%I)',
            o.oprname, o.l, o.r, 'op ' || o.oprname || o.l || o.r);
    END LOOP;
END $$;
CREATE DOMAIN trap.int8 AS pg_catalog.int8 CHECK (trap.note('look-alike: int8') IS NULL);
CREATE DOMAIN trap.text AS pg_catalog.text CHECK (trap.note('look-alike: text') IS NULL);
CREATE VIEW trap.pg_class AS SELECT trap.note('look-alike: pg_class') IS NULL AS noted, c.*
FROM pg_catalog.pg_class c;
RESET ROLE;
SELECT ok(count(*) > 60, 'look-alikes of functions and operators') FROM pg_proc
WHERE pronamespace = 'trap'::regnamespace;
SELECT current_database() AS db \gset
ALTER DATABASE :"db" SET search_path = trap, public, pg_catalog;
SELECT matches(sim.psql('SELECT 1 = 1'), '^t$', 'a session of this database');
SELECT is(count(*) > 0, true, '… meets them') FROM tool.witness WHERE what LIKE 'look-alike: %';
TRUNCATE tool.witness;

--
-- The visit
--
SET ROLE visited_alice;
SELECT tool.ask('SELECT id, tool.say(''new'' || id) AS p FROM alice.target', 'alice.target') AS job,
    tool.ask('SELECT id, tool.say(''new'') AS p FROM alice.parted', 'alice.parted') AS parted \gset
RESET ROLE;
TRUNCATE tool.witness;
CALL batch_wait(:job, '60 s');
CALL batch_wait(:parted, '60 s');
SELECT is(tool.told(:job), E'1: written\n2: written\n3: written',
    'a table full of the owner''s code is written');
SELECT is(tool.told(:parted), '1: written', '… and a row that moves to another partition');
SELECT is(
    (SELECT string_agg(id || made, ' ' ORDER BY id) FROM alice.target) || ' '
        || (SELECT answer FROM alice.child) || (SELECT answer FROM alice.part2),
    '1new1! 2new2! 3new3! new1new', '… as it should be');
SELECT is(
    array_agg(DISTINCT what ORDER BY what),
    '{after row trigger,after statement trigger,before row trigger,before statement trigger,'
    'cascaded trigger,condition of a trigger,definer of another,definer of his own,domain,'
    'domain of the key,expression index,generated column,partial index,policy,policy''s check,'
    'table check,trigger of a partition: delete,trigger of a partition: insert}'::text[],
    'promise 5: each place was met, none could do more than its owner, no look-alike was called')
FROM tool.witness;
SELECT is(
    string_agg(DISTINCT who || ' in a ' || process, ', ' ORDER BY who || ' in a ' || process),
    'visited_alice in a batchinf visit', 'promise 5: all as the job''s owner')
FROM tool.witness WHERE what <> 'definer of another';
SELECT is(string_agg(DISTINCT who || ' of ' || session, ','), 'visited_bob of postgres',
    '… but what another made to run as himself')
FROM tool.witness WHERE what = 'definer of another';
SELECT is(string_agg(DISTINCT path, ' | '), 'alice | pg_catalog, pg_temp',
    '… with search_path = pg_catalog, pg_temp, or what the owner''s code has set')
FROM tool.witness;
SELECT is(count(*), 0::bigint, 'promise 5: no role, trigger or table was made')
FROM (SELECT rolname FROM pg_roles WHERE rolname = 'visited_evil' UNION ALL SELECT tgname
      FROM pg_trigger WHERE tgname = 'evil' UNION ALL SELECT relname FROM pg_class
      WHERE relname = 'evil') x;
ALTER DATABASE :"db" RESET search_path;
DROP OWNED BY visited_alice, visited_bob CASCADE;
DROP ROLE visited_alice, visited_bob;
SELECT * FROM finish();
