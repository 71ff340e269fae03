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
COMMENT ON FUNCTION @extschema@.batch_adopt IS 'makes a foreign job (of a restored dump, a copied database or before pg_upgrade) one''s own; NULL: all of them';

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

CREATE OR REPLACE VIEW batchinf.due AS
SELECT c.chunk_id, j.server, j.owner, w.wish,
       -- when its next step may be taken; NULL: not while the job is paused
       CASE WHEN c.next_step_at IS NULL THEN NULL
            WHEN w.wish IS NOT NULL AND c.state IN ('planned', 'uploading', 'uploaded', 'submitted', 'running', 'ambiguous') THEN j.created_at
            WHEN j.paused AND c.state IN ('planned', 'uploading', 'uploaded') THEN j.deadline
            ELSE LEAST(GREATEST(c.next_step_at, p.until), CASE WHEN w.wish IS NULL THEN j.deadline END) END AS step_at,
       CASE WHEN c.write_waiting > 0 THEN c.write_at END AS write_at,
       -- a claim is void only when its process is gone, never by time
       COALESCE(batchinf.is_alive(c.holder_pid, c.holder_start), false) AS held,
       COALESCE(p.failures, 0) AS server_failures,
       j.paused AND w.wish IS NULL AND c.state IN ('planned', 'uploading', 'uploaded') AS paused,
       -- what has been paid for goes before what is ready to be, and that before what is new
       c.job_id, CASE c.state WHEN 'planned' THEN 2 WHEN 'uploading' THEN 2 WHEN 'uploaded' THEN 1 ELSE 0 END AS class,
       c.next_step_at AS asked_at
FROM batchinf.chunk c
JOIN batchinf.job j ON j.job_id = c.job_id
JOIN batchinf.here h ON h.uuid = j.install AND h.database = j.database
CROSS JOIN LATERAL (SELECT CASE WHEN j.cancelled_at IS NOT NULL THEN 'cancel' WHEN j.deadline <= pg_catalog.now() THEN 'deadline' END) w(wish)
LEFT JOIN LATERAL (SELECT max(q.until) AS until, max(q.failures) AS failures FROM batchinf.pause_here q
                   WHERE q.server = j.server AND q.owner IN (0, j.owner)) p ON true
WHERE c.next_step_at IS NOT NULL OR c.write_waiting > 0;

COMMENT ON FOREIGN DATA WRAPPER batchinf IS 'endpoints of model providers with a batch API: openai, azure_openai, anthropic, bedrock, vertex, gemini';
