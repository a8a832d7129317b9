#!/usr/bin/env bash
# Builds and tests with PostgreSQL 16, 17 and 18, each in the distribution that carries it (Ubuntu noble, Debian trixie, Debian
# forky): a throw-away system is made with debootstrap, this tree as it is committed is cloned into it, and
# test/deps.sh, make (which must not warn) and test/run do there what they do anywhere. Not part of "make check".
#
#   test/versions.sh [18|17|16 ...]      as root; all of them, if none is named
#
#   SUITES="unit sql"    suites of test/run, by default "layers unit sql isolation tap"; TAP='05*' is passed on
#   VERSIONS_DIR=DIR     where the systems are made (1.5 GB each), by default below the parent of test/run's servers
#   KEEP=1               keeps the systems, unmounted, and the logs
#
# A PostgreSQL of this machine is not touched: nothing is started outside the systems, whose servers listen on sockets
# in their own /tmp. The last line says which versions passed.
set -euo pipefail
umask 022
export LC_ALL=C.UTF-8
cd "$(dirname "$0")/.."
. test/server.sh

versions=${*:-18 17 16}
suites=${SUITES:-layers unit sql isolation tap}
say() { printf '%s\n' "$*"; }
for version in $versions; do
	case $version in 16 | 17 | 18) ;; *) echo "test/versions.sh: no version \"$version\"; there are: 16 17 18" >&2; exit 2 ;; esac
done
[ "$(id -u)" -eq 0 ] || { echo "test/versions.sh: making systems is for root" >&2; exit 1; }
if ! command -v debootstrap >/dev/null; then
	say "installing debootstrap"
	{ apt-get -q update && DEBIAN_FRONTEND=noninteractive apt-get -q install -y debootstrap; } >/dev/null
fi

parent=${VERSIONS_DIR:-$(server_parent)}
mkdir -p "$parent"
work=$(mktemp -d "$parent/roformer-versions.XXXXXX")
chmod 755 "$work"
results=() failed=0 child=

# All that is mounted in a system, the last first. Nothing is removed below a mount that stays.
unmount_all()
{
	local point
	awk -v below="$work/" 'index($2, below) == 1 { print $2 }' /proc/mounts | sort -r | while read -r point; do
		umount "$point" || umount -l "$point" || true
	done
	! grep -qF " $work/" /proc/mounts
}

# A job that was stopped may leave servers: of processes, those whose root is a system of this run.
stop_processes()
{
	local process
	for process in /proc/[0-9]*; do
		[[ $(readlink "$process/root" 2>/dev/null) != "$work"/* ]] || kill -"$1" "${process#/proc/}" 2>/dev/null || true
	done
}

finish()
{
	local status=$?
	trap - EXIT
	trap '' INT TERM
	[ -z "$child" ] || kill "$child" 2>/dev/null || true
	stop_processes TERM
	sleep 1
	stop_processes KILL
	if ! unmount_all; then
		say "still mounted, so not removed: $work"
	elif [ -n "${KEEP:-}" ]; then
		say "kept: $work"
	else
		rm -rf --one-file-system "$work"
	fi
	say ""
	[ ${#results[@]} -eq 0 ] || printf '%s\n' "${results[@]}"
	[ $status -ne 0 ] || [ $failed -eq 0 ] || status=1
	exit $status
}
trap finish EXIT
trap 'exit 130' INT TERM

# In the background and waited for, so that a signal acts at once.
run()
{
	local status=0
	"$@" </dev/null &
	child=$!
	wait "$child" || status=$?
	child=
	return $status
}

inside() { chroot "$1" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 TAP="${TAP:-}" bash -c "cd /root/roformer && $2"; }

# bootstrap SUITE DIR: debootstrap's own mirror. An older debootstrap knows a new suite by the script of a sibling.
bootstrap()
{
	local suite=$1 dir=$2 scripts=/usr/share/debootstrap/scripts sibling=sid options=()
	if [ "$suite" = noble ]; then
		sibling=gutsy
		options=(--components=main,universe --keyring="$keyring")
	fi
	local script=$scripts/$suite
	[ -e "$script" ] || script=$scripts/$sibling
	debootstrap --variant=minbase --include=ca-certificates,make,git "${options[@]}" "$suite" "$dir" "" "$script"
}

# Ubuntu's key, which Debian 12 has no package of: from Debian 13, the first time it is needed.
keyring=/usr/share/keyrings/ubuntu-archive-keyring.gpg
find_keyring()
{
	[ ! -e "$keyring" ] || return 0
	say "  fetching Ubuntu's archive key by way of Debian trixie"
	run debootstrap --variant=minbase --include=ubuntu-archive-keyring trixie "$work/keyring" >"$work/keyring.log" 2>&1 || return 1
	keyring=$work/keyring$keyring
}

# A /dev of its own, so that nothing of this machine's is in reach, and terminals, which a test asks for.
mount_all()
{
	local dir=$1 device
	mount -t proc proc "$dir/proc"
	mount -t tmpfs -o mode=755 tmpfs "$dir/dev"
	for device in null zero full random urandom tty; do cp -a "/dev/$device" "$dir/dev/"; done
	mkdir "$dir/dev/pts" "$dir/dev/shm"
	mount -t devpts -o newinstance,ptmxmode=0666,mode=0620 devpts "$dir/dev/pts"
	mount -t tmpfs -o mode=1777 tmpfs "$dir/dev/shm"
	ln -s pts/ptmx "$dir/dev/ptmx"
	ln -s /proc/self/fd "$dir/dev/fd"
}

# Packages of the release's updates as well, and from a mirror that lags behind. No package starts a server.
configure()
{
	local dir=$1 suite=$2
	echo 'Acquire::Check-Valid-Until "false";' >"$dir/etc/apt/apt.conf.d/99lag"
	[ "$suite" != noble ] || sed "s/ $suite / $suite-updates /" "$dir/etc/apt/sources.list" >"$dir/etc/apt/sources.list.d/updates.list"
	printf '#!/bin/sh\nexit 101\n' >"$dir/usr/sbin/policy-rc.d"
	chmod 755 "$dir/usr/sbin/policy-rc.d"
	git clone -q . "$dir/root/roformer"
	chroot "$dir" sh -c 'apt-get -q update && DEBIAN_FRONTEND=noninteractive apt-get -q -y upgrade'
}

build_all()
{
	inside "$1" "make -j$(nproc)" || return 1
	! grep -q 'warning:' "$2"
}

# step NAME LOG COMMAND...: says how long it took, or how its log ends.
step()
{
	local name=$1 log=$2 since=$EPOCHREALTIME status=0
	shift 2
	run "$@" >"$log" 2>&1 || status=$?
	if [ $status -ne 0 ]; then
		say "  FAILED $name"
		{ grep -h 'warning:' "$log" || true; } | head -n 20 | sed 's/^/    | /'
		tail -n 40 "$log" | sed 's/^/    | /'
		return 1
	fi
	awk -v name="$name" -v from="$since" -v to="$EPOCHREALTIME" 'BEGIN { printf "  ok     %-44s %.0f s\n", name, to - from }'
}

# Of what test/run says: names of suites, tests, what failed of them, and the sum.
run_suites()
{
	inside "$1" "test/run $suites" 2>&1 | tee "$2" | sed -nuE '/^[a-z]+$|^  (ok|FAILED|skip) |^ +\||^failed:|[0-9] passed/s/^/  /p'
}

# check VERSION: sets outcome.
check()
{
	local version=$1 suite dir=$work/$1 log=$work/$1.log
	case $version in 16) suite=noble ;; 17) suite=trixie ;; 18) suite=forky ;; esac
	outcome="FAILED before the tests"
	if [ $suite = noble ]; then find_keyring || return 1; fi
	step "debootstrap of $suite" "$log.system" bootstrap $suite "$dir" || return 1
	mount_all "$dir"
	step "configuration, clone" "$log.clone" configure "$dir" $suite || return 1
	step "make deps" "$log.deps" inside "$dir" "make deps" || return 1
	step "make, without a warning" "$log.make" build_all "$dir" "$log.make" || return 1
	run run_suites "$dir" "$log" || true
	outcome="$(sed -n 's/^building with \(PostgreSQL [0-9.]*\).*/\1/p' "$log") on $suite, $(inside "$dir" 'gcc -dumpfullversion'): $(tail -n 1 "$log")"
	[[ $(tail -n 1 "$log") =~ ^[1-9][0-9]*\ passed,\ 0\ failed$ ]]
}

for version in $versions; do
	say "PostgreSQL $version"
	outcome=
	check "$version" || failed=$((failed + 1))
	results+=("$version: $outcome")
	stop_processes KILL
	unmount_all || true
	[ -n "${KEEP:-}" ] || ! unmount_all || rm -rf --one-file-system "${work:?}/$version"
done
