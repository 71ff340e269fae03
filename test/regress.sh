#!/usr/bin/env bash
# test/regress.sh: installcheck in a private cluster, with what the server said where it fails.
set -u
cd "$(dirname "$0")/.." || exit 1
. test/lib/cluster.sh
cluster=$(mktemp -d "${TMPDIR:-/tmp}/batchinf-regress.XXXXXX")
trap 'cluster_stop "$cluster"; rm -rf "$cluster"' EXIT
cluster_start "$cluster" "shared_preload_libraries = 'batchinf'" "batchinf.enabled = off" || exit 1
REGRESS_OUT=$cluster/output make -s installcheck && exit 0
grep -E "terminated|PANIC|FATAL|TRAP" "$cluster/log"
cat "$cluster"/output/regression.diffs
exit 1
