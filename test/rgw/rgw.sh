# test/rgw/rgw.sh: sourced by tests: Ceph's radosgw on 127.0.0.1, an S3 that we did not write, with its objects in a folder.  It is the system's
# own where that can do without a Ceph cluster (18 and newer), else that of Debian 13.

rgw_run=(bash "$(dirname "${BASH_SOURCE[0]}")/../suite.sh" trixie)
! dpkg --compare-versions "$(dpkg-query -W -f '${Version}' radosgw 2>/dev/null)" ge 18 || rgw_run=()

# rgw_start FOLDER, below TMPDIR: exports RGW_URL, RGW_ACCESS_KEY, RGW_SECRET_KEY; the pid is in FOLDER/rgw.pid.
rgw_start() {
	local folder=$1 port
	export RGW_ACCESS_KEY=RGWEXAMPLE RGW_SECRET_KEY=rgw/secret+example=
	port=$(node -e 'const s = require("net").createServer().listen(0, "127.0.0.1", () => { console.log(s.address().port); s.close(); })')
	export RGW_URL=http://127.0.0.1:$port
	mkdir -p "$folder/rgw"
	cat >"$folder/rgw/ceph.conf" <<-END
		[global]
		rgw_backend_store = dbstore
		rgw_config_store = dbstore
		dbstore_config_uri = file://$folder/rgw/config.db
		rgw_data = $folder/rgw
		dbstore_db_dir = $folder/rgw
		run_dir = $folder/rgw
		admin_socket =
		rgw_frontends = beast endpoint=127.0.0.1:$port
	END
	"${rgw_run[@]}" radosgw-admin --no-mon-config -c "$folder/rgw/ceph.conf" user create --uid=batchinf --display-name=batchinf \
		--access-key="$RGW_ACCESS_KEY" --secret="$RGW_SECRET_KEY" >"$folder/rgw.log" 2>&1 || { local status=$?; cat "$folder/rgw.log"; return $status; }
	"${rgw_run[@]}" radosgw -d --no-mon-config -n client.rgw -c "$folder/rgw/ceph.conf" >>"$folder/rgw.log" 2>&1 &
	echo $! >"$folder/rgw.pid"
	for _ in $(seq 300); do
		! (: </dev/tcp/127.0.0.1/"$port") 2>/dev/null || return 0
		kill -0 "$(cat "$folder/rgw.pid")" 2>/dev/null || break
		sleep 0.1
	done
	cat "$folder/rgw.log"
	return 1
}

rgw_stop() { # FOLDER
	[ -f "$1/rgw.pid" ] || return 0
	kill "$(cat "$1/rgw.pid")" 2>/dev/null
	wait "$(cat "$1/rgw.pid")" 2>/dev/null
	rm -f "$1/rgw.pid"
}
