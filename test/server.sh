# Sourced by test/run and demo/quickstart.sh: a throw-away server in a directory of its own, run by a user who may
# run one (PostgreSQL refuses root), reachable through a Unix socket in that directory and by no TCP port. Nothing it
# or that user reads lies outside: the source tree may be in a home that others can't enter.

PATH=$PATH:/usr/sbin:/sbin

if [ "$(id -u)" -eq 0 ]; then
	server_user=nobody
	! getent passwd postgres >/dev/null || server_user=postgres
	as_server() { runuser -u "$server_user" -- "$@"; }
else
	server_user=$(id -un)
	as_server() { "$@"; }
fi

# The first of TMPDIR, /tmp and /var/tmp that the server's user can enter and socket paths can lie in.
server_parent()
{
	local parent
	for parent in "${TMPDIR:-/tmp}" /tmp /var/tmp; do
		if [ ${#parent} -le 60 ] && [ -d "$parent" ] && as_server test -x "$parent"; then
			echo "$parent"
			return
		fi
	done
	echo "roformer: user $server_user can enter none of TMPDIR, /tmp and /var/tmp" >&2
	return 1
}

# server_give DIR: the server's user owns all below DIR and can read it, whatever the umask was.
server_give()
{
	chmod -R u+rwX,go+rX "$1"
	[ "$(id -u)" -ne 0 ] || chown -R "$server_user" "$1"
}

# server_start BIN DIR PORT [SETTING...]: a new cluster in DIR/data, socket in DIR, log in DIR/server.log. DIR
# belongs to the server's user. The port only names the socket.
server_start()
(
	bin=$1 dir=$2 port=$3
	shift 3
	cd "$dir"
	as_server "$bin/initdb" -D "$dir/data" -U postgres -A trust -E UTF8 --locale=C.UTF-8 --no-sync >"$dir/initdb.log" 2>&1 ||
		{ cat "$dir/initdb.log" >&2; return 1; }
	{
		printf '%s\n' "listen_addresses = ''" "unix_socket_directories = '$dir'" "unix_socket_permissions = 0700" "port = $port"
		printf '%s\n' "fsync = off" "$@"
	} | as_server tee -a "$dir/data/postgresql.conf" >/dev/null
	as_server "$bin/pg_ctl" -D "$dir/data" -l "$dir/server.log" -s -w -t 120 start ||
		{ tail -n 30 "$dir/server.log" >&2; return 1; }
)

# server_stop BIN DIR: also when it is not running or was never started. A fast stop that comes while the server
# recovers from a crash may wait for ever.
server_stop()
(
	[ -f "$2/data/postmaster.pid" ] || return 0
	cd "$2"
	as_server "$1/pg_ctl" -D "$2/data" -s -m fast -w -t 20 stop 2>/dev/null ||
		as_server "$1/pg_ctl" -D "$2/data" -s -m immediate -w stop 2>/dev/null || true
)
