#!/usr/bin/perl
# The recipes of doc/guide, run as they stand there, against the simulator (test/lib/Pages.pm says
# how), with pgvector and pg_cron; and what they promise: no old piece is left, the search finds
# the nearest pieces, an embedding that fails leaves its summary, and nothing is paid twice.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/../lib";
use Cluster;
use HTTP::Tiny;
use JSON::PP;
use Pages;
use Test::More;

Cluster::as_postgres();

my $sim = Cluster::Sim->new;
my $cluster =
    Cluster->new('main', "shared_preload_libraries = 'batchinf'", "batchinf.settle_time = '1s'");
Pages::use_servers($cluster, $sim);
write_key('sk-sim');
sub do_sql { return $cluster->do_sql('shop', 'SET client_min_messages = error', @_) }
sub poll_sql { return $cluster->poll_sql('shop', @_) }

# Runs commands as the role of the pages; the last result.
sub as_app { return (split /\n/, do_sql('SET ROLE app', @_))[-1] // '' }

# What the model of this name was paid for since the last call.
my %paid;

sub paid {
    my ($model) = @_;
    my $paid = grep { $_->{model} =~ /^\Q$model\E/ } @{$sim->call('GET', 'entries')};
    my $new = $paid - ($paid{$model} // 0);
    $paid{$model} = $paid;
    return $new;
}

# A page in a session of its own.
sub run_recipe {
    my ($file) = @_;
    connect_psql('shop');
    run_page("doc/guide/$file");
    leave_psql();
    %before = %after = ();
}

my ($small, $mini) = ('text-embedding-3-small', 'gpt-5.4-mini');

# The embedding of a text, as an application asks for it.
sub embedding {
    my ($text) = @_;
    my $reply = HTTP::Tiny->new->post(
        $sim->url . '/v1/embeddings',
        {   headers => {authorization => 'Bearer sk-sim', 'content-type' => 'application/json'},
            content => encode_json({model => $small, input => $text})});
    die "$reply->{status} $reply->{content}" if !$reply->{success};
    return encode_json(decode_json($reply->{content})->{data}[0]{embedding});
}

# ---- before you begin ----

$cluster->do_sql('postgres', 'CREATE DATABASE shop');
run_recipe('README.md');

# ---- documents, pieces and a search ----

my $chunks = q{SELECT string_agg(document_id || '.' || n, ' ' ORDER BY document_id, n) FROM chunk};

$before{'Search'} = sub {
    is(do_sql($chunks), '1.1 1.2 1.3 2.1 2.2 3.1', 'each document has its pieces');
    is(paid($small), 6, '… each paid once');
    is(as_app('SELECT embed_documents()'), '', '… nothing is due');
    my $question = embedding('When is the money on my card?');
    my $nearest = "SELECT array_agg(n) FROM (SELECT document_id || '.' || n AS n FROM chunk
        ORDER BY embedding <=> '$question' LIMIT 4) s";
    my @by_index = ('SET enable_seqscan = off', 'SET enable_sort = off');
    like(do_sql(@by_index, "EXPLAIN $nearest"), qr/Index Scan using chunk_embedding/,
        'a search uses the index');
    like(do_sql('SET enable_indexscan = off', "EXPLAIN $nearest"),
        qr/Seq Scan/, '… or compares all pieces');
    is( do_sql(@by_index, $nearest),
        do_sql('SET enable_indexscan = off', $nearest),
        '… and finds the same');
};
$after{'A document changes'} = sub {
    is(do_sql($chunks), '1.1 2.1 2.2 3.1', 'a document that shrinks leaves no old piece');
    is(paid($small), 1, '… only its new piece is paid');
    my $question = embedding('How many days do I have to return shoes?');
    like(
        do_sql("SELECT chunk FROM chunk ORDER BY embedding <=> '$question' LIMIT 1"),
        qr/sixty days/, '… and found');
};
$before{'A piece fails'} = sub {
    as_app(
        "UPDATE document SET body = repeat('Lamps and kettles. ', 4) || E'\\n\\n'
            || '[[sim:fail_times=3]] Tents and boots are new in the warranty.' WHERE id = 2");
    say_to_psql("BEGIN;\nSELECT embed_documents() AS job \\gset");
    my $second = $cluster->beside('shop', 'SET ROLE app', 'SELECT embed_documents()');
    is(poll_sql("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted", 1),
        1, 'of two calls at once the second waits');
    say_to_psql('COMMIT;');
    is(Cluster::output($second), '', '… and makes no job while one is open');
    my $job = do_sql('SELECT max(job_id) FROM batch_jobs');
    $cluster->do_sql('shop', "CALL batch_wait($job)");
    is(do_sql($chunks), '1.1 2.1 2.2 3.1', 'where one piece fails, the old ones stay');
    is( do_sql("SELECT string_agg(outcome || ' ' || COALESCE(write_state, '-'), ', ' ORDER BY seq)
            FROM batch_records WHERE job_id = $job"),
        'succeeded incomplete, errored -', '… and the new ones wait');
    is(paid($small), 1, '… one is paid');
};
$after{'A piece fails'} = sub {
    is( do_sql(q{SELECT count(*) FROM chunk WHERE document_id = 2 AND chunk ~ 'boots|kettles'}),
        2,
        'a retry replaces them all');
    is(paid($small), 1, '… and only the one that had failed is paid');
    as_app("UPDATE document SET body = ' ' WHERE id = 3", 'DELETE FROM document WHERE id = 1',
        'SELECT embed_documents()');
    is(do_sql($chunks), '2.1 2.2', 'documents without content, or that are gone, have no pieces');
    is(do_sql('SELECT count(*) FROM batch_jobs WHERE finished_at IS NULL'),
        0, '… without a job');
};
run_recipe('search.md');

# ---- tags ----

my $tags = "SELECT string_agg(tag, ' ' ORDER BY tag) FROM article_tag WHERE article_id";

# An article whose tags are these.
sub tagged { return '[[sim:json=' . join('', map { sprintf '%%%02x', ord } split //, $_[0]) . ']]' }

sub refresh {
    my ($pipeline) = @_;
    my $job = as_app("SELECT batch_refresh('$pipeline')");
    $cluster->do_sql('shop', "CALL batch_wait($job)") if $job;
    return $job;
}

# The tags of the last answer for the first article.
my $answered = q{SELECT string_agg(DISTINCT tag, ' ' ORDER BY tag) FROM batch_records r,
    LATERAL jsonb_array_elements_text(r.output::jsonb -> 'tags') tag WHERE r.record_id = '1'
    AND job_id = (SELECT max(job_id) FROM batch_jobs)};

$before{'Old tags must go'} = sub {
    is(paid($mini), 2, 'two articles are tagged');
    like(do_sql("$tags = 1"), qr/./, '… the first has tags');
    is(do_sql("$tags = 1"), do_sql($answered), '… those of its answer');
    as_app("INSERT INTO article VALUES (3, '" . tagged('{"tags": ["b", "a", "b", ""]}') . "'),
        (4, '" . tagged('{"tags": []}') . "')");
    my $job = refresh('tags');
    is(do_sql("$tags = 3"), 'a b', 'a tag that comes twice is a row, one that is refused is not');
    is( do_sql("SELECT string_agg(write_state, ' ' ORDER BY record_id) FROM batch_records
            WHERE job_id = $job"),
        'partly written',
        '… and is told; no tag is an answer too');
    as_app("UPDATE article SET body = '" . tagged('{"tags": ["a", "c"]}') . "' WHERE id = 3");
    refresh('tags');
    is(do_sql("$tags = 3"), 'a b c', 'an upsert adds tags, and removes no old one');
    is(refresh('tags'), '', '… then all articles are answered');
    is(paid($mini), 3, '… each text paid once');
};
$after{'Old tags must go'} = sub {
    is(do_sql("$tags = 1"), do_sql($answered), 'a replace leaves the tags of the last answer only');
    is(paid($mini), 1, '… paid once');
    as_app("UPDATE article SET body = '" . tagged('{"tags": ["d", "d"]}') . "' WHERE id = 3");
    my $job = as_app(
        "SELECT batch_submit('SELECT id, body AS prompt FROM article WHERE id = 3', 'openai',
            target => 'article_tag', write_mode => 'replace', replace_by => 'article_id',
            each => '\$.tags[*]', write_back => '{\"article_id\": {\"column\": \"id\"},
            \"tag\": \"\$\"}')");
    $cluster->do_sql('shop', "CALL batch_wait($job)");
    is(do_sql("$tags = 3"), 'a b c', '… a tag that comes twice leaves the old ones');
    paid($mini);
};
run_recipe('tags.md');

# ---- synthetic rows ----

$after{'Rows that a model makes up'} = sub {
    is(do_sql("SELECT count(*) || ' ' || count(DISTINCT body) FROM review"),
        '30 30', 'each request has made a row of its own');
    is(paid($mini), 30, '… and is paid once');
};
run_recipe('synthetic.md');

# ---- a chain ----

my $embedded = 'SELECT count(*) FROM report WHERE embedding IS NOT NULL';
my $states = q{SELECT string_agg(name || ' ' || answered || ' ' || failed, ', ' ORDER BY name DESC)
    FROM batch_pipelines WHERE name IN ('summaries', 'embeddings')};

# After a refresh that finds nothing due the counts are those of now.
sub states {
    as_app("SELECT batch_refresh('$_')") for qw(summaries embeddings);
    return do_sql($states);
}

$before{'How far is it'} = sub {
    is(poll_sql($embedded, 3, 30), 3, 'the second pipeline follows the first');
    is(poll_sql('SELECT count(*) FROM batch_jobs WHERE finished_at IS NULL', 0),
        0, '… it ends');
};
$after{'How far is it'} = sub {
    is( poll_sql(
            q{SELECT count(*) FROM batch_records r JOIN batch_jobs j USING (job_id)
            WHERE j.pipeline = 'embeddings' AND r.write_state = 'written'}, 4, 30),
        4,
        'a text that changes goes through both steps');
    is(paid($mini) . ' ' . paid($small), '4 4', '… alone');
};
$before{'An embedding fails'} = sub {
    as_app("INSERT INTO report VALUES (4, '[[sim:say=%5B%5Bsim:fail_times=3%5D%5D a summary]]')");
    refresh('summaries');
    is( poll_sql(
            q{SELECT outcome FROM batch_records r JOIN batch_jobs j USING (job_id)
            WHERE j.pipeline = 'embeddings' AND record_id = '4' AND j.finished_at IS NOT NULL},
            'errored', 30),
        'errored',
        'an embedding fails');
    is(states(), 'summaries 4 0, embeddings 3 1', '… and its pipeline counts it');
    is( do_sql(q{SELECT summary || ' ' || (embedding IS NULL) FROM report WHERE id = 4}),
        '[[sim:fail_times=3]] a summary true', '… the summary is there');
    is(paid($mini) . ' ' . paid($small), '1 0', '… paid once, the embedding is not');
};
$after{'An embedding fails'} = sub {
    is(do_sql($embedded), 4, 'a retry makes the embedding');
    is(states(), 'summaries 4 0, embeddings 4 0', '… which is answered then');
    is(paid($mini) . ' ' . paid($small), '0 1', '… and paid once, the summary not again');
    as_app("UPDATE report SET body = 'Lamps again: ' || id WHERE id IN (2, 4)");
    refresh('summaries');
    is( poll_sql(
            "SELECT count(*) FROM batch_records r JOIN batch_jobs j USING (job_id)
            WHERE j.pipeline = 'embeddings' AND r.write_state = 'written'", 7, 30),
        7,
        'the chain goes on');
    is(paid($mini) . ' ' . paid($small), '2 2', '… each step paid once for each text');
};
run_recipe('chain.md');

# ---- nightly, by pg_cron ----

# pg_cron's shortest schedule is a minute.
$before{'Did it run'} = sub {
    do_sql("UPDATE cron.job SET schedule = '* * * * *'");
    is( poll_sql('SELECT count(*) FROM ticket WHERE label IS NOT NULL', 3, 90),
        3, 'pg_cron refreshes the pipeline');
    is(paid($mini), 3, '… which pays for each row once');
};
$after{'Did it run'} = sub {
    do_sql('SELECT cron.unschedule(jobid) FROM cron.job');
    as_app("UPDATE ticket SET body = body || ' Still.' WHERE id = 2");
    refresh('labels');
    is(paid($mini), 1, 'the next call sends what has changed, and nothing else');
    is(do_sql("SELECT count(*) FROM cron.job_run_details WHERE status = 'failed'"),
        0, 'no call of pg_cron has failed');
};
run_recipe('nightly.md');

done_testing();
