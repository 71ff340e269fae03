#!/usr/bin/env bash
# test/suite.sh SUITE [COMMAND ...]: runs COMMAND as root in another suite of Debian, where the
# current folder, TMPDIR and the network are the same as here. Its mounts and processes are in
# namespaces of their own, which end with it, however it ends.
#
# The suite's folder is made once, in $BATCHINF_SUITES (~/.cache/batchinf), from the mirror that apt
# uses here; one that is half made or was made for other packages is made anew. Exit status 77 and
# "not run: " with the reason: this machine cannot; outside of CI also: it did not.
set -euo pipefail

if [ "$(id -u)" != 0 ]; then
	sudo -n true 2>/dev/null ||
		{ echo "not run: neither root nor sudo without a password"; exit 77; }
	exec sudo -n env TMPDIR="${TMPDIR:-/tmp}" CI="${CI:-}" \
		BATCHINF_SUITES="${BATCHINF_SUITES:-${XDG_CACHE_HOME:-$HOME/.cache}/batchinf}" \
		bash "$0" "$@"
fi

unshare --mount --pid --fork true 2>/dev/null || { echo "not run: no right to mount"; exit 77; }

suite=$1; shift
folders=${BATCHINF_SUITES:-${XDG_CACHE_HOME:-$HOME/.cache}/batchinf}
root=$folders/$suite

case $suite in
bookworm) major=15 more= ;;
trixie) major=17 more="postgresql-17-pgvector radosgw" ;;
forky) major=18 more="postgresql-18-pgvector" ;;
*) echo "no such suite: $suite"; exit 1 ;;
esac
packages="make gcc libc6-dev pkg-config libcurl4-openssl-dev libjson-c-dev libssl-dev
	ca-certificates nodejs openssl procps libipc-run-perl
	libtap-parser-sourcehandler-pgtap-perl postgresql-$major postgresql-$major-pgtap $more"

# ---- the folder ----

# what the folder was made from: the packages, and how this script makes it
recipe() { echo "$packages"; declare -f make_folder; }

make_folder() { # SITE FOLDER
	apt-config dump | grep -E '^Acquire::(Check|https?:|Retries|ForceIP)' >"$root.conf"
	# postgresql-server-dev without clang and LLVM, which are for bitcode and half of all the bytes
	mmdebstrap --quiet --mode=root --variant=minbase \
		--include="$(echo $packages | tr ' ' ,)" --aptopt="$root.conf" --dpkgopt=force-unsafe-io \
		--setup-hook='[ ! -e /etc/apt/auth.conf.d ] || cp -a /etc/apt/auth.conf.d "$1/etc/apt/"' \
		--customize-hook="chroot \"\$1\" sh -c 'cd /tmp &&
			apt-get -qq download postgresql-server-dev-$major &&
			dpkg --force-depends -i *.deb && rm *.deb'" \
		"$suite" "$2" "deb $1 $suite main" && recipe >"$2/recipe"
}

# cannot SITE: the reason why this machine cannot make the folder, if it cannot
cannot() {
	if ! command -v mmdebstrap >/dev/null; then
		echo "mmdebstrap is not installed"
	elif ! /usr/lib/apt/apt-helper -q download-file "$1/dists/$suite/InRelease" \
		"$root.release" >/dev/null 2>&1; then
		echo "no $suite at the mirror that apt uses"
	fi
	rm -f "$root.release"
}

is_made() { [ "$(cat "$root/recipe" 2>/dev/null)" = "$(recipe)" ]; }

# with the lock held, exclusively
ensure_folder() {
	local site why
	! is_made || return 0
	site=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' | grep -v security |
		sed -n 1p)
	why=$(cannot "$site")
	[ -z "$why" ] || { echo "not run: $why"; return 77; }
	rm -rf --one-file-system "$root" "$root.new"
	if make_folder "$site" "$root.new" >"$root.log" 2>&1 </dev/null; then
		mv "$root.new" "$root"
		rm "$root.conf" "$root.log"
		return 0
	fi
	tail -n 40 "$root.log"
	rm -rf --one-file-system "$root.new"
	echo "not run: the folder of $suite could not be made"
	if [ -n "${CI:-}" ]; then return 1; else return 77; fi
}

mkdir -p "$folders"
exec 9>"$root.lock"
flock -s 9
if ! is_made; then
	flock 9
	ensure_folder || exit
	flock -s 9		# held until the command ends
fi

# ---- the command ----

# the first process of the new namespaces
enter() { # ROOT FOLDER TMPDIR COMMAND ...
	local root=$1 here=$2 tmp=$3 folder; shift 3
	mount -t proc proc "$root/proc" && mount --rbind /dev "$root/dev" &&
		mount -t tmpfs tmpfs "$root/dev/shm" && mount -t tmpfs tmpfs "$root/tmp" &&
		chmod 1777 "$root/tmp" "$root/dev/shm" || return
	for folder in "$tmp" "$here"; do
		mkdir -p "$root$folder" && mount --bind "$folder" "$root$folder" || return
	done
	chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 TMPDIR="$tmp" \
		sh -c 'cd "$1" && shift && exec "$@"' sh "$here" "$@"
}

[ $# -gt 0 ] || exit 0
setpriv --pdeathsig KILL unshare --mount --pid --fork --kill-child=KILL bash \
	-c "$(declare -f enter); enter \"\$@\"; exit" \
	bash "$root" "$PWD" "$(realpath "${TMPDIR:-/tmp}")" "$@" &
trap 'kill -KILL $!; wait $!; exit 143' TERM INT HUP		# unshare itself would not end
wait $!
