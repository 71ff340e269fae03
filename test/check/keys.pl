#!/usr/bin/perl
# An ordinary user never sees a key that they may only use (promise 6). Whatever they query, render,
# create or alter, the key goes to no host except its server's, and no file or variable of the
# machine is read for them.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/../lib";
use Cluster;
use JSON::PP;
use Provider;
use Test::More;

$ENV{BATCHINF_TEST_KEY} = 'sk-of-the-environment-envi';
Cluster::as_postgres();

my $dir = $Cluster::dir;
my ($public, $own) =
    ('sk-of-public-mapping-publ', 'sk-of-jim-himself-jims');    # logs have the last four characters
my $right = Cluster::Sim->new(map { ('--api-key', $_) } $public, $own);
my $wrong = Cluster::Sim->new(map { ('--api-key', $_) } $public, $own);
my $cluster = Cluster->new(
    'main',
    "shared_preload_libraries = 'batchinf'",
    'batchinf.enabled = off',
    "batchinf.allowed_http_hosts = '127.0.0.1'",
    "batchinf.connect_timeout = '2s'");

my @said;    # all that jim has ever been told
sub root { return $cluster->do_sql('postgres', @_) }

sub jim {
    my $answer = $cluster->sql('postgres', 'SET ROLE jim', 'SET client_min_messages = debug1', @_);
    push @said, "@_\n$answer";
    return $answer;
}

sub tails {
    my ($sim) = @_;
    return join ' ',
        sort { $a cmp $b } keys %{
        {   map { (substr($_->{headers}{authorization} // 'none', -4) => 1) }
                @{$sim->call('GET', 'requests')}}};
}

my $url = $right->url . '/v1';
my $elsewhere = $wrong->url . '/v1';
my $openai = "provider 'openai', model 'gpt-5.4-mini', poll_interval '1'";
root(
    'CREATE EXTENSION batchinf',
    'CREATE ROLE jim',
    'CREATE ROLE ann',
    'GRANT USAGE ON FOREIGN DATA WRAPPER batchinf TO jim',
    'CREATE SCHEMA jim AUTHORIZATION jim',
    "CREATE SERVER shared FOREIGN DATA WRAPPER batchinf OPTIONS ($openai, base_url '$url')",
    "CREATE USER MAPPING FOR PUBLIC SERVER shared OPTIONS (api_key '$public')",
    'GRANT USAGE ON FOREIGN SERVER shared TO jim');

# ---- reading ----

is(jim("SELECT status FROM batch_check('shared')"),
    'ok', 'the key of PUBLIC is good for an ordinary user');
like(jim('SELECT srvname, umoptions FROM pg_user_mappings'),
    qr/^shared\|$/, 'pg_user_mappings shows no options');
jim("SELECT * FROM information_schema.$_")
    for qw(user_mappings user_mapping_options _pg_user_mappings foreign_server_options
    _pg_foreign_servers foreign_servers);
like(
    jim('SELECT * FROM pg_user_mapping'),
    qr/ERROR:  permission denied/,
    'nor may he read pg_user_mapping');
my @relations = split /\n/, root(
    "SELECT c.oid::regclass FROM pg_depend d JOIN pg_class c ON c.oid = d.objid
        WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_extension'::regclass
        AND d.deptype = 'e' AND c.relkind IN ('r', 'v')
    AND d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'batchinf')");
cmp_ok(scalar @relations, '>', 12, 'all tables and views of the extension');
jim("SELECT * FROM $_"), jim("EXPLAIN (ANALYZE, VERBOSE) SELECT * FROM $_") for @relations;
jim("EXPLAIN (ANALYZE, VERBOSE) SELECT * FROM batch_check('shared')");
jim('SELECT * FROM pg_settings',
    'SELECT * FROM pg_stat_activity',
    'SELECT * FROM pg_foreign_server',
    'SELECT * FROM pg_options_to_table((SELECT srvoptions FROM pg_foreign_server))');
jim('CREATE FOREIGN TABLE jim.peek (x text) SERVER shared',
    'EXPLAIN (VERBOSE) SELECT * FROM jim.peek');
jim('IMPORT FOREIGN SCHEMA s FROM SERVER shared INTO jim');
like(
    jim("SELECT batchinf.validator('{api_key=x}', 'pg_user_mapping'::regclass)"),
    qr/ERROR:  permission denied/,
    'nor call the validator');
$right->fault('GET', '/models/',
    {status => 400, body => encode_json({error => {message => "what is $public?"}})});
like(
    jim("SELECT * FROM batch_check('shared')"),
    qr/what is \*+\?/,
    'a reply that quotes the key is told without it');

# ---- rendering ----

my @names = map { ($_, "server.$_", "mapping.$_", "shared.$_") } qw(api_key base_url umoptions);
for my $name (@names) {
    like(jim("SELECT batch_submit('SELECT 1 AS id', server => 'shared', prompt => '{{$name}}')"),
        qr/ERROR/, "a template has columns, and no {{$name}}");
}
my $lines = join ' ', '{{api_key}} {{server.api_key}} $api_key ${api_key} %(api_key)s',
    map {"{{$_}}"} @names;
my %jobs = (
    prompt => "SELECT 1 AS id, '$lines' AS prompt",
    messages => "SELECT 1 AS id, jsonb_build_array(jsonb_build_object('role', 'user', 'content', "
        . "'$lines')) AS messages",
    body => "SELECT 1 AS id, jsonb_build_object('model', 'gpt-5.4-mini', 'messages', "
        . "jsonb_build_array(jsonb_build_object('role', 'user', 'content', '$lines'))) AS body",);
for my $column (sort keys %jobs) {
    like(
        jim("SELECT batch_submit(\$\$$jobs{$column}\$\$, server => 'shared'"
                . (
                $column eq 'body'
                ? ')'
                : ", system_prompt => '{{api_key}}', params => '{\"user\": \"{{api_key}}\", "
                    . "\"base_url\": \"$elsewhere\"}')")),
        qr/^\d+$/m,
        "a job with $column");
}
$right->fault(
    'POST',
    '/batches$',
    {   status => 400,
        body => encode_json(
            {error => {message => "what is $public, please?", type => 'invalid_request_error'}})});
root("CALL batch_work('30 s')");
like(
    jim('SELECT string_agg(DISTINCT detail, $$,$$) FROM batch_events'),
    qr/what is \*+, please/,
    'an event has no key of a reply either');
jim("SELECT * FROM $_") for @relations;
my $sent = encode_json(
    [   (map { { %$_, fault => undef } } @{$right->call('GET', 'requests')}),
        $right->call('GET', 'entries')]);
is(index($sent, $public), -1, 'nothing that was sent has the key in it');
is( join(
        ' ',
        root(
            'SELECT DISTINCT batchinf.job.spec::text LIKE $$%' . $public . '%$$ FROM batchinf.job')
    ),
    'f',
    'nor has what is stored');

# ---- making and altering ----

like(
    jim("ALTER SERVER shared OPTIONS (SET base_url '$elsewhere')"),
    qr/ERROR:  must be owner of foreign server shared/,
    'the server\'s address is its owner\'s');
like(jim($_), qr/ERROR:  (must be owner of|permission denied for) foreign server shared/, $_)
    for 'ALTER SERVER shared OWNER TO jim', 'ALTER SERVER shared RENAME TO jims',
    'DROP SERVER shared CASCADE', 'DROP USER MAPPING FOR PUBLIC SERVER shared',
    "ALTER USER MAPPING FOR PUBLIC SERVER shared OPTIONS (SET api_key 'sk-x')",
    "CREATE USER MAPPING FOR PUBLIC SERVER shared OPTIONS (api_key 'sk-x')",
    "CREATE USER MAPPING FOR ann SERVER shared OPTIONS (api_key 'sk-x')";
like(
    jim('GRANT USAGE ON FOREIGN SERVER shared TO ann'),
    qr/WARNING:  no privileges were granted/,
    'GRANT USAGE ON FOREIGN SERVER shared TO ann');
jim("CREATE SERVER jims FOREIGN DATA WRAPPER batchinf OPTIONS ($openai, base_url '$elsewhere')");
is(jim("SELECT status FROM batch_check('jims')"),
    'no_user_mapping', 'a server of his own has no mapping of another\'s');
jim('CREATE USER MAPPING FOR PUBLIC SERVER jims');
is(jim("SELECT status FROM batch_check('jims')"),
    'bad_key', '… nor has an empty one of PUBLIC there a key');
jim('DROP USER MAPPING FOR PUBLIC SERVER jims',
    "CREATE USER MAPPING FOR jim SERVER jims OPTIONS (api_key '$own')");
is(jim("SELECT status FROM batch_check('jims')"), 'ok', '… his own key goes there');
jim("SELECT batch_submit('SELECT 1 AS id', server => 'jims', prompt => '{{id}}')",
    "SELECT batch_submit('SELECT 1 AS id', server => 'shared', prompt => '{{id}}')");
jim("ALTER SERVER jims RENAME TO shared2", "SELECT batch_adopt(NULL)");
root("CALL batch_work('30 s')");
is(tails($wrong), 'jims', 'the other host has seen his own key only');
is(tails($right), 'publ', '… and the right one that of PUBLIC only');
jim("CREATE USER MAPPING FOR jim SERVER shared OPTIONS (api_key '$own')",
    "SELECT status FROM batch_check('shared')");
is(tails($right), 'jims publ', 'with a mapping of his own at the shared server it is that one');
is(scalar(grep { index($_, $public) >= 0 } @said),
    0, 'promise 6: in ' . @said . ' answers, notices, plans and errors the key never stood');
open my $log, '<', $cluster->{log} or die $!;
is(scalar(grep { index($_, $public) >= 0 } <$log>), 0, '… nor in the log');

# ---- files and variables ----

my %privileged = (
    (map { ($_ => "$dir/secret") } qw(api_key_file service_account_file)),
    api_key_env => 'BATCHINF_TEST_KEY',
    map { ("credential_source $_" => $_) } qw(environment web_identity container instance));
open my $secret, '>', "$dir/secret" or die $!;
print $secret 'sk-of-the-file-file';
close $secret;
for my $provider (@Provider::all) {
    my $name = $provider->{name};
    my $beside = $name eq 'vertex' ? "service_account '{}'" : "api_key 'x'";
    root(
        Provider::server_sql($provider, "s_$name", $right->url),
        "DROP USER MAPPING FOR CURRENT_USER SERVER s_$name",
        "GRANT USAGE ON FOREIGN SERVER s_$name TO jim");
    for my $option (sort keys %privileged) {
        my $word = (split / /, $option)[0];
        my $mapping = "OPTIONS ($word '$privileged{$option}')";
        if ($cluster->sql('postgres', "CREATE USER MAPPING FOR jim SERVER s_$name $mapping") =~
            /ERROR:  invalid option "$word" for provider "$name"/)
        {
            like(
                jim("CREATE USER MAPPING FOR jim SERVER s_$name $mapping"),
                qr/ERROR:  invalid option "$word"/,
                "$name: nobody sets $option");
            next;
        }
        root("DROP USER MAPPING FOR jim SERVER s_$name");
        like(
            jim("CREATE USER MAPPING FOR jim SERVER s_$name $mapping"),
            qr/ERROR:  permission denied to set option "$word"/,
            "$name: an ordinary user sets no $option");
        root("CREATE USER MAPPING FOR jim SERVER s_$name $mapping");
        like(
            jim("ALTER USER MAPPING FOR jim SERVER s_$name OPTIONS (SET $word '/etc/passwd')"),
            qr/ERROR:  permission denied to set option "$word"/,
            "$name: … nor another in what was set for him") if $word ne 'credential_source';
        like(
            jim("ALTER USER MAPPING FOR jim SERVER s_$name OPTIONS (ADD $beside)"),
            qr/ERROR:  permission denied to set option "$word"/,
            "$name: … nor anything beside it");
        root("ALTER SERVER s_$name OWNER TO jim");
        my $before = @{$right->call('GET', 'requests')};
        like(
            jim("SELECT status || ': ' || detail FROM batch_check('s_$name')"),
            qr/^bad_key: .*(pg_read_server_files|no option that gives a key|a source of AWS)/,
            "$name: at a server of his own $option is nobody's");
        is(scalar @{$right->call('GET', 'requests')}, $before, "$name: … and nothing is sent");
        root(
            "ALTER SERVER s_$name OWNER TO postgres",
            "GRANT USAGE ON FOREIGN SERVER s_$name TO jim",
            "DROP USER MAPPING FOR jim SERVER s_$name");
    }
    for my $word (
        "file:$dir/secret", "file://$dir/secret",
        'env:BATCHINF_TEST_KEY', '$BATCHINF_TEST_KEY',
        "\@$dir/secret", "$dir/secret")
    {
        jim("CREATE USER MAPPING FOR jim SERVER s_$name OPTIONS (api_key '$word')",
            "SELECT status FROM batch_check('s_$name')",
            "DROP USER MAPPING FOR jim SERVER s_$name");
    }
}
is(join(' ', grep {/file|envi/} tails($right)),
    '',
    'no word in a key\'s place is a reference: no key of a file or of the environment was sent');
is(scalar(grep {/sk-of-the-(file|environment)/} @said), 0, 'promise 6: nor seen');

# A job whose server goes to another owner meanwhile.
root(
    Provider::server_sql($Provider::by_name{openai}, 'given', $right->url),
    'DROP USER MAPPING FOR CURRENT_USER SERVER given',
    "CREATE USER MAPPING FOR jim SERVER given OPTIONS (api_key_file '$dir/secret')",
    'ALTER SERVER given OWNER TO jim');
jim("ALTER SERVER given OPTIONS (SET base_url '$elsewhere')",
    "SELECT batch_submit('SELECT 1 AS id', server => 'given', prompt => '{{id}}')");
like(
    poll(
        qr/pg_read_server_files/,
        60,
        sub {
            root("CALL batch_work('1 s')");
            jim(      "SELECT c.waiting_for FROM batch_chunks c JOIN batch_jobs j USING (job_id) "
                    . "WHERE j.server = 'given'");
        }),
    qr/pg_read_server_files/,
    'a job does not take a file\'s key to an ordinary user\'s server: it waits, and says why');
is(tails($wrong), 'jims', '… whose host has not seen it');
done_testing();
