#!/usr/bin/env bash
# doc/reference.sh: prints doc/reference.md, made from the catalog of a freshly created extension
# and from the settings of its library, in a cluster of its own.  `make reference` writes the page;
# test/docs/reference.pl fails if it is not up to date.
#
# A comment of several lines is a sentence, then words of the column with their meaning.
set -eu
cd "$(dirname "$0")/.."
. test/lib/cluster.sh
cluster=$(mktemp -d "${TMPDIR:-/tmp}/batchinf-reference.XXXXXX")
trap 'cluster_stop "$cluster"; rm -rf "$cluster"' EXIT
cluster_start "$cluster" "shared_preload_libraries = 'batchinf'" "batchinf.enabled = off" >&2
run() { psql -X -q -At -v ON_ERROR_STOP=1 -d postgres "$@"; }
run -c 'CREATE EXTENSION batchinf'
run -f doc/reference.sql | perl -CSD -ne '
	# paragraphs and entries of lists are filled to 100 columns; code stays as it is
	$code = !$code if /^```/;
	if ($code || /^[`#|]/ || length() <= 101) { print; next }
	chomp;
	my $under = " " x length((/^( *- )/)[0] // "");
	my $line = "";
	for my $word (split / /) {
		if (length("$line $word") > 100 && $line =~ /\S/) { print "$line\n"; $line = "$under$word" }
		else { $line = $line eq "" ? $word : "$line $word" }
	}
	print "$line\n"'
