-- What can be known at submit is said at submit: embeddings of another size than the column,
-- columns of the wrong kind, bodies for another endpoint. What is only unusual is sent.
\i lib.sql
CREATE EXTENSION IF NOT EXISTS vector;
SELECT no_plan();

SELECT sim.server('s');
SELECT sim.server('e', '', 'text-embedding-3-small');
CREATE FUNCTION said(arguments text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    state text;
    message text;
    detail text;
    hint text;
BEGIN
    EXECUTE 'SELECT batch_submit(' || arguments || ')';
    RETURN 'no error';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT,
    detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
    RETURN concat_ws(' | ', state, message, nullif(detail, ''), nullif(hint, ''));
END $$;

--
-- vector(n) and halfvec(n)
--
CREATE DOMAIN short_vector AS vector(8);
CREATE TABLE t (id int PRIMARY KEY, v vector(1536), v8 vector(8), h8 halfvec(8), d8 short_vector,
    any_v vector, r real[], j jsonb, s text);
INSERT INTO t (id) VALUES (1);
CREATE FUNCTION into_column(name text, params text DEFAULT '{}', path text DEFAULT '$',
    model text DEFAULT NULL)
RETURNS text LANGUAGE sql AS $$
    SELECT said(format(
        $f$'SELECT 1 AS id, ''x'' AS input', 'e', task => 'embedding', target => 't',
           write_back => %L, params => %L, model => %L$f$,
        jsonb_build_object(name, path), params, model)) $$;
SELECT is(
    into_column('v8'),
    '42804 | column "v8" of type vector(8) cannot take the embeddings '
    '| Those of model "text-embedding-3-small", as the job asks for them, have 1536 numbers. '
    '| Declare the column with 1536 dimensions, or ask for 8 in params if the model can make so '
    'few.',
    'a vector that is too short for the model');
SELECT matches(into_column('h8'),
    '^42804 . column "h8" of type halfvec.8. cannot take the embeddings', 'a halfvec');
SELECT matches(into_column('d8'),
    '^42804 . column "d8" of type short_vector cannot take the embeddings', 'a domain');
SELECT matches(into_column('v', '{"dimensions": 256}'),
    '^42804 . column "v" of type vector.1536. .* have 256 numbers', 'what params ask for');
SELECT is(into_column(name, params), 'no error', name || ' takes ' || params)
FROM (VALUES ('v', '{}'), ('v8', '{"dimensions": 8}'), ('h8', '{"dimensions": 8}'),
          ('d8', '{"dimensions": 8}'), ('any_v', '{}'), ('r', '{}'), ('j', '{}'),
          ('s', '{}')) c(name, params);
SELECT is(into_column('v8', '{}', '$', 'text-embedding-of-ours'), 'no error',
    'of a model that nobody knows nothing is said');
SELECT is(
    said($$'SELECT 1 AS id, '
           '''{"model":"text-embedding-3-small","input":"x","dimensions":8}''::jsonb AS body',
           'e', task => 'embedding', target => 't', write_back => '{"v8":"$"}'$$),
    'no error', 'nor of bodies, each of which has its own');
UPDATE t SET v8 = NULL;
SELECT said($$'SELECT 1 AS id, ''x'' AS input', 'e', task => 'embedding',
              params => '{"dimensions": 8}', target => 't',
              write_back => '{"v8":"$","h8":"$","d8":"$"}'$$) \g /dev/null
CALL batch_work('60 s');
SELECT is((SELECT vector_dims(v8) FROM t WHERE id = 1 AND h8 IS NOT NULL AND d8 IS NOT NULL), 8,
    'what is let pass is written');

--
-- Columns of the wrong kind
--
SELECT is(
    said(format('%L, %L%s', format('SELECT 1 AS id, %s AS %s', expression, name), 's', more)),
    wanted, format('%s AS %s%s', expression, name, more))
FROM (VALUES ('7', 'body', '',
              '42804 | column "body" of the query must be of type json or jsonb '
              '| It is of type integer, and holds the provider''s whole request. '
              '| If it is the text to send, return it under another name: body AS prompt.'),
          ('7.5', 'body', ', task => ''embedding''',
           '42804 | column "body" of the query must be of type json or jsonb '
           '| It is of type numeric, and holds the provider''s whole request. '
           '| If it is the text to send, return it under another name: body AS input.'),
          ('true', 'messages', '',
           '42804 | column "messages" of the query must be of type json or jsonb '
           '| It is of type boolean, and holds a conversation. | If it is the text to send, '
           'return it under another name: messages AS prompt.'),
          ('ARRAY[''{"role":"user","content":"x"}''::jsonb]', 'messages', '',
           '42804 | column "messages" of the query must be of type json or jsonb '
           '| It is of type jsonb[], and holds a conversation. | to_jsonb(messages) AS messages '
           'makes JSON of it.'),
          ('ROW(1, 2)', 'body', '',
           '42804 | column "body" of the query must be of type json or jsonb '
           '| It is of type record, and holds the provider''s whole request. '
           '| to_jsonb(body) AS body makes JSON of it.'),
          ('''{"role":"user","content":"x"}''::jsonb', 'messages', '',
           '22023 | record "1" cannot be sent | messages must be a JSON array that is not empty '
           '| One message too is an array: jsonb_build_array(messages) AS messages.'),
          ('''[{"role":"user","content":"x"}]''::jsonb', 'body', '',
           '22023 | record "1" cannot be sent | body must be a JSON object '
           '| An array of messages is returned as a column "messages": body AS messages.'),
          ('''[{"role":"user","content":"x"}]''', 'body', '',
           '22023 | record "1" cannot be sent | body must be a JSON object '
           '| An array of messages is returned as a column "messages": body AS messages.'),
          ('''x''', 'input', '',
           '22023 | there is nothing to send | A column "input" is text to embed, '
           'with task => ''embedding''. For a chat return it AS prompt.'),
          ('''x''', 'prompt', ', task => ''embedding''',
           '22023 | there is nothing to send | A column "prompt" is for a chat. To embed it return '
           'it AS input.'),
          ('''[]''::jsonb', 'messages', ', task => ''embedding''',
           '22023 | there is nothing to send | A column "messages" is for a chat: leave out task '
           '=> ''embedding'', or return the text to embed AS input.'),
          ('''[{"role":"user","content":"x"}]''', 'messages', '', 'no error'),
          ('''[{"role":"user","content":"x"}]''::json', 'messages', '', 'no error'),
          ('''{"a":1}''::jsonb', 'prompt', '', 'no error'),
          ('7', 'prompt', '', 'no error')) c(expression, name, more, wanted);

-- JSON to embed is sent, with a warning that a cast to text takes away.
SELECT matches(
    sim.psql($$SELECT batch_submit('SELECT 1 AS id, ''["a","b"]''::jsonb AS input', 'e',
                   task => 'embedding')$$),
    'WARNING:  column "input" of type jsonb is embedded as its text.*DETAIL:  Each record has one '
    'embedding, also where its JSON is an array.*HINT:  input::text AS input says that this is '
    'meant',
    'JSON to embed');
SELECT doesnt_match(
    sim.psql($$SELECT batch_submit('SELECT 1 AS id, ''["a","b"]'' AS input', 'e',
                   task => 'embedding')$$),
    'WARNING', '… as text');

--
-- Bodies for another endpoint: the record and whose it is (each provider's words stand in
-- test/sql/unit_embedding.sql)
--
SELECT is(
    said(format('%L, %L, task => %L', format('SELECT 1 AS id, %L::jsonb AS body', body), server,
        task)),
    '22023 | record "1" cannot be sent | ' || wanted, task || ': ' || body)
FROM (VALUES ('s', 'chat', '{"contents":[]}',
              'body must have "model" and it must be "gpt-5.4-mini": a batch has one model: this '
              'one is a request of Gemini''s generateContent'),
          ('s', 'chat',
           '{"model":"gpt-5.4-mini","max_tokens":9,"system":"s","messages":[{"role":"user",'
           '"content":"x"}]}',
           'body may not set "system": /v1/chat/completions takes a message with the role '
           '"system"'),
          ('e', 'embedding',
           '{"model":"text-embedding-3-small","messages":[{"role":"user","content":"x"}]}',
           'body must have "input": this one is a request for a chat'),
          ('e', 'embedding', '{"model":"text-embedding-3-small"}',
           'body must have "input"')) c(server, task, body, wanted);

SELECT * FROM finish();
