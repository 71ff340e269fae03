-- Prices and the arithmetic of costs: each worked example, each name that is not the nearest one,
-- tiers, dates and places; prices of one's own, who may set and see them, and what becomes of them
-- at an update, a renaming and a new server.
\i lib.sql
SELECT no_plan();

-- Makes a server of a provider that needs no more options than these.
CREATE FUNCTION make(name text, provider text, options text DEFAULT '') RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('CREATE SERVER %I FOREIGN DATA WRAPPER batchinf OPTIONS (provider %L%s)',
                   name, provider, options);
END $$;
SELECT make('openai', 'openai');
SELECT make('azure', 'azure_openai', $$, base_url 'https://own.openai.azure.com'$$);
SELECT make('anthropic', 'anthropic');
SELECT make('bedrock', 'bedrock', $$, region 'us-east-1', role_arn 'arn:aws:iam::1:role/a',
            storage_url 's3://abc'$$);
SELECT make('frankfurt', 'bedrock', $$, region 'eu-central-1', role_arn 'arn:aws:iam::1:role/a',
            storage_url 's3://abc'$$);
SELECT make('gov', 'bedrock', $$, region 'us-gov-west-1', role_arn 'arn:aws:iam::1:role/a',
            storage_url 's3://abc'$$);
SELECT make('vertex', 'vertex', $$, project 'p', location 'global', storage_url 'gs://abc'$$);
SELECT make('belgium', 'vertex', $$, project 'p', location 'europe-west1',
            storage_url 'gs://abc'$$);
SELECT make('gemini', 'gemini');

CREATE FUNCTION oid_of(server name) RETURNS oid LANGUAGE sql AS $$
    SELECT oid FROM pg_foreign_server WHERE srvname = server
$$;
CREATE FUNCTION tariff(server name, model text, mode text DEFAULT 'batch',
                       answered text DEFAULT NULL, at timestamptz DEFAULT '2026-11-01 00:00 UTC')
RETURNS numeric[] LANGUAGE sql AS $$
    SELECT t.tiers FROM batchinf.tariff(oid_of(server), model, answered, mode, at) t
$$;
-- What a request costs in real time and in a batch, as text; tokens in thousands.
CREATE FUNCTION costs(server name, model text, input numeric, output numeric,
                      cached numeric DEFAULT 0, write numeric DEFAULT 0, write_1h numeric DEFAULT 0,
                      factor numeric DEFAULT 1, answered text DEFAULT NULL)
RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(COALESCE(batchinf.cost(
               tariff(server, model, m.mode, answered), (input * 1000)::bigint,
               (cached * 1000)::bigint, (write * 1000)::bigint, (write_1h * 1000)::bigint,
               (output * 1000)::bigint, factor)::text, 'unpriced'), ' ' ORDER BY m.mode DESC)
    FROM (VALUES ('realtime'), ('batch')) m(mode)
$$;
-- The price of input in a batch, or in another mode; NULL: unpriced.
CREATE FUNCTION input(server name, model text, mode text DEFAULT 'batch',
                      answered text DEFAULT NULL, at timestamptz DEFAULT '2026-11-01 00:00 UTC')
RETURNS numeric LANGUAGE sql AS $$
    SELECT (tariff(server, model, mode, answered, at))[1][2]
$$;

-- worked examples: real time, batch
SELECT is(costs('openai', 'gpt-5.4-mini', 1000, 100, cached => 400), '0.93 0.465',
          'OpenAI: a part of the prompt is cached');
SELECT is(costs('openai', 'gpt-5.4', 300, 10), '1.725 0.8625',
          'OpenAI: a long prompt has other prices, of all its tokens');
SELECT is(costs('azure', 'my-deployment', 1000, 100, cached => 400,
                answered => 'gpt-5.4-mini-2026-03-17'), '0.93 0.465',
          'Azure: the price of the model that answered, not of the deployment''s name');
SELECT is(costs('anthropic', 'claude-haiku-4-5', 1000, 100, cached => 300, write_1h => 600),
          '1.83 0.915', 'Anthropic: cache writes for an hour');
SELECT is(costs('anthropic', 'claude-haiku-4-5', 1000, 100, cached => 300, write_1h => 600,
                factor => 1.1), '2.013 1.0065', 'Anthropic: inference_geo is a factor of all');
SELECT is(costs('bedrock', 'amazon.nova-lite-v1:0', 1000, 100), '0.084 0.042', 'Bedrock: Nova');
SELECT is(costs('bedrock', 'global.anthropic.claude-haiku-4-5-20251001-v1:0', 1000, 100),
          '1.5 0.75', 'Bedrock: a global profile');
SELECT is(costs('bedrock', 'us.anthropic.claude-haiku-4-5-20251001-v1:0', 1000, 100),
          '1.65 0.825', 'Bedrock: a profile of regions costs a tenth more');
SELECT is(costs('vertex', 'gemini-3.5-flash-lite', 1000, 100, cached => 400), '0.442 0.227',
          'Vertex AI: what is read from a cache is not halved');
SELECT is(costs('gemini', 'gemini-3.5-flash-lite', 1000, 100, cached => 400), '0.442 0.223',
          'Gemini: it has a price of its own in a batch');
SELECT is(costs('openai', 'text-embedding-3-small', 10000, NULL), '0.2 0.1',
          'embeddings have no output');

-- two million documents of 1,500 tokens, with answers of 250
CREATE FUNCTION of_documents(server name, model text, mode text) RETURNS numeric LANGUAGE sql AS $$
    SELECT 1000 * sum(batchinf.cost(t.t, 1500, NULL, NULL, NULL, 250))
    FROM (SELECT tariff(server, model, mode) AS t) t, generate_series(1, 2000)
$$;
SELECT is(of_documents('bedrock', 'amazon.nova-lite-v1:0', 'realtime'), 300::numeric,
          'two million documents: Nova Lite in real time');
SELECT is(of_documents('bedrock', 'amazon.nova-lite-v1:0', 'batch'), 150::numeric,
          '... in a batch');
SELECT is(of_documents('anthropic', 'claude-3-haiku-20240307', 'realtime'), 1375::numeric,
          'two million documents: a Haiku in real time');
SELECT is(of_documents('anthropic', 'claude-3-haiku-20240307', 'batch'), 687.50, '... in a batch');
SELECT is(of_documents('anthropic', 'claude-sonnet-4-6', 'realtime'), 16500::numeric,
          'two million documents: a Sonnet in real time');
SELECT is(of_documents('anthropic', 'claude-sonnet-4-6', 'batch'), 8250::numeric,
          '... in a batch');

-- the nearest name is not the name
SELECT is(input('bedrock', 'amazon.titan-embed-text-v2:0', 'realtime'), 0.02,
          'Titan V2 has not the price of V1');
SELECT is((tariff('anthropic', 'claude-sonnet-5-5', 'realtime'))[1][3], 0.1,
          'Sonnet 5.5 has not the cache of Sonnet 5');
SELECT is((tariff('bedrock', 'us.anthropic.claude-haiku-4-5-20251001-v1:0', 'realtime'))[1][5], 2.2,
          'Claude at Bedrock: a write for an hour is not one for five minutes');
SELECT is(costs('bedrock', 'us.anthropic.claude-haiku-4-5-20251001-v1:0', 1000, 0, write => 1),
          '1.100275 unpriced', '... and writes in a batch there have no known price');
SELECT is(input(server, model, 'realtime'), NULL, format('unpriced: %s %s', server, model))
FROM (VALUES ('openai', 'gpt-5.4-mini-turbo'), ('openai', 'gpt-5.4-'), ('openai', 'gpt'),
             ('openai', 'gpt-6.2-sol'), ('openai', 'gpt-4o-2024-13-01'),
             ('openai', 'gpt-4o-2024-0501'), ('openai', 'ft:gpt-4o-mini-2024-07-18:me::1'),
             ('openai', 'omni-moderation-latest'), ('openai', 'gpt-oss-20b'),
             ('openai', 'llama-3.3-70b'), ('azure', 'my-deployment'),
             ('anthropic', 'claude-sonnet-5-6'), ('anthropic', 'claude-sonnet-5-5-1'),
             ('bedrock', 'anthropic.claude-haiku-4-5-20251001-v1:0'),
             ('bedrock', 'cohere.embed-english-v3'),
             ('bedrock', 'amazon.nova-2-multimodal-embeddings-v1:0'),
             ('bedrock', 'amazon.nova-lite-v2:0'), ('bedrock', 'eu.amazon.nova-lite-v1:0'),
             ('bedrock', 'arn:aws:bedrock:us-east-1:1:application-inference-profile/ab12'),
             ('frankfurt', 'amazon.nova-lite-v1:0'), ('gov', 'amazon.nova-lite-v1:0'),
             ('belgium', 'claude-haiku-4-5'), ('vertex', 'text-embedding-005'),
             ('vertex', 'projects/p/locations/l/models/gemini-2.5-pro'),
             ('gemini', 'gemini-embedding-2-preview'), ('gemini', 'gemini-4-pro'),
             ('gemini', 'gemma-3-27b-it'), ('gemini', 'tunedModels/gemini-2.5-pro')
     ) v(server, model);
SELECT isnt(input(server, model, 'realtime'), NULL, format('priced: %s %s', server, model))
FROM (VALUES ('openai', 'GPT-5.4-Mini'), ('openai', 'gpt-4o-mini-2099-01-01'),
             ('anthropic', 'claude-haiku-4-5-20251001'), ('vertex', 'claude-opus-4-6@default'),
             ('vertex', 'claude-haiku-4-5@20251001'), ('belgium', 'gemini-2.5-pro'),
             ('vertex', 'publishers/google/models/gemini-2.5-pro'),
             ('vertex', 'anthropic/claude-haiku-4-5'),
             ('vertex', 'projects/p/locations/l/publishers/google/models/gemini-2.5-pro'),
             ('gemini', 'models/gemini-2.5-pro'),
             ('bedrock', 'arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-lite-v1:0'),
             ('bedrock', 'arn:aws:bedrock:us-east-1:1:inference-profile/us.amazon.nova-lite-v1:0'),
             ('frankfurt', 'eu.anthropic.claude-haiku-4-5-20251001-v1:0')) v(server, model);
SELECT is(input('openai', 'gpt-4o-2024-08-06'), 1.25, 'a date is left out where it says nothing');
SELECT is(input('openai', 'gpt-4o-2024-05-13'), 2.5, '... and not where it has a price of its own');
SELECT is(input('openai', 'gpt-4o', answered => 'gpt-4o-2024-05-13'), 2.5,
          'the price is that of the model that answered');
SELECT is(input('openai', 'gpt-4o', answered => 'gpt-9'), NULL, '... if that has one');
SELECT is(input('azure', 'gpt-4o', answered => 'gpt-5.4-mini-2026-03-17'), 0.375,
          '... at Azure, whatever the deployment is called');
SELECT is(input('bedrock', 'global.anthropic.claude-haiku-4-5-20251001-v1:0',
                answered => 'claude-haiku-4-5-20251001'), 0.5,
          '... but not at Bedrock, where the answer does not say which profile it was');
SELECT is(input('vertex', 'gemini-2.0-flash', answered => 'gemini-2.0-flash-001'), 0.05,
          'the version of the model that was asked for');
SELECT is(input('bedrock', 'mistral.mixtral-8x7b-instruct-v0:1'), NULL,
          'a model that may have no batch has no price of it');
SELECT is(input('anthropic', 'claude-haiku-4-5', 'flex'), NULL, 'Anthropic has no flex');
SELECT is(input('openai', 'gpt-5.4-mini', 'flex'), 0.375, 'OpenAI has');
SELECT is(input('openai', 'text-embedding-3-small', 'flex'), NULL, '... not for embeddings');

-- never 0
SELECT is(count(*), 0::bigint, 'no shipped price is 0') FROM batchinf.price_list
WHERE per_million = 0;
SELECT cmp_ok(count(DISTINCT (provider, model)), '>', 300::bigint, 'there are many')
FROM batchinf.price_list;
SELECT is(batchinf.cost(NULL, 1, 0, 0, 0, 1), NULL, 'without prices there is no cost');
SELECT is(batchinf.cost(tariff('openai', 'gpt-5.4'), NULL, 0, 0, 0, 1), NULL, 'nor without input');
SELECT is(batchinf.cost(tariff('openai', 'gpt-5.4'), 1, 0, 0, 0, NULL), NULL, '... or output');
SELECT is(batchinf.cost(tariff('openai', 'gpt-5.4'), 0, 0, 0, 0, 0), 0::numeric,
          'no tokens cost nothing');
SELECT is(batchinf.cost(tariff('openai', 'gpt-5.4'), 10, 6, 5, 0, 1), NULL,
          'more of a cache than there is input');
SELECT is(batchinf.cost(tariff('openai', 'gpt-5.4'), 10, 9223372036854775807,
                        9223372036854775807, 0, 1), NULL, '... much more');
SELECT is(batchinf.cost(tariff('openai', 'gpt-5.4'), 10, -6, 0, 0, 1), NULL, 'negative counts');
SELECT is(batchinf.cost(tariff('openai', 'gpt-5.4'), 10, 0, 1, 0, 1), NULL,
          'tokens of a kind without a price');
SELECT is(batchinf.cost(tariff('openai', 'gpt-4o'), 1000, 1000, 0, 0, 0), 0.00125,
          'without a discount, what is cached costs as much as other input');
SELECT throws_ok('SELECT batchinf.cost(ARRAY[1, 2]::numeric[], 1, 0, 0, 0, 1)', '22023',
                 'invalid tariff', 'another array');

-- exact
SELECT is(batchinf.cost(tariff('openai', 'gpt-6-luna', 'realtime'), 20, 0, 0, 0, 0), 0.000002,
          'twenty tokens of the cheapest model');
SELECT is(sum(batchinf.cost(tariff('openai', 'gpt-5.4-mini', 'realtime'), 1, 0, 0, 0, 1)),
          0.00000525 * 1000, 'a sum of a thousand is a thousand times one')
FROM generate_series(1, 1000);
SELECT is(string_agg(DISTINCT format_type(a.atttypid, NULL), ' '), NULL, 'no column is a float')
FROM pg_attribute a
WHERE a.attrelid IN ('batchinf.price'::regclass, 'batchinf.price_list'::regclass,
                     'batch_prices'::regclass)
AND a.atttypid IN ('float4'::regtype, 'float8'::regtype);

-- as SQL adds it up, for any counts
SELECT is(batchinf.cost(t.t, r.input, r.cached, r.write, r.write_1h, r.output, 1.1),
          ((r.input - r.cached - r.write - r.write_1h) * p.input + r.cached * p.cached
           + r.write * p.write + r.write_1h * p.write_1h + r.output * p.output) * 1.1 / 1000000,
          format('the cost of %s', r))
FROM (SELECT tariff('anthropic', 'claude-sonnet-4-5') AS t) t
CROSS JOIN (SELECT setseed(0.5)) s
CROSS JOIN LATERAL (
    SELECT i AS n, 1 + trunc(4e5 * random())::bigint AS input,
           trunc(4e5 * random())::bigint AS output
    FROM generate_series(1, 20) i OFFSET 0) i
CROSS JOIN LATERAL (SELECT i.input, i.input * (i.n % 3) / 5 AS cached,
                           i.input * (i.n % 4) / 10 AS write, i.input * (i.n % 2) / 7 AS write_1h,
                           i.output) r
CROSS JOIN LATERAL (SELECT CASE WHEN r.input > 200000 THEN 2 ELSE 1 END) k(k)
CROSS JOIN LATERAL (
    SELECT t.t[k][2] AS input, t.t[k][3] AS cached, t.t[k][4] AS write, t.t[k][5] AS write_1h,
           t.t[k][6] AS output) p;
SELECT is(costs('bedrock', 'us.amazon.nova-lite-v1:0', 1000, 0, write => 1000), '0.06 unpriced',
          'Nova: what is written to a cache costs as much as other input');

-- tiers
SELECT is(costs('openai', 'gpt-5.4', 271.999, 1), '0.6949975 0.34749875',
          'one token less than a long prompt');
SELECT is(costs('openai', 'gpt-5.4', 272, 1), '1.3825 0.69125', 'a long prompt');
SELECT is(costs('anthropic', 'claude-haiku-5-5', 100, 1), '0.0105 0.00525', 'Haiku 5.5, short');
SELECT is(costs('anthropic', 'claude-haiku-5-5', 100.001, 1, cached => 100),
          '0.0075005 0.00375025', '... and long: what is cached counts too');
SELECT is(costs('anthropic', 'claude-opus-4-6', 300, 1), '1.525 0.7625',
          'a tier that has ended is none');
SELECT is(batchinf.cost(tariff('anthropic', 'claude-opus-4-6', 'batch',
                               at => '2026-03-12 23:59:59 UTC'), 300000, 0, 0, 0, 1000),
          1.51875, '... before its end it was one');

-- dates
SELECT is(input('gemini', 'gemini-3.6-flash', 'realtime', at => '2026-12-31 23:59:59 UTC'), 0.75,
          'the last second of a price');
SELECT is(input('gemini', 'gemini-3.6-flash', 'realtime', at => '2027-01-01 00:00:00 UTC'), 1.5,
          'the first of the next');

-- what is shipped, in the view
SELECT is(array_agg(DISTINCT origin || ' ' || currency || ' ' || (source <> '')),
          '{shipped USD true}',
          'all of them are shipped, are US dollars and have a source') FROM batch_prices;
SELECT results_eq(
    $$SELECT kind, above_tokens, per_million, state FROM batch_prices
      WHERE provider = 'openai' AND model = 'gpt-5.4' AND mode = 'batch' ORDER BY 1, 2$$,
    $$VALUES ('cached_input', 0::bigint, 0.125, 'in force'),
             ('cached_input', 271999, 0.25, 'in force'),
             ('input', 0, 1.25, 'in force'), ('input', 271999, 2.5, 'in force'),
             ('output', 0, 7.5, 'in force'), ('output', 271999, 11.25, 'in force')$$,
    'a model in the view');
SELECT is(string_agg(state, ' ' ORDER BY valid_from), 'past in force', 'a price that has changed')
FROM batch_prices WHERE provider = 'openai' AND model = 'gpt-5.6-luna' AND mode = 'batch'
AND kind = 'input' AND above_tokens = 0;

-- prices of one's own
CREATE FUNCTION winners(server name, model text, kind text DEFAULT 'input',
                        at timestamptz DEFAULT now(), answered text DEFAULT NULL)
RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(format('%s: %s %s', p.above_tokens, p.per_million,
                             CASE WHEN p.own THEN 'own' ELSE 'shipped' END), ', '
                      ORDER BY p.above_tokens)
    FROM batchinf.prices_of(oid_of(server), model, answered, 'batch', at) p
    WHERE p.kind = winners.kind
$$;
SELECT batch_set_price('openai', 'my-model', 'batch', 'input', 0.5,
                       valid_from => '2026-01-01 UTC') AS x \gset
SELECT is(costs('openai', 'my-model', 1000, 0), 'unpriced 0.5', 'an own price of a mode');
SELECT is(costs('openai', 'my-model', 1000, 1), 'unpriced unpriced',
          'a kind that has none is not free of charge');
SELECT batch_set_price('openai', 'my-model', 'batch', 'output', 0,
                       valid_from => '2026-01-01 UTC') AS x \gset
SELECT is(costs('openai', 'my-model', 1000, 1), 'unpriced 0.5', '... unless that was said');
SELECT is(winners('openai', 'gpt-5.4'), '0: 1.25 shipped, 271999: 2.5 shipped', 'shipped prices');
SELECT batch_set_price('openai', 'gpt-5%', 'batch', 'input', 1) AS x \gset
SELECT is(winners('openai', 'gpt-5.4'), '0: 1 own',
          'an own price wins over the shipped one, its tiers included');
SELECT is(winners('openai', 'gpt-5.4', 'output'), '0: 7.5 shipped, 271999: 11.25 shipped',
          '... of its kind only');
SELECT is(string_agg(DISTINCT state, ' '), 'overridden', '... as the view says') FROM batch_prices
WHERE origin = 'shipped' AND model LIKE 'gpt-5.4%' AND mode = 'batch' AND kind = 'input'
AND provider = 'openai';
SELECT is(string_agg(DISTINCT state, ' '), 'in force', '... of that provider only')
FROM batch_prices
WHERE origin = 'shipped' AND model LIKE 'gpt-5.4%' AND mode = 'batch' AND provider <> 'openai';
SELECT batch_set_price('openai', 'gpt-5.4-%', 'batch', 'input', 2) AS x \gset
SELECT is(winners('openai', 'gpt-5.4-mini'), '0: 2 own', 'a longer pattern wins');
SELECT is(winners('openai', 'gpt-5.4'), '0: 1 own', '... where it fits');
SELECT batch_set_price('openai', 'gpt-5.4-mini', 'batch', 'input', 3) AS x \gset
SELECT is(winners('openai', 'GPT-5.4-mini-2026-03-17'), '0: 3 own',
          'a name wins over patterns, with a date and in capitals');
SELECT is(winners('openai', 'alias', answered => 'gpt-5.4-mini-2026-03-17'), '0: 3 own',
          '... and counts for the model that answered');
SELECT batch_set_price('openai', '%', 'batch', 'input', 4, server => 'openai') AS x \gset
SELECT is(winners('openai', 'gpt-5.4-mini'), '0: 4 own', 'a server''s price wins over all');
SELECT make('other', 'openai');
SELECT is(winners('other', 'gpt-5.4-mini'), '0: 3 own', '... at that server');
SELECT batch_set_price('openai', 'gpt-5.4-mini', 'batch', 'input', 5,
                       above_tokens => 1000) AS x \gset
SELECT is(winners('other', 'gpt-5.4-mini'), '0: 3 own, 1000: 5 own', 'a tier of one''s own');
SELECT is(winners('openai', 'gpt-5.4-mini'), '0: 4 own', '... not where other prices win');
SELECT batch_set_price('openai', 'gpt-5.4', 'batch', 'output', 20,
                       above_tokens => 500000) AS x \gset
SELECT is(winners('other', 'gpt-5.4', 'output'),
          '0: 7.5 shipped, 271999: 11.25 shipped, 500000: 20 own', 'a tier beside shipped ones');
SELECT batch_set_price('openai', 'a\_b', 'batch', 'input', 6) AS x \gset
SELECT is(winners('other', 'a_b') || ' ' || COALESCE(winners('other', 'axb'), 'none'),
          '0: 6 own none', 'a backslash takes the meaning from _');

-- deployments of Azure, profiles of Bedrock, servers of one's own
SELECT batch_set_price('azure_openai', 'data-zone', m.mode, k.kind, k.per_million * 1.1 / m.div,
                       server => 'azure', valid_from => '2026-01-01 UTC')
FROM (VALUES ('batch', 2), ('realtime', 1)) m(mode, div),
     (VALUES ('input', 0.75), ('cached_input', 0.075), ('output', 4.5)) k(kind, per_million);
SELECT is(costs('azure', 'data-zone', 1000, 100, cached => 400,
                answered => 'gpt-5.4-mini-2026-03-17'), '1.023 0.5115',
          'the price of a deployment wins over that of its model');
SELECT batch_set_price('bedrock', 'arn:aws:bedrock:%:application-inference-profile/ab12', 'batch',
                       'input', 7) AS x \gset
SELECT is(winners('bedrock', 'arn:aws:bedrock:us-east-1:1:application-inference-profile/ab12'),
          '0: 7 own', 'the price of a profile of one''s own');
SELECT make('self', 'openai', $$, base_url 'https://models.example'$$);
SELECT batch_set_price('openai', '%', 'batch', k, 0, server => 'self',
                       valid_from => '2026-01-01 UTC')
FROM unnest('{input,output}'::text[]) k;
SELECT is(costs('self', 'llama-3', 1000, 1000, cached => 500), 'unpriced 0',
          'a server of one''s own');

-- history
SELECT batch_set_price('anthropic', 'm', 'batch', 'input', 1, valid_from => '2026-01-01 UTC');
SELECT batch_set_price('anthropic', 'm', 'batch', 'input', 2, valid_from => '2026-02-01 UTC');
SELECT batch_set_price('anthropic', 'm', 'batch', 'input', 3, valid_from => '2999-01-01 UTC');
SELECT is(winners('anthropic', 'm', at => '2025-12-31 23:59:59 UTC'), NULL, 'before its time');
SELECT is(winners('anthropic', 'm', at => '2026-01-01 UTC'), '0: 1 own', 'the first price');
SELECT is(winners('anthropic', 'm'), '0: 2 own', 'the price now');
SELECT is(string_agg(state, ' ' ORDER BY valid_from), 'past in force future', '... in the view')
FROM batch_prices WHERE model = 'm';
SELECT batch_set_price('anthropic', 'm', 'batch', 'input', 2.5, valid_from => '2026-02-01 UTC');
SELECT is(winners('anthropic', 'm'), '0: 2.5 own', 'the same time again replaces it');
SELECT is(count(*), 3::bigint, '... and leaves one') FROM batch_prices WHERE model = 'm';
SELECT batch_set_price('anthropic', 'm', 'batch', 'input', NULL);
SELECT is(winners('anthropic', 'm'), NULL, 'NULL ends a price');
SELECT is(winners('anthropic', 'm', at => '2026-03-01 UTC'), '0: 2.5 own', '... from then on');
SELECT is(string_agg(state, ' ' ORDER BY valid_from), 'past past ended future', '... in the view')
FROM batch_prices WHERE model = 'm';
SELECT batch_set_price('openai', 'gpt-5%', 'batch', 'input', NULL) AS x \gset
SELECT is(winners('other', 'gpt-5.4'), '0: 1.25 shipped, 271999: 2.5 shipped',
          'without it the shipped one counts again');
SELECT is(sim.psql('SELECT batch_set_price(''anthropic'', ''none'', ''batch'', ''input'', NULL)'),
          E'NOTICE:  there is no price of your own that could end then\n'
          'HINT:  View batch_prices has all prices.', 'there is nothing to end');

-- two calls for the same key at once
SELECT sim.connect('first');
SELECT dblink_exec('first', 'BEGIN');
SELECT dblink_exec('first', $$DO 'BEGIN PERFORM public.batch_set_price(''openai'', ''twice'',
    ''batch'', ''input'', 1, valid_from => ''2026-01-01 UTC''); END'$$);
SELECT sim.start('second', $$SELECT public.batch_set_price('openai', 'twice', 'batch', 'input', 2,
    valid_from => '2026-01-01 UTC')$$);
SELECT is(sim.until('SELECT count(*) FROM pg_locks WHERE NOT granted', '1'), '1',
          'the second call waits for the first');
SELECT dblink_exec('first', 'COMMIT');
SELECT dblink_disconnect('first');
SELECT is(sim.finish('second'), '', '... and goes on');
SELECT is(string_agg(per_million::text, ' '), '2', '... and replaces its price') FROM batch_prices
WHERE model = 'twice';

-- what is refused
SELECT throws_ok(format('SELECT batch_set_price(%s)', arguments), state, message,
                 'refused: ' || message)
FROM (VALUES
    ($$'opnai', 'm', 'batch', 'input', 1$$, '22023',
     'invalid value for argument "provider": "opnai"'),
    ($$'openai', 'm', 'bath', 'input', 1$$, '22023', 'invalid value for argument "mode": "bath"'),
    ($$'openai', 'm', 'batch', 'inputs', 1$$, '22023',
     'invalid value for argument "kind": "inputs"'),
    ($$'openai', 'm', 'batch', 'input', -1$$, '22023',
     'argument "per_million" must be a number that is not negative'),
    ($$'openai', 'm', 'batch', 'input', 'NaN'$$, '22023',
     'argument "per_million" must be a number that is not negative'),
    ($$'openai', 'm', 'batch', 'input', 'Infinity'$$, '22023',
     'argument "per_million" must be a number that is not negative'),
    ($$'openai', 'm', 'batch', NULL, 1$$, '22004', 'argument "kind" must not be null'),
    ($$'openai', 'm', 'batch', 'input', 1, valid_from => NULL$$, '22004',
     'arguments "valid_from" and "above_tokens" must not be null'),
    ($$'openai', 'm', 'batch', 'input', 1, above_tokens => -1$$, '22023',
     'argument "above_tokens" must not be negative'),
    ($$'openai', '', 'batch', 'input', 1$$, '22023', 'argument "model" must not be empty'),
    ($$'openai', 'a\', 'batch', 'input', 1$$, '22025',
     'argument "model" must not end with the escape character'),
    ($$'openai', 'm', 'batch', 'input', 1, server => 'nowhere'$$, '42704',
     'server "nowhere" does not exist'),
    ($$'openai', 'm', 'batch', 'input', 1, server => 'azure'$$, '22023',
     'server "azure" has provider "azure_openai", not "openai"')) v(arguments, state, message);

-- who may
CREATE ROLE price_user;
CREATE ROLE price_owner SUPERUSER;
CREATE ROLE price_member IN ROLE price_owner;
SELECT ok(has_function_privilege('price_user', oid, 'EXECUTE'), 'anybody may call it')
FROM pg_proc WHERE proname = 'batch_set_price';
SET ROLE price_user;
SELECT throws_like($$SELECT batch_set_price('openai', 'm', 'batch', 'input', 1)$$,
                   'permission denied to set prices', '... but not set a price');
SELECT cmp_ok(count(*), '>', 1000::bigint, 'everybody sees prices') FROM batch_prices;
SELECT is(count(*), 0::bigint, '... not those of servers that they may not use') FROM batch_prices
WHERE server IS NOT NULL;
SELECT throws_ok('SELECT * FROM batchinf.price', '42501', NULL, '... nor the table');
RESET ROLE;
GRANT USAGE ON FOREIGN SERVER azure TO price_user;
SET ROLE price_user;
SELECT is(array_agg(DISTINCT server::text), '{azure}', '... only of those that they may')
FROM batch_prices WHERE server IS NOT NULL;
RESET ROLE;
GRANT pg_monitor TO price_user;
SET ROLE price_user;
SELECT is(array_agg(DISTINCT server::text), '{azure,openai,self}', 'pg_monitor sees all')
FROM batch_prices WHERE server IS NOT NULL;
RESET ROLE;
REVOKE pg_monitor FROM price_user;
SELECT rolname AS owner FROM pg_roles r JOIN pg_namespace n ON n.nspowner = r.oid
WHERE n.nspname = 'batchinf' \gset
GRANT :"owner" TO price_user;
SET ROLE price_user;
SELECT lives_ok($$SELECT batch_set_price('openai', 'of-member', 'batch', 'input', 1)$$,
                'a member of the role that owns the extension may');
RESET ROLE;
SELECT alike(source, 'set by price_user, %', '... the view names it') FROM batch_prices
WHERE model = 'of-member';
REVOKE :"owner" FROM price_user;

-- servers that are renamed, dropped and created again
ALTER SERVER self RENAME TO mine;
SELECT make('self', 'openai');
SELECT is(winners('mine', 'llama-3'), '0: 0 own', 'a server that is renamed keeps its prices');
SELECT is(winners('self', 'llama-3'), NULL, '... another of the old name does not get them');
DROP SERVER self;
DROP SERVER mine;
SELECT is(string_agg(DISTINCT state || ' ' || server, ' '), 'no server self',
          'prices of a server that is gone') FROM batch_prices WHERE server = 'self';
SELECT make('self', 'openai');
SELECT is(winners('self', 'llama-3'), '0: 0 own', '... are those of one that is created again');
ALTER SERVER self OWNER TO price_owner;
SELECT is(winners('self', 'llama-3'), NULL, '... not by another role, who would pay nothing');
ALTER SERVER self RENAME TO mine;
DROP SERVER mine;
SELECT make('self', 'anthropic');
SELECT is(winners('self', 'llama-3'), NULL, '... not of one with another provider');

-- updates and dumps
SELECT is(array_agg(t::regclass::text ORDER BY t::regclass::text),
          '{batchinf.price,batchinf.price_price_id_seq}',
          'own prices are dumped, shipped ones are not')
FROM pg_extension, unnest(extconfig) t WHERE extname = 'batchinf' AND t::regclass::text ~ 'price';
CREATE TEMP TABLE before AS SELECT * FROM batchinf.price;
CREATE TEMP TABLE shipped AS SELECT * FROM batchinf.price_list;
UPDATE batchinf.price_list SET per_million = per_million * 2 WHERE model = 'gpt-5.4';
DELETE FROM batchinf.price_list WHERE provider = 'gemini';
INSERT INTO batchinf.price_list VALUES
    ('gemini', 'gone', 'batch', 'input', 0, '-infinity', 1, NULL, 'an older list');
SELECT extversion AS version FROM pg_extension WHERE extname = 'batchinf' \gset
UPDATE pg_extension SET extversion = '0.2.0' WHERE extname = 'batchinf';
ALTER EXTENSION batchinf UPDATE;
SELECT is(extversion, :'version', 'an update') FROM pg_extension WHERE extname = 'batchinf';
SELECT set_eq('SELECT * FROM batchinf.price_list', 'SELECT * FROM shipped',
              '... replaces the shipped prices');
SELECT set_eq('SELECT * FROM batchinf.price', 'SELECT * FROM before', '... and keeps your own');

DROP OWNED BY price_user, price_owner, price_member;
DROP ROLE price_user, price_owner, price_member;
SELECT * FROM finish();
