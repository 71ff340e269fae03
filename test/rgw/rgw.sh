# test/rgw/rgw.sh: sourced by tests: starts Ceph's radosgw on 127.0.0.1, an S3 that is not ours,
# with its objects in a folder.  The system's own is used if it can run without a Ceph cluster
# (version 18 and newer), else that of Debian 13.

rgw_run=(bash "$(dirname "${BASH_SOURCE[0]}")/../suite.sh" trixie) rgw_signal=TERM
if dpkg --compare-versions "$(dpkg-query -W -f '${Version}' radosgw 2>/dev/null)" ge 18; then
	rgw_run=() rgw_signal=KILL		# it does not always end when it is asked to
fi

# rgw_await PID COMMAND ...: waits until the command succeeds; fails if the process ends, or after
# half a minute.
rgw_await() {
	local pid=$1; shift
	for _ in $(seq 300); do
		! "$@" 2>/dev/null || return 0
		kill -0 "$pid" 2>/dev/null || break
		sleep 0.1
	done
	"$@" 2>/dev/null
}

rgw_end() { # PID
	kill -"$rgw_signal" "$1" 2>/dev/null
	wait "$1" 2>/dev/null
}

rgw_listens() { : </dev/tcp/127.0.0.1/"${RGW_URL##*:}"; }

# rgw_start FOLDER: starts it; FOLDER is below TMPDIR.  Exports RGW_URL, RGW_ACCESS_KEY and
# RGW_SECRET_KEY, and writes the process's id to FOLDER/rgw.pid.
rgw_start() {
	local folder=$1 port pid
	# the keys that the simulator has
	export RGW_ACCESS_KEY=AKIDEXAMPLE
	export RGW_SECRET_KEY=wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY
	port=$(node -e 'const s = require("net").createServer().listen(0, "127.0.0.1", () => {
		console.log(s.address().port);
		s.close();
	})')
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
	"${rgw_run[@]}" stdbuf -oL radosgw-admin --no-mon-config -c "$folder/rgw/ceph.conf" \
		user create --uid=batchinf --display-name=batchinf \
		--access-key="$RGW_ACCESS_KEY" --secret="$RGW_SECRET_KEY" >"$folder/rgw.log" 2>&1 &
	pid=$!
	rgw_await $pid grep -q '"secret_key"' "$folder/rgw.log" || {
		rgw_end $pid
		local status=$?
		cat "$folder/rgw.log"
		return $status
	}
	rgw_end $pid
	"${rgw_run[@]}" radosgw -d --no-mon-config -n client.rgw -c "$folder/rgw/ceph.conf" \
		>>"$folder/rgw.log" 2>&1 &
	echo $! >"$folder/rgw.pid"
	rgw_await $! rgw_listens || { cat "$folder/rgw.log"; return 1; }
}

rgw_stop() { # FOLDER
	[ ! -f "$1/rgw.pid" ] || rgw_end "$(cat "$1/rgw.pid")"
	rm -f "$1/rgw.pid"
}
