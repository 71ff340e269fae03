#!/usr/bin/perl
# Jobs with the machine's own credentials, from each source of AWS: renewed before they end, given
# again unchanged, not renewable, revoked, refused. Afterwards no trace of them is found anywhere.
# lib/machine.c gives the machine metadata services, which the simulator plays.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/../lib";
use Cluster;
use IO::Socket::INET;
use Machine;
use Test::More;

Cluster::as_postgres();
my $dir = $Cluster::dir;
my $sim = Cluster::Sim->new;
my $url = $sim->url;
my @marks = (
    'SimSecret', 'SimSession', 'SimImds', 'sim.web.identity-token',
    'sim.pod-token', 'wJalrXUtnFEMI', 'TOK/EN', 'BEDROCK_API_KEY');
my @clusters;

sub write_file {
    my ($name, $text) = @_;
    open my $file, '>', "$dir/$name" or die $!;
    print $file $text;
    close $file;
    return "$dir/$name";
}

# A cluster on a machine with these variables, and a port of its metadata services.
sub machine {
    my ($name, $port, %variables) = @_;
    my $cluster = Machine::with(
        $port,
        \%variables,
        sub {
            Cluster->new(
                $name,
                "shared_preload_libraries = 'batchinf'",
                'batchinf.enabled = off',
                "batchinf.connect_timeout = '5s'");
        });
    $cluster->do_sql('postgres', 'CREATE EXTENSION batchinf', 'CREATE ROLE jim');
    push @clusters, $cluster;
    return $cluster;
}

# A server of Bedrock with PUBLIC's mapping, and a job at it: its id.
sub server {
    my ($cluster, $name, $mapping, $more) = @_;
    my $options =
          "provider 'bedrock', model 'us.amazon.nova-lite-v1:0', region 'us-east-1', "
        . "role_arn 'arn:aws:iam::123456789012:role/BedrockBatch', "
        . "storage_url 's3://batch/$name', min_requests '1', poll_interval '1', "
        . "base_url '$url', storage_base_url '$url', authority_url '$url'"
        . ($more || '');
    $cluster->do_sql(
        'postgres',
        "CREATE SERVER $name FOREIGN DATA WRAPPER batchinf OPTIONS ($options)",
        "GRANT USAGE ON FOREIGN SERVER $name TO jim",
        "CREATE USER MAPPING FOR PUBLIC SERVER $name" . ($mapping ? " OPTIONS ($mapping)" : ''));
}

sub job {
    my ($cluster, $name, @as) = @_;
    return $cluster->do_sql('postgres', @as,
              "SELECT batch_submit(\$\$SELECT i, 'text ' || i FROM generate_series(1, 3) i\$\$, "
            . "server => '$name', prompt => '{{?column?}}')");
}

# batch_work beside the test, until no job is left: its process, which ends with the cluster.
sub begin_work {
    my ($cluster, $seconds) = @_;
    my $pid = fork // die $!;
    return $pid if $pid;
    open STDERR, '>', '/dev/null';
    exec("$Cluster::bin/psql", '-XAtq', $cluster->connection, '-d', 'postgres', '-c',
        "CALL batch_work('$seconds s')")
        or die $!;
}

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

sub work_until_waits {
    my ($cluster, $for) = @_;
    return poll($for, 60,
        sub { $cluster->do_sql('postgres', "CALL batch_work('1 s')"); waiting($cluster) });
}
sub asked { return $sim->ledger->{requests}{$_[0]} || 0 }

sub requests {
    my ($pattern) = @_;
    return grep { "$_->{method} $_->{path}" =~ $pattern } @{$sim->call('GET', 'requests')};
}

my $role = 'arn:aws:iam::123456789012:role';
my $bedrock_role = {"$role/BedrockBatch" => {}};
my $web_file = write_file('web', "sim.web.identity-token\n");
my %web = (AWS_WEB_IDENTITY_TOKEN_FILE => $web_file, AWS_ROLE_ARN => "$role/BatchCaller");

# ---- every source, over three lives of the credentials; some are given again, some not at all ----

$sim->config(
    {   bedrock_min_records => 1,
        batch_seconds => 17,
        aws_session_seconds => 8,
        aws_containers => {
            '/v2/credentials/sim-task' => {role => "$role/BatchCaller"},
            '/v2/credentials/same' => {role => "$role/Same"},
            '/v2/credentials/lost' => {role => "$role/Lost"},},
        aws_roles => {
            %$bedrock_role,
            "$role/BatchCaller" => {},
            "$role/Same" => {session_seconds => 32, session_share => 1},
            "$role/Lost" => {session_seconds => 22, session_share => 0}},});
my $all = machine(
    'all', $sim->port, %web,
    AWS_ACCESS_KEY_ID => 'ASIAEXAMPLE',
    AWS_SECRET_ACCESS_KEY => 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY',
    AWS_SESSION_TOKEN => 'TOK/EN==',
    AWS_BEARER_TOKEN_BEDROCK => 'BEDROCK_API_KEY',
    AWS_CONTAINER_CREDENTIALS_RELATIVE_URI => '/v2/credentials/sim-task');
my $same =
    machine('same', $sim->port, AWS_CONTAINER_CREDENTIALS_RELATIVE_URI => '/v2/credentials/same');
my $lost =
    machine('lost', $sim->port, AWS_CONTAINER_CREDENTIALS_RELATIVE_URI => '/v2/credentials/lost');
server($all, $_, "credential_source '$_'") for qw(environment web_identity container instance);
server($all, 'chain', '');
job($all, $_) for qw(environment web_identity container instance);
job($all, 'chain', 'SET ROLE jim');
server($same, 'same', '');
job($same, 'same');
server($lost, 'lost', '');
job($lost, 'lost');
# While a step with several requests is under way, the same credentials are given again: half a
# minute less a delay of the first deletion.
$sim->fault('DELETE', '/batch/same/', {delay_ms => 9000});
my @work = map { begin_work($_, 90) } $all, $same, $lost;
poll(1, 20, sub { scalar requests(qr{^GET /v2/credentials/lost}) });
$sim->fault('GET', '/v2/credentials/lost', {status => 500}, times => 'always');
my $activity = '';
poll(
    qr/^(?!.*(submitted|running|queued))/,
    60,
    sub {
        $activity .= $all->sql('postgres', 'SELECT * FROM pg_stat_activity');
        return join ' ', map { states($_) } $all, $same, $lost;
    });
waitpid $_, 0 for @work;

is( states($all),
    join(', ', map {"$_ completed 3"} qw(environment web_identity container instance chain)),
    'a job with the credentials of each source, and one with PUBLIC\'s mapping that names none');
cmp_ok(asked('sts AssumeRoleWithWebIdentity'), '>=', 3, 'the web identity\'s were renewed');
cmp_ok(scalar(requests(qr{^GET /v2/credentials/sim-task})),
    '>=', 3, 'the container\'s were renewed');
cmp_ok(asked('imds credentials'), '>=', 3, 'the instance\'s were renewed');
is( join(' ',
        map {"$_->{status} $_->{path}"}
        grep { $_->{path} !~ m{/lost} && ($_->{status} || 0) >= 400 } requests(qr/./)),
    '',
    '… before their end: no request was refused');
is( scalar(
        grep { $_->{headers}{authorization} =~ /_KEY$/ } requests(qr{^GET /model-invocation-job/})
    ) > 0,
    1,
    'the environment\'s API key proves who we are at Bedrock');
is(states($same), 'same completed 3', 'renewed credentials that are the old ones');
cmp_ok(scalar(requests(qr{^GET /v2/credentials/same})),
    '>=', 2, '… which were asked for in the middle of a step');
is(states($lost), 'lost completed 3', 'credentials that cannot be renewed do until their end');
cmp_ok(
    $lost->log_count(
        regex(
            qr/could not renew the login at server "lost", which is still good: /,
            qr/the container's credentials endpoint gives none/)),
    '>=', 1,
    '… and the log says so');
$sim->clear;

# ---- revoked, refused, and good again ----

$sim->config({batch_seconds => 3, aws_session_seconds => 3600});
job($all, 'web_identity');
my $work = begin_work($all, 60);
poll('web_identity running 0', 20, sub { last_state($all) });
$sim->config(
    {   aws_sessions_since => sprintf(
            '%sZ',
            $all->sql(
                'postgres',
                q{SELECT to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS')}))});
waitpid $work, 0;
is( last_state($all),
    'web_identity completed 3',
    'credentials that are revoked: others are had, and the job goes on');
cmp_ok(scalar(grep { ($_->{status} || 0) == 403 } requests(qr/./)), '>=', 1, '… after a refusal');

$sim->config({aws_web_identity_tokens => {'sim.web.identity-token' => {roles => []}}});
job($all, 'web_identity');
like(
    work_until_waits($all, qr/STS/),
    qr/AccessDenied: STS gives no credentials for role \S+: .*trust policy must name/,
    'who must do what, where the role does not trust the token');
like(
    $all->sql('postgres', "SELECT status || ': ' || detail FROM batch_check('web_identity')"),
    qr/^bad_key: HTTP status 403: STS gives no credentials/,
    '… and batch_check tells it too');
$sim->fault(
    'POST', '^/$',
    {   status => 400,
        body => '<ErrorResponse><Error><Code>InvalidIdentityToken</Code><Message>The token '
            . 'sim.web.identity-token is bad</Message></Error></ErrorResponse>'},
    times => 'always');
like(
    work_until_waits($all, qr/InvalidI/),
    qr/InvalidIdentityToken: .*The token \*+ is bad/,
    'a token that the reply quotes is not repeated');
$sim->clear;
$sim->config({aws_web_identity_tokens => {'sim.new-token' => {roles => ["$role/BatchCaller"]}}});
write_file('web', 'sim.new-token');
$all->do_sql('postgres', "CALL batch_work('60 s')");
is(last_state($all), 'web_identity completed 3', 'a new token in the file is taken by itself');

# ---- a worker, for a job of an ordinary user ----

$all->configure('batchinf.enabled = on');
$all->do_sql('postgres', 'SELECT pg_reload_conf()');
job($all, 'instance', 'SET ROLE jim');
is( poll('instance completed 3', 30, sub { last_state($all) }),
    'instance completed 3',
    'a worker has the environment too');

# ---- a machine that is none ----

my $silent = IO::Socket::INET->new(Listen => 5, LocalAddr => '127.0.0.1') or die $!;
my $closed = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1') or die $!;
my $closed_port = $closed->sockport;
close $closed;
for (
    [   silent => $silent->sockport,
        qr/^unreachable: could not ask the instance's metadata service: .*hop limit/],
    [   none => $closed_port,
        regex(
            qr/^bad_key: no credentials found: looked at the user mapping, /,
            qr/the environment, .* could not ask the instance's metadata service/)])
{
    my ($name, $port, $words) = @$_;
    my $cluster = machine($name, $port);
    server($cluster, $name, '');
    my ($got, $seconds) = timed(
        sub {
            $cluster->sql('postgres', "SELECT status || ': ' || detail FROM batch_check('$name')");
        });
    like($got, $words, "$name: words");
    cmp_ok($seconds, '<', 10, '… soon');
    $cluster->do_sql('postgres', $sim->server_sql('openai'));
    job($cluster, $name);
    job($cluster, 'openai');
    begin_work($cluster, 8);
    is( $cluster->poll_sql(
            'postgres', "SELECT state FROM batch_jobs WHERE server = 'openai'",
            'completed', 15),
        'completed',
        '… another server\'s job is not held up');
}
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
like($activity, qr/batch_work|batchinf/, '… though activity was looked at');

done_testing();
