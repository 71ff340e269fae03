-- Every shape that a line of a results file can take, and results files that do not exist.
\i lib.sql
SELECT plan(37);

SELECT sim.server('s');
SELECT sim.server('e', model => 'text-embedding-3-small');

-- One row a shape: how it ends, after how many attempts, and how often it is billed.
CREATE TABLE t (id int PRIMARY KEY GENERATED ALWAYS AS IDENTITY, shape text, outcome text,
    code text, attempts int, billed int, answer text);
INSERT INTO t (shape, outcome, code, attempts, billed) VALUES
    ('plain', 'succeeded', NULL, 1, 1),
    ('[[sim:error=400]]', 'errored', 'invalid_request_error', 1, 0),
    ('[[sim:error=404]]', 'errored', 'invalid_request_error', 1, 0),
    ('[[sim:error=422]]', 'errored', 'invalid_value', 1, 0),
    ('[[sim:error=400:content_policy_violation]]', 'errored', 'content_policy_violation', 1, 0),
    ('[[sim:nonesuch]]', 'errored', 'invalid_request_error', 1, 0),
    ('[[sim:error=408]]', 'errored', 'request_timeout', 3, 0),
    ('[[sim:error=409]]', 'errored', 'invalid_request_error', 3, 0),
    ('[[sim:error=429]]', 'errored', 'rate_limit_exceeded', 3, 0),
    ('[[sim:error=500]]', 'errored', 'server_error', 3, 0),
    ('[[sim:error=503]]', 'errored', 'server_is_overloaded', 3, 0),
    ('[[sim:status0]]', 'errored', 'http_0', 3, 0),
    ('[[sim:timeout]]', 'errored', 'request_timeout', 3, 0),
    ('[[sim:expired]]', 'expired', 'batch_expired', 3, 0),
    ('[[sim:cancelled]]', 'cancelled', 'batch_cancelled', 1, 0),
    ('[[sim:refusal]]', 'invalid_output', 'refusal', 1, 1),
    ('[[sim:length]] a long answer', 'invalid_output', 'length', 1, 1),
    ('[[sim:content_filter]]', 'invalid_output', 'content_filter', 1, 1),
    ('[[sim:null_content]]', 'invalid_output', 'no_output', 1, 1),
    ('[[sim:nochoices]]', 'invalid_output', 'no_output', 1, 1),
    ('[[sim:nul]]', 'invalid_output', 'nul_character', 1, 1),
    ('[[sim:missing]]', 'missing', 'missing', 3, 3),
    ('[[sim:badjson]]', 'errored', 'unreadable_line', 1, 1),
    ('[[sim:say=%57ILD-lost]]', 'missing', 'missing', 3, 3),
    ('[[sim:duplicate]]', 'succeeded', NULL, 1, 1),
    ('[[sim:unknown]]', 'succeeded', NULL, 1, 1),
    ('[[sim:both]]', 'succeeded', NULL, 1, 1),
    ('[[sim:fail_times=1]]', 'succeeded', NULL, 2, 1),
    ('[[sim:fail_times=2]]', 'succeeded', NULL, 3, 1),
    ('[[sim:fail_times=3]]', 'errored', 'server_error', 3, 0),
    ('[[sim:big=5000000]]', 'succeeded', NULL, 1, 1),
    ('[[sim:say=]]', 'invalid_output', 'no_output', 1, 1),
    ('[[sim:say=%00]]', 'invalid_output', 'nul_character', 1, 1),
    ('[[sim:say=%F0%9F%98%80%22%5C%0A%ED%95%9C]]', 'succeeded', NULL, 1, 1);

SELECT batch_submit('SELECT id, shape FROM t ORDER BY id', 's', '{{shape}}', target => 't',
    write_back => '{"answer":"$"}', max_attempts => 3) AS job \gset
CALL batch_work('120 s');
SELECT is(state, 'completed', 'the job is completed, whatever its records came to') FROM batch_jobs
WHERE job_id = :job;
SELECT set_eq(
    format(
        'SELECT t.shape, r.outcome, r.error_code, r.attempt FROM t '
        'JOIN batch_records r ON r.record_id = t.id::text WHERE r.job_id = %s',
        :job),
    'SELECT shape, outcome, code, attempts FROM t',
    'promise 3: each shape ends in its one outcome, after its attempts');
SELECT is(succeeded + invalid_output + errored + expired + cancelled + missing + skipped, records,
    'promise 3: the outcomes add up to the records')
FROM batch_jobs WHERE job_id = :job;
SELECT is(pending, 0::bigint, '… and none is pending') FROM batch_jobs WHERE job_id = :job;
SELECT results_eq(
    format(
        'SELECT succeeded, invalid_output, errored, expired, cancelled, missing, skipped '
        'FROM batch_jobs WHERE job_id = %s',
        :job),
    $$SELECT count(*) FILTER (WHERE outcome = 'succeeded'),
          count(*) FILTER (WHERE outcome = 'invalid_output'),
          count(*) FILTER (WHERE outcome = 'errored'), count(*) FILTER (WHERE outcome = 'expired'),
          count(*) FILTER (WHERE outcome = 'cancelled'),
          count(*) FILTER (WHERE outcome = 'missing'), 0::bigint
      FROM t$$,
    '… each as it should be');
SELECT results_eq(
    format(
        'SELECT written, write_failed, target_missing, stale, write_waiting FROM batch_jobs '
        'WHERE job_id = %s',
        :job),
    $$SELECT count(*), 0::bigint, 0::bigint, 0::bigint, 0::bigint FROM t
      WHERE outcome = 'succeeded'$$,
    'what succeeded is written');
SELECT is((SELECT count(*) FROM t WHERE (answer IS NOT NULL) <> (outcome = 'succeeded')), 0::bigint,
    '… and nothing else');

-- Results
SELECT is((SELECT count(*) FROM batchinf.result WHERE job_id = :job),
    (SELECT sum(attempts) FROM t)::bigint, 'results are kept of each attempt');
SELECT set_eq(format('SELECT seq, attempt FROM batchinf.result WHERE job_id = %s', :job),
    'SELECT id::bigint, a FROM t, generate_series(1, attempts) a', '… one each');
SELECT is(retried, (SELECT sum(attempts - 1) FROM t)::bigint, 'what is sent again is counted')
FROM batchinf.job_status WHERE job_id = :job;
SELECT results_eq(
    format('SELECT attempt, records FROM batch_chunks WHERE job_id = %s ORDER BY 1', :job),
    $$SELECT a, count(*) FROM t, generate_series(1, attempts) a GROUP BY 1 ORDER BY 1$$,
    '… in a chunk of its own');
-- WILD-lost: three lines that are cut before their ids; unknown, duplicate and both: one line more
-- each.
SELECT results_eq(
    format('SELECT duplicates, unknown, malformed FROM batch_jobs WHERE job_id = %s', :job),
    'VALUES (2::bigint, 1::bigint, 3::bigint)',
    'promise 3: duplicate, unknown and malformed lines are counted');
SELECT is(finish_reason, 'length', 'the finish reason is kept') FROM batch_records
WHERE job_id = :job AND error_code = 'length';
SELECT isnt(output, NULL, '… and what was cut off') FROM batch_records
WHERE job_id = :job AND error_code = 'length';
SELECT is(error, 'I''m sorry, I cannot assist with that request.',
    'a refusal is told in the model''s own words')
FROM batch_records WHERE job_id = :job AND error_code = 'refusal';
SELECT is(error, 'unknown simulator directive "nonesuch"',
    'an error is told in the provider''s own words')
FROM batch_records r JOIN t ON r.record_id = t.id::text
WHERE job_id = :job AND shape = '[[sim:nonesuch]]';
SELECT is(output, U&'before\FFFDafter', 'a NUL is replaced in what is kept') FROM batch_records r
JOIN t ON r.record_id = t.id::text WHERE job_id = :job AND shape = '[[sim:nul]]';
SELECT is(length(answer), 5000000, 'a line of many MB') FROM t WHERE shape LIKE '%big%';
SELECT is(answer, E'😀"\\\n한', 'any character') FROM t WHERE shape LIKE '%say=\%F0%';
SELECT is(answer, NULL, 'an empty answer is no answer') FROM t WHERE shape = '[[sim:say=]]';
SELECT is(
    (SELECT count(*) FROM batch_records
     WHERE job_id = :job AND model = 'gpt-5.4-mini-2026-03-17' AND finished_at IS NOT NULL
     AND request_id IS NOT NULL AND outcome IN ('succeeded', 'invalid_output')),
    (SELECT count(*) FROM t WHERE outcome IN ('succeeded', 'invalid_output')),
    'model, time and request id are kept');

-- Money
CREATE TABLE entry AS
SELECT split_part(e->>'custom_id', '-', 1) AS intent,
    split_part(e->>'custom_id', '-', 2)::bigint AS seq, (e->>'prompt_tokens')::bigint AS input,
    (e->>'completion_tokens')::bigint AS output
FROM jsonb_array_elements(sim.call('GET', '/_sim/entries')) e;
SELECT set_eq('SELECT seq, count(*) FROM entry GROUP BY 1',
    'SELECT id::bigint, billed::bigint FROM t WHERE billed > 0',
    'billed as often as the model ran, and no more');
SELECT set_eq(
    format(
        'SELECT left(intent, 8), seq, r.input_tokens, r.output_tokens FROM batchinf.result r '
        'JOIN batchinf.chunk c USING (chunk_id) WHERE r.job_id = %s AND r.input_tokens IS NOT NULL',
        :job),
    $$SELECT intent, seq, e.input, e.output FROM entry e JOIN t ON t.id = seq
      WHERE code IS NULL OR code NOT IN ('missing', 'unreadable_line')$$,
    'tokens of each attempt are as billed');
SELECT results_eq(
    format('SELECT input_tokens, output_tokens FROM batch_jobs WHERE job_id = %s', :job),
    $$SELECT sum(input)::bigint, sum(output)::bigint FROM entry JOIN t ON t.id = seq
      WHERE code IS NULL OR code NOT IN ('missing', 'unreadable_line')$$,
    'tokens of the job are the sum');
SELECT is(sim.ledger()->'files_left', '[]', 'promise 10: nothing is left at the provider');

-- Files that are not there
CREATE FUNCTION ends(shape text, times int, attempts int DEFAULT 1) RETURNS bigint
LANGUAGE sql AS $$
    SELECT batch_submit(
        format('SELECT i AS id, %L AS prompt FROM generate_series(1, %s) i', shape, times), 's',
        max_attempts => attempts) $$;
SELECT ends('[[sim:missing]]', 3) AS none \gset
SELECT ends('[[sim:error=400]]', 3) AS only_errors \gset
SELECT ends('plain', 3) AS only_output \gset
CALL batch_work('60 s');
SELECT results_eq(
    format('SELECT state, missing, pending FROM batch_jobs WHERE job_id = %s', :none),
    $$VALUES ('completed', 3::bigint, 0::bigint)$$, 'neither file');
SELECT results_eq(format(
        'SELECT refs - ''input'' FROM batchinf.chunk JOIN batchinf.batch USING (chunk_id) '
        'WHERE job_id = %s', :none),
    $$VALUES ('{}'::jsonb)$$, '… indeed');
SELECT results_eq(
    format('SELECT state, errored, pending FROM batch_jobs WHERE job_id = %s', :only_errors),
    $$VALUES ('completed', 3::bigint, 0::bigint)$$, 'only an error file');
SELECT results_eq(
    format('SELECT refs ? ''output'', refs ? ''error'' FROM batchinf.chunk '
        'JOIN batchinf.batch USING (chunk_id) WHERE job_id = %s',
        :only_errors),
    $$VALUES (false, true)$$, '… indeed');
SELECT results_eq(
    format('SELECT state, succeeded, pending FROM batch_jobs WHERE job_id = %s', :only_output),
    $$VALUES ('completed', 3::bigint, 0::bigint)$$, 'only an output file, error_file_id null');
SELECT sim.config('{"error_file_id_empty":true,"chunked_content":true}');
SELECT ends('plain', 3) AS empty \gset
CALL batch_work('60 s');
SELECT results_eq(
    format('SELECT state, succeeded, pending FROM batch_jobs WHERE job_id = %s', :empty),
    $$VALUES ('completed', 3::bigint, 0::bigint)$$, 'error_file_id "", content without a length');
SELECT sim.config('{"error_file_id_empty":false,"chunked_content":false}');

-- Embeddings
SELECT batch_submit(
    $$SELECT *
      FROM (VALUES (1, 'plain'), (2, '[[sim:nochoices]]'), (3, '[[sim:error=400]]'),
                (4, '[[sim:missing]]'), (5, '[[sim:fail_times=1]]'), (6, '')) v(id, input)$$,
    'e', task => 'embedding', params => '{"dimensions":4}', max_attempts => 2) AS job \gset
CALL batch_work('60 s');
SELECT results_eq(
    format(
        'SELECT record_id, outcome, error_code, attempt FROM batch_records WHERE job_id = %s '
        'ORDER BY seq',
        :job),
    $$VALUES ('1', 'succeeded', NULL, 1), ('2', 'invalid_output', 'no_output', 1),
          ('3', 'errored', 'invalid_request_error', 1), ('4', 'missing', 'missing', 2),
          ('5', 'succeeded', NULL, 2), ('6', 'errored', 'invalid_request_error', 1)$$,
    'embeddings: an answer, none, an error, no line, a retry, an empty input');
SELECT is(jsonb_array_length(output::jsonb), 4, 'an embedding is an array of numbers')
FROM batch_records WHERE job_id = :job AND record_id = '1';
SELECT is(output_tokens, 0::bigint, 'embeddings have no output tokens') FROM batch_jobs
WHERE job_id = :job;

-- A line that the model finishes late: other attempts, other counts
SELECT ends('[[sim:error=500]]', 2, 1) AS once \gset
SELECT ends('[[sim:fail_times=4]] x', 1, 5) AS often \gset
CALL batch_work('60 s');
SELECT results_eq(format('SELECT attempt, outcome FROM batch_records WHERE job_id = %s', :once),
    $$VALUES (1, 'errored'), (1, 'errored')$$, 'max_attempts 1: nothing is sent again');
SELECT results_eq(format('SELECT attempt, outcome FROM batch_records WHERE job_id = %s', :often),
    $$VALUES (5, 'succeeded')$$, 'max_attempts 5: as often as it takes');
SELECT is((SELECT count(*) FROM batchinf.chunk WHERE state NOT IN ('done', 'failed', 'cancelled')),
    0::bigint, 'no chunk is left');

SELECT * FROM finish();
