#!/usr/bin/env bash
# test/walls.sh: what the floors of src/ may not know of each other and how they are kept, as far as grep can tell (TAP).
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

# lines PATTERN [PLACE ...]: where it stands in src/ but for these files and folders; comments do not count
lines() {
	local pattern=$1 skip='^$' place; shift
	for place in "$@"; do skip="$skip|^src/$place"; done
	grep -rnE --include='*.[ch]' "$pattern" src | grep -vE "$skip" | grep -vE '^[^:]*:[0-9]*:[[:space:]]*(/\*|\*)'
}

wall 'libcurl is included in base/transfer.h only' lines '<curl/' base/transfer.h:
wall 'base/transfer.h is included by http.c, httpopt.c and transfer.c only' \
	lines '/(transfer|httpopt)\.h"' base/http.c: base/httpopt.c: base/httpopt.h: base/transfer.c:
wall 'json-c is used in base/json.c only' lines 'json-c|json_object_(get|new|put|object)|json_tokener' base/json.c:
wall 'libcrypto is used in base/ only' lines '<openssl/' base/
wall 'versions are asked for in base/compat.h only' lines 'PG_(MAJOR)?VERSION|LIBCURL_VERSION' base/compat.h:
wall 'settings are defined in base/guc.c only' lines 'DefineCustom' base/guc.c:
wall 'SPI is used in store/, in api/ (the query of the user, procedures) and in engine/xact.c only' \
	lines '\bSPI_[a-z]' store/ api/source.c: api/manage.c: api/procedure.c: api/wait.c: engine/xact.c:
wall 'transactions begin and end in engine/xact.c and worker/ only' \
	lines '(StartTransaction|CommitTransaction|AbortCurrentTransaction|AbortOutOfAnyTransaction|SPI_commit|SPI_rollback)' engine/xact.c: worker/

provider_includes() {
	grep -nE '#include "(base|store|engine|worker|api)/' src/provider/*.[ch] |
		grep -vE '/provider\.h:.*"(base|store)/|"base/(json|exchange|salvage|schema|spool|utf8)\.h"|/(aws|bedrock|google|vertex)[a-z_]*\.c:.*"base/(sigv4|jwt|url)\.h"'
}
wall 'provider/ includes JSON, UTF-8, exchanges, schemas, spools and itself' provider_includes
wall 'provider/ does no I/O, no SQL and reads no clock' \
	lines '\b(SPI_|bi_(http|sql)_|GetCurrentTimestamp|f?open\(|time\(|recv\(|send\()' base/ store/ engine/ worker/ api/ batchinf.c

upward_includes() {
	local above='batchinf' floor
	for floor in api worker engine provider store base; do
		grep -nE "#include \"($above)[/.]" src/$floor/*.[ch]
		above="$above|$floor"
	done
}
wall 'includes go down only: api, worker, engine, provider, store, base' upward_includes
wall 'no include climbs out of its folder' lines '#include "\.\./'
wall 'none of the unsafe old functions is called' \
	lines '\b(strcpy|strcat|sprintf|vsprintf|strtok|atoi|atol|system|gets)[[:space:]]*\('

# each call of ereport on one line, without those that tell and do not complain
without_errcode() {
	perl -0777 -ne 'while (/\bereport\s*(\((?:[^()"\x27]|"(?:[^"\\]|\\.)*"|\x27(?:[^\x27\\]|\\.)*\x27|(?1))*\))/g) {
		my ($call, $line) = ($1, 1 + (substr($_, 0, $-[0]) =~ tr/\n//));
		$call =~ s/\s+/ /g;
		print "$ARGV:$line: ereport$call\n" unless $call =~ /errcode/ or $call =~ /^\((DEBUG[1-5]|LOG|NOTICE|INFO),/ }' src/*.[ch] src/*/*.[ch]
}
wall 'each ereport of an error or a warning has an errcode' without_errcode

left_to_do() {
	grep -rnwE 'TODO|FIXME|HACK|XXX' --include='*.[ch]' --include='*.sql' --include='*.sh' --include='*.pl' --include='*.js' --include='*.mjs' \
		--include='*.md' --include=Makefile --exclude-dir=node_modules --exclude=walls.sh .
}
wall 'nothing is marked as left to do' left_to_do

without_head() {
	local file
	for file in src/*.[ch] src/*/*.[ch]; do
		[[ $(head -n 2 "$file") == "/*"$'\n'" * ${file#src/}:"* ]] || echo "$file"
	done
}
wall 'each file says at its head what it is' without_head
without_readme() {
	local floor
	for floor in src/*/; do [ -f "${floor}README.md" ] || echo "$floor"; done
}
wall 'each floor has a README' without_readme

# blank lines and comments are free: a limit must not be a reason to leave a comment out
long_files() {
	perl -0777 -ne 's{/\*.*?\*/}{}gs; my $lines = grep { /\S/ } split /\n/; print "$ARGV: $lines lines of code\n" if $lines > 400' \
		src/*.[ch] src/*/*.[ch]
}
wall 'no file has more than 400 lines of code' long_files
long_functions() {
	awk 'FNR == 1 { start = 0 } /^[{]/ { start = FNR } /^[}]/ && start { if (FNR - start > 61) print FILENAME ":" start ": " FNR - start - 1 " lines"; start = 0 }' \
		src/*.c src/*/*.c
}
wall 'no function is longer than 60 lines' long_functions
same_names() { ls src/*/*.[ch] | sed 's|.*/||' | sort | uniq -d; }
wall 'file names are unique across folders' same_names

unlisted_providers() {
	local name place
	for name in $(sed -n 's/^\t\.name = "\(.*\)",$/\1/p' src/provider/*.c); do
		grep -qE "^\| \`provider\` \|.*\`$name\`" README.md || echo "README.md: $name"
		for place in sql/batchinf.sql sql/batchinf--0.1.0--0.2.0.sql; do
			grep -qE "^COMMENT ON FOREIGN DATA WRAPPER.*\b$name\b" $place || echo "$place: $name"
		done
	done
}
wall 'README and wrapper name each provider' unlisted_providers

echo "1..$n"
exit $broken
