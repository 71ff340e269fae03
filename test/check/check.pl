#!/usr/bin/perl
# batch_check tells apart what can be wrong with a server and its key: address, certificate, key,
# model. Keys come from the mapping, from a file and from the environment, and go only where they
# may go (promise 6).
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/../lib";
use Cluster;
use IO::Socket::INET;
use Test::More;

$ENV{BATCHINF_TEST_KEY} = 'sk-sim-of-the-environment';
Cluster::as_postgres();

my $dir = $Cluster::dir;

# A certificate that nobody has signed but itself.
Cluster::certificate('tls', 'localhost', 'DNS:localhost,IP:127.0.0.1');
ok(-s "$dir/tls.crt", 'openssl makes a certificate');
my @keys = map { ('--api-key', $_) } qw(sk-sim sk-sim-of-the-file sk-sim-of-the-environment);
my $plain = Cluster::Sim->new(@keys);
my $tls = Cluster::Sim->new('--tls-cert', "$dir/tls.crt", '--tls-key', "$dir/tls.key", @keys);
my $cluster = Cluster->new(
    'main',
    "shared_preload_libraries = 'batchinf'",
    'batchinf.enabled = off',
    "batchinf.connect_timeout = '2s'",
    "batchinf.stall_timeout = '2s'");
my $http = $plain->url . '/v1';
my $https = $tls->url;
$https =~ s/^http:/https:/;

sub sql { return $cluster->sql('postgres', @_) }
sub check { return sql("SELECT status FROM batch_check('$_[0]')") }
sub detail { return sql("SELECT detail FROM batch_check('$_[0]')") }

# A server with a mapping for the superuser.
sub server {
    my ($name, $url, $key, $model) = @_;
    $model = defined $model ? ", model '$model'" : '';
    $cluster->do_sql(
        'postgres',
        "CREATE SERVER $name FOREIGN DATA WRAPPER batchinf OPTIONS (provider 'openai', "
            . "base_url '$url'$model)",
        $key ? "CREATE USER MAPPING FOR CURRENT_USER SERVER $name OPTIONS ($key)" : 'SELECT 1');
}

$cluster->do_sql('postgres', 'CREATE EXTENSION batchinf');
my $good = "api_key 'sk-sim'";
open my $file, '>', "$dir/key" or die $!;
print $file "sk-sim-of-the-file\n";
close $file;

# ---- the statuses ----

my $silent = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1') or die $!;
my $closed = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1') or die $!;
my $closed_port = $closed->sockport;
close $closed;

server('fine', $http, $good, 'gpt-5.4-mini');
server('no_key', $http, undef, 'gpt-5.4-mini');
server('wrong_key', $http, "api_key 'sk-of-somebody-else-1234'", 'gpt-5.4-mini');
server('wrong_model', $http, $good, 'gpt-of-the-future');
server('refuses', "http://127.0.0.1:$closed_port/v1", $good, 'gpt-5.4-mini');
server('silent', 'http://127.0.0.1:' . $silent->sockport . '/v1', $good, 'gpt-5.4-mini');
server('nowhere', 'https://no-such-host.invalid/v1', $good, 'gpt-5.4-mini');
server('unsigned', "$https/v1", $good, 'gpt-5.4-mini');
server('fails', $http, $good, 'gpt-4o-mini');

is(check('fine'), 'ok', 'ok');
is(check('no_key'), 'no_user_mapping', 'no user mapping');
is(check('wrong_key'), 'bad_key', 'a wrong key');
unlike(detail('wrong_key'), qr/sk-of-somebody-else-1234/, 'promise 6: … which is not repeated');
is(check('wrong_model'), 'no_model', 'a missing model');
is(check('refuses'), 'unreachable', 'a port that refuses');
my ($status, $seconds) = timed(sub { check('silent') });
is($status, 'unreachable', 'a host that does not answer');
cmp_ok($seconds, '<', 10, '… does not hold up the caller');
is(check('nowhere'), 'unreachable', 'a host that is not');
is(check('unsigned'), 'bad_certificate', 'a bad certificate');
$plain->fault('GET', '/models/', {status => 503});
is(check('fails'), 'provider_error', 'a fault of the provider');
like(
    sql("SELECT * FROM batch_check('nobody')"),
    qr/ERROR:  server "nobody" does not exist/,
    'no such server raises');
$cluster->do_sql('postgres', 'CREATE ROLE jim');
like(
    sql('SET ROLE jim', "SELECT * FROM batch_check('fine')"),
    qr/ERROR:  permission denied for foreign server fine/,
    'no USAGE raises');

# ---- certificates ----

is(sql("SET batchinf.ca_file = '$dir/tls.crt'", "SELECT status FROM batch_check('unsigned')"),
    'ok', 'batchinf.ca_file: one that is known');
(my $by_name = $https) =~ s/127\.0\.0\.1/localhost.localdomain/;
server('by_name', "$by_name/v1", $good, 'gpt-5.4-mini');
like(
    sql("SET batchinf.ca_file = '$dir/tls.crt'", "SELECT status FROM batch_check('by_name')"),
    qr/^(bad_certificate|unreachable)$/,
    '… but not under another name');

# ---- where keys come from ----

server('by_file', $http, "api_key_file '$dir/key'", 'gpt-5.4-mini');
server('by_env', $http, "api_key_env 'BATCHINF_TEST_KEY'", 'gpt-5.4-mini');
server('by_lost_file', $http, "api_key_file '$dir/nothing'", 'gpt-5.4-mini');
is(check('by_file'), 'ok', 'api_key_file');
is(check('by_env'), 'ok', 'api_key_env');
is(check('by_lost_file'), 'bad_key', 'a file that is not there');
unlike(detail('by_lost_file'), qr/\Q$dir\E/, 'promise 6: … whose name is not told');
open $file, '>', "$dir/key" or die $!;
print $file "sk-old\n";
close $file;
is(check('by_file'), 'bad_key', 'a key that was exchanged in its file is used at once');

# ---- whither a key may go ----

$cluster->do_sql('postgres', 'GRANT USAGE ON FOREIGN DATA WRAPPER batchinf TO jim');
for my $option ("api_key_file '$dir/key'", "api_key_env 'BATCHINF_TEST_KEY'") {
    like(
        sql('GRANT USAGE ON FOREIGN SERVER fine TO jim',
            'SET ROLE jim',
            "CREATE USER MAPPING FOR jim SERVER fine OPTIONS ($option)"),
        qr/ERROR:  permission denied/,
        "an ordinary user sets no $option");
}
like(
    sql('SET ROLE jim', "ALTER SERVER fine OPTIONS (SET base_url 'https://evil.example/v1')"),
    qr/ERROR:  must be owner of foreign server fine/,
    '… and no base_url of another\'s server');
$cluster->do_sql(
    'postgres',
    "CREATE SERVER jims FOREIGN DATA WRAPPER batchinf OPTIONS (provider 'openai', "
        . "base_url '$http', model 'gpt-5.4-mini')",
    'ALTER SERVER jims OWNER TO jim',
    "CREATE SERVER jims_tls FOREIGN DATA WRAPPER batchinf "
        . "OPTIONS (provider 'openai', base_url '$https/v1', model 'gpt-5.4-mini')",
    'ALTER SERVER jims_tls OWNER TO jim',
    "CREATE USER MAPPING FOR jim SERVER jims OPTIONS ($good)",
    "CREATE USER MAPPING FOR jim SERVER jims_tls OPTIONS ($good)");
my $before = () = map {$_} @{$plain->call('GET', 'requests')};
is(sql('SET ROLE jim', "SELECT status FROM batch_check('jims')"),
    'unreachable', 'promise 6: an ordinary user\'s server: no plain http, and no loopback');
is( sql("SET batchinf.ca_file = '$dir/tls.crt'",
        'SET ROLE jim',
        "SELECT status FROM batch_check('jims_tls')"),
    'unreachable',
    'promise 6: … nor by https');
is(scalar @{$plain->call('GET', 'requests')}, $before, '… nothing was sent');
is( sql("SET batchinf.allowed_http_hosts = '127.0.0.1'",
        'SET ROLE jim',
        "SELECT status FROM batch_check('jims')"),
    'ok',
    'unless a superuser allows the host');
$plain->fault('GET', '/models/', {redirect => 'http://127.0.0.1:' . $silent->sockport . '/stolen'});
is(check('fine'), 'provider_error', 'promise 6: no redirect is followed');
$silent->timeout(1);
my $visitor = $silent->accept;    # the check of the silent host
is($silent->accept, undef, '… the other host was not asked');

done_testing();
