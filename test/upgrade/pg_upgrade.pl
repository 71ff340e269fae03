#!/usr/bin/perl
# pg_upgrade keeps our tables and the oids of roles and tables, but not those of servers. So jobs
# are foreign in the new cluster, nothing of them runs before batch_adopt, and then they go on where
# they stood.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/../lib";
use Cluster;
use Test::More;

Cluster::as_postgres();

my ($sim, $decoy) = (Cluster::Sim->new, Cluster::Sim->new);
my @settings = ("shared_preload_libraries = 'batchinf'", "batchinf.settle_time = '1s'");
my $old = Cluster->new('old', @settings);
my $new = Cluster->create('new', @settings);
my $bin = $Cluster::bin;

sub submit_sql {
    my ($from, $to) = @_;
    return
          "SELECT batch_submit('SELECT id, body FROM tickets WHERE id BETWEEN $from AND $to', "
        . "server => 'openai', prompt => '{{body}}', target => 'tickets', "
        . "write_back => '{\"label\": \"\$\"}', in_flight => 'send', write_if => 'always')";
}
my @as_ann = ('work', 'SET ROLE ann');

# A batch that runs at the provider, a job that waits until it has ended, and a server that wants no
# calls for an hour.
$old->do_sql('postgres', 'CREATE ROLE ann', 'CREATE DATABASE work');
$old->do_sql(
    'work',
    'CREATE EXTENSION batchinf',
    (map { $sim->server_sql("gone$_") } 1 .. 3),
    $sim->server_sql('openai', "max_batches '1'"),
    (map {"DROP SERVER gone$_ CASCADE"} 1 .. 3),
    'GRANT USAGE ON FOREIGN SERVER openai TO ann',
    "CREATE USER MAPPING FOR ann SERVER openai OPTIONS (api_key 'sk-sim')",
    'CREATE TABLE tickets (id int PRIMARY KEY, body text, label text)',
    "INSERT INTO tickets SELECT i, 'body ' || i FROM generate_series(1, 30) i",
    'GRANT ALL ON tickets TO ann');
$sim->config({batch_seconds => 60});
my $flying = $old->do_sql(@as_ann, submit_sql(1, 10));
is( $old->poll_sql(
        'work', "SELECT provider_batch_id IS NOT NULL FROM batch_chunks WHERE job_id = $flying",
        't'),
    't',
    'a job at the provider');
my $planned = $old->do_sql(@as_ann, submit_sql(11, 20));
like(
    $old->poll_sql(
        'work',
        "SELECT waiting_for FROM batch_chunks WHERE job_id = $planned",
        qr/^server limit/),
    qr/^server limit/,
    'a job of which nothing is sent');
$old->do_sql(
    'work', "INSERT INTO batchinf.pause (server, owner, until, reason, install, database)
    SELECT s.oid, 0, now() + interval '1 hour', 'busy', h.uuid, h.database
        FROM pg_foreign_server s, batchinf.here h"
);
my $facts =
    'SELECT h.uuid, i.uuid, s.oid FROM batchinf.here h, batchinf.install i, pg_foreign_server s';
my ($was, $install, $server) = split /\|/, $old->do_sql('work', $facts);

# A user mapping with another provider's secret, as a version of before took it.
$old->do_sql('postgres', 'CREATE DATABASE kinds');
$old->do_sql(
    'kinds',
    'CREATE EXTENSION batchinf',
    'SET client_min_messages = error',
    'SET check_function_bodies = off',
    $sim->server_sql('openai'),
    "CREATE USER MAPPING FOR ann SERVER openai OPTIONS (service_account '{}')",
    'GRANT USAGE ON FOREIGN SERVER openai TO ann');

# ---- pg_upgrade ----

$old->stop('fast');
my $asked = @{$sim->call('GET', 'requests')};
chdir $Cluster::dir or die $!;
Cluster::run(
    "$bin/pg_upgrade", '-b', $bin, '-B', $bin, '-d',
    $old->{data}, '-D', $new->{data}, '-U', 'postgres', '-s',
    $old->{socket}, '--link', '--no-sync');
chdir '/';
is(scalar @{$sim->call('GET', 'requests')}, $asked, 'pg_upgrade asks the provider nothing');
$new->configure('batchinf.enabled = off');
$new->start;

my ($is, $same, $other) = split /\|/, $new->do_sql('work', $facts);
is($same, $install, "the install's uuid comes along");
isnt($is, $was, '... but it is another identity');
isnt($other, $server, "... for the server's oid is another");

like(
    $new->sql(
        'kinds', 'SET ROLE ann', "SELECT status || ': ' || detail FROM batch_check('openai')"),
    qr/^bad_key: the user mapping has option "service_account"/,
    "another provider's secret comes along, and is not used");
is( $new->sql(
        'kinds',
        q{SELECT e.evtenabled FROM pg_event_trigger e JOIN pg_depend d ON d.classid =
            'pg_event_trigger'::regclass AND d.objid = e.oid AND d.deptype = 'e'}
    ),
    'O',
    '... the event trigger is there, and the extension\'s');
like(
    $new->sql(
        'kinds', "CREATE USER MAPPING FOR PUBLIC SERVER openai OPTIONS (service_account '{}')"),
    qr/ERROR:  invalid option "service_account" for provider "openai"/,
    '... so that no other comes');

# Another server has that oid, and a key for the job's owner.
my ($create, $mapping) = split /;\s*/, $decoy->server_sql('decoy');
$new->do_sql(
    'work',
    $create,
    "UPDATE pg_foreign_server SET oid = $server WHERE srvname = 'decoy'",
    $mapping,
    'GRANT USAGE ON FOREIGN SERVER decoy TO ann',
    "CREATE USER MAPPING FOR ann SERVER decoy OPTIONS (api_key 'sk-sim')",
    "ALTER SYSTEM SET batchinf.enabled = on",
    'SELECT pg_reload_conf()');

# ---- nothing of them runs ----

my $states = "SELECT string_agg(state, ' ' ORDER BY job_id) FROM batch_jobs";
is($new->sql('work', $states), 'foreign foreign', 'the jobs are foreign');
is($new->sql('work', 'SELECT count(paused_until) FROM batch_servers'),
    0, '... and no server is paused');
my $frozen =
      "SELECT string_agg(to_jsonb(c)::text, ', ' ORDER BY chunk_id) "
    . 'FROM (SELECT * FROM batchinf.chunk LEFT JOIN batchinf.batch USING (chunk_id)) c '
    . "WHERE job_id IN ($flying, $planned)";
my $before = $new->sql('work', $frozen);
$sim->config({batch_seconds => 0.2});
my $later = $new->do_sql(@as_ann, submit_sql(21, 30));
my $end_of = sub {
    return $new->poll_sql('work',
        "SELECT state || ' ' || written FROM batch_jobs WHERE job_id = $_[0]",
        'completed 10', 30);
};
is($end_of->($later), 'completed 10', 'a visit does what is new');
is($new->sql('work', $frozen), $before, '... and nothing to them');
is($sim->ledger->{requests}{'POST /v1/batches'}, 2, '... nor is anything of them sent');

# ---- batch_adopt ----

is($new->sql(@as_ann, 'SELECT batch_adopt(NULL)'), '', 'their owner adopts them');
is($end_of->($flying), 'completed 10', '... what was at the provider is delivered');
is($end_of->($planned), 'completed 10', '... the other one is sent');
is($new->sql('work', "SELECT DISTINCT owner, server FROM batch_jobs"),
    'ann|openai', '... all at the server of that name');
is($new->sql('work', "SELECT count(*) FROM tickets WHERE label IS NOT NULL"),
    30, '... every row has its answer');
is($sim->ledger->{billed_requests}, 30, 'promise 1: ... each billed once');
is(scalar @{$decoy->call('GET', 'requests')},
    0, '... and nothing went to the server that has the old oid');
is($new->log_count('PANIC|TRAP|terminated by signal|cannot go on'), 0, 'nothing odd in the log');
done_testing();
