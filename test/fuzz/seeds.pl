#!/usr/bin/env perl
# test/fuzz/seeds.pl FOLDER: the first inputs of every target, made from test/fixtures, in
# FOLDER/TARGET, and the words that its source files know, as a dictionary in FOLDER/TARGET.words.
use strict;
use warnings;
use Encode ();
use File::Basename qw(basename dirname);
use File::Path qw(make_path);
use JSON::PP;

my ($folder) = @ARGV;
my $here = dirname(__FILE__);
my %name_of = (azure => 'azure_openai', aws => 'bedrock', google => 'vertex')
    ;    # where the fixtures' folder is called otherwise
my @routines = qw(login upload create poll find peek cancel outputs fetch discard check);
# families whose answers have shapes of their own
my @models = ('anthropic.claude-haiku-5-5', 'claude-haiku-5-5', 'meta.llama4', 'openai.gpt-oss');
my @embeddings = (
    '', 'amazon.titan-embed-text-v2:0',
    'amazon.nova-2-multimodal-embeddings-v1:0', 'cohere.embed-v4:0',
    'twelvelabs.marengo-embed-3-0-v1:0', 'gemini-embedding-001',
    'text-embedding-005');
my %words_of = (
    secret => 'provider/*/*_{secret,login}.c',
    reply => 'provider/{,*/}*.c',
    line => 'provider/{,*/}*.c',
    request => 'provider/{*/*_s,shape/}*.c',
    header => 'base/exchange.c',
    option => '{api/option,api/mapping,base/url,base/guc}.c',
    schema => 'base/{assert,dialect,schema}.c',);
my %count;

sub slurp {
    my ($file) = @_;
    open my $in, '<:raw', $file or die "$file: $!";
    local $/;
    return scalar <$in>;
}

sub save {
    my ($file, $text) = @_;
    open my $out, '>:raw', $file or die "$file: $!";
    print $out $text;
    close $out or die "$file: $!";
}

sub seed {
    my ($target, @lines) = @_;
    save(sprintf('%s/%s/%05d', $folder, $target, $count{$target}++), join("\n", @lines));
}

sub seed_replies {
    my ($provider, $text, $file) = @_;
    my $reply = "content-type: text/plain\n\n$text";
    my $is_error = $file =~ /^(error|s3|page)/;
    seed('reply', "$provider $_", $reply)
        for $is_error
        ? ('create 400', 'poll 429', 'check 404', 'upload 412', 'cancel unsent 8')
        : map {"$_ 200"} @routines;
    seed(
        'reply', "$provider $_ 200 8", $reply, '&& 404',
        $reply, '&& 200', $reply, '&& 200',
        $reply) for $is_error ? () : qw(check upload outputs);
    seed('json', $text);
}

sub seed_lines {
    my ($provider, $text, $file) = @_;
    my @models = $file =~ /responses/ ? ('16 ') : $file =~ /embed/ ? map {"4 $_"}
        @embeddings : map {"0 $_"} '', @models;
    for my $line (split /\n/, $text) { seed('line', "$provider $_", $line) for @models }
    seed('lines', '300 9', $text);
    seed('lines', '70000 100000', $text =~ s/\n/ /gr);
}

sub seed_schemas {
    my $json = JSON::PP->new->utf8->canonical->allow_nonref;
    for my $group (@{$json->decode($_[0])}) {
        seed('schema', $json->encode($group->{schema}), $json->encode($_->{data}))
            for @{$group->{tests}};
        seed('request', "$_ 0", '', '', $json->encode($group->{schema}), 'Hello')
            for qw(openai anthropic gemini);
    }
}

# The clusters of each line of Unicode's test, one behind the other.
sub seed_clusters {
    for my $line (grep {/^[^#]/} split /\n/, $_[0]) {
        my $text = join '', map { chr hex } ($line =~ s/\s*#.*//r) =~ /[0-9A-F]+/g;
        seed('split', '1 0 UTF8', Encode::encode('UTF-8', $text x 3));
    }
}

make_path(
    map { "$folder/$_" =~ s/target_(\w+)\.c$/$1/r }
    map { basename($_) } glob "$here/target_*.c");
for my $file (sort glob "$here/../fixtures/{*,schema/*}/*.{json,jsonl,html,txt,xml}") {
    my $provider = basename(dirname($file));
    my $text = slurp($file);
    if ($file =~ m{/schema/}) { seed_schemas($text) }
    elsif ($provider eq 'sigv4') { seed('json', $text) }
    elsif ($provider eq 'unicode') { seed_clusters($text) }
    elsif ($file =~ /\.jsonl$/) {
        seed_lines($name_of{$provider} // $provider, $text, basename($file));
    }
    else { seed_replies($name_of{$provider} // $provider, $text, basename($file)) }
}

# several requests of one routine
sub seed_turns {
    my %reply = map { (basename($_) => "\n" . slurp($_)) } glob "$here/../fixtures/bedrock/*";
    for my $job (sort grep {/^job/} keys %reply) {
        seed(
            'reply', 'bedrock check 200',
            $reply{'list-none.json'}, '&& 200',
            $reply{'list-objects-none.xml'}, '&& 200',
            '', '',
            '&& 200', $reply{'created.json'},
            '&& 200', $reply{$job},
            '&& 204', '',
            '');
    }
    seed(
        'reply',
        'bedrock outputs 200 8',
        $reply{'list-objects.xml'},
        '&& 200', $reply{'manifest.json'});
    my $file = '{"name":"files/in-1","sizeBytes":"3","state":"ACTIVE"}';
    seed(
        'reply',
        'gemini upload 200',
        "x-goog-upload-url: https://host.example/upload?upload_id=$_",
        '', '', '&& 200', '', "{\"file\":$file}") for 'a', '%20';
    seed('reply', 'gemini upload 409',
        '', '', '&& 200', '', $file, '&& 200', '', '{}', '&& 200',
        'x-goog-upload-url: https://host.example/b', '');
}

sub seed_secrets {
    my $json = JSON::PP->new->canonical;
    my @tokens = (
        '',
        '{"access_token":"ya29.x","expires_in":3599,"token_type":"Bearer","accessToken":"y",'
            . '"expireTime":"2026-11-20T13:00:00Z","value":"s"}');
    my $documents = $json->decode(slurp("$here/../fixtures/google/documents.json"));
    seed('secret', 'vertex - 200', '', $json->encode($documents->{$_}),
        '{"id_token":"to~ken"}', @tokens)
        for sort keys %$documents;
    seed('secret', 'vertex instance 200', 'GCE_METADATA_HOST metadata', '', '', '', @tokens);
    seed(
        'secret',
        'vertex environment 200',
        'GOOGLE_APPLICATION_CREDENTIALS /key',
        '', '', $json->encode($documents->{account}), @tokens);
    for my $file (sort glob "$here/../fixtures/aws/*") {
        my $reply = "\n" . slurp($file);
        seed(
            'secret',
            'bedrock environment 200',
            'AWS_ACCESS_KEY_ID AK~ID',
            'AWS_SECRET_ACCESS_KEY secret',
            'AWS_SESSION_TOKEN t',
            '', '', '', $reply);
        seed(
            'secret',
            'bedrock web_identity 200',
            'AWS_WEB_IDENTITY_TOKEN_FILE /token',
            'AWS_ROLE_ARN arn:aws:iam::1:role/r',
            '', '', 'to~ken', $reply);
        seed(
            'secret',
            'bedrock container 200',
            'AWS_CONTAINER_CREDENTIALS_RELATIVE_URI /v2/x',
            '', '', 'to~ken', $reply);
        seed(
            'secret',
            'bedrock instance 200',
            'AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE ipv6',
            '', '', '', $reply);
    }
}

sub seed_requests {
    my ($name) = @_;
    my $schema =
          '{"type":"object","properties":{"a":{"type":"string"}},"required":["a"],'
        . '"additionalProperties":false}';
    for my $model ('', @models, 'amazon.nova-lite-v1:0') {
        seed(
            'request', "$name 0 $model",
            'Be brief.', '{"temperature":0.5,"max_tokens":100}',
            $schema, "What is \"this\"?\n");
        seed('request', "$name 1 $model", '', '', '',
                  '[{"role":"system","content":"x"},'
                . '{"role":"user","content":[{"type":"text","text":"y"}]}]');
        seed('request', "$name 2 $model", '', '', '',
                  "{\"model\":\"$model\","
                . '"messages":[{"role":"user","content":"x"}],"max_tokens":5}');
        seed('request', "$name 2 $model", '', '', '',
                  '{"contents":[{"role":"user","parts":[{"text":"x"}]}],'
                . '"inferenceConfig":{"maxTokens":5}}');
    }
    for my $model (@embeddings) {
        seed('request', "$name 4 $model", '', '{"dimensions":256}', '', 'Some text');
        seed('request', "$name 6 $model", '', '', '',
            "{\"model\":\"$model\"," . '"input":["a","b"],"inputText":"a","content":{"parts":[]}}');
    }
}

sub seed_options {
    my ($name) = @_;
    seed(
        'option', 'server',
        "provider $name",
        'base_url https://host.example:8080/v1',
        'max_bytes 100MB',
        'poll_interval 30',
        'model m');
    seed(
        'option',
        'server ordinary restored',
        "provider $name",
        'region us-east-1',
        'location global',
        'role_arn arn:aws:iam::123456789012:role/r',
        "storage_url $_",
        'project p-1',
        'storage_style path',
        'request_labels off') for 's3://bkt/jobs', 'gs://bkt/a/b';
}

# what no fixture has
seed_secrets();
seed_turns();
for my $provider (grep { !/schema|sigv4|aws|google|unicode/ } glob "$here/../fixtures/*") {
    my $name = $name_of{basename($provider)} // basename($provider);
    seed_requests($name);
    seed_options($name);
}
seed_lines('vertex', slurp("$here/../fixtures/gemini/lines.jsonl"), 'lines.jsonl');
seed(
    'line',
    'vertex 0 claude-haiku-5-5',
    "{\"status\":\"\",\"key\":\"01234567-1\",\"request\":{},\"response\":$_}")
    for '{"type":"message","content":[{"type":"text","text":"a"}],"stop_reason":"end_turn"}',
    '{"type":"error","error":{"type":"api_error"}}';
seed(
    'line',
    'vertex 4 text-embedding-005',
    '{"instance":{"content":"x"},'
        . '"predictions":[{"embeddings":{"values":[0.1,2],"statistics":{"token_count":8}}}]}');
seed(
    'option',
    'server superuser',
    'provider anthropic',
    'base_url http://[::1]:80/a',
    'auth bearer',
    'prompt_cache 5m',
    'expires_after 0');
seed(
    'option',
    'server',
    'provider openai',
    'base_url http://localhost/',
    'min_requests 5',
    'max_requests 4',
    'completion_window 24h');
seed('option', 'mapping', 'api_key sk-~secret~', 'tenant_id t', 'client_id c');
seed(
    'option',
    'mapping superuser',
    'api_key_file /etc/key',
    'api_key_env KEY',
    'credential_source instance');
seed(
    'option', 'mapping',
    'service_account {"type":"authorized_user"}',
    'access_key_id AK',
    'secret_access_key s~k',
    'session_token t');
seed('option', 'wrapper', 'provider openai');
seed('template', $_)
    for 'Label {{a}} and {{ b c }}.', '{{}}}', 'x \\{{ y }} {{ a_nam', '{{a}}{{a}}', '{{A}}';
seed('split', "$_ EUC_JP", "One. Two\xA1\xA3Three \xA4\xA2\r\n\r\n\xA1\xA1Four? 'Five!' Six")
    for '5 2', '20 10', '40 0';
seed('split', "$_ UTF8", "\xE3\x80\x8C\xE3\x80\x82\xE3\x80\x8D \xE2\x80\xA8 a. B\n \nc\xCC\x81")
    for '3 1', '9 4';
seed('header', 'sk-secret-key',
    "HTTP/1.1 429 x\r\nRetry-After: $_\r\nretry-after-ms: \r\nX-Key: sk-secret-key\r\n")
    for '120', '1.5', 'Fri, 20 Nov 2026 12:01:00 GMT';
seed('header', '{"key":"another-secret"}', "retry-after-ms: 2500.25\na: another-secret");

while (my ($target, $files) = each %words_of) {
    my %words;
    my @files = glob "$here/../../src/$files";
    @files or die "no source file is like $files";
    for my $file (@files) {
        $words{$_} = 1 for slurp($file) =~ /"([A-Za-z\$][\w\$ .:-]{1,40})"/g;
    }
    save("$folder/$target.words", join('', map {"\"$_\"\n\"\\\"$_\\\"\"\n"} sort keys %words));
}
