#!/usr/bin/env bash
# test/lib/private.sh FOLDER [ARGUMENT OF make ...]: a build of this checkout with these arguments,
# installed in FOLDER beside copies of the server's programs, which find it there: nothing that the
# machine has installed is touched. Prints the path of its pg_config.
set -eu
cd "$(dirname "$0")/../.."
folder=$1; shift
pg_config=${PG_CONFIG:-pg_config}
bin=$($pg_config --bindir) lib=$($pg_config --pkglibdir) share=$($pg_config --sharedir)

mkdir -p "$folder/tree" "$folder$bin" "$folder$lib" "$folder$share"
tar -cf - --exclude='*.o' --exclude='*.bc' --exclude='*.so' \
	Makefile batchinf.control sql src test/fault | tar -xf - --no-same-owner -C "$folder/tree"
chmod -R u+w "$folder/tree"

# the programs look for their libraries and files from where they themselves are
cp -L "$bin"/* "$folder$bin/"
cp -rsfT "$lib" "$folder$lib"
cp -rsfT "$share" "$folder$share"
rm -rf "$folder$lib"/batchinf* "$folder$lib"/bitcode/batchinf* "$folder$share"/extension/batchinf*
log=$folder/make.log
make -s -C "$folder/tree" -j"$(nproc)" with_llvm=no PG_CONFIG="$pg_config" "$@" \
	install DESTDIR="$folder" >"$log" 2>&1 || { cat "$log" >&2; exit 1; }
echo "$folder$bin/pg_config"
