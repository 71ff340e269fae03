#!/usr/bin/env bash
# test/demo/demo.sh: the product in a minute: Debian's package index is labelled, summarised and
# embedded by the background worker, in a throwaway cluster, against the simulated provider. Leaves
# nothing running and nothing behind.
set -euo pipefail
cd "$(dirname "$0")/../.."

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }
say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
[ -t 1 ] || say() { printf '\n== %s\n' "$*"; }

say "Installing what is missing, building"
bash test/deps.sh
log=$(mktemp)
{ make -s -j"$(nproc)" && as_root make -s install; } >"$log" 2>&1 ||
	{ tail -n 40 "$log"; rm -f "$log"; exit 1; }
rm -f "$log"

. test/lib/cluster.sh
folder=$(mktemp -d /tmp/batchinf-demo.XXXXXX)
trap 'sim_stop "$folder"; cluster_stop "$folder"; rm -rf "$folder"' EXIT
trap 'exit 1' INT TERM HUP
chmod 755 "$folder"

say "Reading the package index"
[ "$(apt-cache dumpavail | head -c 1000000 | wc -c)" = 1000000 ] || as_root apt-get update -qq
perl test/demo/packages.pl >"$folder/packages"
echo "$(wc -l <"$folder/packages") packages"
[ -s "$folder/packages" ] || { echo "apt knows no packages: is there a network?"; exit 1; }

say "Starting a throwaway PostgreSQL with the worker, and the simulated provider"
cluster_start "$folder" "shared_preload_libraries = 'batchinf'"
sim_start "$folder" --batch-seconds 2
version=$("$bi_bin/postgres" --version | grep -o '[0-9.]*' | head -n 1)
echo "PostgreSQL $version, provider on 127.0.0.1:$SIM_PORT: its answers are made up," \
	"its protocol is OpenAI's"

psql -qX -v ON_ERROR_STOP=1 -v base_url="http://127.0.0.1:$SIM_PORT/v1" \
	-v packages="$folder/packages" <test/demo/demo.sql 2>&1
