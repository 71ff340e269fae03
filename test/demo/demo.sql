-- test/demo/demo.sql: what `make demo` shows; run by demo.sh.  :base_url is the simulated provider,
-- :packages a file.
\pset pager off
\pset footer off
\pset null '·'
\pset linestyle unicode
\pset border 1
\timing off

SELECT CASE WHEN count(*) > 0 THEN 'vector' ELSE 'real[]' END AS embedding,
       CASE WHEN count(*) > 0 THEN 'CREATE EXTENSION vector' ELSE 'SELECT' END AS prepare
  FROM pg_available_extensions WHERE name = 'vector' \gset
:prepare \g /dev/null

\echo
\echo == The table of a user: packages with two columns to fill by a model, and one for embeddings
\set ECHO queries
CREATE TABLE package (
    name text PRIMARY KEY,
    section text NOT NULL,
    description text NOT NULL,
    kind text CHECK (kind IN ('library', 'documentation', 'game', 'module', 'server', 'font',
        'tool')),
    summary text,
    embedding :embedding);
\set ECHO none
\set copy '\\copy package (name, section, description) FROM ' :'packages'
:copy
ANALYZE package;
\set ECHO queries
SELECT count(*) AS packages, count(DISTINCT section) AS sections,
    pg_size_pretty(sum(length(description))) AS text
FROM package;

\set ECHO none
\echo
\echo == The extension, a provider, a key
\set ECHO queries
CREATE EXTENSION batchinf;

CREATE SERVER openai FOREIGN DATA WRAPPER batchinf
OPTIONS (provider 'openai', model 'gpt-5.4-mini', base_url :'base_url', max_requests '1000',
    poll_interval '1');

CREATE USER MAPPING FOR CURRENT_USER SERVER openai OPTIONS (api_key 'sk-sim');

SELECT * FROM batch_check('openai');

\set ECHO none
\echo
\echo == Job 1: label and summarise every twentieth package, two columns from one structured answer
\set ECHO queries
SELECT batch_submit(
    'SELECT name, description FROM package WHERE abs(hashtext(name)) % 20 = 0',
    server => 'openai',
    name => 'labels',
    system_prompt => 'What kind of package is this? Sum it up in a few words.',
    prompt => '{{name}}: {{description}}',
    response_schema => '{"type": "object", "properties": {"kind":    {"enum": ["library", '
                       '"documentation", "game", "module", "server", "font", "tool"]}, '
                       '"summary": {"type": "string"}}, "required": ["kind", "summary"], '
                       '"additionalProperties": false}',
    target => 'package',
    write_back => '{"kind": "$.kind", "summary": "$.summary"}') AS labels \gset

\set ECHO none
\echo
\echo == Job 2, at the same time: embed games, science, databases and mathematics
\set ECHO queries
SELECT batch_submit(
    $$SELECT name, description AS input FROM package
      WHERE section IN ('games', 'science', 'database', 'math')$$,
    server => 'openai',
    name => 'embeddings',
    task => 'embedding',
    model => 'text-embedding-3-small',
    params => '{"dimensions": 512}',
    target => 'package',
    write_back => '{"embedding": "$"}') AS embeddings \gset

\set ECHO none
\echo
\echo == The background worker uploads, submits, polls and downloads; nothing waits but this session
\set ECHO queries
SELECT job_id, state, records FROM batch_jobs ORDER BY job_id;
CALL batch_wait(:labels, '2 min');
CALL batch_wait(:embeddings, '2 min');

\set ECHO none
\echo
\echo == What the views tell
\set ECHO queries
SELECT job_id, name, state, records, succeeded, written, write_failed, progress, input_tokens,
    output_tokens, (finished_at - created_at)::interval(1) AS took
FROM batch_jobs ORDER BY job_id;
SELECT job_id, chunk_id, state, records, pg_size_pretty(bytes) AS size, provider_batch_id,
    (ended_at - submitted_at)::interval(1) AS took
FROM batch_chunks ORDER BY job_id, chunk_id;

\set ECHO none
\echo
\echo == The answers, in the rows
\set ECHO queries
SELECT name, section, kind, summary FROM package WHERE summary IS NOT NULL ORDER BY name LIMIT 8;
SELECT p.section, count(*) FILTER (WHERE kind = 'library') AS library,
    count(*) FILTER (WHERE kind = 'documentation') AS documentation,
    count(*) FILTER (WHERE kind = 'game') AS game,
    count(*) FILTER (WHERE kind = 'module') AS module,
    count(*) FILTER (WHERE kind = 'server') AS server,
    count(*) FILTER (WHERE kind = 'font') AS font, count(*) FILTER (WHERE kind = 'tool') AS tool,
    sum(r.input_tokens + r.output_tokens) AS tokens
FROM package p JOIN batch_records r ON r.record_id = p.name
WHERE r.job_id = :labels AND r.outcome = 'succeeded' GROUP BY p.section ORDER BY count(*) DESC
LIMIT 8;

\set ECHO none
\echo
\echo == Nearest to gnuchess, by the cosine of embeddings
SELECT :'embedding' = 'vector' AS has_vector \gset
\if :has_vector
\set ECHO queries
SELECT p.name, round((1 - (p.embedding <=> g.embedding))::numeric, 3) AS likeness,
    split_part(p.description, E'\n', 1) AS description
FROM package p, package g WHERE g.name = 'gnuchess' AND p.name <> g.name AND p.embedding IS NOT NULL
ORDER BY p.embedding <=> g.embedding LIMIT 8;
\else
\set ECHO queries
SELECT p.name, round(d.likeness::numeric, 3) AS likeness,
    split_part(p.description, E'\n', 1) AS description
FROM package p, package g,
    LATERAL (SELECT sum(a * b) / sqrt(sum(a * a) * sum(b * b))
             FROM unnest(p.embedding, g.embedding) AS u(a, b)) AS d(likeness)
WHERE g.name = 'gnuchess' AND p.name <> g.name AND p.embedding IS NOT NULL ORDER BY d.likeness DESC
LIMIT 8;
\endif
\set ECHO none

\echo
\echo == A pipeline keeps answers up to date: a second refresh sends nothing
\set ECHO queries
CREATE TABLE ticket (id int PRIMARY KEY, body text, label text);
INSERT INTO ticket (id, body)
SELECT row_number() OVER (ORDER BY name), description FROM package ORDER BY name LIMIT 100;
SELECT batch_create_pipeline('tickets', 'SELECT id, body FROM ticket', 'openai',
    prompt => 'Label this: {{body}}', target => 'ticket', write_back => '{"label": "$"}');
SELECT batch_refresh('tickets') AS job \gset
CALL batch_wait(:job, '2 min');
SELECT batch_refresh('tickets');

\set ECHO none
\echo
\echo == ... and ten edited rows send ten
\set ECHO queries
UPDATE ticket SET body = body || ' (edited)' WHERE id <= 10;
SELECT batch_refresh('tickets') AS job \gset
CALL batch_wait(:job, '2 min');
SELECT records, succeeded, written, pipeline, version FROM batch_jobs WHERE job_id = :job;
SELECT batch_refresh('tickets');
SELECT name, state, rows, answered, due, in_flight, failed, coverage FROM batch_pipelines;
\set ECHO none

\echo
\echo == The same with the real API: only the server and the key differ
\echo
\echo '    CREATE SERVER openai FOREIGN DATA WRAPPER batchinf'
\echo '    OPTIONS (provider ''openai'', model ''gpt-5.4-mini'');'
\echo '    CREATE USER MAPPING FOR CURRENT_USER SERVER openai'
\echo '    OPTIONS (api_key_file ''/etc/batchinf.key'');'
\echo
\echo The README has the five minutes from here to there.  A real batch takes minutes to hours,
\echo at half the price.
