#!/usr/bin/env bash
# test/rgw/run.sh: our signatures, AWS's own client and jobs of Bedrock at an S3 that is not ours
# (TAP).
set -u
. "$(dirname "$0")/../lib/cluster.sh"
. "$(dirname "$0")/rgw.sh"
export BI_ROOT=$bi_root
folder=$(mktemp -d "${TMPDIR:-/tmp}/batchinf-rgw.XXXXXX")
trap 'sim_stop "$folder"; rgw_stop "$folder"; cluster_stop "$folder"; rm -rf "$folder"' EXIT
trap 'exit 1' INT TERM HUP
chmod 755 "$folder"
rgw_start "$folder" || exit
sim_start "$folder" || exit 1
cluster_start "$folder" "shared_preload_libraries = 'batchinf'" "batchinf.enabled = off" || exit 1
cd "$bi_root/test/pgtap" || exit 1
status=0
psql -qX -v ON_ERROR_STOP=1 -v module="$bi_root/test/unit/batchinf_unit" \
	-f ../unit/functions.sql >/dev/null || exit 1
node ../rgw/signed.mjs || status=1
psql -qX -c 'CREATE DATABASE test' || exit 1
pg_prove --verbose --ext .sql -d test ../rgw/bedrock.sql || status=1
node ../rgw/jobs.mjs || status=1
[ $status = 0 ] || tail -qn 40 "$folder/rgw.log" "$folder/log" | sed 's/^/# /'
exit $status
