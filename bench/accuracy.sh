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
. bench/server.bash

stage_server
cp -r demo "$work/"
cp bench/accuracy.sql "$work/demo/"
begin_server "roformer.cache_size = '256MB'" "roformer.kernels = '$kernels'" "work_mem = '64MB'" "autovacuum = off" "jit = off" "max_parallel_workers_per_gather = 0"
cd "$work/demo"
run -c "CREATE EXTENSION roformer" -c "SELECT 'kernel set ' || kernels || ': ' || reason FROM roformer.cpu_info() WHERE chosen" -c "DROP EXTENSION roformer"
run -P format=aligned -P tuples_only=off -P footer=off -f accuracy.sql
