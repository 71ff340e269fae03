-- test/pgtap/lib.sql: what all tests share; each includes it first.  It installs pgTAP and the
-- extension, and makes the schema sim: functions that steer the simulator, make servers, start
-- other sessions and wait for conditions.  No transaction is open: the worker must see what a test
-- does.
\set QUIET 1
\set ON_ERROR_STOP 1
\pset format unaligned
\pset tuples_only true
\pset pager off
\getenv sim_port SIM_PORT
\getenv root BI_ROOT
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pgtap;
CREATE EXTENSION IF NOT EXISTS batchinf;
CREATE SCHEMA IF NOT EXISTS sim;

CREATE TEMP TABLE sim_setting AS SELECT :'sim_port' AS port, :'root' AS root;

-- One request to the simulator's control API (see test/sim/README.md).
CREATE OR REPLACE FUNCTION sim.call(method text, path text, body jsonb DEFAULT NULL) RETURNS jsonb
LANGUAGE plpgsql AS $$
DECLARE
    s record;
    reply jsonb;
BEGIN
    SELECT * INTO s FROM sim_setting;
    CREATE TEMP TABLE IF NOT EXISTS sim_reply (line text);
    TRUNCATE sim_reply;
    EXECUTE format(
        'COPY sim_reply FROM PROGRAM %L WITH (FORMAT csv, DELIMITER E''\x01'', QUOTE E''\x02'')',
        format(
            'perl %s/test/lib/http.pl %s http://127.0.0.1:%s%s %s', s.root, method, s.port, path,
            CASE WHEN body IS NOT NULL THEN '''' || replace(body::text, '''', '''\''''') || ''''
                ELSE '' END));
    SELECT string_agg(line, '')::jsonb INTO reply FROM sim_reply;
    RETURN reply;
END $$;

CREATE OR REPLACE FUNCTION sim.reset() RETURNS void LANGUAGE sql AS $$
    SELECT sim.call('POST', '/_sim/reset', '{}')
$$;
CREATE OR REPLACE FUNCTION sim.fault(fault jsonb) RETURNS void LANGUAGE sql AS $$
    SELECT sim.call('POST', '/_sim/faults', fault)
$$;
CREATE OR REPLACE FUNCTION sim.clear_faults() RETURNS void LANGUAGE sql AS $$
    SELECT sim.call('DELETE', '/_sim/faults')
$$;
CREATE OR REPLACE FUNCTION sim.config(config jsonb) RETURNS void LANGUAGE sql AS $$
    SELECT sim.call('POST', '/_sim/config', config)
$$;
CREATE OR REPLACE FUNCTION sim.ledger() RETURNS jsonb LANGUAGE sql AS $$
    SELECT sim.call('GET', '/_sim/ledger')
$$;
CREATE OR REPLACE FUNCTION sim.url() RETURNS text LANGUAGE sql AS $$
    SELECT 'http://127.0.0.1:' || port || '/v1' FROM sim_setting
$$;

-- A server of the simulator with a mapping for the current user; more as "name 'value', …".
CREATE OR REPLACE FUNCTION sim.server(name text, more text DEFAULT '',
    model text DEFAULT 'gpt-5.4-mini')
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('DROP SERVER IF EXISTS %I CASCADE', name);
    EXECUTE format(
        'CREATE SERVER %I FOREIGN DATA WRAPPER batchinf OPTIONS (provider ''openai'', model %L, '
        'base_url %L, poll_interval ''1''%s)',
        name, model, sim.url(), CASE WHEN more = '' THEN '' ELSE ', ' || more END);
    EXECUTE format('CREATE USER MAPPING FOR CURRENT_USER SERVER %I OPTIONS (api_key ''sk-sim'')',
        name);
END $$;

-- The same at Bedrock.  One record is enough for a batch here.
CREATE OR REPLACE FUNCTION sim.bedrock(name text, more text DEFAULT '',
    model text DEFAULT 'us.amazon.nova-lite-v1:0', mapping text DEFAULT '')
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    url text := regexp_replace(sim.url(), '/v1$', '');
BEGIN
    EXECUTE format('DROP SERVER IF EXISTS %I CASCADE', name);
    EXECUTE format(
        'CREATE SERVER %I FOREIGN DATA WRAPPER batchinf OPTIONS (provider ''bedrock'', model %L, '
        'base_url %L, region ''us-east-1'', role_arn '
        '''arn:aws:iam::123456789012:role/BedrockBatch'', %s poll_interval ''1'', '
        'min_requests ''1''%s)',
        name, model, url,
        CASE WHEN more ~ 'storage_' THEN ''
            ELSE format('storage_url ''s3://batch/jobs'', storage_base_url %L,', url) END,
        CASE WHEN more = '' THEN '' ELSE ', ' || more END);
    EXECUTE format(
        'CREATE USER MAPPING FOR CURRENT_USER SERVER %I OPTIONS (%s)', name,
        COALESCE(
            NULLIF(mapping, ''),
            'access_key_id ''AKIDEXAMPLE'', secret_access_key '
            '''wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY'''));
    PERFORM sim.config('{"bedrock_min_records": 1}');
END $$;

-- The table that most tests work on, with n rows.
CREATE OR REPLACE FUNCTION sim.tickets(n int DEFAULT 0) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    CREATE TABLE tickets (id int PRIMARY KEY, body text, label text);
    INSERT INTO tickets SELECT i, 'body ' || i FROM generate_series(1, n) i;
END $$;

-- The lines of a file at the provider, as they stand there.
CREATE OR REPLACE FUNCTION sim.lines(file text, key text DEFAULT 'sk-sim') RETURNS SETOF text
LANGUAGE plpgsql AS $$
DECLARE
    s record;
BEGIN
    SELECT * INTO s FROM sim_setting;
    CREATE TEMP TABLE IF NOT EXISTS sim_lines (n int GENERATED ALWAYS AS IDENTITY, line text);
    TRUNCATE sim_lines RESTART IDENTITY;
    EXECUTE format(
        'COPY sim_lines (line) FROM PROGRAM %L WITH (FORMAT csv, DELIMITER E''\x01'', '
        'QUOTE E''\x02'')',
        format('KEY=%s perl %s/test/lib/http.pl GET http://127.0.0.1:%s/v1/files/%s/content', key,
            s.root, s.port, file));
    RETURN QUERY SELECT line FROM sim_lines ORDER BY n;
END $$;

-- CALL batch_work in a session beside this one; it ends with the last job.
CREATE OR REPLACE FUNCTION sim.work_beside(max_time interval DEFAULT '60 s') RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    CREATE TEMP TABLE IF NOT EXISTS sim_reply (line text);
    EXECUTE format(
        'COPY sim_reply FROM PROGRAM %L',
        format(
            'psql -qX -h %s -p %s -U postgres -d %s -c "CALL batch_work(''%s'')" </dev/null '
            '>/dev/null 2>&1 &',
            split_part(current_setting('unix_socket_directories'), ',', 1), current_setting('port'),
            current_database(), max_time));
END $$;

-- Polls until a condition holds.  Raises an error when the patience is over.
CREATE OR REPLACE PROCEDURE sim.await(condition text, patience interval DEFAULT '60 s')
LANGUAGE plpgsql AS $$
DECLARE
    deadline timestamptz := clock_timestamp() + patience;
    holds bool;
BEGIN
    LOOP
        EXECUTE 'SELECT ' || condition INTO holds;
        EXIT WHEN holds;
        IF clock_timestamp() > deadline THEN
            RAISE EXCEPTION 'waited in vain for: %', condition;
        END IF;
        COMMIT;
        PERFORM pg_sleep(0.02);
    END LOOP;
END $$;

SELECT sim.reset();

-- Runs psql with one -c for each command.  Returns what it prints, notices and errors included.
CREATE OR REPLACE FUNCTION sim.psql(VARIADIC commands text[]) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    said text;
BEGIN
    CREATE TEMP TABLE IF NOT EXISTS psql_said (n serial, line text);
    TRUNCATE psql_said;
    EXECUTE format(
        'COPY psql_said (line) FROM PROGRAM %L WITH (FORMAT csv, DELIMITER E''\x01'', '
        'QUOTE E''\x02'')',
        format(
            'psql -XAtq -h %s -p %s -d %s %s 2>&1 || true',
            current_setting('unix_socket_directories'), current_setting('port'), current_database(),
            (SELECT string_agg('-c ''' || replace(c, '''', '''\''''') || '''', ' ')
             FROM unnest(commands) c)));
    SELECT COALESCE(string_agg(line, E'\n' ORDER BY n), '') INTO said FROM psql_said;
    RETURN said;
END $$;

-- Opens a session beside this one, by dblink.
CREATE EXTENSION IF NOT EXISTS dblink;
CREATE OR REPLACE FUNCTION sim.connect(session text) RETURNS void LANGUAGE sql AS $$
    SELECT dblink_connect(session,
        format('host=%s port=%s dbname=%s application_name=%s',
            current_setting('unix_socket_directories'), current_setting('port'),
            current_database(), session))
$$;

-- Starts a command in a session of its own: it runs while the test does something else.
CREATE OR REPLACE FUNCTION sim.start(session text, command text) RETURNS void LANGUAGE sql AS $$
    SELECT sim.connect(session);
    SELECT dblink_send_query(session, command);
$$;

-- Waits for the end of a session's command.  Returns '' or its error.
CREATE OR REPLACE FUNCTION sim.finish(session text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    error text := '';
BEGIN
    FOR i IN 1..2 LOOP          -- the last result is empty
        BEGIN
            PERFORM * FROM dblink_get_result(session) AS r(status text);
        EXCEPTION WHEN query_canceled OR OTHERS THEN
            error := COALESCE(NULLIF(error, ''), sqlerrm);
        END;
    END LOOP;
    PERFORM dblink_disconnect(session);
    RETURN error;
END $$;

-- For tests that run with and without the background worker: without it, a session beside this one
-- works until all jobs have ended.
CREATE OR REPLACE FUNCTION sim.begin_work() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF NOT current_setting('batchinf.enabled')::bool THEN
        PERFORM sim.start('work', 'CALL public.batch_work(''120 s'')');
    END IF;
END $$;

-- Waits for the end of that work.  Returns '' or its error.
CREATE OR REPLACE FUNCTION sim.end_work() RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    RETURN CASE WHEN current_setting('batchinf.enabled')::bool THEN '' ELSE sim.finish('work') END;
END $$;

-- Repeats a query until its answer is as wanted.  Returns the last answer, for is().
CREATE OR REPLACE FUNCTION sim.until(query text, wanted text, seconds float8 DEFAULT 20)
RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    deadline timestamptz := clock_timestamp() + seconds * interval '1 second';
    answer text;
BEGIN
    LOOP
        PERFORM pg_stat_clear_snapshot();
        EXECUTE query INTO answer;
        EXIT WHEN answer = wanted OR clock_timestamp() > deadline;
        PERFORM pg_sleep(0.02);
    END LOOP;
    RETURN answer;
END $$;

-- Works in a session beside this one, with the settings of this one, until a condition holds. When
-- the patience is over it only warns: the test tells what has come instead.
CREATE OR REPLACE FUNCTION sim.work_until(condition text, seconds float8 DEFAULT 60)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    error text;
BEGIN
    PERFORM sim.connect('work');
    PERFORM dblink_exec('work', format('SET %s = %L', name, current_setting(name)))
    FROM pg_settings WHERE name LIKE 'batchinf.%' AND source = 'session';
    PERFORM dblink_send_query('work', 'CALL public.batch_work(''120 s'')');
    IF sim.until('SELECT ' || condition, 'true', seconds) IS DISTINCT FROM 'true' THEN
        RAISE WARNING 'waited in vain for: %', condition;
    END IF;
    PERFORM dblink_cancel_query('work');
    error := sim.finish('work');
    IF error NOT IN ('', 'canceling statement due to user request') THEN
        RAISE EXCEPTION 'batch_work: %', error;
    END IF;
END $$;

-- The same until each of these jobs waits and says why.
CREATE OR REPLACE FUNCTION sim.work_until_waits(VARIADIC jobs bigint[]) RETURNS void
LANGUAGE sql AS $$
    SELECT sim.work_until(format('(SELECT bool_and(waiting_for IS NOT NULL) FROM batch_jobs '
                                 'WHERE job_id = ANY (%L))', jobs))
$$;

-- How many rows each of our tables has, and how far each of our sequences is: equal if nothing was
-- stored.
CREATE OR REPLACE FUNCTION sim.stored() RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(x, ' ' ORDER BY x) FROM (
        SELECT concat(c.relname, ':', (xpath('//n/text()', query_to_xml(
                   format('SELECT count(*) AS n FROM batchinf.%I', c.relname), true, true, '')))[1])
        FROM pg_class c WHERE c.relnamespace = 'batchinf'::regnamespace AND c.relkind = 'r'
        UNION ALL
        SELECT concat(s.sequencename, ':', s.last_value) FROM pg_sequences s
        WHERE s.schemaname = 'batchinf') v(x)
$$;
