-- What may be spent: max_cost, batchinf.max_job_cost and budgets.
\i lib.sql
SELECT no_plan();
CREATE ROLE budget_boss;
CREATE ROLE budget_team;
CREATE ROLE budget_ann LOGIN IN ROLE budget_team;
CREATE ROLE budget_eve LOGIN;

-- A token of input costs nothing here, and one of output a thousandth of a dollar: a record of 100
-- tokens at most is estimated at 0.025 dollars, and reserves 0.1.
SELECT batch_set_price('openai', 'gpt-5.4-mini', 'batch', kind, price)
FROM (VALUES ('input', 0), ('output', 1000)) p(kind, price);
CREATE FUNCTION rows(n int, prompt text DEFAULT 'hello') RETURNS text LANGUAGE sql AS $$
    SELECT format('SELECT i AS id, %L AS prompt FROM generate_series(1, %s) i', prompt, n)
$$;
CREATE FUNCTION submit(n int, max_cost numeric DEFAULT NULL, server text DEFAULT 's',
                       prompt text DEFAULT 'hello', model text DEFAULT NULL)
RETURNS bigint LANGUAGE sql AS $$
    SELECT batch_submit(rows(n, prompt), server => server, max_cost => max_cost, model => model,
                        params => '{"max_completion_tokens": 100}', max_attempts => 1)
$$;
-- What a submit says: its error with detail and hint, or "ok".
CREATE FUNCTION said(n int, max_cost numeric DEFAULT NULL, server text DEFAULT 's',
                     model text DEFAULT NULL)
RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    detail text;
    hint text;
BEGIN
    PERFORM submit(n, max_cost, server, model => model);
    RAISE EXCEPTION 'it was taken' USING errcode = 'XX000', detail = 'ok', hint = '';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
    RETURN CASE detail WHEN 'ok' THEN 'ok'
        ELSE concat_ws(' | ', sqlstate, sqlerrm, NULLIF(detail, ''), NULLIF(hint, '')) END;
END $$;
-- The limits that batch_estimate names for the same.
CREATE FUNCTION named(n int, max_cost numeric DEFAULT NULL, model text DEFAULT NULL) RETURNS text
LANGUAGE sql AS $$
    SELECT array_to_string(limits, ' | ')
    FROM batch_estimate(rows(n), server => 's', max_cost => max_cost, model => model,
                        params => '{"max_completion_tokens": 100}')
$$;
CREATE FUNCTION budget(id bigint) RETURNS text LANGUAGE sql AS $$
    SELECT format('%s %s %s %s: %s of %s, %s reserved, %s left', COALESCE(role::text, 'all'),
                  COALESCE(server::text, 'all'), period, on_exceed, trim_scale(spent),
                  trim_scale(amount), trim_scale(reserved), trim_scale(remaining))
    FROM batch_budgets WHERE budget_id = id
$$;
CREATE FUNCTION counts(job bigint) RETURNS text LANGUAGE sql AS $$
    SELECT format('%s pending %s succeeded %s errored %s', state, pending, succeeded, errored)
    FROM batch_jobs WHERE job_id = job
$$;
CREATE FUNCTION waits(job bigint) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(DISTINCT wait_kind, ',') FROM batchinf.chunk
    WHERE job_id = job AND next_step_at IS NOT NULL
$$;

-- arguments
SELECT throws_ok(format('SELECT batch_set_budget(%s)', args), code, message, args)
FROM (VALUES
    ('NULL, $$day$$', '22004', 'argument "amount" must not be null'),
    ('-1, $$day$$', '22023', 'argument "amount" must be a number that is not negative'),
    ('$$NaN$$, $$day$$', '22023', 'argument "amount" must be a number that is not negative'),
    ('$$Infinity$$, $$day$$', '22023', 'argument "amount" must be a number that is not negative'),
    ('1, NULL', '22004', 'argument "period" must not be null'),
    ('1, $$days$$', '22023', 'invalid value for argument "period": "days"'),
    ('1, $$day$$, on_exceed => $$stop$$', '22023',
     'invalid value for argument "on_exceed": "stop"'),
    ('1, $$day$$, on_exceed => NULL', '22004', 'argument "on_exceed" must not be null'),
    ('1, $$day$$, role => 4000000000::oid::regrole', '42704',
     'invalid role OID: 4000000000'),
    ('1, $$day$$, server => $$nowhere$$', '42704', 'server "nowhere" does not exist')
    ) v(args, code, message);
SELECT throws_ok('SELECT batch_drop_budget(77)', '42704', 'budget 77 does not exist',
    'a budget that is not there');
SELECT throws_ok(format('SELECT submit(1, %L)', v), '22023',
    'argument "max_cost" must be an amount that is not negative', 'max_cost ' || v)
FROM unnest('{-1,NaN,Infinity,-Infinity}'::text[]) v;

-- who may set one
SELECT sim.server('s');
GRANT USAGE ON FOREIGN SERVER s TO budget_boss, budget_team, budget_eve;
SET ROLE budget_eve;
SELECT throws_ok('SELECT batch_set_budget(1, $$day$$)', '42501', 'permission denied to set budgets',
    'an ordinary role sets none');
SELECT throws_ok('SELECT batch_drop_budget(1)', '42501', 'permission denied to set budgets',
    '… and drops none');
RESET ROLE;

-- one for each role, server and period; who sees it
SELECT batch_set_budget(5, 'month', 'budget_team') AS team \gset
SELECT batch_set_budget(50, 'day', server => 's', on_exceed => 'wait') AS day \gset
SELECT is(batch_set_budget(7, 'month', 'budget_team', on_exceed => 'warn'), :team::bigint,
    'it replaces the one for the same');
SELECT isnt(batch_set_budget(9, 'week', 'budget_team'), :team::bigint, '… and no other');
SELECT is(budget(:team), 'budget_team all month warn: 0 of 7, 0 reserved, 7 left', 'one budget');
SELECT is(budget(:day), 'all s day wait: 0 of 50, 0 reserved, 50 left', 'another one');
SELECT is((SELECT count(*) FROM batch_budgets), 3::bigint, 'a superuser sees all');
SELECT is(sim.psql('SET SESSION AUTHORIZATION ' || who,
                   'SELECT count(*), count(role) FROM batch_budgets'), sees,
          who || ' sees ' || sees)
FROM (VALUES ('budget_ann', '3|2'), ('budget_team', '3|2'), ('budget_eve', '1|0')) v(who, sees);
GRANT pg_monitor TO budget_boss;
SELECT is(sim.psql('SET SESSION AUTHORIZATION budget_boss', 'SELECT count(*) FROM batch_budgets'),
    '3', 'pg_monitor sees all');
REVOKE USAGE ON FOREIGN SERVER s FROM budget_eve;
SELECT is(sim.psql('SET SESSION AUTHORIZATION budget_eve', 'SELECT count(*) FROM batch_budgets'),
    '0', 'a budget of a server is for those who may use it');
GRANT USAGE ON FOREIGN SERVER s TO budget_eve;

-- periods, in UTC, whatever the clocks of a time zone do
SET TimeZone = 'Europe/Berlin';
SELECT is(batchinf.period_start(period, at) || ' ' || batchinf.period_end(period, at), wanted,
    period || ' at ' || at)
FROM (VALUES
    ('day', '2026-03-29 01:30:00 UTC'::timestamptz,
     '2026-03-29 01:00:00+01 2026-03-30 02:00:00+02'),
    ('day', '2026-03-28 23:59:59.999999 UTC', '2026-03-28 01:00:00+01 2026-03-29 01:00:00+01'),
    ('day', '2026-10-25 00:30:00 UTC', '2026-10-25 02:00:00+02 2026-10-26 01:00:00+01'),
    ('week', '2026-03-29 12:00:00 UTC', '2026-03-23 01:00:00+01 2026-03-30 02:00:00+02'),
    ('week', '2026-03-30 00:00:00 UTC', '2026-03-30 02:00:00+02 2026-04-06 02:00:00+02'),
    ('month', '2026-02-28 23:30:00 UTC', '2026-02-01 01:00:00+01 2026-03-01 01:00:00+01'),
    ('month', '2026-12-31 23:59:59 UTC', '2026-12-01 01:00:00+01 2027-01-01 01:00:00+01')
    ) v(period, at, wanted);
SELECT is(batchinf.period_start('total', now()), NULL, 'a total has no beginning');
RESET TimeZone;

-- at submit: max_cost
SELECT is(batch_drop_budget(budget_id)::text, '', 'it can be dropped') FROM batch_budgets;
SELECT is(said(4, 0.5), 'ok', 'a job within its max_cost');
SELECT is(said(4, 0.39),
    '53400 | batch job may cost more than max_cost leaves | The job is estimated at 0.1 US '
    'dollars, and its first batch may cost 0.4. Of the limit of 0.39, 0 are spent and 0 are '
    'reserved for batches under way. | Raise max_cost, or limit the length of answers in params.',
    'one whose first batch may pass it');
SELECT matches(said(1, 0), '^53400 ', 'nothing is free of charge');
SELECT is(named(4, 0.5), '', 'batch_estimate names no limit that is not met');
SELECT is(named(4, 0.39),
    'of max_cost, 0.39 US dollars, 0 are spent and 0 reserved; it needs 0.4: batch_submit refuses '
    'it', '… and max_cost where it is');
SELECT is(named(1, 10, 'no-such-model'),
    'of max_cost, 10 US dollars, 0 are spent and 0 reserved; its model has no price: batch_submit '
    'refuses it', '… or cannot be kept');
SELECT is(said(1, 10, model => 'no-such-model'),
    '55000 | cost of the batch job cannot be kept within max_cost | Model "no-such-model" has no '
    'price at server "s". | batch_set_price() gives it one.', 'without a price there is no limit');
SELECT is(said(1, model => 'no-such-model'), 'ok', '… and without a limit it needs none');
SELECT submit(4) AS job \gset
SELECT is((SELECT estimated_cost FROM batch_jobs WHERE job_id = :job), 0.1,
    'a job has its estimated cost');
SELECT is((SELECT max_cost FROM batch_jobs WHERE job_id = :job), NULL, '… and no max_cost');
SELECT batch_cancel(:job);
SELECT submit(4, 2.50) AS job \gset
SELECT is((SELECT max_cost FROM batch_jobs WHERE job_id = :job), 2.50, 'or the one that it names');
SELECT batch_cancel(:job);

-- the setting
SELECT throws_ok('SET batchinf.max_job_cost = ' || quote_literal(v), '22023', NULL, 'setting ' || v)
FROM unnest('{1e3,-1,1.,.5,1 USD,NaN,0x10,1111111111111111111111111111111}'::text[]) v;
SELECT throws_like(
    $$SET ROLE budget_eve; SET batchinf.max_job_cost = '1'$$, 'permission denied to set parameter%',
    'an ordinary role does not set it');
RESET ROLE;
SET batchinf.max_job_cost = '0.3';
SELECT is(said(4),
    '53400 | batch job may cost more than max_cost leaves | The job is estimated at 0.1 US '
    'dollars, and its first batch may cost 0.4. Of the limit of 0.3, 0 are spent and 0 are '
    'reserved for batches under way. | Setting batchinf.max_job_cost limits jobs that name no '
    'max_cost; name one to raise it on purpose.', 'the setting limits jobs that name no max_cost');
SELECT is(said(3), 'ok', '… and lets smaller ones through');
SELECT is(said(4, 1), 'ok', 'max_cost raises it on purpose');
SELECT matches(said(1, model => 'no-such-model'), '^55000 ', 'it needs prices');
RESET batchinf.max_job_cost;

-- at submit: budgets
SELECT batch_set_budget(0.5, 'day', server => 's') AS b \gset
SELECT is(said(5), 'ok', 'within the budget');
SELECT matches(said(6),
    '^53400 \| batch job may cost more than budget ' || :b || ' \(server s, a day\) leaves \| The '
    'job is estimated at 0.15 US dollars, and its first batch may cost 0.6. Of the limit of 0.5, 0 '
    'are spent and 0 are reserved for batches under way. \| batch_set_budget\(\) gives more.$',
    'above it: the next period has no more');
SELECT matches(said(1, model => 'no-such-model'), '^55000 .* within budget ' || :b,
    'a budget needs prices');
SELECT is(named(5) || named(6),
    format('of budget %s (server s, a day), 0.5 US dollars, 0 are spent and 0 reserved; it needs '
        '0.6: batch_submit refuses it', :b), 'batch_estimate names a budget that is too small');
SELECT is(said(6, 100), said(6), 'max_cost raises no budget');
CREATE FUNCTION preview(n int, max_cost numeric DEFAULT NULL) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    RETURN (SELECT string_agg(DISTINCT outcome, ' ') FROM batch_preview(rows(n), server => 's',
        max_cost => max_cost, params => '{"max_completion_tokens": 100}', sample => 10));
EXCEPTION WHEN configuration_limit_exceeded THEN
    RETURN sqlerrm;
END $$;
SELECT is(preview(5), 'succeeded', 'a preview within the budget');
SELECT matches(preview(6), '^batch job may cost more than budget ', '… and above it: not sent');
SELECT is(preview(1, 0.01), 'batch job may cost more than max_cost leaves', '… above max_cost');
SELECT is((sim.ledger() ->> 'realtime_requests')::int, 5, '… which nobody was asked for');
SELECT batch_set_budget(0.5, 'day', server => 's', on_exceed => 'warn') AS b \gset
SELECT is(said(6), 'ok', 'a budget that warns takes it');
SELECT matches(named(6), 'it needs 0.6: batch_submit warns$', '… which batch_estimate tells');
SELECT is(said(1, model => 'no-such-model'), 'ok', '… without a price too');
SELECT matches(sim.psql('SELECT submit(6)'), 'WARNING:  batch job may cost more than budget ',
    '… with a warning');
SELECT matches(sim.psql('SELECT submit(1, model => ''no-such-model'')'),
    'WARNING:  cost of the batch job is not counted by budget ', '… that says what is not counted');
SELECT batch_set_budget(0.5, 'day', server => 's', on_exceed => 'wait') AS b \gset
SELECT matches(sim.psql('SELECT submit(6)'),
    'NOTICE:  batches of the job wait when budget .* is used up.*HINT:  batch_set_budget\(\) gives',
    'one that waits takes it, and says that its batch is too dear for any period');
SELECT matches(named(6), 'it needs 0.6: its batches wait$', '… which batch_estimate tells');
SELECT matches(said(1, model => 'no-such-model'), '^55000 ', '… but not without a price');
SELECT batch_cancel(job_id) FROM batch_jobs WHERE finished_at IS NULL;
SELECT batch_drop_budget(:b);
CALL batch_work('60 s');

-- whose jobs: the role's and its members', by the owner of the job
CREATE USER MAPPING FOR budget_team SERVER s OPTIONS (api_key 'sk-sim');
CREATE USER MAPPING FOR budget_ann SERVER s OPTIONS (api_key 'sk-sim');
CREATE USER MAPPING FOR budget_eve SERVER s OPTIONS (api_key 'sk-sim');
SELECT batch_set_budget(0.1, 'month', 'budget_team') AS team \gset
SELECT matches(sim.psql('SET SESSION AUTHORIZATION ' || who, also, 'SELECT submit(2)'), wanted,
    format('%s with %s', who, also))
FROM (VALUES ('budget_team', 'SELECT', 'may cost more than budget'),
             ('budget_ann', 'SELECT', 'may cost more than budget'),
             ('budget_ann', 'SET ROLE budget_team', 'may cost more than budget'),
             ('budget_eve', 'SELECT', '\d+$'), ('postgres', 'SELECT', '\d+$'),
             ('postgres', 'SET ROLE budget_ann', 'may cost more than budget')) v(who, also, wanted);
CREATE FUNCTION submit_as_definer() RETURNS bigint LANGUAGE sql SECURITY DEFINER AS
    'SELECT submit(2)';
SELECT matches(sim.psql('SET SESSION AUTHORIZATION budget_ann', 'SELECT submit_as_definer()'),
    '\d+$', 'a job of another owner, by a function of theirs, counts as theirs');
SELECT batch_cancel(job_id) FROM batch_jobs WHERE finished_at IS NULL;
CALL batch_work('60 s');
SELECT batch_drop_budget(:team);

-- A record whose answer has so many tokens: it costs a thousandth of a dollar for each.
CREATE FUNCTION usage(tokens int) RETURNS text LANGUAGE sql AS $$
    SELECT format('[[sim:usage={"completion_tokens":%s}]]', tokens)
$$;

-- the batch that does not fit any more, of two jobs that did when they were submitted
SELECT sim.server('two');
SELECT batch_set_budget(0.5, 'day', server => 'two') AS b \gset
BEGIN;
SELECT submit(4, server => 'two', prompt => usage(40)) AS first \gset
SELECT submit(4, server => 'two', prompt => usage(40)) AS second \gset
COMMIT;
SELECT sim.config('{"batch_seconds": 3600}');
SELECT sim.work_until(format('(SELECT reserved > 0 FROM batch_jobs WHERE job_id = %s)
    AND waits(%s) = ''budget''', :first, :second));
SELECT is(budget(:b), 'all two day refuse: 0 of 0.5, 0.4 reserved, 0.1 left', 'one has reserved');
SELECT is((SELECT reserved FROM batch_jobs WHERE job_id = :first), 0.4, '… which its job shows');
SELECT matches((SELECT waiting_for FROM batch_jobs WHERE job_id = :second),
    '^budget \d+ \(server two, a day\): 0.5 US dollars, 0 spent and 0.4 reserved; this batch may '
    'cost 0.4; it goes on when batches under way have ended; since .*; next try ',
    'the other one waits for it');
SELECT matches(said(2, server => 'two'), 'Of the limit of 0.5, 0 are spent and 0.4 are reserved',
    'a submit sees what is reserved');
SELECT is((SELECT count(*) FROM batchinf.batch b JOIN batchinf.chunk c USING (chunk_id)
           WHERE c.job_id = :second), 0::bigint, '… and nothing of it was sent');
SELECT sim.config('{"batch_seconds": 0}');
CALL batch_work('60 s');
SELECT is(counts(:first), 'completed pending 0 succeeded 4 errored 0', 'the first job is done');
SELECT is(counts(:second), 'completed pending 0 succeeded 0 errored 4', 'the other is refused');
SELECT is(budget(:b), 'all two day refuse: 0.16 of 0.5, 0 reserved, 0.34 left', 'what is spent');
SELECT is((SELECT string_agg(DISTINCT error_code || ' ' || error, ',') FROM batch_records
           WHERE job_id = :second),
    format('over_budget budget %s (server two, a day): 0.5 US dollars, 0.16 spent and 0 reserved; '
           'this batch may cost 0.4', :b), 'its records say why');
SELECT is((SELECT string_agg(event, ',') FROM batch_events WHERE job_id = :second), 'not sent',
    '… and its events');
SELECT is(batch_retry(:second), 4::bigint, 'they can be sent again');
CALL batch_work('60 s');
SELECT is(counts(:second), 'completed pending 0 succeeded 0 errored 4', '… and are refused again');
SELECT is(batch_set_budget(0.6, 'day', server => 'two'), :b::bigint, 'the budget is raised');
SELECT is(batch_retry(:second), 4::bigint, '… and they are sent again');
CALL batch_work('60 s');
SELECT is(counts(:second), 'completed pending 0 succeeded 4 errored 0', '… which has brought them');
SELECT is(budget(:b), 'all two day refuse: 0.32 of 0.6, 0 reserved, 0.28 left', 'both are paid');
SELECT is((SELECT sum(cost) FROM batchinf.result WHERE job_id IN (:first, :second)), 0.32,
    'the sum of the records is what is spent');
SELECT batch_drop_budget(:b);

-- max_cost: the next batch is not sent when it might pass it; batches under way count as much as
-- they may cost, until they have ended
SELECT sim.server('four', 'max_requests ''2''');
SELECT submit(8, 0.5, 'four', usage(60)) AS job \gset
CALL batch_work('60 s');
SELECT is(counts(:job), 'completed pending 0 succeeded 6 errored 2', 'a job stops at its max_cost');
SELECT is((SELECT format('%s %s %s', trim_scale(sum(r.cost)), j.reserved, j.overrun)
           FROM batch_jobs j JOIN batchinf.result r USING (job_id) WHERE j.job_id = :job
           GROUP BY j.reserved, j.overrun), '0.36 0 0', '… which was not passed');
SELECT is((SELECT string_agg(DISTINCT error_code || ' ' || error, ',') FROM batch_records
           WHERE job_id = :job AND outcome = 'errored'),
    'over_max_cost max_cost of the job: 0.5 US dollars, 0.36 spent and 0 reserved; this batch may '
    'cost 0.2', '… and what is left says why');

-- a batch that costs more than 19 of 20 do: the overrun is reported
SELECT sim.server('dear');
SELECT batch_set_budget(0.55, 'month', server => 'dear') AS b \gset
SELECT submit(2, 0.5, 'dear', usage(300)) AS job \gset
CALL batch_work('60 s');
SELECT is((SELECT format('%s of %s, %s over', state, max_cost, overrun) FROM batch_jobs
           WHERE job_id = :job), 'completed of 0.5, 0.1 over', 'a job shows how much it is over');
SELECT is((SELECT string_agg(event || ' ' || detail, '; ' ORDER BY event) FROM batch_events
           WHERE job_id = :job AND event LIKE 'over%'),
    format('over budget budget %s (server dear, a month): 0.55 US dollars, 0.6 spent; over '
           'max_cost max_cost: 0.5 US dollars, 0.6 spent', :b), '… and so do its events');
SELECT is(budget(:b), 'all dear month refuse: 0.6 of 0.55, 0 reserved, -0.05 left',
    '… and the budget');
SELECT batch_drop_budget(:b);

-- a budget that waits: for the next period, another amount, its end
SELECT sim.server('late', 'max_requests ''2''');
SELECT batch_set_budget(0.3, 'day', server => 'late', on_exceed => 'wait') AS b \gset
SELECT matches(sim.psql('SELECT submit(13, server => ''late'')'), 'HINT:  There is money again at ',
    'a job of many batches goes on in the next period');
SELECT batch_cancel(max(job_id)) FROM batch_jobs;
SELECT submit(8, server => 'late', prompt => usage(100)) AS job \gset
SELECT sim.start('work', 'CALL public.batch_work(''120 s'')');
CALL sim.await(format('waits(%s) = ''budget'' AND (SELECT succeeded = 2 AND reserved = 0
    AND waiting_for LIKE ''%%0.2 spent%%'' FROM batch_jobs WHERE job_id = %1$s)', :job));
SELECT matches((SELECT waiting_for FROM batch_jobs WHERE job_id = :job),
    '^budget \d+ \(server late, a day\): 0.3 US dollars, 0.2 spent and 0 reserved; this batch may '
    'cost 0.2; it has money again at .* 00:00:00.00, or when batch_set_budget\(\) gives more',
    'a job waits for the end of the day');
SELECT ok((SELECT bool_and(next_step_at <= least(period_end + interval '1 s',
                                                 clock_timestamp() + interval '10 min'))
           FROM batchinf.chunk, batch_budgets WHERE job_id = :job AND wait_kind = 'budget'
           AND budget_id = :b), '… and looks again then, or after ten minutes');
SELECT batch_set_budget(0.5, 'day', server => 'late', on_exceed => 'wait');
CALL sim.await(format('waits(%s) = ''budget'' AND (SELECT succeeded = 4 AND reserved = 0
    FROM batch_jobs WHERE job_id = %1$s)', :job));
SELECT is(budget(:b), 'all late day wait: 0.4 of 0.5, 0 reserved, 0.1 left', 'a raise wakes it');
BEGIN;    -- otherwise the worker may take the next chunk before the look
UPDATE batchinf.spend SET at = at - interval '1 day';
SELECT is(budget(:b), 'all late day wait: 0 of 0.5, 0 reserved, 0.5 left', 'the next day');
COMMIT;
SELECT batch_resume(:job);
CALL sim.await(format('(SELECT succeeded = 8 FROM batch_jobs WHERE job_id = %s)', :job));
SELECT is(sim.finish('work'), '', 'the next day has money for the rest');
SELECT is(budget(:b), 'all late day wait: 0.4 of 0.5, 0 reserved, 0.1 left', '… and counts it');
SELECT submit(2, server => 'late', prompt => usage(100)) AS job \gset
SELECT sim.start('work', 'CALL public.batch_work(''120 s'')');
CALL sim.await(format('waits(%s) = ''budget''', :job));
SELECT batch_drop_budget(:b);
SELECT is(sim.finish('work'), '', 'without the budget it goes on');
SELECT is(counts(:job), 'completed pending 0 succeeded 2 errored 0', '… to its end');

-- one that warns
SELECT batch_set_budget(0, 'week', server => 'late', on_exceed => 'warn') AS b \gset
SELECT submit(2, server => 'late', prompt => usage(100)) AS job \gset
CALL batch_work('60 s');
SELECT is(counts(:job), 'completed pending 0 succeeded 2 errored 0', 'a budget that warns');
SELECT is((SELECT count(*) FROM batch_events WHERE job_id = :job AND event = 'over budget'),
    2::bigint, '… before a batch is sent, and when it has ended');
SELECT batch_drop_budget(:b);

-- budgets that are set later count what was submitted before; without a price they cannot
SELECT submit(2, server => 'late', model => 'no-such-model') AS unpriced \gset
SELECT submit(2, server => 'late') AS job \gset
SELECT batch_set_budget(0.1, 'total', server => 'late') AS b \gset
CALL batch_work('60 s');
SELECT is((SELECT string_agg(DISTINCT error_code || ' ' || error, ',') FROM batch_records
           WHERE job_id = :unpriced),
    format('over_budget budget %s (server late, in total): 0.1 US dollars, and model '
           '"no-such-model" has no price', :b), 'a batch without a price is not sent');
SELECT is(counts(:job), 'completed pending 0 succeeded 0 errored 2',
    '… nor one that a total does not allow, with what was spent before');
SELECT batch_drop_budget(:b);

-- a role's budget counts what its members spend, whoever the others are
SELECT sim.server('team');
GRANT USAGE ON FOREIGN SERVER team TO budget_team, budget_eve;
CREATE USER MAPPING FOR PUBLIC SERVER team OPTIONS (api_key 'sk-sim');
SELECT batch_set_budget(100, 'month', 'budget_team') AS team \gset
SELECT batch_set_budget(100, 'month', 'budget_ann', 'team') AS ann \gset
SET ROLE budget_ann;
SELECT submit(2, server => 'team', prompt => usage(10)) AS job \gset
SET ROLE budget_team;
SELECT submit(2, server => 'team', prompt => usage(20)) AS job \gset
SET ROLE budget_eve;
SELECT submit(2, server => 'team', prompt => usage(40)) AS job \gset
RESET ROLE;
CALL batch_work('60 s');
SELECT is(budget(:team), 'budget_team all month refuse: 0.06 of 100, 0 reserved, 99.94 left',
    'of a role and its members');
SELECT is(budget(:ann), 'budget_ann team month refuse: 0.02 of 100, 0 reserved, 99.98 left',
    'of a member at a server');
ALTER ROLE budget_ann RENAME TO budget_anna;
ALTER SERVER team RENAME TO crew;
SELECT is(budget(:ann), 'budget_anna crew month refuse: 0.02 of 100, 0 reserved, 99.98 left',
    'new names change nothing');
DROP USER MAPPING FOR budget_anna SERVER s;
DROP OWNED BY budget_anna;
DROP ROLE budget_anna;
SELECT is(state || ' ' || budget(budget_id),
    'no role budget_ann crew month refuse: 0 of 100, 0 reserved, 100 left',
    'the budget of a role that is gone can be read') FROM batch_budgets WHERE budget_id = :ann;
SELECT is(budget(:team), 'budget_team all month refuse: 0.04 of 100, 0 reserved, 99.96 left',
    '… and those of its groups count their members');
SELECT is((SELECT count(*) FROM batch_budgets WHERE budget_id = :ann AND batch_drop_budget(:ann)
           IS NOT NULL), 1::bigint, '… and it can be dropped');
SELECT batch_drop_budget(:team);

-- who creates a server or a role again has no new budget
SELECT sim.server('again');
CREATE ROLE budget_zoe;
GRANT USAGE ON FOREIGN SERVER again TO budget_zoe;
CREATE USER MAPPING FOR budget_zoe SERVER again OPTIONS (api_key 'sk-sim');
SELECT batch_set_budget(100, 'month', server => 'again') AS b \gset
SELECT batch_set_budget(100, 'month', 'budget_zoe') AS zoe \gset
SET ROLE budget_zoe;
SELECT submit(2, server => 'again', prompt => usage(10)) AS job \gset
RESET ROLE;
CALL batch_work('60 s');
DROP SERVER again CASCADE;
SELECT is(budget(:b), 'all again month refuse: 0 of 100, 0 reserved, 100 left',
    'a server that is gone');
SELECT sim.server('again');
SELECT is(budget(:b), 'all again month refuse: 0.02 of 100, 0 reserved, 99.98 left',
    '… and is created again');
DROP ROLE budget_zoe;
CREATE ROLE budget_zoe;
SELECT is(budget(:zoe), 'budget_zoe all month refuse: 0.02 of 100, 0 reserved, 99.98 left',
    'a role that is created again');
SELECT batch_drop_budget(budget_id) FROM batch_budgets WHERE budget_id IN (:b, :zoe);

-- a session that is idle after its submit, or its budget, holds up nobody
SELECT sim.server('idle');
SELECT batch_set_budget(1, 'day', server => 'idle', on_exceed => 'wait') AS b \gset
SELECT submit(2, server => 'idle', prompt => usage(50)) AS job \gset
SELECT sim.connect('idle');
SELECT dblink_exec('idle', 'BEGIN');
SELECT * FROM dblink('idle', 'SELECT submit(2, server => ''idle'')') j(job bigint) \gset idle_
SELECT * FROM dblink('idle', 'SELECT batch_set_budget(0, ''month'', server => ''idle'')')
    j(b bigint) \gset idle_
SELECT is(said(2, server => 'idle'), 'ok', 'others submit');
CALL batch_work('60 s');
SELECT is(counts(:job), 'completed pending 0 succeeded 2 errored 0', 'others'' answers are stored');
SELECT is(budget(:b), 'all idle day wait: 0.1 of 1, 0 reserved, 0.9 left', '… and counted');
SELECT dblink_exec('idle', 'ROLLBACK');
SELECT dblink_disconnect('idle');

-- very many jobs of one transaction, in two processes: none of them takes the last money twice
SELECT batch_set_budget(0.5, 'day', server => 'idle') AS b \gset
BEGIN;
SELECT count(submit(1, server => 'idle', prompt => usage(90))) FROM generate_series(1, 60);
COMMIT;
SELECT sim.start('one', 'CALL public.batch_work(''120 s'')');
SELECT sim.start('other', 'CALL public.batch_work(''120 s'')');
SELECT is(sim.finish('one') || sim.finish('other'), '', 'two processes work');
SELECT is(budget(:b), 'all idle day refuse: 0.46 of 0.5, 0 reserved, 0.04 left',
    'four of sixty jobs have had the money');
SELECT is((SELECT format('%s %s', sum(succeeded), sum(errored)) FROM batch_jobs
           WHERE server = 'idle' AND job_id > :job), '4 56', '… and the others none');
SELECT batch_drop_budget(:b);

-- waiting jobs can be cancelled, and end by their deadline
SELECT batch_set_budget(0, 'month', server => 'idle', on_exceed => 'wait') AS b \gset
SELECT submit(2, server => 'idle') AS job \gset
SELECT sim.work_until_waits(:job);
SELECT matches((SELECT waiting_for FROM batch_jobs WHERE job_id = :job),
    'it goes on when batch_set_budget\(\) gives more, and batch_cancel\(' || :job || '\) ends',
    'a batch that costs more than the whole budget is not promised the next period');
SELECT batch_cancel(:job);
CALL batch_work('60 s');
SELECT is((SELECT state || ' ' || cancelled FROM batch_jobs WHERE job_id = :job), 'cancelled 2',
    'a job that waits for money is cancelled');
SELECT batch_drop_budget(:b);

-- a pipeline that has no money: it says so, and is tried again when it is due
SELECT sim.server('pipe');
CREATE TABLE docs AS SELECT i AS id, usage(10) AS body, NULL::text AS label
FROM generate_series(1, 4) i;
ALTER TABLE docs ADD PRIMARY KEY (id);
SELECT batch_set_budget(0.3, 'month', server => 'pipe') AS b \gset
SELECT batch_create_pipeline('docs', 'SELECT id, body FROM docs', 'pipe', prompt => '{{body}}',
    target => 'docs', write_back => '{"label": "$"}', params => '{"max_completion_tokens": 100}',
    every => '1 day');
SELECT throws_like($$SELECT batch_refresh('docs')$$, 'batch job may cost more than budget % leaves',
    'a refresh is a submit');
UPDATE batchinf.pipeline SET next_refresh = now();
SELECT sim.work_until($$EXISTS (SELECT FROM batch_pipelines WHERE last_error IS NOT NULL)$$);
SELECT alike((SELECT last_error FROM batch_pipelines),
    'batch job may cost more than budget % leaves', 'a refresh by itself leaves its error');
SELECT ok((SELECT next_refresh > now() + interval '10 s' AND last_job_id IS NULL
           FROM batch_pipelines), '… and is not tried again at once');
SELECT batch_set_budget(0.4, 'month', server => 'pipe');
SELECT batch_refresh('docs') AS job \gset
SELECT batch_set_budget(0.3, 'month', server => 'pipe');
SELECT sim.work_until(format('(SELECT finished_at IS NOT NULL FROM batch_jobs WHERE job_id = %s)',
                             :job));
SELECT is(counts(:job), 'completed pending 0 succeeded 0 errored 4', 'a job that is not sent');
SELECT batch_set_budget(0.4, 'month', server => 'pipe');
SELECT batch_refresh('docs') AS job \gset
SELECT sim.work_until(format('(SELECT finished_at IS NOT NULL FROM batch_jobs WHERE job_id = %s)',
                             :job));
SELECT is(counts(:job), 'completed pending 0 succeeded 4 errored 0',
    'its rows are due, and are sent when there is money');
SELECT batch_drop_pipeline('docs');
SELECT batch_drop_budget(:b);

-- nothing is reserved when all has ended, and the ledger has what the records cost
SELECT is((SELECT count(*) FROM batchinf.chunk WHERE reserved IS NOT NULL), 0::bigint,
    'nothing stays reserved');
SELECT is((SELECT sum(cost) FROM batchinf.spend), (SELECT sum(cost) FROM batchinf.result),
    'what is spent is what the answers cost');
SELECT * FROM finish();
