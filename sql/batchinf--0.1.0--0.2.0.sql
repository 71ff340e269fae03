-- batchinf: from 0.1.0 to 0.2.0.
-- Afterwards all is as CREATE EXTENSION makes it: test/upgrade compares the catalogs.

-- complain if script is sourced in psql, rather than via ALTER EXTENSION UPDATE
\echo Use "ALTER EXTENSION batchinf UPDATE TO '0.2.0'" to load this file. \quit

-- what others have made in the extension's schema must not stand in for PostgreSQL's own
SET LOCAL search_path TO pg_catalog, pg_temp;

-- why a chunk waits, as a kind beside the words
ALTER TABLE batchinf.chunk ADD COLUMN IF NOT EXISTS wait_kind text
    CHECK (wait_kind IN ('room', 'company', 'failure_rate', 'target', 'owner', 'key', 'throttled',
                         'server', 'not_ready', 'settle', 'ambiguous', 'too_large', 'error'));
UPDATE batchinf.chunk SET wait_kind =
    CASE WHEN state = 'ambiguous' THEN 'ambiguous'
         WHEN waiting_for LIKE 'room at the server%' THEN 'room'
         WHEN waiting_for LIKE 'company:%' THEN 'company'
         WHEN waiting_for LIKE 'certainty:%' THEN 'settle'
         WHEN waiting_for LIKE 'results_too_large:%' THEN 'too_large'
         ELSE 'error' END
WHERE waiting_for IS NOT NULL AND wait_kind IS NULL;
ALTER TABLE batchinf.chunk ADD CHECK ((wait_kind IS NULL) = (waiting_for IS NULL));

-- The tries of a chunk have a table of their own.  A chunk that waits for its next create call
-- begins its next try; ids of batches that were given up ("dead") are of the tries before.
CREATE TABLE IF NOT EXISTS batchinf.batch (
    chunk_id     bigint NOT NULL REFERENCES batchinf.chunk ON DELETE CASCADE,
    try          int NOT NULL CHECK (try > 0),
    batch_id     text,
    batch_end    text CHECK (batch_end IN ('completed', 'failed', 'expired', 'cancelled')),
    refs         jsonb NOT NULL DEFAULT '{}',
    account      text,
    claimed_at   timestamptz,
    submitted_at timestamptz,
    ended_at     timestamptz,
    PRIMARY KEY (chunk_id, try)
);
CREATE INDEX batch_id ON batchinf.batch (batch_id) WHERE batch_id IS NOT NULL;
SELECT pg_catalog.pg_extension_config_dump('batchinf.batch', '');
WITH old AS (
    SELECT c.*, c.state IN ('planned', 'uploading', 'uploaded') AS unsent,
           pg_catalog.string_to_array(c.refs ->> 'dead', ' ') AS dead
    FROM batchinf.chunk c
    WHERE (c.tries > 0 OR c.refs <> '{}' OR c.batch_end IS NOT NULL OR c.state = 'uploading')
      AND NOT EXISTS (SELECT FROM batchinf.batch b WHERE b.chunk_id = c.chunk_id)
), numbered AS (
    UPDATE batchinf.chunk c SET tries = CASE WHEN o.unsent THEN o.tries + 1
        ELSE GREATEST(o.tries, 1) END
    FROM old o WHERE c.chunk_id = o.chunk_id RETURNING c.chunk_id, c.tries
), buried AS (
    INSERT INTO batchinf.batch (chunk_id, try, batch_id, batch_end, submitted_at, ended_at)
    SELECT o.chunk_id, CASE WHEN d.n < m.tries THEN d.n ELSE d.n + 1 END, d.id, 'failed',
           o.submitted_at, o.submitted_at
    FROM old o
    JOIN numbered m ON m.chunk_id = o.chunk_id
    CROSS JOIN LATERAL pg_catalog.unnest(o.dead) WITH ORDINALITY d(id, n)
)
INSERT INTO batchinf.batch (chunk_id, try, batch_id, batch_end, refs, account, claimed_at,
                            submitted_at, ended_at)
SELECT o.chunk_id, m.tries, o.batch_id, o.batch_end, o.refs - '{dead,account}'::text[],
       CASE WHEN NOT o.unsent THEN o.refs ->> 'account' END, CASE
           WHEN NOT o.unsent THEN o.claimed_at END,
       o.submitted_at, o.ended_at
FROM old o
JOIN numbered m ON m.chunk_id = o.chunk_id;

-- An install is one in its cluster: the view first, so that no job comes with the old identity any
-- more.
CREATE FUNCTION batchinf.identity(install uuid) RETURNS uuid
    AS 'MODULE_PATHNAME', 'batchinf_identity' LANGUAGE C STRICT STABLE PARALLEL SAFE;
COMMENT ON FUNCTION batchinf.identity IS
    'an install in this cluster: pg_upgrade carries its uuid over, but not the oids of servers';

CREATE OR REPLACE VIEW batchinf.here AS
SELECT batchinf.identity(i.uuid) AS uuid, d.oid AS database
FROM batchinf.install i, pg_catalog.pg_database d
WHERE d.datname = pg_catalog.current_database();
UPDATE batchinf.job j SET install = h.uuid FROM batchinf.install i, batchinf.here h
    WHERE j.install = i.uuid AND j.database = h.database;
UPDATE batchinf.pause p SET install = h.uuid FROM batchinf.install i, batchinf.here h
    WHERE p.install = i.uuid AND p.database = h.database;

-- turns among jobs, and whose claims are void whatever the owner of the schema may see
CREATE OR REPLACE FUNCTION batchinf.is_alive(pid int, start timestamptz) RETURNS bool
    AS 'MODULE_PATHNAME', 'batchinf_is_alive' LANGUAGE C STRICT STABLE;
COMMENT ON FUNCTION batchinf.is_alive IS
    'does the process of this server that began then still run?';

-- servers that their owners pause
CREATE TABLE batchinf.stop (
    server    oid PRIMARY KEY,
    since     timestamptz NOT NULL DEFAULT pg_catalog.now(),
    paused_by text NOT NULL,
    install   uuid NOT NULL,
    database  oid NOT NULL
);
CREATE VIEW batchinf.stop_here AS
SELECT s.server, s.since, s.paused_by
FROM batchinf.stop s
JOIN batchinf.here h ON h.uuid = s.install AND h.database = s.database
JOIN pg_catalog.pg_foreign_server f ON f.oid = s.server;

CREATE OR REPLACE VIEW batchinf.due AS
SELECT c.chunk_id, j.server, j.owner, w.wish,
       CASE WHEN c.next_step_at IS NULL THEN NULL
            -- the owner wants no more of it, and nothing stands in the way
            WHEN w.wish IS NOT NULL
                 AND (u.unsent OR c.state IN ('submitted', 'running', 'ambiguous')
                      OR (c.state = 'fetching' AND c.wait_kind = 'too_large')) THEN j.created_at
            WHEN u.unsent AND u.paused THEN j.deadline
            WHEN w.wish IS NOT NULL THEN GREATEST(c.next_step_at, p.until)
            ELSE LEAST(GREATEST(c.next_step_at, p.until), j.deadline) END AS step_at,
       CASE WHEN c.write_waiting > 0 THEN c.write_at END AS write_at,
       -- a claim is void only when its process is gone, never by time
       COALESCE(batchinf.is_alive(c.holder_pid, c.holder_start), false) AS held,
       COALESCE(p.failures, 0) AS server_failures,
       u.unsent AND u.paused AND w.wish IS NULL AS paused,
       c.job_id,
       CASE c.state WHEN 'planned' THEN 2 WHEN 'uploading' THEN 2 WHEN 'uploaded' THEN 1
           ELSE 0 END AS class,
       c.next_step_at AS asked_at
FROM batchinf.chunk c
JOIN batchinf.job j ON j.job_id = c.job_id
JOIN batchinf.here h ON h.uuid = j.install AND h.database = j.database
LEFT JOIN batchinf.stop_here st ON st.server = j.server
CROSS JOIN LATERAL (SELECT c.state IN ('planned', 'uploading', 'uploaded'), j.paused
                    OR st.server IS NOT NULL) u(unsent, paused)
CROSS JOIN LATERAL (SELECT CASE WHEN j.cancelled_at IS NOT NULL THEN 'cancel'
                                WHEN j.deadline <= pg_catalog.now() THEN 'deadline' END) w(wish)
LEFT JOIN LATERAL (SELECT max(q.until) AS until, max(q.failures) AS failures
                   FROM batchinf.pause_here q
                   WHERE q.server = j.server AND q.owner IN (0, j.owner)) p ON true
WHERE c.next_step_at IS NOT NULL OR c.write_waiting > 0;

-- Who goes next.  Three orders are nested: the chunks of a job at its server (turn), all chunks of
-- a server (place), and all servers (rank).  So a large job leaves room to a small one, and a
-- server that does not answer leaves room to the others.  What is under way counts before what is
-- ready.
CREATE OR REPLACE VIEW batchinf.schedule AS
WITH ready AS (
    SELECT d.*, t.at,
           -- where the server, or the owner's key, failed last time, the chunk that was not tried
           -- for longest goes first: one that always fails is no probe for the others
           CASE WHEN d.server_failures > 0 THEN d.asked_at END AS probe
    FROM batchinf.due d
    CROSS JOIN LATERAL (SELECT LEAST(d.step_at, d.write_at)) t(at)
    WHERE d.held OR t.at <= pg_catalog.now()
), in_job AS (
    SELECT r.*,
           count(*) FILTER (WHERE r.held) OVER (PARTITION BY r.server, r.job_id)
           + row_number() OVER (PARTITION BY r.server, r.job_id, r.held
                                ORDER BY r.class, r.at, r.chunk_id) AS turn
    FROM ready r
), at_server AS (
    SELECT i.*,
           count(*) FILTER (WHERE i.held) OVER (PARTITION BY i.server)
           + row_number() OVER (PARTITION BY i.server, i.held
                                ORDER BY i.probe NULLS FIRST, i.turn, i.class, i.at,
                                i.chunk_id) AS place
    FROM in_job i
)
SELECT a.chunk_id, a.server, a.owner, a.wish,
       COALESCE(a.step_at <= pg_catalog.now(), false) AS step_due,
       a.server_failures,
       EXISTS (SELECT FROM batchinf.pause_here q WHERE q.server = a.server AND q.owner = 0
               AND q.failures > 0) AS all_failed,
       a.turn, a.place, row_number() OVER (ORDER BY a.place, a.at, a.chunk_id) AS rank
FROM at_server a
-- 12: a server's share of the chunks that one process works on
WHERE NOT a.held AND a.place <= 12;

COMMENT ON FOREIGN DATA WRAPPER batchinf IS
    'endpoints of model providers with a batch API: openai, azure_openai, anthropic, bedrock, '
    'vertex, gemini';

-- a foreign job is shown by its owner's name only
CREATE VIEW batchinf.job_here AS
SELECT j.job_id, o.ours,
       CASE WHEN o.ours THEN j.server END AS server,
       CASE WHEN o.ours THEN j.owner
            ELSE (SELECT r.oid FROM pg_catalog.pg_roles r WHERE r.rolname = j.owner_name)
       END AS role,
       j.model
FROM batchinf.job j
CROSS JOIN LATERAL (SELECT j.install = h.uuid AND j.database = h.database
                    FROM batchinf.here h) o(ours);

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
       o.role AS owner_oid, j.spec -> 'settings' AS settings
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
           COALESCE(sum(k.input_tokens), 0)::bigint AS input_tokens,
           COALESCE(sum(k.output_tokens), 0)::bigint AS output_tokens,
           COALESCE(sum(k.cached_tokens), 0)::bigint AS cached_tokens,
           COALESCE(sum(k.retried), 0)::bigint AS retried,
           COALESCE(sum(k.duplicates), 0)::bigint AS duplicates,
           COALESCE(sum(k.unknown), 0)::bigint AS unknown,
           COALESCE(sum(k.malformed), 0)::bigint AS malformed,
           COALESCE(bool_or(k.state <> 'planned'), false) AS begun
    FROM batchinf.chunk k WHERE k.job_id = j.job_id) c;

-- what a model thought aloud
ALTER TABLE batchinf.result ADD COLUMN IF NOT EXISTS reasoning text;
ALTER TABLE batchinf.result ADD COLUMN IF NOT EXISTS write_asked timestamptz;

CREATE FUNCTION @extschema@.batch_rewrite(
    job_id bigint,
    write_states text[] DEFAULT '{write_failed,target_missing}') RETURNS bigint
    AS 'MODULE_PATHNAME', 'batchinf_rewrite' LANGUAGE C VOLATILE;

CREATE OR REPLACE VIEW @extschema@.batch_records WITH (security_barrier) AS
SELECT r.job_id, r.record_id, r.seq, r.attempt, s.outcome, s.output, s.finish_reason,
       CASE WHEN s.outcome IN ('succeeded', 'invalid_output') THEN COALESCE(s.model, j.model)
           ELSE s.model END AS model,
       s.input_tokens, s.cached_tokens, s.output_tokens, s.error_code, s.error, s.write_state,
       s.write_error, s.finished_at,
       r.chunk_id, s.request_id, s.reasoning, r.input
FROM batchinf.record r
JOIN batchinf.job_here j ON j.job_id = r.job_id
LEFT JOIN batchinf.result s ON s.job_id = r.job_id AND s.seq = r.seq AND s.attempt = r.attempt
WHERE batchinf.visible(j.role);

CREATE VIEW @extschema@.batch_attempts WITH (security_barrier) AS
SELECT s.job_id, r.record_id, s.seq, s.attempt, s.chunk_id, b.batch_id AS provider_batch_id,
       s.outcome, s.finish_reason,
       CASE WHEN s.outcome IN ('succeeded', 'invalid_output') THEN COALESCE(s.model, j.model)
           ELSE s.model END AS model,
       s.input_tokens, s.cached_tokens, s.output_tokens, s.error_code, s.error, s.request_id,
       b.submitted_at, s.finished_at, s.output, s.reasoning
FROM batchinf.result s
JOIN batchinf.job_here j ON j.job_id = s.job_id
JOIN batchinf.record r ON r.job_id = s.job_id AND r.seq = s.seq
LEFT JOIN batchinf.chunk k ON k.chunk_id = s.chunk_id
LEFT JOIN batchinf.batch b ON b.chunk_id = k.chunk_id AND b.try = k.tries
WHERE batchinf.visible(j.role) AND s.outcome <> 'skipped'
UNION ALL
SELECT r.job_id, r.record_id, r.seq, r.attempt, r.chunk_id, b.batch_id, NULL, NULL, NULL, NULL,
       NULL, NULL, NULL, NULL, NULL, b.submitted_at, NULL, NULL, NULL
FROM batchinf.record r
JOIN batchinf.job_here j ON j.job_id = r.job_id
LEFT JOIN batchinf.chunk k ON k.chunk_id = r.chunk_id
LEFT JOIN batchinf.batch b ON b.chunk_id = k.chunk_id AND b.try = k.tries
WHERE batchinf.visible(j.role)
  AND NOT EXISTS (SELECT FROM batchinf.result s WHERE s.job_id = r.job_id AND s.seq = r.seq
                  AND s.attempt = r.attempt);

CREATE VIEW @extschema@.batch_job_details WITH (security_barrier) AS
SELECT j.job_id, j.spec ->> 'query' AS query, j.spec ->> 'prompt' AS prompt,
       j.spec ->> 'system_prompt' AS system_prompt,
       (j.spec ->> 'params')::json AS params,
       (j.spec ->> 'response_schema')::json AS response_schema,
       NULLIF(j.spec -> 'write_back', 'null') AS write_back,
       ARRAY(SELECT pg_catalog.jsonb_array_elements_text(j.spec -> 'key')) AS key,
       j.spec ->> 'input' AS input_kind, (j.spec ->> 'max_attempts')::int AS max_attempts,
       (j.spec ->> 'max_failure_rate')::numeric AS max_failure_rate
FROM batchinf.job j
JOIN batchinf.job_here o ON o.job_id = j.job_id
WHERE batchinf.visible(o.role);
GRANT SELECT ON @extschema@.batch_job_details, @extschema@.batch_attempts TO PUBLIC;

CREATE OR REPLACE VIEW @extschema@.batch_events WITH (security_barrier) AS
SELECT e.event_id, e.job_id, e.chunk_id, e.at, e.state, e.event, e.detail, e.http_status,
       e.request_id
FROM batchinf.event e
JOIN batchinf.job_here j ON j.job_id = e.job_id
WHERE batchinf.visible(j.role);

-- What is sent to a model as JSON has an order: models answer in that of a schema's members, which
-- jsonb sorts away.
CREATE TYPE @extschema@.batch_json;
CREATE FUNCTION batchinf.json_in(cstring) RETURNS @extschema@.batch_json AS 'json_in'
    LANGUAGE internal STRICT IMMUTABLE PARALLEL SAFE;
CREATE FUNCTION batchinf.json_out(@extschema@.batch_json) RETURNS cstring AS 'json_out'
    LANGUAGE internal STRICT IMMUTABLE PARALLEL SAFE;
CREATE FUNCTION batchinf.json_recv(internal) RETURNS @extschema@.batch_json AS 'json_recv'
    LANGUAGE internal STRICT IMMUTABLE PARALLEL SAFE;
CREATE FUNCTION batchinf.json_send(@extschema@.batch_json) RETURNS bytea AS 'json_send'
    LANGUAGE internal STRICT IMMUTABLE PARALLEL SAFE;
CREATE TYPE @extschema@.batch_json (
    INPUT = batchinf.json_in,
    OUTPUT = batchinf.json_out,
    RECEIVE = batchinf.json_recv,
    SEND = batchinf.json_send,
    LIKE = pg_catalog.json);
CREATE CAST (pg_catalog.json AS @extschema@.batch_json) WITHOUT FUNCTION AS IMPLICIT;
CREATE CAST (pg_catalog.jsonb AS @extschema@.batch_json) WITH INOUT AS IMPLICIT;
COMMENT ON FUNCTION batchinf.json_in IS 'I/O';
COMMENT ON FUNCTION batchinf.json_out IS 'I/O';
COMMENT ON FUNCTION batchinf.json_recv IS 'I/O';
COMMENT ON FUNCTION batchinf.json_send IS 'I/O';
COMMENT ON CAST (pg_catalog.json AS @extschema@.batch_json) IS 'json keeps the order of members';
COMMENT ON CAST (pg_catalog.jsonb AS @extschema@.batch_json) IS
    'jsonb sorts members by the length of their names';

CREATE FUNCTION @extschema@.batch_submit(
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
        -- From here on not built yet, and refused unless they ask for what is done without them.
        -- Rows that change
        write_if        text DEFAULT NULL,
        in_flight       text DEFAULT NULL,
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
-- adoption never changes whose rights a job has
CREATE FUNCTION @extschema@.batch_adopt(job_id bigint, owner regrole DEFAULT NULL) RETURNS void
    AS 'MODULE_PATHNAME', 'batchinf_adopt' LANGUAGE C VOLATILE;

-- What depends on the functions that are made again would end in an error that advises CASCADE.
DO $$
DECLARE
    dependents text;
BEGIN
    SELECT string_agg(DISTINCT CASE
                      WHEN r.oid IS NULL THEN pg_describe_object(d.classid, d.objid, 0)
                               ELSE pg_describe_object('pg_class'::regclass, r.ev_class, 0) END,
                               ', ')
    INTO dependents
    FROM pg_depend d LEFT JOIN pg_rewrite r ON d.classid = 'pg_rewrite'::regclass
        AND r.oid = d.objid
    WHERE d.refclassid = 'pg_proc'::regclass
        AND d.refobjid IN ('@extschema@.batch_adopt(bigint)'::regprocedure,
        '@extschema@.batch_submit(text, name, text, text, text, text, text, regclass, jsonb, '
        'jsonb, jsonb, text, interval, int)'::regprocedure);
    IF dependents IS NOT NULL THEN
        RAISE EXCEPTION USING
            ERRCODE = 'dependent_objects_still_exist',
            MESSAGE = 'cannot update extension "batchinf" because objects depend on '
                      'functions that get more arguments',
            DETAIL = format('These objects call batch_submit or batch_adopt: %s.', dependents),
            HINT = 'Save their definitions (pg_get_viewdef, pg_get_functiondef), drop them, '
                   'update the extension, and create them again.';
    END IF;
END $$;

-- The new functions have the owner and the privileges of the old ones.  A GRANT here would be the
-- extension's own, which pg_dump leaves out.
DO $$
DECLARE
    old pg_proc;
    new oid;
BEGIN
    FOR old IN SELECT p.* FROM pg_proc p
        WHERE p.oid IN ('@extschema@.batch_adopt(bigint)'::regprocedure,
        '@extschema@.batch_submit(text, name, text, text, text, text, text, regclass, jsonb, '
        'jsonb, jsonb, text, interval, int)'::regprocedure) LOOP
        SELECT p.oid INTO STRICT new FROM pg_proc p WHERE p.pronamespace = old.pronamespace
               AND p.proname = old.proname AND p.prosrc = old.prosrc AND p.oid <> old.oid;
        EXECUTE format('ALTER FUNCTION %s OWNER TO %s', new::regprocedure, old.proowner::regrole);
        UPDATE pg_proc SET proacl = old.proacl WHERE oid = new;
        -- the new one may have privileges by ALTER DEFAULT PRIVILEGES
        DELETE FROM pg_shdepend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = new
            AND d.deptype = 'a'
          AND d.dbid = (SELECT b.oid FROM pg_database b WHERE b.datname = current_database());
        INSERT INTO pg_shdepend SELECT d.dbid, d.classid, new, d.objsubid, d.refclassid, d.refobjid,
            d.deptype
        FROM pg_shdepend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = old.oid
            AND d.deptype = 'a'
          AND d.dbid = (SELECT b.oid FROM pg_database b WHERE b.datname = current_database());
    END LOOP;
END $$;
DROP FUNCTION @extschema@.batch_adopt(bigint);
DROP FUNCTION @extschema@.batch_submit(text, name, text, text, text, text, text, regclass, jsonb,
                                       jsonb, jsonb, text, interval, int);

-- A validator sees the options of one object: this fits a mapping's to its server's provider.
CREATE FUNCTION batchinf.check_command() RETURNS event_trigger
    AS 'MODULE_PATHNAME', 'batchinf_check_command' LANGUAGE C;
COMMENT ON FUNCTION batchinf.check_command IS
    'refuses user mappings with options of another provider, and another provider for a server '
    'with user mappings';
REVOKE ALL ON FUNCTION batchinf.check_command() FROM PUBLIC;
CREATE EVENT TRIGGER batchinf_check_command ON ddl_command_start
    WHEN TAG IN ('ALTER SERVER', 'CREATE USER MAPPING', 'ALTER USER MAPPING')
    EXECUTE FUNCTION batchinf.check_command();
COMMENT ON EVENT TRIGGER batchinf_check_command IS
    'a secret goes to no provider but the one that it was given for; asked again at each use';

-- the end of a job is announced after the transaction that settles it
ALTER TABLE batchinf.job ADD COLUMN IF NOT EXISTS to_announce bool NOT NULL DEFAULT false;
CREATE INDEX job_to_announce ON batchinf.job (job_id) WHERE to_announce;

-- a deleted job leaves nothing behind, nor do those that were deleted before
CREATE FUNCTION batchinf.forget() RETURNS trigger
    AS 'MODULE_PATHNAME', 'batchinf_forget' LANGUAGE C;
COMMENT ON FUNCTION batchinf.forget IS 'deletes the records, results and events of deleted jobs';
REVOKE ALL ON FUNCTION batchinf.forget() FROM PUBLIC;
CREATE TRIGGER forget AFTER DELETE ON batchinf.job FOR EACH ROW EXECUTE FUNCTION batchinf.forget();
CREATE TRIGGER forget_all AFTER TRUNCATE ON batchinf.job FOR EACH STATEMENT
    EXECUTE FUNCTION batchinf.forget();
COMMENT ON TRIGGER forget ON batchinf.job IS
    'a deleted job leaves nothing behind; chunks go by their foreign key';
COMMENT ON TRIGGER forget_all ON batchinf.job IS 'neither do all of them';
DELETE FROM batchinf.record r
    WHERE NOT EXISTS (SELECT FROM batchinf.job j WHERE j.job_id = r.job_id);
DELETE FROM batchinf.result s
    WHERE NOT EXISTS (SELECT FROM batchinf.job j WHERE j.job_id = s.job_id);
DELETE FROM batchinf.event e WHERE NOT EXISTS (SELECT FROM batchinf.job j
                                               WHERE j.job_id = e.job_id);

-- what a provider said to one owner is shown to nobody else
ALTER TABLE batchinf.pause ADD COLUMN IF NOT EXISTS requester oid NOT NULL DEFAULT 0,
ADD COLUMN IF NOT EXISTS kind text NOT NULL DEFAULT 'error of the provider';
UPDATE batchinf.pause SET requester = owner;
ALTER TABLE batchinf.pause ADD COLUMN IF NOT EXISTS since timestamptz,
    ADD COLUMN IF NOT EXISTS cause text NOT NULL DEFAULT 'failing'
        CHECK (cause IN ('failing', 'denied', 'missing'));
UPDATE batchinf.pause SET since = at WHERE since IS NULL;
ALTER TABLE batchinf.chunk ADD COLUMN IF NOT EXISTS waiting_since timestamptz;
ALTER TABLE batchinf.job ADD COLUMN IF NOT EXISTS paused_at timestamptz;
-- max_failure_rate
ALTER TABLE batchinf.job ADD COLUMN IF NOT EXISTS pause_reason text,
ADD COLUMN IF NOT EXISTS answers_before bigint NOT NULL DEFAULT 0,
    ADD COLUMN IF NOT EXISTS failures_before bigint NOT NULL DEFAULT 0;
ALTER TABLE batchinf.chunk ADD COLUMN IF NOT EXISTS answers bigint NOT NULL DEFAULT 0,
ADD COLUMN IF NOT EXISTS bad_answers bigint NOT NULL DEFAULT 0;

CREATE OR REPLACE VIEW batchinf.pause_here AS
SELECT q.server, q.owner, q.until, q.reason, q.failures, q.at, q.requester, q.kind, q.since, q.cause
FROM batchinf.pause q
JOIN batchinf.here h ON h.uuid = q.install AND h.database = q.database
JOIN pg_catalog.pg_foreign_server f ON f.oid = q.server;

-- pg_monitor sees states and counts
CREATE FUNCTION batchinf.monitors() RETURNS bool
    LANGUAGE sql STABLE
    RETURN pg_catalog.pg_has_role('pg_read_all_data', 'USAGE')
        OR pg_catalog.pg_has_role('pg_monitor', 'USAGE');
COMMENT ON FUNCTION batchinf.monitors IS
    'may the current user see states and counts of everybody''s jobs, without the words of users '
    'and providers?';

CREATE OR REPLACE VIEW @extschema@.batch_chunks WITH (security_barrier) AS
SELECT k.job_id, k.chunk_id, k.attempt,
       CASE WHEN k.wait_kind IS NOT NULL AND k.next_step_at IS NOT NULL
           AND k.state <> 'ambiguous' THEN 'waiting' ELSE k.state END AS state,
       k.records, k.bytes,
       CASE WHEN batchinf.visible(j.role) THEN b.batch_id END AS provider_batch_id,
       b.submitted_at, b.ended_at,
       GREATEST(k.next_step_at, p.until) AS next_step_at,
       COALESCE(CASE WHEN batchinf.visible(j.role) THEN k.waiting_for END, p.reason) AS waiting_for,
       CASE WHEN batchinf.visible(j.role) THEN k.error END AS error,
       k.state AS step, b.batch_end AS provider_state, k.tokens AS estimated_tokens, k.intent,
       k.duplicates, k.unknown, k.malformed,
       COALESCE(k.wait_kind, p.kind) AS wait_kind
FROM batchinf.chunk k
JOIN batchinf.job_here j ON j.job_id = k.job_id
LEFT JOIN batchinf.batch b ON b.chunk_id = k.chunk_id AND b.try = k.tries
LEFT JOIN LATERAL (SELECT max(q.until) AS until,
                          (array_agg(CASE WHEN batchinf.visible(q.requester) THEN q.reason
                                          ELSE q.kind END
                                     ORDER BY q.until DESC))[1] AS reason,
                          (array_agg(CASE WHEN q.cause <> 'failing' THEN 'key'
                                          WHEN q.owner <> 0 THEN 'throttled' ELSE 'server' END
                                     ORDER BY q.until DESC))[1] AS kind
                   FROM batchinf.pause_here q
                   WHERE q.server = j.server AND q.owner IN (0, j.role)
                       AND q.until > pg_catalog.now() AND k.next_step_at IS NOT NULL) p ON true
WHERE batchinf.visible(j.role) OR batchinf.monitors();

COMMENT ON FUNCTION batchinf.server_limits IS
    'the limits in force for a server: its options over its provider''s defaults';
CREATE OR REPLACE VIEW @extschema@.batch_servers WITH (security_barrier) AS
SELECT s.srvname AS server,
       (SELECT o.option_value FROM pg_catalog.pg_options_to_table(s.srvoptions) o
        WHERE o.option_name = 'provider') AS provider,
       (SELECT o.option_value FROM pg_catalog.pg_options_to_table(s.srvoptions) o
        WHERE o.option_name = 'model') AS model,
       batchinf.server_limits(s.oid) AS limits,
       (SELECT count(*) FROM batchinf.chunk k JOIN batchinf.job j ON j.job_id = k.job_id
        JOIN batchinf.here h ON h.uuid = j.install AND h.database = j.database
        WHERE j.server = s.oid AND k.next_step_at IS NOT NULL
          AND k.state IN ('creating', 'submitted', 'running', 'cancelling', 'ambiguous'))
              AS batches_in_flight,
       CASE WHEN st.server IS NOT NULL THEN 'infinity' ELSE p.until END AS paused_until,
       CASE WHEN st.server IS NOT NULL THEN 'batch_pause_server by ' || st.paused_by
           ELSE p.reason END AS pause_reason, l.reason AS last_error, l.at AS last_error_at
FROM pg_catalog.pg_foreign_server s
JOIN pg_catalog.pg_foreign_data_wrapper w ON w.oid = s.srvfdw AND w.fdwname = 'batchinf'
LEFT JOIN batchinf.stop_here st ON st.server = s.oid
LEFT JOIN LATERAL (SELECT q.until, CASE WHEN batchinf.visible(q.requester) THEN q.reason
                   ELSE q.kind END AS reason FROM batchinf.pause_here q
                   WHERE q.server = s.oid AND q.until > pg_catalog.now()
                       AND (q.owner = 0 OR batchinf.visible(q.owner) OR batchinf.monitors())
                   ORDER BY q.until DESC LIMIT 1) p ON true
LEFT JOIN LATERAL (SELECT q.at, CASE WHEN batchinf.visible(q.requester) THEN q.reason
                   ELSE q.kind END AS reason FROM batchinf.pause_here q
                   WHERE q.server = s.oid AND q.failures > 0
                       AND (q.owner = 0 OR batchinf.visible(q.owner) OR batchinf.monitors())
                           ORDER BY q.at DESC LIMIT 1) l ON true
WHERE pg_catalog.has_server_privilege(s.oid, 'USAGE') OR batchinf.monitors();

-- custom settings of a job are shown to its owner only
CREATE FUNCTION batchinf.is_owner(owner oid) RETURNS bool
    LANGUAGE sql STABLE
    RETURN EXISTS (SELECT FROM pg_catalog.pg_roles r WHERE r.oid OPERATOR(pg_catalog.=) owner
                   AND pg_catalog.pg_has_role(r.oid, 'USAGE'));
COMMENT ON FUNCTION batchinf.is_owner IS
    'has the current user the rights of this role, which may be gone?';
CREATE OR REPLACE FUNCTION batchinf.visible(owner oid) RETURNS bool
    LANGUAGE sql STABLE
    RETURN pg_catalog.pg_has_role('pg_read_all_data', 'USAGE') OR batchinf.is_owner(owner);

-- why a job waits
CREATE FUNCTION batchinf.no_worker() RETURNS text
    AS 'MODULE_PATHNAME', 'batchinf_no_worker' LANGUAGE C STRICT STABLE;
COMMENT ON FUNCTION batchinf.no_worker IS
    'why no background worker works in this database; NULL: one does';

CREATE VIEW batchinf.job_wait AS
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
    (SELECT 5, CASE WHEN q.cause <> 'failing' THEN 'key' WHEN q.owner = j.owner THEN 'throttled'
     ELSE 'server' END,
            CASE WHEN q.cause = 'missing' THEN q.reason
                 WHEN q.cause = 'denied'
                     THEN pg_catalog.format(
                         'server "%s" refuses the key of role "%s": %s; batch_check(%L) tries '
                         'it, ALTER USER MAPPING gives another',
                         n.server, n.owner, y.words, n.server)
                 WHEN q.owner = j.owner
                     THEN pg_catalog.format(
                         'server "%s" takes no more from role "%s" now: %s; the job goes on by '
                         'itself', n.server, n.owner, y.words)
                 ELSE pg_catalog.format(
                     'server "%s" does not work now: %s; the job goes on by itself when it does',
                     n.server, y.words) END,
            q.since, q.until
     FROM batchinf.pause_here q
     CROSS JOIN LATERAL (SELECT CASE WHEN q.requester = j.owner THEN q.reason
                         ELSE q.kind END) y(words)
     WHERE q.server = j.server AND q.owner IN (0, j.owner) AND q.failures > 0
       AND EXISTS (SELECT FROM batchinf.chunk k WHERE k.job_id = j.job_id
                   AND k.next_step_at IS NOT NULL)
     ORDER BY q.until DESC LIMIT 1)
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
     ORDER BY k.state <> 'ambiguous', k.wait_kind = 'room', k.waiting_since LIMIT 1)
    UNION ALL
    (SELECT 7, 'write',
            -- without a reason after batch_rewrite, until the first try
            pg_catalog.format(
                'answers that could not be written to %s%s; they are written as soon as that is '
                'possible', j.target_name, ': ' || s.write_error),
            s.finished_at, k.write_at
     FROM batchinf.chunk k
     JOIN LATERAL (SELECT r.write_error, r.finished_at FROM batchinf.result r
                   WHERE r.chunk_id = k.chunk_id AND r.write_state = 'waiting' LIMIT 1) s ON true
     WHERE k.job_id = j.job_id AND k.write_waiting > 0 LIMIT 1)) v
    WHERE o.ours OR v.rank = 1
    ORDER BY v.rank LIMIT 1) w
WHERE j.ended IS NULL;

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
               END AS waiting_for
FROM batchinf.job_status s
WHERE batchinf.visible(owner_oid) OR batchinf.monitors();

-- NULL as a job is an error
CREATE OR REPLACE FUNCTION @extschema@.batch_cancel(job_id bigint) RETURNS void
    AS 'MODULE_PATHNAME', 'batchinf_cancel' LANGUAGE C VOLATILE;
CREATE OR REPLACE FUNCTION @extschema@.batch_pause(job_id bigint) RETURNS void
    AS 'MODULE_PATHNAME', 'batchinf_pause' LANGUAGE C VOLATILE;
CREATE OR REPLACE FUNCTION @extschema@.batch_resume(job_id bigint) RETURNS void
    AS 'MODULE_PATHNAME', 'batchinf_resume' LANGUAGE C VOLATILE;
CREATE OR REPLACE FUNCTION @extschema@.batch_retry(
    job_id bigint,
    outcomes text[] DEFAULT '{errored,expired,missing,invalid_output}') RETURNS bigint
    AS 'MODULE_PATHNAME', 'batchinf_retry' LANGUAGE C VOLATILE;

CREATE FUNCTION @extschema@.batch_retry(job_id bigint, outcome text) RETURNS bigint
    AS 'MODULE_PATHNAME', 'batchinf_retry_text' LANGUAGE C VOLATILE;

CREATE FUNCTION @extschema@.batch_pause_server(server name) RETURNS void
    AS 'MODULE_PATHNAME', 'batchinf_pause_server' LANGUAGE C VOLATILE;

CREATE FUNCTION @extschema@.batch_resume_server(server name) RETURNS void
    AS 'MODULE_PATHNAME', 'batchinf_resume_server' LANGUAGE C VOLATILE;

CREATE PROCEDURE @extschema@.batch_wait(job_id bigint, timeout text)
    AS 'MODULE_PATHNAME', 'batchinf_wait_text' LANGUAGE C;

CREATE PROCEDURE @extschema@.batch_wait(job_id bigint, timeout int)
    AS 'MODULE_PATHNAME', 'batchinf_wait_number' LANGUAGE C;

-- what batchinf.batch has now
ALTER TABLE batchinf.chunk DROP COLUMN batch_id, DROP COLUMN batch_end, DROP COLUMN refs,
    DROP COLUMN claimed_at, DROP COLUMN submitted_at, DROP COLUMN ended_at;

--
-- 5. Comments: what a reader of the catalogs meets.  doc/reference.md is made from them.
-- A comment with several lines is a sentence, then words of the column with their meaning.
-- The section is the same in the script that updates from 0.1.0.
--

-- Functions and procedures
COMMENT ON FUNCTION @extschema@.batch_check(name) IS
    'Asks the provider whether key and model of a server are good, for the current user. '
    'Returns one row: status ok, no_user_mapping, bad_key, unreachable, bad_certificate, '
    'no_model or provider_error, and a detail in words. Costs nothing.';
COMMENT ON FUNCTION @extschema@.batch_submit IS
    'Turns the rows of a query into a batch job. Runs the query as the caller, stores its rows, '
    'and returns the id of the job; the job is sent after commit. Raises an error if the '
    'arguments do not fit the server, the query or the target.';
COMMENT ON FUNCTION @extschema@.batch_cancel(bigint) IS
    'Cancels a job, at the provider too. Records that have ended keep their answers. For the '
    'owner of the job and members of that role.';
COMMENT ON FUNCTION @extschema@.batch_pause(bigint) IS
    'Sends nothing new of a job. Batches at the provider go on, and their answers are '
    'delivered. For the owner of the job and members of that role.';
COMMENT ON FUNCTION @extschema@.batch_resume(bigint) IS
    'Ends a pause, and looks at once at whatever the job waits for. The count for '
    'max_failure_rate begins again. For the owner of the job and members of that role.';
COMMENT ON FUNCTION @extschema@.batch_retry(bigint, text[]) IS
    'Sends records with these outcomes again, with the input that batch_submit stored, and '
    'reopens the job. Returns how many. They are paid for again. For the owner of the job and '
    'members of that role.';
COMMENT ON FUNCTION @extschema@.batch_retry(bigint, text) IS 'The same for one outcome.';
COMMENT ON FUNCTION @extschema@.batch_rewrite(bigint, text[]) IS
    'Writes kept outputs with these write states to their rows again, and reopens the job. '
    'Returns how many. Nothing is sent or paid for. For the owner of the job and members of '
    'that role.';
COMMENT ON FUNCTION @extschema@.batch_adopt(bigint, regrole) IS
    'Lets a foreign job go on here: one of a restored dump, of a copied database, or of the '
    'time before pg_upgrade. It belongs to the role with the name of its owner; if there is no '
    'such role, a superuser names one. job_id NULL adopts all jobs that the caller may adopt.';
COMMENT ON FUNCTION @extschema@.batch_pause_server(name) IS
    'Sends nothing new to a server, for all jobs. Batches there go on, and their answers are '
    'delivered. For the owner of the server.';
COMMENT ON FUNCTION @extschema@.batch_resume_server(name) IS
    'Ends a pause of a server. For the owner of the server.';
COMMENT ON PROCEDURE @extschema@.batch_wait(bigint, interval) IS
    'Waits until a job has completed, failed or been cancelled, and reports in NOTICEs how far '
    'it is and what it waits for. Raises an error at the timeout; the job goes on. Not inside a '
    'transaction block.';
COMMENT ON PROCEDURE @extschema@.batch_wait(bigint, text) IS
    'The same, for a timeout that is written as a literal.';
COMMENT ON PROCEDURE @extschema@.batch_wait(bigint, int) IS
    'Raises an error that says how to write the timeout: a number has no unit.';
COMMENT ON PROCEDURE @extschema@.batch_work(interval) IS
    'Does the work of a background worker in this session, until nothing is left or max_time '
    'has passed. Not inside a transaction block. Only for superusers and roles that were '
    'granted it.';

-- Types
COMMENT ON TYPE @extschema@.batch_json IS
    'JSON in the order in which it was written. Takes literals, json, and jsonb, which has an '
    'order of its own.';

-- batch_jobs
COMMENT ON VIEW @extschema@.batch_jobs IS
    'One row for each job: its state, progress and counts. Shows jobs of roles whose rights the '
    'reader has; all of them, without names, errors and reasons, to pg_monitor.';
COMMENT ON COLUMN @extschema@.batch_jobs.job_id IS 'id of the job, as batch_submit returned it';
COMMENT ON COLUMN @extschema@.batch_jobs.name IS 'argument name of batch_submit';
COMMENT ON COLUMN @extschema@.batch_jobs.owner IS 'the role that submitted the job, or adopted it';
COMMENT ON COLUMN @extschema@.batch_jobs.server IS 'the foreign server that it is sent to';
COMMENT ON COLUMN @extschema@.batch_jobs.model IS 'the model that is asked for';
COMMENT ON COLUMN @extschema@.batch_jobs.task IS 'chat or embedding';
COMMENT ON COLUMN @extschema@.batch_jobs.state IS
    'Where the job stands.
queued: nothing is under way yet.
running: some of its chunks are under way.
paused: nothing new is sent, by batch_pause or by max_failure_rate.
cancelling: it was cancelled, and batches at the provider still end.
foreign: it belongs to another installation, and waits for batch_adopt.
completed: all records have ended.
failed: the provider refused all its batches.
cancelled: it was cancelled before all records had ended.';
COMMENT ON COLUMN @extschema@.batch_jobs.records IS 'rows of the query';
COMMENT ON COLUMN @extschema@.batch_jobs.pending IS 'records that have not ended';
COMMENT ON COLUMN @extschema@.batch_jobs.succeeded IS 'records with that outcome';
COMMENT ON COLUMN @extschema@.batch_jobs.invalid_output IS 'records with that outcome';
COMMENT ON COLUMN @extschema@.batch_jobs.errored IS 'records with that outcome';
COMMENT ON COLUMN @extschema@.batch_jobs.expired IS 'records with that outcome';
COMMENT ON COLUMN @extschema@.batch_jobs.cancelled IS 'records with that outcome';
COMMENT ON COLUMN @extschema@.batch_jobs.missing IS 'records with that outcome';
COMMENT ON COLUMN @extschema@.batch_jobs.skipped IS 'records with that outcome';
COMMENT ON COLUMN @extschema@.batch_jobs.written IS 'answers with that write state';
COMMENT ON COLUMN @extschema@.batch_jobs.write_waiting IS 'answers with write state waiting';
COMMENT ON COLUMN @extschema@.batch_jobs.stale IS 'answers with that write state';
COMMENT ON COLUMN @extschema@.batch_jobs.target_missing IS 'answers with that write state';
COMMENT ON COLUMN @extschema@.batch_jobs.write_failed IS 'answers with that write state';
COMMENT ON COLUMN @extschema@.batch_jobs.progress IS
    'share of records that have ended, from 0 to 1';
COMMENT ON COLUMN @extschema@.batch_jobs.input_tokens IS
    'tokens of the requests, all attempts, as the provider counts them';
COMMENT ON COLUMN @extschema@.batch_jobs.output_tokens IS
    'tokens of the answers, all attempts, as the provider counts them';
COMMENT ON COLUMN @extschema@.batch_jobs.created_at IS 'when batch_submit was called';
COMMENT ON COLUMN @extschema@.batch_jobs.deadline IS
    'when the job ends with what it has; NULL: never';
COMMENT ON COLUMN @extschema@.batch_jobs.finished_at IS 'when it ended; NULL: not yet';
COMMENT ON COLUMN @extschema@.batch_jobs.error IS
    'why it failed, or the commonest error if no record succeeded or no answer was written';
COMMENT ON COLUMN @extschema@.batch_jobs.target IS
    'the target table, by the name of then; NULL: none';
COMMENT ON COLUMN @extschema@.batch_jobs.cached_tokens IS
    'the part of input_tokens that the provider read from a cache';
COMMENT ON COLUMN @extschema@.batch_jobs.retried IS 'records that were sent again';
COMMENT ON COLUMN @extschema@.batch_jobs.duplicates IS
    'result lines for a record that had its answer already';
COMMENT ON COLUMN @extschema@.batch_jobs.unknown IS 'result lines that belong to no record';
COMMENT ON COLUMN @extschema@.batch_jobs.malformed IS 'result lines that cannot be read';
COMMENT ON COLUMN @extschema@.batch_jobs.settings IS
    'custom settings that the job carries to its write-back; shown to its owner only';
COMMENT ON COLUMN @extschema@.batch_jobs.waiting_for IS
    'what the job waits for, since when, and what one can do; NULL: nothing holds it up';

-- batch_job_details
COMMENT ON VIEW @extschema@.batch_job_details IS
    'One row for each job: what batch_submit was asked to send.';
COMMENT ON COLUMN @extschema@.batch_job_details.job_id IS 'the job of batch_jobs';
COMMENT ON COLUMN @extschema@.batch_job_details.query IS 'the query whose rows became the records';
COMMENT ON COLUMN @extschema@.batch_job_details.prompt IS
    'the prompt with {{column}}; NULL: the query returned the input itself';
COMMENT ON COLUMN @extschema@.batch_job_details.system_prompt IS 'the same for all records';
COMMENT ON COLUMN @extschema@.batch_job_details.params IS
    'members that are added to each request, in the order of writing';
COMMENT ON COLUMN @extschema@.batch_job_details.response_schema IS
    'the JSON schema that answers must match, in the order of writing';
COMMENT ON COLUMN @extschema@.batch_job_details.write_back IS
    'JSON object: which column of the target takes which part of the output';
COMMENT ON COLUMN @extschema@.batch_job_details.key IS 'the columns that name a record';
COMMENT ON COLUMN @extschema@.batch_job_details.input_kind IS
    'what batch_records.input holds: text, messages or body';
COMMENT ON COLUMN @extschema@.batch_job_details.max_attempts IS
    'how often a record is sent at most';
COMMENT ON COLUMN @extschema@.batch_job_details.max_failure_rate IS
    'a larger share of failed answers pauses the job; NULL: none does';

-- batch_chunks
COMMENT ON VIEW @extschema@.batch_chunks IS
    'One row for each chunk: the part of a job that is sent as one batch, what is done with it, '
    'and what it waits for.';
COMMENT ON COLUMN @extschema@.batch_chunks.job_id IS 'the job of batch_jobs';
COMMENT ON COLUMN @extschema@.batch_chunks.chunk_id IS 'id of the chunk';
COMMENT ON COLUMN @extschema@.batch_chunks.attempt IS
    'which attempt of its records this is, from 1';
COMMENT ON COLUMN @extschema@.batch_chunks.state IS
    'waiting if it waits for something, otherwise as step';
COMMENT ON COLUMN @extschema@.batch_chunks.records IS 'records in it';
COMMENT ON COLUMN @extschema@.batch_chunks.bytes IS 'size of its input';
COMMENT ON COLUMN @extschema@.batch_chunks.provider_batch_id IS
    'the provider''s id of its batch; NULL: there is none';
COMMENT ON COLUMN @extschema@.batch_chunks.submitted_at IS 'when that id became known';
COMMENT ON COLUMN @extschema@.batch_chunks.ended_at IS 'when its end became known';
COMMENT ON COLUMN @extschema@.batch_chunks.next_step_at IS
    'when something is done with it next; NULL: it has ended';
COMMENT ON COLUMN @extschema@.batch_chunks.waiting_for IS
    'why it waits, in words; NULL: it does not wait';
COMMENT ON COLUMN @extschema@.batch_chunks.error IS 'why the provider refused it';
COMMENT ON COLUMN @extschema@.batch_chunks.step IS
    'What is done with the chunk, or done next.
planned: nothing of it is at the provider.
uploading: its input is on the way.
uploaded: its input is there, and no batch yet.
creating: the create call may be under way.
submitted: the provider has accepted the batch.
running: the provider works on it.
cancelling: the provider is asked to cancel it.
fetching: the batch has ended, and its results are downloaded.
delivering: results are stored and written.
cleaning: our files at the provider are removed.
ambiguous: nothing proves whether there is a batch; it is searched again now and then.
done: it has ended.
cancelled: it was cancelled.
failed: the provider refused it as a whole.';
COMMENT ON COLUMN @extschema@.batch_chunks.provider_state IS
    'How the batch ended; NULL: not yet.
completed: the provider worked on all requests.
failed: the provider refused it as a whole.
expired: the provider''s time was over.
cancelled: it was cancelled.';
COMMENT ON COLUMN @extschema@.batch_chunks.estimated_tokens IS
    'estimate of the tokens of its requests';
COMMENT ON COLUMN @extschema@.batch_chunks.intent IS 'the token by which its batch is found again';
COMMENT ON COLUMN @extschema@.batch_chunks.duplicates IS
    'result lines for a record that had its answer already';
COMMENT ON COLUMN @extschema@.batch_chunks.unknown IS 'result lines that belong to no record';
COMMENT ON COLUMN @extschema@.batch_chunks.malformed IS 'result lines that cannot be read';
COMMENT ON COLUMN @extschema@.batch_chunks.wait_kind IS
    'Why it waits, as one word; NULL: it does not wait.
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
error: an error in this database, as a full disk or a lock.';

-- batch_records
COMMENT ON VIEW @extschema@.batch_records IS
    'One row for each record: its input, and how its last attempt ended.';
COMMENT ON COLUMN @extschema@.batch_records.job_id IS 'the job of batch_jobs';
COMMENT ON COLUMN @extschema@.batch_records.record_id IS 'the key of the row, as text';
COMMENT ON COLUMN @extschema@.batch_records.seq IS 'number of the record in its job, from 1';
COMMENT ON COLUMN @extschema@.batch_records.attempt IS 'number of its last attempt';
COMMENT ON COLUMN @extschema@.batch_records.outcome IS
    'How it ended; NULL: not yet.
succeeded: a whole output, which matches the schema if there is one.
invalid_output: an output that cannot be used: refused, cut off, or no match.
errored: the request failed, or was refused.
expired: the batch or the job''s deadline ended before its turn.
cancelled: the job or the batch was cancelled before.
missing: the results do not mention it.
skipped: its input was NULL; it was never sent.';
COMMENT ON COLUMN @extschema@.batch_records.output IS 'what the model answered';
COMMENT ON COLUMN @extschema@.batch_records.finish_reason IS
    'why the model stopped, in the provider''s words';
COMMENT ON COLUMN @extschema@.batch_records.model IS
    'the model that answered: the one that the provider names, or the job''s';
COMMENT ON COLUMN @extschema@.batch_records.input_tokens IS
    'tokens of the request; NULL: the provider did not say';
COMMENT ON COLUMN @extschema@.batch_records.cached_tokens IS
    'the part of input_tokens that the provider read from a cache';
COMMENT ON COLUMN @extschema@.batch_records.output_tokens IS
    'tokens of the answer; NULL: the provider did not say';
COMMENT ON COLUMN @extschema@.batch_records.error_code IS
    'code of the error, the provider''s or ours';
COMMENT ON COLUMN @extschema@.batch_records.error IS 'the error in words';
COMMENT ON COLUMN @extschema@.batch_records.write_state IS
    'How the write to the target row went; NULL: there is nothing to write, or not yet.
written: the row has it.
waiting: not now, for a reason that may pass, as a lock; it is tried again.
write_failed: the row, its constraints or its triggers refuse it.
target_missing: there is no such row.
stale: the row has changed since it was sent; reserved for a later release.';
COMMENT ON COLUMN @extschema@.batch_records.write_error IS 'why the write failed or waits';
COMMENT ON COLUMN @extschema@.batch_records.finished_at IS 'when the outcome was stored';
COMMENT ON COLUMN @extschema@.batch_records.chunk_id IS 'the chunk that it was in last';
COMMENT ON COLUMN @extschema@.batch_records.request_id IS 'the provider''s id of the request';
COMMENT ON COLUMN @extschema@.batch_records.reasoning IS
    'what the model thought aloud, between the server''s reasoning_tags';
COMMENT ON COLUMN @extschema@.batch_records.input IS
    'what is sent: the prompt with its columns filled in, messages or a body';

-- batch_attempts
COMMENT ON VIEW @extschema@.batch_attempts IS
    'One row for each attempt of each record. The sums of its tokens are those of the job.';
COMMENT ON COLUMN @extschema@.batch_attempts.job_id IS 'the job of batch_jobs';
COMMENT ON COLUMN @extschema@.batch_attempts.record_id IS 'the key of the row, as text';
COMMENT ON COLUMN @extschema@.batch_attempts.seq IS 'number of the record in its job, from 1';
COMMENT ON COLUMN @extschema@.batch_attempts.attempt IS
    'number of the attempt, from 1; a number that is left out was never sent';
COMMENT ON COLUMN @extschema@.batch_attempts.chunk_id IS 'the chunk that it was in';
COMMENT ON COLUMN @extschema@.batch_attempts.provider_batch_id IS
    'the provider''s id of its batch; NULL: it was not sent';
COMMENT ON COLUMN @extschema@.batch_attempts.outcome IS
    'how it ended, as in batch_records; NULL: not yet';
COMMENT ON COLUMN @extschema@.batch_attempts.finish_reason IS
    'why the model stopped, in the provider''s words';
COMMENT ON COLUMN @extschema@.batch_attempts.model IS
    'the model that answered: the one that the provider names, or the job''s';
COMMENT ON COLUMN @extschema@.batch_attempts.input_tokens IS
    'tokens of the request; NULL: the provider did not say';
COMMENT ON COLUMN @extschema@.batch_attempts.cached_tokens IS
    'the part of input_tokens that the provider read from a cache';
COMMENT ON COLUMN @extschema@.batch_attempts.output_tokens IS
    'tokens of the answer; NULL: the provider did not say';
COMMENT ON COLUMN @extschema@.batch_attempts.error_code IS
    'code of the error, the provider''s or ours';
COMMENT ON COLUMN @extschema@.batch_attempts.error IS 'the error in words';
COMMENT ON COLUMN @extschema@.batch_attempts.request_id IS 'the provider''s id of the request';
COMMENT ON COLUMN @extschema@.batch_attempts.submitted_at IS
    'when the id of its batch became known';
COMMENT ON COLUMN @extschema@.batch_attempts.finished_at IS 'when the outcome was stored';
COMMENT ON COLUMN @extschema@.batch_attempts.output IS 'what the model answered in this attempt';
COMMENT ON COLUMN @extschema@.batch_attempts.reasoning IS
    'what the model thought aloud, as in batch_records';

-- batch_events
COMMENT ON VIEW @extschema@.batch_events IS
    'One row for each thing that happened to a chunk, in the order of event_id.';
COMMENT ON COLUMN @extschema@.batch_events.event_id IS 'id of the event; later ones are larger';
COMMENT ON COLUMN @extschema@.batch_events.job_id IS 'the job of batch_jobs';
COMMENT ON COLUMN @extschema@.batch_events.chunk_id IS 'the chunk of batch_chunks';
COMMENT ON COLUMN @extschema@.batch_events.at IS 'when it happened';
COMMENT ON COLUMN @extschema@.batch_events.state IS
    'state of the chunk after it, as batch_chunks.step';
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
not sent: the chunk has too few records for a batch.
deadline passed: the chunk ended by the job''s deadline.
job paused: more answers failed than max_failure_rate allows.
could not render: the requests could not be written to a temporary file.
error: an error in this database or process.';
COMMENT ON COLUMN @extschema@.batch_events.detail IS
    'more about it, often in the provider''s words';
COMMENT ON COLUMN @extschema@.batch_events.http_status IS
    'HTTP status of the reply; NULL: there was none';
COMMENT ON COLUMN @extschema@.batch_events.request_id IS 'the provider''s id of the request';

-- batch_servers
COMMENT ON VIEW @extschema@.batch_servers IS
    'One row for each server that the reader may use or monitor: its limits, and what holds it '
    'up.';
COMMENT ON COLUMN @extschema@.batch_servers.server IS 'name of the foreign server';
COMMENT ON COLUMN @extschema@.batch_servers.provider IS 'option provider of the server';
COMMENT ON COLUMN @extschema@.batch_servers.model IS 'option model of the server';
COMMENT ON COLUMN @extschema@.batch_servers.limits IS
    'the limits in force: options of the server, or defaults of its provider';
COMMENT ON COLUMN @extschema@.batch_servers.batches_in_flight IS
    'batches that the provider has, or may have';
COMMENT ON COLUMN @extschema@.batch_servers.paused_until IS
    'when calls go on; infinity: batch_resume_server ends it; NULL: it is not held up';
COMMENT ON COLUMN @extschema@.batch_servers.pause_reason IS 'why no calls are made';
COMMENT ON COLUMN @extschema@.batch_servers.last_error IS
    'the last error since the server answered as it should';
COMMENT ON COLUMN @extschema@.batch_servers.last_error_at IS 'when it came';

-- install
COMMENT ON TABLE batchinf.install IS
    'Who we are. With the cluster and the database (view here) it tells our own jobs from those '
    'of a restored dump, a copied database, or a cluster before pg_upgrade. Never dumped.';
COMMENT ON COLUMN batchinf.install.uuid IS 'made by CREATE EXTENSION';
COMMENT ON COLUMN batchinf.install.only_row IS 'always true: the table has one row';

-- job
COMMENT ON TABLE batchinf.job IS
    'One row for each call of batch_submit. The worker writes only the columns about its end; '
    'the wishes of its owner (paused, cancelled_at, deadline) are written by their calls.';
COMMENT ON COLUMN batchinf.job.job_id IS 'id of the job';
COMMENT ON COLUMN batchinf.job.install IS 'the installation that it belongs to (view here)';
COMMENT ON COLUMN batchinf.job.database IS 'the database that it belongs to';
COMMENT ON COLUMN batchinf.job.name IS 'argument name of batch_submit';
COMMENT ON COLUMN batchinf.job.spec IS 'the arguments of batch_submit, as stored';
COMMENT ON COLUMN batchinf.job.owner IS 'role of the owner';
COMMENT ON COLUMN batchinf.job.owner_name IS 'name of that role, for another installation';
COMMENT ON COLUMN batchinf.job.server IS 'the foreign server';
COMMENT ON COLUMN batchinf.job.server_name IS 'name of that server at submit';
COMMENT ON COLUMN batchinf.job.target IS 'the target table; 0: none';
COMMENT ON COLUMN batchinf.job.target_name IS 'name of that table at submit';
COMMENT ON COLUMN batchinf.job.model IS 'the model that is asked for';
COMMENT ON COLUMN batchinf.job.task IS 'chat or embedding';
COMMENT ON COLUMN batchinf.job.records IS 'rows of the query';
COMMENT ON COLUMN batchinf.job.skipped IS 'rows whose input was NULL';
COMMENT ON COLUMN batchinf.job.created_at IS 'when batch_submit was called';
COMMENT ON COLUMN batchinf.job.deadline IS 'when the job ends with what it has; NULL: never';
COMMENT ON COLUMN batchinf.job.paused IS 'nothing new is sent';
COMMENT ON COLUMN batchinf.job.cancelled_at IS 'when batch_cancel was called; NULL: never';
COMMENT ON COLUMN batchinf.job.ended IS 'how it ended; NULL: not yet';
COMMENT ON COLUMN batchinf.job.finished_at IS 'when it ended';
COMMENT ON COLUMN batchinf.job.error IS 'why it failed, or the commonest error';
COMMENT ON COLUMN batchinf.job.to_announce IS 'it has ended, and NOTIFY has not said so yet';
COMMENT ON COLUMN batchinf.job.paused_at IS 'when the pause began';
COMMENT ON COLUMN batchinf.job.pause_reason IS
    'why max_failure_rate paused it; NULL: its owner did';
COMMENT ON COLUMN batchinf.job.answers_before IS
    'answers that its chunks had when the count for max_failure_rate began';
COMMENT ON COLUMN batchinf.job.failures_before IS 'how many of those had failed';

-- chunk
COMMENT ON TABLE batchinf.chunk IS
    'One row for each part of a job that is sent as one batch. It appears with batch_submit or '
    'a retry. The process that holds it writes it.';
COMMENT ON COLUMN batchinf.chunk.chunk_id IS 'id of the chunk';
COMMENT ON COLUMN batchinf.chunk.job_id IS 'its job';
COMMENT ON COLUMN batchinf.chunk.state IS 'as batch_chunks.step';
COMMENT ON COLUMN batchinf.chunk.attempt IS 'which attempt of its records this is, from 1';
COMMENT ON COLUMN batchinf.chunk.attempts_left IS 'how often its records may be sent again';
COMMENT ON COLUMN batchinf.chunk.intent IS 'the token by which its batch is found again';
COMMENT ON COLUMN batchinf.chunk.tries IS
    'number of its current try in batchinf.batch; 0: none has begun';
COMMENT ON COLUMN batchinf.chunk.holder_pid IS 'the process that works on it; NULL: none';
COMMENT ON COLUMN batchinf.chunk.holder_start IS 'when that process began: a pid can be used again';
COMMENT ON COLUMN batchinf.chunk.records IS 'records in it';
COMMENT ON COLUMN batchinf.chunk.bytes IS 'size of its input';
COMMENT ON COLUMN batchinf.chunk.tokens IS 'estimate of the tokens of its requests';
COMMENT ON COLUMN batchinf.chunk.next_step_at IS 'when its next step is due; NULL: it has ended';
COMMENT ON COLUMN batchinf.chunk.waiting_for IS 'why it waits, in words';
COMMENT ON COLUMN batchinf.chunk.failures IS 'calls in a row that came to nothing';
COMMENT ON COLUMN batchinf.chunk.polls IS 'polls since the last change of state';
COMMENT ON COLUMN batchinf.chunk.succeeded IS 'records with that final outcome';
COMMENT ON COLUMN batchinf.chunk.invalid_output IS 'records with that final outcome';
COMMENT ON COLUMN batchinf.chunk.errored IS 'records with that final outcome';
COMMENT ON COLUMN batchinf.chunk.expired IS 'records with that final outcome';
COMMENT ON COLUMN batchinf.chunk.cancelled IS 'records with that final outcome';
COMMENT ON COLUMN batchinf.chunk.missing IS 'records with that final outcome';
COMMENT ON COLUMN batchinf.chunk.retried IS 'records that went on to another chunk';
COMMENT ON COLUMN batchinf.chunk.written IS 'answers with that write state';
COMMENT ON COLUMN batchinf.chunk.write_waiting IS 'answers with write state waiting';
COMMENT ON COLUMN batchinf.chunk.stale IS 'answers with that write state';
COMMENT ON COLUMN batchinf.chunk.target_missing IS 'answers with that write state';
COMMENT ON COLUMN batchinf.chunk.write_failed IS 'answers with that write state';
COMMENT ON COLUMN batchinf.chunk.write_at IS 'when waiting writes are tried again';
COMMENT ON COLUMN batchinf.chunk.write_tries IS 'how often in a row none of them could be written';
COMMENT ON COLUMN batchinf.chunk.input_tokens IS
    'tokens of the requests, as the provider counts them';
COMMENT ON COLUMN batchinf.chunk.cached_tokens IS
    'the part of input_tokens that the provider read from a cache';
COMMENT ON COLUMN batchinf.chunk.output_tokens IS
    'tokens of the answers, as the provider counts them';
COMMENT ON COLUMN batchinf.chunk.duplicates IS
    'result lines for a record that had its answer already';
COMMENT ON COLUMN batchinf.chunk.unknown IS 'result lines that belong to no record';
COMMENT ON COLUMN batchinf.chunk.malformed IS 'result lines that cannot be read';
COMMENT ON COLUMN batchinf.chunk.error IS 'why the provider refused it';
COMMENT ON COLUMN batchinf.chunk.waiting_since IS
    'since when it waits without a step that went well';
COMMENT ON COLUMN batchinf.chunk.answers IS 'attempts that ended, except cancelled ones';
COMMENT ON COLUMN batchinf.chunk.bad_answers IS
    'how many of those were errored, expired, missing or invalid_output';
COMMENT ON COLUMN batchinf.chunk.wait_kind IS 'why it waits, as one word: programs decide by it';

-- batch
COMMENT ON TABLE batchinf.batch IS
    'One row for each try of a chunk to become a batch. It appears when the try begins and goes '
    'with its chunk. Written with the chunk.';
COMMENT ON COLUMN batchinf.batch.chunk_id IS 'its chunk';
COMMENT ON COLUMN batchinf.batch.try IS
    'number of the try, from 1; batchinf.chunk.tries is the current one';
COMMENT ON COLUMN batchinf.batch.batch_id IS
    'the provider''s id of the batch; NULL: no batch is known. In a try that is not the current '
    'one: a batch that nobody follows any more';
COMMENT ON COLUMN batchinf.batch.batch_end IS
    'how the batch ended; NULL: not yet, or not known, or no batch was made';
COMMENT ON COLUMN batchinf.batch.refs IS
    'names of files at the provider, and notes of the worker; the next try takes them over';
COMMENT ON COLUMN batchinf.batch.account IS
    'digest of address and key, while the fate of the create call is not known';
COMMENT ON COLUMN batchinf.batch.claimed_at IS 'when its create call began; NULL: not yet';
COMMENT ON COLUMN batchinf.batch.submitted_at IS 'when the id of the batch became known';
COMMENT ON COLUMN batchinf.batch.ended_at IS
    'when its end became known, or when the worker gave it up';

-- record
COMMENT ON TABLE batchinf.record IS
    'One row for each row of a job''s query. Written once; only a retry moves it to another '
    'chunk. It goes with its job.';
COMMENT ON COLUMN batchinf.record.job_id IS 'its job';
COMMENT ON COLUMN batchinf.record.seq IS 'number of the record in its job, from 1';
COMMENT ON COLUMN batchinf.record.chunk_id IS 'its chunk; NULL: it was skipped';
COMMENT ON COLUMN batchinf.record.attempt IS 'number of its last attempt';
COMMENT ON COLUMN batchinf.record.record_id IS 'the key of the row, as text';
COMMENT ON COLUMN batchinf.record.key IS 'the parts of a key of several columns';
COMMENT ON COLUMN batchinf.record.input IS 'what is sent';
COMMENT ON COLUMN batchinf.record.input_hash IS
    'hash of what is sent, where answers are joined by content';

-- result
COMMENT ON TABLE batchinf.result IS
    'One row for each attempt that ended. The row with the record''s own attempt is the '
    'record''s. Only the columns about the write change later. It goes with its job.';
COMMENT ON COLUMN batchinf.result.job_id IS 'its job';
COMMENT ON COLUMN batchinf.result.seq IS 'number of the record';
COMMENT ON COLUMN batchinf.result.attempt IS 'number of the attempt';
COMMENT ON COLUMN batchinf.result.chunk_id IS 'the chunk of the attempt';
COMMENT ON COLUMN batchinf.result.outcome IS 'as batch_records.outcome';
COMMENT ON COLUMN batchinf.result.retryable IS 'another attempt may succeed';
COMMENT ON COLUMN batchinf.result.output IS 'what the model answered';
COMMENT ON COLUMN batchinf.result.output_json IS 'the output is JSON';
COMMENT ON COLUMN batchinf.result.finish_reason IS
    'why the model stopped, in the provider''s words';
COMMENT ON COLUMN batchinf.result.model IS 'the model that the provider names';
COMMENT ON COLUMN batchinf.result.input_tokens IS
    'tokens of the request; NULL: the provider did not say';
COMMENT ON COLUMN batchinf.result.cached_tokens IS
    'the part of input_tokens that the provider read from a cache';
COMMENT ON COLUMN batchinf.result.output_tokens IS
    'tokens of the answer; NULL: the provider did not say';
COMMENT ON COLUMN batchinf.result.error_code IS 'code of the error, the provider''s or ours';
COMMENT ON COLUMN batchinf.result.error IS 'the error in words';
COMMENT ON COLUMN batchinf.result.request_id IS 'the provider''s id of the request';
COMMENT ON COLUMN batchinf.result.write_state IS 'as batch_records.write_state';
COMMENT ON COLUMN batchinf.result.write_error IS 'why the write failed or waits';
COMMENT ON COLUMN batchinf.result.finished_at IS 'when the outcome was stored';
COMMENT ON COLUMN batchinf.result.reasoning IS
    'what the model thought aloud, between the server''s reasoning_tags';
COMMENT ON COLUMN batchinf.result.write_asked IS
    'when batch_rewrite asked for the write; NULL: not since finished_at';

-- event
COMMENT ON TABLE batchinf.event IS
    'One row for each thing that happened to a chunk. Only inserted; it goes with its job.';
COMMENT ON COLUMN batchinf.event.event_id IS 'id of the event';
COMMENT ON COLUMN batchinf.event.job_id IS 'its job';
COMMENT ON COLUMN batchinf.event.chunk_id IS 'its chunk';
COMMENT ON COLUMN batchinf.event.at IS 'when it happened';
COMMENT ON COLUMN batchinf.event.state IS 'state of the chunk after it';
COMMENT ON COLUMN batchinf.event.event IS 'as batch_events.event';
COMMENT ON COLUMN batchinf.event.detail IS 'more about it';
COMMENT ON COLUMN batchinf.event.http_status IS 'HTTP status of the reply; NULL: there was none';
COMMENT ON COLUMN batchinf.event.request_id IS 'the provider''s id of the request';

-- pause
COMMENT ON TABLE batchinf.pause IS
    'One row for each server that is throttled, for everybody or for the key of one owner. The '
    'worker writes it when a call fails, and sets failures to 0 when the server answers as it '
    'should.';
COMMENT ON COLUMN batchinf.pause.server IS 'the foreign server';
COMMENT ON COLUMN batchinf.pause.owner IS 'whose jobs are held up; 0: everybody''s';
COMMENT ON COLUMN batchinf.pause.until IS 'no calls before';
COMMENT ON COLUMN batchinf.pause.reason IS 'what the provider said, or what is missing';
COMMENT ON COLUMN batchinf.pause.failures IS 'failures in a row; 0: it works';
COMMENT ON COLUMN batchinf.pause.at IS 'when the last failure came';
COMMENT ON COLUMN batchinf.pause.install IS 'the installation that it belongs to';
COMMENT ON COLUMN batchinf.pause.database IS 'the database that it belongs to';
COMMENT ON COLUMN batchinf.pause.requester IS
    'owner of the job whose request failed: nobody else is shown reason';
COMMENT ON COLUMN batchinf.pause.kind IS 'what everybody else is shown';
COMMENT ON COLUMN batchinf.pause.since IS 'when the first of the failures came';
COMMENT ON COLUMN batchinf.pause.cause IS
    'failing: the server fails; denied: it refuses the key; missing: key, user mapping or USAGE '
    'is missing here';

-- stop
COMMENT ON TABLE batchinf.stop IS
    'One row for each server that its owner has paused by batch_pause_server. Not dumped, '
    'because oids of another database mean nothing.';
COMMENT ON COLUMN batchinf.stop.server IS 'the foreign server';
COMMENT ON COLUMN batchinf.stop.since IS 'when it was paused';
COMMENT ON COLUMN batchinf.stop.paused_by IS 'the role that did it';
COMMENT ON COLUMN batchinf.stop.install IS 'the installation that it belongs to';
COMMENT ON COLUMN batchinf.stop.database IS 'the database that it belongs to';

-- here
COMMENT ON VIEW batchinf.here IS
    'This installation in this database. A job of another one is foreign, and nothing of it is '
    'done before batch_adopt.';
COMMENT ON COLUMN batchinf.here.uuid IS 'the installation, in this cluster';
COMMENT ON COLUMN batchinf.here.database IS 'oid of this database';

-- pause_here
COMMENT ON VIEW batchinf.pause_here IS
    'The rows of batchinf.pause of this installation and database: after a restore the oids of '
    'others mean nothing.';

-- stop_here
COMMENT ON VIEW batchinf.stop_here IS
    'The servers of this installation and database that are paused.';

-- due
COMMENT ON VIEW batchinf.due IS
    'The chunks of this database that still want something of a worker, and when.';
COMMENT ON COLUMN batchinf.due.chunk_id IS 'the chunk';
COMMENT ON COLUMN batchinf.due.server IS 'the server of its job';
COMMENT ON COLUMN batchinf.due.owner IS 'the owner of its job';
COMMENT ON COLUMN batchinf.due.wish IS
    'cancel: the owner cancelled the job; deadline: it has passed; NULL: neither';
COMMENT ON COLUMN batchinf.due.step_at IS
    'when its next step may be taken; NULL: not while it is paused';
COMMENT ON COLUMN batchinf.due.write_at IS
    'when waiting writes are tried again; NULL: there are none';
COMMENT ON COLUMN batchinf.due.held IS 'a living process works on it';
COMMENT ON COLUMN batchinf.due.server_failures IS
    'failures in a row of the server, or of the owner''s key there';
COMMENT ON COLUMN batchinf.due.paused IS 'it waits for batch_resume or batch_resume_server';
COMMENT ON COLUMN batchinf.due.job_id IS 'its job';
COMMENT ON COLUMN batchinf.due.class IS
    '0: paid for already; 1: its input is at the provider; 2: new. The smallest goes first';
COMMENT ON COLUMN batchinf.due.asked_at IS
    'when its next step was due, whatever holds up the server';

-- schedule
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
COMMENT ON COLUMN batchinf.schedule.all_failed IS
    'the server failed for everybody, not only for the key of this owner';
COMMENT ON COLUMN batchinf.schedule.turn IS 'its number within its job, chunks under way included';
COMMENT ON COLUMN batchinf.schedule.place IS 'its number at its server, chunks under way included';
COMMENT ON COLUMN batchinf.schedule.rank IS 'its number among all';

-- job_here
COMMENT ON VIEW batchinf.job_here IS
    'Whose each job is here. Of a foreign job the oids mean nothing; the role with the name of '
    'its owner may see it.';
COMMENT ON COLUMN batchinf.job_here.job_id IS 'the job';
COMMENT ON COLUMN batchinf.job_here.ours IS 'it belongs to this installation and database';
COMMENT ON COLUMN batchinf.job_here.server IS 'its server; NULL: it is foreign';
COMMENT ON COLUMN batchinf.job_here.role IS 'its owner here; NULL: there is no such role';
COMMENT ON COLUMN batchinf.job_here.model IS 'its model';

-- job_status
COMMENT ON VIEW batchinf.job_status IS 'batch_jobs without its rights, of everybody.';

-- job_wait
COMMENT ON VIEW batchinf.job_wait IS
    'Why each job that has not ended waits: its most important reason.';
COMMENT ON COLUMN batchinf.job_wait.job_id IS 'the job';
COMMENT ON COLUMN batchinf.job_wait.kind IS
    'as batch_chunks.wait_kind, and foreign, paused, server_paused, no_worker, write';
COMMENT ON COLUMN batchinf.job_wait.reason IS 'the reason in words';
COMMENT ON COLUMN batchinf.job_wait.since IS 'since when';
COMMENT ON COLUMN batchinf.job_wait.until IS 'when it is tried again; NULL: not by itself';
COMMENT ON COLUMN batchinf.job_wait.waiting_for IS 'reason, since and until in one line';
