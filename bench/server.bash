# Sourced by benchmarks that need a server, at the top of the tree: one of their own, in $work, which is gone at the end.
export LC_ALL=C.UTF-8
umask 022
PG_CONFIG=$(test/pg_config)
export PG_CONFIG
. test/server.sh

bin=
work=$(server_parent)/roformer-bench.$$
mkdir -m 755 "$work"
finish() { [ -z "$bin" ] || server_stop "$bin" "$work/server"; rm -rf "$work"; }
trap finish EXIT
trap 'exit 130' INT TERM

# stage_server [GOAL...]: builds, with these goals too, and copies PostgreSQL with the extension to $work/postgres.
stage_server()
{
	make -s -j"$(nproc)" PG_CONFIG="$PG_CONFIG" all "$@"
	bin=$(test/stage.sh "$work/postgres")
	mkdir "$work/server" "$work/home"
	export HOME=$work/home PGHOST=$work/server PGPORT=15998 PGUSER=postgres PGDATABASE=postgres
}

# write_model NAME [KEY VALUE...]: random weights below $work/models; see write_model in test/t/RoformerTest.pm.
write_model()
{
	mkdir -p "$work/models" "$work/perl"
	TESTDATADIR=$work/perl TESTLOGDIR=$work/perl PG_REGRESS=none perl -I"$(dirname "$("$PG_CONFIG" --pgxs)")/../test/perl" \
		-Itest/t -MRoformerTest -e 'RoformerTest::write_model(@ARGV)' "$work/models/$1" "${@:2}" 2>/dev/null
}

# begin_server [SETTING...]: its user may read all that is in $work by now.
begin_server()
{
	local directory
	for directory in "$work"/*/; do server_give "$directory"; done
	server_start "$bin" "$work/server" "$PGPORT" "shared_preload_libraries = 'roformer'" "$@"
}

run() { as_server "$bin/psql" -X -q -A -t -v ON_ERROR_STOP=1 "$@"; }
