-- Server option reasoning_tags: what a model thought aloud is kept apart from its answer, at every
-- provider.
\i lib.sql
SELECT no_plan();
\i lib-places.sql
CREATE TABLE said (id int PRIMARY KEY GENERATED ALWAYS AS IDENTITY, body text, outcome text,
    code text, reasoning text, output text, answer text);
INSERT INTO said (body, outcome, code, reasoning, output, answer) VALUES
    ('[[sim:say=%3Cthink%3EWell%2C%0Aso.%3C/think%3E%0A%0Ayes]]', 'succeeded', NULL, E'Well,\nso.',
     'yes', 'yes'),
    ('[[sim:say=%0AWell.%3C/think%3Eyes]]', 'succeeded', NULL, 'Well.', 'yes', 'yes'),
    ('[[sim:say=yes %3Cthink%3Eno%3C/think%3E]]', 'succeeded', NULL, NULL, 'yes <think>no</think>',
     'yes <think>no</think>'),
    ('[[sim:say=%3Cthink%3EWell]]', 'invalid_output', 'no_output', 'Well', '', NULL),
    ('[[sim:say=%3Cthink%3EWell%3C/think%3E%0A]]', 'invalid_output', 'no_output', 'Well', '', NULL),
    ('[[sim:say=yes]]', 'succeeded', NULL, NULL, 'yes', 'yes');
CREATE TABLE ticket (server name, id int, body text, answer text, PRIMARY KEY (server, id));
INSERT INTO ticket (server, id, body) SELECT server, id, body FROM place, said;
SELECT format('ALTER SERVER %I OPTIONS (ADD reasoning_tags ''think, reasoning'')', server)
FROM place \gexec
SELECT batch_submit(
    format('SELECT server, id, body FROM ticket WHERE server = %L ORDER BY id', server),
    server => server, prompt => '{{body}}', target => 'ticket', write_back => '{"answer": "$"}',
    name => server)
FROM place \g /dev/null
CALL batch_work('300 s');
SELECT set_eq(
    format(
        'SELECT s.body, r.outcome, r.error_code, r.reasoning, r.output, t.answer FROM ticket t '
        'JOIN said s USING (id) JOIN batch_jobs j ON j.name = t.server '
        'JOIN batch_records r ON r.job_id = j.job_id AND r.record_id = format(''(%%s,%%s)'', '
        't.server, t.id) WHERE t.server = %L',
        server),
    'SELECT body, outcome, code, reasoning, output, answer FROM said',
    server || ': thoughts are kept apart from answers')
FROM place ORDER BY server;
SELECT ok(bool_and(input_tokens > 0 AND output_tokens > 0), 'tokens are those of the whole answer')
FROM batch_records WHERE reasoning IS NOT NULL;

-- before the schema is looked at, and before an answer finds its columns
CREATE TABLE t (id int PRIMARY KEY, label text);
INSERT INTO t VALUES (1), (2);
SELECT batch_submit(
    $$SELECT id,
          CASE id WHEN 1 THEN '[[sim:say=%3Cthink%3E{"label":"no"}%3C/think%3E%0A{"label":"yes"}]]'
              ELSE '[[sim:say=%3Cthink%3E{"label":"no"}%3C/think%3E{"lapel":"yes"}]]' END AS prompt
      FROM t$$,
    server => 'openai', target => 't', write_back => '{"label": "$.label"}', max_attempts => 1,
    response_schema => '{"type": "object", "properties": {"label": {"type": "string"}}, '
                       '"required": ["label"], "additionalProperties": false}') AS job \gset
CALL batch_work('60 s');
SELECT results_eq(
    format(
        'SELECT record_id, outcome, error_code, reasoning, output FROM batch_records '
        'WHERE job_id = %s ORDER BY 1',
        :job),
    $$VALUES ('1', 'succeeded', NULL, '{"label":"no"}', '{"label":"yes"}'),
          ('2', 'invalid_output', 'schema_mismatch', '{"label":"no"}', '{"lapel":"yes"}')$$,
    'what is checked and written is the answer alone');
SELECT is(label, 'yes', '… in its column') FROM t WHERE id = 1;

-- NUL and a key within a thought harm no answer
SELECT sim.config('{"api_keys": ["sk-quoted/key+4711"]}');
ALTER USER MAPPING FOR CURRENT_USER SERVER openai OPTIONS (SET api_key 'sk-quoted/key+4711');
SELECT batch_submit(
    $$SELECT id,
          CASE id WHEN 1 THEN '[[sim:say=%3Cthink%3Ea%00b%3C/think%3Eyes]]'
              ELSE '[[sim:say=%3Cthink%3Ethe key is sk-quoted/key+4711%3C/think%3Eyes]]' END AS
                  prompt
      FROM t$$,
    server => 'openai') AS job \gset
CALL batch_work('60 s');
SELECT results_eq(
    format(
        'SELECT record_id, outcome, reasoning, output FROM batch_records WHERE job_id = %s '
        'ORDER BY 1',
        :job),
    $$VALUES ('1', 'succeeded', U&'a\FFFDb', 'yes'),
          ('2', 'succeeded', 'the key is ******************', 'yes')$$,
    'NUL and a key within a thought');

-- cut off while it thought
SELECT batch_submit(
    $$SELECT 1 AS id, '[[sim:stop=length]] [[sim:say=%3Cthink%3EWell]]' AS prompt$$,
    server => 'openai') AS job \gset
CALL batch_work('60 s');
SELECT results_eq(
    format('SELECT outcome, error_code, reasoning, output FROM batch_records WHERE job_id = %s',
        :job),
    $$VALUES ('invalid_output', 'length', 'Well', '')$$,
    'cut off while it thought: as the finish reason says');

-- without the option nothing is taken off
ALTER SERVER openai OPTIONS (DROP reasoning_tags);
SELECT batch_submit($$SELECT 1 AS id, '[[sim:say=%3Cthink%3Eso%3C/think%3Eyes]]' AS prompt$$,
    server => 'openai') AS job \gset
CALL batch_work('60 s');
SELECT results_eq(
    format('SELECT outcome, reasoning, output FROM batch_records WHERE job_id = %s', :job),
    $$VALUES ('succeeded', NULL, '<think>so</think>yes')$$,
    'without the option nothing is taken off');
SELECT * FROM finish();
