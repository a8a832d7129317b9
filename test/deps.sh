#!/usr/bin/env bash
# Installs from the distribution (Debian and its derivatives) what building, testing and the first run need. Says
# what is missing before it installs, is silent about what is there, needs root only when something is missing.
# PostgreSQL: one that is there already (15 to 18) is used, and only what it lacks is added.
#
#   test/deps.sh [quickstart]    all, or without what only tests need
set -euo pipefail
cd "$(dirname "$0")/.."

# The first of several names (Debian 13 renamed msgpack-c's) that the distribution has.
packages=(build-essential libjansson-dev libutf8proc-dev libzip-dev libhdf5-dev 'libmsgpack-c-dev|libmsgpack-dev' libopenblas0-serial)
# The word tokenizer's reference outputs were made with the dictionary in python3-jieba.
[ "${1:-}" = quickstart ] || packages+=(perl libcmocka-dev libipc-run-perl python3-jieba)

if ! command -v dpkg-query >/dev/null; then
	test/pg_config >/dev/null ||
		{ echo "roformer: install PostgreSQL 15 to 18 with its server headers first; set PG_CONFIG if it is in an unusual place" >&2; exit 1; }
	echo "roformer: not a Debian system, so no package is installed; needed: gcc, make, the headers of jansson, utf8proc, libzip, HDF5 and msgpack-c; for tests also cmocka and perl with IPC::Run"
	exit 0
fi

is_installed() { [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }
has_candidate() { [[ $(apt-cache policy "$1" 2>/dev/null) =~ Candidate:\ [^\(] ]]; }
apt() { DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 apt-get -q -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 "$@" </dev/null; }

# any_of TEST NAMES: the first of the names, which stand between bars, that passes.
any_of()
{
	local name
	for name in ${2//|/ }; do
		! "$1" "$name" || { echo "$name"; return; }
	done
	return 1
}

missing=()
for package in "${packages[@]}"; do
	any_of is_installed "$package" >/dev/null || missing+=("$package")
done

need_postgresql=false
test/pg_config >/dev/null || need_postgresql=true
if [ ${#missing[@]} -eq 0 ] && ! $need_postgresql; then
	echo "roformer: every package needed is installed ($($(test/pg_config) --version))"
	exit 0
fi

list="${missing[*]}"
$need_postgresql && list="${list:+$list }postgresql-15 postgresql-server-dev-15 (or 16 to 18)"
if [ "$(id -u)" -ne 0 ]; then
	echo "roformer: these packages are missing; install them as root ('make deps' does it) and try again:" >&2
	echo "  $list" >&2
	exit 1
fi
if [ -n "${PG_CONFIG:-}" ] && $need_postgresql; then
	echo "roformer: PG_CONFIG=$PG_CONFIG has no server or no server headers; unset it or install them" >&2
	exit 1
fi

# The release's own PostgreSQL unless a server is there that only lacks its headers.
postgresql_version()
{
	local version
	for version in 18 17 16 15; do
		[ ! -x "/usr/lib/postgresql/$version/bin/postgres" ] || { echo $version; return; }
	done
	for version in 15 16 17 18; do
		! has_candidate "postgresql-server-dev-$version" || { echo $version; return; }
	done
	echo "roformer: this distribution offers no PostgreSQL from 15 to 18" >&2
	return 1
}

for package in "${missing[@]}" postgresql-common; do
	if ! any_of has_candidate "$package" >/dev/null; then
		echo "roformer: reading the distribution's package lists"
		apt update
		break
	fi
done
for i in "${!missing[@]}"; do
	missing[i]=$(any_of has_candidate "${missing[i]}") || { echo "roformer: this distribution has no package ${missing[i]}" >&2; exit 1; }
done
if $need_postgresql; then
	version=$(postgresql_version)
	missing+=("postgresql-$version" "postgresql-server-dev-$version")
fi

echo "roformer: installing ${missing[*]}"
if ! apt install -y --no-install-recommends "${missing[@]}"; then
	echo "roformer: once more, with fresh package lists"
	apt update
	apt install -y --no-install-recommends "${missing[@]}"
fi
test/pg_config >/dev/null || { echo "roformer: still no usable pg_config after installing" >&2; exit 1; }
echo "roformer: packages are installed ($($(test/pg_config) --version))"
