package Refreshes;

# What a task of Fleet.pm is where its rows are sent by the refreshes of a pipeline.
#
# Two sessions at a time edit and add rows, refresh the pipeline, let the worker refresh it, and
# submit jobs over the same rows beside it, between and during the crashes. Then they stop; all that
# is due is sent, and what must be true is looked for.
#
# Each text that is ever sent is another one: a row's text ends in "round R of ID rev N", and each
# job beside the pipeline has a prompt of its own. So the simulator's ledger tells what was paid for
# twice. Only row 1 gets texts back that it had, and may pay for them again.
use strict;
use warnings;
use JSON::PP;

# For the template of the databases. The table "wrong" takes what must never be; "turn" has a row
# for each session that is at work.
our $sql = <<'SQL';
CREATE TABLE wrong (what text);
CREATE TABLE turn (session int, over bool);
CREATE TABLE back (body text);    /* texts of row 1 */
CREATE SEQUENCE revision;
CREATE SEQUENCE new_id START 100001;

CREATE FUNCTION tail(body text) RETURNS text LANGUAGE sql IMMUTABLE
    RETURN substring(body FROM 'round [0-9].*$');

/* Only an answer to what the row has now is written (promise 11). */
CREATE FUNCTION see_answer() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF NEW.label NOT LIKE '%' || public.tail(NEW.body) THEN
        INSERT INTO public.wrong VALUES (format('row %s is "%s" and gets "%s"', NEW.id, NEW.body,
            NEW.label));
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER see_answer BEFORE UPDATE OF label ON tickets FOR EACH ROW
    EXECUTE FUNCTION see_answer();

CREATE FUNCTION see_text() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO public.back VALUES (OLD.body), (NEW.body);
    RETURN NULL;
END $$;
CREATE TRIGGER see_text AFTER UPDATE OF body ON tickets FOR EACH ROW WHEN (NEW.id = 1)
    EXECUTE FUNCTION see_text();

/* A row that still waits for its answer in two open jobs (promise 11). */
CREATE FUNCTION see_jobs() RETURNS void LANGUAGE sql AS $$
    INSERT INTO wrong SELECT format('row %s is in open jobs %s', r.record_id,
        string_agg(r.job_id::text, ' and '))
    FROM batchinf.job j JOIN batchinf.record r USING (job_id)
    LEFT JOIN batchinf.result s USING (job_id, seq, attempt)
    WHERE j.ended IS NULL AND j.target = 'tickets'::regclass
    AND (s.seq IS NULL OR s.write_state = 'waiting' AND s.write_asked IS NULL)
    GROUP BY r.record_id HAVING count(*) > 1
$$;

CREATE FUNCTION submit_beside(server text) RETURNS bigint LANGUAGE sql AS $$
    SELECT batch_submit(format('SELECT id, body FROM tickets WHERE id %% 5 = %s
            AND id > 1', trunc(random() * 5)), server => server,
        prompt => format('job %s: {{body}}', nextval('revision')), target => 'tickets',
        write_back => '{"label": "$"}')
$$;

/* One of the things that happen meanwhile, in turn; each is a transaction. */
CREATE PROCEDURE do_one(n int, server text, round text, moment float8) LANGUAGE plpgsql AS $$
BEGIN
    CASE n % 7
    WHEN 0 THEN
        UPDATE tickets SET body = regexp_replace(body, '( rev \d+)?$', ' rev ' ||
            nextval('revision'))
        WHERE id = (SELECT id FROM tickets ORDER BY random() LIMIT 1);
    WHEN 1 THEN
        PERFORM batch_refresh('p', force => true,
            max_rows => CASE WHEN random() < 0.3 THEN 1 + trunc(random() * 9)::int END);
    WHEN 2 THEN
        INSERT INTO tickets SELECT i, format('round %s of %s', round, i)
        FROM (SELECT nextval('new_id')) n(i);
    WHEN 3 THEN    /* its time has come */
        UPDATE batchinf.pipeline SET next_refresh = now() WHERE every IS NOT NULL;
        PERFORM batch_resume_pipeline('p');
    WHEN 4 THEN
        PERFORM submit_beside(server);
    WHEN 5 THEN    /* for a moment */
        UPDATE tickets SET body = body || 'x' WHERE id = 1;
        COMMIT;
        PERFORM pg_sleep(random() * moment);
        UPDATE tickets SET body = rtrim(body, 'x') WHERE id = 1;
    ELSE
        PERFORM see_jobs();
    END CASE;
END $$;

CREATE PROCEDURE refresh_some(session int, server text, round text, seconds float8)
LANGUAGE plpgsql AS $$
DECLARE
    until timestamptz := clock_timestamp() + seconds * interval '1 second';
    n int := 3 * session;
BEGIN
    WHILE clock_timestamp() < until LOOP
        CALL do_one(n, server, round, seconds / 3);
        COMMIT;
        PERFORM pg_sleep(random() * 0.2);
        n := n + 1;
    END LOOP;
    UPDATE turn SET over = true WHERE turn.session = refresh_some.session;
END $$;

CREATE FUNCTION are_open() RETURNS bool LANGUAGE sql AS $$
    SELECT EXISTS (SELECT FROM turn WHERE NOT over)
        OR EXISTS (SELECT FROM batchinf.job j WHERE j.ended IS NULL
            AND j.target = 'tickets'::regclass)
        OR EXISTS (SELECT FROM batch_chunks k JOIN batchinf.job j USING (job_id)
            WHERE j.target = 'tickets'::regclass AND step NOT IN ('done', 'cancelled', 'failed'))
$$;

/* Rows in flight, but for those of the bad owners. */
CREATE FUNCTION held() RETURNS bigint LANGUAGE sql AS $$
    SELECT count(*) FROM batchinf.in_flight f WHERE NOT EXISTS (SELECT FROM batchinf.job j
        WHERE j.job_id = f.job_id AND j.target <> 'tickets'::regclass)
$$;

/* Once the sessions have stopped, all that is due is sent, until nothing is. */
CREATE PROCEDURE await_quiet(seconds float8) LANGUAGE plpgsql AS $$
DECLARE
    until timestamptz := clock_timestamp() + seconds * interval '1 second';
BEGIN
    UPDATE gate SET open = true;
    WHILE clock_timestamp() < until LOOP
        PERFORM see_jobs();
        COMMIT;
        EXIT WHEN NOT are_open() AND batch_refresh('p', force => true) IS NULL
            AND NOT are_open();
        COMMIT;
        PERFORM pg_sleep(0.05);
        COMMIT;
    END LOOP;
    IF batch_refresh('p', force => true) IS NOT NULL THEN
        INSERT INTO wrong SELECT format('a further refresh sends %s rows', b.records)
        FROM batch_jobs b ORDER BY job_id DESC LIMIT 1;
    END IF;
    WHILE clock_timestamp() < until AND held() > 0 LOOP
        COMMIT;
        PERFORM pg_sleep(0.05);
        COMMIT;
    END LOOP;
END $$;

/* Where a session works: it goes on until the one that waits for the quiet has come to its end. */
CREATE PROCEDURE go_on_unless_quiet() LANGUAGE plpgsql AS $$ BEGIN
    IF NOT EXISTS (SELECT FROM turn) THEN
        RAISE EXCEPTION 'it is quiet';
    END IF;
    PERFORM pg_sleep(0.1);
END $$;

CREATE FUNCTION report_refreshes(job bigint) RETURNS json LANGUAGE sql AS $$
    SELECT json_build_object(
        'state', (SELECT state FROM batch_jobs WHERE job_id = job),
        'succeeded', sum(j.succeeded),
        'jobs', count(*), 'refreshes', count(j.pipeline),
        'pending', sum(j.pending),
        'unfinished', string_agg(format('%s %s', j.job_id, j.state), '; ')
            FILTER (WHERE j.state NOT IN ('completed', 'cancelled', 'failed')),
        'rows', (SELECT count(*) FROM tickets),
        'unanswered', (SELECT string_agg(format('row %s is "%s" and has "%s"', t.id,
                right(t.body, 60), t.label), '; ')
            FROM (SELECT * FROM tickets t WHERE t.label LIKE '%' || tail(t.body) IS NOT TRUE
                AND NOT EXISTS (SELECT FROM batchinf.answered a WHERE a.key = t.id::text
                    AND a.failed) ORDER BY id LIMIT 3) t),
        'held', held(),
        'back', (SELECT json_agg(DISTINCT encode(sha256(convert_to(body, 'UTF8')), 'hex'))
            FROM back),
        'wrong', (SELECT string_agg(DISTINCT what, '; ') FROM wrong),
        'last_error', (SELECT p.last_error FROM batch_pipelines p),
        'events', (SELECT string_agg(e.job_id || ': ' || event || coalesce(' (' || detail || ')',
                ''), ', ' ORDER BY event_id) FROM batch_events e
            JOIN batch_jobs b USING (job_id) WHERE b.owner = current_user))
    FROM batch_jobs j WHERE j.owner = current_user
$$;
SQL

# SQL that makes the pipeline of a berth; the rows are there.
sub create_sql {
    my ($task) = @_;
    return (
        'TRUNCATE wrong, back',
        "SELECT batch_create_pipeline('p', 'SELECT id, body FROM tickets', "
            . "'$task->{provider}', prompt => '{{body}}', target => 'tickets', "
            . "write_back => '{\"label\": \"\$\"}', every => '1 minute')");
}

# SQL of the sessions that are at work for so many seconds, one each.
sub work_sql {
    my ($task, $round, $seconds) = @_;
    return map {"CALL refresh_some($_, '$task->{provider}', '$round', $seconds)"} 1, 2;
}

our $begin_sql = 'TRUNCATE turn; INSERT INTO turn VALUES (1, false), (2, false)';

# SQL of the session that waits for the end, whose first job that is.
sub end_sql {
    my ($job) = @_;
    return ('CALL await_quiet(60)', "SELECT report_refreshes($job)", 'TRUNCATE turn');
}

# SQL of a session that works until then.
our @until_quiet = map { ("CALL batch_work('60 s')", 'CALL go_on_unless_quiet()') } 1 .. 900;

# How many texts may have been paid for again.
sub paid_again {
    my ($task) = @_;
    my $by_content = $task->{ledger}{by_content};
    return scalar grep { ($by_content->{$_} // 0) > 1 } @{$task->{facts}{back} // []};
}

# What is wrong with it, in words, beside what is left at the provider.
sub faults_of {
    my ($task) = @_;
    my $facts = $task->{facts};
    return (
        defined $facts->{unfinished} ? "unfinished: $facts->{unfinished}" : (),
        $facts->{pending} ? 'promise 3: not every record has its outcome' : (),
        defined $facts->{unanswered} ? "promise 11: $facts->{unanswered}" : (),
        $facts->{held} ? "promise 11: $facts->{held} rows are in flight for ever" : (),
        defined $facts->{wrong} ? "promise 11: $facts->{wrong}" : (),
        defined $facts->{last_error}
            && $facts->{last_error} !~ /answered rows would be sent again/
        ? "the worker's refresh: $facts->{last_error}" : (),
        map {"a session: $_"} @{$task->{said} // []});
}

1;
