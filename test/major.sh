#!/usr/bin/env bash
# test/major.sh: the extension with the PostgreSQL of another suite of Debian, in its folder
# (test/suite.sh): built from the source without warnings, the unit tests, and end to end those of
# test/pgtap that lean most on the server.
set -u
cd "$(dirname "$0")/.." || exit 1
bin=$(echo /usr/lib/postgresql/*/bin)
export PATH=$bin:$PATH PG_CONFIG=$bin/pg_config BI_PROVE=--verbose
pg_config --version
gcc --version | head -n 1
make -s -j"$(nproc)" CC=gcc with_llvm=no COPT=-Werror && make -s install with_llvm=no &&
	make -s -C test/unit -j"$(nproc)" || exit 1

# side by side: they wait most of the time
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
status=0 pids=()
bash test/regress.sh >"$folder/0" 2>&1 & pids+=($!)
bash test/pgtap/run.sh rights.sql >"$folder/1" 2>&1 & pids+=($!)
bash test/pgtap/run.sh install.sql submit.sql types.sql >"$folder/2" 2>&1 & pids+=($!)
bash test/pgtap/run.sh views.sql worker-work.sql >"$folder/3" 2>&1 & pids+=($!)
# whose code differs by version
bash test/pgtap/run.sh adopt.sql carry.sql remains.sql >"$folder/4" 2>&1 & pids+=($!)
for run in 0 1 2 3 4; do
	wait "${pids[run]}" || status=1
	cat "$folder/$run"
done
exit $status
