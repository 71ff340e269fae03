#!/usr/bin/perl
# A provider does not answer, whatever it is asked. Nobody waits for us meanwhile, neither for the
# worker nor for a session (promise 8), and a server that is not to be called costs no call.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/../lib";
use Cluster;
use Provider;
use Test::More;

Cluster::as_postgres();

my $sim = Cluster::Sim->new;
my $cluster = Cluster->new(
    'main',
    "shared_preload_libraries = 'batchinf'",
    "batchinf.settle_time = '1s'",
    'log_min_messages = debug1');
sub do_sql { return $cluster->do_sql('postgres', @_) }
sub poll_sql { return $cluster->poll_sql('postgres', @_) }

# "Within a second", and what a machine with other work takes.
my $second = 1.5;

do_sql('CREATE EXTENSION batchinf', 'CREATE TABLE t (id int PRIMARY KEY, body text, label text)');

sub submit_sql {
    return
          "SELECT batch_submit('SELECT id, body FROM t', server => '$_[0]', "
        . "prompt => '{{body}}', target => 't', write_back => '{\"label\": \"\$\"}', "
        . "in_flight => 'send', write_if => 'always')";
}

# What a process holds that waits for a provider; NULL: it does not wait now. A session's CALL has
# its virtualxid.
do_sql(<<'SQL');
CREATE FUNCTION held(who text) RETURNS text LANGUAGE sql AS $$
    SELECT concat_ws(', ', 'xmin ' || a.backend_xmin, 'xid ' || a.backend_xid,
        CASE WHEN a.backend_type = 'batchinf visit' THEN 'a transaction since ' || a.xact_start END,
                     (SELECT string_agg(l.locktype, ', ') FROM pg_locks l WHERE l.pid = a.pid
                         AND (l.locktype <> 'virtualxid' OR a.backend_type = 'batchinf visit')))
    FROM pg_stat_activity a WHERE who IN (a.backend_type, a.application_name)
        AND a.datname = 'postgres' AND a.wait_event_type = 'Extension'
$$
SQL

# Looks at it again and again, at least fifty times, until somebody says so: how often it waited and
# held nothing, of how many times, and what else it held. It
# looks for due chunks now and then: what was read in the midst of that is read once more.
do_sql('CREATE TABLE watching (over bool)', <<'SQL');
CREATE PROCEDURE watch(who text, INOUT seen text DEFAULT '') LANGUAGE plpgsql AS $$
DECLARE
    samples int := 0;
    free int := 0;
    found text;
BEGIN
    WHILE samples < 50 OR NOT EXISTS (SELECT FROM watching WHERE over) LOOP
        samples := samples + 1;
        found := held(who);
        IF found <> '' THEN
            COMMIT;
            PERFORM pg_sleep(0.002);
            COMMIT;
            found := held(who);
        END IF;
        free := free + COALESCE(found = '', false)::int;
        IF found <> '' AND strpos(seen, found) = 0 THEN
            seen := concat_ws('; ', NULLIF(seen, ''), found);
        END IF;
        COMMIT;
        PERFORM pg_sleep(0.01);
        COMMIT;
    END LOOP;
    seen := format('%s of %s: %s', free, samples, seen);
END $$
SQL

# What a DBA does meanwhile; CREATE INDEX CONCURRENTLY waits for whoever holds a snapshot.
my @statements = (
    'VACUUM FULL t',
    'ALTER TABLE t ADD COLUMN more int; ALTER TABLE t DROP COLUMN more',
    'CREATE INDEX CONCURRENTLY t_label ON t (label)',
    'DROP INDEX CONCURRENTLY t_label',
    'REINDEX TABLE t',
    'BEGIN; TRUNCATE t; ROLLBACK',
    'BEGIN; LOCK TABLE batchinf.job, batchinf.chunk, batchinf.record IN ACCESS EXCLUSIVE '
        . 'MODE; ROLLBACK',
    'BEGIN; DROP EXTENSION batchinf CASCADE; ROLLBACK',
    'BEGIN; ALTER SERVER hangs OPTIONS (ADD max_batches \'5\'); ROLLBACK',
    'VACUUM FULL batchinf.chunk',
    'CHECKPOINT');

my %who = (
    visit => "backend_type = 'batchinf visit' AND datname = 'postgres'",
    session => "application_name = 'session'");

sub work_beside {
    return $cluster->beside('postgres', "SET application_name = 'session'",
        "CALL batch_work('60 s')");
}

# A job of 20 records at this provider, for whom every such request hangs while the chunk is in that
# state.
sub hang {
    my ($who, $name, $request, $state, %more) = @_;
    my $provider = $Provider::by_name{$name};
    my $is = "$who, $name, $request";
    my ($method, $path, $after) = @{$provider->{requests}{$request}};
    $sim->reset;
    $sim->config({%{$provider->{config} // {}}, $more{cancel} ? (batch_seconds => 60) : ()});
    do_sql(
        'DROP SERVER IF EXISTS hangs CASCADE',
        Provider::server_sql($provider, 'hangs', $sim->url),
        'TRUNCATE t', "INSERT INTO t SELECT i, 'row ' || i FROM generate_series(1, 20) i");
    $sim->fault(@{$provider->{requests}{create}}[0, 1], {lost_after_effect => \1}) if $more{lost};
    $sim->fault($method, $path, {hang => \1}, times => 'always', after => $after // 0);
    my $job = do_sql('SET client_min_messages = warning', submit_sql('hangs'));
    my $session = $who eq 'session' ? work_beside() : undef;

    if ($more{cancel}) {
        poll_sql("SELECT step FROM batch_chunks WHERE job_id = $job", qr/^(submitted|running)$/);
        do_sql("SELECT batch_cancel($job)");
    }
    my $wanted = $more{lost} ? 2 : 1;
    is(poll(1, 15, sub { $sim->faults_met >= $wanted ? 1 : 0 }), 1, "$is: the provider hangs");
    like(do_sql("SELECT step FROM batch_chunks WHERE job_id = $job"), qr/^($state)$/, "... $state");
    meanwhile($who);
    end_of($who, $session);
    $sim->clear;
    $sim->config({batch_seconds => 0.2});
    $session = work_beside() if $session;
    my $end = $more{cancel} ? qr/^done|cancelled$/ : qr/^done$/;
    like(poll_sql("SELECT step FROM batch_chunks WHERE job_id = $job", $end, 60),
        $end, '... another one ends the job');
    Cluster::output($session) if $session;
    is(do_sql("SELECT state || ' ' || written FROM batch_jobs WHERE job_id = $job"),
        'completed 20', '... all is written')
        if !$more{cancel};
    is($sim->ledger->{content_billed_again}, 0, '... nothing is billed again');
}

sub meanwhile {
    my ($who) = @_;
    do_sql('TRUNCATE watching');
    my $watch = $cluster->beside('postgres',
        'CALL watch(\'' . ($who eq 'visit' ? 'batchinf visit' : 'session') . '\')');
    for my $statement (@statements) {
        my ($said, $seconds) = timed(
            sub {
                $cluster->sql('postgres', 'SET client_min_messages = error', split /; /,
                    $statement);
            });
        is($said, '', "... $statement");
        cmp_ok($seconds, '<', $second, '... within a second');
    }
    do_sql('INSERT INTO watching VALUES (true)');
    my $seen = Cluster::output($watch);
    like(
        $seen,
        qr/^\d+ of \d+: $/,
        '... it holds no transaction, snapshot or lock, as often as one looks');
    my ($free, $samples) = $seen =~ /(\d+) of (\d+)/;
    cmp_ok($free, '>', 20, '... while it waits');
    cmp_ok($free, '>', $samples / 2, '... most of the time');
}

sub end_of {
    my ($who, $session) = @_;
    my ($said, $seconds) = timed(
        sub {
            do_sql("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE $who{$who}");
        });
    is($said, 't', '... pg_terminate_backend');
    cmp_ok($seconds, '<', $second, '... within a second');
    Cluster::output($session) if $session;
}

hang('visit', @$_)
    for ['openai', 'upload', 'uploading'], ['openai', 'create', 'creating'],
    ['openai', 'find', 'creating|ambiguous', lost => 1], ['openai', 'poll', 'submitted|running'],
    ['openai', 'cancel', 'submitted|running|cancelling', cancel => 1],
    ['openai', 'fetch', 'fetching'], ['openai', 'discard', 'cleaning'],
    ['azure_openai', 'login', 'uploading'], ['gemini', 'bytes', 'uploading'],
    ['gemini', 'discard', 'cleaning'],
    ['anthropic', 'cancel', 'submitted|running|cancelling', cancel => 1],
    ['vertex', 'login', 'uploading'], ['vertex', 'outputs', 'fetching'],
    ['bedrock', 'find', 'creating|ambiguous', lost => 1], ['bedrock', 'manifest', 'fetching'];
do_sql('ALTER SYSTEM SET batchinf.enabled = off', 'SELECT pg_reload_conf()');
is(poll_sql("SELECT count(*) FROM pg_stat_activity WHERE $who{visit}", 0), 0, 'no visit any more');
hang('session', @$_)
    for ['openai', 'upload', 'uploading'], ['openai', 'find', 'creating|ambiguous', lost => 1],
    ['gemini', 'bytes', 'uploading'], ['vertex', 'outputs', 'fetching'];
do_sql('ALTER SYSTEM RESET batchinf.enabled', 'SELECT pg_reload_conf()');

# A preview waits in its caller's own statement: what ends the session ends it at once.
sub preview_hangs {
    my ($db, $end, $wanted) = @_;
    $sim->reset;
    $cluster->do_sql($db, 'SET client_min_messages = error', $sim->server_sql('preview'));
    $sim->fault('POST', '/chat/completions$', {hang => \1}, times => 'always');
    my $session = $cluster->beside(
        $db,
        "SET application_name = 'preview'",
        "SELECT outcome FROM batch_preview('SELECT 1 AS id', 'preview', '{{id}}')");
    is(poll(1, 15, sub { $sim->faults_met >= 1 ? 1 : 0 }), 1, "preview, $end: the provider hangs");
    my ($said, $seconds) = timed(sub { do_sql($end); return Cluster::output($session) });
    like($said, $wanted, '... the session ends');
    cmp_ok($seconds, '<', $second, '... within a second');
    $sim->clear;
}
my $previews = "FROM pg_stat_activity WHERE application_name = 'preview'";
preview_hangs('postgres', "SELECT pg_cancel_backend(pid) $previews", qr/canceling statement/);
do_sql('DROP SERVER preview CASCADE');
preview_hangs('postgres', "SELECT pg_terminate_backend(pid, 5000) $previews", qr/terminating/);
do_sql('CREATE DATABASE gone');
$cluster->do_sql('gone', 'CREATE EXTENSION batchinf');
preview_hangs('gone', 'DROP DATABASE gone WITH (FORCE)', qr/terminating/);

# A server that asks to be left alone for an hour
$sim->reset;
do_sql($sim->server_sql('openai'));
$sim->fault('', '/', {status => 503, headers => {'retry-after' => '3600'}}, times => 'always');
my $paused = do_sql(submit_sql('openai'));
is( poll_sql(
        "SELECT paused_until > now() + interval '50 min' FROM batch_servers "
            . "WHERE server = 'openai'",
        't'),
    't',
    'a server asks for a pause');
is(poll_sql("SELECT count(*) FROM pg_stat_activity WHERE $who{visit}", 0),
    0, '... the visit leaves');
sub starts { return $cluster->log_count('starting background worker process "batchinf visit"') }
my $starts = starts();
do_sql(submit_sql('openai'));
is(poll(1, 10, sub { starts() - $starts }), 1, '... a further job wakes one');
is(poll_sql("SELECT count(*) FROM pg_stat_activity WHERE $who{visit}", 0),
    0, '... which leaves too');
my $requests = @{$sim->call('GET', 'requests')};
sleep 4;
is(starts() - $starts, 1, 'while it rests no process is started for it');
is(scalar @{$sim->call('GET', 'requests')}, $requests, '... and nothing is asked of it');

# and stops nobody else
$sim->clear;
do_sql($sim->server_sql('other'));
my $job = do_sql(submit_sql('other'));
is(poll_sql("SELECT state FROM batch_jobs WHERE job_id = $job", 'completed', 30),
    'completed', '... while another server works');
is(do_sql("SELECT state FROM batch_jobs WHERE job_id = $paused"),
    'queued', '... the paused one waits');
done_testing();
