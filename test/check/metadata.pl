#!/usr/bin/perl
# No request of a user reaches the metadata services where clouds give keys to whoever asks; only
# the login of a user who may use the machine's credentials does (promise 6). By lib/machine.c, what
# leaves for one of these services arrives at the simulator, which sees the name of the host.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/../lib";
use Cluster;
use JSON::PP;
use Machine;
use Test::More;

Cluster::as_postgres();
my $dir = $Cluster::dir;
my $sim = Cluster::Sim->new('--batch-seconds', '0.1');

open my $file, '>', "$dir/token" or die $!;
print $file "sim.web.identity-token\n";
close $file;

# Without credentials in its environment: the instance comes last.
my @lines = (
    "shared_preload_libraries = 'batchinf'",
    'batchinf.enabled = off',
    "batchinf.connect_timeout = '5s'",
    "batchinf.stall_timeout = '5s'");
my $cluster = Machine::with(
    $sim->port,
    {   AWS_WEB_IDENTITY_TOKEN_FILE => "$dir/token",
        AWS_ROLE_ARN => 'arn:aws:iam::123456789012:role/BatchCaller'},
    sub { Cluster->new('main', @lines) });

sub sql { return $cluster->sql('postgres', @_) }

sub check {
    return $cluster->sql(
        'postgres',
        @_[1 .. $#_],
        "SELECT status || ': ' || detail FROM batch_check('$_[0]')");
}

sub arrived {
    return scalar grep { $_->{headers}{host} !~ /^127\.0\.0\.1/ } @{$sim->call('GET', 'requests')};
}

my $url = $sim->url;
my $bedrock =
      "provider 'bedrock', model 'us.amazon.nova-lite-v1:0', region 'us-east-1', "
    . "role_arn 'arn:aws:iam::123456789012:role/BedrockBatch', storage_url 's3://batch/jobs', "
    . "min_requests '1'";
my $keys =
    "access_key_id 'AKIDEXAMPLE', secret_access_key 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY'";
my $vertex =
      "provider 'vertex', model 'gemini-3.5-flash-lite', project 'proj-1', "
    . "location 'us-central1', storage_url 'gs://batch/jobs'";
my $account = $sim->call('GET', 'google_credentials');

# A document of Google's with these members changed, as an option.
sub document {
    my (%changes) = @_;
    return 'service_account \'' . encode_json({%$account, %changes}) . '\'';
}

sub federated {
    my ($address) = @_;
    return document(
        type => 'external_account',
        audience => 'a',
        subject_token_type => 'urn:ietf:params:oauth:token-type:jwt',
        credential_source => {url => $address});
}

my %servers = (
    'base_url of OpenAI' =>
        ["provider 'openai', model 'gpt-5.4-mini', base_url 'BAD_ADDRESS/v1'", "api_key 'sk-sim'"],
    'base_url of Anthropic' => [
        "provider 'anthropic', model 'claude-haiku-5-5', base_url 'BAD_ADDRESS'",
        "api_key 'sk-sim'"],
    'authority_url of Azure' => [
        "provider 'azure_openai', model 'mini-batch', base_url '$url/openai/v1', "
            . "authority_url 'BAD_ADDRESS'",
        "tenant_id 't', client_id 'c', client_secret 's'"],
    'base_url of Bedrock' => ["$bedrock, base_url 'BAD_ADDRESS', storage_base_url '$url'", $keys],
    'storage_base_url of Bedrock' =>
        ["$bedrock, base_url '$url', storage_base_url 'BAD_ADDRESS'", $keys],
    'authority_url of Bedrock' => [
        "$bedrock, base_url '$url', storage_base_url '$url', authority_url 'BAD_ADDRESS'",
        "credential_source 'web_identity'"],
    'base_url of Vertex' =>
        ["$vertex, base_url 'BAD_ADDRESS', storage_base_url '$url'", document()],
    'storage_base_url of Vertex' =>
        ["$vertex, base_url '$url', storage_base_url 'BAD_ADDRESS'", document()],
    'authority_url of Vertex' => [
        "$vertex, base_url '$url', storage_base_url '$url', authority_url 'BAD_ADDRESS'",
        document()],
    'token_uri in a mapping' =>
        ["$vertex, base_url '$url', storage_base_url '$url'", document(token_uri => 'BAD_ADDRESS')],
    'url of a subject token in a mapping' =>
        ["$vertex, base_url '$url', storage_base_url '$url'", federated('BAD_ADDRESS')],);

# A server of this kind, and what its check says.
sub try_server {
    my ($options, $mapping, $bad, @before) = @_;
    s/BAD_ADDRESS/$bad/ for $options, $mapping;
    $cluster->do_sql(
        'postgres',
        'SET client_min_messages = warning',
        'DROP SERVER IF EXISTS bad CASCADE',
        "CREATE SERVER bad FOREIGN DATA WRAPPER batchinf OPTIONS ($options)",
        "CREATE USER MAPPING FOR PUBLIC SERVER bad OPTIONS ($mapping)");
    return check('bad', @before);
}

$cluster->do_sql(
    'postgres',
    'CREATE EXTENSION batchinf',
    'CREATE ROLE jim',
    'GRANT USAGE ON FOREIGN DATA WRAPPER batchinf TO jim');
$sim->config({bedrock_min_records => 1});

# ---- addresses, in every dress, and names that resolve to them ----

my @addresses = (
    '169.254.169.254',
    '169.254.170.2',
    '169.254.169.254.',
    '2852039166',
    '0xa9fea9fe',
    '0251.0376.0251.0376',
    '[fd00:ec2::254]',
    '[fd20:ce::254]',
    '[::ffff:169.254.169.254]',
    '[::ffff:a9fe:aa02]',
    '[64:ff9b::a9fe:a9fe]',
    map {"$_.machine.test"} qw(instance container instance6 google mapped));
for my $address (@addresses) {
    like(
        try_server(@{$servers{'base_url of OpenAI'}}, "http://$address"),
        qr/^unreachable: .*not allowed/,
        "a superuser's server does not reach $address");
}
for my $kind (sort keys %servers) {
    for my $address ('http://169.254.169.254', 'http://container.machine.test:8080',
        'https://[fd00:ec2::254]')
    {
        like(try_server(@{$servers{$kind}}, $address), qr/not allowed/, "$kind: $address");
    }
}
my $allowed =
    "SET batchinf.allowed_http_hosts = '169.254.169.254, instance.machine.test, [fd00:ec2::254]'";
for my $address ('169.254.169.254', 'instance.machine.test', '[fd00:ec2::254]') {
    like(
        try_server(@{$servers{'base_url of OpenAI'}}, "http://$address", $allowed),
        qr/not allowed/,
        "nor does batchinf.allowed_http_hosts open $address");
}
like(try_server(@{$servers{'base_url of OpenAI'}}, $url),
    qr/^ok/, 'while loopback is open to a superuser\'s server');
my $before = arrived();
is($before, 0, 'not one of all these requests has left');

# ---- redirects and jobs ----

$sim->fault('GET', '/models/',
    {redirect => 'http://169.254.169.254/latest/meta-data/iam/security-credentials/'});
like(
    try_server(@{$servers{'base_url of OpenAI'}}, $url),
    qr/^provider_error: HTTP status 302/,
    'a redirect thither is not followed');
$sim->clear;
try_server(@{$servers{'storage_base_url of Bedrock'}}, 'http://instance.machine.test');
$cluster->do_sql('postgres',
          "SELECT batch_submit(\$\$SELECT i, 'text ' || i FROM generate_series(1, 2) i\$\$, "
        . "server => 'bad', prompt => '{{?column?}}')");
like(
    poll(
        qr/not allowed/,
        60, sub { sql("CALL batch_work('1 s')", 'SELECT waiting_for FROM batch_chunks') }),
    qr/not allowed/,
    'a job\'s files do not go there either');
$cluster->do_sql(
    'postgres',
    'SELECT batch_cancel(job_id) FROM batch_jobs',
    "CALL batch_work('5 s')");

# An ordinary user's server reaches no address within, of any kind.
$cluster->do_sql(
    'postgres',
    'DROP SERVER bad CASCADE',
    'SET ROLE jim',
    "CREATE SERVER bad FOREIGN DATA WRAPPER batchinf OPTIONS (provider 'openai', "
        . "model 'gpt-5.4-mini', base_url 'https://instance.machine.test/v1')",
    "CREATE USER MAPPING FOR jim SERVER bad OPTIONS (api_key 'sk-sim')");
like(
    check('bad', 'SET ROLE jim'),
    qr/^unreachable: .*not allowed/,
    'nor does an ordinary user\'s server');
is(arrived(), $before, 'none of these has left either');

# ---- documents of Google's, which ordinary users may write ----

my $identity = 'http://169.254.169.254/metadata/identity/oauth2/token?api-version=2018-02-01';
for (
    [federated($identity), 'a document with the address of a machine\'s identity'],
    [document(token_uri => 'https://instance.machine.test/token'), 'one with another'])
{
    my ($mapping, $name) = @$_;
    $cluster->do_sql(
        'postgres',
        'SET client_min_messages = warning',
        'DROP SERVER IF EXISTS bad CASCADE',
        "CREATE SERVER bad FOREIGN DATA WRAPPER batchinf OPTIONS ($vertex, base_url '$url', "
            . "storage_base_url '$url')",
        'GRANT USAGE ON FOREIGN SERVER bad TO jim',
        'SET ROLE jim',
        "CREATE USER MAPPING FOR jim SERVER bad OPTIONS ($mapping)");
    like(
        check('bad', 'SET ROLE jim'),
        qr/not allowed|https only/,
        "$name, by an ordinary user on a superuser's server");
}
$cluster->do_sql('postgres',
    'ALTER USER MAPPING FOR jim SERVER bad OPTIONS (DROP service_account)');
like(check('bad', 'SET ROLE jim'), qr/^bad_key: /, 'without a document');
is(arrived(), $before, '… nothing has left');
$cluster->do_sql(
    'postgres',
    'DROP USER MAPPING FOR jim SERVER bad',
    'CREATE USER MAPPING FOR PUBLIC SERVER bad');
like(check('bad', 'SET ROLE jim'),
    qr/^ok: /, 'while with PUBLIC\'s mapping the machine itself is asked');
is(arrived(), $before + 1, '… once');

# ---- whom the machine's credentials are for ----

my $options = "$bedrock, base_url '$url', storage_base_url '$url', authority_url '$url'";
my $instance = "credential_source 'instance'";

# Makes the server good with these mappings (user => options).
sub make_good {
    my ($owner, %mappings) = @_;
    $cluster->do_sql(
        'postgres',
        'SET client_min_messages = warning',
        'DROP SERVER IF EXISTS good CASCADE',
        "CREATE SERVER good FOREIGN DATA WRAPPER batchinf OPTIONS ($options)",
        'GRANT USAGE ON FOREIGN SERVER good TO jim',
        (   map {
                "CREATE USER MAPPING FOR $_ SERVER good"
                    . ($mappings{$_} ? " OPTIONS ($mappings{$_})" : '')
            } sort keys %mappings),
        "ALTER SERVER good OWNER TO $owner");
}

sub for_nobody {
    my ($name) = @_;
    my $count = arrived();
    like(check('good', 'SET ROLE jim'),
        qr/^bad_key: .*credentials of the database server's machine are used only/, $name);
    is(arrived(), $count, '… and the machine is not asked');
}

make_good('postgres', jim => '');
for_nobody('an ordinary user\'s own mapping, empty, on a superuser\'s server');
make_good('postgres', jim => "api_key 'bedrock-api-key'");
for_nobody('… with an API key alone');
make_good('postgres', jim => "credential_source 'static'");
unlike(check('good', 'SET ROLE jim'), qr/^ok/, '… that says static');
make_good('postgres');
like(
    sql('SET ROLE jim', "CREATE USER MAPPING FOR jim SERVER good OPTIONS ($instance)"),
    qr/ERROR:  permission denied to set option "credential_source"/,
    'he may not name a source');
make_good('jim', PUBLIC => '', jim => $instance);
for_nobody('a source that a superuser named for him, on his own server');
make_good('jim', PUBLIC => '');
for_nobody('PUBLIC\'s mapping of his own server');

for (
    [jim => $instance, 'a source that a superuser named for him'],
    [PUBLIC => $instance, 'a source in the mapping of PUBLIC'],
    [PUBLIC => '', 'PUBLIC\'s mapping, empty, at a superuser\'s server'])
{
    my ($user, $mapping, $name) = @$_;
    my $count = arrived();
    make_good('postgres', $user => $mapping);
    my $got = check('good', 'SET ROLE jim');
    like($got, qr/^ok: /, $name);
    is( arrived(),
        $mapping ? $count + 3 : $count,
        $mapping
        ? '… three questions to the machine'
        : '… the web identity of the environment comes before the instance');
}
make_good('postgres', postgres => '');
like(check('good'), qr/^ok: /, 'a superuser\'s own mapping, empty');

done_testing();
