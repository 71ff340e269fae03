-- The shortest job there is, end to end: a row is sent, and its answer is read and written back.
-- Run this file first when something is wrong.
\i lib.sql
SELECT plan(5);

SELECT sim.server('openai');
CREATE TABLE tickets (id int PRIMARY KEY, subject text, body text, label text);
INSERT INTO tickets SELECT i, 'subject ' || i, 'body ' || i FROM generate_series(1, 50) i;

SELECT batch_submit('SELECT id, subject, body FROM tickets WHERE label IS NULL', server => 'openai',
    prompt => 'Label this ticket. {{subject}}: {{body}}', target => 'tickets',
    write_back => '{"label": "$"}') AS job \gset
SELECT is(state, 'queued', 'a new job is queued') FROM batch_jobs WHERE job_id = :job;
CALL batch_work('60 s');
SELECT results_eq('SELECT state, records, succeeded, written, pending, progress FROM batch_jobs',
    $$VALUES ('completed', 50::bigint, 50::bigint, 50::bigint, 0::bigint, 1.0)$$,
    'all records are written');
SELECT is((SELECT count(*) FROM tickets WHERE label LIKE '%body ' || id), 50::bigint,
    'each row has the answer to its own prompt');
SELECT is((sim.ledger() ->> 'billed_requests')::int, 50, 'each record is billed once');
SELECT is(sim.ledger() -> 'files_left', '[]', 'nothing is left at the provider');

SELECT * FROM finish();
