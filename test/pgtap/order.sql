-- The members of a request are sent in the order in which the user wrote them, at every provider: a
-- model answers in the order of the schema.
\i lib.sql
\i lib-places.sql
SELECT no_plan();

-- As written; jsonb would have "ok" first, and so would an API that sorts its maps have "note"
-- first.
CREATE TABLE wanted (schema json);
INSERT INTO wanted
VALUES ('{"type": "object", "properties": {"reasons": {"type": "object", '
        '"properties": {"worst": {"type": "string"}, "best": {"type": "string"}, '
        '"x": {"type": "integer"}}, "required": ["worst", "best", "x"], '
        '"additionalProperties": false}, "note": {"type": "string"}, "ok": {"type": "boolean"}}, '
        '"required": ["reasons", "note", "ok"], "additionalProperties": false}');
CREATE FUNCTION keys(j json) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(k, ' ' ORDER BY i) FROM json_object_keys(j) WITH ORDINALITY o(k, i)
$$;

--
-- Every provider: the answers' members come as the schema has them
--
SELECT batch_submit('SELECT i AS id FROM generate_series(1, 3) i', server,
    prompt => 'Judge {{id}}.', name => server, response_schema => (SELECT schema FROM wanted))
FROM place \g /dev/null
CALL batch_work('300 s');
SELECT is(
    (SELECT string_agg(
         DISTINCT outcome || ': ' || keys(output::json) || ', ' || keys(output::json -> 'reasons'),
         '; ')
     FROM batch_records JOIN batch_jobs b USING (job_id) WHERE b.name = server),
    'succeeded: reasons note ok, worst best x',
    server || ': a model answers in the order of the schema')
FROM place ORDER BY server;

--
-- Literals, json, jsonb, domains, unknown parameters: one function takes them all
--
CREATE DOMAIN some_json AS json;
CREATE DOMAIN some_jsonb AS jsonb;
\set doc '{"seed": 1, "metadata": {"zz": "1", "a": "2"}, "top_p": 1.0, "n": 1}'
CREATE FUNCTION stored(job bigint) RETURNS text LANGUAGE sql AS $$
    SELECT spec ->> 'params' FROM batchinf.job WHERE job_id = $1
$$;
CREATE FUNCTION submit_by(argument text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    job bigint;
BEGIN
    EXECUTE 'SELECT batch_submit(''SELECT 1 AS id'', ''openai'', ''x'', params => ' || argument
        || ')'
    INTO job;
    RETURN stored(job);
EXCEPTION WHEN OTHERS THEN
    RETURN sqlstate || ': ' || sqlerrm;
END $$;
\set written '{"seed":1,"metadata":{"zz":"1","a":"2"},"top_p":1.0,"n":1}'
\set sorted '{"n":1,"seed":1,"top_p":1.0,"metadata":{"a":"2","zz":"1"}}'
SELECT is(submit_by(quote_literal(:'doc')), :'written', 'a literal');
SELECT is(submit_by(quote_literal(:'doc') || '::json'), :'written', 'json');
SELECT is(submit_by(quote_literal(:'doc') || '::batch_json'), :'written', 'the type itself');
SELECT is(submit_by(quote_literal(:'doc') || '::some_json'), :'written', 'a domain over json');
SELECT is(submit_by(quote_literal(:'doc') || '::jsonb'), :'sorted',
    'jsonb, whose order is its own');
SELECT is(submit_by(quote_literal(:'doc') || '::some_jsonb'), :'sorted', 'a domain over jsonb');
SELECT is(submit_by($$json_build_object('b', 1, 'a', 2)$$), '{"b":1,"a":2}', 'json_build_object');
SELECT is(submit_by($$jsonb_build_object('bb', 1, 'a', 2)$$), '{"a":2,"bb":1}',
    'jsonb_build_object');
SELECT is(submit_by($$(SELECT json_object_agg(k, v) FROM (VALUES ('c', 1), ('b', 2)) x(k, v))$$),
    '{"c":1,"b":2}', 'a query');
SELECT is(submit_by('NULL'), NULL::text, 'NULL');
SELECT is(submit_by('NULL::jsonb'), NULL::text, 'a NULL of type jsonb');
PREPARE submit AS SELECT stored(batch_submit('SELECT 1 AS id', 'openai', 'x', params => $1));
EXECUTE submit(:'doc') \gset got_
SELECT is(:'got_stored'::text, :'written', 'a parameter of a prepared statement');
CREATE VIEW submitting AS
SELECT batch_submit('SELECT 1 AS id', 'openai', 'x',
    params => '{"user": "b", "n": 1}'::json) AS job;
SELECT is(stored(job), '{"user":"b","n":1}', 'a view') FROM submitting;
SELECT is(pg_get_viewdef('submitting') ~ 'batch_json', true, '… which can be read back');
SELECT is('{"b": 1,  "a": [1.0, 1e3]}'::batch_json::text, '{"b": 1,  "a": [1.0, 1e3]}',
    'the type''s own text');
SELECT is(submit_by($$'{"b": 1'$$) ~ '^22P02: invalid input syntax for type json', true,
    'what is no JSON is refused as json refuses it');
SELECT is(submit_by($$'[1]'$$), '22023: argument "params" must be a JSON object',
    'what is no object');
SELECT is(submit_by($$'null'$$), '22023: argument "params" must be a JSON object', 'a JSON null');
SELECT is(submit_by('''' || repeat('{"a":', 200) || '1' || repeat('}', 200) || ''''),
    '22023: argument "params" cannot be sent as JSON', 'JSON that is too deep');
SELECT is(submit_by($$'{"user": "\ud800"}'$$), '22P02: invalid input syntax for type json',
    'half a surrogate pair, which json lets pass and jsonb does not');
SELECT is(submit_by($$'{"a": "\u0000"}'$$), '22P05: unsupported Unicode escape sequence', 'a NUL');
SELECT is(submit_by($$'{"seed": 1, "user": "a", "seed": 2, "n": 1}'$$),
    '{"seed":2,"user":"a","n":1}',
    'of a name that is given twice the last value is sent, in the first one''s place');
SELECT is(
    submit_by($$'{"seed": 123456789012345678901234567890, "top_p": 0.10, "temperature": 1e0}'$$),
    '{"seed":123456789012345678901234567890,"top_p":0.10,"temperature":1e0}',
    'numbers stay as they were written');
SELECT is(submit_by($$'{"model": "a", "model": "b"}'$$),
    '0A000: server "openai" cannot do this job', 'what params may not set is refused all the same');

--
-- What goes over the wire: tools too, and ours stands before what params bring
--
SELECT batch_submit(
    'SELECT 1 AS id', 'openai', 'x', params => :'doc',
    response_schema => '{"type": "object", "title": "t", "properties": {"why": {"type": "string"}, '
                       '"ok": {"type": "boolean"}}}') AS job \gset
SELECT batch_submit(
    'SELECT 1 AS id', 'openai', 'x',
    params => '{"tools": [{"type": "function", "function": {"name": "f", '
              '"parameters": {"type": "object", "required": ["zebra", "ox"], '
              '"properties": {"zebra": {"type": "string"}, "ox": {"type": "integer"}}}}}], '
              '"tool_choice": "none", "n": 1}') AS tools \gset
CREATE FUNCTION line_of(job bigint) RETURNS text LANGUAGE sql AS $$
    SELECT substring(l FROM '"messages":\[.*?\](.*)\}\}$')
    FROM batchinf.chunk c JOIN batchinf.batch b USING (chunk_id), sim.lines(b.refs ->> 'input') l
    WHERE c.job_id = $1 $$;
SELECT sim.config('{"batch_seconds": 60}');
SELECT sim.start('beside', 'CALL batch_work(''5 min'')');
CALL sim.await(format(
    $$(SELECT count(*) = 2 FROM batch_chunks
       WHERE job_id IN (%s, %s) AND state IN ('submitted', 'running'))$$,
    :job, :tools));
SELECT is(
    line_of(:job),
    ',"seed":1,"metadata":{"zz":"1","a":"2"},"top_p":1.0,"n":1,'
    '"response_format":{"type":"json_schema","json_schema":{"name":"response","strict":false,'
    '"schema":{"type":"object","title":"t","properties":{"why":{"type":"string"},'
    '"ok":{"type":"boolean"}}}}}',
    'params stand behind the messages in their order, then the schema in its own');
SELECT is(
    line_of(:tools),
    ',"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object",'
    '"required":["zebra","ox"],"properties":{"zebra":{"type":"string"},'
    '"ox":{"type":"integer"}}}}}],"tool_choice":"none","n":1',
    'tools too');
SELECT sim.config('{"batch_seconds": 0.1}');
SELECT batch_cancel(job_id) FROM batch_jobs WHERE state IN ('queued', 'running') \g /dev/null
SELECT is(sim.finish('beside'), '', 'the work ends');

--
-- Whoever may call batch_submit needs no right on the extension's schema
--
CREATE ROLE order_ann;
GRANT USAGE ON FOREIGN SERVER openai TO order_ann;
CREATE USER MAPPING FOR order_ann SERVER openai OPTIONS (api_key 'sk-sim');
SET ROLE order_ann;
SELECT batch_submit('SELECT 1 AS id', 'openai', 'x', params => '{"seed": 1, "n": 1}',
        response_schema => '{"type": "object"}') AS one,
    batch_submit('SELECT 1 AS id', 'openai', 'x', params => '{"seed": 1, "n": 1}'::json) AS two,
    batch_submit('SELECT 1 AS id', 'openai', 'x', params => '{"seed": 1, "n": 1}'::jsonb) AS three,
    batch_submit('SELECT 1 AS id', 'openai', 'x',
        params => '{"seed": 1, "n": 1}'::batch_json) AS four \gset
RESET ROLE;
SELECT is(string_agg(stored(j), ' ' ORDER BY i),
    '{"seed":1,"n":1} {"seed":1,"n":1} {"n":1,"seed":1} {"seed":1,"n":1}',
    'an ordinary role: literal, json, jsonb, the type itself')
FROM unnest(ARRAY[:one, :two, :three, :four]) WITH ORDINALITY u(j, i);

--
-- Jobs of 0.1.0, whose spec has objects, go on
--
SELECT batch_submit(
    'SELECT 1 AS id', 'openai', '[[sim:json=%7B%22why%22:%22x%22%7D]]',
    params => '{"seed": 1, "n": 1}',
    response_schema => '{"type": "object", "properties": {"why": {"type": "string"}}, '
                       '"required": ["why"]}') AS job \gset
UPDATE batchinf.job
SET spec = spec || jsonb_build_object('params', (spec ->> 'params')::jsonb,
    'response_schema', (spec ->> 'response_schema')::jsonb)
WHERE job_id = :job;
SELECT is(jsonb_typeof(spec -> 'params'), 'object', 'a job as 0.1.0 has stored it')
FROM batchinf.job WHERE job_id = :job;
CALL batch_work('60 s');
SELECT is(succeeded, 1::bigint, '… is done') FROM batch_jobs WHERE job_id = :job;

DROP OWNED BY order_ann CASCADE;
DROP ROLE order_ann;
SELECT * FROM finish();
