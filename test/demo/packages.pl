#!/usr/bin/perl
# test/demo/packages.pl: the packages that apt knows, one line for COPY each: name, section,
# description. The long descriptions stand in apt's translations, where it keeps them; else the
# short ones are all there is.
use strict;
use warnings;

sub field {
    my ($stanza, $name) = @_;
    return $stanza =~ /^\Q$name\E: *(.*(?:\n .*)*)/m ? $1 : undef;
}

# "short\n long\n .\n more" as text: paragraphs stay, lines are joined, lists keep theirs
sub plain {
    my ($text) = @_;
    $text =~ s/\n/\n .\n/;
    $text =~ s/\n \.$/\n/mg;
    $text =~ s/\n +([-*+o]) /\n$1 /g;
    $text =~ s/\n (?=\S)/ /g;
    $text =~ s/^ +| +$//mg;
    $text =~ s/\n{3,}/\n\n/g;
    return $text;
}

sub copy_text {
    my ($text) = @_;
    $text =~ s/([\\\t\n\r])/{"\\" => "\\\\", "\t" => "\\t", "\n" => "\\n", "\r" => "\\r"}->{$1}/ge;
    return $text;
}

my %long;
chomp(my @files =
        `apt-get indextargets --format '\$(FILENAME)' 'Created-By: Translations' 2>/dev/null`);
$/ = '';
for my $file (grep {m|/[^']*_Translation-en[^'/]*$|} @files) {
    open my $in, '-|', '/usr/lib/apt/apt-helper', 'cat-file', $file or die "$file: $!\n";
    while (<$in>) {
        my ($sum, $text) = (field($_, 'Description-md5'), field($_, 'Description-en'));
        $long{$sum} = $text if $sum && $text;
    }
}

my %seen;
open my $in, '-|', 'apt-cache', 'dumpavail' or die "apt-cache: $!\n";
while (<$in>) {
    my ($name, $section) = (field($_, 'Package'), field($_, 'Section'));
    my $text = $long{field($_, 'Description-md5') // ''} // field($_, 'Description')
        // field($_, 'Description-en');
    next if !$name || !$text || $seen{$name}++;
    print join("\t", map { copy_text($_) } $name, $section // 'none', plain($text)), "\n";
}
