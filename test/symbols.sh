#!/usr/bin/env bash
# Guards against meeting a stranger's symbol: what the server's executable exports comes first when the module is
# loaded, so a function of ours or of a library we link that has the name of one of the server's is not called, the
# server's is (jansson has a json_object, and so has PostgreSQL). TAP output.
#
#   test/symbols.sh MODULE SERVER
set -euo pipefail
export LC_ALL=C
module=$1 server=$2

defined() { nm -D --defined-only "$@" 2>/dev/null | awk 'NF == 3 { sub(/@.*/, "", $3); print $3 }' | sort -u; }
libraries=$(ldd "$module" | awk '$3 ~ /^\// && $1 !~ /^(libc|libm|libdl|libpthread)\./ { print $3 }')

# check NUMBER NAME SYMBOLS
failures=0
check()
{
	if [ -z "$3" ]; then
		echo "ok $1 - $2"
	else
		echo "not ok $1 - $2"
		sed 's/^/#   /' <<<"$3"
		failures=$((failures + 1))
	fi
}

echo "1..3"
check 1 "no symbol of the module is one of the server's" \
	"$(comm -12 <(defined "$module") <(defined "$server"))"
check 2 "no library function the module calls is one of the server's" \
	"$(nm -D --undefined-only "$module" | awk '{ sub(/@.*/, "", $NF); print $NF }' | sort -u |
		comm -12 - <(defined $libraries) | comm -12 - <(defined "$server"))"
check 3 "the module loads no library that only the client program may load" \
	"$(grep -oE 'lib(hdf5|msgpack)[^ /]*' <<<"$libraries" || true)"
exit $((failures > 0))
