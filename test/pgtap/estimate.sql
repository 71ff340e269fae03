-- batch_estimate: what a job would be is what it is when it is submitted; nothing is stored; what
-- batch_submit refuses is refused; which limits are met, how long it takes, what it costs.
\i lib.sql
SELECT no_plan();
SELECT sim.server('s', $$max_requests '7'$$);
SELECT sim.tickets(20);
UPDATE tickets SET body = NULL WHERE id IN (3, 4);
UPDATE tickets SET body = 'the same' WHERE id IN (5, 6, 7);

-- The estimate of a call, one value a line: name: value.
CREATE FUNCTION estimate(arguments text) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    row jsonb;
BEGIN
    EXECUTE format('SELECT to_jsonb(e) FROM batch_estimate(%s) e', arguments) INTO row;
    RETURN row;
END $$;
-- Why a call of a function is refused.
CREATE FUNCTION refusal(function text, arguments text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    message text;
    detail text;
    hint text;
BEGIN
    EXECUTE format('SELECT * FROM %s(%s)', function, arguments);
    RETURN 'taken';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL,
        hint = PG_EXCEPTION_HINT;
    RETURN replace(concat_ws(' | ', SQLSTATE, message, detail, hint), function, 'f');
END $$;
--
-- What it would be is what it is
--
\set call '''SELECT id, body FROM tickets ORDER BY id'', ''s'', ''Label {{body}}'''
SELECT sim.stored() AS before \gset
SELECT estimate(:'call') AS guess \gset
SELECT is(sim.stored(), :'before', 'nothing is stored, and no id is used up');
SELECT is(sim.ledger() -> 'requests', '{}', '… and nothing is sent');
BEGIN READ ONLY;
SELECT is(estimate(:'call'), :'guess', 'a transaction may be read only');
COMMIT;
SELECT batch_submit('SELECT id, body FROM tickets ORDER BY id', 's', 'Label {{body}}') AS job \gset
SELECT is(
    (SELECT jsonb_build_object('records', j.records, 'skipped', j.skipped, 'chunks', count(*),
                               'bytes', sum(c.bytes), 'input_tokens', sum(c.estimated_tokens))
     FROM batch_jobs j JOIN batch_chunks c USING (job_id) WHERE job_id = :job
     GROUP BY j.records, j.skipped),
    (SELECT jsonb_object_agg(key, value) FROM jsonb_each(:'guess')
     WHERE key IN ('records', 'skipped', 'chunks', 'bytes', 'input_tokens')),
    'records, skipped, chunks, bytes and tokens are those of the job');
SELECT is(:'guess'::jsonb ->> 'repeats', '2', 'equal requests are counted but once');
SELECT is(:'guess'::jsonb ->> 'cached', '0', 'no answer is known before');
CALL batch_work('60 s');

-- rows in flight
SELECT $$'SELECT id, body FROM tickets ORDER BY id', 's', '{{body}}', target => 'tickets',
    write_back => '{"label": "$"}'$$ AS call \gset
SELECT batch_submit('SELECT id, body FROM tickets WHERE id <= 10', 's', '{{body}}',
                    target => 'tickets', write_back => '{"label": "$"}') AS job \gset
SELECT sim.stored() AS before \gset
SELECT is(
    (SELECT concat_ws(' ', e ->> 'records', e ->> 'skipped', e ->> 'in_flight', e ->> 'repeats')
     FROM estimate(:'call') e),
    '12 2 8 0', 'rows that an open job has are left out');
SELECT is(
    (SELECT concat_ws(' ', e ->> 'records', e ->> 'in_flight')
     FROM estimate(:'call' || $$, in_flight => 'send'$$) e),
    '20 0', '… unless they are sent, too');
SELECT refusal('batch_estimate', :'call' || $$, in_flight => 'error'$$) AS refusal \gset
SELECT is(sim.stored(), :'before', '… and none of it is stored');
SELECT is(:'refusal', refusal('batch_submit', :'call' || $$, in_flight => 'error'$$),
          '… or are an error');
CALL batch_work('60 s');

--
-- What batch_submit refuses
--
CREATE TABLE refused (id int PRIMARY KEY, a text, b int NOT NULL);
SELECT sim.server('many', $$min_requests '50'$$);
SELECT is(refusal('batch_estimate', c), refusal('batch_submit', c), left(c, 70))
FROM (VALUES
    ($$NULL, 's'$$),
    ($$'SELECT 1 AS id', 's'$$),
    ($$'SELECT 1 AS id', 'nowhere', 'x'$$),
    ($$'SELECT 1 AS id, 2 AS id2', 's', '{{nothing}}'$$),
    ($$'SELECT 1 AS id UNION ALL SELECT 1', 's', '{{id}}'$$),
    ($$'SELECT NULL::int AS id', 's', 'x{{id}}'$$),
    ($$'DELETE FROM tickets', 's', 'x'$$),
    ($$'SELECT 1 / 0 AS id', 's', '{{id}}'$$),
    ($$'SELECT 1 AS id', 's', '{{id}}', task => 'poem'$$),
    ($$'SELECT 1 AS id', 's', '{{id}}', mode => 'realtime'$$),
    ($$'SELECT 1 AS id', 's', '{{id}}', target => 'tickets'$$),
    ($$'SELECT 1 AS id', 's', '{{id}}', target => 'pg_class', write_back => '{"relname": "$"}'$$),
    ($$'SELECT 1 AS id', 's', '{{id}}', target => 'tickets', write_back => '{"nothing": "$"}'$$),
    ($$'SELECT 1 AS id', 's', '{{id}}', write_mode => 'insert'$$),
    ($$'SELECT 1 AS id, NULL::int AS c', 's', '{{id}}', target => 'refused', key => 'id',
       write_mode => 'replace', write_back => '{"id": {"ordinal": true}, "a": "$", "b": {"column":
       "c"}}', replace_by => 'b', each => '$'$$),
    ($$'SELECT 1 AS id', 's', '{{id}}', deadline => '-1 day'$$),
    ($$'SELECT 1 AS id', 's', '{{id}}', params => '[]'$$),
    ($$'SELECT 1 AS id', 's', '{{id}}', response_schema => '{"type": 5}'$$),
    ($$'SELECT 1 AS id, 2 AS body', 's'$$),
    ($$'SELECT 1 AS id', 'many', '{{id}}'$$)) v(c);
SELECT isnt(refusal('batch_submit', c), 'taken', 'refused: ' || left(c, 60))
FROM (VALUES ($$'SELECT 1 AS id UNION ALL SELECT 1', 's', '{{id}}'$$),
             ($$'SELECT 1 AS id', 'many', '{{id}}'$$)) v(c);

-- rights
CREATE ROLE estimate_ann;
GRANT SELECT ON tickets TO estimate_ann;
ALTER TABLE tickets ENABLE ROW LEVEL SECURITY;
CREATE POLICY few ON tickets USING (id > 15);
SET ROLE estimate_ann;
SELECT is(refusal('batch_estimate', $$'SELECT id, body FROM tickets', 's', '{{body}}'$$),
          '42501 | permission denied for foreign server s |  | ', 'it needs USAGE on the server');
RESET ROLE;
GRANT USAGE ON FOREIGN SERVER s TO estimate_ann;
CREATE USER MAPPING FOR estimate_ann SERVER s OPTIONS (api_key 'sk-sim');
SET ROLE estimate_ann;
SELECT is((SELECT records FROM batch_estimate('SELECT id, body FROM tickets', 's', '{{body}}')),
          5::bigint, 'the query runs as the caller');
SELECT is(refusal('batch_estimate', $$'SELECT id FROM refused', 's', '{{id}}'$$),
          '42501 | permission denied for table refused |  | ', '… with their rights');
RESET ROLE;
ALTER TABLE tickets DISABLE ROW LEVEL SECURITY;
REVOKE ALL ON tickets FROM estimate_ann;
DROP OWNED BY estimate_ann;
DROP ROLE estimate_ann;

--
-- Limits and hours
--
CREATE FUNCTION limits(server text, more text DEFAULT '') RETURNS SETOF text LANGUAGE sql AS $$
    SELECT jsonb_array_elements_text(estimate(format(
        $f$'SELECT i AS id FROM generate_series(1, 20) i', %L, 'word {{id}}' %s$f$, server, more))
        -> 'limits')
$$;
SELECT sim.server('free', $$max_batches '1000'$$);
SELECT is_empty($$SELECT limits('free')$$, 'where there is room no limit is met');
SELECT sim.server('two', $$max_requests '5', max_batches '2'$$);
SELECT results_eq($$SELECT limits('two')$$,
    ARRAY['needs 4 batches, 2 at a time, so at least 2 windows',
          'is cut into 4 batches, mostly by max_requests'], 'max_batches');
SELECT sim.server('tokens', $$max_enqueued_tokens '100'$$);
SELECT results_eq($$SELECT limits('tokens')$$,
    ARRAY['has 180 estimated tokens of input, of which the server takes 100 at a time '
          '(max_enqueued_tokens), so at least 2 windows',
          'is cut into 2 batches, mostly by max_enqueued_tokens'], 'max_enqueued_tokens');
SELECT sim.server('queue', $$max_requests '10', max_enqueued_requests '10', max_files '1'$$);
SELECT results_eq($$SELECT limits('queue')$$,
    ARRAY['has 20 records, of which the server takes 10 at a time (max_enqueued_requests), so at '
          'least 2 windows',
          'has 2 files, of which the server takes 1 at a time (max_files), so at least 2 windows',
          'is cut into 2 batches, mostly by max_requests'], 'max_enqueued_requests, max_files');
SELECT sim.server('bytes', $$max_bytes '1500', min_requests '2'$$);
SELECT results_eq($$SELECT limits('bytes')$$,
    format('SELECT x FROM unnest(ARRAY[%L, %L]) x',
           format('is cut into %s batches, mostly by max_bytes', (
                  SELECT chunks FROM batch_estimate(
                      'SELECT i AS id FROM generate_series(1, 20) i', 'bytes', 'word {{id}}'))),
           'a batch has at least 2 records (min_requests): fewer that have to be sent again wait '
           'for others of the job'), 'max_bytes, min_requests');
SELECT results_eq(
    $$SELECT limits('free', ', start_after => ''2100-01-01 00:00 UTC'', submit_window =>
                             ''22:00-05:00 Europe/Berlin''')$$,
    $$VALUES ('is not sent before ' || timestamptz '2100-01-01 00:00 UTC' || ' (start_after)'),
             ('is sent within 22:00-05:00 Europe/Berlin only (submit_window)')$$,
    'start_after, submit_window');
SELECT batch_pause_server('free');
SELECT results_eq($$SELECT limits('free')$$,
    ARRAY['the server is paused by batch_pause_server'], 'a pause');
SELECT batch_resume_server('free');
CREATE FUNCTION took(server text, hours numeric, late bool DEFAULT false) RETURNS void
LANGUAGE sql AS $$
    INSERT INTO batchinf.history (install, database, server, server_name, model, prompt, records,
        measured, estimated_tokens, input_tokens, succeeded, invalid_output, errored, expired,
        cancelled, missing, answered, output_tokens, created_at, submitted_at, ended_at, batch_end,
        late)
    SELECT h.uuid, h.database, f.oid, f.srvname, 'gpt-5.4-mini', '', 1, 0, 0, 0, 1, 0, 0, 0, 0, 0,
        0, 0, now(), now() - hours * interval '1 hour', now(), 'completed', late
    FROM batchinf.here h, pg_foreign_server f WHERE f.srvname = server
$$;
SELECT is(estimate($$'SELECT 1 AS id', 'two', '{{id}}'$$) ->> 'hours_p50', NULL,
          'without a past batch no hours are known');
SELECT took('two', h) FROM generate_series(1, 21) h;
SELECT is(
    (SELECT concat_ws(' ', e ->> 'hours_p50', e ->> 'hours_p95')
     FROM estimate($$'SELECT 1 AS id', 'two', '{{id}}'$$) e), '11.000 20.000',
    'hours are those of past batches');
SELECT is(
    (SELECT concat_ws(' ', e ->> 'hours_p50', e ->> 'hours_p95')
     FROM estimate($$'SELECT i AS id FROM generate_series(1, 20) i', 'two', '{{id}}'$$) e),
    '22.000 40.000', '… for each window');
SELECT matches(string_agg(l, E'\n'),
    '\nits deadline leaves (3|4)[.][0-9]* hours; going by past batches it takes up to 40.00$',
    'a deadline that is too short')
FROM limits('two', $$, deadline => '4 hours'$$) l;

--
-- The query of nobody, costs
--
SELECT is(
    (SELECT concat_ws(' ', e ->> 'records', e ->> 'chunks', e ->> 'bytes', e ->> 'input_tokens',
                      e ->> 'output_tokens', e ->> 'cost', e ->> 'limits')
     FROM estimate($$'SELECT 1 AS id WHERE false', 's', '{{id}}'$$) e),
    '0 0 0 0 0 0 []', 'no rows cost nothing');
SELECT is(
    (SELECT concat_ws(' ', e ->> 'cost', e ->> 'realtime_cost', e ->> 'saving', e ->> 'unpriced')
     FROM estimate($$'SELECT 1 AS id', 's', '{{id}}', model => 'priced by nobody'$$) e), 'true',
    'without a price nothing costs 0');

-- The worked example: 2,000,000 documents a month of 1,500 tokens, with answers of 250, scaled down
-- by 10,000.
SELECT $$SELECT i AS id, repeat('word ', 1492) || 'word' AS body
    FROM generate_series(1, 200) i$$ AS documents \gset
SELECT sim.bedrock('bedrock');
SELECT batch_set_price('openai', m, mode, k, p * f)
FROM (VALUES ('haiku-class', 'input', 0.25), ('haiku-class', 'output', 1.25),
             ('sonnet-class', 'input', 3), ('sonnet-class', 'output', 15)) v(m, k, p),
    (VALUES ('realtime', 1), ('batch', 0.5)) x(mode, f);
SELECT results_eq(
    format(
        $$SELECT model, e.records, e.input_tokens, e.output_tokens,
              round(e.realtime_cost * 10000, 2), round(e.cost * 10000, 2),
              round(e.saving * 10000, 2), e.unpriced
          FROM (VALUES (1, 'amazon.nova-lite-v1:0', 0), (2, 'haiku-class', 1),
                       (3, 'sonnet-class', 1)) m(n, model, own),
              batch_estimate(%L, CASE own WHEN 1 THEN 's' ELSE 'bedrock' END, '{{body}}',
                  model => model, params => CASE own WHEN 1 THEN '{"max_completion_tokens": 1000}'
                      ELSE '{"max_tokens": 1000}' END::json) e ORDER BY n$$, :'documents'),
    $$VALUES ('amazon.nova-lite-v1:0', 200::bigint, 300000::bigint, 50000::bigint, 300.00, 150.00,
              150.00, false),
             ('haiku-class', 200, 300000, 50000, 1375.00, 687.50, 687.50, false),
             ('sonnet-class', 200, 300000, 50000, 16500.00, 8250.00, 8250.00, false)$$,
    'the worked example: 300 and 150, 1,375 and 687.50, 16,500 and 8,250 dollars a month');

-- The same by the views after a run: the simulator counts a quarter of the bytes, and some tokens
-- for the message.
SELECT sim.server(n, model => 'gpt-4o-mini') FROM unnest('{nova,haiku,sonnet}'::text[]) n;
SELECT batch_set_price('openai', 'gpt-4o-mini', mode, k, p * f, server => n)
FROM (VALUES ('nova', 'input', 0.06), ('nova', 'output', 0.24), ('haiku', 'input', 0.25),
             ('haiku', 'output', 1.25), ('sonnet', 'input', 3), ('sonnet', 'output', 15))
         v(n, k, p),
    (VALUES ('realtime', 1), ('batch', 0.5)) x(mode, f);
SELECT batch_submit($$SELECT i AS id, rpad('[[sim:big=1000]]', 5972, 'word ') AS body
                      FROM generate_series(1, 200) i$$, n, '{{body}}')
FROM unnest('{nova,haiku,sonnet}'::name[]) n;
CALL batch_work('120 s');
SELECT results_eq(
    $$SELECT server::text COLLATE "default", succeeded, input_tokens, output_tokens,
          round(realtime_cost * 10000, 2), round(cost * 10000, 2), round(saving * 10000, 2)
      FROM batch_jobs WHERE server IN ('nova', 'haiku', 'sonnet') ORDER BY job_id$$,
    $$VALUES ('nova', 200::bigint, 300000::bigint, 50000::bigint, 300.00, 150.00, 150.00),
             ('haiku', 200, 300000, 50000, 1375.00, 687.50, 687.50),
             ('sonnet', 200, 300000, 50000, 16500.00, 8250.00, 8250.00)$$,
    '… and so it was, by the views after a run');
SELECT is(
    (SELECT string_agg(concat_ws(' ', server, round(sum_realtime * 10000, 2),
                                 round(sum_cost * 10000, 2)), ', ' ORDER BY sum_cost)
     FROM (SELECT server, sum(realtime_cost) AS sum_realtime, sum(cost) AS sum_cost
           FROM batch_spend WHERE server IN ('nova', 'haiku', 'sonnet') GROUP BY server) s),
    'nova 300.00 150.00, haiku 1375.00 687.50, sonnet 16500.00 8250.00', '… and by the ledger');
-- what was measured is what is estimated next
SELECT is(
    (SELECT concat_ws(' ', input_tokens, output_tokens, round(cost * 10000, 2),
                      round(cost_p95 * 10000, 2), round(saving * 10000, 2))
     FROM batch_estimate($$SELECT i AS id, rpad('[[sim:big=1000]]', 5972, 'word ') AS body
                           FROM generate_series(1, 200) i$$, 'nova', '{{body}}')),
    '300000 50000 150.00 150.00 150.00', '… and by the estimate of the next month');
SELECT * FROM finish();
