\set ECHO none
-- The unit module's functions, for the sessions of unit_*.sql; :module is its path.
SET client_min_messages = warning;
CREATE SCHEMA unit;
SET search_path = unit;
CREATE FUNCTION unit_json(bytea) RETURNS text AS :'module' LANGUAGE c STRICT;
CREATE FUNCTION unit_json_read(bytea, text) RETURNS text AS :'module' LANGUAGE c STRICT;
CREATE FUNCTION unit_json_string(text) RETURNS text AS :'module' LANGUAGE c STRICT;
CREATE FUNCTION unit_canonical(bytea) RETURNS text AS :'module' LANGUAGE c STRICT;
CREATE FUNCTION unit_loose(text) RETURNS text AS :'module' LANGUAGE c STRICT;
CREATE FUNCTION unit_measure(bytea, text) RETURNS bigint AS :'module' LANGUAGE c STRICT;
CREATE FUNCTION unit_schema(bytea, bytea) RETURNS text AS :'module' LANGUAGE c STRICT;
CREATE FUNCTION unit_schema_suite(bytea) RETURNS text AS :'module' LANGUAGE c STRICT;
CREATE FUNCTION unit_address(text) RETURNS text AS :'module' LANGUAGE c STRICT;
CREATE FUNCTION unit_backoff(bigint, float8, bigint, int, float8)
  RETURNS bigint AS :'module' LANGUAGE c STRICT;
CREATE FUNCTION unit_pace(bigint, bigint, float8) RETURNS float8 AS :'module' LANGUAGE c STRICT;
CREATE FUNCTION unit_slow(bigint, text) RETURNS text AS :'module' LANGUAGE c STRICT;
CREATE FUNCTION unit_window(text, timestamptz) RETURNS text AS :'module' LANGUAGE c STRICT;
CREATE FUNCTION unit_retry_after(text, bigint) RETURNS bigint AS :'module' LANGUAGE c STRICT;
CREATE FUNCTION unit_limits(bytea) RETURNS text AS :'module' LANGUAGE c STRICT;
CREATE FUNCTION unit_refuse(bytea, text) RETURNS text AS :'module' LANGUAGE c;
CREATE FUNCTION unit_embedding_size(bytea) RETURNS int AS :'module' LANGUAGE c STRICT;
CREATE FUNCTION unit_frame(bytea, text) RETURNS text AS :'module' LANGUAGE c STRICT;
CREATE FUNCTION unit_secret(bytea) RETURNS text AS :'module' LANGUAGE c STRICT;
CREATE FUNCTION unit_account(bytea, text) RETURNS text AS :'module' LANGUAGE c STRICT;
CREATE FUNCTION unit_blot(text, text) RETURNS text AS :'module' LANGUAGE c STRICT;
CREATE FUNCTION unit_request(text, bytea) RETURNS text AS :'module' LANGUAGE c STRICT;
CREATE FUNCTION unit_reply(text, bytea, bytea) RETURNS text AS :'module' LANGUAGE c STRICT;
CREATE FUNCTION unit_line(bytea, bytea) RETURNS text AS :'module' LANGUAGE c STRICT;
CREATE FUNCTION unit_fingerprint(bytea, bytea) RETURNS text AS :'module' LANGUAGE c STRICT;
CREATE FUNCTION unit_openai_strict(bytea) RETURNS bool AS :'module' LANGUAGE c STRICT;
CREATE FUNCTION unit_sigv4(bytea) RETURNS text AS :'module' LANGUAGE c STRICT;
CREATE FUNCTION unit_graphemes(int[]) RETURNS text AS :'module' LANGUAGE c STRICT;
CREATE FUNCTION unit_split(bytea, text, int, int) RETURNS text AS :'module' LANGUAGE c STRICT;
RESET client_min_messages;
\set ECHO all
