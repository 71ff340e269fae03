-- What batch_check says of a server at Bedrock: the causes that it tells apart, which requests it
-- makes, and that it leaves nothing in the bucket. Also buckets that we create.
\i lib.sql
SELECT plan(61);
CREATE TABLE said (status text, detail text);
CREATE PROCEDURE check_it(server name) LANGUAGE plpgsql AS $$
BEGIN
    TRUNCATE said;
    INSERT INTO said SELECT * FROM batch_check(server);
END $$;
-- Expects a finding: its word, and what stands in its detail.
CREATE FUNCTION tells(word text, words text, name text) RETURNS SETOF text LANGUAGE sql AS $$
    SELECT is(status, word, name || ': ' || detail) FROM said
    UNION ALL SELECT matches(detail, words, '… with words for it') FROM said $$;
CREATE FUNCTION books() RETURNS text LANGUAGE sql AS $$
    SELECT concat_ws(' ', 'billed', l ->> 'billed_requests', 'jobs',
        jsonb_array_length(l -> 'batches'), 'left', jsonb_array_length(l -> 'files_left'))
    FROM sim.ledger() l $$;
CREATE FUNCTION sent() RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(
        regexp_replace(r ->> 'method', 'DELETE', 'DEL')
            || CASE WHEN r ->> 'path' ~ 'model-invocation' THEN ' job' ELSE ' s3' END,
        ', ' ORDER BY n)
    FROM (SELECT *, lag(r ->> 'path') OVER (ORDER BY n) AS before
          FROM jsonb_array_elements(sim.call('GET', '/_sim/requests')) WITH ORDINALITY AS t(r, n)) q
    WHERE before IS DISTINCT FROM r ->> 'path' $$;

-- all is well
SELECT sim.bedrock('bed');
CALL check_it('bed');
SELECT tells(
    'ok',
    '^key, bucket, model and role are good; of a probe, which it must refuse, '
    'Bedrock said: Line 1 of',
    'all is well');
SELECT is(books(), 'billed 0 jobs 1 left 0', 'nothing is billed, nothing left in the bucket');
SELECT is(sent(), 'GET job, GET s3, PUT s3, POST job, GET job, DEL s3', '… and these were asked');
CALL check_it('bed');
SELECT tells('ok', '^key, bucket, model and role are good', 'the next check');
SELECT is(books(), 'billed 0 jobs 1 left 0',
    'the next check makes no further job: the first one still tells');

-- the key
SELECT sim.reset(),
    sim.bedrock(
        'bed',
        mapping => $$access_key_id 'AKIDNOBODY',
                     secret_access_key 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY'$$);
CALL check_it('bed');
SELECT tells('bad_key', '403: The security token included in the request is invalid',
    'a key that nobody has');
SELECT sim.bedrock('bed',
    mapping => $$access_key_id 'AKIDEXAMPLE', secret_access_key 'wrong-wrong-wrong'$$);
CALL check_it('bed');
SELECT tells('bad_key', 'signature we calculated does not match', 'a wrong secret');
SELECT sim.bedrock('bed'),
    sim.config('{"aws_credentials": {"AKIDEXAMPLE": {"secret": '
               '"wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", '
               '"deny": ["bedrock:CreateModelInvocationJob"]}}}');
CALL check_it('bed');
SELECT tells('provider_error', 'bedrock:CreateModelInvocationJob', 'a right that the key lacks');
-- the region
SELECT sim.reset(), sim.bedrock('bed');
ALTER SERVER bed OPTIONS (SET region 'mars-1');
CALL check_it('bed');
SELECT tells(
    'provider_error',
    'scoped to a valid region.*is option "region", which is "mars-1", '
    'that of the server''s address',
    'a region that the address is not in');
ALTER SERVER bed OPTIONS (DROP base_url);
CALL check_it('bed');
SELECT tells('unreachable', 'bedrock.mars-1.amazonaws.com', 'a region that is nowhere');
-- the bucket
SELECT sim.bedrock(
    'bed',
    $$storage_url 's3://nowhere/a', storage_base_url $$
        || quote_literal(replace(sim.url(), '/v1', '')));
CALL check_it('bed');
SELECT tells(
    'provider_error',
    'bucket "nowhere" does not exist: create it in region "us-east-1", '
    'or set option "storage_create"',
    'a bucket that is missing');
SELECT sim.bedrock(
    'bed',
    $$storage_url 's3://west-batch/a', storage_base_url $$
        || quote_literal(replace(sim.url(), '/v1', '')));
CALL check_it('bed');
SELECT tells('provider_error',
    'the bucket is in region "us-west-2", and option "region" of the server is "us-east-1"',
    'a bucket in another region');
SELECT sim.bedrock(
    'bed',
    $$storage_url 's3://foreign-batch/a', storage_base_url $$
        || quote_literal(replace(sim.url(), '/v1', '')));
CALL check_it('bed');
SELECT tells(
    'provider_error',
    'not authorized to perform: s3:ListBucket.*belongs to another account, '
    'or the key lacks the right s3:ListBucket',
    'a bucket of somebody else');
SELECT sim.bedrock(
    'bed',
    $$storage_owner '999999999999', storage_url 's3://batch/a', storage_base_url $$
        || quote_literal(replace(sim.url(), '/v1', '')));
CALL check_it('bed');
SELECT tells('provider_error', 'another account than option "storage_owner" says',
    'a bucket that is not the owner''s');
SELECT sim.bedrock('bed'), sim.config('{"s3_buckets": {"batch": {"deny": ["s3:PutObject"]}}}');
CALL check_it('bed');
SELECT tells('provider_error', 's3:PutObject', 'a bucket that the key may not write to');
SELECT sim.reset(),
    sim.bedrock(
        'bed',
        $$storage_kms_key 'alias/none', storage_url 's3://batch/a', storage_base_url $$
            || quote_literal(replace(sim.url(), '/v1', '')));
CALL check_it('bed');
SELECT tells('provider_error', 'Invalid keyId ''alias/none''', 'a key for encryption that is none');
-- the role
CREATE FUNCTION role(role jsonb) RETURNS void LANGUAGE sql AS $$
    SELECT sim.reset(), sim.bedrock('bed'),
        sim.config(jsonb_build_object('aws_roles',
        jsonb_build_object('arn:aws:iam::123456789012:role/BedrockBatch', role))) $$;
SELECT role('{"pass": false}');
CALL check_it('bed');
SELECT tells(
    'provider_error',
    'not authorized to perform: iam:PassRole on resource: '
    'arn:aws:iam::123456789012:role/BedrockBatch',
    'a role that cannot be passed');
SELECT is(books(), 'billed 0 jobs 0 left 0', '… the probe is removed all the same');
SELECT role('{"trust": false}');
CALL check_it('bed');
SELECT tells('provider_error', '^the role cannot do its work: .*trust policy',
    'a role that Bedrock cannot take on');
SELECT role('{"deny": ["s3:PutObject"]}');
CALL check_it('bed');
SELECT tells('provider_error', '^the role cannot do its work: .*PutObject',
    'a role that cannot write to the bucket');
SELECT role('{"deny": ["s3:GetObject"]}');
CALL check_it('bed');
SELECT tells('provider_error', '^the role cannot do its work: .*GetObject.*bucket: batch',
    'a role that cannot read the bucket');
CALL check_it('bed');
SELECT is(books(), 'billed 0 jobs 1 left 0', 'at once again: the first probe still tells');
-- the model
SELECT sim.reset(), sim.bedrock('bed', model => 'amazon.titan-text-express-v1');
CALL check_it('bed');
SELECT tells('no_model', 'Batch inference is not supported for the model',
    'a model without batches');
SELECT sim.bedrock('bed', model => 'us.nobody.knows');
CALL check_it('bed');
SELECT tells('no_model', 'The provided model identifier is invalid', 'a model that is none');
SELECT sim.bedrock('bed', model => 'amazon.titan-embed-text-v2:0');
CALL check_it('bed');
SELECT tells('ok', '^key, bucket, model and role are good', 'a model of embeddings');
ALTER SERVER bed OPTIONS (DROP model);
CALL check_it('bed');
SELECT tells('no_model', 'the server has no option "model"', 'no model');
-- what cannot be told now
SELECT sim.reset(), sim.bedrock('bed'), sim.config('{"bedrock_max_jobs": 0}');
CALL check_it('bed');
SELECT tells('ok',
    '^key and bucket are good; model and role could not be checked.*ServiceQuotaExceededException',
    'no room for a probe');
SELECT sim.reset(), sim.bedrock('bed'), sim.config('{"batch_seconds": 600}');
SET statement_timeout = '25s';
CALL check_it('bed');
RESET statement_timeout;
SELECT tells(
    'ok',
    'whether it can read and write the bucket is decided by job [a-z0-9]{12}, '
    'which Bedrock has not judged yet: ask again',
    'a probe that takes its time');
SELECT is(sim.psql('SET statement_timeout = ''2s''', 'SELECT * FROM batch_check(''bed'')'),
    'ERROR:  canceling statement due to statement timeout',
    'asked again: it can be stopped while it waits');
SELECT is(books(), 'billed 0 jobs 1 left 1', '… and no other one is made');

-- Buckets that are made
SELECT sim.tickets(5);
CREATE FUNCTION made(server name, bucket text, region text) RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
    PERFORM sim.bedrock(
        server,
        format('storage_url ''s3://%s/a'', storage_create ''on'', storage_base_url %L', bucket,
            replace(sim.url(), '/v1', '')));
    EXECUTE format('ALTER SERVER %I OPTIONS (SET region %L)', server, region);
    RETURN batch_submit('SELECT id, body FROM tickets', server => server, prompt => '{{body}}',
        target => 'tickets', write_back => '{"label": "$"}', in_flight => 'send',
        write_if => 'always');
END $$;
SELECT sim.reset();
SELECT made('east', 'new-east', 'us-east-1') AS east, made('west', 'new-west', 'us-west-2') AS west
\gset
CALL check_it('east');
SELECT tells('ok', 'the bucket does not exist yet and will be made by the first job',
    'a bucket that is to be made');
CALL batch_work('60 s');
SELECT is(string_agg(concat_ws(' ', server, state, succeeded), ', ' ORDER BY job_id),
    'east completed 5, west completed 5', 'the buckets are made')
FROM batch_jobs;
SELECT results_eq(
    $$SELECT r ->> 'path', r ->> 'body'
      FROM jsonb_array_elements(sim.call('GET', '/_sim/requests')) r
      WHERE r ->> 'method' = 'PUT' AND r ->> 'path' ~ 'new-[a-z]*/$' ORDER BY 1$$,
    $$VALUES ('/new-east/', ''),
          ('/new-west/',
           '<CreateBucketConfiguration '
           'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><LocationConstraint>us-west-2</'
           'LocationConstraint></CreateBucketConfiguration>')$$,
    '… each in its region');
CALL check_it('west');
SELECT tells('ok', '^key, bucket, model and role are good', 'a bucket that was made');
SELECT sim.reset(),
    sim.config('{"s3_buckets": {"theirs": {"owner": "999999999999", "shared": false}}}');
SELECT made('theirs', 'gone', 'us-east-1') AS job \gset
SELECT sim.fault('{"match": {"method": "PUT", "path_regex": "^/gone/$"}, '
                 '"times": "always", "action": {"status": 409, '
                 '"error_code": "BucketAlreadyExists"}}');
SELECT sim.work_beside('10 s');
CALL sim.await(format(
    'EXISTS (SELECT FROM batch_chunks WHERE job_id = %s AND waiting_for LIKE '
    '''BucketAlreadyExists:%%'')',
    :job));
SELECT pass('a name that somebody else has: waited for, and told');
SELECT batch_cancel(:job);
SELECT is(
    (SELECT count(*) FROM sim.ledger() l, jsonb_array_elements(l -> 'batches') b
     WHERE (b ->> 'lines')::int > 0),
    0::bigint, 'no check ever bought anything');
SELECT * FROM finish();
