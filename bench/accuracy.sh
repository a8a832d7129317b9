#!/usr/bin/env bash
# What bf16 and int8 cost in accuracy: for each bundled model, over all its test rows in demo/data, the figure that its card states,
# the share of labels that are those of fp32, how far hidden states are from fp32, bytes and speed, on a server of its own.
#
#   bench/accuracy.sh [SET]        a kernel set (auto)
#
# Speed is tokens a second of computing as the view "stats" counts it, elapsed: it means something on an idle machine only.
set -euo pipefail
kernels=${1:-auto}
cd "$(dirname "$0")/.."
export LC_ALL=C.UTF-8
PG_CONFIG=$(test/pg_config)
export PG_CONFIG
. test/server.sh

work=$(server_parent)/roformer-bench.$$
mkdir -m 755 "$work"
bin=
finish() { [ -z "$bin" ] || server_stop "$bin" "$work/server"; rm -rf "$work"; }
trap finish EXIT
trap 'exit 130' INT TERM
make -s PG_CONFIG="$PG_CONFIG" all
bin=$(test/stage.sh "$work/postgres")
mkdir "$work/server" "$work/home"
cp -r demo "$work/"
cp bench/accuracy.sql "$work/demo/"
for directory in postgres server home demo; do server_give "$work/$directory"; done
export HOME=$work/home
server_start "$bin" "$work/server" 15997 "shared_preload_libraries = 'roformer'" "roformer.cache_size = '256MB'" \
	"roformer.kernels = '$kernels'" "work_mem = '64MB'" "autovacuum = off" "jit = off" "max_parallel_workers_per_gather = 0"
run() { (cd "$work/demo" && as_server "$bin/psql" -X -q -v ON_ERROR_STOP=1 -P pager=off -P footer=off -h "$work/server" -p 15997 -U postgres "$@"); }
run -A -t -c "CREATE EXTENSION roformer" -c "SELECT 'kernel set ' || kernels || ': ' || reason FROM roformer.cpu_info() WHERE chosen" -c "DROP EXTENSION roformer"
run -f accuracy.sql
