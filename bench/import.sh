#!/usr/bin/env bash
# Loads a random model of 101 million parameters by load_model and by roformer_import, in turn, into a server of its own
# that works as an installed one would (with fsync), and prints the best of each: seconds and MB a second.
#
#   bench/import.sh [TIMES]        default 3
set -euo pipefail
umask 022
times=${1:-3}
cd "$(dirname "$0")/.."
test/deps.sh >/dev/null
PG_CONFIG=$(test/pg_config)
export PG_CONFIG
. test/server.sh
make -s -j"$(nproc)" PG_CONFIG="$PG_CONFIG" all
work=$(mktemp -d "$(server_parent)/roformer-bench.XXXXXX")
chmod 755 "$work"
trap 'server_stop "${bin:-}" "$work/server" || true; rm -rf "$work"' EXIT
bin=$(test/stage.sh "$work/postgres")
mkdir "$work/server" "$work/perl"
for directory in postgres server; do server_give "$work/$directory"; done
server_start "$bin" "$work/server" 15998 "shared_preload_libraries = 'roformer'" "max_wal_size = 8GB" "fsync = on"

TESTDATADIR=$work/perl TESTLOGDIR=$work/perl PG_REGRESS=none perl -I"$(dirname "$("$PG_CONFIG" --pgxs)")/../test/perl" -Itest/t \
	-MRoformerTest -e 'RoformerTest::write_model($ARGV[0], hidden => 768, layers => 12, heads => 12, vocab => 21128)' "$work/model"
server_give "$work/model"
export PGHOST=$work/server PGPORT=15998 PGUSER=postgres PGDATABASE=postgres
sql() { "$bin/psql" -XqAt -v ON_ERROR_STOP=1 "$@"; }
sql -c 'CREATE EXTENSION roformer'
megabytes=$(du -sb "$work/model" | awk '{ print $1 / 1024 / 1024 }')

# timed NAME COMMAND...: name and seconds of one run into an empty store
timed()
{
	local name=$1 from
	shift
	sql -c 'SELECT roformer.drop_model(name) FROM roformer.models' -c 'VACUUM _roformer.model_chunk' -c CHECKPOINT >/dev/null
	from=$EPOCHREALTIME
	"$@" >/dev/null
	awk -v name="$name" -v from="$from" -v to="$EPOCHREALTIME" 'BEGIN { print name, to - from }'
}

for ((i = 0; i < times; i++)); do
	timed load_model sql -c "SELECT roformer.load_model('m', '$work/model')"
	timed roformer_import "$bin/roformer_import" -q -n m "$work/model"
done | sort -k1,1 -k2,2n | awk -v mb="$megabytes" -v times="$times" '
	BEGIN { printf "%.1f MB, best of %d\n", mb, times }
	!seen[$1]++ { printf "%-16s %6.2f s %8.1f MB/s\n", $1, $2, mb / $2 }'
