#!/usr/bin/env bash
# test/sanitize.sh [FILE ...]: the unit tests and these files of test/pgtap (all of them, in turn,
# for "all"), with the extension built with AddressSanitizer and UndefinedBehaviorSanitizer, in an
# installation of its own.  What a sanitizer says is a failed test.
#
# Only the server gets the sanitizer's library: its program is a script here that preloads it.
set -u
cd "$(dirname "$0")/.." || exit 1
files=(providers.sql lines.sql)
[ $# = 0 ] || files=("$@")
[ "${files[*]}" != all ] || files=('*.sql')

folder=$(mktemp -d "${TMPDIR:-/tmp}/batchinf-sanitize.XXXXXX")
trap 'rm -rf "$folder"' EXIT
mkdir -m 1777 "$folder/said"
chmod 755 "$folder"

# overflow is looked for, though the server is built with -fwrapv; halting is a crash of the server,
# which no test passes
flags='-O1 -g -fno-wrapv -fno-omit-frame-pointer -fsanitize=address,undefined'
flags="$flags -fno-sanitize-recover=undefined"
pg_config=$(bash test/lib/private.sh "$folder/build" CC=gcc COPT="$flags") || exit 1
bin=$("$pg_config" --bindir)
tree=$folder/build/tree
tar -cf - --exclude='*.o' --exclude='*.so' test/unit test/sql test/expected test/fixtures \
	test/lib test/regress.sh |
	tar -xf - --no-same-owner -C "$tree"
make -s -C "$tree/test/unit" -j"$(nproc)" CC=gcc COPT="$flags" || exit 1

# without it ASan's own start hangs in bindtextdomain() on Debian 12
gcc -shared -fPIC -o "$folder/build/quiet.so" -x c - <<'STUB' || exit 1
char *bindtextdomain(const char *domain, const char *folder) { return (char *) folder; }
char *textdomain(const char *domain) { return (char *) domain; }
STUB
mv "$bin/postgres" "$bin/postgres.plain"
cat >"$bin/postgres" <<WRAPPER
#!/bin/sh
case "\$*" in
*--boot* | *--single* | *--check* | -V | -C*) ;;
*)
	export LD_PRELOAD="$(gcc -print-file-name=libasan.so) $folder/build/quiet.so"
	export ASAN_OPTIONS=detect_leaks=0:log_path=$folder/said/asan:detect_stack_use_after_return=1
	export UBSAN_OPTIONS=print_stacktrace=1:log_path=$folder/said/ubsan
	;;
esac
exec "$bin/postgres.plain" "\$@"
WRAPPER
chmod 755 "$bin/postgres"

export PATH=$bin:$PATH PG_CONFIG=$pg_config BI_PROVE=${BI_PROVE:---verbose}
status=0 pids=()

# side by side: they wait most of the time; frames are larger here, so as deep as elsewhere needs
# more of the stack
(cd "$tree" && PGOPTIONS="-c max_stack_depth=7MB" bash test/regress.sh) >"$folder/regress" 2>&1 &
pids+=($!)
for i in "${!files[@]}"; do
	bash test/pgtap/run.sh "${files[i]}" >"$folder/pgtap.$i" 2>&1 &
	pids+=($!)
done
for pid in "${pids[@]}"; do wait "$pid" || status=1; done
cat "$folder/regress" "$folder"/pgtap.*

n=$(find "$folder/said" -type f | wc -l)
if [ "$n" = 0 ]; then
	echo "ok 1 - the sanitizers found nothing"
else
	echo "not ok 1 - the sanitizers found nothing"
	for said in "$folder"/said/*; do head -n 60 "$said" | cut -c1-300 | sed 's/^/# /'; done |
		head -n 300
	status=1
fi
exit $status
