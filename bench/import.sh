#!/usr/bin/env bash
# Loads a random model of 101 million parameters by load_model and by roformer_import, in turn, into a server of its own
# that works as an installed one would (with fsync), and prints the best of each: seconds and MB a second.
#
#   bench/import.sh [TIMES]        default 3
set -euo pipefail
times=${1:-3}
cd "$(dirname "$0")/.."
test/deps.sh >/dev/null
. bench/server.bash

stage_server
write_model m hidden 768 layers 12 heads 12 vocab 21128
model=$work/models/m
begin_server "max_wal_size = 8GB" "fsync = on"
run -c 'CREATE EXTENSION roformer'
megabytes=$(du -sb "$model" | awk '{ print $1 / 1024 / 1024 }')

# timed NAME COMMAND...: name and seconds of one run into an empty store
timed()
{
	local name=$1 from
	shift
	run -c 'SELECT roformer.drop_model(name) FROM roformer.models' -c 'VACUUM _roformer.model_chunk' -c CHECKPOINT >/dev/null
	from=$EPOCHREALTIME
	"$@" >/dev/null
	awk -v name="$name" -v from="$from" -v to="$EPOCHREALTIME" 'BEGIN { print name, to - from }'
}

for ((i = 0; i < times; i++)); do
	timed load_model run -c "SELECT roformer.load_model('m', '$model')"
	timed roformer_import as_server "$bin/roformer_import" -q -n m "$model"
done | sort -k1,1 -k2,2n | awk -v mb="$megabytes" -v times="$times" '
	BEGIN { printf "%.1f MB, best of %d\n", mb, times }
	!seen[$1]++ { printf "%-16s %6.2f s %8.1f MB/s\n", $1, $2, mb / $2 }'
