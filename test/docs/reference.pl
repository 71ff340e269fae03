#!/usr/bin/perl
# doc/reference.md is what doc/reference.sh makes of the catalog now, and nothing in it is without a
# comment: functions, views and tables with their columns, and settings.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/../lib";
use Cluster;
use Test::More;

Cluster::as_postgres();
chdir "$FindBin::RealBin/../.." or die $!;

my $made = qx{bash doc/reference.sh};
is($?, 0, 'the script makes the page');

open my $in, '<', 'doc/reference.md' or die "doc/reference.md: $!";
my $page = do { local $/; <$in> };
ok($made eq $page, 'doc/reference.md is up to date') or diag('run: make reference');

my @parts = $made =~ /^## (.*)$/mg;
is("@parts", 'Functions Views Settings Tables', 'it has all its parts');
cmp_ok(scalar(() = $made =~ /^### batch_/mg), '>=', 20, 'it has the functions and views');

# An entry without words ends with its colon, a function or relation is followed by its words.
my @silent = grep { /: *$/ } $made =~ /^- .*$/mg;
is("@silent", '', 'each column and setting has a comment');
my @bare = $made =~ /^### (\w+)\n\n(?:```text\n(?:(?!```).*\n)*```\n\n)?(?=\n|#|- )/mg;
is("@bare", '', 'each function, view and table has a comment');

done_testing();
