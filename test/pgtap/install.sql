-- CREATE EXTENSION and DROP EXTENSION: in any schema except batchinf, complete, and with nothing
-- left behind.
\i lib.sql
SELECT no_plan();
CREATE ROLE install_user;

-- everything of ours that is anywhere
CREATE FUNCTION left_behind() RETURNS text LANGUAGE sql AS $$
    SELECT COALESCE(string_agg(what, ', ' ORDER BY what), 'nothing')
    FROM (SELECT 'schema ' || nspname FROM pg_namespace WHERE nspname = 'batchinf'
          UNION ALL SELECT 'relation ' || relname FROM pg_class
          WHERE relname ~ '^batch_' OR relnamespace::regnamespace::text = 'batchinf'
          UNION ALL SELECT 'function ' || proname FROM pg_proc
          WHERE proname ~ '^batch_' OR probin LIKE '%batchinf%' UNION ALL SELECT 'type ' || typname
          FROM pg_type WHERE typname ~ '^_?batch_' UNION ALL SELECT 'wrapper ' || fdwname
          FROM pg_foreign_data_wrapper WHERE fdwname = 'batchinf'
          UNION ALL SELECT 'server ' || srvname FROM pg_foreign_server
          UNION ALL SELECT 'mapping ' || umid FROM pg_user_mappings
          UNION ALL SELECT 'extension ' || extname FROM pg_extension
          WHERE extname = 'batchinf') x(what) $$;

SELECT throws_ok('CREATE EXTENSION batchinf', '42710', 'extension "batchinf" already exists',
    'not twice');
SELECT lives_ok('CREATE EXTENSION IF NOT EXISTS batchinf', 'IF NOT EXISTS');
SELECT throws_like('ALTER EXTENSION batchinf SET SCHEMA sim', '%does not support SET SCHEMA%',
    'it is not relocatable');
SELECT is(string_agg(extname::text || ' ' || extversion, ''), 'batchinf 0.3.0', 'the version')
FROM pg_extension WHERE extname = 'batchinf';

-- with jobs in every stage of life
SELECT sim.server('openai');
SELECT batch_submit('SELECT 1 AS id', server => 'openai', prompt => 'x') AS job \gset
CALL batch_work('60 s');
SELECT batch_submit('SELECT 1 AS id', server => 'openai', prompt => 'x') AS job \gset
SELECT throws_ok('DROP EXTENSION batchinf', '2BP01', NULL, 'servers keep the extension');
SELECT lives_ok('DROP EXTENSION batchinf CASCADE', 'DROP EXTENSION CASCADE');
SELECT is(left_behind(), 'nothing', 'nothing is left behind');

-- where it cannot be
SELECT throws_ok('CREATE EXTENSION batchinf SCHEMA batchinf', '3F000', NULL,
    'not in the schema batchinf, which it makes itself');
CREATE SCHEMA batchinf;
SELECT throws_ok('CREATE EXTENSION batchinf SCHEMA batchinf', NULL, NULL,
    'not in a schema batchinf that is there');
SELECT throws_ok('CREATE EXTENSION batchinf', '42P06', 'schema "batchinf" already exists',
    'not beside a schema batchinf of somebody else');
DROP SCHEMA batchinf;
SELECT is(left_behind(), 'nothing', 'a refused CREATE EXTENSION leaves nothing');
SET ROLE install_user;
SELECT throws_ok('CREATE EXTENSION batchinf', '42501', NULL, 'only a superuser may');
RESET ROLE;

-- in a schema of another's, who has prepared it
CREATE SCHEMA "Own odd place" AUTHORIZATION install_user;
CREATE TABLE witness (what text);
GRANT INSERT ON witness TO PUBLIC;
SET ROLE install_user;
SET search_path = "Own odd place";
CREATE FUNCTION note(text) RETURNS bool LANGUAGE sql AS $$
    INSERT INTO public.witness VALUES ($1 || ' as ' || current_user);
    SELECT true
$$;
CREATE FUNCTION same(oid, int) RETURNS bool LANGUAGE sql AS $$
    SELECT "Own odd place".note('oid = int')
$$;
CREATE FUNCTION same(text, name) RETURNS bool LANGUAGE sql AS $$
    SELECT "Own odd place".note('text = name')
$$;
CREATE FUNCTION ratio(bigint, numeric) RETURNS numeric LANGUAGE sql AS $$
    SELECT "Own odd place".note('bigint / numeric');
    SELECT 0.0
$$;
CREATE FUNCTION step(text, text) RETURNS text LANGUAGE sql AS $$
    SELECT "Own odd place".note('array_agg');
    SELECT $2
$$;
CREATE AGGREGATE array_agg(text) (SFUNC = step, STYPE = text);
CREATE OPERATOR = (LEFTARG = oid, RIGHTARG = int, FUNCTION = same);
CREATE OPERATOR = (LEFTARG = text, RIGHTARG = name, FUNCTION = same);
CREATE OPERATOR / (LEFTARG = bigint, RIGHTARG = numeric, FUNCTION = ratio);
CREATE DOMAIN bigint AS int;
CREATE FUNCTION now() RETURNS timestamptz LANGUAGE sql AS $$
    SELECT "Own odd place".note('now');
    SELECT NULL::timestamptz
$$;
RESET search_path;
RESET ROLE;
SELECT lives_ok($$CREATE EXTENSION batchinf SCHEMA "Own odd place"$$,
    'in a schema of the user''s choice');
SELECT is(string_agg(DISTINCT n.nspname::text, ', ' ORDER BY n.nspname::text),
    'Own odd place, batchinf', 'its functions are there, and in batchinf')
FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'batchinf' JOIN pg_proc p
ON d.classid = 'pg_proc'::regclass AND p.oid = d.objid JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE d.deptype = 'e';
SELECT sim.server('openai');
GRANT USAGE ON FOREIGN SERVER openai TO install_user;
CREATE USER MAPPING FOR install_user SERVER openai OPTIONS (api_key 'sk-sim');
CREATE TABLE docs (id int PRIMARY KEY, body text, answer text);
INSERT INTO docs SELECT i, 'body ' || i FROM generate_series(1, 20) i;
GRANT SELECT, UPDATE ON docs TO install_user;
SET ROLE install_user;
SELECT "Own odd place".batch_submit('SELECT id, body FROM docs', server => 'openai',
    prompt => '{{body}}', target => 'docs', write_back => '{"answer": "$"}') AS job \gset
SELECT "Own odd place".batch_submit('SELECT 1 AS id', server => 'openai',
    prompt => '[[sim:error=400]]') AS bad \gset
SELECT "Own odd place".batch_pause(:job) AS x \gset
SELECT is((SELECT state FROM "Own odd place".batch_jobs WHERE job_id = :job), 'paused',
    'batch_pause there');
SELECT "Own odd place".batch_resume(:job) AS x \gset
RESET ROLE;
CALL "Own odd place".batch_work('60 s');
SET ROLE install_user;
SELECT is(state || ' ' || written || ' ' || progress, 'completed 20 1.0000', 'a whole job there')
FROM "Own odd place".batch_jobs WHERE job_id = :job;
SELECT is(count(*), 20::bigint, 'its rows are written') FROM docs WHERE answer IS NOT NULL;
SELECT is(
    (SELECT count(*) FROM "Own odd place".batch_records)
        + (SELECT count(*) FROM "Own odd place".batch_chunks),
    23::bigint, 'the views there');
SELECT ok(
    (SELECT count(*) FROM "Own odd place".batch_events) > 0
    AND (SELECT limits IS NOT NULL FROM "Own odd place".batch_servers),
    'all of them');
SELECT is((SELECT status FROM "Own odd place".batch_check('openai')), 'ok', 'batch_check there');
SELECT is("Own odd place".batch_retry(:bad), 1::bigint, 'batch_retry there');
SELECT "Own odd place".batch_cancel(:bad) AS x \gset
RESET ROLE;
CALL "Own odd place".batch_work('60 s');
CALL "Own odd place".batch_wait(:bad, '10 s');
SELECT is(state, 'cancelled', 'batch_cancel and batch_wait there') FROM "Own odd place".batch_jobs
WHERE job_id = :bad;
SELECT is(
    count(*), 0::bigint,
    'promise 5: nothing that stood in that schema before is a part of the extension: '
        || COALESCE(string_agg(what, ', '), 'nothing'))
FROM witness;

-- and again elsewhere
SELECT lives_ok('DROP EXTENSION batchinf CASCADE', 'DROP EXTENSION from there');
SELECT is(left_behind(), 'nothing', 'nothing is left behind there');
SELECT lives_ok('CREATE EXTENSION batchinf', 'CREATE EXTENSION in public again');
SELECT sim.server('openai');
SELECT batch_submit('SELECT id, body FROM docs', server => 'openai', prompt => '{{body}}') AS job
\gset
CALL batch_work('60 s');
SELECT is(state, 'completed', 'and a job of the new one') FROM batch_jobs;
SELECT * FROM finish();
