-- batchinf: from 0.1.0 to 0.2.0.
-- Afterwards all is as CREATE EXTENSION makes it: test/upgrade compares the catalogs.

-- complain if script is sourced in psql, rather than via ALTER EXTENSION UPDATE
\echo Use "ALTER EXTENSION batchinf UPDATE TO '0.2.0'" to load this file. \quit

-- what others have made in the extension's schema must not stand in for PostgreSQL's own
SET LOCAL search_path TO pg_catalog, pg_temp;

-- "is that batch one of ours?" without reading all chunks
CREATE INDEX chunk_batch ON batchinf.chunk (batch_id) WHERE batch_id IS NOT NULL;
CREATE INDEX chunk_dead ON batchinf.chunk (chunk_id) WHERE refs ? 'dead';

-- An install is one in its cluster: the view first, so that no job comes with the old identity any more.
CREATE FUNCTION batchinf.identity(install uuid) RETURNS uuid
    AS 'MODULE_PATHNAME', 'batchinf_identity' LANGUAGE C STRICT STABLE PARALLEL SAFE;
COMMENT ON FUNCTION batchinf.identity IS 'an install in this cluster: pg_upgrade carries its uuid over, but not the oids of servers';
COMMENT ON TABLE batchinf.install IS 'who we are: with cluster and database (view here) it tells our own jobs from those of a restored dump, a copied database or a cluster before pg_upgrade; never dumped';

CREATE OR REPLACE VIEW batchinf.here AS
SELECT batchinf.identity(i.uuid) AS uuid, d.oid AS database
FROM batchinf.install i, pg_catalog.pg_database d
WHERE d.datname = pg_catalog.current_database();
UPDATE batchinf.job j SET install = h.uuid FROM batchinf.install i, batchinf.here h WHERE j.install = i.uuid AND j.database = h.database;
UPDATE batchinf.pause p SET install = h.uuid FROM batchinf.install i, batchinf.here h WHERE p.install = i.uuid AND p.database = h.database;

-- turns among jobs, and whose claims are void whatever the owner of the schema may see
CREATE OR REPLACE FUNCTION batchinf.is_alive(pid int, start timestamptz) RETURNS bool
    AS 'MODULE_PATHNAME', 'batchinf_is_alive' LANGUAGE C STRICT STABLE;
COMMENT ON FUNCTION batchinf.is_alive IS 'does the process of this server that began then still run?';

-- servers that their owners pause
CREATE TABLE batchinf.stop (
    server    oid PRIMARY KEY,
    since     timestamptz NOT NULL DEFAULT pg_catalog.now(),
    paused_by text NOT NULL,
    install   uuid NOT NULL,
    database  oid NOT NULL
);
COMMENT ON TABLE batchinf.stop IS 'servers that their owners have paused by batch_pause_server; not dumped, for the oids of others mean nothing';
CREATE VIEW batchinf.stop_here AS
SELECT s.server, s.since, s.paused_by
FROM batchinf.stop s
JOIN batchinf.here h ON h.uuid = s.install AND h.database = s.database
JOIN pg_catalog.pg_foreign_server f ON f.oid = s.server;
COMMENT ON VIEW batchinf.stop_here IS 'the paused servers of this install in this database';

CREATE OR REPLACE VIEW batchinf.due AS
SELECT c.chunk_id, j.server, j.owner, w.wish,
       -- when its next step may be taken; NULL: not while the job is paused
       CASE WHEN c.next_step_at IS NULL THEN NULL
            WHEN w.wish IS NOT NULL AND c.state IN ('planned', 'uploading', 'uploaded', 'submitted', 'running', 'ambiguous') THEN j.created_at
            -- results that are too large for us: a cancelled job waits for them no longer
            WHEN w.wish IS NOT NULL AND c.state = 'fetching' AND c.waiting_for LIKE 'results_too_large:%' THEN j.created_at
            WHEN (j.paused OR st.server IS NOT NULL) AND c.state IN ('planned', 'uploading', 'uploaded') THEN j.deadline
            ELSE LEAST(GREATEST(c.next_step_at, p.until), CASE WHEN w.wish IS NULL THEN j.deadline END) END AS step_at,
       CASE WHEN c.write_waiting > 0 THEN c.write_at END AS write_at,
       -- a claim is void only when its process is gone, never by time
       COALESCE(batchinf.is_alive(c.holder_pid, c.holder_start), false) AS held,
       COALESCE(p.failures, 0) AS server_failures,
       (j.paused OR st.server IS NOT NULL) AND w.wish IS NULL AND c.state IN ('planned', 'uploading', 'uploaded') AS paused,
       -- what has been paid for goes before what is ready to be, and that before what is new
       c.job_id, CASE c.state WHEN 'planned' THEN 2 WHEN 'uploading' THEN 2 WHEN 'uploaded' THEN 1 ELSE 0 END AS class,
       c.next_step_at AS asked_at
FROM batchinf.chunk c
JOIN batchinf.job j ON j.job_id = c.job_id
JOIN batchinf.here h ON h.uuid = j.install AND h.database = j.database
LEFT JOIN batchinf.stop_here st ON st.server = j.server
CROSS JOIN LATERAL (SELECT CASE WHEN j.cancelled_at IS NOT NULL THEN 'cancel' WHEN j.deadline <= pg_catalog.now() THEN 'deadline' END) w(wish)
LEFT JOIN LATERAL (SELECT max(q.until) AS until, max(q.failures) AS failures FROM batchinf.pause_here q
                   WHERE q.server = j.server AND q.owner IN (0, j.owner)) p ON true
WHERE c.next_step_at IS NOT NULL OR c.write_waiting > 0;

COMMENT ON FOREIGN DATA WRAPPER batchinf IS 'endpoints of model providers with a batch API: openai, azure_openai, anthropic, bedrock, vertex, gemini';

-- a foreign job is shown by its owner's name only
CREATE VIEW batchinf.job_here AS
SELECT j.job_id, o.ours,
       CASE WHEN o.ours THEN j.server END AS server,
       CASE WHEN o.ours THEN j.owner ELSE (SELECT r.oid FROM pg_catalog.pg_roles r WHERE r.rolname = j.owner_name) END AS role,
       j.model
FROM batchinf.job j
CROSS JOIN LATERAL (SELECT j.install = h.uuid AND j.database = h.database FROM batchinf.here h) o(ours);
COMMENT ON VIEW batchinf.job_here IS 'whose each job is here: of a foreign one the oids mean nothing, and the role that has its owner''s name may see it';

CREATE OR REPLACE VIEW batchinf.job_status AS
SELECT j.job_id, j.name,
       COALESCE((SELECT r.rolname FROM pg_catalog.pg_roles r WHERE r.oid = j.owner AND o.ours), j.owner_name) AS owner,
       COALESCE((SELECT s.srvname FROM pg_catalog.pg_foreign_server s WHERE s.oid = j.server AND o.ours), j.server_name) AS server,
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
       CASE WHEN j.records = 0 THEN 1 ELSE pg_catalog.trunc((j.skipped + c.ended) / j.records::numeric, 4) END AS progress,
       c.input_tokens, c.output_tokens, j.created_at, j.deadline, j.finished_at, j.error,
       j.target_name AS target, c.cached_tokens, c.retried, c.duplicates, c.unknown, c.malformed,
       o.role AS owner_oid, j.spec -> 'settings' AS settings
FROM batchinf.job j
JOIN batchinf.job_here o ON o.job_id = j.job_id
CROSS JOIN LATERAL (
    SELECT COALESCE(sum(k.succeeded), 0)::bigint AS succeeded, COALESCE(sum(k.invalid_output), 0)::bigint AS invalid_output,
           COALESCE(sum(k.errored), 0)::bigint AS errored, COALESCE(sum(k.expired), 0)::bigint AS expired,
           COALESCE(sum(k.cancelled), 0)::bigint AS cancelled, COALESCE(sum(k.missing), 0)::bigint AS missing,
           COALESCE(sum(k.succeeded + k.invalid_output + k.errored + k.expired + k.cancelled + k.missing), 0)::bigint AS ended,
           COALESCE(sum(k.written), 0)::bigint AS written, COALESCE(sum(k.write_waiting), 0)::bigint AS write_waiting,
           COALESCE(sum(k.stale), 0)::bigint AS stale, COALESCE(sum(k.target_missing), 0)::bigint AS target_missing,
           COALESCE(sum(k.write_failed), 0)::bigint AS write_failed, COALESCE(sum(k.input_tokens), 0)::bigint AS input_tokens,
           COALESCE(sum(k.output_tokens), 0)::bigint AS output_tokens, COALESCE(sum(k.cached_tokens), 0)::bigint AS cached_tokens,
           COALESCE(sum(k.retried), 0)::bigint AS retried, COALESCE(sum(k.duplicates), 0)::bigint AS duplicates,
           COALESCE(sum(k.unknown), 0)::bigint AS unknown, COALESCE(sum(k.malformed), 0)::bigint AS malformed,
           COALESCE(bool_or(k.state <> 'planned'), false) AS begun
    FROM batchinf.chunk k WHERE k.job_id = j.job_id) c;

-- what a model thought aloud
ALTER TABLE batchinf.result ADD COLUMN IF NOT EXISTS reasoning text;
COMMENT ON COLUMN batchinf.result.reasoning IS 'what the server''s reasoning_tags took off the head of the output';
ALTER TABLE batchinf.result ADD COLUMN IF NOT EXISTS write_asked timestamptz;
COMMENT ON COLUMN batchinf.result.write_asked IS 'when batch_rewrite asked for the write; NULL: not since finished_at';

CREATE FUNCTION @extschema@.batch_rewrite(job_id bigint, write_states text[] DEFAULT '{write_failed,target_missing}') RETURNS bigint
    AS 'MODULE_PATHNAME', 'batchinf_rewrite' LANGUAGE C VOLATILE;
COMMENT ON FUNCTION @extschema@.batch_rewrite IS 'writes outputs whose write-back ended so to their rows again, without paying for them again; how many';

CREATE OR REPLACE VIEW @extschema@.batch_records WITH (security_barrier) AS
SELECT r.job_id, r.record_id, r.seq, r.attempt, s.outcome, s.output, s.finish_reason,
       CASE WHEN s.outcome IN ('succeeded', 'invalid_output') THEN COALESCE(s.model, j.model) ELSE s.model END AS model,
       s.input_tokens, s.cached_tokens, s.output_tokens, s.error_code, s.error, s.write_state, s.write_error, s.finished_at,
       r.chunk_id, s.request_id, s.reasoning, r.input
FROM batchinf.record r
JOIN batchinf.job_here j ON j.job_id = r.job_id
LEFT JOIN batchinf.result s ON s.job_id = r.job_id AND s.seq = r.seq AND s.attempt = r.attempt
WHERE batchinf.visible(j.role);

COMMENT ON VIEW @extschema@.batch_records IS 'each record with its input, outcome, output, tokens and write-back; outcome is NULL while it is pending';
COMMENT ON COLUMN @extschema@.batch_records.model IS 'of an answer: the one that the provider names, else the job''s';
COMMENT ON COLUMN @extschema@.batch_records.input IS 'what is sent: the prompt with its columns filled in, messages or body';
CREATE VIEW @extschema@.batch_attempts WITH (security_barrier) AS
SELECT s.job_id, r.record_id, s.seq, s.attempt, s.chunk_id, k.batch_id AS provider_batch_id, s.outcome, s.finish_reason,
       CASE WHEN s.outcome IN ('succeeded', 'invalid_output') THEN COALESCE(s.model, j.model) ELSE s.model END AS model,
       s.input_tokens, s.cached_tokens, s.output_tokens, s.error_code, s.error, s.request_id, k.submitted_at, s.finished_at, s.output, s.reasoning
FROM batchinf.result s
JOIN batchinf.job_here j ON j.job_id = s.job_id
JOIN batchinf.record r ON r.job_id = s.job_id AND r.seq = s.seq
LEFT JOIN batchinf.chunk k ON k.chunk_id = s.chunk_id
WHERE batchinf.visible(j.role) AND s.outcome <> 'skipped'
UNION ALL
SELECT r.job_id, r.record_id, r.seq, r.attempt, r.chunk_id, k.batch_id, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, k.submitted_at, NULL, NULL, NULL
FROM batchinf.record r
JOIN batchinf.job_here j ON j.job_id = r.job_id
LEFT JOIN batchinf.chunk k ON k.chunk_id = r.chunk_id
WHERE batchinf.visible(j.role)
  AND NOT EXISTS (SELECT FROM batchinf.result s WHERE s.job_id = r.job_id AND s.seq = r.seq AND s.attempt = r.attempt);
COMMENT ON VIEW @extschema@.batch_attempts IS 'each attempt of each record, with its batch, outcome and tokens, whose sums are the job''s; outcome is NULL while it is pending';
COMMENT ON COLUMN @extschema@.batch_attempts.job_id IS 'the job of batch_jobs';
COMMENT ON COLUMN @extschema@.batch_attempts.record_id IS 'the record''s key as text';
COMMENT ON COLUMN @extschema@.batch_attempts.seq IS 'the record''s number in its job';
COMMENT ON COLUMN @extschema@.batch_attempts.attempt IS '1 is the first; one that is left out was never sent';
COMMENT ON COLUMN @extschema@.batch_attempts.chunk_id IS 'the chunk of batch_chunks that it was in';
COMMENT ON COLUMN @extschema@.batch_attempts.provider_batch_id IS 'the provider''s id of its batch; NULL: not sent';
COMMENT ON COLUMN @extschema@.batch_attempts.outcome IS 'how it ended, as in batch_records; NULL: not yet';
COMMENT ON COLUMN @extschema@.batch_attempts.finish_reason IS 'as the provider says it';
COMMENT ON COLUMN @extschema@.batch_attempts.model IS 'of an answer: the one that the provider names, else the job''s';
COMMENT ON COLUMN @extschema@.batch_attempts.input_tokens IS 'as the provider counts them; NULL: it did not say';
COMMENT ON COLUMN @extschema@.batch_attempts.cached_tokens IS 'the part of input_tokens that was read from a cache';
COMMENT ON COLUMN @extschema@.batch_attempts.output_tokens IS 'as the provider counts them; NULL: it did not say';
COMMENT ON COLUMN @extschema@.batch_attempts.error_code IS 'of an attempt that is no success';
COMMENT ON COLUMN @extschema@.batch_attempts.error IS 'the reason in words';
COMMENT ON COLUMN @extschema@.batch_attempts.request_id IS 'the provider''s id of the request';
COMMENT ON COLUMN @extschema@.batch_attempts.submitted_at IS 'when its batch was created at the provider';
COMMENT ON COLUMN @extschema@.batch_attempts.finished_at IS 'when its end was stored here';
COMMENT ON COLUMN @extschema@.batch_attempts.output IS 'what the model answered in this attempt';
COMMENT ON COLUMN @extschema@.batch_attempts.reasoning IS 'what the model thought aloud, as in batch_records';

CREATE VIEW @extschema@.batch_job_details WITH (security_barrier) AS
SELECT j.job_id, j.spec ->> 'query' AS query, j.spec ->> 'prompt' AS prompt, j.spec ->> 'system_prompt' AS system_prompt,
       (j.spec ->> 'params')::json AS params, (j.spec ->> 'response_schema')::json AS response_schema,
       NULLIF(j.spec -> 'write_back', 'null') AS write_back, ARRAY(SELECT pg_catalog.jsonb_array_elements_text(j.spec -> 'key')) AS key,
       j.spec ->> 'input' AS input_kind, (j.spec ->> 'max_attempts')::int AS max_attempts,
       (j.spec ->> 'max_failure_rate')::numeric AS max_failure_rate
FROM batchinf.job j
JOIN batchinf.job_here o ON o.job_id = j.job_id
WHERE batchinf.visible(o.role);
COMMENT ON VIEW @extschema@.batch_job_details IS 'what each job was asked to send: the arguments of batch_submit as they are stored';
COMMENT ON COLUMN @extschema@.batch_job_details.job_id IS 'the job of batch_jobs';
COMMENT ON COLUMN @extschema@.batch_job_details.query IS 'the query whose rows became the records';
COMMENT ON COLUMN @extschema@.batch_job_details.prompt IS 'the prompt with {{column}}; NULL where the query returned the input itself';
COMMENT ON COLUMN @extschema@.batch_job_details.system_prompt IS 'the same for all records';
COMMENT ON COLUMN @extschema@.batch_job_details.params IS 'merged into each request, its members in the order in which they were written';
COMMENT ON COLUMN @extschema@.batch_job_details.response_schema IS 'asked of the provider and checked on each answer, its members in the order in which they were written';
COMMENT ON COLUMN @extschema@.batch_job_details.write_back IS 'which column of the target takes which part of the output';
COMMENT ON COLUMN @extschema@.batch_job_details.key IS 'the columns that name a record';
COMMENT ON COLUMN @extschema@.batch_job_details.input_kind IS 'what batch_records.input holds: text, messages or body';
COMMENT ON COLUMN @extschema@.batch_job_details.max_attempts IS 'how often a record is tried';
COMMENT ON COLUMN @extschema@.batch_job_details.max_failure_rate IS 'a larger share of failed answers pauses the job; NULL: none does';
GRANT SELECT ON @extschema@.batch_job_details, @extschema@.batch_attempts TO PUBLIC;

CREATE OR REPLACE VIEW @extschema@.batch_events WITH (security_barrier) AS
SELECT e.event_id, e.job_id, e.chunk_id, e.at, e.state, e.event, e.detail, e.http_status, e.request_id
FROM batchinf.event e
JOIN batchinf.job_here j ON j.job_id = e.job_id
WHERE batchinf.visible(j.role);

-- What is sent to a model as JSON has an order: models answer in that of a schema's members, which jsonb sorts away.
CREATE TYPE @extschema@.batch_json;
CREATE FUNCTION batchinf.json_in(cstring) RETURNS @extschema@.batch_json AS 'json_in' LANGUAGE internal STRICT IMMUTABLE PARALLEL SAFE;
CREATE FUNCTION batchinf.json_out(@extschema@.batch_json) RETURNS cstring AS 'json_out' LANGUAGE internal STRICT IMMUTABLE PARALLEL SAFE;
CREATE FUNCTION batchinf.json_recv(internal) RETURNS @extschema@.batch_json AS 'json_recv' LANGUAGE internal STRICT IMMUTABLE PARALLEL SAFE;
CREATE FUNCTION batchinf.json_send(@extschema@.batch_json) RETURNS bytea AS 'json_send' LANGUAGE internal STRICT IMMUTABLE PARALLEL SAFE;
CREATE TYPE @extschema@.batch_json (
    INPUT = batchinf.json_in,
    OUTPUT = batchinf.json_out,
    RECEIVE = batchinf.json_recv,
    SEND = batchinf.json_send,
    LIKE = pg_catalog.json);
CREATE CAST (pg_catalog.json AS @extschema@.batch_json) WITHOUT FUNCTION AS IMPLICIT;
CREATE CAST (pg_catalog.jsonb AS @extschema@.batch_json) WITH INOUT AS IMPLICIT;
COMMENT ON TYPE @extschema@.batch_json IS 'JSON in the order in which it was written; takes literals, json, and jsonb, which has an order of its own';
COMMENT ON FUNCTION batchinf.json_in IS 'I/O';
COMMENT ON FUNCTION batchinf.json_out IS 'I/O';
COMMENT ON FUNCTION batchinf.json_recv IS 'I/O';
COMMENT ON FUNCTION batchinf.json_send IS 'I/O';
COMMENT ON CAST (pg_catalog.json AS @extschema@.batch_json) IS 'json keeps the order of members';
COMMENT ON CAST (pg_catalog.jsonb AS @extschema@.batch_json) IS 'jsonb sorts members by the length of their names';

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
        max_failure_rate numeric DEFAULT NULL)
    RETURNS bigint
    AS 'MODULE_PATHNAME', 'batchinf_submit' LANGUAGE C VOLATILE;
COMMENT ON FUNCTION @extschema@.batch_submit(text, name, text, text, text, text, text, regclass, jsonb, @extschema@.batch_json,
        @extschema@.batch_json, text, interval, int, numeric) IS 'turns the rows of a query into batch jobs of a provider; returns the job''s id';

-- adoption never changes whose rights a job has
CREATE FUNCTION @extschema@.batch_adopt(job_id bigint, owner regrole DEFAULT NULL) RETURNS void
    AS 'MODULE_PATHNAME', 'batchinf_adopt' LANGUAGE C VOLATILE;
COMMENT ON FUNCTION @extschema@.batch_adopt(bigint, regrole) IS 'lets a foreign job (of a restored dump, a copied database or before pg_upgrade) go on as the role that has its owner''s name, or, where there is none, as the role that a superuser names; NULL: all foreign jobs that one may adopt';

-- Whose these functions are and who may call them stays as it was.  A GRANT here would be the extension's own, which pg_dump leaves out.
DO $$
DECLARE
    old pg_proc;
    new oid;
BEGIN
    FOR old IN SELECT p.* FROM pg_proc p WHERE p.oid IN ('@extschema@.batch_adopt(bigint)'::regprocedure,
        '@extschema@.batch_submit(text, name, text, text, text, text, text, regclass, jsonb, jsonb, jsonb, text, interval, int)'::regprocedure) LOOP
        SELECT p.oid INTO STRICT new FROM pg_proc p WHERE p.pronamespace = old.pronamespace AND p.proname = old.proname AND p.prosrc = old.prosrc AND p.oid <> old.oid;
        EXECUTE format('ALTER FUNCTION %s OWNER TO %s', new::regprocedure, old.proowner::regrole);
        UPDATE pg_proc SET proacl = old.proacl WHERE oid = new;
        INSERT INTO pg_shdepend SELECT d.dbid, d.classid, new, d.objsubid, d.refclassid, d.refobjid, d.deptype
        FROM pg_shdepend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = old.oid AND d.deptype = 'a'
          AND d.dbid = (SELECT b.oid FROM pg_database b WHERE b.datname = current_database());
    END LOOP;
END $$;
DROP FUNCTION @extschema@.batch_adopt(bigint);
DROP FUNCTION @extschema@.batch_submit(text, name, text, text, text, text, text, regclass, jsonb, jsonb, jsonb, text, interval, int);

-- A validator sees the options of one object: this fits a mapping's to its server's provider.
CREATE FUNCTION batchinf.check_command() RETURNS event_trigger
    AS 'MODULE_PATHNAME', 'batchinf_check_command' LANGUAGE C;
COMMENT ON FUNCTION batchinf.check_command IS 'refuses user mappings with options of another provider, and another provider for a server with user mappings';
REVOKE ALL ON FUNCTION batchinf.check_command() FROM PUBLIC;
CREATE EVENT TRIGGER batchinf_check_command ON ddl_command_start
    WHEN TAG IN ('ALTER SERVER', 'CREATE USER MAPPING', 'ALTER USER MAPPING')
    EXECUTE FUNCTION batchinf.check_command();
COMMENT ON EVENT TRIGGER batchinf_check_command IS 'a secret goes to no provider but the one that it was given for; asked again at each use';

-- the end of a job is announced after the transaction that settles it
ALTER TABLE batchinf.job ADD COLUMN IF NOT EXISTS to_announce bool NOT NULL DEFAULT false;
CREATE INDEX job_to_announce ON batchinf.job (job_id) WHERE to_announce;
COMMENT ON COLUMN batchinf.job.to_announce IS 'the job has ended, and NOTIFY has not said so yet';

-- a deleted job leaves nothing behind, nor do those that were deleted before
CREATE FUNCTION batchinf.forget() RETURNS trigger
    AS 'MODULE_PATHNAME', 'batchinf_forget' LANGUAGE C;
COMMENT ON FUNCTION batchinf.forget IS 'deletes the records, results and events of deleted jobs';
REVOKE ALL ON FUNCTION batchinf.forget() FROM PUBLIC;
CREATE TRIGGER forget AFTER DELETE ON batchinf.job FOR EACH ROW EXECUTE FUNCTION batchinf.forget();
CREATE TRIGGER forget_all AFTER TRUNCATE ON batchinf.job FOR EACH STATEMENT EXECUTE FUNCTION batchinf.forget();
COMMENT ON TRIGGER forget ON batchinf.job IS 'a deleted job leaves nothing behind; chunks go by their foreign key';
COMMENT ON TRIGGER forget_all ON batchinf.job IS 'neither do all of them';
DELETE FROM batchinf.record r WHERE NOT EXISTS (SELECT FROM batchinf.job j WHERE j.job_id = r.job_id);
DELETE FROM batchinf.result s WHERE NOT EXISTS (SELECT FROM batchinf.job j WHERE j.job_id = s.job_id);
DELETE FROM batchinf.event e WHERE NOT EXISTS (SELECT FROM batchinf.job j WHERE j.job_id = e.job_id);

-- what a provider said to one owner is shown to nobody else
ALTER TABLE batchinf.pause ADD COLUMN IF NOT EXISTS requester oid NOT NULL DEFAULT 0, ADD COLUMN IF NOT EXISTS kind text NOT NULL DEFAULT 'error of the provider';
UPDATE batchinf.pause SET requester = owner;
ALTER TABLE batchinf.pause ADD COLUMN IF NOT EXISTS since timestamptz,
    ADD COLUMN IF NOT EXISTS cause text NOT NULL DEFAULT 'failing' CHECK (cause IN ('failing', 'denied', 'missing'));
UPDATE batchinf.pause SET since = at WHERE since IS NULL;
ALTER TABLE batchinf.chunk ADD COLUMN IF NOT EXISTS waiting_since timestamptz;
ALTER TABLE batchinf.job ADD COLUMN IF NOT EXISTS paused_at timestamptz;
-- max_failure_rate
ALTER TABLE batchinf.job ADD COLUMN IF NOT EXISTS pause_reason text, ADD COLUMN IF NOT EXISTS answers_before bigint NOT NULL DEFAULT 0,
    ADD COLUMN IF NOT EXISTS failures_before bigint NOT NULL DEFAULT 0;
ALTER TABLE batchinf.chunk ADD COLUMN IF NOT EXISTS answers bigint NOT NULL DEFAULT 0, ADD COLUMN IF NOT EXISTS bad_answers bigint NOT NULL DEFAULT 0;
COMMENT ON COLUMN batchinf.job.pause_reason IS 'why we paused it; NULL: its owner did';
COMMENT ON COLUMN batchinf.job.answers_before IS 'how many answers all its chunks had when the count for max_failure_rate began';
COMMENT ON COLUMN batchinf.job.failures_before IS 'how many of them had failed';
COMMENT ON COLUMN batchinf.chunk.answers IS 'attempts that ended, each for itself, without cancelled ones';
COMMENT ON COLUMN batchinf.chunk.bad_answers IS 'how many of them were errored, expired, missing or invalid_output';
COMMENT ON FUNCTION @extschema@.batch_resume IS 'ends a pause; the count for max_failure_rate begins again';
COMMENT ON COLUMN batchinf.pause.since IS 'the first of the failures in a row';
COMMENT ON COLUMN batchinf.pause.cause IS 'the server fails; it denies this key; the key, its user mapping or USAGE is missing here';
COMMENT ON COLUMN batchinf.chunk.waiting_since IS 'since when each step has ended with a reason in waiting_for';
COMMENT ON COLUMN batchinf.pause.requester IS 'the owner of the job whose request the provider answered with reason: nobody else is shown these words';
COMMENT ON COLUMN batchinf.pause.kind IS 'what everybody is shown who may use the server';

CREATE OR REPLACE VIEW batchinf.pause_here AS
SELECT q.server, q.owner, q.until, q.reason, q.failures, q.at, q.requester, q.kind, q.since, q.cause
FROM batchinf.pause q
JOIN batchinf.here h ON h.uuid = q.install AND h.database = q.database
JOIN pg_catalog.pg_foreign_server f ON f.oid = q.server;

-- pg_monitor sees states and counts
CREATE FUNCTION batchinf.monitors() RETURNS bool
    LANGUAGE sql STABLE
    RETURN pg_catalog.pg_has_role('pg_read_all_data', 'USAGE') OR pg_catalog.pg_has_role('pg_monitor', 'USAGE');
COMMENT ON FUNCTION batchinf.monitors IS 'may the current user see states and counts of everybody''s jobs, without the words of users and providers?';

CREATE OR REPLACE VIEW @extschema@.batch_chunks WITH (security_barrier) AS
SELECT k.job_id, k.chunk_id, k.attempt,
       CASE WHEN k.waiting_for IS NOT NULL AND k.next_step_at IS NOT NULL AND k.state <> 'ambiguous' THEN 'waiting' ELSE k.state END AS state,
       k.records, k.bytes, CASE WHEN batchinf.visible(j.role) THEN k.batch_id END AS provider_batch_id, k.submitted_at, k.ended_at,
       GREATEST(k.next_step_at, p.until) AS next_step_at,
       COALESCE(CASE WHEN batchinf.visible(j.role) THEN k.waiting_for END, p.reason) AS waiting_for,
       CASE WHEN batchinf.visible(j.role) THEN k.error END AS error,
       k.state AS step, k.batch_end AS provider_state, k.tokens AS estimated_tokens, k.intent, k.duplicates, k.unknown, k.malformed
FROM batchinf.chunk k
JOIN batchinf.job_here j ON j.job_id = k.job_id
LEFT JOIN LATERAL (SELECT max(q.until) AS until, (array_agg(CASE WHEN batchinf.visible(q.requester) THEN q.reason ELSE q.kind END ORDER BY q.until DESC))[1] AS reason
                   FROM batchinf.pause_here q
                   WHERE q.server = j.server AND q.owner IN (0, j.role) AND q.until > pg_catalog.now() AND k.next_step_at IS NOT NULL) p ON true
WHERE batchinf.visible(j.role) OR batchinf.monitors();

COMMENT ON FUNCTION batchinf.server_limits IS 'the limits in force for a server: its options over its provider''s defaults';
COMMENT ON VIEW @extschema@.batch_servers IS 'the servers one may use or monitor, their limits and what holds them up';
CREATE OR REPLACE VIEW @extschema@.batch_servers WITH (security_barrier) AS
SELECT s.srvname AS server,
       (SELECT o.option_value FROM pg_catalog.pg_options_to_table(s.srvoptions) o WHERE o.option_name = 'provider') AS provider,
       (SELECT o.option_value FROM pg_catalog.pg_options_to_table(s.srvoptions) o WHERE o.option_name = 'model') AS model,
       batchinf.server_limits(s.oid) AS limits,
       (SELECT count(*) FROM batchinf.chunk k JOIN batchinf.job j ON j.job_id = k.job_id
        JOIN batchinf.here h ON h.uuid = j.install AND h.database = j.database
        WHERE j.server = s.oid AND k.next_step_at IS NOT NULL
          AND k.state IN ('creating', 'submitted', 'running', 'cancelling', 'ambiguous')) AS batches_in_flight,
       CASE WHEN st.server IS NOT NULL THEN 'infinity' ELSE p.until END AS paused_until,
       CASE WHEN st.server IS NOT NULL THEN 'batch_pause_server by ' || st.paused_by ELSE p.reason END AS pause_reason, l.reason AS last_error, l.at AS last_error_at
FROM pg_catalog.pg_foreign_server s
JOIN pg_catalog.pg_foreign_data_wrapper w ON w.oid = s.srvfdw AND w.fdwname = 'batchinf'
LEFT JOIN batchinf.stop_here st ON st.server = s.oid
LEFT JOIN LATERAL (SELECT q.until, CASE WHEN batchinf.visible(q.requester) THEN q.reason ELSE q.kind END AS reason FROM batchinf.pause_here q
                   WHERE q.server = s.oid AND q.until > pg_catalog.now() AND (q.owner = 0 OR batchinf.visible(q.owner) OR batchinf.monitors())
                   ORDER BY q.until DESC LIMIT 1) p ON true
LEFT JOIN LATERAL (SELECT q.at, CASE WHEN batchinf.visible(q.requester) THEN q.reason ELSE q.kind END AS reason FROM batchinf.pause_here q
                   WHERE q.server = s.oid AND q.failures > 0 AND (q.owner = 0 OR batchinf.visible(q.owner) OR batchinf.monitors()) ORDER BY q.at DESC LIMIT 1) l ON true
WHERE pg_catalog.has_server_privilege(s.oid, 'USAGE') OR batchinf.monitors();

-- custom settings of a job are shown to its owner only
CREATE FUNCTION batchinf.is_owner(owner oid) RETURNS bool
    LANGUAGE sql STABLE
    RETURN EXISTS (SELECT FROM pg_catalog.pg_roles r WHERE r.oid OPERATOR(pg_catalog.=) owner AND pg_catalog.pg_has_role(r.oid, 'USAGE'));
COMMENT ON FUNCTION batchinf.is_owner IS 'has the current user the rights of this role, which may be gone?';
CREATE OR REPLACE FUNCTION batchinf.visible(owner oid) RETURNS bool
    LANGUAGE sql STABLE
    RETURN pg_catalog.pg_has_role('pg_read_all_data', 'USAGE') OR batchinf.is_owner(owner);

-- why a job waits
CREATE FUNCTION batchinf.no_worker() RETURNS text
    AS 'MODULE_PATHNAME', 'batchinf_no_worker' LANGUAGE C STRICT STABLE;
COMMENT ON FUNCTION batchinf.no_worker IS 'why no background worker works in this database; NULL: one does';

CREATE VIEW batchinf.job_wait AS
SELECT j.job_id, w.kind || ' ' || pg_catalog.split_part(w.reason, ':', 1) AS topic, w.reason, w.since, w.until,
       w.reason || COALESCE('; since ' || pg_catalog.to_char(w.since, 'YYYY-MM-DD HH24:MI:SS TZ'), '')
                || COALESCE('; next try ' || pg_catalog.to_char(w.until, 'YYYY-MM-DD HH24:MI:SS TZ'), '') AS waiting_for
FROM batchinf.job j
JOIN batchinf.job_here o ON o.job_id = j.job_id
CROSS JOIN LATERAL (
    SELECT COALESCE((SELECT s.srvname FROM pg_catalog.pg_foreign_server s WHERE s.oid = j.server), j.server_name) AS server,
           pg_catalog.pg_get_userbyid(j.owner) AS owner) n
CROSS JOIN LATERAL (
    SELECT * FROM (
    SELECT 1 AS rank, 'foreign' AS kind, pg_catalog.format('the job belongs to another installation; batch_adopt(%s) lets it go on here', j.job_id) AS reason,
           NULL::timestamptz AS since, NULL::timestamptz AS until
    WHERE NOT o.ours
    UNION ALL
    SELECT 2, 'paused', pg_catalog.format('the job is paused%s; batch_resume(%s) lets it go on', ': ' || j.pause_reason, j.job_id), j.paused_at, NULL
    WHERE o.ours AND j.paused AND j.cancelled_at IS NULL
    UNION ALL
    SELECT 3, 'server paused', pg_catalog.format('server "%s" is paused by its owner; batch_resume_server(%L) lets its jobs go on', n.server, n.server), st.since, NULL
    FROM batchinf.stop_here st
    WHERE st.server = j.server AND j.cancelled_at IS NULL
      AND EXISTS (SELECT FROM batchinf.chunk k WHERE k.job_id = j.job_id AND k.state IN ('planned', 'uploading', 'uploaded'))
    UNION ALL
    SELECT 4, 'no worker', pg_catalog.format('no background worker does this job: %s CALL batch_work() does it in a session', batchinf.no_worker()), d.at, NULL
    FROM (SELECT min(LEAST(u.step_at, u.write_at)) AS at FROM batchinf.due u WHERE u.job_id = j.job_id
          HAVING NOT bool_or(u.held)) d
    WHERE d.at < pg_catalog.now() - interval '5 seconds' AND batchinf.no_worker() IS NOT NULL
    UNION ALL
    (SELECT 5, 'server',
            CASE WHEN q.cause = 'missing' THEN q.reason
                 WHEN q.cause = 'denied' THEN pg_catalog.format('server "%s" refuses the key of role "%s": %s; batch_check(%L) tries it, ALTER USER MAPPING gives another',
                                                                n.server, n.owner, y.words, n.server)
                 WHEN q.owner = j.owner THEN pg_catalog.format('server "%s" takes no more from role "%s" now: %s; the job goes on by itself', n.server, n.owner, y.words)
                 ELSE pg_catalog.format('server "%s" does not work now: %s; the job goes on by itself when it does', n.server, y.words) END,
            q.since, q.until
     FROM batchinf.pause_here q
     CROSS JOIN LATERAL (SELECT CASE WHEN q.requester = j.owner THEN q.reason ELSE q.kind END) y(words)
     WHERE q.server = j.server AND q.owner IN (0, j.owner) AND q.failures > 0
       AND EXISTS (SELECT FROM batchinf.chunk k WHERE k.job_id = j.job_id AND k.next_step_at IS NOT NULL)
     ORDER BY q.until DESC LIMIT 1)
    UNION ALL
    (SELECT 6, 'chunk',
            CASE WHEN k.state = 'ambiguous' THEN pg_catalog.format('it is not known whether the provider has a batch: %s; batch_cancel(%s) gives it up', k.waiting_for, j.job_id)
                 WHEN k.waiting_for LIKE 'room at the server%' THEN k.waiting_for || '; it goes on when a batch there has ended'
                 ELSE k.waiting_for END, k.waiting_since, k.next_step_at
     FROM batchinf.chunk k
     WHERE k.job_id = j.job_id AND k.next_step_at IS NOT NULL AND k.waiting_for IS NOT NULL
     ORDER BY k.state <> 'ambiguous', k.waiting_for LIKE 'room at the server%', k.waiting_since LIMIT 1)
    UNION ALL
    (SELECT 7, 'write', pg_catalog.format('answers that could not be written to %s: %s; they are written as soon as that is possible', j.target_name, s.write_error),
            s.finished_at, k.write_at
     FROM batchinf.chunk k
     JOIN LATERAL (SELECT r.write_error, r.finished_at FROM batchinf.result r WHERE r.chunk_id = k.chunk_id AND r.write_state = 'waiting' LIMIT 1) s ON true
     WHERE k.job_id = j.job_id AND k.write_waiting > 0 LIMIT 1)) v
    WHERE o.ours OR v.rank = 1
    ORDER BY v.rank LIMIT 1) w
WHERE j.ended IS NULL;
COMMENT ON VIEW batchinf.job_wait IS 'why each job that has not ended waits: the most important reason, since when and until when; topic changes with the reason';

CREATE OR REPLACE VIEW @extschema@.batch_jobs WITH (security_barrier) AS
SELECT job_id, CASE WHEN batchinf.visible(owner_oid) THEN name END AS name, owner, server, model, task, state,
       records, pending, succeeded, invalid_output, errored, expired, cancelled, missing, skipped,
       written, write_waiting, stale, target_missing, write_failed, progress, input_tokens, output_tokens, created_at, deadline, finished_at,
       CASE WHEN batchinf.visible(owner_oid) THEN error END AS error, target, cached_tokens, retried, duplicates, unknown, malformed,
       CASE WHEN batchinf.is_owner(owner_oid) THEN NULLIF(settings, 'null') END AS settings,
       CASE WHEN batchinf.visible(owner_oid) THEN (SELECT w.waiting_for FROM batchinf.job_wait w WHERE w.job_id = s.job_id) END AS waiting_for
FROM batchinf.job_status s
WHERE batchinf.visible(owner_oid) OR batchinf.monitors();
COMMENT ON PROCEDURE @extschema@.batch_wait(bigint, interval) IS 'waits until a job has completed, failed or been cancelled, and says what it waits for';

-- NULL as a job is an error
CREATE OR REPLACE FUNCTION @extschema@.batch_cancel(job_id bigint) RETURNS void
    AS 'MODULE_PATHNAME', 'batchinf_cancel' LANGUAGE C VOLATILE;
CREATE OR REPLACE FUNCTION @extschema@.batch_pause(job_id bigint) RETURNS void
    AS 'MODULE_PATHNAME', 'batchinf_pause' LANGUAGE C VOLATILE;
CREATE OR REPLACE FUNCTION @extschema@.batch_resume(job_id bigint) RETURNS void
    AS 'MODULE_PATHNAME', 'batchinf_resume' LANGUAGE C VOLATILE;
CREATE OR REPLACE FUNCTION @extschema@.batch_retry(job_id bigint, outcomes text[] DEFAULT '{errored,expired,missing,invalid_output}') RETURNS bigint
    AS 'MODULE_PATHNAME', 'batchinf_retry' LANGUAGE C VOLATILE;
COMMENT ON FUNCTION @extschema@.batch_retry(bigint, text[]) IS 'sends the records that ended so again, with the input that was stored at batch_submit, not with what the rows hold now; how many';

CREATE FUNCTION @extschema@.batch_retry(job_id bigint, outcome text) RETURNS bigint
    AS 'MODULE_PATHNAME', 'batchinf_retry_text' LANGUAGE C VOLATILE;
COMMENT ON FUNCTION @extschema@.batch_retry(bigint, text) IS 'the same for one outcome';

CREATE FUNCTION @extschema@.batch_pause_server(server name) RETURNS void
    AS 'MODULE_PATHNAME', 'batchinf_pause_server' LANGUAGE C VOLATILE;
COMMENT ON FUNCTION @extschema@.batch_pause_server IS 'nothing new of any job is sent to the server; running batches are still followed and delivered. For the server''s owner';

CREATE FUNCTION @extschema@.batch_resume_server(server name) RETURNS void
    AS 'MODULE_PATHNAME', 'batchinf_resume_server' LANGUAGE C VOLATILE;
COMMENT ON FUNCTION @extschema@.batch_resume_server IS 'ends a pause of the whole server';

CREATE PROCEDURE @extschema@.batch_wait(job_id bigint, timeout text)
    AS 'MODULE_PATHNAME', 'batchinf_wait_text' LANGUAGE C;
COMMENT ON PROCEDURE @extschema@.batch_wait(bigint, text) IS 'the same; takes literals';

CREATE PROCEDURE @extschema@.batch_wait(job_id bigint, timeout int)
    AS 'MODULE_PATHNAME', 'batchinf_wait_number' LANGUAGE C;
COMMENT ON PROCEDURE @extschema@.batch_wait(bigint, int) IS 'says that a timeout is an interval';
