#!/usr/bin/env bash
# test/rgw/run.sh: our signatures and AWS's own client at an S3 that we did not write (TAP).
set -u
. "$(dirname "$0")/../lib/cluster.sh"
. "$(dirname "$0")/rgw.sh"
folder=$(mktemp -d "${TMPDIR:-/tmp}/batchinf-rgw.XXXXXX")
trap 'rgw_stop "$folder"; cluster_stop "$folder"; rm -rf "$folder"' EXIT
trap 'exit 1' INT TERM HUP
chmod 755 "$folder"
rgw_start "$folder" || exit
cluster_start "$folder" || exit
psql -qX -v ON_ERROR_STOP=1 -v module="$bi_root/test/unit/batchinf_unit" -f "$bi_root/test/unit/functions.sql" >/dev/null || exit 1
status=0
for script in signed jobs; do node "$bi_root/test/rgw/$script.mjs" || { status=1; tail -n 40 "$folder/rgw.log" | sed "s/^/# /"; }; done
exit $status
