# test/lib/cluster.sh: sourced by the test scripts: a private cluster on a socket in a
# folder of its own, and the simulator on 127.0.0.1.  As root the server runs as user
# postgres.  Processes are ended by the pids noted here.

bi_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
bi_bin=$(pg_config --bindir)

as_postgres() {
	if [ "$(id -u)" = 0 ]; then runuser -u postgres -- "$@"; else "$@"; fi
}

# cluster_start FOLDER [LINE OF postgresql.conf ...]: exports PGHOST, PGPORT, PGUSER, PGDATABASE.
cluster_start() {
	local folder=$1; shift
	mkdir -p "$folder"
	[ "$(id -u)" = 0 ] && chown postgres "$folder"
	as_postgres "$bi_bin/initdb" -D "$folder/data" -U postgres -A trust -E UTF8 \
		--locale=C.UTF-8 --no-sync >"$folder/initdb.log" 2>&1 ||
		{ cat "$folder/initdb.log"; return 1; }
	{
		printf '%s\n' "listen_addresses = ''" "unix_socket_directories = '$folder'" "fsync = off" \
			"log_line_prefix = '%m [%p] %b %d '"
		printf '%s\n' "max_worker_processes = 16" "log_min_messages = log" "$@"
	} | as_postgres tee -a "$folder/data/postgresql.conf" >/dev/null
	export PGHOST=$folder PGPORT=5432 PGUSER=postgres PGDATABASE=postgres
	(cd "$folder" && as_postgres "$bi_bin/pg_ctl" -D "$folder/data" -l "$folder/log" -w -t 60 \
		start >/dev/null) ||
		{ cat "$folder/log"; return 1; }
}

cluster_stop() { # FOLDER [MODE]
	[ -f "$1/data/postmaster.pid" ] || return 0
	(cd "$1" && as_postgres "$bi_bin/pg_ctl" -D "$1/data" -m "${2:-fast}" -w -t 60 stop >/dev/null)
}

# sim_start FOLDER [OPTION ...]: exports SIM_PORT; the pid is in FOLDER/sim.pid.
sim_start() {
	local folder=$1; shift
	node "$bi_root/test/sim/main.js" --port 0 --port-file "$folder/sim.port" --parent-pid $$ \
		"$@" >"$folder/sim.log" 2>&1 &
	echo $! >"$folder/sim.pid"
	for _ in $(seq 100); do
		[ -s "$folder/sim.port" ] && break
		sleep 0.1
	done
	SIM_PORT=$(cat "$folder/sim.port") || { cat "$folder/sim.log"; return 1; }
	export SIM_PORT
}

sim_stop() { # FOLDER
	[ -f "$1/sim.pid" ] || return 0
	kill "$(cat "$1/sim.pid")" 2>/dev/null
	rm -f "$1/sim.pid" "$1/sim.port"
}
