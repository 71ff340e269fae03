-- batch_preview: answers to a few rows, now: which rows, what is shown of them, what is refused,
-- and that nothing stays. How each provider is asked: preview-*.sql.
\i lib.sql
SELECT no_plan();

SELECT sim.server('openai', $$endpoint 'chat'$$);
SELECT sim.server('responses', $$endpoint 'responses'$$);
SELECT sim.server('embed', '', 'text-embedding-3-small');
CREATE TABLE t (id int PRIMARY KEY, ask text, label text, n int, kind text, short varchar(4));
INSERT INTO t (id, ask) SELECT i, 'body ' || i FROM generate_series(1, 30) i;

CREATE FUNCTION said(call text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    message text;
    detail text;
BEGIN
    EXECUTE 'SELECT count(*) FROM batch_preview(' || call || ')';
    RETURN 'no error';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL;
    RETURN SQLSTATE || ' ' || message || COALESCE(': ' || NULLIF(detail, ''), '');
END $$;
CREATE FUNCTION realtime() RETURNS int LANGUAGE sql AS $$
    SELECT (sim.ledger() ->> 'realtime_requests')::int
$$;
-- Rows of all tables of the extension, and what their sequences have given.
CREATE FUNCTION stored() RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    n bigint := 0;
    m bigint;
    r record;
BEGIN
    FOR r IN SELECT c.oid::regclass AS name, c.relkind FROM pg_class c
        WHERE c.relnamespace = 'batchinf'::regnamespace AND c.relkind IN ('r', 'S')
    LOOP
        EXECUTE format(CASE r.relkind WHEN 'r' THEN 'SELECT count(*) FROM %s'
            ELSE 'SELECT last_value + is_called::int FROM %s' END, r.name) INTO m;
        n := n + m;
    END LOOP;
    RETURN n;
END $$;

--
-- Rows and their columns
--
SELECT stored() AS before \gset
SELECT results_eq(
    $$SELECT record_id, output, outcome, error, input_tokens > 0, output_tokens > 0,
             seconds BETWEEN 0 AND 60, request
      FROM batch_preview('SELECT id, ask FROM t ORDER BY id', 'openai', 'Say {{ask}}',
          system_prompt => 'Be short.', params => '{"temperature": 0.5}', sample => 3)$$,
    $$SELECT i::text, o.output, 'succeeded', NULL::text, true, true, true,
             format('{"model": "gpt-5.4-mini", "temperature": 0.5, "messages": [
                 {"role": "system", "content": "Be short."},
                 {"role": "user", "content": "Say body %s"}]}', i)::jsonb
      FROM generate_series(1, 3) i,
          LATERAL (SELECT output FROM batch_preview('SELECT 1, ''Say body ' || i || ''' AS prompt',
              'openai')) o$$,
    'the first rows of the query, in its order, with request and answer');
SELECT is((SELECT count(*) FROM batch_preview('SELECT id, ask FROM t', 'openai', '{{ask}}')),
    5::bigint, 'five rows without a wish');
SELECT is(
    (SELECT count(*) FROM batch_preview('SELECT id, ask FROM t', 'openai', '{{ask}}',
        sample => 100)), 30::bigint, 'all rows, if the query has fewer than the sample');
SELECT is((SELECT count(*) FROM batch_preview('SELECT id, ask FROM t WHERE false', 'openai',
    '{{ask}}')), 0::bigint, 'no rows of no rows');
SELECT ok(
    (SELECT count(DISTINCT ids) > 1 FROM (SELECT (SELECT string_agg(record_id, ',' ORDER BY
        record_id) FROM batch_preview('SELECT id, ask FROM t WHERE ' || i || ' > 0', 'openai',
        '{{ask}}', sample => 3, random => true)) FROM generate_series(1, 8) i) x(ids)),
    'random rows are not always the same');
SELECT ok((SELECT bool_and(before < id) FROM (SELECT record_id::int AS id,
        lag(record_id::int, 1, 0) OVER () AS before FROM batch_preview(
            'SELECT id, ask FROM t ORDER BY id', 'openai', '{{ask}}', sample => 20,
            random => true)) x),
    '… and stand in the order of the query');
SELECT results_eq(
    $$SELECT record_id, outcome, request IS NULL FROM batch_preview(
        'VALUES (1, ''a''), (2, NULL), (3, ''b'')', 'openai', '{{column2}}')$$,
    $$VALUES ('1', 'succeeded', false), ('2', 'skipped', true), ('3', 'succeeded', false)$$,
    'a row whose input is null is skipped');
SELECT results_eq(
    $$SELECT request ->> 'input', request ->> 'store', outcome, output IS NOT NULL
      FROM batch_preview('SELECT 1, ''hello'' AS prompt', 'responses')$$,
    $$VALUES ('hello', 'false', 'succeeded', true)$$, 'the responses endpoint');
SELECT results_eq(
    $$SELECT request, outcome, jsonb_array_length(output::jsonb), output_tokens
      FROM batch_preview('SELECT 1, ''hello'' AS input', 'embed', task => 'embedding',
          params => '{"dimensions": 8}')$$,
    $$VALUES ('{"model": "text-embedding-3-small", "input": "hello", "encoding_format": "float",
        "dimensions": 8}'::jsonb, 'succeeded', 8, NULL::bigint)$$, 'embeddings');
SELECT results_eq(
    $$SELECT request ->> 'user', outcome FROM batch_preview('SELECT 1, jsonb_build_object(
        ''model'', ''gpt-5.4-mini'', ''user'', ''u'', ''messages'', jsonb_build_array(
            jsonb_build_object(''role'', ''user'', ''content'', ''a''))) AS body', 'openai')$$,
    $$VALUES ('u', 'succeeded')$$, 'a body of the query');

--
-- The option realtime_model, and where it does not count
--
ALTER SERVER openai OPTIONS (ADD realtime_model 'gpt-5.4');
SELECT results_eq(
    $$SELECT request ->> 'model' FROM batch_preview('SELECT 1, ''a'' AS prompt', 'openai')
      UNION ALL
      SELECT request ->> 'model' FROM batch_preview('SELECT 1, jsonb_build_object(
        ''model'', ''gpt-5.4-mini'', ''messages'', jsonb_build_array(
            jsonb_build_object(''role'', ''user'', ''content'', ''a''))) AS body', 'openai')
      UNION ALL
      SELECT request ->> 'model' FROM batch_preview('SELECT 1, ''a'' AS prompt', 'openai',
          model => 'gpt-5.4-nano')$$,
    $$VALUES ('gpt-5.4'), ('gpt-5.4'), ('gpt-5.4-nano')$$,
    'realtime_model stands in for the model of the server, and not for another one');
ALTER SERVER openai OPTIONS (DROP realtime_model);
ALTER SERVER openai OPTIONS (ADD realtime_base_url 'http://127.0.0.1:9/v1');
SELECT ok((SELECT outcome = 'errored' AND error ~ '^unreachable: ' FROM batch_preview(
    'SELECT 1, ''a'' AS prompt', 'openai', timeout => '3 s')), 'realtime_base_url is asked');
ALTER SERVER openai OPTIONS (DROP realtime_base_url);

--
-- Outcomes and errors
--
SELECT results_eq(
    $$SELECT record_id::int, outcome, split_part(error, ':', 1) FROM batch_preview($q$VALUES
        (1, '[[sim:refusal]]'), (2, '[[sim:length]] a long text'), (3, '[[sim:content_filter]]'),
        (4, '[[sim:null_content]]'), (5, '[[sim:error=400]]'), (6, '[[sim:error=500]]'),
        (7, '[[sim:status0]]'), (8, '[[sim:badjson]]'), (9, '[[sim:nochoices]]'), (10, 'good'),
        (11, '[[sim:timeout]]'), (12, '[[sim:nul]]'), (13, '[[sim:error=413]]'),
        (14, '[[sim:error=400:content_filter]]')$q$,
        'openai', '{{column2}}', sample => 20)$$,
    $$VALUES (1, 'invalid_output', 'refusal'), (2, 'invalid_output', 'length'),
             (3, 'invalid_output', 'content_filter'), (4, 'invalid_output', 'no_output'),
             (5, 'errored', 'invalid_request_error'), (6, 'errored', 'server_error'),
             (7, 'errored', 'cut_off'), (8, 'errored', 'unexpected_reply'),
             (9, 'invalid_output', 'no_output'), (10, 'succeeded', NULL),
             (11, 'errored', 'request_timeout'), (12, 'invalid_output', 'nul_character'),
             (13, 'errored', 'invalid_request_error'), (14, 'invalid_output', 'content_filter')$$,
    'each row has its outcome; one stops no other');
SELECT results_eq(
    $$SELECT outcome, split_part(error, ':', 1) FROM batch_preview(
        'VALUES (1, ''[[sim:json={"a":1}]]''), (2, ''[[sim:json={"a":"x"}]]''),
            (3, ''[[sim:say=no]]'')',
        'openai', '{{column2}}',
        response_schema => '{"type": "object", "properties": {"a": {"type": "integer"}}}')$$,
    $$VALUES ('succeeded', NULL), ('invalid_output', 'schema_mismatch'),
             ('invalid_output', 'not_json')$$, 'answers are checked against the schema');
ALTER SERVER openai OPTIONS (ADD reasoning_tags 'think');
SELECT is((SELECT output FROM batch_preview(
    'VALUES (1, ''[[sim:say=<think>hm</think>yes]]'')', 'openai', '{{column2}}')), 'yes',
    'what a model thought aloud is left out');
ALTER SERVER openai OPTIONS (DROP reasoning_tags);

-- what had no effect is sent again
SELECT sim.fault('{"match": {"path_regex": "chat/completions"}, "times": 2,
    "action": {"status": 429, "headers": {"retry-after-ms": "20"}}}');
SELECT realtime() AS paid \gset
SELECT results_eq(
    $$SELECT outcome FROM batch_preview('SELECT id, ask FROM t', 'openai', '{{ask}}',
        sample => 2)$$, $$VALUES ('succeeded'), ('succeeded')$$, 'a 429 is tried again');
SELECT is(realtime() - :paid, 2, '… and each row is paid for once');
SELECT sim.clear_faults();
SELECT sim.fault('{"match": {"path_regex": "chat/completions"}, "times": "always",
    "action": {"status": 429, "headers": {"retry-after": "3600"}}}');
SELECT results_eq(
    $$SELECT outcome, split_part(error, ':', 1) FROM batch_preview('SELECT id, ask FROM t',
        'openai', '{{ask}}', sample => 2)$$,
    $$VALUES ('errored', 'rate_limit_exceeded'), ('errored', 'rate_limit_exceeded')$$,
    'one that asks for more time than there is ends its row');
SELECT sim.clear_faults();
-- what may have been paid for is not
SELECT realtime() AS paid \gset
SELECT sim.fault('{"match": {"path_regex": "chat/completions"}, "times": 1,
    "action": {"lost_after_effect": true}}');
SELECT results_eq(
    $$SELECT outcome, split_part(error, ':', 1) FROM batch_preview('SELECT id, ask FROM t',
        'openai', '{{ask}}', sample => 1)$$, $$VALUES ('errored', 'cut_off')$$,
    'a lost answer is an error');
SELECT is(realtime() - :paid, 1, '… and not asked for again');
-- what holds for all rows ends them
SELECT sim.fault('{"match": {"path_regex": "chat/completions"}, "times": "always",
    "action": {"status": 429, "error_code": "insufficient_quota"}}');
SELECT (sim.ledger() #>> '{requests,POST /v1/chat/completions}')::int AS asked \gset
SELECT is((SELECT count(*) FROM batch_preview('SELECT id, ask FROM t', 'openai', '{{ask}}',
    sample => 30) WHERE outcome = 'errored' AND error ~ '^insufficient_quota: '), 30::bigint,
    'no money: every row says so');
SELECT ok(jsonb_array_length(jsonb_path_query_array(sim.call('GET', '/_sim/requests'),
    '$[*] ? (@.fault.error_code == "insufficient_quota")')) <= 16, '… and no more are sent');
SELECT sim.clear_faults();
SELECT ok((SELECT bool_and(outcome = 'errored' AND error ~ '^model_not_found: ')
    FROM batch_preview('SELECT id, ask FROM t', 'openai', '{{ask}}', model => 'gpt-none')),
    'no such model');
CREATE SERVER bad FOREIGN DATA WRAPPER batchinf OPTIONS (provider 'openai', model 'gpt-5.4-mini');
SELECT format('ALTER SERVER bad OPTIONS (ADD base_url %L)', sim.url()) \gexec
CREATE USER MAPPING FOR CURRENT_USER SERVER bad OPTIONS (api_key 'sk-a-wrong-key-of-ours');
SELECT ok((SELECT bool_and(outcome = 'errored' AND error ~ '^invalid_api_key: ' AND
        error !~ 'wrong-key')
    FROM batch_preview('SELECT id, ask FROM t', 'bad', '{{ask}}')), 'a bad key, which is not told');

--
-- Hostile replies
--
SELECT sim.fault(jsonb_build_object('match', '{"path_regex": "chat/completions"}'::jsonb,
    'times', 1, 'action', jsonb_build_object('status', 200, 'body', jsonb_build_object('model',
        'sk-sim-and-more', 'choices', jsonb_build_array(jsonb_build_object('message',
            jsonb_build_object('content', 'your key is sk-sim-secret'), 'finish_reason',
            'stop'))))));
DROP USER MAPPING FOR CURRENT_USER SERVER bad;
CREATE USER MAPPING FOR CURRENT_USER SERVER bad OPTIONS (api_key 'sk-sim-secret');
SELECT is((SELECT output FROM batch_preview('SELECT id, ask FROM t', 'bad', '{{ask}}',
    sample => 1)), 'your key is *************', 'a key that is quoted in an answer');
CREATE FUNCTION played(reply text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    PERFORM sim.fault(jsonb_build_object('match', '{"path_regex": "chat/completions"}'::jsonb,
        'action', jsonb_build_object('status', 200, 'body', reply)));
    RETURN (SELECT concat_ws(' ', outcome, split_part(error, ':', 1), output, input_tokens)
        FROM batch_preview('SELECT 1, ''a'' AS prompt', 'openai'));
END $$;
SELECT is(string_agg(played(b), ', ' ORDER BY i),
    'errored unexpected_reply, errored unexpected_reply, invalid_output no_output, '
    'invalid_output no_output, invalid_output no_output, invalid_output no_output, '
    'errored http_200, errored http_200, errored unexpected_reply, errored unexpected_reply, '
    'errored unexpected_reply, succeeded a' || U&'\FFFD', 'replies of any shape')
FROM (VALUES (1, '[]'), (2, '"a"'), (3, '{"choices": {"a": []}}'), (4, '{"choices": [7]}'),
    (5, '{"choices": [{"message": [], "finish_reason": {}}], "usage": "x", "model": 8}'),
    (6, '{"choices": [{"message": {"content": 5}}], "usage": {"prompt_tokens": -9e99}}'),
    (7, '{"error": "x"}'), (8, '{"error": {"code": [], "message": {}}, "choices": null}'),
    (9, repeat('[', 5000)), (10, ''), (11, 'null'),
    (12, '{"choices": [{"message": {"content": "a\ud800"}, "finish_reason": "stop"}]}')) x(i, b);
SELECT ok((SELECT outcome = 'succeeded' AND length(output) = 3000000 FROM batch_preview(
    'VALUES (1, ''[[sim:big=3000000]]'')', 'openai', '{{column2}}')), 'a large answer');
SELECT ok((SELECT outcome = 'errored' AND error ~ '^reply_too_large: ' FROM batch_preview(
    'VALUES (1, ''[[sim:big=20000000]]'')', 'openai', '{{column2}}')), 'one that is too large');
SELECT is((SELECT count(*) FROM batch_preview(
    'SELECT i, ''[[sim:big=3000000]]'' || i AS ask FROM generate_series(1, 40) i', 'openai',
    '{{ask}}', sample => 40) WHERE length(output) = 3000000), 40::bigint,
    'more than is held in memory');

--
-- What would be written
--
CREATE TYPE kind AS ENUM ('bug', 'other');
ALTER TABLE t ALTER kind TYPE kind USING NULL;
SELECT results_eq(
    $$SELECT outcome, split_part(error, ':', 1), write_back, write_error FROM batch_preview(
        $q$SELECT * FROM (VALUES (1, '[[sim:json={"n": 3.0, "kind": " bug ", "short": "abc"}]]'),
            (2, '[[sim:json={"n": "x", "kind": "bug", "short": null}]]'),
            (3, '[[sim:json={"n": 1, "kind": "no", "short": "a"}]]'),
            (4, '[[sim:json={"kind": "other", "short": "abcdef"}]]'), (5, '[[sim:say=text]]'),
            (6, '[[sim:refusal]]')) v(id, ask)$q$,
        'openai', '{{ask}}', sample => 10, target => 't',
        write_back => '{"n": "$.n", "kind": "$.kind", "short": "$.short", "label": "$"}')$$,
    $$VALUES
      ('succeeded', NULL, '{"n": 3, "kind": "bug", "short": "abc",
          "label": "{\"n\": 3.0, \"kind\": \" bug \", \"short\": \"abc\"}"}'::jsonb, NULL),
      ('succeeded', NULL, NULL, 'invalid input syntax for type integer: "x"'),
      ('succeeded', NULL, NULL, 'invalid input value for enum kind: "no"'),
      ('succeeded', NULL, NULL, 'value too long for type character varying(4)'),
      ('invalid_output', 'not_json', NULL, NULL), ('invalid_output', 'refusal', NULL, NULL)$$,
    'values as the columns take them, and why they do not');
CREATE TABLE items (id int, no int, name text, made text);
SELECT results_eq(
    $$SELECT write_back FROM batch_preview(
        $q$VALUES (7, '[[sim:json={"list": ["a", "b"%5D}]]'), (8, '[[sim:json={"list": [%5D}]]')$q$,
        'openai', '{{column2}}', target => 'items', write_mode => 'insert', each => '$.list[*]',
        write_back => '{"id": {"column": "column1"}, "no": {"ordinal": true}, "name": "$",
            "made": {"const": "x"}}')$$,
    $$VALUES ('[{"id": 7, "no": 1, "name": "a", "made": "x"},
               {"id": 7, "no": 2, "name": "b", "made": "x"}]'::jsonb), ('[]')$$,
    'a row for each item');
SELECT is((SELECT count(*) FROM t WHERE label IS NOT NULL) + (SELECT count(*) FROM items),
    0::bigint, 'nothing is written');
SELECT is(stored(), :before::bigint, 'nothing is stored, no number of a sequence is used');

--
-- Costs
--
SELECT ok((SELECT cost IS NULL FROM batch_preview('SELECT 1, ''a'' AS prompt', 'openai',
    model => 'gpt-none')), 'no answer, no cost');
SELECT batch_set_price('openai', 'gpt-5.4-mini', 'realtime', 'input', 1000000);
SELECT batch_set_price('openai', 'gpt-5.4-mini', 'realtime', 'output', 2000000);
SELECT batch_set_price('openai', 'gpt-5.4-mini', 'batch', 'input', 7);
SELECT results_eq(
    $$SELECT cost = input_tokens + 2 * output_tokens FROM batch_preview('SELECT 1, ''a'' AS prompt',
        'openai')$$, $$VALUES (true)$$, 'the cost by the prices of real time');

--
-- Refusals: those of batch_submit, and its own
--
SELECT is(said($$'SELECT 1', 'nowhere', 'x'$$), '42704 server "nowhere" does not exist',
    'no server');
SELECT is(said($$'DELETE FROM t RETURNING id', 'openai', 'x'$$) ~ '^(22023|0A000|42601) ', true,
    'no SELECT');
SELECT is(said($$'SELECT id, ask FROM t', 'openai', '{{nothing}}'$$) ~ '^42703 ', true,
    'no such column');
SELECT is(said($$'SELECT id, ask FROM t', 'openai', '{{ask}}', target => 't'$$),
    '22023 arguments "target" and "write_back" belong together', 'a target without columns');
SELECT is(said($$'SELECT id, ask FROM t', 'openai', '{{ask}}', params => '{"model": "x"}'$$),
    '0A000 server "openai" cannot do this job: params may not set "model"', 'params');
SELECT is(said($$'SELECT NULL::int, ''a'' AS prompt', 'openai'$$),
    '22004 the query returns a row whose key is null', 'a null key');
SELECT is(said($$'SELECT id, ask FROM t', 'openai', '{{ask}}', mode => 'realtime'$$),
    '0A000 value "realtime" for argument "mode" of batch_preview is not supported yet',
    'what is not built');
SELECT is(said($$'SELECT id, ask FROM t', 'openai', '{{ask}}', sample => 101$$),
    '22023 argument "sample" must be between 1 and 100', 'too many rows');
SELECT is(said($$'SELECT id, ask FROM t', 'openai', '{{ask}}', sample => 0$$),
    '22023 argument "sample" must be between 1 and 100', 'no rows');
SELECT is(said($$'SELECT id, ask FROM t', 'openai', '{{ask}}', sample => NULL$$),
    '22004 argument "sample" must not be null', 'a null sample');
SELECT is(said($$'SELECT id, ask FROM t', 'openai', '{{ask}}', timeout => '2 hours'$$),
    '22023 argument "timeout" must be between 1 second and 1 hour', 'too much time');
SELECT is(said($$'SELECT id, ask FROM t', 'openai', '{{ask}}', timeout => '1 ms'$$),
    '22023 argument "timeout" must be between 1 second and 1 hour', 'too little');

--
-- Rights
--
CREATE ROLE visitor;
GRANT SELECT ON t TO visitor;
SET ROLE visitor;
SELECT is(said($$'SELECT id, ask FROM t', 'openai', '{{ask}}'$$),
    '42501 permission denied for foreign server openai', 'a server of somebody else');
RESET ROLE;
GRANT USAGE ON FOREIGN SERVER openai TO visitor;
SET ROLE visitor;
SELECT is(said($$'SELECT id, ask FROM t', 'openai', '{{ask}}'$$),
    '42704 user mapping not found for "visitor" and server "openai"', 'no key of their own');
CREATE USER MAPPING FOR CURRENT_USER SERVER openai OPTIONS (api_key 'sk-sim');
SELECT is(said($$'SELECT id, ask FROM t', 'openai', '{{ask}}'$$), 'no error', 'with one');
SELECT is(said($$'SELECT id, name FROM items', 'openai', '{{name}}'$$),
    '42501 permission denied for table items', 'the query runs as the caller');
SELECT is(said($$'SELECT id, ask FROM t', 'openai', '{{ask}}', target => 't',
    write_back => '{"label": "$"}'$$) ~ '^42501 permission denied ', true,
    'and the target is one that they may write to');
RESET ROLE;

--
-- In a transaction: no id; in a read-only one too
--
BEGIN READ ONLY;
SELECT outcome FROM batch_preview('SELECT 1 AS id, ''a'' AS prompt', 'openai', target => 't',
    write_back => '{"label": "$"}') \gset
COMMIT;
SELECT is(:'outcome'::text, 'succeeded', 'in a read-only transaction');
BEGIN;
SELECT write_back, write_error IS NULL AS good, cost IS NOT NULL AS priced FROM batch_preview(
    'SELECT 1 AS id, ''[[sim:say=x]]'' AS prompt', 'openai', target => 't',
    write_back => '{"label": "$"}') \gset
SELECT pg_current_xact_id_if_assigned() IS NULL AS none \gset
COMMIT;
SELECT is(:'write_back'::jsonb, '{"label": "x"}', 'in a transaction');
SELECT ok(:'none' AND :'good' AND :'priced', '… which gets no id');

--
-- Ends: its own deadline, the statement's, a cancel
--
SELECT sim.fault('{"match": {"path_regex": "chat/completions"}, "times": "always",
    "action": {"hang": true}}');
SELECT clock_timestamp() AS begun \gset
SELECT is((SELECT count(*) FROM batch_preview('SELECT id, ask FROM t', 'openai', '{{ask}}',
    sample => 30, timeout => '1 s') WHERE outcome = 'errored' AND error ~ '^timeout: '), 30::bigint,
    'a server that hangs: the rows say so at the end of the time');
CREATE FUNCTION cancelled() RETURNS bool LANGUAGE plpgsql AS $$
BEGIN
    PERFORM batch_preview('SELECT id, ask FROM t', 'openai', '{{ask}}');
    RETURN false;
EXCEPTION WHEN query_canceled THEN
    RETURN true;
END $$;
SET statement_timeout = '1 s';
SELECT cancelled() \gset
RESET statement_timeout;
SELECT ok(:'cancelled', 'statement_timeout ends it');
SELECT ok(clock_timestamp() - :'begun' < '40 s', '… long before its own deadline');
SELECT sim.clear_faults();
SELECT is((SELECT outcome FROM batch_preview('SELECT 1, ''a'' AS prompt', 'openai')), 'succeeded',
    'the session goes on');
SELECT * FROM finish();
