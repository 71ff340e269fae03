-- batchinf: from 0.2.0 to 0.3.0.
-- Afterwards all is as CREATE EXTENSION makes it: test/upgrade compares the catalogs.  It may run
-- again on what it has made; test/upgrade does that under a visit at work.

-- complain if script is sourced in psql, rather than via ALTER EXTENSION UPDATE
\echo Use "ALTER EXTENSION batchinf UPDATE TO '0.3.0'" to load this file. \quit

-- what others have made in the extension's schema must not stand in for PostgreSQL's own
SET LOCAL search_path TO pg_catalog, pg_temp;

--
-- Tables
--
CREATE OR REPLACE FUNCTION batchinf.class(state text) RETURNS int
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE state WHEN 'planned' THEN 2 WHEN 'uploading' THEN 1 WHEN 'uploaded' THEN 1
        ELSE 0 END;

-- what is due is found by owner and server
ALTER TABLE batchinf.chunk ADD COLUMN IF NOT EXISTS owner oid NOT NULL DEFAULT 0;
ALTER TABLE batchinf.chunk ADD COLUMN IF NOT EXISTS server oid NOT NULL DEFAULT 0;
UPDATE batchinf.chunk c SET owner = j.owner, server = j.server
FROM batchinf.job j WHERE j.job_id = c.job_id AND c.owner = 0;
DROP INDEX IF EXISTS batchinf.chunk_unfinished;
CREATE INDEX IF NOT EXISTS chunk_unfinished ON batchinf.chunk (job_id, chunk_id)
    WHERE next_step_at IS NOT NULL OR write_waiting > 0;
CREATE INDEX IF NOT EXISTS chunk_held ON batchinf.chunk (holder_pid)
    WHERE holder_pid IS NOT NULL;
CREATE INDEX IF NOT EXISTS chunk_ready
    ON batchinf.chunk (owner, server, job_id, batchinf.class(state), chunk_id)
    WHERE next_step_at IS NOT NULL AND wait_kind IS NULL
        AND state NOT IN ('submitted', 'running', 'cancelling');
CREATE INDEX IF NOT EXISTS chunk_waiting ON batchinf.chunk (owner, server, next_step_at)
    WHERE next_step_at IS NOT NULL
        AND (wait_kind IS NOT NULL OR state = 'cancelling');
CREATE INDEX IF NOT EXISTS chunk_quiet ON batchinf.chunk (next_step_at)
    WHERE state IN ('submitted', 'running') AND wait_kind IS NULL;
CREATE INDEX IF NOT EXISTS chunk_write ON batchinf.chunk (owner, server, write_at)
    WHERE write_waiting > 0;
CREATE INDEX IF NOT EXISTS chunk_asks ON batchinf.chunk (job_id, wait_kind)
    WHERE state = 'planned' AND wait_kind IS NOT NULL;
CREATE INDEX IF NOT EXISTS chunk_sent ON batchinf.chunk (server, job_id)
    WHERE next_step_at IS NOT NULL AND (state <> 'planned' OR wait_kind IN ('room', 'throttled'));
CREATE INDEX IF NOT EXISTS job_cancelled ON batchinf.job (job_id)
    WHERE ended IS NULL AND cancelled_at IS NOT NULL;
CREATE INDEX IF NOT EXISTS job_deadline ON batchinf.job (deadline) WHERE ended IS NULL;

ALTER TABLE batchinf.record ADD COLUMN IF NOT EXISTS guard bytea;
ALTER TABLE batchinf.record ADD COLUMN IF NOT EXISTS columns text[];
ALTER TABLE batchinf.record ADD COLUMN IF NOT EXISTS value uuid;
CREATE INDEX IF NOT EXISTS record_value ON batchinf.record (job_id, value)
    WHERE value IS NOT NULL;

-- answers that add rows
ALTER TABLE batchinf.chunk ADD COLUMN IF NOT EXISTS partly bigint NOT NULL DEFAULT 0;
ALTER TABLE batchinf.chunk ADD COLUMN IF NOT EXISTS incomplete bigint NOT NULL DEFAULT 0;
ALTER TABLE batchinf.result ADD COLUMN IF NOT EXISTS items int;
ALTER TABLE batchinf.result ADD COLUMN IF NOT EXISTS items_failed int;
CREATE INDEX IF NOT EXISTS result_incomplete ON batchinf.result (chunk_id)
    WHERE write_state = 'incomplete';

-- where values came from, and what they have overwritten
CREATE TABLE IF NOT EXISTS batchinf.written (
    job_id bigint NOT NULL,
    seq    bigint NOT NULL,
    item   int NOT NULL,
    row_id text NOT NULL,
    key    text[],
    print  bytea NOT NULL,
    added  bool NOT NULL,
    old    text,
    PRIMARY KEY (job_id, seq, item)
);
CREATE INDEX IF NOT EXISTS written_row ON batchinf.written USING hash (row_id);
CREATE TABLE IF NOT EXISTS batchinf.replaced (
    job_id  bigint NOT NULL,
    seq     bigint NOT NULL,
    piece   int NOT NULL,
    added   bigint,
    print   bytea,
    removed bigint,
    columns text[],
    old     text,
    PRIMARY KEY (job_id, seq, piece)
);
SELECT pg_catalog.pg_extension_config_dump('batchinf.written', '');
SELECT pg_catalog.pg_extension_config_dump('batchinf.replaced', '');
CREATE INDEX IF NOT EXISTS record_id ON batchinf.record USING hash (record_id);
ALTER TABLE batchinf.result ADD COLUMN IF NOT EXISTS old text;
ALTER TABLE batchinf.result ADD COLUMN IF NOT EXISTS print bytea;
ALTER TABLE batchinf.result DROP CONSTRAINT IF EXISTS result_write_state_check;
ALTER TABLE batchinf.result ADD CONSTRAINT result_write_state_check
    CHECK (write_state IN ('written', 'waiting', 'stale', 'target_missing', 'write_failed',
                           'partly', 'incomplete', 'reverted'));
ALTER TABLE batchinf.chunk ADD COLUMN IF NOT EXISTS reverted bigint NOT NULL DEFAULT 0;

-- What batches have brought, a row for each that has ended: estimates learn from it.  Rows are only
-- inserted, and old ones deleted.
CREATE TABLE IF NOT EXISTS batchinf.history (
    history_id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at               timestamptz NOT NULL DEFAULT pg_catalog.now(),
    install          uuid NOT NULL,
    database         oid NOT NULL,
    server           oid NOT NULL,
    server_name      name NOT NULL,
    model            text NOT NULL,
    prompt           bytea NOT NULL,
    records          bigint NOT NULL,
    measured         bigint NOT NULL,
    estimated_tokens bigint NOT NULL,
    input_tokens     bigint NOT NULL,
    succeeded        bigint NOT NULL,
    invalid_output   bigint NOT NULL,
    errored          bigint NOT NULL,
    expired          bigint NOT NULL,
    cancelled        bigint NOT NULL,
    missing          bigint NOT NULL,
    answered         bigint NOT NULL,
    output_tokens    bigint NOT NULL,
    output_p50       bigint,
    output_p95       bigint,
    created_at       timestamptz NOT NULL,
    submitted_at     timestamptz,
    ended_at         timestamptz NOT NULL,
    batch_end        text,
    late             bool NOT NULL
);
CREATE INDEX IF NOT EXISTS history_model ON batchinf.history (model, history_id);
SELECT pg_catalog.pg_extension_config_dump('batchinf.history', '');
SELECT pg_catalog.pg_extension_config_dump('batchinf.history_history_id_seq', '');

-- what answers cost
ALTER TABLE batchinf.chunk ADD COLUMN IF NOT EXISTS cache_write_tokens bigint NOT NULL DEFAULT 0;
ALTER TABLE batchinf.chunk ADD COLUMN IF NOT EXISTS cache_write_1h_tokens bigint NOT NULL
    DEFAULT 0;
ALTER TABLE batchinf.chunk ADD COLUMN IF NOT EXISTS cost numeric NOT NULL DEFAULT 0;
ALTER TABLE batchinf.chunk ADD COLUMN IF NOT EXISTS realtime_cost numeric NOT NULL DEFAULT 0;
ALTER TABLE batchinf.chunk ADD COLUMN IF NOT EXISTS saving numeric NOT NULL DEFAULT 0;
ALTER TABLE batchinf.chunk ADD COLUMN IF NOT EXISTS wasted numeric NOT NULL DEFAULT 0;
ALTER TABLE batchinf.chunk ADD COLUMN IF NOT EXISTS unpriced bigint NOT NULL DEFAULT 0;
ALTER TABLE batchinf.chunk ADD COLUMN IF NOT EXISTS stray_cost numeric NOT NULL DEFAULT 0;
ALTER TABLE batchinf.chunk ADD COLUMN IF NOT EXISTS requests bigint NOT NULL DEFAULT 0;
ALTER TABLE batchinf.chunk ADD COLUMN IF NOT EXISTS bytes_up bigint NOT NULL DEFAULT 0;
ALTER TABLE batchinf.chunk ADD COLUMN IF NOT EXISTS bytes_down bigint NOT NULL DEFAULT 0;
ALTER TABLE batchinf.result ADD COLUMN IF NOT EXISTS cache_write_tokens bigint;
ALTER TABLE batchinf.result ADD COLUMN IF NOT EXISTS cache_write_1h_tokens bigint;
ALTER TABLE batchinf.result ADD COLUMN IF NOT EXISTS cost numeric;
ALTER TABLE batchinf.result ADD COLUMN IF NOT EXISTS realtime_cost numeric;
ALTER TABLE batchinf.result ADD COLUMN IF NOT EXISTS wasted bool NOT NULL DEFAULT false;
ALTER TABLE batchinf.result ALTER COLUMN cost SET DEFAULT 0;
ALTER TABLE batchinf.result ALTER COLUMN realtime_cost SET DEFAULT 0;

-- answers that are copied from other records
ALTER TABLE batchinf.chunk ADD COLUMN IF NOT EXISTS copies text
    CHECK (copies IN ('repeat', 'cached'));
ALTER TABLE batchinf.chunk ADD COLUMN IF NOT EXISTS source_chunk bigint;
CREATE INDEX IF NOT EXISTS chunk_source ON batchinf.chunk (source_chunk)
    WHERE source_chunk IS NOT NULL;
ALTER TABLE batchinf.record ADD COLUMN IF NOT EXISTS source_job bigint;
ALTER TABLE batchinf.record ADD COLUMN IF NOT EXISTS source_seq bigint;
-- what a chunk may cost while it is under way
ALTER TABLE batchinf.chunk ADD COLUMN IF NOT EXISTS reserved numeric;
CREATE INDEX IF NOT EXISTS chunk_reserved ON batchinf.chunk (owner, server)
    WHERE reserved IS NOT NULL;
CREATE INDEX IF NOT EXISTS chunk_budget ON batchinf.chunk (job_id) WHERE wait_kind = 'budget';

-- Pipelines: a query whose rows are answered again as they change.
CREATE TABLE IF NOT EXISTS batchinf.pipeline (
    pipeline_id     int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name            text NOT NULL UNIQUE,
    install         uuid NOT NULL,
    database        oid NOT NULL,
    owner           oid NOT NULL,
    owner_name      name NOT NULL,
    owner_superuser bool NOT NULL,
    version         int NOT NULL DEFAULT 1,
    paused          bool NOT NULL DEFAULT false,
    every           interval,
    after           text,
    min_rows        int,
    max_age         interval,
    retry_failed_after interval,
    created_at      timestamptz NOT NULL DEFAULT pg_catalog.now(),
    regular         timestamptz,
    next_refresh    timestamptz,
    failures        int NOT NULL DEFAULT 0,
    last_refresh    timestamptz,
    last_job_id     bigint,
    last_error      text,
    -- as the last refresh has found it
    rows            bigint,
    answered        bigint,
    due             bigint,
    in_flight       bigint,
    failed          bigint,
    due_since       timestamptz
);
CREATE INDEX IF NOT EXISTS pipeline_next ON batchinf.pipeline (next_refresh)
    WHERE next_refresh IS NOT NULL AND NOT paused;

-- Pipelines that come after one of which a job has ended.
CREATE TABLE IF NOT EXISTS batchinf.pipeline_ended (
    pipeline_id int NOT NULL,
    at          timestamptz NOT NULL
);

CREATE TABLE IF NOT EXISTS batchinf.pipeline_version (
    pipeline_id int NOT NULL REFERENCES batchinf.pipeline ON DELETE CASCADE,
    version     int NOT NULL,
    given       jsonb NOT NULL,
    settings    jsonb NOT NULL,
    custom      jsonb,
    at          timestamptz NOT NULL DEFAULT pg_catalog.now(),
    PRIMARY KEY (pipeline_id, version)
);

-- What was answered, of each row of a pipeline. Nothing that is done to jobs changes it.
CREATE TABLE IF NOT EXISTS batchinf.answered (
    pipeline_id int NOT NULL,
    key         text NOT NULL,
    hash        bytea NOT NULL,
    version     int NOT NULL,
    failed      bool NOT NULL,
    written     bool NOT NULL,
    job_id      bigint NOT NULL,
    seq         bigint NOT NULL,
    at          timestamptz NOT NULL,
    is_current  bool,
    tried       bytea,
    value       uuid,
    PRIMARY KEY (pipeline_id, key)
);
CREATE INDEX IF NOT EXISTS answered_value ON batchinf.answered (pipeline_id, value)
    WHERE value IS NOT NULL;

-- The key of a row in that table: a hash of a long one, which would not fit into an index.
CREATE OR REPLACE FUNCTION batchinf.answered_key(key text) RETURNS text
    LANGUAGE sql STABLE
    RETURN CASE
        WHEN pg_catalog.octet_length(key) <= 1000 THEN key
        ELSE 'sha256:' || pg_catalog.encode(
            pg_catalog.sha256(pg_catalog.convert_to(key, 'UTF8')), 'hex') END;
COMMENT ON FUNCTION batchinf.answered_key IS
    'answered.key of a row with that record_id: the same, or a hash if it is long';
SELECT pg_catalog.pg_extension_config_dump('batchinf.pipeline', '');
SELECT pg_catalog.pg_extension_config_dump('batchinf.pipeline_pipeline_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('batchinf.pipeline_version', '');
SELECT pg_catalog.pg_extension_config_dump('batchinf.answered', '');

-- The ledger: what was spent.  It is only inserted, with what it is about, and outlives the jobs.
CREATE TABLE IF NOT EXISTS batchinf.spend (
    spend_id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at            timestamptz NOT NULL DEFAULT pg_catalog.now(),
    install       uuid NOT NULL,
    database      oid NOT NULL,
    owner         oid NOT NULL,
    owner_name    name NOT NULL,
    server        oid NOT NULL,
    server_name   name NOT NULL,
    provider      text,
    model         text NOT NULL,
    mode          text NOT NULL CHECK (mode IN ('batch', 'flex', 'realtime')),
    pipeline_id   int,
    job_id        bigint,
    chunk_id      bigint,
    records       bigint NOT NULL DEFAULT 0,
    input_tokens  bigint NOT NULL DEFAULT 0,
    cached_tokens bigint NOT NULL DEFAULT 0,
    cache_write_tokens    bigint NOT NULL DEFAULT 0,
    cache_write_1h_tokens bigint NOT NULL DEFAULT 0,
    output_tokens bigint NOT NULL DEFAULT 0,
    cost          numeric NOT NULL DEFAULT 0,
    realtime_cost numeric NOT NULL DEFAULT 0,
    saving        numeric NOT NULL DEFAULT 0,
    wasted        numeric NOT NULL DEFAULT 0,
    unpriced      bigint NOT NULL DEFAULT 0,
    bytes_staged  bigint NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS spend_at ON batchinf.spend (at);
CREATE INDEX IF NOT EXISTS spend_detail ON batchinf.spend (at) WHERE chunk_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS spend_pipeline ON batchinf.spend (pipeline_id)
    WHERE pipeline_id IS NOT NULL;
SELECT pg_catalog.pg_extension_config_dump('batchinf.spend', '');
SELECT pg_catalog.pg_extension_config_dump('batchinf.spend_spend_id_seq', '');

CREATE OR REPLACE FUNCTION batchinf.next_time(
    last timestamptz, every interval, zone text, at timestamptz) RETURNS timestamptz
    LANGUAGE sql STABLE
    RETURN CASE
        WHEN every IS NULL THEN NULL
        WHEN last > at THEN last
        WHEN last IS NULL THEN
            (at AT TIME ZONE COALESCE(zone, 'UTC') + every) AT TIME ZONE COALESCE(zone, 'UTC')
        -- what was missed is made up for once
        ELSE (SELECT min(t.at) FROM (
                  -- an hour that clocks repeat has its minutes twice: of short times each counts
                  SELECT CASE WHEN every <= interval '1 hour'
                      THEN last + pg_catalog.make_interval(
                          secs => n.n * EXTRACT(epoch FROM every)::float8)
                      ELSE (last AT TIME ZONE COALESCE(zone, 'UTC') + every * n.n)
                          AT TIME ZONE COALESCE(zone, 'UTC') END AS at
                  FROM pg_catalog.generate_series(
                      pg_catalog.trunc(EXTRACT(epoch FROM at - last)
                                       / EXTRACT(epoch FROM every))::bigint - 1,
                      pg_catalog.trunc(EXTRACT(epoch FROM at - last)
                                       / EXTRACT(epoch FROM every))::bigint + 2
                      -- clocks may have been put forward meanwhile
                      + pg_catalog.ceil(7200 / EXTRACT(epoch FROM every))::bigint) n(n)) t
              WHERE t.at > next_time.at) END;
COMMENT ON FUNCTION batchinf.next_time IS
    'when a pipeline that is refreshed so often, in that time zone, is refreshed after a time';

-- rows of jobs from before this are not there: a row of theirs may be sent once more meanwhile
ALTER TABLE batchinf.job ADD COLUMN IF NOT EXISTS in_flight_target bigint;
ALTER TABLE batchinf.job ADD COLUMN IF NOT EXISTS in_flight_columns int2[];
ALTER TABLE batchinf.job ADD COLUMN IF NOT EXISTS in_flight_key int2[];
ALTER TABLE batchinf.job ADD COLUMN IF NOT EXISTS in_flight_left bool NOT NULL DEFAULT false;
ALTER TABLE batchinf.job ADD COLUMN IF NOT EXISTS already_in_flight bigint NOT NULL DEFAULT 0;
CREATE INDEX IF NOT EXISTS job_in_flight ON batchinf.job (in_flight_target) WHERE ended IS NULL;
CREATE INDEX IF NOT EXISTS job_in_flight_left ON batchinf.job (job_id)
    WHERE in_flight_left AND ended IS NOT NULL;

-- How long texts stay.  For jobs that have ended the time begins with this update.
ALTER TABLE batchinf.job ADD COLUMN IF NOT EXISTS kept_since timestamptz;
ALTER TABLE batchinf.job ADD COLUMN IF NOT EXISTS keep_until timestamptz;
ALTER TABLE batchinf.job ADD COLUMN IF NOT EXISTS inputs_removed_at timestamptz;
ALTER TABLE batchinf.job ADD COLUMN IF NOT EXISTS inputs_next bigint DEFAULT 0;
ALTER TABLE batchinf.job ADD COLUMN IF NOT EXISTS results_removed_at timestamptz;
ALTER TABLE batchinf.job ADD COLUMN IF NOT EXISTS results_next bigint DEFAULT 0;
ALTER TABLE batchinf.job ADD COLUMN IF NOT EXISTS digest bytea;
CREATE INDEX IF NOT EXISTS job_digest ON batchinf.job (digest) WHERE digest IS NOT NULL;
UPDATE batchinf.job SET kept_since = pg_catalog.now()
WHERE ended IS NOT NULL AND kept_since IS NULL;
-- Whose texts are to be removed: read in the order of their times, of this installation's jobs.
CREATE INDEX IF NOT EXISTS job_inputs ON batchinf.job (install, database, kept_since)
    WHERE kept_since IS NOT NULL AND keep_until IS NULL AND inputs_next IS NOT NULL;
CREATE INDEX IF NOT EXISTS job_results ON batchinf.job (install, database, kept_since)
    WHERE kept_since IS NOT NULL AND keep_until IS NULL AND results_next IS NOT NULL;
CREATE INDEX IF NOT EXISTS job_kept ON batchinf.job (install, database, keep_until)
    WHERE keep_until IS NOT NULL AND (inputs_next IS NOT NULL OR results_next IS NOT NULL);

-- Which rows of targets are in open jobs: a row of a table, for a column, is in one of them.  Those
-- of jobs whose owner wished to send what others have, too, stand beside: "other" is their job.
CREATE TABLE IF NOT EXISTS batchinf.in_flight (
    target bigint NOT NULL,
    hash   uuid NOT NULL,
    col    int2 NOT NULL,
    other  bigint NOT NULL DEFAULT 0,
    job_id bigint NOT NULL,
    PRIMARY KEY (target, hash, col, other)
);
CREATE INDEX IF NOT EXISTS in_flight_job ON batchinf.in_flight (job_id);
SELECT pg_catalog.pg_extension_config_dump('batchinf.in_flight', '');

ALTER TABLE batchinf.chunk DROP CONSTRAINT IF EXISTS chunk_wait_kind_check;
ALTER TABLE batchinf.chunk ADD CONSTRAINT chunk_wait_kind_check
    CHECK (wait_kind IN ('time', 'room', 'company', 'failure_rate', 'target', 'owner', 'key',
                         'throttled', 'server', 'not_ready', 'settle', 'ambiguous', 'too_large',
                         'error', 'source', 'budget'));

-- The first call of each idempotency_key.  It outlives its job, whatever becomes of that: the same
-- call never makes a second one.
CREATE TABLE IF NOT EXISTS batchinf.call (
    key        text NOT NULL,
    install    uuid NOT NULL,
    database   oid NOT NULL,
    owner      oid NOT NULL,
    owner_name name NOT NULL,
    job_id     bigint NOT NULL,
    given      jsonb NOT NULL,
    at         timestamptz NOT NULL DEFAULT pg_catalog.now(),
    PRIMARY KEY (key, install, database, owner)
);
SELECT pg_catalog.pg_extension_config_dump('batchinf.call', '');

CREATE OR REPLACE FUNCTION batchinf.place_chunk() RETURNS trigger
    AS 'MODULE_PATHNAME', 'batchinf_place_chunk' LANGUAGE C;
COMMENT ON FUNCTION batchinf.place_chunk IS 'gives a new chunk the owner and the server of its job';
REVOKE ALL ON FUNCTION batchinf.place_chunk() FROM PUBLIC;
CREATE OR REPLACE TRIGGER place BEFORE INSERT ON batchinf.chunk FOR EACH ROW
    EXECUTE FUNCTION batchinf.place_chunk();
-- in sessions with session_replication_role = replica, too
ALTER TABLE batchinf.chunk ENABLE ALWAYS TRIGGER place;
COMMENT ON TRIGGER place ON batchinf.chunk IS
    'in a trigger, because before ALTER EXTENSION UPDATE the table may be older than the library';

-- A pause holds up the jobs of one owner.  Those of everybody go: each owner finds out anew.
DELETE FROM batchinf.pause WHERE owner = 0;
ALTER TABLE batchinf.pause DROP CONSTRAINT IF EXISTS pause_cause_check;
ALTER TABLE batchinf.pause ADD CONSTRAINT pause_cause_check
    CHECK (cause IN ('failing', 'throttled', 'denied', 'missing'));

--
-- Views.  Others depend on the old ones until they have been replaced.
--
ALTER VIEW IF EXISTS batchinf.lane RENAME TO lane_old;
ALTER VIEW IF EXISTS batchinf.candidate RENAME TO candidate_old;
ALTER VIEW batchinf.schedule RENAME TO schedule_old;
ALTER VIEW IF EXISTS batchinf.next_due RENAME TO next_due_old;

CREATE OR REPLACE VIEW batchinf.due AS
SELECT c.chunk_id, j.server, j.owner, w.wish,
       CASE WHEN c.next_step_at IS NULL THEN NULL
            -- the owner wants no more of it, and nothing stands in the way
            WHEN w.wish IS NOT NULL
                 AND (u.unsent OR c.state IN ('submitted', 'running', 'ambiguous')
                      OR (c.state = 'fetching' AND c.wait_kind = 'too_large')) THEN j.created_at
            WHEN u.unsent AND u.paused THEN j.deadline
            WHEN w.wish IS NOT NULL THEN GREATEST(c.next_step_at, p.until)
            -- open at the provider: engine/quiet.c polls it
            WHEN c.state IN ('submitted', 'running') AND c.wait_kind IS NULL THEN j.deadline
            ELSE LEAST(GREATEST(c.next_step_at, p.until), j.deadline) END AS step_at,
       CASE WHEN c.write_waiting > 0 THEN c.write_at END AS write_at,
       -- a claim is void only when its process is gone, never by time
       COALESCE(batchinf.is_alive(c.holder_pid, c.holder_start), false) AS held,
       COALESCE(p.failures, 0) AS server_failures,
       u.unsent AND u.paused AND w.wish IS NULL AS paused,
       c.job_id, batchinf.class(c.state) AS class, c.next_step_at AS asked_at
FROM batchinf.chunk c
JOIN batchinf.job j ON j.job_id = c.job_id
JOIN batchinf.here h ON h.uuid = j.install AND h.database = j.database
LEFT JOIN batchinf.stop_here st ON st.server = j.server
CROSS JOIN LATERAL (SELECT c.state IN ('planned', 'uploading', 'uploaded'), j.paused
                    OR st.server IS NOT NULL) u(unsent, paused)
CROSS JOIN LATERAL (SELECT CASE WHEN j.cancelled_at IS NOT NULL THEN 'cancel'
                                WHEN j.deadline <= pg_catalog.now() THEN 'deadline' END) w(wish)
LEFT JOIN batchinf.pause_here p ON p.server = j.server AND p.owner = j.owner
WHERE c.next_step_at IS NOT NULL OR c.write_waiting > 0;

-- Each pair of owner and server of which something is or can become due.  A walk over the indexes
-- that skips from pair to pair: it costs the same whatever stands behind each.
CREATE VIEW batchinf.lane AS
WITH RECURSIVE walk AS (
    SELECT 0::oid AS owner, 0::oid AS server
    UNION ALL
    SELECT n.owner, n.server
    FROM walk w
    CROSS JOIN LATERAL (
        SELECT u.owner, u.server
        FROM ((SELECT c.owner, c.server FROM batchinf.chunk c
               WHERE c.next_step_at IS NOT NULL AND c.wait_kind IS NULL
                   AND c.state NOT IN ('submitted', 'running', 'cancelling')
                   AND (c.owner, c.server) > (w.owner, w.server)
               ORDER BY c.owner, c.server LIMIT 1)
              UNION ALL
              (SELECT c.owner, c.server FROM batchinf.chunk c
               WHERE c.next_step_at IS NOT NULL
                   AND (c.wait_kind IS NOT NULL OR c.state = 'cancelling')
                   AND (c.owner, c.server) > (w.owner, w.server)
               ORDER BY c.owner, c.server LIMIT 1)
              UNION ALL
              (SELECT c.owner, c.server FROM batchinf.chunk c
               WHERE c.write_waiting > 0 AND (c.owner, c.server) > (w.owner, w.server)
               ORDER BY c.owner, c.server LIMIT 1)) u
        ORDER BY u.owner, u.server LIMIT 1) n
)
SELECT w.owner, w.server, f.oid IS NULL AS gone, st.server IS NOT NULL AS stopped, p.until,
       COALESCE(p.until > pg_catalog.now(), false) AS paused, COALESCE(p.failures, 0) AS failures
FROM walk w
LEFT JOIN pg_catalog.pg_foreign_server f ON f.oid = w.server
LEFT JOIN batchinf.stop_here st ON st.server = w.server
LEFT JOIN batchinf.pause_here p ON p.server = w.server AND p.owner = w.owner
WHERE w.server <> 0;

-- What can be taken on now: a few chunks of each job, of a few jobs of each lane.
CREATE VIEW batchinf.candidate AS
WITH lane AS MATERIALIZED (SELECT * FROM batchinf.lane)
-- ready: they wait for their turn only
SELECT c.chunk_id, l.owner, l.server, c.job_id, c.at, c.class, true AS step, l.failures
FROM lane l
-- the oldest jobs, and some from anywhere: no number of jobs that cannot go on hides one that can
CROSS JOIN LATERAL (
    SELECT 0::bigint AS job_id
    UNION ALL
    SELECT (pg_catalog.random() * (SELECT max(k.job_id) FROM batchinf.job k))::bigint) s
CROSS JOIN LATERAL (
    WITH RECURSIVE walk AS (
        SELECT s.job_id, 0 AS n
        UNION ALL
        SELECT k.job_id, w.n + 1
        FROM walk w
        CROSS JOIN LATERAL (
            SELECT c.job_id FROM batchinf.chunk c
            WHERE c.next_step_at IS NOT NULL AND c.wait_kind IS NULL
                AND c.state NOT IN ('submitted', 'running', 'cancelling')
                AND c.owner = l.owner AND c.server = l.server AND c.job_id > w.job_id
            ORDER BY c.job_id LIMIT 1) k
        WHERE w.n < 24)
    SELECT w.job_id FROM walk w WHERE w.n > 0) w
JOIN batchinf.job j ON j.job_id = w.job_id
JOIN batchinf.here h ON h.uuid = j.install AND h.database = j.database
-- how far its chunks may go
CROSS JOIN LATERAL (
    SELECT CASE WHEN l.stopped OR j.paused THEN 0
                WHEN EXISTS (
                    SELECT FROM batchinf.chunk a
                    WHERE a.job_id = j.job_id AND a.state = 'planned' AND a.wait_kind IS NOT NULL
                      AND (l.gone OR a.wait_kind IN ('time', 'room', 'failure_rate', 'target',
                                                     'owner', 'key', 'budget'))) THEN 1
                ELSE 2 END) m(class)
CROSS JOIN LATERAL (
    SELECT c.chunk_id, c.job_id, c.next_step_at AS at, batchinf.class(c.state) AS class
    FROM batchinf.chunk c
    WHERE c.next_step_at IS NOT NULL AND c.wait_kind IS NULL
        AND c.state NOT IN ('submitted', 'running', 'cancelling')
        AND c.owner = l.owner AND c.server = l.server AND c.job_id = j.job_id
        AND batchinf.class(c.state) <= m.class
        AND (c.holder_pid IS NULL OR NOT batchinf.is_alive(c.holder_pid, c.holder_start))
    ORDER BY batchinf.class(c.state), c.chunk_id LIMIT 16) c
WHERE NOT l.paused
UNION ALL
-- waiting, and their time has come
SELECT c.chunk_id, l.owner, l.server, c.job_id, c.at, c.class, true, l.failures
FROM lane l
CROSS JOIN LATERAL (
    SELECT c.chunk_id, c.job_id, c.next_step_at AS at, batchinf.class(c.state) AS class
    FROM batchinf.chunk c
    JOIN batchinf.job j ON j.job_id = c.job_id
    JOIN batchinf.here h ON h.uuid = j.install AND h.database = j.database
    WHERE c.next_step_at IS NOT NULL
        AND (c.wait_kind IS NOT NULL OR c.state = 'cancelling')
        AND c.owner = l.owner AND c.server = l.server AND c.next_step_at <= pg_catalog.now()
        AND NOT (batchinf.class(c.state) > 0 AND (l.stopped OR j.paused))
        AND (c.holder_pid IS NULL OR NOT batchinf.is_alive(c.holder_pid, c.holder_start))
    ORDER BY c.next_step_at LIMIT 16) c
WHERE NOT l.paused
UNION ALL
-- answers that could not be written
SELECT c.chunk_id, l.owner, l.server, c.job_id, c.at, 0, false, l.failures
FROM lane l
CROSS JOIN LATERAL (
    SELECT c.chunk_id, c.job_id, c.write_at AS at
    FROM batchinf.chunk c
    JOIN batchinf.job j ON j.job_id = c.job_id
    JOIN batchinf.here h ON h.uuid = j.install AND h.database = j.database
    WHERE c.write_waiting > 0 AND c.owner = l.owner AND c.server = l.server
        AND c.write_at <= pg_catalog.now()
        AND (c.holder_pid IS NULL OR NOT batchinf.is_alive(c.holder_pid, c.holder_start))
    ORDER BY c.write_at LIMIT 16) c
UNION ALL
-- their owner wants no more of them: they can end at once
SELECT c.chunk_id, j.owner, j.server, j.job_id, j.created_at, 0, true, 0
FROM (SELECT k.* FROM batchinf.job k WHERE k.ended IS NULL AND k.cancelled_at IS NOT NULL
      UNION ALL
      SELECT k.* FROM batchinf.job k WHERE k.ended IS NULL AND k.cancelled_at IS NULL
          AND k.deadline <= pg_catalog.now()) j
JOIN batchinf.here h ON h.uuid = j.install AND h.database = j.database
CROSS JOIN LATERAL (
    SELECT c.chunk_id FROM batchinf.chunk c
    WHERE c.job_id = j.job_id AND c.next_step_at IS NOT NULL
        AND (batchinf.class(c.state) > 0 OR c.state IN ('submitted', 'running', 'ambiguous')
             OR (c.state = 'fetching' AND c.wait_kind = 'too_large'))
        AND (c.holder_pid IS NULL OR NOT batchinf.is_alive(c.holder_pid, c.holder_start))
    LIMIT 16) c;

-- Who goes next.  Four orders are nested: the chunks of a job (turn), those of a lane (place),
-- those of an owner (berth), and all (rank).  Each owner's next step comes before another owner's
-- second step, whatever number of chunks they have.  The servers of an owner share in the same way,
-- and the jobs at a server.  What is under way counts before what is ready.
CREATE VIEW batchinf.schedule AS
WITH one AS (
    SELECT d.chunk_id, d.owner, d.server, d.job_id, min(d.at) AS at, min(d.class) AS class,
           bool_or(d.step) AS step, max(d.failures) AS failures
    FROM batchinf.candidate d
    GROUP BY d.chunk_id, d.owner, d.server, d.job_id
), held AS MATERIALIZED (
    SELECT c.owner, c.server, c.job_id
    FROM batchinf.chunk c
    WHERE c.holder_pid IS NOT NULL AND batchinf.is_alive(c.holder_pid, c.holder_start)
), in_job AS (
    SELECT o.*, w.wish,
           -- where the server fails for this owner, the chunk that was not tried for longest goes
           -- first: one that always fails is no probe for the others
           CASE WHEN o.failures > 0 THEN o.at END AS probe,
           (SELECT count(*) FROM held h WHERE h.job_id = o.job_id)
           + row_number() OVER (PARTITION BY o.job_id ORDER BY o.class, o.at, o.chunk_id) AS turn
    FROM one o
    JOIN batchinf.job j ON j.job_id = o.job_id
    CROSS JOIN LATERAL (SELECT CASE WHEN j.cancelled_at IS NOT NULL THEN 'cancel'
                                    WHEN j.deadline <= pg_catalog.now() THEN 'deadline' END
                       ) w(wish)
), in_lane AS (
    SELECT i.*,
           (SELECT count(*) FROM held h WHERE h.owner = i.owner AND h.server = i.server)
           + row_number() OVER (PARTITION BY i.owner, i.server
                                ORDER BY i.probe NULLS FIRST, i.turn, i.class, i.at,
                                i.chunk_id) AS place
    FROM in_job i
), of_owner AS (
    SELECT a.*,
           (SELECT count(*) FROM held h WHERE h.owner = a.owner)
           + row_number() OVER (PARTITION BY a.owner ORDER BY a.place, a.at, a.chunk_id) AS berth
    FROM in_lane a
    -- 12: a server's share of what one owner has under way; 1: a probe
    WHERE a.place <= CASE WHEN a.failures > 0 AND a.step AND a.wish IS NULL THEN 1 ELSE 12 END
)
SELECT o.chunk_id, o.server, o.owner, o.job_id, o.wish, o.step AS step_due,
       o.failures AS server_failures, o.turn, o.place, o.berth,
       row_number() OVER (ORDER BY o.berth, o.at, o.chunk_id) AS rank
FROM of_owner o;

-- When the first thing of each owner becomes due that waits for a time; of deadlines only the next
-- one of all.
CREATE VIEW batchinf.next_due AS
WITH lane AS MATERIALIZED (SELECT * FROM batchinf.lane)
SELECT u.owner, min(u.at) AS at
FROM (SELECT l.owner, l.until AS at FROM lane l WHERE l.paused
      UNION ALL
      SELECT l.owner, c.next_step_at
      FROM lane l
      CROSS JOIN LATERAL (
          SELECT c.next_step_at
          FROM batchinf.chunk c
          JOIN batchinf.job j ON j.job_id = c.job_id
          JOIN batchinf.here h ON h.uuid = j.install AND h.database = j.database
          WHERE c.next_step_at IS NOT NULL
              AND (c.wait_kind IS NOT NULL OR c.state = 'cancelling')
              AND c.owner = l.owner AND c.server = l.server
              AND NOT (batchinf.class(c.state) > 0 AND (l.stopped OR j.paused))
              AND (c.holder_pid IS NULL OR NOT batchinf.is_alive(c.holder_pid, c.holder_start))
          ORDER BY c.next_step_at LIMIT 1) c
      WHERE NOT l.paused
      UNION ALL
      SELECT l.owner, c.write_at
      FROM lane l
      CROSS JOIN LATERAL (
          SELECT c.write_at
          FROM batchinf.chunk c
          JOIN batchinf.job j ON j.job_id = c.job_id
          JOIN batchinf.here h ON h.uuid = j.install AND h.database = j.database
          WHERE c.write_waiting > 0 AND c.owner = l.owner AND c.server = l.server
              AND (c.holder_pid IS NULL OR NOT batchinf.is_alive(c.holder_pid, c.holder_start))
          ORDER BY c.write_at LIMIT 1) c
      UNION ALL
      (SELECT j.owner, j.deadline
       FROM batchinf.job j
       JOIN batchinf.here h ON h.uuid = j.install AND h.database = j.database
       WHERE j.ended IS NULL AND j.cancelled_at IS NULL AND j.deadline > pg_catalog.now()
       ORDER BY j.deadline LIMIT 1)) u
GROUP BY u.owner;

CREATE OR REPLACE FUNCTION batchinf.ready(role oid) RETURNS text
    LANGUAGE sql STABLE
    RETURN (SELECT CASE WHEN count(*) < 1000 THEN count(*)::text ELSE '1000 or more' END
            FROM (SELECT FROM batchinf.chunk c
                  WHERE c.next_step_at IS NOT NULL AND c.wait_kind IS NULL
                    AND c.state NOT IN ('submitted', 'running', 'cancelling')
                    AND c.owner OPERATOR(pg_catalog.=) role AND c.holder_pid IS NULL
                  LIMIT 1000) r);

CREATE OR REPLACE VIEW batchinf.job_status AS
SELECT j.job_id, j.name,
       COALESCE((SELECT r.rolname FROM pg_catalog.pg_roles r WHERE r.oid = j.owner AND o.ours),
                j.owner_name) AS owner,
       COALESCE((SELECT s.srvname FROM pg_catalog.pg_foreign_server s WHERE s.oid = j.server
                 AND o.ours), j.server_name) AS server,
       j.model, j.task,
       CASE WHEN j.ended IS NOT NULL THEN j.ended
            WHEN NOT o.ours THEN 'foreign'
            WHEN j.cancelled_at IS NOT NULL THEN 'cancelling'
            WHEN j.paused THEN 'paused'
            WHEN c.begun THEN 'running'
            ELSE 'queued' END AS state,
       j.records, j.records - j.skipped - c.ended AS pending,
       c.succeeded, c.invalid_output, c.errored, c.expired, c.cancelled, c.missing, j.skipped,
       c.written, c.write_waiting, c.stale, c.target_missing, c.write_failed,
       CASE WHEN j.records = 0 THEN 1
           ELSE pg_catalog.trunc((j.skipped + c.ended) / j.records::numeric, 4) END AS progress,
       c.input_tokens, c.output_tokens, j.created_at, j.deadline, j.finished_at, j.error,
       j.target_name AS target, c.cached_tokens, c.retried, c.duplicates, c.unknown, c.malformed,
       o.role AS owner_oid, j.spec -> 'settings' AS settings, j.already_in_flight,
       ARRAY(SELECT pg_catalog.jsonb_array_elements_text(j.spec -> 'guarded')) AS guarded,
       (SELECT l.name FROM batchinf.pipeline l
        WHERE l.pipeline_id = (j.spec ->> 'pipeline')::int) AS pipeline,
       (j.spec ->> 'version')::int AS version, c.partly, c.incomplete, c.reverted,
       -- where nothing of it has a price it is not known: NULL, never 0
       CASE WHEN c.unpriced = 0 OR c.cost <> 0 THEN c.cost END AS cost,
       CASE WHEN c.realtime_cost <> 0 OR (c.unpriced = 0 AND c.cost = 0) THEN c.realtime_cost
           END AS realtime_cost,
       CASE WHEN c.saving <> 0 OR (c.unpriced = 0 AND (c.cost = 0 OR c.realtime_cost <> 0))
           THEN c.saving END AS saving,
       c.wasted, c.unpriced, c.bytes_staged,
       c.repeats, c.cached,
       (j.spec ->> 'estimated_cost')::numeric AS estimated_cost, c.reserved,
       (j.spec ->> 'max_cost')::numeric AS max_cost,
       CASE WHEN j.spec ? 'max_cost'
           THEN GREATEST(c.cost - (j.spec ->> 'max_cost')::numeric, 0) END AS overrun
FROM batchinf.job j
JOIN batchinf.job_here o ON o.job_id = j.job_id
CROSS JOIN LATERAL (
    SELECT COALESCE(sum(k.succeeded), 0)::bigint AS succeeded,
           COALESCE(sum(k.invalid_output), 0)::bigint AS invalid_output,
           COALESCE(sum(k.errored), 0)::bigint AS errored,
           COALESCE(sum(k.expired), 0)::bigint AS expired,
           COALESCE(sum(k.cancelled), 0)::bigint AS cancelled,
           COALESCE(sum(k.missing), 0)::bigint AS missing,
           COALESCE(sum(k.succeeded + k.invalid_output + k.errored + k.expired + k.cancelled
                        + k.missing), 0)::bigint AS ended,
           COALESCE(sum(k.written), 0)::bigint AS written,
           COALESCE(sum(k.write_waiting), 0)::bigint AS write_waiting,
           COALESCE(sum(k.stale), 0)::bigint AS stale,
           COALESCE(sum(k.target_missing), 0)::bigint AS target_missing,
           COALESCE(sum(k.write_failed), 0)::bigint AS write_failed,
           COALESCE(sum(k.partly), 0)::bigint AS partly,
           COALESCE(sum(k.incomplete), 0)::bigint AS incomplete,
           COALESCE(sum(k.reverted), 0)::bigint AS reverted,
           COALESCE(sum(k.records - k.retried) FILTER (WHERE k.copies = 'repeat'), 0)::bigint
               AS repeats,
           COALESCE(sum(k.records - k.retried) FILTER (WHERE k.copies = 'cached'), 0)::bigint
               AS cached,
           COALESCE(sum(k.input_tokens), 0)::bigint AS input_tokens,
           COALESCE(sum(k.output_tokens), 0)::bigint AS output_tokens,
           COALESCE(sum(k.cached_tokens), 0)::bigint AS cached_tokens,
           COALESCE(sum(k.retried), 0)::bigint AS retried,
           COALESCE(sum(k.duplicates), 0)::bigint AS duplicates,
           COALESCE(sum(k.unknown), 0)::bigint AS unknown,
           COALESCE(sum(k.malformed), 0)::bigint AS malformed,
           COALESCE(sum(k.cost), 0) AS cost, COALESCE(sum(k.realtime_cost), 0) AS realtime_cost,
           COALESCE(sum(k.saving), 0) AS saving, COALESCE(sum(k.wasted), 0) AS wasted,
           COALESCE(sum(k.unpriced), 0)::bigint AS unpriced,
           COALESCE(sum(k.bytes_up + k.bytes_down), 0)::bigint AS bytes_staged,
           COALESCE(sum(GREATEST(k.reserved - k.cost, 0)), 0) AS reserved,
           COALESCE(bool_or(k.state <> 'planned'), false) AS begun
    FROM batchinf.chunk k WHERE k.job_id = j.job_id) c;

CREATE OR REPLACE VIEW batchinf.job_wait AS
SELECT j.job_id, w.kind, w.reason, w.since, w.until,
       w.reason || COALESCE('; since ' || pg_catalog.to_char(w.since, 'YYYY-MM-DD HH24:MI:SS TZ'),
                            '')
                || COALESCE('; next try ' || pg_catalog.to_char(w.until,
                                                                'YYYY-MM-DD HH24:MI:SS TZ'),
                                                                '') AS waiting_for
FROM batchinf.job j
JOIN batchinf.job_here o ON o.job_id = j.job_id
CROSS JOIN LATERAL (
    SELECT COALESCE((SELECT s.srvname FROM pg_catalog.pg_foreign_server s WHERE s.oid = j.server),
                    j.server_name) AS server,
           pg_catalog.pg_get_userbyid(j.owner) AS owner) n
CROSS JOIN LATERAL (
    SELECT * FROM (
    SELECT 1 AS rank, 'foreign' AS kind,
           pg_catalog.format(
               'the job belongs to another installation; batch_adopt(%s) lets it go on here',
               j.job_id) AS reason,
           NULL::timestamptz AS since, NULL::timestamptz AS until
    WHERE NOT o.ours
    UNION ALL
    SELECT 2, 'paused', pg_catalog.format('the job is paused%s; batch_resume(%s) lets it go on',
                                          ': ' || j.pause_reason, j.job_id), j.paused_at, NULL
    WHERE o.ours AND j.paused AND j.cancelled_at IS NULL
    UNION ALL
    SELECT 3, 'server_paused',
           pg_catalog.format(
               'server "%s" is paused by its owner; batch_resume_server(%L) lets its jobs go on',
               n.server, n.server), st.since, NULL
    FROM batchinf.stop_here st
    WHERE st.server = j.server AND j.cancelled_at IS NULL
      AND EXISTS (SELECT FROM batchinf.chunk k WHERE k.job_id = j.job_id
                  AND k.state IN ('planned', 'uploading', 'uploaded'))
    UNION ALL
    SELECT 4, 'no_worker',
           pg_catalog.format(
               'no background worker does this job: %s CALL batch_work() does it in a session',
               batchinf.no_worker()), d.at, NULL
    FROM (SELECT min(LEAST(u.step_at, u.write_at)) AS at FROM batchinf.due u
          WHERE u.job_id = j.job_id
          HAVING NOT bool_or(u.held)) d
    WHERE d.at < pg_catalog.now() - interval '5 seconds' AND batchinf.no_worker() IS NOT NULL
    UNION ALL
    (SELECT 5, CASE q.cause WHEN 'failing' THEN 'server' WHEN 'throttled' THEN 'throttled'
     ELSE 'key' END,
            CASE q.cause
                 WHEN 'missing' THEN q.reason
                 WHEN 'denied'
                     THEN pg_catalog.format(
                         'server "%s" refuses the key of role "%s": %s; batch_check(%L) tries '
                         'it, ALTER USER MAPPING gives another',
                         n.server, n.owner, q.reason, n.server)
                 WHEN 'throttled'
                     THEN pg_catalog.format(
                         'server "%s" takes no more from role "%s" now: %s; the job goes on by '
                         'itself', n.server, n.owner, q.reason)
                 ELSE pg_catalog.format(
                     'server "%s" does not work now: %s; the job goes on by itself when it does',
                     n.server, q.reason) END,
            q.since, q.until
     FROM batchinf.pause_here q
     WHERE q.server = j.server AND q.owner = j.owner AND q.failures > 0
       AND EXISTS (SELECT FROM batchinf.chunk k WHERE k.job_id = j.job_id
                   AND k.next_step_at IS NOT NULL))
    UNION ALL
    (SELECT 6, k.wait_kind,
            CASE WHEN k.state = 'ambiguous'
                THEN pg_catalog.format(
                    'it is not known whether the provider has a batch: %s; batch_cancel(%s) '
                    'gives it up', k.waiting_for, j.job_id)
                 WHEN k.wait_kind = 'room'
                     THEN k.waiting_for || '; it goes on when a batch there has ended'
                 ELSE k.waiting_for END, k.waiting_since, k.next_step_at
     FROM batchinf.chunk k
     WHERE k.job_id = j.job_id AND k.next_step_at IS NOT NULL AND k.wait_kind IS NOT NULL
       -- copies wait for what the other chunks wait for
       AND k.wait_kind <> 'source'
     ORDER BY k.state <> 'ambiguous', k.wait_kind = 'room', k.waiting_since,
              k.next_step_at DESC LIMIT 1)
    UNION ALL
    (SELECT 7, 'write',
            -- without a reason after batch_rewrite, until the first try
            pg_catalog.format(
                'answers are not yet written to %s%s; they are written as soon as that is '
                'possible', j.target_name, ': ' || s.write_error),
            s.finished_at, k.write_at
     FROM batchinf.chunk k
     JOIN LATERAL (SELECT r.write_error, r.finished_at FROM batchinf.result r
                   WHERE r.chunk_id = k.chunk_id AND r.write_state = 'waiting' LIMIT 1) s ON true
     WHERE k.job_id = j.job_id AND k.write_waiting > 0 LIMIT 1)
    UNION ALL
    SELECT 8, 'turn',
           pg_catalog.format(
               'its turn: role "%s" has %s chunks under way and %s ready, of all its jobs; '
               '%s chunks of %s other roles are under way; each role''s next chunk comes before '
               'another''s second one', n.owner, u.own, batchinf.ready(j.owner), u.others, u.roles),
           r.at, NULL
    FROM (SELECT min(d.next_step_at) AS at FROM batchinf.chunk d
          WHERE d.job_id = j.job_id AND d.next_step_at IS NOT NULL AND d.wait_kind IS NULL
            AND d.state NOT IN ('submitted', 'running', 'cancelling')
          HAVING bool_and(d.holder_pid IS NULL)) r
    CROSS JOIN LATERAL (
        SELECT count(*) FILTER (WHERE c.owner = j.owner) AS own,
               count(*) FILTER (WHERE c.owner <> j.owner) AS others,
               count(DISTINCT c.owner) FILTER (WHERE c.owner <> j.owner) AS roles
        FROM batchinf.chunk c
        WHERE c.holder_pid IS NOT NULL AND batchinf.is_alive(c.holder_pid, c.holder_start)) u
    WHERE r.at < pg_catalog.now() - interval '1 second') v
    WHERE o.ours OR v.rank = 1
    ORDER BY v.rank LIMIT 1) w
WHERE j.ended IS NULL;

CREATE OR REPLACE FUNCTION @extschema@.batch_revert(job_id bigint) RETURNS bigint
    AS 'MODULE_PATHNAME', 'batchinf_revert' LANGUAGE C VOLATILE;

CREATE OR REPLACE FUNCTION @extschema@.batch_lineage(target regclass, key text)
    RETURNS TABLE(column_name text, job_id bigint, pipeline text, version int, server text,
                  model text, prompt text, mode text, record_id text, finished_at timestamptz,
                  cost numeric, current bool)
    AS 'MODULE_PATHNAME', 'batchinf_lineage' LANGUAGE C VOLATILE ROWS 10;

CREATE OR REPLACE FUNCTION @extschema@.batch_fingerprint("row" record) RETURNS bytea
    AS 'MODULE_PATHNAME', 'batchinf_fingerprint' LANGUAGE C STRICT STABLE;

CREATE OR REPLACE FUNCTION @extschema@.batch_split(
    text text, size int, overlap int DEFAULT 0) RETURNS TABLE(n int, start int, chunk text)
    AS 'MODULE_PATHNAME', 'batchinf_split' LANGUAGE C STRICT IMMUTABLE PARALLEL SAFE
    COST 1000 ROWS 10;

CREATE OR REPLACE FUNCTION @extschema@.batch_note(place bigint, seq int, "row" record) RETURNS bool
    AS 'MODULE_PATHNAME', 'batchinf_note' LANGUAGE C STRICT VOLATILE COST 100;

CREATE OR REPLACE FUNCTION @extschema@.batch_noted(place bigint, seq int) RETURNS text
    AS 'MODULE_PATHNAME', 'batchinf_noted' LANGUAGE C STRICT VOLATILE;

CREATE OR REPLACE FUNCTION @extschema@.batch_submit(
        query           text,
        server          name,
        prompt          text DEFAULT NULL,
        system_prompt   text DEFAULT NULL,
        model           text DEFAULT NULL,
        task            text DEFAULT 'chat',
        key             text DEFAULT NULL,
        target          regclass DEFAULT NULL,
        write_back      jsonb DEFAULT NULL,
        response_schema @extschema@.batch_json DEFAULT NULL,
        params          @extschema@.batch_json DEFAULT NULL,
        name            text DEFAULT NULL,
        deadline        interval DEFAULT NULL,
        max_attempts    int DEFAULT 3,
        max_failure_rate numeric DEFAULT NULL,
        -- Rows that change
        write_if        text DEFAULT 'unchanged',
        in_flight       text DEFAULT 'skip',
        idempotency_key text DEFAULT NULL,
        start_after     timestamptz DEFAULT NULL,
        submit_window   text DEFAULT NULL,
        retry_for       interval DEFAULT NULL,
        -- Answers into rows
        write_mode      text DEFAULT 'update',
        conflict        text DEFAULT NULL,
        replace_by      text DEFAULT NULL,
        each            text DEFAULT NULL,
        keep            interval DEFAULT NULL,
        -- Money
        max_cost        numeric DEFAULT NULL,
        dedup           boolean DEFAULT NULL,
        cache           interval DEFAULT NULL,
        -- From here on not built yet, and refused unless they ask for what is done without them
        -- Real time beside batch
        mode            text DEFAULT 'batch',
        left_over       text DEFAULT 'stop',
        pilot           int DEFAULT NULL,
        pilot_gate      text DEFAULT NULL,
        -- Quality
        cascade         @extschema@.batch_json DEFAULT NULL,
        reask           int DEFAULT 0,
        schema_from_target boolean DEFAULT NULL)
    RETURNS bigint
    AS 'MODULE_PATHNAME', 'batchinf_submit' LANGUAGE C VOLATILE;

CREATE OR REPLACE FUNCTION @extschema@.batch_estimate(
        query           text,
        server          name,
        prompt          text DEFAULT NULL,
        system_prompt   text DEFAULT NULL,
        model           text DEFAULT NULL,
        task            text DEFAULT 'chat',
        key             text DEFAULT NULL,
        target          regclass DEFAULT NULL,
        write_back      jsonb DEFAULT NULL,
        response_schema @extschema@.batch_json DEFAULT NULL,
        params          @extschema@.batch_json DEFAULT NULL,
        name            text DEFAULT NULL,
        deadline        interval DEFAULT NULL,
        max_attempts    int DEFAULT 3,
        max_failure_rate numeric DEFAULT NULL,
        write_if        text DEFAULT 'unchanged',
        in_flight       text DEFAULT 'skip',
        idempotency_key text DEFAULT NULL,
        start_after     timestamptz DEFAULT NULL,
        submit_window   text DEFAULT NULL,
        retry_for       interval DEFAULT NULL,
        write_mode      text DEFAULT 'update',
        conflict        text DEFAULT NULL,
        replace_by      text DEFAULT NULL,
        each            text DEFAULT NULL,
        keep            interval DEFAULT NULL,
        max_cost        numeric DEFAULT NULL,
        dedup           boolean DEFAULT NULL,
        cache           interval DEFAULT NULL,
        mode            text DEFAULT 'batch',
        left_over       text DEFAULT 'stop',
        pilot           int DEFAULT NULL,
        pilot_gate      text DEFAULT NULL,
        cascade         @extschema@.batch_json DEFAULT NULL,
        reask           int DEFAULT 0,
        schema_from_target boolean DEFAULT NULL)
    RETURNS TABLE (
        records bigint, skipped bigint, repeats bigint, cached bigint, in_flight bigint,
        chunks int, bytes bigint, input_tokens bigint, output_tokens bigint,
        output_tokens_p95 bigint, cost numeric, cost_p95 numeric, realtime_cost numeric,
        saving numeric, unpriced bool, limits text[], hours_p50 numeric, hours_p95 numeric,
        error numeric)
    AS 'MODULE_PATHNAME', 'batchinf_estimate' LANGUAGE C VOLATILE ROWS 1;

CREATE OR REPLACE FUNCTION @extschema@.batch_readiness(
        query           text,
        server          name,
        prompt          text DEFAULT NULL,
        system_prompt   text DEFAULT NULL,
        model           text DEFAULT NULL,
        task            text DEFAULT 'chat',
        key             text DEFAULT NULL,
        target          regclass DEFAULT NULL,
        write_back      jsonb DEFAULT NULL,
        response_schema @extschema@.batch_json DEFAULT NULL,
        params          @extschema@.batch_json DEFAULT NULL,
        name            text DEFAULT NULL,
        deadline        interval DEFAULT NULL,
        max_attempts    int DEFAULT 3,
        max_failure_rate numeric DEFAULT NULL,
        write_if        text DEFAULT 'unchanged',
        in_flight       text DEFAULT 'skip',
        idempotency_key text DEFAULT NULL,
        start_after     timestamptz DEFAULT NULL,
        submit_window   text DEFAULT NULL,
        retry_for       interval DEFAULT NULL,
        write_mode      text DEFAULT 'update',
        conflict        text DEFAULT NULL,
        replace_by      text DEFAULT NULL,
        each            text DEFAULT NULL,
        keep            interval DEFAULT NULL,
        max_cost        numeric DEFAULT NULL,
        dedup           boolean DEFAULT NULL,
        cache           interval DEFAULT NULL,
        mode            text DEFAULT 'batch',
        left_over       text DEFAULT 'stop',
        pilot           int DEFAULT NULL,
        pilot_gate      text DEFAULT NULL,
        cascade         @extschema@.batch_json DEFAULT NULL,
        reask           int DEFAULT 0,
        schema_from_target boolean DEFAULT NULL,
        acceptable_delay interval DEFAULT NULL,
        capacity_cost   numeric DEFAULT NULL,
        runs_per_month  numeric DEFAULT 1,
        provisioned_per_hour numeric DEFAULT NULL)
    RETURNS TABLE (factor text, value text, verdict text, reason text)
    AS 'MODULE_PATHNAME', 'batchinf_readiness' LANGUAGE C VOLATILE ROWS 13;

CREATE OR REPLACE VIEW @extschema@.batch_records WITH (security_barrier) AS
SELECT r.job_id, r.record_id, r.seq, r.attempt, s.outcome, s.output, s.finish_reason,
       CASE WHEN s.outcome IN ('succeeded', 'invalid_output') THEN COALESCE(s.model, j.model)
           ELSE s.model END AS model,
       s.input_tokens, s.cached_tokens, s.output_tokens, s.error_code, s.error, s.write_state,
       s.write_error, s.finished_at,
       r.chunk_id, s.request_id, s.reasoning, r.input, s.items, s.items_failed,
       (SELECT sum(a.cost) FROM batchinf.result a
        WHERE a.job_id = r.job_id AND a.seq = r.seq) AS cost,
       r.source_job AS source_job_id,
       (SELECT o.record_id FROM batchinf.record o
        JOIN batchinf.job_here h ON h.job_id = o.job_id
        WHERE o.job_id = r.source_job AND o.seq = r.source_seq AND batchinf.visible(h.role))
           AS source_record_id
FROM batchinf.record r
JOIN batchinf.job_here j ON j.job_id = r.job_id
LEFT JOIN batchinf.result s ON s.job_id = r.job_id AND s.seq = r.seq AND s.attempt = r.attempt
WHERE batchinf.visible(j.role);

CREATE OR REPLACE VIEW @extschema@.batch_attempts WITH (security_barrier) AS
SELECT s.job_id, r.record_id, s.seq, s.attempt, s.chunk_id, b.batch_id AS provider_batch_id,
       s.outcome, s.finish_reason,
       CASE WHEN s.outcome IN ('succeeded', 'invalid_output') THEN COALESCE(s.model, j.model)
           ELSE s.model END AS model,
       s.input_tokens, s.cached_tokens, s.output_tokens, s.error_code, s.error, s.request_id,
       b.submitted_at, s.finished_at, s.output, s.reasoning, s.cache_write_tokens,
       s.cache_write_1h_tokens, s.cost, s.realtime_cost, s.wasted
FROM batchinf.result s
JOIN batchinf.job_here j ON j.job_id = s.job_id
JOIN batchinf.record r ON r.job_id = s.job_id AND r.seq = s.seq
LEFT JOIN batchinf.chunk k ON k.chunk_id = s.chunk_id
LEFT JOIN batchinf.batch b ON b.chunk_id = k.chunk_id AND b.try = k.tries
WHERE batchinf.visible(j.role) AND s.outcome <> 'skipped'
UNION ALL
SELECT r.job_id, r.record_id, r.seq, r.attempt, r.chunk_id, b.batch_id, NULL, NULL, NULL, NULL,
       NULL, NULL, NULL, NULL, NULL, b.submitted_at, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
FROM batchinf.record r
JOIN batchinf.job_here j ON j.job_id = r.job_id
LEFT JOIN batchinf.chunk k ON k.chunk_id = r.chunk_id
LEFT JOIN batchinf.batch b ON b.chunk_id = k.chunk_id AND b.try = k.tries
WHERE batchinf.visible(j.role)
  AND NOT EXISTS (SELECT FROM batchinf.result s WHERE s.job_id = r.job_id AND s.seq = r.seq
                  AND s.attempt = r.attempt);

CREATE OR REPLACE VIEW @extschema@.batch_jobs WITH (security_barrier) AS
SELECT job_id, CASE WHEN batchinf.visible(owner_oid) THEN name END AS name, owner, server, model,
       task, state,
       records, pending, succeeded, invalid_output, errored, expired, cancelled, missing, skipped,
       written, write_waiting, stale, target_missing, write_failed, progress, input_tokens,
       output_tokens, created_at, deadline, finished_at,
       CASE WHEN batchinf.visible(owner_oid) THEN error END AS error, target, cached_tokens,
       retried, duplicates, unknown, malformed,
       CASE WHEN batchinf.is_owner(owner_oid) THEN NULLIF(settings, 'null') END AS settings,
       CASE WHEN batchinf.visible(owner_oid)
           THEN (SELECT w.waiting_for FROM batchinf.job_wait w WHERE w.job_id = s.job_id)
               END AS waiting_for,
       already_in_flight, guarded, pipeline, version, partly, incomplete, reverted, cost,
       realtime_cost, saving, wasted, unpriced, bytes_staged, repeats,
       cached,
       estimated_cost, reserved, max_cost, overrun
FROM batchinf.job_status s
WHERE batchinf.visible(owner_oid) OR batchinf.monitors();

CREATE OR REPLACE FUNCTION @extschema@.batch_preview(
        query           text,
        server          name,
        prompt          text DEFAULT NULL,
        system_prompt   text DEFAULT NULL,
        model           text DEFAULT NULL,
        task            text DEFAULT 'chat',
        key             text DEFAULT NULL,
        target          regclass DEFAULT NULL,
        write_back      jsonb DEFAULT NULL,
        response_schema @extschema@.batch_json DEFAULT NULL,
        params          @extschema@.batch_json DEFAULT NULL,
        name            text DEFAULT NULL,
        deadline        interval DEFAULT NULL,
        max_attempts    int DEFAULT 3,
        max_failure_rate numeric DEFAULT NULL,
        write_if        text DEFAULT 'unchanged',
        in_flight       text DEFAULT 'skip',
        idempotency_key text DEFAULT NULL,
        start_after     timestamptz DEFAULT NULL,
        submit_window   text DEFAULT NULL,
        retry_for       interval DEFAULT NULL,
        write_mode      text DEFAULT 'update',
        conflict        text DEFAULT NULL,
        replace_by      text DEFAULT NULL,
        each            text DEFAULT NULL,
        keep            interval DEFAULT NULL,
        max_cost        numeric DEFAULT NULL,
        dedup           boolean DEFAULT NULL,
        cache           interval DEFAULT NULL,
        mode            text DEFAULT 'batch',
        left_over       text DEFAULT 'stop',
        pilot           int DEFAULT NULL,
        pilot_gate      text DEFAULT NULL,
        cascade         @extschema@.batch_json DEFAULT NULL,
        reask           int DEFAULT 0,
        schema_from_target boolean DEFAULT NULL,
        -- What only a preview has
        sample          int DEFAULT 5,
        random          boolean DEFAULT false,
        timeout         interval DEFAULT '60 s')
    RETURNS TABLE(record_id text, request jsonb, output text, outcome text, error text,
                  input_tokens bigint, output_tokens bigint, cost numeric,
                  seconds double precision, write_back jsonb, write_error text)
    AS 'MODULE_PATHNAME', 'batchinf_preview' LANGUAGE C VOLATILE ROWS 5;

CREATE OR REPLACE FUNCTION @extschema@.batch_create_pipeline(
        name            text,
        query           text,
        server          name,
        prompt          text DEFAULT NULL,
        system_prompt   text DEFAULT NULL,
        model           text DEFAULT NULL,
        task            text DEFAULT NULL,
        key             text DEFAULT NULL,
        target          regclass DEFAULT NULL,
        write_back      jsonb DEFAULT NULL,
        response_schema @extschema@.batch_json DEFAULT NULL,
        params          @extschema@.batch_json DEFAULT NULL,
        deadline        interval DEFAULT NULL,
        max_attempts    int DEFAULT NULL,
        max_failure_rate numeric DEFAULT NULL,
        write_if        text DEFAULT NULL,
        in_flight       text DEFAULT NULL,
        start_after     timestamptz DEFAULT NULL,
        submit_window   text DEFAULT NULL,
        retry_for       interval DEFAULT NULL,
        write_mode      text DEFAULT NULL,
        conflict        text DEFAULT NULL,
        replace_by      text DEFAULT NULL,
        each            text DEFAULT NULL,
        keep            interval DEFAULT NULL,
        max_cost        numeric DEFAULT NULL,
        dedup           boolean DEFAULT NULL,
        cache           interval DEFAULT NULL,
        mode            text DEFAULT NULL,
        left_over       text DEFAULT NULL,
        pilot           int DEFAULT NULL,
        pilot_gate      text DEFAULT NULL,
        cascade         @extschema@.batch_json DEFAULT NULL,
        reask           int DEFAULT NULL,
        schema_from_target boolean DEFAULT NULL,
        every           interval DEFAULT NULL,
        after           text DEFAULT NULL,
        min_rows        int DEFAULT NULL,
        max_age         interval DEFAULT NULL,
        retry_failed_after interval DEFAULT NULL)
    RETURNS int
    AS 'MODULE_PATHNAME', 'batchinf_create_pipeline' LANGUAGE C VOLATILE;

CREATE OR REPLACE FUNCTION @extschema@.batch_alter_pipeline(
        name            text,
        query           text DEFAULT NULL,
        server          name DEFAULT NULL,
        prompt          text DEFAULT NULL,
        system_prompt   text DEFAULT NULL,
        model           text DEFAULT NULL,
        task            text DEFAULT NULL,
        key             text DEFAULT NULL,
        target          regclass DEFAULT NULL,
        write_back      jsonb DEFAULT NULL,
        response_schema @extschema@.batch_json DEFAULT NULL,
        params          @extschema@.batch_json DEFAULT NULL,
        deadline        interval DEFAULT NULL,
        max_attempts    int DEFAULT NULL,
        max_failure_rate numeric DEFAULT NULL,
        write_if        text DEFAULT NULL,
        in_flight       text DEFAULT NULL,
        start_after     timestamptz DEFAULT NULL,
        submit_window   text DEFAULT NULL,
        retry_for       interval DEFAULT NULL,
        write_mode      text DEFAULT NULL,
        conflict        text DEFAULT NULL,
        replace_by      text DEFAULT NULL,
        each            text DEFAULT NULL,
        keep            interval DEFAULT NULL,
        max_cost        numeric DEFAULT NULL,
        dedup           boolean DEFAULT NULL,
        cache           interval DEFAULT NULL,
        mode            text DEFAULT NULL,
        left_over       text DEFAULT NULL,
        pilot           int DEFAULT NULL,
        pilot_gate      text DEFAULT NULL,
        cascade         @extschema@.batch_json DEFAULT NULL,
        reask           int DEFAULT NULL,
        schema_from_target boolean DEFAULT NULL,
        every           interval DEFAULT NULL,
        after           text DEFAULT NULL,
        min_rows        int DEFAULT NULL,
        max_age         interval DEFAULT NULL,
        retry_failed_after interval DEFAULT NULL,
        resend          boolean DEFAULT false)
    RETURNS int
    AS 'MODULE_PATHNAME', 'batchinf_alter_pipeline' LANGUAGE C VOLATILE;

CREATE OR REPLACE FUNCTION @extschema@.batch_refresh(
    name text, max_rows bigint DEFAULT NULL, force boolean DEFAULT false) RETURNS bigint
    AS 'MODULE_PATHNAME', 'batchinf_refresh' LANGUAGE C VOLATILE;

CREATE OR REPLACE FUNCTION @extschema@.batch_pause_pipeline(name text) RETURNS void
    AS 'MODULE_PATHNAME', 'batchinf_pause_pipeline' LANGUAGE C VOLATILE;

CREATE OR REPLACE FUNCTION @extschema@.batch_resume_pipeline(name text) RETURNS void
    AS 'MODULE_PATHNAME', 'batchinf_resume_pipeline' LANGUAGE C VOLATILE;

CREATE OR REPLACE FUNCTION @extschema@.batch_drop_pipeline(name text) RETURNS void
    AS 'MODULE_PATHNAME', 'batchinf_drop_pipeline' LANGUAGE C VOLATILE;

CREATE OR REPLACE FUNCTION @extschema@.batch_forget(name text, keys text[]) RETURNS bigint
    AS 'MODULE_PATHNAME', 'batchinf_forget_keys' LANGUAGE C VOLATILE;

CREATE OR REPLACE FUNCTION @extschema@.batch_adopt_pipeline(name text, owner regrole DEFAULT NULL)
    RETURNS void
    AS 'MODULE_PATHNAME', 'batchinf_adopt_pipeline' LANGUAGE C VOLATILE;

CREATE OR REPLACE VIEW @extschema@.batch_pipelines WITH (security_barrier) AS
SELECT p.name, COALESCE(r.rolname, p.owner_name) AS owner, p.version,
       v.given ->> 'server' AS server,
       COALESCE(v.given ->> 'model',
                (SELECT m.option_value
                 FROM pg_catalog.pg_foreign_server f,
                      pg_catalog.pg_options_to_table(f.srvoptions) m
                 WHERE f.srvname = (v.given ->> 'server') AND m.option_name = 'model')) AS model,
       CASE WHEN NOT o.ours THEN 'foreign' WHEN p.paused THEN 'paused' ELSE 'active' END AS state,
       p.every, v.given ->> 'submit_window' AS submit_window, p.after,
       CASE WHEN o.ours AND NOT p.paused THEN p.next_refresh END AS next_refresh, p.last_refresh,
       p.last_job_id, CASE WHEN batchinf.visible(o.role) THEN p.last_error END AS last_error,
       p.rows, p.answered, p.due, p.in_flight, p.failed,
       CASE WHEN p.rows > 0 THEN pg_catalog.trunc(p.answered / p.rows::numeric, 4)
           WHEN p.rows = 0 THEN 1 END AS coverage,
       p.due_since AS oldest_due,
       (SELECT CASE WHEN COALESCE(sum(e.unpriced), 0) <= 0 OR sum(e.cost) <> 0
                   THEN COALESCE(sum(e.cost), 0) END
        FROM batchinf.spend e WHERE e.pipeline_id = p.pipeline_id) AS cost,
       NULL::text AS mode, p.min_rows, p.max_age,
       p.retry_failed_after, CASE WHEN batchinf.visible(o.role) THEN v.given END AS arguments
FROM batchinf.pipeline p
LEFT JOIN batchinf.pipeline_version v
    ON v.pipeline_id = p.pipeline_id AND v.version = p.version
CROSS JOIN LATERAL (
    SELECT h.ours, CASE WHEN h.ours THEN p.owner
        ELSE (SELECT q.oid FROM pg_catalog.pg_roles q WHERE q.rolname = p.owner_name) END
    FROM (SELECT p.install = e.uuid AND p.database = e.database FROM batchinf.here e) h(ours)
    ) o(ours, role)
LEFT JOIN pg_catalog.pg_roles r ON r.oid = o.role
WHERE batchinf.visible(o.role) OR batchinf.monitors();
CREATE OR REPLACE FUNCTION batchinf.forget_chunk() RETURNS trigger
    AS 'MODULE_PATHNAME', 'batchinf_forget_chunk' LANGUAGE C;
COMMENT ON FUNCTION batchinf.forget_chunk IS
    'deletes the records of deleted chunks whose job stays';
REVOKE ALL ON FUNCTION batchinf.forget_chunk() FROM PUBLIC;
CREATE OR REPLACE TRIGGER forget AFTER DELETE ON batchinf.chunk FOR EACH ROW
    EXECUTE FUNCTION batchinf.forget_chunk();
COMMENT ON TRIGGER forget ON batchinf.chunk IS 'neither does a chunk that is deleted by hand';

CREATE OR REPLACE FUNCTION @extschema@.batch_delete(job_id bigint) RETURNS void
    AS 'MODULE_PATHNAME', 'batchinf_delete' LANGUAGE C VOLATILE;

CREATE OR REPLACE FUNCTION batchinf.keeps(kept text) RETURNS interval
    AS 'MODULE_PATHNAME', 'batchinf_keeps' LANGUAGE C STRICT STABLE;
COMMENT ON FUNCTION batchinf.keeps IS
    'how long inputs or results stay after the end of a job, by the settings; NULL: for ever';

-- The first few jobs of each kind whose texts are to be removed, and when.
CREATE OR REPLACE VIEW batchinf.removable AS
SELECT u.job_id, u.at
FROM batchinf.here h
CROSS JOIN LATERAL (
    (SELECT j.job_id, j.kept_since + batchinf.keeps('inputs') AS at
     FROM batchinf.job j
     WHERE j.install = h.uuid AND j.database = h.database AND j.kept_since IS NOT NULL
         AND j.keep_until IS NULL AND j.inputs_next IS NOT NULL
         AND NOT EXISTS (SELECT FROM batchinf.chunk c
                         WHERE c.job_id = j.job_id AND c.next_step_at IS NOT NULL)
     ORDER BY j.kept_since LIMIT 16)
    UNION ALL
    (SELECT j.job_id, j.kept_since + batchinf.keeps('results')
     FROM batchinf.job j
     WHERE j.install = h.uuid AND j.database = h.database AND j.kept_since IS NOT NULL
         AND j.keep_until IS NULL AND j.results_next IS NOT NULL
         AND NOT EXISTS (SELECT FROM batchinf.chunk c
                         WHERE c.job_id = j.job_id AND c.next_step_at IS NOT NULL)
     ORDER BY j.kept_since LIMIT 16)
    UNION ALL
    (SELECT j.job_id, j.keep_until
     FROM batchinf.job j
     WHERE j.install = h.uuid AND j.database = h.database AND j.keep_until IS NOT NULL
         AND (j.inputs_next IS NOT NULL OR j.results_next IS NOT NULL)
         AND NOT EXISTS (SELECT FROM batchinf.chunk c
                         WHERE c.job_id = j.job_id AND c.next_step_at IS NOT NULL)
     ORDER BY j.keep_until LIMIT 16)) u
WHERE u.at IS NOT NULL;

-- It reads the sizes of files, and no table.
CREATE OR REPLACE VIEW @extschema@.batch_storage WITH (security_barrier) AS
SELECT c.relname AS table_name, w.holds, pg_catalog.pg_stat_get_live_tuples(c.oid) AS rows,
       pg_catalog.pg_table_size(c.oid) AS bytes, pg_catalog.pg_indexes_size(c.oid) AS index_bytes,
       pg_catalog.pg_total_relation_size(c.oid) AS total_bytes
FROM (VALUES ('record', 'inputs'), ('result', 'results'), ('event', 'events'), ('job', 'jobs'),
             ('chunk', 'chunks'), ('batch', 'batches'), ('in_flight', 'rows in open jobs'),
             ('answered', 'answered rows of pipelines'), ('call', 'idempotency keys'),
             ('written', 'rows that answers have added or overwritten'),
             ('replaced', 'rows that were replaced'),
             ('history', 'what estimates learn from'), ('spend', 'what answers cost'))
    w(name, holds)
JOIN pg_catalog.pg_class c ON c.relname = w.name
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace AND n.nspname = 'batchinf'
WHERE batchinf.monitors();

CREATE OR REPLACE VIEW @extschema@.batch_job_details WITH (security_barrier) AS
SELECT j.job_id, j.spec ->> 'query' AS query, j.spec ->> 'prompt' AS prompt,
       j.spec ->> 'system_prompt' AS system_prompt,
       (j.spec ->> 'params')::json AS params,
       (j.spec ->> 'response_schema')::json AS response_schema,
       NULLIF(j.spec -> 'write_back', 'null') AS write_back,
       ARRAY(SELECT pg_catalog.jsonb_array_elements_text(j.spec -> 'key')) AS key,
       j.spec ->> 'input' AS input_kind, (j.spec ->> 'max_attempts')::int AS max_attempts,
       (j.spec ->> 'max_failure_rate')::numeric AS max_failure_rate,
       (j.spec ->> 'keep')::interval AS keep,
       CASE WHEN o.ours AND j.inputs_removed_at IS NULL
           THEN COALESCE(j.keep_until, j.kept_since + batchinf.keeps('inputs'))
               END AS inputs_kept_until,
       j.inputs_removed_at,
       CASE WHEN o.ours AND j.results_removed_at IS NULL
           THEN COALESCE(j.keep_until, j.kept_since + batchinf.keeps('results'))
               END AS results_kept_until,
       j.results_removed_at
FROM batchinf.job j
JOIN batchinf.job_here o ON o.job_id = j.job_id
WHERE batchinf.visible(o.role);

GRANT SELECT ON @extschema@.batch_pipelines, @extschema@.batch_storage TO PUBLIC;

CREATE OR REPLACE VIEW @extschema@.batch_chunks WITH (security_barrier) AS
SELECT k.job_id, k.chunk_id, k.attempt,
       CASE WHEN k.wait_kind IS NOT NULL AND k.next_step_at IS NOT NULL
           AND k.state <> 'ambiguous' THEN 'waiting' ELSE k.state END AS state,
       k.records, k.bytes,
       CASE WHEN batchinf.visible(j.role) THEN b.batch_id END AS provider_batch_id,
       b.submitted_at, b.ended_at,
       GREATEST(k.next_step_at, p.until,
                CASE WHEN k.state IN ('submitted', 'running') AND k.wait_kind IS NULL
                    THEN pg_catalog.now() END) AS next_step_at,
       COALESCE(CASE WHEN batchinf.visible(j.role) THEN k.waiting_for END, p.reason,
                CASE WHEN batchinf.visible(j.role) THEN a.waiting_for END) AS waiting_for,
       CASE WHEN batchinf.visible(j.role) THEN k.error END AS error,
       k.state AS step, b.batch_end AS provider_state, k.tokens AS estimated_tokens, k.intent,
       k.duplicates, k.unknown, k.malformed,
       COALESCE(k.wait_kind, p.kind, a.wait_kind) AS wait_kind, k.requests, k.bytes_up,
       k.bytes_down, k.cost, k.realtime_cost, k.wasted, k.unpriced, k.copies
FROM batchinf.chunk k
JOIN batchinf.job_here j ON j.job_id = k.job_id
LEFT JOIN batchinf.batch b ON b.chunk_id = k.chunk_id AND b.try = k.tries
LEFT JOIN LATERAL (SELECT q.until, CASE WHEN batchinf.visible(q.owner) THEN q.reason
                                        ELSE q.kind END AS reason,
                          CASE q.cause WHEN 'failing' THEN 'server'
                              WHEN 'throttled' THEN 'throttled' ELSE 'key' END AS kind
                   FROM batchinf.pause_here q
                   WHERE q.server = j.server AND q.owner = j.role
                       AND q.until > pg_catalog.now() AND k.next_step_at IS NOT NULL) p ON true
-- one planned chunk of a job asks; the others wait for the same
LEFT JOIN LATERAL (SELECT o.waiting_for, o.wait_kind
                   FROM batchinf.chunk o
                   WHERE o.job_id = k.job_id AND o.state = 'planned' AND o.wait_kind IS NOT NULL
                       AND o.wait_kind IN ('time', 'room', 'failure_rate', 'target', 'owner',
                                           'key', 'budget')
                       AND k.state = 'planned' AND k.wait_kind IS NULL LIMIT 1) a ON true
WHERE batchinf.visible(j.role) OR batchinf.monitors();

CREATE OR REPLACE VIEW @extschema@.batch_servers WITH (security_barrier) AS
WITH next AS MATERIALIZED (
    SELECT d.server, (array_agg(d.owner ORDER BY d.rank))[1] AS owner
    FROM batchinf.schedule d GROUP BY d.server
)
SELECT s.srvname AS server,
       (SELECT o.option_value FROM pg_catalog.pg_options_to_table(s.srvoptions) o
        WHERE o.option_name = 'provider') AS provider,
       (SELECT o.option_value FROM pg_catalog.pg_options_to_table(s.srvoptions) o
        WHERE o.option_name = 'model') AS model,
       batchinf.server_limits(s.oid) AS limits,
       (SELECT count(*) FROM batchinf.chunk k JOIN batchinf.job j ON j.job_id = k.job_id
        JOIN batchinf.here h ON h.uuid = j.install AND h.database = j.database
        WHERE k.server = s.oid AND k.next_step_at IS NOT NULL AND k.state <> 'planned'
          AND k.state IN ('creating', 'submitted', 'running', 'cancelling', 'ambiguous'))
              AS batches_in_flight,
       CASE WHEN st.server IS NOT NULL THEN 'infinity' ELSE p.until END AS paused_until,
       CASE WHEN st.server IS NOT NULL THEN 'batch_pause_server by ' || st.paused_by
           ELSE p.reason END AS pause_reason, l.reason AS last_error, l.at AS last_error_at,
       u.chunks AS under_way,
       CASE WHEN n.owner IS NOT NULL
           THEN pg_catalog.format(
               'next: %s; %s chunks of %s roles are under way, of %s roles that have work here',
               CASE WHEN batchinf.visible(n.owner) OR batchinf.monitors()
                   THEN pg_catalog.format('role "%s"', pg_catalog.pg_get_userbyid(n.owner))
                   ELSE 'another role' END,
               u.chunks, u.roles, (SELECT count(*) FROM batchinf.lane g WHERE g.server = s.oid))
       END AS turn
FROM pg_catalog.pg_foreign_server s
JOIN pg_catalog.pg_foreign_data_wrapper w ON w.oid = s.srvfdw AND w.fdwname = 'batchinf'
LEFT JOIN batchinf.stop_here st ON st.server = s.oid
LEFT JOIN LATERAL (SELECT q.until, CASE WHEN batchinf.visible(q.owner) THEN q.reason
                   ELSE q.kind END AS reason FROM batchinf.pause_here q
                   WHERE q.server = s.oid AND q.until > pg_catalog.now()
                       AND (batchinf.visible(q.owner) OR batchinf.monitors())
                   ORDER BY q.until DESC LIMIT 1) p ON true
LEFT JOIN LATERAL (SELECT q.at, CASE WHEN batchinf.visible(q.owner) THEN q.reason
                   ELSE q.kind END AS reason FROM batchinf.pause_here q
                   WHERE q.server = s.oid AND q.failures > 0
                       AND (batchinf.visible(q.owner) OR batchinf.monitors())
                           ORDER BY q.at DESC LIMIT 1) l ON true
LEFT JOIN LATERAL (SELECT count(*) AS chunks, count(DISTINCT c.owner) AS roles
                   FROM batchinf.chunk c
                   WHERE c.server = s.oid AND c.holder_pid IS NOT NULL
                       AND batchinf.is_alive(c.holder_pid, c.holder_start)) u ON true
LEFT JOIN next n ON n.server = s.oid
WHERE pg_catalog.has_server_privilege(s.oid, 'USAGE') OR batchinf.monitors();

DROP VIEW IF EXISTS batchinf.next_due_old;
DROP VIEW batchinf.schedule_old;
DROP VIEW IF EXISTS batchinf.candidate_old, batchinf.lane_old;

COMMENT ON FUNCTION @extschema@.batch_preview IS
    'Asks for answers to a few rows of a query now, and returns them with what batch_submit would '
    'write. Sends single requests in this statement, at their price in real time, and stores '
    'nothing. The first rows that the query returns, or with random some of all. Raises the errors '
    'that batch_submit raises with the same arguments; an error of the provider is a row.';
COMMENT ON FUNCTION @extschema@.batch_create_pipeline IS
    'Stores a query whose answers are kept up to date. The caller owns it. Returns version 1; '
    'raises what is wrong with the query. Its arguments are those of batch_submit, and when it is '
    'refreshed.';
COMMENT ON FUNCTION @extschema@.batch_alter_pipeline IS
    'Changes a pipeline: what is left out stays. Returns its new version. resend: all that is '
    'answered is sent again; otherwise the change makes no answered row due.';
COMMENT ON FUNCTION @extschema@.batch_refresh IS
    'Makes a job of the rows that are due, max_rows at most, and returns its id; NULL if nothing '
    'is due. force: most answered rows may be sent again.';
COMMENT ON FUNCTION @extschema@.batch_pause_pipeline IS
    'A paused pipeline is not refreshed.';
COMMENT ON FUNCTION @extschema@.batch_resume_pipeline IS 'Ends the pause of a pipeline.';
COMMENT ON FUNCTION @extschema@.batch_drop_pipeline IS 'Removes a pipeline. Its jobs stay.';
COMMENT ON FUNCTION @extschema@.batch_forget IS
    'Makes rows of a pipeline due again, by their keys. Returns how many it knew.';
COMMENT ON FUNCTION @extschema@.batch_adopt_pipeline IS
    'Lets a pipeline of another installation go on here, as the role with its owner''s name, or '
    'as the one that is named.';
-- batch_pipelines
COMMENT ON VIEW @extschema@.batch_pipelines IS
    'One row for each pipeline; its numbers are those of the last refresh.';
COMMENT ON COLUMN @extschema@.batch_pipelines.state IS
    'What becomes of it.
active: it is refreshed.
paused: it is not, until batch_resume_pipeline.
foreign: it belongs to another installation; batch_adopt_pipeline lets it go on.';
COMMENT ON COLUMN @extschema@.batch_pipelines.name IS 'name of the pipeline';
COMMENT ON COLUMN @extschema@.batch_pipelines.owner IS 'role that it runs as';
COMMENT ON COLUMN @extschema@.batch_pipelines.version IS 'version in force';
COMMENT ON COLUMN @extschema@.batch_pipelines.server IS 'name of the foreign server';
COMMENT ON COLUMN @extschema@.batch_pipelines.model IS 'argument model, or the server''s';
COMMENT ON COLUMN @extschema@.batch_pipelines.every IS 'how often it is refreshed by itself';
COMMENT ON COLUMN @extschema@.batch_pipelines.submit_window IS 'argument of its jobs';
COMMENT ON COLUMN @extschema@.batch_pipelines.after IS 'the pipeline whose jobs it comes after';
COMMENT ON COLUMN @extschema@.batch_pipelines.next_refresh IS
    'when it is refreshed next by itself; NULL: not by time';
COMMENT ON COLUMN @extschema@.batch_pipelines.last_refresh IS 'when it was refreshed last';
COMMENT ON COLUMN @extschema@.batch_pipelines.last_job_id IS 'the last job that it made';
COMMENT ON COLUMN @extschema@.batch_pipelines.last_error IS
    'why the last refresh stopped; NULL: it did not';
COMMENT ON COLUMN @extschema@.batch_pipelines.rows IS
    'rows of the query that have something to send';
COMMENT ON COLUMN @extschema@.batch_pipelines.answered IS
    'rows whose answer is that of what would be sent now';
COMMENT ON COLUMN @extschema@.batch_pipelines.due IS
    'rows that are worth sending, and were not sent';
COMMENT ON COLUMN @extschema@.batch_pipelines.in_flight IS 'rows that are in open jobs';
COMMENT ON COLUMN @extschema@.batch_pipelines.failed IS
    'rows whose answer failed, and that are not tried again yet';
COMMENT ON COLUMN @extschema@.batch_pipelines.coverage IS 'answered rows of all, from 0 to 1';
COMMENT ON COLUMN @extschema@.batch_pipelines.oldest_due IS 'since when something has been due';
COMMENT ON COLUMN @extschema@.batch_pipelines.cost IS
    'US dollars that all of its jobs have cost, those that were deleted included; what has no '
    'price is left out, and NULL: nothing has one';
COMMENT ON COLUMN @extschema@.batch_pipelines.mode IS 'reserved for a later release';
COMMENT ON COLUMN @extschema@.batch_pipelines.min_rows IS 'argument of batch_create_pipeline';
COMMENT ON COLUMN @extschema@.batch_pipelines.max_age IS 'argument of batch_create_pipeline';
COMMENT ON COLUMN @extschema@.batch_pipelines.retry_failed_after IS
    'argument of batch_create_pipeline';
COMMENT ON COLUMN @extschema@.batch_pipelines.arguments IS
    'the arguments of batch_submit, as texts';
COMMENT ON COLUMN @extschema@.batch_jobs.pipeline IS 'the pipeline whose refresh made it';
COMMENT ON COLUMN @extschema@.batch_jobs.version IS 'version of that pipeline';
COMMENT ON COLUMN @extschema@.batch_jobs.partly IS
    'records of which some items are not written: see batch_records.write_error';
COMMENT ON COLUMN @extschema@.batch_jobs.incomplete IS
    'answered records that are not written because others of the value that they replace have not '
    'succeeded';
COMMENT ON COLUMN @extschema@.batch_records.items IS
    'items of the output that each are a row (each)';
COMMENT ON COLUMN @extschema@.batch_records.items_failed IS 'those of them that are not written';
COMMENT ON COLUMN @extschema@.batch_jobs.reverted IS
    'answers that were written, and that batch_revert has taken back';
COMMENT ON COLUMN @extschema@.batch_jobs.repeats IS
    'records that are not sent, because their request repeats another one of the job (dedup)';
COMMENT ON COLUMN @extschema@.batch_jobs.cached IS
    'records that are not sent, because an earlier job has their answer (cache)';
COMMENT ON COLUMN @extschema@.batch_records.source_job_id IS
    'job of the record whose answer it copies: this one if its request repeats another one; NULL: '
    'it has an answer of its own';
COMMENT ON COLUMN @extschema@.batch_records.source_record_id IS
    'that record; NULL also if it was removed since';
COMMENT ON COLUMN @extschema@.batch_chunks.copies IS
    'What its answers copy; NULL: it is sent.
repeat: those of other records of the job.
cached: those of earlier jobs.';

-- pipeline
COMMENT ON TABLE batchinf.pipeline IS
    'One row for each pipeline. Refreshes write what they have found.';
COMMENT ON COLUMN batchinf.pipeline.pipeline_id IS 'id of the pipeline';
COMMENT ON COLUMN batchinf.pipeline.name IS 'name of the pipeline';
COMMENT ON COLUMN batchinf.pipeline.install IS 'the installation that it belongs to (view here)';
COMMENT ON COLUMN batchinf.pipeline.database IS 'the database that it belongs to';
COMMENT ON COLUMN batchinf.pipeline.owner IS 'role that it runs as';
COMMENT ON COLUMN batchinf.pipeline.owner_name IS 'name of that role, for another installation';
COMMENT ON COLUMN batchinf.pipeline.owner_superuser IS
    'the owner was a superuser when the pipeline became theirs';
COMMENT ON COLUMN batchinf.pipeline.version IS 'version in force';
COMMENT ON COLUMN batchinf.pipeline.paused IS 'it is not refreshed';
COMMENT ON COLUMN batchinf.pipeline.every IS 'as in batch_pipelines';
COMMENT ON COLUMN batchinf.pipeline.after IS 'as in batch_pipelines';
COMMENT ON COLUMN batchinf.pipeline.min_rows IS 'as in batch_pipelines';
COMMENT ON COLUMN batchinf.pipeline.max_age IS 'as in batch_pipelines';
COMMENT ON COLUMN batchinf.pipeline.retry_failed_after IS 'as in batch_pipelines';
COMMENT ON COLUMN batchinf.pipeline.created_at IS 'when it was created';
COMMENT ON COLUMN batchinf.pipeline.regular IS 'the next time by "every"';
COMMENT ON COLUMN batchinf.pipeline.next_refresh IS
    'when it is due: the regular time, or later after a failure; NULL: not by time';
COMMENT ON COLUMN batchinf.pipeline.failures IS 'refreshes in a row that raised an error';
COMMENT ON COLUMN batchinf.pipeline.last_refresh IS 'as in batch_pipelines';
COMMENT ON COLUMN batchinf.pipeline.last_job_id IS 'as in batch_pipelines';
COMMENT ON COLUMN batchinf.pipeline.last_error IS 'as in batch_pipelines';
COMMENT ON COLUMN batchinf.pipeline.rows IS 'as in batch_pipelines';
COMMENT ON COLUMN batchinf.pipeline.answered IS 'as in batch_pipelines';
COMMENT ON COLUMN batchinf.pipeline.due IS 'as in batch_pipelines';
COMMENT ON COLUMN batchinf.pipeline.in_flight IS 'as in batch_pipelines';
COMMENT ON COLUMN batchinf.pipeline.failed IS 'as in batch_pipelines';
COMMENT ON COLUMN batchinf.pipeline.due_since IS 'batch_pipelines.oldest_due';
COMMENT ON TABLE batchinf.pipeline_ended IS
    'Pipelines that come after one of which a job has ended.';
COMMENT ON COLUMN batchinf.pipeline_ended.pipeline_id IS 'the pipeline that comes after it';
COMMENT ON COLUMN batchinf.pipeline_ended.at IS 'when that job ended';
COMMENT ON TABLE batchinf.pipeline_version IS 'Each version of each pipeline.';
COMMENT ON COLUMN batchinf.pipeline_version.pipeline_id IS 'the pipeline';
COMMENT ON COLUMN batchinf.pipeline_version.version IS 'number of the version, from 1';
COMMENT ON COLUMN batchinf.pipeline_version.given IS 'the arguments of batch_submit, as texts';
COMMENT ON COLUMN batchinf.pipeline_version.settings IS 'settings that each refresh runs with';
COMMENT ON COLUMN batchinf.pipeline_version.custom IS 'custom settings that it runs with';
COMMENT ON COLUMN batchinf.pipeline_version.at IS 'when it was made';
COMMENT ON TABLE batchinf.answered IS
    'What was answered, of each row of a pipeline. Nothing that is done to jobs changes it.';
COMMENT ON COLUMN batchinf.answered.pipeline_id IS 'the pipeline';
COMMENT ON COLUMN batchinf.answered.key IS
    'the row: batch_records.record_id, as answered_key makes it';
COMMENT ON COLUMN batchinf.answered.hash IS 'hash of what was sent; empty: it is to be sent again';
COMMENT ON COLUMN batchinf.answered.version IS 'version that sent it';
COMMENT ON COLUMN batchinf.answered.failed IS 'the answer was an error, or cannot be used';
COMMENT ON COLUMN batchinf.answered.written IS 'the answer was written, or there is no target';
COMMENT ON COLUMN batchinf.answered.job_id IS 'the job that sent it; it may be gone';
COMMENT ON COLUMN batchinf.answered.seq IS 'number of the record in that job';
COMMENT ON COLUMN batchinf.answered.at IS 'when the answer was stored';
COMMENT ON COLUMN batchinf.answered.tried IS
    'what the target row held when the kept answer was tried once more: a fingerprint';
COMMENT ON COLUMN batchinf.answered.is_current IS
    'while a new version is made: it is the answer to what the last one would send';
COMMENT ON COLUMN batchinf.answered.value IS
    'hash of the value whose rows it replaces; NULL: it replaces none';

-- in_flight
COMMENT ON TABLE batchinf.in_flight IS
    'Which rows of targets are in open jobs. Rows of jobs that have ended mean nothing, and are '
    'removed in pieces.';
COMMENT ON COLUMN batchinf.in_flight.target IS
    'the topmost table: a hash of the install, the database and its oid';
COMMENT ON COLUMN batchinf.in_flight.hash IS 'the row: a hash of its key';
COMMENT ON COLUMN batchinf.in_flight.col IS 'number of the column that is written, in that table';
COMMENT ON COLUMN batchinf.in_flight.other IS
    '0, or the job where its owner wished to send what others have';
COMMENT ON COLUMN batchinf.in_flight.job_id IS 'the job that has it';

COMMENT ON COLUMN batchinf.job.in_flight_target IS
    'the table of its rows in in_flight; NULL: it has no target, or is of 0.2.0';
COMMENT ON COLUMN batchinf.job.in_flight_columns IS 'numbers of the columns that it writes';
COMMENT ON COLUMN batchinf.job.in_flight_key IS 'numbers of the columns that are its key';
COMMENT ON COLUMN batchinf.job.in_flight_left IS 'in_flight may have rows of it';
COMMENT ON COLUMN batchinf.job.already_in_flight IS 'rows that were left out at submit';
COMMENT ON COLUMN @extschema@.batch_jobs.already_in_flight IS
    'rows of the query that were left out because open jobs have them';
COMMENT ON COLUMN @extschema@.batch_jobs.guarded IS
    'columns of the target that must hold what they held at submit when an answer is written';
COMMENT ON FUNCTION @extschema@.batch_fingerprint IS
    'Returns the first 16 bytes of the SHA-256 of the row''s values, as text under settings that '
    'are always the same. write_if => ''unchanged'' compares it.';
COMMENT ON FUNCTION @extschema@.batch_split IS
    'Splits a text into pieces of at most size characters: at ends of paragraphs, else of lines, '
    'sentences or words, else anywhere, but never within what a reader takes for one character. '
    'A piece begins up to overlap characters before the end of the one before. n counts from 1; '
    'substr(text, start, length(chunk)) is the piece.';
COMMENT ON FUNCTION @extschema@.batch_lineage(regclass, text) IS
    'Returns which jobs have written the row with this key, as batch_records.record_id: one row '
    'for each column and job, the last job first. current: the row still holds all that this job '
    'wrote to it.';
COMMENT ON FUNCTION @extschema@.batch_resume(bigint) IS
    'Ends a pause, and looks at once at whatever the job waits for, except for a server or key '
    'that fails: its next try keeps its time. The count for max_failure_rate begins again. For '
    'the owner of the job and members of that role.';
COMMENT ON FUNCTION @extschema@.batch_revert(bigint) IS
    'Puts back what the answers of an ended job have overwritten, where the rows still hold what '
    'was written. Returns how many rows; a NOTICE says how many were not put back, and why.';
COMMENT ON FUNCTION @extschema@.batch_note IS
    'Keeps what a row holds while an answer is written to it; true. Does nothing in a call of your '
    'own.';
COMMENT ON FUNCTION @extschema@.batch_noted IS
    'Returns what batch_note has kept of the row that was written last. NULL in a call of your '
    'own.';
COMMENT ON COLUMN batchinf.record.guard IS
    'fingerprint of the guarded columns of its row at submit, several one behind the other; empty: '
    'it is written whatever the row holds; NULL: there was no such row, or nothing is guarded';

-- call
COMMENT ON TABLE batchinf.call IS
    'The first call of each idempotency_key. It outlives its job.';
COMMENT ON COLUMN batchinf.call.install IS 'as in batchinf.job';
COMMENT ON COLUMN batchinf.call.database IS 'as in batchinf.job';
COMMENT ON COLUMN batchinf.call.owner IS 'the role that called';
COMMENT ON COLUMN batchinf.call.owner_name IS
    'the name that it had: in a restored database it is known by this';
COMMENT ON COLUMN batchinf.call.key IS 'its idempotency_key';
COMMENT ON COLUMN batchinf.call.job_id IS 'the job that it made; it may be gone';
COMMENT ON COLUMN batchinf.call.given IS
    'the other arguments that were given: the SHA-256 of each value, by name';
COMMENT ON COLUMN batchinf.call.at IS 'when the transaction of the call began';

--
-- Comments
--
COMMENT ON FUNCTION batchinf.class IS
    'the order of a job''s chunks: 0 is paid for, 1 has its input at the provider, 2 is planned';
COMMENT ON FUNCTION batchinf.place_chunk IS 'gives a new chunk the owner and the server of its job';
COMMENT ON TRIGGER place ON batchinf.chunk IS
    'in a trigger, because before ALTER EXTENSION UPDATE the table may be older than the library';
COMMENT ON FUNCTION batchinf.ready IS
    'how many chunks of this role are ready and not under way; counted to a thousand';
COMMENT ON COLUMN @extschema@.batch_chunks.next_step_at IS
    'when something is done with it next, at the earliest; NULL: it has ended';
COMMENT ON COLUMN @extschema@.batch_servers.limits IS
    'the limits in force: options of the server, or defaults of its provider; 0: no limit';
COMMENT ON COLUMN @extschema@.batch_servers.under_way IS
    'chunks of the server that processes work on now, of all roles';
COMMENT ON COLUMN @extschema@.batch_servers.turn IS
    'whose turn it is, and how many share the server; NULL: nothing is ready';
COMMENT ON COLUMN batchinf.chunk.next_step_at IS
    'when its next step is due; of a batch that is open at the provider: when it is asked after '
    'for the first time. NULL: it has ended';
COMMENT ON COLUMN batchinf.chunk.polls IS
    'polls since the last change of state; those that found nothing new are not counted';
COMMENT ON COLUMN batchinf.chunk.owner IS 'of its job: indexes begin with it';
COMMENT ON COLUMN batchinf.chunk.server IS 'of its job: indexes have it next';
COMMENT ON COLUMN batchinf.chunk.partly IS 'as in batch_jobs';
COMMENT ON COLUMN batchinf.chunk.incomplete IS 'as in batch_jobs';
COMMENT ON COLUMN batchinf.record.columns IS
    'values of the query''s columns that go to the target, in the order of the job''s columns';
COMMENT ON COLUMN batchinf.record.value IS
    'hash of what its rows replace together with those of other records: replace_by';
COMMENT ON TABLE batchinf.written IS
    'Rows that answers have added, or that an upsert has overwritten, by their primary keys.';
COMMENT ON COLUMN batchinf.written.job_id IS 'the job';
COMMENT ON COLUMN batchinf.written.seq IS 'number of the record in that job';
COMMENT ON COLUMN batchinf.written.item IS 'number of the item of its output, from 1';
COMMENT ON COLUMN batchinf.written.row_id IS 'the row: its primary key as text';
COMMENT ON COLUMN batchinf.written.key IS 'the parts of a key of several columns';
COMMENT ON COLUMN batchinf.written.print IS 'fingerprint of the columns that the answer filled';
COMMENT ON COLUMN batchinf.written.added IS 'the answer has added the row';
COMMENT ON COLUMN batchinf.written.old IS
    'what the overwritten columns of a row held that was there: a JSON array of texts';

COMMENT ON TABLE batchinf.replaced IS
    'Values whose rows a job has replaced, and the rows that were deleted for that.';
COMMENT ON COLUMN batchinf.replaced.job_id IS 'the job';
COMMENT ON COLUMN batchinf.replaced.seq IS 'number in that job of a record of the value';
COMMENT ON COLUMN batchinf.replaced.piece IS
    'number of the piece of the deleted rows; 0 has what follows, too';
COMMENT ON COLUMN batchinf.replaced.added IS 'how many rows the value has since';
COMMENT ON COLUMN batchinf.replaced.print IS 'sum of their fingerprints';
COMMENT ON COLUMN batchinf.replaced.removed IS 'how many rows were deleted';
COMMENT ON COLUMN batchinf.replaced.columns IS
    'names of the table''s columns by their numbers; NULL for one that is not kept';
COMMENT ON COLUMN batchinf.replaced.old IS
    'the deleted rows of the piece: a JSON array with an array of texts for each';
COMMENT ON COLUMN batchinf.result.items IS 'as in batch_records';
COMMENT ON COLUMN batchinf.result.items_failed IS 'as in batch_records';
COMMENT ON COLUMN batchinf.chunk.reverted IS 'answers with that write state';
COMMENT ON COLUMN batchinf.job.digest IS
    'SHA-256 of what is sent with each record beside its input, and where; NULL: not known';
COMMENT ON COLUMN batchinf.chunk.copies IS 'as in batch_chunks';
COMMENT ON COLUMN batchinf.chunk.source_chunk IS
    'of repeats: the chunk that brings their next answers; NULL: not known';
COMMENT ON COLUMN batchinf.record.source_job IS
    'job of the record whose answer it copies; NULL: it is sent';
COMMENT ON COLUMN batchinf.record.source_seq IS 'that record';
COMMENT ON COLUMN batchinf.result.old IS
    'what the row held in the written columns before: a JSON array of their texts, in the order of '
    'the job''s write_back; NULL: nothing was written, or it is not known, or it was put back';
COMMENT ON COLUMN batchinf.result.print IS
    'fingerprint of what the row holds in the written columns since the write; NULL: not known';
COMMENT ON COLUMN batchinf.pause.owner IS 'whose jobs are held up there';
COMMENT ON COLUMN batchinf.pause.at IS
    'when the last failure came; those of calls that were sent before it do not count again';
COMMENT ON COLUMN batchinf.pause.requester IS
    'unused since 0.3.0; kept because dumps of 0.2.0 have it';
COMMENT ON COLUMN batchinf.pause.cause IS
    'failing: the server fails; throttled: it takes no more for now; denied: it refuses the key; '
    'missing: key, user mapping or USAGE is missing here';
COMMENT ON COLUMN batchinf.due.step_at IS
    'when its next step may be taken; NULL: not while it is paused, or it is open at the provider '
    'and polled from memory';
COMMENT ON COLUMN batchinf.due.server_failures IS
    'failures in a row at the server, of this owner''s jobs';
COMMENT ON VIEW batchinf.lane IS
    'Each pair of an owner and a server that has work which is due, or will be.';
COMMENT ON COLUMN batchinf.lane.owner IS 'the owner';
COMMENT ON COLUMN batchinf.lane.server IS 'the server';
COMMENT ON COLUMN batchinf.lane.gone IS 'the server was dropped';
COMMENT ON COLUMN batchinf.lane.stopped IS 'the server is paused by batch_pause_server';
COMMENT ON COLUMN batchinf.lane.until IS 'until when it wants no calls of this owner; NULL: never';
COMMENT ON COLUMN batchinf.lane.paused IS 'it wants none now';
COMMENT ON COLUMN batchinf.lane.failures IS 'failures in a row there, of this owner''s jobs';
COMMENT ON VIEW batchinf.candidate IS
    'Chunks that can be taken on now: the first few of each owner at each server. A chunk may '
    'be there twice.';
COMMENT ON COLUMN batchinf.candidate.chunk_id IS 'the chunk';
COMMENT ON COLUMN batchinf.candidate.owner IS 'the owner of its job';
COMMENT ON COLUMN batchinf.candidate.server IS 'the server of its job';
COMMENT ON COLUMN batchinf.candidate.job_id IS 'its job';
COMMENT ON COLUMN batchinf.candidate.at IS 'since when it is due';
COMMENT ON COLUMN batchinf.candidate.class IS 'as in due';
COMMENT ON COLUMN batchinf.candidate.step IS
    'true: its next step is due; false: its waiting writes are';
COMMENT ON COLUMN batchinf.candidate.failures IS
    'as in lane; 0 where its owner wants no more of it, for that waits for no server';
COMMENT ON COLUMN batchinf.schedule.job_id IS 'its job';
COMMENT ON COLUMN batchinf.schedule.turn IS 'its number in its job, chunks under way included';
COMMENT ON COLUMN batchinf.schedule.place IS
    'its number of its owner''s at its server, chunks under way included';
COMMENT ON COLUMN batchinf.schedule.berth IS
    'its number of its owner''s, chunks under way included';
COMMENT ON VIEW batchinf.next_due IS
    'When the next chunk of each owner becomes due, of those that wait for a time.';
COMMENT ON COLUMN batchinf.next_due.owner IS 'whose chunk';
COMMENT ON COLUMN batchinf.next_due.at IS 'the time';
COMMENT ON VIEW batchinf.schedule IS
    'The chunks that are ready and that nobody works on, in the order in which a worker takes '
    'them.';
COMMENT ON COLUMN batchinf.schedule.chunk_id IS 'the chunk';
COMMENT ON COLUMN batchinf.schedule.server IS 'the server of its job';
COMMENT ON COLUMN batchinf.schedule.owner IS 'the owner of its job';
COMMENT ON COLUMN batchinf.schedule.wish IS 'as in due';
COMMENT ON COLUMN batchinf.schedule.step_due IS
    'true: its next step is due; false: only waiting writes are';
COMMENT ON COLUMN batchinf.schedule.server_failures IS 'as in due';
COMMENT ON COLUMN batchinf.schedule.rank IS 'its number among all';
COMMENT ON COLUMN @extschema@.batch_records.write_state IS
    'How the write to the target row went; NULL: there is nothing to write, or not yet.
written: the row has it.
waiting: not now, for a reason that may pass, as a lock; it is tried again.
write_failed: the row, its constraints or its triggers refuse it.
target_missing: there is no such row.
stale: the row has changed since it was sent (write_if).
partly: some items of the output are in rows, items_failed of them are not.
incomplete: it replaces rows together with other records, which have not all succeeded.
reverted: batch_revert has put back what the row held before.';
COMMENT ON COLUMN @extschema@.batch_chunks.wait_kind IS
    'Why it waits, as one word; NULL: it does not wait.
time: start_after or submit_window: its time has not come.
source: the records whose answers it copies have no final results yet.
room: a limit of the server is reached, or other chunks come first.
company: it is too small for a batch, and records that are sent again may join it.
failure_rate: more answers must be known first (max_failure_rate).
target: the target table cannot be written.
owner: the role of the job''s owner does not exist.
key: the key, the user mapping or USAGE is missing, or the provider refuses the key.
throttled: the provider takes no more for now: rate limit or quota.
server: the server was dropped, fails, or its reply is not understood.
not_ready: the provider does not have it yet.
settle: a create call without an answer may still have its effect.
ambiguous: nothing proves whether there is a batch.
too_large: the results are larger than batchinf.max_result_size.
error: an error in this database, as a full disk or a lock.
budget: a budget, or the job''s max_cost, leaves too little now.';

-- How long texts stay
COMMENT ON FUNCTION @extschema@.batch_delete(bigint) IS
    'Removes an ended job and all that belongs to it, texts and counts. Its idempotency_key stays '
    'used, and pipelines still know what is answered. For the owner of the job and members of that '
    'role.';
COMMENT ON COLUMN @extschema@.batch_job_details.keep IS
    'argument keep of batch_submit; NULL: as the settings say';
COMMENT ON COLUMN @extschema@.batch_job_details.inputs_kept_until IS
    'when its inputs are removed; NULL: never, removed, or it is open or foreign';
COMMENT ON COLUMN @extschema@.batch_job_details.inputs_removed_at IS
    'when the removal of its inputs began; NULL: they are there';
COMMENT ON COLUMN @extschema@.batch_job_details.results_kept_until IS
    'when its outputs are removed; NULL: never, removed, or it is open or foreign';
COMMENT ON COLUMN @extschema@.batch_job_details.results_removed_at IS
    'when the removal of its outputs began; NULL: they are there';
COMMENT ON VIEW @extschema@.batch_storage IS
    'One row for each table of the extension that grows: how large it is. Reads the sizes of files '
    'and the statistics, no table. For pg_monitor and pg_read_all_data.';
COMMENT ON COLUMN @extschema@.batch_storage.table_name IS 'the table, in schema batchinf';
COMMENT ON COLUMN @extschema@.batch_storage.holds IS 'what it has a row for';
COMMENT ON COLUMN @extschema@.batch_storage.rows IS 'how many rows, as the statistics estimate';
COMMENT ON COLUMN @extschema@.batch_storage.bytes IS 'size with long texts, without indexes';
COMMENT ON COLUMN @extschema@.batch_storage.index_bytes IS 'size of its indexes';
COMMENT ON COLUMN @extschema@.batch_storage.total_bytes IS 'both';
COMMENT ON COLUMN batchinf.job.kept_since IS
    'when the time for which its texts stay began: its end, adoption or the update to 0.3.0; NULL: '
    'it is open';
COMMENT ON COLUMN batchinf.job.keep_until IS
    'when its texts are removed, by its argument keep; NULL: it is open, or the settings say';
COMMENT ON COLUMN batchinf.job.inputs_removed_at IS 'as in batch_job_details';
COMMENT ON COLUMN batchinf.job.inputs_next IS
    'the record whose input is removed next; NULL: nothing is left to remove';
COMMENT ON COLUMN batchinf.job.results_removed_at IS 'as in batch_job_details';
COMMENT ON COLUMN batchinf.job.results_next IS
    'the record whose output is removed next; NULL: nothing is left to remove';
COMMENT ON VIEW batchinf.removable IS
    'The first few jobs of this installation whose texts are to be removed, by inputs, results and '
    'argument keep. Not those that still have something to remove at the provider: events come.';
COMMENT ON COLUMN batchinf.removable.job_id IS 'the job';
COMMENT ON COLUMN batchinf.removable.at IS 'when';

--
-- Money.
--
-- sql/money.sql

COMMENT ON TABLE batchinf.history IS
    'What batches have brought, a row for each that has ended. Estimates learn from it. It stays '
    'when its job is deleted: the last 200 of each prompt, and 2000 of each model at a server.';
COMMENT ON COLUMN batchinf.history.history_id IS 'number of the row, in the order of the ends';
COMMENT ON COLUMN batchinf.history.at IS 'when its attempt ended';
COMMENT ON COLUMN batchinf.history.install IS 'the installation that it belongs to (view here)';
COMMENT ON COLUMN batchinf.history.database IS 'the database that it belongs to';
COMMENT ON COLUMN batchinf.history.server IS 'oid of the server there';
COMMENT ON COLUMN batchinf.history.server_name IS 'name of the server at submit';
COMMENT ON COLUMN batchinf.history.model IS 'the model that was asked for';
COMMENT ON COLUMN batchinf.history.prompt IS 'hash of what was sent with each record (prompt_hash)';
COMMENT ON COLUMN batchinf.history.records IS 'records of the batch';
COMMENT ON COLUMN batchinf.history.measured IS 'those whose input the provider has counted';
COMMENT ON COLUMN batchinf.history.estimated_tokens IS 'estimated input tokens of these';
COMMENT ON COLUMN batchinf.history.input_tokens IS 'their input tokens as counted';
COMMENT ON COLUMN batchinf.history.succeeded IS 'records that succeeded';
COMMENT ON COLUMN batchinf.history.invalid_output IS 'records with an invalid output';
COMMENT ON COLUMN batchinf.history.errored IS 'records that failed';
COMMENT ON COLUMN batchinf.history.expired IS 'records that expired';
COMMENT ON COLUMN batchinf.history.cancelled IS 'records that were cancelled';
COMMENT ON COLUMN batchinf.history.missing IS 'records without an answer';
COMMENT ON COLUMN batchinf.history.answered IS
    'records that succeeded and whose output the provider has counted';
COMMENT ON COLUMN batchinf.history.output_tokens IS 'output tokens of these';
COMMENT ON COLUMN batchinf.history.output_p50 IS 'half of these have more output tokens';
COMMENT ON COLUMN batchinf.history.output_p95 IS 'a twentieth of these has more output tokens';
COMMENT ON COLUMN batchinf.history.created_at IS 'when the job was submitted';
COMMENT ON COLUMN batchinf.history.submitted_at IS 'when the provider took the batch';
COMMENT ON COLUMN batchinf.history.ended_at IS 'when it was seen to have ended';
COMMENT ON COLUMN batchinf.history.batch_end IS 'how the batch ended, as in batch_chunks';
COMMENT ON COLUMN batchinf.history.late IS
    'whether the batch expired at the provider, or ended after the deadline of its job';

-- Answers from before this have no price; batch_reprice gives them one.  What was not billed is
-- free of charge.
UPDATE batchinf.result SET cost = 0, realtime_cost = 0
WHERE cost IS NULL AND input_tokens IS NULL AND output_tokens IS NULL AND output IS NULL
    AND outcome NOT IN ('succeeded', 'invalid_output');
INSERT INTO batchinf.spend (at, install, database, owner, owner_name, server, server_name, provider,
                            model, mode, pipeline_id, job_id, chunk_id, records, input_tokens,
                            cached_tokens, output_tokens, unpriced)
SELECT s.finished_at, p.install, p.database, p.owner, p.owner_name, p.server, p.server_name,
       p.provider, COALESCE(s.model, p.model), p.mode, p.pipeline_id, p.job_id, s.chunk_id,
       count(*), COALESCE(sum(s.input_tokens), 0), COALESCE(sum(s.cached_tokens), 0),
       COALESCE(sum(s.output_tokens), 0), count(*) FILTER (WHERE s.cost IS NULL)
FROM batchinf.result s
JOIN batchinf.payer p ON p.job_id = s.job_id
WHERE s.chunk_id IS NOT NULL AND NOT EXISTS (SELECT FROM batchinf.spend)
GROUP BY s.finished_at, p.install, p.database, p.owner, p.owner_name, p.server, p.server_name,
         p.provider, COALESCE(s.model, p.model), p.mode, p.pipeline_id, p.job_id, s.chunk_id;
UPDATE batchinf.chunk c SET unpriced = n.unpriced
FROM (SELECT s.chunk_id, count(*) AS unpriced FROM batchinf.result s
      WHERE s.cost IS NULL GROUP BY s.chunk_id) n
WHERE n.chunk_id = c.chunk_id AND c.unpriced = 0;
COMMENT ON FUNCTION @extschema@.batch_estimate IS
    'What a job of these arguments would be, and what it would cost: one row. Takes the arguments '
    'of batch_submit and refuses what that refuses. Runs the query as the caller; stores nothing '
    'and sends nothing. Amounts are in US dollars at the prices of now, NULL without a price.';
COMMENT ON FUNCTION @extschema@.batch_readiness IS
    'Is a batch the right way for this job? A row for each factor with its verdict: batch, flex, '
    'realtime, hybrid, provisioned or unknown; the last row recommends one, with its reasons, what '
    'is missing to be sure, and the call in value. Takes the arguments of batch_submit, how long '
    'an answer may take, and, in US dollars, what other ways cost. Stores nothing, sends nothing.';

COMMENT ON COLUMN @extschema@.batch_jobs.estimated_cost IS
    'US dollars that it was estimated to cost at submit; NULL: a price is missing';
COMMENT ON COLUMN @extschema@.batch_jobs.reserved IS
    'US dollars that its batches under way may still cost';
COMMENT ON COLUMN @extschema@.batch_jobs.max_cost IS
    'US dollars that it may cost at most; NULL: no limit';
COMMENT ON COLUMN @extschema@.batch_jobs.overrun IS
    'US dollars that it has cost above max_cost; NULL: no limit';
COMMENT ON COLUMN batchinf.chunk.reserved IS
    'US dollars that its cost may come to: the rest is set aside. NULL: it is not under way, or '
    'has no price';
COMMENT ON COLUMN @extschema@.batch_events.event IS
    'What happened.
uploaded: the input is at the provider.
submitted: the provider has given the batch an id.
accepted: the batch waits at the provider again.
running: the provider works on it.
completed: the batch has ended, with results.
expired: the batch has ended before all requests were done.
cancelled: the batch, or a chunk that was not sent, was cancelled.
failed: the provider refused the batch.
deferred: a call came to nothing and is made again later; detail says why.
ambiguous: nothing proves whether there is a batch.
not found: it is certain that a lost create call made no batch.
found again: the batch of a lost create call was found.
cancel sent: the provider was asked to cancel.
download ended: the job was cancelled, and the rest of the results is not waited for.
delivered: all results are stored.
cleaned: our files at the provider are removed.
left behind: something of ours stays at the provider; detail names the reason.
not sent: the chunk has too few records for a batch, or there is no money for it.
over budget: a budget was passed, by what was under way or because it only warns.
over max_cost: the job''s max_cost was passed, by what was under way.
deadline passed: the chunk ended by the job''s deadline.
job paused: more answers failed than max_failure_rate allows.
could not render: the requests could not be written to a temporary file.
error: an error in this database or process.';
