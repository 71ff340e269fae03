-- batchinf: from 0.1.0 to 0.2.0.
-- Afterwards all is as CREATE EXTENSION makes it: test/upgrade compares the catalogs.

-- complain if script is sourced in psql, rather than via ALTER EXTENSION UPDATE
\echo Use "ALTER EXTENSION batchinf UPDATE TO '0.2.0'" to load this file. \quit

-- what others have made in the extension's schema must not stand in for PostgreSQL's own
SET LOCAL search_path TO pg_catalog, pg_temp;

-- "is that batch one of ours?" without reading all chunks
CREATE INDEX chunk_batch ON batchinf.chunk (batch_id) WHERE batch_id IS NOT NULL;
CREATE INDEX chunk_dead ON batchinf.chunk (chunk_id) WHERE refs ? 'dead';
