-- test/pgtap/lib.sql: included first by each test: a session with pgTAP, the extension
-- and the simulator at hand.  No transaction is open: the worker must see what is done.
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
CREATE OR REPLACE FUNCTION sim.call(method text, path text, body jsonb DEFAULT NULL) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    s record;
    reply jsonb;
BEGIN
    SELECT * INTO s FROM sim_setting;
    CREATE TEMP TABLE IF NOT EXISTS sim_reply (line text);
    TRUNCATE sim_reply;
    EXECUTE format('COPY sim_reply FROM PROGRAM %L WITH (FORMAT csv, DELIMITER E''\x01'', QUOTE E''\x02'')',
        format('perl %s/test/lib/http.pl %s http://127.0.0.1:%s%s %s', s.root, method, s.port, path,
               CASE WHEN body IS NOT NULL THEN '''' || replace(body::text, '''', '''\''''') || '''' ELSE '' END));
    SELECT string_agg(line, '')::jsonb INTO reply FROM sim_reply;
    RETURN reply;
END $$;

CREATE OR REPLACE FUNCTION sim.reset() RETURNS void LANGUAGE sql AS $$ SELECT sim.call('POST', '/_sim/reset', '{}') $$;
CREATE OR REPLACE FUNCTION sim.fault(fault jsonb) RETURNS void LANGUAGE sql AS $$ SELECT sim.call('POST', '/_sim/faults', fault) $$;
CREATE OR REPLACE FUNCTION sim.clear_faults() RETURNS void LANGUAGE sql AS $$ SELECT sim.call('DELETE', '/_sim/faults') $$;
CREATE OR REPLACE FUNCTION sim.config(config jsonb) RETURNS void LANGUAGE sql AS $$ SELECT sim.call('POST', '/_sim/config', config) $$;
CREATE OR REPLACE FUNCTION sim.ledger() RETURNS jsonb LANGUAGE sql AS $$ SELECT sim.call('GET', '/_sim/ledger') $$;
CREATE OR REPLACE FUNCTION sim.url() RETURNS text LANGUAGE sql AS $$ SELECT 'http://127.0.0.1:' || port || '/v1' FROM sim_setting $$;

-- A server of the simulator with a mapping for the current user; more as "name 'value', …".
CREATE OR REPLACE FUNCTION sim.server(name text, more text DEFAULT '', model text DEFAULT 'gpt-5.4-mini') RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('DROP SERVER IF EXISTS %I CASCADE', name);
    EXECUTE format('CREATE SERVER %I FOREIGN DATA WRAPPER batchinf OPTIONS (provider ''openai'', model %L, base_url %L, poll_interval ''1''%s)',
                   name, model, sim.url(), CASE WHEN more = '' THEN '' ELSE ', ' || more END);
    EXECUTE format('CREATE USER MAPPING FOR CURRENT_USER SERVER %I OPTIONS (api_key ''sk-sim'')', name);
END $$;

SELECT sim.reset();

-- Other sessions: a psql with one -c for each command; what it says, notices and errors included.
CREATE OR REPLACE FUNCTION sim.psql(VARIADIC commands text[]) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    said text;
BEGIN
    CREATE TEMP TABLE IF NOT EXISTS psql_said (n serial, line text);
    TRUNCATE psql_said;
    EXECUTE format('COPY psql_said (line) FROM PROGRAM %L WITH (FORMAT csv, DELIMITER E''\x01'', QUOTE E''\x02'')',
        format('psql -XAtq -h %s -p %s -d %s %s 2>&1 || true', current_setting('unix_socket_directories'), current_setting('port'), current_database(),
               (SELECT string_agg('-c ''' || replace(c, '''', '''\''''') || '''', ' ') FROM unnest(commands) c)));
    SELECT string_agg(line, E'\n' ORDER BY n) INTO said FROM psql_said;
    RETURN said;
END $$;

-- A session that goes on by itself: its command runs while the test does something else.
CREATE EXTENSION IF NOT EXISTS dblink;
CREATE OR REPLACE FUNCTION sim.start(session text, command text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM dblink_connect(session, format('host=%s port=%s dbname=%s application_name=%s', current_setting('unix_socket_directories'),
                                           current_setting('port'), current_database(), session));
    PERFORM dblink_send_query(session, command);
END $$;

-- Waits for its end: '' or its error.
CREATE OR REPLACE FUNCTION sim.finish(session text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    error text := '';
BEGIN
    BEGIN
        PERFORM * FROM dblink_get_result(session) AS r(status text);
    EXCEPTION WHEN OTHERS THEN
        error := sqlerrm;
    END;
    PERFORM dblink_disconnect(session);
    RETURN error;
END $$;

-- Asks until the answer is as wanted; the last answer, for is().
CREATE OR REPLACE FUNCTION sim.until(query text, wanted text, seconds float8 DEFAULT 20) RETURNS text LANGUAGE plpgsql AS $$
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
