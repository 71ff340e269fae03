#!/usr/bin/env perl
# src/base/grapheme_table.pl FOLDER >src/base/grapheme_table.h: makes the table of grapheme classes
# from the files of the Unicode Character Database in FOLDER.  Debian's package unicode-data has
# them in /usr/share/unicode.
use strict;
use warnings;

my $folder = shift || '/usr/share/unicode';
my (@class, $version, $date);
my %name_of = (
    Control => 'CONTROL', Extend => 'EXTEND', ZWJ => 'ZWJ', Prepend => 'PREPEND',
    Regional_Indicator => 'FLAG', SpacingMark => 'SPACING', L => 'L', V => 'V', T => 'T');

# Calls $with->($code, $value) for each character that a line of the file matches.
sub each_code {
    my ($file, $pattern, $with) = @_;
    open my $in, '<', "$folder/$file" or die "$folder/$file: $!\n";
    while (<$in>) {
        $version //= $1 if /^# GraphemeBreakProperty-([\d.]+)\.txt/;
        $date //= $1 if /^# Date: (\d{4}-\d\d-\d\d)/;
        next unless /^([0-9A-F]+)(?:\.\.([0-9A-F]+))?\s*;\s*$pattern\s*(?:#|$)/;
        my ($first, $last, $value) = (hex $1, hex($2 // $1), $3);
        $with->($_, $value) for $first .. $last;
    }
}

# CR, LF and the syllables of Hangul are told by their number.
each_code(
    'auxiliary/GraphemeBreakProperty.txt',
    '(\w+)',
    sub {
        my ($code, $value) = @_;
        return if $code < 0x80 || $value =~ /^LVT?$/;
        $class[$code] = $name_of{$value} // die "unknown class $value\n";
    });
each_code(
    'emoji/emoji-data.txt',
    '(Extended_Pictographic)',
    sub {
        my ($code) = @_;
        die sprintf("%X is a picture and %s\n", $code, $class[$code]) if $class[$code];
        $class[$code] = 'PICTURE';
    });
each_code(
    'DerivedCoreProperties.txt',
    'InCB\s*;\s*(\w+)',
    sub {
        my ($code, $value) = @_;
        my $class = $class[$code] // 'OTHER';
        my %joined = (
            'OTHER Consonant' => 'CONSONANT',
            'EXTEND Linker' => 'LINKER',
            'EXTEND Extend' => 'CONJUNCT',
            'ZWJ Extend' => 'ZWJ');
        $class[$code] = $joined{"$class $value"}
            // die sprintf("%X: %s %s\n", $code, $class, $value);
    });

my @ranges;
for my $code (grep { $class[$_] } 0x80 .. $#class) {
    if (@ranges && $ranges[-1][1] == $code - 1 && $ranges[-1][2] eq $class[$code]) {
        $ranges[-1][1] = $code;
    }
    else { push @ranges, [$code, $code, $class[$code]] }
}

print <<"END";
/*
 * base/grapheme_table.h: classes of characters of Unicode $version, of $date, above ASCII.
 *
 * Made by base/grapheme_table.pl from GraphemeBreakProperty.txt, emoji-data.txt and
 * DerivedCoreProperties.txt: do not edit.  Those files are copyright by Unicode, Inc., under the
 * Unicode License v3 (https://www.unicode.org/license.txt).  For grapheme.c alone, which includes
 * grapheme.h before.
 */
#ifndef BI_GRAPHEME_TABLE_H
#define BI_GRAPHEME_TABLE_H

#define R(first, last, class) \\
	{0x##first, 0x##last, BI_GRAPHEME_##class}

/* Ranges of characters of one class, in their order.  Constant; what is in none of them is
 * BI_GRAPHEME_OTHER or a syllable of Hangul. */
static const struct
{
	uint32		first;
	uint32		last;
	BiGraphemeClass class;
}			grapheme_ranges[] = {
END
my $line = '';
for (@ranges) {
    my $entry = sprintf "R(%X, %X, %s),", @$_;
    if (length "$line $entry" > 96) { print "\t$line\n"; $line = $entry }
    else { $line = $line eq '' ? $entry : "$line $entry" }
}
print "\t$line\n};\n\n#undef R\n\n#endif\t\t\t\t\t\t\t/* BI_GRAPHEME_TABLE_H */\n";
