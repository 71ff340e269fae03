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
