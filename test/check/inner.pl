#!/usr/bin/perl
# An ordinary user's server reaches no inner address, whichever option or document names it, at
# whichever provider, in whatever notation (promise 6). A request that did leave would arrive at the
# simulator: it listens on loopback and, by lib/machine.c, at the addresses of clouds' metadata
# services, with a certificate that is good for all these names.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/../lib";
use Cluster;
use JSON::PP;
use Machine;
use Provider;
use Test::More;

Cluster::as_postgres();
my $dir = $Cluster::dir;

my $names = join ',', map({"DNS:$_"} 'localhost', '*.machine.test'),
    map {"IP:$_"}
    qw(127.0.0.1 ::1 169.254.169.254 169.254.170.2 fd00:ec2::254 fd20:ce::254
    ::ffff:169.254.169.254);
Cluster::certificate('tls', 'localhost', $names);
ok(-s "$dir/tls.crt", 'openssl makes a certificate');
my $good = Cluster::Sim->new('--batch-seconds', '0.1');
my $url = $good->url;
my $port = $good->call('POST', 'lanes', {tls => {cert => "$dir/tls.crt", key => "$dir/tls.key"}})
    ->{ports}[0];
my @lines = (
    "shared_preload_libraries = 'batchinf'",
    'batchinf.enabled = off',
    "batchinf.connect_timeout = '2s'",
    "batchinf.stall_timeout = '2s'",
    "batchinf.ca_file = '$dir/tls.crt'");
my $cluster = Machine::with($port, {}, sub { Cluster->new('main', @lines) });
$cluster->do_sql(
    'postgres',
    'CREATE EXTENSION batchinf',
    'CREATE ROLE jim',
    'GRANT USAGE ON FOREIGN DATA WRAPPER batchinf TO jim');

sub arrived { return scalar @{$good->call('GET', 'lanes')->{$port}} }

# What batch_check says to jim once this server has been made, with his mapping. @before: as
# superuser, in the same session.
sub try_server {
    my ($owner, $sql, @before) = @_;
    $cluster->do_sql(
        'postgres',
        'SET client_min_messages = warning',
        'DROP SERVER IF EXISTS bad CASCADE',
        $sql =~ s/FOR CURRENT_USER/FOR jim/r,
        'GRANT USAGE ON FOREIGN SERVER bad TO jim',
        "ALTER SERVER bad OWNER TO $owner");
    return $cluster->sql('postgres', @before, 'SET ROLE jim',
        q{SELECT status || ': ' || detail FROM batch_check('bad')});
}

my $refused = qr/^\w+: .*(not allowed|by https only)/;
my $openai = Provider::server_sql($Provider::by_name{openai}, 'bad', $url);

# ---- addresses, and names that resolve to them ----

my @addresses = (
    map({"$_:$port"}
        qw(127.0.0.1 127.1 2130706433 0x7f000001 0x7f.1 0177.0.0.1 017700000001 0 0.0.0.0
            127.255.255.254 localhost LOCALHOST [::1] [::] [0:0:0:0:0:0:0:1] [::ffff:127.0.0.1]
            [::ffff:7f00:1]
            [::127.0.0.1] [64:ff9b::7f00:1] [2002:7f00:1::] [::ffff:0:127.0.0.1])),
    qw(10.0.0.1 10.255.255.255 172.16.0.1 172.31.255.255 192.168.1.1 100.64.0.1 198.18.0.1
        192.0.0.1 224.0.0.1 255.255.255.255 167772161 0xa000001 3232235777 [fc00::1]
        [fd12:3456::1] [fe80::1] [fec0::1] [ff02::1] [::ffff:10.0.0.1] [::ffff:c0a8:101]),
    qw(169.254.0.1 169.254.169.254 169.254.170.2 2852039166 0xa9fea9fe 0251.0376.0251.0376
        [fd00:ec2::254] [fd20:ce::254] [::ffff:169.254.169.254] [::ffff:a9fe:a9fe]
        100.100.100.200 168.63.129.16 192.0.0.192),
    map {"$_.machine.test"} qw(instance container instance6 google mapped),);
for my $address (@addresses) {
    (my $sql = $openai) =~ s/\Q$url\E/https:\/\/$address/;
    like(try_server('jim', $sql), $refused, "an ordinary user's server does not reach $address");
}

# ---- each option, of each provider ----

my $vertex = $Provider::by_name{vertex};
my $identity = '/computeMetadata/v1/instance/service-accounts/default/identity';
my $federated = {
    %{$good->call('GET', 'google_credentials?type=external_account&file=/nowhere')},
    credential_source => {url => "$url$identity", headers => {'Metadata-Flavor' => 'Google'}}};
my %kinds = (
    map({ $_->{name} => Provider::server_sql($_, 'bad', $url) } @Provider::all),
    'vertex with authority_url' =>
        Provider::server_sql($vertex, 'bad', $url, "authority_url '$url'") =~
        s{"token_uri":"[^"]*"}{"token_uri":"https://oauth2.googleapis.com/token"}r,
    'vertex, federated' => Provider::server_sql($vertex, 'bad', $url) =~
        s/service_account '\K[^']*/encode_json($federated)/er,);
my $allowed = "SET batchinf.allowed_http_hosts = '127.0.0.1'";
my @elsewhere = (
    "https://localhost:$port", "https://[::1]:$port",
    'http://localhost:' . $good->port, 'https://169.254.169.254',
    'http://169.254.169.254', 'https://instance.machine.test',
    'https://[fd20:ce::254]', 'https://10.0.0.1');
$good->config({bedrock_min_records => 1, azure_file_pending_ms => 0});
$good->fault('GET', "^$identity\$", {status => 200, body => 'sim-subject-token'},
    times => 'always');

# Each place of a statement where the simulator's address stands: the option, or the member of a
# document, and the statement with another there.
sub places {
    my ($sql) = @_;
    my @places;
    while ($sql =~ /\b(\w*ur[il])\W+\K\Q$url\E/g) {
        my ($option, $begin, $length) = ($1, $-[0], length $url);
        push @places,
            [
            $option,
            sub { my $other = $sql; substr($other, $begin, $length) = $_[0]; return $other }];
    }
    return @places;
}

my %met;
for my $kind (sort keys %kinds) {
    like(try_server('jim', $kinds{$kind}, $allowed),
        qr/^ok: /, "$kind: good where all its addresses are allowed");
    for my $place (places($kinds{$kind})) {
        my ($option, $with) = @$place;
        $met{$option}++;
        for my $other (@elsewhere) {
            like(try_server('jim', $with->($other), $allowed),
                $refused, "$kind: $option $other is refused");
            like(try_server('postgres', $with->($other), $allowed),
                $refused, "$kind: … in a document for a superuser's server too")
                if $option =~ /token|^url|impersonation/;
        }
    }
}
is( join(' ', sort keys %met),
    'authority_url base_url service_account_impersonation_url storage_base_url token_uri '
        . 'token_url url',
    'these are all the places that a request goes to');

(my $bucket = $kinds{bedrock}) =~ s{s3://batch}{s3://127};
$bucket =~ s/127\.0\.0\.1/localhost/g;
$bucket =~ s/storage_base_url '\K[^']*/https:\/\/0.0.1:$port/;
like(
    try_server(
        'jim',
        $bucket =~ s/role_arn/storage_style 'virtual', role_arn/r,
        "SET batchinf.allowed_http_hosts = 'localhost'"),
    $refused,
    'a bucket and a host that make an address together');
like(
    try_server(
        'jim',
        $kinds{bedrock} =~ s/role_arn/runtime_base_url 'https:\/\/localhost:$port', role_arn/r,
        $allowed),
    qr/^ok: /,
    'while runtime_base_url is no place of batches');
is(arrived(), 0, 'not one of all these requests has left');
like(
    try_server(
        'jim',
        $openai =~ s/\Q$url\E/https:\/\/localhost:$port/r,
        "SET batchinf.allowed_http_hosts = 'localhost'"),
    qr/^ok: /,
    'unless batchinf.allowed_http_hosts has the host');
is(arrived(), 1, '… when it is seen here');

# ---- no plain http, and no job either ----

for my $option (qw(base_url storage_base_url authority_url runtime_base_url)) {
    my $sql =
          "CREATE SERVER plain FOREIGN DATA WRAPPER batchinf OPTIONS (provider 'bedrock', "
        . "region 'r', role_arn 'a', storage_url 's3://bucket', $option";
    like(
        $cluster->sql('postgres', 'SET ROLE jim', "$sql 'http://example.com')"),
        qr/ERROR:  permission denied to use plain http in option "$option"/,
        "an ordinary user sets no plain http as $option");
    like(
        $cluster->sql('postgres', 'SET ROLE jim', "$sql '$_')"),
        qr/ERROR:  invalid value for option "$option"/,
        "nor $_")
        for 'file:///etc/passwd', 'ftp://127.0.0.1/', 'gopher://127.0.0.1:25/', '//127.0.0.1/',
        'https://user:pass@127.0.0.1/';
}
my $before = arrived();
my @jobs;
for my $kind (sort keys %kinds) {
    my @places = places($kinds{$kind});
    for my $i (0 .. $#places) {
        my $name = $kind =~ s/\W+/_/gr . "_$i";
        (my $sql = $places[$i][1]->("https://localhost:$port")) =~ s/ bad / $name /g;
        $cluster->do_sql(
            'postgres',
            $sql =~ s/FOR CURRENT_USER/FOR jim/r,
            "GRANT USAGE ON FOREIGN SERVER $name TO jim",
            "ALTER SERVER $name OWNER TO jim",
            'SET client_min_messages = warning',
            'SET ROLE jim',
            "SELECT batch_submit('SELECT 1 AS id', server => '$name', prompt => '{{id}}')");
        push @jobs, "$name: waits";
    }
}
my $waits = q{SELECT string_agg(server || CASE WHEN EXISTS (SELECT FROM batch_events e
        WHERE e.job_id = j.job_id AND detail ~ 'not allowed') THEN ': waits' ELSE ': ' || state
        END, ', ' ORDER BY job_id) FROM batch_jobs j};
is( poll(
        join(', ', @jobs),
        60,
        sub {
            $cluster->sql('postgres', 'SET client_min_messages = warning',
                $allowed, "CALL batch_work('2 s')", $waits);
        }),
    join(', ', @jobs),
    'the jobs of such servers wait, and say why');
is(arrived(), $before, '… none of their requests has left');
is($good->ledger->{billed_requests} // 0,
    0, '… and none of theirs to the places that are good was paid for');
done_testing();
