#!/usr/bin/perl
# Several visits of one database: they share its chunks, one goes on where another is held up, and
# none stays while another database waits for its first.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/../lib";
use Cluster;
use IO::Socket::INET;
use Test::More;
use Time::HiRes qw(sleep time);

Cluster::as_postgres();

my $sim = Cluster::Sim->new;
my $cluster = Cluster->new(
    'main',
    "shared_preload_libraries = 'batchinf'",
    "batchinf.settle_time = '1s'",
    'log_min_messages = debug1');
sub do_sql { return $cluster->do_sql(shift, 'SET client_min_messages = error', @_) }
sub poll_sql { return $cluster->poll_sql(@_) }

sub visits {
    return "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'batchinf visit' "
        . "AND datname = '$_[0]'";
}

sub set {
    my (@settings) = @_;
    do_sql('postgres', (map {"ALTER SYSTEM SET $_"} @settings), 'SELECT pg_reload_conf()');
}

# A new database with a table, and a trigger on it that counts the writes of each row, takes down
# which visit it was and when, and does that.
sub house {
    my ($name, $rows, $does) = @_;
    do_sql('postgres', "CREATE DATABASE $name");
    do_sql(
        $name,
        'CREATE EXTENSION batchinf',
        'CREATE EXTENSION dblink',
        $sim->server_sql('s', "max_requests '200'"),
        'CREATE TABLE t (id int PRIMARY KEY, label text, writes int DEFAULT 0, visit int, '
            . 'at timestamptz)',
        "INSERT INTO t SELECT generate_series(1, $rows)",
        "CREATE FUNCTION does() RETURNS trigger LANGUAGE plpgsql AS \$\$
         BEGIN
             $does; NEW.writes := NEW.writes + 1; NEW.visit := pg_backend_pid();
             NEW.at := clock_timestamp(); RETURN NEW;
         END \$\$",
        'CREATE TRIGGER does BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION does()');
}

sub submit {
    my ($database, $where) = @_;
    return do_sql(
        $database,
        "SELECT batch_submit('SELECT id FROM t WHERE $where', server => 's',
            prompt => '{{id}}', target => 't', write_back => '{\"label\": \"\$\"}')");
}
sub state_of { return "SELECT state || ' ' || written FROM batch_jobs WHERE job_id = $_[0]" }

# ---- results of a large job ----

my $burn = 'PERFORM count(*) FROM generate_series(1, 30000)';
house('large', 4000, $burn);
my $job = submit('large', 'true');
is(poll_sql('large', visits('large'), 2, 60), 2,
    'a visit that cannot keep up is joined by another');
is( poll_sql('large', state_of($job), 'completed 4000', 120),
    'completed 4000',
    '... all results are delivered');
is(do_sql('large', 'SELECT min(writes) || \' \' || max(writes) FROM t'),
    '1 1', 'promise 2: ... each row is written once');
cmp_ok(
    do_sql(
        'large',
        'SELECT 100 * min(n) / sum(n) FROM (SELECT count(*) n FROM t
             WHERE at >= (SELECT max(began) FROM (SELECT min(at) began FROM t GROUP BY visit) v)
             GROUP BY visit HAVING count(*) > 1) v HAVING count(*) = 2'),
    '>=', 20, '... each visit wrote its share of them, once both were at work');
is(poll_sql('large', visits('large'), 0, 30), 0, '... and they leave');

set("batchinf.max_visits_per_database = 1");
do_sql('large', 'UPDATE t SET label = NULL, writes = 0');
$job = submit('large', 'id <= 1600');
my $most = 0;
is( Cluster::poll(
        'completed 1600',
        120,
        sub {
            my $now = $cluster->sql('large', visits('large'));
            $most = $now if $now > $most;
            return $cluster->sql('large', state_of($job));
        }),
    'completed 1600',
    'batchinf.max_visits_per_database = 1');
is($most, 1, '... no more than one visit');
set("batchinf.max_visits_per_database = 2");

# ---- code that PostgreSQL cannot interrupt ----

# dblink_connect waits for a server that never answers.
my $silent = IO::Socket::INET->new(Listen => 5, LocalAddr => '127.0.0.1', Proto => 'tcp');
my $port = $silent->sockport;
house('stuck', 20, 'NULL');
do_sql(
    'stuck',
    'CREATE ROLE bad',
    'GRANT CREATE ON SCHEMA public TO bad',
    'GRANT USAGE ON FOREIGN SERVER s TO bad',
    q{CREATE USER MAPPING FOR bad SERVER s OPTIONS (api_key 'sk-sim')},
    'SET ROLE bad',
    'CREATE TABLE bads (id int PRIMARY KEY, label text)',
    'INSERT INTO bads SELECT generate_series(1, 4)',
    "CREATE FUNCTION connects() RETURNS trigger LANGUAGE plpgsql AS \$\$
     BEGIN
         PERFORM public.dblink_connect(
             'c', 'host=127.0.0.1 port=$port user=x password=x connect_timeout=40');
         RETURN NEW;
     END \$\$",
    'CREATE TRIGGER connects BEFORE UPDATE ON bads FOR EACH ROW EXECUTE FUNCTION connects()',
    q{SELECT batch_submit(format('SELECT id FROM bads WHERE id = %s', i), server => 's',
          prompt => '{{id}}', target => 'bads', write_back => '{"label": "$"}')
      FROM generate_series(1, 4) i});
my $held = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'batchinf visit' "
    . "AND datname = 'stuck' AND xact_start < now() - interval '4 s'";
is(poll_sql('postgres', $held, 1, 30),
    1, 'code of an owner is at work, and not cut off after its time: it cannot be interrupted');
for my $more ('id < 10', 'id >= 10') {
    my $rows = do_sql('stuck', "SELECT count(*) FROM t WHERE $more");
    my ($state, $took) = Cluster::timed(
        sub { poll_sql('stuck', state_of(submit('stuck', $more)), "completed $rows", 60) });
    is($state, "completed $rows", 'a job of another owner goes on');
    cmp_ok($took, '<', 16, sprintf '... after %.1f s', $took);
}
is(do_sql('postgres', $held), 1, '... while one visit, and no more, is held up');
close $silent;

# An owner whose code is quick until two visits run it, and then stands in both.
$silent = IO::Socket::INET->new(Listen => 5, LocalAddr => '127.0.0.1', Proto => 'tcp');
$port = $silent->sockport;
house('cunning', 10, 'NULL');
do_sql(
    'cunning',
    'CREATE ROLE sly',
    'GRANT CREATE ON SCHEMA public TO sly',
    'GRANT USAGE ON FOREIGN SERVER s TO sly',
    q{CREATE USER MAPPING FOR sly SERVER s OPTIONS (api_key 'sk-sim')},
    'SET ROLE sly',
    'CREATE TABLE sly (id int PRIMARY KEY, label text)',
    'INSERT INTO sly SELECT generate_series(1, 4000)',
    "CREATE FUNCTION lulls() RETURNS trigger LANGUAGE plpgsql AS \$\$
     BEGIN
         PERFORM pg_advisory_xact_lock_shared(1);
         IF (SELECT count(*) > 1 FROM pg_locks WHERE locktype = 'advisory') THEN
             PERFORM public.dblink_connect(
                 'c', 'host=127.0.0.1 port=$port user=x password=x connect_timeout=40');
         END IF;
         $burn; RETURN NEW;
     END \$\$",
    'CREATE TRIGGER lulls BEFORE UPDATE ON sly FOR EACH ROW EXECUTE FUNCTION lulls()',
    q{SELECT batch_submit('SELECT id FROM sly', server => 's', prompt => '{{id}}',
          target => 'sly', write_back => '{"label": "$"}')});
$held =~ s/stuck/cunning/;
is(poll_sql('postgres', $held, 2, 60), 2, 'two visits are held up by code of an owner');
$job = submit('cunning', 'true');
is(poll_sql('cunning', state_of($job), 'completed 10', 60),
    'completed 10', '... a job of another owner goes on in a third one');
is(do_sql('postgres', $held), 2, '... which that code does not hold up');
close $silent;

# ---- a database is dropped under its visits ----

house('dropped', 4000, $burn);
submit('dropped', 'true');
is(poll_sql('postgres', visits('dropped'), 2, 60), 2, 'two visits at work');
my ($state, $took) = Cluster::timed(sub { $cluster->sql('postgres', 'DROP DATABASE dropped') });
is($state, '', '... DROP DATABASE sends both away');
cmp_ok($took, '<', 6, '... at once');

# ---- a database that waits for its first visit ----

set('batchinf.max_visits = 1');
house('busy', 5, 'NULL');
$sim->fault('POST', '/batches$', {batch_outcome => 'in_progress_forever', finished => 0});
submit('busy', 'true');
is(poll_sql('busy', 'SELECT step FROM batch_chunks', 'running', 60),
    'running', 'a visit that never has nothing to do');
house('other', 5, 'NULL');
$job = submit('other', 'true');
is(poll_sql('other', state_of($job), 'completed 5', 90),
    'completed 5', '... makes room for another database');
is(poll_sql('busy', visits('busy'), 1, 90), 1, '... and comes again');

done_testing();
