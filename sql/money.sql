-- batchinf: prices, estimates, what was spent, budgets.
-- A part of both scripts that make this version, for CREATE EXTENSION and for ALTER EXTENSION
-- UPDATE: the build puts it in place of their line "-- sql/money.sql".  An update may run again,
-- so each statement must be able to run again.

--
-- Prices, in US dollars for a million tokens.
--
-- What the extension ships: sql/prices.sql fills it, and replaces it with each update.
CREATE TABLE IF NOT EXISTS batchinf.price_list (
    provider     text NOT NULL,
    model        text NOT NULL,
    mode         text NOT NULL CHECK (mode IN ('batch', 'flex', 'realtime')),
    kind         text NOT NULL
        CHECK (kind IN ('input', 'cached_input', 'cache_write', 'cache_write_1h', 'output')),
    above_tokens bigint NOT NULL CHECK (above_tokens >= 0),
    valid_from   timestamptz NOT NULL,
    per_million  numeric NOT NULL CHECK (per_million >= 0 AND per_million < 'Infinity'),
    place        text CHECK (place IN ('global', 'us')),
    source       text NOT NULL,
    PRIMARY KEY (provider, model, mode, kind, above_tokens, valid_from)
);

-- What batch_set_price has set.
CREATE TABLE IF NOT EXISTS batchinf.price (
    price_id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    provider     text NOT NULL,
    model        text NOT NULL,
    mode         text NOT NULL CHECK (mode IN ('batch', 'flex', 'realtime')),
    kind         text NOT NULL
        CHECK (kind IN ('input', 'cached_input', 'cache_write', 'cache_write_1h', 'output')),
    above_tokens bigint NOT NULL CHECK (above_tokens >= 0),
    valid_from   timestamptz NOT NULL,
    per_million  numeric CHECK (per_million >= 0 AND per_million < 'Infinity'),
    server       oid,
    server_name  name,
    server_owner name,
    install      uuid NOT NULL,
    database     oid NOT NULL,
    set_by       name NOT NULL,
    set_at       timestamptz NOT NULL DEFAULT pg_catalog.now(),
    CHECK ((server IS NULL) = (server_name IS NULL)),
    CHECK ((server IS NULL) = (server_owner IS NULL))
);
CREATE INDEX IF NOT EXISTS price_mode ON batchinf.price (provider, mode);
SELECT pg_catalog.pg_extension_config_dump('batchinf.price', '');
SELECT pg_catalog.pg_extension_config_dump('batchinf.price_price_id_seq', '');

-- A server is known by its oid here, and by its name in a copy, or when it was created again. Who
-- takes the name of another owner's server does not get its prices.
CREATE OR REPLACE VIEW batchinf.price_here AS
SELECT p.price_id, p.provider, p.model, p.mode, p.kind, p.above_tokens, p.valid_from,
       p.per_million, p.set_by, p.set_at, p.server_name,
       CASE WHEN p.server IS NOT NULL THEN COALESCE(
           (SELECT f.oid FROM pg_catalog.pg_foreign_server f, batchinf.here h
            WHERE f.oid = p.server AND h.uuid = p.install AND h.database = p.database),
           (SELECT f.oid FROM pg_catalog.pg_foreign_server f
            WHERE f.srvname = p.server_name
              AND pg_catalog.pg_get_userbyid(f.srvowner) = p.server_owner), 0) END AS server
FROM batchinf.price p;

CREATE OR REPLACE VIEW batchinf.price_server AS
SELECT f.oid AS server, o.provider,
       CASE WHEN o.provider = 'bedrock' AND o.region ~ '^us-(east|west)-' THEN 'us'
            WHEN o.provider = 'vertex' AND o.location = 'global' THEN 'global' END AS place
FROM pg_catalog.pg_foreign_server f
JOIN pg_catalog.pg_foreign_data_wrapper w ON w.oid = f.srvfdw AND w.fdwname = 'batchinf'
CROSS JOIN LATERAL (
    SELECT max(p.option_value) FILTER (WHERE p.option_name = 'provider') AS provider,
           max(p.option_value) FILTER (WHERE p.option_name = 'region') AS region,
           max(p.option_value) FILTER (WHERE p.option_name = 'location') AS location
    FROM pg_catalog.pg_options_to_table(f.srvoptions) p) o;

-- For whose account a job's answers are, in the words of the ledger.
CREATE OR REPLACE VIEW batchinf.payer AS
SELECT j.job_id, j.install, j.database, j.owner,
       COALESCE((SELECT r.rolname FROM pg_catalog.pg_roles r WHERE r.oid = j.owner AND o.ours),
                j.owner_name) AS owner_name,
       j.server, COALESCE(f.srvname, j.server_name) AS server_name, s.provider, j.model,
       'batch'::text AS mode, (j.spec ->> 'pipeline')::int AS pipeline_id
FROM batchinf.job j
JOIN batchinf.job_here o ON o.job_id = j.job_id
LEFT JOIN pg_catalog.pg_foreign_server f ON f.oid = o.server
LEFT JOIN batchinf.price_server s ON s.server = f.oid;

CREATE OR REPLACE FUNCTION batchinf.price_name(provider text, model text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN pg_catalog.lower(CASE provider
        WHEN 'bedrock' THEN pg_catalog.regexp_replace(
            model, '^arn:[^:]*:bedrock:[^/]*:(inference-profile|foundation-model)/', '')
        WHEN 'vertex' THEN pg_catalog.regexp_replace(
            model, '^((projects/[^/]+/locations/[^/]+/)?publishers/(google|anthropic)/models/'
                   '|(google|anthropic)/)', '')
        WHEN 'gemini' THEN pg_catalog.regexp_replace(model, '^models/', '')
        ELSE model END);

CREATE OR REPLACE FUNCTION batchinf.undated(model text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN pg_catalog.regexp_replace(
        model, '([-@]20[0-9]{2}(-?)(0[1-9]|1[0-2])\2(0[1-9]|[12][0-9]|3[01])|@default)$', '');

CREATE OR REPLACE FUNCTION batchinf.prices_of(
        server oid, model text, answered text, mode text, at timestamptz)
    RETURNS TABLE (kind text, above_tokens bigint, per_million numeric, own bool, name text,
                   valid_from timestamptz, source text)
    LANGUAGE sql STABLE
BEGIN ATOMIC
    WITH given AS (
        SELECT s.provider, s.place, batchinf.price_name(s.provider, prices_of.model) AS asked,
               batchinf.price_name(s.provider, prices_of.answered) AS answered
        FROM batchinf.price_server s
        WHERE s.server = prices_of.server
    ), listed_name AS (
        -- the model that answered has its own price, not that of the name that was asked for: but
        -- at Bedrock only the id that is asked for tells where it runs
        SELECT g.provider, g.place, n.rank, n.name
        FROM given g
        CROSS JOIN LATERAL (SELECT CASE
            WHEN g.provider = 'bedrock' OR g.answered IS NULL
                 -- gemini-2.0-flash is answered by gemini-2.0-flash-001
                 OR (pg_catalog.starts_with(g.answered, g.asked)
                     AND pg_catalog.substr(g.answered, pg_catalog.length(g.asked) + 1)
                         ~ '^-[0-9]{3}$')
                THEN g.asked ELSE g.answered END) b(name)
        CROSS JOIN LATERAL (VALUES (1, COALESCE(g.answered, g.asked)), (2, b.name),
                                   (3, batchinf.undated(b.name))) n(rank, name)
        WHERE n.rank > 1 OR g.provider <> 'bedrock'
    ), own_name AS (
        SELECT g.provider, ARRAY[pg_catalog.lower(prices_of.model), g.asked, g.answered,
                                 batchinf.undated(g.asked), batchinf.undated(g.answered)] AS names
        FROM given g
    ), found AS (
        SELECT DISTINCT ON (p.kind, p.above_tokens, p.server IS NULL, p.model)
               p.kind, p.above_tokens, p.per_million, true AS own, p.model AS name, p.valid_from,
               'set by ' || p.set_by AS source,
               -- an own price of the server, then of its provider; a name, then a pattern, the
               -- longest first
               ARRAY[0, (p.server IS NULL)::int,
                     (pg_catalog.replace(p.model, '\\', '') ~ '(^|[^\\])[%_]')::int,
                     - pg_catalog.length(p.model)] AS rank
        FROM own_name o
        JOIN batchinf.price_here p ON p.provider = o.provider AND p.mode = prices_of.mode
            AND (p.server IS NULL OR p.server = prices_of.server)
        WHERE p.valid_from <= prices_of.at
          AND EXISTS (SELECT FROM pg_catalog.unnest(o.names) n(name)
                      WHERE n.name LIKE pg_catalog.lower(p.model))
        ORDER BY p.kind, p.above_tokens, p.server IS NULL, p.model, p.valid_from DESC,
                 p.price_id DESC
    ), listed AS (
        SELECT DISTINCT ON (l.kind, l.above_tokens, n.rank)
               l.kind, l.above_tokens, l.per_million, false AS own, l.model AS name, l.valid_from,
               l.source, ARRAY[1, n.rank] AS rank
        FROM listed_name n
        JOIN batchinf.price_list l ON l.provider = n.provider AND l.model = n.name
            AND l.mode = prices_of.mode AND (l.place IS NULL OR l.place = n.place)
        WHERE l.valid_from <= prices_of.at
        ORDER BY l.kind, l.above_tokens, n.rank, l.valid_from DESC
    ), candidate AS (
        SELECT f.* FROM found f WHERE f.per_million IS NOT NULL
        UNION ALL
        SELECT l.* FROM listed l
    )
    -- of each kind: the first that has a price for all prompts, and tiers of those before it
    SELECT DISTINCT ON (c.kind, c.above_tokens)
           c.kind, c.above_tokens, c.per_million, c.own, c.name, c.valid_from, c.source
    FROM candidate c
    WHERE NOT EXISTS (SELECT FROM candidate b
                      WHERE b.kind = c.kind AND b.above_tokens = 0
                        AND (b.rank, b.name) < (c.rank, c.name))
    ORDER BY c.kind, c.above_tokens, c.rank, c.name;
END;

-- One array, or no row if there is no price. A row of the array is a tier: above how many tokens,
-- then the prices of input, cached_input, cache_write, cache_write_1h and output.
CREATE OR REPLACE FUNCTION batchinf.tariff(
        server oid, model text, answered text, mode text, at timestamptz)
    RETURNS TABLE (tiers numeric[])
    LANGUAGE sql STABLE
BEGIN ATOMIC
    WITH price AS (
        SELECT p.kind, p.above_tokens, p.per_million
        FROM batchinf.prices_of(tariff.server, tariff.model, tariff.answered, tariff.mode,
                                tariff.at) p
    ), tier AS (
        SELECT t.above_tokens,
               (SELECT pg_catalog.jsonb_object_agg(k.kind, k.per_million)
                FROM (SELECT DISTINCT ON (p.kind) p.kind, p.per_million
                      FROM price p WHERE p.above_tokens <= t.above_tokens
                      ORDER BY p.kind, p.above_tokens DESC) k) AS prices
        FROM (SELECT DISTINCT p.above_tokens FROM price p) t
    )
    SELECT array_agg(ARRAY[t.above_tokens, (t.prices ->> 'input')::numeric,
                           -- without a discount
                           COALESCE(t.prices ->> 'cached_input', t.prices ->> 'input')::numeric,
                           (t.prices ->> 'cache_write')::numeric,
                           (t.prices ->> 'cache_write_1h')::numeric,
                           (t.prices ->> 'output')::numeric] ORDER BY t.above_tokens)
    FROM tier t
    HAVING bool_or(t.above_tokens = 0 AND t.prices ? 'input');
END;

CREATE OR REPLACE FUNCTION batchinf.cost(
        tariff numeric[], input_tokens bigint, cached_tokens bigint, cache_write_tokens bigint,
        cache_write_1h_tokens bigint, output_tokens bigint, factor numeric DEFAULT 1)
    RETURNS numeric
    AS 'MODULE_PATHNAME', 'batchinf_cost' LANGUAGE C IMMUTABLE PARALLEL SAFE;

CREATE OR REPLACE FUNCTION @extschema@.batch_set_price(
        provider     text,
        model        text,
        mode         text,
        kind         text,
        per_million  numeric,
        server       name DEFAULT NULL,
        valid_from   timestamptz DEFAULT pg_catalog.now(),
        above_tokens bigint DEFAULT 0)
    RETURNS void
    AS 'MODULE_PATHNAME', 'batchinf_set_price' LANGUAGE C VOLATILE;

CREATE OR REPLACE VIEW @extschema@.batch_prices WITH (security_barrier) AS
WITH price AS (
    SELECT p.provider, p.server, p.server_name, p.model, p.mode, p.kind, p.above_tokens,
           p.per_million, p.valid_from, true AS own, NULL::text AS place,
           pg_catalog.format('set by %s, %s', p.set_by,
                             pg_catalog.to_char(p.set_at, 'YYYY-MM-DD')) AS source
    FROM batchinf.price_here p
    WHERE p.server IS NULL OR batchinf.monitors()
       OR EXISTS (SELECT FROM pg_catalog.pg_foreign_server f
                  WHERE f.oid = p.server AND pg_catalog.has_server_privilege(f.oid, 'USAGE'))
    UNION ALL
    SELECT l.provider, NULL, NULL, l.model, l.mode, l.kind, l.above_tokens, l.per_million,
           l.valid_from, false, l.place, l.source
    FROM batchinf.price_list l
), dated AS (
    SELECT p.*,
           pg_catalog.lead(p.valid_from) OVER (
               PARTITION BY p.own, p.provider, p.server, p.model, p.mode, p.kind, p.above_tokens
               ORDER BY p.valid_from) AS until
    FROM price p
), own AS MATERIALIZED (
    SELECT d.* FROM dated d
    WHERE d.own AND d.server IS NULL AND d.per_million IS NOT NULL
      AND d.valid_from <= pg_catalog.now()
      AND (d.until > pg_catalog.now() OR d.until IS NULL)
)
SELECT d.provider, COALESCE(f.srvname, d.server_name) AS server, d.model, d.mode, d.kind,
       d.above_tokens, d.per_million, 'USD'::text AS currency, d.valid_from,
       CASE WHEN d.own THEN 'own' ELSE 'shipped' END AS origin,
       CASE WHEN d.until <= pg_catalog.now() THEN 'past'
            WHEN d.per_million IS NULL THEN 'ended'
            WHEN d.valid_from > pg_catalog.now() THEN 'future'
            WHEN d.server = 0 THEN 'no server'
            WHEN NOT d.own AND EXISTS (
                SELECT FROM own o
                WHERE o.provider = d.provider AND o.mode = d.mode AND o.kind = d.kind
                  AND o.above_tokens IN (0, d.above_tokens)
                  AND d.model LIKE pg_catalog.lower(o.model)) THEN 'overridden'
            ELSE 'in force' END AS state,
       d.place, d.source
FROM dated d
LEFT JOIN pg_catalog.pg_foreign_server f ON f.oid = d.server;
GRANT SELECT ON @extschema@.batch_prices TO PUBLIC;

COMMENT ON FUNCTION @extschema@.batch_set_price IS
    'Sets a price of your own, in US dollars for a million tokens. It wins over the shipped ones. '
    'NULL ends it from valid_from on. model is a pattern, as for LIKE; without a server it is for '
    'all servers of the provider. For superusers and members of the role that owns the extension.';
COMMENT ON VIEW @extschema@.batch_prices IS
    'Prices, those that the extension ships and your own. A server''s own price comes first, then '
    'your own of its provider, then the shipped one. Of your own a name comes before a pattern, '
    'and a longer pattern before a shorter one. What has no price is not counted as 0: its cost is '
    'NULL, and it is unpriced.';
COMMENT ON COLUMN @extschema@.batch_prices.provider IS 'option provider of the servers';
COMMENT ON COLUMN @extschema@.batch_prices.server IS
    'the foreign server that it is for; NULL: all of the provider';
COMMENT ON COLUMN @extschema@.batch_prices.model IS
    'name of the model; for your own prices a pattern, as for LIKE';
COMMENT ON COLUMN @extschema@.batch_prices.mode IS
    'How the request is made.
batch: in a batch.
flex: now, in the provider''s cheaper service.
realtime: now.';
COMMENT ON COLUMN @extschema@.batch_prices.kind IS
    'What is paid for.
input: tokens of the request that no cache is concerned with.
cached_input: tokens that are read from a cache; without a price as input.
cache_write: tokens that are written to a cache.
cache_write_1h: tokens that are written to a cache for an hour.
output: tokens of the answer, reasoning included.';
COMMENT ON COLUMN @extschema@.batch_prices.above_tokens IS
    'for requests with more input tokens than this, cached ones included; 0: for all';
COMMENT ON COLUMN @extschema@.batch_prices.per_million IS
    'US dollars for a million tokens; NULL: your own price has ended';
COMMENT ON COLUMN @extschema@.batch_prices.currency IS 'USD';
COMMENT ON COLUMN @extschema@.batch_prices.valid_from IS 'since when';
COMMENT ON COLUMN @extschema@.batch_prices.origin IS
    'Where it is from.
own: batch_set_price.
shipped: the extension; its next release may change it.';
COMMENT ON COLUMN @extschema@.batch_prices.state IS
    'Whether it counts now.
in force: it does, where no other comes before it.
overridden: your own price comes before it at all servers.
future: its time has not come.
past: a later one has come.
ended: batch_set_price has ended it.
no server: the server was dropped.';
COMMENT ON COLUMN @extschema@.batch_prices.place IS
    'Where the server must be; NULL: anywhere.
us: in a region of AWS in the USA.
global: at the location global.';
COMMENT ON COLUMN @extschema@.batch_prices.source IS 'where the price was read, or who has set it';

COMMENT ON FUNCTION batchinf.price_name IS
    'the name of a model without the path or ARN that leads to it';
COMMENT ON FUNCTION batchinf.undated IS 'the name of a model without the date of its version';
COMMENT ON FUNCTION batchinf.prices_of IS
    'the prices in force at a time at a server, of the model that was asked for and the one that '
    'has answered (NULL: not known)';
COMMENT ON FUNCTION batchinf.tariff IS
    'these prices for batchinf.cost: a row for each tier, above_tokens, input, cached_input, '
    'cache_write, cache_write_1h, output; no row: there is no price of input';
COMMENT ON FUNCTION batchinf.cost IS
    'what an answer costs, in US dollars, by its tokens as in batch_records: input includes all '
    'that concerns a cache, output includes reasoning. NULL: a price or a count is missing, or '
    'the counts contradict each other';
COMMENT ON TABLE batchinf.price_list IS
    'The prices that the extension ships. Each update replaces them.';
COMMENT ON COLUMN batchinf.price_list.provider IS 'as in batch_prices';
COMMENT ON COLUMN batchinf.price_list.model IS 'name of the model, in lower case';
COMMENT ON COLUMN batchinf.price_list.mode IS 'as in batch_prices';
COMMENT ON COLUMN batchinf.price_list.kind IS 'as in batch_prices';
COMMENT ON COLUMN batchinf.price_list.above_tokens IS 'as in batch_prices';
COMMENT ON COLUMN batchinf.price_list.valid_from IS 'as in batch_prices';
COMMENT ON COLUMN batchinf.price_list.per_million IS 'as in batch_prices';
COMMENT ON COLUMN batchinf.price_list.place IS 'as in batch_prices';
COMMENT ON COLUMN batchinf.price_list.source IS 'where it was read';
COMMENT ON TABLE batchinf.price IS 'The prices that batch_set_price has set.';
COMMENT ON COLUMN batchinf.price.price_id IS 'id of the price';
COMMENT ON COLUMN batchinf.price.provider IS 'as in batch_prices';
COMMENT ON COLUMN batchinf.price.model IS 'as in batch_prices';
COMMENT ON COLUMN batchinf.price.mode IS 'as in batch_prices';
COMMENT ON COLUMN batchinf.price.kind IS 'as in batch_prices';
COMMENT ON COLUMN batchinf.price.above_tokens IS 'as in batch_prices';
COMMENT ON COLUMN batchinf.price.valid_from IS 'as in batch_prices';
COMMENT ON COLUMN batchinf.price.per_million IS 'as in batch_prices';
COMMENT ON COLUMN batchinf.price.server IS
    'oid of the server, in that installation and database; NULL: all of the provider';
COMMENT ON COLUMN batchinf.price.server_name IS 'name of the server when the price was set';
COMMENT ON COLUMN batchinf.price.server_owner IS 'name of its owner then';
COMMENT ON COLUMN batchinf.price.install IS 'the installation that it was set in (view here)';
COMMENT ON COLUMN batchinf.price.database IS 'the database that it was set in';
COMMENT ON COLUMN batchinf.price.set_by IS 'the role that has set it';
COMMENT ON COLUMN batchinf.price.set_at IS 'when it was set';
COMMENT ON VIEW batchinf.price_here IS
    'The prices that were set, with the oid that their server has here; 0: it is gone.';
COMMENT ON VIEW batchinf.price_server IS
    'Each server, with what the shipped prices ask of it: its provider and where it is.';

--
-- What to expect of requests: from what was measured of earlier ones.
--
CREATE OR REPLACE FUNCTION batchinf.prompt_hash(spec jsonb) RETURNS bytea
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN pg_catalog.sha256(pg_catalog.convert_to(pg_catalog.jsonb_build_array(
        spec ->> 'system_prompt', spec ->> 'prompt', spec ->> 'params', spec ->> 'response_schema',
        spec ->> 'task', spec ->> 'input')::text, 'UTF8'));
COMMENT ON FUNCTION batchinf.prompt_hash IS
    'hash of what a job sends with all of its records, from its spec';

-- Only what the API has by one of these names, at its place, limits the answer: the same words
-- somewhere else, as in metadata, limit nothing.  Of several limits the largest one counts.  What
-- is not a whole number from 1 may be read by the provider in any way: then the limit is unknown.
CREATE OR REPLACE FUNCTION batchinf.max_tokens(provider text, model text, params text)
    RETURNS bigint
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    WITH place(provider, model, path) AS (
        VALUES ('openai', '%', '{max_tokens}'::text[]),
               ('openai', '%', '{max_completion_tokens}'),
               ('openai', '%', '{max_output_tokens}'),
               ('azure_openai', '%', '{max_tokens}'),
               ('azure_openai', '%', '{max_completion_tokens}'),
               ('azure_openai', '%', '{max_output_tokens}'),
               ('anthropic', '%', '{max_tokens}'),
               ('bedrock', '%', '{maxTokens}'),
               ('bedrock', '%', '{max_tokens}'),
               ('bedrock', '%', '{inferenceConfig,maxTokens}'),
               ('vertex', '%claude%', '{max_tokens}'),
               ('vertex', '%', '{generationConfig,maxOutputTokens}'),
               ('vertex', '%', '{generationConfig,max_output_tokens}'),
               ('vertex', '%', '{generation_config,maxOutputTokens}'),
               ('vertex', '%', '{generation_config,max_output_tokens}'),
               ('gemini', '%', '{generationConfig,maxOutputTokens}'),
               ('gemini', '%', '{generationConfig,max_output_tokens}'),
               ('gemini', '%', '{generation_config,maxOutputTokens}'),
               ('gemini', '%', '{generation_config,max_output_tokens}')
    ), given AS MATERIALIZED (
        -- no text of PostgreSQL has a NUL; which character stands there does not matter here
        SELECT pg_catalog.replace(max_tokens.params, '\u0000', '\u0001')::json AS params
    ), limits AS (
        SELECT CASE WHEN v.value ~ '^[0-9]+([.][0-9]+)?([eE][+]?[0-9]{1,2})?$'
                   THEN v.value::numeric END AS tokens
        FROM given g, place p, LATERAL (SELECT g.params #>> p.path AS value) v
        WHERE p.provider = max_tokens.provider AND max_tokens.model LIKE p.model
          AND v.value IS NOT NULL
    )
    SELECT CASE WHEN bool_and(COALESCE(l.tokens = pg_catalog.trunc(l.tokens)
                                       AND l.tokens BETWEEN 1 AND 999999999, false))
               THEN max(l.tokens) END::bigint
    FROM limits l;
END;
COMMENT ON FUNCTION batchinf.max_tokens IS
    'how many tokens an answer may have by the params of its job; NULL: they do not say';

CREATE OR REPLACE FUNCTION batchinf.history_of(server oid, model text)
    RETURNS SETOF batchinf.history
    LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT h.*
    FROM batchinf.history h, batchinf.here i
    WHERE h.model = history_of.model
      -- in a copy of a database a server is known by its name
      AND CASE WHEN h.install = i.uuid AND h.database = i.database
                   THEN h.server = history_of.server
               ELSE h.server_name = (SELECT f.srvname FROM pg_catalog.pg_foreign_server f
                                     WHERE f.oid = history_of.server) END;
END;
COMMENT ON FUNCTION batchinf.history_of IS 'what is known of a model at a server';

CREATE OR REPLACE FUNCTION batchinf.tier(
        server oid, model text, mode text, records bigint, input_tokens bigint)
    RETURNS TABLE (prices numeric[])
    LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT t.tiers[k.n:k.n]
    FROM batchinf.tariff(tier.server, tier.model, NULL, tier.mode, pg_catalog.now()) t
    CROSS JOIN LATERAL (
        SELECT COALESCE(max(n.n) FILTER (
                   WHERE t.tiers[n.n][1] < tier.input_tokens::numeric
                                           / GREATEST(tier.records, 1)), 1) AS n
        FROM pg_catalog.generate_series(1, pg_catalog.array_length(t.tiers, 1)) n(n)) k;
END;
COMMENT ON FUNCTION batchinf.tier IS
    'the prices, now, of a request of mean size: one row of the tariff; no row: there is no price';

CREATE OR REPLACE FUNCTION batchinf.forecast(server oid, spec jsonb, records bigint, tokens bigint)
    RETURNS TABLE (
        input_tokens bigint, output_tokens bigint, output_tokens_p95 bigint, measured bigint,
        input_basis text, output_basis text, error numeric, cost numeric, cost_p95 numeric,
        realtime_cost numeric)
    LANGUAGE sql STABLE
BEGIN ATOMIC
    WITH past AS MATERIALIZED (
        SELECT h.*, h.prompt = (SELECT batchinf.prompt_hash(forecast.spec)) AS is_same
        FROM batchinf.history_of(forecast.server, forecast.spec ->> 'model') h
    ), sums AS (
        SELECT s.is_same, count(*) AS batches, sum(p.measured) AS measured,
               sum(p.estimated_tokens) AS estimated, sum(p.input_tokens) AS input,
               sum(p.answered) AS answered, sum(p.output_tokens) AS output,
               sum(p.answered * p.output_p95) AS output_p95
        FROM (VALUES (true), (false)) s(is_same)
        JOIN past p ON p.is_same OR NOT s.is_same
        GROUP BY s.is_same
    ), input AS (
        -- the prompt's own, from 20 records on, else all of the model's
        SELECT s.is_same, s.measured, s.input, s.estimated
        FROM sums s
        WHERE s.measured >= 20 AND s.estimated > 0
        ORDER BY s.is_same DESC LIMIT 1
    ), output AS (
        SELECT s.is_same, s.output, s.output_p95, s.answered
        FROM sums s
        WHERE s.answered >= 20
        ORDER BY s.is_same DESC LIMIT 1
    ), judged AS (
        -- each past batch as it would have been estimated then
        SELECT p.input_tokens,
               p.estimated_tokens * COALESCE(
                   CASE WHEN sum(p.measured) OVER same >= 20
                       THEN sum(p.input_tokens) OVER same
                            / NULLIF(sum(p.estimated_tokens) OVER same, 0) END,
                   CASE WHEN sum(p.measured) OVER every >= 20
                       THEN sum(p.input_tokens) OVER every
                            / NULLIF(sum(p.estimated_tokens) OVER every, 0) END, 1) AS guess
        FROM past p
        WHERE p.measured > 0
        WINDOW same AS (PARTITION BY p.prompt ORDER BY p.history_id
                        ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING),
               every AS (ORDER BY p.history_id
                         ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
    ), most AS (
        SELECT batchinf.max_tokens(
                   (SELECT s.provider FROM batchinf.price_server s
                    WHERE s.server = forecast.server),
                   forecast.spec ->> 'model', forecast.spec ->> 'params') AS tokens
    ), expected AS (
        SELECT i.measured, i.is_same AS input_is_same, o.is_same AS output_is_same,
               m.tokens AS max_tokens,
               COALESCE(forecast.tokens * i.input / i.estimated, forecast.tokens) AS input,
               CASE WHEN forecast.spec ->> 'task' = 'embedding' THEN 0
                    ELSE LEAST(COALESCE(forecast.records * o.output / o.answered,
                                        forecast.records * (m.tokens / 4.0),
                                        forecast.records * 500.0),
                               forecast.records * m.tokens::numeric) END AS output,
               CASE WHEN forecast.spec ->> 'task' = 'embedding' THEN 0
                    ELSE LEAST(COALESCE(forecast.records * o.output_p95 / o.answered,
                                        forecast.records * m.tokens::numeric,
                                        forecast.records * 2000.0),
                               forecast.records * m.tokens::numeric) END AS output_p95
        FROM most m
        LEFT JOIN input i ON true
        LEFT JOIN output o ON true
    ), rounded AS (
        SELECT e.*, pg_catalog.ceil(LEAST(e.input, 1e18))::bigint AS input_tokens,
               pg_catalog.ceil(LEAST(e.output, 1e18))::bigint AS output_tokens,
               pg_catalog.ceil(LEAST(GREATEST(e.output_p95, e.output), 1e18))::bigint
                   AS output_tokens_p95
        FROM expected e
    )
    SELECT r.input_tokens, r.output_tokens, r.output_tokens_p95,
           COALESCE(r.measured, 0)::bigint,
           CASE WHEN r.input_is_same THEN 'prompt' WHEN NOT r.input_is_same THEN 'model'
                ELSE 'text' END,
           CASE WHEN forecast.spec ->> 'task' = 'embedding' THEN 'none'
                WHEN r.output_is_same THEN 'prompt' WHEN NOT r.output_is_same THEN 'model'
                WHEN r.max_tokens IS NOT NULL THEN 'max_tokens' ELSE 'default' END,
           (SELECT pg_catalog.round(avg(pg_catalog.abs(j.guess / j.input_tokens - 1)), 4)
            FROM judged j WHERE j.input_tokens > 0),
           batchinf.cost(b.prices, r.input_tokens, 0, 0, 0, r.output_tokens),
           batchinf.cost(b.prices, r.input_tokens, 0, 0, 0, r.output_tokens_p95),
           batchinf.cost(t.prices, r.input_tokens, 0, 0, 0, r.output_tokens)
    FROM rounded r
    LEFT JOIN LATERAL batchinf.tier(forecast.server, forecast.spec ->> 'model', 'batch',
                                    forecast.records, r.input_tokens) b ON true
    LEFT JOIN LATERAL batchinf.tier(forecast.server, forecast.spec ->> 'model', 'realtime',
                                    forecast.records, r.input_tokens) t ON true;
END;
COMMENT ON FUNCTION batchinf.forecast IS
    'What to expect of that many requests with these estimated tokens (batchinf.chunk.tokens), of '
    'a job with that spec. Input is multiplied by what was measured for each estimated token: of '
    'the same prompt, else of the model at that server, each from 20 records on, else by 1. '
    'Output is the mean of such answers, its p95 what a twentieth of them exceeds; else a quarter '
    'of what params allow, and all of it; else 500 and 2000 tokens. error is the mean error of '
    'past estimates of input, as a share.';

CREATE OR REPLACE FUNCTION batchinf.outlook(server oid, model text, role oid)
    RETURNS TABLE (
        batches bigint, hours_p50 numeric, hours_p95 numeric, hours_p99 numeric, late numeric,
        answers bigint, failed numeric, in_use bigint, waiting bigint, paused text)
    LANGUAGE sql STABLE
BEGIN ATOMIC
    WITH past AS (
        SELECT h.*, EXTRACT(epoch FROM h.ended_at - h.submitted_at) / 3600 AS hours,
               h.succeeded + h.invalid_output + h.errored + h.expired + h.missing AS answers
        FROM batchinf.history_of(outlook.server, outlook.model) h
        WHERE h.batch_end IN ('completed', 'expired') AND h.submitted_at IS NOT NULL
    ), times AS (
        SELECT count(*) AS batches,
               pg_catalog.percentile_cont(ARRAY[0.5, 0.95, 0.99])
                   WITHIN GROUP (ORDER BY p.hours::float8) AS hours,
               avg(p.late::int) AS late, COALESCE(sum(p.answers), 0)::bigint AS answers,
               1 - sum(p.succeeded) / NULLIF(sum(p.answers), 0) AS failed
        FROM past p
    )
    SELECT t.batches, pg_catalog.round(t.hours[1]::numeric, 3),
           pg_catalog.round(t.hours[2]::numeric, 3), pg_catalog.round(t.hours[3]::numeric, 3),
           pg_catalog.round(t.late, 4), t.answers, pg_catalog.round(t.failed, 4),
           (SELECT count(*) FROM batchinf.chunk c
            WHERE c.server = outlook.server AND c.next_step_at IS NOT NULL
              AND c.state IN ('creating', 'submitted', 'running', 'cancelling', 'ambiguous')),
           (SELECT COALESCE(sum(c.records), 0)::bigint
            FROM batchinf.chunk c JOIN batchinf.job j ON j.job_id = c.job_id
            WHERE c.server = outlook.server AND c.next_step_at IS NOT NULL
              AND c.state IN ('planned', 'uploading', 'uploaded') AND j.ended IS NULL),
           COALESCE(
               (SELECT 'by batch_pause_server' FROM batchinf.stop_here s
                WHERE s.server = outlook.server),
               (SELECT pg_catalog.format('until %s: %s', pg_catalog.date_trunc('second', q.until),
                                         q.kind)
                FROM batchinf.pause_here q
                WHERE q.server = outlook.server AND q.owner IN (0, outlook.role)
                  AND q.until > pg_catalog.now()
                ORDER BY q.until DESC LIMIT 1))
    FROM times t;
END;
COMMENT ON FUNCTION batchinf.outlook IS
    'How a server does with a model: of its past batches how many there are, the hours of half, of '
    '95 and of 99 of 100, the share that was late, their answers and the share that failed; then '
    'batches that are there now, records that wait, and why nothing is sent for that role';

-- The worksheet behind batch_readiness: facts in, a judgement of each out.
CREATE OR REPLACE FUNCTION batchinf.worksheet(facts jsonb)
    RETURNS TABLE (n int, factor text, value text, verdict text, reason text)
    LANGUAGE sql STABLE
BEGIN ATOMIC
    WITH f AS (
        SELECT EXTRACT(epoch FROM (facts ->> 'acceptable_delay')::interval) / 3600 AS delay,
               (facts ->> 'deadline_hours')::numeric AS deadline,
               (facts ->> 'records')::bigint AS records,
               (facts ->> 'min_requests')::bigint AS min_requests,
               (facts ->> 'chunks')::bigint AS chunks,
               GREATEST((facts ->> 'windows')::numeric, 1) AS windows,
               (facts ->> 'bytes')::bigint AS bytes,
               (facts ->> 'output_tokens')::numeric AS output_tokens,
               (facts ->> 'batches')::bigint AS batches,
               (facts ->> 'hours_p50')::numeric AS p50, (facts ->> 'hours_p95')::numeric AS p95,
               (facts ->> 'hours_p99')::numeric AS p99, (facts ->> 'late')::numeric AS late,
               (facts ->> 'answers')::bigint AS answers, (facts ->> 'failed')::numeric AS failed,
               (facts ->> 'max_attempts')::int AS max_attempts,
               (facts ->> 'in_use')::bigint AS in_use,
               (facts ->> 'max_batches')::bigint AS max_batches,
               (facts ->> 'waiting')::bigint AS waiting, facts ->> 'paused' AS paused,
               (facts ->> 'cost')::numeric AS cost,
               (facts ->> 'realtime_cost')::numeric AS realtime_cost,
               (facts ->> 'flex_cost')::numeric AS flex_cost,
               (facts ->> 'capacity_cost')::numeric AS capacity,
               (facts ->> 'runs_per_month')::numeric AS runs,
               (facts ->> 'provisioned_per_hour')::numeric AS hourly,
               facts ->> 'left_over' AS left_over, facts ->> 'keep' AS keep,
               facts ->> 'owner' AS owner, facts ->> 'no_worker' AS no_worker,
               (facts ->> 'listens')::bool AS listens, facts ->> 'last_look' AS last_look
    ), g AS (
        -- fewer than five past batches say nothing; then a window is the day that is promised
        SELECT f.*, f.batches >= 5 AS known,
               f.windows * CASE WHEN f.batches >= 5 THEN f.p95 ELSE 24 END AS needed,
               f.windows * CASE WHEN f.batches >= 5 THEN f.p50 ELSE 1 END AS usual,
               CASE WHEN f.flex_cost IS NOT NULL THEN 'flex' ELSE 'realtime' END AS now,
               f.cost * f.runs AS month, 730 * f.hourly AS provisioned
        FROM f
    ), factor AS (
        SELECT 1 AS n, 'acceptable delay' AS factor, facts ->> 'acceptable_delay' AS value,
               CASE WHEN g.delay IS NULL THEN 'unknown'
                    WHEN g.delay >= g.needed THEN 'batch'
                    WHEN g.delay >= g.usual THEN 'hybrid'
                    WHEN g.delay >= 0.25 THEN g.now ELSE 'realtime' END AS verdict,
               CASE WHEN g.delay IS NULL
                        THEN 'acceptable_delay is not given: how long may an answer take?'
                    WHEN g.known THEN pg_catalog.format(
                        'a window takes %s hours (p95 of %s past batches; p50 %s, p99 %s), the job '
                        'needs windows: %s', g.p95, g.batches, g.p50, g.p99, g.windows)
                    ELSE pg_catalog.format(
                        'a window takes up to 24 hours, as providers promise, and usually less '
                        'than one; the job needs %s', g.windows) END AS reason
        FROM g
        UNION ALL
        SELECT 2, 'batch window', pg_catalog.format('%s hours', pg_catalog.round(g.needed, 2)),
               CASE WHEN g.deadline < g.needed THEN 'hybrid'
                    WHEN g.deadline IS NULL AND NOT g.known THEN 'unknown' ELSE 'batch' END,
               CASE WHEN g.deadline < g.needed
                        THEN 'the deadline comes before the last batch is back'
                    WHEN NOT g.known THEN 'fewer than 5 batches of this server and model are known'
                    WHEN g.deadline IS NULL THEN 'there is no deadline'
                    ELSE 'the deadline leaves enough time' END
        FROM g
        UNION ALL
        SELECT 3, 'late batches', pg_catalog.round(g.late * 100, 2)::text || ' %',
               CASE WHEN NOT g.known THEN 'unknown' WHEN g.late > 0.01 THEN 'hybrid'
                    ELSE 'batch' END,
               CASE WHEN NOT g.known THEN 'fewer than 5 batches of this server and model are known'
                    ELSE pg_catalog.format('the share of %s past batches that expired or met a '
                                           'deadline', g.batches) END
        FROM g
        UNION ALL
        SELECT 4, 'failures and retries', pg_catalog.round(g.failed * 100, 2)::text || ' %',
               CASE WHEN g.answers < 20 THEN 'unknown'
                    WHEN g.failed > 0.05 AND g.delay < 2 * g.needed THEN 'hybrid'
                    ELSE 'batch' END,
               CASE WHEN g.answers < 20 THEN 'fewer than 20 answers of it are known'
                    ELSE pg_catalog.format(
                        'of %s answers; each further attempt (max_attempts %s) takes another '
                        'window', g.answers, g.max_attempts) END
        FROM g
        UNION ALL
        SELECT 5, 'queue', pg_catalog.format('%s records wait, %s batches are there', g.waiting,
                                             g.in_use),
               CASE WHEN g.paused IS NOT NULL THEN 'unknown'
                    WHEN g.max_batches > 0 AND g.in_use + g.chunks > g.max_batches
                         AND g.delay < g.needed * 2 THEN 'hybrid' ELSE 'batch' END,
               CASE WHEN g.paused IS NOT NULL
                        THEN pg_catalog.format('the server is paused %s', g.paused)
                    WHEN g.max_batches > 0
                        THEN pg_catalog.format('the server takes %s batches at a time',
                                               g.max_batches)
                    ELSE 'the server has no limit of batches' END
        FROM g
        UNION ALL
        SELECT 6, 'minimum size', pg_catalog.format('%s records', g.records),
               CASE WHEN g.records = 0 THEN 'unknown' WHEN g.records < g.min_requests THEN g.now
                    ELSE 'batch' END,
               CASE WHEN g.records = 0 THEN 'the query returns nothing to send'
                    ELSE pg_catalog.format('a batch of this server has at least %s',
                                           g.min_requests) END
        FROM g
        UNION ALL
        SELECT 7, 'data volume',
               pg_catalog.format('%s sent, about %s back', pg_catalog.pg_size_pretty(g.bytes),
                                 pg_catalog.pg_size_pretty(
                                     pg_catalog.round(LEAST(g.output_tokens * 4, 1e18)))),
               'batch',
               pg_catalog.format(
                   'staged at the provider in %s files, which are deleted afterwards; kept here: '
                   '%s', g.chunks, g.keep)
        FROM g
        UNION ALL
        SELECT 8, 'cost',
               pg_catalog.format('batch %s, flex %s, real time %s', COALESCE(g.cost::text, '?'),
                                 COALESCE(g.flex_cost::text, '-'),
                                 COALESCE(g.realtime_cost::text, '?')),
               CASE WHEN g.cost IS NULL OR g.realtime_cost IS NULL THEN 'unknown'
                    WHEN g.cost < g.realtime_cost OR g.records = 0 THEN 'batch'
                    ELSE 'realtime' END,
               CASE WHEN g.cost IS NULL OR g.realtime_cost IS NULL
                        THEN 'a price is missing: batch_set_price sets it'
                    WHEN g.cost < g.realtime_cost
                        THEN pg_catalog.format('batches save %s US dollars',
                                               g.realtime_cost - g.cost)
                    ELSE 'batches save nothing' END
        FROM g
        UNION ALL
        SELECT 9, 'real-time capacity', g.capacity::text,
               CASE WHEN g.capacity IS NULL OR g.month IS NULL THEN 'unknown'
                    WHEN g.month < g.capacity THEN 'batch' ELSE 'realtime' END,
               CASE WHEN g.capacity IS NULL
                        THEN 'capacity_cost is not given: what does real-time capacity for this '
                             'work cost a month?'
                    WHEN g.month IS NULL THEN 'what batches cost is not known'
                    ELSE pg_catalog.format('batches cost %s US dollars a month (runs_per_month %s)',
                                           g.month, g.runs) END
        FROM g
        UNION ALL
        SELECT 10, 'steady volume', pg_catalog.format('%s runs a month', g.runs),
               CASE WHEN g.hourly IS NULL OR g.month IS NULL THEN 'unknown'
                    WHEN g.runs >= 20 AND g.provisioned < g.month THEN 'provisioned'
                    ELSE 'batch' END,
               CASE WHEN g.hourly IS NULL
                        THEN 'provisioned_per_hour is not given: what would capacity of your own '
                             'cost?'
                    WHEN g.month IS NULL THEN 'what batches cost is not known'
                    WHEN g.runs < 20
                        THEN 'provisioned capacity is paid all the time: it needs work all the time'
                    ELSE pg_catalog.format(
                        'provisioned capacity costs %s US dollars a month (730 hours), batches %s',
                        g.provisioned, g.month) END
        FROM g
        UNION ALL
        SELECT 11, 'fallback', pg_catalog.format('left_over %s', g.left_over),
               CASE WHEN g.left_over = 'stop' THEN 'batch' ELSE 'hybrid' END,
               CASE WHEN g.left_over = 'stop'
                        THEN 'what batches cannot finish ends as expired or failed; batch_retry '
                             'sends it again'
                    ELSE 'what batches cannot finish is sent now' END
        FROM g
        UNION ALL
        SELECT 12, 'who looks after it', g.owner,
               CASE WHEN g.no_worker IS NULL THEN 'batch' ELSE 'unknown' END,
               pg_catalog.concat_ws(
                   '; ',
                   COALESCE('no background worker works here: '
                                || pg_catalog.rtrim(g.no_worker, '.'),
                            'a background worker does the job'),
                   'the last look at a batch was ' || COALESCE(g.last_look, 'never'),
                   CASE WHEN g.listens THEN 'this session listens to the end of jobs'
                        ELSE 'LISTEN batchinf tells a session of the end of jobs' END)
        FROM g
    ), choice AS (
        SELECT CASE WHEN v.verdicts ->> '10' = 'provisioned' THEN 'provisioned'
                    WHEN v.verdicts ->> '6' IN ('flex', 'realtime') THEN v.verdicts ->> '6'
                    WHEN v.verdicts ->> '1' IN ('flex', 'realtime') THEN v.verdicts ->> '1'
                    WHEN v.verdicts ->> '8' = 'realtime' OR v.verdicts ->> '9' = 'realtime'
                        THEN 'realtime'
                    WHEN 'hybrid' IN (v.verdicts ->> '1', v.verdicts ->> '2', v.verdicts ->> '3',
                                      v.verdicts ->> '4', v.verdicts ->> '5') THEN 'hybrid'
                    ELSE 'batch' END AS verdict
        FROM (SELECT pg_catalog.jsonb_object_agg(r.n::text, r.verdict) AS verdicts
              FROM factor r) v
    )
    SELECT r.n, r.factor, r.value, r.verdict, r.reason FROM factor r
    UNION ALL
    SELECT 13, 'recommendation', NULL, c.verdict,
           pg_catalog.concat_ws(
               '. ',
               (SELECT pg_catalog.string_agg(pg_catalog.format('%s: %s', r.factor, r.reason), '. '
                                             ORDER BY r.n)
                FROM factor r
                WHERE r.verdict = c.verdict AND (c.verdict <> 'batch' OR r.n IN (1, 8))),
               'Missing to be sure: '
               || (SELECT pg_catalog.string_agg(r.factor, ', ' ORDER BY r.n)
                   FROM factor r WHERE r.verdict = 'unknown'))
    FROM choice c
    ORDER BY 1;
END;
COMMENT ON FUNCTION batchinf.worksheet IS
    'What batch_readiness returns for these facts, in order. The last row lacks the call.';

-- spend
COMMENT ON TABLE batchinf.spend IS
    'The ledger, in US dollars. A row is what a group of answers of one chunk and model has cost; '
    'it is inserted with them, once, and never changed. batch_reprice inserts what it adds, and '
    'what was staged has rows of its own. It outlives its job. Rows that are old '
    '(batchinf.keep_spend) are replaced by one row a day (UTC), so that sum(cost) is right at any '
    'moment: of all, and since any time in that period or any beginning of a day (UTC) before it.';
COMMENT ON COLUMN batchinf.spend.spend_id IS 'id of the row';
COMMENT ON COLUMN batchinf.spend.at IS
    'when the answers were stored; of a day''s row: its beginning (UTC)';
COMMENT ON COLUMN batchinf.spend.install IS 'the installation of owner and server (view here)';
COMMENT ON COLUMN batchinf.spend.database IS 'the database of owner and server';
COMMENT ON COLUMN batchinf.spend.owner IS 'role that the job belonged to';
COMMENT ON COLUMN batchinf.spend.owner_name IS 'name of that role then';
COMMENT ON COLUMN batchinf.spend.server IS 'the foreign server';
COMMENT ON COLUMN batchinf.spend.server_name IS 'name of that server then';
COMMENT ON COLUMN batchinf.spend.provider IS
    'option provider of the server; NULL: the server was gone';
COMMENT ON COLUMN batchinf.spend.model IS
    'the model that answered, else the one that was asked for';
COMMENT ON COLUMN batchinf.spend.mode IS 'as in batch_prices';
COMMENT ON COLUMN batchinf.spend.pipeline_id IS 'the pipeline whose refresh made the job; or NULL';
COMMENT ON COLUMN batchinf.spend.job_id IS 'the job, which may be gone; NULL: a day''s row';
COMMENT ON COLUMN batchinf.spend.chunk_id IS 'its chunk; NULL: a day''s row';
COMMENT ON COLUMN batchinf.spend.records IS 'attempts of records that ended';
COMMENT ON COLUMN batchinf.spend.input_tokens IS 'sum of batch_attempts.input_tokens';
COMMENT ON COLUMN batchinf.spend.cached_tokens IS 'sum of batch_attempts.cached_tokens';
COMMENT ON COLUMN batchinf.spend.cache_write_tokens IS 'sum of batch_attempts.cache_write_tokens';
COMMENT ON COLUMN batchinf.spend.cache_write_1h_tokens IS
    'sum of batch_attempts.cache_write_1h_tokens';
COMMENT ON COLUMN batchinf.spend.output_tokens IS 'sum of batch_attempts.output_tokens';
COMMENT ON COLUMN batchinf.spend.cost IS 'US dollars, of the answers whose price is known';
COMMENT ON COLUMN batchinf.spend.realtime_cost IS
    'US dollars, for the same tokens at the standard prices of real time, where these are known';
COMMENT ON COLUMN batchinf.spend.saving IS
    'realtime_cost less cost, in US dollars, of the answers of which both are known';
COMMENT ON COLUMN batchinf.spend.wasted IS
    'the part of cost, in US dollars, that brought nothing: see batch_jobs.wasted';
COMMENT ON COLUMN batchinf.spend.unpriced IS
    'answers whose cost is not known; negative where batch_reprice has found prices of them';
COMMENT ON COLUMN batchinf.spend.bytes_staged IS 'bytes of inputs and results that were moved';
COMMENT ON VIEW batchinf.payer IS
    'For each job whose money its answers cost, and where: what a row of the ledger says.';

COMMENT ON COLUMN batchinf.chunk.cache_write_tokens IS
    'the part of input_tokens that the provider wrote to a cache';
COMMENT ON COLUMN batchinf.chunk.cache_write_1h_tokens IS
    'the part of input_tokens that it wrote to a cache for an hour';
COMMENT ON COLUMN batchinf.chunk.cost IS
    'US dollars: what its answers cost, and its stray lines; those without a price left out';
COMMENT ON COLUMN batchinf.chunk.realtime_cost IS
    'US dollars: the same answers at the standard prices of real time';
COMMENT ON COLUMN batchinf.chunk.saving IS
    'US dollars: realtime_cost less cost of each answer of which both are known, less stray_cost';
COMMENT ON COLUMN batchinf.chunk.wasted IS
    'the part of cost, in US dollars, of answers that are wasted, and stray lines';
COMMENT ON COLUMN batchinf.chunk.unpriced IS 'answers and stray lines whose cost is not known';
COMMENT ON COLUMN batchinf.chunk.stray_cost IS
    'the part of cost, in US dollars, of second, different answers to a record';
COMMENT ON COLUMN batchinf.chunk.requests IS
    'calls of the provider; polls that found nothing new are not counted';
COMMENT ON COLUMN batchinf.chunk.bytes_up IS 'bytes of its inputs that were uploaded';
COMMENT ON COLUMN batchinf.chunk.bytes_down IS 'bytes of its results that were downloaded';
COMMENT ON COLUMN batchinf.result.cache_write_tokens IS
    'the part of input_tokens that the provider wrote to a cache';
COMMENT ON COLUMN batchinf.result.cache_write_1h_tokens IS
    'the part of input_tokens that it wrote to a cache for an hour';
COMMENT ON COLUMN batchinf.result.cost IS
    'what the answer cost, in US dollars; 0: the provider does not bill it; NULL: it is unpriced';
COMMENT ON COLUMN batchinf.result.realtime_cost IS
    'US dollars for the same tokens at the standard prices of real time; NULL if not known';
COMMENT ON COLUMN batchinf.result.wasted IS
    'what it cost brought nothing: no success, or later than the deadline of its job';

CREATE OR REPLACE FUNCTION @extschema@.batch_reprice(job_id bigint) RETURNS bigint
    AS 'MODULE_PATHNAME', 'batchinf_reprice' LANGUAGE C VOLATILE;

-- First by what the ledger has, then by the names that roles and servers have now.
CREATE OR REPLACE VIEW @extschema@.batch_spend WITH (security_barrier) AS
WITH ledger AS (
    SELECT (e.at AT TIME ZONE 'UTC')::date AS day, e.install, e.database, e.owner, e.owner_name,
           e.server, e.server_name, e.provider, e.model, e.mode, sum(e.records) AS records,
           sum(e.input_tokens) AS input_tokens, sum(e.cached_tokens) AS cached_tokens,
           sum(e.output_tokens) AS output_tokens, sum(e.cost) AS cost,
           sum(e.realtime_cost) AS realtime_cost, sum(e.saving) AS saving,
           sum(e.wasted) AS wasted, sum(e.bytes_staged) AS bytes_staged,
           sum(e.unpriced) AS unpriced
    FROM batchinf.spend e
    GROUP BY (e.at AT TIME ZONE 'UTC')::date, e.install, e.database, e.owner, e.owner_name,
             e.server, e.server_name, e.provider, e.model, e.mode
), c AS (
    SELECT l.day, COALESCE(r.rolname, l.owner_name) AS role, r.oid AS role_oid,
           COALESCE(f.srvname, l.server_name) AS server, l.provider, l.model, l.mode,
           sum(l.records)::bigint AS records, sum(l.input_tokens)::bigint AS input_tokens,
           sum(l.cached_tokens)::bigint AS cached_tokens,
           sum(l.output_tokens)::bigint AS output_tokens, sum(l.cost) AS cost,
           sum(l.realtime_cost) AS realtime_cost, sum(l.saving) AS saving,
           sum(l.wasted) AS wasted, sum(l.bytes_staged)::bigint AS bytes_staged,
           sum(l.unpriced)::bigint AS unpriced
    FROM ledger l
    CROSS JOIN LATERAL (SELECT l.install = h.uuid AND l.database = h.database
                        FROM batchinf.here h) o(ours)
    LEFT JOIN pg_catalog.pg_roles r
        ON r.oid = l.owner AND o.ours OR r.rolname = l.owner_name AND NOT o.ours
    LEFT JOIN pg_catalog.pg_foreign_server f ON f.oid = l.server AND o.ours
    GROUP BY l.day, COALESCE(r.rolname, l.owner_name), r.oid, COALESCE(f.srvname, l.server_name),
             l.provider, l.model, l.mode
)
SELECT c.day, c.role, c.server, c.provider, c.model, c.mode, c.records, c.input_tokens,
       c.cached_tokens, c.output_tokens,
       CASE WHEN c.unpriced = 0 OR c.cost <> 0 THEN c.cost END AS cost,
       CASE WHEN c.realtime_cost <> 0 OR (c.unpriced = 0 AND c.cost = 0) THEN c.realtime_cost
           END AS realtime_cost,
       CASE WHEN c.saving <> 0 OR (c.unpriced = 0 AND (c.cost = 0 OR c.realtime_cost <> 0))
           THEN c.saving END AS saving,
       c.wasted, c.bytes_staged, c.unpriced
FROM c
WHERE batchinf.visible(c.role_oid) OR batchinf.monitors();
GRANT SELECT ON @extschema@.batch_spend TO PUBLIC;

COMMENT ON FUNCTION @extschema@.batch_reprice IS
    'Gives the answers of a job that are unpriced the prices that are known now: those of their '
    'time, else the present ones. Returns how many have got one; sums and ledger follow. For the '
    'owner of the job and members of that role.';
COMMENT ON VIEW @extschema@.batch_spend IS
    'What was spent, by day (UTC), role, server, model and mode; of deleted jobs, too. Shows what '
    'roles have spent whose rights the reader has; all of it to pg_monitor. Amounts are in '
    'US dollars.';
COMMENT ON COLUMN @extschema@.batch_spend.day IS 'the day (UTC) when the answers were stored';
COMMENT ON COLUMN @extschema@.batch_spend.role IS 'owner of the jobs';
COMMENT ON COLUMN @extschema@.batch_spend.server IS 'the foreign server';
COMMENT ON COLUMN @extschema@.batch_spend.provider IS 'option provider of the server';
COMMENT ON COLUMN @extschema@.batch_spend.model IS
    'the model that answered, else the one that was asked for';
COMMENT ON COLUMN @extschema@.batch_spend.mode IS 'as in batch_prices';
COMMENT ON COLUMN @extschema@.batch_spend.records IS 'attempts of records that ended';
COMMENT ON COLUMN @extschema@.batch_spend.input_tokens IS 'tokens of their requests';
COMMENT ON COLUMN @extschema@.batch_spend.cached_tokens IS
    'the part of input_tokens that the provider read from a cache';
COMMENT ON COLUMN @extschema@.batch_spend.output_tokens IS 'tokens of their answers';
COMMENT ON COLUMN @extschema@.batch_spend.cost IS
    'US dollars; what is unpriced is left out, and NULL: nothing has a price';
COMMENT ON COLUMN @extschema@.batch_spend.realtime_cost IS
    'US dollars for the same tokens at the standard prices of real time; NULL if not known';
COMMENT ON COLUMN @extschema@.batch_spend.saving IS 'as in batch_jobs, in US dollars';
COMMENT ON COLUMN @extschema@.batch_spend.wasted IS 'as in batch_jobs, in US dollars';
COMMENT ON COLUMN @extschema@.batch_spend.bytes_staged IS
    'as in batch_jobs; beside the model that was asked for';
COMMENT ON COLUMN @extschema@.batch_spend.unpriced IS 'answers whose cost is not known';
COMMENT ON COLUMN @extschema@.batch_jobs.cost IS
    'what all attempts of the job have cost so far, in US dollars; what is unpriced is left out, '
    'and NULL: nothing has a price';
COMMENT ON COLUMN @extschema@.batch_jobs.realtime_cost IS
    'US dollars for the same tokens at the standard prices of real time; NULL if not known';
COMMENT ON COLUMN @extschema@.batch_jobs.saving IS
    'US dollars: realtime_cost less cost, of the answers of which both are known; NULL: of none';
COMMENT ON COLUMN @extschema@.batch_jobs.wasted IS
    'the part of cost, in US dollars, that brought nothing: of attempts that did not succeed, of '
    'second answers to a record, and of answers after the deadline';
COMMENT ON COLUMN @extschema@.batch_jobs.unpriced IS
    'answers whose cost is not known: batch_reprice, when they have a price';
COMMENT ON COLUMN @extschema@.batch_jobs.bytes_staged IS
    'bytes of inputs that were uploaded and of results that were downloaded';
COMMENT ON COLUMN @extschema@.batch_records.cost IS
    'US dollars, of all its attempts; 0: the provider does not bill them; NULL: not known';
COMMENT ON COLUMN @extschema@.batch_chunks.requests IS
    'calls of the provider; polls that found nothing new are not counted';
COMMENT ON COLUMN @extschema@.batch_chunks.bytes_up IS 'bytes of inputs that were uploaded';
COMMENT ON COLUMN @extschema@.batch_chunks.bytes_down IS 'bytes of results that were downloaded';
COMMENT ON COLUMN @extschema@.batch_chunks.cost IS
    'US dollars, of the answers and lines whose price is known';
COMMENT ON COLUMN @extschema@.batch_chunks.realtime_cost IS
    'US dollars for the same answers at the standard prices of real time, where these are known';
COMMENT ON COLUMN @extschema@.batch_chunks.wasted IS 'as in batch_jobs, in US dollars';
COMMENT ON COLUMN @extschema@.batch_chunks.unpriced IS 'answers whose cost is not known';
COMMENT ON COLUMN @extschema@.batch_attempts.cache_write_tokens IS
    'the part of input_tokens that the provider wrote to a cache';
COMMENT ON COLUMN @extschema@.batch_attempts.cache_write_1h_tokens IS
    'the part of input_tokens that it wrote to a cache for an hour';
COMMENT ON COLUMN @extschema@.batch_attempts.cost IS
    'US dollars; 0: the provider does not bill it; NULL: it is unpriced';
COMMENT ON COLUMN @extschema@.batch_attempts.realtime_cost IS
    'US dollars for the same tokens at the standard prices of real time; NULL if not known';
COMMENT ON COLUMN @extschema@.batch_attempts.wasted IS
    'its cost brought nothing: see batch_jobs.wasted';

--
-- Budgets: what may be spent.
--
CREATE TABLE IF NOT EXISTS batchinf.budget (
    budget_id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    role        oid,
    role_name   name,
    server      oid,
    server_name name,
    period      text NOT NULL CHECK (period IN ('day', 'week', 'month', 'total')),
    amount      numeric NOT NULL CHECK (amount >= 0 AND amount < 'Infinity'),
    on_exceed   text NOT NULL CHECK (on_exceed IN ('refuse', 'wait', 'warn')),
    install     uuid NOT NULL,
    database    oid NOT NULL,
    set_by      name NOT NULL,
    set_at      timestamptz NOT NULL DEFAULT pg_catalog.now(),
    CHECK ((role IS NULL) = (role_name IS NULL)),
    CHECK ((server IS NULL) = (server_name IS NULL))
);
SELECT pg_catalog.pg_extension_config_dump('batchinf.budget', '');
SELECT pg_catalog.pg_extension_config_dump('batchinf.budget_budget_id_seq', '');

CREATE OR REPLACE FUNCTION batchinf.usd(amount numeric) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN pg_catalog.trim_scale(pg_catalog.round(amount, 8))::text;
COMMENT ON FUNCTION batchinf.usd IS 'an amount for a message';

-- In UTC, whose days the ledger keeps, so that no change of a clock makes a period longer.
CREATE OR REPLACE FUNCTION batchinf.period_start(period text, at timestamptz) RETURNS timestamptz
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE WHEN period <> 'total'
        THEN pg_catalog.date_trunc(period, at AT TIME ZONE 'UTC') AT TIME ZONE 'UTC' END;
COMMENT ON FUNCTION batchinf.period_start IS
    'when the period of a budget began that holds at that time; NULL: with the ledger';
CREATE OR REPLACE FUNCTION batchinf.period_end(period text, at timestamptz) RETURNS timestamptz
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE WHEN period <> 'total'
        THEN (pg_catalog.date_trunc(period, at AT TIME ZONE 'UTC')
              + CASE period WHEN 'day' THEN interval '1 day' WHEN 'week' THEN interval '7 days'
                    ELSE interval '1 month' END) AT TIME ZONE 'UTC' END;
COMMENT ON FUNCTION batchinf.period_end IS 'when it ends; NULL: never';

-- A role and a server are known by their oids here, and by their names in a copy, or when they were
-- created again.
CREATE OR REPLACE VIEW batchinf.budget_here AS
SELECT b.budget_id, b.role_name, b.server_name, b.period, b.amount, b.on_exceed, b.set_by,
       b.set_at,
       CASE WHEN b.role IS NOT NULL THEN COALESCE(
           (SELECT r.oid FROM pg_catalog.pg_roles r, batchinf.here h
            WHERE r.oid = b.role AND h.uuid = b.install AND h.database = b.database),
           (SELECT r.oid FROM pg_catalog.pg_roles r WHERE r.rolname = b.role_name), 0) END AS role,
       CASE WHEN b.server IS NOT NULL THEN COALESCE(
           (SELECT f.oid FROM pg_catalog.pg_foreign_server f, batchinf.here h
            WHERE f.oid = b.server AND h.uuid = b.install AND h.database = b.database),
           (SELECT f.oid FROM pg_catalog.pg_foreign_server f
            WHERE f.srvname = b.server_name), 0) END AS server
FROM batchinf.budget b;

CREATE OR REPLACE FUNCTION batchinf.belongs(member oid, role oid) RETURNS bool
    LANGUAGE sql STABLE
BEGIN ATOMIC
    WITH RECURSIVE up AS (
        SELECT belongs.member AS role
        UNION
        SELECT m.roleid FROM pg_catalog.pg_auth_members m JOIN up u ON m.member = u.role
    )
    SELECT EXISTS (SELECT FROM up u WHERE u.role = belongs.role);
END;
COMMENT ON FUNCTION batchinf.belongs IS
    'is the first role the second one, or a member of it, by others too? A superuser is no member '
    'of all roles here.';

CREATE OR REPLACE FUNCTION batchinf.counts(role oid, server oid, owner oid, at_server oid)
    RETURNS bool
    LANGUAGE sql STABLE
    RETURN (counts.server IS NULL OR counts.server OPERATOR(pg_catalog.=) counts.at_server)
        AND (counts.role IS NULL OR batchinf.belongs(counts.owner, counts.role));
COMMENT ON FUNCTION batchinf.counts IS
    'does a budget for that role and server (NULL: all) count what a job of that owner spends '
    'there?';

CREATE OR REPLACE VIEW batchinf.budget_state AS
SELECT b.budget_id, b.role, b.role_name, b.server, b.server_name, b.period, b.amount, b.on_exceed,
       b.set_by, b.set_at, p.start AS period_start, p.end AS period_end,
       s.spent, s.unpriced, r.reserved
FROM batchinf.budget_here b
CROSS JOIN LATERAL (SELECT batchinf.period_start(b.period, pg_catalog.now()),
                           batchinf.period_end(b.period, pg_catalog.now())) p(start, "end")
CROSS JOIN LATERAL (
    SELECT COALESCE(sum(g.cost), 0) AS spent, COALESCE(sum(g.unpriced), 0)::bigint AS unpriced
    FROM (SELECT l.install, l.database, l.owner, l.owner_name, l.server, l.server_name,
                 sum(l.cost) AS cost, sum(l.unpriced) AS unpriced
          FROM batchinf.spend l WHERE l.at >= COALESCE(p.start, '-infinity')
          GROUP BY l.install, l.database, l.owner, l.owner_name, l.server, l.server_name) g
    CROSS JOIN batchinf.here h
    CROSS JOIN LATERAL (SELECT g.install = h.uuid AND g.database = h.database) o(ours)
    -- by name as in budget_here: otherwise a server that is created again has spent nothing
    WHERE batchinf.counts(
        b.role, b.server,
        COALESCE((SELECT q.oid FROM pg_catalog.pg_roles q WHERE q.oid = g.owner AND o.ours),
                 (SELECT q.oid FROM pg_catalog.pg_roles q WHERE q.rolname = g.owner_name)),
        COALESCE((SELECT f.oid FROM pg_catalog.pg_foreign_server f
                  WHERE f.oid = g.server AND o.ours),
                 (SELECT f.oid FROM pg_catalog.pg_foreign_server f
                  WHERE f.srvname = g.server_name)))) s
CROSS JOIN LATERAL (
    -- what is delivered of a chunk is in the ledger already
    SELECT COALESCE(sum(GREATEST(c.reserved - c.cost, 0)), 0) AS reserved
    FROM batchinf.chunk c
    JOIN batchinf.job j ON j.job_id = c.job_id
    JOIN batchinf.here h ON h.uuid = j.install AND h.database = j.database
    WHERE c.reserved IS NOT NULL AND batchinf.counts(b.role, b.server, c.owner, c.server)) r;

CREATE OR REPLACE FUNCTION batchinf.ceilings(owner oid, server oid, job_id bigint, max_cost numeric)
    RETURNS TABLE (budget_id bigint, name text, amount numeric, spent numeric, reserved numeric,
                   on_exceed text, period_end timestamptz)
    LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT NULL::bigint, 'max_cost', ceilings.max_cost, COALESCE(sum(c.cost), 0),
           COALESCE(sum(GREATEST(c.reserved - c.cost, 0)), 0), 'refuse', NULL::timestamptz
    FROM batchinf.chunk c
    WHERE c.job_id = ceilings.job_id AND ceilings.max_cost IS NOT NULL
    HAVING ceilings.max_cost IS NOT NULL
    UNION ALL
    SELECT s.budget_id,
           pg_catalog.format('budget %s (%s%s%s)', s.budget_id,
                             'role ' || s.role_name || ', ', 'server ' || s.server_name || ', ',
                             CASE s.period WHEN 'total' THEN 'in total'
                                 ELSE 'a ' || s.period END),
           s.amount, s.spent, s.reserved, s.on_exceed, s.period_end
    FROM batchinf.budget_state s
    WHERE batchinf.counts(s.role, s.server, ceilings.owner, ceilings.server);
END;
COMMENT ON FUNCTION batchinf.ceilings IS
    'the limits of a job of that owner at that server: its max_cost (NULL: none), and the budgets '
    'that count it';

CREATE OR REPLACE FUNCTION @extschema@.batch_set_budget(
        amount    numeric,
        period    text,
        role      regrole DEFAULT NULL,
        server    name DEFAULT NULL,
        on_exceed text DEFAULT 'refuse')
    RETURNS bigint
    AS 'MODULE_PATHNAME', 'batchinf_set_budget' LANGUAGE C VOLATILE;

CREATE OR REPLACE FUNCTION @extschema@.batch_drop_budget(budget_id bigint) RETURNS void
    AS 'MODULE_PATHNAME', 'batchinf_drop_budget' LANGUAGE C STRICT VOLATILE;

CREATE OR REPLACE VIEW @extschema@.batch_budgets WITH (security_barrier) AS
SELECT s.budget_id, COALESCE(r.rolname, s.role_name) AS role,
       COALESCE(f.srvname, s.server_name) AS server, s.period, s.amount, s.reserved, s.spent,
       s.amount - s.spent - s.reserved AS remaining, s.period_start, s.on_exceed, s.period_end,
       'USD'::text AS currency, s.unpriced,
       CASE WHEN s.role = 0 THEN 'no role' WHEN s.server = 0 THEN 'no server'
            WHEN s.spent + s.reserved >= s.amount THEN 'used up' ELSE 'open' END AS state,
       s.set_by, s.set_at
FROM batchinf.budget_state s
LEFT JOIN pg_catalog.pg_roles r ON r.oid = s.role
LEFT JOIN pg_catalog.pg_foreign_server f ON f.oid = s.server
WHERE batchinf.monitors()
   OR ((s.server IS NULL OR pg_catalog.has_server_privilege(f.oid, 'USAGE'))
       AND (s.role IS NULL
            OR batchinf.belongs((SELECT u.oid FROM pg_catalog.pg_roles u
                                 WHERE u.rolname = current_user), s.role)));
GRANT SELECT ON @extschema@.batch_budgets TO PUBLIC;

COMMENT ON FUNCTION @extschema@.batch_set_budget IS
    'Sets what may be spent in US dollars in each period (day, week, month, total), and returns '
    'the budget''s id. role: for its jobs and those of its members, together; NULL: for all. '
    'server: at that server; NULL: at all. When it is used up, on_exceed says what happens: '
    'refuse (batch_submit raises an error, and what was submitted before is not sent), wait (it '
    'is sent when there is money again) or warn. It replaces the budget for the same role, server '
    'and period. For superusers and members of the role that owns the extension.';
COMMENT ON FUNCTION @extschema@.batch_drop_budget IS
    'Removes a budget. For superusers and members of the role that owns the extension.';
COMMENT ON VIEW @extschema@.batch_budgets IS
    'Budgets, and what is left of them, in US dollars. A budget counts what is spent in this '
    'database only. A role sees those that count its jobs; pg_monitor and pg_read_all_data see '
    'all.';
COMMENT ON COLUMN @extschema@.batch_budgets.budget_id IS 'id of the budget';
COMMENT ON COLUMN @extschema@.batch_budgets.role IS
    'whose jobs count, with those of its members; NULL: all';
COMMENT ON COLUMN @extschema@.batch_budgets.server IS 'the server at which they count; NULL: all';
COMMENT ON COLUMN @extschema@.batch_budgets.period IS
    'day, week (from Monday on), month, each from midnight UTC; or total: all that was ever spent';
COMMENT ON COLUMN @extschema@.batch_budgets.amount IS 'what may be spent in it';
COMMENT ON COLUMN @extschema@.batch_budgets.reserved IS
    'what batches under way may still cost: each reserves what 19 of 20 like it do not exceed';
COMMENT ON COLUMN @extschema@.batch_budgets.spent IS
    'what answers that came in this period have cost';
COMMENT ON COLUMN @extschema@.batch_budgets.remaining IS
    'amount less spent and reserved; negative: batches that were under way have cost more than '
    'they reserved, or the amount was lowered';
COMMENT ON COLUMN @extschema@.batch_budgets.period_start IS
    'when the period began; NULL: of a total';
COMMENT ON COLUMN @extschema@.batch_budgets.on_exceed IS
    'What happens to what would exceed it.
refuse: batch_submit raises an error; batches that were submitted before are not sent.
wait: batches wait.
warn: it is sent and reported.';
COMMENT ON COLUMN @extschema@.batch_budgets.period_end IS 'when it ends; NULL: never';
COMMENT ON COLUMN @extschema@.batch_budgets.currency IS 'USD';
COMMENT ON COLUMN @extschema@.batch_budgets.unpriced IS
    'answers of this period whose cost is not known, and not in spent';
COMMENT ON COLUMN @extschema@.batch_budgets.state IS
    'Whether money is left.
open: some is left.
used up: nothing is left.
no role: the role was dropped; the budget counts nothing.
no server: the server was dropped; the budget counts nothing.';
COMMENT ON COLUMN @extschema@.batch_budgets.set_by IS 'who has set it';
COMMENT ON COLUMN @extschema@.batch_budgets.set_at IS 'when';
COMMENT ON TABLE batchinf.budget IS 'Budgets that batch_set_budget has set.';
COMMENT ON COLUMN batchinf.budget.budget_id IS 'id of the budget';
COMMENT ON COLUMN batchinf.budget.role IS 'oid of the role whose jobs count; NULL: all';
COMMENT ON COLUMN batchinf.budget.role_name IS 'its name then';
COMMENT ON COLUMN batchinf.budget.server IS 'oid of the server; NULL: all';
COMMENT ON COLUMN batchinf.budget.server_name IS 'its name then';
COMMENT ON COLUMN batchinf.budget.period IS 'day, week, month, total';
COMMENT ON COLUMN batchinf.budget.amount IS 'US dollars';
COMMENT ON COLUMN batchinf.budget.on_exceed IS 'refuse, wait, warn';
COMMENT ON COLUMN batchinf.budget.install IS 'the installation of role and server (view here)';
COMMENT ON COLUMN batchinf.budget.database IS 'the database of role and server';
COMMENT ON COLUMN batchinf.budget.set_by IS 'who has set it';
COMMENT ON COLUMN batchinf.budget.set_at IS 'when';
COMMENT ON VIEW batchinf.budget_here IS
    'Budgets with the oids that role and server have here; 0: it is gone.';
COMMENT ON VIEW batchinf.budget_state IS 'Budgets with what is spent and reserved in this period.';
