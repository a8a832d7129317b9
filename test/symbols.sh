#!/usr/bin/env bash
# Fails when the module calls a function of one of its libraries under a name that the PostgreSQL
# executable exports too: the executable's comes first, whatever the module was linked with.
#
#   test/symbols.sh MODULE POSTGRES
set -euo pipefail
module=$1
postgres=$2

defined() {
	nm -D --defined-only "$1" | awk '{ sub(/@.*/, "", $NF); print $NF }' | sort -u
}

called() {
	nm -D --undefined-only "$1" | awk '{ sub(/@.*/, "", $NF); print $NF }' | sort -u
}

clashes=$(ldd "$module" | awk '/lib(jansson|utf8proc)/ { print $3 }' | while read -r library; do
	comm -12 <(defined "$library") <(called "$module")
done | sort -u | comm -12 - <(defined "$postgres"))
if [ -n "$clashes" ]; then
	echo "$module would call PostgreSQL's functions instead of its libraries':" $clashes
	exit 1
fi
