-- Jobs of Bedrock whose inputs and results stand at radosgw: requests of src/provider/aws/s3.c with
-- signatures of base/sigv4.c, at an S3 that is not ours.  The simulated Bedrock reads and writes
-- there too.
\i lib.sql
\getenv rgw_url RGW_URL
\getenv access_key RGW_ACCESS_KEY
\getenv secret_key RGW_SECRET_KEY
SELECT plan(12);
CREATE TABLE rgw AS SELECT :'rgw_url' AS url, :'access_key' AS access_key, :'secret_key' AS secret;
CREATE TABLE tickets (id int PRIMARY KEY, body text, label text);

-- A server whose objects are in that place.
CREATE FUNCTION server(name text, place text, more text DEFAULT '', secret text DEFAULT NULL)
  RETURNS void LANGUAGE sql AS $$
    SELECT sim.bedrock(name, format('storage_url %L, storage_base_url %L', place, url) || more,
    mapping => format('access_key_id %L, secret_access_key %L', access_key,
    COALESCE($4, rgw.secret))) FROM rgw;
    SELECT sim.config(jsonb_build_object('bedrock_storage', jsonb_build_object('endpoint', url,
    'access_key', access_key, 'secret', rgw.secret))) FROM rgw;
$$;
CREATE FUNCTION submit(server name) RETURNS bigint LANGUAGE sql AS $$
    SELECT batch_submit('SELECT id, body FROM tickets', server => server,
    prompt => 'Label: {{body}}', target => 'tickets', write_back => '{"label": "$"}')
$$;
CREATE FUNCTION counts(job bigint) RETURNS text LANGUAGE sql AS $$
    SELECT concat_ws(' ', state, succeeded, 'of', records, 'written', written) FROM batch_jobs
    WHERE job_id = job
$$;

-- The bucket is made; three jobs
SELECT server('rgw', 's3://batchinf-jobs/a-b_c.d/2',
  ', max_requests ''20'', storage_create ''on''');
INSERT INTO tickets SELECT i, 'body ' || i FROM generate_series(1, 50) i;
SELECT submit('rgw') AS job \gset
CALL batch_work('60 s');
SELECT is(counts(:job), 'completed 50 of 50 written 50',
  'jobs whose inputs and results lie at radosgw');
SELECT is(count(*), 3::bigint, '… in three chunks') FROM batch_chunks WHERE job_id = :job;
SELECT is(count(*), 50::bigint, 'each row has its own answer') FROM tickets
  WHERE label LIKE '%body ' || id;
SELECT is(count(*), 3::bigint, 'what they left there is deleted') FROM batch_events
  WHERE job_id = :job AND event = 'cleaned';
SELECT is(sim.ledger() ->> 'billed_requests', '50', '… and each was billed once');
SELECT is((SELECT count(*) FROM jsonb_array_elements(sim.call('GET', '/_sim/requests')) r
  WHERE r ->> 'path' NOT LIKE '/model-invocation-job%'),
  0::bigint, 'nothing went to the simulated S3');

-- Megabytes up and down
TRUNCATE tickets;
INSERT INTO tickets SELECT i, i || repeat(' x', 10000) FROM generate_series(1, 400) i;
SELECT server('rgw', 's3://batchinf-jobs/large');
SELECT submit('rgw') AS job \gset
CALL batch_work('120 s');
SELECT is(counts(:job), 'completed 400 of 400 written 400', 'eight megabytes up, and more down');
SELECT cmp_ok(bytes, '>', 8000000::bigint, '… in one object') FROM batch_chunks
  WHERE job_id = :job;

-- What the store refuses and Bedrock does not
SELECT is(status, 'ok', 'batch_check: ' || detail) FROM batch_check('rgw');
SELECT server('liar', 's3://batchinf-jobs/large', secret => 'none');
SELECT sim.config(jsonb_build_object('aws_credentials', jsonb_build_object(access_key,
  jsonb_build_object('secret', 'none')))) FROM rgw;
SELECT is(status, 'bad_key', 'batch_check: a secret that is none to the store')
  FROM batch_check('liar');
SELECT submit('liar') AS job \gset
SELECT sim.work_beside('20 s');
CALL sim.await(format('EXISTS (SELECT FROM batch_chunks WHERE job_id = %s AND waiting_for IS NOT '
  'NULL)', :job));
SELECT matches(concat_ws(' ', waiting_for, error),
  'SignatureDoesNotMatch', 'a job waits and says so') FROM batch_chunks WHERE job_id = :job;
SELECT batch_cancel(:job);
CALL sim.await(format('(SELECT state FROM batch_jobs WHERE job_id = %s) = ''cancelled''', :job));
SELECT is(cancelled, 400::bigint, '… and can be cancelled') FROM batch_jobs WHERE job_id = :job;

SELECT finish();
