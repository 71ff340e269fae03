-- The same job at every provider. Only the server's options differ, so this file shows quickly
-- whether a change broke one of them.
\i lib.sql

\i lib-places.sql
SELECT plan(4 + 5 * count(*)::int) FROM place;

CREATE TABLE ticket (server name, id int, body text, label text, urgent bool,
    PRIMARY KEY (server, id));
INSERT INTO ticket (server, id, body)
SELECT server, i,
    CASE i WHEN 3 THEN '[[sim:error=400]]' WHEN 5 THEN '[[sim:refusal]]'
            WHEN 7 THEN '[[sim:length]]'
            WHEN 9 THEN '[[sim:fail_times=1]][[sim:json=%7B%22label%22:%22l9%22,'
                        '%22urgent%22:false%7D]]'
            WHEN 11 THEN '[[sim:missing]]' WHEN 13 THEN '[[sim:error=500]]' WHEN 15 THEN NULL
            WHEN 17 THEN '[[sim:json=%7B%22label%22%3A7%7D]]'
            ELSE '[[sim:json='
                || replace(
                    replace(
                        replace('{"label": "l' || i || '", "urgent": ' || (i % 2 = 0) || '}', '"',
                            '%22'),
                        '{', '%7B'),
                    '}', '%7D')
                || ']]' END
        || ' ' || server
FROM place, generate_series(1, 20) i;

CREATE FUNCTION submit(place name) RETURNS bigint LANGUAGE sql AS $$
    SELECT batch_submit(
        format('SELECT server, id, body FROM ticket WHERE server = %L ORDER BY id', place),
        server => place, system_prompt => 'Be short.', prompt => '{{body}}', target => 'ticket',
        write_back => '{"label": "$.label", "urgent": "$.urgent"}', max_attempts => 2,
        name => place,
        response_schema => '{"type": "object", "properties": {"label": {"type": "string"}, '
                           '"urgent": {"type": "boolean"}}, "required": ["label", "urgent"], '
                           '"additionalProperties": false}');
$$;
SELECT submit(server) FROM place \g /dev/null
CALL batch_work('600 s');

-- What every provider must make of it.
CREATE TEMP TABLE wanted (id int, outcome text, attempt int, write_state text, label text,
    urgent bool);
INSERT INTO wanted SELECT i, 'succeeded', 1, 'written', 'l' || i, i % 2 = 0
FROM generate_series(1, 20) i WHERE i NOT IN (3, 5, 7, 9, 11, 13, 15, 17);
INSERT INTO wanted VALUES (9, 'succeeded', 2, 'written', 'l9', false);
INSERT INTO wanted VALUES
    (3, 'errored', 1), (5, 'invalid_output', 1), (7, 'invalid_output', 1), (11, 'missing', 2),
    (13, 'errored', 2), (15, 'skipped', 1), (17, 'invalid_output', 1);

CREATE TEMP VIEW had AS SELECT t.
server, t.id, r.outcome, r.attempt, r.write_state, t.label, t.urgent, r.finish_reason, r.error_code,
    r.input_tokens, r.output_tokens
FROM ticket t JOIN batch_jobs j ON j.name = t.server JOIN batch_records r
ON r.job_id = j.job_id AND r.record_id = format('(%s,%s)', t.server, t.id);

SELECT is(state, 'completed', server || ': the job is done') FROM place
JOIN batch_jobs USING (server) ORDER BY server;
SELECT is(batch_check.status, 'ok', server || ': batch_check') FROM place, batch_check(server)
ORDER BY server;
SELECT set_eq(
    format('SELECT id, outcome, attempt, write_state, label, urgent FROM had WHERE server = %L',
        server),
    'SELECT * FROM wanted', server || ': each record ends as it does everywhere')
FROM place ORDER BY server;
SELECT is(
    (SELECT count(*) FROM had h
     WHERE h.server = p.server AND outcome = 'succeeded'
     AND (input_tokens IS NULL OR output_tokens IS NULL)),
    0::bigint, server || ': tokens are told')
FROM place p ORDER BY server;
SELECT is(pending, 0::bigint, server || ': promise 3: nothing is pending') FROM place
JOIN batch_jobs USING (server) ORDER BY server;

SELECT is((SELECT count(DISTINCT (id, outcome, attempt, write_state, label, urgent)) FROM had),
    (SELECT count(DISTINCT id) FROM ticket), 'the rows are the same at all providers');
SELECT is(
    (SELECT array_agg(b.key) FROM jsonb_each_text(sim.ledger() -> 'by_custom_id') b
     WHERE b.value::int > 1 AND b.key <> 'null'),
    NULL, 'promise 1: nothing is billed twice');
SELECT ok(
    count(*) >= 3
    AND count(DISTINCT provider) = (SELECT count(DISTINCT provider) FROM batch_servers),
    'every provider that there is')
FROM place;
SELECT is((SELECT jsonb_agg(f -> 'id') FROM jsonb_array_elements(sim.ledger() -> 'files_left') f),
    NULL, 'promise 10: nothing is left at any');
SELECT * FROM finish();
