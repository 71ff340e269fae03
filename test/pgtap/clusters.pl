#!/usr/bin/perl
# test/pgtap/clusters.pl: random texts of what is hard to split, and their grapheme clusters as
# perl's \X finds them, from a fixed seed.  A line each: the text's bytes in hexadecimal, a blank,
# and for each cluster its first character's number, a colon and how many it has; a minus before it
# if it is white space.
#
# Without Indic conjuncts: \X knows them since perl 5.42.
use strict;
use warnings;

srand 20261129;
my @pool = (
    (map {chr} ord 'a' .. ord 'e'), ' ', ' ', ' ', '. ', '! ', "\n", "\r\n", "\r", "\n\n", "\t",
    ', ', ') ', '"',
    map {chr hex} qw(
        301 308 4E2D 6587 3002 FF01 300D 3000 200B A0 85 2028
        1F1E6 1F1FA 1F469 1F468 1F467 200D 200D FE0F 2764 1F3FD 1F3F4 E0067 E007F
        1100 1161 11A8 AC00 AC01 627 64E 61F 600 915 93F 940 902 E01 E33 E34 E40 BA8 BBF));

for (1 .. 400) {
    my $text = join '', map { $pool[rand @pool] } 0 .. rand 60;
    my ($at, @clusters) = (1);
    while ($text =~ /(\X)/g) {
        my $cluster = $1;
        push @clusters, ($cluster =~ /^\s+$/ ? '-' : '') . "$at:" . length $cluster;
        $at += length $cluster;
    }
    utf8::encode($text);
    print unpack('H*', $text), " @clusters\n";
}
