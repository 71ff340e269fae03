#!/usr/bin/perl
# DNS rebinding (promise 6): a name resolves to an outer address and to loopback by turns. The test
# proves that the address that is checked is the one that is connected to.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/../lib";
use Cluster;
use Machine;
use Test::More;

Cluster::as_postgres();
my $dir = $Cluster::dir;
Cluster::certificate('tls', 'rebind.machine.test', 'DNS:rebind.machine.test');
my $sim = Cluster::Sim->new('--batch-seconds', '0.1');
my ($world, $inner) = map {
    $sim->call('POST', 'lanes', {tls => {cert => "$dir/tls.crt", key => "$dir/tls.key"}})
        ->{ports}[0]
} 1 .. 2;
my @lines = (
    "shared_preload_libraries = 'batchinf'",
    'batchinf.enabled = off',
    "batchinf.connect_timeout = '2s'",
    "batchinf.stall_timeout = '2s'",
    "batchinf.ca_file = '$dir/tls.crt'");
my $cluster = Machine::with($world, {}, sub { Cluster->new('main', @lines) });
sub arrived { return join ' ', map { scalar @{$sim->call('GET', 'lanes')->{$_}} } $world, $inner }

# 127.0.0.1 with the port of the server's address is the inner door; the address in the world is the
# other one, whatever the port.
my $options =
      "provider 'openai', model 'gpt-5.4-mini', poll_interval '1', "
    . "base_url 'https://rebind.machine.test:$inner/v1'";
$cluster->do_sql(
    'postgres',
    'CREATE EXTENSION batchinf',
    'CREATE ROLE jim',
    'GRANT USAGE ON FOREIGN DATA WRAPPER batchinf TO jim',
    'SET ROLE jim',
    "CREATE SERVER s FOREIGN DATA WRAPPER batchinf OPTIONS ($options)",
    "CREATE USER MAPPING FOR CURRENT_USER SERVER s OPTIONS (api_key 'sk-sim')");

my $check = q{SELECT status || ' ' || (detail ~ 'not allowed') FROM batch_check('s')};
is( $cluster->sql('postgres', 'SET ROLE jim', ($check) x 4),
    "ok false\nunreachable true\nok false\nunreachable true",
    'by turns the request goes out, and is refused');
is(arrived(), '2 0', '... and none has come in');

# A job's requests too: where its turn is the second look they are refused, and go out another time.
my $job = $cluster->do_sql('postgres', 'SET client_min_messages = warning',
    'SET ROLE jim', "SELECT batch_submit('SELECT 1 AS id', server => 's', prompt => '{{id}}')");
my $work =
    $cluster->beside('postgres', 'SET ROLE jim', $check, 'RESET ROLE', "CALL batch_work('120 s')");
like(
    $cluster->poll_sql(
        'postgres',
        "SELECT string_agg(detail, ' ') FROM batch_events WHERE job_id = $job",
        qr/not allowed/, 60),
    qr/not allowed/,
    'a job of such a server is refused');
$cluster->do_sql('postgres',
    "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE query ~ '^CALL batch_work'");
Cluster::output($work);
is(arrived(), '3 0', '... and none of its requests has come in');
$cluster->do_sql(
    'postgres',
    'UPDATE batchinf.pause SET until = now()',
    'UPDATE batchinf.chunk SET next_step_at = now()',
    "CALL batch_work('60 s')");
is($cluster->sql('postgres', "SELECT state FROM batch_jobs WHERE job_id = $job"),
    'completed', '... or goes out');
like(arrived(), qr/ 0$/, '... and nowhere else');
done_testing();
