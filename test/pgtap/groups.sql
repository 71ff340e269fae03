-- A results file is applied in groups of lines, each in a transaction of its own. The test proves
-- that what one group leaves in memory is whole for the next.
\i lib.sql
SELECT plan(4);

SELECT sim.server('openai');
SELECT sim.tickets();
INSERT INTO tickets
SELECT i, CASE WHEN i IN (1, 700, 2499) THEN '[[sim:duplicate]]' ELSE '' END || 'body ' || i
FROM generate_series(1, 2500) i;

SELECT batch_submit('SELECT id, body FROM tickets ORDER BY id', server => 'openai',
    prompt => '{{body}}', target => 'tickets', write_back => '{"label": "$"}') AS job \gset
CALL batch_work('60 s');
SELECT results_eq('SELECT state, records, succeeded, written, pending FROM batch_jobs',
    $$VALUES ('completed', 2500::bigint, 2500::bigint, 2500::bigint, 0::bigint)$$,
    'promise 3: every record of every group has its outcome');
SELECT is((SELECT sum(duplicates)::int FROM batch_chunks), 3,
    'promise 3: a duplicate is counted in whichever group it comes');
SELECT is((SELECT count(*) FROM batchinf.result), 2500::bigint, 'each record has one result');
SELECT is((SELECT count(*) FROM tickets WHERE label LIKE '%body ' || id), 2500::bigint,
    'each row has the answer to its own prompt');

SELECT * FROM finish();
