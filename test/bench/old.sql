-- test/bench/old.sql: a database in which an ordinary role writes answers over rows that are there.
-- Variables: sim_port, rows.
\set ON_ERROR_STOP 1
CREATE EXTENSION batchinf;
CREATE SERVER sim FOREIGN DATA WRAPPER batchinf
OPTIONS (provider 'openai', model 'gpt-5.4-mini', base_url 'http://127.0.0.1:6666/v1',
    poll_interval '1', max_requests '1000000', max_bytes '1GB');
SELECT format('ALTER SERVER sim OPTIONS (SET base_url %L)',
    'http://127.0.0.1:' || :'sim_port' || '/v1') \gexec
CREATE ROLE bench_owner;
GRANT USAGE ON FOREIGN SERVER sim TO bench_owner;
CREATE USER MAPPING FOR bench_owner SERVER sim OPTIONS (api_key 'sk-sim');
CREATE SCHEMA bench;
GRANT USAGE ON SCHEMA bench TO bench_owner;
CREATE TABLE bench.measure (mode text, kept text, seconds float8);

-- Four rows of 300 bytes are a document: its value in a replace.
CREATE TABLE bench.ticket (id int PRIMARY KEY, doc int, body text, label text);
INSERT INTO bench.ticket
SELECT i, i / 4, rpad('customer ' || i, 300, ' says: the invoice is wrong'), 'old label ' || i
FROM generate_series(1, :rows) i;
CREATE INDEX ON bench.ticket (doc);
GRANT ALL ON bench.ticket TO bench_owner;

CREATE FUNCTION bench.submit(mode text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    more text := CASE mode WHEN 'update' THEN $m$, key => 'id', write_back => '{"label": "$"}'$m$
        WHEN 'upsert' THEN $m$, write_back => '{"id": {"column": "id"}, "label": "$"}'$m$
        ELSE $m$, replace_by => 'doc', write_back => '{"id": {"column": "id"},
            "doc": {"column": "doc"}, "body": {"column": "body"}, "label": "$"}'$m$ END;
    job bigint;
BEGIN
    EXECUTE format('SELECT batch_submit(''SELECT id, doc, body FROM bench.ticket ORDER BY id'',
        server => ''sim'', prompt => ''Label this: {{body}}'', target => ''bench.ticket'',
        write_mode => %L%s)', mode, more) INTO job;
    RETURN job;
END $$;

-- The processor time of a process in seconds: others on the machine change it little.
CREATE FUNCTION bench.used(pid int) RETURNS float8 LANGUAGE sql VOLATILE AS $$
SELECT (f[12]::float8 + f[13]::float8) / 100
FROM regexp_split_to_array(regexp_replace(
    pg_read_file('/proc/' || pid || '/stat', 0, 10000, true), '^.*\) ', ''), ' ') f $$;

-- Measures the job from its first answer to its end, while another session works on it.
CREATE PROCEDURE bench.follow_job(mode text, kept text) LANGUAGE plpgsql AS $$
DECLARE
    deadline timestamptz := clock_timestamp() + interval '10 min';
    worker int;
    start float8;
    used float8;
BEGIN
    LOOP
        IF start IS NULL AND EXISTS (SELECT FROM batchinf.chunk WHERE state = 'delivering') THEN
            SELECT pid, bench.used(pid) INTO STRICT worker, start FROM pg_stat_activity
            WHERE query LIKE 'CALL batch_work%';
        END IF;
        used := COALESCE(bench.used(worker), used);
        EXIT WHEN EXISTS (SELECT FROM batchinf.job WHERE ended IS NOT NULL);
        IF clock_timestamp() > deadline THEN
            RAISE EXCEPTION 'the job does not end';
        END IF;
        PERFORM pg_sleep(0.002);
        COMMIT;
    END LOOP;
    ASSERT (SELECT state = 'completed' AND written = records FROM batch_jobs),
        'not all rows are written';
    INSERT INTO bench.measure VALUES (mode, kept, used - start);
END $$;

-- Waits for the session that follows.
CREATE PROCEDURE bench.await_follower() LANGUAGE plpgsql AS $$
BEGIN
    WHILE NOT EXISTS (SELECT FROM pg_stat_activity
                      WHERE query LIKE 'CALL bench.follow%' AND state = 'active') LOOP
        PERFORM pg_sleep(0.002), pg_stat_clear_snapshot();
    END LOOP;
END $$;
