#!/usr/bin/env bash
# Copies the PostgreSQL that pg_config belongs to into DIR and installs roformer there, so that tests and the
# quickstart never touch the PostgreSQL that is installed. A PostgreSQL tree moved as a whole finds
# its own files: that is what its "temp-install" relies on as well. Prints the bin directory.
#
#   test/stage.sh DIR
set -euo pipefail
umask 022
dir=$1
top=$(cd "$(dirname "$0")/.." && pwd)
pg_config=${PG_CONFIG:-$("$top/test/pg_config")}
bin=$($pg_config --bindir)
for path in "$bin" "$($pg_config --pkglibdir)" "$($pg_config --sharedir)"; do
	mkdir -p "$dir$path"
	cp -aL --no-preserve=ownership "$path/." "$dir$path/"
done
# An installed roformer must not be taken for the one under test.
rm -rf "$dir$($pg_config --sharedir)"/extension/roformer* "$dir$($pg_config --pkglibdir)/roformer.so"
make -s -C "$top" install DESTDIR="$dir" PG_CONFIG="$pg_config" >/dev/null
echo "$dir$bin"
