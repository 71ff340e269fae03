#!/usr/bin/env bash
# test/walls.sh: what the rooms of src/ may not know of each other, and how their files are kept, as
# far as grep can tell (TAP).
# Each wall is "ok" or "not ok" with its words, and the lines that break it.
set -u
cd "$(dirname "$0")/.." || exit 1
n=0 broken=0

wall() { # WORDS COMMAND ...: what the command prints breaks the wall
	local words=$1 found; shift
	found=$("$@")
	n=$((n + 1))
	if [ -z "$found" ]; then echo "ok $n - $words"; return; fi
	echo "not ok $n - $words"
	sed 's/^/#   /' <<<"$found"
	broken=1
}

# lines PATTERN [PLACE ...]: prints the lines of src/ with it, except in these files and folders;
# comments do not count
lines() {
	local pattern=$1 skip='^$' place; shift
	for place in "$@"; do skip="$skip|^src/$place"; done
	grep -rnE --include='*.[ch]' "$pattern" src | grep -vE "$skip" |
		grep -vE '^[^:]*:[0-9]*:[[:space:]]*(/\*|\*)'
}

wall 'libcurl is included in base/transfer.h only' lines '<curl/' base/transfer.h:
wall 'base/transfer.h is included by http.c, httpopt.c and transfer.c only' \
	lines '/(transfer|httpopt)\.h"' base/http.c: base/httpopt.c: base/httpopt.h: base/transfer.c:
wall 'json-c is used in base/json.c only' \
	lines 'json-c|json_object_(get|new|put|object)|json_tokener' base/json.c:
wall 'libcrypto is used in base/ only' lines '<openssl/' base/
wall 'versions are asked for in base/compat.h only' \
	lines 'PG_(MAJOR)?VERSION|LIBCURL_VERSION' base/compat.h:
wall 'settings are defined in base/guc.c only' lines 'DefineCustom' base/guc.c:
wall 'SPI is used in store/, intake/ (the query of the user), api/ (procedures) and engine/xact.c' \
	lines '\bSPI_[a-z]' store/ intake/source.c: api/procedure.c: api/await.c: api/work.c: \
	engine/xact.c:
wall 'transactions begin and end in engine/xact.c and worker/ only' \
	lines '(Start|Commit|AbortCurrent|AbortOutOfAny)Transaction|SPI_(commit|rollback)' \
	engine/xact.c: worker/

wall 'transaction callbacks are those of worker/wake.c and, for commits, engine/results/limit.c' \
	lines 'RegisterXactCallback' worker/wake.c: engine/results/limit.c:

provider_includes() {
	local seen='/(provider|wire)\.h:.*"(base|store)/' signed='(aws|bedrock|google|vertex)[a-z_]*\.c'
	seen="$seen|\"base/(json|exchange|salvage|schema|spool|utf8)\.h\""
	grep -nE '#include "(base|store|engine|intake|worker|api)/' \
		$(find src/provider -name '*.[ch]') |
		grep -vE "$seen|/$signed:.*\"base/(sigv4|jwt|url)\.h\""
}
wall 'provider/ includes JSON, UTF-8, exchanges, schemas, spools and itself' provider_includes
wall 'provider/ does no I/O, no SQL and reads no clock' \
	lines '\b(SPI_|bi_(http|sql)_|GetCurrentTimestamp|f?open\(|time\(|recv\(|send\()' \
	base/ store/ engine/ worker/ api/ intake/ batchinf.c

upward_includes() {
	local above='batchinf' floor
	for floor in api worker intake engine provider store base; do
		grep -nE "#include \"($above)[/.]" $(find src/$floor -name "*.[ch]")
		above="$above|$floor"
	done
}
wall 'includes go down only: api, worker, intake, engine, provider, store, base' upward_includes
wall 'no include climbs out of its folder' lines '#include "\.\./'
wall 'none of the unsafe old functions is called' \
	lines '\b(strcpy|strcat|sprintf|vsprintf|strtok|atoi|atol|system|gets)[[:space:]]*\('

# each call of ereport on one line, without those that tell and do not complain
without_errcode() {
	perl -0777 -ne 'my $string = qr/"(?:[^"\\]|\\.)*"|\x27(?:[^\x27\\]|\\.)*\x27/;
		while (/\bereport\s*(\((?:[^()"\x27]|$string|(?1))*\))/g) {
		my ($call, $line) = ($1, 1 + (substr($_, 0, $-[0]) =~ tr/\n//));
		$call =~ s/\s+/ /g;
		print "$ARGV:$line: ereport$call\n"
			unless $call =~ /errcode/ or $call =~ /^\((DEBUG[1-5]|LOG|NOTICE|INFO),/ }' \
		$(find src -name '*.[ch]')
}
wall 'each ereport of an error or a warning has an errcode' without_errcode

left_to_do() {
	grep -rnwE 'TODO|FIXME|HACK|XXX' --include='*.[ch]' --include='*.sql' --include='*.sh' \
		--include='*.pl' --include='*.js' --include='*.mjs' --include='*.md' \
		--include=Makefile --exclude-dir=node_modules --exclude=walls.sh .
}
wall 'nothing is marked as left to do' left_to_do

without_head() {
	local file
	for file in src/*.[ch] src/*/*.[ch] src/*/*/*.[ch]; do
		[[ $(head -n 2 "$file") == "/*"$'\n'" * ${file#src/}:"* ]] || echo "$file"
	done
}
wall 'each file says at its head what it is' without_head
# the definition of a struct, in a header: its life, its owner, who writes it
without_life() {
	perl -0777 -ne 'while (m{(\*/\s*)?\n(typedef struct (\w+)|struct (\w+))\n\{}g) {
		my ($comment, $name, $line) = ($1, $3 // $4, 2 + (substr($_, 0, $-[0]) =~ tr/\n//));
		print "$ARGV:$line: $name\n" unless $comment && $comment =~ m{^\*/\n?$} }' \
		$(find src -name '*.h')
}
wall 'each struct of a header has a comment on its life' without_life
without_readme() {
	local floor
	for floor in src/*/; do [ -f "${floor}README.md" ] || echo "$floor"; done
}
wall 'each floor has a README' without_readme

# blank lines and comments are free: a limit must not be a reason to leave a comment out
long_files() {
	perl -0777 -ne 's{/\*.*?\*/}{}gs; my $lines = grep { /\S/ } split /\n/;
		print "$ARGV: $lines lines of code\n" if $lines > 400' \
		src/*.[ch] src/*/*.[ch] src/*/*/*.[ch]
}
wall 'no file has more than 400 lines of code' long_files
long_functions() {
	awk 'FNR == 1 { start = 0 }
		/^[{]/ { start = FNR }
		/^[}]/ && start {
			if (FNR - start > 61) print FILENAME ":" start ": " FNR - start - 1 " lines"
			start = 0
		}' \
		src/*.c src/*/*.c src/*/*/*.c
}
wall 'no function is longer than 60 lines' long_functions
same_names() { ls src/*/*.[ch] src/*/*/*.[ch] | sed 's|.*/||' | sort | uniq -d; }
wall 'file names are unique across folders' same_names

unlisted_providers() {
	local name place
	for name in $(sed -n 's/^\t\.name = "\(.*\)",$/\1/p' src/provider/*.c src/provider/*/*.c); do
		grep -qE "^\| \`provider\` \|.*\`$name\`" doc/options.md || echo "doc/options.md: $name"
		for place in sql/batchinf.sql sql/batchinf--0.1.0--0.2.0.sql; do
			sed -n '/^COMMENT ON FOREIGN DATA WRAPPER/,/;$/p' $place | grep -qw "$name" ||
				echo "$place: $name"
		done
	done
}
wall 'doc/options.md and the wrapper name each provider' unlisted_providers

wall 'no two files need each other (test/circles.pl)' perl test/circles.pl
other_families() {
	local family
	for family in src/provider/*/; do
		family=$(basename "$family")
		[ "$family" = shape ] && continue
		grep -nE '#include "provider/[a-z]+/' src/provider/"$family"/*.[ch] |
			grep -vE "#include \"provider/($family|shape)/"
	done
}
wall 'no family of providers includes another one' other_families

# but for what was released, recorded or generated, and bytes that a test compares
wide_lines() {
	find . -type f \( -name '*.[ch]' -o -name '*.sql' -o -name '*.sh' -o -name '*.p[lm]' \
		-o -name '*.js' -o -name '*.mjs' -o -name '*.md' -o -name '*.yml' -o -name Makefile \) \
		-not -path './.git/*' -not -path '*/node_modules/*' -not -path './test/expected/*' \
		-not -path './test/fixtures/*' -not -path './test/fuzz/found/*' \
		-not -path './test/fuzz/build/*' -not -path './test/output/*' \
		-not -name 'batchinf--0.1.0.sql' -not -name 'batchinf--0.3.0.sql' -print0 |
		sort -z | xargs -0 perl -CSD -ne 'chomp;
			my $line = $_;
			1 while $line =~ s/^([^\t]*)\t/$1 . " " x (4 - length($1) % 4)/e;
			print "$ARGV:$.: ", length $line, " columns\n" if length $line > 100;
			close ARGV if eof'
}
wall 'no line is wider than 100 columns' wide_lines

# sql/released.sha256 has the scripts of releases.  The next change of sql/batchinf.sql goes into
# the next version: CONTRIBUTING.md says how to begin it.
changed_releases() { (cd sql && sha256sum --quiet -c released.sha256 2>&1) || true; }
wall 'no script of a release is edited' changed_releases

echo "1..$n"
exit $broken
