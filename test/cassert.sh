#!/usr/bin/env bash
# test/cassert.sh [PART ...]: the tests over a PostgreSQL with assertions, built from the source
# that apt has for the installed server; parts: end-to-end (regress, pgtap and the perl tests),
# valgrind (the unit tests and one job over every provider). Both without an argument. No part of
# `make test`: together they take most of an hour.
#
# The server is built once, in $BATCHINF_SUITES (~/.cache/batchinf), which takes a few minutes;
# nothing but packages is installed on the machine.
set -u
cd "$(dirname "$0")/.." || exit 1
[ $# -gt 0 ] || set -- end-to-end valgrind

bash test/deps.sh || exit 1
as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }
packages=()
for package in bison flex bzip2 valgrind; do
	command -v $package >/dev/null || packages+=("$package")
done
[ ${#packages[@]} = 0 ] || {
	as_root apt-get update -qq &&
		as_root apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
} || exit 1

major=$(pg_config --version | grep -om1 '[0-9]*' | head -n 1)
caches=${BATCHINF_SUITES:-${XDG_CACHE_HOME:-$HOME/.cache}/batchinf}
server=$caches/cassert-$major
folder=$(mktemp -d "${TMPDIR:-/tmp}/batchinf-cassert.XXXXXX")
trap 'rm -rf "$folder"' EXIT
chmod 755 "$folder"

# ---- the server ----

# the suite's own sources, without a change to the machine's apt
fetch_source() { # FOLDER
	mkdir -p "$1/lists/partial"
	apt-get indextargets --format 'deb-src $(SITE) $(RELEASE) $(COMPONENT)' \
		'Created-By: Packages' | grep -v security | sort -u >"$1/sources.list"
	local options=(-qq -o Dir::Etc::SourceList="$1/sources.list"
		-o Dir::Etc::SourceParts=/dev/null -o Dir::State::Lists="$1/lists")
	(cd "$1" && apt-get "${options[@]}" update &&
		apt-get "${options[@]}" --download-only source "postgresql-$major") || return 1
	mkdir "$1/source" && tar -xf "$1"/postgresql-*.orig.tar.* --strip-components=1 -C "$1/source"
}

# with what the tests want beside it: of contrib, and the machine's own pgTAP and pgvector
build_server() { # FOLDER
	local module made=$server/bin/pg_config
	fetch_source "$1" && (
		cd "$1/source" &&
			./configure --quiet --prefix="$server" --enable-cassert --enable-debug \
				--with-openssl --without-readline --without-zlib --without-icu \
				--with-system-tzdata=/usr/share/zoneinfo CPPFLAGS=-DUSE_VALGRIND &&
			make -s -j"$(nproc)" install || exit
		for module in citext dblink hstore; do
			make -s -j"$(nproc)" -C contrib/$module install || exit
		done
		cp src/tools/valgrind.supp "$server/"
	) && cp -r "$(pg_config --sharedir)/extension/"{pgtap,vector}* \
		"$($made --sharedir)/extension/" &&
		cp "$(pg_config --pkglibdir)/vector.so" "$($made --pkglibdir)/"
}

mkdir -p "$caches"
exec 9>"$server.lock"
flock 9
if [ ! -e "$server/made" ]; then
	echo "# building PostgreSQL $major with assertions in $server"
	rm -rf "$server"
	mkdir -p "$server"
	build_server "$folder/make" >"$folder/make.log" 2>&1 ||
		{ tail -n 40 "$folder/make.log"; exit 1; }
	touch "$server/made"
fi
flock -s 9

# ---- the tests, in a copy ----

# the programs look for their libraries and files from where they themselves are
cp -r "$server" "$folder/server"
server=$folder/server
mkdir "$folder/tree" "$folder/tmp"
chmod 1777 "$folder/tmp"
tar -cf - --exclude=./.git --exclude=node_modules --exclude='*.o' --exclude='*.bc' \
	--exclude='*.so' --exclude=./test/fuzz/build . |
	tar -xf - --no-same-owner -C "$folder/tree" || exit 1
chmod -R u+w,go+rX "$folder/tree"
export PG_CONFIG=$server/bin/pg_config PATH=$server/bin:$PATH TMPDIR=$folder/tmp \
	BI_PROVE=${BI_PROVE:---verbose}
cd "$folder/tree" || exit 1
make -s -j"$(nproc)" with_llvm=no install && make -s -C test/unit -j"$(nproc)" || exit 1

# those of pgtap in three runs side by side: they wait most of the time
end_to_end() {
	local run script status=0 pids=() list=$folder/pgtap.list
	bash test/regress.sh || status=1
	bash test/pgtap/run.sh --list >"$list"
	for run in 0 1 2; do
		bash test/pgtap/run.sh --from "$list" >"$folder/pgtap.$run" 2>&1 &
		pids+=($!)
	done
	for run in 0 1 2; do
		wait "${pids[run]}" || status=1
		cat "$folder/pgtap.$run"
	done
	for script in $(grep -l 'Test::More' test/*/*.pl); do
		echo "# $script"
		perl "$script" || status=1
	done
	return $status
}

# The server's program becomes a script. What valgrind says of a process stands in a file of its
# own.
valgrind_part() {
	local status=0 said=$folder/said errors
	mkdir -m 1777 "$said"
	mv "$server/bin/postgres" "$server/bin/postgres.plain"
	cat >"$server/bin/postgres" <<-WRAPPER
		#!/bin/sh
		case "\$*" in
		*--boot* | *--single* | *--check* | -V | -C*) exec "$server/bin/postgres.plain" "\$@" ;;
		esac
		exec valgrind --quiet --leak-check=no --suppressions="$server/valgrind.supp" \
			--log-file="$said/%p" "$server/bin/postgres.plain" "\$@"
	WRAPPER
	chmod 755 "$server/bin/postgres"
	bash test/regress.sh || status=1
	bash test/pgtap/run.sh providers.sql || status=1
	errors=$(find "$said" -type f -size +0 | wc -l)
	if [ "$errors" = 0 ]; then
		echo "ok 1 - valgrind found nothing"
	else
		echo "not ok 1 - valgrind found nothing"
		find "$said" -type f -size +0 -exec head -n 80 {} + | cut -c1-200 | head -n 400 |
			sed 's/^/# /'
		status=1
	fi
	return $status
}

status=0
for part; do
	case $part in
	end-to-end) end_to_end || status=1 ;;
	valgrind) valgrind_part || status=1 ;;
	*) echo "no such part: $part"; exit 1 ;;
	esac
done
exit $status
