-- Code and types of one owner try to end a worker's process, to hold it for ever, or to fill its
-- memory. The jobs of others end all the same.
\i lib.sql
SELECT no_plan();
ALTER SYSTEM SET batchinf.write_timeout = '1s';
SELECT pg_reload_conf();
DROP ROLE IF EXISTS mallory;
CREATE ROLE mallory;
SELECT sim.server('s');
SELECT sim.server('other');
GRANT USAGE ON FOREIGN SERVER s TO mallory;
CREATE USER MAPPING FOR mallory SERVER s OPTIONS (api_key 'sk-sim');
CREATE SCHEMA m AUTHORIZATION mallory;
CREATE TABLE calm (id int PRIMARY KEY, label text);
INSERT INTO calm VALUES (1), (2);
SELECT sim.config('{"batch_seconds": 1}');

CREATE FUNCTION say(answer text) RETURNS text LANGUAGE sql AS $$
    SELECT '[[sim:say='
        || regexp_replace(encode(convert_to(answer, 'UTF8'), 'hex'), '(..)', '%\1', 'g') || ']]'
$$;
CREATE FUNCTION submit(tab text, said text, server text DEFAULT 's') RETURNS bigint
LANGUAGE sql AS $$
    SELECT batch_submit(format('SELECT id, %L AS prompt FROM %s', said, tab), server, key => 'id',
        target => tab::regclass, write_back => '{"label": "$"}') $$;
CREATE FUNCTION writes(job bigint) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(concat_ws(' ', outcome, error_code, write_state, write_error),
        '; ' ORDER BY record_id)
    FROM batch_records WHERE job_id = job $$;
-- A job of mallory's on a table with that trigger.
CREATE FUNCTION attack(tab text, body text, set_clause text DEFAULT '') RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    job bigint;
BEGIN
    SET LOCAL ROLE mallory;
    EXECUTE format(
        'CREATE TABLE m.%I (id int PRIMARY KEY, label text); INSERT INTO m.%1$I VALUES (1)', tab);
    EXECUTE format('CREATE FUNCTION m.%I() RETURNS trigger LANGUAGE plpgsql %s AS %L', tab,
        set_clause, 'BEGIN ' || body || '; RETURN NEW; END');
    EXECUTE format('CREATE TRIGGER b BEFORE UPDATE ON m.%I FOR EACH ROW EXECUTE FUNCTION m.%1$I()',
        tab);
    job := submit('m.' || quote_ident(tab), 'x');
    RESET ROLE;
    RETURN job;
END $$;

-- Settings with which an error, or the time, ends the process: a fresh one would come after
-- seconds, then minutes, and meet the same.
DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET exit_on_error = on', current_database()); END $$;
SELECT attack('fatal', $$SET exit_on_error = on; RAISE EXCEPTION 'gone'$$) AS set_in \gset
SELECT attack('fatal_clause', $$RAISE EXCEPTION 'gone'$$, 'SET exit_on_error = on') AS set_clause
\gset
SELECT attack('fatal_reset', $$RESET ALL; RAISE EXCEPTION 'gone'$$) AS reset_all \gset
SELECT attack('fatal_time',
    $$PERFORM set_config('transaction_timeout', '1ms', false); PERFORM pg_sleep(0.5)$$) AS timed
\gset
CALL sim.await(format(
    '(SELECT count(write_error) = 2 FROM batch_records WHERE job_id IN (%s, %s))', :set_in,
    :set_clause));
CALL batch_wait(:reset_all, '60 s');
CALL sim.await(format('(SELECT write_error IS NOT NULL FROM batch_records WHERE job_id = %s)',
    :timed));
SELECT is(writes(:set_in), 'succeeded waiting parameter "exit_on_error" cannot be changed',
    'exit_on_error cannot be set in a trigger');
SELECT is(writes(:set_clause), 'succeeded waiting parameter "exit_on_error" cannot be changed',
    '… nor by the SET clause of its function');
SELECT is(writes(:reset_all), 'succeeded write_failed gone',
    '… nor does RESET ALL take the database''s');
SELECT alike(writes(:timed), 'succeeded %"transaction_timeout"%',
    'nor can transaction_timeout be set, where it is known');
DROP TABLE m.fatal, m.fatal_clause, m.fatal_time;
DO $$ BEGIN EXECUTE format('ALTER DATABASE %I RESET exit_on_error', current_database()); END $$;

-- Code that catches each cancel, and goes on for ever.
SELECT attack('stubborn', $$
    LOOP
        BEGIN
            PERFORM pg_sleep(1e6);
        EXCEPTION WHEN query_canceled THEN NULL;
        END;
    END LOOP$$) AS stubborn \gset
SELECT attack('deep', $$
    LOOP
        BEGIN
            BEGIN
                PERFORM pg_sleep(1e6);
            EXCEPTION WHEN query_canceled THEN PERFORM pg_sleep(1e6);
            END;
        EXCEPTION WHEN query_canceled THEN NULL;
        END;
    END LOOP$$) AS deep \gset
CALL sim.await(format(
    $$(SELECT bool_and(write_error LIKE '%%batchinf.write_timeout') FROM batch_records
       WHERE job_id IN (%s, %s))$$,
    :stubborn, :deep));
SELECT submit('calm', 'fine', 'other') AS calm \gset
CALL batch_wait(:calm, '60 s');
SELECT is(writes(:calm), 'succeeded written; succeeded written',
    'a loop that catches cancels holds up nobody');
DROP TABLE m.stubborn, m.deep;

-- A type with more types within it than anybody can look at.
DO $$
BEGIN
    SET LOCAL ROLE mallory;
    FOR i IN 1 .. 3 LOOP
        EXECUTE format(
            'CREATE TYPE m.c%s AS (%s)', i,
            (SELECT string_agg(
                 format('a%s %s', n, CASE WHEN i = 1 THEN 'text' ELSE 'm.c' || i - 1 END), ', ')
             FROM generate_series(1, 100) n));
    END LOOP;
    CREATE TABLE m.wide (id int PRIMARY KEY, label text);
    INSERT INTO m.wide VALUES (1);
    CREATE TABLE m.wide_key (id m.c3);
END $$;
SET ROLE mallory;
SELECT submit('m.wide', '{}') AS wide \gset
ALTER TABLE m.wide ALTER label TYPE m.c3 USING NULL;
SELECT throws_ok($$SELECT submit('m.wide', '{}')$$, '54000',
    'cannot write back to a column of type m.c3',
    'types within types without end are refused at submit');
RESET ROLE;
CALL batch_wait(:wide, '60 s');
SELECT is(
    writes(:wide),
    'succeeded write_failed cannot write back to a column of type m.c3 (Members, '
    'and members of these, are more than 10000 together.)',
    '… and at the write, where the column has become such a one');

-- Empty rows: a copy of the row's description for each would be a gigabyte for 30 kB.
DO $$
BEGIN
    EXECUTE format('CREATE TYPE row_of_many AS (%s)',
        (SELECT string_agg(format('a%s int', n), ', ') FROM generate_series(1, 1500) n));
END $$;
CREATE TABLE many (id int PRIMARY KEY, label row_of_many[]);
INSERT INTO many VALUES (1);
-- of the largest, in MB: there may be two
CREATE FUNCTION visit_memory() RETURNS numeric LANGUAGE sql AS $$
    SELECT max(regexp_replace(pg_read_file('/proc/' || pid || '/status'),
        '.*VmHWM:\s*(\d+) kB.*', '\1')::numeric) / 1024
    FROM pg_stat_activity
    WHERE backend_type = 'batchinf visit' AND datname = current_database()
$$;
SELECT submit('many', say('[' || repeat('{},', 5000) || '{}]')) AS many \gset
SELECT submit('calm', 'again', 'other') AS linger \gset
CALL batch_wait(:many, '60 s');
SELECT cmp_ok(visit_memory(), '<', 500::numeric,
    'a visit''s memory does not grow with their number');
SELECT is(writes(:many), 'succeeded written', 'they are written');
DROP OWNED BY mallory CASCADE;
DROP ROLE mallory;
ALTER SYSTEM RESET batchinf.write_timeout;
SELECT pg_reload_conf();
SELECT * FROM finish();
