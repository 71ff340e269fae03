package Modes;

# What a task of Fleet.pm is where its answers add rows: to tables of their own, by insert, upsert
# or replace.
#
# While it runs, a reader looks at the rows that are replaced: those of a value are all old or all
# new. Afterwards each answer's rows are there once, and the counts of the job agree with them.
#
# Of some answers with items one is refused, and some have none. Of two records that an upsert puts
# into one row the row has the one that was written last.
use strict;
use warnings;

# How a job writes. query: of tickets, columns beside id; arguments: of batch_submit.
my $items = q{"id": {"column": "id"}, "n": {"ordinal": true}, "label": "$"};
my %mode = (
    insert => {
        query => 'body',
        arguments => q{target => 'added', write_mode => 'insert',
            write_back => '{"id": {"column": "id"}, "label": "$"}'}},
    insert_each => {
        query => 'with_items(id, body) AS body',
        arguments => qq{target => 'item', write_mode => 'insert', each => '\$[*]',
            write_back => '{$items}'}},
    upsert => {
        query => 'body, (id + 1) / 2 AS pair',
        arguments => q{target => 'latest', write_mode => 'upsert', write_if => 'always',
            write_back => '{"pair": {"column": "pair"}, "label": "$"}'}},
    replace => {
        query => 'body, doc_of(id) AS doc',
        arguments => q{target => 'part', write_mode => 'replace', replace_by => 'doc',
            write_back => '{"doc": {"column": "doc"}, "n": {"column": "id"}, "label": "$"}'}},
    replace_each => {
        query => 'with_items(id, body) AS body, id AS doc',
        arguments => q{target => 'part', write_mode => 'replace', each => '$[*]',
            write_back => '{"doc": {"column": "doc"}, "n": {"ordinal": true}, "label": "$"}'}},);

our @all = sort keys %mode;

# What somebody may do meanwhile.
our @meddling = qw(delete lock retry rewrite);

# For the template of the databases, behind Refreshes.pm's. While the gate is shut a write fails as
# if somebody had locked the row.
our $sql = <<'SQL';
CREATE TABLE added (id int, label text);
CREATE TABLE item (id int, n int, label text CHECK (label <> 'refused'));
CREATE TABLE latest (pair int PRIMARY KEY, label text);
CREATE TABLE part (doc int, n int, label text CHECK (label <> 'refused'), PRIMARY KEY (doc, n));
CREATE TABLE upserted (n bigserial, pair int, label text);
CREATE TABLE doc (doc int PRIMARY KEY, old int, new int);    /* how many rows it has */
CREATE TABLE torn (what text);

/* The first records are of small values, all others of one. */
CREATE FUNCTION doc_of(id int) RETURNS int LANGUAGE sql IMMUTABLE
    RETURN CASE WHEN id > 20 THEN 0 ELSE id % 4 + 1 END;

CREATE FUNCTION is_refused(id int) RETURNS bool LANGUAGE sql IMMUTABLE RETURN id % 7 = 0;

CREATE FUNCTION items_of(id int) RETURNS int LANGUAGE sql IMMUTABLE
    RETURN CASE WHEN id % 11 = 0 THEN 0 ELSE 3 END;

/* Asks for these items. */
CREATE FUNCTION with_items(id int, body text) RETURNS text LANGUAGE sql IMMUTABLE
    RETURN body || '[[sim:json=' || CASE WHEN items_of(id) = 0 THEN '%5B%5D' ELSE format(
        '%%5B"one, %1$s","%2$s","three, %1$s"%%5D', tail(body),
        CASE WHEN is_refused(id) THEN 'refused' ELSE 'two, ' || tail(body) END) END || ']]';

CREATE FUNCTION meet_gate() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF EXISTS (SELECT FROM public.gate WHERE NOT open) THEN
        RAISE EXCEPTION USING ERRCODE = 'lock_not_available';
    END IF;
    RETURN COALESCE(NEW, OLD);
END $$;
CREATE TRIGGER meet_gate BEFORE INSERT ON added FOR EACH ROW EXECUTE FUNCTION meet_gate();
CREATE TRIGGER meet_gate BEFORE INSERT ON item FOR EACH ROW EXECUTE FUNCTION meet_gate();
CREATE TRIGGER meet_gate BEFORE INSERT OR UPDATE ON latest FOR EACH ROW
    EXECUTE FUNCTION meet_gate();
CREATE TRIGGER meet_gate BEFORE INSERT ON part FOR EACH ROW EXECUTE FUNCTION meet_gate();

CREATE FUNCTION note_upsert() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO public.upserted (pair, label) VALUES (NEW.pair, NEW.label);
    RETURN NULL;
END $$;
CREATE TRIGGER note_upsert AFTER INSERT OR UPDATE ON latest FOR EACH ROW
    EXECUTE FUNCTION note_upsert();

/* Every second pair has a row already, and of four values three. */
CREATE PROCEDURE begin_mode(mode text) LANGUAGE plpgsql AS $$ BEGIN
    UPDATE gate SET open = true;
    TRUNCATE added, item, latest, part, doc, torn;
    INSERT INTO latest SELECT pair, 'old' FROM (SELECT DISTINCT (id + 1) / 2 AS pair FROM tickets) p
        WHERE pair % 2 = 0;
    TRUNCATE upserted;
    INSERT INTO doc SELECT doc, CASE WHEN doc % 4 = 3 THEN 0 ELSE 4 END, sum(new)
        FROM (SELECT CASE mode WHEN 'replace' THEN doc_of(id) ELSE id END AS doc,
            CASE mode WHEN 'replace' THEN 1 ELSE items_of(id) END AS new FROM tickets) t
        GROUP BY doc;
    INSERT INTO part SELECT doc, -n, 'old' FROM doc, generate_series(1, old) n;
END $$;

/* Values whose rows are neither all old nor all new. */
CREATE FUNCTION see_values() RETURNS void LANGUAGE sql AS $$
    INSERT INTO torn SELECT format('value %s has %s of %s old rows and %s of %s new ones', d.doc,
            was, d.old, now, d.new)
        FROM doc d, LATERAL (SELECT count(*) FILTER (WHERE label = 'old') AS was,
            count(*) FILTER (WHERE label <> 'old') AS now FROM part p WHERE p.doc = d.doc) p
        WHERE (was, now) NOT IN ((old, 0), (0, new))
$$;

/* Locks rows of the targets one after another, in the order in which no write takes them. */
CREATE PROCEDURE lock_rows() LANGUAGE plpgsql AS $$
DECLARE
    row record;
BEGIN
    FOR row IN SELECT pair AS n FROM latest ORDER BY pair DESC LIMIT 20 LOOP
        PERFORM FROM latest WHERE pair = row.n FOR UPDATE;
        PERFORM pg_sleep(0.002);
    END LOOP;
    FOR row IN SELECT doc AS n FROM doc ORDER BY md5(doc::text) LIMIT 20 LOOP
        PERFORM FROM part WHERE doc = row.n FOR UPDATE;
        PERFORM pg_sleep(0.002);
    END LOOP;
END $$;

/* Deletes the job, and takes it back. */
CREATE PROCEDURE delete_in_vain(job bigint) LANGUAGE plpgsql AS $$ BEGIN
    PERFORM batch_delete(job);
    RAISE EXCEPTION USING ERRCODE = 'object_in_use';
END $$;

/* What somebody does again and again while the job is open, a hundred times at most. */
CREATE PROCEDURE meddle(job bigint, kind text) LANGUAGE plpgsql AS $$ BEGIN
    FOR i IN 1 .. 100 LOOP
        EXIT WHEN EXISTS (SELECT FROM batch_jobs WHERE job_id = job
            AND state IN ('completed', 'cancelled', 'failed')) AND kind <> 'delete';
        BEGIN
            CASE kind
            WHEN 'lock' THEN CALL lock_rows();
            WHEN 'rewrite' THEN PERFORM batch_rewrite(job);
            WHEN 'retry' THEN PERFORM batch_retry(job);
            WHEN 'delete' THEN CALL delete_in_vain(job);
            END CASE;
        EXCEPTION WHEN deadlock_detected OR object_in_use
            OR object_not_in_prerequisite_state THEN
            NULL;
        END;
        COMMIT;
        PERFORM pg_sleep(0.05);
        COMMIT;
    END LOOP;
END $$;

/* What a job has come to, with the rows of each record: those that there are, and those that there
 * must be; is_new: all of its value have succeeded. */
CREATE FUNCTION records_of(job bigint, mode text) RETURNS TABLE (id int, write_state text,
    outcome text, rows bigint, wanted bigint, wanted_state text) LANGUAGE sql AS $$
    WITH t AS (SELECT t.id, tail(t.body) AS tail, r.outcome, r.write_state, r.items,
            r.items_failed, bool_and(r.outcome = 'succeeded') OVER (PARTITION BY CASE mode
                WHEN 'replace' THEN doc_of(t.id) ELSE t.id END) AS is_whole
        FROM tickets t JOIN batch_records r ON r.job_id = job AND r.record_id = t.id::text)
    SELECT id, write_state, outcome, CASE mode
            WHEN 'insert' THEN (SELECT count(*) FROM added a WHERE a.id = t.id
                AND a.label LIKE '%' || t.tail)
            WHEN 'insert_each' THEN (SELECT count(DISTINCT n) FILTER (WHERE label LIKE '%, ' ||
                t.tail) + 100 * (count(*) - count(DISTINCT n)) FROM item i WHERE i.id = t.id)
            WHEN 'upsert' THEN (SELECT count(*) FROM upserted u WHERE u.pair = (t.id + 1) / 2
                AND u.label LIKE '%' || t.tail)
            WHEN 'replace' THEN (SELECT count(*) FROM part p WHERE p.doc = doc_of(t.id)
                AND p.n = t.id AND p.label LIKE '%' || t.tail)
            ELSE (SELECT count(*) FROM part p WHERE p.doc = t.id AND p.label LIKE '%, ' || t.tail)
        END,
        CASE WHEN outcome <> 'succeeded' OR write_state NOT IN ('written', 'partly') THEN 0
            WHEN mode LIKE '%each' THEN items - COALESCE(items_failed, 0) ELSE 1 END,
        CASE WHEN outcome <> 'succeeded' THEN NULL
            WHEN mode = 'upsert' AND write_state = 'write_failed' THEN write_state
            WHEN mode LIKE 'replace%' AND NOT is_whole THEN 'incomplete'
            WHEN mode = 'insert_each' AND is_refused(id) AND items_of(id) > 0 THEN 'partly'
            WHEN mode = 'replace_each' AND is_refused(id) AND items_of(id) > 0 THEN 'write_failed'
            ELSE 'written' END
    FROM t
$$;

/* Written, partly, incomplete, write_failed, others, and what waits: as counted, and as there. */
CREATE FUNCTION counts_of(job bigint) RETURNS text LANGUAGE sql AS $$
    SELECT CASE WHEN counted <> there THEN counted || ' are counted, and there are ' || there END
    FROM (SELECT concat_ws(' ', written, partly, incomplete, write_failed, stale, target_missing,
            write_waiting) AS counted FROM batch_jobs WHERE job_id = job) c,
        (SELECT concat_ws(' ', count(*) FILTER (WHERE s = 'written'),
            count(*) FILTER (WHERE s = 'partly'), count(*) FILTER (WHERE s = 'incomplete'),
            count(*) FILTER (WHERE s = 'write_failed'), count(*) FILTER (WHERE s = 'stale'),
            count(*) FILTER (WHERE s = 'target_missing'), count(*) FILTER (WHERE s = 'waiting'))
            AS there FROM (SELECT write_state AS s FROM batch_records WHERE job_id = job) r) t
$$;

CREATE FUNCTION report_mode(job bigint, mode text) RETURNS json LANGUAGE sql AS $$
    WITH r AS MATERIALIZED (SELECT * FROM records_of(job, mode))
    SELECT json_build_object(
        'torn', (SELECT string_agg(DISTINCT what, '; ') FROM torn),
        'counts', counts_of(job),
        'wrong', (SELECT string_agg(format('record %s is %s and %s, not %s, and has %s rows of %s',
                id, outcome, COALESCE(write_state, 'without a write'), wanted_state, rows, wanted),
                '; ')
            FROM (SELECT * FROM r WHERE rows <> wanted OR wanted_state IS DISTINCT FROM write_state
                ORDER BY id LIMIT 5) r),
        'others', (SELECT count(*) FROM added) + (SELECT count(*) FROM item) + (SELECT count(*)
            FROM upserted) + (SELECT count(*) FROM part WHERE label <> 'old')
            - (SELECT sum(rows) FROM r),
        'not_last', (SELECT count(*) FROM latest l WHERE mode = 'upsert' AND l.label <> COALESCE(
            (SELECT u.label FROM upserted u WHERE u.pair = l.pair ORDER BY n DESC LIMIT 1), 'old')),
        'unlike', (SELECT count(*) FROM latest l WHERE mode = 'upsert' AND l.label <> 'old'
            AND NOT EXISTS (SELECT FROM tickets t JOIN batch_records r ON r.job_id = job
                AND r.record_id = t.id::text AND r.write_state = 'written'
                WHERE (t.id + 1) / 2 = l.pair AND l.label LIKE '%' || tail(t.body))))
$$;
SQL

# SQL that makes the tables ready for a job over tickets.
sub begin_sql { return "CALL begin_mode('$_[0]')" }

# SQL that submits it.
sub submit_sql {
    my ($mode, $server) = @_;
    return "SELECT batch_submit('SELECT id, $mode{$mode}{query} FROM tickets ORDER BY id', "
        . "server => '$server', prompt => '{{body}}', key => 'id', $mode{$mode}{arguments})";
}

# SQL of the session of who meddles.
sub meddle_sql {
    my ($kind, $job) = @_;
    return "CALL meddle($job, '$kind')";
}

# SQL that tells what has come of it.
sub report_sql {
    my ($mode, $job) = @_;
    return "SELECT report_mode($job, '$mode')";
}

# What is wrong with its rows, in words.
sub faults_of {
    my ($rows) = @_;
    return (
        map { defined $rows->{$_} ? "$_: $rows->{$_}" : () } qw(torn counts wrong),
        map { $rows->{$_} ? "$_: $rows->{$_} rows" : () } qw(others not_last unlike));
}

1;
