#!/usr/bin/perl
# The pages of the documents: each link has its page and heading, each line of a page fits 100
# columns, and doc/options.md names each option, of each provider, and each setting.
use strict;
use warnings;
use utf8;
use FindBin;
use lib "$FindBin::RealBin/../lib";
use Cluster;
use File::Basename;
use Test::More;

Cluster::as_postgres();
binmode Test::More->builder->$_, ':utf8' for qw(output failure_output);

my $root = "$FindBin::RealBin/../..";
my @pages = map {s|^\Q$root\E/||r} glob("$root/*.md $root/doc/*.md $root/doc/guide/*.md");
my %text = map { $_ => read_page($_) } @pages;

sub read_page {
    open my $in, '<:utf8', "$root/$_[0]" or die "$_[0]: $!";
    local $/;
    return scalar <$in>;
}

# ---- links ----

# As GitHub names the headings of a page.
sub anchors {
    my ($text) = @_;
    my %anchors;
    for my $heading ($text =~ /^#+ (.*)$/mg) {
        $anchors{lc($heading) =~ s/[^\w\- ]//gr =~ tr/ /-/r} = 1;
    }
    return \%anchors;
}

# doc/x.md and ../y.md: y.md
sub path_of {
    my ($page, $link) = @_;
    my $path = dirname($page) eq '.' ? $link : dirname($page) . "/$link";
    1 while $path =~ s{(^|/)[^/.][^/]*/\.\./}{$1};
    return $path;
}

sub is_broken {
    my ($page, $link) = @_;
    my ($file, $anchor) = split /#/, $link, 2;
    my $path = $file eq '' ? $page : path_of($page, $file);
    return 1 if !-e "$root/$path";
    return defined $anchor && !anchors($text{$path} // read_page($path))->{$anchor};
}

for my $page (@pages) {
    my @links = grep { !/^https?:/ } $text{$page} =~ /\]\(([^)\s]+)\)/g;
    is(join(', ', grep { is_broken($page, $_) } @links), '', "$page: all links have their page");
}

# ---- lines ----

for my $page (@pages) {
    my @wide = grep { length > 100 } split /\n/, $text{$page};
    is(scalar @wide, 0, "$page: all lines fit 100 columns") or diag($wide[0]);
}

# ---- options ----

my %letter = (
    openai => 'O',
    azure_openai => 'Z',
    anthropic => 'A',
    bedrock => 'B',
    vertex => 'V',
    gemini => 'G',);
my $cluster = Cluster->new('main', "shared_preload_libraries = 'batchinf'");
$cluster->do_sql('postgres', 'CREATE EXTENSION batchinf');

# The options of the table under a heading, by the letters of their providers.
sub documented {
    my ($heading) = @_;
    my ($section) = $text{'doc/options.md'} =~ /^## \Q$heading\E\n(.*?)^##/ms;
    my %options;
    while ($section =~ /^\| (`[^|]*`) \| ([^|]*) \|/mg) {
        my ($names, $of) = ($1, $2);
        $of = 'O Z A B V G' if $of eq 'all';
        for my $name ($names =~ /`(\w+)`/g) { $options{$_}{$name} = 1 for split / /, $of }
    }
    return \%options;
}

# Those that an error lists as valid.
sub valid {
    my ($command) = @_;
    my ($valid) =
        $cluster->sql('postgres', $command) =~ /Valid options in this context are: (.*)\./;
    return join ' ', sort split /, /, $valid // 'no such error';
}

my ($of_servers, $of_mappings) = (documented('Servers'), documented('User mappings'));
my $needed = {
    azure_openai => "base_url 'https://a.example'",
    bedrock => "region 'a', role_arn 'a', storage_url 's3://abc'",
    vertex => "project 'a', location 'a', storage_url 'gs://abc'",};
for my $name (sort keys %letter) {
    my $create = "CREATE SERVER $name FOREIGN DATA WRAPPER batchinf OPTIONS (provider '$name'";
    $create .= ", $needed->{$name}" if $needed->{$name};
    is( join(' ', sort keys %{$of_servers->{$letter{$name}}}),
        valid("$create, qqqq '1')"),
        "doc/options.md: the options of a server of $name");
    $cluster->do_sql('postgres', "$create)");
    is( join(' ', sort keys %{$of_mappings->{$letter{$name}}}),
        valid("CREATE USER MAPPING FOR PUBLIC SERVER $name OPTIONS (qqqq '1')"),
        "… of a user mapping");
}

# ---- servers and user mappings, as pages show them ----

my (@servers, @mappings);
for my $page (grep { !/^(README|doc.operations|doc.guide)/ } @pages) {
    my $sql = join '', $text{$page} =~ /^ *```sql\n(.*?)^ *```/msg;
    push @servers, $sql =~ /^ *(CREATE SERVER .*?;)/msg;
    push @mappings, $sql =~ /^ *(CREATE USER MAPPING .*?;)/msg;
}
$cluster->do_sql('postgres', 'CREATE ROLE app');
$cluster->do_sql('postgres', "DROP SERVER $_ CASCADE") for keys %letter;
for my $statement (@servers, @mappings) {
    my ($first) = split /\n/, $statement;
    my ($mapping) = $statement =~ /CREATE (USER MAPPING FOR \w+ SERVER \w+)/;
    $cluster->sql('postgres', "DROP $mapping") if $mapping;
    is($cluster->sql('postgres', $statement =~ s/…/x/gr), '', $first);
}

my ($settings) = $text{'doc/options.md'} =~ /^## Settings\n(.*?)^##/ms;
is( join(' ', sort $settings =~ /^\| `(batchinf\.\w+)`/mg),
    $cluster->sql(
        'postgres',
        q{SELECT string_agg(name, ' ' ORDER BY name) FROM pg_settings WHERE name LIKE 'batchinf.%'}
    ),
    'doc/options.md: the settings');

# ---- kinds of waits ----

my $kinds = $cluster->sql('postgres',
    q{SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'chunk_wait_kind_check'});
my ($waits) = $text{'doc/operations.md'} =~ /^\| `wait_kind` \|[^\n]*\n\|---(.*?)\n\n/ms;
is(join(' ', sort $waits =~ /^\| `(\w+)`/mg),
    join(' ', sort $kinds =~ /'(\w+)'/g),
    'doc/operations.md: the kinds of waits');

done_testing();
