-- test/bench/setup.sql: a database for one round: the rows, the plain tables beside them,
-- and what measures.  Variables: sim_port, rows, bytes.
\set ON_ERROR_STOP 1
CREATE EXTENSION batchinf;
CREATE SERVER sim FOREIGN DATA WRAPPER batchinf
OPTIONS (provider 'openai', model 'gpt-5.4-mini', base_url 'http://127.0.0.1:6666/v1',
    poll_interval '1', max_requests '1000000', max_bytes '1GB');
SELECT format('ALTER SERVER sim OPTIONS (SET base_url %L)',
    'http://127.0.0.1:' || :'sim_port' || '/v1') \gexec
CREATE USER MAPPING FOR CURRENT_USER SERVER sim OPTIONS (api_key 'sk-sim');

CREATE SCHEMA bench;

-- Wide rows come with answers of that size too.
CREATE TABLE bench.ticket (id int PRIMARY KEY, subject text, body text, label text);
INSERT INTO bench.ticket
SELECT i, 'ticket ' || i,
    CASE WHEN :bytes > 10000 THEN '[[sim:big=' || :bytes || ']]' ELSE '' END
        || rpad(
            '', :bytes - 80,
            'customer ' || i || ' says: "the invoice is wrong, please look" ' || md5(i::text)
                || E'\n')
FROM generate_series(1, :rows) i;
CREATE TABLE bench.target (LIKE bench.ticket INCLUDING ALL);
INSERT INTO bench.target SELECT * FROM bench.ticket;
CREATE TABLE bench.line (id bigint PRIMARY KEY, line json);
CREATE TABLE bench.record (LIKE batchinf.record INCLUDING ALL);
CREATE TABLE bench.result (LIKE batchinf.result INCLUDING ALL);

CREATE VIEW bench.request AS
SELECT id,
    json_build_object(
        'custom_id', 'deadbeef-' || id, 'method', 'POST', 'url', '/v1/chat/completions',
        'body', json_build_object(
            'model', 'gpt-5.4-mini',
            'messages', json_build_array(json_build_object(
                'role', 'user',
                'content',
                'Label this ticket billing, bug or other. ' || subject || ': ' || body)))) AS line
FROM bench.ticket;

CREATE TABLE bench.measure (phase text, side text, seconds float8, wal numeric, memory bigint);

-- Peak of a process's own memory in bytes: shared buffers aside, which are everybody's.
CREATE FUNCTION bench.memory(pid int) RETURNS bigint LANGUAGE sql VOLATILE AS $$
SELECT 1024 * (
    substring(s FROM 'VmHWM:\s+(\d+)')::bigint - substring(s FROM 'RssShmem:\s+(\d+)')::bigint)
FROM pg_read_file('/proc/' || pid || '/status') s $$;

CREATE PROCEDURE bench.forget_peak(pid int) LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('COPY (SELECT 5) TO PROGRAM %L', 'cat > /proc/' || pid || '/clear_refs');
END $$;

-- One statement in this session.
CREATE PROCEDURE bench.run(phase text, side text, sql text) LANGUAGE plpgsql AS $$
DECLARE
    lsn pg_lsn := pg_current_wal_insert_lsn();
    start timestamptz := clock_timestamp();
BEGIN
    EXECUTE sql;
    INSERT INTO bench.measure
    VALUES (phase, side, extract(epoch FROM clock_timestamp() - start),
            pg_current_wal_insert_lsn() - lsn, bench.memory(pg_backend_pid()));
END $$;

-- Polls until the only chunk is in one of these states.
CREATE PROCEDURE bench.await(VARIADIC states text[]) LANGUAGE plpgsql AS $$
DECLARE
    deadline timestamptz := clock_timestamp() + interval '10 min';
    found text;
BEGIN
    LOOP
        SELECT state INTO found FROM batchinf.chunk;
        EXIT WHEN found = ANY (states);
        IF clock_timestamp() > deadline OR found IN ('done', 'failed') THEN
            RAISE EXCEPTION 'the chunk is %, not %', found, states;
        END IF;
        PERFORM pg_sleep(0.002);
    END LOOP;
END $$;

-- Waits for the session that follows.
CREATE PROCEDURE bench.await_follower() LANGUAGE plpgsql AS $$
BEGIN
    WHILE NOT EXISTS (SELECT FROM pg_stat_activity
                      WHERE query LIKE 'CALL bench.follow%' AND state = 'active') LOOP
        PERFORM pg_sleep(0.002), pg_stat_clear_snapshot();
    END LOOP;
END $$;

-- Measures the chunk from the first states to the second while another session works on it.
CREATE PROCEDURE bench.follow(phase text, from_state text, VARIADIC to_states text[])
LANGUAGE plpgsql AS $$
DECLARE
    worker int;
    lsn pg_lsn;
    start timestamptz;
BEGIN
    CALL bench.await(from_state);
    WHILE worker IS NULL LOOP
        SELECT holder_pid, clock_timestamp(), pg_current_wal_insert_lsn() INTO worker, start, lsn
        FROM batchinf.chunk;
    END LOOP;
    CALL bench.forget_peak(worker);
    CALL bench.await(VARIADIC to_states);
    INSERT INTO bench.measure
    VALUES (phase, 'batchinf', extract(epoch FROM clock_timestamp() - start),
            pg_current_wal_insert_lsn() - lsn, bench.memory(worker));
END $$;
