-- Included by tests of batch_revert: what it says, and what batch_lineage says of a row.
CREATE FUNCTION told(job bigint) RETURNS text LANGUAGE sql AS $$
    SELECT replace(sim.psql('SET client_min_messages = notice', format('SELECT batch_revert(%s)',
        job)), 'batch job ' || job, 'the job') $$;
CREATE FUNCTION said(target regclass, key text) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(format('%s %s %s', column_name, job_id, COALESCE(current::text, 'unknown')),
        ', ' ORDER BY n)
    FROM batch_lineage(target, key) WITH ORDINALITY l(column_name, job_id, pipeline, version,
        server, model, prompt, mode, record_id, finished_at, cost, current, n) $$;
