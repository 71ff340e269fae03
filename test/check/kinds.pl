#!/usr/bin/perl
# A provider is sent secrets of its own kinds only (promise 6). A user mapping and a server that do
# not fit come together by a dump of an older version, by two sessions at once, or by the server's
# owner. Nothing is sent then, and batch_check and the job say why.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/../lib";
use Cluster;
use Provider;
use Test::More;

$ENV{BATCHINF_TEST_KEY} = 'sk-of-the-environment';
Cluster::as_postgres();

my $dir = $Cluster::dir;
my $sim = Cluster::Sim->new;
my $cluster = Cluster->new(
    'main',
    "shared_preload_libraries = 'batchinf'",
    'batchinf.enabled = off',
    "batchinf.allowed_http_hosts = '127.0.0.1'",
    "batchinf.connect_timeout = '2s'");

sub root { return $cluster->do_sql('postgres', 'SET client_min_messages = error', @_) }
sub as { my ($role, @sql) = @_; return $cluster->sql('postgres', "SET ROLE $role", @sql) }

# Works until the answer of a query is as wanted; the last answer.
sub work_until {
    my ($wanted, $sql) = @_;
    return poll($wanted, 60, sub { root("CALL batch_work('1 s')"); root($sql) });
}
sub asked { return scalar @{$sim->call('GET', 'requests')} }

my ($document) = Provider::server_sql($Provider::by_name{vertex}, 'x', $sim->url) =~
    /service_account '((?:[^']|'')*)'/;
for (["$dir/key", 'sk-of-a-file'], ["$dir/document", $document =~ s/''/'/gr]) {
    open my $file, '>', $_->[0] or die $!;
    print $file $_->[1];
    close $file;
}
my $client = "tenant_id 'sim-tenant', client_id 'sim-client'";
my $aws =
    "access_key_id 'AKIDEXAMPLE', secret_access_key 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY'";
my %kinds = (
    'api_key' => "api_key 'sk-sim'",
    'api_key_file' => "api_key_file '$dir/key'",
    'api_key_env' => "api_key_env 'BATCHINF_TEST_KEY'",
    'client_secret' => "$client, client_secret 'sim-secret~1&='",
    'client of a file' => "$client, api_key_file '$dir/key'",
    'service_account' => "service_account '$document'",
    'service_account_file' => "service_account_file '$dir/document'",
    'access_key_id' => $aws,
    'session_token' => "$aws, session_token 'token-of-a-session'",
    'credential_source' => "credential_source 'instance'",);
my @keys = qw(api_key api_key_file api_key_env);
my %takes = (
    openai => [@keys],
    anthropic => [@keys],
    gemini => [@keys],
    azure_openai => [@keys, 'client_secret', 'client of a file'],
    bedrock => [@keys, qw(access_key_id session_token credential_source)],
    vertex => [qw(service_account service_account_file credential_source)],);

# pg_dump switches this off, and so a dump of a version that took all of them is restored.
my $restore = 'SET check_function_bodies = off';
root(
    'CREATE EXTENSION batchinf',
    'CREATE ROLE jim',
    'CREATE ROLE ann',
    'GRANT USAGE ON FOREIGN DATA WRAPPER batchinf TO jim',
    'CREATE SCHEMA ann AUTHORIZATION ann');

# ---- each kind of secret at each provider ----

my @jobs;
for my $provider (@Provider::all) {
    my $name = $provider->{name};
    my %own = map { $_ => 1 } @{$takes{$name}};
    for my $kind (grep { !$own{$_} } sort keys %kinds) {
        my $server = "${name}_" . $kind =~ s/ /_/gr;
        root(
            Provider::server_sql($provider, $server, $sim->url),
            "DROP USER MAPPING FOR CURRENT_USER SERVER $server",
            "GRANT USAGE ON FOREIGN SERVER $server TO ann");
        like(
            $cluster->sql(
                'postgres', "CREATE USER MAPPING FOR ann SERVER $server OPTIONS ($kinds{$kind})"),
            regex(
                qr/ERROR:  invalid option "\w+" for provider "$name"\n.*Valid options in /s,
                qr/this context are: /s),
            "$name takes no $kind");
        root($restore,
            "CREATE USER MAPPING IF NOT EXISTS FOR ann SERVER $server OPTIONS ($kinds{$kind})");
        like(
            as('ann', "SELECT status || ': ' || detail FROM batch_check('$server')"),
            regex(
                qr/^bad_key: the user mapping has option "\w+", /,
                qr/which provider "$name" does not take; valid options are "/),
            "$name: … nor is a $kind used");
        as('ann', "SELECT batch_submit('SELECT 1 AS id', server => '$server', prompt => '{{id}}')");
        push @jobs, $server;
    }
}
cmp_ok(scalar @jobs, '==', 37, 'a job with each');
is( work_until(
        scalar @jobs,
        "SELECT count(*) FROM batch_jobs j JOIN batch_chunks c USING (job_id) "
            . "WHERE c.waiting_for ~ ('^no key for server \"' || j.server || '\": "
            . "the user mapping has option')"),
    scalar @jobs,
    '… waits, and says why');
is(asked(), 0, 'promise 6: nothing was sent to anybody');

# ---- the owner of a server, who wants its users' secrets ----

my $elsewhere = Cluster::Sim->new;
my $url = $elsewhere->url;
root(
    Provider::server_sql($Provider::by_name{vertex}, 'jims', $sim->url),
    'DROP USER MAPPING FOR CURRENT_USER SERVER jims',
    'GRANT USAGE ON FOREIGN SERVER jims TO ann',
    'ALTER SERVER jims OWNER TO jim');
is(as('ann', "CREATE USER MAPPING FOR ann SERVER jims OPTIONS ($kinds{service_account})"),
    '', 'a key of Google\'s at a server of somebody else\'s');
for my $provider (qw(openai anthropic gemini)) {
    like(
        as( 'jim',
            "ALTER SERVER jims OPTIONS (SET provider '$provider', SET base_url '$url', "
                . "DROP project, DROP location, DROP storage_url, DROP storage_base_url)"),
        regex(
            qr/ERROR:  cannot change the provider of server "jims" because it has user /s,
            qr/mappings\n.*HINT/s),
        "its owner does not make it one of $provider");
}
as('ann', "SELECT status FROM batch_check('jims')");
is(scalar @{$elsewhere->call('GET', 'requests')}, 0, '… where the key would have gone as it is');

# A mapping that is not committed yet is not seen; the use of it is refused all the same.
as('ann', 'DROP USER MAPPING FOR ann SERVER jims');
my $changed =
    q{SELECT FROM pg_foreign_server WHERE srvname = 'jims' AND srvoptions @> '{provider=openai}'};
my $beside = $cluster->beside(
    'postgres',
    'SET ROLE ann',
    'BEGIN',
    "CREATE USER MAPPING FOR ann SERVER jims OPTIONS ($kinds{service_account})",
    "SET statement_timeout = '30s'",
    "DO \$\$BEGIN WHILE NOT EXISTS ($changed) LOOP PERFORM pg_sleep(0.02); END LOOP; END\$\$",
    'COMMIT');
is( $cluster->poll_sql(
        'postgres',
        "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'DO %WHILE%' "
            . "AND pid <> pg_backend_pid()",
        1),
    1,
    'a mapping that is not committed');
is( as( 'jim',
        "ALTER SERVER jims OPTIONS (SET provider 'openai', SET base_url '$url', "
            . "DROP project, DROP location, DROP storage_url, DROP storage_base_url)"),
    '',
    '… does not keep the provider');
is(Cluster::output($beside), '', '… and both commit');
like(
    as('ann', "SELECT status || ': ' || detail FROM batch_check('jims')"),
    regex(
        qr/^bad_key: the user mapping has option "service_account", /,
        qr/which provider "openai" does not take/),
    '… batch_check refuses');
as('ann', "SELECT batch_submit('SELECT 1 AS id', server => 'jims', prompt => '{{id}}')");
is( work_until(
        't',
        "SELECT c.waiting_for ~ 'does not take' FROM batch_jobs j "
            . "JOIN batch_chunks c USING (job_id) WHERE j.server = 'jims'"),
    't',
    '… and so does a job');
is(scalar @{$elsewhere->call('GET', 'requests')}, 0, 'promise 6: … the key has not left');

# ---- who gives the command is nobody special ----

# A search path of the caller's, with everything of pg_catalog's in it that the check could use, is
# of no effect; nor is what it may not do.
is( as( 'jim',
        'CREATE TEMP TABLE pg_user_mapping (umserver oid)',
        'CREATE TEMP TABLE pg_foreign_server (srvname name)',
        'SET search_path = pg_temp, pg_catalog',
        "ALTER SERVER jims OPTIONS (SET provider 'anthropic')") =~ s/\n.*//sr,
    'ERROR:  cannot change the provider of server "jims" because it has user mappings',
    'tables of the caller\'s stand before nothing');
like(
    as('jim', 'ALTER EVENT TRIGGER batchinf_check_command DISABLE'),
    qr/ERROR:  must be owner of event trigger/,
    'nobody but a superuser disables the event trigger');
like(
    as('jim', $restore, "ALTER SERVER jims OPTIONS (SET provider 'anthropic')"),
    qr/ERROR:  cannot change the provider/,
    '… nor does a setting');
like(
    as('jim', 'SET session_replication_role = replica'),
    qr/ERROR:  permission denied/,
    '… nor another');
like(
    as('ann', "ALTER SERVER jims OPTIONS (SET provider 'openai')"),
    qr/ERROR:  must be owner of foreign server jims/,
    'a stranger hears that it is a stranger');
is($cluster->log_count('PANIC|TRAP|terminated by signal'), 0, 'nothing odd in the log');
done_testing();
