#!/usr/bin/env bash
# The first run: installs what is needed, builds, starts a throw-away PostgreSQL, loads the bundled models and real rows,
# and shows messages classified, entities found and a hybrid search. The server stays up until
# "make quickstart-stop" or the next quickstart; an installed PostgreSQL and its clusters are not touched.
#
#   demo/quickstart.sh [stop]
#
#   QUERIES=300    how many of the 2,999 searches are measured (all of them: QUERIES=2999)
set -euo pipefail
umask 022
export LC_ALL=C.UTF-8
cd "$(dirname "$0")/.."
. test/server.sh

port=15432
queries=${QUERIES:-1000}
case $queries in *[!0-9]* | '') echo "QUERIES must be a number" >&2; exit 2 ;; esac
step() { printf '\n== %s\n' "$*"; }

stop_old()
{
	[ -e "$dir" ] || return 0
	# The name can be guessed by others who may write to /tmp: only what this user made is used and removed.
	if [ -L "$dir" ] || [ ! -O "$dir" ] || [ ! -f "$dir/bin" ]; then
		echo "roformer: $dir is not a quickstart of this user; move it away" >&2
		exit 1
	fi
	server_stop "$(cat "$dir/bin")" "$dir/server"
	rm -rf "$dir"
}

parent=$(server_parent)
dir=$parent/roformer-quickstart-$(id -u)
if [ "${1:-}" = stop ]; then
	if [ -e "$dir" ]; then stop_old && echo "stopped, and $dir removed"; else echo "no quickstart is running"; fi
	exit 0
fi

step "1. Packages"
test/deps.sh quickstart
PG_CONFIG=$(test/pg_config)
export PG_CONFIG
. test/server.sh # a postgres user may have come with the packages

step "2. Build"
jobs=$(nproc)
echo "compiling for $("$PG_CONFIG" --version), $jobs at a time"
make -s -j"$jobs" PG_CONFIG="$PG_CONFIG" all

step "3. A PostgreSQL of its own"
stop_old
mkdir -m 755 "$dir"
: >"$dir/bin"
bin=$(test/stage.sh "$dir/postgres")
echo "$bin" >"$dir/bin"
mkdir "$dir/server" "$dir/home"
cp -r demo "$dir/"
for directory in postgres server home demo; do server_give "$dir/$directory"; done
cd "$dir/demo"
unfinished()
{
	local status=$?
	[ $status -eq 0 ] && return
	echo "roformer: quickstart did not finish; the server's log ($dir/server/server.log) ends:" >&2
	tail -n 15 "$dir/server/server.log" >&2 || true
	server_stop "$bin" "$dir/server" || true
}
trap unfinished EXIT
trap 'exit 130' INT TERM
export HOME=$dir/home
server_start "$bin" "$dir/server" "$port" "shared_preload_libraries = 'roformer'" "roformer.cache_size = '128MB'"
as_server "$bin/createdb" -h "$dir/server" -p $port -U postgres roformer
echo "server of user $server_user in $dir"

run() { as_server "$bin/psql" -X -v ON_ERROR_STOP=1 -P pager=off -P footer=off -h "$dir/server" -p $port -U postgres -d roformer "$@"; }
step "4. Models"
run -f models.sql
step "5. Messages and requests: class and score"
run -f messages.sql
step "6. Entities in sentences"
run -f entities.sql
step "7. Search: words, meaning, and both"
run -v queries="$queries" -f search.sql
step "8. What the shared cache holds"
run -f cache.sql

step "It is yours now"
cat <<END
Connect:  ${bin}/psql -h $dir/server -p $port -U postgres roformer
Try:      SELECT roformer.classify('sms', 'Free entry: text WIN to 80086 now');
Stop:     make quickstart-stop

The statements above are in demo/*.sql.
END
