package Provider;

# The providers as fault tests meet them at the simulator: one entry each, and nothing else in these
# tests knows them.
#
# path: behind the simulator's address; options, mapping: of server and user mapping, where URL
# stands for that address, KEY for a key of the test's own and GOOGLE for a service account's;
# config: of the simulator; requests: of the contract's routines those that it has, each as method
# and path, and how many such come before it; removes_batches: in the end it deletes them;
# forgets_cancelled: what ran of a cancelled batch is billed and not given.
use strict;
use warnings;
use HTTP::Tiny;

my @openai = (
    upload => ['POST', '/files$'],
    create => ['POST', '/batches$'],
    find => ['GET', '/batches$'],
    poll => ['GET', '/batches/[^/]+$'],
    cancel => ['POST', '/cancel$'],
    fetch => ['GET', '/content$'],
    discard => ['DELETE', '/files/'],
    check => ['GET', '/models'],);

our @all = (
    {   name => 'openai',
        path => '/v1',
        model => 'gpt-5.4-mini',
        mapping => "api_key 'KEY'",
        requests => {@openai},},
    {   name => 'azure_openai',
        path => '/openai/v1',
        model => 'mini-batch',
        options => "authority_url 'URL'",
        config => {azure_file_pending_ms => 0},
        mapping => "tenant_id 'sim-tenant', client_id 'sim-client', client_secret 'sim-secret~1&='",
        requests => {login => ['POST', '/token$'], @openai},},
    {   name => 'anthropic',
        path => '',
        model => 'claude-haiku-5-5',
        mapping => "api_key 'KEY'",
        removes_batches => 1,
        requests => {
            create => ['POST', '/batches$'],
            find => ['GET', '/batches$'],
            peek => ['GET', '/results$'],
            poll => ['GET', '/batches/[^/]+$'],
            cancel => ['POST', '/cancel$'],
            fetch => ['GET', '/results$'],
            discard => ['DELETE', '/batches/'],
            check => ['GET', '/models'],},},
    {   name => 'bedrock',
        path => '',
        model => 'us.amazon.nova-lite-v1:0',
        config => {bedrock_min_records => 1},
        options => "region 'us-east-1', role_arn 'arn:aws:iam::123456789012:role/BedrockBatch', "
            . "storage_url 's3://batch', storage_base_url 'URL', min_requests '1'",
        mapping => "access_key_id 'AKIDEXAMPLE', secret_access_key "
            . "'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY'",
        requests => {
            upload => ['PUT', '/input.jsonl$'],
            create => ['POST', '/model-invocation-job$'],
            find => ['GET', '/model-invocation-jobs$'],
            poll => ['GET', '/model-invocation-job/[^/]+$'],
            cancel => ['POST', '/stop$'],
            outputs => ['GET', '^/batch/$'],
            manifest => ['GET', '/manifest.json.out$'],
            fetch => ['GET', '/input.jsonl.out$'],
            discard => ['DELETE', '^/batch/'],
            check => ['GET', '/model-invocation-jobs$'],},},
    {   name => 'vertex',
        path => '',
        model => 'gemini-3.5-flash-lite',
        mapping => "service_account 'GOOGLE'",
        removes_batches => 1,
        options => "project 'proj-1', location 'us-central1', storage_url 'gs://batch', "
            . "storage_base_url 'URL'",
        requests => {
            login => ['POST', '/token$'],
            upload => ['POST', '^/upload/storage/'],
            create => ['POST', '/batchPredictionJobs$'],
            find => ['GET', '/batchPredictionJobs$'],
            poll => ['GET', '/batchPredictionJobs/[^/]+$'],
            cancel => ['POST', ':cancel$'],
            outputs => ['GET', '/o$'],
            fetch => ['GET', '/o/.'],
            discard => ['DELETE', '/o/|/batchPredictionJobs/'],
            check => ['GET', '/batchPredictionJobs$'],},},
    {   name => 'gemini',
        path => '',
        model => 'gemini-3.5-flash-lite',
        mapping => "api_key 'KEY'",
        removes_batches => 1,
        forgets_cancelled => 1,
        requests => {
            upload => ['POST', '^/upload/.*/files$'],
            bytes => ['POST', '^/upload/.*/files$', 1],
            create => ['POST', ':batchGenerateContent$'],
            find => ['GET', '/batches$'],
            poll => ['GET', '/batches/[^/]+$'],
            cancel => ['POST', ':cancel$'],
            fetch => ['GET', ':download$'],
            discard => ['DELETE', '/(files|batches)/'],
            check => ['GET', '/models'],},},);

our %by_name = map { $_->{name} => $_ } @all;

# "beside" and "twin": where a batch of somebody else can be taken for one of ours until its results
# tell.
sub has_story {
    my ($provider, $story) = @_;
    return $story !~ /^(beside|twin)$/ || $provider->{requests}{peek};
}

# SQL that makes a server of it at a simulator, with a mapping for the current user; more: further
# options; url: where it is not the simulator's own, but a lane's.
sub server_sql {
    my ($provider, $server, $sim, $more, $url, $key) = @_;
    ($url, $key) = ($url // $sim, $key // 'sk-sim');
    my $options = join ', ', "provider '$provider->{name}'", "model '$provider->{model}'",
        "base_url 'URL$provider->{path}'", "poll_interval '1'", "settle_time '2'",
        grep {$_} $provider->{options}, $more;
    my $sql =
          "CREATE SERVER $server FOREIGN DATA WRAPPER batchinf "
        . "OPTIONS ($options); CREATE USER MAPPING FOR CURRENT_USER SERVER $server "
        . "OPTIONS ($provider->{mapping})";
    my %is = (
        URL => sub {$url},
        KEY => sub {$key},
        GOOGLE => sub {
            HTTP::Tiny->new->get("$sim/_sim/google_credentials")->{content} =~ s/'/''/gr =~
                s/\Q$sim\E/$url/gr;
        });
    return $sql =~ s/\b(URL|KEY|GOOGLE)/$is{$1}->()/egr;
}

1;
