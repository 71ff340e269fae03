#!/usr/bin/perl
# Logins at Google end to end: each kind of credential over several lives of its tokens, the words
# for a refusal, an account that is disabled in between, and the hosts to which a user's document
# may send requests. Afterwards no trace of keys is found. lib/machine.c gives the machine metadata
# services, which the simulator plays.
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
my $sim = Cluster::Sim->new;
my $url = $sim->url;
my $account = 'batch@proj-1.iam.gserviceaccount.com';
my $pool =
      '//iam.googleapis.com/projects/123456789012/locations/global/'
    . 'workloadIdentityPools/pool/providers/sim';
my $identity = '/computeMetadata/v1/instance/service-accounts/default/identity'
    ;    # gives a subject token, where the simulator is told so

sub write_file {
    my ($name, $text) = @_;
    open my $file, '>', "$dir/$name" or die $!;
    print $file $text;
    close $file;
    return "$dir/$name";
}

# Credentials of the simulator, with changes.
sub document {
    my ($query, %more) = @_;
    return {%{$sim->call('GET', "google_credentials?$query")}, %more};
}
my $json = JSON::PP->new->canonical;
sub inline { return "service_account '" . $json->encode($_[0]) =~ s/'/''/gr . "'" }

my $subject = write_file('subject', "sim-subject-token\n");
my $key = document('type=service_account');
my $key_file = write_file('key.json', $json->encode($key));
my $impersonating = document("type=external_account&file=$subject",
    service_account_impersonation => {token_lifetime_seconds => 8});
my $direct = {%$impersonating};
delete $direct->{service_account_impersonation_url};
my $from_url = {
    %$direct,
    credential_source => {
        url => "$url$identity",
        headers => {'X-Identity' => 'sim.identity-header'},
        format => {type => 'json', subject_token_field_name => 'value'}}};
my $user =
    document('type=authorized_user', token_uri => "$url/token", quota_project_id => 'proj-1');
my @marks = (
    'BEGIN PRIVATE',
    substr($key->{private_key}, 100, 40),
    'eyJ', 'ya29.',
    $user->{refresh_token},
    $user->{client_secret},
    'sim-subject-token', 'sim.identity-header');

# A cluster on a machine with these variables.
my @clusters;

sub machine {
    my ($name, %variables) = @_;
    my $cluster = Machine::with(
        $sim->port,
        \%variables,
        sub {
            Cluster->new(
                $name,
                "shared_preload_libraries = 'batchinf'",
                'batchinf.enabled = off',
                "batchinf.connect_timeout = '5s'");
        });
    $cluster->do_sql(
        'postgres',
        'CREATE EXTENSION batchinf',
        'CREATE ROLE jim',
        'GRANT USAGE ON FOREIGN DATA WRAPPER batchinf TO jim');
    push @clusters, $cluster;
    return $cluster;
}
my $all = machine('all', GOOGLE_APPLICATION_CREDENTIALS => $key_file);
my $vm = machine('vm');

# A server of Vertex AI with that mapping, of that user.
sub server {
    my ($cluster, $name, $mapping, $user, $more) = @_;
    $cluster->do_sql(
        'postgres',
        'SET client_min_messages = warning',
        "DROP SERVER IF EXISTS $name CASCADE",
        "CREATE SERVER $name FOREIGN DATA WRAPPER batchinf OPTIONS (provider 'vertex', "
            . "model 'gemini-3.5-flash-lite', project 'proj-1', location 'us-central1', "
            . "storage_url 'gs://batch/$name', poll_interval '1', "
            . "settle_time '1', base_url '$url', storage_base_url '$url'"
            . ($more || '') . ')',
        "GRANT USAGE ON FOREIGN SERVER $name TO jim",
        'CREATE USER MAPPING FOR '
            . ($user || 'PUBLIC')
            . " SERVER $name"
            . ($mapping ? " OPTIONS ($mapping)" : ''));
}

sub job {
    my ($cluster, $name, @as) = @_;
    return $cluster->do_sql('postgres', @as,
              "SELECT batch_submit(\$\$SELECT i, '$cluster->{data} $name ' || i "
            . "FROM generate_series(1, 3) i\$\$, server => '$name', prompt => '{{?column?}}')");
}
sub begin_work { return $_[0]->beside('postgres', "CALL batch_work('$_[1] s')") }

sub states {
    return $_[0]->sql('postgres',
              "SELECT string_agg(server || ' ' || state || ' ' || succeeded, ', ' ORDER BY job_id) "
            . "FROM batch_jobs");
}

sub last_state {
    return $_[0]->sql('postgres',
              "SELECT server || ' ' || state || ' ' || succeeded FROM batch_jobs "
            . "ORDER BY job_id DESC LIMIT 1");
}

sub waiting {
    return $_[0]->sql('postgres',
        "SELECT string_agg(waiting_for, ', ') FROM batch_chunks WHERE waiting_for IS NOT NULL");
}

sub check {
    my ($cluster, $name, @as) = @_;
    return $cluster->sql('postgres', @as,
        "SELECT status || ': ' || detail FROM batch_check('$name')");
}

sub requests {
    my ($pattern) = @_;
    return grep { "$_->{method} $_->{path}" =~ $pattern } @{$sim->call('GET', 'requests')};
}

sub answer_identity {
    $sim->fault(
        'GET',
        "^$identity\$",
        {   status => 200,
            body => $json->encode({value => $_[0]}),
            headers => {'Content-Type' => 'application/json'}},
        times => 'always');
}

# ---- each kind of credential, over several lives of its tokens ----

answer_identity('sim-subject-token');
$sim->config({google_token_seconds => 8, batch_seconds => 17});
server($all, 'inline', inline($key));
server($all, 'file', "service_account_file '$key_file'");
server($all, 'environment', "credential_source 'environment'");
server($all, 'refreshed', inline($user));
server($all, 'federated', inline($direct));
server($all, 'impersonating', inline($impersonating));
server($all, 'from_url', inline($from_url));
server($all, 'chain', '');
server($all, 'elsewhere', inline({%$key, token_uri => 'https://oauth2.googleapis.com/token'}),
    undef, ", authority_url '$url/'");
server($vm, 'instance', "credential_source 'instance'");
server($vm, 'chain', '');
my @kinds = qw(inline file environment refreshed federated impersonating from_url elsewhere);
job($all, $_) for @kinds;
job($all, 'chain', 'SET ROLE jim');
job($vm, 'instance');
job($vm, 'chain', 'SET ROLE jim');
my @work = map { begin_work($_, 120) } $all, $vm;
my $activity = '';
poll(
    qr/^(?!.*(submitted|running|queued))/,
    90,
    sub {
        $activity .= $all->sql('postgres', 'SELECT * FROM pg_stat_activity');
        return join ' ', map { states($_) } $all, $vm;
    });
Cluster::output($_) for @work;
is( states($all),
    join(', ', map {"$_ completed 3"} @kinds, 'chain'),
    'a job with each kind of credential');
is(states($vm), 'instance completed 3, chain completed 3', 'and with the machine\'s own');
cmp_ok(scalar(requests(qr{^POST /token$})), '>=', 8, 'tokens for keys were renewed');
cmp_ok(scalar(requests(qr{^POST /v1/token$})), '>=', 6, 'federated ones too');
cmp_ok(scalar(requests(qr{^POST /v1/projects/-/serviceAccounts/})),
    '>=', 2, 'and those of an account that is impersonated');
cmp_ok(scalar(requests(qr{^GET /computeMetadata/.*/token})), '>=', 3, 'and the machine\'s');
is( join(' ', map {"$_->{status} $_->{path}"} grep { ($_->{status} || 0) >= 400 } requests(qr/./)),
    '',
    'before their end: no request was refused');
is( join(
        ' ',
        sort { $a cmp $b } keys %{
            {   map { ($_->{headers}{'x-goog-user-project'} // 'none') => 1 }
                    requests(qr/batchPredictionJobs/)}}),
    'none proj-1',
    'a document\'s project pays for its own requests only');
is($sim->ledger->{content_billed_again}, 0, 'nothing was paid for twice');

# ---- what is said where a login is refused ----

$sim->config({google_token_seconds => 3600, batch_seconds => 0.1});
my $fine = qr/^ok: token, project, location and bucket are good/;

sub refused {
    my ($name, $document, $words, $config, $back) = @_;
    server($all, 'bad', inline($document));
    $sim->config($config) if $config;
    like(check($all, 'bad'), $words, $name);
    $sim->config($back) if $back;
}
refused('a login that is not refused', $key, $fine);
refused(
    'a clock that is behind',
    $key,
    qr/^bad_key: HTTP status 400: Invalid JWT: .*\(the clock of the database server is wrong\)/,
    {google_clock_ms => 2 * 3600e3},
    {google_clock_ms => 0});
refused(
    'a clock that is ahead',
    $key,
    qr/^bad_key: HTTP status 400: .*\(the clock of the database server is wrong\)/,
    {google_clock_ms => -2 * 3600e3},
    {google_clock_ms => 0});
my $other = Cluster::run('openssl', 'genpkey', '-quiet', '-algorithm', 'RSA', '-pkeyopt',
    'rsa_keygen_bits:2048');
refused(
    'another key',
    {%$key, private_key => $other},
    regex(
        qr/^bad_key: HTTP status 400: Invalid JWT Signature\. /,
        qr/\(the private key was deleted, or is another account's/));
refused(
    'a key that is none',
    {%$key, private_key => 'MIIE'},
    qr/^bad_key: the private key is not in PEM form$/);
refused(
    'an account that is not there',
    {%$key, client_email => 'nobody@proj-1.iam.gserviceaccount.com'},
    regex(
        qr/^bad_key: HTTP status 400: Invalid grant: /,
        qr/account not found \(the service account does not exist/));
refused(
    'an account that is disabled',
    $key,
    qr/^bad_key: HTTP status 400: .*disabled \(an administrator of the project can enable/,
    {google_service_accounts => {$account => {disabled => JSON::PP::true}}},
    {google_service_accounts => {$account => {}}});
refused(
    'a user who has gone',
    {%$user, refresh_token => '1//another'},
    qr/^bad_key: HTTP status 400: Bad Request$/);
my $client = {%{$sim->call('GET', 'config')->{google_users}{$user->{client_id}}}};
refused(
    'a user who was revoked',
    $user,
    qr/^bad_key: HTTP status 400: Token has been expired or revoked\. \(log in again/,
    {   google_users => {
            $user->{client_id} => {
                %$client,
                refresh_tokens => {
                    $user->{refresh_token} =>
                        {email => 'user@example.com', revoked => JSON::PP::true}}}}},
    {google_users => {$user->{client_id} => $client}});
refused(
    'a client\'s wrong secret',
    {%$user, client_secret => 'another-secret'},
    qr/^bad_key: HTTP status 401: Unauthorized \(the client of these credentials/);
refused(
    'another pool',
    {%$direct, audience => "$pool-2"},
    regex(
        qr/^bad_key: HTTP status 400: The target service .*\(is "audience" the workload /,
        qr/identity provider's/));
refused(
    'an account that may not be impersonated',
    {   %$impersonating,
        service_account_impersonation_url => "$url/v1/projects/-/serviceAccounts/"
            . 'other@proj-1.iam.gserviceaccount.com:generateAccessToken'},
    regex(
        qr/^bad_key: HTTP status 403: Permission 'iam.serviceAccounts.getAccessToken' /,
        qr/denied .*\(the federated identity lacks role/));
write_file('subject', 'sim-other-token');
refused(
    'a subject token that nobody knows',
    $direct,
    regex(
        qr/^bad_key: HTTP status 400: The credential could not be verified .*\(the subject /,
        qr/token is not of the identity provider/));
write_file('subject', 'sim-subject-token');
refused('a new token in the file is taken by itself', $direct, $fine);
refused(
    'a file that is not there',
    {%$direct, credential_source => {file => "$dir/nothing"}},
    qr/^bad_key: no subject token: could not read file .*No such file/);
$sim->clear;
answer_identity('two words');
refused('an address that gives no token',
    $from_url,
    qr/^provider_error: HTTP status 200: HTTP status 200 with a body that is not a token/);
$sim->fault(
    'POST',
    '^/token$',
    {   status => 400,
        body => $json->encode(
            {error => 'invalid_grant', error_description => "no: $key->{private_key}"})});
refused('a key that the reply quotes is not repeated', $key,
    qr/^bad_key: HTTP status 400: no: \*+/);
$sim->config({google_metadata_account => undef});
server($vm, 'bad', "credential_source 'instance'");
like(
    check($vm, 'bad'),
    qr/^bad_key: HTTP status 404: the machine has no service account/,
    'a machine without an account');
$sim->config({google_metadata_account => $account});
$sim->clear;

# ---- an account that is disabled while its job runs ----

$sim->config({google_token_seconds => 4, batch_seconds => 12});
job($all, 'file');
my $work = begin_work($all, 90);
poll('file running 0', 20, sub { last_state($all) });
$sim->config({google_service_accounts => {$account => {disabled => JSON::PP::true}}});
like(
    poll(qr/disabled/, 30, sub { waiting($all) }),
    regex(
        qr/invalid_grant: Invalid grant: account is disabled \(an administrator of the /,
        qr/project can enable the account again\)/),
    'an account is disabled: the chunk waits, and says why');
$sim->config({google_service_accounts => {$account => {}}});
Cluster::output($work);
is(last_state($all), 'file completed 3', 'enabled again: the job goes on by itself');
is($sim->ledger->{content_billed_again},
    3, 'and is paid for once: so often had these questions been asked before');

# ---- promise 6: whither a document sends requests ----

$sim->reset;
my $count = @{$sim->call('GET', 'requests')};

sub elsewhere {
    my ($name, $document) = @_;
    server($all, 'jims', inline($document), 'jim');
    like(
        check($all, 'jims', 'SET ROLE jim'),
        qr/^unreachable: .*(by https only|not allowed)/,
        "an ordinary user's document: $name");
}
for my $place (
    $url, 'https://127.0.0.1:' . $sim->port,
    'http://169.254.169.254', 'https://169.254.169.254', 'https://instance.machine.test',
    'http://[fd20:ce::254]', 'https://10.0.0.1')
{
    elsewhere("token_uri $place", {%$key, token_uri => "$place/token"});
}
elsewhere('token_uri of a user', {%$user, token_uri => "$url/token"});
elsewhere('the address of a subject token', $from_url);
elsewhere(
    'Azure\'s metadata service',
    {   %$from_url,
        credential_source => {
            url => 'http://169.254.169.254/metadata/identity/oauth2/token',
            headers => {Metadata => 'True'}}});
server($all, 'jims', inline($direct), 'jim');
like(
    check($all, 'jims', 'SET ROLE jim'),
    qr/^bad_key: what the machine has may be used where/,
    'nor is a file read for him');
server($all, 'jims', inline({type => 'instance', url => $url}), 'jim');
like(
    check($all, 'jims', 'SET ROLE jim'),
    qr/^bad_key: only credentials of the types/,
    'nor may a document mean the machine');
server($all, 'jims', '', 'jim');
like(
    check($all, 'jims', 'SET ROLE jim'),
    qr/^bad_key: the user mapping has neither option/,
    'nor an empty mapping of his own');
is(scalar(@{$sim->call('GET', 'requests')}), $count, 'not one of these requests has left');
server($all, 'jims', inline({%$key, token_uri => 'https://oauth2.googleapis.com/token'}),
    'jim', ", authority_url '$url'");
like(check($all, 'jims', 'SET ROLE jim'),
    $fine, 'while the server\'s own authority_url is as good as its base_url');
answer_identity('sim-subject-token');
server(
    $all, 'supers',
    inline(
        {   %$from_url,
            credential_source => {
                url => "http://169.254.169.254$identity",
                format => {type => 'json', subject_token_field_name => 'value'}}}),
    'postgres');
like(check($all, 'supers'),
    $fine, 'and a superuser\'s document may ask for a subject token where machines have theirs');
server($all, 'supers', inline({%$key, token_uri => 'http://169.254.169.254/token'}), 'postgres');
like(check($all, 'supers'), qr/^unreachable: .*not allowed/, 'but not for anything else there');

# ---- keys are gone from memory once they are used ----

# All that a session can write to, as it stands after these commands.
sub memory {
    my (@commands) = @_;
    $all->do_sql(
        'postgres', @commands,
        "COPY (SELECT pg_read_binary_file('/proc/self/mem', address, size)
            FROM regexp_matches(pg_read_file('/proc/self/maps'),
                '^([0-9a-f]+)-([0-9a-f]+) rw-p', 'gn') AS m,
            LATERAL (SELECT ('x' || lpad(m[1], 16, '0'))::bit(64)::bigint,
                ('x' || lpad(m[2], 16, '0'))::bit(64)::bigint) AS r(address, behind),
            LATERAL (SELECT behind - address) AS s(size) WHERE size < 1 << 28)
        TO '$dir/memory' (FORMAT binary)"
    );
    open my $file, '<:raw', "$dir/memory" or die $!;
    local $/;
    return <$file>;
}

sub found { my ($memory, @words) = @_; return scalar grep { index($memory, $_) >= 0 } @words }
my @lines = grep { !/PRIVATE/ } split /\n/, $key->{private_key};
write_file('refreshed.json', $json->encode($user));
server($all, 'refreshed', "service_account_file '$dir/refreshed.json'");
my $memory = memory("SELECT batch_check('file')");
is(found($memory, 'proj-1'), 1, 'the memory of a session that has used a key');
is(found($memory, @lines, 'eyJhbGci'), 0, 'has no line of it, and no assertion');
$memory = memory("SELECT batch_check('refreshed')");
is(found($memory, $user->{client_secret}, $user->{refresh_token}),
    0, 'nor a refresh token and its client\'s secret');
is(found(memory("SELECT '$lines[5]'"), @lines), 1, 'where a line is, it is found');

# ---- no trace ----

for my $cluster (@clusters) {
    my $rows = $cluster->sql(
        'postgres',
        map {"SELECT * FROM $_"}
            qw(batch_jobs batch_chunks batch_records batch_events batch_servers batchinf.job
            batchinf.chunk batchinf.event batchinf.result));
    open my $log, '<', $cluster->{log} or die $!;
    my $text = join '', $rows, $activity, <$log>;
    is(join(' ', grep { index($text, $_) >= 0 } @marks),
        '', 'promise 6: no credential in tables, events, log or activity');
}
done_testing();
