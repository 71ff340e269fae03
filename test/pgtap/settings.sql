-- Settings that ALTER DATABASE and ALTER ROLE make for everybody do not reach our own work: no
-- timeout ends it, and no format changes a value. The work is done by CALL batch_work().
-- worker-settings.sql runs the same file with the background worker.
\i lib.sql
SELECT no_plan();
SELECT sim.server('openai');
CREATE ROLE settings_ann;
CREATE ROLE settings_bob;
GRANT USAGE ON FOREIGN SERVER openai TO settings_ann;
CREATE USER MAPPING FOR settings_ann SERVER openai OPTIONS (api_key 'sk-sim');
SELECT current_database() AS db \gset

-- Keys and values whose text depends on settings; the key may be of all these types.
CREATE TABLE odd (at timestamptz, span interval, ratio float8, bytes bytea, flag text,
    PRIMARY KEY (at, span, ratio, bytes), t text, d date, ts timestamptz, iv interval, f float8,
    b bytea, list text[], seen text);
INSERT INTO odd (at, span, ratio, bytes, flag)
SELECT timestamptz '2026-02-03 04:05:06.789+00' + i * interval '25 hours',
    make_interval(months => -14, days => 3, secs => i), 0.1::float8 + i * 0.2,
    decode('5c00ff0' || i, 'hex'), NULL
FROM generate_series(1, 3) i;
ALTER TABLE odd ENABLE ROW LEVEL SECURITY;
CREATE POLICY all_rows ON odd USING (true);
GRANT SELECT, UPDATE ON odd TO settings_ann;
CREATE FUNCTION seen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.seen := concat_ws(' ', current_user, current_setting('session_replication_role'),
        current_setting('DateStyle'), current_setting('statement_timeout'),
        current_setting('transaction_read_only'), current_setting('transaction_isolation'),
        current_setting('jit'), current_setting('search_path'));
    PERFORM pg_catalog.pg_sleep(0.05);    -- longer than any timeout that is set below
    RETURN NEW;
END $$;
CREATE TRIGGER seen BEFORE UPDATE ON odd FOR EACH ROW EXECUTE FUNCTION seen();
CREATE TABLE answer AS
SELECT '{"t": "back\\slash ''quote'' \u00e9", "d": "2026-02-03", "ts": "2026-02-03T04:05:06.7Z", '
       '"iv": "P1Y2M-3DT4H", "f": 0.30000000000000004, "b": "\\x5c00ff", "list": ["NULL", null, '
       '"a\\b"]}'::json AS j;
ALTER TABLE answer ADD p text;
UPDATE answer
SET p = '[[sim:json=' || regexp_replace(encode(convert_to(j::text, 'UTF8'), 'hex'), '(..)', '%\1',
    'g') || ']]';
GRANT SELECT ON answer TO settings_ann;
CREATE FUNCTION ask() RETURNS bigint LANGUAGE sql AS $$
    SELECT batch_submit(
        'SELECT at, span, ratio, bytes, (SELECT p FROM answer) AS p FROM odd', server => 'openai',
        prompt => '{{p}}', key => 'at, span, ratio, bytes', target => 'odd',
        write_back => '{"t": "$.t", "d": "$.d", "ts": "$.ts", "iv": "$.iv", "f": "$.f", '
                      '"b": "$.b", "list": "$.list"}') $$;

-- A session that waits or idles is cut off only by what it was told itself, so batch_work has
-- longer timeouts for the whole of it.
CREATE TABLE hostile (name text, value text);
INSERT INTO hostile VALUES
    ('lock_timeout', '1ms'),
    ('idle_in_transaction_session_timeout', '1ms'),
    ('default_transaction_read_only', 'on'),
    ('default_transaction_isolation', 'serializable'),
    ('default_transaction_deferrable', 'on'),
    ('row_security', 'off'),
    ('DateStyle', 'German, DMY'),
    ('IntervalStyle', 'sql_standard'),
    ('standard_conforming_strings', 'off'),
    ('escape_string_warning', 'on'),
    ('bytea_output', 'escape'),
    ('extra_float_digits', '-15'),
    ('search_path', 'nowhere'),
    ('array_nulls', 'off'),
    ('transform_null_equals', 'on'),
    ('client_encoding', 'LATIN1'),
    ('quote_all_identifiers', 'on'),
    ('session_replication_role', 'replica'),
    ('check_function_bodies', 'off'),
    ('client_min_messages', 'debug1'),
    ('synchronous_commit', 'off'),
    ('enable_seqscan', 'off'),
    ('enable_indexscan', 'off'),
    ('TimeZone', 'Pacific/Chatham'),
    ('plan_cache_mode', 'force_generic_plan'),
    ('max_parallel_workers_per_gather', '4'),
    ('parallel_setup_cost', '0'),
    ('lc_messages', 'C'),
    ('xmloption', 'document'),
    ('statement_timeout',
     CASE WHEN current_setting('batchinf.enabled')::bool THEN '1ms' ELSE '100s' END),
    ('transaction_timeout',
     CASE WHEN current_setting('batchinf.enabled')::bool THEN '1ms' ELSE '100s' END),
    ('idle_session_timeout',
     CASE WHEN current_setting('batchinf.enabled')::bool THEN '1ms' ELSE '100s' END);
CREATE PROCEDURE set_all(whose text) LANGUAGE plpgsql AS $$
DECLARE
    h record;
BEGIN
    FOR h IN SELECT * FROM hostile
    WHERE lower(name) IN (SELECT lower(s.name) FROM pg_settings s) LOOP
        EXECUTE format(
            'ALTER %s SET %I = %s', whose, h.name,
            CASE WHEN h.name IN ('DateStyle', 'search_path') THEN h.value
                ELSE quote_literal(h.value) END);
    END LOOP;
END $$;

CREATE FUNCTION wrong_rows() RETURNS bigint LANGUAGE sql AS $$
    SELECT count(*)
    FROM odd o, answer,
        json_to_record(j) AS w(t text, d date, ts timestamptz, iv interval, f float8, b bytea,
            list text[])
    WHERE (o.t, o.d, o.ts, o.iv, o.f, o.b, o.list)
        IS DISTINCT FROM (w.t, w.d, w.ts, w.iv, w.f, w.b, w.list) $$;
CREATE FUNCTION told(job bigint) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(concat_ws(': ', j.state, r.outcome, r.write_state, r.write_error),
        ', ' ORDER BY seq)
    FROM batch_records r JOIN batch_jobs j USING (job_id) WHERE job_id = job $$;
CREATE FUNCTION await_leaving() RETURNS text
LANGUAGE sql AS $$    -- the next visit begins with what is set now
    SELECT sim.until(
        'SELECT count(*) FROM pg_stat_activity WHERE backend_type = ''batchinf visit'' '
        'AND datname = current_database()',
        '0') $$;
SELECT 'completed: succeeded: written, completed: succeeded: written, '
       'completed: succeeded: written' AS written \gset

--
-- All of it, for the database, for the role that works and for the owner of the job
--
CALL set_all(format('DATABASE %I', :'db'));
CALL set_all(format('ROLE postgres IN DATABASE %I', :'db'));
CALL set_all('ROLE settings_ann');
SELECT is(await_leaving(), '0', 'no visit is there');
SET ROLE settings_ann;
SELECT ask() AS job \gset
RESET ROLE;
SELECT sim.begin_work();
SELECT is(sim.until(format('SELECT told(%s)', :job), :'written', 60), :'written',
    'settings of the database, the worker''s role and the owner do not stop a job');
SELECT is(sim.end_work(), '', '… the work ends');
SELECT is(wrong_rows(), 0::bigint, '… every value is right');
SELECT is(string_agg(DISTINCT seen, ', '),
    'settings_ann origin ISO, DMY 0 off read committed off pg_catalog, pg_temp',
    '… and this is what the owner''s trigger saw')
FROM odd;
SELECT is((SELECT sum(cardinality(setconfig)) > 80 FROM pg_db_role_setting), true,
    '… though all of it was set');
ALTER DATABASE :"db" RESET ALL;
ALTER ROLE postgres IN DATABASE :"db" RESET ALL;
ALTER ROLE settings_ann RESET ALL;

--
-- The session of batch_submit has formats of its own: a key is found by its value, whatever its
-- text was there
--
UPDATE odd SET t = NULL, d = NULL, ts = NULL, iv = NULL, f = NULL, b = NULL, list = NULL;
SELECT is(await_leaving(), '0', 'no visit is there');
SET ROLE settings_ann;
SET DateStyle = 'SQL, DMY';
SET IntervalStyle = 'sql_standard';
SET extra_float_digits = -15;
SET bytea_output = 'escape';
SET TimeZone = 'Pacific/Chatham';
SET standard_conforming_strings = off; SET escape_string_warning = off;
SELECT ask() AS job \gset
RESET DateStyle;
RESET IntervalStyle;
RESET extra_float_digits;
RESET bytea_output; RESET TimeZone; RESET standard_conforming_strings; RESET escape_string_warning;
RESET ROLE;
SELECT sim.begin_work();
SELECT is(sim.until(format('SELECT told(%s)', :job), :'written', 60), :'written',
    'a job of a session with other formats');
SELECT is(sim.end_work(), '', '… the work ends');
SELECT is(wrong_rows(), 0::bigint, '… every value is right');

--
-- A role for every session: the work is not that role's
--
UPDATE odd SET t = NULL;
SELECT is(await_leaving(), '0', 'no visit is there');
GRANT EXECUTE ON PROCEDURE batch_work TO settings_bob;
ALTER DATABASE :"db" SET role = 'settings_bob';
SELECT is(sim.psql('SELECT current_user'), 'settings_bob',
    'a database whose sessions begin in a role');
SET ROLE settings_ann;
SELECT ask() AS job \gset
RESET ROLE;
SELECT sim.begin_work();
SELECT is(sim.until(format('SELECT told(%s)', :job), :'written', 60), :'written',
    '… does not stop a job');
SELECT is(sim.end_work(), '', '… the work ends');
SELECT is(string_agg(DISTINCT split_part(seen, ' ', 1), ', '), 'settings_ann',
    'promise 5: … which is its owner''s all the same')
FROM odd;
ALTER DATABASE :"db" RESET ALL;

DROP OWNED BY settings_ann, settings_bob CASCADE;
DROP ROLE settings_ann, settings_bob;
SELECT * FROM finish();
