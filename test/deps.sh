#!/usr/bin/env bash
# test/deps.sh: installs what the build, the tests and the demo need on Debian 12 and newer: only
# what is missing, as root or by sudo. With all in place it changes nothing and asks nobody.
#
# PostgreSQL is the one that pg_config names, else the distribution's. No cluster is made or
# started.
set -euo pipefail
cd "$(dirname "$0")/.."

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }
installed() { [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

updated=
update() {
	[ -n "$updated" ] || as_root apt-get update -qq
	updated=yes
}

missing=()
need() { # PACKAGE [COMMAND]: missing without the command; without the package where none is given
	if [ $# = 2 ]; then command -v "$2" >/dev/null; else installed "$1"; fi || missing+=("$1")
}

# dependency PACKAGE NAME: the number of the NAME-NUMBER that it depends on; nothing while apt has
# no lists
dependency() { { LC_ALL=C apt-cache depends "$1" 2>/dev/null || true; } |
	sed -nE "s/^ *Depends: $2-([0-9]+)\$/\1/p"; }

major=$(pg_config --version 2>/dev/null | sed -E 's/^PostgreSQL ([0-9]+).*/\1/') ||
	major=$(dependency postgresql postgresql)
[ -n "$major" ] || { update; major=$(dependency postgresql postgresql); }

for package in make gcc openssl cppcheck mmdebstrap; do need "$package" "$package"; done
need pkg-config pkg-config
need nodejs node
need npm npm
need libtap-parser-sourcehandler-pgtap-perl pg_prove
for package in perl libc6-dev libcurl4-openssl-dev libjson-c-dev libssl-dev ca-certificates \
	libipc-run-perl \
	"postgresql-$major" "postgresql-server-dev-$major" "postgresql-$major-pgtap" \
	"postgresql-$major-cron"; do
	need "$package"
done

# the sanitizers' and libFuzzer's libraries for the clang that the server's headers come with
clang=$(dependency "postgresql-server-dev-$major" clang)
[ -n "$clang" ] || { update; clang=$(dependency "postgresql-server-dev-$major" clang); }
need "libclang-rt-$clang-dev"

# an S3 to test against, where it can do without a Ceph cluster; Debian 12 runs it in another
# suite's folder
radosgw=$(apt-cache madison radosgw 2>/dev/null | awk 'NR == 1 { print $3 }')
if dpkg --compare-versions "$radosgw" ge 18; then need radosgw; fi

vector_control=/usr/share/postgresql/$major/extension/vector.control
build_vector=
if [ ! -e "$vector_control" ]; then
	update
	if [ -n "$(apt-cache madison "postgresql-$major-pgvector" 2>/dev/null)" ]; then
		missing+=("postgresql-$major-pgvector")
	else
		build_vector=yes
	fi
fi

if [ ${#missing[@]} -gt 0 ]; then
	echo "installing ${missing[*]}"
	update
	# the server's package would make a cluster and start it
	option=/etc/postgresql-common/createcluster.d/batchinf-deps.conf
	as_root mkdir -p "${option%/*}"
	trap 'as_root rm -f "$option"' EXIT
	as_root tee "$option" >/dev/null <<<"create_main_cluster = false"
	log=$(mktemp)
	as_root env DEBIAN_FRONTEND=noninteractive apt-get install \
		-y -qq --no-install-recommends "${missing[@]}" >"$log" 2>&1 </dev/null ||
		{ tail -n 40 "$log"; rm -f "$log"; exit 1; }
	rm -f "$log"
fi

# Debian 12 has no pgvector: the source that Debian 13 packages, built for this server.
if [ -n "$build_vector" ]; then
	echo "building pgvector for PostgreSQL $major"
	source=pgvector_0.8.0.orig.tar.gz
	sum=SHA256:867a2c328d4928a5a9d6f052cd3bc78c7d60228a9b914ad32aa3db88e9de27b0
	# the mirror that apt uses
	site=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' | grep -v security |
		sed -n 1p)
	folder=$(mktemp -d)
	(
		cd "$folder"
		/usr/lib/apt/apt-helper -q download-file "$site/pool/main/p/pgvector/$source" \
			"$folder/$source" "$sum"
		tar -xzf "$source" --strip-components=1
		make -s with_llvm=no OPTFLAGS= PG_CONFIG="/usr/lib/postgresql/$major/bin/pg_config"
		as_root make -s install with_llvm=no PG_CONFIG="/usr/lib/postgresql/$major/bin/pg_config"
	) >"$folder.log" 2>&1 </dev/null ||
		{ tail -n 40 "$folder.log"; rm -rf "$folder" "$folder.log"; exit 1; }
	rm -rf "$folder" "$folder.log"
fi

# the official clients that the simulator is tested with
if [ ! test/client/node_modules/.package-lock.json -nt test/client/package-lock.json ]; then
	echo "npm ci in test/client"
	(cd test/client && npm ci --no-audit --no-fund --ignore-scripts --loglevel=error ||
		npm ci --no-audit --no-fund --ignore-scripts --loglevel=error)
fi
